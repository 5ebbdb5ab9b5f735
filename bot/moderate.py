"""Moderating: keeping a server's collection right."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.library import Library
from bot.manners import moderates
from bot.render import escaped, notice_view
from bot.settings import Settings
from index.errors import InputError
from index.intake import Report

_LISTED = 10


@dataclass(frozen=True, slots=True)
class Running:
    """A reindex under way."""

    by: str
    since: datetime


class Moderation(commands.Cog):
    """What moderators may do; Discord hides it from others, and the bot checks again."""

    def __init__(self, library: Library, settings: Settings) -> None:
        """Change the collections of this library."""
        self._library = library
        self._settings = settings.discord
        self._running: dict[str, Running] = {}  # by collection: servers may share one

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        return moderates(interaction, self._settings)

    @app_commands.command(description="Takes in what the sources of this server's reports have new")
    @app_commands.describe(rebuild="Embed every sentence again (after a change of the model)")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_messages=True)
    async def reindex(self, interaction: discord.Interaction[Any], rebuild: bool = False) -> None:
        """Reindex the server's collection; one at a time."""
        server = interaction.guild_id or 0
        with self._alone(server, interaction.user.display_name):
            await interaction.response.defer(ephemeral=True)
            archive = await asyncio.to_thread(self._library.archive, server)
            actor = f"discord:{interaction.user.id}"
            work = archive.rebuild if rebuild else archive.reindex
            report = await asyncio.to_thread(work, actor=actor)
            view = notice_view(report_text(report))
            try:
                await interaction.followup.send(view=view, ephemeral=True)
            except discord.HTTPException:  # it took longer than an interaction lives: 15 minutes
                await interaction.user.send(view=view)

    @contextmanager
    def _alone(self, server: int, name: str) -> Iterator[None]:
        collection = self._settings.collection_of(server)
        if running := self._running.get(collection):
            since = int(running.since.timestamp())
            raise InputError(
                f"{escaped(running.by)} started a reindex <t:{since}:R>: wait until it has ended."
            )
        self._running[collection] = Running(name, datetime.now(UTC))
        try:
            yield
        finally:
            del self._running[collection]


def report_text(report: Report) -> str:
    """What a reindex did, in a few lines."""
    lines = []
    for word, changes in (("Added", report.added), ("Updated", report.updated)):
        if changes:
            titles = [f"- {escaped(change.title)}" for change in changes[:_LISTED]]
            more = [f"- … and {len(changes) - _LISTED:,} more"] if len(changes) > _LISTED else []
            lines += [f"**{word} {len(changes):,}**", *titles, *more]
    lines += [f"**Unchanged {report.unchanged:,}**"] if report.unchanged else []
    for failure in report.failed[:_LISTED]:
        lines.append(f"**Failed** {escaped(failure.source)}: {escaped(failure.error)}")
    if report.embedded:
        lines.append(f"**Embedded {report.embedded:,} sentences again**")
    if not lines:
        lines = ["There is nothing to reindex: no sources are known yet."]
    return "\n".join([*lines, f"-# {report.seconds:.1f} s"])
