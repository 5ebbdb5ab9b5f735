"""/settings: a menu for each preference of a server; choices take effect at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import discord
from discord import app_commands, ui

from bot.interactions import (
    Interaction,
    actor_of,
    archive_of,
    check_moderator,
    defer,
    edit_reply,
    granted_to,
    missing_to_write,
    moderators_only,
    offered_to_moderators,
    preferences_of,
)
from bot.markdown import escape
from bot.preferences import Preferences
from bot.views.base import Row
from bot.views.text import plural
from index import InputError

Menu = ui.Select[Any] | ui.RoleSelect[Any] | ui.ChannelSelect[Any]
_MAX_VALUES = 25  # Discord's limit for a menu
_MINUTE, _DAYS = (1, 2, 3, 6, 10, 20, 60), (7, 30, 90, 180, 365, 730)
_HEAD = (
    "### Settings\nChanges take effect at once, and the audit log says who made them. To go back "
    "to the default, choose nothing."
)


@dataclass(frozen=True, slots=True)
class Setting:
    """How a preference is shown.

    Attributes:
        title: its name, also in the audit log.
        about: what it does.
        unset: what applies if nothing is chosen.
        options: value, label and description of each choice; empty for roles and channels.
    """

    title: str
    about: str
    unset: str
    options: tuple[tuple[object, str, str], ...] = ()


SETTINGS = {
    "moderator_roles": Setting(
        "Moderators",
        "Roles whose members moderate, in addition to members with Manage Server, or with Manage "
        "Messages in all channels. To let Discord show them my commands, allow the roles under "
        "*Server Settings*, *Integrations*.",
        "No further roles",
    ),
    "channels": Setting(
        "Channels for answers",
        "Where I answer in public; elsewhere `/ask` answers in private.",
        "Every channel",
    ),
    "notices": Setting(
        "Channel for notices",
        "Where I notify moderators of what needs them, such as a source that fails.",
        "Discord's channel for updates, or the owner",
    ),
    "weekly": Setting(
        "Weekly counts",
        "A notice of how many questions I answered and declined, and what is in `/inbox`.",
        "Never",
        ((True, "Every week", ""),),
    ),
    "questions_per_minute": Setting(
        "Pace",
        "How many questions one person may ask in a minute.",
        "The operator's number",
        tuple((count, plural(count, "question"), "") for count in _MINUTE),
    ),
    "keep_days": Setting(
        "Days kept",
        "How long questions, answers, feedback and watches are kept.",
        "The operator's number",
    ),
    "caution": Setting(
        "Caution",
        "How readily I decline instead of answering.",
        "Normal",
        (
            (
                *("cautious", "Cautious"),
                "Answers 2 of 3 ordinary questions, and 1 of 4 that the reports just miss",
            ),
            (
                *("normal", "Normal"),
                "Answers 9 of 10 ordinary questions, and 4 of 10 that the reports just miss",
            ),
            (
                *("eager", "Eager"),
                "Answers hardly more ordinary questions, and 5 of 10 that the reports just miss",
            ),
        ),
    ),
}


@app_commands.command(name="settings")
@app_commands.guild_only()
@offered_to_moderators
@moderators_only
async def settings_(interaction: Interaction) -> None:
    """Who moderates, where and how I answer, and how long things are kept."""
    await defer(interaction, ephemeral=True)
    await _show(interaction, await preferences_of(interaction))


async def _show(interaction: Interaction, preferences: Preferences, saved: str = "") -> None:
    most_days = interaction.client.settings.answers.keep_days
    view = settings_view(preferences.present(interaction.guild), most_days, saved)
    await edit_reply(interaction, view)


def settings_view(preferences: Preferences, most_days: int, saved: str = "") -> ui.LayoutView:
    """Return every setting with its menu, and what was `saved` just now.

    `most_days` is the operator's limit on the days that answers are kept.
    """
    view = ui.LayoutView(timeout=None)
    if saved:
        view.add_item(ui.TextDisplay[Any](f"**Saved** · {escape(saved)}"))
    view.add_item(ui.TextDisplay[Any](_HEAD))
    for name, setting in _settings(most_days).items():
        view.add_item(ui.TextDisplay[Any](f"**{setting.title}** · {setting.about}"))
        menu = _menu(name, setting, getattr(preferences, name))
        view.add_item(Row(SettingSelect(menu, name)))
    return view


def _settings(most_days: int) -> dict[str, Setting]:
    """Return all settings, without days that the operator does not allow."""
    days = [*(days for days in _DAYS if days < most_days), most_days]
    options = tuple((number, plural(number, "day"), "") for number in days)
    return SETTINGS | {"keep_days": replace(SETTINGS["keep_days"], options=options)}


def _menu(name: str, setting: Setting, value: Any) -> Menu:
    """Return the menu of a setting, with the present choice selected."""
    shown: dict[str, Any] = {
        "custom_id": f"onrecord:set:{name}",
        "placeholder": setting.unset,
        "min_values": 0,
    }
    if name == "moderator_roles":
        roles = [discord.Object(role, type=discord.Role) for role in value]
        return ui.RoleSelect[Any](**shown, max_values=_MAX_VALUES, default_values=roles)
    if not setting.options:
        ids = (value,) if isinstance(value, int) else value or ()
        channels = [discord.Object(channel, type=discord.TextChannel) for channel in ids]
        kinds = [discord.ChannelType.text, discord.ChannelType.news]
        shown["max_values"] = _MAX_VALUES if name == "channels" else 1
        return ui.ChannelSelect[Any](**shown, channel_types=kinds, default_values=channels)
    menu = ui.Select[Any](**shown)
    for option, label, description in setting.options:
        menu.add_option(
            label=label, value=str(option), description=description or None, default=option == value
        )
    return menu


class SettingSelect(ui.DynamicItem[Menu], template=r"onrecord:set:(?P<name>[a-z_]+)"):
    """The menu of a setting; it survives restarts as buttons do."""

    def __init__(self, menu: Menu, name: str) -> None:
        """Wrap a menu."""
        self._name = name
        super().__init__(menu)

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],  # noqa: ARG003 - part of discord.py's signature
        item: ui.Item[Any],
        match: Any,
        /,
    ) -> Self:
        return cls(item, match["name"])  # type: ignore[arg-type]  # the menu with that id

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Save what a moderator chose, and show all settings again."""
        try:
            await defer(interaction)  # first of all: Discord waits for three seconds
            limit = interaction.client.press_limit
            await limit.take(interaction.user.id, interaction.guild_id)
            await check_moderator(interaction)
            await _choose(interaction, self._name, self.item.values)
        except Exception as error:  # noqa: BLE001 - logged and explained there
            await interaction.client.explain(interaction, error)


async def _choose(interaction: Interaction, name: str, chosen: Iterable[Any]) -> None:
    """Save a choice and show all settings. Raises InputError for a choice that cannot be used."""
    bot = interaction.client
    setting = _settings(bot.settings.answers.keep_days).get(name)
    known = {str(value): (value, label) for value, label, _ in setting.options} if setting else {}
    chosen = [*chosen]
    if setting is None or not known.keys() >= {item for item in chosen if isinstance(item, str)}:
        raise InputError("This menu is out of date: open `/settings` again.")
    granted = granted_to(interaction.user)
    if name == "moderator_roles" and not (granted.manage_guild or granted.manage_messages):
        raise InputError("Choosing who moderates needs Manage Server or Manage Messages.")
    pairs = [known[item] if isinstance(item, str) else _pair(interaction, item) for item in chosen]
    values, labels = [value for value, _ in pairs], [label for _, label in pairs]
    value = values if name in {"moderator_roles", "channels"} else (*values, None)[0]
    archive, server = await archive_of(interaction), interaction.guild_id or 0
    note = f"{setting.title}: {', '.join(labels) or 'default'}"
    actor = actor_of(interaction)
    await asyncio.to_thread(
        archive.preferences.put, server, name, value or None, actor=actor, note=note
    )
    await _show(interaction, await asyncio.to_thread(bot.collections.preferences, server), note)


def _pair(interaction: Interaction, item: Any) -> tuple[int, str]:
    """Return the id and name of a chosen role or channel. Raises InputError if it is unusable."""
    if isinstance(item, discord.Role):
        if item.is_default():
            raise InputError("Not everyone can moderate: choose a role that only some have.")
        return item.id, f"@{item.name}"
    guild = interaction.guild
    channel = guild.get_channel(item.id) if guild else None
    if guild is None or not isinstance(channel, discord.TextChannel):
        raise InputError("I can't see that channel: give me View Channel there first.")
    if missing := missing_to_write(channel, channel.permissions_for(guild.me)):
        raise InputError(f"I can't write in #{channel.name}: give me {missing} there first.")
    return channel.id, f"#{channel.name}"
