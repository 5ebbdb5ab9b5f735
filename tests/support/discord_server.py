"""As much of Discord as a bot meets that starts, is asked, answers and stops: on real sockets."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

BOT, GUILD, CHANNEL, READER = "100", "200", "300", "400"
_HELLO, _DISPATCH, _IDENTIFY, _HEARTBEAT, _ACK = 10, 0, 2, 1, 11
_USER = {"discriminator": "0", "avatar": None, "global_name": None}
_BOT_USER = {"id": BOT, "username": "On Record", "bot": True, **_USER}
_READER_USER = {"id": READER, "username": "reader", **_USER}
_APPLICATION = {
    "id": BOT,
    "name": "On Record",
    "description": "",
    "icon": None,
    "flags": 0,
    "bot_public": True,
    "bot_require_code_grant": False,
    "verify_key": "",
    "owner": _READER_USER,
}
_EVERYONE = str(2**53 - 1)  # all permissions


class DiscordServer:
    """A Discord with one server, one channel and one reader.

    Attributes:
        url: the API's address.
        replies: the messages that the bot sent, by the id of the message that each replies to.
        typing, replied: set once the bot showed that it was about to answer, and did.
        synced: how many times the bot sent its commands.
        connected: set while the bot has its event stream open.
    """

    def __init__(self) -> None:
        self.url = ""
        self.replies: dict[str, str] = {}
        self.synced = 0
        self.typing, self.replied = asyncio.Event(), asyncio.Event()
        self.connected = asyncio.Event()
        self._numbers = itertools.count(1_000)
        self._stream: web.WebSocketResponse | None = None
        self._is_cut = False

    async def cut(self) -> None:
        """Close the bot's event stream, and open none again."""
        assert self._stream is not None
        self._is_cut = True
        await self._stream.close()

    async def ask(self, question: str) -> str:
        """Mention the bot with a question, and return the message's id at once."""
        message = self._message(f"<@{BOT}> {question}", _READER_USER)
        message["mentions"] = [_BOT_USER]
        await self._send("MESSAGE_CREATE", message)
        return str(message["id"])

    def _message(self, content: str, author: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": str(next(self._numbers)),
            "channel_id": CHANNEL,
            "guild_id": GUILD,
            "content": content,
            "author": author,
            "member": {"roles": [], "flags": 0},
            "timestamp": "2026-03-09T04:40:00+00:00",
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": [],
            "embeds": [],
            "components": [],
            "pinned": False,
            "type": 0,
        }

    async def _send(self, event: str, data: dict[str, Any]) -> None:
        assert self._stream is not None
        packet = {"op": _DISPATCH, "t": event, "s": next(self._numbers), "d": data}
        await self._stream.send_json(packet)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self._is_cut:
            return web.Response(status=503)
        self._stream = stream = web.WebSocketResponse()
        await stream.prepare(request)
        await stream.send_json({"op": _HELLO, "d": {"heartbeat_interval": 40_000}})
        async for packet in stream:
            code = json.loads(packet.data)["op"] if packet.type == WSMsgType.TEXT else None
            if code == _HEARTBEAT:
                await stream.send_json({"op": _ACK})
            elif code == _IDENTIFY:
                guild = {"id": GUILD, "unavailable": True}
                ready = {"v": 10, "user": _BOT_USER, "guilds": [guild], "session_id": "s"}
                ready |= {"resume_gateway_url": self._ws, "shard": [0, 1]}
                ready["application"] = {"id": BOT, "flags": 0}
                await self._send("READY", ready)
                await self._send("GUILD_CREATE", _guild())
                self.connected.set()
        self.connected.clear()
        return stream

    @property
    def _ws(self) -> str:
        return self.url.replace("http:", "ws:").replace("/api", "/events")

    async def _call(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/api")
        limit = {"total": 9, "remaining": 9, "reset_after": 0, "max_concurrency": 1}
        known = {
            "/users/@me": _BOT_USER,
            "/oauth2/applications/@me": _APPLICATION,
            "/gateway/bot": {"url": self._ws, "shards": 1, "session_start_limit": limit},
        }
        content: object = known.get(path, {})
        if path.endswith("/commands"):
            self.synced += 1
            content = []
        elif path.endswith("/typing"):
            self.typing.set()
        elif re.fullmatch(r"/channels/\d+/messages", path):
            body = await request.json()
            self.replies[str(body["message_reference"]["message_id"])] = json.dumps(body)
            self.replied.set()
            content = self._message("", _BOT_USER)
        return _reply(content)


def _reply(content: object) -> web.Response:
    kind = {"Content-Type": "application/json"}  # and no more: else discord.py does not parse it
    return web.Response(body=json.dumps(content).encode(), headers=kind)


def _guild() -> dict[str, Any]:
    me = {"user": _BOT_USER, "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "flags": 0}
    role = {"id": GUILD, "name": "@everyone", "permissions": _EVERYONE, "position": 0, "color": 0}
    role |= {"hoist": False, "managed": False, "mentionable": False, "flags": 0}
    channel = {"id": CHANNEL, "type": 0, "name": "newsroom", "position": 0}
    return {
        "id": GUILD,
        "name": "The Newsroom",
        "owner_id": READER,
        "member_count": 2,
        "members": [me | {"deaf": False, "mute": False}],
        "roles": [role],
        "channels": [channel | {"permission_overwrites": []}],
        "threads": [],
        "emojis": [],
        "features": [],
        "presences": [],
        "voice_states": [],
        "stickers": [],
    }


@asynccontextmanager
async def discord_server(port: int = 0) -> AsyncIterator[DiscordServer]:
    """Serve a Discord on a port of this machine, by default on a free one."""
    server, app = DiscordServer(), web.Application()
    app.router.add_get("/events/", server._events)
    app.router.add_get("/events", server._events)
    app.router.add_route("*", "/api/{path:.*}", server._call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    try:
        yield server
    finally:
        await runner.cleanup()
