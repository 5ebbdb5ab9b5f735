"""Find noun phrases of news English by rule: the subject of a verb, a name after "said".

There is no tagger: a phrase runs from a boundary (punctuation, a subordinator, a verb) to the verb.
Quotations are masked first, so that their words are never taken for the reporter's. Offsets are
those of the original text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from index.text.dates import MONTHS, WEEKDAYS
from index.text.sentences import Span


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a punctuation mark with its place."""

    text: str
    start: int
    end: int


_TOKEN = re.compile(
    r"(?:[A-Z]\.){2,}|\b(?:Mr|Mrs|Ms|Dr|Gen|Sen|Rep|Gov|Lt|Col|Sgt|St|No|Maj|Capt|Prof|Jr)\."
    r"|¤+|[^\W_]+(?:['’&./@–-][^\W_]+)*['’]?|\S"
)
_MARK = re.compile('[“”"]')
_LONGEST_PHRASE = 16  # words
_PREPOSITIONS = frozenset("in on at by for from to of with during under over into about".split())
_BEFORE_ARTICLE = _PREPOSITIONS | {"and", "or", "both", "as", "all", "than", "like"}
PRONOUNS = frozenset("he she it they i we you there".split())
_BE = frozenset("is are was were be been being".split())
_AUXILIARIES = _BE | frozenset(
    "has have had will would could should may might can did does do not never also later earlier"
    " then further again once both all still now just first went on to".split()
)
_TIME = frozenset(map(str.lower, WEEKDAYS + MONTHS)) | frozenset(
    "yesterday today tonight tomorrow night morning afternoon evening week month year".split()
)
_DETERMINERS = frozenset(
    "the a an his her its their one two three some several many other another both state local"
    " senior former government police prosecutors".split()
)
_PEOPLE = frozenset(
    "officials authorities police reports researchers residents activists witnesses doctors"
    " experts sources scientists astronomers insurgents rebels gunmen prosecutors lawyers critics"
    " locals analysts investigators organizers organisers countries protesters reporters news"
    " opposition state media government relatives family rescuers spokesman spokeswoman"
    " spokesperson".split()
)
_BOUNDARIES = frozenset(
    "that while but as when after because although though if who whom whose which where whereas"
    " before since until than so or saying with however meanwhile indeed yet nor".split()
)
_FINITE = frozenset(
    "has have had is are was were will would could should may might does did said says told wrote"
    " made took gave ran held led won lost met went came saw got became began left put set cut"
    " found spoke called received released sent argues say expects thinks".split()
)


def mask(text: str, inside: str = "") -> tuple[str, str]:
    """Return the text with its quotations replaced by "¤" (same length), and the mark still open.

    A quotation may run over several sentences: `inside` is the mark that closes the quotation the
    text begins in, and the returned mark closes the one it ends in ("" for none). A closing curly
    mark without an opening one masks everything before it.
    """
    if not inside and not _MARK.search(text):
        return text, ""
    masked, start = list(text), 0
    for match in _MARK.finditer(text):
        mark, place = match.group(), match.start()
        if inside and mark == inside:
            masked[start:place] = "¤" * (place - start)
            inside = ""
        elif not inside and mark == "”":
            masked[:place] = "¤" * place
        elif not inside:
            inside, start = ("”" if mark == "“" else mark), place + 1
    if inside:
        masked[start:] = "¤" * (len(text) - start)
    return "".join(masked), inside


def tokens(text: str) -> list[Token]:
    """The words and punctuation marks of a text, in order."""
    return [Token(match.group(), *match.span()) for match in _TOKEN.finditer(text)]


def begins_adverbial(words: Sequence[Token], n: int) -> bool:
    """Whether an adverbial of time, place or manner begins at word n, or the words end there."""
    leads = {"on", "in", "at", "during", "via", "after"} | _TIME
    return n >= len(words) or words[n].text.lower() in leads


def subject(words: Sequence[Token]) -> Span | None:
    """The subject of a sentence: the phrase before its first verb outside leading clauses."""
    verbs = (n for n, word in enumerate(words) if n and _is_finite(word.text))
    phrases = (phrase_ending(words, before_verb(words, n)[0]) for n in verbs)
    return next(filter(None, phrases), None)


def before_verb(words: Sequence[Token], n: int) -> tuple[int, bool]:
    """Index of the last word before verb n and its adverbs, and whether the verb is passive."""
    i = n - 1
    while i >= 0 and (
        words[i].text in _AUXILIARIES or words[i].text.lower() in _TIME or _is_adverb(words[i].text)
    ):
        i -= 1
    return i, any(word.text in _BE for word in words[i + 1 : n])


def phrase_ending(words: Sequence[Token], end: int) -> Span | None:
    """The noun phrase whose last word is ``end`` (an index), its apposition included."""
    if end < 0:
        return None
    if words[end].text != ",":
        return _checked(words, _start(words, end), end)
    comma = next((n for n in range(end - 1, 0, -1) if words[n].text == ","), None)
    if comma is None:
        return None
    span, aside = _checked(words, _start(words, comma - 1), comma - 1), words[comma + 1 : end]
    if not span or not aside or aside[0].text.endswith("ing"):
        return span
    # "Mara Voss, head of the union, said", but "Mara Voss | , in a letter, said"
    return span if aside[0].text in _BOUNDARIES | _PREPOSITIONS else Span(span.start, aside[-1].end)


def phrase_starting(words: Sequence[Token], n: int) -> Span | None:
    """The noun phrase that begins at word n: up to punctuation, time, or a verb."""
    ends = _TIME | PRONOUNS | {"on", "at", "in", "about", "to"}
    i = n
    while i < len(words) and words[i].text[0].isalnum() and words[i].text not in _BOUNDARIES:
        if i > n and (_is_finite(words[i].text) or words[i].text.lower() in ends):
            break
        i += 1
    return _checked(words, n, i - 1)


def _start(words: Sequence[Token], end: int) -> int:
    """Index of the first word of the phrase that ends at word ``end``."""
    i = end
    while i >= 0:
        text = words[i].text
        if text == ")":  # "the Royal Guard (RG)"
            i = next((n for n in range(i, -1, -1) if words[n].text == "("), 0) - 1
            continue
        if not (text[0].isalnum() or text in {"@", "#"}) or text.lower() in _BOUNDARIES:
            break
        if i < end and (text.lower() in PRONOUNS | {"not", "being"} or _is_finite(text)):
            break
        begins = text in {"a", "an", "the"} and words[i - 1].text.lower() not in _BEFORE_ARTICLE
        if i < end and begins:
            return i  # "to review the deal | the Commission confirmed"
        i -= 1
    return i + 1


def _checked(words: Sequence[Token], first: int, last: int) -> Span | None:
    """The span of words first..last, trimmed at the left, if they look like a person or body."""
    openers = _TIME | {"and", "but", "then", "earlier", "later"}
    while first <= last and words[first].text.lower() in openers:
        first += 1
    if first < last and words[first].text.lower() in _PREPOSITIONS:  # "On Monday the fire service"
        near = range(first + 1, min(first + 4, last))
        first = next((n for n in near if words[n].text.lower() in _TIME), last) + 1
        first += first <= last and words[first].text.isdigit()
    if first > last or last - first > _LONGEST_PHRASE:
        return None
    head, tail = words[first].text, words[last].text.lower()
    if tail in {"and"} | _PREPOSITIONS | _DETERMINERS - _PEOPLE:
        return None
    if last > first and tail in PRONOUNS:
        return None
    named = any(word.text[0].isupper() for word in words[first : last + 1])
    described = last > first and head in _DETERMINERS
    somebody = named or described or head in PRONOUNS or tail in _PEOPLE
    return Span(words[first].start, words[last].end) if somebody else None


def _is_adverb(word: str) -> bool:
    plain = len(word) > len("only") and word.islower() and word.endswith("ly")
    return plain and word not in {"family", "assembly", "supply", "reply"}


def _is_finite(word: str) -> bool:
    plain = len(word) > len("need") and word.islower() and word.endswith("ed") and "-" not in word
    return plain or word in _FINITE
