"""Notes in posted answers whose quotes no longer stand.

The note goes into the answer itself: later readers see it, and nobody is pinged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot.markdown import escape
from bot.views.base import MAX_TEXT, notice_view
from index import Archive, StaleAnswer

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
PAUSE_S = 2.0  # between two notes
_LOOK_BACK = timedelta(days=30)
_TITLE_CHARS, _NOTE_CHARS, _MAX_LINES = 100, 300, 4
_HEAD = "**Since this answer:**"
# Discord limits edits of messages older than an hour, and takes them again later.
_TOO_MANY_EDITS = 30046
_SERVER_ERROR = 500
_STATES = {
    "changed": "was changed, and no longer says what is quoted here",
    "removed": "was removed",
    "corrected": "was **corrected**",
    "retracted": "was **retracted**",
}


class Corrections:
    """Adds notes to the answers that a change to a collection made stale."""

    def __init__(self, bot: OnRecord) -> None:
        """Write as this bot."""
        self._bot = bot
        self._checked: dict[int | None, object] = {}  # server -> version of its collection

    async def check(self, server: int | None, archive: Archive) -> None:
        """Add notes to the answers of a collection that has changed since the last check."""
        version = await asyncio.to_thread(lambda: archive.version)
        if self._checked.get(server) == version:
            return
        since = discord.utils.utcnow() - _LOOK_BACK
        by_message: dict[tuple[int, int], list[StaleAnswer]] = {}
        for stale in await asyncio.to_thread(archive.answers.stale, since):
            place = (stale.entry.channel or 0, stale.entry.message or 0)
            by_message.setdefault(place, []).append(stale)
        complete = True
        for number, (place, stales) in enumerate(reversed(by_message.items())):
            if number:
                await asyncio.sleep(PAUSE_S)
            if self._bot.unasked.wait_s(server):  # the next check goes on from here
                complete = False
                break
            if await self._add_note(*place, stales):
                self._bot.unasked.count(server)
                await asyncio.to_thread(archive.answers.mark_notified, stales)
            else:
                complete = False
        if complete:
            self._checked[server] = version

    async def _add_note(self, channel: int, message: int, stales: Sequence[StaleAnswer]) -> bool:
        """Add a note to an answer; False if it has to be tried again."""
        try:
            answer = await self._bot.get_partial_messageable(channel).fetch_message(message)
            lines = _lines(stales)
            if view := _with_note(answer, lines):
                await answer.edit(view=view)
            else:
                note = notice_view("\n".join([_HEAD, *lines]))
                await answer.reply(view=note, mention_author=False)
        except discord.HTTPException as error:
            if error.code == _TOO_MANY_EDITS or error.status >= _SERVER_ERROR:
                return False
            log.warning("answer %s in channel %s gets no note: %s", message, channel, error)
        return True


def _lines(stales: Iterable[StaleAnswer]) -> list[str]:
    """What became of the reports that an answer quotes."""
    lines = []
    for stale in stales:
        notice, title = stale.article.notice, escape(stale.article.title[:_TITLE_CHARS])
        shown = notice is not None and stale.kind == notice.kind
        reason = f": {escape(notice.note[:_NOTE_CHARS])}" if notice and shown else "."
        lines.append(f"- “{title}” {_STATES[stale.kind]}{reason}")
    return lines[:_MAX_LINES]


def _with_note(message: discord.Message, lines: Sequence[str]) -> ui.LayoutView | None:
    """The message with a note in its frame; None if there is no room."""
    view = ui.LayoutView.from_message(message, timeout=None)
    view.stop()  # its buttons go on to be handled by their ids
    frame = next((item for item in view.children if isinstance(item, ui.Container)), None)
    if frame is None:
        return None
    note = frame.children[-1]
    if not isinstance(note, ui.TextDisplay) or not note.content.startswith(_HEAD):
        note = ui.TextDisplay[Any](_HEAD)
        frame.add_item(note)
    note.content = "\n".join([note.content, *lines])
    return view if view.content_length() <= MAX_TEXT else None
