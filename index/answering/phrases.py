"""Find noun phrases in news English by rules: the subject of a verb, a name after "said".

There is no tagger: a phrase runs from a boundary (punctuation, a subordinator, a verb) to the verb.
Quotations are masked first, so that their words are never taken for the reporter's. Offsets are
those of the original text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from index.answering.speakers import PREPOSITIONS, PRONOUNS, TIME, can_speak
from index.text.sentences import Span


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a punctuation mark with its place."""

    text: str
    start: int
    end: int


_TOKEN = re.compile(
    r"(?:[A-Z]\.){2,}|\b[A-Z]\.(?= [A-Z])"
    r"|\b(?:Mr|Mrs|Ms|Dr|Gen|Sen|Rep|Gov|Lt|Col|Sgt|St|No|Maj|Capt|Prof|Jr)\."
    r"|¤+|[^\W_]+(?:['’‘&./@–-][^\W_]+)*['’]?|\S"
)
_CLOSES = re.compile(r'[.,!?…]"(?=\s|$)')  # a straight mark that cannot open a quotation
_MARK = re.compile('[“”"]')
_LONGEST_PHRASE = 16  # words
_ARTICLES = frozenset({"a", "an", "the"})
_BEFORE_ARTICLE = PREPOSITIONS | {"and", "or", "both", "as", "all", "than"}
_BE = frozenset("is are was were be been being".split())
_AUXILIARIES = _BE | frozenset(
    "has have had will would could should may might can did does do not never also later earlier"
    " always only often already sometimes even ever then further again once both all still now"
    " just first went on to".split()
)
_BOUNDARIES = frozenset(
    "that while but as when after because although though if who whom whose which where whereas"
    " before since until than so or saying with however meanwhile indeed yet nor".split()
)
_MODALS = frozenset("will would can could may might shall should must".split())
_RELATIVES = frozenset({"who", "which", "that", "whom"})
_SUBORDINATORS = frozenset(
    "while whilst whereas although though when if after before since unless until whether"
    " despite".split()
)
_FINITE = frozenset(
    "has have had is are was were will would could should may might does did said says told wrote"
    " made took gave ran held led won lost met went came saw got became began left put set cut"
    " found spoke called received released sent argues say expects thinks fell grew rose knew drew"
    " broke chose drove struck stood sold bought brought thought caught fought paid kept felt"
    " meant built spent taken given known seen done gone shown grown".split()
)


def mask(text: str, inside: str = "") -> tuple[str, str]:
    """Return the text with its quotations replaced by "¤" (same length), and the mark still open.

    A quotation may run over several sentences: `inside` is the mark that closes the quotation in
    which the text begins, and the returned mark closes the quotation in which it ends ("" for
    none). An unopened closing mark masks everything before it.
    """
    if not inside and not _MARK.search(text):
        return text, ""
    masked, start = list(text), 0
    for match in _MARK.finditer(text):
        mark, place = match.group(), match.start()
        if inside and mark == inside:
            masked[start:place] = "¤" * (place - start)
            inside = ""
        elif not inside and (mark == "”" or _CLOSES.match(text, max(0, place - 1))):
            masked[:place] = "¤" * place
        elif not inside:
            inside, start = ("”" if mark == "“" else mark), place + 1
    if inside:
        masked[start:] = "¤" * (len(text) - start)
    return "".join(masked), inside


def tokens(text: str) -> list[Token]:
    """Return the words and punctuation marks of a text, in order."""
    return [Token(match.group(), *match.span()) for match in _TOKEN.finditer(text)]


def begins_adverbial(words: Sequence[Token], n: int) -> bool:
    """Return whether an adverbial of time, place or manner, or nothing, begins at word n."""
    leads = {"on", "in", "at", "during", "via", "after"} | TIME
    return n >= len(words) or words[n].text.lower() in leads


def leading_clause(words: Sequence[Token]) -> int:
    """Return the number of words, comma included, in a subordinate clause that opens a sentence."""
    if not words or words[0].text.lower() not in _SUBORDINATORS:
        return 0
    return next((n + 1 for n, word in enumerate(words) if word.text == ","), 0)


def subject(words: Sequence[Token]) -> Span | None:
    """Return the subject of a clause: the phrase before its first verb, if it can speak."""
    for n, word in enumerate(words):
        if n and is_finite(word.text):
            end, _ = before_verb(words, n)
            if end < 0 or words[end].text not in _RELATIVES:
                return phrase_ending(words, end)
    return None


def before_verb(words: Sequence[Token], n: int) -> tuple[int, bool]:
    """Return the index of the last word before verb n and its adverbs; whether it is passive."""
    i = n - 1
    while i >= 0 and (
        words[i].text in _AUXILIARIES or words[i].text.lower() in TIME or _is_adverb(words[i].text)
    ):
        i -= 1
    return i, any(word.text in _BE for word in words[i + 1 : n])


def phrase_ending(words: Sequence[Token], end: int) -> Span | None:
    """Return the noun phrase whose last word is ``end`` (an index), its appositions included."""
    if end < 0 or words[end].text != ",":
        return _checked(words, _start(words, end), end)
    commas = [n for n in range(end) if words[n].text == ","]
    span, last = None, end - 1
    for comma, close in reversed([*pairwise([*commas, end])]):
        first, aside = _start(words, comma - 1), words[comma + 1].text
        if comma + 1 == close or aside in {"and", "or", "but"}:
            break
        before = words[first - 1].text if first > 0 else ""
        if before[:1].isalnum() and before not in _BOUNDARIES:
            continue  # "who led | the union, ..."
        phrase = _checked(words, first, comma - 1)
        if phrase is None:
            break
        # "Mara Voss, head of the union, said", but "Mara Voss | , in a letter, said"
        if aside in _BOUNDARIES | PREPOSITIONS or aside.endswith(("ing", "ly", "ed")):
            last = comma - 1
        span = Span(phrase.start, words[last].end)
        if before != ",":
            break
    return span


def phrase_starting(words: Sequence[Token], n: int) -> Span | None:
    """Return the noun phrase that begins at word n: up to punctuation, an adverb, or a verb."""
    i = n
    while i < len(words) and words[i].text not in _BOUNDARIES:
        text = words[i].text
        if not text[0].isalnum() and (i == n or text != "&"):  # "Rope & Tar"
            break
        if i > n and (is_finite(text) or _is_adverb(text) or text.lower() in TIME | PRONOUNS):
            break
        if text in PREPOSITIONS and not _belongs(words, n, i):
            break
        i += 1
    return _checked(words, n, i - 1)


def _belongs(words: Sequence[Token], n: int, i: int) -> bool:
    """Return whether preposition i continues the phrase from word n: "the head of the union".

    After a name, it does so only before another name: "the University of Ostby", but "Estelle Moran
    | of the findings".
    """
    if i == n or words[i].text not in {"of", "for", "by", "from"}:
        return False
    if words[i - 1].text[0].islower():
        return True
    following = (word.text for word in words[i + 1 : i + 3] if word.text not in _ARTICLES)
    return words[i].text in {"of", "for"} and next(following, "a")[0].isupper()


def _start(words: Sequence[Token], end: int) -> int:
    """Return the index of the first word of the phrase that ends at word ``end``."""
    i = end
    while i >= 0:
        text = words[i].text
        if text == ")":  # "the Royal Guard (RG)"
            i = next((n for n in range(i, -1, -1) if words[n].text == "("), 0) - 1
            continue
        if not (text[0].isalnum() or text in {"@", "#", "&"}) or text.lower() in _BOUNDARIES:
            break
        if i < end and text.lower() in PRONOUNS and words[i + 1].text == "and":
            return i  # "she and Ada Brun"
        if i < end and (text.lower() in PRONOUNS | _MODALS | {"not", "being"} or is_finite(text)):
            break
        if i < end and text in _ARTICLES:
            previous = words[i - 1].text.lower()
            if previous not in _BEFORE_ARTICLE and not previous.endswith("ing"):
                return i  # "to review the deal | the Commission confirmed"
        i -= 1
    return i + 2 if i >= 0 and words[i].text in _MODALS else i + 1  # "will disappoint | members"


def _checked(words: Sequence[Token], first: int, last: int) -> Span | None:
    """Return the span of words first..last, trimmed at the left, if they can speak."""
    openers = TIME | {"and", "but", "then", "earlier", "later"}
    while first <= last and (
        words[first].text.lower() in openers
        or _is_adverb(words[first].text)
        or (words[first].text.lower() in {"this", "last"} and words[first + 1].text in TIME)
    ):
        first += 1
    if first < last and words[first].text.lower() in PREPOSITIONS:  # "On Monday the fire service"
        near = range(first + 1, min(first + 4, last))
        first = next((n for n in near if words[n].text.lower() in TIME), last) + 1
        first += first <= last and words[first].text.isdigit()
    if first <= last and words[first].text.lower() == "according":
        return None
    if first > last or last - first > _LONGEST_PHRASE:
        return None
    for n in range(
        first + 1, last
    ):  # "has taken place | and the mayor", but "the police and the mayor"
        apart = words[n].text == "and" and words[n + 1].text in _ARTICLES
        if apart and not can_speak([word.text for word in words[first:n]]):
            first = n + 1
    tail = words[last].text.lower()
    if tail in {"and"} | _ARTICLES | PREPOSITIONS or (last > first and tail in PRONOUNS):
        return None
    if not can_speak([word.text for word in words[first : last + 1]]):
        return None
    return Span(words[first].start, words[last].end)


def _is_adverb(word: str) -> bool:
    plain = len(word) > len("only") and word.islower() and word.endswith("ly")
    return plain and word not in {"family", "assembly", "supply", "reply"}


def is_finite(word: str) -> bool:
    """Return whether a word looks like a finite verb, which follows a subject."""
    plain = len(word) > len("need") and word.islower() and word.endswith("ed") and "-" not in word
    return plain or word in _FINITE
