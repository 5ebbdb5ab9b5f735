"""Ask questions, check and send answers, log them, and look them up again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import discord

from bot.logs import fields
from bot.metrics import count_question, stage
from index import (
    Answer,
    Archive,
    EncoderError,
    Filters,
    Intent,
    LoggedAnswer,
    NotFoundError,
    Viewer,
)

if TYPE_CHECKING:
    from bot.bot import OnRecord
    from bot.views.answer import AnswerView

log = logging.getLogger(__name__)
NO_FILTERS = Filters()
_GONE = "I no longer have this answer: it was too old, or was deleted. Ask again."


async def ask(
    bot: OnRecord,
    server: int | None,
    question: str,
    filters: Filters = NO_FILTERS,
    previous: Answer | None = None,
    *,
    asker: int | None = None,
) -> Answer:
    """Answer a question from a server's collection, in a thread of the pool for questions.

    It waits for its turn; without an `asker`, as for scheduled work, it is never refused. A
    follow-up takes its filters from the `previous` answer. The log does not say who asked, and has
    the text of the question only if the settings allow that.

    Raises:
        BusyError: too many questions are waiting.
    """
    today = discord.utils.utcnow().date()

    def work() -> Answer:
        archive = bot.collections.archive(server)
        restricted = replace(previous.filters if previous else filters, today=today)
        preferences = bot.collections.preferences(server)
        threshold = preferences.threshold(bot.settings.answers.threshold)
        return archive.ask(question, restricted, previous, threshold)

    started = time.monotonic()
    async with contextlib.AsyncExitStack() as turn:
        with stage("waiting"):
            await turn.enter_async_context(bot.turns.turn(server, asker))
        with stage("answering"):
            answer = await asyncio.get_running_loop().run_in_executor(bot.asking, work)
    count_question(answer.status)
    known = {
        "id": answer.answer_id,
        "server": server,
        "ms": round(1000 * (time.monotonic() - started)),
        "status": answer.status,
        "quotes": len(answer.quotes),
        "question": question if bot.settings.logs.questions else None,
    }
    log.info("question answered", extra=fields(**known))
    return answer


async def intent(bot: OnRecord, text: str) -> Intent:
    """Classify a message to the bot, in a thread of the pool for questions.

    Without an encoder, it counts as a question, and the reply says what is wrong.
    """
    try:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(bot.asking, bot.collections.intent, text)
    except EncoderError:
        return "question"


async def send_answer(
    archive: Archive,
    view: AnswerView,
    send: Callable[[AnswerView], Awaitable[discord.Message]],
) -> discord.Message:
    """Send a message that quotes reports. Every quote that leaves the bot passes through here.

    Raises:
        QuoteError: a quote no longer matches the stored text; nothing was sent.
    """
    with stage("checking"):
        await asyncio.to_thread(archive.check, view.answer)
    with stage("sending"):
        return await send(view)


async def log_answer(
    archive: Archive,
    answer: Answer,
    message: discord.Message | None,
    *,
    server: int | None,
    asker: int,
) -> None:
    """Log an answer after it was sent; `message` is where others can read it, None if nowhere.

    The asker is kept, under an alias, only if nobody else can read the answer. A failure is only
    logged, since the answer was sent.
    """
    location = {"asker": asker}
    if message is not None:
        location = {"channel": message.channel.id, "message": message.id}
    try:
        await asyncio.to_thread(archive.answers.record, answer, server=server, **location)
    except Exception:
        log.exception("answer %s was sent but not logged", answer.answer_id)


async def recall(archive: Archive, answer_id: str, viewer: Viewer | None = None) -> LoggedAnswer:
    """Return a logged answer; with a `viewer`, only if they may see it. Raises NotFoundError.

    A button under an answer needs no viewer: whoever presses it sees the answer.
    """
    try:
        return await asyncio.to_thread(archive.answers.get, answer_id, viewer)
    except NotFoundError:
        if viewer is not None:
            raise
        raise NotFoundError(_GONE) from None
