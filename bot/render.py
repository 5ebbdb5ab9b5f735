"""Answer -> Discord message. Pure: no network, no clock, no settings.

Quotes are shown letter for letter: what Discord would read as markup, mentions or links is
escaped, never dropped, and bold only wraps words. A quote that does not fit is left out whole,
never cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import quote as percent_encoded

import discord
from discord import ui
from discord.utils import format_dt

from bot.views.text import speaker_line, story_line
from index import Answer, Article, Citation, CitedQuote, Filters, Span, highlights

MAX_TEXT = 4_000  # characters in all text of one Components V2 message
_RESERVED = 60  # of them for what is said about left-out quotes
_MAX_SHOWN = 5  # quotes, which with speakers and citations stay under 40 components
_QUESTION_CHARS = 300
_TITLE_CHARS = 150
_NAME_CHARS = 80
_NOTE_CHARS = 300
_URL_CHARS = 500
_FRAGMENT_WORDS = 5
_MARKUP = re.compile(r"[\\`*_~|\[\]()<>#@]|(?<=\w):(?=//)|^\s*[-+]|^\s*\d+(?=\.)", re.MULTILINE)
_DIRECTION = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_COLOUR = discord.Colour(0x2B5C8A)
Row = ui.ActionRow[Any]


def escaped(text: str, bold: Iterable[Span] = ()) -> str:
    """Text that Discord shows letter for letter: no markup, mention, link or list comes of it.

    Args:
        text: as it stands in the report.
        bold: spans to wrap in `**`, of whole words that do not touch one another.
    """
    at: dict[int, str] = {}
    for found in _MARKUP.finditer(text):
        before = found.end() if found.group()[-1].isdigit() else found.end() - 1
        at[before] = "\\"
    for span in bold:
        at[span.start] = at.get(span.start, "") + "**"
        at[span.end] = "**" + at.get(span.end, "")
    places = [0, *sorted(at)]
    return "".join(text[a:b] + at[b] for a, b in pairwise(places)) + text[places[-1] :]


def coded(text: str) -> str:
    """An id as code, which ends at no backtick of its own; they look alike."""
    return f"`{_short(text, _NAME_CHARS).replace('`', 'ˋ')}`"


def answer_view(
    answer: Answer, rows: Iterable[Row] = (), *, asked: str | None = None, note: str = ""
) -> ui.LayoutView:
    """An answer, or a decline that is plainly one, within Discord's limits.

    Args:
        answer: with quotes that were checked.
        rows: of buttons.
        asked: the question as typed, where the answer is to what it was understood as.
        note: markdown of the bot's own, above all.
    """
    question = escaped(_short(answer.question, _QUESTION_CHARS))
    typed = escaped(_short(asked, _QUESTION_CHARS)) if asked else question
    understood = f"-# Understood as: {question}" if typed != question else ""
    only = restriction(answer.filters)
    lines = (note, f"### {typed}", understood, f"-# From {only}" if only else "")
    head = "\n".join(line for line in lines if line)
    if answer.status == "declined":
        head += f"\n**No answer in the reports.** {escaped(answer.reason or '')}"
        if answer.closest:
            head += "\nThe closest passage, which does not answer it:"
    quotes = answer.quotes or ((answer.closest,) if answer.closest else ())
    footer = f"-# Quoted to the letter · answer `{answer.answer_id}`"
    if story := story_line(answer):
        footer = f"{story}\n{footer}"
    return quotes_view(head, quotes, answer, footer, rows)


def quotes_view(
    head: str, quotes: Sequence[CitedQuote], answer: Answer, footer: str, rows: Iterable[Row] = ()
) -> ui.LayoutView:
    """Quotes of an answer under a heading: as many as fit, each with its citation."""
    sources = {citation.number: citation for citation in answer.citations}
    groups: list[tuple[str, ...]] = []
    left = MAX_TEXT - len(head) - len(footer) - _RESERVED
    for cited in quotes[:_MAX_SHOWN]:
        if len(cited.quote.text) > left:
            continue  # a shorter one may still fit
        said = speaker_line(cited)
        also = [citation_line(sources[number]) for number in cited.also]
        group = (
            *([escaped(_short(said, _NAME_CHARS))] if said else []),
            block_quote(cited, highlights(answer, cited.quote.text)),
            "\n-# Also in ".join([citation_line(sources[cited.citation], cited), *also]),
        )
        if sum(map(len, group)) > left:
            continue
        left -= sum(map(len, group))
        groups.append(group)
    missing = len(quotes) - len(groups)
    note = f"-# {missing} more too long to show here.\n" if missing else ""
    return _view([(head,), *groups, (note + footer,)], rows)


def notice_view(text: str, rows: Iterable[Row] = ()) -> ui.LayoutView:
    """What the bot itself has to say; no name in it can turn the reading direction of the rest."""
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.TextDisplay(_DIRECTION.sub("", text)[:MAX_TEXT]))
    for row in rows:
        view.add_item(row)
    return view


def block_quote(cited: CitedQuote, bold: Iterable[Span] = ()) -> str:
    """A quote as a block quote."""
    return "\n".join(f"> {line}" for line in escaped(cited.quote.text, bold).split("\n"))


def citation_line(citation: Citation, cited: CitedQuote | None = None) -> str:
    """Number, publisher, date and title; the title opens the page at the quote."""
    article = citation.article
    parts = [escaped(_short(article.publisher, _NAME_CHARS))] if article.publisher else []
    if article.published:
        parts.append(f"{format_dt(article.published, 'D')}, {format_dt(article.published, 'R')}")
    parts.append(_linked_title(article, cited.quote.text if cited else None))
    return f"**[{citation.number}]** " + " · ".join(parts) + _notice(article)


def restriction(filters: Filters) -> str:
    """What filters leave, in words; empty where there are none."""
    parts = []
    if filters.publishers:
        parts.append("by " + ", ".join(escaped(name) for name in filters.publishers))
    for word, moment in (("since", filters.since), ("until", filters.latest)):
        if moment:
            parts.append(f"{word} {format_dt(moment, 'D')}")
    return "only reports " + ", ".join(parts) if parts else ""


def text_fragment(url: str, text: str) -> str:
    """A link that opens a page at a text (URL fragment text directives, WICG)."""
    words = text.split()
    ends = [words] if len(words) <= 2 * _FRAGMENT_WORDS else [
        words[:_FRAGMENT_WORDS],
        words[-_FRAGMENT_WORDS:],
    ]  # fmt: skip
    directive = ",".join(
        percent_encoded(" ".join(end), safe="").replace("-", "%2D") for end in ends
    )
    return f"{url}{'' if '#' in url else '#'}:~:text={directive}"


def _view(groups: Sequence[Sequence[str]], rows: Iterable[Row]) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=_COLOUR)
    for number, group in enumerate(groups):
        if number:
            container.add_item(ui.Separator[Any](visible=number == len(groups) - 1))
        for text in group:
            container.add_item(ui.TextDisplay[Any](text))
    view.add_item(container)
    for row in rows:
        view.add_item(row)
    return view


def _short(text: str, most: int) -> str:
    """A name or title on one line, which cannot turn the reading direction of what follows it."""
    folded = " ".join(_DIRECTION.sub("", text).split())
    return folded if len(folded) <= most else folded[:most].rstrip() + "…"


def _notice(article: Article) -> str:
    """What moderators made known of an article, on a line of its own; empty where nothing."""
    if article.notice is None:
        return ""
    note = escaped(_short(article.notice.note, _NOTE_CHARS))
    return f"\n-# **{article.notice.kind.capitalize()}**: {note}"


def _linked_title(article: Article, quote: str | None) -> str:
    shown = escaped(_short(article.title, _TITLE_CHARS))
    if not article.url or len(article.url) > _URL_CHARS:
        return shown
    target = text_fragment(article.url, quote) if quote else article.url
    if len(target) > 2 * _URL_CHARS:
        target = article.url
    safe = re.sub(r"[\s()<>\"\\]", lambda found: percent_encoded(found.group(), safe=""), target)
    return f"[{shown}]({safe})" if shown else f"<{safe}>"
