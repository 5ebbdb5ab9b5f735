"""The buttons under answers and declines, and what they do."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import discord
from discord import ui

from bot.answers import log_answer, recall, send_answer
from bot.interactions import defer, why_not_here
from bot.markdown import escape, shorten
from bot.sending import send_once
from bot.views.answer import AnswerView, answer_view, citation_line, quotes_view, text_view
from bot.views.base import CHOICE_CHARS, Button, Form, Press, Row, button, notice_view, page_of
from bot.views.text import became_words
from index import Answer, InputError, widened

_PAGE = 4  # passages
_MAX_PASSAGES = 40
_QUESTION_CHARS = 200
_REASON_CHARS = 300
_FLAGGED_CHARS = 40  # enough of a quote for moderators to recognise it


def answer_rows(answer: Answer, *, private: bool) -> list[Row]:
    """Return the buttons that belong under an answer."""
    names = ["more", "around", "sources", "wrong"]
    if answer.status == "declined":
        names = ["more", "watch"] if answer.closest else ["watch"]
    here = {} if private else {"watch": "Mention me here when there's an answer"}
    rows = [Row(*(Button(name, answer.answer_id, label=here.get(name, "")) for name in names))]
    return [*rows, Row(Button("share", answer.answer_id))] if private else rows


@button("passages", "Next ▶", "in place")
@button("more", "More passages", "private")
async def show_more(press: Press) -> None:
    """Show a page of further passages, first as a private message, then in its place."""
    archive = await press.archive()
    answer = (await recall(archive, press.key)).answer
    further = await asyncio.to_thread(archive.more, answer, _MAX_PASSAGES)
    if not further.quotes:
        await press.reply(notice_view("That's all the reports have on this."))
        return
    quotes, label, rows = page_of(further.quotes, press, _PAGE, "passages")
    order = "newest first." if answer.news else "best first. They may be off-topic."
    head = f"### More on: {escape(answer.question[:_QUESTION_CHARS])}\n-# Further passages, {order}"
    footer = f"-# {label} · from answer `{answer.answer_id}`"
    await send_answer(archive, quotes_view(head, quotes, further, footer, rows), press.reply)


@button("around", "Sentences around", "private")
async def show_context(press: Press) -> None:
    """Show the quotes with the sentences around them."""
    archive = await press.archive()
    answer = (await recall(archive, press.key)).answer
    wider = await asyncio.to_thread(widened, answer)
    question = escape(answer.question[:_QUESTION_CHARS])
    head = f"### {question}\n-# With the sentences around each quote"
    footer = f"-# Quoted verbatim · from answer `{answer.answer_id}`"
    await send_answer(archive, quotes_view(head, wider.quotes, wider, footer), press.reply)


@button("sources", "Sources", "private")
async def show_sources(press: Press) -> None:
    """Show the reports behind an answer, and whether they have changed since."""
    archive = await press.archive()
    entry = await recall(archive, press.key)
    lines = ["### Sources"]
    for citation, standing in zip(entry.answer.citations, entry.standings, strict=True):
        article = citation.article
        byline = f"by {escape(article.author[:100])} · " if article.author else ""
        state = "unchanged since this answer"
        if standing.became:
            state = (
                f"**since this answer it {escape(shorten(became_words(standing), _REASON_CHARS))}**"
            )
        lines += [citation_line(citation), f"-# {byline}{state}"]
    await send_answer(archive, text_view(entry.answer, "\n".join(lines)), press.reply)


@button("share", "Show everyone", "in place", primary=True)
async def share(press: Press) -> None:
    """Show a private answer to everyone in the channel; failures are explained in private."""
    archive, interaction = await press.archive(), press.interaction
    if reason := await why_not_here(interaction):
        raise InputError(f"I can't show it here: {reason}")
    answer = (await recall(archive, press.key)).answer
    note = f"-# Shared by {escape(interaction.user.display_name)}"
    view = answer_view(answer, answer_rows(answer, private=False), note=note)

    async def send(view: AnswerView) -> discord.Message:
        channel: Any = interaction.channel
        return await send_once(channel.send, view=view)

    message = await send_answer(archive, view, send)
    server, person = interaction.guild_id, interaction.user.id
    await log_answer(archive, answer, message, server=server, asker=person)


class WrongQuote(Form, title="Report a wrong quote"):
    """Asks which quote is wrong, if there are several, and why.

    The reason is kept with the answer, without the person's name.
    """

    def __init__(self, answer: Answer) -> None:
        """Ask about the quotes of an answer."""
        super().__init__()
        self._answer_id = answer.answer_id
        publishers = {cited.number: cited.article.publisher for cited in answer.citations}
        self._quote: ui.Select[Self] = ui.Select()
        for number, cited in enumerate(answer.quotes):
            label = shorten(cited.quote.text, CHOICE_CHARS - 1)  # and "…"
            publisher = shorten(publishers[cited.citation] or "", CHOICE_CHARS - 1)
            self._quote.add_option(label=label, value=str(number), description=publisher or None)
        if len(answer.quotes) > 1:
            self.add_item(ui.Label(text="Which quote?", component=self._quote))
        self._reason: ui.TextInput[Self] = ui.TextInput(
            style=discord.TextStyle.paragraph,
            max_length=_REASON_CHARS,
            placeholder="It is about another dam.",
        )
        self.add_item(ui.Label(text="What is wrong with it?", component=self._reason))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        await defer(interaction, ephemeral=True, thinking=True)
        if not (reason := self._reason.value.strip()):
            raise InputError("Say what is wrong with the quote: nothing was recorded.")
        press, reader = Press(interaction, self._answer_id), interaction.user.id
        (number,) = self._quote.values or ["0"]
        quote = shorten(self._quote.options[int(number)].label, _FLAGGED_CHARS)
        note = f"{quote}: {reason}"
        people, server = (await press.archive()).people, interaction.guild_id
        await asyncio.to_thread(
            people.add_feedback, self._answer_id, note, reader=reader, server=server
        )
        text = (
            "Thanks. Moderators see this without your name, and `/why` shows it with this answer."
        )
        await press.reply(notice_view(text))


@button("wrong", "Wrong quote", "modal")
async def report_wrong_quote(press: Press) -> None:
    """Ask which quote is wrong, and why."""
    answer = (await recall(await press.archive(), press.key)).answer
    await press.interaction.response.send_modal(WrongQuote(answer))
