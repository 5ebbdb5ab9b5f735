"""Notes under posted answers whose quotes no longer stand.

The note goes into the answer itself: who reads it later sees it, and nobody is called.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import discord
from discord import ui
from discord.app_commands import Cooldown

from bot.render import MAX_TEXT, escaped, notice_view
from index import Archive, StaleAnswer

log = logging.getLogger(__name__)
PAUSE_S = 2.0  # between two notes
_AN_HOUR = 20  # notes a collection
_LOOK_BACK = timedelta(days=30)
_TITLE, _NOTE, _MOST = 100, 300, 4
_HEAD = "**Since this answer:**"
_TOO_MANY_EDITS = 30046  # Discord: of a message older than an hour; later it takes them again
_BECAME = {
    "changed": "was changed, and no longer says what is quoted here",
    "removed": "was taken out",
    "corrected": "was **corrected**",
    "retracted": "was **retracted**",
}


class Notes:
    """Looks whether a commit disturbed an answer, and says so under it."""

    def __init__(self, bot: discord.Client) -> None:
        """Write as this bot."""
        self._bot = bot
        self._seen: dict[int | None, int] = {}  # server -> generation that was looked at
        self._allowed: dict[int | None, Cooldown] = {}

    async def look(self, server: int | None, archive: Archive) -> None:
        """Put notes under the answers of a collection that has changed."""
        generation = await asyncio.to_thread(lambda: archive.generation)
        if self._seen.get(server) == generation:
            return
        since = discord.utils.utcnow() - _LOOK_BACK
        by_message: dict[tuple[int, int], list[StaleAnswer]] = {}
        for one in await asyncio.to_thread(archive.answers.stale, since):
            place = (one.entry.channel or 0, one.entry.message or 0)
            by_message.setdefault(place, []).append(one)
        done = True
        for number, (place, found) in enumerate(reversed(by_message.items())):
            allowed = self._allowed.setdefault(server, Cooldown(_AN_HOUR, 3600))
            if allowed.update_rate_limit(discord.utils.utcnow().timestamp()):
                return  # the rest within the hour: this generation is not done with
            if number:
                await asyncio.sleep(PAUSE_S)
            if await self._tell(*place, found):
                await asyncio.to_thread(archive.answers.mark_notified, found)
            else:
                done = False
        if done:
            self._seen[server] = generation

    async def _tell(self, channel: int, message: int, found: Sequence[StaleAnswer]) -> bool:
        """Put a note under an answer; False where it has to be tried again."""
        place = self._bot.get_partial_messageable(channel)
        try:
            shown = await place.fetch_message(message)
            lines = _lines(found)
            view = _noted(shown, lines)
            if view is not None:
                await shown.edit(view=view)
            else:  # no room in it
                note = notice_view("\n".join([_HEAD, *lines]))
                await shown.reply(view=note, mention_author=False)
        except (discord.Forbidden, discord.NotFound):
            log.warning("answer %s has no note: its message is out of reach", message)
        except discord.HTTPException as error:
            if error.code != _TOO_MANY_EDITS and error.status < 500:  # noqa: PLR2004
                log.warning("answer %s has no note: %s", message, error)
                return True
            return False
        return True


def _lines(found: Iterable[StaleAnswer]) -> list[str]:
    """What became of the articles that an answer quotes."""
    lines = []
    for one in found:
        notice = one.article.notice
        reason = f": {escaped(notice.note[:_NOTE])}" if notice and one.kind == notice.kind else "."
        lines.append(f"- “{escaped(one.article.title[:_TITLE])}” {_BECAME[one.kind]}{reason}")
    return lines[:_MOST]


def _noted(message: discord.Message, lines: Sequence[str]) -> ui.LayoutView | None:
    """An answer as it stands with a note in it; None where there is no room."""
    view = ui.LayoutView.from_message(message, timeout=None)
    view.stop()  # its buttons are answered by their ids, as before
    box = next((item for item in view.children if isinstance(item, ui.Container)), None)
    if box is None:
        return None
    texts = [item for item in box.children if isinstance(item, ui.TextDisplay)]
    earlier: ui.TextDisplay[Any] | None = next(
        (item for item in texts if item.content.startswith(_HEAD)), None
    )
    if earlier is not None:
        earlier.content = "\n".join([earlier.content, *lines])
    else:
        box.add_item(ui.TextDisplay[Any]("\n".join([_HEAD, *lines])))
    return view if view.content_length() <= MAX_TEXT else None
