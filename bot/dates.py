"""Dates in a person's words: "last week", "since March", "9 March 2026" -> first and last day."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from index.errors import QuestionError

_DAYS = [name.casefold() for name in calendar.day_name]
_MONTHS = [name.casefold() for name in calendar.month_name]
_WEEK = 7
_UNIT_DAYS = {"day": 1, "week": _WEEK, "month": 30, "year": 365}
_COUNTED = re.compile(r"(?:(?:last|past) (\d{1,4}) (day|week|month|year)s?)")
_AGO = re.compile(r"(\d{1,4}|a|an|one) (day|week|month|year)s? ago")
_ISO = re.compile(r"(\d{4})(?:-(\d\d?))?(?:-(\d\d?))?")
_NAMED = re.compile(
    r"(?:(\d{1,2})(?:st|nd|rd|th)? )?([a-z]{3,9})\.?(?: (\d{1,2})(?:st|nd|rd|th)?)?(?: (\d{4}))?"
)
_WORDS = ("today", "yesterday", "this week", "last week", "this month", "last month", "this year")


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, both included, in UTC."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.first, time.min, UTC)

    @property
    def end(self) -> datetime:
        """Its last moment."""
        return datetime.combine(self.last, time.max, UTC)


def period(text: str, today: date) -> Period:
    """The days that a text names, seen from `today`.

    Raises:
        QuestionError: it names none.
    """
    said = " ".join(text.casefold().replace(",", " ").split())
    said = re.sub(r"^(?:(?:since|until|till|from|on|in|the) )+", "", said)
    try:
        found = _relative(said, today) or _iso(said) or _named(said, today)
    except (ValueError, OverflowError):  # the 31st of February
        found = None
    if found is None:
        raise QuestionError(
            f"“{text}” is not a date I know: write it like 2026-03-09, 9 March, March 2026, "
            "yesterday or last week."
        )
    return found


def suggestions(typed: str, today: date, published: Iterable[date]) -> list[str]:
    """What to offer while somebody types: what was typed if it is a date, words, months."""
    months = sorted({day.replace(day=1) for day in published}, reverse=True)
    offered = [*_WORDS, *(f"{calendar.month_name[day.month]} {day.year}" for day in months)]
    found = [word for word in offered if typed.casefold() in word.casefold()]
    try:
        period(typed, today)
    except QuestionError:
        return found
    return [typed, *(word for word in found if word != typed)]


def _relative(said: str, today: date) -> Period | None:
    monday = today - timedelta(days=today.weekday())
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    fixed = {
        "today": Period(today, today),
        "yesterday": Period(today - timedelta(days=1), today - timedelta(days=1)),
        "this week": Period(monday, monday + timedelta(days=_WEEK - 1)),
        "last week": Period(monday - timedelta(days=_WEEK), monday - timedelta(days=1)),
        "this month": _month(today.year, today.month),
        "last month": _month(before.year, before.month),
        "this year": Period(date(today.year, 1, 1), date(today.year, 12, 31)),
        "last year": Period(date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)),
    }
    if said in fixed:
        return fixed[said]
    if counted := _COUNTED.fullmatch(said):
        days = int(counted[1]) * _UNIT_DAYS[counted[2]]
        return Period(today - timedelta(days=days), today)
    if ago := _AGO.fullmatch(said):
        count = int(ago[1]) if ago[1].isdigit() else 1
        day = today - timedelta(days=count * _UNIT_DAYS[ago[2]])
        return Period(day, day)
    if (name := said.removeprefix("last ")) in _DAYS:
        back = (today.weekday() - _DAYS.index(name) - 1) % _WEEK + 1  # never today
        day = today - timedelta(days=back)
        return Period(day, day)
    return None


def _iso(said: str) -> Period | None:
    found = _ISO.fullmatch(said)
    if found is None:
        return None
    year, month, day = (int(part) if part else 0 for part in found.groups())
    if day:
        return Period(date(year, month, day), date(year, month, day))
    return _month(year, month) if month else Period(date(year, 1, 1), date(year, 12, 31))


def _named(said: str, today: date) -> Period | None:
    """A month by name, with or without day and year; without a year, the last one begun."""
    found = _NAMED.fullmatch(said)
    if found is None or (found[1] and found[3]):
        return None
    months = [n for n, name in enumerate(_MONTHS) if name and name.startswith(found[2])]
    if len(months) != 1:
        return None
    month, day = months[0], int(found[1] or found[3] or 0)
    year = int(found[4] or today.year)
    if not found[4] and date(year, month, day or 1) > today:
        year -= 1
    return Period(date(year, month, day), date(year, month, day)) if day else _month(year, month)


def _month(year: int, month: int) -> Period:
    return Period(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))
