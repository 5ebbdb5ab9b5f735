"""Figures in a text: how many people, how much money, how far, and how sure that is.

A count of people is told by the words around its number ("12 were killed"), a measure by the unit
behind it ("430 kilos"). Like is compared with like: each figure has a unit, in its base.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from index.text.dates import MONTHS
from index.text.numbers import COUNTING, SCALES, value
from index.text.terms import terms

Hedge = Literal["exact", "about", "at least", "at most"]

# What reports count, and the words for it; the counts of `GROWING` only go up as news comes in.
_UNITS = {
    "death": "dead death deaths die died killed killing killings fatalities fatality lives bodies"
    " toll perished slain casualty casualties drowned",
    "injury": "injured injuring injury wounded wounding hurt injuries hospitalised hospitalized",
    "illness": "ill sick sickened",
    "missing": "missing unaccounted",
    "displaced": "displaced fled flee evacuated homeless homes refugees evacuees",
    "arrest": "arrested arrests detained detentions custody",
    "infection": "infected infections cases",
}
GROWING = frozenset({"death", "injury", "illness", "displaced", "arrest", "infection"})
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words.split()}
_PEOPLE = frozenset(
    "people others persons person men man women woman children child civilians passengers in and on"
    " as with at from to".split()
)
_NUMBER = re.compile(
    r"(?<![\w.,:/$€£-])(?<!\d, )(?<!\d\. )"
    r"(?P<number>\d{1,3}(?:,\d{3})+|\d{1,12}(?:\.\d+)?|a(?= dozen)"
    rf"|one(?= (?:person|man|woman|child|death|fatality|dead|killed|injured)\b)|{COUNTING})"
    rf"(?P<scale> (?:{'|'.join(SCALES)})s?)?"
    r"(?! ?%| percent\b|[\w:/]|[.,]\d|-\w|,? (?:years?|days?|hours?|minutes?)\b)",
    re.IGNORECASE,
)
# Words behind a number, by unit, with what one of them is in the base of the unit.
_MEASURES = (
    ("money", 1, "euros?|dollars?|pounds?|crowns?|francs?|yen|kronor|pesos?|rupees?"),
    ("percent", 1, "%|per ?cent"),
    ("mass", 1, "kg|kilos?|kilograms?"),
    ("mass", 1000, "tonnes?|tons?"),
    ("length", 1, "met(?:re|er)s?"),
    ("length", 1000, "km|kilomet(?:re|er)s?"),
    ("length", 0.001, "mm|millimet(?:re|er)s?"),
    ("length", 1609, "miles?"),
    ("length", 0.305, "feet|foot"),
    ("area", 1, "hectares?"),
    ("area", 0.405, "acres?"),
    ("age", 1, "years? old|years? of age|year-old"),
    ("magnitude", 1, "magnitude|on the Richter scale"),
)
_BY_WORD = "|".join(f"(?P<u{n}>{words})" for n, (_, _, words) in enumerate(_MEASURES))
_MEASURE = re.compile(
    rf"(?<![\w.,$£€-])(?<!\d, )(?<!\d\. )(?P<sign>[$£€] ?)?(?P<lead>magnitude (?:of )?)?"
    rf"(?P<number>\d[\d,]*(?:\.\d+)?|{COUNTING})"
    rf"(?P<scale> (?:{'|'.join(SCALES)}))?(?:[ -]?(?:{_BY_WORD})|(?<=\w)(?P<bare>))(?!\w)"
    r"(?P<end>(?= (?:for|to|on|in|with|from|by|after|and|a year)\b|[,.;]|$))?",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"\b(?:nobody|no (?:one|people|passengers|(?=casualt|injur|deaths?\b|fatalit|lives|arrests)))",
    re.IGNORECASE,
)
_TOLL = re.compile(
    r"\b(?:toll|(?:number of|the) dead)\b[^.;]{0,90}?\b(?:to|at|of|is|was|reached|passed)"
    r" (?:\w+ ){0,2}$"
)
_NO_COUNT_AFTER = re.compile(rf"\b(?:{'|'.join(MONTHS)}|since|in|aged?) $", re.IGNORECASE)
_LARGE = frozenset({" million", " billion"})  # of nothing that is named: of money
_AROUND = 25  # code points on each side of a figure that qualify it
_NARROWS = re.compile(
    r"\b(?:of (?:those|them|whom|our|its|his|their|the (?:dead|victims|injured))"
    r"|among (?:them|those|the)|alone|each|per (?!cent)[a-z]+"
    r"|an? (?:year|month|week|day|share|night|ticket|head)|annual\w*|(?:after|before) tax"
    r"|foreign\w*|nationals|capacity|so far this|another|\d more|altogether"
    r"|(?:in )?total)\b",
    re.IGNORECASE,
)
PLANNED = re.compile(
    r"\b(?:plan(?:s|ned)? (?:to|for)|according to the plan|(?:is|are|was|were) to (?:be\b|[a-z]+)"
    r"|expect\w*|forecast\w*|predict\w*|feared|faces? (?:up to|\d)|would|could|had (?:it|the|there)"
    r"|unless|hopes?|hoped|aims?|target\w*|provided that|built for)\b",
    re.IGNORECASE,
)
_HEDGES: dict[Hedge, str] = {
    "at least": "at least|more than|over|no fewer than",
    "at most": "up to|as many as|(?:few|l)e(?:r|ss) than|nearly|almost",
    "about": "about|around|some|roughly|approximately|estimated|close to",
}
_HEDGED = [
    (name, re.compile(rf"\b(?:{words}) $", re.IGNORECASE)) for name, words in _HEDGES.items()
]
_VERB_BEFORE = re.compile(rf"\b([a-z]+ing)(?: (?:{'|'.join(_HEDGES.values())}))? $", re.IGNORECASE)
_BEHIND = 6  # words: "280,000 people had been forced to flee"
_BLANK = re.compile(r"[\s\"“”]")


@dataclass(frozen=True, slots=True)
class Figure:
    """A `value` of a `unit` such as "death" or "mass", as `text[start:end]` has it.

    `narrowed` is what makes it a part, a rate or a sum ("of those", "a year"), in lower case.
    """

    value: float
    unit: str
    hedge: Hedge
    start: int
    end: int
    narrowed: frozenset[str] = frozenset()


def _figure(text: str, counted: float, unit: str, at: tuple[int, int]) -> Figure:
    """A figure with what stands right before and behind it."""
    start, end = at
    before = text[max(0, start - _AROUND) : start]
    hedge: Hedge = next((name for name, said in _HEDGED if said.search(before)), "exact")
    around = _NARROWS.finditer(text, max(0, start - _AROUND), end + _AROUND)
    narrowed = {found.group().lower() for found in around}
    if PLANNED.search(text, max(0, start - 2 * _AROUND), end + _AROUND):
        narrowed.add("planned")
    return Figure(counted, unit, hedge, start, end, frozenset(narrowed))


def units(question: str) -> frozenset[str]:
    """What a question wants counted; none where it asks for no count of people."""
    found = {_UNIT_OF.get(word, "") for word in re.findall(r"[a-z]+", question.lower())}
    return frozenset(found - {""})


def figures(text: str) -> list[Figure]:
    """The counts of people; years, ages, times and money are left out.

    Of several counts of the dead the one of the toll is of all, and stands for them.
    """
    text, toll = _BLANK.sub(" ", text), None
    found = [_figure(text, 0, unit, at.span()) for at, unit in _none(text)]
    for counted, start, end in _numbers(text):
        before, after = text[max(0, start - 120) : start], text[end:][:60]
        unit = _unit(before, after)
        if unit is None or _NO_COUNT_AFTER.search(before):
            continue
        one = _figure(text, counted, unit, (start, end))
        toll = toll or (one if _TOLL.search(before) else None)
        found.append(one)
    return [one for one in found if toll is None or one is toll or one.unit != "death"]


def measures(text: str) -> list[Figure]:
    """The amounts of money, shares, weights, lengths, areas and ages, in order."""
    text = _BLANK.sub(" ", text)
    found = []
    for match in _MEASURE.finditer(text):
        counted = value(match["number"] + (match["scale"] or ""))
        known = (m for n, m in enumerate(_MEASURES) if match[f"u{n}"] is not None)
        large = match["scale"] in _LARGE and match["end"] is not None  # "38 million for a pitch"
        before = "magnitude" if match["lead"] else "money" if match["sign"] or large else ""
        unit, worth, _ = next(known, (before, 1, ""))
        if counted is not None and unit:
            found.append(_figure(text, counted * worth, unit, match.span()))
    return found


def counts(text: str, noun: str) -> list[Figure]:
    """The numbers that count what a noun (a term) names: "17 of the hijacked ships"."""
    text = _BLANK.sub(" ", text)
    found = []
    for counted, start, end in _numbers(text):
        near = re.split(r"[,.;:()]| and ", text[end : end + 2 * _AROUND], maxsplit=1)[0]
        if noun in terms(near)[:_BEHIND]:
            found.append(_figure(text, counted, noun, (start, end)))
    return found


def _numbers(text: str) -> Iterator[tuple[float, int, int]]:
    """Numbers that may count something, with their places."""
    for match in _NUMBER.finditer(text):
        counted = value(match.group().removeprefix("a ").removesuffix("s"))
        if counted is not None and counted.is_integer():  # no "7.40 from Ostby"
            yield counted, *match.span()


def _none(text: str) -> list[tuple[re.Match[str], str]]:
    """Where nobody is counted: "no injuries", "nobody was killed or hurt"."""
    return [
        (at, unit)
        for at in _NOBODY.finditer(text)
        for unit in dict.fromkeys(_units_in(text[at.end() :][:40]))
    ]


def _unit(before: str, after: str) -> str | None:
    """What is counted: told by the verb right before, a word close behind, else close before."""
    if _TOLL.search(before):
        return "death"
    verb = _VERB_BEFORE.search(before)
    if verb and verb[1].lower() in _UNIT_OF:  # "killing ten people and injuring 80"
        return _UNIT_OF[verb[1].lower()]
    units_behind = _units_in(after)
    first = re.match(r"\s*([a-z]+|[,.;()])", after.lower())
    if units_behind or (first and first[1].isalpha() and first[1] not in _PEOPLE):
        return units_behind[0] if units_behind else None
    clause = re.split(r"[,;:()]", before.lower())[-1]
    told = reversed(re.findall(r"[a-z]+", clause)[-7:])
    return next((u for word in told if (u := _UNIT_OF.get(word)) and u != "missing"), None)


def _units_in(after: str) -> list[str]:
    """The units named within a few words, one clause and before the next number."""
    near = re.findall(r"[a-z]+|[,.;()\d]", after.lower())[:_BEHIND]
    near = near[: next((n for n, word in enumerate(near) if not word.isalpha()), len(near))]
    return [_UNIT_OF[word] for word in near if word in _UNIT_OF]
