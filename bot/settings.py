"""Settings: from the command line, the environment and a TOML file, the first outweighing.

Defaults stand here and are complete; config/onrecord.toml shows and explains each.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError

from index import DEFAULT_THRESHOLD, PACKAGED_MODEL, QuestionError, SettingsError


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(str(error)) from None


class Model(BaseModel, extra="forbid", frozen=True):
    """Which encoder embeds sentences and questions."""

    name: str = PACKAGED_MODEL
    threads: int = Field(default=1, ge=1, le=256)


class Answers(BaseModel, extra="forbid", frozen=True):
    """When to answer, and how long to remember."""

    threshold: float = Field(default=DEFAULT_THRESHOLD, ge=0, le=1)
    keep_days: int = Field(default=180, ge=1, le=36_500)


class Discord(BaseModel, extra="forbid", frozen=True):
    """The bot's manners in Discord."""

    collections: dict[str, str] = Field(default_factory=dict)
    direct_messages: str = Field(default="", pattern=r"^[\w-]{0,64}$")
    moderator_roles: tuple[int, ...] = ()
    questions_per_minute: int = Field(default=6, ge=1, le=1_000)
    server_questions_per_minute: int = Field(default=60, ge=1, le=100_000)
    attachment_mb: int = Field(default=20, ge=1, le=500)
    moderator_channels: dict[str, int] = Field(default_factory=dict)
    notes: bool = True
    keep_days: int = Field(default=30, ge=0, le=3_650)

    def collection_of(self, server: int | None) -> str:
        """The collection of a server: its own, unless the settings map it (or "*") to another.

        Raises:
            QuestionError: no server, but a direct message, for which the settings name none.
        """
        if server is None:
            if not self.direct_messages:
                raise QuestionError(
                    "I cannot answer in direct messages: each server has its own reports, so "
                    "ask me there, with `private: True` if only you are to see the answer."
                )
            return self.direct_messages
        shared = self.collections.get("*", f"server-{server}")
        return self.collections.get(str(server), shared)


class Settings(BaseModel, extra="forbid", frozen=True):
    """All that an operator can set."""

    data: Annotated[Path, AfterValidator(_at_home)]
    collection: str = Field(default="default", pattern=r"^[\w-]{1,64}$")
    model: Model = Model()
    answers: Answers = Answers()
    discord: Discord = Discord()
    token: SecretStr | None = None


def load(
    *, data: Path | None = None, collection: str | None = None, config: Path | None = None
) -> Settings:
    """Settings of this run. Arguments come before the environment, and that before the file.

    Environment: ONRECORD_DATA, ONRECORD_COLLECTION, ONRECORD_CONFIG, and DISCORD_TOKEN, which
    can be set nowhere else.

    Raises:
        SettingsError: the file is missing, no TOML, or says something unknown or out of bounds.
    """
    named = config or _path("ONRECORD_CONFIG")
    values = _from_file(named) if named else {}
    if "token" in values:
        raise SettingsError("The token does not belong in a file: set DISCORD_TOKEN instead.")
    default = platformdirs.user_data_dir("onrecord", appauthor=False)
    found = {
        "data": data or _path("ONRECORD_DATA") or values.get("data") or default,
        "collection": collection or os.environ.get("ONRECORD_COLLECTION"),
        "token": os.environ.get("DISCORD_TOKEN"),
    }
    values |= {name: value for name, value in found.items() if value}
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"The setting “{where}” cannot be used: {first['msg']}.") from None


def _path(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}): check --config.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error
