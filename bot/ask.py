"""Asking: /ask, a mention, a reply to an answer, a direct message, and a claim to check.

Here as elsewhere the docstring of a command is what Discord shows of it and of its options.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.buttons import answer_rows, keep
from bot.collections import Collections
from bot.manners import (
    Interaction,
    TooManyError,
    archive_of,
    begin,
    explained,
    meanwhile,
    missing_for_thread,
    missing_to_write,
    sentence,
    tell,
)
from bot.press import ROW_CHARS, Choices, rows
from bot.render import answer_view, escaped, notice_view
from index import (
    MAX_QUESTION_CHARS,
    Answer,
    Filters,
    NotFoundError,
    QuestionError,
    is_follow_up,
    parse_moment,
    suggest_dates,
)

if TYPE_CHECKING:
    from bot.bot import OnRecord

log = logging.getLogger(__name__)
Chosen = app_commands.Range[str, 1, ROW_CHARS]
# Answering is all computing: more threads than cores would only keep each other, and the event
# loop, from it. A reindex, which takes long, runs elsewhere and holds up nobody here.
_ASKING = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="asking")
_ANSWER = re.compile(r"answer `([0-9a-f]{12})`")
_MENTION = re.compile(r"<@[!&]?\d+>")
_THREAD_NAME_CHARS = 100
_LOOK_BACK = 20  # messages of a thread, to find the answer that a question leans on
_SERVER_ERROR = 500
_CLAIM = "-# What the reports say on this claim. Whether it is true is yours to judge."
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


@app_commands.command()
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
async def ask(
    interaction: Interaction,
    question: app_commands.Range[str, 1, MAX_QUESTION_CHARS],
    publisher: Chosen | None = None,
    since: Chosen | None = None,
    until: Chosen | None = None,
    private: bool = False,
    thread: bool = False,
) -> None:
    """Answers from the reports, in their own words.

    Args:
        question: What do you want to know?
        publisher: Only reports by this publisher
        since: Only reports from then on: 9 March, last week …
        until: Only reports until then: yesterday, March 2026 …
        private: Only you see the answer
        thread: Answer where a thread begins, to ask on there
    """
    today = discord.utils.utcnow().date()
    publishers = (publisher,) if publisher else ()
    filters = Filters(publishers, parse_moment(since, today), parse_moment(until, today, last=True))
    if filters.since and filters.until and filters.since > filters.until:
        raise QuestionError("The dates leave no day: “since” is after “until”.")
    if private and thread:
        raise QuestionError("A thread is for all to read: leave out “private” or “thread”.")
    answer, sent = await _respond(interaction, question, filters, private=private)
    if thread:
        await _begin_thread(interaction, answer, sent)


@ask.autocomplete("publisher")
async def _publishers(interaction: Interaction, typed: str) -> Choices:
    archive = await archive_of(interaction)
    names = await asyncio.to_thread(archive.publishers)
    return rows(typed, [(name, name) for name in names if len(name) <= ROW_CHARS])


@ask.autocomplete("since")
@ask.autocomplete("until")
async def _dates(interaction: Interaction, typed: str) -> Choices:
    library = interaction.client.library
    reports = await asyncio.to_thread(library.headlines, interaction.guild_id)
    published = [one.published.date() for one in reports if one.published]
    days = suggest_dates(typed, discord.utils.utcnow().date(), published)
    return rows("", [(day, day) for day in days if len(day) <= ROW_CHARS])


@app_commands.command(name="help")
async def help_(interaction: Interaction) -> None:
    """What I can do here."""
    await explained(interaction, _help(interaction.client))


def _help(bot: OnRecord) -> discord.ui.LayoutView:
    return notice_view(HELP.format(keep_days=bot.settings.discord.keep_days_after_leaving))


@app_commands.context_menu(name="Check against the reports")
async def check(interaction: Interaction, message: discord.Message) -> None:
    """What the reports say on the claim of a message."""
    claim = _words(message)
    if not claim:
        raise QuestionError("This message has no words of its own to check.")
    claim = claim[:MAX_QUESTION_CHARS]
    await _respond(interaction, claim, Filters(), private=True, note=_CLAIM)


async def _respond(
    interaction: Interaction, question: str, filters: Filters, *, private: bool, note: str = ""
) -> tuple[Answer, discord.Message]:
    library, server = interaction.client.library, interaction.guild_id
    interaction.client.pace.take(interaction.user.id, server)
    answer = await meanwhile(
        begin(interaction, ephemeral=private), _answered(library, server, question, filters)
    )
    view = answer_view(answer, answer_rows(answer, private=private), note=note)
    sent = await tell(interaction, view)
    await keep(library, server, answer, None if private else sent)
    return answer, sent


async def _answered(
    library: Collections,
    server: int | None,
    question: str,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    before: Answer | None = None,
) -> Answer:
    """Ask a server's collection, and check every quote once more before it is sent.

    `before` is the answer that the question leans on; filters are for one that leans on none.
    """

    def made() -> Answer:
        archive = library.archive(server)
        answer = archive.ask(question, before.filters if before else filters, before)
        archive.check(answer)
        return answer

    return await asyncio.get_running_loop().run_in_executor(_ASKING, made)


async def _begin_thread(interaction: Interaction, answer: Answer, sent: discord.Message) -> None:
    """Begin a thread at an answer; what is missing for it is told to who asked."""
    if missing := missing_for_thread(interaction):
        await explained(interaction, notice_view(f"I cannot begin a thread here: {missing}."))
        return
    channel: Any = interaction.channel
    name = answer.question[:_THREAD_NAME_CHARS]
    thread = await channel.create_thread(name=name, message=sent)
    text = f"Ask on here: mention me with a question.\n-# After answer `{answer.answer_id}`"
    await thread.send(view=notice_view(text))


_UNREAD = (
    "Discord shows me a reply only where it mentions me: leave **@ ON** when you reply, or begin "
    "with my name."
)


async def hear(bot: OnRecord, message: discord.Message) -> None:
    """Answer a question put to the bot: by name, in reply to it, or in a direct message."""
    named = message.guild is None or _is_named(bot, message)
    if message.author.bot or not (named or _is_reply(bot, message)):
        return
    question = _words(message)
    if message.guild and (missing := missing_to_write(message.channel, message.guild.me)):
        where = escaped(getattr(message.channel, "name", "that channel"))
        needed = " and ".join(missing)
        await _tell_privately(message, f"I cannot answer in #{where}: I need {needed} there.")
        return
    try:
        await _reply(bot, message, question)
    except TooManyError as error:
        await _tell_privately(message, str(error))
    except Exception as error:  # noqa: BLE001 - `sentence` logs what nobody foresaw
        await _send(message, notice_view(sentence(error)))


async def _reply(bot: OnRecord, message: discord.Message, question: str) -> None:
    server = message.guild.id if message.guild else None
    if not question:  # of a reply that does not ping, Discord keeps the words from us
        named = message.guild is None or _is_named(bot, message)
        await _send(message, _help(bot) if named else notice_view(_UNREAD))
        return
    await asyncio.to_thread(bot.library.archive, server)  # may decline direct messages
    bot.pace.take(message.author.id, server)
    typing = asyncio.create_task(_typing(message.channel))
    try:
        before = await _before(bot, message, server) if is_follow_up(question) else None
        answer = await _answered(bot.library, server, question, before=before)
    finally:
        typing.cancel()
    rows = answer_rows(answer, private=False)
    view = answer_view(answer, rows, asked=question if before else None)
    await keep(bot.library, server, answer, await _send(message, view))


async def _before(bot: OnRecord, message: discord.Message, server: int | None) -> Answer | None:
    """The answer replied to, or the last one in the thread."""
    found = None
    if message.reference and isinstance(message.reference.resolved, discord.Message):
        found = answer_id_of(message.reference.resolved)
    elif isinstance(message.channel, discord.Thread):
        # Without Read Message History the question stands alone.
        with contextlib.suppress(discord.Forbidden):
            async for one in message.channel.history(limit=_LOOK_BACK, before=message):
                if one.author == bot.user and (found := answer_id_of(one)):
                    break
    if found is None:
        return None
    archive = await asyncio.to_thread(bot.library.archive, server)
    try:
        return (await asyncio.to_thread(archive.answers.get, found)).answer
    except NotFoundError:
        return None


def answer_id_of(message: discord.Message) -> str | None:
    """The id of the answer that a message of the bot shows."""
    shown = json.dumps([component.to_dict() for component in message.components])
    found = _ANSWER.search(shown)
    return found[1] if found else None


def _is_reply(bot: OnRecord, message: discord.Message) -> bool:
    replied = message.reference.resolved if message.reference else None
    return isinstance(replied, discord.Message) and replied.author == bot.user


def _is_named(bot: OnRecord, message: discord.Message) -> bool:
    return bot.user is not None and bool(re.search(rf"<@!?{bot.user.id}>", message.content))


def _words(message: discord.Message) -> str:
    """What a message says, without whom it mentions."""
    return " ".join(_MENTION.sub(" ", message.content).split())


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
