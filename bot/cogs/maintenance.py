"""Scheduled work: sources, watches, corrections, old answers, and servers that the bot has left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import discord
from discord.ext import commands, tasks
from discord.utils import format_dt

from bot.cogs.corrections import Corrections
from bot.cogs.subscriptions import ask_again, watches_due
from bot.cogs.upkeep import SOON, Duty, Upkeep, logging_failure
from bot.interactions import missing_to_write
from bot.jobs import SCHEDULED_AT_ONCE
from bot.markdown import escape
from bot.preferences import kept_days
from bot.sending import DISCORD_ERRORS, send_once
from bot.views.base import notice_view
from bot.views.text import plural, source_error, source_name
from index import (
    Archive,
    IngestResult,
    ProgressCallback,
    SettingsError,
    Source,
    Week,
)

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
OFTEN_MINUTES = 1
_TURN_S = 60.0  # after which a collection reads no further source while others wait
_SERVERS_FILE = "servers.json"
_WARN_AFTER = timedelta(days=7)  # of failures
_LISTED, _SHOWN_CHARS = 10, 300


class Maintenance(commands.Cog):
    """Runs scheduled work."""

    def __init__(self, bot: OnRecord) -> None:
        """Maintain this bot's collections."""
        self._bot = bot
        keep = timedelta(days=bot.settings.discord.keep_days_after_leaving)
        self._servers = KnownServers(
            bot.settings.data / _SERVERS_FILE, keep, bot.settings.discord.serves
        )
        self._updating = asyncio.Lock()
        self._loops: list[tasks.Loop[Any]] = [self.update_servers]

    async def cog_load(self) -> None:
        upkeep = Upkeep(self._bot, self.duties(), self._servers.known)
        self._loops.append(tasks.loop(minutes=OFTEN_MINUTES)(upkeep.begin))
        for loop in self._loops:
            loop.start()

    async def cog_unload(self) -> None:
        """Start no more work; work on a collection that has begun is finished."""
        for loop in self._loops:
            loop.cancel()

    def duties(self) -> list[Duty]:
        """Return the kinds of work that are done in every collection."""
        bot, corrections = self._bot, Corrections(self._bot)
        duties = [
            Duty(
                name="reading sources",
                look=lambda _, archive: archive.sources.due(),
                work=self._refresh,
                at_once=SCHEDULED_AT_ONCE,
            ),
            Duty(
                name="asking again",
                look=lambda _, archive: watches_due(bot, archive),
                work=partial(ask_again, bot),
            ),
            Duty(name="the weekly counts", look=self._week_due, work=self._count_week),
            Duty(
                name="deleting old answers", look=self._prune_due, work=self._prune, left_too=True
            ),
            Duty(name="adding notes", look=corrections.due, work=corrections.check),
        ]
        return duties if bot.settings.discord.notes else duties[:-1]

    def _prune_due(self, _: int | None, archive: Archive) -> datetime | None:
        overdue = archive.answers.overdue(kept_days(self._bot.settings, archive))
        return discord.utils.utcnow() - overdue if overdue is not None else None

    async def _prune(self, server: int | None, archive: Archive) -> datetime | None:
        """Delete old answers from the log, at most once a day."""
        days = await asyncio.to_thread(kept_days, self._bot.settings, archive)
        await asyncio.to_thread(archive.answers.prune, days)
        return await asyncio.to_thread(self._prune_due, server, archive)

    async def _refresh(self, server: int | None, archive: Archive) -> datetime | None:
        """Read sources that are due, until the time is up; return when the next source is due."""
        now = discord.utils.utcnow() + SOON

        def task(archive: Archive, on_progress: ProgressCallback) -> IngestResult:
            return archive.sources.refresh(now, on_progress=on_progress, seconds=_TURN_S)

        if not await self._bot.jobs.run_silently(server, "A scheduled refresh", task):
            return now
        if failing := await asyncio.to_thread(archive.sources.failing, now - _WARN_AFTER):
            await self._warn(server, archive, failing)
        return await asyncio.to_thread(archive.sources.due)

    async def _warn(self, server: int | None, archive: Archive, failing: Sequence[Source]) -> None:
        """Notify moderators of all servers that share failing sources; note if any was reached."""
        collection_of, notified = self._bot.settings.discord.collection_of, False
        for guild in self._bot.guilds:
            shares = collection_of(guild.id) == collection_of(server)
            if shares and not self._bot.unasked.wait_s(guild.id):
                notified |= await self._notify(guild, notice_view(_warning(failing)))
        for source in failing if notified else ():
            await asyncio.to_thread(archive.sources.mark_reported, source.uri)

    def _weekly_servers(self, server: int | None, archive: Archive) -> list[discord.Guild]:
        """Return the servers that use this collection and want weekly counts."""
        collection_of = self._bot.settings.discord.collection_of
        guilds = map(self._bot.get_guild, archive.preferences.named("weekly"))
        return [g for g in guilds if g and collection_of(g.id) == collection_of(server)]

    def _week_due(self, server: int | None, archive: Archive) -> datetime | None:
        """Return when the next weekly counts are due."""
        guilds = self._weekly_servers(server, archive)
        return min((archive.inbox.week_due(guild.id) for guild in guilds), default=None)

    async def _count_week(self, server: int | None, archive: Archive) -> datetime | None:
        """Send weekly counts to the servers whose moderators want them."""
        now = discord.utils.utcnow()
        for guild in await asyncio.to_thread(self._weekly_servers, server, archive):
            if self._bot.unasked.wait_s(guild.id):
                continue
            if await asyncio.to_thread(archive.inbox.begin_week, guild.id, now):
                week = await asyncio.to_thread(archive.inbox.week, guild.id, now)
                sources = await asyncio.to_thread(archive.sources.all)
                failing = sum(bool(s.failing_since and not s.paused) for s in sources)
                await self._notify(guild, notice_view(_weekly(week, failing)))
        return await asyncio.to_thread(self._week_due, server, archive)

    async def _notify(self, guild: discord.Guild, view: discord.ui.LayoutView) -> bool:
        """Notify moderators in the first channel that the bot may write in, else the owner.

        Return whether anybody could be notified.
        """
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
            with contextlib.suppress(*DISCORD_ERRORS):
                reader = target or await self._bot.fetch_user(guild.owner_id or 0)
                await send_once(reader.send, view=view)
                self._bot.unasked.count(guild.id)
                return True
        log.warning("nobody in server %s could be notified", guild.id)
        return False

    @tasks.loop(hours=1)
    async def update_servers(self) -> None:
        """Record which servers the bot is in; erase the collections of servers it left long ago."""
        await self._bot.wait_until_ready()
        async with self._updating:
            expired: list[int] = []
            with logging_failure("updating the list of servers failed"):
                present = [guild.id for guild in self._bot.guilds]  # even during their outage
                now = discord.utils.utcnow()
                expired = await asyncio.to_thread(self._servers.update, present, now)
            for server in expired:
                with logging_failure(f"erasing the collection of server {server} failed"):
                    await self._erase(server)

    async def _erase(self, server: int) -> None:
        """Erase a server's collection, unless Discord says that the bot is still in the server."""
        try:
            await self._bot.fetch_guild(server)
        except (discord.NotFound, discord.Forbidden):
            if await asyncio.to_thread(self._bot.collections.existing, [server]):
                await asyncio.to_thread(self._bot.collections.leave, server)
                log.warning("erased the data of server %s, which the bot left long ago", server)
            await asyncio.to_thread(self._servers.remove, server)

    @commands.Cog.listener("on_guild_remove")
    @commands.Cog.listener("on_guild_join")
    async def _on_guild_change(self, _: discord.Guild) -> None:
        if self._bot.is_ready():  # before that, not all servers are known
            await self.update_servers()


class KnownServers:
    """The servers that the bot is in, and when it left other servers, in a small file."""

    def __init__(
        self, path: Path, keep: timedelta, is_ours: Callable[[int], bool] = lambda _: True
    ) -> None:
        """Use the file `path`; the data of a server are kept for `keep` after the bot has left it.

        Only servers for which `is_ours` is true are recorded: other processes serve the rest.

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
        """Record the present servers; return servers left longer ago than the retention period."""
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
        """Return the servers that the bot is in or has left, until they are removed."""
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
    """Return the notice about the last seven days."""
    lines = (
        f"- {plural(week.answered, 'question')} answered, {week.declined:,} declined",
        f"- {plural(week.flagged, 'quote')} flagged as wrong",
        f"- {plural(failing, 'source')} failing now",
    )
    tail = "-# `/inbox` shows what is open; `/settings` turns this note off."
    return "\n".join(["### The last seven days", *lines, tail])


def _warning(failing: Iterable[Source]) -> str:
    """Return the notice about sources that have failed for a week."""
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
