"""How many questions or button presses a person, and a server, may make each minute."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.errors import RateLimitError
from bot.settings import Discord

_WINDOW_S = 60.0


class RateLimit:
    """Counts requests by person and by server in windows of a minute."""

    def __init__(self, settings: Discord, factor: int = 1) -> None:
        """Allow `factor` requests for each question that the settings allow."""
        self._by_person = _counter(factor * settings.questions_per_minute)
        self._by_server = _counter(factor * settings.server_questions_per_minute)

    def take(self, person: int, server: int | None) -> None:
        """Count one request.

        Raises:
            RateLimitError: it is over the limit; the message says when to try again.
        """
        now = discord.utils.utcnow().timestamp()
        for counter, key, whose in (
            (self._by_person, person, "You've"),
            (self._by_server, server, "This server has"),
        ):
            wait_s = counter.update_rate_limit(key, now) if key is not None else None
            if wait_s:
                raise RateLimitError(
                    f"{whose} asked a lot in the last minute: try again "
                    f"<t:{int(now + wait_s) + 1}:R>."
                )


def _counter(rate: int) -> commands.CooldownMapping[Any]:
    return commands.CooldownMapping(app_commands.Cooldown(rate, _WINDOW_S), lambda key: key)
