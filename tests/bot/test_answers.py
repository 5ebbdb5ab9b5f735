"""A quote that no longer matches the stored text is not sent."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import discord
import pytest
from support.newsroom import ASKED, Newsroom, report, said

from bot.settings import Settings
from bot.views.text import format_day
from index import Answer, Archive

QUOTE = "gate at Hallow Dam failed"
MORE = report("Dam", f"The {QUOTE} again on Tuesday, they said.", "Wire", "2025-12-01")


@pytest.fixture
def tampering(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that changes the stored text after the next answer was read."""
    real = Archive.check

    def check(archive: Archive, answer: Answer) -> None:
        room.tamper()
        real(archive, answer)

    return lambda: monkeypatch.setattr(Archive, "check", check)


def sent(room: Newsroom, since: int) -> str:
    """Return all that was sent to Discord after so many requests, as plain text without markup."""
    return re.sub(r"[*\\]", "", str([r.json for r in room.env.http_requests[since:]]))


async def by_command(room: Newsroom, _: Any) -> Any:
    return await room.reader.slash(room.channel, "ask", question=ASKED)


async def by_mention(room: Newsroom, _: Any) -> Any:
    await room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")
    return room.channel.last_message


async def by_menu(room: Newsroom, _: Any) -> Any:
    claim = await room.editor.send(room.channel, "A gate of the dam failed at noon.")
    return await room.reader.context_menu(room.channel, "Check against the reports", claim)


async def by_why(room: Newsroom, answer: Any) -> Any:
    match = re.search(r"answer `(\w+)`", said(answer.response))
    assert match
    return await room.reader.slash(room.channel, "why", answer=match[1])


def by_button(label: str) -> Callable[[Newsroom, Any], Awaitable[Any]]:
    async def press(room: Newsroom, answer: Any) -> Any:
        return await room.reader.click(answer.response.message, label=label)

    return press


LABELS = ("More passages", "Sentences around", "Sources", "Show everyone")
WAYS = [by_command, by_mention, by_menu, by_why, *map(by_button, LABELS)]
NAMES = ["command", "mention", "menu", "why", *LABELS]


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
async def test_altered_text_is_not_sent(
    room: Newsroom,
    settings: Settings,
    tmp_path: Path,
    tampering: Callable[[], None],
    way: Callable[[Newsroom, Any], Awaitable[Any]],
) -> None:
    """Whenever the stored text differs from a quote, only a reason is sent."""
    filler = {f"more{n}": MORE.replace("again", f"for {n} hours") for n in range(9)}
    room.stock(settings, tmp_path / "more", **filler)
    answer = await room.reader.slash(room.channel, "ask", question=ASKED, private=True)
    assert QUOTE in sent(room, 0)
    start = len(room.env.http_requests)
    tampering()
    result = await way(room, answer)
    assert QUOTE not in sent(room, start)
    assert "no longer matches the stored text" in sent(room, start)
    assert result
    assert len(room.env.errors) <= 1


async def test_altered_text_is_not_sent_to_watchers(
    room: Newsroom, settings: Settings, tmp_path: Path, tampering: Callable[[], None]
) -> None:
    """A watched question whose answer no longer matches is not answered, and stays watched."""
    declined = room.archive().ask(ASKED)
    room.archive().people.add_watch(
        declined, server=room.guild.id, channel=room.channel.id, person=room.reader.id
    )
    room.stock(settings, tmp_path / "more", more=MORE)
    tampering()
    await room.env.advance_time(120)
    assert room.channel.history() == []
    assert len(room.archive().people.watches()) == 1


async def test_an_answer_that_cannot_be_logged_is_sent(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the log cannot be written, the answer is sent and no error is shown."""

    def broken(*_: object, **__: object) -> None:
        raise OSError("disk gone")

    monkeypatch.setattr("index.store.answers.AnswerLog.record", broken)
    result = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert "4:40" in said(result.response)
    assert not result.followups


async def test_yesterday_is_the_day_before_the_question(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """Days in a question are relative to the day it is asked, however old the reports are."""
    room.stock(settings, tmp_path / "more", more=MORE)
    result = await room.reader.slash(room.channel, "ask", question="What is new since yesterday?")
    yesterday = discord.utils.utcnow().date() - timedelta(1)
    assert f"since {format_day(yesterday)}" in said(result.response)
