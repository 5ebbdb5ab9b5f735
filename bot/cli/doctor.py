"""Check settings, models, collections, disk, token and permissions, for `onrecord doctor`."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import discord

from bot.cli.context import sentence_of
from bot.cli.output import Result
from bot.collections import engine
from bot.settings import Settings
from bot.views.text import plural
from index import (
    CATALOGUE,
    Archive,
    Encoder,
    Engine,
    Excerpt,
    OnRecordError,
    SettingsError,
    TrainedReader,
    isolation_of_parsers,
)

_LEAST_FREE_BYTES = 500_000_000  # room for about one more collection of 20,000 reports
_TIMEOUT_S = 20.0  # for all requests to Discord
_NEEDED = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    attach_files=True,
    read_message_history=True,
)


class _ProblemError(OnRecordError):
    """A problem that a check found, and how to fix it."""


def examine(settings: Settings, encoder: Encoder) -> Result:
    """Check everything the bot needs; a failed check does not stop the others."""
    checks: dict[str, Callable[[], str]] = {
        "data folder": partial(_folder, settings.data),
        "disk": partial(_disk, settings.data),
        "model": lambda: f"{encoder.model}, {encoder.encode(['Loads?']).shape[1]} dimensions",
        "reader": partial(_reader, settings),
        "parsers": _parsers,
    }
    rows = [_row(name, check) for name, check in checks.items()]
    rows += _store(settings, encoder)
    rows.append(_row("Discord", partial(_discord, settings)))
    lines = [f"{'ok ' if row['ok'] else 'FIX'}  {row['check']}: {row['says']}" for row in rows]
    return Result({"checks": rows}, "\n".join(lines), failed=not all(row["ok"] for row in rows))


def _row(name: str, check: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"check": name, "ok": True, "says": check()}
    except (OnRecordError, OSError) as error:
        return {"check": name, "ok": False, "says": sentence_of(error)}


def _store(settings: Settings, encoder: Encoder) -> list[dict[str, Any]]:
    """Return a row about the store and, if it can be used, a row about each collection."""
    try:
        store = engine(settings)
    except SettingsError as error:
        return [{"check": "store", "ok": False, "says": str(error)}]
    with closing(store):
        row = _row("store", store.check)
        names = store.names() if row["ok"] else []
        checks = {name: partial(_collection, store, name, encoder) for name in names}
        return [row, *(_row(f"collection {name}", check) for name, check in checks.items())]


def _folder(data: Path) -> str:
    data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=data):
        pass  # it can be written to
    if rest := ", ".join(str(file.parent) for file in data.glob(f".*/{CATALOGUE}")):
        raise _ProblemError(f"erasing was interrupted: delete what is left, {rest}")
    return str(data)


def _disk(data: Path) -> str:
    free = shutil.disk_usage(data).free
    if free < _LEAST_FREE_BYTES:
        raise _ProblemError(f"only {free // 1_000_000} MB are free: make room")
    return f"{free // 1_000_000_000} GB free"


def _reader(settings: Settings) -> str:
    if not settings.answers.reader:
        return "off, by the setting answers.reader"
    reader = TrainedReader()
    reader.read("Loads?", [Excerpt("", ("Yes.",))])  # also checks the SHA-256 of its weights
    return f"{reader.model} loads; its weights have the right SHA-256"


def _parsers() -> str:
    isolation = isolation_of_parsers()
    if not isolation and sys.platform == "linux":  # elsewhere there is nothing to fix
        raise _ProblemError(str(isolation))
    return str(isolation)


def _collection(store: Engine, name: str, encoder: Encoder) -> str:
    with closing(Archive(store.open(name, create=False), encoder)) as archive:
        size = archive.size()
        if archive.model not in {None, encoder.model}:
            raise _ProblemError(
                f"embedded with {archive.model}, but the settings name {encoder.model}: "
                f"run `onrecord --collection {name} reindex --rebuild`"
            )
        archive.verify()
        archive.prepare()
        failing = sum(source.failures > 0 for source in archive.sources.all())
    text = f"{plural(size.articles, 'article')}, {plural(size.sentences, 'sentence')}"
    return text + f"; {plural(failing, 'source')} failing: see `onrecord sources`" * bool(failing)


def _discord(settings: Settings) -> str:
    """Check that Discord accepts the token, and that every server grants the permissions needed."""
    if settings.token is None:
        return "DISCORD_TOKEN is not set; only `onrecord bot` needs it"
    try:
        token = settings.token.get_secret_value()
        servers = asyncio.run(asyncio.wait_for(_servers(token), _TIMEOUT_S))
    except discord.LoginFailure:
        raise _ProblemError("Discord refuses the token: copy it again from the portal") from None
    except (discord.HTTPException, OSError):
        raise _ProblemError("Discord cannot be reached: check the network and try again") from None
    for server in servers:
        missing = _NEEDED & ~discord.Permissions(int(server["permissions"]))
        if names := [name.replace("_", " ").title() for name, is_set in missing if is_set]:
            raise _ProblemError(
                f"in “{server['name']}” the bot may not {' or '.join(names)}: allow its role to, "
                "under Server Settings, Roles"
            )
    return f"token accepted; all permissions in {plural(len(servers), 'server')}"


async def _servers(token: str) -> list[dict[str, Any]]:
    """Return the first 200 of the bot's servers, each with the bot's permissions there."""
    async with discord.Client(intents=discord.Intents.none()) as client:
        await client.login(token)
        return [dict(server) for server in await client.http.get_guilds(200)]
