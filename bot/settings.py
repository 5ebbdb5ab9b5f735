"""Settings from the command line, the environment and a TOML file, in this order of precedence.

The defaults are here; config/onrecord.toml explains every setting.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
)

from index import DEFAULT_THRESHOLD, PACKAGED_MODEL, QuestionError, SettingsError

_CollectionName = Annotated[str, StringConstraints(pattern=r"^[\w-]{1,64}$")]
_TOKEN = "DISCORD_TOKEN"  # noqa: S105 - its name
_PASSWORD = "PGPASSWORD"  # noqa: S105 - its name
_MISPLACED_TOKEN = f"The token does not belong in a file: set {_TOKEN} instead."
_PR_SET_DUMPABLE = 4
_ServerIdOrAny = Annotated[str, StringConstraints(pattern=r"^(\d+|\*)$")]


def _shards(text: str) -> tuple[range, int] | None:
    """Return the shards in "0-3/8" and the number of all shards; None for no text."""
    if not text:
        return None
    shards, _, count = text.partition("/")
    first, _, last = shards.partition("-")
    return range(int(first), int(last) + 1), int(count)


class Model(BaseModel, extra="forbid", frozen=True):
    """The encoder that embeds sentences and questions."""

    name: str = PACKAGED_MODEL
    threads: int = Field(default=1, ge=1, le=256)
    prompts: tuple[str, str] | tuple[()] = ()


class Answers(BaseModel, extra="forbid", frozen=True):
    """When to answer, and how long to keep answers."""

    threshold: float = Field(default=DEFAULT_THRESHOLD, ge=0, le=1)
    reader: bool = True
    keep_days: int = Field(default=180, ge=1, le=36_500)


class Discord(BaseModel, extra="forbid", frozen=True):
    """How the bot behaves in Discord."""

    collections: dict[_ServerIdOrAny, _CollectionName] = {}
    direct_messages: _CollectionName | Literal[""] = ""
    questions_per_minute: int = Field(default=6, ge=1, le=1_000)
    server_questions_per_minute: int = Field(default=60, ge=1, le=100_000)
    attachment_mb: int = Field(default=20, ge=1, le=500)
    notes: bool = True
    keep_days_after_leaving: int = Field(default=30, ge=0, le=3_650)
    open_collections: int = Field(default=64, ge=1, le=100_000)
    shards: Annotated[str, StringConstraints(pattern=r"^(\d+-\d+/\d+)?$")] = ""

    @field_validator("shards")
    @classmethod
    def _check_shards(cls, text: str) -> str:
        own = _shards(text)
        if own and not (own[0] and own[0][-1] < own[1]):
            raise ValueError(f"{text} is not a range of shards")
        return text

    @property
    def shard_range(self) -> tuple[range, int] | None:
        """The shards of this process, and the number of all; None: all, as Discord advises."""
        return _shards(self.shards)

    def serves(self, server: int) -> bool:
        """Return whether this process serves the shard of a server."""
        own = self.shard_range
        return own is None or (server >> 22) % own[1] in own[0]

    def collection_of(self, server: int | None) -> str:
        """Return a server's collection: `server-ID`, unless the settings map it or "*" to another.

        Raises:
            QuestionError: `server` is None (a direct message), and no collection answers those.
        """
        if server is None:
            if not self.direct_messages:
                raise QuestionError(
                    "I can't answer in direct messages, because each server has its own reports. "
                    "Ask me in the server; with `private: True` only you see the answer."
                )
            return self.direct_messages
        shared = self.collections.get("*", f"server-{server}")
        return self.collections.get(str(server), shared)

    def is_shared(self, server: int | None) -> bool:
        """Return whether the settings name a server's collection, so that others may use it."""
        named = {self.direct_messages, *self.collections.values()}
        return server is None or self.collection_of(server) in named


class Logs(BaseModel, extra="forbid", frozen=True):
    """What the bot logs."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    questions: bool = False


class Metrics(BaseModel, extra="forbid", frozen=True):
    """Where a monitor on this machine finds metrics."""

    port: int = Field(default=0, ge=0, le=65_535)


class Settings(BaseModel, extra="forbid", frozen=True):
    """Everything an operator can set."""

    data: Path
    store: str = ""
    replica: str = ""
    collection: _CollectionName = "default"
    model: Model = Model()
    answers: Answers = Answers()
    discord: Discord = Discord()
    logs: Logs = Logs()
    metrics: Metrics = Metrics()
    token: SecretStr | None = None
    store_password: SecretStr | None = None


def load(
    *, data: Path | None = None, collection: str | None = None, config: Path | None = None
) -> Settings:
    """Load the settings: arguments override the environment, which overrides the file.

    Environment: ONRECORD_DATA, ONRECORD_STORE, ONRECORD_REPLICA, ONRECORD_COLLECTION,
    ONRECORD_CONFIG, ONRECORD_METRICS_PORT, ONRECORD_SHARDS, and DISCORD_TOKEN and PGPASSWORD,
    which are read from nowhere else, and only once: they are then removed.

    Raises:
        SettingsError: the file is missing or is not TOML, a key is unknown, or a value is wrong.
    """
    file = config or os.environ.get("ONRECORD_CONFIG")
    if file and Path(file).exists() and not Path(file).is_file():  # reading a device may not end
        raise SettingsError(f"{file} is not a file: check --config.")
    try:
        values = tomllib.loads(Path(file).read_text(encoding="utf-8")) if file else {}
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}): check --config.") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise SettingsError(f"{file} is not valid TOML: {error}.") from error
    if "token" in values:
        raise SettingsError(_MISPLACED_TOKEN)
    if "store_password" in values:
        raise SettingsError(f"The password does not belong in a file: set {_PASSWORD} instead.")
    default = platformdirs.user_data_dir("onrecord", appauthor=False)
    port = os.environ.get("ONRECORD_METRICS_PORT")
    overrides = {
        "data": data or os.environ.get("ONRECORD_DATA") or values.get("data") or default,
        "store": os.environ.get("ONRECORD_STORE"),
        "replica": os.environ.get("ONRECORD_REPLICA"),
        "collection": collection or os.environ.get("ONRECORD_COLLECTION"),
        "metrics": {"port": port} if port else None,
        "token": _take(_TOKEN),
        "store_password": _take(_PASSWORD),
    }
    values |= {name: value for name, value in overrides.items() if value}
    shards = os.environ.get("ONRECORD_SHARDS")
    if shards and isinstance(values.setdefault("discord", {}), dict):
        values["discord"]["shards"] = shards
    try:
        settings = Settings(**values)
        return settings.model_copy(update={"data": settings.data.expanduser()})
    except RuntimeError as error:  # "~nobody", if there is no such user
        raise SettingsError(f"{settings.data} is not a folder: {error}") from error
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def _take(variable: str) -> str | None:
    """Return a secret, and wipe it from where other processes of this user could read it."""
    secret = os.environ.get(variable)
    if secret:
        library = ctypes.CDLL(None)
        library.getenv.restype = ctypes.c_void_p
        if address := library.getenv(variable.encode()):  # /proc/PID/environ would still show it
            ctypes.memset(address, 0, len(os.fsencode(secret)))
        del os.environ[variable]
        if sys.platform == "linux":  # close /proc/PID/environ and /proc/PID/mem, also to debuggers
            library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return secret


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][:2])
    if first["type"] != "extra_forbidden":
        value = first["input"]
        return (
            f"The setting “{name}” cannot be {value!r}: config/onrecord.toml says what it can be."
        )
    defaults = Settings(data=Path()).model_dump(exclude={"token", "store_password"})
    sections = {name: value for name, value in defaults.items() if isinstance(value, dict)}
    known = [*defaults, *(f"{section}.{key}" for section in sections for key in sections[section])]
    nearest = get_close_matches(name, [*known, "discord.token"], n=1, cutoff=0)[0]
    if nearest.endswith("token"):
        return _MISPLACED_TOKEN
    return f"There is no setting “{name}”: did you mean “{nearest}”?"
