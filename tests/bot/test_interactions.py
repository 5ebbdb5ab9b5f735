"""Replying exactly once, whatever Discord says."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
import pytest

from bot.interactions import alongside, defer, reply_privately
from bot.views.message import notice_view


class FakeInteraction:
    """An interaction that Discord says was acknowledged already, or not at all."""

    def __init__(self, code: int) -> None:
        self.sent: list[object] = []
        gone: Any = type("Response", (), {"status": 400, "reason": ""})()
        self._error = discord.HTTPException(gone, {"code": code, "message": "No"})
        self.response = self.followup = self

    async def defer(self, **_: bool) -> None:
        raise self._error

    async def send_message(self, **_: object) -> None:
        raise self._error

    async def send(self, *, view: object, ephemeral: bool) -> None:
        assert ephemeral
        self.sent.append(view)

    def is_done(self) -> bool:
        return False


async def test_first_word_that_arrived_twice_is_no_failure() -> None:
    """When Discord had heard us before the error, the answer or the reason still follows."""
    known: Any = FakeInteraction(40060)
    await defer(known)
    await reply_privately(known, notice_view("Not now."))
    assert len(known.sent) == 1
    unknown: Any = FakeInteraction(10062)
    with pytest.raises(discord.HTTPException):
        await defer(unknown)
    with pytest.raises(discord.HTTPException):
        await reply_privately(unknown, notice_view("Not now."))


async def test_failed_deferral_cancels_the_work() -> None:
    """If the deferral fails there is nobody to answer, and the work is given up at once."""
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def deferral() -> None:
        await started.wait()
        raise LookupError("gone")

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(LookupError):
        await alongside(deferral(), work())
    async with asyncio.timeout(1):
        await cancelled.wait()
