"""Moderating beside `/reports`: `/reindex`, and adding what a message holds."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.answering import actor_of
from bot.desk import Desk
from bot.incoming import addresses, bring_in
from bot.library import Library
from bot.press import Interaction
from index.errors import InputError, NotFoundError
from index.intake import Report, Watcher


class Moderation(commands.Cog):
    """What moderators may do; Discord hides it from others, and the bot checks again."""

    def __init__(self, bot: commands.AutoShardedBot) -> None:
        """Make the message menu, which no decorator can in a class."""
        self.bot = bot
        self._menu = app_commands.ContextMenu(name="Add to the reports", callback=self.add_message)
        self._menu.add_check(self.interaction_check)

    async def cog_load(self) -> None:
        """Add the message menu, and the desk's commands to the group that everybody sees."""
        self.bot.tree.add_command(self._menu)
        reports = self.bot.tree.get_command("reports")
        if isinstance(reports, app_commands.Group):
            for command in Desk().commands:
                reports.add_command(command)

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        allowed: bool = interaction.client.moderates(interaction)
        return allowed

    @app_commands.command(description="Takes in what the sources of this server's reports have new")
    @app_commands.describe(
        rebuild="Embed every sentence again (after a change of the model)",
        dry_run="Only tell what would be done",
    )
    @app_commands.rename(dry_run="dry-run")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_messages=True)
    async def reindex(
        self, interaction: Interaction, rebuild: bool = False, dry_run: bool = False
    ) -> None:
        """Reindex the server's collection; one at a time."""
        if rebuild and dry_run:
            raise InputError("A rebuild takes nothing in: there is nothing to tell beforehand.")
        library: Library = interaction.client.library
        server, actor = interaction.guild_id, actor_of(interaction)

        def job(watch: Watcher) -> Report:
            archive = library.archive(server)
            if rebuild:
                return archive.rebuild(actor=actor, watch=watch)
            if not archive.sources.all():
                raise NotFoundError("No sources are known yet: add one with /reports sources add.")
            return archive.sources.reindex(actor=actor, dry_run=dry_run, watch=watch)

        what = "Rebuilding" if rebuild else "Reindexing, dry run" if dry_run else "Reindexing"
        await interaction.client.works.show(interaction, what, job, alone=True)

    @app_commands.guild_only()
    @app_commands.default_permissions(manage_messages=True)
    async def add_message(self, interaction: Interaction, message: discord.Message) -> None:
        """Add what a message links to and what is attached to it."""
        found = addresses(message.content)
        if not found and not message.attachments:
            raise InputError("This message has neither a link nor a file to add.")
        await bring_in(interaction, found, message.attachments)
