"""Interactions: defer early, reply exactly once, know who may do what, and explain failures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.settings import Discord
from index import (
    Archive,
    EncoderError,
    OnRecordError,
    QuestionError,
    QuoteError,
    StoreError,
)

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
Interaction: TypeAlias = "discord.Interaction[OnRecord]"
_ALREADY_ACKNOWLEDGED = 40060  # Discord's error code
_WINDOW_S = 60.0
T = TypeVar("T")


async def defer(interaction: Interaction, **options: bool) -> None:
    """Tell Discord that a reply will follow.

    "Already acknowledged" counts as success: an earlier attempt that seemed to fail had arrived.
    """
    try:
        await interaction.response.defer(**options)
    except discord.HTTPException as error:
        if error.code != _ALREADY_ACKNOWLEDGED:
            raise


async def edit_reply(
    interaction: Interaction, view: ui.LayoutView, *files: discord.File
) -> discord.Message:
    """Fill in the deferred reply; repeating it still leaves one reply."""
    message: discord.Message = await interaction.edit_original_response(
        view=view, attachments=files
    )
    return message


async def reply_privately(interaction: Interaction, view: ui.LayoutView) -> None:
    """Reply to the user alone, deferred or not."""
    if interaction.response.is_done():
        await interaction.followup.send(view=view, ephemeral=True)
    else:
        await interaction.response.send_message(view=view, ephemeral=True)


async def archive_of(interaction: Interaction) -> Archive:
    """The collection of the interaction's server. Raises QuestionError in direct messages."""
    return await asyncio.to_thread(interaction.client.collections.archive, interaction.guild_id)


async def defer_and_open(interaction: Interaction, *, private: bool = True) -> Archive:
    """Defer the reply, then open the server's collection."""
    await defer(interaction, ephemeral=private)
    return await archive_of(interaction)


def actor_of(interaction: Interaction) -> str:
    """The user as the audit log names them."""
    return f"discord:{interaction.user.id}"


def context_of(interaction: discord.Interaction[Any]) -> str:
    """The command or button, the server, the channel and the user's id, for the log."""
    command = interaction.command.qualified_name if interaction.command else None
    data: Any = interaction.data or {}
    where = f"server {interaction.guild_id}, channel {interaction.channel_id}"
    where += f", user {interaction.user.id}"
    return f"{command or data.get('custom_id')} ({where})"


async def alongside(deferral: Awaitable[object], work: Coroutine[Any, Any, T]) -> T:
    """Work while the deferral is sent; if that fails, the work is cancelled."""
    task = asyncio.create_task(work)
    try:
        await deferral
    except BaseException:
        task.cancel()
        raise
    return await task


def explain(error: Exception, context: str) -> str:
    """One sentence for the person affected; what an operator has to know is logged too."""
    match getattr(error, "original", error):  # a command's error comes wrapped
        case StoreError() | EncoderError() | QuoteError() as cause:
            log.warning("%s failed: %s", context, cause)
            return str(cause)
        case OnRecordError() as cause:
            return str(cause)
        case app_commands.CheckFailure():
            return "This command is for moderators: it needs Manage Server or Manage Messages."
        case app_commands.CommandSignatureMismatch() | app_commands.CommandNotFound():
            return "This command has changed since your Discord loaded it: try again in a minute."
        case discord.Forbidden():
            return "I'm not allowed to do that here: give me View Channel and Send Messages."
        case cause:
            log.error("unexpected error in %s", context, exc_info=cause)
            return "Something went wrong. It has been logged."


def is_moderator(interaction: discord.Interaction[Any]) -> bool:
    """Whether the user has Manage Server, Manage Messages, or a role from the settings."""
    granted = interaction.permissions
    roles = {role.id for role in getattr(interaction.user, "roles", ())}
    moderator_roles = set(interaction.client.settings.discord.moderator_roles)
    return granted.manage_guild or granted.manage_messages or bool(roles & moderator_roles)


moderators_only = app_commands.check(is_moderator)


def missing_permissions(granted: discord.Permissions, *names: str) -> str:
    """Those of the named permissions that are not granted, in Discord's words; "" for none."""
    missing = [name.replace("_", " ").title() for name in names if not getattr(granted, name)]
    return " and ".join(missing).replace(" In ", " in ")


def missing_to_write(channel: Any, me: discord.Member) -> str:
    """The permissions that the bot lacks to write in a channel or thread."""
    in_thread = isinstance(channel, discord.Thread)
    send = "send_messages_in_threads" if in_thread else "send_messages"
    return missing_permissions(channel.permissions_for(me), "view_channel", send)


class RateLimitError(QuestionError):
    """A person or a server asked too much in too short a time."""


class RateLimit:
    """Counts requests by person and by server in windows of a minute."""

    def __init__(self, settings: Discord, factor: int = 1) -> None:
        """Allow `factor` requests for each question that the settings allow."""
        self._by_person, self._by_server = (
            commands.CooldownMapping[Any](
                app_commands.Cooldown(factor * rate, _WINDOW_S), lambda key: key
            )
            for rate in (settings.questions_per_minute, settings.server_questions_per_minute)
        )

    def take(self, person: int, server: int | None) -> None:
        """Count one request.

        Raises:
            RateLimitError: it is over the limit; the message says when to try again.
        """
        now = discord.utils.utcnow().timestamp()
        for counter, key, whose in (
            (self._by_person, person, "You've"),
            (self._by_server, server, "This server has"),
        ):
            wait_s = counter.update_rate_limit(key, now) if key is not None else None
            if wait_s:
                raise RateLimitError(
                    f"{whose} asked a lot in the last minute: try again "
                    f"<t:{int(now + wait_s) + 1}:R>."
                )
