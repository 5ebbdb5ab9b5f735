"""What is pressed, filled in or chosen. What a button needs stands in its id: it lasts.

A module that has buttons gives each a name, a label and what to do, with `button`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import discord
from discord import app_commands, ui

from bot.manners import Interaction, archive_of, begin, tell
from bot.render import Row
from index import Archive, NotFoundError

PRIVATE = {"ephemeral": True, "thinking": True}
PUBLIC = {"thinking": True}
IN_PLACE: dict[str, bool] = {}
T = TypeVar("T")
V = TypeVar("V", str, int)
Choices = list[app_commands.Choice[str]]
_ROWS, ROW_CHARS = 25, 100  # to choose from, and their length


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button that was pressed: by which interaction, for what (an id or words), which page."""

    interaction: Interaction
    key: str
    page: int

    async def archive(self) -> Archive:
        """The collection of the server it was pressed in."""
        return await archive_of(self.interaction)

    async def reply(self, view: ui.LayoutView) -> discord.Message:
        """Answer in the way that was begun."""
        return await tell(self.interaction, view)


Run = Callable[[Pressed], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Action:
    """What a button says and does.

    `begin` says how Discord is told at once that an answer comes, since three seconds may not do
    while another process writes; None for a modal, which must be the first thing said.
    """

    label: str
    run: Run
    begin: Mapping[str, bool] | None
    style: discord.ButtonStyle


ACTIONS: dict[str, Action] = {}


def button(
    name: str,
    label: str,
    begin: Mapping[str, bool] | None,
    style: discord.ButtonStyle = discord.ButtonStyle.secondary,
) -> Callable[[Run], Run]:
    """Make a function what the button of that name does."""

    def named(run: Run) -> Run:
        ACTIONS[name] = Action(label, run, begin, style)
        return run

    return named


@button("gone", "Gone", PRIVATE)
async def _gone(_: Pressed) -> None:
    """Say of a button that another version posted why it does nothing."""
    raise NotFoundError("I no longer know this button: ask again, and use those of the answer.")


class Press(
    ui.DynamicItem[ui.Button[ui.LayoutView]],
    template=r"onrecord:(?P<action>[a-z]+):(?P<key>.{0,60}):(?P<page>\d{1,9})",
):
    """A button that does one of `ACTIONS`."""

    def __init__(self, action: str, key: str = "", page: int = 0, *, off: bool = False) -> None:
        """Name an action, the answer, watch, work or search it is for, and a page."""
        look = ACTIONS[action]
        name = f"onrecord:{action}:{key}:{page}"
        super().__init__(
            ui.Button(label=look.label, style=look.style, custom_id=name, disabled=off)
        )
        self._action, self._key, self._page = action, key, page

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],  # noqa: ARG003 - discord.py hands it in
        item: ui.Item[Any],  # noqa: ARG003 - as above
        match: re.Match[str],
        /,
    ) -> Self:
        known = match["action"] if match["action"] in ACTIONS else "gone"
        return cls(known, match["key"], int(match["page"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Do what the button says; whatever fails is explained to who pressed it."""
        action = ACTIONS[self._action]
        try:
            interaction.client.presses.take(interaction.user.id, interaction.guild_id)
            if action.begin is not None:
                await begin(interaction, **action.begin)
            await action.run(Pressed(interaction, self._key, self._page))
        except Exception as error:  # noqa: BLE001 - `explain` logs it; the reader gets a sentence
            await interaction.client.explain(interaction, error)


class Form(ui.Modal):
    """Asks for something typed; whatever fails is explained to who typed it."""

    async def on_error(  # type: ignore[override]  # discord.py's own modals differ from views
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        await interaction.client.explain(interaction, error)


def paged(
    items: Sequence[T], pressed: Pressed, size: int, back: str, onward: str
) -> tuple[Sequence[T], str, list[Row]]:
    """The items of the page turned to, which page that is, and the buttons that turn it.

    The buttons do the actions of these names; there are none where all is on one page.
    """
    pages = max(1, math.ceil(len(items) / size))
    page = min(pressed.page, pages - 1)
    turns = Row(
        Press(back, pressed.key, max(0, page - 1), off=page == 0),
        Press(onward, pressed.key, page + 1, off=page + 1 == pages),
    )
    shown = items[page * size : (page + 1) * size]
    return shown, f"Page {page + 1} of {pages}", [turns] if pages > 1 else []


def rows(typed: str, offered: Iterable[tuple[str, V]]) -> list[app_commands.Choice[V]]:
    """Rows to choose from, as many and as long as Discord takes: label and value of each.

    Offered are those whose label holds what was typed.
    """
    found = [(label, value) for label, value in offered if typed.casefold() in label.casefold()]
    return [
        app_commands.Choice(name=label[:ROW_CHARS], value=value) for label, value in found[:_ROWS]
    ]
