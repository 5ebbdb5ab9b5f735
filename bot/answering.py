"""Asking a collection from the event loop, and keeping what was answered."""

from __future__ import annotations

import asyncio
import logging

import discord

from bot.follow import follow
from bot.library import Library
from index.article import Answer, Filters

log = logging.getLogger(__name__)


async def answered(
    library: Library,
    server: int | None,
    question: str,
    filters: Filters | None = None,
    before: Answer | None = None,
) -> Answer:
    """Ask a server's collection, and check every quote once more before it is sent.

    `before` is the answer that the question leans on; filters are for one that leans on none.
    """
    archive = await asyncio.to_thread(library.archive, server)
    if before is None:
        answer = await asyncio.to_thread(archive.ask, question, filters or Filters())
    else:
        answer = await asyncio.to_thread(follow, archive, question, before)
    await asyncio.to_thread(archive.check, answer)
    return answer


async def keep(
    library: Library, server: int | None, answer: Answer, message: discord.Message | None
) -> None:
    """Log an answer after it was sent; `message` is where all can read it.

    An answer that cannot be logged was given all the same: only the log file tells of it.
    """
    try:
        archive = await asyncio.to_thread(library.archive, server)
        await asyncio.to_thread(
            archive.log,
            answer,
            channel=message.channel.id if message else None,
            message=message.id if message else None,
        )
    except Exception:
        log.exception("answer %s was sent but not logged", answer.answer_id)
