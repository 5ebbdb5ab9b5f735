"""By the clock: sources, watches, notes, old answers, and collections of servers that were left."""

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

from bot.manners import missing_to_write
from bot.notes import Notes
from bot.render import escaped, notice_view
from bot.views.text import source_error, source_name
from bot.watch import ask_again
from index import Archive, IngestResult, InputError, ProgressCallback, Source

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
_ROLL = "servers.json"
_FAILING = timedelta(days=7)  # until moderators are told
_LISTED = 10


class Upkeep(commands.Cog):
    """What happens by itself, every minute, every hour and every day."""

    def __init__(self, bot: OnRecord) -> None:
        """Look after the collections of this bot's library."""
        self._bot = bot
        self._notes = Notes(bot)
        self._roll = Roll(
            bot.settings.data / _ROLL, timedelta(days=bot.settings.discord.keep_days_after_leaving)
        )
        self._rolling = asyncio.Lock()

    async def cog_load(self) -> None:
        """Begin."""
        for loop in (self.refresh, self.watch, self.forget, self.call_roll):
            loop.start()
        if self._bot.settings.discord.notes:
            self.note.start()

    async def cog_unload(self) -> None:
        """End."""
        for loop in (self.refresh, self.watch, self.note, self.forget, self.call_roll):
            loop.cancel()

    @tasks.loop(minutes=1)
    async def refresh(self) -> None:
        """Take in what sources that are due have new, one collection after the other."""
        await self._each(self._refresh)

    @tasks.loop(minutes=1)
    async def watch(self) -> None:
        """Ask again what people wait for, where there are new reports."""
        await self._each(lambda _, archive: ask_again(self._bot, archive))

    @tasks.loop(minutes=1)
    async def note(self) -> None:
        """Put notes under answers whose quotes no longer stand."""
        await self._each(self._notes.look)

    @tasks.loop(hours=24)
    async def forget(self) -> None:
        """Forget old answers."""
        days = self._bot.settings.answers.keep_days
        await self._each(lambda _, archive: asyncio.to_thread(archive.answers.prune, days))

    async def _each(self, look: Callable[[int | None, Archive], Awaitable[object]]) -> None:
        """Look after each server's collection that there is; one that fails stops no other.

        A loop by the clock would end for good, and for all collections, if it raised.
        """
        library = self._bot.library
        servers = [guild.id for guild in self._bot.guilds]
        for server in await asyncio.to_thread(library.existing, servers):
            with _logged("the collection of %s could not be looked after", server):
                await look(server, await asyncio.to_thread(library.archive, server))

    async def _refresh(self, server: int | None, archive: Archive) -> None:
        now = discord.utils.utcnow()
        if not any(one.due(now) for one in await asyncio.to_thread(archive.sources.all)):
            return

        def job(archive: Archive, on_progress: ProgressCallback) -> IngestResult:
            return archive.sources.refresh(now, on_progress=on_progress)

        if not await self._bot.works.quietly(server, "A scheduled refresh", job):
            return  # a reindex is at it
        failing = await asyncio.to_thread(archive.sources.failing, now - _FAILING)
        if failing and server is not None:
            await self._warn(server, failing)
            for one in failing:
                await asyncio.to_thread(archive.sources.mark_reported, one.uri)

    async def _warn(self, server: int, failing: list[Source]) -> None:
        """Tell moderators once, where they read, and else the owner; nobody is pinged."""
        guild = self._bot.get_guild(server)
        if guild is None:
            return
        view = notice_view(_failing_text(failing))
        for channel in [*self._channels(guild), None]:
            with contextlib.suppress(discord.HTTPException):
                place = channel or guild.owner or await self._bot.fetch_user(guild.owner_id or 0)
                await place.send(view=view)
                return
        log.warning("nobody in server %s could be told that sources fail", server)

    def _channels(self, guild: discord.Guild) -> list[discord.TextChannel]:
        settings = self._bot.settings.discord
        named = guild.get_channel(settings.moderator_channels.get(str(guild.id), 0))
        known = (guild.public_updates_channel, guild.safety_alerts_channel, guild.system_channel)
        return [
            one
            for one in (named, *known)
            if isinstance(one, discord.TextChannel) and not missing_to_write(one, guild.me)
        ]

    @tasks.loop(hours=1)
    async def call_roll(self) -> None:
        """Note which servers were left, and erase the collections of those left long ago."""
        async with self._rolling:
            left: list[int] = []
            with _logged("the servers could not be gone through"):
                here = [guild.id for guild in self._bot.guilds]  # also those in an outage
                left = await asyncio.to_thread(self._roll.call, here, discord.utils.utcnow())
            for server in left:  # a damaged collection keeps no other one from its end
                with _logged("what server %s left could not be erased", server):
                    await self._erase(server)

    async def _erase(self, server: int) -> None:
        """Erase what a server left, unless Discord, asked once more, says that we are in it."""
        try:
            await self._bot.fetch_guild(server)
        except (discord.NotFound, discord.Forbidden):
            if self._bot.library.existing([server]):
                with contextlib.suppress(InputError):  # others use it
                    await asyncio.to_thread(self._bot.library.erase, server)
                    log.warning("erased the collection of server %s, left long ago", server)
            await asyncio.to_thread(self._roll.strike, server)

    @refresh.before_loop
    @watch.before_loop
    @note.before_loop
    @forget.before_loop
    @call_roll.before_loop
    async def _ready(self) -> None:
        await self._bot.wait_until_ready()

    @commands.Cog.listener("on_guild_remove")
    @commands.Cog.listener("on_guild_join")
    async def _changed(self, _: discord.Guild) -> None:
        if self._bot.is_ready():  # before that, not all servers are known
            await self.call_roll()


@contextlib.contextmanager
def _logged(failure: str, *names: object) -> Iterator[None]:
    """Go on whatever fails, which the log tells."""
    try:
        yield
    except Exception:
        log.exception(failure, *names)


class Roll:
    """The servers that the bot is in, and when it left others, in a small file."""

    def __init__(self, path: Path, keep: timedelta) -> None:
        """Keep it in this file, and collections of servers that were left for so long."""
        self._path = path
        self._keep = keep

    def call(self, here: Iterable[int], now: datetime) -> list[int]:
        """Note who is there; the servers that were left longer ago than their data are kept."""
        known = self._read()
        present = {str(server) for server in here}
        left = {one: since or now.isoformat() for one, since in known.items() if one not in present}
        found = left | dict.fromkeys(present, "")
        if found != known:
            self._write(found)
        ends = {one: datetime.fromisoformat(since) + self._keep for one, since in left.items()}
        return [int(one) for one, end in ends.items() if end <= now]

    def strike(self, server: int) -> None:
        """No longer know a server."""
        known = self._read()
        known.pop(str(server), None)
        self._write(known)

    def _read(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self._path.read_text("ascii"))
        except FileNotFoundError:
            return {}
        return found

    def _write(self, known: dict[str, str]) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(known, indent=0, sort_keys=True), "ascii")
        fresh.replace(self._path)


def _failing_text(failing: Iterable[Source]) -> str:
    """What moderators are told of sources that have failed for a week."""
    lines = [
        f"- {escaped(source_name(one.uri)[:300])}\n  since {format_dt(one.failing_since, 'D')}: "
        f"{escaped(source_error(one)[:300])}"
        for one in failing
        if one.failing_since
    ]
    head = "### Sources of reports that have failed for a week"
    tail = "-# `/reports sources list` shows all; mend, pause or remove them there."
    return "\n".join([head, *lines[:_LISTED], tail])
