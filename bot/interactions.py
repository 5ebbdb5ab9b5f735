"""Interaction helpers: defer early, reply exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import discord
from discord import ui

from index import Archive

if TYPE_CHECKING:
    from bot.bot import OnRecord

Interaction: TypeAlias = "discord.Interaction[OnRecord]"

_ALREADY_ACKNOWLEDGED = 40060  # Discord's error code
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
    if not interaction.response.is_done():
        try:
            await interaction.response.send_message(view=view, ephemeral=True)
            return
        except discord.HTTPException as error:
            if error.code != _ALREADY_ACKNOWLEDGED:
                raise
    await interaction.followup.send(view=view, ephemeral=True)


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
    """Where an interaction came from, for the log; it does not name the user."""
    command = interaction.command.qualified_name if interaction.command else None
    data: Any = interaction.data or {}
    where = f"server {interaction.guild_id}, channel {interaction.channel_id}"
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
