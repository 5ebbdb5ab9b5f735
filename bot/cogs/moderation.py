"""Moderator commands: remove, correct and undo reports; history, export and erasure."""

from __future__ import annotations

import asyncio
import gzip
import tempfile
from collections.abc import Callable
from typing import IO, Any, Self, cast

import discord
from discord import app_commands, ui
from discord.ext import commands
from discord.utils import format_dt

from bot.cogs.reports import (
    Title,
    choice_value,
    find_report,
    headline_choices,
    report_choices,
)
from bot.interactions import (
    Interaction,
    actor_of,
    check_moderator,
    defer,
    defer_and_open,
    edit_reply,
    granted_to,
    moderators_only,
)
from bot.markdown import escape, shorten
from bot.views.base import (
    CHOICE_CHARS,
    Button,
    Choices,
    Form,
    Press,
    Row,
    button,
    choices,
    notice_view,
    page_of,
)
from bot.views.progress import result_text
from bot.views.text import event_words, notice_words, restore_warnings, titles_of, undo_warnings
from index import MAX_NOTE_CHARS, Archive, HistoryEvent, InputError, Noted

Note = app_commands.Range[str, 1, MAX_NOTE_CHARS]
_PAGE = 8  # lines of the audit log
_TITLES, _SHORT_CHARS = 3, 60  # titles shown for each change, and their length
_LOOK_BACK = 200  # changes offered to undo
_ERASE_PHRASE = "erase everything"


@moderators_only  # autocomplete runs without the checks of its command
async def _removed_choices(interaction: Interaction, typed: str) -> Choices:
    return await headline_choices(interaction, typed, removed=True)


@moderators_only
async def _change_choices(interaction: Interaction, typed: str) -> list[app_commands.Choice[int]]:
    collections, server = interaction.client.collections, interaction.guild_id

    def produce() -> list[tuple[str, int]]:
        events = collections.archive(server).history(_LOOK_BACK)
        # The newest change led to the present state.
        return [(_event_label(event), event.generation) for event in events[1:]]

    return await choices(interaction, produce, typed)


class Moderation(commands.Cog):
    """The part of `/moderate` that changes reports."""

    @app_commands.command()
    @app_commands.autocomplete(report=report_choices)
    async def remove(self, interaction: Interaction, report: Title) -> None:
        """Remove a report; earlier answers keep their quotes.

        Args:
            report: Its title
        """
        archive = await defer_and_open(interaction)
        article_id, actor = await find_report(interaction, report), actor_of(interaction)
        result = await asyncio.to_thread(archive.remove, [article_id], actor=actor)
        await edit_reply(interaction, notice_view(result_text(result)))

    @app_commands.command()
    @app_commands.autocomplete(report=_removed_choices)
    async def restore(self, interaction: Interaction, report: Title) -> None:
        """Bring a removed report back.

        Args:
            report: Its title
        """
        await defer(interaction, ephemeral=True)
        await _restore(Press(interaction, ""), await find_report(interaction, report, removed=True))

    @app_commands.command()
    @app_commands.autocomplete(change=_change_choices)
    async def undo(self, interaction: Interaction, change: int) -> None:
        """Roll the reports back to an earlier state.

        Args:
            change: Undo everything after this change
        """
        await defer(interaction, ephemeral=True)
        await undo_after(Press(interaction, str(change)))

    @app_commands.command()
    @app_commands.autocomplete(report=report_choices)
    async def correct(self, interaction: Interaction, report: Title, note: Note) -> None:
        """Mark a report as corrected; answers that quote it say so.

        Args:
            report: Its title
            note: What is wrong, and what is right
        """
        await _attach_notice(interaction, report, note, Archive.correct)

    @app_commands.command()
    @app_commands.autocomplete(report=report_choices)
    async def retract(self, interaction: Interaction, report: Title, note: Note) -> None:
        """Remove a report and say why above answers that quote it.

        Args:
            report: Its title
            note: Why it is retracted
        """
        await _attach_notice(interaction, report, note, Archive.retract)

    @app_commands.command()
    async def history(self, interaction: Interaction) -> None:
        """Who changed which reports, and when."""
        await defer(interaction, ephemeral=True)
        await show_history(Press(interaction, ""))

    @app_commands.command()
    async def export(self, interaction: Interaction) -> None:
        """All reports as a file that can be added elsewhere."""
        archive = await defer_and_open(interaction)
        if not interaction.app_permissions.attach_files:
            raise InputError("I need the Attach Files permission here to send the export.")
        with tempfile.TemporaryFile() as file:
            await asyncio.to_thread(_write_export, archive, file)
            if file.tell() > interaction.filesize_limit:
                limit_mb = interaction.filesize_limit // 1_000_000
                raise InputError(
                    f"The compressed export is over Discord's {limit_mb} MB limit here: "
                    "the operator can write it with `onrecord export`."
                )
            file.seek(0)
            attachment = discord.File(file, "reports.jsonl.gz")
            await interaction.edit_original_response(attachments=[attachment])

    @app_commands.command(name="erase-all")
    async def erase_all(self, interaction: Interaction) -> None:
        """Delete all reports and answers permanently."""
        if not granted_to(interaction.user).manage_guild:
            raise InputError("Erasing everything needs Manage Server: ask somebody who has it.")
        interaction.client.collections.check_erasable(interaction.guild_id)
        await interaction.response.send_modal(EraseAll())


class EraseAll(Form, title="Erase all reports and answers?"):
    """Asks to type a phrase as confirmation."""

    phrase: ui.TextInput[Self] = ui.TextInput(
        label=f"This cannot be undone. Type: {_ERASE_PHRASE}",
        placeholder=_ERASE_PHRASE,
        max_length=40,
    )

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        bot, server = interaction.client, interaction.guild_id
        if self.phrase.value.strip().casefold() != _ERASE_PHRASE:
            raise InputError(f"Nothing was erased: the phrase is “{_ERASE_PHRASE}”.")
        if bot.jobs.busy(server):
            raise InputError("Nothing was erased: reports are being added. Stop that first.")
        await defer(interaction, ephemeral=True, thinking=True)
        await asyncio.to_thread(bot.collections.erase, server)
        text = (
            "All reports, answers, sources and the audit log have been erased. The choices in "
            "`/settings` are kept."
        )
        await edit_reply(interaction, notice_view(text))


async def _attach_notice(
    interaction: Interaction, title: str, note: str, attach: Callable[..., Noted]
) -> None:
    """Attach a correction or retraction to a report."""
    archive = await defer_and_open(interaction)
    article_id, actor = await find_report(interaction, title), actor_of(interaction)
    noted = await asyncio.to_thread(attach, archive, article_id, note, actor=actor)
    article = noted.article
    retracted = article.notice is not None and article.notice.kind == "retracted"
    state = "retracted and removed" if retracted else "marked as corrected"
    text = f"“{escape(shorten(article.title, CHOICE_CHARS))}” has been {state}."
    if noted.replaced:
        text += f" This replaces: {escape(notice_words(noted.replaced))}"
    if interaction.client.settings.discord.notes:
        text += " Public answers of the last 30 days that cite it will soon say so."
    await edit_reply(interaction, notice_view(text))


@button("restore", "Restore anyway", "in place")
async def restore_anyway(press: Press) -> None:
    """Restore a report after the moderator has confirmed the loss of its retraction."""
    await check_moderator(press.interaction)
    value, agreed = press.key.split()
    await _restore(press, await find_report(press.interaction, value, removed=True), agreed)


async def _restore(press: Press, article_id: str, agreed: str = "") -> None:
    """Restore a report; ask first if that loses something that was not `agreed` to."""
    archive = await press.archive()
    article = await asyncio.to_thread(archive.article, article_id)
    warnings = restore_warnings([article])
    asked = choice_value("\n".join(warnings), visible=False)
    if warnings and asked != agreed:
        key = f"{choice_value(article_id, visible=False)} {asked}"
        name = escape(shorten(article.title, CHOICE_CHARS))
        await _ask_first(press, f"Restore “{name}”?", warnings, Button("restore", key))
        return
    actor = actor_of(press.interaction)
    result = await asyncio.to_thread(archive.restore, [article_id], actor=actor)
    await press.reply(notice_view(result_text(result)))


@button("undo", "Undo anyway", "in place")
async def undo_after(press: Press) -> None:
    """Undo everything after a change; ask first if that loses something.

    The key is the change and, once the moderator was asked, the newest change at that time: if
    there are further changes since, they are asked again.
    """
    await check_moderator(press.interaction)
    archive = await press.archive()
    change, *asked_at = map(int, press.key.split())

    def preview() -> tuple[int, list[str]]:
        newest, articles = archive.generation, archive.size().articles  # as before the preview
        return newest, undo_warnings(archive.undo(change, dry_run=True), articles)

    newest, warnings = await asyncio.to_thread(preview)
    if warnings and asked_at != [newest]:
        undo = Button("undo", f"{change} {newest}")
        await _ask_first(press, f"Undo everything after change {change}?", warnings, undo)
        return
    actor = actor_of(press.interaction)
    result = await asyncio.to_thread(archive.undo, change, actor=actor, seen=newest)
    await press.reply(notice_view(result_text(result)))


async def _ask_first(press: Press, heading: str, warnings: list[str], go_on: Button) -> None:
    """Say what would be lost, with a button to proceed."""
    lines = [f"### {heading}", *(f"- {escape(line)}" for line in warnings)]
    lines.append("-# This can be undone with `/moderate undo`.")
    await press.reply(notice_view("\n".join(lines), [Row(go_on)]))


def _write_export(archive: Archive, file: IO[bytes]) -> None:
    """Write all reports as compressed JSON lines."""
    with gzip.open(file, "wb") as compressed:
        archive.export(cast("IO[bytes]", compressed))


@button("history", "Next ▶", "in place")
async def show_history(press: Press) -> None:
    """Show a page of the audit log, newest first."""
    await check_moderator(press.interaction)
    events = await asyncio.to_thread((await press.archive()).history)
    shown, label, rows = page_of(events, press, _PAGE, "history")
    lines = [*map(_event_line, shown)] or ["Nothing has been changed here yet."]
    lines += [f"-# {label}"] if rows else []
    await press.reply(notice_view("\n".join(["### Changes", *lines]), rows))


def _event_line(event: HistoryEvent) -> str:
    """Return an event as a line of the audit log."""
    kind, _, person = event.actor.partition(":")
    by = f"<@{person}>" if kind == "discord" and person.isdecimal() else escape(event.actor)
    note = f" · {escape(shorten(event.note, _SHORT_CHARS))}" if event.note else ""
    titles = "".join(
        f"\n-# {escape(shorten(title, _SHORT_CHARS))}" for title in titles_of(event, _TITLES)
    )
    when = format_dt(event.at, "f")
    return f"**{event.generation}** · {when} · {by} · {event_words(event)}{note}{titles}"


def _event_label(event: HistoryEvent) -> str:
    """Return an event as a plain-text autocomplete label."""
    titles = ", ".join(titles_of(event, _TITLES))
    label = f"{event.generation} · {event.at:%d %b %Y %H:%M} UTC · {event_words(event)} · {titles}"
    return label.removesuffix(" · ")
