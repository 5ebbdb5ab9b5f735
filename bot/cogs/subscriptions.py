"""Watches: unanswered questions, asked again whenever there are new reports; /watching."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot import answers
from bot.interactions import (
    Interaction,
    can_read,
    defer,
    is_moderator,
    missing_to_write,
    viewer_of,
)
from bot.markdown import escape
from bot.sending import send_once
from bot.views.answer import AnswerView, answer_view
from bot.views.answer_buttons import answer_rows
from bot.views.base import Button, Press, Row, button, notice_view, page_of
from index import Answer, Archive, InputError, QuestionError, Watch

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
_LISTED = 10  # each with a button, far under 40 components
_QUESTION_CHARS = 150  # so that all fit in a message even if every character is escaped
_PINGED = 50  # people in a message; Discord allows 100 mentions
_NONCE_CHARS = 24  # Discord allows 25
_AWAY = timedelta(hours=1)


@app_commands.command()
async def watching(interaction: Interaction) -> None:
    """Questions you are waiting to see answered; stop the ones you no longer need."""
    await defer(interaction, ephemeral=True)
    await show_watches(Press(interaction, ""))


@button("watches", "Next ▶", "in place")
async def show_watches(press: Press) -> None:
    """Show a page of the user's watches; to moderators, also others' in channels they may read."""
    archive, interaction = await press.archive(), press.interaction
    viewer, moderates = viewer_of(interaction), await is_moderator(interaction)
    watches = [
        watch
        for watch in await asyncio.to_thread(archive.people.watches)
        if watch.person == viewer.person or (moderates and watch.channel in viewer.channels)
    ]
    none = "You're not watching any questions. Use the button under an answer I couldn't give."
    view = discord.ui.LayoutView(timeout=None) if watches else notice_view(none)
    shown, label, rows = page_of(watches, press, _LISTED, "watches")
    for watch in shown:
        asker = "you" if watch.person == viewer.person else f"<@{watch.person}>"
        place = f"in <#{watch.channel}>" if watch.channel else "by direct message"
        question = escape(watch.question[:_QUESTION_CHARS])
        view.add_item(discord.ui.TextDisplay[Any](f"**{question}**\n-# for {asker} {place}"))
        view.add_item(stop_row(watch.number))
    if rows:
        view.add_item(discord.ui.TextDisplay[Any](f"-# {label}"))
    for row in rows:
        view.add_item(row)
    await press.reply(view)


def stop_row(number: int) -> Row:
    """Return the button that stops a watch."""
    return Row(Button("stop", f"{number:x}"))


@button("watch", "Notify me when there's an answer", "private", primary=True)
async def start_watch(press: Press) -> None:
    """Watch the question of a declined answer for the person who pressed.

    If only they see the answer, they are notified by direct message; a first message says so, and
    tests whether they accept direct messages.
    """
    archive, interaction = await press.archive(), press.interaction
    answer = (await answers.recall(archive, press.key)).answer
    message = interaction.message
    private = interaction.guild is None or (message is not None and message.flags.ephemeral)
    text = (
        "I'll mention you here, in public, when the reports answer this. "
        "Moderators can see it in `/watching`."
    )
    if private:
        where = f" of {escape(interaction.guild.name)}" if interaction.guild else ""
        promise = f"I'll write to you here when the reports{where} answer this:"
        question = escape(answer.question[:_QUESTION_CHARS])
        try:
            notice = notice_view(f"{promise}\n**{question}**")
            await send_once(interaction.user.send, view=notice)
        except discord.Forbidden:
            raise InputError(
                "I can't send you direct messages, and won't answer a private question in public: "
                "allow direct messages from this server, then press again."
            ) from None
        text = "I'll send you a direct message when the reports answer this. Nobody else sees it."
    number = await asyncio.to_thread(
        archive.people.add_watch,
        answer,
        server=interaction.guild_id,
        channel=None if private else interaction.channel_id,
        person=interaction.user.id,
    )
    await press.reply(notice_view(text, [stop_row(number)]))


@button("stop", "Stop", "in place")
async def stop_watch(press: Press) -> None:
    """Stop a watch: one's own or, for a moderator, anybody's."""
    archive = await press.archive()
    number, user = int(press.key, 16), press.interaction.user
    watches = await asyncio.to_thread(archive.people.watches)
    others = {watch.number for watch in watches if watch.person != user.id}
    if number in others and not await is_moderator(press.interaction):
        raise InputError("Only the person who asked, or a moderator, can stop this.")
    await asyncio.to_thread(archive.people.remove_watches, [number])
    await press.reply(notice_view("Stopped."))


async def ask_again(bot: OnRecord, server: int | None, archive: Archive) -> datetime | None:
    """Ask the watched questions of a collection that has changed since they were last asked.

    People who wait for the same answer in a channel get it in a single message.

    Returns:
        When to ask again what could not be asked or sent; None if not before there are new reports.
    """
    same: dict[tuple[object, ...], list[Watch]] = {}
    for watch in await asyncio.to_thread(_outdated, archive):
        target = watch.channel or f"person {watch.person}"
        same.setdefault((watch.server, watch.question, watch.filters, target), []).append(watch)
    for watches in same.values():
        if bot.stopping:
            break
        numbers = [watch.number for watch in watches]
        try:
            await _ask_again(bot, archive, watches)
        except QuestionError as error:  # such as a publisher that no longer has reports
            mark = archive.people.mark_watches_checked
            await asyncio.to_thread(mark, numbers, archive.generation)
            log.info("watches of server %s cannot be asked: %s", server, error)
        except Exception:  # go on with the next watches
            log.exception("watches %s of server %s could not be asked again", numbers, server)
    return await asyncio.to_thread(watches_due, bot, archive)


def watches_due(bot: OnRecord, archive: Archive) -> datetime | None:
    """Return when to ask watched questions again; None if not before there are new reports.

    Watches of a server that is unavailable or was left wait longer.
    """
    outdated, now = _outdated(archive), discord.utils.utcnow()
    available = any(watch.server is None or _guild(bot, watch) for watch in outdated)
    return (now if available else now + _AWAY) if outdated else None


def _guild(bot: OnRecord, watch: Watch) -> discord.Guild | None:
    """Return the server of a watch; None if the bot is not in it, or it has an outage."""
    guild = bot.get_guild(watch.server or 0)
    return guild if guild and not guild.unavailable else None


def _outdated(archive: Archive) -> list[Watch]:
    """Return the watches whose questions were last asked of an earlier generation, oldest first."""
    generation = archive.generation
    return [watch for watch in archive.people.watches() if watch.generation < generation]


async def _ask_again(bot: OnRecord, archive: Archive, watches: Sequence[Watch]) -> None:
    """Ask a watched question; if it is answered, send the answer and end the watches.

    People who may read the channel are mentioned there, other members of the server get a direct
    message, and people who have left it get nothing. Messages above the hourly limit wait, as do
    servers in an outage.
    """
    question, filters, server = watches[0].question, watches[0].filters, watches[0].server
    guild = _guild(bot, watches[0])
    if (server and guild is None) or bot.unasked.wait_s(server):
        return
    answer = await answers.ask(bot, server, question, filters)
    if answer.status == "declined":
        numbers, mark = [watch.number for watch in watches], archive.people.mark_watches_checked
        await asyncio.to_thread(mark, numbers, answer.generation)
        return
    channel = await _channel(bot, guild, watches[0].channel)
    readers = list[Watch]()
    for watch in watches:
        member = await _member(guild, watch.person) if guild else None
        if guild and member is None:
            await _end(archive, watch)
        elif channel and member and can_read(channel, member):
            readers.append(watch)
        elif bot.unasked.allows(server):
            await _send_privately(bot, archive, answer, watch, guild)
    readers = readers[:_PINGED]
    if channel and readers and bot.unasked.allows(server):
        await _post(archive, answer, channel, readers)


def _nonce(*watches: Watch) -> str:
    """Return a nonce, so that Discord drops a message that is sent again after a crash."""
    content = f"{watches[0].server} {[(watch.number, watch.person) for watch in watches]}"
    return hashlib.blake2b(content.encode(), digest_size=_NONCE_CHARS // 2).hexdigest()


async def _end(archive: Archive, *watches: Watch) -> None:
    """End watches, right after their message, so that a crash hardly repeats a message."""
    await asyncio.to_thread(archive.people.remove_watches, [watch.number for watch in watches])


async def _post(archive: Archive, answer: Answer, channel: Any, watches: Sequence[Watch]) -> None:
    """Post an answer in a channel, mention the people who wait for it, and end the watches."""
    people = [discord.Object(watch.person) for watch in watches]
    mentions = " ".join(f"<@{person.id}>" for person in people)
    note = f"{mentions} The reports now answer what you asked."
    view = answer_view(answer, answer_rows(answer, private=False), note=note)

    async def send(view: AnswerView) -> discord.Message:
        allowed = discord.AllowedMentions(users=people)
        nonce = _nonce(*watches)
        return await send_once(channel.send, view=view, allowed_mentions=allowed, nonce=nonce)

    try:
        message = await answers.send_answer(archive, view, send)
    except (discord.Forbidden, discord.NotFound):
        log.warning("watches end: channel %s is closed to the bot", channel.id)
        await _end(archive, *watches)
    else:
        await _end(archive, *watches)
        server, asker = watches[0].server, people[0].id
        await answers.log_answer(archive, answer, message, server=server, asker=asker)


async def _send_privately(
    bot: OnRecord, archive: Archive, answer: Answer, watch: Watch, guild: discord.Guild | None
) -> None:
    """Send an answer to the person who waits for it, and end the watch.

    It comes without buttons: they need the server.
    """
    where = f" of {escape(guild.name)}" if guild else ""
    view = answer_view(answer, note=f"The reports{where} now answer what you asked.")

    async def send(view: AnswerView) -> discord.Message:
        channel = await bot.create_dm(discord.Object(watch.person))
        return await send_once(channel.send, view=view, nonce=_nonce(watch))

    try:
        await answers.send_answer(archive, view, send)
    except (discord.Forbidden, discord.NotFound):
        log.warning("watch %s ends: its person accepts no direct messages", watch.number)
        await _end(archive, watch)
    else:
        await _end(archive, watch)
        await answers.log_answer(archive, answer, None, server=watch.server, asker=watch.person)


async def _channel(bot: OnRecord, guild: discord.Guild | None, channel_id: int | None) -> Any:
    """Return the channel or thread of a watch; None if the bot may not answer there."""
    if guild is None or channel_id is None:
        return None
    channel: Any = guild.get_channel_or_thread(channel_id)
    if channel is None:  # such as an archived thread
        with contextlib.suppress(discord.NotFound, discord.Forbidden, discord.InvalidData):
            channel = await guild.fetch_channel(channel_id)
    if channel is None or missing_to_write(channel, channel.permissions_for(guild.me)):
        return None
    chosen = await asyncio.to_thread(bot.collections.preferences, guild.id)
    return None if chosen.elsewhere(channel) else channel


async def _member(guild: discord.Guild, person: int) -> discord.Member | None:
    """Return a person as a member of a server; None if they have left."""
    with contextlib.suppress(discord.NotFound):
        return guild.get_member(person) or await guild.fetch_member(person)
    return None
