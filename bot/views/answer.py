"""Answers as Discord messages. Pure: no network, no clock, no settings.

Quotes are shown verbatim: markup, mentions and links are escaped, never dropped, and bold only
wraps words. A quote that does not fit is left out as a whole, never shortened.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote as percent_encoded

import discord
from discord import ui

from bot.markdown import escape, link_text, shorten
from bot.views.base import MAX_TEXT, Row
from bot.views.text import (
    CLOSEST,
    date_words,
    describe_filters,
    notice_words,
    plural,
    short_form,
    speaker_line,
    story_line,
)
from index import Answer, Article, Citation, CitedQuote, Span, optional

_RESERVED = 60  # characters for the line about quotes left out
NOTE_ROOM = 400  # characters for a later note on changed reports
_MAX_QUOTES = 5  # with speakers and citations, under Discord's limit of 40 components
_QUESTION_CHARS = 300
_FILTER_CHARS, _REASON_CHARS = 300, 600
_TITLE_CHARS = 150
_NAME_CHARS = 80
_NOTE_CHARS = 300
_URL_CHARS = 1_000
_MAX_ALSO = 3
_FRAGMENT_WORDS = 5
_COLOUR = discord.Colour(0x2B5C8A)


class AnswerView(ui.LayoutView):
    """A message that quotes reports; `bot.answers.send_answer` checks its `answer` and sends it."""

    def __init__(self, answer: Answer) -> None:
        """Create an empty message."""
        super().__init__(timeout=None)
        self.answer = answer


def answer_view(
    answer: Answer, rows: Iterable[Row] = (), *, typed: str | None = None, note: str = ""
) -> AnswerView:
    """Return an answer or a decline as a message within Discord's limits.

    Args:
        answer: any answer.
        rows: buttons.
        typed: the question as it was typed; `answer.question` is how it was understood.
        note: the bot's own Markdown, shown on top.
    """
    question = escape(shorten(answer.question, _QUESTION_CHARS))
    heading = escape(shorten(typed, _QUESTION_CHARS)) if typed else question
    understood = f"-# Understood as: {question}" if heading != question else ""
    filters = shorten(optional("", describe_filters, answer.filters), _FILTER_CHARS)
    lines = [
        note,
        f"### {heading}",
        understood,
        f"-# {escape(filters[:1].upper() + filters[1:])}" if filters else "",
        escape(optional("", story_line, answer)),
    ]
    if answer.status == "declined":
        lines.append(f"**{escape(shorten(answer.reason or '', _REASON_CHARS))}**")
        if answer.closest:
            lines.append(CLOSEST)
    if answer.short and (words := optional("", short_form, answer)):
        lines.append(f"**{escape(words)}** [{answer.short.citation}]")
    head = "\n".join(line for line in lines if line)
    said = "Quoted verbatim" if answer.shown else "Nothing to quote"
    footer = f"-# {said} · answer `{answer.answer_id}`"
    return quotes_view(head, answer.shown, answer, footer, rows)


def quotes_view(
    head: str, quotes: Sequence[CitedQuote], answer: Answer, footer: str, rows: Iterable[Row] = ()
) -> AnswerView:
    """Return quotes of an answer under a heading: as many as fit, each with its citation.

    Room is left for a later note on changed reports. If no quote fits, the citation of the first
    says where to read it.
    """
    sources = {citation.number: citation for citation in answer.citations}
    groups: list[tuple[str, ...]] = []
    chars_left = MAX_TEXT - NOTE_ROOM - len(head) - len(footer) - _RESERVED
    for cited in quotes[:_MAX_QUOTES]:
        if len(cited.quote.text) > chars_left:
            continue  # a shorter quote may still fit
        group = _group(cited, sources, answer)
        if sum(map(len, group)) > chars_left:
            continue
        chars_left -= sum(map(len, group))
        groups.append(group)
    missing = len(quotes) - len(groups)
    note = f"-# {plural(missing, 'more quote')} would not fit here.\n" if missing else ""
    if quotes and not groups:
        note = f"-# {plural(missing, 'quote')} of more characters than a message may have.\n"
        source = sources[quotes[0].citation]
        lines = [_notice_line(source.article), citation_line(source, quotes[0])]
        groups = [("\n".join(filter(None, lines)),)]
    view, last = AnswerView(answer), (note + footer,)
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=_COLOUR)
    container.add_item(ui.TextDisplay[Any](head))
    for group in (*groups, last):
        container.add_item(ui.Separator[Any](visible=group is last))
        for text in group:
            container.add_item(ui.TextDisplay[Any](text))
    for item in (container, *rows):
        view.add_item(item)
    return view


def _group(cited: CitedQuote, sources: Mapping[int, Citation], answer: Answer) -> tuple[str, ...]:
    """Return the texts of a quote: its notice and speaker, its words, and its sources."""
    speaker = optional("", speaker_line, cited, answer)
    above = [_notice_line(sources[number].article) for number in (cited.citation, *cited.also)]
    above += [escape(shorten(speaker, _NAME_CHARS))] if speaker else []
    label = "\n".join(filter(None, above))
    return (*filter(None, [label]), block_quote(cited), _cited_as(cited, sources))


def _cited_as(cited: CitedQuote, sources: Mapping[int, Citation]) -> str:
    """Return the citation of a quote, and of other reports with the same sentence."""
    also = [citation_line(sources[number]) for number in cited.also[:_MAX_ALSO]]
    also += [f"{len(cited.also) - _MAX_ALSO} more"] * (len(cited.also) > _MAX_ALSO)
    return "\n-# Also in ".join([citation_line(sources[cited.citation], cited), *also])


def text_view(answer: Answer, text: str) -> AnswerView:
    """Return a message of plain text that cites an answer."""
    view = AnswerView(answer)
    view.add_item(ui.TextDisplay[Any](text[:MAX_TEXT]))
    return view


def block_quote(cited: CitedQuote) -> str:
    """Return a quote as a block quote, with the part that answers in bold."""
    bold = optional([], _bold, cited)
    return "\n".join(f"> {line}" for line in escape(cited.quote.text, bold).split("\n"))


def _bold(cited: CitedQuote) -> list[Span]:
    start, part = cited.quote.start, cited.answer
    return [Span(part.start - start, part.end - start)] if part else []


def citation_line(citation: Citation, cited: CitedQuote | None = None) -> str:
    """Return number, publisher, date and title; the title links to the page, at the quote if given.

    A notice follows, but not with a quote: there it precedes the words that it corrects.
    """
    article = citation.article
    parts = [escape(shorten(article.publisher, _NAME_CHARS))] if article.publisher else []
    parts.append(optional("", date_words, article.published, article.guessed_date))
    title = escape(shorten(article.title, _TITLE_CHARS))
    parts.append(optional(title, _linked_title, article, cited.quote.text if cited else None))
    line = f"**[{citation.number}]** " + " · ".join(filter(None, parts))
    notice = "" if cited else _notice_line(article)
    return f"{line}\n{notice}" if notice else line


def _notice_line(article: Article) -> str:
    """Return the notice of a report in small print; "" if it has none."""
    if article.notice is None:
        return ""
    words, kind = escape(shorten(notice_words(article.notice), _NOTE_CHARS)), article.notice.kind
    return f"-# **{words[: len(kind)]}**{words[len(kind) :]}"


def text_fragment(url: str, text: str) -> str:
    """Return a link that scrolls to a text in a page (URL fragment text directives, WICG).

    For example https://a.example/x#:~:text=The%20gate%20failed.
    """
    words = text.split()
    long = len(words) > 2 * _FRAGMENT_WORDS
    ends = [words[:_FRAGMENT_WORDS], words[-_FRAGMENT_WORDS:]] if long else [words]
    directive = ",".join(
        percent_encoded(" ".join(end), safe="").replace("-", "%2D") for end in ends
    )
    return f"{url}{'' if '#' in url else '#'}:~:text={directive}"


def _linked_title(article: Article, quote: str | None) -> str:
    title = escape(shorten(article.title, _TITLE_CHARS))
    url = article.url or ""
    for target in filter(None, (quote and url and text_fragment(url, quote), url)):
        escaped = re.sub(
            r"[\s()<>\"\\]", lambda sign: percent_encoded(sign.group(), safe=""), target
        )
        if len(escaped) <= _URL_CHARS:
            text = link_text(shorten(article.title, _TITLE_CHARS))
            return f"[{text}]({escaped})" if text else f"<{escaped}>"
    return title
