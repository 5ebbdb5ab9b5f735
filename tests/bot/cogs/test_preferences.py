"""/settings: moderators' choices apply at once, are kept with the collection, and are audited."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import discord
import pytest
from support.newsroom import ASKED, DAM, Newsroom, discord_with, parts, said

from bot.cogs.preferences import settings_view
from bot.collections import Collections
from bot.interactions import RateLimit
from bot.preferences import Preferences, kept_days
from bot.settings import Answers, Discord, Settings


async def choose(room: Newsroom, name: str, *values: Any) -> Any:
    """Open /settings as the editor, and choose values in a menu."""
    shown = await room.editor.slash(room.channel, "settings")
    custom_id = f"onrecord:set:{name}"
    return await room.editor.select(shown.response.message, [*values], custom_id=custom_id)


def chosen(message: Any, name: str) -> Any:
    """Return the value that a menu shows as chosen."""
    (menu,) = (item for item in parts(message) if item.get("custom_id") == f"onrecord:set:{name}")
    if "options" in menu:
        return [option["value"] for option in menu["options"] if option.get("default")]
    return [int(value["id"]) for value in menu.get("default_values", [])]


async def test_role_moderates_at_once(room: Newsroom) -> None:
    """People with a chosen role moderate without Discord's permissions, until it is removed."""
    role = room.guild.create_role("Fact desk", permissions=discord.Permissions.none())
    member = room.guild.add_member(room.env.create_user("checker"), roles=[role])
    await room.offer_everything(member)  # which the menu's text says how to do
    result = await choose(room, "moderator_roles", role)
    assert chosen(result.response, "moderator_roles") == [role.id]
    assert "**Saved** · Moderators: \\@Fact desk" in said(result.response)
    history = await member.slash(room.channel, "moderate history")
    assert f"<@{room.editor.id}> · settings · Moderators: \\@Fact desk" in said(history.response)
    result = await choose(room, "moderator_roles")
    assert chosen(result.response, "moderator_roles") == []
    refused = await member.slash(room.channel, "moderate history")
    assert "a role that is named in /settings" in said(refused.response)
    assert room.env.errors


async def test_everyone_cannot_moderate(room: Newsroom) -> None:
    """The role that everybody has is refused, and nothing changes."""
    result = await choose(room, "moderator_roles", room.guild.default_role)
    assert "Not everyone can moderate" in said(result.followups[-1])
    assert room.archive().preferences.of(room.guild.id) == {}


async def test_readers_cannot_choose(room: Newsroom) -> None:
    """Readers are not offered /settings, and a menu in front of them does nothing."""
    assert "settings" not in room.reader.available_commands(room.channel)
    settings = await asyncio.to_thread(room.env.bot.collections.preferences, room.guild.id)
    channel = room.env.bot.get_channel(room.channel.id)
    shown = await channel.send(view=settings_view(settings, 180))
    menu = "onrecord:set:moderator_roles"
    refused = await room.reader.select(shown, [room.desk], custom_id=menu)
    assert "for moderators" in said(refused.followups[-1])
    assert room.archive().preferences.of(room.guild.id) == {}


async def test_manage_server_alone_is_offered_everything(room: Newsroom) -> None:
    """People with Manage Server alone are offered what the welcome message names."""
    allowed = discord.Permissions(view_channel=True, manage_guild=True)
    role = room.guild.create_role("Adders", permissions=allowed)
    adder = room.guild.add_member(room.env.create_user("adder"), roles=[role])
    offered = adder.available_commands(room.channel)
    assert {"moderate add", "settings", "inbox", "reindex"} <= {*offered}


async def test_one_channel_makes_no_moderator(room: Newsroom) -> None:
    """A person who manages messages in a single channel cannot change what all channels read."""
    helper = room.guild.add_member(room.env.create_user("helper"))
    channel = room.env.bot.get_channel(room.channel.id)
    member = await channel.guild.fetch_member(helper.id)
    await channel.set_permissions(member, manage_messages=True, manage_guild=True)
    await room.offer_everything(helper)
    for command in ("moderate history", "settings", "inbox", "moderate erase-all"):
        refused = await helper.slash(room.channel, command)
        assert "Manage Server" in said(refused.response)
    assert room.env.errors


async def test_deleted_roles_and_channels_are_not_shown_as_chosen(room: Newsroom) -> None:
    """Deleted roles and channels are in no menu, and nobody is sent to a deleted channel."""
    role, desk = room.guild.create_role("Fact desk"), room.guild.create_text_channel("answers")
    names = {"moderator_roles": role, "channels": desk, "notices": desk}
    for name, value in names.items():
        await choose(room, name, value)
    guild = room.env.bot.get_guild(room.guild.id)
    await guild.get_role(role.id).delete()
    await guild.get_channel(desk.id).delete()
    shown = await room.editor.slash(room.channel, "settings")
    assert [chosen(shown.response, name) for name in names] == [[], [], []]
    asked = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert "the channels chosen in `/settings` no longer exist" in said(asked.response)


async def test_settings_are_read_once_before_the_reply(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Preferences are read only once before the first reply, for which Discord waits 3 seconds."""
    await choose(room, "channels", room.channel)
    read = Collections.preferences
    early: list[int | None] = []

    def counted(collections: Collections, server: int | None) -> Preferences:
        if not room.env.http_requests[-1].path.endswith("/callback"):
            early.append(server)
        return read(collections, server)

    monkeypatch.setattr(Collections, "preferences", counted)
    await room.reader.send(room.channel, "Hello, everybody.")
    await room.reader.slash(room.channel, "ask", question=ASKED)
    assert early == [room.guild.id]


async def test_presses_are_acknowledged_before_they_are_counted(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counting may have to wait for a database; Discord waits 3 seconds for the first reply."""
    asked = await room.reader.slash(room.channel, "ask", question=ASKED)
    count = RateLimit.take
    requests: list[str] = []

    async def noted(limit: RateLimit, *of: Any) -> None:
        requests.append(room.env.http_requests[-1].path)
        await count(limit, *of)

    monkeypatch.setattr(RateLimit, "take", noted)
    await room.reader.click(asked.response.message, label="Sources")
    await choose(room, "caution", "eager")
    assert [path.rpartition("/")[2] for path in requests] == ["callback", "callback"]


async def test_menus_have_the_limit_of_buttons(tmp_path: Path) -> None:
    """After as many choices as buttons may be pressed in a minute, a menu says when to go on."""
    slow = Discord(questions_per_minute=1, server_questions_per_minute=1)
    async with discord_with(Settings(data=tmp_path, discord=slow)) as room:
        for number in range(6):
            result = await choose(room, "caution", ("eager", "cautious")[number % 2])
        assert "pressed many buttons" in said(result.followups[-1])
        assert room.archive().preferences.of(room.guild.id) == {"caution": "eager"}


async def test_answers_are_public_only_in_chosen_channels(room: Newsroom) -> None:
    """Elsewhere /ask answers in private and says where to ask, and mentions are sent there."""
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
    assert told == f"I can't answer there: ask in <#{desk.id}>."
    assert not (await room.reader.slash(desk, "ask", question=ASKED)).ephemeral


async def test_notices_go_only_where_the_bot_can_write(room: Newsroom) -> None:
    """A channel that is closed to the bot is refused, with the permissions it needs."""
    shut = room.guild.create_text_channel("shut")
    guild = room.env.bot.get_guild(room.guild.id)
    await guild.get_channel(shut.id).set_permissions(guild.me, send_messages=False)
    result = await choose(room, "notices", shut)
    assert "I can't write in #shut: give me Send Messages there first." in said(
        result.followups[-1]
    )


async def test_each_server_has_its_own_pace(room: Newsroom) -> None:
    """With one question a minute, the second is refused."""
    result = await choose(room, "questions_per_minute", "1")
    assert chosen(result.response, "questions_per_minute") == ["1"]
    await room.reader.slash(room.channel, "ask", question=ASKED)
    refused = await room.reader.slash(room.channel, "ask", question=ASKED)
    assert "You've asked a lot" in said(refused.response)
    assert room.env.errors


async def test_days_kept_can_be_chosen(room: Newsroom, settings: Settings) -> None:
    """/help shows the chosen days; among servers the fewest apply, and never more than allowed."""
    result = await choose(room, "keep_days", "7")
    (menu,) = (m for m in parts(result.response) if m.get("custom_id") == "onrecord:set:keep_days")
    assert [option["value"] for option in menu["options"]] == ["7", "30", "90", "180"]
    assert "without names, for 7 days" in said(
        (await room.reader.slash(room.channel, "help")).response
    )
    archive = room.archive()
    assert kept_days(settings, archive) == 7
    archive.preferences.put(1, "keep_days", 30, actor="operator", note="")
    assert kept_days(settings, archive) == 7
    await choose(room, "keep_days")
    assert kept_days(settings, archive) == 30
    archive.preferences.put(1, "keep_days", 730, actor="operator", note="")
    assert kept_days(settings, archive) == settings.answers.keep_days


async def test_caution_decides_what_is_declined(tmp_path: Path) -> None:
    """A question between two thresholds is declined only with the more cautious."""
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
