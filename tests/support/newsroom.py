"""A simulated Discord server with the real bot in it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import discord
import pytest
import simcord

from bot.bot import OnRecord
from bot.collections import Collections
from bot.settings import Answers, Settings
from index.archive import Archive
from index.reading.http import Fetcher
from support.fakes import FakeEncoder

DAM = "A gate at Hallow Dam failed at 4:40 a.m. on Monday. Two people died, the authority said."
CUP = "Carrowmere Athletic reached the cup final on Saturday. @everyone cheered, <@1> did not."
ASKED = "When did a gate at Hallow Dam fail?"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every simulated Discord one shard, which an auto-sharded bot cannot ask for here."""
    for item in items:
        item.add_marker(pytest.mark.simcord(shard_count=1, settle_timeout=30))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, answers=Answers(threshold=0.0))


@pytest.fixture
def simcord_bot(settings: Settings) -> Iterator[OnRecord]:
    collections = Collections(settings, FakeEncoder())
    yield OnRecord(collections, settings)
    collections.close()


@asynccontextmanager
async def discord_with(settings: Settings) -> AsyncIterator[Newsroom]:
    """Open a newsroom whose bot has these settings."""
    collections = Collections(settings, FakeEncoder())
    bot = OnRecord(collections, settings)
    async with simcord.run(bot, shard_count=1, settle_timeout=30) as env:
        yield Newsroom(env)
    collections.close()


class Newsroom:
    """A server with one channel, a reader and a moderator."""

    def __init__(self, env: Any, name: str = "The Newsroom") -> None:
        self.env = env
        self.guild = env.create_guild(name)
        self.channel = self.guild.create_text_channel("newsroom")
        allowed = discord.Permissions(manage_guild=True)
        desk = self.desk = self.guild.create_role("Desk", permissions=allowed)
        self.reader = self.guild.add_member(env.create_user("reader"))
        self.editor = self.guild.add_member(env.create_user("editor"), roles=[desk])

    def archive(self) -> Archive:
        """This server's collection, as the bot has it open."""
        archive: Archive = self.env.bot.collections.archive(self.guild.id)
        return archive

    async def add(self, *files: tuple[str, bytes], address: str = "") -> Any:
        """Fill in the modal of /moderate add as the editor."""
        shown = await self.editor.slash(self.channel, "moderate add")
        upload, typed = (field["custom_id"] for field in fields(shown))
        values = {upload: [*files], typed: address}
        given = {name: value for name, value in values.items() if value}
        return await self.editor.submit_modal(shown, given)

    async def offer_everything(self, person: Any) -> None:
        """Let Discord offer a person every command, as a server's owner may choose."""
        for command in await self.env.bot.tree.fetch_commands():
            self.guild.set_command_permissions(command, {person: True})

    async def choice(self, command: str, option: str, typed: str) -> Any:
        """Return the only choice that the editor is offered for the typed text."""
        name = f"moderate {command}"
        (row,) = await self.editor.autocomplete(self.channel, name, option, typed)
        return row["value"]

    def tamper(self) -> None:
        """Change every stored text behind the bot's back."""
        with self.archive().answers._writing() as db:
            db.execute("UPDATE revision SET text = replace(text, 'a', 'e')")

    def stock(self, settings: Settings, folder: Path, **reports: str) -> None:
        """Index reports into this server's collection, from files in `folder`."""
        folder.mkdir(exist_ok=True)
        for name, text in reports.items():
            suffix = "md" if text.startswith("---") else "txt"
            (folder / f"{name}.{suffix}").write_text(text, encoding="utf-8")
        collection = settings.discord.collection_of(self.guild.id)
        with closing(Collections(settings, FakeEncoder())) as collections:
            collections.open(collection).add([str(folder)])


@pytest.fixture
def room(simcord_env: Any, settings: Settings, tmp_path: Path) -> Newsroom:
    made = Newsroom(simcord_env)
    made.stock(settings, tmp_path / "reports", dam=DAM, cup=CUP)
    return made


class Site:
    """A web server on loopback with a test's pages; for other pages it answers 404."""

    def __init__(self) -> None:
        pages = self.pages = dict[str, str]()

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = pages.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.end_headers()
                self.wfile.write((body or "").encode())

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.port = self._server.server_port
        self.feed = f"http://127.0.0.1:{self.port}/feed"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def publish(self, *texts: str) -> None:
        """Put whole reports into the feed."""
        items = "".join(
            f"<item><title>{text.split('.')[0]}</title><guid>{number}</guid>"
            f"<content:encoded>{text}</content:encoded></item>"
            for number, text in enumerate(texts)
        )
        space = 'xmlns:content="http://purl.org/rss/1.0/modules/content/"'
        channel = f"<channel><title>Harbour Post</title>{items}</channel>"
        self.pages["/feed"] = f'<rss version="2.0" {space}>{channel}</rss>'

    def reach(self, archive: Archive) -> None:
        """Let a collection fetch from here, although it is no public place."""
        archive.sources._fetcher = Fetcher(allow=frozenset({("127.0.0.1", self.port)}))

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


def report(title: str, text: str, publisher: str, published: str) -> str:
    """Return a Markdown report with its front matter."""
    head = f"title: {title}\npublisher: {publisher}\npublished: {published}T10:00:00+00:00"
    return f"---\n{head}\n---\n{text}\n"


def said(message: Any) -> str:
    """Return all text of a Components V2 message."""
    return "\n".join(item["content"] for item in parts(message) if item["type"] == _TEXT)


def fields(shown: Any) -> list[dict[str, Any]]:
    """Return the fields of a form, in order."""
    return [
        inner
        for outer in shown.modal["components"]
        for inner in outer.get("components", [outer.get("component", {})])
    ]


def labels(message: Any) -> list[str]:
    """Return the labels of a message's buttons, disabled labels in brackets."""
    buttons = [item for item in parts(message) if item["type"] == _BUTTON]
    return [f"({b['label']})" if b.get("disabled") else b["label"] for b in buttons]


def parts(message: Any) -> list[dict[str, Any]]:
    """Return all components of a message, depth first."""
    found: list[dict[str, Any]] = []

    def walk(item: Any) -> None:
        raw = item if isinstance(item, dict) else item.to_dict()
        found.append(raw)
        for child in raw.get("components", ()):
            walk(child)

    for item in message.components:
        walk(item)
    return found


_TEXT = discord.ComponentType.text_display.value
_BUTTON = discord.ComponentType.button.value
