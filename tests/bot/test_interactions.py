"""Deferring and its failures, and limits on how often people and servers may ask."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import discord
import pytest

from bot.interactions import Pace, RateLimit, RateLimitError, alongside, defer
from bot.settings import Discord


class FakeInteraction:
    """An interaction that Discord reports as acknowledged already, or not at all."""

    guild_id = None

    def __init__(self, code: int) -> None:
        gone: Any = type("Response", (), {"status": 400, "reason": ""})()
        self._error = discord.HTTPException(gone, {"code": code, "message": "No"})
        self.response = self
        self.extras = dict[str, bool]()

    async def defer(self, **_: bool) -> None:
        raise self._error


async def test_a_repeated_deferral_is_no_failure() -> None:
    """If Discord got the deferral despite an error, the answer still follows."""
    known: Any = FakeInteraction(40060)
    await defer(known)
    unknown: Any = FakeInteraction(10062)
    with pytest.raises(discord.HTTPException):
        await defer(unknown)


async def test_failed_deferral_cancels_the_work() -> None:
    """If the deferral fails nobody can be answered, so the work is cancelled."""
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
    assert cancelled.is_set()  # it has ended: nobody has to look after it


async def test_server_has_a_limit_of_its_own() -> None:
    """Many people together are limited too, separately for each server."""
    few = Discord(questions_per_minute=5, server_questions_per_minute=2)
    limit = RateLimit(few, lambda *_: None)
    await limit.take(1, 7)
    await limit.take(2, 7)
    with pytest.raises(RateLimitError, match="This server has asked a lot"):
        await limit.take(3, 7)
    await limit.take(3, 8)


def test_pace_counts_any_stretch_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two events are allowed in any ten seconds per key; old events are forgotten."""
    pace, now = Pace(2, 10.0), datetime(2026, 1, 1, tzinfo=UTC)

    def allows(second: float, key: object = "a") -> bool:
        monkeypatch.setattr(discord.utils, "utcnow", lambda: now + timedelta(seconds=second))
        return pace.allows(key)

    assert [allows(second) for second in (0, 9, 9, 10, 11, 18)] == [1, 1, 0, 1, 0, 0]
    assert allows(18, "b")
    assert allows(19)
    assert allows(60, "c")
    assert allows(60, "d")
    assert {*pace._times} == {"c", "d"}


def test_a_clock_set_back_locks_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that lie in the future after a clock was set back no longer count."""
    pace, now = Pace(1, 10.0), datetime(2026, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(discord.utils, "utcnow", lambda: now)
    assert pace.allows("a")
    monkeypatch.setattr(discord.utils, "utcnow", lambda: now - timedelta(days=1))
    assert pace.allows("a")
    assert not pace.allows("a")
