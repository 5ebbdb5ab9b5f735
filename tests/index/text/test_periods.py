"""Dates as people say them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import parse_period as period
from index.errors import QuestionError
from index.text.periods import is_before, parse_moment

TODAY = date(2026, 3, 14)  # a Saturday


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("today", "2026-03-14", "2026-03-14"),
        ("Yesterday", "2026-03-13", "2026-03-13"),
        ("last week", "2026-03-02", "2026-03-08"),
        ("this week", "2026-03-09", "2026-03-15"),
        ("last month", "2026-02-01", "2026-02-28"),
        ("last year", "2025-01-01", "2025-12-31"),
        ("the last 3 days", "2026-03-11", "2026-03-14"),
        ("2 weeks ago", "2026-02-23", "2026-03-01"),
        ("a day ago", "2026-03-13", "2026-03-13"),
        ("monday", "2026-03-09", "2026-03-09"),
        ("last saturday", "2026-03-07", "2026-03-07"),
        ("since March", "2026-03-01", "2026-03-31"),
        ("April", "2025-04-01", "2025-04-30"),
        ("9 March", "2026-03-09", "2026-03-09"),
        ("Mar 9th, 2024", "2024-03-09", "2024-03-09"),
        ("15 March", "2025-03-15", "2025-03-15"),
        ("March 2024", "2024-03-01", "2024-03-31"),
        ("2024", "2024-01-01", "2024-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2024-02-29", "2024-02-29", "2024-02-29"),
    ],
)
def test_words_name_days(said: str, first: str, last: str) -> None:
    """A phrase means its first and last day; without a year, the last such day that has begun."""
    found = period(said, TODAY)
    assert (found.first.isoformat(), found.last.isoformat()) == (first, last)


@pytest.mark.parametrize(
    "said", ["", "soon", "31 February", "2024-13", "9 March 10", "99999 years ago", "ma", "0000"]
)
def test_what_is_no_date_is_refused_with_examples(said: str) -> None:
    """Anything else is refused with an example of how to write a date."""
    with pytest.raises(QuestionError, match="9 March, March 2026"):
        period(said, TODAY)


@given(st.text(max_size=30), st.dates())
def test_no_words_break_the_parser(said: str, today: date) -> None:
    """Any text is refused, or gives a period that does not end before it begins."""
    try:
        found = period(said, today)
    except QuestionError:
        return
    assert found.first <= found.last


def test_a_day_is_compared_with_the_other_clock() -> None:
    """An evening in New York is before the end of its own day, and after it by the minute."""
    evening = datetime(2026, 11, 3, 21, 24, tzinfo=timezone(timedelta(hours=-5)))
    day = parse_moment("3 November 2026", TODAY, last=True)
    minute = parse_moment("2026-11-04T01:00", TODAY)
    zoned = parse_moment("2026-11-03T21:00-05:00", TODAY)
    assert day
    assert minute
    assert zoned
    assert not is_before(day, evening)
    assert is_before(minute, evening)
    assert zoned.utcoffset() == evening.utcoffset()
