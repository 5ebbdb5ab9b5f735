"""Looking things up: /why an answer came about, and /reports there are."""

from __future__ import annotations

import asyncio
import hashlib
import io
import math
from collections.abc import Sequence
from typing import Any

import discord
from discord import app_commands, ui
from discord.utils import format_dt

from bot.collections import Headline
from bot.manners import Interaction, begin, begun, tell
from bot.pictures import NO_MATPLOTLIB, caption, draw
from bot.pictures import words as in_words
from bot.press import IN_PLACE, ROW_CHARS, Choices, Pressed, button, paged, rows
from bot.render import citation_line, coded, escaped, notice_view, restriction
from bot.views.text import plural
from index import Archive, Citation, Feedback, LoggedAnswer, NotFoundError

Title = app_commands.Range[str, 1, 200]
_EVERYBODYS = {"reports list", "reports show", "reports timeline"}
_PAGE = 8  # reports a page
_TITLE = 150
_SEARCH_CHARS = 60
_QUOTE_CHARS = 160
_STRONG, _FAIR = 0.5, 0.25
_NO_FILES = "\n-# For a picture I need Attach Files here."


class ReportGroup(app_commands.Group):
    """Commands that are for moderators unless named as everybody's, so that none is forgotten."""

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        command = interaction.command
        open_to_all = command is not None and command.qualified_name in _EVERYBODYS
        return open_to_all or bool(interaction.client.moderates(interaction))


reports = ReportGroup(
    name="reports", description="What reports there are to ask about", guild_only=True
)


@app_commands.command()
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
async def why(interaction: Interaction, answer: app_commands.Range[str, 1, 100]) -> None:
    """How an answer came about, and what has changed since.

    Args:
        answer: The id under the answer
    """
    archive = await begun(interaction)
    found = await asyncio.to_thread(archive.answers.get, answer.strip(" `#"))
    said = await asyncio.to_thread(archive.answers.feedback, found.answer.answer_id)
    now = await asyncio.to_thread(lambda: archive.generation)
    await tell(interaction, notice_view(_explanation(found, said, now)))


@reports.command(name="list")
async def list_reports(
    interaction: Interaction, search: app_commands.Range[str, 1, _SEARCH_CHARS] | None = None
) -> None:
    """The reports, newest first.

    Args:
        search: Words of the title, or the publisher
    """
    await begin(interaction, ephemeral=True)
    await _list(Pressed(interaction, " ".join((search or "").split()), 0))


@reports.command()
async def show(interaction: Interaction, report: Title) -> None:
    """One report, and the questions it answered.

    Args:
        report: Its title
    """
    archive = await begun(interaction)
    stored = await known(interaction)
    named = [one for one in stored if report in {key_of(one.article_id), one.title}]
    chosen = (named or matches(stored, report))[:1]
    if not chosen:
        raise NotFoundError("There is no such report here: choose one from the list.")
    text = await asyncio.to_thread(_shown, archive, chosen[0].article_id)
    await tell(interaction, notice_view(text))


@show.autocomplete("report")
async def titles(interaction: Interaction, typed: str) -> Choices:
    """ReportGroup to choose from while their title is typed."""
    return await title_choices(interaction, typed)


@reports.command()
async def timeline(interaction: Interaction, topic: Title) -> None:
    """Which days the reports on something speak of.

    Args:
        topic: In a few words: Hallow Dam gate
    """
    archive = await begun(interaction, private=False)
    found = await asyncio.to_thread(archive.timeline, topic)
    picture = await asyncio.to_thread(draw, found) if found.days else None
    if picture is None or not interaction.app_permissions.attach_files:
        lacks = "" if not found.days else NO_MATPLOTLIB if picture is None else _NO_FILES
        await tell(interaction, notice_view(in_words(found) + lacks))
        return
    words = in_words(found)[:1000]
    view = notice_view(f"### “{escaped(found.topic)}”\n{caption(found)}")
    item = discord.MediaGalleryItem("attachment://timeline.png", description=words)
    view.add_item(ui.MediaGallery[Any](item))
    file = discord.File(io.BytesIO(picture), "timeline.png", description=words)
    await tell(interaction, view, file)


async def known(interaction: Interaction, *, retired: bool = False) -> Sequence[Headline]:
    """The reports of a server, or those removed from it, newest first."""
    library, server = interaction.client.library, interaction.guild_id
    return await asyncio.to_thread(library.headlines, server, retired=retired)


async def title_choices(interaction: Interaction, typed: str, *, retired: bool = False) -> Choices:
    """ReportGroup to choose from while their title is typed; chosen is a `key_of` their id."""
    offered = []
    for one in matches(await known(interaction, retired=retired), typed):
        key = key_of(one.article_id)
        offered.append((" · ".join(filter(None, [one.title, one.publisher])) or key, key))
    return rows("", offered)


def key_of(name: str, *, shown: bool = True) -> str:
    """What stands for an id or address in a row to choose, which holds 100 characters."""
    if shown and len(name) <= ROW_CHARS:
        return name
    return "#" + hashlib.sha256(name.encode()).hexdigest()[:16]


def matches(known: Sequence[Headline], typed: str) -> list[Headline]:
    """ReportGroup whose title or publisher holds every word typed, in the order given."""
    words = typed.casefold().split()
    return [
        one
        for one in known
        if all(word in f"{one.title} {one.publisher or ''}".casefold() for word in words)
    ]


@button("newer", "◀ Back", IN_PLACE)
@button("older", "Next ▶", IN_PLACE)
async def _list(pressed: Pressed) -> None:
    """One page of the reports that hold the words of a search."""
    search = pressed.key
    found = matches(await known(pressed.interaction), search)
    shown, page, turns = paged(found, pressed, _PAGE, "newer", "older")
    heading = f"### {plural(len(found), 'report')}"
    heading += f" with “{escaped(search)}”" if search else ""
    lines = [heading, *map(_line, shown), *([f"-# {page}"] if turns else [])]
    await pressed.reply(notice_view("\n".join(lines), turns))


def _explanation(found: LoggedAnswer, said: Sequence[Feedback], generation: int) -> str:
    """How an answer came about, in words."""
    answer = found.answer
    later = generation - answer.generation
    since = f"{plural(later, 'commit')} ago" if later else "nothing was committed since"
    lines = [
        f"### {escaped(answer.question[:300])}",
        f"Answer `{answer.answer_id}`, {format_dt(found.at, 'f')}"
        + ("" if found.message else ", in private"),
        f"Asked of {restriction(answer.filters) or 'all reports'}, with {answer.model}",
        f"On generation {answer.generation}: {since}",
        f"As a whole the evidence was **{strength(answer.confidence)}**"
        + (f". {escaped(answer.reason)}" if answer.reason else "."),
    ]
    quotes = answer.quotes or ((answer.closest,) if answer.closest else ())
    for cited, score in zip(quotes, answer.scores, strict=False):
        text = " ".join(cited.quote.text.split())
        short = text if len(text) <= _QUOTE_CHARS else text[:_QUOTE_CHARS].rstrip() + " …"
        words = strength(relative(answer.confidence, score, max(answer.scores)))
        lines.append(f"- **[{cited.citation}]** {words}: {escaped(short)}")
    lines += ["", *(citation_line(citation) for citation in answer.citations)]  # ends the list
    lines.append(_changes(found))
    if said:
        lines.append(f"{plural(len(said), 'reader')} found a quote wrong.")
    lines += [f"- “{escaped(feedback.note)}”" for feedback in said[-3:]]
    return "\n".join(lines)


def strength(confidence: float) -> str:
    """A confidence in a word."""
    return "strong" if confidence >= _STRONG else "fair" if confidence >= _FAIR else "weak"


def relative(confidence: float, score: float, best: float) -> float:
    """A passage's share of the confidence: the odds fall with the score's distance to the best.

    Scores are sums of logistic weights, so a difference of scores is a ratio of odds.
    """
    safe = min(max(confidence, 1e-6), 1 - 1e-6)
    return 1 / (1 + math.exp(-(math.log(safe / (1 - safe)) + score - best)))


def _changes(found: LoggedAnswer) -> str:
    if not found.updated and not found.removed:
        return "No article behind it has changed since."
    parts = [f"“{escaped(one.title[:_TITLE])}” has **changed**" for one in found.updated]
    parts += [f"“{escaped(one.title[:_TITLE])}” was **removed**" for one in found.removed]
    return "Since then: " + "; ".join(parts) + "."


def _line(one: Headline) -> str:
    date = f" · {format_dt(one.published, 'D')}" if one.published else ""
    by = escaped(one.publisher or "no publisher")
    return f"**{escaped(one.title[:_TITLE])}**\n-# {by}{date} · {coded(one.article_id)}"


def _shown(archive: Archive, article_id: str) -> str:
    article = archive.article(article_id)
    lines = [
        f"### {escaped(article.title[:_TITLE])}",
        citation_line(Citation(1, article)).removeprefix("**[1]** "),
        plural(len(archive.sentences(article_id)), "sentence")
        + (f" · by {escaped(article.author)}" if article.author else "")
        + (f" · revision {article.revision}" if article.revision > 1 else ""),
    ]
    same = [escaped(one.publisher or one.title[:_TITLE]) for one in archive.related(article_id)]
    lines += [f"Same origin as: {', '.join(same)}"] if same else []
    answers = archive.answers.quoting(article_id)
    lines.append("**It was quoted on**" if answers else "It was not quoted in an answer yet.")
    lines += [f"- {escaped(one.question[:200])} `{one.answer_id}`" for one in answers]
    return "\n".join(lines)
