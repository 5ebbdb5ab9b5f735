"""Dates in text as ranges of days."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.text.dates import LONGEST, date_ranges

BASE = date(2024, 12, 5)  # a Thursday


def read(text: str, base: date = BASE) -> list[tuple[str, str]]:
    """Return the first and last day of each range, as text."""
    return [(str(one.start), str(one.end)) for one in date_ranges(text, base)]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("the massacre in 1982", "1982-01-01", "1982-12-31"),
        ("said on Thursday that", "2024-12-05", "2024-12-05"),
        ("last Thursday", "2024-11-28", "2024-11-28"),
        ("on Tuesday", "2024-12-03", "2024-12-03"),
        ("since March", "2024-03-01", "2024-12-05"),
        ("since 2016", "2016-01-01", "2024-12-05"),
        ("which broke out in March 2011.", "2011-03-01", "2011-03-31"),
        ("which began on November 27.", "2024-11-27", "2024-11-27"),
        ("three days ago", "2024-12-02", "2024-12-02"),
        ("two weeks ago", "2024-11-18", "2024-11-24"),
        ("last week", "2024-11-25", "2024-12-01"),
        ("in early June", "2024-06-01", "2024-06-10"),
        ("in late 2019", "2019-09-01", "2019-12-31"),
        ("the end of May 2020", "2020-05-21", "2020-05-31"),
        ("first attack since 2016 when", "2016-01-01", "2024-12-05"),
        ("until Monday", "None", "2024-12-09"),
        ("before 2016", "None", "2015-12-31"),
        ("from March 3 to March 9, 2021", "2021-03-03", "2021-03-09"),
        ("between 2014 and 2016", "2014-01-01", "2016-12-31"),
        ("in 2014–2016", "2014-01-01", "2016-12-31"),
        ("November 3-5", "2024-11-03", "2024-11-05"),
        ("5 February 2020", "2020-02-05", "2020-02-05"),
        ("on 2020-02-05", "2020-02-05", "2020-02-05"),
        ("in the 1980s", "1980-01-01", "1989-12-31"),
        ("in the past three years", "2021-12-05", "2024-12-05"),
        ("the vote will be held on Monday", "2024-12-09", "2024-12-09"),
        ("scheduled for January 14", "2025-01-14", "2025-01-14"),
        ("yesterday", "2024-12-04", "2024-12-04"),
        ("next month", "2025-01-01", "2025-01-31"),
        ("in the late 1980s", "1986-01-01", "1989-12-31"),
        ("in 2024-02", "2024-02-01", "2024-02-29"),
        ("a dam built in 1868", "1868-01-01", "1868-12-31"),
    ],
)
def test_reads(text: str, start: str, end: str) -> None:
    """Each wording means these days to a reader on the day of publication."""
    assert (start, end) in read(text)


@pytest.mark.parametrize(
    "text",
    ["2000 people", "may fall", "they march on", "$1982", "2,019 homes", "", "may 3 of them"],
)
def test_counts_and_verbs_are_no_dates(text: str) -> None:
    """Words that only look like a date are not read as dates."""
    assert date_ranges(text, BASE) == []


def test_spans_cut_the_words() -> None:
    """The offsets cut out the words that were read."""
    text = "They met on 3 May 2020, and since June nobody left."
    spans = [(one.text_start, one.text_end) for one in date_ranges(text, date(2020, 9, 1))]
    assert [text[start:end] for start, end in spans] == ["3 May 2020", "since June"]


def test_without_publication_only_years_are_read() -> None:
    """Without a day of publication a weekday means nothing, but a year does."""
    assert [str(one.end) for one in date_ranges("on Thursday, as in 1982,", None)] == ["1982-12-31"]


WORDS = st.sampled_from(
    "from to between and since until March 3 May 29 February 2020 2019 0 31 1982 last next Monday"
    " three weeks ago the 1980s – - , early mid in on before after".split()
)


@given(st.lists(WORDS, max_size=14).map(" ".join), st.dates())
def test_any_text_yields_ranges_in_order(text: str, base: date) -> None:
    """For any text and day, ranges run forward, in order, within the text."""
    found = date_ranges(text, base)
    places = [place for one in found for place in (one.text_start, one.text_end)]
    assert places == sorted(places)
    assert all(0 <= place <= len(text) for place in places)
    assert all(one.start is None or one.start <= one.end for one in found)


@given(st.text(max_size=300))
def test_hostile_text_does_no_harm(text: str) -> None:
    """Any string gives ranges or none."""
    assert len(date_ranges(text * 3, BASE)) >= 0
    assert date_ranges("x" * LONGEST + " in 1982", BASE) == []
