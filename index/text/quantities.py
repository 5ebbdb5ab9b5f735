"""Find quantities in a text: counts of people, and measures.

A count of people is recognised by the words around its number ("12 were killed"), a measure by the
unit after it ("430 kilos"). Quantities are converted to base units, so that they can be compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
NUMBERS = {word: number for number, word in enumerate(_SMALL)} | {
    word: 10 * number for number, word in enumerate(_TENS, 2)
}
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_SCALE = rf"(?: (?:{'|'.join(_SCALES)})s?)?"
# Number words from "two" on: "one" is mostly not a number ("one of them", "the one that").
COUNTING = rf"(?:{'|'.join(_TENS)})(?:-(?:{'|'.join(_SMALL[1:10])}))?|" + "|".join(
    sorted(_SMALL[2:], key=len, reverse=True)
)

# What reports count, and the words for it. The counts in `GROWING` only rise as news comes in.
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
GROWING = frozenset(_UNITS) - {"missing"}
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words.split()}
# After these words, a word before the number may say what is counted: "killed 12 people".
_PEOPLE = frozenset(
    "people others persons men women children civilians passengers in and on as with at to".split()
)
# "1,200", "3.5 million", "twenty-three", "one man"; not "$12", "12:30", "7%", "2019".
_NUMBER = re.compile(
    r"(?<![\w.,:/$€£-])(?<!\d, )(?<!\d\. )(?!(?:19|20)\d\d\b)"
    r"(?:\d{1,3}(?:,\d{3})+|\d{1,12}(?:\.\d+(?= [mb]illion))?|a(?= dozen)"
    rf"|one(?= (?:person|man|woman|child|death|fatality|dead|killed|injured)\b)|{COUNTING})"
    rf"{_SCALE}"
    r"(?! ?%| percent\b|[\w:/]|[.,]\d|-\w|,? (?:years?|days?|hours?|minutes?)\b)",
    re.IGNORECASE,
)
# Words after a number, with their unit and its size in base units.
_MEASURES = {
    "euros?|dollars?|pounds?|crowns?|francs?|yen|kronor|pesos?|rupees?": ("money", 1),
    "%|per ?cent": ("percent", 1),
    "kg|kilos?|kilograms?": ("mass", 1),
    "tonnes?|tons?": ("mass", 1000),
    "hectares?": ("area", 1),
    "acres?": ("area", 0.405),
    "years? old|years? of age|year-old": ("age", 1),
}
# "$1.2 billion", "430 kilos", "4%", "seven-year-old"; a bare number is not a measure.
_MEASURE = re.compile(
    rf"(?<![\w.,$£€-])(?<!\d, )(?<!\d\. )(?P<sign>[$£€] ?)?(?P<number>(?:\d[\d,]*(?:\.\d+)?"
    rf"|{COUNTING}){_SCALE})(?:[ -]?(?P<word>{'|'.join(_MEASURES)})|(?<=\w))(?!\w)",
    re.IGNORECASE,
)
# "the death toll has risen to 31", "the number of dead at 1,050"
_TOLL = re.compile(
    r"\b(?:toll|(?:number of|the) dead)\b[^.;]{0,90}?\b(?:to|at|of|is|was|reached|passed)"
    r" (?:\w+ ){0,2}$"
)
_NO_COUNT_AFTER = re.compile(
    r"\b(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*|aged?) $", re.IGNORECASE
)
# Words that narrow a quantity to a part ("of them"), a rate ("a year"), a sum or a plan.
_NARROWS = re.compile(
    r"\b(?:of (?:those|them|whom|our|its|his|their|the (?:dead|victims|injured))"
    r"|among (?:them|those|the)|alone|each|per (?!cent)[a-z]+"
    r"|an? (?:year|month|week|day|share|night|ticket|head)|annual\w*|(?:after|before) tax"
    r"|foreign\w*|capacity|another|\d more|altogether|(?:in )?total"
    r"|plan(?:s|ned)? (?:to|for)|expect\w*|forecast\w*|would|could|target\w*)\b",
    re.IGNORECASE,
)
_HEDGES = {
    "at least": "at least|more than|over|no fewer than",
    "at most": "up to|as many as|(?:few|l)e(?:r|ss) than|nearly|almost",
    "about": "about|around|some|roughly|approximately|estimated|close to",
}
_HEDGED = {name: re.compile(rf"\b(?:{words}) $", re.IGNORECASE) for name, words in _HEDGES.items()}
_AROUND = 25  # code points on each side of a number that qualify it
_AFTER = 6  # words after a number that are searched: "280,000 people had been forced to flee"


@dataclass(frozen=True, slots=True)
class Figure:
    """A `value` of a `unit` such as "death" or "mass", stated by `text[start:end]`.

    `hedge` is "exact" or a key of `_HEDGES`. `narrowed` has the words that make the figure a part,
    a rate or a sum ("of those", "a year"), in lower case.
    """

    value: float
    unit: str
    hedge: str
    start: int
    end: int
    narrowed: frozenset[str]


def value(words: str) -> float:
    """Return the value of digits or number words: "1,200", "twenty-three", "two dozen"."""
    total = 0.0
    for part in re.findall(r"[a-z]+|[\d.]+", words.lower().replace(",", "")):
        if scale := _SCALES.get(part.removesuffix("s")):
            total = (total or 1) * scale
        elif part != "a":
            total += NUMBERS[part] if part in NUMBERS else float(part)
    return total


def units(text: str) -> frozenset[str]:
    """Return what a text counts or asks to count, as units ("death" in "How many were killed?")."""
    words = _UNIT_OF.keys() & re.findall(r"[a-z]+", text.lower())
    return frozenset(_UNIT_OF[word] for word in words)


def figures(text: str) -> list[Figure]:
    """Return the counts of people in a text, in order; years, ages, times and money are not counts.

    A death toll includes all the dead, so other counts of the dead beside it are left out.
    """
    toll, counted = None, []
    for match in _NUMBER.finditer(text):
        before, after = text[max(0, match.start() - 120) : match.start()], text[match.end() :][:60]
        unit = _unit(before, after)
        if unit and not _NO_COUNT_AFTER.search(before):
            counted.append(_figure(text, value(match.group()), unit, *match.span()))
            toll = toll or (counted[-1] if _TOLL.search(before) else None)
    return [figure for figure in counted if toll in {None, figure} or figure.unit != "death"]


def measures(text: str) -> list[Figure]:
    """Return the amounts of money, shares, weights, areas and ages in a text, in order."""
    measured = []
    for match in _MEASURE.finditer(text):
        word = (match["word"] or "").lower()
        unit, base = next(
            (m for words, m in _MEASURES.items() if re.fullmatch(words, word)), ("", 1)
        )
        if unit or match["sign"]:
            number = base * value(match["number"])
            measured.append(_figure(text, number, unit or "money", *match.span()))
    return measured


def _figure(text: str, number: float, unit: str, start: int, end: int) -> Figure:
    """Return a figure, with the words around it that hedge or narrow it."""
    before = text[max(0, start - _AROUND) : start]
    hedge = next((name for name, words in _HEDGED.items() if words.search(before)), "exact")
    around = _NARROWS.finditer(text, max(0, start - _AROUND), end + _AROUND)
    narrowed = frozenset(match.group().lower() for match in around)
    return Figure(number, unit, hedge, start, end, narrowed)


def _unit(before: str, after: str) -> str | None:
    """Return the unit of a count, by a word close after its number, else close before it."""
    if _TOLL.search(before):
        return "death"
    near = re.findall(r"[a-z]+|[,.;()\d]", after.lower())[:_AFTER]
    words = list(takewhile(str.isalpha, near))
    if unit := next((_UNIT_OF[word] for word in words if word in _UNIT_OF), None):
        return unit
    if words and words[0] not in _PEOPLE:
        return None
    clause = re.findall(r"[a-z]+", re.split(r"[,;:()]", before.lower())[-1])[-7:]
    close = (_UNIT_OF.get(word) for word in reversed(clause))
    return next((unit for unit in close if unit not in {None, "missing"}), None)
