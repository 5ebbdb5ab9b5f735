"""Answer -> Discord message. Pure: no network, no clock, no settings.

Quotes are shown letter for letter: what Discord would read as markup, mentions or links is
escaped, never dropped. A quote that does not fit is left out whole, never cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote as percent_encoded

import discord
from discord import ui

from bot.wording import speaker_line, story_line
from index.article import Answer, Article, Citation, CitedQuote

MAX_TEXT = 4_000  # characters in all text of one Components V2 message
_RESERVED = 700  # of them for the footer and for what is said about left-out quotes
_QUESTION_CHARS = 300
_TITLE_CHARS = 150
_URL_CHARS = 500
_FRAGMENT_WORDS = 5
_MARKUP = re.compile(r"[\\`*_~|\[\]()<>#@]|(?<=\w):(?=//)|^\s*[-+]|^\s*\d+(?=\.)", re.MULTILINE)
_COLOUR = discord.Colour(0x2B5C8A)


def escaped(text: str) -> str:
    """Text that Discord shows letter for letter: no markup, mention, link or list comes of it."""

    def escape(found: re.Match[str]) -> str:
        sign = found.group()
        return f"{sign}\\" if sign[-1].isdigit() else f"{sign[:-1]}\\{sign[-1]}"

    return _MARKUP.sub(escape, text)


def answer_view(answer: Answer) -> ui.LayoutView:
    """An answer, or a decline that is plainly one, within Discord's limits."""
    blocks = _declined(answer) if answer.status == "declined" else _answered(answer)
    view = ui.LayoutView(timeout=None)
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=_COLOUR)
    for number, block in enumerate(blocks):
        if number:
            container.add_item(ui.Separator(visible=number == len(blocks) - 1))
        container.add_item(ui.TextDisplay(block))
    view.add_item(container)
    return view


def notice_view(text: str) -> ui.LayoutView:
    """One sentence of the bot's own."""
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.TextDisplay(text[:MAX_TEXT]))
    return view


def block_quote(cited: CitedQuote) -> str:
    """A quote as a block quote with its citation's number, behind who says it."""
    lines = escaped(cited.quote.text).split("\n")
    said = speaker_line(cited)
    return (
        (f"{escaped(said)}\n" if said else "")
        + "\n".join(f"> {line}" for line in lines)
        + f" **[{cited.citation}]**"
    )


def citation_line(citation: Citation, quotes: Iterable[CitedQuote]) -> str:
    """Number, publisher, date and title; the title opens the page at the first of `quotes`."""
    article = citation.article
    parts = [escaped(article.publisher)] if article.publisher else []
    if article.published:
        parts.append(f"<t:{int(article.published.timestamp())}:D>")
    first = next((one for one in quotes if one.citation == citation.number), None)
    parts.append(_linked_title(article, first.quote.text if first else None))
    return f"**[{citation.number}]** " + " · ".join(parts)


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


def _answered(answer: Answer) -> list[str]:
    head = f"### {_question(answer)}"
    shown: list[CitedQuote] = []
    for cited in answer.quotes:
        if _length(head, [*shown, cited], answer) > MAX_TEXT - _RESERVED:
            break
        shown.append(cited)
    blocks = [head, *(block_quote(cited) for cited in shown)]
    left_out = len(answer.quotes) - len(shown)
    note = f"-# {left_out} more too long to show here.\n" if left_out else ""
    return [*blocks, note + _sources(answer, shown)]


def _declined(answer: Answer) -> list[str]:
    said = escaped(answer.reason or "")
    blocks = [f"### {_question(answer)}\n**No answer in the reports.** {said}"]
    closest = answer.closest
    if closest and _length(blocks[0], [closest], answer) <= MAX_TEXT - _RESERVED:
        blocks.append("The closest passage, which does not answer it:\n" + block_quote(closest))
        return [*blocks, _sources(answer, [closest])]
    return [*blocks, _footer(answer)]


def _question(answer: Answer) -> str:
    words = answer.question
    short = words if len(words) <= _QUESTION_CHARS else words[:_QUESTION_CHARS].rstrip() + "…"
    return escaped(short)


def _sources(answer: Answer, shown: Sequence[CitedQuote]) -> str:
    used = {number for cited in shown for number in (cited.citation, *cited.also)}
    lines = [citation_line(one, shown) for one in answer.citations if one.number in used]
    story = story_line(answer) if len(shown) == len(answer.quotes) else None
    return "\n".join([*([f"-# {story}"] if story else []), *lines, _footer(answer)])


def _footer(answer: Answer) -> str:
    return f"-# Quoted to the letter · answer `{answer.answer_id}`"


def _length(head: str, quotes: Sequence[CitedQuote], answer: Answer) -> int:
    return sum(map(len, [head, _sources(answer, quotes), *map(block_quote, quotes)]))


def _linked_title(article: Article, quote: str | None) -> str:
    title = article.title
    short = title if len(title) <= _TITLE_CHARS else title[:_TITLE_CHARS].rstrip() + "…"
    shown = escaped(" ".join(short.split()))
    if not article.url or len(article.url) > _URL_CHARS:
        return shown
    target = text_fragment(article.url, quote) if quote else article.url
    if len(target) > 2 * _URL_CHARS:
        target = article.url
    safe = re.sub(r"[\s()<>\"\\]", lambda found: percent_encoded(found.group(), safe=""), target)
    return f"[{shown}]({safe})"
