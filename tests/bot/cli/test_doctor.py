"""`onrecord doctor` finds faults, and says how to fix them."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import discord
import pytest
from support.fakes import FakeEncoder
from support.shell import Shell

from index import CATALOGUE, TrainedReader
from index.reading import formats, sandbox


def findings(shell: Shell, status: int = 0) -> dict[str, str]:
    """Return the line of each check; a fault begins with "FIX"."""
    rows = shell.json("doctor", status=status)["checks"]
    return {row["check"]: ("" if row["ok"] else "FIX ") + row["says"] for row in rows}


def test_a_healthy_installation_is_found_healthy(stocked: Shell) -> None:
    """Every check passes, even without a token, and the collection's size is shown."""
    checks = findings(stocked)
    assert not any(text.startswith("FIX") for text in checks.values())
    assert checks["collection default"] == "2 articles, 4 sentences"
    assert checks["Discord"].startswith("DISCORD_TOKEN is not set")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux isolates a process")
def test_the_reader_is_checked(stocked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """`doctor` loads the reader, notices changed weights, and says if the reader is off."""
    assert re.match(r"reader-\w+ loads; .* right SHA-256$", findings(stocked)["reader"])
    with monkeypatch.context() as patch:
        patch.setattr("bot.cli.doctor.TrainedReader", lambda: TrainedReader(sha256="0" * 64))
        wrong = findings(stocked, status=1)["reader"]
    assert re.match("FIX The weights .*reader.onnx are not the published ones", wrong)
    settings = stocked.data.parent / "off.toml"
    settings.write_text("[answers]\nreader = false\n")
    assert "ok   reader: off" in stocked("doctor", "--config", str(settings))


def test_missing_isolation_is_found(stocked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """`doctor` says whether parsers are isolated, and what is missing if they are not."""
    assert findings(stocked)["parsers"].endswith(
        "cannot reach files, the network or other processes"
    )
    lacking = "import sys; sys.modules['pyseccomp'] = None\n" + sandbox._START
    monkeypatch.setattr(sandbox, "_START", lacking)
    monkeypatch.setattr(formats, "_SANDBOX", sandbox.Sandbox())
    text = findings(stocked, status=1)["parsers"]
    assert re.match("FIX .* can reach the network and other processes .*libseccomp", text)


def test_a_failing_source_is_counted(stocked: Shell, tmp_path: Path) -> None:
    """A source that cannot be read is counted; the collection stays healthy."""
    gone = tmp_path / "gone.txt"
    gone.write_text("The ferry sank.", encoding="utf-8")
    stocked("sources", "--add", str(gone))
    gone.unlink()
    stocked("reindex", status=1)
    assert "1 source failing: see `onrecord sources`" in findings(stocked)["collection default"]


def test_another_encoder_needs_a_rebuild(stocked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a collection embedded with another encoder, `doctor` names the command to run."""
    other = FakeEncoder("other")
    monkeypatch.setattr("index.load_encoder", lambda *_, **__: other)
    text = findings(stocked, status=1)["collection default"]
    assert text.startswith("FIX embedded with fake-256, but the settings name other")
    assert "`onrecord --collection default reindex --rebuild`" in text


def test_a_full_disk_is_found(stocked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than 500 MB of free space is reported, and the other checks still run."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000_000))
    checks = findings(stocked, status=1)
    assert checks["disk"] == "FIX only 100 MB are free: make room"
    assert not checks["collection default"].startswith("FIX")


def test_an_unusable_data_folder_is_found(run: Shell, tmp_path: Path) -> None:
    """A data folder that cannot be created fails its check, not the command."""
    (tmp_path / "file").write_text("")
    text = run("doctor", "--data", str(tmp_path / "file" / "below"), status=1)
    assert "FIX  data folder: " in text
    assert "ok   model: " in text


def test_an_interrupted_erasure_is_found(stocked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interrupted erasure no collection is left, and `doctor` names what to delete."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", interrupt)
        stocked("erase-all", "--yes", "default", status=130)
    (rest,) = stocked.data.glob(".default-*")
    checks = findings(stocked, status=1)
    assert checks["data folder"].endswith(f"delete what is left, {rest}")
    assert not any(name.startswith("collection") for name in checks)


class FakeDiscord(BaseHTTPRequestHandler):
    """Replies to a bot with its name, its servers and its permissions."""

    permissions = discord.Permissions.all_channel()

    def do_GET(self) -> None:
        """Answer the three requests of the check; only one token is valid."""
        known = self.headers["Authorization"] == "Bot very-secret"
        user = {"id": "1", "username": "record", "discriminator": "0", "avatar": None}
        server = {"id": "7", "name": "Tessen News", "permissions": str(self.permissions.value)}
        application = {"id": "1", "name": "record", "icon": None, "description": "", "flags": 0} | {
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "",
            "owner": user,
        }
        payloads = {"/users/@me": user, "/users/@me/guilds": [server]}
        body = json.dumps(payloads.get(self.path.split("?")[0], application)).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def fake_discord(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeDiscord]]:
    """Run a Discord on loopback, whose permissions can be set."""
    handler = type("Handler", (FakeDiscord,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(discord.http.Route, "BASE", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
        yield handler
        server.shutdown()


@pytest.mark.usefixtures("fake_discord")
def test_the_token_is_never_printed(stocked: Shell) -> None:
    """The token appears in no output, including logs."""
    assert "very-secret" not in stocked("doctor", "--debug") + stocked.err


def test_missing_permissions_are_named(
    stocked: Shell, fake_discord: type[FakeDiscord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`doctor` names missing permissions and their servers."""
    assert findings(stocked)["Discord"] == "token accepted; all permissions in 1 server"
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    fake_discord.permissions = discord.Permissions(view_channel=True, read_message_history=True)
    text = findings(stocked, status=1)["Discord"]
    assert text.startswith("FIX in “Tessen News” the bot may not Send Messages or ")
    assert "Read Message History" not in text


@pytest.mark.usefixtures("fake_discord")
def test_a_refused_token_is_found(stocked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped token and an unreachable Discord are reported differently."""
    monkeypatch.setenv("DISCORD_TOKEN", "mistyped")
    assert findings(stocked, status=1)["Discord"].startswith("FIX Discord refuses the token")
    monkeypatch.setattr(discord.http.Route, "BASE", "http://127.0.0.1:1")
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    assert findings(stocked, status=1)["Discord"].startswith("FIX Discord cannot be reached")


def test_a_damaged_collection_is_found(stocked: Shell) -> None:
    """`doctor` also notices damage in a page that no question reads."""
    file = stocked.data / "default" / CATALOGUE
    content = bytearray(file.read_bytes())
    with closing(sqlite3.connect(file)) as db:
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'feedback'"
        (page,) = db.execute(sql).fetchone()
        size = db.execute("PRAGMA page_size").fetchone()[0]
    content[(page - 1) * size : page * size] = b"\xff" * size
    file.write_bytes(content)
    says = findings(stocked, status=1)["collection default"]
    assert says.startswith("FIX The collection is damaged")
    assert "onrecord recover" in says
