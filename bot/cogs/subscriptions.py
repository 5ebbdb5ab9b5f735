"""Watches: unanswered questions, asked again whenever there are new reports; /watching."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot import answers
from bot.interactions import Interaction, defer_and_open, edit_reply, is_moderator
from bot.markdown import escape
from bot.views.answer import AnswerView, answer_view
from bot.views.answer_buttons import answer_rows
from bot.views.base import Button, Press, Row, button, notice_view
from index import Archive, InputError, Watch

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
_LISTED = 10  # each with a button of its own, far under 40 components
_QUESTION_CHARS = 150  # so that all fit into a message even if each letter is escaped


@app_commands.command()
async def watching(interaction: Interaction) -> None:
    """Questions you are waiting to see answered; stop the ones you no longer need."""
    archive = await defer_and_open(interaction)
    guild = interaction.guild if is_moderator(interaction) else None
    me = interaction.user.id
    watches = [
        watch
        for watch in await asyncio.to_thread(archive.answers.watches)
        if watch.person == me or (guild and guild.get_channel_or_thread(watch.channel))
    ]
    none = "You're not watching any questions. Use the button under an answer I couldn't give."
    view = discord.ui.LayoutView(timeout=None) if watches else notice_view(none)
    for watch in watches[:_LISTED]:
        asker = "you" if watch.person == me else f"<@{watch.person}>"
        question = escape(watch.question[:_QUESTION_CHARS])
        line = f"**{question}**\n-# for {asker} in <#{watch.channel}>"
        view.add_item(discord.ui.TextDisplay[Any](line))
        view.add_item(stop_row(watch.number))
    if len(watches) > _LISTED:
        view.add_item(discord.ui.TextDisplay[Any](f"-# … and {len(watches) - _LISTED} more"))
    await edit_reply(interaction, view)


def stop_row(number: int) -> Row:
    """The button that stops a watch."""
    return Row(Button("stop", f"{number:x}"))


@button("watch", "Notify me when there's an answer", "private", primary=True)
async def start_watch(press: Press) -> None:
    """Watch the question of a declined answer for the person who pressed."""
    archive = await press.archive()
    answer = (await answers.recall(archive, press.key)).answer
    channel, person = press.interaction.channel_id or 0, press.interaction.user.id
    number = await asyncio.to_thread(
        archive.answers.add_watch, answer, channel=channel, person=person
    )
    text = (
        "I'll mention you here, in public, when the reports answer this. "
        "Moderators can see it in `/watching`."
    )
    await press.reply(notice_view(text, [stop_row(number)]))


@button("stop", "Stop", "in place")
async def stop_watch(press: Press) -> None:
    """Stop a watch: your own, or as a moderator anybody's."""
    archive = await press.archive()
    number, user = int(press.key, 16), press.interaction.user
    watches = await asyncio.to_thread(archive.answers.watches)
    others = {watch.number for watch in watches if watch.person != user.id}
    if number in others and not is_moderator(press.interaction):
        raise InputError("Only the person who asked, or a moderator, can stop this.")
    await asyncio.to_thread(archive.answers.remove_watch, number)
    await press.reply(notice_view("Stopped."))


async def ask_again(bot: OnRecord, server: int | None, archive: Archive) -> None:
    """Ask the watched questions of a collection that has changed since they were last asked."""
    generation = await asyncio.to_thread(lambda: archive.generation)
    for watch in await asyncio.to_thread(archive.answers.watches):
        try:
            if watch.generation < generation:
                await _ask_again(bot, server, archive, watch)
        except Exception:  # such as a publisher without reports; the next watches still count
            log.exception("watch %s of server %s could not be asked again", watch.number, server)


async def _ask_again(bot: OnRecord, server: int | None, archive: Archive, watch: Watch) -> None:
    """Ask one watched question; post the answer, if there is one, and end the watch."""
    answer = await answers.ask(bot, server, watch.question, watch.filters, user=watch.person)
    if answer.status == "declined":
        await asyncio.to_thread(archive.answers.mark_watch_checked, watch.number, answer.generation)
        return
    note = f"<@{watch.person}> The reports now answer what you asked."
    view = answer_view(answer, answer_rows(answer, private=False), note=note)
    channel = bot.get_partial_messageable(watch.channel, guild_id=server)

    async def send(view: AnswerView) -> discord.Message:
        mention = discord.AllowedMentions(users=[discord.Object(watch.person)])
        return await channel.send(view=view, allowed_mentions=mention)

    try:
        message = await answers.send_answer(archive, view, send)
    except (discord.Forbidden, discord.NotFound):
        log.warning("watch %s ends: channel %s is closed to the bot", watch.number, watch.channel)
    else:
        await answers.log_answer(archive, answer, message)
    await asyncio.to_thread(archive.answers.remove_watch, watch.number)
