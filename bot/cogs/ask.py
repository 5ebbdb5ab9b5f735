"""Asking: /ask, mentions, replies, direct messages, claims to check, and /why.

Discord shows the docstrings of commands as the descriptions of the commands and their options.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot import answers
from bot.interactions import (
    Interaction,
    Pace,
    RateLimitError,
    alongside,
    archive_of,
    defer,
    defer_and_open,
    edit_reply,
    explain,
    missing_permissions,
    missing_to_write,
    preferences_of,
    reply_privately,
    viewer_of,
    why_not_here,
)
from bot.markdown import escape
from bot.sending import DISCORD_ERRORS, has_trouble, send_once
from bot.views.answer import answer_view
from bot.views.answer_buttons import answer_rows
from bot.views.base import CHOICE_CHARS, Choices, choices, date_choices, notice_view
from bot.views.explanation import explanation_view
from index import (
    MAX_QUESTION_CHARS,
    Answer,
    Archive,
    Filters,
    NotFoundError,
    QuestionError,
    is_follow_up,
    parse_moment,
)

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
Choice = app_commands.Range[str, 1, CHOICE_CHARS]
_ANSWER_ID = re.compile(r"answer `([0-9a-f]{12})`")
_MENTION = re.compile(r"<@[!&]?\d+>")  # <@1> a user, <@!1> a nickname, <@&1> a role
_PICTURE = re.compile(r"<a?:\w+:\d+>")  # <:smile:1>
_THREAD_NAME_CHARS = 100
_LOOK_BACK = 20  # messages of a thread that are searched for the answer before a follow-up
_CLAIM = "-# What the reports say about this claim. Whether it's true is for you to judge."
_ONLY_YOU = "-# Only you see this. I can't answer in public here: {reason}"
_HINT = "Mention me with a question, or use `/ask`. `/help` says what else I can do."
_TELLING_S = 60.0  # in which a person gets at most one message about what went wrong


class Ask(commands.Cog):
    """Answers questions, however they are asked."""

    def __init__(self, bot: OnRecord) -> None:
        """Answer for this bot."""
        self._bot = bot
        self._telling = Pace(1, _TELLING_S)

    @app_commands.command()
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def ask(
        self,
        interaction: Interaction,
        question: app_commands.Range[str, 1, MAX_QUESTION_CHARS],
        publisher: Choice | None = None,
        since: Choice | None = None,
        until: Choice | None = None,
        private: bool = False,
        thread: bool = False,
    ) -> None:
        """Get an answer quoted from the reports.

        Args:
            question: What do you want to know?
            publisher: Only reports by this publisher
            since: Only reports since then: 9 March, last week …
            until: Only reports until then: yesterday, March 2026 …
            private: Only you see the answer
            thread: Start a thread on the answer, for follow-ups
        """
        today = discord.utils.utcnow().date()
        publishers = (publisher,) if publisher else ()
        filters = Filters(
            publishers, parse_moment(since, today), parse_moment(until, today, last=True)
        )
        if private and thread:
            raise QuestionError("Threads are public: choose `private` or `thread`, not both.")
        if thread and (reason := await why_not_here(interaction)):
            raise QuestionError(f"I can't start a thread here: {reason}")
        answer, message = await _respond(interaction, question, filters, private=private)
        if thread:
            await _start_thread(interaction, answer, message)

    @ask.autocomplete("publisher")
    async def _publishers(self, interaction: Interaction, typed: str) -> Choices:
        def produce() -> list[tuple[str, str]]:
            names = self._bot.collections.archive(interaction.guild_id).publishers()
            return [(name, name) for name in names if len(name) <= CHOICE_CHARS]

        return await choices(interaction, produce, typed)

    @ask.autocomplete("since")
    @ask.autocomplete("until")
    async def _dates(self, interaction: Interaction, typed: str) -> Choices:
        today = discord.utils.utcnow().date()
        return await choices(interaction, lambda: date_choices(typed, today))

    @app_commands.command()
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def why(
        self, interaction: Interaction, answer: app_commands.Range[str, 1, CHOICE_CHARS]
    ) -> None:
        """How an answer came about, and what has changed since.

        Args:
            answer: The id under the answer
        """
        archive = await defer_and_open(interaction)
        view = await explanation_view(archive, answer, viewer_of(interaction))
        await answers.send_answer(archive, view, lambda view: edit_reply(interaction, view))

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer a question that mentions the bot, replies to it, or is a direct message.

        Chat such as "thanks!" gets no reply. Neither does a reply that does not mention the bot, if
        Discord withholds its text.
        """
        me = self._bot.user
        mentioned = me is not None and re.search(rf"<@!?{me.id}>", message.content)
        original = message.reference.resolved if message.reference else None
        replied_to = isinstance(original, discord.Message) and original.author == me
        addressed = mentioned or replied_to or message.guild is None
        if message.author.bot or message.is_system() or not addressed:
            return
        text, server = _text_of(message), message.guild.id if message.guild else None
        if not text and not mentioned:
            return
        try:
            plain = _PICTURE.sub(" ", text)
            intent = await answers.intent(self._bot, plain) if text else "more"
            if intent == "chat":
                return
            chosen = await asyncio.to_thread(self._bot.collections.preferences, server)
            await self._bot.question_limit.take(
                message.author.id, server, chosen.questions_per_minute
            )
            if reason := chosen.elsewhere(message.channel) if message.guild else "":
                await self._tell_privately(message, f"I can't answer there: {reason}")
                return
            await self._reply(message, text, more=intent == "more")
        except RateLimitError as error:
            await self._tell_privately(message, str(error))
        except Exception as error:  # noqa: BLE001 - `explain` logs it
            place = f"server {server}, channel {message.channel.id}, user {message.author.id}"
            text = explain(error, f"a message ({place})")
            try:
                await _send(message, notice_view(text))
            except DISCORD_ERRORS:  # such as a channel that is gone
                await self._tell_privately(message, text)

    async def _reply(self, message: discord.Message, question: str, *, more: bool) -> None:
        """Answer a message; a request for more without a previous answer gets a hint."""
        channel, guild = message.channel, message.guild
        if guild and (missing := missing_to_write(channel, channel.permissions_for(guild.me))):
            name = escape(getattr(channel, "name", "that channel"))
            await self._tell_privately(
                message, f"I can't answer in #{name}: I need {missing} there."
            )
            return
        server, person = guild.id if guild else None, message.author.id
        archive = await asyncio.to_thread(self._bot.collections.archive, server)
        follows_up = more or is_follow_up(question)
        previous = await self._previous(message, archive) if follows_up and question else None
        if more and previous is None:
            if self._telling.allows((person, _HINT)):
                await _send(message, notice_view(_HINT))
            return
        typing = asyncio.create_task(_show_typing(channel))
        try:
            answer = await answers.ask(self._bot, server, question, previous=previous, asker=person)
        finally:
            typing.cancel()
        rows = answer_rows(answer, private=False)
        view = answer_view(answer, rows, typed=question)
        sent = await answers.send_answer(archive, view, lambda view: _send(message, view))
        public = sent if guild else None
        await answers.log_answer(archive, answer, public, server=server, asker=person)

    async def _tell_privately(self, message: discord.Message, text: str) -> None:
        """Send the asker a direct message, at most once a minute; if it is refused, only log it."""
        if not self._telling.allows(message.author.id):
            return
        log.warning("channel %s: %s", message.channel.id, text)
        try:
            await send_once(message.author.send, view=notice_view(text))
        except DISCORD_ERRORS as failure:
            channel = message.channel.id
            log.warning("channel %s: the asker could not be notified: %s", channel, failure)

    async def _previous(self, message: discord.Message, archive: Archive) -> Answer | None:
        """Return the bot's answer that was replied to, or its last one in the thread."""
        answer_id = None
        if message.reference and isinstance(message.reference.resolved, discord.Message):
            answer_id = self._answer_id(message.reference.resolved)
        elif isinstance(message.channel, discord.Thread):
            # Without Read Message History the question stands alone.
            with contextlib.suppress(discord.Forbidden):
                async for earlier in message.channel.history(limit=_LOOK_BACK, before=message):
                    if answer_id := self._answer_id(earlier):
                        break
        with contextlib.suppress(NotFoundError):
            return (await answers.recall(archive, answer_id)).answer if answer_id else None
        return None

    def _answer_id(self, message: discord.Message) -> str | None:
        """Return the id of the answer that a message shows; None for messages by others."""
        if message.author != self._bot.user:
            return None
        content = json.dumps([component.to_dict() for component in message.components])
        match = _ANSWER_ID.search(content)
        return match[1] if match else None


@app_commands.context_menu(name="Check against the reports")
async def check_message(interaction: Interaction, message: discord.Message) -> None:
    """What the reports say about the claim in a message."""
    claim = _text_of(message)[:MAX_QUESTION_CHARS]
    if not claim:
        raise QuestionError("That message has no text to check.")
    await _respond(interaction, claim, Filters(), private=True, note=_CLAIM)


async def _respond(
    interaction: Interaction, question: str, filters: Filters, *, private: bool, note: str = ""
) -> tuple[Answer, discord.Message]:
    """Answer a command, and log the answer; it is private where the bot may not write."""
    bot, server = interaction.client, interaction.guild_id
    per_minute = (await preferences_of(interaction)).questions_per_minute
    await bot.question_limit.take(interaction.user.id, server, per_minute)
    if not private and (reason := await why_not_here(interaction)):
        private, note = True, _ONLY_YOU.format(reason=reason)
    deferral = defer(interaction, ephemeral=private)
    asking = answers.ask(bot, server, question, filters, asker=interaction.user.id)
    answer = await alongside(deferral, asking)
    archive = await archive_of(interaction)
    rows = answer_rows(answer, private=private)
    view = answer_view(answer, rows, typed=question, note=note)
    message = await answers.send_answer(archive, view, lambda view: edit_reply(interaction, view))
    public = None if private or server is None else message
    person = interaction.user.id
    await answers.log_answer(archive, answer, public, server=server, asker=person)
    return answer, message


async def _start_thread(interaction: Interaction, answer: Answer, message: discord.Message) -> None:
    """Start a thread on the answer; if that is impossible here, say so privately."""
    channel, reason = interaction.channel, "threads need a text channel in a server"
    needed = ("create_public_threads", "send_messages_in_threads")
    missing = missing_permissions(interaction.app_permissions, *needed)
    if missing or not isinstance(channel, discord.TextChannel):
        reason = f"I need {missing}" if missing else reason
        await reply_privately(interaction, notice_view(f"I can't start a thread here: {reason}."))
        return
    name = answer.question[:_THREAD_NAME_CHARS]
    thread = await channel.create_thread(name=name, message=message)
    text = f"Mention me here to ask a follow-up.\n-# After answer `{answer.answer_id}`"
    await send_once(thread.send, view=notice_view(text))


def _text_of(message: discord.Message) -> str:
    """Return the text of a message without mentions."""
    return " ".join(_MENTION.sub(" ", message.content).split())


async def _send(message: discord.Message, view: discord.ui.LayoutView) -> discord.Message:
    """Reply; if impossible (no history permission, question deleted), send a plain message.

    The nonce prevents a second message if a request that seemed to fail is sent again.
    """
    try:
        return await send_once(message.reply, view=view, mention_author=False, nonce=message.id)
    except discord.HTTPException as error:
        if has_trouble(error):
            raise
        return await send_once(message.channel.send, view=view, nonce=message.id)


async def _show_typing(channel: discord.abc.Messageable) -> None:
    """Show the typing indicator until cancelled; ignore errors, since only the answer matters."""
    with contextlib.suppress(Exception):
        async with channel.typing():
            await asyncio.Event().wait()
