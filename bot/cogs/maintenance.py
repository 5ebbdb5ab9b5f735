"""Scheduled work: sources, watches, corrections, old answers, and servers that the bot left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import discord
from discord.ext import commands, tasks
from discord.utils import format_dt

from bot.cogs.corrections import Corrections
from bot.cogs.subscriptions import ask_again
from bot.collections import Collections
from bot.interactions import missing_to_write
from bot.jobs import SCHEDULED_AT_ONCE
from bot.markdown import escape
from bot.preferences import kept_days
from bot.views.base import notice_view
from bot.views.text import plural, source_error, source_name
from index import (
    Archive,
    CancelledError,
    IngestResult,
    InputError,
    OnRecordError,
    ProgressCallback,
    SettingsError,
    Source,
    Week,
)

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
SCHEDULED = "onrecord-scheduled"  # the name of the tasks that work on one collection
OFTEN_MINUTES = 1
_DAY_MINUTES = 24 * 60
_TURN_S = 60.0  # after which a collection begins no further source while others wait
_SERVERS_FILE = "servers.json"
_WARN_AFTER = timedelta(days=7)  # of failing
_LISTED, _SHOWN_CHARS = 10, 300


class Maintenance(commands.Cog):
    """What happens every minute, every hour and every day."""

    def __init__(self, bot: OnRecord) -> None:
        """Look after this bot's collections."""
        self._bot = bot
        keep = timedelta(days=bot.settings.discord.keep_days_after_leaving)
        self._servers = KnownServers(
            bot.settings.data / _SERVERS_FILE, keep, bot.settings.discord.serves
        )
        self._updating = asyncio.Lock()
        self._loops: list[tasks.Loop[Any]] = [self.update_servers]

    async def cog_load(self) -> None:
        once = SCHEDULED_AT_ONCE
        self._schedule("reading sources", OFTEN_MINUTES, self._refresh, at_once=once)
        self._schedule("asking again", OFTEN_MINUTES, partial(ask_again, self._bot))
        self._schedule("the weekly counts", _DAY_MINUTES, self._count_week)
        self._schedule("deleting old answers", _DAY_MINUTES, self._prune, left_too=True)
        if self._bot.settings.discord.notes:
            self._schedule("adding notes", OFTEN_MINUTES, Corrections(self._bot).check)
        for loop in self._loops:
            loop.start()

    async def cog_unload(self) -> None:
        """Begin nothing more; what is being done for a collection goes on to its end."""
        for loop in self._loops:
            loop.cancel()

    def _schedule(
        self,
        name: str,
        minutes: int,
        work: Callable[[int | None, Archive], Awaitable[datetime | None]],
        *,
        at_once: int = 1,
        left_too: bool = False,
    ) -> None:
        """Run `work` on each server's existing collection, so often at most.

        It returns when to run it again; None: not before the collection has changed. A collection
        without work is not even opened. On so many collections `at_once`, and without waiting for
        those that take long. With `left_too`, also on those that are kept of servers that the bot
        left. A failure is logged and stops no other; a loop that raised would end for all.
        """
        collections = self._bot.collections
        waiting, busy = deque[tuple[int | None, object]](), set[int | None]()
        done: dict[int | None, tuple[object, datetime | None]] = {}  # in which state; when again
        workers = set[asyncio.Task[None]]()

        async def work_off() -> None:
            while waiting and not self._bot.stopping:
                server, state = waiting.popleft()
                busy.add(server)
                with _logging_failure(f"{name} failed for server {server}"):
                    async with _held(collections, server, name) as is_ours:
                        if is_ours:  # else see in a minute what another bot has left
                            # Not created: it may have been erased since it was listed.
                            opening = partial(collections.archive, server, create=False)
                            archive = await asyncio.to_thread(opening)
                            done[server] = state, await work(server, archive)
                busy.discard(server)

        async def run() -> None:
            await self._bot.wait_until_ready()
            with _logging_failure(f"{name} failed"):
                servers = {guild.id for guild in self._bot.guilds}
                servers |= self._servers.known() if left_too else set()
                existing = await asyncio.to_thread(collections.existing, servers)
                now, begun = discord.utils.utcnow(), {*busy, *(server for server, _ in waiting)}
                for server, state in existing.items():
                    before, again = done.get(server, (None, None))
                    needed = state != before or (again and again <= now)
                    if needed and server not in begun:
                        waiting.append((server, state))
            for _ in range(at_once - len(workers)):
                # A task of its own, so that cancelling the loop does not end it halfway.
                worker = asyncio.create_task(work_off(), name=SCHEDULED)
                workers.add(worker)
                worker.add_done_callback(workers.discard)

        self._loops.append(tasks.loop(minutes=minutes)(run))

    async def _prune(self, _: int | None, archive: Archive) -> datetime:
        """Delete old answers from the log, and more the next day."""
        days = await asyncio.to_thread(kept_days, self._bot.settings, archive)
        await asyncio.to_thread(archive.answers.prune, days)
        return discord.utils.utcnow()

    async def _refresh(self, server: int | None, archive: Archive) -> datetime | None:
        """Read the sources that are due, as many as there is time for; return when the next is."""
        now = discord.utils.utcnow()
        due = await asyncio.to_thread(archive.sources.due)
        if due is None or due > now:
            return due

        def task(archive: Archive, on_progress: ProgressCallback) -> IngestResult:
            return archive.sources.refresh(now, on_progress=on_progress, seconds=_TURN_S)

        if not await self._bot.jobs.run_silently(server, "A scheduled refresh", task):
            return now
        failing = await asyncio.to_thread(archive.sources.failing, now - _WARN_AFTER)
        guild = self._bot.get_guild(server or 0)
        if failing and guild and self._bot.unasked.allows(guild.id):
            await self._notify(guild, notice_view(_warning(failing)))
            for source in failing:
                await asyncio.to_thread(archive.sources.mark_reported, source.uri)
        return await asyncio.to_thread(archive.sources.due)

    async def _count_week(self, _: int | None, archive: Archive) -> datetime:
        """Send the counts of the week to servers whose moderators want them; look again daily."""
        now = discord.utils.utcnow()
        for server in await asyncio.to_thread(archive.preferences.named, "weekly"):
            guild = self._bot.get_guild(server)
            if guild is None or self._bot.unasked.wait_s(server):
                continue
            if await asyncio.to_thread(archive.inbox.begin_week, server, now):
                self._bot.unasked.count(server)
                week = await asyncio.to_thread(archive.inbox.week, now)
                sources = await asyncio.to_thread(archive.sources.all)
                failing = sum(bool(s.failing_since and not s.paused) for s in sources)
                await self._notify(guild, notice_view(_weekly(week, failing)))
        return now

    async def _notify(self, guild: discord.Guild, view: discord.ui.LayoutView) -> None:
        """Tell moderators in the first channel that the bot may write in, else the owner."""
        preferences = await asyncio.to_thread(self._bot.collections.preferences, guild.id)
        chosen = guild.get_channel(preferences.notices or 0)
        known = (guild.public_updates_channel, guild.safety_alerts_channel, guild.system_channel)
        channels = [
            channel
            for channel in (chosen, *known)
            if isinstance(channel, discord.TextChannel)
            and not missing_to_write(channel, channel.permissions_for(guild.me))
        ]
        for target in (*channels, guild.owner):
            with contextlib.suppress(discord.HTTPException):
                reader = target or await self._bot.fetch_user(guild.owner_id or 0)
                await reader.send(view=view)
                return
        log.warning("nobody in server %s could be notified", guild.id)

    @tasks.loop(hours=1)
    async def update_servers(self) -> None:
        """Record which servers the bot is in; erase the collections of those left long ago."""
        await self._bot.wait_until_ready()
        async with self._updating:
            expired: list[int] = []
            with _logging_failure("updating the list of servers failed"):
                present = [guild.id for guild in self._bot.guilds]  # includes those in an outage
                now = discord.utils.utcnow()
                expired = await asyncio.to_thread(self._servers.update, present, now)
            for server in expired:
                with _logging_failure(f"erasing the collection of server {server} failed"):
                    await self._erase(server)

    async def _erase(self, server: int) -> None:
        """Erase a server's collection, unless Discord says that the bot is still in the server."""
        try:
            await self._bot.fetch_guild(server)
        except (discord.NotFound, discord.Forbidden):
            if await asyncio.to_thread(self._bot.collections.existing, [server]):
                with contextlib.suppress(InputError):  # other servers share it
                    await asyncio.to_thread(self._bot.collections.erase, server)
                    log.warning("erased the collection of server %s, left long ago", server)
            await asyncio.to_thread(self._servers.remove, server)

    @commands.Cog.listener("on_guild_remove")
    @commands.Cog.listener("on_guild_join")
    async def _on_guild_change(self, _: discord.Guild) -> None:
        if self._bot.is_ready():  # before that, not all servers are known
            await self.update_servers()


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
def _logging_failure(message: str) -> Iterator[None]:
    """Log whatever fails, and go on; what fails for a known reason is tried again next time."""
    try:
        yield
    except CancelledError:
        pass  # which the job logged
    except OnRecordError as error:  # such as a collection that another process holds
        log.warning("%s: %s", message, error)
    except Exception:
        log.exception(message)


class KnownServers:
    """The servers that the bot is in, and when it left others, in a small file."""

    def __init__(
        self, path: Path, keep: timedelta, is_ours: Callable[[int], bool] = lambda _: True
    ) -> None:
        """Use this file; data of servers left is kept for this long.

        Of servers that are not ours, which another process looks after, nothing is said.

        Raises:
            SettingsError: the file is damaged.
        """
        self._path, self._keep, self._is_ours = path, keep, is_ours
        try:
            self._left: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}
        except ValueError:
            raise SettingsError(
                f"{path} is damaged: delete it. The collections of servers that the bot has left "
                "are then kept until you delete them with `onrecord erase-all`."
            ) from None

    def update(self, present: Iterable[int], now: datetime) -> list[int]:
        """Record current servers; return those left longer ago than the retention period."""
        current = dict.fromkeys(map(str, present), "")
        left = {
            server: since or now.isoformat()
            for server, since in self._left.items()
            if server not in current and self._is_ours(int(server))
        }
        self._write(left | current)
        return [
            int(server)
            for server, since in left.items()
            if datetime.fromisoformat(since) + self._keep <= now
        ]

    def known(self) -> set[int]:
        """The servers that the bot is in or left, until they are removed."""
        return {*map(int, self._left)}

    def remove(self, server: int) -> None:
        """Forget a server."""
        self._write({known: since for known, since in self._left.items() if known != str(server)})

    def _write(self, left: dict[str, str]) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(left, indent=0, sort_keys=True), "ascii")
        fresh.replace(self._path)
        self._left = left


def _weekly(week: Week, failing: int) -> str:
    """What moderators read of the last seven days."""
    lines = (
        f"- {plural(week.answered, 'question')} answered, {week.declined:,} declined",
        f"- {plural(week.flagged, 'quote')} flagged as wrong",
        f"- {plural(failing, 'source')} failing now",
    )
    tail = "-# `/inbox` shows what is open; `/settings` turns this note off."
    return "\n".join(["### The last seven days", *lines, tail])


def _warning(failing: Iterable[Source]) -> str:
    """What moderators read about sources that have failed for a week."""
    lines = [
        f"- {escape(source_name(source.uri)[:_SHOWN_CHARS])}\n"
        f"  since {format_dt(source.failing_since, 'D')}: "
        f"{escape(source_error(source)[:_SHOWN_CHARS])}"
        for source in failing
        if source.failing_since
    ]
    head = "### These sources have failed for a week"
    tail = "-# `/moderate sources list` shows all of them; fix, pause or remove them there."
    return "\n".join([head, *lines[:_LISTED], tail])
