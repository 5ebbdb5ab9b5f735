"""What people are told when something fails; unexpected errors also go to the log."""

from __future__ import annotations

import logging

import discord
from discord import app_commands

from index import OnRecordError, QuestionError

log = logging.getLogger(__name__)


class RateLimitError(QuestionError):
    """A person or a server asked too much in too short a time."""


def explain(error: BaseException, context: str) -> str:
    """One sentence for the person affected; an unexpected error is logged with its `context`."""
    cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
    if isinstance(cause, OnRecordError):
        return str(cause)
    if isinstance(cause, app_commands.CheckFailure):
        return "This command is for moderators: it needs Manage Server or Manage Messages."
    if isinstance(cause, app_commands.CommandSignatureMismatch | app_commands.CommandNotFound):
        return "This command has changed since your Discord loaded it: try again in a minute."
    if isinstance(cause, discord.Forbidden):
        return "I'm not allowed to do that here: give me View Channel and Send Messages."
    log.error("unexpected error in %s", context, exc_info=cause)
    return "Something went wrong. It has been logged."
