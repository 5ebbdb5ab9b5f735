"""Notes above posted answers whose reports have changed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.fakes import FakeEncoder
from support.newsroom import ASKED, DAM, Newsroom, labels, said

from bot.bot import OnRecord
from bot.cogs import corrections
from bot.cogs.corrections import note_text
from bot.collections import Collections
from bot.settings import Discord, Settings
from bot.views.answer import NOTE_ROOM
from index import Article, Notice, Standing


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "PAUSE_S", 0.0)


async def asked(room: Newsroom, question: str = ASKED) -> Any:
    """Ask for a public answer."""
    result = await room.reader.slash(room.channel, "ask", question=question)
    return result.response.message


def dam(room: Newsroom) -> str:
    """Return the id of the report on the dam."""
    return next(one.article_id for one in room.archive().articles() if one.text == DAM)


@pytest.mark.parametrize("kind", ["corrected", "retracted"])
async def test_notices_reach_the_answer(room: Newsroom, kind: str) -> None:
    """A correction or retraction is noted in the answer once, and its buttons stay."""
    message = await asked(room)
    had = labels(message)
    change = room.archive().correct if kind == "corrected" else room.archive().retract
    change(dam(room), "It was @everyone's fault.")
    await room.env.advance_time(120)
    shown = next(one for one in room.channel.history() if one.id == message.id)
    assert "**Since this answer:**" in said(shown)
    assert f"was {kind}: It was \\@everyone's fault." in said(shown)
    assert "> A gate at Hallow Dam failed" in said(shown)
    assert labels(shown) == had
    edits = [r for r in room.env.http_requests if r.method == "PATCH"]
    await room.env.advance_time(600)
    assert [r for r in room.env.http_requests if r.method == "PATCH"] == edits
    assert room.channel.last_message.id == message.id


async def test_changed_sentence_is_noted(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """If any process changes what is quoted, the answer says so."""
    message = await asked(room)
    room.stock(settings, tmp_path / "reports", dam=DAM.replace("4:40", "5:10"))
    await room.env.advance_time(120)
    shown = next(one for one in room.channel.history() if one.id == message.id)
    assert "was changed and no longer says what is quoted here" in said(shown)


async def test_untouched_answers_have_no_note(room: Newsroom) -> None:
    """Answers that quote other reports stay as they are."""
    club = next(one.article_id for one in room.archive().articles() if one.text != DAM)
    message = await asked(room)
    quoted = room.archive().ask(ASKED).quotes
    assert {cited.quote.article_id for cited in quoted} == {dam(room)}
    room.archive().correct(club, "It was Sunday.")
    await room.env.advance_time(120)
    shown = next(one for one in room.channel.history() if one.id == message.id)
    assert said(shown) == said(message)


async def test_the_note_describes_the_present_state(room: Newsroom) -> None:
    """A later note replaces the first, also when a change is undone."""
    message = await asked(room)
    archive, notes = room.archive(), []
    before = archive.generation
    for change in (
        lambda: archive.correct(dam(room), "It was five."),
        lambda: archive.retract(dam(room), "Fabricated."),
        lambda: archive.undo(before),
    ):
        change()
        await room.env.advance_time(120)
        shown = next(one for one in room.channel.history() if one.id == message.id)
        assert said(shown).endswith(said(message))  # the note precedes what it is about
        notes.append(said(shown).removesuffix(said(message)).strip())
    assert [note.count("Since this answer") for note in notes] == [1, 1, 1]
    assert "was corrected: It was five." in notes[0]
    assert "was retracted: Fabricated." in notes[1]
    assert "stands again as it is quoted here." in notes[2]
    assert not any("It was five." in note for note in notes[1:])
    assert "Fabricated." not in notes[2]


async def test_stop_begins_no_more_notes(room: Newsroom) -> None:
    """After a stop no further note is written; the next start continues."""
    await asked(room)
    room.archive().correct(dam(room), "It was five.")
    notes = corrections.Corrections(room.env.bot)
    room.env.bot.stopping = True
    await notes.check(room.guild.id, room.archive())
    assert "It was five." not in said(room.channel.last_message)
    room.env.bot.stopping = False
    await notes.check(room.guild.id, room.archive())
    assert "It was five." in said(room.channel.last_message)


def test_a_note_always_fits() -> None:
    """However much has changed, the note fits into the space left by the answer."""
    notice = Notice("corrected", "*" * 1_000, datetime(2026, 3, 9, tzinfo=UTC), "mod")
    article = Article(article_id="a", title="_" * 1_000, text="Dam.", notice=notice)
    many = [Standing(article, ("changed", "corrected"))] * 12
    for count in range(1, 13):
        for room in (NOTE_ROOM, 4 * NOTE_ROOM):
            assert len(note_text(many[:count], room)) <= room


async def test_old_answers_are_tried_again(room: Newsroom) -> None:
    """If Discord limits edits of old messages for a while, the note is written later."""
    message = await asked(room)
    room.archive().correct(dam(room), "It was five.")
    edit = f"/channels/*/messages/{message.id}"
    room.env.inject_error("PATCH", edit, status=429, code=30046, times=2)
    await room.env.advance_time(60)
    assert "It was five." not in said(room.channel.last_message)
    await room.env.advance_time(300)
    assert "It was five." in said(room.channel.last_message)
    assert room.archive().answers.stale(room.env.now()) == []


async def test_settings_turn_notes_off(room: Newsroom, settings: Settings) -> None:
    """If notes are switched off, an answer stays as it was sent."""
    message = await asked(room)
    quiet = settings.model_copy(update={"discord": Discord(notes=False)})
    await room.env.restart_bot(OnRecord(Collections(quiet, FakeEncoder()), quiet))
    room.archive().retract(dam(room), "It was made up.")
    await room.env.advance_time(300)
    (shown,) = room.channel.history()
    assert said(shown) == said(message)


async def test_notes_are_spread_out(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot pauses between two notes, so that many corrections are not many requests at once."""
    monkeypatch.setattr(corrections, "PAUSE_S", 30.0)
    for number in range(2):
        await asked(room, f"When did gate {number} at Hallow Dam fail?")
    room.archive().correct(dam(room), "It was five.")
    await room.env.advance_time(70)
    noted = [one for one in room.channel.history() if "It was five." in said(one)]
    assert len(noted) == 1
    await room.env.advance_time(30)
    noted = [one for one in room.channel.history() if "It was five." in said(one)]
    assert len(noted) == 2


async def test_refused_note_is_given_up(room: Newsroom) -> None:
    """An edit that Discord refuses for good is not tried again."""
    message = await asked(room)
    room.archive().correct(dam(room), "It was five.")
    edit = f"/channels/*/messages/{message.id}"
    room.env.inject_error("PATCH", edit, status=400, code=50035, times=99)
    start = len(room.env.http_requests)
    await room.env.advance_time(600)
    assert [r.method for r in room.env.http_requests[start:]].count("PATCH") == 1


async def test_notes_have_a_limit(room: Newsroom) -> None:
    """When an hour's unasked messages are used up, the other notes wait for the next hour."""
    for number in range(2):
        await asked(room, f"When did gate {number} at Hallow Dam fail?")
    for _ in range(19):
        room.env.bot.unasked.count(room.guild.id)
    room.archive().correct(dam(room), "It was five.")

    def noted() -> int:
        return sum("It was five." in said(one) for one in room.channel.history())

    await room.env.advance_time(300)
    assert noted() == 1
    await room.env.advance_time(3600)
    assert noted() == 2
