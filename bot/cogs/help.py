"""/help and /forget-me: what the bot does, what it keeps about people, and how to delete that."""

from __future__ import annotations

import asyncio

from discord import app_commands

from bot.interactions import (
    Interaction,
    defer_and_open,
    edit_reply,
    is_moderator,
    preferences_of,
    reply_privately,
)
from bot.settings import Settings
from bot.views.base import Button, Press, Row, button, notice_view
from bot.views.text import plural
from index import Kept

HELP = """### What I do
I answer from this server's reports by quoting them: every quote is word for word from a report.
- `/ask` a question; filter by publisher and dates (“last week”); privately, or in a new thread
- ask “What has changed since Monday?” or “What is new about the dam since 12 March?”
- mention me with a question, or reply to my answer with a follow-up: “And who denied it?”, “more”
- right-click a message, Apps, **Check against the reports**: what they say about its claim
- `/why` with an answer's id: how it came about, and what has changed since
- `/reports list`, `/reports show`, `/reports timeline`: the reports you can ask about
- a button under what I can't answer: I mention you there, in public, when the reports do answer;
if the question was private, I write to you instead
- `/watching`: the questions you are waiting to see answered
When the reports don't answer, I say so.
{moderating}### What I keep
- questions, messages that were checked, answers and feedback, without names, for {days}
- for a private question, a code that lets only you open its answer again
- for a question you watch, your id, until it is answered or {days} have passed
- for a moderator, your id beside each change of the reports
- in the operator's log, your id where something failed or you started a job
`/forget-me` deletes what I keep about you. {leaving}"""
_MODERATING = """### What you can do as a moderator
- `/moderate add` files, a page or a feed, or right-click a message, Apps, **Add to the reports**
- `/moderate sources`: the pages and feeds I check; `/reindex` checks them now
- `/moderate` `remove`, `restore`, `correct`, `retract`: a report; `undo`: everything since a change
- `/moderate` `history`, `export`, `erase-all`: see who changed what; save all reports; delete all
- `/inbox`: flagged quotes, questions I could not answer, sources that fail
- `/settings`: who moderates, where I answer, how long things are kept
"""
_LEAVING = (
    "If I am removed from a server, its reports and all of this are erased, after {days} at the "
    "latest."
)
_SHARED = "This server shares its reports with others; they stay if I am removed from it."
_FORGET = (
    "### Delete what I keep about you here?\n{kept}. Private answers that only you can open are "
    "deleted with their questions, and their buttons stop working. This cannot be undone.\n"
    "**What stays:** messages in Discord; public questions and answers, which are kept without "
    "names; if you are a moderator, the record of what you changed; the operator's log, which has "
    "your id where something failed or you started a job; and backups that the operator has made."
)


@app_commands.command(name="help")
async def help_(interaction: Interaction) -> None:
    """What I can do here, and what I keep about you."""
    preferences = await preferences_of(interaction)
    settings, server = interaction.client.settings, interaction.guild_id
    moderates = await is_moderator(interaction)
    text = help_text(settings, server, preferences.keep_days, moderates=moderates)
    await reply_privately(interaction, notice_view(text))


def help_text(
    settings: Settings, server: int | None, keep_days: int, *, moderates: bool = False
) -> str:
    """Return the text of /help in a server (None: direct messages), with more for moderators."""
    shared = settings.discord.is_shared(server)
    after = plural(settings.discord.keep_days_after_leaving, "day")
    leaving = _SHARED if shared else _LEAVING.format(days=after)
    moderating = _MODERATING if moderates and server is not None else ""
    days = plural(keep_days, "day")
    return HELP.format(days=days, leaving=leaving, moderating=moderating)


@app_commands.command(name="forget-me")
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
async def forget_me(interaction: Interaction) -> None:
    """Delete what I keep about you in this server."""
    archive = await defer_and_open(interaction)
    kept = await asyncio.to_thread(archive.people.kept, interaction.user.id)
    text = _FORGET.format(kept=_description(kept))
    await edit_reply(interaction, notice_view(text, [Row(Button("forget"))]))


@button("forget", "Delete it", "in place", primary=True)
async def forget(press: Press) -> None:
    """Delete what is kept about the person who pressed, and say how much that was."""
    archive = await press.archive()
    kept = await asyncio.to_thread(archive.people.forget, press.interaction.user.id)
    await press.reply(notice_view(f"Deleted. {_description(kept)}."))


def _description(kept: Kept) -> str:
    """Return in words how much is kept about a person."""
    watches = plural(kept.watches, "watched question")
    answers = plural(kept.answers, "private answer")
    return f"That is {watches}, {answers} and {plural(kept.feedback, 'note')} on a wrong quote"
