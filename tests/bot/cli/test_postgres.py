"""The `onrecord` command on a PostgreSQL database, and copies between engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.postgres import Postgres
from support.shell import Shell

from index import CATALOGUE


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return a collection name for this test alone."""
    return f"cli{abs(hash(request.node.nodeid)):x}"


class Database:
    """Runs commands on the database or, without `on`, on the data folder."""

    def __init__(self, shell: Shell, server: Postgres, patch: pytest.MonkeyPatch) -> None:
        self.shell, self._server, self._patch = shell, server, patch

    def __call__(self, *arguments: str, status: int = 0, on: bool = True) -> str:
        """Return what a command prints; each run reads the password again, and removes it."""
        self._patch.setenv("PGPASSWORD", self._server.password)
        self._patch.setenv("ONRECORD_STORE", self._server.address if on else "")
        return self.shell(*arguments, status=status)


@pytest.fixture
def served(stocked: Shell, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Database:
    return Database(stocked, postgres, monkeypatch)


def test_commands_work_on_a_database(served: Database, name: str, tmp_path: Path) -> None:
    """Adding, asking, backing up and erasing work on the database, and leave the folder empty."""
    report = tmp_path / "dam.txt"
    report.write_text("A gate at Hallow Dam failed on Monday. Two people died.", encoding="utf-8")
    served("--collection", name, "add", str(report))
    assert "Two people died." in served("--collection", name, "ask", "Who died at Hallow Dam?")
    served("--collection", name, "backup", str(tmp_path / "copy"))
    served("--collection", name, "erase-all", "--yes", name)
    assert "no collection" in served("--collection", name, "articles", status=1) + served.shell.err
    served("--collection", name, "recover", str(tmp_path / "copy"), "--yes")
    assert "dam" in served("--collection", name, "articles")
    assert not (served.shell.data / name / CATALOGUE).exists()
    served("--collection", name, "erase-all", "--yes", name)


def test_collections_are_copied_both_ways(
    served: Database, name: str, postgres: Postgres, tmp_path: Path
) -> None:
    """A copy is complete, is not made twice, and is not made into other contents."""
    served("sources", "--add", str(tmp_path), "--every", "60", on=False)
    served("ask", "How many people died?", on=False)
    (served.shell.data / "default").rename(served.shell.data / name)
    before = [served("--collection", name, *what, on=False) for what in LISTED]
    there = ("--to", postgres.address)
    assert "copied and compared" in served("copy", name, *there, on=False)
    assert "already there" in served("copy", name, *there, on=False)
    assert [served("--collection", name, *what) for what in LISTED] == before
    back = tmp_path / "back"
    assert "copied and compared" in served("copy", name, "--to", str(back))
    served("--data", str(back), "--collection", name, "remove", "dam", on=False)
    served("copy", name, "--from", str(back), *there, status=1, on=False)
    assert "other contents" in served.shell.err
    served("--collection", name, "erase-all", "--yes", name)
    served("copy", "--from", str(back), *there, on=False)
    assert "dam" in served("--collection", name, "articles", "--removed")
    served("--collection", name, "erase-all", "--yes", name)


LISTED = (("articles", "--json"), ("history", "--json"), ("sources", "--json"))


def test_a_copy_needs_another_place(served: Database) -> None:
    """Copying a collection onto itself, or one that does not exist, is refused with advice."""
    served("copy", status=1, on=False)
    assert "--to" in served.shell.err
    served("copy", "--from", str(served.shell.data / "none"), "--to", "x", status=1, on=False)
    assert "--from" in served.shell.err


def test_doctor_checks_the_server(served: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """`doctor` names the server's versions, and says what to set if the password is missing."""
    assert "ok   store: PostgreSQL" in served("doctor")
    monkeypatch.setattr(served._server, "password", "wrong")
    shown = served("doctor", status=1)
    assert "FIX  store: PostgreSQL cannot be used" in shown
    assert "PGPASSWORD" in shown
    assert "Discord" in shown
