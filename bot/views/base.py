"""Persistent buttons, modals and choices. State lives in the custom_id: buttons survive restarts.

All buttons are listed here, with their looks; `bot.bot` says what each does.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self, TypeVar

import discord
from discord import app_commands, ui

from bot.interactions import Interaction, archive_of, defer, edit_reply
from index import Archive, NotFoundError, OnRecordError

V = TypeVar("V", str, int)
Choices = list[app_commands.Choice[str]]
MAX_CHOICES, CHOICE_CHARS = 25, 100  # Discord's limits on autocomplete
PRIVATE = {"ephemeral": True, "thinking": True}
PUBLIC = {"thinking": True}
IN_PLACE: dict[str, bool] = {}


@dataclass(frozen=True, slots=True)
class Look:
    """A button's label and style, and how its reply is deferred.

    `deferral` is None for buttons that open a modal, which has to be the first response.
    """

    label: str
    deferral: Mapping[str, bool] | None
    style: discord.ButtonStyle = discord.ButtonStyle.secondary


_PRIMARY = discord.ButtonStyle.primary
LOOKS = {
    "more": Look("More passages", PRIVATE),
    "back": Look("◀ Back", IN_PLACE),
    "next": Look("Next ▶", IN_PLACE),
    "around": Look("Sentences around", PRIVATE),
    "sources": Look("Sources", PRIVATE),
    "share": Look("Show everyone", PUBLIC, _PRIMARY),
    "wrong": Look("Wrong quote", None),
    "watch": Look("Notify me when there's an answer", PRIVATE, _PRIMARY),
    "stop": Look("Stop", IN_PLACE),
    "halt": Look("Stop", IN_PLACE),
    "newer": Look("◀ Back", IN_PLACE),
    "older": Look("Next ▶", IN_PLACE),
    "later": Look("◀ Later", IN_PLACE),
    "earlier": Look("Earlier ▶", IN_PLACE),
}
_OUTDATED = Look("Outdated", PRIVATE)


@dataclass(frozen=True, slots=True)
class Press:
    """A pressed button: its interaction, its key (an id or words) and the page it turns to."""

    interaction: Interaction
    key: str
    page: int = 0

    async def archive(self) -> Archive:
        """The collection of the server it was pressed in."""
        return await archive_of(self.interaction)

    async def reply(self, view: ui.LayoutView) -> discord.Message:
        """Fill in the deferred reply."""
        return await edit_reply(self.interaction, view)


Handler = Callable[[Press], Awaitable[object]]


class Button(
    ui.DynamicItem[ui.Button[ui.LayoutView]],
    template=r"onrecord:(?P<name>[a-z]+):(?P<key>.{0,60}):(?P<page>\d{1,9})",
):
    """One of the buttons in `LOOKS`, such as "onrecord:more:0123456789ab:2"."""

    def __init__(
        self,
        name: str,
        key: str = "",
        page: int = 0,
        *,
        disabled: bool = False,
        label: str | None = None,
    ) -> None:
        """Name the button, what it acts on (an answer, watch, job or search), and a page."""
        self._look = LOOKS.get(name, _OUTDATED)
        super().__init__(
            ui.Button(
                label=label or self._look.label,
                style=self._look.style,
                custom_id=f"onrecord:{name}:{key}:{page}",
                disabled=disabled,
            )
        )
        self._name, self._key, self._page = name, key, page

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],  # noqa: ARG003 - part of discord.py's signature
        item: ui.Item[Any],  # noqa: ARG003 - as above
        match: re.Match[str],
        /,
    ) -> Self:
        return cls(match["name"], match["key"], int(match["page"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Run the button's handler; whatever fails is explained to the person who pressed it."""
        bot = interaction.client
        try:
            bot.press_limit.take(interaction.user.id, interaction.guild_id)
            if self._look.deferral is not None:
                await defer(interaction, **self._look.deferral)
            handler = bot.button_handlers.get(self._name)
            if handler is None:
                raise NotFoundError("This button is out of date: ask again for a fresh answer.")
            await handler(Press(interaction, self._key, self._page))
        except Exception as error:  # noqa: BLE001 - logged and explained there
            await bot.explain(interaction, error)


class Form(ui.Modal):
    """A modal; whatever fails is explained to the person who submitted it."""

    async def on_error(  # type: ignore[override]  # modals differ from views in discord.py too
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        await interaction.client.explain(interaction, error)


async def choices(
    produce: Callable[[], Iterable[tuple[str, V]]], typed: str = ""
) -> list[app_commands.Choice[V]]:
    """Autocomplete choices, as many and as long as Discord takes.

    Args:
        produce: gives (label, value) pairs; called in a thread, read until there are enough.
        typed: keeps the labels that contain it.
    """

    def work() -> list[app_commands.Choice[V]]:
        matching = (pair for pair in produce() if typed.casefold() in pair[0].casefold())
        return [
            app_commands.Choice(name=label[:CHOICE_CHARS], value=value)
            for label, value in islice(matching, MAX_CHOICES)
        ]

    try:
        return await asyncio.to_thread(work)
    except OnRecordError:  # such as a direct message without a collection; the command says why
        return []
