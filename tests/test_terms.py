"""Spellings of one thing meet under one term."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.terms import STOP_WORDS, content_terms, terms, tokens


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Minister", "ministers"),
        ("U.S.", "US"),
        ("the minister's", "the minister’s"),
        ("Tessen's", "Tessen"),
        ("Tessens’", "tessen"),
        ("café", "cafe\u0301"),
        ("naïve", "naive"),
        ("1,200", "1200"),
        ("flooding", "flooded"),
        ("STRASSE", "straße"),
        ("well-known", "well known"),
        ("don't", "don’t"),
        ("ﬁre", "fire"),
    ],
)
def test_spellings_meet(one: str, other: str) -> None:
    """Case, accents, possessives, dots, hyphens, commas in numbers and word forms do not matter."""
    assert terms(one) == terms(other) != []


@pytest.mark.parametrize(
    ("one", "other"),
    [("1200", "12000"), ("3.5", "35"), ("dam", "dame"), ("US", "use"), ("2025", "2026")],
)
def test_different_things_stay_apart(one: str, other: str) -> None:
    """Numbers and short words keep their differences."""
    assert terms(one) != terms(other)


def test_tokens_stand_as_they_were() -> None:
    """Tokens are the words and numbers as written, in order, without punctuation."""
    text = "“U.S. aid,” she said: 1,200 of Tessen's crews — gone."
    assert tokens(text) == [
        "U.S.",
        "aid",
        "she",
        "said",
        "1,200",
        "of",
        "Tessen's",
        "crews",
        "gone",
    ]


def test_questions_lose_their_stop_words() -> None:
    """What carries the meaning of a question is left, once and in order."""
    assert content_terms("Who warned the crews, and who did the crews warn?") == ["warn", "crew"]


@pytest.mark.parametrize("question", ["Who is it?", "What did they say?"])
def test_a_question_of_stop_words_keeps_them(question: str) -> None:
    """Where nothing else is left, stop words are searched for."""
    assert content_terms(question) == list(dict.fromkeys(terms(question)))


def test_stop_words_are_dropped_in_every_form() -> None:
    """A stop word is one after analysis too: nothing of the list survives beside a real word."""
    assert content_terms(" ".join(sorted(STOP_WORDS)) + " Tessen") == ["tessen"]


@given(st.text(max_size=200))
def test_terms_can_be_stored_space_separated(text: str) -> None:
    """Whatever the text, terms are short, not empty, and survive joining and splitting."""
    found = terms(text)
    assert all(0 < len(term) <= 40 for term in found)
    assert " ".join(found).split() == found


@given(st.text(max_size=100))
def test_content_terms_are_some_of_the_terms(text: str) -> None:
    """What carries the meaning is distinct, is among all terms, and is there if any term is."""
    found = content_terms(text)
    assert len(set(found)) == len(found)
    assert set(found) <= set(terms(text))
    assert bool(found) == bool(terms(text))
