"""Runs the `onrecord` command against a test's Discord server.

ONRECORD_TEST_DISCORD is the address of its API. ONRECORD_TEST_SECONDS is how long the fake encoder
takes for a question; if it is negative, the real encoder is used.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import discord
import yarl

from bot.cli.app import main
from bot.cli.context import Run
from index import Span, Vectors
from support.fakes import FakeEncoder

SECONDS = float(os.environ["ONRECORD_TEST_SECONDS"])


class SlowEncoder(FakeEncoder):
    """An encoder that takes its time over each question."""

    def encode_parts(self, text: str, parts: Sequence[Span]) -> Vectors:
        """Embed a question and its parts."""
        time.sleep(SECONDS if text != "Ready?" else 0)
        return super().encode_parts(text, parts)


api = os.environ["ONRECORD_TEST_DISCORD"]
gateway = yarl.URL(api.replace("http:", "ws:").replace("/api", "/events"))
discord.http.Route.BASE = api
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = gateway  # of sessions after the first
if SECONDS >= 0:
    Run.encoder = lambda *_: SlowEncoder()  # type: ignore[assignment, method-assign]
main()
