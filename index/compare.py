"""Where two sentences on one question agree, contradict each other, or one updates the other.

A false alarm is worse than silence: every rule wants proof that both make the same point before
it looks at what they say about it, and what is not proved stays None. The rules, after the kinds
of contradiction in de Marneffe, Rafferty, Manning 2008 ("Finding Contradictions in Text"):

1. correction: a report corrects an earlier one of its publisher;
2. figures: the people counted, the things asked for or what is measured are the same and the
   figures are not: the same house's, or a later and larger one of the dead, is an update;
3. denial: one denies, refutes or calls false what the other says;
4. negation: one negates what the other affirms;
5. fact: asked for a day, a number, a place or a name, like sentences give another one;
6. wording: both say the same in like words, nothing against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Literal

from index.claims import LONGEST, Claim, Said, claim
from index.dates import MONTHS, WEEKDAYS
from index.figures import GROWING, Figure, counts, units
from index.origins import Wording, read
from index.query import AnswerType, answer_type
from index.terms import terms

_SAME_STORY = timedelta(14)  # what is said of days further apart is said of two events
_LONGEST_STORY = timedelta(60)  # further on it is another year's
_NEAR = 0.75  # cosine of two sentences on one point, whatever their words
_VERY_NEAR = 0.85
_ON_POINT = 0.45
_ON_MEASURE = 0.55
_LONG = 7  # words of a question, stop words left out


Reason = Literal["correction", "figure", "denial", "negation", "fact", "wording"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How two sentences relate and by which rule.

    `against` is the one (0 or 1) that denies, negates, corrects or comes later; None for neither.
    """

    kind: Literal["agree", "disagree", "updated"]
    reason: Reason
    against: int | None = None


def compare(question: str, a: Said, b: Said, near: float = 0.0) -> Verdict | None:
    """How two sentences relate on the question; None when in doubt. `near` is their cosine."""
    asked, x, y = _asked(question[:LONGEST]), claim(a), claim(b)
    shared = len(x.words.bag & y.words.bag)
    if a.text == b.text or (shared < 2 and near < _ON_POINT):  # noqa: PLR2004
        return None
    if found := _by_correction(x, y) or _by_date(asked, x, y, near) or _by_fact(asked, x, y, near):
        return found
    found = (
        _by_figure(asked, x, y, near)
        or _by_denial(asked, x, y, near)
        or _by_negation(asked, x, y, near)
        or _by_wording(x, y)
    )
    return None if found is None or _apart(x, y, _SAME_STORY) else found


# Reading


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question's words, the people it wants counted, and the kind of thing it asks for."""

    words: Wording
    units: frozenset[str]
    kind: AnswerType | None
    open: bool
    noun: str | None


@lru_cache(maxsize=64)
def _asked(question: str) -> _Asked:
    words, kind = read(question), answer_type(question)
    short = kind is None and len(words.bag) <= _LONG and not _YES_NO.match(question)
    wants_figure = not words.figures and (short or kind in {"amount", "number"})
    counted = _HOW_MANY.search(question)
    noun = terms(counted[1])[0] if counted and counted[1].lower() != "people" else None
    return _Asked(words, units(question), kind, wants_figure, noun)


_HOW_MANY = re.compile(
    r"\bhow many (?:(?:of )?the |other |more )?(?!were|was|are|have|did)(\w+)", re.IGNORECASE
)
_YES_NO = re.compile(
    r"\W*(?:did|do|does|is|are|was|were|has|have|had|can|could|will|would|who|where|why|when)\b",
    re.IGNORECASE,
)


_CUES = read("deny denied denial story claim hoax fake false rumor rejected").bag
_DAY_NAMES = read(" ".join(WEEKDAYS + MONTHS)).bag


# Rules


def _by_correction(x: Claim, y: Claim) -> Verdict | None:
    for against, one, other in ((0, x, y), (1, y, x)):
        if not one.corrects or other.corrects:
            continue
        mine, theirs = one.said, other.said
        later = mine.published and theirs.published and mine.published >= theirs.published
        shared = len(one.words.bag & other.words.bag)
        alike = shared > 3 and shared >= 0.3 * len(other.words.bag)  # noqa: PLR2004
        if _one_house(mine, theirs) and later and alike:
            return Verdict("updated", "correction", against)
    return None


def _by_figure(asked: _Asked, x: Claim, y: Claim, near: float) -> Verdict | None:
    """One figure of a kind in each: of the people asked for, of the noun, of what is measured."""
    if x.denied is not None or y.denied is not None:
        return None
    for ours, theirs, least in _figures(asked, x, y):
        for unit in sorted({one.unit for one in ours}):
            mine, yours = (_whole([f for f in given if f.unit == unit]) for given in (ours, theirs))
            if len(mine) != 1 or len(yours) != 1:
                continue
            if not _of_one(asked, x, y, mine[0], yours[0]):
                continue
            alike = near >= least or _shared(x.words, y.words) >= 0.3  # noqa: PLR2004
            likely = alike and not _places_clash(x, y)
            if found := _counts(x, y, mine[0], yours[0], likely=likely):
                return found
    return None


def _of_one(asked: _Asked, x: Claim, y: Claim, one: Figure, other: Figure) -> bool:
    """Whether two figures are of the same part, time and place, as far as is said beside them."""
    if one.narrowed != other.narrowed or x.period(one) != y.period(other):
        return False
    known = asked.words.bag | _DAY_NAMES | (x.words.bag & y.words.bag)
    return not (x.place(one) | y.place(other)) - known


def _whole(given: list[Figure]) -> list[Figure]:
    """Those that are not of a part or a rate; all, where there is none."""
    return [one for one in given if not one.narrowed] or given


def _figures(
    asked: _Asked, x: Claim, y: Claim
) -> Iterator[tuple[list[Figure], list[Figure], float]]:
    """The figures of both that a question may ask for, with how near the sentences must be."""
    if asked.units:
        mine, yours = ([f for f in one.figures if f.unit in asked.units] for one in (x, y))
        yield mine, yours, _ON_POINT
    elif asked.open:
        if asked.noun:
            yield counts(x.plain, asked.noun), counts(y.plain, asked.noun), _ON_POINT
        shares = asked.kind is not None  # a share of what, a question without a verb does not say
        mine, yours = ([f for f in one.measures if shares or f.unit != "percent"] for one in (x, y))
        yield mine, yours, _ON_MEASURE


def _counts(x: Claim, y: Claim, one: Figure, other: Figure, *, likely: bool) -> Verdict | None:
    if one.value == other.value:
        return Verdict("agree", "figure") if likely else None
    if f"{one.value:g}" in y.words.figures or f"{other.value:g}" in x.words.figures:
        return None  # "fell to 64 from 66" knows both counts
    grown = _grown(x.said, y.said, one, other)
    same_story = len((x.words.names & y.words.names) - _DAY_NAMES) > 1
    if grown is not None and (same_story or likely):
        return Verdict("updated", "figure", grown)
    if not likely or _consistent(one, other) or x.unsure or y.unsure:
        return None
    return _newer(x, y, "figure") or Verdict("disagree", "figure")


def _newer(x: Claim, y: Claim, reason: Reason) -> Verdict | None:
    """An update: of the same house, or one of them says that it is not the first word."""
    days = x.said.published, y.said.published
    if days[0] and days[1] and abs(days[0] - days[1]) > _LONGEST_STORY:
        return None
    if x.revised or y.revised or _one_house(x.said, y.said):
        return Verdict("updated", reason, _later(x.said, y.said))
    return None


def _one_house(a: Said, b: Said) -> bool:
    return a.publisher is not None and a.publisher == b.publisher


def _later(a: Said, b: Said) -> int | None:
    if not a.published or not b.published or a.published == b.published:
        return None
    return int(a.published < b.published)


def _grown(a: Said, b: Said, one: Figure, other: Figure) -> int | None:
    """Which one is later: the larger of a count that only grows, any of the missing."""
    later = _later(a, b)
    if later is None or one.unit not in GROWING | {"missing"}:
        return None
    return later if one.unit == "missing" or (other.value > one.value) == bool(later) else None


def _consistent(a: Figure, b: Figure) -> bool:
    """Whether two counts can both be true as they are worded."""
    if abs(a.value - b.value) <= 0.02 * max(a.value, b.value):
        return True
    for one, other in ((a, b), (b, a)):
        if one.hedge == "at least" and other.value >= one.value:
            return True
        if one.hedge == "at most" and other.value <= one.value:
            return True
    rough = {a.hedge, b.hedge} & {"about", "at most"}
    return bool(rough) and abs(a.value - b.value) <= 0.15 * max(a.value, b.value)


def _by_denial(asked: _Asked, x: Claim, y: Claim, near: float) -> Verdict | None:
    if (x.denied is None) == (y.denied is None):
        return None
    denial, plain = (x, y) if x.denied is not None else (y, x)
    if plain.unsure or plain.negative or "?" in denial.said.text:
        return None
    denied = read(denial.denied or "")
    if denied.figures and plain.words.figures and not denied.figures & plain.words.figures:
        return None  # it denies another figure
    if _held(denied.stems[:3], plain) < 0.6:  # noqa: PLR2004
        return None  # "denied arson after the fire" does not deny the fire
    shared = _shared(denied, plain.words)
    on_it = _takes_up(asked, denial, 0.3) and _takes_up(asked, plain, 0.4)
    if not on_it and len(asked.words.bag) > _LONG:  # nobody takes up so many words
        on_it = near >= 0.5 and shared >= 0.6  # noqa: PLR2004
    head = frozenset(denied.stems[:3]) - _CUES
    if len(asked.words.bag) <= _LONG and near >= _ON_POINT and _takes_up(asked, plain, 0.3):
        on_it = on_it or bool(head & asked.words.bag & plain.words.bag)
    if not on_it or shared < 0.5:  # noqa: PLR2004
        return None
    return Verdict("disagree", "denial", int(denial is y))


def _by_negation(asked: _Asked, x: Claim, y: Claim, near: float) -> Verdict | None:
    if any(
        one.unsure or one.denied is not None or not _takes_up(asked, one, 0.3) for one in (x, y)
    ):
        return None
    negated, plain = (x, y) if x.negation else (y, x)
    if not negated.negation or plain.negative:
        return None
    verb, rest, clause = negated.negation.verb.bag, negated.negation.rest, negated.negation.clause
    if _held(rest.stems or clause.stems, plain) < 0.5:  # noqa: PLR2004
        return None  # "..., but the court has not approved it" says nothing of what came before
    shared = _shared(x.words, y.words)
    if verb and verb <= plain.words.bag:
        on_it = near >= _ON_POINT or all(_takes_up(asked, one, 0.6) for one in (x, y))
        proved = shared >= 0.5 or (verb <= asked.words.bag and on_it)  # noqa: PLR2004
    else:  # in other words
        like = x.words.figures == y.words.figures and not _names_clash(x, y)
        proved = near >= _NEAR and shared >= 0.3 and like  # noqa: PLR2004
    return Verdict("disagree", "negation", int(negated is y)) if proved else None


def _by_date(asked: _Asked, x: Claim, y: Claim, near: float) -> Verdict | None:
    """Asked when it was, each names another day."""
    if asked.kind != "date" or _at_odds(x, y) or not _other_days(x, y) or _places_clash(x, y):
        return None
    verbs = asked.words.bag - asked.words.names  # "born", not only whose birth it was
    same = all(not verbs or verbs & one.words.bag for one in (x, y))
    on_it = near >= _ON_MEASURE and same and all(_takes_up(asked, one, 0.4) for one in (x, y))
    if not on_it and _overlap(_plain(x.words), _plain(y.words)) < 0.6:  # noqa: PLR2004
        return None
    return _newer(x, y, "fact") or Verdict("disagree", "fact")


def _by_fact(asked: _Asked, x: Claim, y: Claim, near: float) -> Verdict | None:
    """One thing differs in two like sentences, and it is what the question asks for."""
    if asked.kind in {None, "date"} or asked.units or _apart(x, y, timedelta(0)):
        return None
    a, b = x.words, y.words
    if _at_odds(x, y) or not all(_takes_up(asked, one, 0.5) for one in (x, y)):
        return None
    one, other = _plain(a) - _DAY_NAMES, _plain(b) - _DAY_NAMES
    like = 0.3 if near >= _VERY_NEAR else 0.6
    if asked.kind in {"number", "amount"}:
        differ = len(a.figures - b.figures) == len(b.figures - a.figures) == 1
    else:
        differ = a.figures == b.figures and _names_clash(x, y)
        one, other, like = one - (a.names - b.bag), other - (b.names - a.bag), 0.8
    if not differ or _overlap(one, other) < like:
        return None
    return _newer(x, y, "fact") or Verdict("disagree", "fact")


def _at_odds(x: Claim, y: Claim) -> bool:
    """Whether one is unsure, denies, or negates what the other does not."""
    unsure = any(one.unsure or one.planned or one.denied is not None for one in (x, y))
    return unsure or (x.negation is None) != (y.negation is None)


def _by_wording(x: Claim, y: Claim) -> Verdict | None:
    a, b = x.words, y.words
    like = (x.denied is None) == (y.denied is None) and x.negative == y.negative
    if not like or x.unsure != y.unsure or a.figures != b.figures or _names_clash(x, y):
        return None
    least = max(5, 0.75 * max(len(a.bag), len(b.bag)))
    if len(a.bag & b.bag) < least or _apart(x, y, timedelta(0)) or _replaced(a, b):
        return None
    return Verdict("agree", "wording")


def _apart(x: Claim, y: Claim, by: timedelta) -> bool:
    """Whether the sentences name days that are all further apart: two points, not one."""
    if not x.days or not y.days:
        return False
    return all(
        (d.start is not None and e.end + by < d.start)
        or (e.start is not None and d.end + by < e.start)
        for d in x.days
        for e in y.days
    )


def _other_days(x: Claim, y: Claim) -> bool:
    """Whether each names a day in the place of the other's, those that both name left out."""
    one, other = ({(day.start, day.end) for day in claim.days} for claim in (x, y))
    mine, theirs = (
        [day for day in claim.days if (day.start, day.end) not in one & other] for claim in (x, y)
    )
    return bool(mine and theirs) and not any(a.overlaps(b) for a in mine for b in theirs)


def _plain(words: Wording) -> frozenset[str]:
    """Its words without figures."""
    return frozenset(stem for stem in words.bag if not stem[0].isdigit())


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """The part of all their words that both have (Jaccard); 0 for fewer than two."""
    shared = len(a & b)
    return shared / len(a | b) if shared > 1 else 0.0


def _shared(a: Wording, b: Wording) -> float:
    """The part of the shorter one's words that the other has, figures left out."""
    one, other = _plain(a) - _CUES, _plain(b) - _CUES
    return len(one & other) / max(1, min(len(one), len(other)))


def _held(stems: Sequence[str], plain: Claim) -> float:
    """The part of some words, cues of denial left out, that a claim has; 1 of none."""
    said = [stem for stem in stems if stem not in _CUES]
    return sum(stem in plain.words.bag for stem in said) / len(said) if said else 1.0


def _takes_up(asked: _Asked, one: Claim, part: float) -> bool:
    """Whether a sentence takes up that part of the question's words."""
    return len(asked.words.bag & one.words.bag) >= part * len(asked.words.bag)


def _replaced(a: Wording, b: Wording) -> bool:
    """Whether a word stands in the place of another, between the same two neighbours."""
    places = {(one[0], one[2]): one[1] for one in b.threes if one}
    return any(one and places.get((one[0], one[2]), one[1]) != one[1] for one in a.threes)


def _places_clash(x: Claim, y: Claim) -> bool:
    """Whether each names a place that the other does not."""
    mine, theirs = x.places - y.words.bag - _DAY_NAMES, y.places - x.words.bag - _DAY_NAMES
    return bool(mine and theirs)


def _names_clash(x: Claim, y: Claim) -> bool:
    """Whether each names somebody or some place that the other does not."""
    a, b = x.words, y.words
    return bool(a.names - b.bag - _DAY_NAMES) and bool(b.names - a.bag - _DAY_NAMES)
