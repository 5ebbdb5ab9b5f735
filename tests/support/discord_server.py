"""The parts of Discord that a bot in a single server needs, on real sockets: HTTP and gateway."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import WSMsgType, web

BOT, GUILD, CHANNEL, READER = "100", "200", "300", "400"
_HELLO, _DISPATCH, _IDENTIFY, _RESUME, _INVALID, _HEARTBEAT, _ACK = 10, 0, 2, 6, 9, 1, 11
_ALL = str(2**53 - 1)  # permissions
_WHEN = "2026-03-09T04:40:00+00:00"
_RETRY_AFTER_S = 0.3
_ACKNOWLEDGED = {"code": 40060, "message": "Interaction has already been acknowledged."}
BROKEN: Literal[0] = 0  # a fault: the connection ends, and no status comes


@dataclass(frozen=True, slots=True)
class Fault:
    """The result of a request: a status, or BROKEN; `late`: after it was carried out."""

    status: int
    late: bool = False


@dataclass(slots=True)
class Asked:
    """A question and its result.

    Attributes:
        number: the message's id, or the interaction's token.
        at: when it was asked (`time.perf_counter`).
        faults: the results of the requests that answer it, in this order; None: success.
        first: seconds until the asker saw that an answer would come.
        answers: the content as JSON of the messages that answer it, by their ids.
        seconds: until the first of these messages.
        done: set once there is such a message.
    """

    number: str
    at: float
    faults: list[Fault | None]
    first: float | None = None
    answers: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def seen(self) -> None:
        """Note that the asker saw a first sign of an answer."""
        if self.first is None:
            self.first = time.perf_counter() - self.at


class DiscordServer:
    """A Discord with one server, one channel and as many readers as ask.

    Attributes:
        url: the API's address.
        synced: how many times the bot sent its commands.
        sessions: how many sessions it began.
        typing: set once the bot showed the typing indicator.
        connected: set while the bot has its event stream open.
        latency_s: how long each request takes.
        trouble: returns the fault of each request, if any.
    """

    def __init__(self) -> None:
        self.url = ""
        self.synced = self.sessions = 0
        self.typing, self.connected = asyncio.Event(), asyncio.Event()
        self.latency_s = 0.0
        self.trouble: Callable[[web.Request], Fault | None] = lambda _: None
        self._asked: dict[str, Asked] = {}
        self._nonces: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1_000)
        self._events_sent: list[dict[str, Any]] = []  # of the session
        self._stream: web.WebSocketResponse | None = None
        self._resumable, self._is_cut = True, False

    # People

    async def ask(
        self,
        question: str,
        person: int = 0,
        *,
        command: bool = False,
        faults: Sequence[Fault | None] = (),
    ) -> Asked:
        """Mention the bot with a question, or ask by `/ask`; return at once."""
        number = str(next(self._numbers))
        asked = self._asked[number] = Asked(number, time.perf_counter(), [*faults])
        asker = _user(str(int(READER) + person))
        if command:
            await self._dispatch("INTERACTION_CREATE", _command(number, asker, question))
        else:
            message = _message(number, f"<@{BOT}> {question}", asker)
            message |= {"mentions": [_user(BOT)], "member": {"roles": [], "flags": 0}}
            await self._dispatch("MESSAGE_CREATE", message | {"guild_id": GUILD})
        return asked

    def forget(self, asked: Asked) -> None:
        """Forget a question that is over, so that a long run takes no more memory."""
        self._asked.pop(asked.number, None)
        self._nonces.pop(asked.number, None)

    # The gateway

    async def cut(self) -> None:
        """Close the bot's event stream, and refuse new ones."""
        self._is_cut = True
        await self.drop()

    async def drop(self, *, resumable: bool = True) -> None:
        """Close the bot's event stream; the bot may resume it or has to begin anew."""
        assert self._stream is not None
        self._resumable = resumable
        self.connected.clear()
        await self._stream.close(code=4000)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self._is_cut:
            return web.Response(status=503)
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        await stream.send_json({"op": _HELLO, "d": {"heartbeat_interval": 40_000}})
        async for packet in stream:
            if packet.type is not WSMsgType.TEXT:
                break
            told = json.loads(packet.data)
            if told["op"] == _HEARTBEAT:
                await stream.send_json({"op": _ACK})
            elif told["op"] == _IDENTIFY:
                await self._begin(stream)
            elif told["op"] == _RESUME:
                await self._resume(stream, told["d"]["seq"])
        if self._stream is stream:
            self.connected.clear()
        return stream

    async def _begin(self, stream: web.WebSocketResponse) -> None:
        self._stream, self._events_sent, self._resumable = stream, [], True
        self.sessions += 1
        ready = {"v": 10, "user": _user(BOT), "session_id": "s", "shard": [0, 1]}
        ready |= {"resume_gateway_url": self._gateway, "guilds": [_GUILD | {"unavailable": True}]}
        await self._dispatch("READY", ready | {"application": {"id": BOT, "flags": 0}})
        await self._dispatch("GUILD_CREATE", _GUILD)
        self.connected.set()

    async def _resume(self, stream: web.WebSocketResponse, number: int) -> None:
        """Send missed events, with the last event before them once more, as Discord does."""
        if not self._resumable:
            await stream.send_json({"op": _INVALID, "d": False})
            return
        self._stream = stream
        for event in self._events_sent[max(0, number - 1) :]:
            await stream.send_json(event)
        await self._dispatch("RESUMED", {})
        self.connected.set()

    async def _dispatch(self, name: str, data: dict[str, Any]) -> None:
        """Send an event, or keep it until the session is resumed."""
        event = {"op": _DISPATCH, "t": name, "s": len(self._events_sent) + 1, "d": data}
        self._events_sent.append(event)
        if self._stream is not None and not self._stream.closed:
            await self._stream.send_json(event)

    @property
    def _gateway(self) -> str:
        return self.url.replace("http:", "ws:").replace("/api", "/events")

    # The API

    @web.middleware
    async def _meet_trouble(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Wait, and sometimes fail before or after the work is done."""
        if not request.path.startswith("/api"):
            return await handler(request)  # type: ignore[no-any-return]
        await asyncio.sleep(self.latency_s)
        asked = await self._about(request)
        fault = asked.faults.pop(0) if asked and asked.faults else self.trouble(request)
        if fault is None:
            return await handler(request)  # type: ignore[no-any-return]
        if fault.late:
            await handler(request)
        if fault.status == BROKEN:
            assert request.transport
            request.transport.close()
        limited = {"message": "limited", "retry_after": _RETRY_AFTER_S, "global": False}
        content = limited if fault.status == web.HTTPTooManyRequests.status_code else {}
        return _reply(content, fault.status or web.HTTPOk.status_code, Via="1.1 test")

    async def _about(self, request: web.Request) -> Asked | None:
        """Return the question that a request answers."""
        parts = request.path.split("/")
        number = next((part for part in parts if part in self._asked), "")
        if not number and request.method == "POST" and parts[-1] == "messages":
            body = await request.json()
            number = str(body.get("message_reference", {}).get("message_id") or body.get("nonce"))
        return self._asked.get(number)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/api")
        limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
        known = {
            "/users/@me": _user(BOT),
            "/oauth2/applications/@me": _APPLICATION,
            "/gateway/bot": {"url": self._gateway, "shards": 1, "session_start_limit": limit},
            "/users/@me/channels": {"id": "500", "type": 1, "recipients": [_user(READER)]},
        }
        if path in known:
            return _reply(known[path])
        if path.endswith("/commands"):
            self.synced += 1
            return _reply([])
        if path.endswith("/typing"):
            return self._type()
        about = await self._about(request)
        return await self._reply_to(about, request, path) if about else _reply({})

    def _type(self) -> web.Response:
        self.typing.set()
        for asked in self._asked.values():
            if asked.first is None:
                asked.seen()
                break
        return web.Response(status=204)

    async def _reply_to(self, about: Asked, request: web.Request, path: str) -> web.Response:
        if path.endswith("/callback"):
            return self._acknowledge(about)
        body = await request.json()
        if re.fullmatch(r"/channels/\d+/messages", path):
            nonce = str(body.get("nonce") or next(self._numbers))
            if nonce not in self._nonces or not body.get("enforce_nonce"):
                self._nonces[nonce] = self._show(about, body)
            return _reply(self._nonces[nonce])
        # The first one fills the message that the deferral began; another follow-up is one more.
        original = next(iter(about.answers), None) if path.endswith("@original") else None
        return _reply(self._show(about, body, original))

    @staticmethod
    def _acknowledge(asked: Asked) -> web.Response:
        if asked.first is not None:
            return _reply(_ACKNOWLEDGED, 400)
        asked.seen()
        told = {"id": asked.number, "type": 2, "response_message_id": "1"}
        return _reply({"interaction": told})

    def _show(self, asked: Asked, body: dict[str, Any], number: str | None = None) -> Any:
        number = number or str(next(self._numbers))
        asked.seen()
        asked.seconds = asked.seconds or time.perf_counter() - asked.at
        asked.answers[number] = json.dumps(body)
        asked.done.set()
        return _message(number, "", _user(BOT)) | {"components": body.get("components", [])}


def _reply(content: object, status: int = 200, **headers: str) -> web.Response:
    """Return JSON, with the content type that discord.py expects."""
    headers["Content-Type"] = "application/json"
    return web.Response(body=json.dumps(content).encode(), status=status, headers=headers)


def _user(number: str) -> dict[str, Any]:
    about = {"id": number, "username": f"user{number}", "discriminator": "0", "avatar": None}
    return about | {"bot": number == BOT, "global_name": None}


_APPLICATION = {
    "id": BOT, "name": "On Record", "description": "", "icon": None, "flags": 0,
    "bot_public": True, "bot_require_code_grant": False, "verify_key": "",
    "owner": _user(READER), "team": None,
}  # fmt: skip
_PLACE = {"id": CHANNEL, "type": 0, "name": "newsroom", "position": 0, "guild_id": GUILD}
_PLACE |= {"permission_overwrites": [], "parent_id": None, "nsfw": False, "topic": None}
_EVERYONE = {"id": GUILD, "name": "@everyone", "permissions": _ALL, "position": 0, "color": 0}
_EVERYONE |= {"hoist": False, "managed": False, "mentionable": False, "flags": 0}
_ME = {"user": _user(BOT), "roles": [], "joined_at": _WHEN, "flags": 0, "deaf": False}
_GUILD: dict[str, Any] = {
    "id": GUILD, "name": "The Newsroom", "owner_id": READER, "member_count": 2,
    "members": [_ME | {"mute": False}], "roles": [_EVERYONE], "channels": [_PLACE],
    "threads": [], "emojis": [], "features": [], "presences": [], "voice_states": [],
    "stickers": [],
}  # fmt: skip


def _message(number: str, content: str, author: dict[str, Any]) -> dict[str, Any]:
    about = {"id": number, "channel_id": CHANNEL, "author": author, "content": content, "type": 0}
    times = {"timestamp": _WHEN, "edited_timestamp": None, "tts": False, "pinned": False}
    rest = {"mention_everyone": False, "mentions": [], "mention_roles": [], "attachments": []}
    return about | times | rest | {"embeds": [], "components": [], "flags": 0}


def _command(number: str, asker: dict[str, Any], question: str) -> dict[str, Any]:
    """Return a person's /ask; the interaction's id is its token."""
    options = [{"name": "question", "type": 3, "value": question}]
    member = {"user": asker, "permissions": _ALL, "flags": 0, "joined_at": _WHEN, "roles": []}
    return {
        "id": number, "token": number, "application_id": BOT, "type": 2, "version": 1,
        "data": {"id": "77", "name": "ask", "type": 1, "options": options},
        "guild_id": GUILD, "channel_id": CHANNEL, "channel": _PLACE | {"permissions": _ALL},
        "member": member | {"deaf": False, "mute": False}, "app_permissions": _ALL,
        "locale": "en-US", "guild_locale": "en-US", "entitlements": [], "context": 0,
        "attachment_size_limit": 10_000_000, "authorizing_integration_owners": {"0": GUILD},
    }  # fmt: skip


@asynccontextmanager
async def discord_server(port: int = 0) -> AsyncIterator[DiscordServer]:
    """Serve a Discord on a port of this machine, by default an unused port."""
    server = DiscordServer()
    app = web.Application(middlewares=[server._meet_trouble])
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
