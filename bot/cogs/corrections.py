"""Notes in posted answers whose reports have changed since.

A note is edited into the answer: later readers see it, and nobody is pinged. It describes the
present state, and is written again if a change is undone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot.markdown import escape, shorten
from bot.sending import DISCORD_ERRORS, has_trouble
from bot.views.base import MAX_TEXT
from bot.views.text import became_words, plural
from index import Archive, StaleAnswer, Standing

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
PAUSE_S = 2.0  # between two notes
_LOOK_BACK = timedelta(days=30)
_TITLE_CHARS, _NOTE_CHARS, _MAX_LINES = 100, 300, 4
_HEAD = "**Since this answer:**"
# Discord limits edits of messages older than an hour, and takes them again later.
_TOO_MANY_EDITS = 30046


class Corrections:
    """Writes notes into answers whose reports have changed since they were posted."""

    def __init__(self, bot: OnRecord) -> None:
        """Edit the answers of this bot."""
        self._bot = bot
        self._checked: dict[int | None, object] = {}  # server -> version of its collection

    def due(self, server: int | None, archive: Archive) -> datetime | None:
        """Return the present time if a collection has changed and needs notes, else None."""
        version, now = archive.version, discord.utils.utcnow()
        if self._checked.get(server) != version:
            if archive.answers.stale(now - _LOOK_BACK):
                return now
            self._checked[server] = version
        return None

    async def check(self, server: int | None, archive: Archive) -> datetime | None:
        """Write the notes of a collection.

        Returns:
            When to check again; None if not before it has changed again.
        """
        version = await asyncio.to_thread(lambda: archive.version)
        since = discord.utils.utcnow() - _LOOK_BACK
        complete = True
        newest_first = reversed(await asyncio.to_thread(archive.answers.stale, since))
        for number, stale in enumerate(newest_first):
            if number:
                await asyncio.sleep(PAUSE_S)
            # The next check writes the remaining notes.
            if self._bot.stopping or self._bot.unasked.wait_s(server):
                complete = False
                break
            if await self._write_note(stale):
                self._bot.unasked.count(server)
                await asyncio.to_thread(archive.answers.mark_notified, stale)
            else:
                complete = False
        if not complete:
            return discord.utils.utcnow()
        self._checked[server] = version
        return None

    async def _write_note(self, stale: StaleAnswer) -> bool:
        """Write the note of an answer; return False if it has to be tried again."""
        channel, message = stale.entry.channel or 0, stale.entry.message or 0
        try:
            answer = await self._bot.get_partial_messageable(channel).fetch_message(message)
            await answer.edit(view=_with_note(answer, stale.standings))
        except DISCORD_ERRORS as error:
            if has_trouble(error) or getattr(error, "code", None) == _TOO_MANY_EDITS:
                return False
            log.warning("answer %s in channel %s gets no note: %s", message, channel, error)
        return True


def note_text(standings: Sequence[Standing], room: int) -> str:
    """Return how the reports that an answer quotes have changed, in at most `room` characters."""
    for title_chars, chars in ((_TITLE_CHARS, _NOTE_CHARS), (_TITLE_CHARS // 2, _NOTE_CHARS // 5)):
        lines = [
            f"- “{escape(shorten(standing.article.title, title_chars))}” "
            f"{escape(shorten(became_words(standing), chars))}"
            for standing in standings[:_MAX_LINES]
        ]
        more = len(standings) - len(lines)
        lines += [f"- and {plural(more, 'more report')}: see `/why`"] * (more > 0)
        if len(text := "\n".join([_HEAD, *lines])) <= room:
            return text
    return f"{_HEAD} {plural(len(standings), 'report')} quoted here changed: `/why` says how."


def _with_note(message: discord.Message, standings: Sequence[Standing]) -> ui.LayoutView:
    """Return a message with a note above its answer, in place of an earlier note."""
    view = ui.LayoutView.from_message(message, timeout=None)
    view.stop()  # its buttons are still handled, by their ids
    container = next(item for item in view.children if isinstance(item, ui.Container))
    first = container.children[0]
    if isinstance(first, ui.TextDisplay) and first.content.startswith(_HEAD):
        container.remove_item(first)
    note = note_text(standings, MAX_TEXT - view.content_length())
    answer = [*container.children]
    container.clear_items()
    for item in (ui.TextDisplay[Any](note), *answer):
        container.add_item(item)
    return view
