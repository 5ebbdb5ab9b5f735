"""Numbers in words, counts of people and of things, and measures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.text.quantities import figures, measures, units, value


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("1,200", 1200),
        ("3.5 million", 3_500_000),
        ("twenty-three", 23),
        ("nine hundred", 900),
        ("two dozen", 24),
        ("dozen", 12),
    ],
)
def test_numbers_in_words(words: str, expected: float) -> None:
    """Digits, words and scales give one value."""
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
        ("He died on March 12.", []),
        ("They put the number of dead in the quake at 1,050.", [(1050, "death")]),
        ("Some 340 guests fell ill.", [(340, "illness")]),
        ("He was fined 300 crowns, 12 years ago.", []),
    ],
)
def test_counts_of_people(text: str, expected: list[tuple[float, str]]) -> None:
    """The words around show what is counted; ages, years, times and money are no counts."""
    assert sorted((figure.value, figure.unit) for figure in figures(text)) == sorted(expected)


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
    """Amounts are converted to a base unit; a bare number is not an amount."""
    assert [(round(figure.value, 3), figure.unit) for figure in measures(text)] == expected


def test_parts_plans_and_rates_are_distinguished() -> None:
    """A count that is a part, a plan or a rate is marked as such."""
    text = "Another 3 died. Many years later, they expect 9 dead."
    assert [figure.narrowed for figure in figures(text)] == [{"another"}, {"expect"}]


def test_how_sure_a_count_is() -> None:
    """The words before a number show how sure it is."""
    text = "At least 12 people died. Fewer than 12 died. Some 12 people died. The 12 people died."
    hedges = [figure.hedge for figure in figures(text)]
    assert hedges == ["at least", "at most", "about", "exact"]


def test_what_a_question_wants_counted() -> None:
    """Synonyms are the same unit; a question for something else has none."""
    assert units("How many people were killed?") == units("What is the death toll?") == {"death"}
    assert units("How many gates does the dam have?") == frozenset()


@given(st.text(max_size=80), st.sampled_from(["12 dead", "a dozen hurt"]))
def test_counts_stand_in_the_text(around: str, count: str) -> None:
    """Whatever surrounds a count, offsets point into the original text."""
    text = f"{around} {count} {around}"
    for figure in figures(text):
        assert 0 <= figure.start < figure.end <= len(text)
        assert value(text[figure.start : figure.end].removeprefix("a ")) == figure.value
