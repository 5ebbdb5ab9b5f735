"""Whichever request to Discord fails, and however, people get a single answer or explanation."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.newsroom import ASKED, CUP, DAM, Newsroom, discord_with, fields, said

from bot import answers
from bot.sending import again, has_trouble, send_once
from bot.settings import Answers, Discord, Settings

# Too much was asked, Discord fails, permissions were lost, what was written to is gone.
STATUSES = (429, 500, 502, 403, 404)
Act = Callable[[], Awaitable[Any]]
MENU = "Check against the reports"


def command(name: str, *, moderator: bool = False, **options: Any) -> Callable[..., Awaitable[Act]]:
    """Ask by a command."""

    async def prepare(room: Newsroom) -> Act:
        person = room.editor if moderator else room.reader
        return lambda: person.slash(room.channel, name, **options)

    return prepare


def press(label: str, **options: Any) -> Callable[..., Awaitable[Act]]:
    """Press a button under an answer that was sent without a failure."""

    async def prepare(room: Newsroom) -> Act:
        asked = await room.reader.slash(room.channel, "ask", question=ASKED, **options)
        return lambda: room.reader.click(asked.response.message, label=label)

    return prepare


async def mention(room: Newsroom) -> Act:
    """Ask in a message."""
    return lambda: room.reader.send(room.channel, f"{room.env.bot.user.mention} {ASKED}")


async def direct_message(room: Newsroom) -> Act:
    """Ask in a direct message, for which the bot has no reports."""
    return lambda: room.reader.user.send_dm(ASKED)


async def claim(room: Newsroom) -> Act:
    """Check a claim."""
    message = await room.editor.send(room.channel, "A gate at Hallow Dam failed on Tuesday!")
    return lambda: room.reader.context_menu(room.channel, MENU, message)


async def wrong_quote(room: Newsroom) -> Act:
    """Fill in a form."""
    form = await (await press("Wrong quote")(room))()
    (field,) = fields(form)
    return lambda: room.reader.submit_modal(form, {field["custom_id"]: "It was noon."})


async def add(room: Newsroom) -> Act:
    """Start a job, which has a message."""
    form = await room.editor.slash(room.channel, "moderate add")
    upload, _ = (field["custom_id"] for field in fields(form))
    return lambda: room.editor.submit_modal(form, {upload: [("gull.txt", b"A gull flew over it.")]})


DEEDS: dict[str, Callable[..., Awaitable[Act]]] = {
    "ask": command("ask", question=ASKED),
    "ask privately": command("ask", question=ASKED, private=True),
    "ask in a thread": command("ask", question=ASKED, thread=True),
    "mention": mention,
    "direct message": direct_message,
    "claim": claim,
    "list": command("reports list"),
    "export": command("moderate export", moderator=True),
    "more passages": press("More passages"),
    "share": press("Show everyone", private=True),
    "wrong quote": wrong_quote,
    "add": add,
}


class Onlooker:
    """Sees what people see, and knows what was there before."""

    def __init__(self, room: Newsroom) -> None:
        self._room = room
        self._known = {*self._messages()}

    def _messages(self) -> dict[int, Any]:
        room, dms = self._room, (self._room.reader.user, self._room.editor.user)
        channels = [room.channel, *room.channel.threads, *(user.dm_channel for user in dms)]
        messages = [message for channel in channels if channel for message in channel.history()]
        return {one.id: one for one in messages if one.author.id == room.env.bot.user.id}

    def new(self, result: Any) -> list[str]:
        """Return what was sent since, also privately: files by their names."""
        messages = {n: one for n, one in self._messages().items() if n not in self._known}
        for reply in (getattr(result, "response", None), *getattr(result, "followups", ())):
            if reply is not None and reply.id not in self._known:
                messages[reply.id] = reply
        texts = [
            said(one) or " ".join(f.filename for f in one.attachments) for one in messages.values()
        ]
        return [text for text in texts if text]


def pattern(path: str) -> str:
    """Return the path of a request without its ids and tokens."""
    return "/".join("*" if re.search(r"\d", part) else part for part in path.split("/"))


@pytest.mark.parametrize("deed", DEEDS)
async def test_failing_requests_are_explained_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, deed: str
) -> None:
    """Each request of an action fails once, or from then on, with each status.

    The person sees exactly one answer or one sentence about what went wrong; if Discord accepts
    neither, the log says so. Nothing is an unexpected error, and the bot goes on.
    """
    monkeypatch.setattr("bot.cogs.ask._TELLING_S", 0.0)
    patient = Discord(questions_per_minute=1_000, server_questions_per_minute=10_000)
    settings = Settings(data=tmp_path, answers=Answers(threshold=0.0), discord=patient)
    async with discord_with(settings) as room:
        room.stock(settings, tmp_path / "reports", dam=DAM, cup=CUP)
        act, onlooker = await DEEDS[deed](room), Onlooker(room)
        before = len(room.env.http_requests)
        usual = onlooker.new(await act())
        requests = {(r.method, pattern(r.path)) for r in room.env.http_requests[before:]}
        assert usual
        for method, path in sorted(requests):
            for status in STATUSES:
                for times in (1, None):
                    act, onlooker = await DEEDS[deed](room), Onlooker(room)
                    caplog.clear()
                    room.env.inject_error(method, path, status=status, times=times)
                    seen = onlooker.new(await act())
                    room.env.backend.faults.clear()
                    case = f"{method} {path} {status} {times}: {seen}"
                    assert seen or "could not be" in caplog.text, case
                    assert len(seen) <= len(usual) + 1, case
                    assert sum("Quoted verbatim" in text for text in seen) <= 1, case
                    assert len(seen) == len({*seen}), case
                    assert "unexpected error" not in caplog.text, case
        again = onlooker.new(await (await DEEDS[deed](room))())
        assert len(again) >= len(usual)
        assert room.env.errors is not None  # they were looked at


async def test_a_broken_connection_is_retried_within_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request is sent three times at most, with the same nonce; other errors are not retried."""
    monkeypatch.setattr("bot.sending._WAITS_S", (0.0, 0.0))
    sent: list[str] = []

    async def send(*, nonce: str, **_: Any) -> Any:
        sent.append(nonce)
        raise aiohttp.ServerDisconnectedError

    with pytest.raises(aiohttp.ServerDisconnectedError) as raised:
        await send_once(send, view=None)
    assert len(sent) == 3
    assert len({*sent}) == 1
    assert has_trouble(raised.value)
    tries: list[None] = []

    async def refused() -> None:
        tries.append(None)
        raise LookupError("no such channel")

    with pytest.raises(LookupError, match="no such channel"):
        await again(refused)
    assert len(tries) == 1


async def test_a_channel_deleted_during_a_question(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """People who asked in a channel that was deleted meanwhile get a direct message."""
    doomed = room.guild.create_text_channel("doomed")
    real = answers.ask

    async def delete_then_ask(*args: Any, **options: Any) -> Any:
        room.env.backend.delete_channel(doomed.id)
        return await real(*args, **options)

    monkeypatch.setattr(answers, "ask", delete_then_ask)
    with contextlib.suppress(KeyError):  # the simulation looks for what it has posted there
        await room.reader.send(doomed, f"{room.env.bot.user.mention} {ASKED}")
    assert "is gone: ask again" in said(room.reader.user.dm_channel.last_message)
    assert "unexpected error" not in caplog.text
