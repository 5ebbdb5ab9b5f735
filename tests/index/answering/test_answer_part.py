"""The part of a quote that is shown in bold, and as the short form of the answer."""

from __future__ import annotations

import pytest

from index.answering.answer_part import answer_part, counted_part
from index.answering.attribution import annotate
from index.domain import Article, Passage, Sentence
from index.ranking.query import parse
from index.reader.model import Reading
from index.text.sentences import split

SNAPPED = (
    "“The mast did not sway, it snapped,” said Ida Roe, the chief rigger, who leads the repairs."
)


def passage(text: str, n: int = 0) -> Passage:
    """Return sentence n of a text, annotated as the archive does it."""
    article = Article(article_id="a", title="", text=text)
    span, said = split(text)[n], annotate(text, split(text))[n]
    words = text[span.start : span.end]
    sentence = Sentence(1, "a", 1, n, span.start, span.end, words, said.speaker, said.act)
    return Passage(article, (sentence,), sentence, 1.0)


def shown(question: str, text: str, part: str) -> str | None:
    """Return what is shown of a sentence in which the reader marks `part`."""
    start = text.index(part)
    reading = Reading(3.0, 0.9, start, start + len(part))
    quote = answer_part(parse(question), passage(text), reading)
    return quote.text if quote else None


@pytest.mark.parametrize(
    ("question", "text", "part"),
    [
        ("Who broke the mast?", SNAPPED, "Ida Roe"),
        ("Who broke the mast?", SNAPPED, "Ida Roe, the chief rigger"),
        ("Who broke the mast?", "The mast broke in the storm, Ida Roe said.", "Ida Roe"),
        ("Who is to blame for the mast?", "Ida Roe said that the mast was rotten.", "Ida Roe"),
        ("Who found the mast?", "Divers found the mast, according to the navy.", "the navy"),
    ],
)
def test_who_says_it_did_not_do_it(question: str, text: str, part: str) -> None:
    """Asked who did something, the person who only reports it is not named as the culprit."""
    assert shown(question, text, part) is None


@pytest.mark.parametrize(
    ("question", "text", "part"),
    [
        ("Who said that the mast snapped?", SNAPPED, "Ida Roe"),
        ("Who leads the repairs?", SNAPPED, "Ida Roe"),
        ("Who is the chief rigger?", SNAPPED, "Ida Roe"),
        ("Who broke the mast?", "A crane driver broke the mast, Ida Roe said.", "A crane driver"),
        ("Who broke the mast?", "A crane driver broke the mast.", "A crane driver"),
    ],
)
def test_who_is_asked_for_is_named(question: str, text: str, part: str) -> None:
    """A speaker is named if the question asks who says it, or for a role of the speaker."""
    assert shown(question, text, part) == part


@pytest.mark.parametrize(
    ("question", "text", "part"),
    [
        ("Why did the mast break?", "The mast broke at noon after a dry week.", "a dry week"),
        (
            "Why is it shut?",
            "The dry dock is shut; a new one is due to open in May.",
            "due to open",
        ),
        ("What caused the fall of the mast?", "The break caused the mast to fall.", "The break"),
        ("What broke in the storm?", "In the storm the rig broke.", "In the storm"),
        ("Who will lead?", "Correction: Ida Roe, not Max Lund, will lead.", "Max Lund"),
    ],
)
def test_a_part_that_does_not_answer_is_not_shown(question: str, text: str, part: str) -> None:
    """A part without a stated cause, or that refers back, repeats or is wrong, is not shown."""
    assert shown(question, text, part) is None


@pytest.mark.parametrize(
    ("question", "text", "part"),
    [
        ("Why did it break?", "It broke because of rust in the bolts.", "rust in the bolts"),
        ("Why was it taken down?", "It was taken down to make room for a crane.", "to make room"),
        ("What caused the fall?", "Rust in the bolts had caused the fall.", "Rust in the bolts"),
        ("Who holds a copy?", "The navy holds a copy.", "The navy"),
        ("Where is the mast?", "The mast lies in the dry dock.", "the dry dock"),
    ],
)
def test_a_part_that_answers_is_shown(question: str, text: str, part: str) -> None:
    """A stated cause is shown, and so is a part that is clear alone."""
    assert shown(question, text, part) == part


def test_the_latest_count_is_found_without_the_reader() -> None:
    """The only figure that counts what is asked is the answer; of two figures, neither is."""
    query = parse("How many people died?")
    count = counted_part(query, passage("The find raised the death toll to six, the navy said."))
    assert count is not None
    assert count.text == "six"
    assert counted_part(query, passage("Two people died at sea and four died on land.")) is None


@pytest.mark.parametrize(("left", "right"), ["“”", '""'])
def test_a_mark_that_only_closes_is_not_quoted(left: str, right: str) -> None:
    """The end of a quotation is quoted without its closing mark, and so is its part."""
    last = passage(f"{left}We looked twice. The copy is in the safe.{right}", 1)
    assert last.quote().text == "The copy is in the safe."
    start, end = last.best.text.index("in the safe"), len(last.best.text)
    part = answer_part(parse("Where is the copy?"), last, Reading(3.0, 0.9, start, end))
    assert part is not None
    assert part.text == "in the safe."
    whole = passage(f"She said: {left}The copy is in the safe.{right}")
    assert whole.quote().text.endswith(right)
