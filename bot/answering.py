"""Asking a collection from the event loop, and keeping what was answered."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import discord

from bot.follow import follow
from bot.library import Library
from bot.manners import begin
from index.archive import Archive
from index.article import Answer, Filters

log = logging.getLogger(__name__)
# Answering is all computing: more threads than cores would only keep each other, and the event
# loop, from it. A reindex, which takes long, runs elsewhere and holds up nobody here.
_ASKING = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="asking")


async def archive_of(interaction: discord.Interaction[Any]) -> Archive:
    """The collection that somebody's server asks."""
    library: Library = interaction.client.library
    return await asyncio.to_thread(library.archive, interaction.guild_id)


async def begun(interaction: discord.Interaction[Any], *, private: bool = True) -> Archive:
    """Tell Discord that an answer comes; the collection that it comes from."""
    await begin(interaction, ephemeral=private)
    return await archive_of(interaction)


def actor_of(interaction: discord.Interaction[Any]) -> str:
    """Who did this, as the audit log has it."""
    return f"discord:{interaction.user.id}"


async def each_collection(
    bot: discord.Client, library: Library, look: Callable[[int | None, Archive], Awaitable[object]]
) -> None:
    """Do something for each server's collection that there is; one that fails stops no other.

    A loop by the clock would end for good, and for all collections, if it raised.
    """
    servers = [guild.id for guild in bot.guilds]
    for server in await asyncio.to_thread(library.existing, servers):
        try:
            await look(server, await asyncio.to_thread(library.archive, server))
        except Exception:
            log.exception("the collection of %s could not be looked after", server)


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

    def ask() -> Answer:
        archive = library.archive(server)
        if before is None:
            answer = archive.ask(question, filters or Filters())
        else:
            answer = follow(archive, question, before)
        archive.check(answer)
        return answer

    return await asyncio.get_running_loop().run_in_executor(_ASKING, ask)


async def keep(
    library: Library, server: int | None, answer: Answer, message: discord.Message | None
) -> None:
    """Log an answer after it was sent; `message` is where all can read it, no direct message.

    An answer that cannot be logged was given all the same: only the log file tells of it.
    """
    message = message if server is not None else None
    try:
        archive = await asyncio.to_thread(library.archive, server)
        await asyncio.to_thread(
            archive.memory.log,
            answer,
            channel=message.channel.id if message else None,
            message=message.id if message else None,
        )
    except Exception:
        log.exception("answer %s was sent but not logged", answer.answer_id)
