"""Notices, and texts that overflow into a file."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import discord
from discord import ui

from bot.markdown import strip_direction

MAX_TEXT = 4_000  # characters in all text of one Components V2 message
Row = ui.ActionRow[Any]
_NO_FILES = "-# To send the rest as a file, I need the Attach Files permission here."


def notice_view(text: str, rows: Iterable[Row] = ()) -> ui.LayoutView:
    """A notice from the bot, with bidirectional controls stripped."""
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.TextDisplay(strip_direction(text)[:MAX_TEXT]))
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
