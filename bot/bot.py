"""The bot: its commands and buttons, all registered here; one error handler; start and stop."""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.ask import Ask, check_message
from bot.cogs.help import forget_me, help_
from bot.cogs.maintenance import Maintenance
from bot.cogs.moderation import Moderation
from bot.cogs.reports import Lookups
from bot.cogs.sources import SourceCommands, add_message, reindex
from bot.cogs.subscriptions import watching
from bot.collections import Collections
from bot.interactions import (
    Interaction,
    Pace,
    RateLimit,
    context_of,
    explain,
    is_moderator,
    reply_privately,
)
from bot.jobs import Jobs
from bot.settings import Settings
from bot.views.base import Button, Form, notice_view
from index import Encoder, InputError, SettingsError

log = logging.getLogger(__name__)
_PRESSES_PER_QUESTION = 5  # button presses allowed for each question allowed
_UNASKED_PER_HOUR = 20  # notes, answers to watches and warnings, in a server
_FOR_EVERYBODY = {"reports list", "reports show", "reports timeline"}
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # no voice, no warnings


@app_commands.guild_only()
class Reports(
    Lookups,
    Moderation,
    SourceCommands,
    commands.GroupCog,
    group_name="reports",
    group_description="The reports you can ask about",
):
    """The group `/reports`, whose commands require a moderator unless listed as everybody's."""

    async def interaction_check(  # type: ignore[override]  # discord.py: any client
        self, interaction: Interaction, /
    ) -> bool:
        command = interaction.command
        public = command is not None and command.qualified_name in _FOR_EVERYBODY
        return public or is_moderator(interaction)


class OnRecord(commands.AutoShardedBot):
    """Answers questions in Discord from its collections."""

    def __init__(self, collections: Collections, settings: Settings) -> None:
        """Wire the parts; nothing connects before `start`."""
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents.default(),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.collections = collections
        self.settings = settings
        self.jobs = Jobs(collections, settings.discord)
        self.question_limit = RateLimit(settings.discord)
        self.press_limit = RateLimit(
            settings.discord, _PRESSES_PER_QUESTION, done="pressed many buttons"
        )
        self.unasked = Pace(_UNASKED_PER_HOUR, 3600)
        # Answering is all computing: more threads than cores would slow down one another.
        self.asking = ThreadPoolExecutor(os.cpu_count() or 1, "onrecord-ask")
        self.tree.error(self.explain)

    async def setup_hook(self) -> None:
        """Register commands and buttons."""
        self.add_dynamic_items(Button)
        for cog in (Ask(self), Reports(), Maintenance(self)):
            await self.add_cog(cog)
        self.tree.add_command(reindex)
        self.tree.add_command(watching)
        self.tree.add_command(help_)
        self.tree.add_command(forget_me)
        self.tree.add_command(check_message)
        self.tree.add_command(add_message)
        await self.tree.sync()

    async def on_message(self, message: discord.Message, /) -> None:
        """Take no text commands; the cog `Ask` listens to messages."""

    async def on_interaction(self, interaction: Interaction) -> None:
        """Answer a form that was opened before a restart; discord.py drops those silently."""
        data: Any = interaction.data or {}
        submitted = interaction.type is discord.InteractionType.modal_submit
        if submitted and Form.is_outdated(data.get("custom_id", "")):
            error = InputError("I was restarted while you were writing: open the form again.")
            await self.explain(interaction, error)

    async def close(self) -> None:
        await self.jobs.close()
        await super().close()
        await asyncio.to_thread(self.asking.shutdown, cancel_futures=True)
        await asyncio.to_thread(self.collections.close)

    async def explain(self, interaction: Interaction, error: Exception) -> None:
        """Answer a failed command or button with one sentence.

        Only its user sees it, unless the reply was deferred in public. If the interaction has
        expired, it comes as a direct message.
        """
        context = context_of(interaction)
        view = notice_view(explain(error, context))
        try:
            try:
                await reply_privately(interaction, view)
            except discord.HTTPException:
                await interaction.user.send(view=view)
        except discord.HTTPException as failure:
            log.warning("%s failed, and the user could not be told: %s", context, failure)


def run(settings: Settings, encoder: Encoder) -> None:
    """Connect to Discord and serve until stopped.

    Raises:
        SettingsError: there is no token, or Discord refuses it.
    """
    if settings.token is None:
        raise SettingsError(
            "There is no token: set DISCORD_TOKEN to your bot's token from Discord's developer "
            "portal (README, “Connect it to Discord”)."
        )
    settings.data.mkdir(parents=True, exist_ok=True)
    bot = OnRecord(Collections(settings, encoder), settings)
    try:
        bot.run(settings.token.get_secret_value(), log_handler=None)
    except discord.LoginFailure:
        raise SettingsError("Discord refuses the token: copy it again from the portal.") from None
