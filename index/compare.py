"""Where two sentences on one question agree, contradict each other, or one updates the other.

A false alarm is worse than silence: every rule wants proof that both make the same point before
it looks at what they say about it, and what is not proved stays None. The rules, after the kinds
of contradiction in de Marneffe, Rafferty, Manning 2008 ("Finding Contradictions in Text"):

1. correction: a report corrects an earlier one of its publisher;
2. figures: the people counted are the same and the counts are not: later and larger is an update;
3. denial: one denies, refutes or calls false what the other says;
4. negation: one negates what the other affirms;
5. fact: asked for a date, a number, a place or a name, like sentences give another one;
6. wording: both say the same in like words, nothing against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Literal

from index.claims import LONGEST, Claim, Said, claim
from index.dates import MONTHS, WEEKDAYS
from index.figures import GROWING, Figure, units
from index.origins import Wording, read
from index.query import AnswerType, answer_type

_SAME_STORY = timedelta(14)  # what is said of days further apart is said of two events
_NEAR = 0.75  # cosine of two sentences on one point, whatever their words
_VERY_NEAR = 0.85
_LONG = 7  # words of a question, stop words left out


@dataclass(frozen=True, slots=True)
class Verdict:
    """How two sentences relate and by which rule.

    `against` is the one (0 or 1) that denies, negates, corrects or comes later; None for neither.
    """

    kind: Literal["agree", "disagree", "updated"]
    reason: Literal["correction", "figure", "denial", "negation", "fact", "wording"]
    against: int | None = None


def compare(question: str, a: Said, b: Said, near: float = 0.0) -> Verdict | None:
    """How two sentences relate on the question; None when in doubt. `near` is their cosine."""
    asked, x, y = _asked(question[:LONGEST]), claim(a), claim(b)
    if a.text == b.text or len(x.words.bag & y.words.bag) < 2:  # noqa: PLR2004
        return None
    if found := _by_correction(x, y) or _by_fact(asked, x, y, near):
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


@lru_cache(maxsize=64)
def _asked(question: str) -> _Asked:
    return _Asked(read(question), units(question), answer_type(question))


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
    """Counts of people only: prices and shares change by the hour and by what they are of."""
    for unit in sorted(asked.units):
        ours = [figure for figure in x.figures if figure.unit == unit]
        theirs = [figure for figure in y.figures if figure.unit == unit]
        if len(ours) == len(theirs) == 1 and (found := _counts(x, y, ours[0], theirs[0], near)):
            return found
    return None


def _counts(x: Claim, y: Claim, one: Figure, other: Figure, near: float) -> Verdict | None:
    alike = near >= _NEAR or _shared(x.words, y.words) >= 0.3  # noqa: PLR2004
    likely = alike and not _names_clash(x, y)
    if one.value == other.value:
        return Verdict("agree", "figure") if likely else None
    if f"{one.value:g}" in y.words.figures or f"{other.value:g}" in x.words.figures:
        return None  # "fell to 64 from 66" knows both counts
    grown = _grown(x.said, y.said, one, other)
    same_story = len((x.words.names & y.words.names) - _DAY_NAMES) > 1
    if grown is not None and (same_story or likely):
        return Verdict("updated", "figure", grown)
    if not likely or _consistent(one, other):
        return None
    if x.revised or y.revised or _one_house(x.said, y.said):
        return Verdict("updated", "figure", _later(x.said, y.said))
    return Verdict("disagree", "figure")


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
        both = verb <= asked.words.bag and all(_takes_up(asked, one, 0.6) for one in (x, y))
        proved = shared >= 0.5 or both  # noqa: PLR2004
    else:  # in other words
        like = x.words.figures == y.words.figures and not _names_clash(x, y)
        proved = near >= _NEAR and shared >= 0.3 and like  # noqa: PLR2004
    return Verdict("disagree", "negation", int(negated is y)) if proved else None


def _by_fact(asked: _Asked, x: Claim, y: Claim, near: float) -> Verdict | None:
    """One thing differs in two like sentences, and it is what the question asks for."""
    if asked.kind is None or asked.units:
        return None
    a, b = x.words, y.words
    odd = any(one.unsure or one.denied is not None for one in (x, y)) or x.negative != y.negative
    if odd or not all(_takes_up(asked, one, 0.5) for one in (x, y)):
        return None
    one, other = _plain(a) - _DAY_NAMES, _plain(b) - _DAY_NAMES
    like = 0.3 if near >= _VERY_NEAR else 0.6
    if asked.kind == "date":
        differ = _other_days(x, y)
    elif _apart(x, y, timedelta(0)):
        differ = False
    elif asked.kind in {"number", "amount"}:
        differ = len(a.figures - b.figures) == len(b.figures - a.figures) == 1
    else:
        differ = a.figures == b.figures and _names_clash(x, y)
        one, other, like = one - (a.names - b.bag), other - (b.names - a.bag), 0.8
    shared = len(one & other)
    if not differ or shared < 2 or shared < like * len(one | other):  # noqa: PLR2004
        return None
    later = _later(x.said, y.said)
    counted = asked.kind in {"number", "amount"}
    if later is not None and (counted or _one_house(x.said, y.said)):
        return Verdict("updated", "fact", later)
    return Verdict("disagree", "fact")


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


def _names_clash(x: Claim, y: Claim) -> bool:
    """Whether each names somebody or some place that the other does not."""
    a, b = x.words, y.words
    return bool(a.names - b.bag - _DAY_NAMES) and bool(b.names - a.bag - _DAY_NAMES)
