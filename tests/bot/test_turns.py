"""Turns are bounded, fair among servers and people, and never lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.newsroom import ASKED, Newsroom, said

from bot.turns import BusyError, Turns


def asking(turns: Turns, server: int | None, person: int | None, log: list[Any]) -> Any:
    """Ask a question that holds its turn for a moment and records its server."""

    async def work() -> None:
        async with turns.turn(server, person):
            log.append(server)
            await asyncio.sleep(0)

    return asyncio.create_task(work())


async def test_servers_take_turns() -> None:
    """A server's only question waits for one question of another server, not for all."""
    turns, log = Turns(1), list[int]()
    crowd = [asking(turns, 1, person, log) for person in range(20)]
    late = asking(turns, 2, 99, log)
    await asyncio.gather(*crowd, late)
    assert log.index(2) <= 2


async def test_a_person_has_two_questions_in_the_queue() -> None:
    """A person's third question waits, even behind others, until one of two is answered."""
    turns, log = Turns(1), list[int]()
    async with turns.turn(1, 7):
        more = [asking(turns, 1, 7, log), asking(turns, 2, 7, log)]
        await asyncio.sleep(0)
        other = asking(turns, 3, 8, log)
        await asyncio.sleep(0)
        assert turns.waiting == 3
    await asyncio.gather(*more, other)
    assert log == [1, 3, 2]
    assert not turns._people


async def test_a_full_queue_refuses_at_once_and_recovers() -> None:
    """A full queue refuses people but not scheduled work; then all goes on as before."""
    turns, log = Turns(1, most_waiting=3), list[int]()
    held = [asking(turns, 1, person, log) for person in range(4)]
    await asyncio.sleep(0)
    scheduled = asking(turns, 1, None, log)
    with pytest.raises(BusyError, match="try again in a minute"):
        await asking(turns, 1, 50, log)
    await asyncio.gather(*held, scheduled)
    await asking(turns, 1, 50, log)
    assert (turns.running, turns.waiting, len(log)) == (0, 0, 6)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["ask", "cancel", "step"]), st.integers(0, 3), st.integers(0, 9)),
    max_size=60,
)


@given(EVENTS, st.integers(1, 3))
def test_no_turn_is_lost(events: list[tuple[str, int, int]], at_once: int) -> None:
    """Whoever asks or cancels when, turns stay within the limit, and in the end nobody waits."""

    async def play() -> None:
        turns, holding, most = Turns(at_once, most_waiting=5), Counter[int](), 0
        tasks = list[asyncio.Task[None]]()

        async def work(server: int, person: int) -> None:
            nonlocal most
            async with turns.turn(server, person):
                holding[0] += 1
                most = max(most, holding[0])
                try:
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                finally:
                    holding[0] -= 1

        for kind, number, person in events:
            if kind == "ask":
                tasks.append(asyncio.create_task(work(number, person)))
            elif kind == "cancel" and tasks:
                tasks[person % len(tasks)].cancel()
            else:
                await asyncio.sleep(0)
            assert turns.waiting <= 5
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(e is None or isinstance(e, BusyError | asyncio.CancelledError) for e in ended)
        assert most <= at_once
        assert (turns.running, turns.waiting, turns._lines, turns._people) == (0, 0, {}, {})

    asyncio.run(play())


async def test_people_are_told_that_the_queue_is_full(room: Newsroom) -> None:
    """A command and a mention get a reply at once; then there is room again."""
    bot = room.env.bot
    bot.turns = Turns(1, most_waiting=0)
    async with bot.turns.turn(1, None):
        result = await room.reader.slash(room.channel, "ask", question=ASKED)
        assert "Too many people are asking" in said(result.response)
        await room.editor.send(room.channel, f"{bot.user.mention} {ASKED}")
    assert "Too many people are asking" in said(room.channel.last_message)
    result = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert "4:40" in said(result.response)
    assert room.env.errors
