"""Asking: /ask, and a mention of the bot with a question."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.library import Library
from bot.render import answer_view, notice_view
from index.article import Answer
from index.errors import OnRecordError, QuestionError
from index.query import MAX_QUESTION_CHARS

log = logging.getLogger(__name__)
_MENTION = re.compile(r"<@[!&]?\d+>")
_HOW = "Ask me about the reports: mention me with a question, or use /ask."


class Asking(commands.Cog):
    """What everybody may do."""

    def __init__(self, library: Library) -> None:
        """Answer from this library."""
        self._library = library

    @app_commands.command(description="Answers from the reports, in their own words")
    @app_commands.describe(question="What do you want to know?")
    @app_commands.guild_only()
    async def ask(
        self,
        interaction: discord.Interaction[Any],
        question: app_commands.Range[str, 1, MAX_QUESTION_CHARS],
    ) -> None:
        """Answer a question for all to see."""
        await interaction.response.defer()
        answer = await self._answer(interaction.guild_id, question)
        await interaction.followup.send(view=answer_view(answer))

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer a message that mentions the bot itself, by name and not by reply or role."""
        me = message.guild.me if message.guild else None
        if me is None or message.author.bot or not re.search(rf"<@!?{me.id}>", message.content):
            return
        question = " ".join(_MENTION.sub(" ", message.content).split())
        view = await self._reply(message, question)
        try:
            await message.reply(view=view, mention_author=False)
        except discord.Forbidden:
            log.warning("may not write in channel %s", message.channel.id)
        except discord.HTTPException as error:
            if error.code != _UNKNOWN_MESSAGE:
                raise
            await message.channel.send(view=view)  # the question was deleted meanwhile

    async def _reply(self, message: discord.Message, question: str) -> discord.ui.LayoutView:
        if not question:
            return notice_view(_HOW)
        try:
            async with message.channel.typing():
                answer = await self._answer(message.guild.id if message.guild else None, question)
            return answer_view(answer)
        except OnRecordError as error:
            return notice_view(str(error))
        except discord.Forbidden:
            raise
        except Exception:
            log.exception("a mention failed")
            return notice_view("Something went wrong on my side; the operator finds it in the log.")

    async def _answer(self, server: int | None, question: str) -> Answer:
        """Ask the server's collection, and check every quote once more before it is sent."""
        if server is None:
            raise QuestionError("Ask me in a server: each has its own reports.")
        archive = await asyncio.to_thread(self._library.archive, server)
        answer = await asyncio.to_thread(archive.ask, question)
        await asyncio.to_thread(archive.check, answer)
        return answer


_UNKNOWN_MESSAGE = 50035  # "Invalid Form Body": the message to reply to is gone
