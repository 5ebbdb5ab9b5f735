"""Number words, and the quantities in a text: people counted, things counted, and measures.

A count of people is known by the words around its number ("12 were killed"), a measure by the unit
behind it ("430 kilos"). Each quantity is given in the base of its unit, so that like is compared
with like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from index.text.terms import terms

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
NUMBERS = {word: number for number, word in enumerate(_SMALL)} | {
    word: 10 * number for number, word in enumerate(_TENS, 2)
}
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_SCALE = rf"(?P<scale> (?:{'|'.join(_SCALES)})s?)?"
# Number words from "two" on: "one" is mostly no number ("one of them", "the one that").
COUNTING = "|".join(
    [
        rf"(?:{'|'.join(_TENS)})(?:-(?:{'|'.join(_SMALL[1:10])}))?",
        *sorted(_SMALL[2:], key=len, reverse=True),
    ]
)

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
# "1,200", "3.5 million", "twenty-three", "one man"; not "$12", "12:30", "7%", "40-year-old".
_NUMBER = re.compile(
    r"(?<![\w.,:/$€£-])(?<!\d, )(?<!\d\. )"
    r"(?:\d{1,3}(?:,\d{3})+|\d{1,12}(?:\.\d+)?|a(?= dozen)"
    rf"|one(?= (?:person|man|woman|child|death|fatality|dead|killed|injured)\b)|{COUNTING})"
    rf"{_SCALE}"
    r"(?! ?%| percent\b|[\w:/]|[.,]\d|-\w|,? (?:years?|days?|hours?|minutes?)\b)",
    re.IGNORECASE,
)
# Words behind a number, by unit, with what one of them is in the base of the unit.
_MEASURES = (
    ("money", 1, "euros?|dollars?|pounds?|crowns?|francs?|yen|kronor|pesos?|rupees?"),
    ("percent", 1, "%|per ?cent"),
    ("mass", 1, "kg|kilos?|kilograms?"),
    ("mass", 1000, "tonnes?|tons?"),
    ("area", 1, "hectares?"),
    ("area", 0.405, "acres?"),
    ("age", 1, "years? old|years? of age|year-old"),
)
_BY_WORD = "|".join(f"(?P<u{n}>{words})" for n, (_, _, words) in enumerate(_MEASURES))
# "$1.2 billion", "430 kilos", "4%", "seven-year-old"; a bare number is no measure.
_MEASURE = re.compile(
    rf"(?<![\w.,$£€-])(?<!\d, )(?<!\d\. )(?P<sign>[$£€] ?)?(?P<number>\d[\d,]*(?:\.\d+)?"
    rf"|{COUNTING}){_SCALE}(?:[ -]?(?:{_BY_WORD})|(?<=\w))(?!\w)",
    re.IGNORECASE,
)
# "the death toll has risen to 31", "the number of dead at 1,050"
_TOLL = re.compile(
    r"\b(?:toll|(?:number of|the) dead)\b[^.;]{0,90}?\b(?:to|at|of|is|was|reached|passed)"
    r" (?:\w+ ){0,2}$"
)
_NO_COUNT_AFTER = re.compile(
    r"\b(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*|since|in|aged?) $",
    re.IGNORECASE,
)
# What makes a quantity a part, a rate or a sum of others, or only planned.
_NARROWS = re.compile(
    r"\b(?:of (?:those|them|whom|our|its|his|their|the (?:dead|victims|injured))"
    r"|among (?:them|those|the)|alone|each|per (?!cent)[a-z]+"
    r"|an? (?:year|month|week|day|share|night|ticket|head)|annual\w*|(?:after|before) tax"
    r"|foreign\w*|nationals|capacity|so far this|another|\d more|altogether|(?:in )?total"
    r"|plan(?:s|ned)? (?:to|for)|expect\w*|forecast\w*|feared|would|could|hopes?|target\w*)\b",
    re.IGNORECASE,
)
Hedge = Literal["exact", "about", "at least", "at most"]
_HEDGES: dict[Hedge, str] = {
    "at least": "at least|more than|over|no fewer than",
    "at most": "up to|as many as|(?:few|l)e(?:r|ss) than|nearly|almost",
    "about": "about|around|some|roughly|approximately|estimated|close to",
}
_HEDGED = {name: re.compile(rf"\b(?:{words}) $", re.IGNORECASE) for name, words in _HEDGES.items()}
_VERB_BEFORE = re.compile(rf"\b([a-z]+ing)(?: (?:{'|'.join(_HEDGES.values())}))? $", re.IGNORECASE)
_AROUND = 25  # code points on each side of a number that qualify it
_BEHIND = 6  # words: "280,000 people had been forced to flee"
_BLANK = re.compile(r"[\s\"“”]")


@dataclass(frozen=True, slots=True)
class Figure:
    """A `value` of a `unit` such as "death" or "mass", as `text[start:end]` has it.

    `narrowed` holds what makes it a part, a rate or a sum ("of those", "a year"), in lower case.
    """

    value: float
    unit: str
    hedge: Hedge
    start: int
    end: int
    narrowed: frozenset[str]


def value(words: str) -> float | None:
    """The value of digits or words ("1,200", "twenty-three", "two dozen"); None if it has none."""
    total, known = 0.0, False
    for part in re.findall(r"[a-z]+|[\d.]+", words.lower().replace(",", "")):
        if (scale := _SCALES.get(part.removesuffix("s"))) is not None:
            total = (total if known else 1.0) * scale
        elif part in NUMBERS:
            total += NUMBERS[part]
        elif re.fullmatch(r"\d+(?:\.\d+)?", part):
            total += float(part)
        elif part != "a":
            return None
        known = known or part != "a"
    return total if known else None


def units(text: str) -> frozenset[str]:
    """The kinds of people that a text speaks of counting ("death" for "How many were killed?")."""
    return frozenset(
        _UNIT_OF[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _UNIT_OF
    )


def figures(text: str) -> list[Figure]:
    """The counts of people; years, ages, times and money are left out.

    A death toll counts all the dead, so other counts of the dead beside it are left out.
    """
    text, toll, counted = _BLANK.sub(" ", text), None, []
    for number, start, end in _numbers(text):
        before, after = text[max(0, start - 120) : start], text[end:][:60]
        unit = _unit(before, after)
        if unit is None or _NO_COUNT_AFTER.search(before):
            continue
        counted.append(_figure(text, number, unit, start, end))
        toll = toll or (counted[-1] if _TOLL.search(before) else None)
    return [one for one in counted if toll in {None, one} or one.unit != "death"]


def measures(text: str) -> list[Figure]:
    """The amounts of money, shares, weights, areas and ages, in order."""
    text, measured = _BLANK.sub(" ", text), []
    for match in _MEASURE.finditer(text):
        number = value(match["number"] + (match["scale"] or ""))
        named = (m for n, m in enumerate(_MEASURES) if match[f"u{n}"])
        unit, base, _ = next(named, ("money" if match["sign"] else "", 1, ""))
        if number is not None and unit:
            measured.append(_figure(text, number * base, unit, *match.span()))
    return measured


def counts(text: str, noun: str) -> list[Figure]:
    """The numbers that count what a noun (a term) names: "17 of the hijacked ships"."""
    text = _BLANK.sub(" ", text)
    return [
        _figure(text, number, noun, start, end)
        for number, start, end in _numbers(text)
        if noun in terms(re.split(r"[,.;:()]| and ", text[end:][: 2 * _AROUND])[0])[:_BEHIND]
    ]


def _numbers(text: str) -> Iterator[tuple[float, int, int]]:
    """Whole numbers that may count something, with their places."""
    for match in _NUMBER.finditer(text):
        number = value(match.group())
        if number is not None and number.is_integer():  # no "7.40 from Ostby"
            yield number, *match.span()


def _figure(text: str, number: float, unit: str, start: int, end: int) -> Figure:
    """A figure with what stands right before and behind it."""
    before = text[max(0, start - _AROUND) : start]
    hedges: list[Hedge] = [name for name, pattern in _HEDGED.items() if pattern.search(before)]
    around = _NARROWS.finditer(text, max(0, start - _AROUND), end + _AROUND)
    narrowed = frozenset(match.group().lower() for match in around)
    return Figure(number, unit, hedges[0] if hedges else "exact", start, end, narrowed)


def _unit(before: str, after: str) -> str | None:
    """What is counted, by the verb right before, a word close behind, else one close before."""
    if _TOLL.search(before):
        return "death"
    verb = _VERB_BEFORE.search(before)
    if verb and verb[1].lower() in _UNIT_OF:  # "killing ten people and injuring 80"
        return _UNIT_OF[verb[1].lower()]
    near = re.findall(r"[a-z]+|[,.;()\d]", after.lower())[:_BEHIND]
    for word in near:
        if not word.isalpha():
            break
        if word in _UNIT_OF:
            return _UNIT_OF[word]
    if near and near[0].isalpha() and near[0] not in _PEOPLE:
        return None
    clause = re.findall(r"[a-z]+", re.split(r"[,;:()]", before.lower())[-1])[-7:]
    close = (_UNIT_OF.get(word) for word in reversed(clause))
    return next((unit for unit in close if unit not in {None, "missing"}), None)
