"""The moderators' half of `/reports`: bringing reports in, taking them out, putting things right.

Everybody's half is in `records`; the commands here join its group when the bot starts.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Self

import discord
from discord import app_commands, ui

from bot.ask import Choices, Interaction, choices
from bot.incoming import bring_in
from bot.library import Library
from bot.outcome import report_text
from bot.render import Row, escaped, notice_view
from index.archive import Archive
from index.article import Article
from index.errors import InputError, NotFoundError
from index.intake import Report
from index.sources import is_address
from index.store import Event

Title = app_commands.Range[str, 1, 200]
_File = discord.Attachment | None
_PAGE = 10  # lines of the audit log


class Desk(app_commands.Group):
    """Commands for moderators; they stand beside everybody's, so only the bot can refuse them."""

    def __init__(self) -> None:
        """Make the commands; they are not yet part of any tree."""
        super().__init__(name="desk", description="For moderators")

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        allowed: bool = interaction.client.moderates(interaction)
        return allowed

    @app_commands.command(description="Adds reports: a page or a feed by its address, or files")
    @app_commands.describe(
        address="Of a page, or of a feed, which is then looked into regularly",
        dry_run="Only tell what would be added",
    )
    @app_commands.rename(dry_run="dry-run")
    async def add(
        self,
        interaction: Interaction,
        address: app_commands.Range[str, 1, 2000] | None = None,
        file: _File = None,
        file2: _File = None,
        file3: _File = None,
        file4: _File = None,
        file5: _File = None,
        file6: _File = None,
        file7: _File = None,
        file8: _File = None,
        file9: _File = None,
        file10: _File = None,
        dry_run: bool = False,
    ) -> None:
        """Add an address, files, or both."""
        given = (file, file2, file3, file4, file5, file6, file7, file8, file9, file10)
        files = [one for one in given if one is not None]
        if address is None and not files:
            raise InputError("Give me the address of a page or a feed, or attach files.")
        if address is not None and not is_address(address.strip()):
            raise InputError("An address begins with https:// or http://: copy all of it.")
        names = [address.strip()] if address else []
        await bring_in(interaction, names, files, dry_run=dry_run)

    @app_commands.command(description="Takes a report out; old answers keep their quotes")
    @app_commands.describe(report="Its title")
    async def remove(self, interaction: Interaction, report: Title) -> None:
        """Take one report out."""
        await _change(interaction, report, Archive.remove)

    @app_commands.command(description="Brings a removed report back")
    @app_commands.describe(report="Its title")
    async def restore(self, interaction: Interaction, report: Title) -> None:
        """Bring one report back."""
        await _change(interaction, report, Archive.restore, retired=True)

    @remove.autocomplete("report")
    async def _live(self, interaction: Interaction, typed: str) -> Choices:
        return await _titles(interaction, typed)

    @restore.autocomplete("report")
    async def _removed(self, interaction: Interaction, typed: str) -> Choices:
        return await _titles(interaction, typed, retired=True)

    @app_commands.command(description="Who changed what in the reports, and when")
    async def history(self, interaction: Interaction) -> None:
        """Show the audit log in pages."""
        await interaction.response.defer(ephemeral=True)
        await interaction.followup.send(view=await history_view(interaction, 0))


class Leaf(
    ui.DynamicItem[ui.Button[ui.LayoutView]], template=r"history:(?P<page>\d{1,6}):(?P<way>[bn])"
):
    """Another page of the audit log."""

    def __init__(self, page: int, way: str, *, off: bool = False) -> None:
        """Name the page to go to; `way` keeps two buttons to one page apart."""
        label = "◀ Later" if way == "b" else "Earlier ▶"
        super().__init__(ui.Button(label=label, custom_id=f"history:{page}:{way}", disabled=off))
        self._page = page

    @classmethod
    async def from_custom_id(
        cls,
        interaction: Interaction,  # noqa: ARG003 - discord.py hands it in
        item: ui.Item[Any],  # noqa: ARG003 - as above
        match: re.Match[str],
        /,
    ) -> Self:
        return cls(int(match["page"]), match["way"])

    async def callback(self, interaction: Interaction) -> None:
        """Turn the page in place."""
        await interaction.response.edit_message(view=await history_view(interaction, self._page))


async def history_view(interaction: Interaction, page: int) -> ui.LayoutView:
    """One page of the audit log, newest first."""
    archive = await _archive(interaction)
    events = await asyncio.to_thread(archive.history)
    if not events:
        return notice_view("Nothing was changed here yet.")
    pages = math.ceil(len(events) / _PAGE)
    page = min(page, pages - 1)
    lines = [event_line(one) for one in events[page * _PAGE : (page + 1) * _PAGE]]
    row: Row = ui.ActionRow()
    row.add_item(Leaf(max(0, page - 1), "b", off=page == 0))
    row.add_item(Leaf(page + 1, "n", off=page + 1 == pages))
    footer = f"-# Page {page + 1} of {pages}"
    return notice_view("\n".join(["### What was changed", *lines, footer]), [row])


def event_line(event: Event) -> str:
    """A line of the audit log."""
    what = ", ".join(f"{count:,} {outcome}" for outcome, count in event.articles.items())
    noted = f": {escaped(event.note)}" if event.note else ""
    by = _actor(event.actor)
    when = f"<t:{int(event.at.timestamp())}:f>"
    return f"**{event.generation}** · {when} · {by} · {event.action} {what}{noted}".rstrip()


def _actor(actor: str) -> str:
    name, _, person = actor.partition(":")
    return f"<@{person}>" if name == "discord" and person.isdecimal() else escaped(actor)


async def _archive(interaction: Interaction) -> Archive:
    library: Library = interaction.client.library
    return await asyncio.to_thread(library.archive, interaction.guild_id)


async def _change(
    interaction: Interaction,
    title: str,
    change: Callable[..., Report],
    *,
    retired: bool = False,
) -> None:
    """Do something with the one report of that id or title, and say what came of it."""
    await interaction.response.defer(ephemeral=True)
    archive = await _archive(interaction)
    article = await asyncio.to_thread(_named, archive, title, retired=retired)
    actor = f"discord:{interaction.user.id}"
    report = await asyncio.to_thread(change, archive, [article.article_id], actor=actor)
    await interaction.followup.send(view=notice_view(report_text(report)))


def _named(archive: Archive, title: str, *, retired: bool) -> Article:
    known = archive.articles(retired=retired)
    found = [one for one in known if one.article_id == title] or [
        one for one in known if one.title.casefold() == title.strip().casefold()
    ]
    if len(found) != 1:
        many = "Several reports have" if found else "No report has"
        raise NotFoundError(f"{many} that title: choose one from the list that opens as you type.")
    return found[0]


async def _titles(interaction: Interaction, typed: str, *, retired: bool = False) -> Choices:
    archive = await _archive(interaction)
    articles = await asyncio.to_thread(archive.articles, retired=retired)
    return choices_of(articles, typed)


def choices_of(articles: Sequence[Article], typed: str) -> Choices:
    """Rows of titles that hold every word typed; what is chosen is an id."""
    words = typed.casefold().split()
    titles = {
        one.article_id: " · ".join(filter(None, [one.title[:80], one.publisher]))[:100]
        for one in articles
        if all(word in f"{one.title} {one.publisher or ''}".casefold() for word in words)
    }
    rows = choices(titles)
    for row in rows:
        row.name = titles[row.value] or row.value
    return rows
