"""Answer -> Discord message. Pure: no network, no clock, no settings.

Quotes are shown letter for letter: what Discord would read as markup, mentions or links is
escaped, never dropped, and bold only wraps words. A quote that does not fit is left out whole,
never cut.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import quote as percent_encoded

import discord
from discord import ui
from discord.utils import format_dt

from bot.wording import speaker_line, story_line
from index.domain import Answer, Article, Citation, CitedQuote, Filters
from index.ranking.features import given
from index.ranking.query import Query, parse
from index.text.sentences import Span
from index.text.terms import STOP_WORDS, content_terms, terms

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
_WORD = re.compile(r"\w+(?:['’.-]\w+)*")
_TIME = re.compile(r"\b\d{1,2}[:.]\d\d(?: ?[ap]\.?m\b\.?)?|\b\d{1,2} ?[ap]\.?m\b\.?")
_NAME = re.compile(r"[A-Z][\w’'-]*(?: [A-Z][\w’'-]*)*")
_CALENDAR = frozenset(terms(" ".join([*calendar.day_name, *calendar.month_name])))
_NUMERAL = re.compile(r"\d\d?")
_AROUND = re.compile(r"[\s.,;:!?\"“”‘’'()–—-]")  # signs that may stand beside bold
_MOST_BOLD = 0.5  # of the quote, and
_MOST_SPANS = 4  # of them: where more would be bold, nothing stands out
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
            block_quote(cited, answering(answer, cited.quote.text)),
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


def answering(answer: Answer, text: str) -> list[Span]:
    """Spans of a quote that give the kind of thing asked for; else, the question's own words.

    Each begins and ends inside one line, with a letter or digit, and none touches another. What
    an answer declines to call one is not marked as if it were.
    """
    query = parse(answer.question)
    found = given(query, text) if answer.status == "answered" else []
    if query.answer_type in {"person", "name", "place"}:
        found = _whole_names(text, found)
    if query.answer_type == "date" and answer.status == "answered":
        found += [Span(*at.span()) for at in _TIME.finditer(text)]
    typed = _fitting(text, found)
    if typed:
        return typed
    asked = set(content_terms(answer.question)) - STOP_WORDS
    words = _WORD.finditer(text)
    own = [Span(*at.span()) for at in words if asked.intersection(terms(at.group()))]
    whole = _merged(text, own)  # "Gate 3" is one; a 3 by itself is of another thing
    return _fitting(
        text, [span for span in whole if not _NUMERAL.fullmatch(text, span.start, span.end)]
    )


def names(query: Query, text: str) -> list[str]:
    """The names in a text that the question asks for and does not have, in order."""
    return [text[at.start : at.end] for at in _whole_names(text, given(query, text))]


def _whole_names(text: str, found: list[Span]) -> list[Span]:
    return [name for span in found if (name := _name(text, span))]


def _fitting(text: str, found: list[Span]) -> list[Span]:
    """The safe ones, or none where they are too many to stand out."""
    safe = [span for span in _merged(text, found) if _is_safe(text, span)]
    covered = sum(span.end - span.start for span in safe)
    return safe if len(safe) <= _MOST_SPANS and covered <= _MOST_BOLD * len(text) else []


def _name(text: str, span: Span) -> Span | None:
    """The whole name that begins in a span; None for a day or month."""
    found = _NAME.search(text, span.start)
    if found is None or found.start() >= span.end or _CALENDAR.issuperset(terms(found.group())):
        return None
    return Span(*found.span())


def _merged(text: str, spans: list[Span]) -> list[Span]:
    """Whole words, in order; what overlaps or has only a space between is one span."""
    made: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        start, end = span.start, span.end
        while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
            end += 1
        while start < end and not text[start].isalnum():
            start += 1
        while end > start and not text[end - 1].isalnum():
            end -= 1
        if made and start <= made[-1].end + 1:
            made[-1] = Span(made[-1].start, max(end, made[-1].end))
        elif start < end:
            made.append(Span(start, end))
    return made


def _is_safe(text: str, span: Span) -> bool:
    before, after = text[max(0, span.start - 1) : span.start], text[span.end : span.end + 1]
    inside = text[span.start : span.end]
    return all(not sign or _AROUND.match(sign) for sign in (before, after)) and not re.search(
        r"[\\*_~|`\n\r\u2028\u2029]", inside
    )
