"""Manners: a word at once and the answer once; how often one may ask; what the bot is allowed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.settings import Discord
from index import Archive, OnRecordError, QuestionError

if TYPE_CHECKING:
    from bot.bot import OnRecord

Interaction: TypeAlias = "discord.Interaction[OnRecord]"

log = logging.getLogger(__name__)
_WINDOW_S = 60.0
_ALREADY_BEGUN = 40060  # Discord's code
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
    return lacking(channel.permissions_for(me), "view_channel", send)


def missing_for_thread(interaction: Interaction) -> str | None:
    """What keeps the bot from beginning a thread where it was asked; None if nothing does."""
    if not isinstance(interaction.channel, discord.TextChannel):
        return "it needs a text channel of a server"
    needed = ("create_public_threads", "send_messages_in_threads")
    lacks = lacking(interaction.app_permissions, *needed)
    return f"I need {' and '.join(lacks)}" if lacks else None


def lacking(allowed: discord.Permissions, *names: str) -> list[str]:
    """Those of some permissions that are not given, in Discord's words."""
    lacks = [name for name in names if not getattr(allowed, name)]
    return [name.replace("_", " ").title().replace(" In ", " in ") for name in lacks]


def _counter(rate: int) -> commands.CooldownMapping[Any]:
    return commands.CooldownMapping(app_commands.Cooldown(rate, _WINDOW_S), lambda key: key)
