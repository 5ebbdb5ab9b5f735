"""A question is parsed into what retrieval needs, whatever a person types."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import QuestionError
from index.ranking.query import MAX_QUESTION_CHARS, AnswerType, parse

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
    """The question's words show what kind of thing would answer it."""
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
    """A publisher is found by its full name, without its section or by its core."""
    found = parse(question, PUBLISHERS)
    assert dict(found.publishers) == named
    assert not found.source_terms & {"fuel", "dam"}


@pytest.mark.parametrize(
    ("question", "days"),
    [
        ("What was said on March 12, 2026?", [(12, 12)]),
        ("What was said on 12th of March?", [(12, 12)]),
        ("What did the report before 2026-03-12 say?", [(12, 12)]),
        ("What was said in March 2026?", [(1, 31)]),
        ("What was said in 1978?", []),
        ("What was said last Wednesday?", []),
    ],
)
def test_written_dates_are_days_of_publication(question: str, days: list[tuple[int, int]]) -> None:
    """A day or a month written as a date may be a day of publication."""
    found = parse(question).dates(date(2026, 3, 14))
    assert [(one.start and one.start.day, one.end.day) for one in found] == days


def test_days_are_understood_on_the_day_of_asking() -> None:
    """Days are relative to `as_of`, else to the newest report."""
    asked = "What happened yesterday?"
    (day,) = parse(asked).days(date(2026, 3, 14))
    assert day.start == date(2026, 3, 13)
    (day,) = parse(asked, as_of=date(2026, 3, 10)).days(date(2026, 3, 14))
    assert day.start == date(2026, 3, 9)


@pytest.mark.parametrize(
    ("question", "speaker", "acts", "order"),
    [
        ("What did the mayor say about the siren?", "the mayor", set(), None),
        ("Who at the ministry denied it?", None, {"denial"}, None),
        ("Who, as the report of Monday has it, was there and denied it?", None, set(), None),
        ("How many are missing now?", None, set(), "newest"),
        ("How many were missing at first?", None, set(), "oldest"),
        ("What was first reported, and what is the latest?", None, set(), None),
    ],
)
def test_the_form_is_read_from_the_words(
    question: str, speaker: str | None, acts: set[str], order: str | None
) -> None:
    """A question shows whose words, which act and which end of the story it asks for."""
    query = parse(question)
    assert (query.speaker.speaker if query.speaker else None) == speaker
    assert query.acts == acts
    assert query.order == order


def test_the_first_word_of_a_foreign_question_is_no_name() -> None:
    """In a question that is not English, the first capital tells nothing."""
    assert parse("Combien de brebis Sylvie Carrère a-t-elle perdues ?").names == {"sylvi", "carrer"}
    assert parse("Kessel opened which gates?").names == {"kessel"}


def test_several_questions_in_one_are_split() -> None:
    """Each clause with enough words is a part; together they cover the question."""
    asked = "Did crews warn managers of the hoist, and did the ministry deny a written warning?"
    query = parse(asked)
    assert len(query.clauses) == 2
    assert (query.clauses[0].start, query.clauses[-1].end) == (0, len(asked))


@pytest.mark.parametrize(
    "question", ["Dam?", "Hallow Dam", "Gate 3", "大坝为什么倒塌", "Где дамба?"]
)
def test_short_and_foreign_questions_are_taken(question: str) -> None:
    """A single word, two words and other scripts are questions too."""
    query = parse(question)
    assert query.terms
    assert len(query.clauses) == 1


@pytest.mark.parametrize("question", ["", " \n", "?!", "x" * (MAX_QUESTION_CHARS + 1)])
def test_invalid_questions_are_refused(question: str) -> None:
    """A question with too little or too much text is refused with the reason."""
    with pytest.raises(QuestionError):
        parse(question)


@given(st.text(max_size=300))
def test_parse_never_fails_otherwise(question: str) -> None:
    """Any text gives a query whose clauses lie inside it, or a QuestionError."""
    try:
        query = parse(question, PUBLISHERS)
    except QuestionError:
        return
    assert query == parse(question, PUBLISHERS)
    assert query.clauses
    assert all(0 <= one.start < one.end <= len(query.question) for one in query.clauses)


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("cause of the mill fire", True),
        ("Final score Ayr v Perth", True),
        ("the owner's reaction to the fine", True),
        ("name of the woman who was hurt", True),
        ("did the mill burn", True),
        ("the mill", False),
        ("tell me about the mill fire", False),
        ("The cause was a lamp.", False),
        ("The mill burnt down on Monday.", False),
    ],
)
def test_phrases_may_ask(text: str, asks: bool) -> None:
    """A phrase that begins or ends with what it asks for asks; topics and claims do not."""
    assert parse(text).asks is asks
