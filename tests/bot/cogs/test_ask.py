"""Every way to ask: options, private answers, replies, threads, direct messages and claims."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import discord
import pytest
import simcord
from support.fakes import FakeEncoder
from support.newsroom import ASKED, CUP, DAM, Newsroom, labels, report, said

from bot.bot import OnRecord
from bot.collections import Collections
from bot.manners import Pace, TooManyError, begin, explained, meanwhile
from bot.render import notice_view
from bot.settings import Discord, Settings

pytestmark = pytest.mark.simcord(shard_count=1, settle_timeout=30)

SOAP = report("Soap makers merge", "Two soap makers merged.", "Trade Post", "2025-12-20")
SAGA = report("Soap saga goes on", "The soap merger failed.", "Northwire", "2025-12-30")


async def test_filters_narrow_the_reports(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """Publisher and dates in words decide which reports are asked, and the answer says so."""
    room.stock(settings, tmp_path / "soap", soap=SOAP, saga=SAGA)
    ask = room.reader.slash
    by = await ask(room.channel, "ask", question="What of the soap makers?", publisher="trade post")
    assert "Two soap" in said(by.response).replace("*", "")
    assert "by Trade Post" in said(by.response)
    late = await ask(room.channel, "ask", question="What of the soap makers?", since="this week")
    text = said(late.response).replace("*", "")
    assert "The soap merger failed." in text
    assert "Two soap makers merged" not in text
    until = await ask(room.channel, "ask", question="soap makers", until="2025-12-24")
    assert "Two soap makers merged." in said(until.response).replace("*", "")


async def test_wrong_filters_are_refused_in_private(room: Newsroom) -> None:
    """An impossible date or span is explained to who asked only."""
    for dates in ({"since": "soonish"}, {"since": "today", "until": "last year"}):
        result = await room.reader.slash(room.channel, "ask", question=ASKED, **dates)
        assert result.ephemeral
        assert "date" in said(result.response)
    assert room.env.errors


async def test_autocomplete_offers_what_the_collection_has(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """Publishers and months come from the collection, at most 25 rows of 100 characters."""
    many = {
        f"r{n}": report(
            f"IngestResult {n}", f"Text {n}.", f"Outlet {n:02d} {'x' * 5 * n}", "2025-11-02"
        )
        for n in range(30)
    }
    room.stock(settings, tmp_path / "many", **many)
    rows = await room.reader.autocomplete(room.channel, "ask", "publisher", "outlet")
    assert 15 <= len(rows) <= 25
    assert all(len(row["name"]) <= 100 for row in rows)
    rows = await room.reader.autocomplete(room.channel, "ask", "since", "nov")
    assert [row["value"] for row in rows] == ["nov", "November 2025"]


async def test_private_answer_is_seen_by_its_asker_only(room: Newsroom) -> None:
    """With private, nobody else sees the answer, and the log keeps no place for it."""
    result = await room.reader.slash(room.channel, "ask", question=ASKED, private=True)
    assert result.ephemeral
    assert "Show to all" in labels(result.response)
    assert room.channel.history(viewer=room.editor) == []
    assert room.archive().answers.get(answer_id(result.response)).message is None


async def test_public_answer_is_logged_where_it_stands(room: Newsroom) -> None:
    """After a reply was sent, the log knows the answer with its channel and message."""
    result = await room.reader.slash(room.channel, "ask", question=ASKED)
    kept = room.archive().answers.get(answer_id(result.response))
    assert (kept.channel, kept.message) == (room.channel.id, result.response.id)
    assert kept.answer.question == ASKED


async def test_failing_log_loses_no_answer(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the log cannot be written, the answer still arrives and no error is shown."""

    def broken(*_: object, **__: object) -> None:
        raise OSError("disk gone")

    monkeypatch.setattr("index.store.answers.AnswerLog.record", broken)
    result = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert "4:40" in said(result.response)
    assert not result.followups


async def test_reply_follows_up_and_says_how_it_was_understood(room: Newsroom) -> None:
    """A short reply to an answer takes over what that answer's question was about."""
    first = await room.reader.slash(room.channel, "ask", question=ASKED)
    me = room.env.bot.user.mention
    await room.reader.send(room.channel, f"{me} And who died?", reply_to=first.response.message)
    text = said(room.channel.last_message)
    assert text.startswith("### And who died?\n-# Understood as: who died gate Hallow Dam fail?")
    followed = room.channel.last_message
    await room.editor.send(room.channel, f"{me} When?", reply_to=followed)
    assert "Understood as: When who died gate" not in said(room.channel.last_message)
    assert "Hallow Dam" in said(room.channel.last_message).split("\n")[1]


async def test_a_reply_that_cannot_be_read_is_told_so(room: Newsroom) -> None:
    """A reply whose words Discord keeps back is answered with what to do."""
    first = await room.reader.slash(room.channel, "ask", question=ASKED)
    await room.reader.send(room.channel, "And who died?", reply_to=first.response.message)
    assert "leave **@ ON**" in said(room.channel.last_message)


async def test_whole_question_in_a_reply_stands_alone(room: Newsroom) -> None:
    """A reply that is a question of its own is asked as it is."""
    first = await room.reader.slash(room.channel, "ask", question=ASKED)
    asked = "Which club Carrowmere Athletic reached the cup final?"
    me = room.env.bot.user.mention
    await room.reader.send(room.channel, f"{me} {asked}", reply_to=first.response.message)
    text = said(room.channel.last_message)
    assert "Understood as" not in text
    assert "Carrowmere Athletic" in text


async def test_question_in_a_thread_leans_on_the_last_answer_there(room: Newsroom) -> None:
    """In a thread a short question leans on the bot's last answer, without a reply."""
    me = room.env.bot.user.mention
    start = await room.reader.send(room.channel, "Let us talk about the dam.")
    thread = await room.env.bot.get_channel(room.channel.id).create_thread(
        name="The dam", message=discord.Object(start.id)
    )
    inside = next(one for one in room.channel.threads if one.id == thread.id)
    await room.reader.send(inside, f"{me} {ASKED}")
    await room.reader.send(inside, f"{me} And who died?")
    assert "Understood as: who died gate Hallow Dam" in said(inside.last_message)


async def test_reply_to_a_deleted_answer_is_a_question_of_its_own(room: Newsroom) -> None:
    """When the answer replied to is gone, the words are asked as they stand."""
    first = await room.reader.slash(room.channel, "ask", question=ASKED)
    gone = first.response.message
    me = room.env.bot.user.mention
    await room.env.bot.get_channel(room.channel.id).get_partial_message(gone.id).delete()
    await room.reader.send(room.channel, f"{me} And who died?")
    assert "Understood as" not in said(room.channel.last_message)


async def test_direct_messages_are_declined_politely(room: Newsroom) -> None:
    """Without a collection for them, direct messages are told where to ask, and so is /ask."""
    user = room.env.create_user("private")
    room.guild.add_member(user)
    await user.send_dm(ASKED)
    assert "each server has its own reports" in said(user.dm_channel.last_message)
    result = await user.slash("ask", question=ASKED)
    assert "each server has its own reports" in said(result.response)
    assert room.env.errors


async def test_direct_messages_are_answered_where_the_operator_says_from_what(
    tmp_path: Path,
) -> None:
    """With a collection for direct messages, a plain message there is a question, and private."""
    settings = Settings(
        data=tmp_path, discord=Discord(collections={"*": "desk"}, direct_messages="desk")
    )
    library = Collections(settings, FakeEncoder())
    async with simcord.run(OnRecord(library, settings), shard_count=1) as env:
        room = Newsroom(env)
        room.stock(settings, tmp_path / "reports", dam=DAM, cup=CUP)
        await room.reader.user.send_dm(ASKED)
        assert "4:40" in said(room.reader.user.dm_channel.last_message)
        quoted = next(one.article_id for one in room.archive().articles() if one.text == DAM)
        assert room.archive().answers.quoting(quoted) == []  # nobody else reads what was asked
    library.close()


async def test_claim_of_a_message_is_held_against_the_reports(room: Newsroom) -> None:
    """The message menu shows in private what the reports say on a claim, and judges nothing."""
    claim = await room.editor.send(room.channel, "A gate at Hallow Dam failed on Tuesday!")
    menu = "Check against the reports"
    result = await room.reader.context_menu(room.channel, menu, claim)
    assert result.ephemeral
    text = said(result.response)
    assert "4:40" in text
    assert "yours to judge" in text
    empty = await room.editor.send(room.channel, "<@1>")
    result = await room.reader.context_menu(room.channel, menu, empty)
    assert "no words" in said(result.response)
    assert room.env.errors


async def test_help_names_every_command(room: Newsroom) -> None:
    """/help speaks, in private, of all that a reader can use."""
    result = await room.reader.slash(room.channel, "help")
    assert result.ephemeral
    text = said(result.response)
    for name in room.reader.available_commands(room.channel):
        assert f"/{name}" in text or name == "help" or f"`{name.split()[1]}`" in text
    assert "after 30 days" in text


async def test_too_many_questions_wait(room: Newsroom) -> None:
    """The seventh question within a minute is refused in private; a minute later all is well."""
    for _ in range(6):
        await room.reader.slash(room.channel, "ask", question=ASKED)
    result = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert result.ephemeral
    assert re.search(
        r"You have asked a lot within a minute: ask again <t:\d+:R>", said(result.response)
    )
    other = await room.editor.slash(room.channel, "ask", question=ASKED)
    assert not other.ephemeral
    await room.env.advance_time(61)
    again = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert not again.ephemeral
    assert room.env.errors


async def test_mention_too_many_is_refused_in_a_direct_message(room: Newsroom) -> None:
    """A mention that comes too often is refused where only its writer reads it."""
    for _ in range(7):
        await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    assert "asked a lot" in said(room.reader.user.dm_channel.last_message)
    assert room.channel.last_message.author.id == room.reader.id


async def test_missing_permission_is_named_privately(room: Newsroom) -> None:
    """Where the bot may not write, who asked is told in a direct message what it needs."""
    quiet = room.guild.create_text_channel(
        "quiet", overwrites={room.env.bot.user: discord.PermissionOverwrite(send_messages=False)}
    )
    await room.reader.send(quiet, f"{room.env.bot.user.mention} {ASKED}")
    told = said(room.reader.user.dm_channel.last_message)
    assert told == "I cannot answer in #quiet: I need Send Messages there."
    assert len(quiet.history()) == 1


async def test_bare_channel_is_enough(room: Newsroom) -> None:
    """Without embeds, files, history and threads the bot still answers mentions and commands."""
    bare = discord.PermissionOverwrite(
        embed_links=False,
        attach_files=False,
        read_message_history=False,
        create_public_threads=False,
    )
    plain = room.guild.create_text_channel("plain", overwrites={room.env.bot.user: bare})
    await room.reader.send(plain, f"{room.env.bot.user.mention} {ASKED}")
    assert "4:40" in said(plain.last_message)
    result = await room.reader.slash(plain, "ask", question=ASKED)
    assert "4:40" in said(result.response)


async def test_mention_shows_typing_before_it_answers(room: Newsroom) -> None:
    """Who mentions the bot sees at once that it is at work."""
    await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    posted = [r.path.rsplit("/", 1)[-1] for r in room.env.http_requests if r.method == "POST"]
    assert posted[-2:] == ["typing", "messages"]


async def test_question_deleted_meanwhile_is_answered_in_the_channel(room: Newsroom) -> None:
    """When there is nothing left to reply to, the answer is written without a reference."""
    gone = {"status": 400, "code": 50035, "message": "Unknown message"}
    room.env.inject_error("POST", "/channels/*/messages", **gone)
    await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    assert "4:40" in said(room.channel.last_message)
    assert room.channel.last_message.reference is None


async def test_answer_to_a_mention_cannot_come_twice(room: Newsroom) -> None:
    """The question's id is the answer's nonce, so that Discord takes a repeated request once."""
    asked = await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    sent = [r for r in room.env.http_requests if r.path.endswith("/messages")][-1]
    assert (sent.json["nonce"], sent.json["enforce_nonce"]) == (str(asked.id), True)


async def test_failing_typing_costs_no_answer(room: Newsroom) -> None:
    """Where Discord refuses the typing indicator, the answer comes all the same."""
    room.env.inject_error("POST", "/channels/*/typing", status=403)
    await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    assert "4:40" in said(room.channel.last_message)


class FakeInteraction:
    """An interaction that Discord says was acknowledged already, or not at all."""

    def __init__(self, code: int) -> None:
        self.told: list[object] = []
        gone: Any = type("Response", (), {"status": 400, "reason": ""})()
        self._error = discord.HTTPException(gone, {"code": code, "message": "No"})
        self.response = self.followup = self

    async def defer(self, **_: bool) -> None:
        raise self._error

    async def send_message(self, **_: object) -> None:
        raise self._error

    async def send(self, *, view: object, ephemeral: bool) -> None:
        assert ephemeral
        self.told.append(view)

    def is_done(self) -> bool:
        return False


async def test_first_word_that_arrived_twice_is_no_failure() -> None:
    """When Discord had heard us before the error, the answer or the reason still follows."""
    known: Any = FakeInteraction(40060)
    await begin(known)
    await explained(known, notice_view("Not now."))
    assert len(known.told) == 1
    unknown: Any = FakeInteraction(10062)
    with pytest.raises(discord.HTTPException):
        await begin(unknown)
    with pytest.raises(discord.HTTPException):
        await explained(unknown, notice_view("Not now."))


async def test_work_stops_when_there_is_nobody_to_answer() -> None:
    """If the first word cannot be said, the answer that is being made is given up."""
    made: list[str] = []

    async def word() -> None:
        await asyncio.sleep(0)
        raise LookupError("gone")

    async def work() -> None:
        await asyncio.sleep(60)
        made.append("answer")

    with pytest.raises(LookupError):
        await meanwhile(word(), work())
    assert made == []
    assert len(asyncio.all_tasks()) <= 2


def test_server_has_a_pace_of_its_own() -> None:
    """Many people together are slowed down too, each server for itself."""
    pace = Pace(Discord(questions_per_minute=5, server_questions_per_minute=2))
    pace.take(1, 7)
    pace.take(2, 7)
    with pytest.raises(TooManyError, match="This server has asked a lot"):
        pace.take(3, 7)
    pace.take(3, 8)


async def test_commands_speak_german_and_spanish(room: Newsroom) -> None:
    """Discord is told every name and description in both languages, in the form it takes."""
    put = next(r for r in room.env.http_requests if r.path.endswith("/commands"))

    def check(told: dict[str, Any]) -> None:
        for part, form in (("name", r"[-_\w]{1,32}"), ("description", r".{1,100}")):
            words = told.get(f"{part}_localizations") or {}
            if told.get(part):
                assert {"de", "es-ES"} <= words.keys(), told[part]
            menu = told.get("type", 1) != 1 and "options" not in told and part == "name"
            assert all(menu or re.fullmatch(form, word) for word in words.values())
            assert all(menu or part != "name" or word.islower() for word in words.values())
        for inner in (*told.get("options", ()), *told.get("choices", ())):
            check(inner)

    for command in put.json:
        check(command)
    ask = next(c for c in put.json if c["name"] == "ask")
    assert ask["options"][0]["name_localizations"]["de"] == "frage"


async def test_thread_begins_at_the_answer(room: Newsroom) -> None:
    """On request a thread begins at the answer, and what is asked there leans on it."""
    result = await room.reader.slash(room.channel, "ask", question=ASKED, thread=True)
    (thread,) = room.channel.threads
    assert thread.id == result.response.id
    assert "Ask on here" in said(thread.last_message)
    await room.reader.send(thread, f"{room.env.bot.user.mention} And who died?")
    assert "Understood as: who died gate Hallow Dam" in said(thread.last_message)
    refused = await room.reader.slash(
        room.channel, "ask", question=ASKED, thread=True, private=True
    )
    assert "A thread is for all to read" in said(refused.response)
    assert room.env.errors


async def test_thread_that_may_not_be_is_explained(room: Newsroom) -> None:
    """Without the permission the answer stands, and who asked is told what is missing."""
    bare = discord.PermissionOverwrite(create_public_threads=False)
    plain = room.guild.create_text_channel("plain", overwrites={room.env.bot.user: bare})
    result = await room.reader.slash(plain, "ask", question=ASKED, thread=True)
    assert "4:40" in said(result.response)
    told = said(result.followups[-1])
    assert told == "I cannot begin a thread here: I need Create Public Threads."
    assert plain.threads == []


def answer_id(message: Any) -> str:
    """The id under an answer."""
    found = re.search(r"answer `([0-9a-f]{12})`", said(message))
    assert found
    return found[1]
