"""A stated date is read if it can mean only one day, on the clock of its time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.text.moments import read_moment

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2198, 12, 31), timezones=ZONES).map(  # noqa: DTZ001 - zones are drawn
    lambda moment: moment.replace(microsecond=0)
)


@pytest.mark.parametrize(
    "written",
    """2026-11-03 | 20261103 | 2026/11/3 | 2026.11.03 | 3 November 2026 | 3rd of November, 2026
    | November 3, 2026 | Nov. 3, 2026 | Nov 3rd 2026 | 03-Nov-2026 | 3. November 2026 | 3 NOV 2026
    | Tuesday, 3 November 2026 | Tue Nov 3 2026 | 2026 Nov 3""".split("|"),
)
def test_forms_of_a_day(written: str) -> None:
    """All these forms mean the same day."""
    assert read_moment(written) == datetime(2026, 11, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "day"),
    [("13/11/1963", 13), ("11/13/1963", 13), ("11.11.1963", 11), ("30-11-1963", 30)],
)
def test_numbers_that_can_mean_one_day_only(written: str, day: int) -> None:
    """Numbers are read as a day if only one order of day and month is possible."""
    assert read_moment(written) == datetime(1963, 11, day, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    """01/04/63 | 01/04/1963 | 1.4.2026 | 13/04/63 | 3 Nov 26 | 2026 | November 2026 | 2026-11
    | 2026-W45 | 3 November | yesterday | Tuesday | 21:24 | | 31 February 2026 | 2026-02-31
    | 2026-13-01 | 3 Nov 2026 25:00 | 3 Nov 2026 13:00 pm | 3 Nov 1026 | 0001-01-01T00:00:00Z
    | 1970-01-01T00:00:00Z | Thu, 01 Jan 1970 00:00:00 GMT | 3 Nov 2026 or 4 Nov 2026
    | 3 November 2026 revised | 2026110312 | 20261103010 | 2026-11-10123
    | Friday, 3 Nov 2026 | Wed, 03 Nov 2026 21:24:10 GMT""".split("|"),
)
def test_ambiguous_dates_are_not_read(written: str) -> None:
    """Several days, no day, an impossible day and a program's zero are not read."""
    assert read_moment(written) is None


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("2026-11-03T21:24:10-05:00", "2026-11-03T21:24:10-05:00"),
        ("2026-11-03 21:24:10 UTC", "2026-11-03T21:24:10+00:00"),
        ("Tue, 03 Nov 2026 21:24:10 -0500", "2026-11-03T21:24:10-05:00"),
        ("Tue, 03 Nov 2026 21:24:10 -0500 (EST)", "2026-11-03T21:24:10-05:00"),
        ("Tue, 03 Nov 26 21:24 EST", "2026-11-03T21:24:00-05:00"),
        ("Tue, 03 Nov 2026 21:24:10 CET", "2026-11-03T21:24:10+01:00"),
        ("Tue, 03 Nov 2026 21:24:10 AEST", "2026-11-03T21:24:10+10:00"),
        ("Tue, 03 Nov 2026 21:24:10 IST", "2026-11-03T00:00:00+00:00"),
        ("Tue Nov  3 21:24:10 +0000 2026", "2026-11-03T21:24:10+00:00"),
        ("Tue Nov  3 21:24:10 EST 2026", "2026-11-03T21:24:10-05:00"),
        ("Nov. 3, 2026, 9:24 p.m. EST", "2026-11-03T21:24:00-05:00"),
        ("9:24 PM EST, Tue November 3, 2026", "2026-11-03T21:24:00-05:00"),
        ("3 November 2026 at 9.24pm", "2026-11-03T21:24:00+00:00"),
        ("3 November 2026, 12 a.m.", "2026-11-03T00:00:00+00:00"),
        ("3 November 2026, 21:24 GMT+5:30", "2026-11-03T21:24:00+05:30"),
        ("3 Nov 2026, 10:00-11:00", "2026-11-03T00:00:00+00:00"),
        ("3 Nov 2026, 10:00 -05:00", "2026-11-03T10:00:00-05:00"),
        ("1793741050", "2026-11-03T21:24:10+00:00"),
    ],
)
def test_a_date_keeps_its_own_day(written: str, stored: str) -> None:
    """A date keeps its time zone; with an unknown zone, only the day is used."""
    moment = read_moment(written)
    assert moment
    assert moment.isoformat() == stored


@given(MOMENTS)
def test_mail_and_iso_dates_come_back_whole(moment: datetime) -> None:
    """What mail programs and ISO 8601 write is read as the same moment with the same offset."""
    for written in (format_datetime(moment), moment.isoformat(), f"{moment:%d %B %Y %H:%M:%S %z}"):
        read = read_moment(written)
        assert read is not None
        assert read.isoformat() == moment.isoformat()


@given(st.text(max_size=40) | st.from_regex(r"[ -/0-9a-zA-Z:,.+]{1,40}", fullmatch=True))
def test_any_text_is_a_moment_or_none(written: str) -> None:
    """No text causes an error, and every date has a zone and a plausible year."""
    moment = read_moment(written)
    assert moment is None or (moment.tzinfo and 1500 < moment.year < 2200)
