"""Questions that follow up on the previous question."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import FakeEncoder

from index import is_follow_up
from index.answering.followup import resolved
from index.archive import Archive
from index.domain import Answer, Article, Citation, CitedQuote, Filters, Quote
from index.encoder import PackagedEncoder
from index.ranking.query import FollowUp, parse

WARNED = "Crews at Hallow Dam had warned of Gate 3, said Mara Voss. Nobody denied it."
BEFORE = "Had the crews been warned about Gate 3 at Hallow Dam?"
PAIRS = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "data" / "follow_ups.jsonl")
    .read_text("utf-8")
    .splitlines()
]


def answer(question: str, text: str = WARNED, speaker: str | None = "Mara Voss") -> Answer:
    """Return an answer to a question that quotes the first sentence of a text."""
    article = Article(article_id="a", title="A warning", text=text)
    quote = Quote.cut(article, 0, text.index(". ") + 1)
    return Answer(
        answer_id="0123456789ab",
        question=question,
        filters=Filters(),
        generation=1,
        model="fake",
        status="answered",
        confidence=1.0,
        quotes=(CitedQuote(quote, 1, speaker),),
        citations=(Citation(1, article),),
    )


@pytest.mark.parametrize(
    "question",
    ["And who denied it?", "Why?", "What about the ministry?", "When did they say that?", "Who?"],
)
def test_follow_ups_are_recognised(question: str) -> None:
    """Pronouns, a connective at the start, or too few words make a follow-up."""
    assert is_follow_up(question)


@pytest.mark.parametrize(
    "question",
    [
        "Which club reached the cup final on Saturday?",
        "How many people died when Hallow Dam failed?",
        "Who leads the public inquiry into the flood?",
    ],
)
def test_whole_questions_stand_alone(question: str) -> None:
    """A question with enough words and no pronoun is not changed by the previous question."""
    assert not is_follow_up(question)


def test_follow_up_takes_over_the_previous_topic() -> None:
    """The new words come first, then the meaningful words of the previous question."""
    before = answer("Were the unions told of Gate 3?")
    query, after = resolved("And who denied it?", before)
    assert query == "who denied it (unions told Gate 3)?"
    assert after.new_words == "who denied it"
    assert [quote.text for quote in after.quoted] == [WARNED.partition(". ")[0] + "."]


def test_he_and_she_are_whom_the_answer_is_about() -> None:
    """A pronoun stands for the first quote's speaker, or the person who was asked for."""
    assert resolved("What did she do?", answer(BEFORE))[0].startswith("What did she do (Mara Voss ")
    ministry = answer("Were the unions told?", speaker="The ministry")  # is no "she"
    assert resolved("What did she do?", ministry)[0] == "What did she do (unions told)?"
    chief = "Ida Roe leads the works near Long Reach. Ida Roe is 50."
    asked = answer("Who leads the works?", chief, None)
    (cited,) = asked.quotes
    part = Quote.cut(asked.citations[0].article, 0, len("Ida Roe"))
    asked = replace(asked, quotes=(replace(cited, answer=part),))
    assert resolved("How old is he?", asked)[0] == "How old is he (Ida Roe leads works)?"


def test_chain_keeps_the_first_question() -> None:
    """The third question of a chain has words of the first."""
    second, _ = resolved("And who denied it?", answer(BEFORE))
    third, _ = resolved("When?", answer(second))
    assert third.startswith("When ")
    assert "Hallow Dam" in third
    assert parse(third).answer_type == "date"


def test_a_chain_does_not_pile_up_words() -> None:
    """After many turns, a question has words of the last question and few older words."""
    chain = BEFORE
    for topic in ("fitters", "hoists", "managers", "ministers", "registers", "sirens"):
        chain, _ = resolved(f"And what about the {topic}?", answer(chain))
    assert (
        chain
        == "what about the sirens (registers ministers managers hoists fitters crews warned Gate)?"
    )


@given(st.text(max_size=80), st.sampled_from([BEFORE, "Who is it?", "And?", "Then", "5"]))
def test_resolved_questions_can_be_asked(question: str, before: str) -> None:
    """Whatever is asked in reply to an answer becomes a valid question."""
    assert parse(resolved(question, answer(before))[0]).question


@pytest.mark.parametrize("question", ["And?", "THEN", "so ...", "…", "more", "Tell me more"])
def test_a_bare_and_asks_for_more(question: str) -> None:
    """A follow-up without words asks the previous question again, for new quotes."""
    before = answer(BEFORE)
    whole, after = resolved(question, before)
    assert whole == BEFORE
    assert after == FollowUp("", (before.quotes[0].quote,))


def test_quoted_passages_rank_last(tmp_path: Path) -> None:
    """What was quoted comes again only if nothing else answers; each answer has its own id."""
    file = tmp_path / "dam.txt"
    file.write_text("The dam gate failed.\n\nThe gate of the old dam was blue.", "utf-8")
    archive = Archive.open(tmp_path, "desk", FakeEncoder(), threshold=0.0)
    archive.add([str(file)])
    first = archive.ask("What of the dam gate?")
    again = archive.ask("What else of it was reported?", first.filters, first)
    assert again.quotes[0].quote not in [cited.quote for cited in first.quotes]
    assert again.answer_id != archive.ask(again.question).answer_id
    assert archive.ask("What else of it was reported?", first.filters, first) == again
    assert archive.ask("What else of it was reported?", again.filters, again).quotes
    archive.close()


def test_unknown_words_are_dropped_before_declining(tmp_path: Path) -> None:
    """Words of the previous question are dropped if they prevent an answer; its filters stay."""
    (tmp_path / "dam.txt").write_text("The dam gate failed. A pin in the gate broke.", "utf-8")
    archive = Archive.open(tmp_path, "desk", FakeEncoder(), threshold=0.3)
    archive.add([str(tmp_path / "dam.txt")])
    first = archive.ask("What of the gate?")
    longer = replace(first, question="Zeppelins, quasars, violins, and the gate of a castle?")
    assert archive.ask(*resolved("And a pin?", longer)[:1]).status == "declined"
    assert archive.ask("And a pin?", longer.filters, longer).question == "a pin (gate)?"
    late = replace(first, filters=Filters(until=datetime(2036, 3, 9, tzinfo=UTC)))
    assert archive.ask("And a pin?", late.filters, late).filters == late.filters
    archive.close()


@pytest.mark.encoder
def test_follow_ups_find_the_right_sentence(tmp_path: Path) -> None:
    """As many follow-ups on the samples as before find the right sentence first.

    Rules and weights were made while looking at those called tuned, and not at the others.
    """
    archive = Archive.open(tmp_path, "story", PackagedEncoder())
    archive.add([str(Path(str(files("bot") / "sample")))])
    right = {"tuned": 0, "unseen": 0}
    for pair in PAIRS:
        made: Answer | None = None
        for question in pair["questions"]:
            leaning = made is not None and is_follow_up(question)
            made = (
                archive.ask(question, made.filters, made)
                if made and leaning
                else archive.ask(question)
            )
        text = made.quotes[0].quote.text if made and made.quotes else ""
        right[pair["part"]] += any(words in text for words in pair["right"])
    archive.close()
    assert right["tuned"] >= 42  # of 52
    assert right["unseen"] >= 11  # of 16
