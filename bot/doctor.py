"""What `onrecord doctor` checks: settings, model, collections, disk and the token."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bot.settings import Settings
from index.archive import Archive
from index.encoder import Encoder
from index.errors import OnRecordError

_LEAST_FREE_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, and what it says: how it is, or what to do."""

    name: str
    ok: bool
    says: str


def examine(settings: Settings, encoder: Encoder) -> list[Check]:
    """Look at everything the bot needs; never raises for what it finds."""
    checks = [
        _tried("data folder", lambda: _folder(settings)),
        _tried("disk", lambda: _disk(settings)),
        _tried("model", lambda: _model(encoder)),
    ]
    for name in Archive.names(settings.data):
        look = partial(_collection, settings, name, encoder)
        checks.append(_tried(f"collection {name}", look))
    has_token = settings.token is not None
    says = "set" if has_token else "DISCORD_TOKEN is not set; only `onrecord bot` needs it"
    return [*checks, Check("token", ok=True, says=says)]


def _tried(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, ok=True, says=look())
    except (OnRecordError, OSError) as error:
        return Check(name, ok=False, says=str(error))


def _folder(settings: Settings) -> str:
    settings.data.mkdir(parents=True, exist_ok=True)
    probe = settings.data / ".doctor"
    probe.write_bytes(b"")
    probe.unlink()
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
    archive = Archive.open(settings.data, name, encoder)
    try:
        size = archive.size()
        if archive.model not in {None, encoder.model}:
            raise OSError(
                f"embedded with {archive.model}, the settings name {encoder.model}: "
                f"run `onrecord --collection {name} reindex --rebuild`"
            )
        archive.prepare()
        failing = [f"{one.uri}: {one.error}" for one in archive.sources.all() if one.failures]
        fails = f"; {len(failing)} sources fail, as {failing[0]}" if failing else ""
        return f"{size.articles:,} articles, {size.sentences:,} sentences{fails}"
    finally:
        archive.close()
