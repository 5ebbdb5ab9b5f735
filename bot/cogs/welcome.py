"""What a server reads when the bot joins it: one message, and nothing else unasked."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import discord
from discord.ext import commands

from bot.interactions import missing_to_write
from bot.sending import DISCORD_ERRORS, send_once
from bot.views.base import notice_view

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
_LOOK_BACK = 20  # bots that were added last, in the server's audit log
WELCOME = """### I answer questions by quoting your reports, word for word
1. Give me the first ones: `/moderate add` takes files, or the address of a page or a feed.
2. Whoever has *Manage Server* may do that. So that others may too, choose their role in
`/settings`, and allow it under *Server Settings*, *Integrations*.
3. Then anybody can `/ask`. `/help` says the rest."""


class Welcome(commands.Cog):
    """Greets servers that have no reports yet."""

    def __init__(self, bot: OnRecord) -> None:
        """Greet for this bot."""
        self._bot = bot

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Tell whoever added the bot what to do first, or else all in the system channel.

        A server that comes back to its reports, or shares those of others, is told nothing.
        """
        if not self._bot.is_ready():  # before that, servers that were there all along arrive
            return
        if await asyncio.to_thread(self._bot.collections.existing, [guild.id]):
            return
        view = notice_view(WELCOME)
        for reader in (await self._adder(guild), _system_channel(guild)):
            if reader is not None:
                with contextlib.suppress(*DISCORD_ERRORS):  # such as closed direct messages
                    await send_once(reader.send, view=view)
                    return
        log.info("nobody in server %s could be welcomed", guild.id)

    async def _adder(self, guild: discord.Guild) -> discord.abc.Messageable | None:
        """Who added the bot, as far as it may read that."""
        if not guild.me.guild_permissions.view_audit_log:
            return None
        action = discord.AuditLogAction.bot_add
        with contextlib.suppress(*DISCORD_ERRORS):
            async for entry in guild.audit_logs(action=action, limit=_LOOK_BACK):
                if entry.target is not None and entry.target.id == guild.me.id:
                    return entry.user
        return None


def _system_channel(guild: discord.Guild) -> discord.TextChannel | None:
    """The channel for the server's own messages, if the bot may write in it."""
    channel = guild.system_channel
    closed = channel is None or missing_to_write(channel, channel.permissions_for(guild.me))
    return None if closed else channel
