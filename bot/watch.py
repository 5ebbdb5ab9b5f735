"""Watches: questions that the reports did not answer, asked again when there are new reports."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import discord
from discord import app_commands

from bot.buttons import answer_rows, stop_row
from bot.manners import Interaction, begun, tell
from bot.render import answer_view, escaped, notice_view
from index import Archive, Watch

log = logging.getLogger(__name__)
_LISTED = 10  # each with a button of its own, far under 40 components
_SHORT = 150  # of a question, so that all fit into a message even where each letter is escaped


async def ask_again(bot: discord.Client, archive: Archive) -> None:
    """Ask every watch of a collection that has changed since it was last asked."""
    generation = await asyncio.to_thread(lambda: archive.generation)
    for watch in await asyncio.to_thread(archive.answers.watches):
        try:
            if watch.generation < generation:
                await _ask_again(bot, archive, watch)
        except Exception:  # such as a publisher that is gone: the next ones still wait
            log.exception("watch %s could not be looked at", watch.number)


async def _ask_again(bot: discord.Client, archive: Archive, watch: Watch) -> None:
    answer = await asyncio.to_thread(archive.ask, watch.question, watch.filters)
    if answer.status == "declined":
        await asyncio.to_thread(archive.answers.mark_watch_checked, watch.number, answer.generation)
        return
    await asyncio.to_thread(archive.check, answer)
    rows = answer_rows(answer, private=False)
    note = f"<@{watch.person}> The reports now answer what you asked."
    try:
        sent = await bot.get_partial_messageable(watch.channel).send(
            view=answer_view(answer, rows, note=note),
            allowed_mentions=discord.AllowedMentions(users=[discord.Object(watch.person)]),
        )
    except (discord.Forbidden, discord.NotFound):
        log.warning("watch %s ends: its channel cannot be written to", watch.number)
    else:
        place = {"channel": watch.channel, "message": sent.id}
        await asyncio.to_thread(archive.answers.record, answer, **place)
    await asyncio.to_thread(archive.answers.remove_watch, watch.number)


@app_commands.command()
async def watching(interaction: Interaction) -> None:
    """Questions I look out for here; you can end yours."""
    archive = await begun(interaction)
    guild = interaction.guild if interaction.client.moderates(interaction) else None
    mine = interaction.user.id
    found = [
        one
        for one in await asyncio.to_thread(archive.answers.watches)
        if one.person == mine or (guild and guild.get_channel_or_thread(one.channel))
    ]
    if not found:
        text = "There is no question that I look out for. Where an answer declines, ask me to."
        await tell(interaction, notice_view(text))
        return
    view = discord.ui.LayoutView(timeout=None)
    for one in found[:_LISTED]:
        whose = "you" if one.person == mine else f"<@{one.person}>"
        line = f"**{escaped(one.question[:_SHORT])}**\n-# for {whose} in <#{one.channel}>"
        view.add_item(discord.ui.TextDisplay[Any](line))
        view.add_item(stop_row(one.number))
    if len(found) > _LISTED:
        more = f"-# … and {len(found) - _LISTED} more, once these have ended"
        view.add_item(discord.ui.TextDisplay[Any](more))
    await tell(interaction, view)
