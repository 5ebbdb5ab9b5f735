"""How the bot meets people: a word at once, the answer once, a pace, and buttons that last.

A module that has buttons gives each a name, a label and what to do, with `button`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.render import Row
from bot.settings import Discord
from index.archive import Archive
from index.errors import OnRecordError, QuestionError

if TYPE_CHECKING:
    from bot.client import OnRecord

Interaction: TypeAlias = "discord.Interaction[OnRecord]"

log = logging.getLogger(__name__)
_WINDOW_S = 60.0
_ALREADY_BEGUN = 40060  # Discord's code
PRIVATE = {"ephemeral": True, "thinking": True}
PUBLIC = {"thinking": True}
IN_PLACE: dict[str, bool] = {}
T = TypeVar("T")


async def begin(interaction: Interaction, **how: bool) -> None:
    """Tell Discord that an answer comes.

    That it knows already is as good: then a request that seemed to fail had arrived.
    """
    try:
        await interaction.response.defer(**how)
    except discord.HTTPException as error:
        if error.code != _ALREADY_BEGUN:
            raise


async def tell(
    interaction: Interaction, view: ui.LayoutView, *files: discord.File
) -> discord.Message:
    """Answer what was begun, by filling its message: done twice, it is still one answer."""
    sent: discord.Message = await interaction.edit_original_response(view=view, attachments=files)
    return sent


async def explained(interaction: Interaction, view: ui.LayoutView) -> None:
    """Say in private why there is no answer, begun or not."""
    if not interaction.response.is_done():
        try:
            await interaction.response.send_message(view=view, ephemeral=True)
            return
        except discord.HTTPException as error:
            if error.code != _ALREADY_BEGUN:
                raise
    await interaction.followup.send(view=view, ephemeral=True)


def sentence(error: BaseException) -> str:
    """What a person is told of an error; what we did not foresee goes to the log as well."""
    cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
    if isinstance(cause, OnRecordError):
        return str(cause)
    if isinstance(cause, app_commands.CheckFailure):
        return "This command is for moderators: it needs Manage Server or Manage Messages."
    if isinstance(cause, discord.Forbidden):
        return "I am not allowed to do that here: give me View Channel and Send Messages."
    log.error("unforeseen", exc_info=cause)
    return "Something went wrong on my side. Nothing was lost; the operator finds it in the log."


async def archive_of(interaction: Interaction) -> Archive:
    """The collection that somebody's server asks."""
    return await asyncio.to_thread(interaction.client.library.archive, interaction.guild_id)


async def begun(interaction: Interaction, *, private: bool = True) -> Archive:
    """Tell Discord that an answer comes; the collection that it comes from."""
    await begin(interaction, ephemeral=private)
    return await archive_of(interaction)


def actor_of(interaction: Interaction) -> str:
    """Who did this, as the audit log has it."""
    return f"discord:{interaction.user.id}"


async def meanwhile(word: Awaitable[object], work: Coroutine[Any, Any, T]) -> T:
    """Give the first word while the work is already being done."""
    doing = asyncio.create_task(work)
    try:
        await word
    except BaseException:
        doing.cancel()
        raise
    return await doing


class TooManyError(QuestionError):
    """One question too many, for now."""


class Pace:
    """How many questions a person, and a server, may ask a minute."""

    def __init__(self, settings: Discord, times: int = 1) -> None:
        """Start counting; `times` as many as the settings say for questions."""
        self._person = _counter(times * settings.questions_per_minute)
        self._server = _counter(times * settings.server_questions_per_minute)

    def take(self, person: int, server: int | None) -> None:
        """Count one question.

        Raises:
            TooManyError: it is one too many; it says when the next one is welcome.
        """
        now = discord.utils.utcnow().timestamp()
        for counter, key, whose in (
            (self._person, person, "You have"),
            (self._server, server, "This server has"),
        ):
            wait = counter.update_rate_limit(key, now) if key is not None else None
            if wait:
                raise TooManyError(
                    f"{whose} asked a lot within a minute: ask again <t:{int(now + wait) + 1}:R>."
                )


def missing_to_write(channel: Any, me: discord.Member) -> list[str]:
    """What the bot must be given to write in a channel or thread, in Discord's words."""
    in_thread = isinstance(channel, discord.Thread)
    send = "send_messages_in_threads" if in_thread else "send_messages"
    return _lacking(channel.permissions_for(me), "view_channel", send)


def missing_for_thread(interaction: Interaction) -> str | None:
    """What keeps the bot from beginning a thread where it was asked; None if nothing does."""
    if not isinstance(interaction.channel, discord.TextChannel):
        return "it needs a text channel of a server"
    needed = ("create_public_threads", "send_messages_in_threads")
    lacks = _lacking(interaction.app_permissions, *needed)
    return f"I need {' and '.join(lacks)}" if lacks else None


def _lacking(allowed: discord.Permissions, *names: str) -> list[str]:
    lacks = [name for name in names if not getattr(allowed, name)]
    return [name.replace("_", " ").title().replace(" In ", " in ") for name in lacks]


def _counter(rate: int) -> commands.CooldownMapping[Any]:
    return commands.CooldownMapping(app_commands.Cooldown(rate, _WINDOW_S), lambda key: key)


# Buttons and forms: what a button needs stands in its id, so that it outlives restarts.


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
        return cls(match["action"], match["key"], int(match["page"]))

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
