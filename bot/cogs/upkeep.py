"""Schedule work on thousands of collections, each opened only if there may be work."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import discord

from bot.collections import Collections
from index import Archive, CancelledError, OnRecordError

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
# Work that is due so soon starts now: else a loop that runs a moment early makes it a minute late.
SOON = timedelta(seconds=3)
SCHEDULED = "onrecord-scheduled"  # the name of the tasks that work on one collection


@dataclass(eq=False, kw_only=True)
class Duty:
    """A kind of work on collections.

    Attributes:
        name: for the log.
        look: called in a thread; returns when there is work, None if not before a change.
        work: does the work; returns when there is more, as `look` does.
        at_once: the number of collections that are worked on at the same time.
        left_too: whether to work on collections of servers that the bot has left.
    """

    name: str
    look: Callable[[int | None, Archive], datetime | None]
    work: Callable[[int | None, Archive], Awaitable[datetime | None]]
    at_once: int = 1
    left_too: bool = False
    _known: dict[int | None, tuple[object, datetime | None]] = field(default_factory=dict)
    _waiting: dict[int | None, object] = field(default_factory=dict)  # the first is next
    _busy: set[int | None] = field(default_factory=set)
    _workers: set[asyncio.Task[None]] = field(default_factory=set)

    def is_due(self, server: int | None, state: object, now: datetime) -> bool:
        """Return whether a collection in this state has to be looked at."""
        before, again = self._known.get(server, (None, None))
        is_queued = server in self._waiting or server in self._busy
        return not is_queued and (state != before or (again is not None and again <= now + SOON))

    def note(self, bot: OnRecord, server: int | None, state: object, when: datetime | None) -> None:
        """Record when there is work on a collection in this state; queue it if it is due."""
        self._known[server] = state, when
        if when is None or when > discord.utils.utcnow() + SOON:
            return
        self._waiting[server] = state
        if len(self._workers) < self.at_once:
            # A task of its own, so that cancelling the loop does not end it halfway.
            worker = asyncio.create_task(self._work_off(bot), name=SCHEDULED)
            self._workers.add(worker)

    async def _work_off(self, bot: OnRecord) -> None:
        while self._waiting and not bot.stopping:
            server = next(iter(self._waiting))
            state = self._waiting.pop(server)
            self._busy.add(server)
            self._known.pop(server, None)  # if it fails, it is looked at again
            with logging_failure(f"{self.name} failed for server {server}"):
                async with _held(bot.collections, server, self.name) as is_ours:
                    if is_ours:  # else look again in a minute, after another bot's work
                        # Not created, since it may have been erased meanwhile.
                        opening = partial(bot.collections.archive, server, create=False)
                        archive = await asyncio.to_thread(opening)
                        self._known[server] = state, await self.work(server, archive)
            self._busy.discard(server)
        # Here and not when the task is done: work queued in between would get no worker.
        self._workers.discard(asyncio.current_task())


class Upkeep:
    """Performs duties in every collection that has changed or has work due.

    A collection is opened once for all duties, since opening thousands is the main cost, and not at
    all if none of them may have work.
    """

    def __init__(self, bot: OnRecord, duties: Iterable[Duty], left: Callable[[], set[int]]) -> None:
        """Work on the collections of this bot; `left` returns servers that it may have left."""
        self._bot = bot
        self._duties = [*duties]
        self._left = left
        self._looking: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Start what is due in a task: a loop that raised or waited would end or fall behind."""
        await self._bot.wait_until_ready()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name=SCHEDULED)

    async def _look(self) -> None:
        with logging_failure("listing the collections failed"):
            here = sorted(guild.id for guild in self._bot.guilds)
            # The last server that shares a collection represents it: one that the bot is in.
            servers = [*sorted(self._left().difference(here)), *here]
            existing = await asyncio.to_thread(self._bot.collections.existing, servers)
            present = {None, *here}
            for server, state in existing.items():
                now = discord.utils.utcnow()
                due = [
                    duty
                    for duty in self._duties
                    if (server in present or duty.left_too) and duty.is_due(server, state, now)
                ]
                if due and not self._bot.stopping:
                    with logging_failure(f"looking for work in server {server} failed"):
                        await self._look_at(server, state, due)

    async def _look_at(self, server: int | None, state: object, due: list[Duty]) -> None:
        def look() -> list[tuple[Duty, datetime | None]]:
            times = []
            archive = self._bot.collections.archive(server, create=False)
            with archive.glance():
                for duty in due:
                    with logging_failure(f"{duty.name} failed for server {server}"):
                        times.append((duty, duty.look(server, archive)))
            return times

        for duty, when in await asyncio.to_thread(look):
            duty.note(self._bot, server, state, when)


@contextlib.asynccontextmanager
async def _held(collections: Collections, server: int | None, work: str) -> AsyncIterator[bool]:
    """Keep other bots from doing this work on a collection; yield False if one is doing it."""
    end = await asyncio.to_thread(collections.hold, server, work)
    try:
        yield end is not None
    finally:
        if end is not None:
            await asyncio.to_thread(end)


@contextlib.contextmanager
def logging_failure(message: str) -> Iterator[None]:
    """Log any error and go on; the work is tried again later."""
    try:
        yield
    except CancelledError:
        pass  # the job has logged it
    except OnRecordError as error:  # such as a collection that another process holds
        log.warning("%s: %s", message, error)
    except Exception:
        log.exception(message)
