"""The parts of views: notices, persistent buttons, pages, modals and autocomplete choices.

A button's state is in its custom_id, so buttons survive restarts.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Any, Literal, Self, TypeVar

import discord
from discord import app_commands, ui

from bot.interactions import Interaction, archive_of, defer, edit_reply
from bot.markdown import strip_direction
from bot.views.text import format_day
from index import Archive, NotFoundError, OnRecordError, QuestionError, parse_period

T = TypeVar("T")
V = TypeVar("V", str, int)
Choices = list[app_commands.Choice[str]]
Row = ui.ActionRow[Any]
MAX_TEXT = 4_000  # characters in all text of a Components V2 message
_MONTHS = 12  # offered as dates
MAX_CHOICES, CHOICE_CHARS = 25, 100  # Discord's limits on autocomplete
_CHOICES_WITHIN_S = 3.0  # Discord does not show later choices
Reply = Literal["private", "in place", "modal"]
_DEFERRALS: dict[Reply, dict[str, bool]] = {
    "private": {"ephemeral": True, "thinking": True},
    "in place": {},
}
_RUN = secrets.token_hex(4)
_OPEN_S = 3600.0  # for filling in a form, which discord.py keeps in memory meanwhile
_LATE_S = 60.0  # for which discord.py may still know a form that has timed out


def notice_view(text: str, rows: Iterable[Row] = ()) -> ui.LayoutView:
    """Return a notice from the bot, with bidirectional controls stripped."""
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.TextDisplay(strip_direction(text)[:MAX_TEXT]))
    for row in rows:
        view.add_item(row)
    return view


@dataclass(frozen=True, slots=True)
class Press:
    """A press of a button: its interaction, its key (an id or words) and the page to show."""

    interaction: Interaction
    key: str
    page: int = 0

    async def archive(self) -> Archive:
        """Return the collection of the server it was pressed in."""
        return await archive_of(self.interaction)

    async def reply(self, view: ui.LayoutView) -> discord.Message:
        """Fill in the deferred reply."""
        return await edit_reply(self.interaction, view)


Handler = Callable[[Press], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Action:
    """The look and effect of a button.

    Attributes:
        label: its default label.
        reply: where the reply goes; it is deferred, except for a modal, which has to come first.
        primary: whether it has the primary style.
        handler: called when it is pressed.
    """

    label: str
    reply: Reply
    primary: bool
    handler: Handler


async def _explain_outdated(_: Press) -> None:
    raise NotFoundError("This button is out of date: ask again for a fresh answer.")


ACTIONS: dict[str, Action] = {}
_OUTDATED = Action("Outdated", "private", primary=False, handler=_explain_outdated)


def button(
    name: str, label: str, reply: Reply, *, primary: bool = False
) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of the buttons of this name."""

    def register(handler: Handler) -> Handler:
        ACTIONS[name] = Action(label, reply, primary, handler)
        return handler

    return register


class Button(
    ui.DynamicItem[ui.Button[ui.LayoutView]],
    template=r"onrecord:(?P<name>[a-z]+):(?P<key>.{0,60}):(?P<page>\d{1,9})",
):
    """A button of `ACTIONS`, with a custom_id such as "onrecord:more:0123456789ab:2"."""

    def __init__(
        self, name: str, key: str = "", page: int = 0, *, label: str = "", disabled: bool = False
    ) -> None:
        """Name the button, what it acts on (an answer, watch, job or search), and a page."""
        self._action = ACTIONS.get(name, _OUTDATED)
        self._key, self._page = key, page
        styles = discord.ButtonStyle
        item = ui.Button[ui.LayoutView](
            label=label or self._action.label,
            style=styles.primary if self._action.primary else styles.secondary,
            custom_id=f"onrecord:{name}:{key}:{page}",
            disabled=disabled,
        )
        super().__init__(item)

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
        """Run the button's handler; explain failures to the person who pressed it."""
        bot = interaction.client
        try:
            if self._action.reply != "modal":  # first of all: Discord waits for three seconds
                await defer(interaction, **_DEFERRALS[self._action.reply])
            await bot.press_limit.take(interaction.user.id, interaction.guild_id)
            await self._action.handler(Press(interaction, self._key, self._page))
        except Exception as error:  # noqa: BLE001 - logged and explained there
            await bot.explain(interaction, error)


def page_of(
    items: Sequence[T], press: Press, size: int, name: str
) -> tuple[Sequence[T], str, list[Row]]:
    """Return the items of a page, its label, and a row of buttons of this name to turn pages.

    There is no row if all items fit on a page.
    """
    count = max(1, -(-len(items) // size))
    number = min(press.page, count - 1)
    navigation = Row(
        Button(name, press.key, max(0, number - 1), label="◀ Back", disabled=number == 0),
        Button(name, press.key, number + 1, label="Next ▶", disabled=number + 1 == count),
    )
    shown = items[number * size : (number + 1) * size]
    return shown, f"Page {number + 1} of {count}", [navigation] if count > 1 else []


class Form(ui.Modal):
    """A modal that explains failures to the person who submitted it."""

    def __init__(self) -> None:
        """Create an id that says which run of the bot can handle the form, and until when."""
        until = int(discord.utils.utcnow().timestamp() + _OPEN_S)
        super().__init__(custom_id=f"onrecord:{_RUN}:{until}:{secrets.token_hex(8)}")
        self.timeout = _OPEN_S

    @staticmethod
    def is_outdated(custom_id: str) -> bool:
        """Return whether discord.py has dropped a form: it timed out, or the bot was restarted."""
        run, _, rest = custom_id.removeprefix("onrecord:").partition(":")
        until = rest.partition(":")[0]
        now = discord.utils.utcnow().timestamp()
        return run != _RUN or now > int(until) + _LATE_S

    async def on_error(  # type: ignore[override]  # modals differ from views in discord.py too
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        await interaction.client.explain(interaction, error)


async def choices(
    interaction: Interaction, produce: Callable[[], Iterable[tuple[str, V]]], typed: str = ""
) -> list[app_commands.Choice[V]]:
    """Return autocomplete choices within Discord's limits.

    Args:
        interaction: the keystroke; after too long a wait, it gets no choices.
        produce: yields (label, value) pairs; called in a thread, read until there are enough.
        typed: only labels that contain it are kept.
    """
    asked, loop = time.monotonic(), asyncio.get_running_loop()

    def work() -> list[app_commands.Choice[V]]:
        if time.monotonic() - asked > _CHOICES_WITHIN_S:
            return []
        matching = (pair for pair in produce() if typed.casefold() in pair[0].casefold())
        return [
            app_commands.Choice(name=label[:CHOICE_CHARS], value=value)
            for label, value in islice(matching, MAX_CHOICES)
        ]

    try:
        return await loop.run_in_executor(interaction.client.choosing, work)
    except OnRecordError:  # such as a direct message without a collection; the command says why
        return []


def date_choices(typed: str, today: date) -> Iterator[tuple[str, str]]:
    """Yield dates as choices: what was typed, if it is a date, and common dates that contain it."""
    common = ["today", "yesterday", "this week", "last week", "this month", "last month"]
    months = [today.replace(day=1)]
    while len(months) < _MONTHS:
        months.append((months[-1] - timedelta(1)).replace(day=1))
    common += [f"{month:%B %Y}" for month in months]
    matching = [name for name in common if typed.strip().casefold() in name.casefold()]
    with contextlib.suppress(QuestionError):
        parse_period(typed, today)
        matching.insert(0, " ".join(typed.split()))
    for name in dict.fromkeys(matching):
        period = parse_period(name, today)
        days = format_day(period.first)
        if period.last > period.first:
            days += f" to {format_day(period.last)}"
        yield (name if name == days else f"{name} · {days}"), name
