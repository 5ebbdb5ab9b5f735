"""Duties: work that a collection needs is begun, whatever else is ending."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from bot.cogs.upkeep import Duty

PAST = datetime(2026, 1, 1, tzinfo=UTC)


async def test_nothing_waits_for_a_worker_that_is_ending() -> None:
    """Work found at the moment when the last worker ends is still done."""
    collections = SimpleNamespace(archive=lambda *_, **__: None, hold=lambda *_: lambda: None)
    bot: Any = SimpleNamespace(stopping=False, collections=collections)
    worked, done = list[int | None](), asyncio.Event()

    async def work(server: int | None, _: object) -> None:
        worked.append(server)
        if server == 1:
            asyncio.get_running_loop().call_soon(duty.note, bot, 2, "state", PAST)
        else:
            done.set()

    duty = Duty(name="counting", look=lambda *_: None, work=work)
    duty.note(bot, 1, "state", PAST)
    async with asyncio.timeout(10):
        await done.wait()
    assert worked == [1, 2]
