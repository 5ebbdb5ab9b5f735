"""Watches: told once the reports answer, ended by their owner or a moderator."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import discord
import pytest
from support.fakes import FakeEncoder
from support.newsroom import Newsroom, labels, said

from bot.bot import OnRecord
from bot.cogs.subscriptions import stop_row
from bot.collections import Collections
from bot.settings import Answers, Settings
from bot.views.base import MAX_TEXT, notice_view
from index.domain import Filters

FERRY = "When did the ferry Marigold run aground?"
NEWS = "The ferry Marigold ran aground at noon on Friday."


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, answers=Answers(threshold=0.1))


async def watch(room: Newsroom) -> None:
    """Ask in vain, and ask to be told."""
    result = await room.reader.slash(room.channel, "ask", question=FERRY)
    assert "No answer in the reports" in said(result.response)
    assert labels(result.response) == ["More passages", "Notify me when there's an answer"]
    pressed = await room.reader.click(
        result.response.message, label="Notify me when there's an answer"
    )
    assert pressed.ephemeral
    assert labels(pressed.response) == ["Stop"]


async def test_watch_tells_when_the_reports_answer(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """After a commit that answers, who asked is told in that channel, once, and only they."""
    await watch(room)
    await room.env.advance_time(120)
    before = len(room.channel.history())
    room.stock(settings, tmp_path / "other", fog="Fog lay over the harbour on Sunday.")
    await room.env.advance_time(120)
    assert len(room.channel.history()) == before
    assert room.archive().answers.watches()[0].generation == 2
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    await room.env.advance_time(120)
    told = room.channel.last_message
    assert said(told).startswith(f"<@{room.reader.id}> The reports now answer what you asked.")
    assert "noon" in said(told)
    sent = [r for r in room.env.http_requests if r.path.endswith("/messages")][-1]
    assert sent.json["allowed_mentions"] == {"parse": [], "users": [room.reader.id]}
    assert room.archive().answers.watches() == []
    await room.env.advance_time(300)
    assert room.channel.last_message.id == told.id


async def test_watch_in_a_closed_channel_ends(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """Where the bot may no longer write, the watch ends without noise."""
    await watch(room)
    await room.env.bot.get_channel(room.channel.id).set_permissions(
        room.env.bot.get_guild(room.guild.id).me, send_messages=False
    )
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    await room.env.advance_time(120)
    assert room.archive().answers.watches() == []


async def test_own_watch_can_be_ended(room: Newsroom) -> None:
    """/watching lists one's own, with a button that ends it."""
    await watch(room)
    listed = await room.reader.slash(room.channel, "watching")
    assert FERRY in said(listed.response)
    assert "for you" in said(listed.response)
    await room.reader.click(listed.response.message, label="Stop")
    assert room.archive().answers.watches() == []
    empty = await room.reader.slash(room.channel, "watching")
    assert "not watching any questions" in said(empty.response)


async def test_moderator_ends_anybodys_watch(room: Newsroom) -> None:
    """A moderator sees all watches of the server and can end them; another member cannot."""
    await watch(room)
    other = room.guild.add_member(room.env.create_user("other"))
    hidden = await other.slash(room.channel, "watching")
    assert FERRY not in said(hidden.response)
    listed = await room.editor.slash(room.channel, "watching")
    assert f"<@{room.reader.id}>" in said(listed.response)
    await room.editor.click(listed.response.message, label="Stop")
    assert room.archive().answers.watches() == []


async def test_strangers_stop_button_does_nothing(room: Newsroom) -> None:
    """Who neither asked nor moderates cannot end a watch, even with its button before them."""
    await watch(room)
    number = room.archive().answers.watches()[0].number
    channel = room.env.bot.get_channel(room.channel.id)
    assert isinstance(channel, discord.TextChannel)
    shown = await channel.send(view=notice_view("A watch", [stop_row(number)]))
    other = room.guild.add_member(room.env.create_user("other"))
    refused = await other.click(shown, label="Stop")
    assert "Only the person who asked, or a moderator" in said(refused.followups[-1])
    assert len(room.archive().answers.watches()) == 1


async def test_old_answers_are_forgotten_at_the_start(room: Newsroom, settings: Settings) -> None:
    """What is older than the days in the settings is gone once the bot has started."""
    result = await room.reader.slash(room.channel, "ask", question=FERRY)
    for days in (179, 181):
        at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        with room.archive().answers._writing() as db:
            db.execute("UPDATE answer SET at = ?", (at,))
        await room.env.restart_bot(OnRecord(Collections(settings, FakeEncoder()), settings))
        await room.env.advance_time(1)
        shown = await room.reader.click(result.response.message, label="More passages")
        assert ("was found" in said(shown.response)) == (days > settings.answers.keep_days)


async def test_one_broken_collection_does_not_stop_the_others(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """A collection that cannot be read is logged, and the watches of the others go on."""
    broken = Newsroom(room.env, "Broken")
    folder = tmp_path / f"server-{broken.guild.id}"
    folder.mkdir()
    (folder / "catalogue.sqlite3").write_bytes(b"no database at all" * 99)
    await watch(room)
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    await room.env.advance_time(120)
    assert "The reports now answer" in said(room.channel.last_message)


async def test_one_broken_watch_does_not_stop_the_others(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """A watch by a publisher of whom no report is left is logged, and the next ones go on."""
    gone = replace(room.archive().ask(FERRY), filters=Filters(publishers=("Nobody",)))
    room.archive().answers.add_watch(gone, channel=room.channel.id, person=room.reader.id)
    await watch(room)
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    await room.env.advance_time(120)
    assert "The reports now answer" in said(room.channel.last_message)


async def test_many_watches_fit_into_a_message(room: Newsroom) -> None:
    """Ten long questions of nothing but signs that have to be escaped still can be listed."""
    for number in range(12):
        asked = replace(room.archive().ask(FERRY), question=f"{number}" + "*_" * 200)
        room.archive().answers.add_watch(asked, channel=room.channel.id, person=room.reader.id)
    result = await room.reader.slash(room.channel, "watching")
    assert "and 2 more" in said(result.response)
    assert len(said(result.response)) < MAX_TEXT


async def test_moderators_see_only_this_servers_channels(room: Newsroom) -> None:
    """Where servers share a collection, a moderator sees no watch of another server."""
    declined = room.archive().ask(FERRY)
    room.archive().answers.add_watch(declined, channel=12345, person=room.reader.id)
    listed = await room.editor.slash(room.channel, "watching")
    assert FERRY not in said(listed.response)
    mine = await room.reader.slash(room.channel, "watching")
    assert FERRY in said(mine.response)
