"""The promise that the bot exists for: a quote that no longer matches is not sent."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from support.newsroom import ASKED, Newsroom, report, said

from bot.settings import Settings
from index import Answer, Archive

QUOTE = "gate at Hallow Dam failed"
MORE = report("Dam", f"The {QUOTE} again on Tuesday, they said.", "Wire", "2025-12-01")


@pytest.fixture
def tampering(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it to have the stored text change after the next answer was read from it."""
    real = Archive.check

    def check(archive: Archive, answer: Answer) -> None:
        room.tamper()
        real(archive, answer)

    return lambda: monkeypatch.setattr(Archive, "check", check)


def sent(room: Newsroom, since: int) -> str:
    """All that was sent to Discord since so many requests, as plain text without markup."""
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
    """However a quote would leave, if the stored text differs nothing is sent but a reason."""
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


async def test_altered_text_is_not_sent_to_who_waits_for_it(
    room: Newsroom, settings: Settings, tmp_path: Path, tampering: Callable[[], None]
) -> None:
    """A watched question whose answer no longer matches is not posted, and goes on waiting."""
    declined = room.archive().ask(ASKED)
    room.archive().people.add_watch(
        declined, server=room.guild.id, channel=room.channel.id, person=room.reader.id
    )
    room.stock(settings, tmp_path / "more", more=MORE)
    tampering()
    await room.env.advance_time(120)
    assert room.channel.history() == []
    assert len(room.archive().people.watches()) == 1


async def test_unlogged_answer_is_still_given(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the log cannot be written, the answer still arrives and no error is shown."""

    def broken(*_: object, **__: object) -> None:
        raise OSError("disk gone")

    monkeypatch.setattr("index.store.answers.AnswerLog.record", broken)
    result = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert "4:40" in said(result.response)
    assert not result.followups
