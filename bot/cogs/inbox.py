"""/inbox: flagged quotes, declined questions and failing sources, for moderators to deal with."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
from discord import app_commands
from discord.utils import format_dt

from bot import answers
from bot.cogs.reports import choice_value
from bot.cogs.sources import AddReports
from bot.interactions import (
    Interaction,
    check_moderator,
    defer,
    moderators_only,
    offered_to_moderators,
    viewer_of,
)
from bot.markdown import escape, shorten
from bot.views.base import Button, Press, Row, button, notice_view, page_of
from bot.views.explanation import explanation_view
from bot.views.text import plural, source_error, source_name
from index import Archive, Declined, Flagged, OnRecordError, Source

Item = Flagged | Declined | Source
_PAGE = 4  # items, each with a row of buttons: at most 40 components in a message
_CHARS = 100  # so that a page fits in a message, even if every character is escaped
_NOTES, _NOTE_CHARS = 2, 150  # for each flagged answer; a note has the quote, then the reason
_FOOTER = (
    "-# `/moderate` `correct`, `retract` or `remove` fixes a report; **Done** removes an item."
)
_EMPTY = "### Inbox\nNothing to do: no quote is flagged, no question is open, and no source fails."


@app_commands.command()
@app_commands.guild_only()
@offered_to_moderators
@moderators_only
async def inbox(interaction: Interaction) -> None:
    """Flagged quotes, questions I could not answer, and sources that fail."""
    await defer(interaction, ephemeral=True)
    await show_inbox(Press(interaction, ""))


@button("inbox", "Next ▶", "in place")
async def show_inbox(press: Press) -> None:
    """Show a page of open items; declined questions are asked again, since they may be answered."""
    await check_moderator(press.interaction)
    archive, channels = await press.archive(), viewer_of(press.interaction).channels
    server = press.interaction.guild_id or 0

    def read() -> list[Item]:
        failing = [source for source in archive.sources.all() if source.failing_since]
        flagged = archive.inbox.flagged(server, channels)
        declined = archive.inbox.declined(server, channels)
        return [*flagged, *declined, *(source for source in failing if not source.paused)]

    items = await asyncio.to_thread(read)
    shown, label, rows = page_of(items, press, _PAGE, "inbox")
    if not items:
        await press.reply(notice_view(_EMPTY))
        return
    view = notice_view(f"### Inbox · {plural(len(items), 'open item')}")
    for item in shown:
        text, buttons = await _item_text(press, item)
        view.add_item(discord.ui.Separator[Any]())
        view.add_item(discord.ui.TextDisplay[Any](text))
        view.add_item(Row(*buttons))
    view.add_item(
        discord.ui.TextDisplay[Any]("\n".join([_FOOTER, *([f"-# {label}"] if rows else [])]))
    )
    for row in rows:
        view.add_item(row)
    await press.reply(view)


async def _item_text(press: Press, item: Item) -> tuple[str, list[Button]]:
    """Return an item in words, and buttons for what can be done about it."""
    if isinstance(item, Flagged):
        notes = [f"- {escape(shorten(note, _NOTE_CHARS))}" for note in item.notes[:_NOTES]]
        about = escape(shorten(item.question or "", _CHARS)) or "a private question"
        head = f"**Flagged by {plural(len(item.notes), 'reader')}** · {about}"
        opened = [Button("open", item.answer_id)] if item.question else []
        return "\n".join([head, *notes]), [*opened, Button("done", item.answer_id, press.page)]
    if isinstance(item, Declined):
        counts = f"asked {plural(item.times, 'time')}"
        if item.watchers:
            counts += f" · {plural(item.watchers, 'reader')} will be notified of an answer"
        now = " · **answered now**" if await _is_answered(press.interaction, item) else ""
        text = f"**Not answered** · {escape(shorten(item.question, _CHARS))}\n-# {counts}{now}"
        key = item.answer_ids[0]
        return text, [Button("open", key), Button("fill", key), Button("done", key, press.page)]
    since = format_dt(item.failing_since, "R") if item.failing_since else ""
    name, error = source_name(item.uri)[:_CHARS], source_error(item)[:_CHARS]
    text = f"**Failing source** · {escape(name)}\n-# since {since}: {escape(error)}"
    return text, [Button("pause", choice_value(item.uri, visible=False), press.page)]


async def _is_answered(interaction: Interaction, item: Declined) -> bool:
    """Return whether the reports answer a declined question now."""
    bot, server = interaction.client, interaction.guild_id
    try:
        answer = await answers.ask(bot, server, item.question, item.filters)
    except OnRecordError:  # such as a publisher that no longer has reports
        return False
    return answer.status == "answered"


@button("open", "Open", "private")
async def open_answer(press: Press) -> None:
    """Show how an answer came about, as /why does, to moderators who may see it."""
    await check_moderator(press.interaction)
    archive = await press.archive()
    view = await explanation_view(archive, press.key, viewer_of(press.interaction))
    await answers.send_answer(archive, view, press.reply)


@button("fill", "Add reports", "modal")
async def add_what_answers(press: Press) -> None:
    """Ask for reports that answer a question; people who watch it are then notified."""
    await check_moderator(press.interaction)
    await press.interaction.response.send_modal(AddReports())


@button("done", "Done", "in place")
async def mark_done(press: Press) -> None:
    """Remove an item from the inbox; a declined question, with all its declines."""
    await check_moderator(press.interaction)
    archive, channels = await press.archive(), viewer_of(press.interaction).channels
    server = press.interaction.guild_id or 0

    def work() -> None:
        alike = [item.answer_ids for item in archive.inbox.declined(server, channels)]
        ids = next((ids for ids in alike if press.key in ids), (press.key,))
        archive.inbox.mark_done(server, ids)

    await asyncio.to_thread(work)
    await show_inbox(press)


@button("pause", "Stop checking it", "in place")
async def pause_source(press: Press) -> None:
    """Pause a failing source."""
    await check_moderator(press.interaction)
    await asyncio.to_thread(_pause, await press.archive(), press.key)
    await show_inbox(press)


def _pause(archive: Archive, value: str) -> None:
    for source in archive.sources.all():
        if choice_value(source.uri, visible=False) == value:
            archive.sources.pause(source.uri)
