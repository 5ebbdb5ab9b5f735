"""Serve the real bot in a page on this machine: no token, no account, no network."""

from __future__ import annotations

import asyncio
import re
import tempfile
import webbrowser
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import discord
import simcord

from bot.bot import OnRecord
from bot.collections import Collections
from bot.lifecycle import run_until, stop_signals
from bot.settings import Discord, Settings
from index import Encoder, SettingsError

_GREETING = """\
The reports of the Hallow Dam story are ready. Type `/ask` or `@On Record` and a question, such as:
- Had the crews been warned about the gate?
- How many people died?
- When was the dam built?
- Who is the president of Arvenland?

Reply to an answer to ask a follow-up; `/help` shows what else I can do."""
_HINT = (
    "-# I read what is addressed to me: begin with `/ask` or `@On Record`, or reply to an answer."
)
# Pasted, or typed without choosing from the page's lists of commands and names.
_ADDRESSED = re.compile(r"^\s*(?:/ask|@on record)\b(?:\s*question:)?\s*", re.IGNORECASE)
_REPLY_TIMEOUT_S = 60.0
_TICK_S = 1.0


def run(encoder: Encoder, *, port: int, browser: bool) -> None:
    """Serve the sample reports until stopped, from a folder that is deleted afterwards.

    Raises:
        SettingsError: the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="onrecord-demo-") as folder:
        relaxed = Discord(
            questions_per_minute=1_000,  # the maximum: visitors try things
            server_questions_per_minute=100_000,
        )
        settings = Settings(data=Path(folder), discord=relaxed)
        bot = OnRecord(Collections.with_reader(settings, encoder), settings)
        asyncio.run(_until_stopped(bot, port=port, browser=browser))


async def _until_stopped(bot: OnRecord, *, port: int, browser: bool) -> None:
    with stop_signals() as stopped:
        try:
            await _serve(bot, stopped, port=port, browser=browser)
        finally:
            await bot.close()


async def _serve(bot: OnRecord, stopped: asyncio.Event, *, port: int, browser: bool) -> None:
    """Run the bot in a simulated Discord until a signal or until the page ends the session."""
    shards = None if bot.shard_count else 1  # a sharded client needs a count
    env = simcord.Env(bot, settle_timeout=_REPLY_TIMEOUT_S, shard_count=shards)
    _advance_clock(env)  # before the start: later it would run the timers of all the days between
    try:
        await env.start()
        try:
            await _present(env, bot, stopped, port, browser=browser)
        finally:
            await env.shutdown()
    except simcord.SetupError as error:
        raise SettingsError(f"The page cannot be served: {error}.") from error


class _Person(simcord.MemberActor):
    """A member whose messages mention the bot whenever they are meant for it.

    Discord adds mentions to replies and chosen names; here `/ask` and the name may be plain text. A
    message to nobody gets a hint, since visitors of the demo hardly talk to themselves.
    """

    def __init__(self, env: simcord.Env, guild: Any, user: Any, bot: OnRecord) -> None:
        """Act for a member of a server in which the bot is."""
        super().__init__(env, guild, user)
        self._bot = bot

    async def send(self, channel: Any, content: str = "", **options: Any) -> discord.Message:
        mention = self._bot.user.mention if self._bot.user else ""
        if reply_to := options.get("reply_to"):
            content = f"{reply_to.message.author.mention} {content}"
        else:
            content = _ADDRESSED.sub(f"{mention} ", content)
        message = await super().send(channel, content, **options)
        if mention not in content and not reply_to:
            await _say(self._bot, channel.id, _HINT)
        return message


async def _say(bot: OnRecord, channel: int, text: str) -> None:
    """Post a text of the demo as the bot."""
    room = bot.get_channel(channel)
    if isinstance(room, discord.TextChannel):
        await room.send(text)


async def _present(
    env: simcord.Env, bot: OnRecord, stopped: asyncio.Event, port: int, *, browser: bool
) -> None:
    """Open the page on a server with a channel, an editor and a reader."""
    if bot.user is not None:
        await bot.user.edit(username="On Record")
    guild = env.create_guild("The Newsroom")
    channel = guild.create_text_channel("newsroom", topic="Type / to see what the bot can do")
    editors = guild.create_role(
        "Editors", permissions=discord.Permissions(manage_guild=True, manage_messages=True)
    )
    reader = guild.add_member(env.create_user("reader", global_name="Reader"))
    editor = guild.add_member(env.create_user("editor", global_name="Editor"), roles=[editors])
    print("Reading the sample reports …", flush=True)
    with as_file(files("bot") / "sample") as sample:
        archive = bot.collections.archive(guild.id)
        await run_until(stopped, asyncio.to_thread(archive.add, [str(sample)], actor="demo"))
    if stopped.is_set():
        return
    people = [_Person(env, guild, member.user, bot) for member in (reader, editor)]
    async with env.preview(channel, viewers=people, layout="channel", port=port) as page:
        await _say(bot, channel.id, _GREETING)  # only now does the page show new messages
        print(f"The bot is at {page.url}\nStop it with Ctrl-C.", flush=True)
        if browser:
            await asyncio.to_thread(webbrowser.open, page.url)
        clock = asyncio.create_task(_run_clock(env))
        await run_until(stopped, page.wait_closed())
        await bot.close()  # before the page, which still shows answers in flight
        clock.cancel()


async def _run_clock(env: simcord.Env) -> None:
    """Keep the simulated clock running."""
    while True:
        _advance_clock(env)
        await asyncio.sleep(_TICK_S)


def _advance_clock(env: simcord.Env) -> None:
    """Set the simulated clock, which stands still, to the present."""
    behind = (datetime.now(UTC) - env.now()).total_seconds()
    env.backend.clock.advance(max(0.0, behind))
