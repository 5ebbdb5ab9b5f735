"""Noun phrases of news English by rule: the subject of a verb, a name after "said".

No tagger: a phrase runs from a boundary (punctuation, a subordinator, a verb) to the verb. What
stands inside quotation marks is masked first, so that it is never taken for the reporter's own;
offsets are those of the text given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

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
_LONGEST_PHRASE = 16
_LONGEST_ASIDE = 8
_OFFICES = frozenset("the a an director head president chief".split())
_PREPOSITIONS = frozenset("in on at by for from to of with during under over into about".split())
_LED_BY = _PREPOSITIONS | {"and", "or", "both", "as", "all", "than", "like"}
_LED_TO = frozenset("ambassador envoy adviser delegate aide".split())

PRONOUNS = frozenset("he she it they i we you".split())
_BE = frozenset("is are was were be been being".split())
AUXILIARIES = frozenset(
    "has have had is are was were be been being will would could should may might can did does do"
    " not never also later earlier then further again once both all still now just first went on"
    " to".split()
)
_TIME = frozenset(map(str.lower, WEEKDAYS + MONTHS)) | frozenset(
    "yesterday today tonight tomorrow night morning afternoon evening week month year"
    " subsequently".split()
)
_TIME_LEAD = frozenset(
    "on in last this late early at since the next of earlier past following".split()
)
_NO_ADVERBS = frozenset("family ally assembly supply reply daily weekly anomaly".split())
_DETERMINERS = frozenset(
    "the a an his her its their one two three some several many other another both state local"
    " senior former government police prosecutors".split()
)
PEOPLE = frozenset(
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
_NOBODY = frozenset("there everything anything nothing something what only".split())
_FINITE = frozenset(
    "has have had is are was were will would could should may might does did said says told wrote"
    " made took gave ran held led won lost met went came saw got became began left put set cut"
    " found spoke called received released sent argues say expects thinks".split()
)


def mask(text: str, inside: str = "") -> tuple[str, str]:
    """The text with its quotations replaced by "¤", length unchanged, and the mark still awaited.

    A quotation may run over several sentences: `inside` is the mark that closes the one that the
    text begins in, and what is returned beside the text the one it ends in ("" if none). A closing
    curly mark without its opening one masks all that stands before it.
    """
    if not inside and not _MARK.search(text):
        return text, ""
    masked, start = list(text), 0
    for found in _MARK.finditer(text):
        mark, place = found.group(), found.start()
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
    """Words and punctuation marks in order."""
    return [Token(found.group(), *found.span()) for found in _TOKEN.finditer(text)]


def adverb(word: str) -> bool:
    """Whether a lower-case word is an adverb by its ending."""
    if word in {"even", "though", "however"}:
        return True
    return len(word) > 4 and word.endswith("ly") and word.islower() and word not in _NO_ADVERBS  # noqa: PLR2004 - "only"


def after_time(words: Sequence[Token], i: int) -> int:
    """Index before the expression of time that ends at word i; i itself when there is none."""
    j = i
    while j >= 0 and (
        (_timely(words[j]) and words[j].text not in {"march", "may"})
        or (j > 0 and words[j].text.isdigit() and _timely(words[j - 1]))
        or (j < i and words[j].text.lower() in _TIME_LEAD)
    ):
        j -= 1
    return j


def before_time(words: Sequence[Token], n: int) -> bool:
    """Whether an expression of time, a place or a manner begins at word n, or nothing does."""
    leads = {"on", "in", "at", "during", "via", "after"}
    return n >= len(words) or _timely(words[n]) or words[n].text.lower() in leads


def subject(words: Sequence[Token]) -> Span | None:
    """The subject of a sentence: the phrase before its first verb outside leading clauses."""
    for n, word in enumerate(words):
        if n and _is_finite(word.text):
            span = phrase_ending(words, before_verb(words, n)[0])
            if span:
                return span
    return None


def before_verb(words: Sequence[Token], n: int) -> tuple[int, bool]:
    """Index of the last word before verb n that is no adverb, auxiliary or time; and passive?"""
    i, passive = n - 1, False
    while i >= 0:
        text = words[i].text
        if text in AUXILIARIES or adverb(text):
            passive = passive or text in _BE
            i -= 1
        elif (skipped := after_time(words, i)) < i:
            i = skipped
        else:
            break
    return i, passive


def phrase_ending(words: Sequence[Token], end: int) -> Span | None:
    """The noun phrase whose last word is ``end`` (an index), its apposition included."""
    while end >= 0 and (_is_finite(words[end].text) or adverb(words[end].text)):
        end -= 1  # "rushed to deny": the subject of the first verb
    if end < 0:
        return None
    if words[end].text == ",":
        return _with_apposition(words, end)
    if words[end].text in {"who", "which"}:
        last = end - 1 - (end > 1 and words[end - 1].text == ",")
        first = last + 1
        while first and (words[first - 1].text[0].isupper() or words[first - 1].text == "of"):
            first -= 1
        return _checked(words, first, last)
    first = _start(words, end)
    leading = first > 2 and words[first - 1].text in _PREPOSITIONS  # noqa: PLR2004
    if leading and words[first - 2].text.endswith("ing"):
        return phrase_ending(words, first - 3)  # "Mara Voss speaking to the council called it"
    return _checked(words, first, end)


def phrase_starting(words: Sequence[Token], n: int) -> Span | None:
    """The noun phrase that begins at word n: up to punctuation, time, or a verb."""
    i = n
    while i < len(words) and not _ends_phrase(words, n, i):
        i += 1
    span = _checked(words, n, i - 1) if i > n else None
    return _with_following(words, i, span) if span else None


def _ends_phrase(words: Sequence[Token], n: int, i: int) -> bool:
    """Whether a phrase begun at word n ends before word i."""
    text = words[i].text
    if not text[0].isalnum() or text in _BOUNDARIES:
        return True
    if text in {"the", "a", "an"} and i > n:  # "told the Wire | the tunnel was shut"
        return words[i - 1].text not in _PREPOSITIONS | {"and"}
    if text == "in" and i + 1 < len(words) and words[i + 1].text[0].isupper():
        return _timely(words[i + 1])  # "the embassy in Ostby", "the Wire in May"
    ends = _TIME | PRONOUNS | {"on", "at", "in", "about", "to"}
    return i > n and (_is_finite(text) or text.lower() in ends)


def _with_following(words: Sequence[Token], i: int, span: Span) -> Span:
    """Take in ", director of the Youth Forum" and, after an office, ", Wolfgang Voss"."""
    stops = (j for j in range(i + 1, len(words)) if words[j].text in {",", ".", '"', "“"})
    inner = words[i + 1 : next(stops, 0)]
    if not inner or words[i].text != "," or len(inner) > _LONGEST_ASIDE:
        return span
    named = words[i - 1].text.islower() and all(word.text[0].isupper() for word in inner)
    plain = not any(_is_finite(word.text) for word in inner)
    return (
        Span(span.start, inner[-1].end) if plain and (named or inner[0].text in _OFFICES) else span
    )


def _with_apposition(words: Sequence[Token], comma: int) -> Span | None:
    """The phrase before an apposition, with it: "Mara Voss, head of the union, said"."""
    previous = _comma_before(words, comma)
    if not previous:
        return None
    inner = words[previous + 1 : comma]
    if inner and inner[0].text in _TIME_LEAD and _timely(inner[-1]):
        return phrase_ending(words, previous - 1)
    span = _checked(words, _start(words, previous - 1), previous - 1)
    if span is None:  # a list inside the apposition: one comma further back
        further = _comma_before(words, previous)
        return _checked(words, _start(words, further - 1), further - 1) if further else None
    head = inner[0].text if inner else ""
    plain = not head.endswith("ing") and head not in _BOUNDARIES | _PREPOSITIONS
    return Span(span.start, inner[-1].end) if plain and inner else span


def _comma_before(words: Sequence[Token], i: int) -> int | None:
    return next((j for j in range(i - 1, -1, -1) if words[j].text == ","), None)


def _start(words: Sequence[Token], end: int) -> int:
    """Index of the first word of the phrase that ends at word ``end``."""
    i = end
    while i >= 0:
        text = words[i].text
        if text == ")":  # "the Royal Guard (RG)"
            i = next((j for j in range(i, -1, -1) if words[j].text == "("), 0) - 1
            continue
        familiar = text == "with" and words[i - 1].text == "familiar"
        if not (text[0].isalnum() or text in {"@", "#"} or familiar):
            break
        if text.lower() in _BOUNDARIES and not familiar:
            break
        if i < end and (text.lower() in PRONOUNS | {"not", "being"} or _is_finite(text)):
            break
        if i < end and text in {"a", "an", "the"} and words[i - 1].text.lower() not in _LED_BY:
            return i or 0  # "to review the deal | the Commission confirmed"
        clause = takewhile(lambda word: word.text not in {",", ";", ":"}, reversed(words[:i]))
        if text == "and" and any(_is_finite(word.text) for word in clause):
            break
        if text == "to" and words[i - 1].text.lower() not in _LED_TO:
            break
        i -= 1
    return i + 1


def _checked(words: Sequence[Token], first: int, last: int) -> Span | None:
    """The span of words first..last when they look like somebody, trimmed at the left."""
    drop = {"and", "but", "then", "earlier", "later"} | _TIME
    while first <= last and words[first].text.lower() in drop:
        first += 1
    if first < last and words[first].text.lower() in _PREPOSITIONS:  # "On Monday the fire service"
        near = range(first + 1, min(first + 4, last))
        first = next((k for k in near if _timely(words[k])), last) + 1
        first += first <= last and words[first].text.isdigit()
    if first > last or last - first > _LONGEST_PHRASE:
        return None
    while last > first and (adverb(words[last].text) or words[last].text in {"alone", "itself"}):
        last -= 1  # "the club directly"
    head, tail = words[first].text, words[last].text
    if (
        head.lower() in _NOBODY
        or re.match(r"(?:you|i|we|they)['’]", head.lower())
        or (last > first and tail.lower() in PRONOUNS | {"there"})
    ):
        return None
    if last == first and head.lower().endswith("ing") and head != "Beijing":
        return None
    if tail.lower() in _PREPOSITIONS | _DETERMINERS - PEOPLE or tail == "and":
        return None
    named = any(word.text[0].isupper() for word in words[first : last + 1])
    somebody = named or head.lower() in PRONOUNS or (head in _DETERMINERS and last > first)
    return Span(words[first].start, words[last].end) if somebody or tail in PEOPLE else None


def _timely(word: Token) -> bool:
    return word.text.lower() in _TIME


def _is_finite(word: str) -> bool:
    plain = word.islower() and word.endswith("ed") and "-" not in word and len(word) > 4  # noqa: PLR2004 - "need"
    return plain or word in _FINITE
