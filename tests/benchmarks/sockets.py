"""How fast does the bot answer over real sockets, with a Discord that is slow and fails?

    python tests/benchmarks/sockets.py [--data DATA] [--rounds 10] [--people 20] [--adding N]

A small Discord on this machine (its HTTP interface and its gateway) and the real bot, each in a
process of its own. Each request takes 80 ms; some are answered by 429 or 502, half of the latter
after they were carried out; the gateway is closed in the midst of questions. DATA holds a
collection `server-1`; without it, one of made-up reports is used. Run by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import discord
import yarl
from aiohttp import WSMsgType, web

from bot.bot import OnRecord
from bot.collections import Collections
from bot.settings import Discord, Settings
from index.archive import Archive
from index.encoder import PackagedEncoder
from index.network import prepare_process

LATENCY_S = 0.08
LIMITED, FAILING = 0.02, 0.02  # shares of requests answered by 429 and by 502
RETRY_AFTER_S = 0.3
PATIENCE_S = 30.0
GUILD, CHANNEL, BOT = "1", "2", "3"
FULL = str(discord.Permissions.all().value)
WORDS = (
    "harbour council ferry bridge tunnel strike ministry budget storm river school museum railway "
    "union court election minister factory airport hospital market museum festival power station"
).split()


@dataclass(slots=True)
class Asked:
    """A question of one person, and what came of it (seconds since it was asked)."""

    kind: str
    at: float
    first: float | None = None
    refused: bool = False
    answers: dict[str, float] = field(default_factory=dict)  # by message id
    done: asyncio.Event = field(default_factory=asyncio.Event)


class FakeDiscord:
    """As much of Discord as one bot on one server needs."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - faults, not secrets
        self.ids = itertools.count(10_000)
        self.socket: web.WebSocketResponse | None = None
        self.live = asyncio.Event()
        self.sent: list[dict[str, Any]] = []  # events of the session, by number
        self.resumable = True
        self.by_token: dict[str, Asked] = {}
        self.by_message: dict[str, Asked] = {}
        self.nonces: dict[str, dict[str, Any]] = {}
        self.faults: Counter[int] = Counter()
        self.faulty = False

    def app(self) -> web.Application:
        """Its routes."""
        made = web.Application(middlewares=[self.trouble])
        made.add_routes([
            web.get("/gateway", self.gateway),
            web.get("/api/users/@me", self.me),
            web.get("/api/oauth2/applications/@me", self.application),
            web.get("/api/gateway/bot", self.where),
            web.put("/api/applications/{app}/commands", self.commands),
            web.post("/api/interactions/{id}/{token}/callback", self.callback),
            web.post("/api/webhooks/{app}/{token}", self.followup),
            web.patch("/api/webhooks/{app}/{token}/messages/@original", self.original),
            web.post("/api/channels/{channel}/typing", self.typing),
            web.post("/api/channels/{channel}/messages", self.message),
        ])  # fmt: skip
        return made

    @web.middleware
    async def trouble(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Take time, and sometimes fail before or after the work is done."""
        if request.path == "/gateway":
            return await handler(request)  # type: ignore[no-any-return]
        await asyncio.sleep(LATENCY_S)
        chance = self.random.random() if self.faulty else 1.0
        interaction = request.path.endswith("/callback")  # which Discord does not limit
        if chance < LIMITED and not interaction:
            self.faults[429] += 1
            told = {"message": "limited", "retry_after": RETRY_AFTER_S, "global": False}
            return replied(told, status=429, Via="1.1 test")
        if LIMITED <= chance < LIMITED + FAILING:
            self.faults[502] += 1
            if self.random.random() < 0.5:
                await handler(request)
            return web.Response(status=502, text="bad gateway")
        return await handler(request)  # type: ignore[no-any-return]

    # Gateway

    async def gateway(self, request: web.Request) -> web.WebSocketResponse:
        """One session, resumed or begun anew."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 41250}})
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            told = json.loads(frame.data)
            if told["op"] == 1:
                await socket.send_json({"op": 11})
            elif told["op"] == 2:
                await asyncio.sleep(LATENCY_S)
                await self.begin(socket, str(request.url.origin()))
            elif told["op"] == 6:
                await asyncio.sleep(LATENCY_S)
                await self.resume(socket, told["d"]["seq"])
        if self.socket is socket:
            self.live.clear()
        return socket

    async def begin(self, socket: web.WebSocketResponse, origin: str) -> None:
        """A new session: READY and the server."""
        self.sent, self.resumable, self.socket = [], True, socket
        address = origin.replace("http", "ws") + "/gateway"
        ready = {
            "v": 10, "user": user(BOT), "session_id": "s", "resume_gateway_url": address,
            "guilds": [{"id": GUILD, "unavailable": True}], "shard": [0, 1],
            "application": {"id": BOT, "flags": 0},
        }  # fmt: skip
        await self.dispatch("READY", ready)
        await self.dispatch("GUILD_CREATE", guild())
        self.live.set()

    async def resume(self, socket: web.WebSocketResponse, number: int) -> None:
        """What was missed, with the last event once more, as happens; else a new session."""
        if not self.resumable:
            await socket.send_json({"op": 9, "d": False})
            return
        self.socket = socket
        for event in self.sent[max(0, number - 1) :]:
            await socket.send_json(event)
        await self.dispatch("RESUMED", {})
        self.live.set()

    async def dispatch(self, name: str, data: dict[str, Any]) -> None:
        """Send an event, or keep it until the session is resumed."""
        self.sent.append({"op": 0, "t": name, "s": len(self.sent) + 1, "d": data})
        if self.socket is not None and not self.socket.closed:
            await self.socket.send_json(self.sent[-1])

    async def drop(self, *, resumable: bool) -> None:
        """Close the gateway under the bot."""
        self.resumable = resumable
        self.live.clear()
        if self.socket is not None:
            await self.socket.close(code=4000)

    # HTTP

    async def me(self, _: web.Request) -> web.Response:
        return replied(user(BOT))

    async def application(self, _: web.Request) -> web.Response:
        about = {"id": BOT, "name": "On Record", "description": "", "icon": None}
        rest = {"bot_public": True, "bot_require_code_grant": False, "verify_key": ""}
        return replied(about | rest | {"owner": user("9"), "team": None})

    async def where(self, request: web.Request) -> web.Response:
        url = str(request.url.origin()).replace("http", "ws") + "/gateway"
        limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
        return replied({"url": url, "shards": 1, "session_start_limit": limit})

    async def commands(self, request: web.Request) -> web.Response:
        made = [
            {
                "id": str(next(self.ids)),
                "application_id": BOT,
                "version": "1",
                "description": "",
                **one,
            }
            for one in await request.json()
        ]
        return replied(made)

    async def callback(self, request: web.Request) -> web.Response:
        asked = self.by_token[request.match_info["token"]]
        if asked.first is not None:
            told = {"code": 40060, "message": "Interaction has already been acknowledged."}
            return replied(told, status=400)
        asked.first = time.perf_counter() - asked.at
        told = {"id": request.match_info["id"], "type": 2, "response_message_id": "1"}
        return replied({"interaction": told})

    async def followup(self, request: web.Request) -> web.Response:
        """The first one fills the message that the deferral began; any other is one more."""
        asked = self.by_token[request.match_info["token"]]
        return self.seen(asked, await request.json())

    async def original(self, request: web.Request) -> web.Response:
        asked = self.by_token[request.match_info["token"]]
        return self.seen(asked, await request.json(), next(iter(asked.answers), None))

    async def typing(self, _: web.Request) -> web.Response:
        for asked in self.by_message.values():
            if asked.first is None:
                asked.first = time.perf_counter() - asked.at
                break
        return web.Response(status=204)

    async def message(self, request: web.Request) -> web.Response:
        told = await request.json()
        nonce = told.get("nonce")
        if nonce in self.nonces and told.get("enforce_nonce"):
            return replied(self.nonces[nonce])
        asked = self.by_message[str(told["message_reference"]["message_id"])]
        made = self.seen(asked, told)
        if nonce:
            self.nonces[nonce] = json.loads(str(made.text))
        return made

    def seen(self, asked: Asked, told: dict[str, Any], number: str | None = None) -> web.Response:
        """What a person sees of a message."""
        number = number or str(next(self.ids))
        now = time.perf_counter() - asked.at
        asked.first = asked.first or now
        asked.answers.setdefault(number, now)
        asked.refused |= "Too many people are asking" in json.dumps(told)
        asked.done.set()
        return replied(message(number, BOT, components=told.get("components", [])))

    # People

    async def ask(self, person: int, question: str, kind: str) -> Asked:
        """Ask, and wait for the answer."""
        asked = Asked(kind, time.perf_counter())
        number, token = str(next(self.ids)), f"token{next(self.ids)}"
        await asyncio.sleep(LATENCY_S / 2)
        if kind == "mention":
            self.by_message[number] = asked
            text = {"content": f"<@{BOT}> {question}", "mentions": [user(BOT)]}
            event = message(number, str(100 + person), guild_id=GUILD, **text)
            await self.dispatch("MESSAGE_CREATE", event | {"member": member(person)})
        else:
            self.by_token[token] = asked
            await self.dispatch("INTERACTION_CREATE", interaction(number, token, person, question))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.done.wait(), PATIENCE_S)
        return asked


def replied(data: object, status: int = 200, **headers: str) -> web.Response:
    """JSON, its type named as discord.py wants to read it."""
    headers["Content-Type"] = "application/json"
    return web.Response(body=json.dumps(data).encode(), status=status, headers=headers)


def user(number: str) -> dict[str, Any]:
    """A user."""
    about = {"id": number, "username": f"user{number}", "discriminator": "0", "avatar": None}
    return about | {"bot": number == BOT, "global_name": None}


def member(person: int) -> dict[str, Any]:
    """A member."""
    joined = {"joined_at": "2026-01-01T00:00:00+00:00", "roles": [], "deaf": False, "mute": False}
    return {"user": user(str(100 + person)), "permissions": FULL, "flags": 0, **joined}


def channel() -> dict[str, Any]:
    """The one channel."""
    about = {"id": CHANNEL, "type": 0, "name": "newsroom", "position": 0, "guild_id": GUILD}
    return about | {"permission_overwrites": [], "parent_id": None, "nsfw": False, "topic": None}


def guild() -> dict[str, Any]:
    """The one server."""
    everyone = {
        "id": GUILD, "name": "@everyone", "permissions": FULL, "position": 0, "color": 0,
        "hoist": False, "managed": False, "mentionable": False, "flags": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
    }  # fmt: skip
    me = {"user": user(BOT), "joined_at": "2026-01-01T00:00:00+00:00", "roles": [], "flags": 0}
    return {
        "id": GUILD, "name": "The Newsroom", "owner_id": "9", "roles": [everyone], "emojis": [],
        "stickers": [], "features": [], "channels": [channel()], "threads": [],
        "members": [me | {"deaf": False, "mute": False}], "member_count": 2, "large": False,
        "voice_states": [], "presences": [], "stage_instances": [], "guild_scheduled_events": [],
        "soundboard_sounds": [], "icon": None, "verification_level": 0, "premium_tier": 0,
        "default_message_notifications": 0, "explicit_content_filter": 0, "mfa_level": 0,
        "afk_timeout": 60, "nsfw_level": 0, "preferred_locale": "en-US", "splash": None,
        "system_channel_flags": 0, "unavailable": False, "afk_channel_id": None, "banner": None,
    }  # fmt: skip


def message(number: str, author: str, **rest: Any) -> dict[str, Any]:
    """A message."""
    about = {
        "id": number, "channel_id": CHANNEL, "author": user(author), "content": "", "type": 0,
        "timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": None, "tts": False,
        "mention_everyone": False, "mentions": [], "mention_roles": [], "attachments": [],
        "embeds": [], "pinned": False, "components": [], "flags": 0,
    }  # fmt: skip
    return about | rest


def interaction(number: str, token: str, person: int, question: str) -> dict[str, Any]:
    """Somebody's /ask."""
    options = [{"name": "question", "type": 3, "value": question}]
    return {
        "id": number, "application_id": BOT, "type": 2, "token": token, "version": 1,
        "data": {"id": "77", "name": "ask", "type": 1, "options": options}, "guild_id": GUILD,
        "channel_id": CHANNEL, "channel": channel() | {"permissions": FULL},
        "member": member(person), "locale": "en-US", "guild_locale": "en-US",
        "app_permissions": FULL, "entitlements": [], "attachment_size_limit": 10_000_000,
        "authorizing_integration_owners": {"0": GUILD}, "context": 0,
    }  # fmt: skip


# The bot's process


def serve_bot(address: str, data: Path, adding: int) -> None:
    """Run the real bot against another Discord."""
    logging.basicConfig(level=logging.ERROR)
    discord.http.Route.BASE = address + "/api"
    where = yarl.URL(address.replace("http", "ws") + "/gateway")
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = where
    manners = Discord(questions_per_minute=1_000, server_questions_per_minute=100_000)
    settings = Settings(data=data, discord=manners)
    library = Collections(settings, PackagedEncoder())
    library.archive(int(GUILD)).prepare()
    if adding:
        threading.Thread(target=add_made_up, args=(library, adding), daemon=True).start()
    OnRecord(library, settings).run("token", log_handler=None)


def add_made_up(library: Collections, count: int) -> None:
    """Add reports to the collection that is being asked."""
    sys.stdin.readline()  # until the questions begin
    with tempfile.TemporaryDirectory() as folder:
        file = made_up(Path(folder) / "new.jsonl", count, seed=time.time_ns())
        report = library.archive(int(GUILD)).add([str(file)])
    print(f"meanwhile added {len(report.added)} articles in {report.seconds:.1f} s", flush=True)


def made_up(path: Path, count: int, seed: int) -> Path:
    """Reports of random words, 12 sentences each, as JSON lines."""
    choose = random.Random(seed)  # noqa: S311 - no secrets
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            text = " ".join(" ".join(["The", *choose.sample(WORDS, 14)]) + "." for _ in range(12))
            row = {"id": f"{seed}-{number}", "title": " ".join(choose.sample(WORDS, 4))}
            file.write(json.dumps(row | {"text": text, "publisher": "Northwire"}) + "\n")
    return path


# Measuring


async def measure(arguments: argparse.Namespace, data: Path) -> None:
    """Ask in rounds, and print what came of it."""
    fake = FakeDiscord(seed=7)
    runner = web.AppRunner(fake.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    command = [sys.executable, __file__, "--serve", address, "--data", str(data)]
    command += ["--adding", str(arguments.adding)]
    bot = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: ASYNC220 - our own file
    try:
        while not fake.live.is_set():
            if bot.poll() is not None:
                raise SystemExit("The bot did not start.")
            await asyncio.sleep(0.1)
        await fake.ask(0, "Who leads?", "ask")
        await fake.ask(0, "Who leads?", "mention")
        fake.faulty = not arguments.calm
        if bot.stdin:
            bot.stdin.write(b"\n")
            bot.stdin.flush()
        used = processor_s(bot.pid)
        found = await rounds(fake, arguments)
        told(found, fake)
        used = (processor_s(bot.pid) - used) / len(found)
        print(f"processor time: {1000 * used:.0f} ms a question; load {os.getloadavg()[0]:.1f}")
    finally:
        bot.terminate()
        bot.wait(timeout=30)
        await runner.cleanup()


async def rounds(fake: FakeDiscord, arguments: argparse.Namespace) -> list[Asked]:
    """Everybody asks at once, again and again; in some rounds the gateway goes."""
    questions = [
        f"What did the {a} say about the {b} and the {c}?"
        for a, b, c in itertools.permutations(WORDS[:12], 3)
    ]
    fake.random.shuffle(questions)
    if arguments.questions:
        lines = arguments.questions.read_text("utf-8").splitlines()
        questions = [json.loads(line)["text"] for line in lines]
    endless = itertools.cycle(questions)
    found: list[Asked] = []
    for number in range(arguments.rounds):
        await fake.live.wait()
        asking = [
            asyncio.create_task(
                fake.ask(person, next(endless), "mention" if person % 3 == 0 else "ask")
            )
            for person in range(arguments.people)
        ]
        if not arguments.calm and number % 3:
            await asyncio.sleep(0.15)
            await fake.drop(resumable=number % 3 == 1)
        found += await asyncio.gather(*asking)
        await asyncio.sleep(1)
    return found


def told(found: list[Asked], fake: FakeDiscord) -> None:
    """Print the figures."""
    kinds = Counter(asked.kind for asked in found)
    print(f"{len(found)} questions ({dict(kinds)}), faults {dict(fake.faults)}")
    for name, times in (
        ("first response", [asked.first for asked in found if asked.first]),
        (
            "answer",
            [min(asked.answers.values()) for asked in found if asked.answers and not asked.refused],
        ),
    ):
        print(f"{name}: " + ", ".join(f"{word} {at:.2f} s" for word, at in spread(times)))
    print(
        f"refused: {sum(asked.refused for asked in found)}; "
        f"answered twice: {sum(len(asked.answers) > 1 for asked in found)}; "
        f"without a word: {sum(not asked.answers for asked in found)}"
    )


def processor_s(process: int) -> float:
    """Processor time that a process has used, in seconds; Linux only."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def spread(times: list[float]) -> list[tuple[str, float]]:
    """Median, 95th and 99th percentile, and worst."""
    ordered = sorted(times)
    return [
        ("median", ordered[len(ordered) // 2]),
        ("95th percentile", ordered[int(0.95 * len(ordered))]),
        ("99th percentile", ordered[int(0.99 * len(ordered))]),
        ("worst", ordered[-1]),
    ]


def main() -> None:
    """Measure; or, in the process that `measure` starts, be the bot."""
    prepare_process()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="holds a collection server-1")
    parser.add_argument("--questions", type=Path, help="JSON lines with a text")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--adding", type=int, default=0, help="articles added meanwhile")
    parser.add_argument("--calm", action="store_true", help="without faults")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve_bot(arguments.serve, arguments.data, arguments.adding)
        return
    with tempfile.TemporaryDirectory() as folder:
        if arguments.data is None:
            arguments.data = Path(folder)
            archive = Archive.open(arguments.data, "server-1", PackagedEncoder())
            archive.add([str(made_up(Path(folder) / "reports.jsonl", 1_700, seed=1))])
            archive.close()
        asyncio.run(measure(arguments, arguments.data))


if __name__ == "__main__":
    main()
