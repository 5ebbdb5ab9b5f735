"""Every possible answer can be shown: its quotes verbatim, within Discord's limits."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import BufferingHandler
from typing import Any

import discord
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.answers import answer_of, answers

from bot.cli import output
from bot.cogs.corrections import note_text
from bot.views import answer as view_module
from bot.views.answer import NOTE_ROOM, AnswerView, answer_view, quotes_view, text_view
from bot.views.answer_buttons import answer_rows
from bot.views.base import MAX_TEXT
from bot.views.explanation import explanation
from index import Answer, LoggedAnswer, Standing, optional

NOW = datetime(2026, 3, 9, tzinfo=UTC)
BECAME = st.lists(
    st.sampled_from(["changed", "revised", "removed", "corrected", "retracted", "withdrawn"]),
    unique=True,
    max_size=2,
).map(tuple)


def texts(view: AnswerView) -> list[str]:
    """Return the text of each block of a message, after checking Discord's limits."""
    assert view.total_children_count <= 40
    assert view.content_length() <= MAX_TEXT
    for item in view.walk_children():
        if isinstance(item, discord.ui.Button):
            assert len(item.label or "") <= 80
            assert len(item.custom_id or "") <= 100
    assert json.dumps(view.to_components())
    blocks = [i.content for i in view.walk_children() if isinstance(i, discord.ui.TextDisplay)]
    assert all(block.strip() for block in blocks)
    return blocks


def quoted(blocks: list[str]) -> list[str]:
    """Return the block quotes of a message as Discord shows them."""
    shown = []
    for block in blocks[1:]:
        if all(line.startswith("> ") for line in block.split("\n")):
            lines = "\n".join(line[2:] for line in block.split("\n"))
            unbold = re.sub(r"(\\[^0-9A-Za-z\s])|\*\*", lambda sign: sign[1] or "", lines)
            shown.append(re.sub(r"\\([^0-9A-Za-z\s])", r"\1", unbold))
    return shown


@contextmanager
def complete() -> Iterator[None]:
    """Fail if an answer lacks a part: that is only logged, and would stay hidden."""
    records, logger = BufferingHandler(99), logging.getLogger("index.errors")
    logger.addHandler(records)
    try:
        yield
    finally:
        logger.removeHandler(records)
    assert records.buffer == []


def bare(text: str) -> str:
    """Remove spaces and terminal codes from a text."""
    return "".join(re.sub(r"\x1b\[\d+m", "", text).split())


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(answers(), st.booleans(), st.none() | st.text(max_size=999), st.data())
def test_no_answer_fails_to_be_shown(
    answer: Answer, private: bool, typed: str | None, data: st.DataObject
) -> None:
    """Discord, terminals, `/why` and notes show every answer, and count what does not fit."""
    with complete():
        show_everywhere(answer, typed, data.draw(st.lists(BECAME, min_size=12)), private=private)


def show_everywhere(answer: Answer, typed: str | None, became: list[Any], *, private: bool) -> None:
    """Show an answer in every way."""
    given_quotes = answer.quotes or tuple(filter(None, [answer.closest]))
    rows = answer_rows(answer, private=private)
    blocks = texts(answer_view(answer, rows, typed=typed, note="-# note"))
    assert sum(map(len, blocks)) <= MAX_TEXT - NOTE_ROOM
    shown = quoted(blocks)
    verbatim = [cited.quote.text for cited in given_quotes]
    remaining = iter(verbatim)
    assert all(text in remaining for text in shown)  # in order
    missing = re.match(r"-# ([\d,]+) (?:more )?quotes?", blocks[-1])
    assert len(shown) + (int(missing[1]) if missing else 0) == len(verbatim)
    assert f"answer `{answer.answer_id}`" in blocks[-1]
    texts(quotes_view("### More", given_quotes, answer, "-# footer"))

    printed = output.answer(answer)
    assert all(bare(text) in bare(printed.text) for text in verbatim)
    document = json.loads(output.to_json(printed.document))
    assert [quote["text"] for quote in document["quotes"]] == [q.quote.text for q in answer.quotes]

    standings = tuple(Standing(c.article, became[c.number - 1]) for c in answer.citations)
    logged = LoggedAnswer(answer, NOW, 1, 2, standings)
    words = explanation(logged, ["*No* " * 60] * 4, answer.generation + 1)
    texts(text_view(answer, words))
    assert output.why(logged).text
    assert len(note_text(standings, NOTE_ROOM)) <= NOTE_ROOM


def test_a_quote_that_fits_nowhere_leaves_its_source() -> None:
    """A single quote too long for a message is not cut; its source says where to read it."""
    blocks = texts(answer_view(answer_of(["word " * 2_000], url="https://a.example/x")))
    assert quoted(blocks) == []
    assert "(https://a.example/x#:~:text=word" in blocks[1]
    assert "1 quote of more characters than a message may have." in blocks[-1]


def broken(*_: object, **__: object) -> Any:
    """Fail like a part of an answer that cannot be computed."""
    raise IndexError("tuple index out of range")


def test_optional_logs_what_it_leaves_out(caplog: pytest.LogCaptureFixture) -> None:
    """`optional` logs an error with its cause, and returns what works."""
    assert optional(1, int, "2") == 2
    assert optional("nothing", broken) == "nothing"
    assert "an optional part of an answer failed and is left out" in caplog.text
    assert "IndexError: tuple index out of range" in caplog.text


@pytest.mark.parametrize(
    "part", ["story_line", "speaker_line", "_bold", "date_words", "_linked_title"]
)
def test_a_part_that_fails_to_render_is_left_out(
    part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer is shown without labels, bold words, dates, links or agreement if these fail."""
    answer = answer_of(["The gate failed.", "The siren came late."], url="https://a.example")
    whole = quoted(texts(answer_view(answer)))
    monkeypatch.setattr(view_module, part, broken)
    blocks = texts(answer_view(answer))
    assert quoted(blocks) == whole == ["The gate failed.", "The siren came late."]
    assert "A title" in blocks[2]
    assert "an optional part of an answer failed and is left out" in caplog.text


@pytest.mark.parametrize("part", ["story_line", "speaker_line"])
def test_a_part_that_fails_to_print_is_left_out(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is printed at a terminal without the parts that fail."""
    monkeypatch.setattr(output, part, broken)
    assert "The gate failed." in output.answer(answer_of(["The gate failed."])).text
