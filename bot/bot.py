"""The Discord client: default intents, commands synced when they changed, one error handler."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from typing import Any

import discord
from discord.ext import commands

from bot.ask import ask, check, hear, help_
from bot.collections import Collections
from bot.desk import add_message, reindex
from bot.manners import Interaction, Pace, explained, sentence
from bot.press import Press
from bot.records import reports, why
from bot.render import notice_view
from bot.settings import Settings
from bot.upkeep import Upkeep
from bot.watch import watching
from bot.work import Works
from index import Encoder, SettingsError

_PRESSES = 5  # buttons that may be pressed for each question that may be asked
_SYNCED = "commands.sha256"
_COMMANDS: tuple[Any, ...] = (ask, help_, check, why, reports, watching, reindex, add_message)
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # no voice, no warnings


class OnRecord(commands.AutoShardedBot):
    """The bot: asks its library, answers in Discord."""

    def __init__(self, library: Collections, settings: Settings) -> None:
        """Wire the library; nothing connects before `start`."""
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents.default(),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.library = library
        self.settings = settings
        self.works = Works(library, settings.discord)
        self.pace = Pace(settings.discord)
        self.presses = Pace(settings.discord, _PRESSES)
        self.tree.error(self.explain)

    async def setup_hook(self) -> None:
        """Add the commands, and tell Discord when they differ from those last told."""
        self.add_dynamic_items(Press)
        for command in _COMMANDS:
            self.tree.add_command(command)
        await self.add_cog(Upkeep(self))
        payload = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        told = json.dumps([payload, self.application_id], sort_keys=True)
        digest = hashlib.sha256(told.encode()).hexdigest()
        path = self.settings.data / _SYNCED
        known = await asyncio.to_thread(lambda: path.is_file() and path.read_text("ascii"))
        if known != digest:
            await self.tree.sync()
            await asyncio.to_thread(path.write_text, digest, "ascii")

    async def on_message(self, message: discord.Message, /) -> None:
        """Take no text commands: what mentions the bot is a question."""
        await hear(self, message)

    async def close(self) -> None:
        await self.works.close()
        await super().close()
        await asyncio.to_thread(self.library.close)

    def moderates(self, interaction: Interaction) -> bool:
        """Manage Server, Manage Messages, or a role from the settings."""
        allowed = interaction.permissions
        roles = {role.id for role in getattr(interaction.user, "roles", ())}
        named = bool(roles & set(self.settings.discord.moderator_roles))
        return allowed.manage_guild or allowed.manage_messages or named

    async def explain(self, interaction: Interaction, error: Exception) -> None:
        """Answer every failed command or button with one sentence.

        Only its user sees it, unless the answer was begun for all to see.
        """
        with contextlib.suppress(discord.HTTPException):  # the interaction ran out
            await explained(interaction, notice_view(sentence(error)))


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
    client = OnRecord(Collections(settings, encoder), settings)
    try:
        client.run(settings.token.get_secret_value(), log_handler=None)
    except discord.LoginFailure:
        raise SettingsError("Discord refuses the token: copy it again from the portal.") from None
