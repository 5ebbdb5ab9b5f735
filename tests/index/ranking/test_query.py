"""A question is taken apart into what retrieval needs, whatever a person types."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import QuestionError
from index.ranking.query import MAX_QUESTION_CHARS, AnswerType, parse, words

PUBLISHERS = ("The Arven Courier", "Northwire", "Gazette.com | Business", "The Age")


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who runs Hallow Dam?", "person"),
        ("When did the gate fail?", "date"),
        ("How much will it cost?", "amount"),
        ("How many people died?", "number"),
        ("Where is the dam?", "place"),
        ("Which company built the gate?", "name"),
        ("Had the crews been warned?", None),
    ],
)
def test_the_kind_of_answer_is_read_from_the_words(question: str, kind: AnswerType | None) -> None:
    """The question's own words tell what kind of thing would answer it."""
    assert parse(question).answer_type == kind


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What did The Arven Courier say?", {"The Arven Courier": 1.0}),
        ("What did the Arven Courier's report say?", {"The Arven Courier": 0.7}),
        ("what does northwire say?", {"Northwire": 1.0}),
        ("What did Gazette report on fuel?", {"Gazette.com | Business": 0.8}),
        ("What is the age of the dam?", {}),
        ("Who runs the dam?", {}),
    ],
)
def test_named_publishers_are_found(question: str, named: dict[str, float]) -> None:
    """A publisher is found in full, without its section, or by its core, but not as a word."""
    found = parse(question, PUBLISHERS)
    assert dict(found.publishers) == named
    assert not found.source_terms & {"fuel", "dam"}


@pytest.mark.parametrize(
    ("question", "matches"),
    [
        ("What was said on March 12, 2026?", 1.0),
        ("What was said on 12th of March 2026?", 1.0),
        ("What was said on 2026-03-12?", 1.0),
        ("What was said on March 13?", 0.5),
        ("What was said in March 2026?", 0.25),
        ("What was said on 31 February 2026?", 0.0),
        ("What was said in April 2026?", 0.0),
    ],
)
def test_named_dates_match_publication(question: str, matches: float) -> None:
    """A day counts most, a day beside it half, a month a quarter; an impossible date nothing."""
    (named,) = parse(question).dates
    assert named.matches(date(2026, 3, 12)) == matches


def test_several_questions_in_one_are_parted() -> None:
    """Each clause with enough to go by is a part; together they cover the question."""
    asked = "Did crews warn managers of the hoist, and did the ministry deny a written warning?"
    query = parse(asked)
    assert len(query.clauses) == 2
    assert (query.clauses[0].start, query.clauses[-1].end) == (0, len(asked))


@pytest.mark.parametrize(
    "question", ["Dam?", "Hallow Dam", "Gate 3", "大坝为什么倒塌", "Где дамба?"]
)
def test_short_and_foreign_questions_are_taken(question: str) -> None:
    """One word, two words and other scripts are questions too, with something to search for."""
    query = parse(question)
    assert query.terms
    assert len(query.clauses) == 1


@pytest.mark.parametrize("question", ["", " \n", "?!", "x" * (MAX_QUESTION_CHARS + 1)])
def test_what_is_no_question_is_refused(question: str) -> None:
    """Nothing to go by, or far too much, is said so."""
    with pytest.raises(QuestionError):
        parse(question)


@given(st.text(max_size=300))
def test_parse_never_fails_otherwise(question: str) -> None:
    """Whatever is typed gives a query whose clauses lie inside it, or a QuestionError."""
    try:
        query = parse(question, PUBLISHERS)
    except QuestionError:
        return
    assert query == parse(question, PUBLISHERS)
    assert query.clauses
    assert all(0 <= one.start < one.end <= len(query.question) for one in query.clauses)


def test_words_are_cut_as_written() -> None:
    """Signs of money and marks inside a word belong to it, those around it do not."""
    cut = words("“Mr. Teague's $1.2bn,” she said.")
    assert cut == ["Mr", "Teague's", "$1.2bn", "she", "said"]
