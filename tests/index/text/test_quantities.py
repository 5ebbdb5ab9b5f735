"""Numbers in words, counts of people and of things, and measures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.text.quantities import counts, figures, measures, units, value


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
        ("One man was killed; one of the houses burned.", [(1, "death")]),
        (
            "Four bodies were found; the toll rose to 16, with 9 missing.",
            [(16, "death"), (9, "missing")],
        ),
        ("In all 280,000 people had been forced to flee.", [(280_000, "displaced")]),
        ("The 40-year-old was killed in 2019 at 12:30.", []),
        ("Some 16 were hurt when the 7.40 from Aldo hit it.", [(16, "injury")]),
        ("The two hospitals treated 73 injured people.", [(73, "injury")]),
        ("They put the number of dead in the quake at 1,050.", [(1050, "death")]),
        ("Some 340 guests fell ill.", [(340, "illness")]),
        ("He was fined 300 crowns in March 12 years ago.", []),
    ],
)
def test_counts_of_people(text: str, expected: list[tuple[float, str]]) -> None:
    """What is counted is told by the words around; ages, years, times and money are no counts."""
    assert sorted((one.value, one.unit) for one in figures(text)) == sorted(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A fine of 150 million euros, not $1.2 billion.", [(150e6, "money"), (1.2e9, "money")]),
        ("Half a tonne? 430 kilos, later 1.2 tonnes.", [(430, "mass"), (1200, "mass")]),
        ("The seven-year-old and a man 40 years old.", [(7, "age"), (40, "age")]),
        ("In 2019 some 12 people came.", []),
    ],
)
def test_measures(text: str, expected: list[tuple[float, str]]) -> None:
    """Amounts are read in one base for each unit; a bare number is none."""
    assert [(round(one.value, 3), one.unit) for one in measures(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("At least 17 of the hijacked ships are held.", [(17, set())]),
        ("Pirates hold about a dozen ships.", [(12, set())]),
        ("Of the crew, 17 left; the ships stayed.", []),
        ("Another 3 ships came.", [(3, {"another"})]),
        ("They plan to build 9 ships.", [(9, {"plan to"})]),
        ("It sells 4 ships a year.", [(4, {"a year"})]),
    ],
)
def test_counts_of_a_noun(text: str, expected: list[tuple[float, set[str]]]) -> None:
    """A number counts a noun of its clause; what makes it a part or a plan is kept with it."""
    assert [(one.value, set(one.narrowed)) for one in counts(text, "ship")] == expected


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


@given(st.text(max_size=80), st.sampled_from(["12 dead", "a dozen hurt"]))
def test_counts_stand_in_the_text(around: str, count: str) -> None:
    """Whatever stands around a count, offsets point into the text as it was given."""
    text = f"{around} {count} {around}"
    for one in figures(text):
        assert 0 <= one.start < one.end <= len(text)
        assert value(text[one.start : one.end].removeprefix("a ")) in {one.value, None}
