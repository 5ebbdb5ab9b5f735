"""The parts of every message: escaped text, notices, and texts that overflow into a file."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import discord
from discord import ui

from index import Span

MAX_TEXT = 4_000  # characters in all text of one Components V2 message
Row = ui.ActionRow[Any]
_NAME_CHARS = 80
# Signs that Discord reads as markup, mentions or links: "*", "@", the ":" of "https://",
# and the "-", "+" or "1." that begins a list.
_MARKUP = re.compile(r"[\\`*_~|\[\]()<>#@]|(?<=\w):(?=//)|^\s*[-+]|^\s*\d+(?=\.)", re.MULTILINE)
_DIRECTION = re.compile(r"[\u202a-\u202e\u2066-\u2069]")  # bidirectional control characters
_NO_FILES = "-# To send the rest as a file, I need the Attach Files permission here."


def escape(text: str, bold: Iterable[Span] = ()) -> str:
    """Text that Discord shows verbatim: no markup, mention, link or list.

    Args:
        text: any text.
        bold: spans to wrap in `**`, of whole words that do not touch one another.
    """
    inserts: dict[int, str] = {}
    for sign in _MARKUP.finditer(text):
        position = sign.end() if sign.group()[-1].isdigit() else sign.end() - 1
        inserts[position] = "\\"
    for span in bold:
        inserts[span.start] = inserts.get(span.start, "") + "**"
        inserts[span.end] = "**" + inserts.get(span.end, "")
    positions = [0, *sorted(inserts)]
    escaped = "".join(text[a:b] + inserts[b] for a, b in pairwise(positions))
    return escaped + text[positions[-1] :]


def code(text: str) -> str:
    """An id as inline code; its backticks are replaced by a lookalike."""
    return f"`{shorten(text, _NAME_CHARS).replace('`', 'ˋ')}`"


def shorten(text: str, limit: int) -> str:
    """A name or title on one line, cut to `limit`, without bidirectional controls."""
    line = " ".join(_DIRECTION.sub("", text).split())
    return line if len(line) <= limit else line[:limit].rstrip() + "…"


def notice_view(text: str, rows: Iterable[Row] = ()) -> ui.LayoutView:
    """A notice from the bot, with bidirectional controls stripped."""
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.TextDisplay(_DIRECTION.sub("", text)[:MAX_TEXT]))
    for row in rows:
        view.add_item(row)
    return view


def overflowing_view(
    text: str, name: str, interaction: discord.Interaction[Any], details: str = ""
) -> tuple[ui.LayoutView, *tuple[discord.File, ...]]:
    """A notice, with a file of that name if the text is too long or there are `details`."""
    if len(text) <= MAX_TEXT and not details:
        return (notice_view(text),)
    start = text[: MAX_TEXT - len(_NO_FILES) - 1].rpartition("\n")[0]
    if not interaction.app_permissions.attach_files:
        return (notice_view(f"{start}\n{_NO_FILES}"),)
    view = notice_view(start)
    view.add_item(ui.File[Any](f"attachment://{name}"))
    return view, discord.File(io.BytesIO((details or text).encode()), name)
