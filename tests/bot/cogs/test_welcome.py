"""On joining, one message says what to do first; nothing else comes unasked."""

from __future__ import annotations

from typing import Any

import discord
from support.newsroom import Newsroom, said

BOT_ADD = discord.AuditLogAction.bot_add.value


async def join(room: Newsroom) -> Any:
    """Let the bot join the server again, with its newsroom as the system channel."""
    guild = room.env.bot.get_guild(room.guild.id)
    await guild.edit(system_channel=guild.get_channel(room.channel.id))
    ((event, greet),) = room.env.bot.get_cog("Welcome").get_listeners()
    assert event == "on_guild_join"
    await greet(guild)
    await room.env.settle()
    return room.channel.history()


def add_to_audit_log(room: Newsroom) -> None:
    """Note that the editor added the bot."""
    room.env.backend.record_audit_log(
        room.guild.id, BOT_ADD, target_id=room.env.bot.user.id, user_id=room.editor.id
    )


async def test_who_added_the_bot_is_told(simcord_env: Any) -> None:
    """They get a direct message, and the server's channels nothing."""
    room = Newsroom(simcord_env)
    add_to_audit_log(room)
    assert await join(room) == []
    told = said(room.editor.user.dm_channel.last_message)
    assert "`/moderate add` takes files" in told
    assert "*Manage Server*" in told


async def test_system_channel_is_told_if_nobody_else_can_be(simcord_env: Any) -> None:
    """Without an entry in the audit log the system channel gets the one message."""
    (message,) = await join(Newsroom(simcord_env))
    assert "`/moderate add` takes files" in said(message)


async def test_closed_direct_messages_are_no_end(simcord_env: Any) -> None:
    """Who takes no direct messages is told in the system channel."""
    room = Newsroom(simcord_env)
    add_to_audit_log(room)
    room.env.inject_error("POST", "/users/@me/channels", status=403, code=50007)
    (message,) = await join(room)
    assert "`/moderate add` takes files" in said(message)


async def test_server_with_reports_is_told_nothing(room: Newsroom) -> None:
    """One that comes back to its reports knows the bot."""
    assert await join(room) == []
