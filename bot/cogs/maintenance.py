"""Scheduled work: sources, watches, corrections, old answers, and servers that the bot left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import discord
from discord.ext import commands, tasks
from discord.utils import format_dt

from bot.cogs.corrections import Corrections
from bot.cogs.subscriptions import ask_again
from bot.interactions import missing_to_write
from bot.markdown import escape
from bot.views.base import notice_view
from bot.views.text import source_error, source_name
from index import Archive, IngestResult, InputError, ProgressCallback, Source

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
_SERVERS_FILE = "servers.json"
_WARN_AFTER = timedelta(days=7)  # of failing
_LISTED, _SHOWN_CHARS = 10, 300


class Maintenance(commands.Cog):
    """What happens every minute, every hour and every day."""

    def __init__(self, bot: OnRecord) -> None:
        """Look after this bot's collections."""
        self._bot = bot
        self._corrections = Corrections(bot)
        keep = timedelta(days=bot.settings.discord.keep_days_after_leaving)
        self._servers = KnownServers(bot.settings.data / _SERVERS_FILE, keep)
        self._updating = asyncio.Lock()

    async def cog_load(self) -> None:
        for loop in (self.refresh, self.watch, self.prune, self.update_servers):
            loop.start()
        if self._bot.settings.discord.notes:
            self.correct.start()

    async def cog_unload(self) -> None:
        for loop in (self.refresh, self.watch, self.correct, self.prune, self.update_servers):
            loop.cancel()

    @tasks.loop(minutes=1)
    async def refresh(self) -> None:
        """Read the sources that are due, one collection after the other."""
        await self._for_each(self._refresh)

    @tasks.loop(minutes=1)
    async def watch(self) -> None:
        """Ask watched questions again where there are new reports."""
        await self._for_each(lambda server, archive: ask_again(self._bot, server, archive))

    @tasks.loop(minutes=1)
    async def correct(self) -> None:
        """Add notes to answers whose quotes no longer stand."""
        await self._for_each(self._corrections.check)

    @tasks.loop(hours=24)
    async def prune(self) -> None:
        """Delete old answers from the log."""
        days = self._bot.settings.answers.keep_days
        await self._for_each(lambda _, archive: asyncio.to_thread(archive.answers.prune, days))

    async def _for_each(self, work: Callable[[int | None, Archive], Awaitable[object]]) -> None:
        """Run `work` on each server's existing collection; a failure stops no other.

        A loop that raised would end for good, for all collections.
        """
        collections = self._bot.collections
        servers = [guild.id for guild in self._bot.guilds]
        for server in await asyncio.to_thread(collections.existing, servers):
            with _logging_failure("scheduled work failed for server %s", server):
                await work(server, await asyncio.to_thread(collections.archive, server))

    async def _refresh(self, server: int | None, archive: Archive) -> None:
        now = discord.utils.utcnow()
        if not any(source.due(now) for source in await asyncio.to_thread(archive.sources.all)):
            return

        def task(archive: Archive, on_progress: ProgressCallback) -> IngestResult:
            return archive.sources.refresh(now, on_progress=on_progress)

        if not await self._bot.jobs.run_silently(server, "A scheduled refresh", task):
            return
        failing = await asyncio.to_thread(archive.sources.failing, now - _WARN_AFTER)
        if failing and server is not None:
            await self._warn(server, failing)
            for source in failing:
                await asyncio.to_thread(archive.sources.mark_reported, source.uri)

    async def _warn(self, server: int, failing: list[Source]) -> None:
        """Tell moderators once, in a channel of theirs, else the owner; nobody is pinged."""
        guild = self._bot.get_guild(server)
        if guild is None:
            return
        view = notice_view(_warning(failing))
        for channel in [*self._channels(guild), None]:
            with contextlib.suppress(discord.HTTPException):
                target = channel or guild.owner or await self._bot.fetch_user(guild.owner_id or 0)
                await target.send(view=view)
                return
        log.warning("nobody in server %s could be warned of failing sources", server)

    def _channels(self, guild: discord.Guild) -> list[discord.TextChannel]:
        """The channels where moderators read and the bot may write, the best first."""
        settings = self._bot.settings.discord
        chosen = guild.get_channel(settings.moderator_channels.get(str(guild.id), 0))
        known = (guild.public_updates_channel, guild.safety_alerts_channel, guild.system_channel)
        return [
            channel
            for channel in (chosen, *known)
            if isinstance(channel, discord.TextChannel) and not missing_to_write(channel, guild.me)
        ]

    @tasks.loop(hours=1)
    async def update_servers(self) -> None:
        """Record which servers the bot is in; erase the collections of those left long ago."""
        async with self._updating:
            expired: list[int] = []
            with _logging_failure("the list of servers could not be updated"):
                present = [guild.id for guild in self._bot.guilds]  # includes those in an outage
                now = discord.utils.utcnow()
                expired = await asyncio.to_thread(self._servers.update, present, now)
            for server in expired:
                with _logging_failure("the collection of server %s could not be erased", server):
                    await self._erase(server)

    async def _erase(self, server: int) -> None:
        """Erase a server's collection, unless Discord says that the bot is still in the server."""
        try:
            await self._bot.fetch_guild(server)
        except (discord.NotFound, discord.Forbidden):
            await asyncio.to_thread(self._erase_collection, server)
            await asyncio.to_thread(self._servers.remove, server)

    def _erase_collection(self, server: int) -> None:
        if self._bot.collections.existing([server]):
            with contextlib.suppress(InputError):  # other servers share it
                self._bot.collections.erase(server)
                log.warning("erased the collection of server %s, left long ago", server)

    @refresh.before_loop
    @watch.before_loop
    @correct.before_loop
    @prune.before_loop
    @update_servers.before_loop
    async def _ready(self) -> None:
        await self._bot.wait_until_ready()

    @commands.Cog.listener("on_guild_remove")
    @commands.Cog.listener("on_guild_join")
    async def _on_guild_change(self, _: discord.Guild) -> None:
        if self._bot.is_ready():  # before that, not all servers are known
            await self.update_servers()


@contextlib.contextmanager
def _logging_failure(message: str, *args: object) -> Iterator[None]:
    """Log whatever fails, and go on."""
    try:
        yield
    except Exception:
        log.exception(message, *args)


class KnownServers:
    """The servers that the bot is in, and when it left others, in a small file."""

    def __init__(self, path: Path, keep: timedelta) -> None:
        """Use this file; data of servers left is kept for this long."""
        self._path = path
        self._keep = keep

    def update(self, present: Iterable[int], now: datetime) -> list[int]:
        """Record current servers; return those left longer ago than the retention period."""
        known = self._read()
        current = {str(server) for server in present}
        left = {
            server: since or now.isoformat()
            for server, since in known.items()
            if server not in current
        }
        updated = left | dict.fromkeys(current, "")
        if updated != known:
            self._write(updated)
        return [
            int(server)
            for server, since in left.items()
            if datetime.fromisoformat(since) + self._keep <= now
        ]

    def remove(self, server: int) -> None:
        """Forget a server."""
        known = self._read()
        known.pop(str(server), None)
        self._write(known)

    def _read(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self._path.read_text("ascii"))
        except FileNotFoundError:
            return {}
        return known

    def _write(self, known: dict[str, str]) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(known, indent=0, sort_keys=True), "ascii")
        fresh.replace(self._path)


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
    tail = "-# `/reports sources list` shows all of them; fix, pause or remove them there."
    return "\n".join([head, *lines[:_LISTED], tail])
