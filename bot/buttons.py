"""What the buttons under answers do."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Self

import discord
from discord import ui

from bot.collections import Collections
from bot.manners import begin
from bot.press import IN_PLACE, PRIVATE, PUBLIC, Form, Press, Pressed, button, paged
from bot.render import Row, answer_view, citation_line, escaped, notice_view, quotes_view
from index import Answer, Archive, InputError, LoggedAnswer

log = logging.getLogger(__name__)
_PAGE = 4  # passages a page
_MOST_PASSAGES = 40
_AROUND = 2  # sentences on each side of a quote
_REASON_CHARS = 300
_PLAIN = discord.ButtonStyle.primary


async def keep(
    library: Collections, server: int | None, answer: Answer, message: discord.Message | None
) -> None:
    """Log an answer after it was sent; `message` is where all can read it, no direct message.

    An answer that cannot be logged was given all the same: only the log file tells of it.
    """
    place: dict[str, int] = {}
    if message and server is not None:
        place = {"channel": message.channel.id, "message": message.id}
    try:
        archive = await asyncio.to_thread(library.archive, server)
        await asyncio.to_thread(archive.answers.record, answer, **place)
    except Exception:
        log.exception("answer %s was sent but not logged", answer.answer_id)


async def _recalled(pressed: Pressed) -> tuple[Archive, LoggedAnswer]:
    """The answer that a button stands under, checked, and the collection that it is from."""
    archive = await pressed.archive()
    found = await asyncio.to_thread(archive.answers.get, pressed.key)
    await asyncio.to_thread(archive.check, found.answer)
    return archive, found


def answer_rows(answer: Answer, *, private: bool) -> list[Row]:
    """The buttons that belong under an answer."""
    names = ["more", "around", "sources", "wrong"]
    if answer.status == "declined":
        names = ["more", "watch"] if answer.closest else ["watch"]
    rows = [Row(*(Press(name, answer.answer_id) for name in names))]
    return [*rows, Row(Press("share", answer.answer_id))] if private else rows


def stop_row(number: int) -> Row:
    """The button that ends a watch."""
    return Row(Press("stop", f"{number:x}"))


@button("more", "More passages", PRIVATE)
@button("back", "◀ Back", IN_PLACE)
@button("next", "Next ▶", IN_PLACE)
async def _more(pressed: Pressed) -> None:
    """A page of further passages: at first in a message of the presser's own, then in place."""
    archive, found = await _recalled(pressed)
    further = await asyncio.to_thread(archive.more, found.answer, _MOST_PASSAGES)
    if not further.quotes:
        told = "There are no further passages: the reports have no more on this."
        await pressed.reply(notice_view(told))
        return
    quotes, page, rows = paged(further.quotes, pressed, _PAGE, "back", "next")
    await asyncio.to_thread(archive.check, further)
    head = f"### More on: {escaped(found.answer.question[:200])}\n-# Further passages, "
    head += "newest first." if found.answer.news else "best first. They may be beside the question."
    footer = f"-# {page} · of answer `{found.answer.answer_id}`"
    await pressed.reply(quotes_view(head, quotes, further, footer, rows))


@button("around", "Sentences around", PRIVATE)
async def _around(pressed: Pressed) -> None:
    """The quotes with the sentences around them."""
    archive, found = await _recalled(pressed)
    shown = await asyncio.to_thread(archive.context, found.answer)
    await asyncio.to_thread(archive.check, shown)
    head = f"### {escaped(found.answer.question[:200])}\n-# With the sentences around each quote"
    footer = f"-# Quoted to the letter · of answer `{found.answer.answer_id}`"
    await pressed.reply(quotes_view(head, shown.quotes, shown, footer))


@button("sources", "Sources", PRIVATE)
async def _sources(pressed: Pressed) -> None:
    """The reports behind an answer, and what has become of them."""
    _, found = await _recalled(pressed)
    became = {one.article_id: "**changed since this answer**" for one in found.updated}
    became |= {one.article_id: "**removed since this answer**" for one in found.removed}
    lines = ["### Sources"]
    for citation in found.answer.citations:
        article = citation.article
        lines.append(citation_line(citation))
        byline = f"by {escaped(article.author[:100])} · " if article.author else ""
        state = became.get(article.article_id, "as it stands now")
        lines.append(f"-# {byline}`{escaped(article.article_id[:80])}` · {state}")
    await pressed.reply(notice_view("\n".join(lines)))


@button("share", "Show to all", PUBLIC, _PLAIN)
async def _share(pressed: Pressed) -> None:
    """A private answer, shown to all."""
    _, found = await _recalled(pressed)
    interaction = pressed.interaction
    by = escaped(interaction.user.display_name)
    rows = answer_rows(found.answer, private=False)
    message = await pressed.reply(answer_view(found.answer, rows, note=f"-# Shared by {by}"))
    await keep(interaction.client.library, interaction.guild_id, found.answer, message)


@button("wrong", "Wrong quote", None)
async def _wrong(pressed: Pressed) -> None:
    await pressed.interaction.response.send_modal(Reason(pressed.key))


class Reason(Form, title="What is wrong with the quote?"):
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

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        await begin(interaction, **PRIVATE)
        pressed = Pressed(interaction, self._answer_id, 0)
        answers = (await pressed.archive()).answers
        reader, note = interaction.user.id, self.reason.value
        await asyncio.to_thread(answers.add_feedback, self._answer_id, note, reader=reader)
        await pressed.reply(notice_view("Thank you: moderators find it with `/why`."))


@button("watch", "Tell me when they do", PRIVATE, _PLAIN)
async def _watch(pressed: Pressed) -> None:
    """Tell here when the reports answer this."""
    archive, found = await _recalled(pressed)
    where, who = pressed.interaction.channel_id or 0, pressed.interaction.user.id
    number = await asyncio.to_thread(
        archive.answers.add_watch, found.answer, channel=where, person=who
    )
    told = "I will tell you here when the reports answer this. Moderators see it in `/watching`."
    await pressed.reply(notice_view(told, [stop_row(number)]))


@button("stop", "Stop", IN_PLACE)
async def _stop(pressed: Pressed) -> None:
    """End a watch: one's own, or as a moderator anybody's."""
    archive = await pressed.archive()
    number, client = int(pressed.key, 16), pressed.interaction.client
    for watch in await asyncio.to_thread(archive.answers.watches):
        own = watch.person == pressed.interaction.user.id
        if watch.number == number and not own and not client.moderates(pressed.interaction):
            raise InputError("Only who asked for it, or a moderator, can end this.")
    await asyncio.to_thread(archive.answers.remove_watch, number)
    await pressed.reply(notice_view("Ended: I no longer look."))
