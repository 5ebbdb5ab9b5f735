"""Numbers in words and counts of people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.figures import figures, units
from index.numbers import value


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("1,200", 1200),
        ("3.5 million", 3_500_000),
        ("twenty-three", 23),
        ("nine hundred", 900),
        ("two dozen", 24),
        ("dozen", 12),
        ("several", None),
        ("", None),
    ],
)
def test_numbers_in_words(words: str, expected: float | None) -> None:
    """Digits, words and scales give one value; what is no number gives none."""
    assert value(words) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Twenty-three people died and a dozen were hurt.", [(23, "death"), (12, "injury")]),
        ("Nobody was killed or hurt.", [(0, "death"), (0, "injury")]),
        ("No injuries were reported.", [(0, "injury")]),
        ("One man was killed; one of the houses burned.", [(1, "death")]),
        (
            "Four bodies were found; the toll rose to 16, with 9 missing.",
            [(16, "death"), (9, "missing")],
        ),
        ("In all 280,000 people had been forced to flee.", [(280_000, "displaced")]),
        ("The 40-year-old was killed in 2019 at 12:30.", []),
        ("He was fined 300 crowns in March 12 years ago.", []),
    ],
)
def test_counts_of_people(text: str, expected: list[tuple[float, str]]) -> None:
    """What is counted is told by the words around; ages, years, times and money are no counts."""
    assert sorted((one.value, one.unit) for one in figures(text)) == sorted(expected)


@pytest.mark.parametrize(
    ("text", "hedge"),
    [
        ("At least 12 people died.", "at least"),
        ("Fewer than 12 people died.", "at most"),
        ("Some 12 people died.", "about"),
        ("The 12 people died.", "exact"),
    ],
)
def test_how_sure_a_count_is(text: str, hedge: str) -> None:
    """The words right before a number tell how sure it is."""
    assert [one.hedge for one in figures(text)] == [hedge]


def test_what_a_question_wants_counted() -> None:
    """Other words for one thing are one unit; a question for something else has none."""
    assert units("How many people were killed?") == units("What is the death toll?") == {"death"}
    assert units("How many gates does the dam have?") == frozenset()


@given(st.text(max_size=80), st.sampled_from(["12 dead", "a dozen hurt", "nobody was killed"]))
def test_counts_stand_in_the_text(around: str, count: str) -> None:
    """Whatever stands around a count, offsets point into the text as it was given."""
    text = f"{around} {count} {around}"
    for one in figures(text):
        assert 0 <= one.start < one.end <= len(text)
        assert value(text[one.start : one.end].removeprefix("a ")) in {one.value, None}
