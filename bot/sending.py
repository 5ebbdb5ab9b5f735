"""Requests to Discord, which may be slow or down: retried a few times, never sent twice.

discord.py itself retries up to five times if Discord answers with a server error or a rate limit.
It does not always retry if the connection breaks, and it cannot know whether a request that seemed
to fail was carried out. This module covers both.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
import discord

_NETWORK_ERRORS = (aiohttp.ClientError, ConnectionError, TimeoutError)
DISCORD_ERRORS = (discord.HTTPException, *_NETWORK_ERRORS)  # of a request
_BROKEN = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError)
_WAITS_S = (0.2, 1.0)  # before each retry of a request whose connection broke
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500
T = TypeVar("T")


async def again(request: Callable[[], Awaitable[T]]) -> T:
    """Make a request that is safe to repeat, and repeat it if its connection breaks."""
    for wait in _WAITS_S:
        try:
            return await request()
        except _BROKEN:
            await asyncio.sleep(wait)
    return await request()


async def send_once(
    send: Callable[..., Awaitable[discord.Message]], *, nonce: int | str = "", **content: Any
) -> discord.Message:
    """Send a message with `send`, a method of a channel, user or message.

    Discord posts a message once, however often it is sent with the same `nonce`; by default each
    call has a new one.
    """
    name = nonce or secrets.token_hex(8)
    return await again(lambda: send(nonce=name, **content))


def has_trouble(error: Exception) -> bool:
    """Return whether Discord could not be reached, had a server error, or limited the rate."""
    if isinstance(error, discord.HTTPException):
        return error.status >= _SERVER_ERROR or error.status == _TOO_MANY_REQUESTS
    return isinstance(error, _NETWORK_ERRORS)
