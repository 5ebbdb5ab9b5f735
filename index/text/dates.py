"""Find dates in text and turn them into ranges of days, relative to the day of publication.

"last Thursday", "in early June", "since 2016", "three days ago" and "from March 3 to 5" each become
a first and a last day, both included. Dates that need more context ("the day before") are not
read. Nothing depends on a locale or a clock.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from index.text.quantities import NUMBERS

LONGEST = 1_500  # code points; the rest of a text is not read
MONTHS = (
    "January February March April May June July August September October November December"
).split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_UNKNOWN = date(2200, 1, 1)  # stands for an unknown base: later than any year in a report
_NEAR = 80  # code points before a date that are searched for "since", "will" and the like


@dataclass(frozen=True, slots=True)
class DateRange:
    """The days from `start` to `end`, inclusive, that `text[text_start:text_end]` means.

    `start` is None after "until" and "before", which name no beginning.
    """

    start: date | None
    end: date
    text_start: int
    text_end: int

    def overlaps(self, other: DateRange) -> bool:
        """Return whether the two ranges share a day."""
        return (self.start is None or self.start <= other.end) and (
            other.start is None or other.start <= self.end
        )

    def holds(self, day: date) -> bool:
        """Return whether a day lies in the range."""
        return (self.start is None or self.start <= day) and day <= self.end


def as_written(typed: str) -> str:
    """Return a text with days and months capitalised ("9 march"), as `date_ranges` expects them."""
    return _TYPED.sub(lambda name: name.group().capitalize(), typed)


def date_ranges(text: str, base: date | None) -> list[DateRange]:
    """Return the ranges of days that `text` names, in order, not overlapping.

    A weekday or a date without a year is the latest such day up to `base`, the day of publication,
    unless the words before it look ahead ("will", "scheduled", "until"). If `base` is None, only
    dates with a year are read.
    """
    text = text[:LONGEST]
    if base is None:
        ranges = date_ranges(text, _UNKNOWN)
        return [
            days for days in ranges if re.search(r"\d{4}", text[days.text_start : days.text_end])
        ]
    ranges = []
    for start, end, days in _spans(text, base):
        if ranges and (joined := _joined(text, ranges[-1], start, end, days)):
            ranges[-1] = joined
        else:
            ranges.append(_bounded(text, start, end, days, base))
    return ranges


# Patterns, and the days that they mean

_Days = tuple[date, date]
_Match = re.Match[str]
_MONTH_NUMBER = {name[:3].lower(): number for number, name in enumerate(MONTHS, 1)}
_TYPED = re.compile(
    rf"\b(?:{'|'.join([*WEEKDAYS, *(name[:3] for name in MONTHS)])})", re.IGNORECASE
)
_COUNT = {word: number for word, number in NUMBERS.items() if 0 < number <= 12} | {"a": 1, "an": 1}  # noqa: PLR2004
_PART = {"early": 0, "beginning": 0, "start": 0, "mid": 1, "middle": 1, "late": 2, "end": 2}
_AWAY = {"last": -1, "past": -1, "this": 0, "next": 1, "coming": 1}
_UNIT_DAYS = {"day": 1.0, "week": 7.0, "month": 30.44, "year": 365.25, "decade": 3652.5}
_DAY_WORDS = {"yesterday": -1, "last night": -1, "tomorrow": 1}

_M = rf"(?P<month>{'|'.join(MONTHS)}|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
_D = r"(?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
_Y = r"(?P<year>1[0-9]\d\d|20\d\d)"
_W = rf"(?P<weekday>{'|'.join(WEEKDAYS)})"
_N = rf"(?P<number>\d{{1,3}}|{'|'.join(sorted(_COUNT, key=len, reverse=True))})"
_P = (  # "early ", "the end of ", "mid-"
    r"(?:the )?(?P<part>[Ee]arly|[Mm]id|[Ll]ate|(?:beginning|start|middle|end)(?= of))(?: of)?[ -]"
    r"(?:in )?"
)
_WHICH = r"(?P<which>[Ll]ast|[Tt]his(?! past)|[Nn]ext|(?:[Tt]his )?[Pp]ast|[Cc]oming)"
_DAY_WORD = (
    r"[Tt]oday|[Tt]onight|[Yy]esterday|[Ll]ast night|[Tt]omorrow"
    r"|[Tt]his (?:morning|afternoon|evening)"
)
_UNIT = r"(?P<unit>day|week|month|year|decade)"
_LEAD = r"(?:(?<=[Ii]n )|(?<=[Ss]ince )|(?<=[Uu]ntil )|(?<=[Bb]y )|(?<=[Dd]uring )|(?<=[Ff]rom ))"
# "in 2,019 homes", "2019%", "2000 people" are counts.
_NO_COUNT = (
    r"(?![\d%]|[,.:]\d|[–-][a-z]| (?:people|dollars|euros|pounds|miles|feet|met(?:er|re)s|ton"
    r"|homes|jobs|troops|cases|deaths|votes|k[mg]\b|mph|UTC|GMT|hours|million|billion|[ap]\.m))"
)


def _day(day: date) -> _Days:
    return day, day


def _month(year: int, month: int) -> _Days:
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def _year(year: int) -> _Days:
    return date(year, 1, 1), date(year, 12, 31)


def _part(days: _Days, part: str | None) -> _Days:
    """Return the first, middle or last third of a month (10 days), year (4 months) or decade."""
    if part is None:
        return days
    third, (first, last) = _PART[part.lower()], days
    if last.year > first.year:
        start = first.year + 3 * third
        return date(start, 1, 1), date(start + (3 if third else 2), 12, 31)
    if last.month > first.month:
        return date(first.year, 4 * third + 1, 1), _month(first.year, 4 * third + 4)[1]
    end = last if third == 2 else first.replace(day=10 * third + 10)  # noqa: PLR2004
    return first.replace(day=10 * third + 1), end


def _without_year(base: date, month: int, day: int, *, ahead: bool) -> date:
    """Return the latest such day, or the next if the text looks ahead or it is within 60 days."""
    this_year = date(base.year, month, day)
    if not ahead and this_year - base > timedelta(60):
        return this_year.replace(year=base.year - 1)
    if ahead and base - this_year > timedelta(183):
        return this_year.replace(year=base.year + 1)
    return this_year


def _which(m: _Match) -> int | None:
    return _AWAY[m["which"].lower().split()[-1]] if m["which"] else None


def _month_of(m: _Match) -> int:
    return _MONTH_NUMBER[m["month"][:3].lower()]


def _full(m: _Match, _base: date, _ahead: bool) -> _Days:
    return _day(date(int(m["year"]), _month_of(m), int(m["day"])))


def _iso(m: _Match, _base: date, _ahead: bool) -> _Days:
    year, month = int(m["year"]), int(m["mm"])
    return _day(date(year, month, int(m["day"]))) if m["day"] else _month(year, month)


def _day_of_month(m: _Match, base: date, ahead: bool) -> _Days:
    first = _without_year(base, _month_of(m), int(m["day"]), ahead=ahead)
    until = m["until"] if "until" in m.re.groupindex else None
    return first, max(first, first.replace(day=int(until)) if until else first)


def _month_of_year(m: _Match, _base: date, _ahead: bool) -> _Days:
    return _part(_month(int(m["year"]), _month_of(m)), m["part"])


def _bare_month(m: _Match, base: date, ahead: bool) -> _Days:
    month, which = _month_of(m), _which(m)
    year = base.year
    if which is None:
        year = _without_year(base, month, 1, ahead=ahead).year
    elif (which < 0 and month >= base.month) or (which > 0 and month <= base.month):
        year += which
    return _part(_month(year, month), m["part"])


def _bare_year(m: _Match, base: date, _ahead: bool) -> _Days | None:
    year = int(m["year"])
    known = (1800 if m["lead"] is not None else 1900) <= year <= base.year + 15
    return _part(_year(year), m["part"]) if known else None


def _decade(m: _Match, _base: date, _ahead: bool) -> _Days:
    first = int(m["decade"])
    return _part((date(first, 1, 1), date(first + 9, 12, 31)), m["part"])


def _weekday(m: _Match, base: date, ahead: bool) -> _Days:
    which = _which(m)
    back = (base.weekday() - WEEKDAYS.index(m["weekday"])) % 7
    if which == 1 or (ahead and back and which is None):
        day = base + timedelta(7 - back)
    else:
        day = base - timedelta(back or (7 if which == -1 else 0))
    return _day(day)


def _away(base: date, unit: str, number: int) -> _Days:
    if unit == "day":
        return _day(base + timedelta(number))
    if unit == "week":
        monday = base - timedelta(base.weekday()) + timedelta(7 * number)
        return monday, monday + timedelta(6)
    if unit == "month":
        months = base.year * 12 + base.month - 1 + number
        return _month(months // 12, months % 12 + 1)
    return _year(base.year + number * (10 if unit == "decade" else 1))


def _lasting(m: _Match, base: date, _ahead: bool) -> _Days:
    """Return a period that ends on the day of publication: "over the past three years"."""
    return base - timedelta(round(_number(m) * _UNIT_DAYS[m["unit"]])), base


def _number(m: _Match) -> int:
    return int(m["number"]) if m["number"].isdigit() else _COUNT[m["number"].lower()]


_Reader = Callable[[_Match, date, bool], _Days | None]
# A pattern is tried only if its hint matches the text: most sentences match few hints.
_MONTH_NAMED = re.compile(_M)
_YEAR_NAMED = re.compile(r"\d{4}")
_UNIT_NAMED = re.compile(rf"day|night|tomorrow|morning|afternoon|evening|{_UNIT}")
_PATTERNS: list[tuple[re.Pattern[str], re.Pattern[str], _Reader]] = [
    (hint, re.compile(pattern), reader)
    for hint, pattern, reader in (
        (_MONTH_NAMED, rf"\b{_M} {_D},? {_Y}\b", _full),  # "March 3, 2016"
        (_MONTH_NAMED, rf"\b{_D}(?: of)? {_M},? {_Y}\b", _full),  # "3rd of March 2016"
        (_YEAR_NAMED, rf"\b{_Y}-(?P<mm>0[1-9]|1[0-2])(?:-{_D})?(?![\w-])", _iso),
        (  # "March 3", "March 3-5"
            _MONTH_NAMED,
            rf"\b{_M} {_D}(?: ?(?:[–-]|to|and) ?(?P<until>\d\d?))?\b(?![:%]|,\d|\.\d)",
            _day_of_month,
        ),
        (_MONTH_NAMED, rf"\b{_D}(?: of)? {_M}(?!\w)", _day_of_month),  # "3 March"
        (_MONTH_NAMED, rf"(?:\b{_P})?\b{_M},?(?: of)? {_Y}\b", _month_of_year),
        (_MONTH_NAMED, rf"(?:\b{_WHICH} |\b{_P}|{_LEAD}){_M}(?!\w|,? \d)", _bare_month),
        (_YEAR_NAMED, rf"\b(?:{_P}|the )(?:the )?(?P<decade>(?:1[89]|20)\d0)s\b", _decade),
        (_YEAR_NAMED, rf"(?:\b{_P}|(?P<lead>{_LEAD})|(?<![$€£.,])\b){_Y}\b{_NO_COUNT}", _bare_year),
        (_UNIT_NAMED, rf"(?:\b{_WHICH} )?\b{_W}\b", _weekday),  # "last Monday"
        (  # "yesterday"
            _UNIT_NAMED,
            rf"\b(?:{_DAY_WORD})\b",
            lambda m, base, _: _day(base + timedelta(_DAY_WORDS.get(m.group().lower(), 0))),
        ),
        (  # "three weeks ago"
            _UNIT_NAMED,
            rf"(?i:\b{_N} {_UNIT}s? ago\b)",
            lambda m, base, _: _away(base, m["unit"].lower(), -_number(m)),
        ),
        (  # "next month"
            _UNIT_NAMED,
            rf"\b{_WHICH} (?P<unit>week|month|year)\b",
            lambda m, base, _: _away(base, m["unit"], _which(m) or 0),
        ),
        (_UNIT_NAMED, rf"\b(?:past|last) {_N} {_UNIT}s\b", _lasting),  # "past three years"
    )
]
_AHEAD = re.compile(
    r"\b(?:(?:will|scheduled|due|upcoming|is to|are to|set to)\b[^.;]{0,60}"
    r"|(?:until|till|by|deadline of)\s)$"
)
_BEFORE = re.compile(r"\b(?P<word>[Ss]ince|[Uu]ntil|till|[Bb]efore|[Aa]fter|[Bb]y|through)\s$")
_JOIN = re.compile(r"\s?(?:to|and|through|until|–|—|-)\s?")
_BETWEEN = re.compile(r"\b[Bb]etween\s$")


def _spans(text: str, base: date) -> list[tuple[int, int, _Days]]:
    """Return the span and days of each date; if spans overlap, the longest wins, then rank."""
    raw = []
    hints = {hint for hint in (_MONTH_NAMED, _YEAR_NAMED, _UNIT_NAMED) if hint.search(text)}
    for rank, (hint, pattern, read) in enumerate(_PATTERNS):
        for match in pattern.finditer(text) if hint in hints else ():
            lead = text[max(0, match.start() - _NEAR) : match.start()]
            try:
                days = read(match, base, bool(_AHEAD.search(lead)))
            except (ValueError, OverflowError):
                continue  # "February 30", the year 0
            if days:
                raw.append((match.start(), match.end(), rank, days))
    taken: list[tuple[int, int, _Days]] = []
    for start, end, _, days in sorted(raw, key=lambda span: (span[0] - span[1], span[2])):
        if all(end <= s or start >= e for s, e, _ in taken):
            taken.append((start, end, days))
    return sorted(taken)


def _joined(text: str, last: DateRange, start: int, end: int, days: _Days) -> DateRange | None:
    """Join two ranges ("from March 3 to March 9", "2014–2016"); None if they are separate."""
    between = text[last.text_end : start]
    first = last.start
    if first is None or not _JOIN.fullmatch(between):
        return None
    if "and" in between and not _BETWEEN.search(text[: last.text_start]):
        return None
    year = re.search(r"\d{4}", text[last.text_start : last.text_end])
    if not year and text[end - 4 : end].isdigit():  # the year at the end is the year of both
        try:
            first = first.replace(year=days[1].year)
            first = first.replace(year=first.year - (first > days[1]))
        except ValueError:  # 29 February
            return None
    return DateRange(first, days[1], last.text_start, end) if first <= days[1] else None


def _bounded(text: str, start: int, end: int, days: _Days, base: date) -> DateRange:
    """Return the range of a span, bounded by a preceding "since", "until", "before" or the like."""
    first, last = days
    match = _BEFORE.search(text, max(0, start - _NEAR), start)
    word, begin = (match["word"].lower(), match.start()) if match else ("", start)
    if word == "since" and first <= base:
        return DateRange(first, max(last, base), begin, end)
    if word in {"until", "till", "by", "through"}:
        return DateRange(None, last, begin, end)
    if word == "before" and first > date.min:
        return DateRange(None, first - timedelta(1), begin, end)
    if word == "after" and last < base:
        return DateRange(last + timedelta(1), base, begin, end)
    return DateRange(first, last, start, end)
