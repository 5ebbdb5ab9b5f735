"""Watches: people are notified once the reports answer; they or a moderator end a watch."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import discord
import pytest
from support.fakes import FakeEncoder
from support.newsroom import Newsroom, discord_with, labels, said

from bot import answers
from bot.bot import OnRecord
from bot.cogs import subscriptions
from bot.cogs.subscriptions import stop_row
from bot.collections import Collections
from bot.settings import Answers, Discord, Settings
from bot.views.base import MAX_TEXT, notice_view
from index import People, Watch
from index.domain import Filters

FERRY = "When did the ferry Marigold run aground?"
MENTION = "Mention me here when there's an answer"  # in public, and says so
NOTIFY = "Notify me when there's an answer"  # a private question, by direct message
NEWS = "The ferry Marigold ran aground at noon on Friday."


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, answers=Answers(threshold=0.1))


async def watch(room: Newsroom) -> None:
    """Ask a question that is declined, and press to be notified."""
    result = await room.reader.slash(room.channel, "ask", question=FERRY)
    assert "No report mentions “Marigold”" in said(result.response)
    assert labels(result.response) == ["More passages", MENTION]
    pressed = await room.reader.click(result.response.message, label=MENTION)
    assert pressed.ephemeral
    assert labels(pressed.response) == ["Stop"]


async def test_watch_notifies_when_the_reports_answer(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """After a commit that answers, only the asker is notified in that channel, once."""
    await watch(room)
    await room.env.advance_time(120)
    before = len(room.channel.history())
    room.stock(settings, tmp_path / "other", fog="Fog lay over the harbour on Sunday.")
    await room.env.advance_time(120)
    assert len(room.channel.history()) == before
    assert room.archive().people.watches()[0].generation == 2
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    await room.env.advance_time(120)
    told = room.channel.last_message
    assert said(told).startswith(f"<@{room.reader.id}> The reports now answer what you asked.")
    assert "noon" in said(told)
    sent = [r for r in room.env.http_requests if r.path.endswith("/messages")][-1]
    assert sent.json["allowed_mentions"] == {"parse": [], "users": [room.reader.id]}
    assert room.archive().people.watches() == []
    await room.env.advance_time(300)
    assert room.channel.last_message.id == told.id


async def test_watch_in_a_closed_channel_ends(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """If the bot may no longer write there, the answer comes by direct message; the watch ends."""
    await watch(room)
    await room.env.bot.get_channel(room.channel.id).set_permissions(
        room.env.bot.get_guild(room.guild.id).me, send_messages=False
    )
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    await room.env.advance_time(120)
    assert "noon" in said(room.reader.user.dm_channel.last_message)
    assert room.archive().people.watches() == []


async def test_own_watch_can_be_ended(room: Newsroom) -> None:
    """/watching lists one's own watches, with a button to end each."""
    await watch(room)
    listed = await room.reader.slash(room.channel, "watching")
    assert FERRY in said(listed.response)
    assert "for you" in said(listed.response)
    await room.reader.click(listed.response.message, label="Stop")
    assert room.archive().people.watches() == []
    empty = await room.reader.slash(room.channel, "watching")
    assert "not watching any questions" in said(empty.response)


async def test_watches_turn_pages(room: Newsroom) -> None:
    """The eleventh watch is on a second page, with its button."""
    archive = room.archive()
    answer = archive.ask(FERRY)
    for number in range(11):
        asked = replace(answer, question=f"Who is number {number}?")
        archive.people.add_watch(
            asked, server=room.guild.id, channel=room.channel.id, person=room.reader.id
        )
    listed = await room.reader.slash(room.channel, "watching")
    assert "Page 1 of 2" in said(listed.response)
    await room.reader.click(listed.response.message, label="Next ▶")
    assert "number 10?" in said(listed.response)
    assert labels(listed.response) == ["Stop", "◀ Back", "(Next ▶)"]


async def test_moderator_ends_anybodys_watch(room: Newsroom) -> None:
    """A moderator sees all watches of the server and can end them; another member cannot."""
    await watch(room)
    other = room.guild.add_member(room.env.create_user("other"))
    hidden = await other.slash(room.channel, "watching")
    assert FERRY not in said(hidden.response)
    listed = await room.editor.slash(room.channel, "watching")
    assert f"<@{room.reader.id}>" in said(listed.response)
    await room.editor.click(listed.response.message, label="Stop")
    assert room.archive().people.watches() == []


async def test_strangers_stop_button_does_nothing(room: Newsroom) -> None:
    """People who neither asked nor moderate cannot end a watch, even with its button."""
    await watch(room)
    number = room.archive().people.watches()[0].number
    channel = room.env.bot.get_channel(room.channel.id)
    assert isinstance(channel, discord.TextChannel)
    shown = await channel.send(view=notice_view("A watch", [stop_row(number)]))
    other = room.guild.add_member(room.env.create_user("other"))
    refused = await other.click(shown, label="Stop")
    assert "Only the person who asked, or a moderator" in said(refused.followups[-1])
    assert len(room.archive().people.watches()) == 1


async def test_old_answers_are_deleted_at_the_start(room: Newsroom, settings: Settings) -> None:
    """Answers older than the days in the settings are deleted when the bot starts."""
    result = await room.reader.slash(room.channel, "ask", question=FERRY)
    for days in (179, 181):
        at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        with room.archive().answers._writing() as db:
            db.execute("UPDATE answer SET at = ?", (at,))
        await room.env.restart_bot(OnRecord(Collections(settings, FakeEncoder()), settings))
        await room.env.advance_time(1)
        shown = await room.reader.click(result.response.message, label="More passages")
        assert ("I no longer have this answer" in said(shown.response)) == (
            days > settings.answers.keep_days
        )


async def test_one_broken_collection_does_not_stop_the_others(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """A collection that cannot be read is logged, and the watches of others are checked."""
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
    """A watch for a publisher without reports is logged, and the next watches are checked."""
    gone = replace(room.archive().ask(FERRY), filters=Filters(publishers=("Nobody",)))
    room.archive().people.add_watch(
        gone, server=room.guild.id, channel=room.channel.id, person=room.reader.id
    )
    await watch(room)
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    await room.env.advance_time(120)
    assert "The reports now answer" in said(room.channel.last_message)


async def test_many_watches_fit_into_a_message(room: Newsroom) -> None:
    """A list of ten long questions full of markup fits into a message."""
    for number in range(12):
        asked = replace(room.archive().ask(FERRY), question=f"{number}" + "*_" * 200)
        room.archive().people.add_watch(
            asked, server=room.guild.id, channel=room.channel.id, person=room.reader.id
        )
    result = await room.reader.slash(room.channel, "watching")
    assert "Page 1 of 2" in said(result.response)
    assert len(said(result.response)) < MAX_TEXT


async def test_moderators_see_only_this_servers_channels(room: Newsroom) -> None:
    """If servers share a collection, a moderator sees no watch of another server."""
    declined = room.archive().ask(FERRY)
    room.archive().people.add_watch(declined, server=7, channel=12345, person=room.reader.id)
    listed = await room.editor.slash(room.channel, "watching")
    assert FERRY not in said(listed.response)
    mine = await room.reader.slash(room.channel, "watching")
    assert FERRY in said(mine.response)


async def watch_privately(room: Newsroom) -> Any:
    """Ask in private a question that is declined, and press to be notified."""
    result = await room.reader.slash(room.channel, "ask", question=FERRY, private=True)
    return await room.reader.click(result.response.message, label=NOTIFY)


async def test_private_question_is_answered_by_direct_message(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """Only the asker gets the answer to a watched private question, and it stays private."""
    pressed = await watch_privately(room)
    assert "Nobody else sees it" in said(pressed.response)
    promise = said(room.reader.user.dm_channel.last_message)
    assert promise.startswith("I'll write to you here when the reports of The Newsroom")
    listed = await room.reader.slash(room.channel, "watching")
    assert "for you by direct message" in said(listed.response)
    assert FERRY not in said((await room.editor.slash(room.channel, "watching")).response)
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    await room.env.advance_time(120)
    answer = room.reader.user.dm_channel.last_message
    assert "noon" in said(answer)
    assert labels(answer) == []
    assert all(message.flags.ephemeral for message in room.channel.history(viewer=room.editor))
    assert room.archive().people.watches() == []
    shown = re.search(r"answer `(\w+)`", said(answer))
    assert shown
    assert room.archive().answers.get(shown[1]).message is None


async def test_closed_direct_messages_prevent_a_private_watch(room: Newsroom) -> None:
    """If the asker of a private question accepts no direct messages, nothing is watched."""
    room.env.inject_error("POST", "/users/@me/channels", status=403, code=50007)
    pressed = await watch_privately(room)
    assert "allow direct messages from this server" in said(pressed.response)
    assert room.archive().people.watches() == []
    assert room.env.errors == []


async def test_people_who_left_the_server_get_no_answers(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """A server's reports are not shown to people who left it, and their watches end."""
    await watch(room)
    await watch_privately(room)
    before = len(room.channel.history())
    guild = room.env.bot.get_guild(room.guild.id)
    await guild.kick(discord.Object(room.reader.id))
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    start = len(room.env.http_requests)
    await room.env.advance_time(120)
    assert not [r for r in room.env.http_requests[start:] if r.method == "POST"]
    assert len(room.channel.history()) == before
    assert room.archive().people.watches() == []


async def test_people_who_cannot_read_the_channel_get_a_direct_message(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """Nobody is mentioned in a channel that they cannot read."""
    await watch(room)
    channel = room.env.bot.get_channel(room.channel.id)
    reader = await channel.guild.fetch_member(room.reader.id)
    await channel.set_permissions(reader, view_channel=False)
    before = len(room.channel.history())
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    await room.env.advance_time(120)
    assert "noon" in said(room.reader.user.dm_channel.last_message)
    assert len(room.channel.history()) == before


async def test_one_message_answers_all_who_wait_for_it(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """Two people who watch a question in a channel are mentioned in the same message."""
    asked = await room.reader.slash(room.channel, "ask", question=FERRY)
    for person in (room.reader, room.editor):
        await person.click(asked.response.message, label=MENTION)
    before = len(room.channel.history())
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    await room.env.advance_time(120)
    assert len(room.channel.history()) == before + 1
    first = said(room.channel.last_message)
    assert first.startswith(f"<@{room.reader.id}> <@{room.editor.id}> The reports now answer")


async def test_a_failure_sends_no_answer_twice(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """A watch ends with its own message: if the next message fails, only that is sent again."""
    asked = await room.reader.slash(room.channel, "ask", question=FERRY)
    for person in (room.reader, room.editor):
        await person.click(asked.response.message, label=MENTION)
    channel = room.env.bot.get_channel(room.channel.id)
    reader = await channel.guild.fetch_member(room.reader.id)
    await channel.set_permissions(reader, view_channel=False)  # so the answer comes in private
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    room.env.inject_error("POST", f"/channels/{room.channel.id}/messages", status=400)
    await room.env.advance_time(60)
    assert [watch.person for watch in room.archive().people.watches()] == [room.editor.id]
    await room.env.advance_time(120)
    assert said(room.channel.last_message).startswith(f"<@{room.editor.id}> The reports now answer")
    assert len(room.reader.user.dm_channel.history()) == 1


async def test_a_crash_between_message_and_end_sends_one_message(
    room: Newsroom, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message sent again after a crash has the same nonce, so Discord posts it once."""
    await watch(room)
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)

    def crash(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(People, "remove_watches", crash)
        await room.env.advance_time(61)
    assert room.archive().people.watches()
    await room.env.advance_time(61)
    assert room.archive().people.watches() == []
    path = f"/channels/{room.channel.id}/messages"
    bodies = [r.json for r in room.env.http_requests if r.method == "POST" and r.path == path]
    first, again = bodies
    assert first["enforce_nonce"]
    assert first["nonce"] == again["nonce"]


async def test_different_watches_have_different_nonces() -> None:
    """Other watches, and watches of another server, have another nonce."""
    alone = Watch(1, FERRY, Filters(), 1, server=7, channel=2, person=3)
    others = [[replace(alone, number=2)], [replace(alone, server=8)], [alone, alone]]
    nonces = {subscriptions._nonce(*watches) for watches in ([alone], *others)}
    assert len(nonces) == 4
    assert {len(nonce) for nonce in nonces} <= {*range(1, 26)}


async def test_one_person_in_two_servers_is_answered_for_both(tmp_path: Path) -> None:
    """A person who asked in private in two servers that share reports is answered for each."""
    shared = Settings(
        data=tmp_path, answers=Answers(threshold=0.1), discord=Discord(collections={"*": "desk"})
    )
    async with discord_with(shared) as room:
        other = Newsroom(room.env, "Elsewhere")
        twin = other.guild.add_member(room.reader.user)
        for person, desk in ((room.reader, room), (twin, other)):
            asked = await person.slash(desk.channel, "ask", question=FERRY, private=True)
            await person.click(asked.response.message, label=NOTIFY)
        before = len(room.reader.user.dm_channel.history())
        room.stock(shared, tmp_path / "ferry", ferry=NEWS)
        await room.env.advance_time(120)
        told = room.reader.user.dm_channel.history()[before:]
        assert ["Elsewhere" in said(message) for message in told].count(True) == 1
        assert len(told) == 2


@pytest.mark.parametrize("why", ["no room", "no server"])
async def test_a_watch_that_cannot_be_answered_is_not_asked(
    room: Newsroom,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    why: str,
) -> None:
    """A watch is not asked while its server is away, or got its hour's messages."""
    await watch(room)
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    asked: list[object] = []

    async def counted(*arguments: object) -> None:
        asked.append(arguments)

    monkeypatch.setattr(answers, "ask", counted)
    bot, archive = room.env.bot, room.archive()
    if why == "no room":
        monkeypatch.setattr(bot.unasked, "wait_s", lambda _: 60.0)
    else:
        bot.get_guild(room.guild.id).unavailable = True
    again = await subscriptions.ask_again(bot, room.guild.id, archive)
    assert asked == []
    assert again is not None
    assert (again > room.env.now() + timedelta(minutes=1)) == (why == "no server")
    assert len(archive.people.watches()) == 1


async def test_stop_ends_between_two_watches(
    room: Newsroom, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the bot stops while it answers a watch, it begins no other."""
    await watch(room)
    again = replace(room.archive().ask(FERRY), question=f"{FERRY} And why?")
    room.archive().people.add_watch(
        again, server=room.guild.id, channel=room.channel.id, person=room.reader.id
    )
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    send_answer = answers.send_answer

    async def stop(*arguments: Any) -> discord.Message:
        room.env.bot.stopping = True
        return await send_answer(*arguments)

    monkeypatch.setattr(answers, "send_answer", stop)
    await room.env.advance_time(120)
    assert [w.question for w in room.archive().people.watches()] == [f"{FERRY} And why?"]
    room.env.bot.stopping = False


async def test_a_crowd_is_mentioned_in_parts(
    room: Newsroom, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message mentions as many people as Discord allows; the others are in the next."""
    monkeypatch.setattr(subscriptions, "_PINGED", 1)
    asked = await room.reader.slash(room.channel, "ask", question=FERRY)
    for person in (room.reader, room.editor):
        await person.click(asked.response.message, label=MENTION)
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    await room.env.advance_time(180)
    first, second = map(said, room.channel.history()[-2:])
    assert first.startswith(f"<@{room.reader.id}> The reports now answer")
    assert second.startswith(f"<@{room.editor.id}> The reports now answer")


async def test_moderators_see_no_watch_of_a_channel_closed_to_them(room: Newsroom) -> None:
    """A moderator's list has no questions from channels that they cannot read."""
    closed = {room.desk: discord.PermissionOverwrite(view_channel=False)}
    channel = room.guild.create_text_channel("closed", overwrites=closed)
    declined = room.archive().ask(FERRY)
    room.archive().people.add_watch(
        declined, server=room.guild.id, channel=channel.id, person=room.reader.id
    )
    assert FERRY not in said((await room.editor.slash(room.channel, "watching")).response)


async def test_unasked_messages_are_limited(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """Of 23 answers at once, twenty are posted; the rest wait for the next hour."""
    asked = room.archive().ask(FERRY)
    for number in range(23):
        question = f"{FERRY} And when, for the {number + 100}th time?"
        room.archive().people.add_watch(
            replace(asked, question=question),
            server=room.guild.id,
            channel=room.channel.id,
            person=room.reader.id,
        )
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    await room.env.advance_time(180)
    assert len(room.channel.history()) == 20
    assert len(room.archive().people.watches()) == 3
    await room.env.advance_time(3600)
    assert len(room.channel.history()) == 23
    assert room.archive().people.watches() == []
