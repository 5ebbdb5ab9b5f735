"""What `onrecord doctor` checks: settings, model, collections, disk, token and permissions."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import discord
from pydantic import SecretStr

from bot.cli.output import Result
from bot.permissions import missing_permissions
from bot.settings import Settings
from bot.views.text import failure_line, plural
from index import CATALOGUE, Archive, Encoder, Failure, OnRecordError

_LEAST_FREE_BYTES = 500_000_000
_PATIENCE = 20.0  # seconds for Discord
_PAGE = 200  # servers that Discord lists at once
_NEEDED = (
    "view_channel",
    "send_messages",
    "send_messages_in_threads",
    "create_public_threads",
    "attach_files",
    "read_message_history",
)


def examine(settings: Settings, encoder: Encoder) -> Result:
    """Look at everything the bot needs; never raises for what it finds."""
    looks: dict[str, Callable[[], str]] = {
        "data folder": lambda: _folder(settings),
        "disk": lambda: _disk(settings),
        "model": lambda: _model(encoder),
    }
    for name in Archive.names(settings.data):
        looks[f"collection {name}"] = partial(_collection, settings, name, encoder)
    looks["Discord"] = partial(_discord, settings.token)
    checks, lines, failed = [], [], False
    for name, look in looks.items():
        try:
            ok, says = True, look()
        except (OnRecordError, OSError) as error:
            ok, says, failed = False, str(error), True
        checks.append({"check": name, "ok": ok, "says": says})
        lines.append(f"{'ok  ' if ok else 'MEND'}  {name}: {says}")
    return Result({"checks": checks}, "\n".join(lines), failed=failed)


def _discord(token: SecretStr | None) -> str:
    """Whether the token is good, and whether the bot may do its work in every server."""
    if not token:
        return "DISCORD_TOKEN is not set; only `onrecord bot` needs it"
    try:
        servers = asyncio.run(asyncio.wait_for(_servers(token.get_secret_value()), _PATIENCE))
    except discord.LoginFailure as error:
        raise OSError("Discord refuses the token: copy it again from the portal") from error
    except (discord.HTTPException, OSError) as error:
        raise OSError("Discord cannot be reached: look at the network and try again") from error
    for server in servers:
        if lacks := missing_permissions(discord.Permissions(int(server["permissions"])), *_NEEDED):
            raise OSError(
                f"in “{server['name']}” the bot may not {' or '.join(lacks)}: give its role that "
                "under Server Settings, Roles"
            )
    return f"token accepted; all permissions in {plural(len(servers), 'server')}"


async def _servers(token: str) -> list[dict[str, Any]]:
    """The servers that the bot is in, as Discord lists them, with its permissions."""
    async with discord.Client(intents=discord.Intents.none()) as client:
        await client.login(token)
        found: list[dict[str, Any]] = []
        while page := await client.http.get_guilds(_PAGE, after=found[-1]["id"] if found else None):
            found += [dict(server) for server in page]
            if len(page) < _PAGE:
                break
    return found


def _folder(settings: Settings) -> str:
    settings.data.mkdir(parents=True, exist_ok=True)
    probe = settings.data / ".doctor"
    probe.write_bytes(b"")
    probe.unlink()
    if left := ", ".join(str(file.parent) for file in settings.data.glob(f".*/{CATALOGUE}")):
        raise OSError(f"erasing was cut short: delete what is left of it, {left}")
    return str(settings.data)


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(settings.data).free
    if free < _LEAST_FREE_BYTES:
        raise OSError(f"only {free // 1_000_000} MB are free: make room")
    return f"{free // 1_000_000_000} GB free"


def _model(encoder: Encoder) -> str:
    vectors = encoder.encode(["Is the model there?"])
    return f"{encoder.model}, {vectors.shape[1]} dimensions"


def _collection(settings: Settings, name: str, encoder: Encoder) -> str:
    with closing(Archive.open(settings.data, name, encoder)) as archive:
        size = archive.size()
        if archive.model not in {None, encoder.model}:
            raise OSError(
                f"embedded with {archive.model}, the settings name {encoder.model}: "
                f"run `onrecord --collection {name} reindex --rebuild`"
            )
        archive.prepare()
        failing = [one for one in archive.sources.all() if one.failures]
    known = f"{plural(size.articles, 'article')}, {plural(size.sentences, 'sentence')}"
    if not failing:
        return known
    first = failure_line(Failure(failing[0].uri, failing[0].error or ""))
    return f"{known}; {plural(len(failing), 'source')} failing, such as: {first}"
