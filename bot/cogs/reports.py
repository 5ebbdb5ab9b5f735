"""Look up reports: /reports list, show and timeline."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Iterable, Iterator
from typing import Any

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.collections import Headline
from bot.interactions import Interaction, defer, defer_and_open, edit_reply, viewer_of, why_not_here
from bot.markdown import escape, shorten
from bot.views import chart
from bot.views.answer import citation_line
from bot.views.base import (
    CHOICE_CHARS,
    MAX_CHOICES,
    Choices,
    Press,
    button,
    choices,
    notice_view,
    page_of,
)
from bot.views.text import date_words, plural
from index import Archive, Citation, NotFoundError, optional

Title = app_commands.Range[str, 1, 200]
_PAGE = 8  # reports
_TITLE_CHARS = 150
_QUESTION_CHARS = 200
_SEARCH_CHARS = 60  # as many as a button's key holds
_ALT_TEXT_CHARS = 1_000  # Discord takes 1,024
_NO_FILES = "\n-# To draw this, I need the Attach Files permission here."


async def report_choices(interaction: Interaction, typed: str) -> Choices:
    """Return the reports of the server as choices."""
    return await headline_choices(interaction, typed, removed=False)


async def headline_choices(interaction: Interaction, typed: str, *, removed: bool) -> Choices:
    """Return live or removed reports as choices; the value is a `choice_value` of the id."""
    collections, server = interaction.client.collections, interaction.guild_id

    def produce() -> Iterator[tuple[str, str]]:
        matching = collections.headlines(server, typed, removed=removed, limit=MAX_CHOICES)
        for headline in matching:
            value = choice_value(headline.article_id)
            shown = (headline.title, headline.publisher, headline.state)
            yield " · ".join(filter(None, shown)) or value, value

    return await choices(interaction, produce)


async def find_report(interaction: Interaction, title: str, *, removed: bool = False) -> str:
    """Return the id of the only report with this title, or of the report chosen from the list."""
    collections, server = interaction.client.collections, interaction.guild_id

    def matches(*, removed: bool) -> list[Headline]:
        headlines = collections.headlines(server, removed=removed)
        return [line for line in headlines if title in _values(line.article_id)] or [
            line for line in headlines if line.title.casefold() == title.strip().casefold()
        ]

    matching = await asyncio.to_thread(matches, removed=removed)
    if len(matching) == 1:
        return matching[0].article_id
    others = [] if matching else await asyncio.to_thread(matches, removed=not removed)
    if others:
        state = (
            "has not been removed" if removed else "was removed: `/moderate restore` can undo it"
        )
        raise NotFoundError(f"That report {state}.")
    many = "Several reports have" if matching else "No report has"
    raise NotFoundError(f"{many} that title: choose one from the list that opens as you type.")


def _values(article_id: str) -> set[str]:
    """Return the values for an id: in a list of choices, and in a button."""
    return {choice_value(article_id), choice_value(article_id, visible=False)}


def choice_value(name: str, *, visible: bool = True) -> str:
    """Return an id or URL as the value of a choice, hashed if it is too long or not `visible`."""
    if visible and len(name) <= CHOICE_CHARS:
        return name
    return "#" + hashlib.sha256(name.encode()).hexdigest()[:16]


class Lookups(commands.Cog):
    """The commands of `/reports`."""

    @app_commands.command(name="list")
    async def list_reports(
        self,
        interaction: Interaction,
        search: app_commands.Range[str, 1, _SEARCH_CHARS] | None = None,
    ) -> None:
        """The reports, newest first.

        Args:
            search: Words of the title, or the publisher
        """
        await defer(interaction, ephemeral=True)
        await show_list(Press(interaction, " ".join((search or "").split())))

    @app_commands.command()
    @app_commands.autocomplete(report=report_choices)
    async def show(self, interaction: Interaction, report: Title) -> None:
        """One report, and the questions it answered.

        Args:
            report: Its title
        """
        archive = await defer_and_open(interaction)
        article_id = await find_report(interaction, report)
        channels = viewer_of(interaction).channels
        text = await asyncio.to_thread(_description, archive, article_id, channels)
        await edit_reply(interaction, notice_view(text))

    @app_commands.command()
    async def timeline(self, interaction: Interaction, topic: Title) -> None:
        """Timeline of reports on a topic.

        Args:
            topic: In a few words: Hallow Dam gate
        """
        archive = await defer_and_open(interaction, private=bool(await why_not_here(interaction)))
        timeline = await asyncio.to_thread(archive.timeline, topic)
        words = chart.describe(timeline)
        drawn = b""
        if timeline.days and not interaction.app_permissions.attach_files:
            words += _NO_FILES
        elif timeline.days:
            drawn = await asyncio.to_thread(optional, b"", chart.draw, timeline)
        if not drawn:
            await edit_reply(interaction, notice_view(words))
            return
        alt_text = chart.describe(timeline, plain=True)[:_ALT_TEXT_CHARS]
        view = notice_view(f"### “{escape(timeline.topic)}”\n{chart.caption(timeline)}")
        item = discord.MediaGalleryItem("attachment://timeline.png", description=alt_text)
        view.add_item(ui.MediaGallery[Any](item))
        file = discord.File(io.BytesIO(drawn), "timeline.png", description=alt_text)
        await edit_reply(interaction, view, file)


@button("list", "Next ▶", "in place")
async def show_list(press: Press) -> None:
    """Show a page of the reports that match a search."""
    interaction, search = press.interaction, press.key
    collections, server = interaction.client.collections, interaction.guild_id
    headlines = await asyncio.to_thread(collections.headlines, server, search)
    shown, label, rows = page_of(headlines, press, _PAGE, "list")
    heading = f"### {plural(len(headlines), 'report')}"
    heading += f" with “{escape(search)}”" if search else ""
    lines = [heading, *map(_line, shown), *([f"-# {label}"] if rows else [])]
    await press.reply(notice_view("\n".join(lines), rows))


def _line(headline: Headline) -> str:
    by = escape(headline.publisher or "no publisher")
    title = escape(shorten(headline.title, _TITLE_CHARS))
    state = f" · **{headline.state}**" if headline.state else ""
    date = date_words(headline.published, headline.guessed_date)
    return f"**{title}**\n-# {by} · {date}{state}"


def _description(archive: Archive, article_id: str, channels: Iterable[int]) -> str:
    """Return a report with its source, length and copies, and its questions in these channels."""
    article = archive.article(article_id)
    lines = [
        f"### {escape(article.title[:_TITLE_CHARS])}",
        citation_line(Citation(1, article)).removeprefix("**[1]** "),
        plural(len(archive.sentences(article_id)), "sentence")
        + (f" · by {escape(article.author)}" if article.author else "")
        + (f" · revision {article.revision}" if article.revision > 1 else ""),
    ]
    copies = [
        escape(other.publisher or other.title[:_TITLE_CHARS])
        for other in archive.related(article_id)
    ]
    lines += [f"Same origin as: {', '.join(copies)}"] if copies else []
    quoting = archive.answers.quoting(article_id, channels)
    lines.append("**Quoted in answers to**" if quoting else "Not quoted in an answer yet.")
    lines += [f"- {escape(q.question[:_QUESTION_CHARS])} `{q.answer_id}`" for q in quoting]
    return "\n".join(lines)
