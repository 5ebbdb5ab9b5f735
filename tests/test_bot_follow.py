"""Questions that lean on the one before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.follow import leans, resolved
from index.query import parse

BEFORE = "Had the crews been warned about Gate 3 at Hallow Dam?"


@pytest.mark.parametrize(
    "question",
    ["And who denied it?", "Why?", "What about the ministry?", "When did they say that?", "Who?"],
)
def test_leaning_questions_are_recognised(question: str) -> None:
    """Pronouns, a connective at the start, or too few words make a follow-up."""
    assert leans(question)


@pytest.mark.parametrize(
    "question",
    [
        "Which club reached the cup final on Saturday?",
        "How many people died when Hallow Dam failed?",
        "Who leads the public inquiry into the flood?",
    ],
)
def test_whole_questions_stand_alone(question: str) -> None:
    """A question with enough words of its own and no pronoun is not changed by what came before."""
    assert not leans(question)


def test_follow_up_takes_over_what_the_question_before_was_about() -> None:
    """The new words lead, the carrying words of the old question follow, as they were written."""
    assert resolved("And who denied it?", BEFORE) == "who denied it crews warned Gate 3 Hallow Dam?"


def test_chain_keeps_the_first_question() -> None:
    """The third question of a chain still knows the first, through the second."""
    second = resolved("And who denied it?", BEFORE)
    third = resolved("When?", second)
    assert third.startswith("When ")
    assert "Hallow Dam" in third
    assert parse(third).answer_type == "date"


@given(st.text(max_size=80).filter(lambda text: any(c.isalnum() for c in text)), st.text())
def test_resolved_questions_can_be_asked(question: str, before: str) -> None:
    """Whatever leads to a follow-up, what is sent to retrieval is a question."""
    assert parse(resolved(question, before)).question
