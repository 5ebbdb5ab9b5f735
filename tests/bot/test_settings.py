"""Settings: their sources, and invalid settings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.processes import environment

from bot.settings import Settings, load
from index import SettingsError

EXAMPLE = Path(__file__).parents[2] / "config" / "onrecord.toml"

SET = tuple(
    f"ONRECORD_{name}" for name in ("DATA", "STORE", "REPLICA", "COLLECTION", "CONFIG", "SHARDS")
)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SET, "DISCORD_TOKEN", "PGPASSWORD"):
        monkeypatch.delenv(name, raising=False)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_arguments_override_the_environment_and_that_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line overrides the environment, which overrides the file."""
    config = write(tmp_path / "c.toml", 'data = "/from/file"\ncollection = "file"')
    assert load(config=config).data == Path("/from/file")
    monkeypatch.setenv("ONRECORD_CONFIG", str(config))
    monkeypatch.setenv("ONRECORD_DATA", "/from/environment")
    assert load().data == Path("/from/environment")
    assert load().collection == "file"
    assert load(data=Path("/argument"), collection="mine").data == Path("/argument")
    assert load(collection="mine").collection == "mine"


def test_each_process_has_its_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every server belongs to one process; the environment says which shards this one has."""
    config = write(tmp_path / "c.toml", '[discord]\nnotes = false\nshards = "0-1/6"')
    first = load(config=config).discord
    monkeypatch.setenv("ONRECORD_SHARDS", "2-5/6")
    second = load(config=config).discord
    assert (first.shard_range, second.shard_range) == ((range(2), 6), (range(2, 6), 6))
    assert not first.notes
    assert not second.notes
    for server in range(2**60, 2**60 + 2**28, 2**22 + 7):
        assert first.serves(server) != second.serves(server)
    assert load().discord.serves(2**60)


def test_the_password_comes_from_the_environment_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is read, removed from the environment, and hidden."""
    monkeypatch.setenv("PGPASSWORD", "very-secret")
    monkeypatch.setenv("ONRECORD_STORE", "postgresql://db.example/news")
    monkeypatch.setenv("ONRECORD_REPLICA", "postgresql://near.example/news")
    settings = load()
    assert settings.store == "postgresql://db.example/news"
    assert settings.replica == "postgresql://near.example/news"
    assert settings.store_password is not None
    assert settings.store_password.get_secret_value() == "very-secret"
    assert "very-secret" not in repr(settings)
    assert "PGPASSWORD" not in os.environ


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("colection = 'a'", "There is no setting “colection”: did you mean “collection”?"),
        ("threshold = 0.5", "There is no setting “threshold”: did you mean “answers.threshold”?"),
        (
            "[discord]\nnote = true",
            "There is no setting “discord.note”: did you mean “discord.notes”?",
        ),
        ("[model]\nthreads = 0", "The setting “model.threads” cannot be 0: "),
        ("model = 'large'", "The setting “model” cannot be "),
        ("data = '~nobody-here/x'", "~nobody-here/x is not a folder: "),
        ("[discord]\nshards = '4-8/8'", "The setting “discord.shards” cannot be '4-8/8'"),
        ("[discord]\nshards = '3'", "The setting “discord.shards” cannot be '3'"),
        ("[discord]\nattachment_mb = 'x'", "The setting “discord.attachment_mb” cannot be "),
        ("[discord]\ncollections = {7 = '../up'}", "The setting “discord.collections” cannot be "),
        ("[discord]\ncollections = {all = 'x'}", "The setting “discord.collections” cannot be "),
        ("not toml", ""),
        ("token = 'x'", "The token does not belong in a file: set DISCORD_TOKEN instead."),
        ("store_password = 'x'", "The password does not belong in a file: set PGPASSWORD instead."),
        ("[discord]\ntokne = 'x'", "The token does not belong in a file: set DISCORD_TOKEN"),
    ],
)
def test_a_wrong_setting_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """An unknown key, a wrong value, invalid TOML and a token are refused in one line."""
    with pytest.raises(SettingsError) as refused:
        load(config=write(tmp_path / "c.toml", text))
    message = str(refused.value)
    assert message.startswith(sentence)
    assert message.endswith((".", "?"))
    assert "\n" not in message


def test_a_device_is_no_settings_file() -> None:
    """A device, which may never end, is not read as a settings file."""
    with pytest.raises(SettingsError, match="/dev/zero is not a file"):
        load(config=Path("/dev/zero"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A settings file that does not exist is an error."""
    with pytest.raises(SettingsError, match=r"c\.toml cannot be read .*--config"):
        load(config=tmp_path / "c.toml")


def test_servers_have_their_own_collections(tmp_path: Path) -> None:
    """A server has `server-ID`, unless it or "*" is mapped to another collection."""
    text = '[discord]\ncollections = {"*" = "shared", 7 = "seven"}'
    mapped = load(config=write(tmp_path / "c.toml", text)).discord
    assert (mapped.collection_of(7), mapped.collection_of(8)) == ("seven", "shared")
    assert load().discord.collection_of(8) == "server-8"


def test_the_token_comes_from_the_environment_and_stays_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The token is read from DISCORD_TOKEN once, and is not in the settings' repr."""
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    settings = load()
    assert settings.token is not None
    assert settings.token.get_secret_value() == "very-secret"
    assert "very-secret" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert "DISCORD_TOKEN" not in os.environ
    assert load().token is None


# Prints what a child of this process and the process itself see of its secrets.
SECRETS = """
import ctypes, os, sys
from bot.settings import load
library = ctypes.CDLL(None)
if os.getuid() == 0:  # who may read everything
    os.setuid(65534)
library.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: as if started by this user
library.prctl(0x59616D61, -1, 0, 0, 0)  # PR_SET_PTRACER: where Yama guards processes
if "load" in sys.argv:
    load()
def see(name, me):
    try:
        with open(f"/proc/{me}/{name}", "rb") as file:
            print(name, "secret" if name == "mem" or b"very-secret" in file.read() else "clean")
    except PermissionError:
        print(name, "refused")
if os.fork() == 0:
    see("environ", os.getppid())
    see("mem", os.getppid())
    os._exit(sys.stdout.flush() or 0)
os.wait()
library.prctl(4, 1, 0, 0, 0)
see("environ", os.getpid())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows processes as files")
@pytest.mark.parametrize(
    ("argument", "seen"),
    [
        ("", ["environ secret", "mem secret", "environ secret"]),
        ("load", ["environ refused", "mem refused", "environ clean"]),
    ],
)
def test_other_processes_do_not_see_the_token(argument: str, seen: list[str]) -> None:
    """The token is removed from the environment's memory and hidden from other processes."""
    shown = subprocess.run(
        [sys.executable, "-c", SECRETS, argument],
        env=environment() | {"DISCORD_TOKEN": "very-secret"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines() == seen


def test_the_example_shows_every_setting_and_its_default() -> None:
    """config/onrecord.toml has every setting, each under a comment, with its default value."""
    text = EXAMPLE.read_text(encoding="utf-8")
    values = tomllib.loads(text)
    shown = Settings(**values)
    assert shown == Settings(data=shown.data)
    assert set(values) == set(Settings.model_fields) - {"token", "store_password"}
    for section in ("model", "answers", "discord"):
        assert set(values[section]) == set(type(getattr(shown, section)).model_fields)
    for paragraph in text.split("\n\n"):
        assert re.sub(r"^\[\w+\]\n", "", paragraph).startswith("#"), paragraph
