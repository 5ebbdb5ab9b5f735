"""All ways to ask: options, private answers, replies, threads, direct messages and claims."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import discord
import pytest
from support.newsroom import ASKED, CUP, DAM, Newsroom, discord_with, labels, report, said

from bot.cogs.ask import _show_typing
from bot.settings import Discord, Settings

TITLE = "A gate at Hallow Dam failed at 4:40 a.m. on Monday. Two people died, the authority said."
SOAP = report("Soap makers merge", "Two soap makers merged.", "Trade Post", "2025-12-20")
SAGA = report("Soap saga goes on", "The soap merger failed.", "Northwire", "2025-12-30")


async def test_filters_narrow_the_reports(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """Only reports by the publisher and of the dates are asked, and the answer says so."""
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
    """An impossible date or period is explained to the asker alone."""
    for dates in ({"since": "soonish"}, {"since": "today", "until": "last year"}):
        result = await room.reader.slash(room.channel, "ask", question=ASKED, **dates)
        assert result.ephemeral
        assert re.search("date|later than", said(result.response))
    assert room.env.errors


async def test_autocomplete_offers_what_the_collection_has(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """Publishers are offered from the collection, at most 25 of up to 100 characters."""
    many = {
        f"r{n}": report(f"Report {n}", f"Text {n}.", f"Outlet {n:02d} {'x' * 3 * n}", "2025-11-02")
        for n in range(45)
    }
    room.stock(settings, tmp_path / "many", **many)
    rows = await room.reader.autocomplete(room.channel, "ask", "publisher", "outlet")
    assert len(rows) == 25
    rows = await room.reader.autocomplete(room.channel, "ask", "publisher", "outlet 3")
    assert [len(row["value"]) for row in rows] == [100]  # the others are longer


async def test_private_answer_is_seen_by_its_asker_only(room: Newsroom) -> None:
    """Only the asker sees a private answer, and the log has no message for it."""
    result = await room.reader.slash(room.channel, "ask", question=ASKED, private=True)
    assert result.ephemeral
    assert "Show everyone" in labels(result.response)
    assert room.channel.history(viewer=room.editor) == []
    assert room.archive().answers.get(answer_id(result.response)).message is None


async def test_reply_follows_up_and_says_how_it_was_understood(room: Newsroom) -> None:
    """A short reply to an answer takes over what the previous question was about."""
    first = await room.reader.slash(room.channel, "ask", question=ASKED)
    me = room.env.bot.user.mention
    await room.reader.send(room.channel, f"{me} And who died?", reply_to=first.response.message)
    text = said(room.channel.last_message)
    assert text.startswith(
        "### And who died?\n-# Understood as: who died \\(gate Hallow Dam fail\\)?"
    )
    followed = room.channel.last_message
    await room.editor.send(room.channel, f"{me} When?", reply_to=followed)
    assert "Understood as: When who died" not in said(room.channel.last_message)
    assert "Hallow Dam" in said(room.channel.last_message).split("\n")[1]


async def test_replies_that_are_not_questions_are_ignored(room: Newsroom) -> None:
    """Replies without readable words, and thanks, are not answered."""
    first = await room.reader.slash(room.channel, "ask", question=ASKED)
    me, before = room.env.bot.user.mention, len(room.channel.history())
    for _ in range(12):
        await room.reader.send(room.channel, "haha ok", reply_to=first.response.message)
    chat = ("thanks!", "ok", "lol", "nice", "😂😂", "<:nice:12345>")
    for text in chat:
        await room.reader.send(room.channel, f"{me} {text}", reply_to=first.response.message)
    assert len(room.channel.history()) == before + 12 + len(chat)
    assert room.reader.user.dm_channel.history() == []


@pytest.mark.parametrize("text", ["And?", "more", "tell me more", "?"])
async def test_more_is_more_of_the_answer(room: Newsroom, text: str) -> None:
    """In reply to an answer, a bare “And?” or “more” asks its question again."""
    first = await room.reader.slash(room.channel, "ask", question=ASKED)
    me = room.env.bot.user.mention
    await room.reader.send(room.channel, f"{me} {text}", reply_to=first.response.message)
    answer = said(room.channel.last_message)
    assert f"Understood as: {ASKED}" in answer
    assert "Quoted verbatim" in answer


async def test_one_hint_is_enough(room: Newsroom) -> None:
    """Mentions without words, or that ask for more of nothing, get one hint a minute."""
    me = room.env.bot.user.mention
    for text in (me, me, f"{me} more", me):
        await room.reader.send(room.channel, text)
    hints = [one for one in room.channel.history() if one.author.id == room.env.bot.user.id]
    assert len(hints) == 1
    assert len(said(hints[0])) < 100
    await room.env.advance_time(61)
    await room.reader.send(room.channel, me)
    assert "Mention me with a question" in said(room.channel.last_message)


async def test_question_in_a_thread_follows_up_on_the_last_answer(room: Newsroom) -> None:
    """In a thread, a short question follows up on the bot's last answer without a reply."""
    me = room.env.bot.user.mention
    start = await room.reader.send(room.channel, "Let us talk about the dam.")
    thread = await room.env.bot.get_channel(room.channel.id).create_thread(
        name="The dam", message=discord.Object(start.id)
    )
    inside = next(one for one in room.channel.threads if one.id == thread.id)
    await room.reader.send(inside, f"{me} {ASKED}")
    await room.reader.send(inside, f"{me} And who died?")
    assert "Understood as: who died \\(gate Hallow Dam" in said(inside.last_message)


async def test_direct_messages_are_declined_politely(room: Newsroom) -> None:
    """Without a collection for direct messages, the bot says where to ask."""
    user = room.env.create_user("private")
    room.guild.add_member(user)
    await user.send_dm(ASKED)
    assert "each server has its own reports" in said(user.dm_channel.last_message)
    result = await user.slash("ask", question=ASKED)
    assert "each server has its own reports" in said(result.response)
    assert room.env.errors


async def test_direct_messages_are_answered_from_their_collection(
    tmp_path: Path,
) -> None:
    """With a collection for direct messages, a plain message is answered in private."""
    settings = Settings(
        data=tmp_path, discord=Discord(collections={"*": "desk"}, direct_messages="desk")
    )
    async with discord_with(settings) as room:
        room.stock(settings, tmp_path / "reports", dam=DAM, cup=CUP)
        await room.reader.user.send_dm(ASKED)
        assert "4:40" in said(room.reader.user.dm_channel.last_message)
        quoted = next(one.article_id for one in room.archive().articles() if one.text == DAM)
        dm = room.reader.user.dm_channel.id
        assert room.archive().answers.quoting(quoted, [dm]) == []  # nobody else reads it


async def test_claim_of_a_message_is_checked(room: Newsroom) -> None:
    """The message menu shows in private what the reports say about a claim, without a verdict."""
    claim = await room.editor.send(room.channel, "A gate at Hallow Dam failed on Tuesday!")
    menu = "Check against the reports"
    result = await room.reader.context_menu(room.channel, menu, claim)
    assert result.ephemeral
    text = said(result.response)
    assert "4:40" in text
    assert "for you to judge" in text
    empty = await room.editor.send(room.channel, "<@1>")
    result = await room.reader.context_menu(room.channel, menu, empty)
    assert "no text" in said(result.response)
    assert room.env.errors


async def test_too_many_questions_are_refused(room: Newsroom) -> None:
    """The seventh question within a minute is refused in private; a minute later it is taken."""
    for _ in range(6):
        await room.reader.slash(room.channel, "ask", question=ASKED)
    result = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert result.ephemeral
    assert re.search(
        r"You've asked a lot in the last minute: try again <t:\d+:R>", said(result.response)
    )
    other = await room.editor.slash(room.channel, "ask", question=ASKED)
    assert not other.ephemeral
    await room.env.advance_time(61)
    again = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert not again.ephemeral
    assert room.env.errors


async def test_mention_too_many_is_refused_in_a_direct_message(room: Newsroom) -> None:
    """One mention too many is refused in a direct message."""
    for _ in range(7):
        await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    assert "asked a lot" in said(room.reader.user.dm_channel.last_message)
    assert room.channel.last_message.author.id == room.reader.id
    for _ in range(5):
        await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    assert len(room.reader.user.dm_channel.history()) == 1


async def test_missing_permission_is_named_privately(room: Newsroom) -> None:
    """If the bot may not write in a channel, it tells the asker by direct message what it needs."""
    quiet = room.guild.create_text_channel(
        "quiet", overwrites={room.env.bot.user: discord.PermissionOverwrite(send_messages=False)}
    )
    await room.reader.send(quiet, f"{room.env.bot.user.mention} {ASKED}")
    told = said(room.reader.user.dm_channel.last_message)
    assert told == "I can't answer in #quiet: I need Send Messages there."
    for _ in range(12):
        await room.reader.send(quiet, f"{room.env.bot.user.mention} {ASKED}")
    assert len(quiet.history()) == 13
    assert len(room.reader.user.dm_channel.history()) == 1


async def test_answer_is_private_where_the_bot_may_not_write(room: Newsroom) -> None:
    """If the bot may not write in a channel, /ask is answered in private and cannot be shared."""
    quiet = room.guild.create_text_channel(
        "quiet", overwrites={room.env.bot.user: discord.PermissionOverwrite(send_messages=False)}
    )
    result = await room.reader.slash(quiet, "ask", question=ASKED)
    assert result.ephemeral
    assert "I can't answer in public here: I need Send Messages." in said(result.response)
    shared = await room.reader.click(result.response.message, label="Show everyone")
    assert "I can't show it here: I need Send Messages." in said(shared.followups[-1])
    assert quiet.history(viewer=room.editor) == []
    threaded = await room.reader.slash(quiet, "ask", question=ASKED, thread=True)
    assert "I can't start a thread here" in said(threaded.response)
    assert room.env.errors


async def test_why_opens_a_private_answer_for_its_asker_only(room: Newsroom) -> None:
    """For others, the id of a private answer gives the same message as a wrong id."""
    result = await room.reader.slash(room.channel, "ask", question=ASKED, private=True)
    name = answer_id(result.response)
    refused = await room.editor.slash(room.channel, "why", answer=name)
    assert f"No answer “{name}” was found" in said(refused.response)
    assert ASKED not in said(refused.response)
    assert room.env.errors
    mine = await room.reader.slash(room.channel, "why", answer=name)
    assert ASKED in said(mine.response)
    await room.reader.click(result.response.message, label="Show everyone")
    assert ASKED in said((await room.editor.slash(room.channel, "why", answer=name)).response)


async def test_why_shows_no_answer_from_a_closed_channel(room: Newsroom) -> None:
    """An answer in a closed channel is shown only to people who may read that channel."""
    hidden = {room.guild.default_role: discord.PermissionOverwrite(view_channel=False)}
    visible = discord.PermissionOverwrite(view_channel=True)
    known = {room.desk: visible, room.env.bot.user: visible}
    closed = room.guild.create_text_channel("closed", overwrites=hidden | known)
    asked = await room.editor.slash(closed, "ask", question=ASKED)
    name = answer_id(asked.response)
    refused = await room.reader.slash(room.channel, "why", answer=name)
    assert "was found" in said(refused.response)
    assert room.env.errors
    assert ASKED in said((await room.editor.slash(room.channel, "why", answer=name)).response)
    shown = await room.reader.slash(room.channel, "reports show", report=TITLE)
    assert ASKED not in said(shown.response)
    shown = await room.editor.slash(room.channel, "reports show", report=TITLE)
    assert ASKED in said(shown.response)


async def test_dates_are_offered(room: Newsroom) -> None:
    """Dates are offered with the days they mean, first the typed date; nonsense is not offered."""
    for option in ("since", "until"):
        rows = await room.reader.autocomplete(room.channel, "ask", option, "")
        names = [row["value"] for row in rows]
        assert names[:4] == ["today", "yesterday", "this week", "last week"]
        assert "December 2025" in names
    (last, *_) = await room.reader.autocomplete(room.channel, "ask", "since", "last w")
    assert re.fullmatch(r"last week · \d+ \w+ 2025 to \d+ \w+ \d{4}", last["name"])
    rows = await room.reader.autocomplete(room.channel, "ask", "since", "9 march 2025")
    assert [(row["name"], row["value"]) for row in rows] == [
        ("9 march 2025 · 9 March 2025", "9 march 2025")
    ]
    assert await room.reader.autocomplete(room.channel, "ask", "since", "soonish") == []


async def test_bare_channel_is_enough(room: Newsroom) -> None:
    """Without embeds, files, history and threads, the bot still answers mentions and commands."""
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


async def test_question_deleted_meanwhile_is_answered_in_the_channel(room: Newsroom) -> None:
    """If the question was deleted, the answer is sent without a reference."""
    gone = {"status": 400, "code": 50035, "message": "Unknown message"}
    room.env.inject_error("POST", "/channels/*/messages", **gone)
    await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    assert "4:40" in said(room.channel.last_message)
    assert room.channel.last_message.reference is None


async def test_answer_to_a_mention_cannot_come_twice(room: Newsroom) -> None:
    """The question's id is the answer's nonce, so that Discord accepts a repeated request once."""
    asked = await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    sent = [r for r in room.env.http_requests if r.path.endswith("/messages")][-1]
    assert (sent.json["nonce"], sent.json["enforce_nonce"]) == (str(asked.id), True)


async def test_failing_typing_costs_no_answer(room: Newsroom) -> None:
    """If Discord refuses the typing indicator, the answer is still sent."""
    room.env.inject_error("POST", "/channels/*/typing", status=403)
    await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    assert "4:40" in said(room.channel.last_message)


async def test_thread_begins_at_the_answer(room: Newsroom) -> None:
    """On request, a thread begins at the answer, and questions there follow up on it."""
    result = await room.reader.slash(room.channel, "ask", question=ASKED, thread=True)
    (thread,) = room.channel.threads
    assert thread.id == result.response.id
    assert "Mention me here" in said(thread.last_message)
    await room.reader.send(thread, f"{room.env.bot.user.mention} And who died?")
    assert "Understood as: who died \\(gate Hallow Dam" in said(thread.last_message)
    refused = await room.reader.slash(
        room.channel, "ask", question=ASKED, thread=True, private=True
    )
    assert "Threads are public" in said(refused.response)
    assert room.env.errors


async def test_thread_without_permission_is_explained(room: Newsroom) -> None:
    """Without permission for threads, the answer is sent and the asker is told what is missing."""
    bare = discord.PermissionOverwrite(create_public_threads=False)
    plain = room.guild.create_text_channel("plain", overwrites={room.env.bot.user: bare})
    result = await room.reader.slash(plain, "ask", question=ASKED, thread=True)
    assert "4:40" in said(result.response)
    told = said(result.followups[-1])
    assert told == "I can't start a thread here: I need Create Public Threads."
    assert plain.threads == []


def answer_id(message: Any) -> str:
    """Return the id under an answer."""
    found = re.search(r"answer `([0-9a-f]{12})`", said(message))
    assert found
    return found[1]


async def test_why_replays_an_answer(room: Newsroom, settings: Settings, tmp_path: Path) -> None:
    """/why shows the question, generation, model, evidence in words, and later changes."""
    asked = await room.reader.slash(room.channel, "ask", question=ASKED)
    found = re.search(r"answer `(\w+)`", said(asked.response))
    assert found
    result = await room.editor.slash(room.channel, "why", answer=f" `{found[1].upper()}` ")
    assert result.ephemeral
    text = said(result.response)
    assert ASKED in text
    assert "fake-" in text
    assert "As the reports were after change 1, the latest" in text
    assert re.search(r"\*\*\[1\]\*\* (strong|fair|weak): A gate at Hallow Dam", text)
    assert "None of its reports has changed since." in text
    room.stock(settings, tmp_path / "reports", dam=DAM.replace("4:40", "5:10"))
    text = said((await room.editor.slash(room.channel, "why", answer=found[1])).response)
    assert "was changed and no longer says what is quoted here." in text
    assert "1 change ago" in text


async def test_follow_up_to_a_deleted_answer_stands_alone(room: Newsroom) -> None:
    """A reply to an answer that was deleted from the log is asked as it is."""
    first = await room.reader.slash(room.channel, "ask", question=ASKED)
    with room.archive().answers._writing() as db:
        db.execute("DELETE FROM answer")
    me = room.env.bot.user.mention
    await room.reader.send(room.channel, f"{me} And who died?", reply_to=first.response.message)
    assert "Understood as" not in said(room.channel.last_message)


async def test_replies_to_other_people_are_ignored(room: Newsroom) -> None:
    """A reply to a person is not answered, even if it looks like a question."""
    message = await room.editor.send(room.channel, "The gate failed.")
    asked = await room.reader.send(room.channel, "When?", reply_to=message)
    assert room.channel.last_message.id == asked.id


async def test_only_its_own_messages_are_followed_up(room: Newsroom) -> None:
    """An answer's id in somebody else's message does not make it the previous answer."""
    result = await room.reader.slash(room.channel, "ask", question=ASKED)
    forged = await room.editor.send(room.channel, "See below.")
    channel, cog = room.env.bot.get_channel(room.channel.id), room.env.bot.get_cog("Ask")
    by_bot = await channel.fetch_message(result.response.id)
    by_editor = await channel.fetch_message(forged.id)
    by_editor.components = by_bot.components
    assert cog._answer_id(by_bot) == answer_id(result.response)
    assert cog._answer_id(by_editor) is None


async def test_long_question_is_cut_in_the_name_of_its_thread(room: Newsroom) -> None:
    """A thread's name has at most the 100 characters that Discord allows."""
    question = "When did a gate at Hallow Dam fail, " + "and why " * 20 + "?"
    await room.reader.slash(room.channel, "ask", question=question, thread=True)
    (thread,) = room.channel.threads
    assert question.startswith(thread.name)
    assert len(thread.name) == 100


async def test_failing_discord_is_not_asked_twice(room: Newsroom) -> None:
    """After a server error the answer is not sent in another way, which might double it."""
    room.env.inject_error("POST", "/channels/*/messages", status=500, times=5)
    await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    plain = [
        r
        for r in room.env.http_requests
        if r.method == "POST" and r.path.endswith("/messages") and "message_reference" not in r.json
    ]
    assert [r for r in plain if "4:40" in str(r.json)] == []


async def test_closed_direct_messages_are_no_failure(
    room: Newsroom, caplog: pytest.LogCaptureFixture
) -> None:
    """If the asker accepts no direct messages, a note to them is only logged."""
    overwrite = discord.PermissionOverwrite(send_messages=False)
    quiet = room.guild.create_text_channel("quiet", overwrites={room.env.bot.user: overwrite})
    room.env.inject_error("POST", "/users/@me/channels", status=403, code=50007)
    await room.reader.send(quiet, f"{room.env.bot.user.mention} {ASKED}")
    assert "the asker could not be notified" in caplog.text
    assert room.env.errors == []


async def test_autocomplete_in_direct_messages_offers_nothing(
    room: Newsroom, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a collection for direct messages, nothing is offered and nothing fails."""
    user = room.env.create_user("private")
    room.guild.add_member(user)
    assert await user.autocomplete("ask", "publisher", "n") == []
    assert "Traceback" not in caplog.text


async def test_question_in_a_channel_that_is_gone_is_answered(room: Newsroom) -> None:
    """If the channel was deleted, the asker learns by direct message what happened."""
    gone = f"/channels/{room.channel.id}/messages"
    room.env.inject_error("POST", gone, status=404, code=10003, times=9)
    await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    assert "is gone: ask again" in said(room.reader.user.dm_channel.last_message)


async def test_the_typing_indicator_never_fails() -> None:
    """A network error of the typing indicator does not affect the answer."""

    class Offline:
        def typing(self) -> None:
            raise OSError("offline")

    offline: Any = Offline()
    await _show_typing(offline)
