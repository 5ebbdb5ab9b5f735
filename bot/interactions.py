"""Interactions: defer early, reply exactly once, check permissions and rates, explain failures."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import discord
from discord import app_commands, ui

from bot.metrics import count_error
from bot.preferences import Preferences
from bot.sending import again, has_trouble
from bot.settings import Discord
from index import (
    Archive,
    EncoderError,
    OnRecordError,
    QuestionError,
    QuoteError,
    StoreError,
    Viewer,
)

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
Interaction: TypeAlias = "discord.Interaction[OnRecord]"
_ALREADY_ACKNOWLEDGED = 40060  # Discord's error code
_UNKNOWN_INTERACTION = 10062  # it expired
_WINDOW_S = 60.0
_PREFERENCES, _DEFERRED = "preferences", "deferred"  # among what an interaction carries
T = TypeVar("T")
WaitS: TypeAlias = Callable[[str, int, float], float | None]


async def defer(interaction: Interaction, **options: bool) -> None:
    """Tell Discord that a reply will follow; it is private where the bot may not write.

    "Already acknowledged" counts as success: an earlier attempt that seemed to fail has arrived.
    """
    if missing_to_post(interaction):
        options["ephemeral"] = True
    try:
        await again(lambda: interaction.response.defer(**options))
    except discord.HTTPException as error:
        if error.code != _ALREADY_ACKNOWLEDGED:
            raise
    interaction.extras[_DEFERRED] = True


async def edit_reply(
    interaction: Interaction, view: ui.LayoutView, *files: discord.File
) -> discord.Message:
    """Fill in the deferred reply; repeating it still leaves one reply."""

    async def fill() -> discord.Message:
        message: discord.Message = await interaction.edit_original_response(
            view=view, attachments=files
        )
        return message

    return await (fill() if files else again(fill))  # a file is read once


async def reply_privately(interaction: Interaction, view: ui.LayoutView) -> None:
    """Reply to the user alone, deferred or not."""
    if interaction.response.is_done() or _DEFERRED in interaction.extras:
        await interaction.followup.send(view=view, ephemeral=True)
    else:
        await interaction.response.send_message(view=view, ephemeral=True)


async def archive_of(interaction: Interaction) -> Archive:
    """Return the collection of the interaction's server. Raises QuestionError if there is none."""
    return await asyncio.to_thread(interaction.client.collections.archive, interaction.guild_id)


async def defer_and_open(interaction: Interaction, *, private: bool = True) -> Archive:
    """Defer the reply, then open the server's collection."""
    await defer(interaction, ephemeral=private)
    return await archive_of(interaction)


async def preferences_of(interaction: discord.Interaction[Any]) -> Preferences:
    """Return the preferences of the interaction's server, read once: Discord waits 3 s only."""
    if _PREFERENCES not in interaction.extras:
        collections, server = interaction.client.collections, interaction.guild_id
        chosen = await asyncio.to_thread(collections.preferences, server)
        interaction.extras[_PREFERENCES] = chosen
    known: Preferences = interaction.extras[_PREFERENCES]
    return known


def actor_of(interaction: Interaction) -> str:
    """Return the user's name in the audit log."""
    return f"discord:{interaction.user.id}"


def context_of(interaction: discord.Interaction[Any]) -> str:
    """Return the command or button and the ids of server, channel and user, for the log."""
    command = interaction.command.qualified_name if interaction.command else None
    data: Any = interaction.data or {}
    # "onrecord:list:words of a search:1" without the search, which people type.
    button = ":".join(data.get("custom_id", "").split(":")[:2])
    where = f"server {interaction.guild_id}, channel {interaction.channel_id}"
    where += f", user {interaction.user.id}"
    return f"{command or button} ({where})"


async def alongside(deferral: Awaitable[object], work: Coroutine[Any, Any, T]) -> T:
    """Work while the deferral is sent; if sending fails, cancel the work."""
    task = asyncio.create_task(work)
    try:
        await deferral
    except BaseException:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
    return await task


def explain(error: Exception, context: str) -> str:
    """Return a sentence for the person affected; also log what an operator has to know."""
    cause = getattr(error, "original", error)  # discord.py wraps a command's error
    count_error(cause)
    match cause:
        case OnRecordError() as cause:
            if isinstance(cause, StoreError | EncoderError | QuoteError):
                log.warning("%s failed: %s", context, cause)
            return str(cause)
        case app_commands.CheckFailure():
            return (
                "This is for moderators: it needs Manage Server, Manage Messages, or a role that "
                "is named in /settings."
            )
        case app_commands.CommandSignatureMismatch() | app_commands.CommandNotFound():
            return "This command has changed since your Discord loaded it: try again in a minute."
        case cause if sentence := _discord_sentence(cause):
            level = logging.WARNING if has_trouble(cause) else logging.INFO
            log.log(level, "%s failed: %s", context, cause)
            return sentence
        case cause:
            log.error("unexpected error in %s", context, exc_info=cause)
            return "Something went wrong. It has been logged."


def _discord_sentence(error: Exception) -> str:
    """Return what Discord did with a request that failed; "" for an error of another kind."""
    match error:
        case discord.NotFound(code=code) if code == _UNKNOWN_INTERACTION:
            return "I was too slow to answer: try again."
        case discord.NotFound():
            return "The message or channel that this belongs to is gone: ask again."
        case discord.Forbidden():
            return "I'm not allowed to do that here: give me View Channel and Send Messages."
    if has_trouble(error):
        return "Discord has trouble at this moment: try again in a minute."
    return ""


class _UnreadableError(app_commands.AppCommandError):
    """The settings cannot be read; discord.py accepts only errors of its own from a check."""

    def __init__(self, original: OnRecordError) -> None:
        super().__init__(str(original))
        self.original = original


def granted_to(user: discord.User | discord.Member) -> discord.Permissions:
    """Return a user's permissions in the whole server; those of a single channel do not count."""
    none = discord.Permissions.none()
    return user.guild_permissions if isinstance(user, discord.Member) else none


async def is_moderator(interaction: discord.Interaction[Any]) -> bool:
    """Return whether the user has Manage Server, Manage Messages, or a role named in /settings."""
    granted = granted_to(interaction.user)
    if granted.manage_guild or granted.manage_messages:
        return True
    try:
        chosen = (await preferences_of(interaction)).moderator_roles
    except OnRecordError as error:
        raise _UnreadableError(error) from error
    return not {role.id for role in getattr(interaction.user, "roles", ())}.isdisjoint(chosen)


async def check_moderator(interaction: discord.Interaction[Any]) -> None:
    """Raise CheckFailure unless the user is a moderator."""
    if not await is_moderator(interaction):
        raise app_commands.CheckFailure


moderators_only = app_commands.check(is_moderator)
# Discord offers a command to members with all of its default permissions, so there is only one;
# whoever adds a bot has it. Others are allowed under Server Settings, Integrations.
offered_to_moderators = app_commands.default_permissions(manage_guild=True)


def missing_permissions(granted: discord.Permissions, *names: str) -> str:
    """Return which of the named permissions are not granted, in Discord's words; "" for none."""
    missing = [name.replace("_", " ").title() for name in names if not getattr(granted, name)]
    return " and ".join(missing).replace(" In ", " in ")


def missing_to_write(channel: Any, granted: discord.Permissions) -> str:
    """Return the permissions that the bot needs but lacks to write in a channel or thread."""
    in_thread = isinstance(channel, discord.Thread)
    send = "send_messages_in_threads" if in_thread else "send_messages"
    return missing_permissions(granted, "view_channel", send)


def missing_to_post(interaction: discord.Interaction[Any]) -> str:
    """Return the permissions that the bot needs but lacks to reply to an interaction in public."""
    if interaction.guild_id is None:
        return ""
    return missing_to_write(interaction.channel, interaction.app_permissions)


async def why_not_here(interaction: discord.Interaction[Any]) -> str:
    """Return why the bot may not answer an interaction in public, in a sentence; "" if it may."""
    if missing := missing_to_post(interaction):
        return f"I need {missing}."
    if interaction.guild_id is None:
        return ""
    return (await preferences_of(interaction)).elsewhere(interaction.channel)


def can_read(channel: Any, member: discord.Member) -> bool:
    """Return whether a member may read a channel; private threads count as closed."""
    if isinstance(channel, discord.Thread) and (channel.is_private() or channel.parent is None):
        return False
    granted: discord.Permissions = channel.permissions_for(member)
    return granted.view_channel and granted.read_message_history


def viewer_of(interaction: Interaction) -> Viewer:
    """Return the user, with the channels of the server that they may read."""
    guild, user = interaction.guild, interaction.user
    channels = {interaction.channel_id or 0}
    if guild and isinstance(user, discord.Member):
        known = (*guild.channels, *guild.threads)
        channels |= {channel.id for channel in known if can_read(channel, user)}
    return Viewer(user.id, frozenset(channels))


class Pace:
    """Allows so many events of each key in any period of a given length."""

    def __init__(self, count: int, window_s: float) -> None:
        """Allow `count` events in `window_s` seconds."""
        self._count, self._window_s = count, window_s
        self._times: dict[object, deque[float]] = {}  # in the order in which keys were last counted

    def wait_s(self, key: object, count: int | None = None) -> float:
        """Return how many seconds the next event of a key has to wait; 0 if it is allowed now.

        A `count` overrides how many events are allowed.
        """
        now = discord.utils.utcnow().timestamp()
        times = self._times.get(key, deque())
        if times and times[-1] > now:  # the clock was set back
            times.clear()
        while times and times[0] <= now - self._window_s:
            times.popleft()
        most = self._count if count is None else count
        return times[-most] + self._window_s - now if len(times) >= most else 0.0

    def count(self, key: object) -> None:
        """Count an event, and drop keys without recent events."""
        now = discord.utils.utcnow().timestamp()
        self._times[key] = times = self._times.pop(key, deque())
        times.append(now)
        for old, counted in [*islice(self._times.items(), 2)]:  # drop faster than keys are added
            if not counted or counted[-1] <= now - self._window_s:
                del self._times[old]

    def allows(self, key: object, count: int | None = None) -> bool:
        """Count an event if it is allowed now, and return whether it is; `count` as in `wait_s`."""
        if self.wait_s(key, count):
            return False
        self.count(key)
        return True


class RateLimitError(QuestionError):
    """A person or a server asked too much in too short a time."""


class RateLimit:
    """Counts requests by person, to all bots together, and by server, a minute at a time."""

    def __init__(
        self,
        settings: Discord,
        wait_s: WaitS,
        factor: int = 1,
        *,
        done: str = "asked a lot",
    ) -> None:
        """Allow `factor` requests for each question that the settings allow.

        Args:
            settings: how many questions a minute.
            wait_s: counts what a person does for all bots; see `Collections.wait_s`.
            factor: requests for each question.
            done: names them, to the person and among what bots share.
        """
        self._per_person = factor * settings.questions_per_minute
        self._by_person = Pace(self._per_person, _WINDOW_S)
        self._by_server = Pace(factor * settings.server_questions_per_minute, _WINDOW_S)
        self._wait_s = wait_s
        self._done = done

    async def take(self, person: int, server: int | None, per_minute: int | None = None) -> None:
        """Count one request; `per_minute` is how many a person may make here, if not the usual.

        Raises:
            RateLimitError: it is over the limit; the message says when to try again.
        """
        most = self._per_person if per_minute is None else per_minute
        for pace, key, count, whose in (
            (self._by_person, person, most, "You've"),
            (self._by_server, server, None, "This server has"),  # which is one bot's alone
        ):
            if key is not None and not pace.allows(key, count):
                raise self._error(whose, pace.wait_s(key, count))
        event = f"{self._done} {person}"
        if wait := await asyncio.to_thread(self._wait_s, event, most, _WINDOW_S):
            raise self._error("You've", wait)

    def _error(self, whose: str, wait_s: float) -> RateLimitError:
        again = int(discord.utils.utcnow().timestamp() + wait_s) + 1
        return RateLimitError(f"{whose} {self._done} in the last minute: try again <t:{again}:R>.")
