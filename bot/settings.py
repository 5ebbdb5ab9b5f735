"""Settings from the command line, the environment and a TOML file, in this order of precedence.

The defaults are here; config/onrecord.toml shows and explains each.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import AfterValidator, BaseModel, Field, SecretStr, StringConstraints, ValidationError

from index import DEFAULT_THRESHOLD, PACKAGED_MODEL, QuestionError, SettingsError

_NAME = "letters, digits, “-” and “_”, 64 at most"
_CollectionName = Annotated[str, StringConstraints(pattern=r"^[\w-]{1,64}$")]
_ServerId = Annotated[str, StringConstraints(pattern=r"^\d+$")]
_ServerIdOrAny = Annotated[str, StringConstraints(pattern=r"^(\d+|\*)$")]


def _whole(default: int, low: int, high: int) -> Any:
    described = f"a whole number from {low} to {high}"
    return Field(default=default, ge=low, le=high, description=described)


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:  # "~nobody" names no user
        raise ValueError(str(error)) from None


# A description completes the sentence "The setting ... must be ...".


class Model(BaseModel, extra="forbid", frozen=True):
    """The encoder that embeds sentences and questions."""

    name: str = Field(default=PACKAGED_MODEL, description="the name of a model, or its folder")
    threads: int = _whole(1, 1, 256)


class Answers(BaseModel, extra="forbid", frozen=True):
    """When to answer, and how long to remember answers."""

    threshold: float = Field(
        default=DEFAULT_THRESHOLD, ge=0, le=1, description="a number from 0 to 1"
    )
    keep_days: int = _whole(180, 1, 36_500)


class Discord(BaseModel, extra="forbid", frozen=True):
    """How the bot behaves in Discord."""

    moderator_roles: tuple[int, ...] = Field(
        default=(), description="a list of role ids, such as [12345]"
    )
    collections: dict[_ServerIdOrAny, _CollectionName] = Field(
        default={}, description=f'a table from server ids, or "*", to names of collections: {_NAME}'
    )
    direct_messages: _CollectionName | Literal[""] = Field(
        default="", description=f'the name of a collection, {_NAME}; or ""'
    )
    questions_per_minute: int = _whole(6, 1, 1_000)
    server_questions_per_minute: int = _whole(60, 1, 100_000)
    attachment_mb: int = _whole(20, 1, 500)
    moderator_channels: dict[_ServerId, int] = Field(
        default={}, description="a table from server ids to channel ids"
    )
    notes: bool = Field(default=True, description="true or false")
    keep_days_after_leaving: int = _whole(30, 0, 3_650)

    def collection_of(self, server: int | None) -> str:
        """The collection of a server: `server-ID`, unless the settings map it (or "*") to another.

        Raises:
            QuestionError: `server` is None (a direct message), and no collection is set for those.
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


class Settings(BaseModel, extra="forbid", frozen=True):
    """Everything an operator can set."""

    data: Annotated[Path, AfterValidator(_expanded)] = Field(description="the path of a folder")
    collection: _CollectionName = Field(
        default="default", description=f"the name of a collection: {_NAME}"
    )
    model: Model = Field(default=Model(), description="a section, [model]")
    answers: Answers = Field(default=Answers(), description="a section, [answers]")
    discord: Discord = Field(default=Discord(), description="a section, [discord]")
    token: SecretStr | None = None


def load(
    *, data: Path | None = None, collection: str | None = None, config: Path | None = None
) -> Settings:
    """The settings of this run: arguments override the environment, which overrides the file.

    Environment: ONRECORD_DATA, ONRECORD_COLLECTION, ONRECORD_CONFIG, and DISCORD_TOKEN, which is
    read from nowhere else.

    Raises:
        SettingsError: the file is missing or is not TOML, a key is unknown, or a value is wrong.
    """
    file = config or os.environ.get("ONRECORD_CONFIG")
    values = _from_file(Path(file)) if file else {}
    if "token" in values:
        raise SettingsError("The token does not belong in a file: set DISCORD_TOKEN instead.")
    default = platformdirs.user_data_dir("onrecord", appauthor=False)
    overrides = {
        "data": data or os.environ.get("ONRECORD_DATA") or values.get("data") or default,
        "collection": collection or os.environ.get("ONRECORD_COLLECTION"),
        "token": os.environ.get("DISCORD_TOKEN"),
    }
    values |= {name: value for name, value in overrides.items() if value}
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            _sentence(first["type"], [str(part) for part in first["loc"]])
        ) from None


def _sentence(kind: str, place: list[str]) -> str:
    """What is wrong with the setting at `place`, such as ["discord", "notes"]."""
    descriptions = dict(_described(Settings))
    name = ".".join(place[:2])
    if kind == "extra_forbidden":
        nearest = get_close_matches(name, descriptions, n=1, cutoff=0)[0]
        return f"There is no setting “{name}”; the nearest is “{nearest}”."
    name = name if name in descriptions else place[0]
    return f"The setting “{name}” must be {descriptions[name]}."


def _described(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The full name and the description of each setting that a file can hold."""
    for name, field in section.model_fields.items():
        if field.description:
            yield f"{prefix}{name}", field.description
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _described(field.annotation, f"{name}.")


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}): check --config.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error
