"""Connect to a PostgreSQL server, and open transactions on a collection."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import threading
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import psycopg
import psycopg_pool
from psycopg import conninfo, errors, sql

from index.errors import (
    SettingsError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    not_utf8,
)
from index.store.postgres import schema as schemas
from index.store.postgres.database import PostgresDatabase
from index.store.postgres.types import register

log = logging.getLogger(__name__)
CHANNEL = "onrecord"
LEAST_SERVER, LEAST_VECTOR = 15, (0, 8)
_BUSY_S = 30  # how long to wait for another writer
CONNECT_S = 10  # how long to wait for a connection, or for a silent server
_AT_MOST = 20  # connections of one process
_LOOPBACK = ("localhost", "127.", "::1", "/", "@")  # how a host on this machine begins
_HOLDER = """
    SELECT application_name, pid, coalesce(host(client_addr), 'this machine'), query_start
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND classid::bigint = %s AND objid::bigint = %s
    AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def parameters(
    address: str, password: str | None = None, connect_s: int = CONNECT_S
) -> dict[str, Any]:
    """Return how to connect to an address, `postgresql://USER@HOST/DATABASE`.

    The certificate of another host is checked, unless the address or PGSSLMODE says otherwise.

    Raises:
        SettingsError: the address cannot be read, or has a password in it.
    """
    try:
        given: dict[str, Any] = conninfo.conninfo_to_dict(address)
    except psycopg.ProgrammingError:  # its message has the address, perhaps with a password
        raise SettingsError(
            "An address in the settings is not that of a PostgreSQL database: write "
            "postgresql://USER@HOST/DATABASE."
        ) from None
    if given.pop("password", None):
        raise SettingsError(
            "A password does not belong in the address of a database: set PGPASSWORD, or name a "
            "file with PGPASSFILE."
        )
    host = str(given.get("host") or os.environ.get("PGHOST") or "/")
    if not all(name.startswith(_LOOPBACK) for name in host.split(",")):
        if "sslmode" not in given and "PGSSLMODE" not in os.environ:
            given["sslmode"] = "verify-full"
        if given.get("sslmode") == "verify-full" and "PGSSLROOTCERT" not in os.environ:
            given.setdefault("sslrootcert", "system")
    name = f"onrecord {platform.node()} {os.getpid()}"
    usual = {
        "application_name": name[:63],
        "autocommit": True,
        "connect_timeout": connect_s,
        # Else a connection to a host that vanished would seem alive for hours.
        "keepalives_idle": connect_s,
        "keepalives_interval": 1,
        "tcp_user_timeout": 1_000 * connect_s,
    }
    return usual | ({"password": password} if password else {}) | given


class Server:
    """The database that collections are in. Safe to use from several threads."""

    def __init__(
        self,
        address: str,
        password: str | None = None,
        *,
        connect_s: int = CONNECT_S,
        lease_s: float = _BUSY_S,
    ) -> None:
        """Connect at first use.

        Args:
            address: the address of the database.
            password: the password of its user.
            connect_s: seconds to wait for a connection, and for an answer on it.
            lease_s: seconds to wait while all connections are in use.

        Raises:
            SettingsError: the address cannot be used.
        """
        self._parameters = parameters(address, password, connect_s)
        self._lock = threading.Lock()
        self._types: dict[str, list[int]] = {}
        self._closed = False
        self._pool = psycopg_pool.ConnectionPool(
            kwargs=self._parameters,
            min_size=0,
            max_size=_AT_MOST,
            timeout=lease_s,
            configure=self._configure,
            check=psycopg_pool.ConnectionPool.check_connection,
            open=False,
        )

    def connect(self) -> psycopg.Connection[Any]:
        """Open a connection outside the pool. Raises StoreError."""
        try:
            return psycopg.connect(**self._parameters)
        except psycopg.OperationalError as error:
            raise explained(error) from error

    @cached_property
    def _vector(self) -> tuple[int, str]:
        """The type id of pgvector's vectors, and the schema of pgvector.

        Raises:
            StoreError: the server or pgvector is missing, too old, or not accessible.
        """
        with self.connect() as db:
            version, extension = versions(db)
            if version < LEAST_SERVER:
                raise StoreError(
                    f"The server is PostgreSQL {version}: install {LEAST_SERVER} or a later one."
                )
            if extension is None:
                try:
                    db.execute("CREATE EXTENSION IF NOT EXISTS vector")
                except psycopg.Error as error:
                    raise StoreError(
                        "The database has no pgvector, and this user cannot add it: install "
                        "pgvector on the server, then run CREATE EXTENSION vector in the database "
                        "as a superuser."
                    ) from error
                _, extension = versions(db)
            if extension is None or extension < LEAST_VECTOR:
                raise StoreError(
                    "pgvector is older than 0.8: install a later one on the server, then run "
                    "ALTER EXTENSION vector UPDATE."
                )
            (row,) = db.execute(
                "SELECT t.oid, nspname FROM pg_extension e JOIN pg_type t "
                "ON t.typnamespace = e.extnamespace JOIN pg_namespace n ON n.oid = e.extnamespace "
                "WHERE extname = 'vector' AND typname = 'vector'"
            ).fetchall()
            return int(row[0]), str(row[1])

    def _configure(self, db: psycopg.Connection[Any]) -> None:
        register(db, self._vector[0])
        # Compiling a statement (jit) would take longer than running it.
        db.execute("SET TimeZone = 'UTC'; SET client_min_messages = warning; SET jit = off")

    @contextlib.contextmanager
    def lease(self) -> Iterator[psycopg.Connection[Any]]:
        """Lend a connection, in autocommit. Raises StoreError for what PostgreSQL raises."""
        with self._lock:
            if self._closed:
                raise StoreError("The collection was closed meanwhile: try again.")
            if self._pool.closed:
                _ = self._vector  # raises an error that says why, if the server cannot be used
                self._pool.open()
        try:
            with self._pool.connection() as db:
                try:
                    yield db
                finally:
                    if db.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                        with contextlib.suppress(psycopg.Error):
                            db.rollback()
        except psycopg_pool.PoolTimeout as error:
            self.connect().close()  # raises an error that says why, if the server is gone
            raise StoreBusyError(
                "PostgreSQL has no connection free: try again in a minute."
            ) from error
        except psycopg.Error as error:
            raise explained(error) from error
        except UnicodeEncodeError as error:  # bytes on a command line that are not UTF-8
            raise not_utf8(error) from error

    @contextlib.contextmanager
    def reading(self, schema: str, position: str | None = None) -> Iterator[PostgresDatabase]:
        """Open a read transaction on a collection, which sees a single state of it.

        Args:
            schema: the collection's.
            position: on a replica, the position of the primary's log that it must have replayed.

        Raises:
            StoreBusyError: the replica has not replayed the log so far.
        """
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        with self.lease() as db:
            if position is not None and not has_replayed(db, position):
                raise StoreBusyError("The replica is behind: the primary has to be asked.")
            self._begin(db, begin, schema)
            yield PostgresDatabase(db, self._types)
            db.rollback()

    @contextlib.contextmanager
    def writing(self, schema: str) -> Iterator[PostgresDatabase]:
        """Hold the write transaction of a collection: committed at the end, or rolled back.

        Raises:
            StoreBusyError: another process writes to it and does not finish.
        """
        with self.lease() as db:
            self._begin(db, "BEGIN", schema)
            key = hash_of(schema)
            db.execute(f"SET LOCAL lock_timeout = '{_BUSY_S}s'")
            try:
                db.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
            except errors.LockNotAvailable as error:
                db.rollback()
                raise StoreBusyError(_who_holds(db, key)) from error
            database = PostgresDatabase(db, self._types)
            yield database
            if database.in_transaction:
                name = schema.removeprefix(schemas.PREFIX)
                db.execute("SELECT pg_notify(%s, %s)", (CHANNEL, name))
                db.execute("COMMIT")

    def _begin(self, db: psycopg.Connection[Any], begin: str, schema: str) -> None:
        path = sql.SQL(", ").join(map(sql.Identifier, (schema, self._vector[1])))
        db.execute(sql.SQL("{}; SET LOCAL search_path = {}").format(sql.SQL(begin), path))

    def close(self) -> None:
        """Close idle connections, and others once they are returned."""
        with self._lock:
            self._closed = True
        self._pool.close()


def versions(db: psycopg.Connection[Any]) -> tuple[int, tuple[int, ...] | None]:
    """Return the major version of the server, and the version of pgvector or None."""
    row = db.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    extension = tuple(int(part) for part in row[0].split(".")) if row else None
    return db.info.server_version // 10_000, extension


def position_of(db: psycopg.Connection[Any]) -> str:
    """Return a position in a primary's log that is after all commits up to now."""
    (row,) = db.execute("SELECT pg_current_wal_flush_lsn()::text").fetchall()
    return str(row[0])


def has_replayed(db: psycopg.Connection[Any], position: str) -> bool:
    """Return whether a replica shows all commits before a position in the primary's log."""
    row = db.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (position,)).fetchone()
    return row == (True,)


def hash_of(name: str) -> int:
    """Return the key of an advisory lock; a schema's is the write lock of its collection."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)


def _who_holds(db: psycopg.Connection[Any], key: int) -> str:
    """Return a sentence on who writes to a collection."""
    high, low = (key >> 32) & 0xFFFFFFFF, key & 0xFFFFFFFF
    row = db.execute(_HOLDER, (high, low)).fetchone()
    who = "Another process"
    if row:
        name, pid, host, since = row
        who = f"“{name}” ({host}, server process {pid}, since {since:%H:%M:%S} UTC)"
    return f"{who} is writing to this collection: wait until it has finished, then try again."


_REASONS: tuple[tuple[type[psycopg.Error], type[StoreError], str], ...] = (
    (
        errors.LockNotAvailable,
        StoreBusyError,
        "Another process uses this collection: wait until it has finished, then try again.",
    ),
    (
        errors.ReadOnlySqlTransaction,
        StoreError,
        "The server is read-only: the setting “store” has to name the primary.",
    ),
    (errors.DiskFull, StoreError, "The server's disk is full: make room, then try again."),
    (
        errors.InsufficientPrivilege,
        StoreError,
        "The database user lacks a right ({}): grant it, or let it own the collection's schema.",
    ),
    (
        errors.DataCorrupted,
        StoreDamagedError,
        "The collection is damaged ({}): restore a backup with `onrecord recover`.",
    ),
    (
        psycopg.OperationalError,
        StoreError,
        "PostgreSQL cannot be used ({}): check the server, its address, and PGPASSWORD.",
    ),
    (psycopg.Error, StoreError, "The collection cannot be opened or used ({}): try again."),
)


def explained(error: psycopg.Error) -> StoreError:
    """Return an error of PostgreSQL as an error whose message says what to do."""
    kind, text = next((kind, text) for cause, kind, text in _REASONS if isinstance(error, cause))
    return kind(text.format(" ".join(str(error).split())))
