"""The fixtures of the command line's tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.fakes import FakeEncoder
from support.shell import ROWS, Shell


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.setenv("ONRECORD_DATA", str(tmp_path / "data"))
    for name in ("STORE", "REPLICA", "COLLECTION", "CONFIG"):
        monkeypatch.delenv(f"ONRECORD_{name}", raising=False)
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)
    monkeypatch.setattr("index.load_encoder", lambda *_, **__: FakeEncoder())
    return Shell(tmp_path / "data", monkeypatch, capsys)


@pytest.fixture
def stocked(run: Shell) -> Shell:
    run("add", "-", stdin="\n".join(map(json.dumps, ROWS)).encode())
    return run
