"""Choices offered while a person types."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from bot.views import base
from bot.views.base import MAX_CHOICES, choices


@pytest.fixture
def typing() -> Iterator[Any]:
    """Simulate a keystroke, with the bot's thread for choices."""
    with ThreadPoolExecutor(1) as threads:
        yield SimpleNamespace(client=SimpleNamespace(choosing=threads))


async def test_a_storm_of_keystrokes_takes_one_thread(typing: Any) -> None:
    """However many people type, a single thread finds their choices, and stops at 25."""
    threads, read = set[int](), list[int]()

    def produce() -> Iterator[tuple[str, str]]:
        threads.add(threading.get_ident())
        for number in range(1_000):
            read.append(number)
            yield f"Report {number}", str(number)

    offered = await asyncio.gather(*(choices(typing, produce) for _ in range(20)))
    assert [len(each) for each in offered] == [MAX_CHOICES] * 20
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert max(read) == MAX_CHOICES - 1


async def test_late_choices_are_not_looked_for(
    typing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keystroke that waited longer than Discord does is ignored."""
    monkeypatch.setattr(base, "_CHOICES_WITHIN_S", -1.0)
    looked = list[bool]()

    def produce() -> list[tuple[str, str]]:
        looked.append(True)
        return [("Report", "1")]

    assert await choices(typing, produce) == []
    assert looked == []
