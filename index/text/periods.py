"""Read a person's dates ("last week", "since March", "9 March 2026") as first and last days."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from index.errors import QuestionError
from index.text.dates import as_written, date_ranges

_LEADS = re.compile(r"^(?:(?:since|until|till|from|on|in|the) )+")


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, both included, in UTC."""

    first: date
    last: date


def is_whole_day(moment: datetime) -> bool:
    """Return whether a moment is the first or the last of a day, and so means the whole day."""
    return moment.time() in {time.min, time.max}


def is_before(a: datetime, b: datetime) -> bool:
    """Return whether a is before b; if either means a whole day, clocks are compared, not zones."""
    if is_whole_day(a) or is_whole_day(b):
        return a.replace(tzinfo=None) < b.replace(tzinfo=None)
    return a < b


def parse_moment(text: str | None, today: date, *, last: bool = False) -> datetime | None:
    """Return the first moment (or with `last`, the last) of the days that a text names.

    Days are relative to `today`. An ISO date with a time is that moment, in UTC unless it names a
    zone.

    Raises:
        QuestionError: the text names no days.
    """
    if text is None:
        return None
    if ":" in text:
        with contextlib.suppress(ValueError, OverflowError):
            exact = datetime.fromisoformat(text.strip())
            return exact if exact.tzinfo else exact.replace(tzinfo=UTC)
    period = parse_period(text, today)
    day, moment = (period.last, time.max) if last else (period.first, time.min)
    return datetime.combine(day, moment, UTC)


def parse_period(text: str, today: date) -> Period:
    """Return the days that a text names, relative to `today`.

    Raises:
        QuestionError: the text names no days.
    """
    words = _LEADS.sub("", " ".join(text.casefold().replace(",", " ").split()))
    period = _read(as_written(f"in {words}"), today)
    if period is None:
        raise QuestionError(
            f"“{text}” is not a date I know: write it like 2026-03-09, 9 March, March 2026, "
            "yesterday or last week."
        )
    return period


def _read(words: str, today: date) -> Period | None:
    """Return the days that "in ..." means as a whole; without a year, the last that have begun."""
    days = next(iter(date_ranges(words, today)), None)
    if days is None or days.start is None or (days.text_start, days.text_end) != (3, len(words)):
        return None
    if days.start > today and not re.search(r"\d{4}|next|tomorrow|coming", words):
        return _read(f"{words} {days.start.year - 1}", today)
    return Period(days.start, days.end)
