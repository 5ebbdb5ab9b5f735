"""When the bot joins a server, a single message says what to do first."""

from __future__ import annotations

from typing import Any

import discord
from support.newsroom import Newsroom, said

BOT_ADD = discord.AuditLogAction.bot_add.value


async def join(room: Newsroom) -> Any:
    """Let the bot join the server again, with the newsroom's channel as the system channel."""
    guild = room.env.bot.get_guild(room.guild.id)
    await guild.edit(system_channel=guild.get_channel(room.channel.id))
    ((event, greet),) = room.env.bot.get_cog("Welcome").get_listeners()
    assert event == "on_guild_join"
    await greet(guild)
    await room.env.settle()
    return room.channel.history()


def add_to_audit_log(room: Newsroom) -> None:
    """Record that the editor added the bot."""
    room.env.backend.record_audit_log(
        room.guild.id, BOT_ADD, target_id=room.env.bot.user.id, user_id=room.editor.id
    )


async def test_the_person_who_added_the_bot_is_told(simcord_env: Any) -> None:
    """They get a direct message, and nothing is posted in the server's channels."""
    room = Newsroom(simcord_env)
    add_to_audit_log(room)
    assert await join(room) == []
    told = said(room.editor.user.dm_channel.last_message)
    assert "`/moderate add` takes files" in told
    assert "*Manage Server*" in told


async def test_system_channel_is_told_if_nobody_else_can_be(simcord_env: Any) -> None:
    """Without an entry in the audit log, the message is posted in the system channel."""
    (message,) = await join(Newsroom(simcord_env))
    assert "`/moderate add` takes files" in said(message)


async def test_closed_direct_messages_lead_to_the_system_channel(simcord_env: Any) -> None:
    """If the person accepts no direct messages, the message is posted in the system channel."""
    room = Newsroom(simcord_env)
    add_to_audit_log(room)
    room.env.inject_error("POST", "/users/@me/channels", status=403, code=50007)
    (message,) = await join(room)
    assert "`/moderate add` takes files" in said(message)


async def test_server_with_reports_is_told_nothing(room: Newsroom) -> None:
    """A server that already has reports gets no message."""
    assert await join(room) == []
