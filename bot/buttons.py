"""Buttons under answers. What they need stands in their custom id, so they outlive restarts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import discord
from discord import ui

from bot.answering import keep
from bot.library import Library
from bot.manners import begin, tell
from bot.render import Row, answer_view, citation_line, escaped, notice_view, quotes_view
from index.archive import Archive
from index.article import Answer, Citation, CitedQuote, Quote
from index.errors import InputError
from index.log import Recalled, Verdict
from index.sentences import Span, split

Interaction = discord.Interaction[Any]
_PAGE = 4  # passages a page
_MOST_PASSAGES = 40
_AROUND = 2  # sentences on each side of a quote
_REASON_CHARS = 300
_PRIVATE = {"ephemeral": True, "thinking": True}
_PUBLIC = {"thinking": True}
_IN_PLACE: dict[str, bool] = {}
_QUIET, _PLAIN = discord.ButtonStyle.secondary, discord.ButtonStyle.primary


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button that was pressed: by which interaction, for what (an id), and which page."""

    interaction: Interaction
    key: str
    page: int

    @property
    def library(self) -> Library:
        """Where the collections are."""
        library: Library = self.interaction.client.library
        return library

    async def archive(self) -> Archive:
        """The collection of the server it was pressed in."""
        return await asyncio.to_thread(self.library.archive, self.interaction.guild_id)

    async def recalled(self) -> Recalled:
        """The answer it stands under, checked."""
        archive = await self.archive()
        found = await asyncio.to_thread(archive.recall, self.key)
        await asyncio.to_thread(archive.check, found.answer)
        return found

    async def reply(self, view: ui.LayoutView) -> discord.Message:
        """Answer in the way that was begun."""
        sent: discord.Message = await tell(self.interaction, view)
        return sent


@dataclass(frozen=True, slots=True)
class Action:
    """What a button says and does.

    `begin` says how Discord is told at once that an answer comes, since three seconds may not do
    while another process writes; None for a modal, which must be the first thing said.
    """

    label: str
    style: discord.ButtonStyle
    run: Callable[[Pressed], Awaitable[object]]
    begin: Mapping[str, bool] | None


class Press(
    ui.DynamicItem[ui.Button[ui.LayoutView]],
    template=r"onrecord:(?P<action>[a-z]+):(?P<key>[0-9a-f]{1,16}):(?P<page>\d{1,9})",
):
    """Any button of the bot."""

    def __init__(self, action: str, key: str, page: int = 0, *, off: bool = False) -> None:
        """Name an action of `ACTIONS`, an answer or watch, and a page."""
        look = ACTIONS[action]
        name = f"onrecord:{action}:{key}:{page}"
        super().__init__(
            ui.Button(label=look.label, style=look.style, custom_id=name, disabled=off)
        )
        self._action, self._key, self._page = action, key, page

    @classmethod
    async def from_custom_id(
        cls,
        interaction: Interaction,  # noqa: ARG003 - discord.py hands it in
        item: ui.Item[Any],  # noqa: ARG003 - as above
        match: re.Match[str],
        /,
    ) -> Self:
        return cls(match["action"], match["key"], int(match["page"]))

    async def callback(self, interaction: Interaction) -> None:
        """Do what the button says; whatever fails is explained to who pressed it."""
        action = ACTIONS[self._action]
        try:
            interaction.client.presses.take(interaction.user.id, interaction.guild_id)
            if action.begin is not None:
                await begin(interaction, **action.begin)
            await action.run(Pressed(interaction, self._key, self._page))
        except Exception as error:  # noqa: BLE001 - `explain` logs it; the reader gets a sentence
            await interaction.client.explain(interaction, error)


def answer_rows(answer: Answer, *, private: bool) -> list[Row]:
    """The buttons that belong under an answer."""
    names = ["more", "around", "sources", "useful", "wrong"]
    if answer.status == "declined":
        names = ["more", "watch"] if answer.closest else ["watch"]
    rows = [_row(Press(name, answer.answer_id) for name in names)]
    return [*rows, _row([Press("share", answer.answer_id)])] if private else rows


def stop_row(number: int) -> Row:
    """The button that ends a watch."""
    return _row([Press("stop", f"{number:x}")])


def _row(buttons: Iterable[Press]) -> Row:
    row: Row = ui.ActionRow()
    for button in buttons:
        row.add_item(button)
    return row


async def _more(pressed: Pressed) -> None:
    """Further passages, in a message of the presser's own."""
    await pressed.reply(await _page(pressed))


async def _turn(pressed: Pressed) -> None:
    """Another page, in place."""
    await pressed.reply(await _page(pressed))


async def _page(pressed: Pressed) -> ui.LayoutView:
    found = await pressed.recalled()
    archive = await pressed.archive()
    pages = await asyncio.to_thread(_further, archive, found.answer)
    if not pages:
        return notice_view("There are no further passages: the reports have no more on this.")
    number = min(pressed.page, len(pages) - 1)
    shown = pages[number]
    await asyncio.to_thread(archive.check, shown)
    head = f"### More on: {escaped(found.answer.question[:200])}\n-# Further passages, best first. "
    head += "They may be beside the question."
    footer = f"-# Page {number + 1} of {len(pages)} · of answer `{found.answer.answer_id}`"
    buttons = [
        Press("back", pressed.key, max(0, number - 1), off=number == 0),
        Press("next", pressed.key, number + 1, off=number + 1 == len(pages)),
    ]
    return quotes_view(head, shown.quotes, shown, footer, [_row(buttons)])


def _further(archive: Archive, answer: Answer) -> list[Answer]:
    """Pages of the best sentences that the answer does not quote, as answers to be checked."""
    ranking = archive.search(answer.question, _MOST_PASSAGES, answer.filters)
    told = [cited.quote for cited in (*answer.quotes, *filter(None, [answer.closest]))]
    sentences = [
        one
        for one in ranking.sentences[:_MOST_PASSAGES]
        if not any(q.article_id == one.article_id and q.start <= one.start < q.end for q in told)
    ]
    pages = []
    for first in range(0, len(sentences), _PAGE):
        quotes = []
        sources: dict[str, Citation] = {}
        for one in sentences[first : first + _PAGE]:
            article = ranking.articles[one.article_id]
            source = sources.setdefault(one.article_id, Citation(len(sources) + 1, article))
            quotes.append(CitedQuote(Quote.cut(article, one.start, one.end), source.number))
        pages.append(_with_quotes(answer, quotes, sources.values()))
    return pages


def _with_quotes(
    answer: Answer, quotes: Iterable[CitedQuote], citations: Iterable[Citation]
) -> Answer:
    return Answer(
        answer_id=answer.answer_id,
        question=answer.question,
        filters=answer.filters,
        generation=answer.generation,
        model=answer.model,
        status="answered",
        confidence=answer.confidence,
        quotes=tuple(quotes),
        citations=tuple(citations),
    )


async def _around(pressed: Pressed) -> None:
    """The quotes with the sentences around them."""
    found = await pressed.recalled()
    articles = {one.number: one.article for one in found.answer.citations}
    wider = []
    for cited in found.answer.quotes:
        article = articles[cited.citation]
        spans = split(article.text, article.language)
        near = _near(spans, cited.quote)
        quote = Quote.cut(article, near.start, near.end)
        wider.append(CitedQuote(quote, cited.citation))
    shown = _with_quotes(found.answer, wider, found.answer.citations)
    await asyncio.to_thread((await pressed.archive()).check, shown)
    head = f"### {escaped(found.answer.question[:200])}\n-# With the sentences around each quote"
    footer = f"-# Quoted to the letter · of answer `{found.answer.answer_id}`"
    await pressed.reply(quotes_view(head, shown.quotes, shown, footer))


def _near(spans: list[Span], quote: Quote) -> Span:
    """From some sentences before a quote to some behind it."""
    inside = [i for i, s in enumerate(spans) if s.start < quote.end and quote.start < s.end]
    if not inside:
        return Span(quote.start, quote.end)
    first, last = max(0, inside[0] - _AROUND), min(len(spans) - 1, inside[-1] + _AROUND)
    return Span(min(quote.start, spans[first].start), max(quote.end, spans[last].end))


async def _sources(pressed: Pressed) -> None:
    """The reports behind an answer, and what has become of them."""
    found = await pressed.recalled()
    updated = {article.article_id for article in found.updated}
    removed = {article.article_id for article in found.removed}
    lines = ["### Sources"]
    for citation in found.answer.citations:
        article = citation.article
        lines.append(citation_line(citation))
        byline = f"by {escaped(article.author[:100])} · " if article.author else ""
        state = "as it stands now"
        if article.article_id in updated:
            state = "**changed since this answer**"
        elif article.article_id in removed:
            state = "**removed since this answer**"
        lines.append(f"-# {byline}`{escaped(article.article_id[:80])}` · {state}")
    await pressed.reply(notice_view("\n".join(lines)))


async def _share(pressed: Pressed) -> None:
    """A private answer, shown to all."""
    found = await pressed.recalled()
    by = escaped(pressed.interaction.user.display_name)
    rows = answer_rows(found.answer, private=False)
    message = await pressed.reply(answer_view(found.answer, rows, note=f"-# Shared by {by}"))
    await keep(pressed.library, pressed.interaction.guild_id, found.answer, message)


async def _useful(pressed: Pressed) -> None:
    await _judge(pressed, "useful")
    await pressed.reply(notice_view("Thank you: noted, without your name."))


async def _judge(pressed: Pressed, verdict: Verdict, note: str = "") -> None:
    memory, reader = (await pressed.archive()).memory, pressed.interaction.user.id
    await asyncio.to_thread(memory.judge, pressed.key, verdict, note, reader=reader)


async def _wrong(pressed: Pressed) -> None:
    await pressed.interaction.response.send_modal(Reason(pressed.key))


class Reason(ui.Modal, title="What is wrong with the quote?"):
    """Asks for the reason; what is kept is the reason and the answer, not the person."""

    reason: ui.TextInput[Self] = ui.TextInput(
        label="In a sentence",
        style=discord.TextStyle.paragraph,
        max_length=_REASON_CHARS,
        placeholder="It is about another dam.",
    )

    def __init__(self, answer_id: str) -> None:
        """Ask about this answer."""
        super().__init__()
        self._answer_id = answer_id

    async def on_submit(self, interaction: Interaction, /) -> None:
        await begin(interaction, **_PRIVATE)
        pressed = Pressed(interaction, self._answer_id, 0)
        await _judge(pressed, "wrong", self.reason.value)
        await pressed.reply(notice_view("Thank you: moderators find it with `/why`."))

    async def on_error(  # type: ignore[override]  # discord.py's own modals differ from views
        self, interaction: Interaction, error: Exception, /
    ) -> None:
        await interaction.client.explain(interaction, error)


async def _watch(pressed: Pressed) -> None:
    """Tell here when the reports answer this."""
    found = await pressed.recalled()
    archive = await pressed.archive()
    where, who = pressed.interaction.channel_id or 0, pressed.interaction.user.id
    number = await asyncio.to_thread(archive.memory.watch, found.answer, channel=where, person=who)
    told = "I will tell you here when the reports answer this. Moderators see it in `/watching`."
    await pressed.reply(notice_view(told, [stop_row(number)]))


async def _stop(pressed: Pressed) -> None:
    """End a watch: one's own, or as a moderator anybody's."""
    archive = await pressed.archive()
    number, client = int(pressed.key, 16), pressed.interaction.client
    for watch in await asyncio.to_thread(archive.memory.watches):
        own = watch.person == pressed.interaction.user.id
        if watch.number == number and not own and not client.moderates(pressed.interaction):
            raise InputError("Only who asked for it, or a moderator, can end this.")
    await asyncio.to_thread(archive.memory.unwatch, number)
    await pressed.reply(notice_view("Ended: I no longer look."))


ACTIONS = {
    "more": Action("More passages", _QUIET, _more, _PRIVATE),
    "back": Action("◀ Back", _QUIET, _turn, _IN_PLACE),
    "next": Action("Next ▶", _QUIET, _turn, _IN_PLACE),
    "around": Action("Sentences around", _QUIET, _around, _PRIVATE),
    "sources": Action("Sources", _QUIET, _sources, _PRIVATE),
    "share": Action("Show to all", _PLAIN, _share, _PUBLIC),
    "useful": Action("Useful", _QUIET, _useful, _PRIVATE),
    "wrong": Action("Wrong quote", _QUIET, _wrong, None),
    "watch": Action("Tell me when they do", _PLAIN, _watch, _PRIVATE),
    "stop": Action("Stop", _QUIET, _stop, _IN_PLACE),
}
