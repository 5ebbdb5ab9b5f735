"""Where two sentences on one question agree, contradict each other, or one updates the other.

A false alarm is worse than silence: every rule wants proof that both make the same point before
it looks at what they say about it, and what is not proved stays None. The rules, after the kinds
of contradiction in de Marneffe, Rafferty, Manning 2008 ("Finding Contradictions in Text"):

1. correction: a report corrects an earlier one of its publisher;
2. fact: asked for a day, a number, a place or a name, like sentences give another one;
3. figures: the people counted, the things asked for or what is measured are the same and the
   figures are not: the same house's, or a later and larger one of the dead, is an update;
4. denial: one denies, refutes or calls false what the other says;
5. negation: one negates what the other affirms;
6. wording: both say the same in like words, nothing against it.

That two sentences are on one point is told by the cosine of their embeddings (`near`) and by the
words that they share with the question and with each other, against the few thresholds below.
They were chosen on pairs of FNC-1 (Pomerleau, Rao 2017), RAMDocs (Wang et al. 2025) and MRPC
(Dolan, Brockett 2005); a condition that changed no figure there, and no test, was taken out.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Literal

from index.answering.claims import LONGEST, Claim, Said, claim
from index.ranking.query import AnswerType, answer_type
from index.text.dates import MONTHS, WEEKDAYS
from index.text.numbers import value
from index.text.quantities import GROWING, Figure, counts, units
from index.text.rewrites import Wording, read
from index.text.terms import terms

_ON_POINT = 0.45  # cosine of two sentences that may be on one point, if their words say so too
_NEAR = 0.75  # and where they say it in other words
_SOME, _HALF, _MOST, _MOSTLY = 0.3, 0.5, 0.6, 0.8  # parts of some words that others have
_LONG = 7  # words of a question of which no sentence takes up many, stop words left out
_SAME_STORY = timedelta(14)  # what is said of days further apart is said of two events
_LASTING = GROWING | {"age", "magnitude", "percent"}  # a later larger one of these is no growth
_ROUGH = {"exact": 0.02, "at least": 0.02, "about": 0.15, "at most": 0.15}  # of a figure

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
    if a.text == b.text:
        return None
    asked, x, y = _asked(question[:LONGEST]), claim(a), claim(b)
    found = _by_correction(x, y) or _by_fact(asked, x, y, near)
    if found or _apart(x, y, _SAME_STORY):
        return found
    return (
        _by_figure(asked, x, y, near)
        or _by_denial(asked, x, y, near)
        or _by_negation(asked, x, y, near)
        or _by_wording(x, y)
    )


# What is asked


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question's words, the kind of thing it asks for, and whom or what it wants counted.

    `open` is whether it may want a figure of any kind, `noun` the term of what it wants counted.
    """

    words: Wording
    kind: AnswerType | None
    units: frozenset[str]
    open: bool
    noun: str | None

    def taken_up(self, one: Claim) -> float:
        """The part of its words that a claim has."""
        return _part(self.words.bag, one.words.bag)

    def figures(self, one: Claim) -> list[Figure]:
        """What a claim gives of what it may want counted or measured."""
        wanted = [figure for figure in one.figures if figure.unit in self.units]
        others = {figure.start for figure in one.figures if figure not in wanted}
        if self.noun:  # the dead are no count of soldiers where the wounded are asked for
            named = counts(one.plain, self.noun)
            wanted += [figure for figure in named if not self.units or figure.start not in others]
        return wanted + one.measures if self.open and not self.units else wanted


@lru_cache(maxsize=64)
def _asked(question: str) -> _Asked:
    words, kind = read(question), answer_type(question)
    short = kind is None and len(words.bag) <= _LONG and not _NO_FIGURE.match(question)
    wants_figure = not words.figures and (short or kind in {"amount", "number"})
    counted = _HOW_MANY.search(question)
    noun = terms(counted[1])[0] if counted and counted[1].lower() != "people" else None
    return _Asked(words, kind, units(question), wants_figure, noun)


_HOW_MANY = re.compile(
    r"\bhow many (?:(?:of )?the |other |more )?(?!were|was|are|have|did)(\w+)", re.IGNORECASE
)
_NO_FIGURE = re.compile(
    r"\W*(?:did|do|does|is|are|was|were|has|have|had|can|could|will|would|why)\b", re.IGNORECASE
)
_CUES = read("deny denied denial story claim hoax fake false rumor rejected").bag
_DAY_NAMES = read(" ".join(WEEKDAYS + MONTHS)).bag


# Rules


def _by_correction(x: Claim, y: Claim) -> Verdict | None:
    for against, one, other in ((0, x, y), (1, y, x)):
        if not one.corrects or other.corrects or not _one_house(x, y):
            continue
        days = one.said.published, other.said.published
        shared = len(one.words.bag & other.words.bag)
        alike = shared > 3 and shared >= _SOME * len(other.words.bag)  # noqa: PLR2004
        if alike and days[0] and days[1] and days[0] >= days[1]:
            return Verdict("updated", "correction", against)
    return None


def _by_fact(asked: _Asked, x: Claim, y: Claim, near: float) -> Verdict | None:
    """Like sentences give another day, number or name, whichever the question asks for."""
    if asked.kind is None or asked.units or (x.negation is None) != (y.negation is None):
        return None
    if any(one.unsure or one.planned or one.denied is not None for one in (x, y)):
        return None
    if min(asked.taken_up(x), asked.taken_up(y)) < _HALF:
        return None
    if asked.kind == "date":
        verbs = asked.words.bag - asked.words.names  # "born", not only whose birth it was
        like = _alike(x, y, near) and all(not verbs or verbs & one.words.bag for one in (x, y))
        differ = like and _other_days(x, y)
    else:
        a, b = x.words, y.words
        one, other = _plain(a) - (a.names - b.bag), _plain(b) - (b.names - a.bag)
        like = len(one & other) >= _MOSTLY * len(one | other)
        if asked.kind in {"number", "amount"}:
            figures = [*(a.figures - b.figures)], [*(b.figures - a.figures)]
            differ = like and len(figures[0]) == len(figures[1]) == 1
            if differ and _larger_later(x, y, _number(figures[0][0]), _number(figures[1][0])):
                return _newer(x, y, "fact")
        else:
            differ = like and a.figures == b.figures and _names_clash(x, y)
    return (_newer(x, y, "fact") or Verdict("disagree", "fact")) if differ else None


def _by_figure(asked: _Asked, x: Claim, y: Claim, near: float) -> Verdict | None:
    """Each gives one figure of a kind that the question wants."""
    if x.denied is not None or y.denied is not None or _places_clash(x, y):
        return None
    if not _alike(x, y, near):
        return None
    given = asked.figures(x), asked.figures(y)
    for unit in sorted({one.unit for one in given[0]}):
        mine, yours = ([one for one in figures if one.unit == unit] for figures in given)
        one_each = len(mine) == len(yours) == 1 and _of_one(asked, x, y, mine[0], yours[0])
        if one_each and (found := _counts(x, y, mine[0], yours[0])):
            return found
    return None


def _of_one(asked: _Asked, x: Claim, y: Claim, one: Figure, other: Figure) -> bool:
    """Whether two figures are of the same part, time and place, as far as is said beside them."""
    if one.narrowed != other.narrowed or x.period(one) != y.period(other):
        return False
    known = asked.words.bag | _DAY_NAMES | (x.words.bag & y.words.bag)
    return (x.place(one) | y.place(other)) <= known


def _counts(x: Claim, y: Claim, one: Figure, other: Figure) -> Verdict | None:
    if one.value == other.value:
        return Verdict("agree", "figure")
    later = _later(x, y)
    if f"{one.value:g}" in y.words.figures or f"{other.value:g}" in x.words.figures:
        old, new = (one, y) if later == 1 else (other, x)
        known = later is not None and new.revised and f"{old.value:g}" in new.words.figures
        return Verdict("updated", "figure", later) if known else None  # "3,900, up from 2,300"
    larger = _larger_later(x, y, one.value, other.value)
    if (one.unit == "missing" and later is not None) or (one.unit in GROWING and larger):
        return Verdict("updated", "figure", later)
    if _consistent(one, other) or x.unsure or y.unsure:
        return None
    grown = larger and one.unit not in _LASTING
    return _newer(x, y, "figure") or (None if grown else Verdict("disagree", "figure"))


def _larger_later(x: Claim, y: Claim, one: float, other: float) -> bool:
    """Whether the later figure is the larger: what is raised or burned may be more by then."""
    later = _later(x, y)
    return later is not None and (other > one) == bool(later)


def _number(figure: str) -> float:
    return value(figure) or 0.0


def _consistent(a: Figure, b: Figure) -> bool:
    """Whether two counts can both be true as they are worded."""
    rough = max(_ROUGH[a.hedge], _ROUGH[b.hedge])
    if abs(a.value - b.value) <= rough * max(a.value, b.value):
        return True
    low, high = sorted((a, b), key=lambda one: one.value)
    return low.hedge == "at least" or high.hedge == "at most"


def _newer(x: Claim, y: Claim, reason: Reason) -> Verdict | None:
    """An update: of the same house, or one of them says that it is not the first word."""
    if x.revised or y.revised or _one_house(x, y):
        return Verdict("updated", reason, _later(x, y))
    return None


def _one_house(x: Claim, y: Claim) -> bool:
    return x.said.publisher is not None and x.said.publisher == y.said.publisher


def _later(x: Claim, y: Claim) -> int | None:
    """Which one (0 or 1) was published later, where that is known."""
    a, b = x.said.published, y.said.published
    return int(a < b) if a and b and a != b else None


def _by_denial(asked: _Asked, x: Claim, y: Claim, near: float) -> Verdict | None:
    if (x.denied is None) == (y.denied is None):
        return None
    denial, plain = (x, y) if x.denied is not None else (y, x)
    if plain.unsure or plain.negative or "?" in denial.said.text:
        return None
    denied = read(denial.denied or "")
    if denied.figures and plain.words.figures and not denied.figures & plain.words.figures:
        return None  # it denies another figure
    head = frozenset(denied.stems[:3]) - _CUES
    if not head or _part(head, plain.words.bag) < _MOST:
        return None  # "denied arson after the fire" does not deny the fire
    shared, taken_up = _shared(denied, plain.words), asked.taken_up(plain)
    on_it = min(asked.taken_up(denial), taken_up) >= _SOME
    if len(asked.words.bag) > _LONG:
        on_it = on_it or (near >= _ON_POINT and shared >= _MOST)
    elif near >= _ON_POINT and taken_up >= _SOME:
        on_it = on_it or bool(head & asked.words.bag & plain.words.bag)
    return Verdict("disagree", "denial", int(denial is y)) if on_it and shared >= _HALF else None


def _by_negation(asked: _Asked, x: Claim, y: Claim, near: float) -> Verdict | None:
    negated, plain = (x, y) if x.negation else (y, x)
    if not negated.negation or plain.negative or x.unsure or y.unsure:
        return None
    verb, rest = negated.negation.verb.bag, negated.negation.rest.bag
    if _part((rest or verb) - _CUES, plain.words.bag) < _HALF:
        return None  # "..., but the court has not approved it" says nothing of what came before
    shared = _shared(x.words, y.words)
    if verb and verb <= plain.words.bag:
        on_it = near >= _ON_POINT or min(asked.taken_up(x), asked.taken_up(y)) >= _MOST
        proved = shared >= _HALF or (verb <= asked.words.bag and on_it)
    else:  # in other words
        like = x.words.figures == y.words.figures and not _names_clash(x, y)
        proved = near >= _NEAR and shared >= _SOME and like
    return Verdict("disagree", "negation", int(negated is y)) if proved else None


def _by_wording(x: Claim, y: Claim) -> Verdict | None:
    a, b = x.words, y.words
    same = (x.denied is None) == (y.denied is None) and x.negative == y.negative
    if not same or x.unsure != y.unsure or a.figures != b.figures or _names_clash(x, y):
        return None
    least = max(5, _MOSTLY * max(len(a.bag), len(b.bag)))
    if len(a.bag & b.bag) < least or _apart(x, y, timedelta(0)) or _replaced(a, b):
        return None
    return Verdict("agree", "wording")


# Measuring


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
    """Its words without figures and cues of denial."""
    return frozenset(stem for stem in words.bag if not stem[0].isdigit()) - _CUES


def _alike(x: Claim, y: Claim, near: float) -> bool:
    """Whether two sentences may be on one point, by their embeddings or by their words."""
    return near >= _ON_POINT or _shared(x.words, y.words) >= _SOME


def _part(some: Collection[str], others: frozenset[str]) -> float:
    """The part of some words that others have; 1 of none."""
    return sum(word in others for word in some) / len(some) if some else 1.0


def _shared(a: Wording, b: Wording) -> float:
    """The part of the shorter one's words that the other has."""
    one, other = sorted((_plain(a), _plain(b)), key=len)
    return _part(one, other)


def _replaced(a: Wording, b: Wording) -> bool:
    """Whether a word stands in the place of another, between the same two neighbours."""
    places = {(one[0], one[2]): one[1] for one in b.threes if one}
    return any(one and places.get((one[0], one[2]), one[1]) != one[1] for one in a.threes)


def _places_clash(x: Claim, y: Claim) -> bool:
    """Whether each names a place that the other does not."""
    return _clash(x.places - y.words.bag, y.places - x.words.bag)


def _names_clash(x: Claim, y: Claim) -> bool:
    """Whether each names somebody or some place that the other does not."""
    return _clash(x.words.names - y.words.bag, y.words.names - x.words.bag)


def _clash(mine: frozenset[str], theirs: frozenset[str]) -> bool:
    return bool(mine - _DAY_NAMES and theirs - _DAY_NAMES)
