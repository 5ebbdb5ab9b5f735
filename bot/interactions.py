"""Interactions: defer early, reply exactly once, know who may do what, and explain failures."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Coroutine
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import discord
from discord import app_commands, ui

from bot.collections import Collections
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


async def defer(interaction: Interaction, **options: bool) -> None:
    """Tell Discord that a reply will follow; it is private where the bot may not write.

    "Already acknowledged" counts as success: an earlier attempt that seemed to fail had arrived.
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
    """The collection of the interaction's server. Raises QuestionError in direct messages."""
    return await asyncio.to_thread(interaction.client.collections.archive, interaction.guild_id)


async def defer_and_open(interaction: Interaction, *, private: bool = True) -> Archive:
    """Defer the reply, then open the server's collection."""
    await defer(interaction, ephemeral=private)
    return await archive_of(interaction)


async def preferences_of(interaction: discord.Interaction[Any]) -> Preferences:
    """What holds in the interaction's server, read once: Discord waits 3 s for a reply."""
    if _PREFERENCES not in interaction.extras:
        collections, server = interaction.client.collections, interaction.guild_id
        chosen = await asyncio.to_thread(collections.preferences, server)
        interaction.extras[_PREFERENCES] = chosen
    known: Preferences = interaction.extras[_PREFERENCES]
    return known


def actor_of(interaction: Interaction) -> str:
    """The user as the audit log names them."""
    return f"discord:{interaction.user.id}"


def context_of(interaction: discord.Interaction[Any]) -> str:
    """The command or button, server, channel and user's id, for the log; not what was typed."""
    command = interaction.command.qualified_name if interaction.command else None
    data: Any = interaction.data or {}
    # "onrecord:list:words of a search:1" names the button in its second part.
    button = ":".join(data.get("custom_id", "").split(":")[:2])
    where = f"server {interaction.guild_id}, channel {interaction.channel_id}"
    where += f", user {interaction.user.id}"
    return f"{command or button} ({where})"


async def alongside(deferral: Awaitable[object], work: Coroutine[Any, Any, T]) -> T:
    """Work while the deferral is sent; if that fails, the work is cancelled and forgotten."""
    task = asyncio.create_task(work)
    try:
        await deferral
    except BaseException:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
    return await task


def explain(error: Exception, context: str) -> str:
    """One sentence for the person affected; what an operator has to know is logged too."""
    cause = getattr(error, "original", error)  # a command's error comes wrapped
    count_error(cause)
    match cause:
        case OnRecordError() as cause:
            if isinstance(cause, StoreError | EncoderError | QuoteError):
                log.warning("%s failed: %s", context, cause)
            return str(cause)
        case app_commands.CheckFailure():
            return (
                "This is for moderators: it needs Manage Server, Manage Messages, or a role that "
                "they have named in /settings."
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
    """What Discord did with a request that failed; "" if it is about anything else."""
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
    """The settings cannot be read: discord.py passes on only errors of its own from a check."""

    def __init__(self, original: OnRecordError) -> None:
        super().__init__(str(original))
        self.original = original


def granted_to(user: discord.User | discord.Member) -> discord.Permissions:
    """What a user may do in all of the server: more in one channel makes nobody a moderator."""
    none = discord.Permissions.none()
    return user.guild_permissions if isinstance(user, discord.Member) else none


async def is_moderator(interaction: discord.Interaction[Any]) -> bool:
    """Whether the user has Manage Server, Manage Messages, or a role named in /settings."""
    granted = granted_to(interaction.user)
    if granted.manage_guild or granted.manage_messages:
        return True
    try:
        chosen = (await preferences_of(interaction)).moderator_roles
    except OnRecordError as error:
        raise _UnreadableError(error) from error
    return not {role.id for role in getattr(interaction.user, "roles", ())}.isdisjoint(chosen)


async def check_moderator(interaction: discord.Interaction[Any]) -> None:
    """Raise CheckFailure for those who may not press a moderator's button."""
    if not await is_moderator(interaction):
        raise app_commands.CheckFailure


moderators_only = app_commands.check(is_moderator)
# Discord offers a command to who has all of its permissions, so it can name only one; whoever adds
# a bot has this one. Others are allowed under Server Settings, Integrations.
offered_to_moderators = app_commands.default_permissions(manage_guild=True)


def missing_permissions(granted: discord.Permissions, *names: str) -> str:
    """Those of the named permissions that are not granted, in Discord's words; "" for none."""
    missing = [name.replace("_", " ").title() for name in names if not getattr(granted, name)]
    return " and ".join(missing).replace(" In ", " in ")


def missing_to_write(channel: Any, granted: discord.Permissions) -> str:
    """The permissions that the bot lacks to write in a channel or thread."""
    in_thread = isinstance(channel, discord.Thread)
    send = "send_messages_in_threads" if in_thread else "send_messages"
    return missing_permissions(granted, "view_channel", send)


def missing_to_post(interaction: discord.Interaction[Any]) -> str:
    """The permissions that the bot lacks to reply in public to an interaction."""
    if interaction.guild_id is None:
        return ""
    return missing_to_write(interaction.channel, interaction.app_permissions)


async def why_not_here(interaction: discord.Interaction[Any]) -> str:
    """Why the bot may not answer an interaction in public, in a sentence; "" if it may."""
    if missing := missing_to_post(interaction):
        return f"I need {missing}."
    if interaction.guild_id is None:
        return ""
    return (await preferences_of(interaction)).elsewhere(interaction.channel)


def can_read(channel: Any, member: discord.Member) -> bool:
    """Whether a member may read a channel; private threads count as closed."""
    if isinstance(channel, discord.Thread) and (channel.is_private() or channel.parent is None):
        return False
    granted: discord.Permissions = channel.permissions_for(member)
    return granted.view_channel and granted.read_message_history


def viewer_of(interaction: Interaction) -> Viewer:
    """The user, with the channels of the server that they may read: this one, and others."""
    guild, user = interaction.guild, interaction.user
    channels = {interaction.channel_id or 0}
    if guild and isinstance(user, discord.Member):
        known = (*guild.channels, *guild.threads)
        channels |= {channel.id for channel in known if can_read(channel, user)}
    return Viewer(user.id, frozenset(channels))


class Pace:
    """Allows so many events of each key in any stretch of time of a given length."""

    def __init__(self, count: int, window_s: float) -> None:
        """Allow `count` events in `window_s` seconds."""
        self._count, self._window_s = count, window_s
        self._times: dict[object, deque[float]] = {}  # the key counted last comes last

    def wait_s(self, key: object, count: int | None = None) -> float:
        """How many seconds the next event of a key has to wait; 0 if there is room for it.

        A `count` is how many are allowed instead of the usual.
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
        """Count an event, and drop the keys whose events are all over."""
        now = discord.utils.utcnow().timestamp()
        self._times[key] = times = self._times.pop(key, deque())
        times.append(now)
        for old, counted in [*islice(self._times.items(), 2)]:  # two, so that they get fewer
            if not counted or counted[-1] <= now - self._window_s:
                del self._times[old]

    def allows(self, key: object, count: int | None = None) -> bool:
        """Whether there is room for an event, which is counted if so; `count` as in `wait_s`."""
        if self.wait_s(key, count):
            return False
        self.count(key)
        return True


class RateLimitError(QuestionError):
    """A person or a server asked too much in too short a time."""


class RateLimit:
    """Counts requests by person and by server, a minute at a time."""

    def __init__(self, settings: Discord, factor: int = 1, *, done: str = "asked a lot") -> None:
        """Allow `factor` requests for each question that the settings allow; `done` names them."""
        self._per_person = factor * settings.questions_per_minute
        self._by_person = Pace(self._per_person, _WINDOW_S)
        self._by_server = Pace(factor * settings.server_questions_per_minute, _WINDOW_S)
        self._done = done

    async def take_everywhere(
        self,
        collections: Collections,
        person: int,
        server: int | None,
        per_minute: int | None = None,
    ) -> None:
        """Count a request as `take` does, and a person's with those to other bots of this kind."""
        self.take(person, server, per_minute)
        most = self._per_person if per_minute is None else per_minute
        event = f"{self._done} {person}"
        wait = await asyncio.to_thread(collections.wait_s, event, most, _WINDOW_S)
        if wait:
            raise self._error("You've", wait)

    def take(self, person: int, server: int | None, per_minute: int | None = None) -> None:
        """Count one request; `per_minute` is how many a person may make here, if not the usual.

        Raises:
            RateLimitError: it is over the limit; the message says when to try again.
        """
        for pace, key, count, whose in (
            (self._by_person, person, per_minute, "You've"),
            (self._by_server, server, None, "This server has"),
        ):
            if key is not None and not pace.allows(key, count):
                raise self._error(whose, pace.wait_s(key, count))

    def _error(self, whose: str, wait_s: float) -> RateLimitError:
        again = int(discord.utils.utcnow().timestamp() + wait_s) + 1
        return RateLimitError(f"{whose} {self._done} in the last minute: try again <t:{again}:R>.")
