"""How many people: the counts in a text, what they count and how sure they are.

Counts of people only: prices and shares change by the hour and by what they are of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from index.dates import MONTHS
from index.numbers import COUNTING, SCALES, value

Hedge = Literal["exact", "about", "at least", "at most"]

# What reports count, and the words for it; the counts of `GROWING` only go up as news comes in.
_UNITS = {
    "death": "dead death deaths die died killed killing killings fatalities fatality lives bodies"
    " toll perished slain casualty casualties drowned",
    "injury": "injured injuring injury wounded wounding hurt injuries hospitalised hospitalized",
    "missing": "missing unaccounted",
    "displaced": "displaced fled flee evacuated homeless homes refugees evacuees",
    "arrest": "arrested arrests detained detentions",
    "infection": "infected infections cases",
}
GROWING = frozenset({"death", "injury", "displaced", "arrest", "infection"})
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words.split()}
_PEOPLE = frozenset(
    "people others persons person men man women woman children child civilians passengers in and on"
    " as with at from to".split()
)
_NUMBER = re.compile(
    r"(?<![\w.,:/$€£-])(?P<number>\d{1,3}(?:,\d{3})+|\d{1,12}(?:\.\d+)?|a(?= dozen)"
    rf"|one(?= (?:person|man|woman|child|death|fatality|dead|killed|injured)\b)|{COUNTING})"
    rf"(?P<scale> (?:{'|'.join(SCALES)})s?)?"
    r"(?! ?%| percent\b|[\w:/]|[.,]\d|-\w|,? (?:years?|days?|hours?|minutes?)\b)",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"\b(?:nobody|no (?:one|people|passengers|(?=casualt|injur|deaths?\b|fatalit|lives|arrests)))",
    re.IGNORECASE,
)
_TOLL = re.compile(r"\btoll\b[^.;]{0,90}?\b(?:to|at|of|is|was|reached|passed) (?:\w+ ){0,2}$")
_NO_COUNT_AFTER = re.compile(rf"\b(?:{'|'.join(MONTHS)}|since|in|aged?) $", re.IGNORECASE)
_HEDGES: tuple[tuple[Hedge, re.Pattern[str]], ...] = (
    ("at least", re.compile(r"(?:at least|more than|over|no fewer than) $", re.IGNORECASE)),
    (
        "at most",
        re.compile(r"(?:up to|as many as|(?:few|l)e(?:r|ss) than|nearly|almost) $", re.IGNORECASE),
    ),
    (
        "about",
        re.compile(r"(?:about|around|some|roughly|approximately|estimated) $", re.IGNORECASE),
    ),
)
_BEHIND = 6  # words: "280,000 people had been forced to flee"
_BLANK = re.compile(r"[\s\"“”]")


@dataclass(frozen=True, slots=True)
class Figure:
    """A count of people: `value` of a `unit` such as "death", as `text[start:end]` has it."""

    value: float
    unit: str
    hedge: Hedge
    start: int
    end: int


def units(question: str) -> frozenset[str]:
    """What a question wants counted; none where it asks for no count of people."""
    found = {_UNIT_OF.get(word, "") for word in re.findall(r"[a-z]+", question.lower())}
    return frozenset(found - {""})


def figures(text: str) -> list[Figure]:
    """The counts of people; years, ages, times and money are left out.

    Of several counts of the dead the one of the toll is of all, and stands for them.
    """
    text, toll = _BLANK.sub(" ", text), None
    found = [Figure(0, unit, "exact", *at.span()) for at, unit in _none(text)]
    for match in _NUMBER.finditer(text):
        before, after = text[max(0, match.start() - 120) : match.start()], text[match.end() :][:60]
        unit = _unit(before, after)
        if unit is None or _NO_COUNT_AFTER.search(before):
            continue
        counted = value(match.group().removeprefix("a ").removesuffix("s")) or 0.0
        hedge: Hedge = next((name for name, said in _HEDGES if said.search(before)), "exact")
        one = Figure(counted, unit, hedge, *match.span())
        toll = toll or (one if _TOLL.search(before) else None)
        found.append(one)
    return [one for one in found if toll is None or one is toll or one.unit != "death"]


def _none(text: str) -> list[tuple[re.Match[str], str]]:
    """Where nobody is counted: "no injuries", "nobody was killed or hurt"."""
    return [
        (at, unit)
        for at in _NOBODY.finditer(text)
        for unit in dict.fromkeys(_units_in(text[at.end() :][:40]))
    ]


def _unit(before: str, after: str) -> str | None:
    """What is counted: told by a word close behind, else close before."""
    if _TOLL.search(before):
        return "death"
    units_behind = _units_in(after)
    first = re.match(r"\W*([a-z]+|[,.;()])", after.lower())
    if units_behind or (first and first[1].isalpha() and first[1] not in _PEOPLE):
        return units_behind[0] if units_behind else None
    told = reversed(re.findall(r"[a-z]+", before.lower())[-5:])
    return next((u for word in told if (u := _UNIT_OF.get(word)) and u != "missing"), None)


def _units_in(after: str) -> list[str]:
    """The units named within a few words and one clause."""
    near = re.findall(r"[a-z]+|[,.;()]", after.lower())[:_BEHIND]
    near = near[: next((n for n, word in enumerate(near) if word in ",.;()"), len(near))]
    return [_UNIT_OF[word] for word in near if word in _UNIT_OF]
