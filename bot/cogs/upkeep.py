"""Looks after thousands of collections: each is opened once to see what there is to do in it."""

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
# What is due so soon is begun now: a look that comes a moment early would make it a minute late.
SOON = timedelta(seconds=3)
SCHEDULED = "onrecord-scheduled"  # the name of the tasks that work on one collection


@dataclass(eq=False, kw_only=True)
class Duty:
    """One kind of work on collections.

    Attributes:
        name: for the log.
        look: says in a thread when there is something to do; None: not before something changes.
        work: does it, and says when to do it again, as `look` does.
        at_once: on so many collections, without waiting for those that take long.
        left_too: also on collections that are kept of servers that the bot left.
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
        """Whether a collection in that state has to be looked at, or worked on."""
        before, again = self._known.get(server, (None, None))
        begun = server in self._waiting or server in self._busy
        return not begun and (state != before or (again is not None and again <= now + SOON))

    def note(self, bot: OnRecord, server: int | None, state: object, when: datetime | None) -> None:
        """Note when there is something to do in a collection in that state; begin it if it is."""
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
                    if is_ours:  # else see in a minute what another bot has left
                        # Not created: it may have been erased since it was listed.
                        opening = partial(bot.collections.archive, server, create=False)
                        archive = await asyncio.to_thread(opening)
                        self._known[server] = state, await self.work(server, archive)
            self._busy.discard(server)
        # Here, not once the task is done: what came between would wait for no worker.
        self._workers.discard(asyncio.current_task())


class Upkeep:
    """Does its duties in every collection that changed or has something due.

    What a collection needs is looked up once for all duties, since opening thousands costs most;
    one without anything to do is not opened at all.
    """

    def __init__(self, bot: OnRecord, duties: Iterable[Duty], left: Callable[[], set[int]]) -> None:
        """Look after the collections of this bot; `left` gives servers that it may have left."""
        self._bot = bot
        self._duties = [*duties]
        self._left = left
        self._looking: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Begin what is due; a loop that raised or waited here would end or fall behind."""
        await self._bot.wait_until_ready()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name=SCHEDULED)

    async def _look(self) -> None:
        with logging_failure("listing the collections failed"):
            here = sorted(guild.id for guild in self._bot.guilds)
            # The last of those that share a collection stands for it: one that the bot is in.
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
                    with logging_failure(f"looking after server {server} failed"):
                        await self._look_at(server, state, due)

    async def _look_at(self, server: int | None, state: object, due: list[Duty]) -> None:
        def look() -> list[tuple[Duty, datetime | None]]:
            found = []
            archive = self._bot.collections.archive(server, create=False)
            with archive.glance():
                for duty in due:
                    with logging_failure(f"{duty.name} failed for server {server}"):
                        found.append((duty, duty.look(server, archive)))
            return found

        for duty, when in await asyncio.to_thread(look):
            duty.note(self._bot, server, state, when)


@contextlib.asynccontextmanager
async def _held(collections: Collections, server: int | None, work: str) -> AsyncIterator[bool]:
    """Keep other bots from this work on a server's collection; False if one is at it."""
    end = await asyncio.to_thread(collections.hold, server, work)
    try:
        yield end is not None
    finally:
        if end is not None:
            await asyncio.to_thread(end)


@contextlib.contextmanager
def logging_failure(message: str) -> Iterator[None]:
    """Log whatever fails, and go on; what fails for a known reason is tried again next time."""
    try:
        yield
    except CancelledError:
        pass  # which the job logged
    except OnRecordError as error:  # such as a collection that another process holds
        log.warning("%s: %s", message, error)
    except Exception:
        log.exception(message)
