"""/settings: what moderators choose holds at once, is kept with the collection, and is audited."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import discord
from support.newsroom import ASKED, DAM, Newsroom, discord_with, parts, said

from bot.cogs.preferences import settings_view
from bot.preferences import kept_days
from bot.settings import Answers, Settings


async def choose(room: Newsroom, name: str, *values: Any) -> Any:
    """Open /settings as the editor, and choose values in one of its menus."""
    shown = await room.editor.slash(room.channel, "settings")
    custom_id = f"onrecord:set:{name}"
    return await room.editor.select(shown.response.message, [*values], custom_id=custom_id)


def chosen(message: Any, name: str) -> Any:
    """The value that a menu shows as chosen."""
    (menu,) = (item for item in parts(message) if item.get("custom_id") == f"onrecord:set:{name}")
    if "options" in menu:
        return [option["value"] for option in menu["options"] if option.get("default")]
    return [int(value["id"]) for value in menu.get("default_values", [])]


async def test_role_moderates_at_once(room: Newsroom) -> None:
    """A chosen role moderates without any permission of Discord's own, until it is taken away."""
    role = room.guild.create_role("Fact desk", permissions=discord.Permissions.none())
    member = room.guild.add_member(room.env.create_user("checker"), roles=[role])
    await room.offer_everything(member)  # which the menu's text says how to do
    result = await choose(room, "moderator_roles", role)
    assert chosen(result.response, "moderator_roles") == [role.id]
    history = await member.slash(room.channel, "moderate history")
    assert f"<@{room.editor.id}> · settings · Moderators: \\@Fact desk" in said(history.response)
    result = await choose(room, "moderator_roles")
    assert chosen(result.response, "moderator_roles") == []
    refused = await member.slash(room.channel, "moderate history")
    assert "a role that they have named in /settings" in said(refused.response)
    assert room.env.errors


async def test_everyone_cannot_moderate(room: Newsroom) -> None:
    """The role that everybody has is refused, and nothing changes."""
    result = await choose(room, "moderator_roles", room.guild.default_role)
    assert "Not everyone can moderate" in said(result.followups[-1])
    assert room.archive().preferences.of(room.guild.id) == {}


async def test_readers_cannot_choose(room: Newsroom) -> None:
    """Who may not moderate is not offered the settings, and a menu before them does nothing."""
    assert "settings" not in room.reader.available_commands(room.channel)
    settings = await asyncio.to_thread(room.env.bot.collections.preferences, room.guild.id)
    channel = room.env.bot.get_channel(room.channel.id)
    shown = await channel.send(view=settings_view(settings))
    menu = "onrecord:set:moderator_roles"
    refused = await room.reader.select(shown, [room.desk], custom_id=menu)
    assert "for moderators" in said(refused.response)
    assert room.archive().preferences.of(room.guild.id) == {}


async def test_answers_are_public_only_in_chosen_channels(room: Newsroom) -> None:
    """Elsewhere /ask answers in private and says where to ask, and a mention is sent there."""
    desk = room.guild.create_text_channel("answers")
    await choose(room, "channels", desk)
    private = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert private.ephemeral
    assert f"I can't answer in public here: ask in <#{desk.id}>." in said(private.response)
    shared = await room.reader.click(private.response.message, label="Show everyone")
    assert f"I can't show it here: ask in <#{desk.id}>." in said(shared.followups[-1])
    timeline = await room.reader.slash(room.channel, "reports timeline", topic="dam")
    assert timeline.ephemeral
    me = room.env.bot.user.mention
    await room.reader.send(room.channel, f"{me} {ASKED}")
    told = said(room.reader.user.dm_channel.last_message)
    assert told == f"I answer in <#{desk.id}>: ask me there."
    assert not (await room.reader.slash(desk, "ask", question=ASKED)).ephemeral


async def test_notices_go_only_where_the_bot_can_write(room: Newsroom) -> None:
    """A channel that is closed to the bot is refused, with what it needs."""
    shut = room.guild.create_text_channel("shut")
    guild = room.env.bot.get_guild(room.guild.id)
    await guild.get_channel(shut.id).set_permissions(guild.me, send_messages=False)
    result = await choose(room, "notices", shut)
    assert "I can't write in #shut: give me Send Messages there first." in said(
        result.followups[-1]
    )


async def test_pace_is_the_servers_own(room: Newsroom) -> None:
    """With one question a minute, the second is refused."""
    result = await choose(room, "questions_per_minute", "1")
    assert chosen(result.response, "questions_per_minute") == ["1"]
    await room.reader.slash(room.channel, "ask", question=ASKED)
    refused = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert "You've asked a lot" in said(refused.response)
    assert room.env.errors


async def test_days_kept_are_kept_and_said(room: Newsroom, settings: Settings) -> None:
    """/help says the chosen days, old answers go then, and the shortest of servers counts."""
    await choose(room, "keep_days", "7")
    assert "without names, for 7 days" in said(
        (await room.reader.slash(room.channel, "help")).response
    )
    archive = room.archive()
    assert kept_days(settings, archive) == 7
    archive.preferences.put(1, "keep_days", 30, actor="operator", note="")
    assert kept_days(settings, archive) == 7
    await choose(room, "keep_days")
    assert kept_days(settings, archive) == 30
    archive.preferences.put(1, "keep_days", None, actor="operator", note="")
    assert kept_days(settings, archive) == settings.answers.keep_days


async def test_caution_decides_what_is_declined(tmp_path: Path) -> None:
    """A question between two thresholds is declined by the more cautious, and answered again."""
    settings = Settings(data=tmp_path, answers=Answers(threshold=1.0))
    async with discord_with(settings) as room:
        room.stock(settings, tmp_path / "reports", dam=DAM)

        async def ask() -> str:
            result = await room.reader.slash(room.channel, "ask", question=ASKED)
            return said(result.response)

        assert "4:40" not in (await ask()).partition("closest")[0]
        await choose(room, "caution", "eager")
        assert "closest" not in await ask()
        await choose(room, "caution", "normal")
        assert "4:40" not in (await ask()).partition("closest")[0]
