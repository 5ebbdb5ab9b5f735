"""An answer's way through the bot: asked, checked as it is sent, logged, recalled."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import discord

from bot.logs import fields
from index import Answer, Archive, Filters, LoggedAnswer

if TYPE_CHECKING:
    from bot.bot import OnRecord
    from bot.views.answer import AnswerView

log = logging.getLogger(__name__)
NO_FILTERS = Filters()


async def ask(
    bot: OnRecord,
    server: int | None,
    question: str,
    filters: Filters = NO_FILTERS,
    previous: Answer | None = None,
    *,
    user: int,
) -> Answer:
    """Answer a question from a server's collection, in a thread of the pool for questions.

    A follow-up takes its filters from the `previous` answer. The log says who asked, and the
    question itself only if the settings want that.
    """

    def work() -> Answer:
        archive = bot.collections.archive(server)
        return archive.ask(question, previous.filters if previous else filters, previous)

    started = time.monotonic()
    answer = await asyncio.get_running_loop().run_in_executor(bot.asking, work)
    known = {
        "id": answer.answer_id,
        "server": server,
        "user": user,
        "ms": round(1000 * (time.monotonic() - started)),
        "status": answer.status,
        "quotes": len(answer.quotes),
        "question": question if bot.settings.logs.questions else None,
    }
    log.info("question answered", extra=fields(**known))
    return answer


async def send_answer(
    archive: Archive,
    view: AnswerView,
    send: Callable[[AnswerView], Awaitable[discord.Message]],
) -> discord.Message:
    """Send a message that quotes reports. Every quote that leaves the bot passes through here.

    Raises:
        QuoteError: a quote no longer matches the stored text; nothing was sent.
    """
    await asyncio.to_thread(archive.check, view.answer)
    return await send(view)


async def log_answer(archive: Archive, answer: Answer, message: discord.Message | None) -> None:
    """Log an answer after it was sent; `message` is where everybody can read it, if anywhere.

    A failure is only logged: the answer was given all the same.
    """
    public = message is not None and message.guild is not None
    place = {"channel": message.channel.id, "message": message.id} if message and public else {}
    try:
        await asyncio.to_thread(archive.answers.record, answer, **place)
    except Exception:
        log.exception("answer %s was sent but not logged", answer.answer_id)


async def recall(archive: Archive, answer_id: str) -> LoggedAnswer:
    """A logged answer. Raises NotFoundError."""
    return await asyncio.to_thread(archive.answers.get, answer_id)
