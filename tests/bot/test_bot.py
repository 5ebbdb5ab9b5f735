"""The real client on real discord.py, in simcord's simulated Discord."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import discord
import pytest
import simcord
from support.fakes import FakeEncoder
from support.newsroom import ASKED, DAM, Newsroom, said

from bot.bot import OnRecord
from bot.collections import Collections
from bot.settings import Answers, Discord, Settings
from index.archive import Archive



async def test_ask_quotes_the_report(room: Newsroom) -> None:
    """/ask answers with a block quote, its citation and the answer's id."""
    result = await room.reader.slash(room.channel, "ask", question=ASKED)
    text = said(result.response)
    assert "> A gate at Hallow Dam failed at **4:40 a.m**. on **Monday**." in text
    assert "**[1]**" in text
    assert re.search(r"answer `[0-9a-f]{12}`", text)
    assert not result.ephemeral


async def test_ask_defers_before_it_works(room: Newsroom) -> None:
    """The first response to /ask is a deferral, sent before the question is looked at."""
    await room.reader.slash(room.channel, "ask", question=ASKED)
    posts = [r for r in room.env.http_requests if r.path.endswith("/callback")]
    assert posts[-1].json["type"] == discord.InteractionResponseType.deferred_channel_message.value


async def test_mention_is_answered_as_a_reply_without_pings(room: Newsroom) -> None:
    """A mention with a question is answered by a reply in which nothing can ping."""
    me = room.env.bot.user.mention
    await room.reader.send(room.channel, f"{me} who reached the cup final?")
    reply = room.channel.last_message
    assert reply.reference is not None
    assert "Carrowmere Athletic" in said(reply)
    assert not reply.mentions
    assert not reply.mention_everyone
    sent = [r for r in room.env.http_requests if r.method == "POST" and "messages" in r.path][-1]
    assert sent.json["allowed_mentions"] == {"parse": [], "replied_user": False}


async def test_quoted_mentions_are_escaped(room: Newsroom) -> None:
    """@everyone and <@id> inside a quote reach Discord escaped, so they are only letters."""
    result = await room.reader.slash(room.channel, "ask", question="Who cheered, @everyone?")
    text = said(result.response)
    assert "\\@everyone cheered, \\<\\@1\\> did not." in text
    assert "<@1>" not in text


async def test_mention_without_a_question_tells_how(room: Newsroom) -> None:
    """A bare mention is answered by how to ask."""
    await room.reader.send(room.channel, room.env.bot.user.mention)
    assert "/ask" in said(room.channel.last_message)


async def test_uncalled_bot_stays_silent(room: Newsroom) -> None:
    """A message that does not mention the bot gets no answer."""
    await room.reader.send(room.channel, "When did the dam gate fail?")
    assert room.channel.last_message.author.id == room.reader.id


async def test_empty_collection_declines(simcord_env: Any) -> None:
    """A server without reports is told so, plainly."""
    empty = Newsroom(simcord_env, "Elsewhere")
    result = await empty.reader.slash(empty.channel, "ask", question="Who won?")
    assert "No answer in the reports" in said(result.response)


async def test_other_servers_articles_are_out_of_reach(room: Newsroom) -> None:
    """A question in one server never sees another server's articles."""
    other = Newsroom(room.env, "Elsewhere")
    result = await other.reader.slash(other.channel, "ask", question=ASKED)
    assert "4:40" not in said(result.response)


async def test_weak_evidence_declines_with_the_closest_passage(
    tmp_path: Path,
) -> None:
    """Under the threshold the bot says that the reports do not answer, and shows what is near."""
    settings = Settings(data=tmp_path, answers=Answers(threshold=1.0))
    library = Collections(settings, FakeEncoder())
    async with simcord.run(OnRecord(library, settings), shard_count=1) as env:
        room = Newsroom(env)
        room.stock(settings, tmp_path / "reports", dam=DAM)
        result = await room.reader.slash(room.channel, "ask", question="Who built the dam?")
        text = said(result.response)
        assert "**No answer in the reports.**" in text
        assert "The closest passage, which does not answer it:\n> " in text
    library.close()


async def test_reindex_takes_in_new_files(room: Newsroom, tmp_path: Path) -> None:
    """A moderator's /reindex finds what is new in the sources and says what it did."""
    (tmp_path / "reports" / "ferry.txt").write_text("A ferry ran aground at noon.", "utf-8")
    result = await room.editor.slash(room.channel, "reindex")
    text = said(result.response)
    assert "**Added 1**" in text
    assert "**Unchanged 2**" in text
    answer = await room.reader.slash(
        room.channel, "ask", question="When did the ferry run aground?"
    )
    assert "A ferry ran aground at noon." in said(answer.response)


async def test_reindex_is_hidden_from_readers(room: Newsroom) -> None:
    """Discord does not offer /reindex to a member without Manage Messages."""
    with pytest.raises(simcord.SetupError):
        await room.reader.slash(room.channel, "reindex")


async def test_reindex_is_refused_by_the_bot_too(room: Newsroom) -> None:
    """A member whom a server's own settings let see /reindex is still refused by the bot."""
    command = next(c for c in await room.env.bot.tree.fetch_commands() if c.name == "reindex")
    room.guild.set_command_permissions(command, {room.reader: True})
    result = await room.reader.slash(room.channel, "reindex")
    assert "for moderators" in said(result.response)
    assert result.ephemeral
    assert room.env.errors


async def test_every_failure_gets_a_reply(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error nobody foresaw is answered in one sentence, without its details."""

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


async def test_false_quote_is_not_sent(room: Newsroom) -> None:
    """When the stored text no longer matches a quote, the answer is withheld and says why."""
    from index.errors import QuoteError  # noqa: PLC0415

    real = Archive.check

    def tampered(self: Archive, answer: Any) -> None:
        real(self, answer)
        raise QuoteError("A quote no longer matches the stored text.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Archive, "check", tampered)
        result = await room.reader.slash(room.channel, "ask", question="When did the gate fail?")
    text = said(result.followups[-1] if result.followups else result.response)
    assert "no longer matches" in text
    assert "Hallow" not in text
    assert room.env.errors


async def test_commands_are_synced_only_when_they_changed(
    simcord_env: Any, settings: Settings
) -> None:
    """A restart with the same commands does not tell Discord about them again."""
    path = f"/applications/{simcord_env.bot.application_id}/commands"
    synced = [r for r in simcord_env.http_requests if r.path.endswith("/commands")]
    assert len(synced) == 1, path
    await simcord_env.restart_bot(OnRecord(Collections(settings, FakeEncoder()), settings))
    again = [r for r in simcord_env.http_requests if r.path.endswith("/commands")]
    assert len(again) == 1


def test_settings_can_share_a_collection() -> None:
    """A server uses its own collection unless the settings map it, or all, to another."""
    assert Discord().collection_of(7) == "server-7"
    assert Discord(collections={"7": "desk"}).collection_of(7) == "desk"
    assert Discord(collections={"*": "all", "7": "desk"}).collection_of(8) == "all"
