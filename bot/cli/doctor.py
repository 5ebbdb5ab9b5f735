"""What `onrecord doctor` checks: settings, model, collections, disk, token and permissions."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import discord

from bot.cli.output import Result
from bot.settings import Settings
from bot.views.text import failure_line, plural
from index import CATALOGUE, Archive, Encoder, Failure, OnRecordError

_LEAST_FREE_BYTES = 500_000_000  # room for about one more collection of 20,000 reports
_TIMEOUT_S = 20.0  # for all that Discord is asked
_PAGE = 200  # the most servers that Discord lists at once
_NEEDED = (
    "view_channel",
    "send_messages",
    "send_messages_in_threads",
    "create_public_threads",
    "attach_files",
    "read_message_history",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; the text says what to fix if it is not `ok`."""

    text: str
    ok: bool = True


def examine(settings: Settings, encoder: Encoder) -> Result:
    """Check everything the bot needs; a check that fails never stops the others."""
    checks: dict[str, Callable[[], Finding]] = {
        "data folder": partial(_folder, settings),
        "disk": partial(_disk, settings),
        "model": partial(_model, encoder),
        **{
            f"collection {name}": partial(_collection, settings, name, encoder)
            for name in Archive.names(settings.data)
        },
        "Discord": partial(_discord, settings),
    }
    findings = {}
    for name, check in checks.items():
        try:
            findings[name] = check()
        except (OnRecordError, OSError) as error:
            findings[name] = Finding(str(error), ok=False)
    rows = [{"check": name, "ok": it.ok, "says": it.text} for name, it in findings.items()]
    lines = [f"{'ok ' if it.ok else 'FIX'}  {name}: {it.text}" for name, it in findings.items()]
    failed = not all(finding.ok for finding in findings.values())
    return Result({"checks": rows}, "\n".join(lines), failed=failed)


def _folder(settings: Settings) -> Finding:
    settings.data.mkdir(parents=True, exist_ok=True)
    probe = settings.data / ".doctor"
    probe.write_bytes(b"")
    probe.unlink()
    if rest := ", ".join(str(file.parent) for file in settings.data.glob(f".*/{CATALOGUE}")):
        return Finding(f"erasing was interrupted: delete what is left, {rest}", ok=False)
    return Finding(str(settings.data))


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.data).free
    if free < _LEAST_FREE_BYTES:
        return Finding(f"only {free // 1_000_000} MB are free: make room", ok=False)
    return Finding(f"{free // 1_000_000_000} GB free")


def _model(encoder: Encoder) -> Finding:
    vectors = encoder.encode(["Does the model load?"])
    return Finding(f"{encoder.model}, {vectors.shape[1]} dimensions")


def _collection(settings: Settings, name: str, encoder: Encoder) -> Finding:
    with closing(Archive.open(settings.data, name, encoder)) as archive:
        size = archive.size()
        if archive.model not in {None, encoder.model}:
            return Finding(
                f"embedded with {archive.model}, but the settings name {encoder.model}: "
                f"run `onrecord --collection {name} reindex --rebuild`",
                ok=False,
            )
        archive.prepare()
        failing = [source for source in archive.sources.all() if source.failures]
    text = f"{plural(size.articles, 'article')}, {plural(size.sentences, 'sentence')}"
    if failing:
        example = failure_line(Failure(failing[0].uri, failing[0].error or ""))
        text += f"; {plural(len(failing), 'source')} failing, such as: {example}"
    return Finding(text)


def _discord(settings: Settings) -> Finding:
    """Whether Discord accepts the token, and every server grants the permissions needed."""
    if settings.token is None:
        return Finding("DISCORD_TOKEN is not set; only `onrecord bot` needs it")
    try:
        token = settings.token.get_secret_value()
        servers = asyncio.run(asyncio.wait_for(_servers(token), _TIMEOUT_S))
    except discord.LoginFailure:
        return Finding("Discord refuses the token: copy it again from the portal", ok=False)
    except (discord.HTTPException, OSError):
        return Finding("Discord cannot be reached: check the network and try again", ok=False)
    for server in servers:
        granted = discord.Permissions(int(server["permissions"]))
        if missing := [name for name in _NEEDED if not getattr(granted, name)]:
            names = " or ".join(name.replace("_", " ").title() for name in missing)
            return Finding(
                f"in “{server['name']}” the bot may not {names}: allow its role to, "
                "under Server Settings, Roles",
                ok=False,
            )
    return Finding(f"token accepted; all permissions in {plural(len(servers), 'server')}")


async def _servers(token: str) -> list[dict[str, Any]]:
    """The servers that the bot is in, as Discord lists them, with its permissions."""
    servers: list[dict[str, Any]] = []
    async with discord.Client(intents=discord.Intents.none()) as client:
        await client.login(token)
        while True:
            after = servers[-1]["id"] if servers else None
            page = await client.http.get_guilds(_PAGE, after=after)
            servers += [dict(server) for server in page]
            if len(page) < _PAGE:
                return servers
