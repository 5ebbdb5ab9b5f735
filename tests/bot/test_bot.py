"""The whole bot on real discord.py, in simcord's simulated Discord."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import discord
import pytest
from support.fakes import FakeEncoder
from support.newsroom import ASKED, DAM, Newsroom, discord_with, fields, said

from bot.bot import OnRecord
from bot.collections import Collections
from bot.settings import Answers, Settings
from index import Archive, StoreError


async def test_ask_quotes_the_report(room: Newsroom) -> None:
    """/ask answers with a block quote, its citation and the answer's id."""
    result = await room.reader.slash(room.channel, "ask", question=ASKED)
    text = said(result.response)
    assert "> A gate at Hallow Dam failed at 4:40 a.m. on Monday." in text
    assert "**[1]**" in text
    assert re.search(r"answer `[0-9a-f]{12}`", text)
    assert not result.ephemeral


async def test_mention_is_answered_as_a_reply_without_pings(room: Newsroom) -> None:
    """A mention with a question is answered by a reply that pings nobody."""
    me = room.env.bot.user.mention
    await room.reader.send(room.channel, f"{me} who reached the cup final?")
    reply = room.channel.last_message
    assert reply.reference is not None
    assert "Carrowmere Athletic" in said(reply)
    assert not reply.mentions
    assert not reply.mention_everyone
    sent = [r for r in room.env.http_requests if r.method == "POST" and "messages" in r.path][-1]
    assert sent.json["allowed_mentions"] == {"parse": [], "replied_user": False}


async def test_misspelt_question_is_shown_as_it_was_understood(room: Newsroom) -> None:
    """By command and by mention, a corrected question is shown below the question as typed."""
    typed = "who reached the cup finnal?"
    answered = said((await room.reader.slash(room.channel, "ask", question=typed)).response)
    await room.reader.send(room.channel, f"{room.env.bot.user.mention} {typed}")
    for text in (answered, said(room.channel.last_message)):
        assert f"### {typed}" in text
        assert "-# Understood as: who reached the cup final?" in text
    plain = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert "Understood as" not in said(plain.response)


async def test_quoted_mentions_are_escaped(room: Newsroom) -> None:
    """@everyone and <@id> inside a quote are sent escaped, so that they are only text."""
    result = await room.reader.slash(room.channel, "ask", question="Who cheered, @everyone?")
    text = said(result.response)
    assert "\\@everyone cheered, \\<\\@1\\> did not." in text
    assert "<@1>" not in text


async def test_mention_without_a_question_gets_help(room: Newsroom) -> None:
    """A bare mention is answered with how to ask."""
    await room.reader.send(room.channel, room.env.bot.user.mention)
    assert "/ask" in said(room.channel.last_message)


async def test_uncalled_bot_stays_silent(room: Newsroom) -> None:
    """A message that does not mention the bot gets no answer."""
    await room.reader.send(room.channel, "When did the dam gate fail?")
    assert room.channel.last_message.author.id == room.reader.id


async def test_other_servers_articles_are_out_of_reach(room: Newsroom) -> None:
    """A question in one server never sees another server's articles."""
    other = Newsroom(room.env, "Elsewhere")
    result = await other.reader.slash(other.channel, "ask", question=ASKED)
    assert "4:40" not in said(result.response)


async def test_weak_evidence_declines_with_the_closest_passage(
    tmp_path: Path,
) -> None:
    """Below the threshold, the bot declines and shows the closest passage."""
    settings = Settings(data=tmp_path, answers=Answers(threshold=1.0))
    async with discord_with(settings) as room:
        room.stock(settings, tmp_path / "reports", dam=DAM)
        result = await room.reader.slash(room.channel, "ask", question="Who built the dam?")
        text = said(result.response)
        assert "**The reports do not seem to answer this.**" in text
        assert "The closest passage, in case it helps:\n> " in text


async def test_every_failure_gets_a_reply(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error is answered with a sentence that hides its details."""

    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Archive, "ask", broken)
    result = await room.reader.slash(room.channel, "ask", question="Who?")
    text = said(result.followups[-1] if result.followups else result.response)
    assert "Something went wrong. It has been logged." in text
    assert "secret" not in text
    await room.reader.send(room.channel, f"{room.env.bot.user.mention} who?")
    assert "Something went wrong. It has been logged." in said(room.channel.last_message)
    assert room.env.errors


async def test_every_command_is_registered(room: Newsroom) -> None:
    """The commands, subcommands and menus are exactly these."""
    tree = room.env.bot.tree
    names = {command.qualified_name for command in tree.walk_commands()}
    changing = "add remove restore undo correct retract history export erase-all"
    sources = ("list", "add", "pause", "resume", "remove")
    assert names == {
        *("ask", "forget-me", "help", "why", "watching", "reindex", "reports", "moderate"),
        *("inbox", "settings", "moderate sources"),
        *(f"reports {name}" for name in "list show timeline".split()),
        *(f"moderate {name}" for name in changing.split()),
        *(f"moderate sources {name}" for name in sources),
    }
    menus = {menu.name for menu in tree.walk_commands(type=discord.AppCommandType.message)}
    assert menus == {"Check against the reports", "Add to the reports"}


async def test_commands_fit_into_discord(room: Newsroom) -> None:
    """Each command has at most 8,000 characters, and at most 25 options and choices per level."""

    def size(part: dict[str, Any]) -> int:
        inner = [*part.get("options", []), *part.get("choices", [])]
        assert len(part.get("options", [])) <= 25
        assert len(part.get("choices", [])) <= 25
        assert len(part.get("description", "")) <= 100
        words = (part.get(key, "") for key in ("name", "description", "value"))
        return sum(len(str(word)) for word in words) + sum(map(size, inner))

    tree = room.env.bot.tree
    for command in tree.get_commands():
        assert size(command.to_dict(tree)) <= 8_000


async def test_closing_stops_jobs_and_closes_collections(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed bot accepts no jobs and no questions, and has closed its collections."""
    async with discord_with(settings) as room:
        room.archive().prepare()
        closed: list[Archive] = []
        real = Archive.close
        monkeypatch.setattr(Archive, "close", lambda self: (closed.append(self), real(self)))
        archive, bot = room.archive(), room.env.bot
        await bot.close()
        assert closed == [archive]
        for pool in (bot.asking, bot.jobs._threads):
            with pytest.raises(RuntimeError, match="after shutdown"):
                pool.submit(print)


async def test_expired_interaction_is_no_second_failure(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If the user can no longer be told of an error, it is logged and nothing more happens."""

    def broken(*_: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(Archive, "ask", broken)
    room.env.inject_error("POST", "/webhooks/*", status=404, code=10015)
    room.env.inject_error("POST", "/users/@me/channels", status=403, code=50007)
    await room.reader.slash(room.channel, "ask", question="Who?")
    assert "its user could not be notified" in caplog.text
    place = f"server {room.guild.id}, channel {room.channel.id}, user {room.reader.id}"
    assert f"ask ({place})" in caplog.text
    assert room.env.errors


async def test_expired_interaction_is_answered_in_a_direct_message(room: Newsroom) -> None:
    """If Discord no longer accepts a reply, the person gets a direct message."""
    room.env.inject_error("POST", "/interactions/*", status=404, code=10062, times=9)
    await room.reader.slash(room.channel, "ask", question=ASKED)
    assert said(room.reader.user.dm_channel.last_message) == "I was too slow to answer: try again."
    assert room.env.errors


async def test_form_from_before_a_restart_is_answered(room: Newsroom, settings: Settings) -> None:
    """A form from before a restart is answered with what to do, and is not kept in memory."""
    asked = await room.reader.slash(room.channel, "ask", question=ASKED)
    form = await room.reader.click(asked.response.message, label="Wrong quote")
    monkey = pytest.MonkeyPatch()
    monkey.setattr("bot.views.base._RUN", "another")
    await room.env.restart_bot(OnRecord(Collections(settings, FakeEncoder()), settings))
    (field,) = fields(form)
    done = await room.reader.submit_modal(form, {field["custom_id"]: "Wrong gate."})
    monkey.undo()
    assert "This form was open too long, or I was restarted" in said(done.response)


async def test_form_that_nobody_fills_in_is_forgotten(room: Newsroom) -> None:
    """After an hour it takes no memory, and a person who submits it is told to open it again."""
    asked = await room.reader.slash(room.channel, "ask", question=ASKED)
    form = await room.reader.click(asked.response.message, label="Wrong quote")
    assert room.env.bot._connection._view_store._modals
    await room.env.advance_time(3700)
    assert not room.env.bot._connection._view_store._modals
    (field,) = fields(form)
    done = await room.reader.submit_modal(form, {field["custom_id"]: "Wrong gate."})
    assert "This form was open too long" in said(done.response)


async def test_deleted_channel_is_answered(room: Newsroom) -> None:
    """A reply to a deleted message is an explanation, not an unexpected error."""
    room.env.inject_error("PATCH", "/webhooks/*", status=404, code=10008)
    result = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert "is gone: ask again" in said(result.response)
    assert room.env.errors


async def test_everything_is_closed_whatever_fails(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a part of closing fails, the error is raised after all other parts are closed."""

    async def broken(_: OnRecord) -> None:
        raise RuntimeError("broken")

    bot, archive = room.env.bot, room.archive()
    monkeypatch.setattr(OnRecord, "_finish", broken)
    with pytest.raises(RuntimeError, match="broken"):
        await bot.close()
    assert bot.is_closed()
    with pytest.raises(RuntimeError, match="after shutdown"):
        bot.asking.submit(print)
    with pytest.raises(StoreError, match="closed"):
        archive.size()
