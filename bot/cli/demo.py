"""The real bot in a page on this machine: no token, no account, no network."""

from __future__ import annotations

import asyncio
import logging
import signal
import tempfile
import webbrowser
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import discord

from bot.bot import OnRecord
from bot.collections import Collections
from bot.settings import Discord, Settings
from index import Encoder, SettingsError

if TYPE_CHECKING:
    import simcord

GREETING = (
    "The reports of the Hallow Dam story are in. Type `/ask` and a question, for example:\n"
    "- Had the crews been warned about the gate?\n- How many people died?\n"
    "- When was the dam built?\n- Who won the election?\n\n"
    "Reply to an answer to ask on; `/help` says what else there is."
)
_COLLECTION = "sample"
_SETTLE_S = 60.0  # how long a reply may take before the page gives it up
_TICK_S = 1.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(encoder: Encoder, *, port: int, browser: bool) -> None:
    """Serve the sample reports until stopped; what is done there is gone afterwards.

    Raises:
        SettingsError: the extra is not installed, or the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="onrecord-demo-") as folder:
        settings = Settings(data=Path(folder), discord=Discord(collections={"*": _COLLECTION}))
        library = Collections(settings, encoder)
        with as_file(files("bot") / "sample") as sample:
            print("Reading the sample reports …", flush=True)
            library.open(_COLLECTION).add([str(sample)], actor="demo")

        bot = OnRecord(library, settings)
        asyncio.run(_serve(bot, port=port, browser=browser))


async def _serve(bot: OnRecord, *, port: int, browser: bool) -> None:
    """Run the bot in a simulated Discord until SIGINT, SIGTERM or the page's own end; close it."""
    logging.getLogger("discord.state").setLevel(logging.ERROR)  # simcord's self-check has no guilds
    try:
        import simcord  # noqa: PLC0415 - comes with the extra only
    except ImportError:
        raise SettingsError('The demo needs its extra: pip install "onrecord[demo]".') from None
    env = simcord.Env(bot, settle_timeout=_SETTLE_S, shard_count=None if bot.shard_count else 1)
    _keep_time(env)  # before the start: later it would run the timers of all the days between
    try:
        await env.start()
        try:
            await _present(env, bot, port, browser=browser)
        finally:
            await env.shutdown()
    except simcord.SetupError as error:
        raise SettingsError(f"The page cannot be served: {error}.") from error
    finally:
        await bot.close()


async def _present(env: simcord.Env, bot: OnRecord, port: int, *, browser: bool) -> None:
    """Open the page on a server with one channel, an editor and a reader."""
    if bot.user is not None:
        await bot.user.edit(username="On Record")
    guild = env.create_guild("The Newsroom")
    channel = guild.create_text_channel("newsroom", topic="Type / to see what the bot can do")
    allowed = discord.Permissions(manage_guild=True, manage_messages=True)
    desk = guild.create_role("Editors", permissions=allowed)
    reader = guild.add_member(env.create_user("reader", global_name="Reader"))
    editor = guild.add_member(env.create_user("editor", global_name="Editor"), roles=[desk])
    people = (reader, editor)
    for person in people:
        name = f"<@{bot.user.id}>" if bot.user else ""
        setattr(person, "send", partial(_pinging, person.send, name))  # noqa: B010 - a method
    async with env.preview(channel, viewers=people, layout="channel", port=port) as page:
        _follow(page)
        room = bot.get_channel(channel.id)
        if isinstance(room, discord.TextChannel):
            await room.send(GREETING)  # once the page is there, so that it opens on this message
        print(f"The bot is at {page.url}\nStop it with Ctrl-C.", flush=True)
        if browser:
            await asyncio.to_thread(webbrowser.open, page.url)
        await _until_stopped(env, page.wait_closed())


async def _pinging(
    send: Callable[..., Awaitable[Any]], name: str, channel: Any, content: str = "", **how: Any
) -> Any:
    """Send what was typed in the page; a reply pings, as Discord has it unless told otherwise."""
    replying = how.get("reply_to") is not None
    return await send(channel, f"{name} {content}" if replying else content, **how)


async def _until_stopped(env: simcord.Env, closed: Awaitable[None]) -> None:
    """Keep the simulated clock going until `closed` or a signal."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.ensure_future(closed)
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stopped.cancel)
    try:
        while not stopped.done():
            await asyncio.wait([stopped], timeout=_TICK_S)
            _keep_time(env)
    finally:
        stopped.cancel()
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)


def _keep_time(env: simcord.Env) -> None:
    """Bring the simulated clock, which stands still by itself, to the present."""
    behind = (datetime.now(UTC) - env.now()).total_seconds()
    env.backend.clock.advance(max(0.0, behind))


def _follow(page: Any) -> None:
    """Make the page scroll to each new reply; by itself it stays where /ask was typed."""
    publish, newest = page._publish, page._initial_target  # noqa: SLF001 - simcord < 3.3 only

    def publish_at_newest(view: Any, *, reason: str = "action") -> None:
        if reason == "action":
            view.target_id, view.window_end_id = newest(view.viewer, view.channel_id), None
        publish(view, reason=reason)

    page._publish = publish_at_newest  # noqa: SLF001 - as above
