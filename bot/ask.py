"""Asking: /ask, a mention, a reply to an answer, a direct message, and a claim to check."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answering import answered, archive_of, keep
from bot.buttons import answer_rows
from bot.dates import period, suggestions
from bot.follow import answer_id_of, leans
from bot.library import Library
from bot.manners import (
    Pace,
    TooManyError,
    begin,
    explained,
    meanwhile,
    missing_for_thread,
    missing_to_write,
    tell,
)
from bot.press import Interaction
from bot.render import answer_view, escaped, notice_view
from index.article import Answer, Filters
from index.errors import NotFoundError, OnRecordError, QuestionError
from index.query import MAX_QUESTION_CHARS

log = logging.getLogger(__name__)
Choices = list[app_commands.Choice[str]]
_MENTION = re.compile(r"<@[!&]?\d+>")
ROWS, ROW_CHARS = 25, 100  # to choose from, and their length
_THREAD_NAME_CHARS = 100
_LOOK_BACK = 20  # messages of a thread, to find the answer that a question leans on
HELP = """### What I do
I answer from the reports of this server, in their own words: every quote stands so in a report.
- `/ask` a question; narrow it by publisher and dates (“last week”); in private, or with a thread
- ask “What has changed since Monday?” or “What is new about the dam since 12 March?”
- mention me with a question, or reply to an answer of mine to ask on: “And who denied it?”
- right-click a message, Apps, **Check against the reports**: what they say on its claim
- `/why` and an answer's id: how it came about, and what has changed since
- `/reports list`, `/reports show`, `/reports timeline`: what there is to ask about
- `/watching`: the questions that I look out for
- moderators: `/reindex`, the message menu **Add to the reports**, and `/reports` with `add`,
`sources`, `remove`, `restore`, `correct`, `retract`, `undo`, `history`, `export`, `erase-all`
When the reports do not say, I say so. I keep questions and answers, never who asked. Where I am
removed, the reports and answers of that server are erased, after {keep_days} days at the most."""


class Asking(commands.Cog):
    """What everybody may do."""

    def __init__(
        self, bot: commands.AutoShardedBot, library: Library, pace: Pace, keep_days: int
    ) -> None:
        """Answer from this library, at this pace; data are kept so long after a server is left."""
        self.bot = bot
        self._help = HELP.format(keep_days=keep_days)
        self._library = library
        self._pace = pace
        self._menu = app_commands.ContextMenu(
            name="Check against the reports", callback=self.check_claim
        )

    async def cog_load(self) -> None:
        """Add the message menu, which no decorator can in a class."""
        self.bot.tree.add_command(self._menu)

    @app_commands.command(description="Answers from the reports, in their own words")
    @app_commands.describe(
        question="What do you want to know?",
        publisher="Only reports by this publisher",
        since="Only reports from then on: 9 March, last week …",
        until="Only reports until then: yesterday, March 2026 …",
        private="Only you see the answer",
        thread="Answer where a thread begins, to ask on there",
    )
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def ask(
        self,
        interaction: Interaction,
        question: app_commands.Range[str, 1, MAX_QUESTION_CHARS],
        publisher: app_commands.Range[str, 1, ROW_CHARS] | None = None,
        since: app_commands.Range[str, 1, ROW_CHARS] | None = None,
        until: app_commands.Range[str, 1, ROW_CHARS] | None = None,
        private: bool = False,
        thread: bool = False,
    ) -> None:
        """Answer a question."""
        today = discord.utils.utcnow().date()
        filters = Filters(
            publishers=(publisher,) if publisher else (),
            since=period(since, today).start if since else None,
            until=period(until, today).end if until else None,
        )
        if filters.since and filters.until and filters.since > filters.until:
            raise QuestionError("The dates leave no day: “since” is after “until”.")
        if private and thread:
            raise QuestionError("A thread is for all to read: leave out “private” or “thread”.")
        await self._respond(interaction, question, filters, private=private, thread=thread)

    @ask.autocomplete("publisher")
    async def _publishers(self, interaction: Interaction, typed: str) -> Choices:
        archive = await archive_of(interaction)
        names = await asyncio.to_thread(archive.publishers)
        return choices(name for name in names if typed.casefold() in name.casefold())

    @ask.autocomplete("since")
    @ask.autocomplete("until")
    async def _dates(self, interaction: Interaction, typed: str) -> Choices:
        reports = await asyncio.to_thread(self._library.headlines, interaction.guild_id)
        published = [one.published.date() for one in reports if one.published]
        return choices(suggestions(typed, discord.utils.utcnow().date(), published))

    @app_commands.command(description="What I can do here")
    async def help(self, interaction: Interaction) -> None:
        """Say what the bot does."""
        await explained(interaction, notice_view(self._help))

    async def check_claim(self, interaction: Interaction, message: discord.Message) -> None:
        """What the reports say on the claim of a message."""
        claim = " ".join(_MENTION.sub(" ", message.content).split())
        if not claim:
            raise QuestionError("This message has no words of its own to check.")
        claim = claim[:MAX_QUESTION_CHARS]
        await self._respond(interaction, claim, Filters(), private=True, note=_CLAIM)

    async def _respond(
        self,
        interaction: Interaction,
        question: str,
        filters: Filters,
        *,
        private: bool,
        thread: bool = False,
        note: str = "",
    ) -> None:
        self._pace.take(interaction.user.id, interaction.guild_id)
        answer = await meanwhile(
            begin(interaction, ephemeral=private),
            answered(self._library, interaction.guild_id, question, filters),
        )
        view = answer_view(answer, answer_rows(answer, private=private), note=note)
        sent = await tell(interaction, view)
        await keep(self._library, interaction.guild_id, answer, None if private else sent)
        if thread:
            await _begin_thread(interaction, answer, sent)

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer a question put to the bot: by name, in reply to it, or in a direct message."""
        if message.author.bot or not (self._is_reply(message) or self._is_named(message)):
            return
        question = " ".join(_MENTION.sub(" ", message.content).split())
        if not question and not self._is_named(message):
            return  # a reply that does not ping: Discord keeps its words from us
        me = message.guild.me if message.guild else None
        if me and (missing := missing_to_write(message.channel, me)):
            where = escaped(getattr(message.channel, "name", "that channel"))
            needed = " and ".join(missing)
            await _tell_privately(message, f"I cannot answer in #{where}: I need {needed} there.")
            return
        try:
            view, answer = await self._reply(message, question)
            sent = await _send(message, view)
            if answer:
                await keep(self._library, _server(message), answer, sent)
        except TooManyError as error:
            await _tell_privately(message, str(error))
        except OnRecordError as error:
            await _send(message, notice_view(str(error)))
        except Exception:
            log.exception("a question in a message failed")
            await _send(message, notice_view(_FAILED))

    async def _reply(
        self, message: discord.Message, question: str
    ) -> tuple[discord.ui.LayoutView, Answer | None]:
        server = _server(message)
        if not question:
            return notice_view(self._help), None
        await asyncio.to_thread(self._library.archive, server)  # may decline direct messages
        self._pace.take(message.author.id, server)
        typing = asyncio.create_task(_typing(message.channel))
        try:
            before = await self._before(message) if leans(question) else None
            answer = await answered(self._library, server, question, before=before)
        finally:
            typing.cancel()
        rows = answer_rows(answer, private=False)
        return answer_view(answer, rows, asked=question if before else None), answer

    async def _before(self, message: discord.Message) -> Answer | None:
        """The answer replied to, or the last one in the thread."""
        found = None
        if message.reference and isinstance(message.reference.resolved, discord.Message):
            found = answer_id_of(message.reference.resolved)
        elif isinstance(message.channel, discord.Thread):
            try:
                async for one in message.channel.history(limit=_LOOK_BACK, before=message):
                    if one.author == self.bot.user and (found := answer_id_of(one)):
                        break
            except discord.Forbidden:  # without Read Message History the question stands alone
                return None
        if found is None:
            return None
        archive = await asyncio.to_thread(self._library.archive, _server(message))
        try:
            return (await asyncio.to_thread(archive.memory.recall, found)).answer
        except NotFoundError:
            return None

    def _is_reply(self, message: discord.Message) -> bool:
        replied = message.reference.resolved if message.reference else None
        return isinstance(replied, discord.Message) and replied.author == self.bot.user

    def _is_named(self, message: discord.Message) -> bool:
        me = self.bot.user
        named = me is not None and re.search(rf"<@!?{me.id}>", message.content)
        return message.guild is None or bool(named)


def choices(values: Any) -> Choices:
    """Autocomplete rows, as many and as long as Discord takes."""
    fitting = [value for value in dict.fromkeys(values) if 0 < len(value) <= ROW_CHARS]
    return [app_commands.Choice(name=value, value=value) for value in fitting[:ROWS]]


async def _send(message: discord.Message, view: discord.ui.LayoutView) -> discord.Message:
    """Reply, or where that cannot be (no history, or the question is gone) just write.

    The nonce keeps it one message when a request that seemed to fail is sent again.
    """
    try:
        return await message.reply(view=view, mention_author=False, nonce=message.id)
    except discord.HTTPException as error:
        if error.status >= _SERVER_ERROR:
            raise
        return await message.channel.send(view=view, nonce=message.id)


async def _begin_thread(interaction: Interaction, answer: Answer, sent: discord.Message) -> None:
    """Begin a thread at an answer; what is missing for it is told to who asked."""
    missing = missing_for_thread(interaction)
    if missing:
        text = f"I cannot begin a thread here: {missing}."
        await explained(interaction, notice_view(text))
        return
    name = answer.question[:_THREAD_NAME_CHARS]
    channel: Any = interaction.channel
    begun = await channel.create_thread(name=name, message=sent)
    text = f"Ask on here: mention me with a question.\n-# After answer `{answer.answer_id}`"
    await begun.send(view=notice_view(text))


async def _typing(channel: discord.abc.Messageable) -> None:
    """Show until cancelled that an answer is being made; it is made also where this fails."""
    with contextlib.suppress(discord.HTTPException):
        async with channel.typing():
            await asyncio.Event().wait()


async def _tell_privately(message: discord.Message, told: str) -> None:
    """Write to who asked; a closed mailbox leaves it to the log."""
    log.warning("channel %s: %s", message.channel.id, told)
    try:
        await message.author.send(view=notice_view(told))
    except discord.HTTPException:
        log.warning("and could not tell who asked")


def _server(message: discord.Message) -> int | None:
    return message.guild.id if message.guild else None


_CLAIM = "-# What the reports say on this claim. Whether it is true is yours to judge."
_FAILED = "Something went wrong on my side; the operator finds it in the log."
_SERVER_ERROR = 500
