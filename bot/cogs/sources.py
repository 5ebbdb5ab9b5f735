"""Add reports: from files and addresses, from sources on a schedule, and with /reindex."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self, cast, get_args

import discord
from discord import app_commands, ui
from discord.ext import commands
from discord.utils import format_dt

from bot.cogs.reports import choice_value
from bot.interactions import (
    Interaction,
    actor_of,
    check_moderator,
    defer,
    defer_and_open,
    edit_reply,
    moderators_only,
    offered_to_moderators,
)
from bot.markdown import escape
from bot.sending import DISCORD_ERRORS
from bot.views.base import Choices, Form, Press, button, choices, notice_view, page_of
from bot.views.progress import run_job
from bot.views.text import source_error, source_name
from index import (
    Archive,
    Failure,
    IngestResult,
    InputError,
    NotFoundError,
    ProgressCallback,
    Source,
    Sources,
    Upload,
    is_url,
)

MAX_FILES = 10  # Discord's limit on an upload in a modal, as on a message
MAX_ADDRESS_CHARS = 2_000
Address = app_commands.Range[str, 1, MAX_ADDRESS_CHARS]
Interval = Literal["quarter-hourly", "hourly", "six-hourly", "daily", "weekly", "manually"]
_MINUTES = dict(zip(get_args(Interval), (15, 60, 360, 1_440, 10_080, None), strict=True))
_SHOWN_CHARS = 150
_PAGE = 5  # sources: they fit in a message even if every character is escaped
_ADDRESS = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)  # https://a.example/x?y=z
_TRAILING = ".,;:!?'\"”’)]}*_|~"


@moderators_only  # autocomplete runs without the checks of its command
async def _source_choices(interaction: Interaction, typed: str) -> Choices:
    collections, server = interaction.client.collections, interaction.guild_id

    def produce() -> list[tuple[str, str]]:
        sources = collections.archive(server).sources.all()
        return [(source_name(source.uri), _choice_value(source.uri)) for source in sources]

    return await choices(interaction, produce, typed)


class SourceCommands(commands.Cog):
    """The part of `/moderate` that adds reports and manages sources."""

    @app_commands.command()
    async def add(self, interaction: Interaction) -> None:
        """Add reports: files, or a page or feed by its address."""
        await interaction.response.send_modal(AddReports())

    sources = app_commands.Group(name="sources", description="Where reports come from")

    @sources.command(name="list")
    async def list_sources(self, interaction: Interaction) -> None:
        """All sources: how often they are checked, and which ones fail."""
        await defer(interaction, ephemeral=True)
        await show_sources(Press(interaction, ""))

    @sources.command(name="add")
    async def add_source(
        self, interaction: Interaction, address: Address, every: Interval = "hourly"
    ) -> None:
        """Check a page or feed on a schedule.

        Args:
            address: Of a feed or a page
            every: How often; manually: only on /reindex
        """
        uri, actor = web_address(address), actor_of(interaction)

        def task(archive: Archive, on_progress: ProgressCallback) -> IngestResult:
            source = archive.sources.add(uri, _MINUTES[every])
            result = archive.sources.reindex([source.uri], actor=actor, on_progress=on_progress)
            error = next((read.error for read in result.sources if read.error), None)
            if error and source.succeeded is None:
                archive.sources.forget(source.uri)
                raise InputError(f"{error} The source was not added.")
            return result

        await run_job(interaction, "Adding a source", task)

    @sources.command()
    @app_commands.autocomplete(source=_source_choices)
    async def pause(self, interaction: Interaction, source: Address) -> None:
        """Stop checking a source until you resume it.

        Args:
            source: Its address
        """
        await _apply(interaction, source, Sources.pause, "Paused.")

    @sources.command()
    @app_commands.autocomplete(source=_source_choices)
    async def resume(self, interaction: Interaction, source: Address) -> None:
        """Check a paused source again.

        Args:
            source: Its address
        """
        await _apply(interaction, source, Sources.resume, "Resumed.")

    @sources.command(name="remove")
    @app_commands.autocomplete(source=_source_choices)
    async def remove_source(self, interaction: Interaction, source: Address) -> None:
        """Remove a source; its reports are kept.

        Args:
            source: Its address
        """
        await _apply(interaction, source, Sources.forget, "Removed; its reports are kept.")


@button("feeds", "Next ▶", "in place")
async def show_sources(press: Press) -> None:
    """Show a page of the sources."""
    await check_moderator(press.interaction)
    sources = await asyncio.to_thread((await press.archive()).sources.all)
    shown, label, rows = page_of(sources, press, _PAGE, "feeds")
    lines = [*map(_describe, shown)] or ["There are none yet."]
    lines += [f"-# {label}"] if rows else []
    await press.reply(notice_view("\n".join(["### Sources", *lines]), rows))


@app_commands.context_menu(name="Add to the reports")
@app_commands.guild_only()
@offered_to_moderators
@moderators_only
async def add_message(interaction: Interaction, message: discord.Message) -> None:
    """Add a message's links and attachments."""
    links = addresses(message.content)
    if not links and not message.attachments:
        raise InputError("This message has neither a link nor a file to add.")
    await defer(interaction)
    await _add(interaction, links, message.attachments)


class AddReports(Form, title="Add reports"):
    """Asks for files, an address, or both."""

    files: ui.Label[Self] = ui.Label(
        text="Files",
        description="Text, PDF, Word, HTML, mail, tables, JSON lines, or a zip",
        component=ui.FileUpload(required=False, min_values=0, max_values=MAX_FILES),
    )
    address: ui.Label[Self] = ui.Label(
        text="Address of a page or feed",
        component=ui.TextInput(
            required=False,
            max_length=MAX_ADDRESS_CHARS,
            placeholder="https://news.example/feed.xml",
        ),
    )

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        upload = cast("ui.FileUpload[Self]", self.files.component)
        typed = cast("ui.TextInput[Self]", self.address.component).value.strip()
        if not typed and not upload.values:
            raise InputError("Attach files, or give me the address of a page or a feed.")
        links = [web_address(typed)] if typed else []
        await defer(interaction, thinking=True)
        await _add(interaction, links, upload.values)


@app_commands.command()
@app_commands.guild_only()
@offered_to_moderators
@moderators_only
async def reindex(interaction: Interaction) -> None:
    """Fetch new reports from this server's sources."""
    actor = actor_of(interaction)

    def task(archive: Archive, on_progress: ProgressCallback) -> IngestResult:
        if not archive.sources.all():
            raise NotFoundError("There are no sources yet: add one with /moderate sources add.")
        return archive.sources.reindex(actor=actor, on_progress=on_progress)

    await run_job(interaction, "Reindexing", task, exclusive=True)


async def _add(
    interaction: Interaction, links: Sequence[str], attachments: Sequence[discord.Attachment]
) -> None:
    """Add the reports in links and attachments to the server's collection, as a job."""
    max_mb, actor = interaction.client.settings.discord.attachment_mb, actor_of(interaction)
    with tempfile.TemporaryDirectory(prefix="onrecord-") as folder:
        # Files are named by number, not by names that strangers gave them.
        files = [
            await _download(attachment, Path(folder, str(number)), max_mb)
            for number, attachment in enumerate(attachments)
        ]

        def task(archive: Archive, on_progress: ProgressCallback) -> IngestResult:
            return archive.add(links, actor=actor, files=files, on_progress=on_progress)

        await run_job(interaction, "Adding reports", task)


async def _download(attachment: discord.Attachment, path: Path, max_mb: int) -> Upload | Failure:
    """Download an attachment of at most `max_mb` megabytes."""
    if attachment.size > max_mb * 1_000_000:
        error = f"It is larger than {max_mb} MB: split it into smaller files."
        return Failure(attachment.filename, error)
    try:
        await attachment.save(path)
    except DISCORD_ERRORS:
        error = "Couldn't download this from Discord: attach it again."
        return Failure(attachment.filename, error)
    return Upload(path, attachment.filename)


def addresses(text: str) -> list[str]:
    """Return the distinct web addresses in a message, without the punctuation around them."""
    links = (match.group().rstrip(_TRAILING) for match in _ADDRESS.finditer(text))
    closed = (link + ")" if link.count("(") > link.count(")") else link for link in links)
    return list(dict.fromkeys(closed))


def web_address(typed: str) -> str:
    """Return a typed web address. Raises InputError for anything else, such as a local path."""
    if not is_url(typed.strip()):
        raise InputError("An address begins with https:// or http://: copy all of it.")
    return typed.strip()


async def _apply(
    interaction: Interaction, chosen: str, change: Callable[[Sources, str], None], done: str
) -> None:
    """Apply a change to a source and confirm it."""
    archive = await defer_and_open(interaction)
    sources = await asyncio.to_thread(archive.sources.all)
    uris = {_choice_value(source.uri): source.uri for source in sources}
    uri = uris.get(chosen, chosen.strip())
    if uri not in uris.values():
        raise NotFoundError("There is no such source: choose one from the list.")
    await asyncio.to_thread(change, archive.sources, uri)
    name = escape(source_name(uri)[:_SHOWN_CHARS])
    await edit_reply(interaction, notice_view(f"{name}\n{done}"))


def _choice_value(uri: str) -> str:
    """Return the autocomplete value of a source, which never reveals a local path."""
    return choice_value(uri, visible=is_url(uri))


def _describe(source: Source) -> str:
    """Return how often a source is checked, when it was last read, and why it fails."""
    names = {minutes: name for name, minutes in _MINUTES.items()} | {None: "only on `/reindex`"}
    interval = names.get(source.every, f"every {source.every} minutes")
    name = escape(source_name(source.uri)[:_SHOWN_CHARS])
    parts = [f"{name}\n-# {'**paused**' if source.paused else interval}"]
    if source.succeeded:
        parts.append(f"read {format_dt(source.succeeded, 'R')}")
    if source.failing_since:
        since = format_dt(source.failing_since, "R")
        parts.append(f"**failing** since {since}: {escape(source_error(source)[:_SHOWN_CHARS])}")
    return " · ".join(parts)
