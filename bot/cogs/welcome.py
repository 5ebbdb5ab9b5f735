"""Welcome: a single message when the bot joins a server."""

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
_LOOK_BACK = 20  # entries of the server's audit log about added bots
WELCOME = """### I answer questions by quoting your reports, word for word
1. Give me the first ones: `/moderate add` takes files, or the address of a page or a feed.
2. Members with *Manage Server* can do that. To let others do it too, choose their role in
`/settings`, and allow it under *Server Settings*, *Integrations*.
3. Then anybody can `/ask`. `/help` says the rest."""


class Welcome(commands.Cog):
    """Greets servers that have no reports yet."""

    def __init__(self, bot: OnRecord) -> None:
        """Greet for this bot."""
        self._bot = bot

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Tell whoever added the bot what to do first, else write it in the system channel.

        Nothing is sent to a server that already has reports, of its own or shared.
        """
        if not self._bot.is_ready():  # until then, events are for servers that the bot was in
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
        """Return who added the bot; None if it may not read that."""
        if not guild.me.guild_permissions.view_audit_log:
            return None
        action = discord.AuditLogAction.bot_add
        with contextlib.suppress(*DISCORD_ERRORS):
            async for entry in guild.audit_logs(action=action, limit=_LOOK_BACK):
                if entry.target is not None and entry.target.id == guild.me.id:
                    return entry.user
        return None


def _system_channel(guild: discord.Guild) -> discord.TextChannel | None:
    """Return the server's system channel; None if the bot may not write in it."""
    channel = guild.system_channel
    if channel is None or missing_to_write(channel, channel.permissions_for(guild.me)):
        return None
    return channel
