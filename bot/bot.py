"""The Discord client: registers commands and buttons, handles errors, starts and stops."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.ask import Ask, check_message
from bot.cogs.help import forget_me, help_
from bot.cogs.inbox import inbox
from bot.cogs.maintenance import Maintenance
from bot.cogs.moderation import Moderation
from bot.cogs.preferences import SettingSelect, settings_
from bot.cogs.reports import Lookups
from bot.cogs.sources import SourceCommands, add_message, reindex
from bot.cogs.subscriptions import watching
from bot.cogs.upkeep import SCHEDULED
from bot.cogs.welcome import Welcome
from bot.collections import Collections
from bot.interactions import (
    Interaction,
    Pace,
    RateLimit,
    context_of,
    explain,
    is_moderator,
    offered_to_moderators,
    reply_privately,
)
from bot.jobs import Jobs
from bot.lifecycle import ANSWERS_S, finish, run_until, stop_signals
from bot.logs import configure, fields
from bot.metrics import served
from bot.sending import DISCORD_ERRORS, send_once
from bot.settings import Settings
from bot.turns import Turns
from bot.views.base import Button, Form, notice_view
from index import Encoder, InputError, OnRecordError, SettingsError

log = logging.getLogger(__name__)
_PRESSES_PER_QUESTION = 5  # button presses allowed for each question allowed
_UNASKED_PER_HOUR = 20  # notes, answers to watches and warnings in a server
_LOOKUP_THREADS = 16  # more than cores, since most of them wait for a disk
_SYNCED_FILE = "commands.sha256"  # in the data folder
_DISCONNECT_S = 1.0
_LOGIN_WAITS_S = (2, 4, 8, 16, 32, 60)  # between attempts; in each, discord.py retries 5 times
# How the names of tasks begin in which discord.py handles commands, buttons, modals and messages
_IN_FLIGHT = (
    *("CommandTree-", "discord-ui-", "discord.py: on_message", "discord.py: on_interaction"),
    SCHEDULED,
)
_COMMANDS: tuple[app_commands.Command[Any, ..., Any] | app_commands.ContextMenu, ...] = (
    *(reindex, inbox, settings_, watching, help_, forget_me),
    *(check_message, add_message),
)
_CHECKS_ITSELF = {"moderate erase-all"}  # needs more permissions than a moderator has
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # no voice, no warnings


@app_commands.guild_only()
class Reports(
    Lookups,
    commands.GroupCog,
    group_name="reports",
    group_description="The reports you can ask about",
):
    """The group `/reports`, for everybody."""


@app_commands.guild_only()
@offered_to_moderators
class Moderate(
    Moderation,
    SourceCommands,
    commands.GroupCog,
    group_name="moderate",
    group_description="Add, correct and remove reports",
):
    """The group `/moderate`, for moderators only."""

    async def interaction_check(  # type: ignore[override]  # discord.py: any client
        self, interaction: Interaction, /
    ) -> bool:
        command = interaction.command
        name = command.qualified_name if command else ""
        return name in _CHECKS_ITSELF or await is_moderator(interaction)


class UnreachableError(OnRecordError):
    """Discord does not answer."""


class OnRecord(commands.AutoShardedBot):
    """Answers questions in Discord from its collections."""

    def __init__(self, collections: Collections, settings: Settings, *, sync: bool = False) -> None:
        """Create the bot without connecting to Discord.

        With `sync`, commands are sent to Discord even if they have not changed.
        """
        own = settings.discord.shard_range
        sharding: dict[str, Any] = {"shard_ids": [*own[0]], "shard_count": own[1]} if own else {}
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True, guild_messages=True, dm_messages=True),
            max_messages=None,  # no cache: no message is looked up, and servers send thousands
            allowed_mentions=discord.AllowedMentions.none(),
            **sharding,
        )
        self.collections = collections
        self.settings = settings
        self.jobs = Jobs(collections, settings.discord)
        self.question_limit = RateLimit(settings.discord, collections.wait_s)
        self.press_limit = RateLimit(
            settings.discord,
            collections.wait_s,
            _PRESSES_PER_QUESTION,
            done="pressed many buttons",
        )
        self.unasked = Pace(_UNASKED_PER_HOUR, 3600)
        # Answering is bound by the processor: more threads than cores would slow each other down.
        cores = os.cpu_count() or 1
        self.asking = ThreadPoolExecutor(cores, "onrecord-ask")
        self.turns = Turns(cores)
        # Autocomplete has a thread of its own, so that many keystrokes do not delay other work.
        self.choosing = ThreadPoolExecutor(1, "onrecord-choose")
        self.tree.error(self.explain)
        self.stopping = False  # if True, no new work is started
        self._sync = sync
        self._created = time.monotonic()

    async def setup_hook(self) -> None:
        """Load what questions need, then register commands and buttons."""
        threads = ThreadPoolExecutor(_LOOKUP_THREADS, "onrecord")  # the event loop shuts it down
        asyncio.get_running_loop().set_default_executor(threads)
        await asyncio.to_thread(self.collections.prepare)
        self.add_dynamic_items(Button, SettingSelect)
        for cog in (Ask(self), Reports(), Moderate(), Maintenance(self), Welcome(self)):
            await self.add_cog(cog)
        for command in _COMMANDS:
            self.tree.add_command(command)
        await self._sync_commands()

    async def _sync_commands(self) -> None:
        """Send the commands to Discord, unless the same commands were sent before."""
        commands = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        content = json.dumps([self.application_id, commands], sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()
        file = self.settings.data / _SYNCED_FILE
        if not self._sync and file.exists() and file.read_text("ascii") == digest:
            return
        try:
            await self.tree.sync()
        except DISCORD_ERRORS:  # it still knows the earlier ones
            log.exception("Discord did not accept the commands; the next start tries again")
        else:
            file.write_text(digest, "ascii")
            log.info("commands synced", extra=fields(commands=len(commands)))

    async def on_ready(self) -> None:
        """Log that the bot is ready to answer questions."""
        seconds = round(time.monotonic() - self._created, 1)
        log.info("ready", extra=fields(servers=len(self.guilds), user=self.user, seconds=seconds))

    async def on_message(self, message: discord.Message, /) -> None:
        """Process no text commands; the cog `Ask` listens to messages."""

    async def on_interaction(self, interaction: Interaction) -> None:
        """Reply to a form that was opened too long ago, which discord.py drops silently."""
        data: Any = interaction.data or {}
        submitted = interaction.type is discord.InteractionType.modal_submit
        if submitted and Form.is_outdated(data.get("custom_id", "")):
            error = InputError("This form was open too long, or I was restarted: open it again.")
            await self.explain(interaction, error)

    async def close(self) -> None:
        """Accept no new work, finish work in flight, then close everything, whatever fails."""
        async with contextlib.AsyncExitStack() as parts:  # closed in reverse order
            parts.push_async_callback(asyncio.to_thread, self.collections.close)
            parts.callback(self.jobs.close)
            parts.callback(self.asking.shutdown, wait=False, cancel_futures=True)
            parts.callback(self.choosing.shutdown, wait=False, cancel_futures=True)
            parts.push_async_callback(super().close)
            if not self.stopping:
                self.stopping = True
                await self._finish()

    async def _finish(self) -> None:
        """Stop jobs and loops, disconnect from the gateway, and send answers in flight."""
        started = time.monotonic()
        self.jobs.stop()
        if maintenance := self.get_cog("Maintenance"):
            await maintenance.cog_unload()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCONNECT_S):
                leaving = (shard.disconnect() for shard in self.shards.values())
                await asyncio.gather(*leaving, return_exceptions=True)
        unfinished = await finish(_IN_FLIGHT, ANSWERS_S)
        seconds = round(time.monotonic() - started, 1)
        level = logging.WARNING if unfinished else logging.INFO
        log.log(level, "stopped", extra=fields(seconds=seconds, unfinished=unfinished))

    async def explain(self, interaction: Interaction, error: Exception) -> None:
        """Reply to a failed command or button with a sentence that says what to do.

        Only its user sees it, unless the reply was deferred in public. If the interaction has
        expired, the sentence is sent as a direct message.
        """
        context = context_of(interaction)
        view = notice_view(explain(error, context))
        try:
            try:
                await reply_privately(interaction, view)
            except DISCORD_ERRORS:
                await send_once(interaction.user.send, view=view)
        except DISCORD_ERRORS as failure:
            log.warning("%s failed, and its user could not be notified: %s", context, failure)


def run(settings: Settings, encoder: Encoder, *, sync: bool = False, debug: bool = False) -> None:
    """Connect to Discord and serve until SIGTERM or SIGINT.

    Args:
        settings: with a token.
        encoder: for all collections.
        sync: whether to send the commands to Discord even if they have not changed.
        debug: whether to log everything.

    Raises:
        SettingsError: there is no token, or Discord refuses it.
        UnreachableError: Discord does not answer, for two minutes.
    """
    if settings.token is None:
        raise SettingsError(
            "There is no token: set DISCORD_TOKEN to your bot's token from Discord's developer "
            "portal (README, “Connect it to Discord”)."
        )
    token = settings.token.get_secret_value()
    configure(settings.logs, [token], debug=debug)
    settings.data.mkdir(parents=True, exist_ok=True)
    known = {"version": version("onrecord"), "encoder": settings.model.name, "data": settings.data}
    log.info("starting", extra=fields(**known))
    try:
        bot = OnRecord(Collections.with_reader(settings, encoder), settings, sync=sync)
        asyncio.run(_serve(bot, token))
    except discord.LoginFailure:
        raise SettingsError("Discord refuses the token: copy it again from the portal.") from None
    except (OnRecordError, OSError):  # the command line explains them without a traceback
        raise
    except Exception:
        log.exception("the bot ended unexpectedly")
        raise


async def _serve(bot: OnRecord, token: str) -> None:
    with stop_signals() as stopped:
        async with served(bot, bot.settings.metrics.port), bot:  # closes the bot in the end
            await run_until(stopped, _stay_connected(bot, token))


async def _stay_connected(bot: OnRecord, token: str) -> None:
    """Log in, retrying while Discord is down, and serve. Raises UnreachableError after a while."""
    for wait in _LOGIN_WAITS_S:
        try:
            await bot.login(token)
        except (aiohttp.ClientError, discord.DiscordServerError) as error:
            await bot.http.close()  # the next attempt begins with connections of its own
            bot.http.connector = discord.utils.MISSING
            log.warning(
                "Discord cannot be reached (%s); trying again in %d s", type(error).__name__, wait
            )
            await asyncio.sleep(wait)
        else:
            await bot.connect()
            return
    raise UnreachableError("Discord cannot be reached: check the network, then start me again.")
