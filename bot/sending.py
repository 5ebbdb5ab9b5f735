"""Requests to Discord that is slow, fails or is gone: made again, with bounds, and never twice.

discord.py itself makes a request up to five times where Discord answers that it has trouble or is
asked too much. It does not where a connection breaks, and it cannot know whether a request that
seemed to fail was carried out: both are seen to here.
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
_WAITS_S = (0.2, 1.0)  # before a request whose connection broke is made again
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500
T = TypeVar("T")


async def again(request: Callable[[], Awaitable[T]]) -> T:
    """Make a request that may be carried out twice, and again if its connection breaks."""
    for wait in _WAITS_S:
        try:
            return await request()
        except _BROKEN:
            await asyncio.sleep(wait)
    return await request()


async def send_once(
    send: Callable[..., Awaitable[discord.Message]], *, nonce: int | str = "", **content: Any
) -> discord.Message:
    """Send a message by a method of a channel, person or message.

    Discord takes it once, however often it is sent with the same `nonce`; by default it has one of
    its own.
    """
    name = nonce or secrets.token_hex(8)
    return await again(lambda: send(nonce=name, **content))


def has_trouble(error: Exception) -> bool:
    """Whether Discord could not be reached, had trouble, or was asked too much."""
    if isinstance(error, discord.HTTPException):
        return error.status >= _SERVER_ERROR or error.status == _TOO_MANY_REQUESTS
    return isinstance(error, _NETWORK_ERRORS)
