"""Who moderates, and what the bot is allowed to do in a channel."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands


def is_moderator(interaction: discord.Interaction[Any]) -> bool:
    """Whether the user has Manage Server, Manage Messages, or a role from the settings."""
    granted = interaction.permissions
    roles = {role.id for role in getattr(interaction.user, "roles", ())}
    moderator_roles = set(interaction.client.settings.discord.moderator_roles)
    return granted.manage_guild or granted.manage_messages or bool(roles & moderator_roles)


moderators_only = app_commands.check(is_moderator)


def missing_to_write(channel: Any, me: discord.Member) -> list[str]:
    """The permissions that the bot lacks to write in a channel or thread, in Discord's words."""
    in_thread = isinstance(channel, discord.Thread)
    send = "send_messages_in_threads" if in_thread else "send_messages"
    return missing_permissions(channel.permissions_for(me), "view_channel", send)


def missing_for_thread(interaction: discord.Interaction[Any]) -> str | None:
    """Why the bot cannot start a thread here; None if it can."""
    if not isinstance(interaction.channel, discord.TextChannel):
        return "threads need a text channel in a server"
    needed = ("create_public_threads", "send_messages_in_threads")
    missing = missing_permissions(interaction.app_permissions, *needed)
    return f"I need {' and '.join(missing)}" if missing else None


def missing_permissions(granted: discord.Permissions, *names: str) -> list[str]:
    """Those of the named permissions that are not granted, in Discord's words."""
    missing = [name for name in names if not getattr(granted, name)]
    return [name.replace("_", " ").title().replace(" In ", " in ") for name in missing]
