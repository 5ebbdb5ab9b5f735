"""Watches: questions that the reports did not answer, asked again when there are new reports."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands, tasks

from bot.answering import begun, each_collection
from bot.buttons import answer_rows, stop_row
from bot.library import Library
from bot.manners import tell
from bot.render import answer_view, escaped, notice_view
from bot.settings import Settings
from index.archive import Archive
from index.memory import Watch

log = logging.getLogger(__name__)
_LISTED = 10  # each with a button of its own, far under 40 components
_SHORT = 150  # of a question, so that all fit into a message even where each letter is escaped


class Watching(commands.Cog):
    """Looks once a minute whether a commit made a new generation, and only then asks."""

    def __init__(self, bot: commands.AutoShardedBot, library: Library, settings: Settings) -> None:
        """Look into this library's collections."""
        self.bot = bot
        self._library = library
        self._settings = settings

    async def cog_load(self) -> None:
        """Begin to look."""
        self.look.start()
        self.forget.start()

    async def cog_unload(self) -> None:
        """Stop looking."""
        self.look.cancel()
        self.forget.cancel()

    @tasks.loop(minutes=1)
    async def look(self) -> None:
        """Ask every watch of a collection that has changed since it was last asked."""
        await each_collection(self.bot, self._library, self._look_at)

    @tasks.loop(hours=24)
    async def forget(self) -> None:
        """Forget old answers, once a day."""
        days = self._settings.answers.keep_days

        async def prune(_: int | None, archive: Archive) -> None:
            await asyncio.to_thread(archive.memory.prune, days)

        await each_collection(self.bot, self._library, prune)

    @look.before_loop
    @forget.before_loop
    async def _ready(self) -> None:
        await self.bot.wait_until_ready()

    async def _look_at(self, _: int | None, archive: Archive) -> None:
        for watch in await asyncio.to_thread(_due, archive):
            try:
                await self._ask_again(archive, watch)
            except Exception:  # such as a publisher that is gone: the next ones still wait
                log.exception("watch %s could not be looked at", watch.number)

    async def _ask_again(self, archive: Archive, watch: Watch) -> None:
        answer = await asyncio.to_thread(archive.ask, watch.question, watch.filters)
        if answer.status == "declined":
            await asyncio.to_thread(archive.memory.looked, watch.number, answer.generation)
            return
        await asyncio.to_thread(archive.check, answer)
        rows = answer_rows(answer, private=False)
        note = f"<@{watch.person}> The reports now answer what you asked."
        try:
            sent = await self.bot.get_partial_messageable(watch.channel).send(
                view=answer_view(answer, rows, note=note),
                allowed_mentions=discord.AllowedMentions(users=[discord.Object(watch.person)]),
            )
        except (discord.Forbidden, discord.NotFound):
            log.warning("watch %s ends: its channel cannot be written to", watch.number)
        else:
            await asyncio.to_thread(
                archive.memory.log, answer, channel=watch.channel, message=sent.id
            )
        await asyncio.to_thread(archive.memory.unwatch, watch.number)

    @app_commands.command(description="Questions I look out for here; you can end yours")
    async def watching(self, interaction: discord.Interaction[Any]) -> None:
        """List one's own watches; to a moderator all of the server."""
        archive = await begun(interaction)
        guild = interaction.guild if interaction.client.moderates(interaction) else None
        mine = interaction.user.id
        found = [
            one
            for one in await asyncio.to_thread(archive.memory.watches)
            if one.person == mine or (guild and guild.get_channel_or_thread(one.channel))
        ]
        if not found:
            text = "There is no question that I look out for. Where an answer declines, ask me to."
            await tell(interaction, notice_view(text))
            return
        view = discord.ui.LayoutView(timeout=None)
        for one in found[:_LISTED]:
            whose = "you" if one.person == mine else f"<@{one.person}>"
            line = f"**{escaped(one.question[:_SHORT])}**\n-# for {whose} in <#{one.channel}>"
            view.add_item(discord.ui.TextDisplay[Any](line))
            view.add_item(stop_row(one.number))
        if len(found) > _LISTED:
            more = f"-# … and {len(found) - _LISTED} more, once these have ended"
            view.add_item(discord.ui.TextDisplay[Any](more))
        await tell(interaction, view)


def _due(archive: Archive) -> list[Watch]:
    generation = archive.generation
    return [watch for watch in archive.memory.watches() if watch.generation < generation]
