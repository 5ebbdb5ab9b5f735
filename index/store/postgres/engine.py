"""Manage the collections of a database, and listen to changes by other processes."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from itertools import count

import psycopg

from index.errors import NotFoundError, StoreError
from index.store.postgres import schema as schemas
from index.store.postgres.connections import CHANNEL, Server, hash_of, position_of, versions
from index.store.postgres.pace import wait_s
from index.store.postgres.replica import Replica
from index.store.postgres.search import vector_indexes
from index.store.postgres.store import PostgresStore

log = logging.getLogger(__name__)
_PATIENCE_S = 10.0  # how long to wait for the first connection
_CHECK_S = 0.5  # time between two checks whether to stop
_AGAIN_S = 2.0  # time to wait after a connection was lost
_RIGHTS = """
    SELECT pg_encoding_to_char(encoding), has_database_privilege(datname, 'CREATE'),
    (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), datname
    FROM pg_database WHERE datname = current_database()
"""


class PostgresEngine:
    """The collections of a database. Safe to use from several threads."""

    def __init__(self, address: str, password: str | None = None, replica: str = "") -> None:
        """Connect at first use; answer questions from the `replica` at an address, if given.

        Raises:
            SettingsError: an address cannot be used.
        """
        self.server = Server(address, password)
        self._news = _News(self.server)
        self._replica = (
            Replica(replica, password, self.server, self._news.position) if replica else None
        )

    def names(self) -> list[str]:
        """Return the names of the collections."""
        with self.server.lease() as db:
            return schemas.names(db)

    def recent(self) -> list[str]:
        """Return the names of the collections in any order: none has to be loaded beforehand."""
        return self.names()

    def open(self, name: str, *, create: bool) -> PostgresStore:
        """Open a collection, which must exist unless `create`.

        Raises:
            InputError: the name cannot name a schema.
            NotFoundError: there is no such collection, and `create` is false.
        """
        schema = schemas.schema_of(name)
        with self.server.lease() as db:
            if not create and not schemas.exists(db, schema):
                have = ", ".join(schemas.names(db)) or "none yet"
                raise NotFoundError(f"PostgreSQL has no collection “{name}”. It has: {have}.")
        return PostgresStore(self.server, name, replica=self._replica, on_write=self._news.note)

    def state(self, name: str) -> object | None:
        """Return a value that changes whenever any process writes to it; None if missing."""
        return self._news.state(name)

    def was_killed(self, name: str) -> bool:
        """Return False: the database itself rolls back what a killed process had begun."""
        del name
        return False

    def hold(self, name: str, work: str) -> Callable[[], None] | None:
        """Keep other processes from doing this work on a collection.

        Returns:
            A function to call at the end (the lock also ends with this process); None if another
            process does this work.
        """
        key = hash_of(f"{schemas.schema_of(name)} {work}")
        with contextlib.ExitStack() as stack:
            db = stack.enter_context(self.server.lease())
            if db.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchall() != [(True,)]:
                return None
            # Unlock before the connection is returned, since it would keep the lock.
            stack.callback(db.execute, "SELECT pg_advisory_unlock(%s)", (key,))
            return stack.pop_all().close

    def wait_s(self, event: str, most: int, window_s: float) -> float | None:
        """Count an event of all processes, unless `most` were counted within `window_s` already.

        Returns:
            The seconds that it has to wait; 0 if it was counted.
        """
        return wait_s(self.server, event, most, window_s)

    def check(self) -> str:
        """Return a description of the server and its collections.

        Raises:
            StoreError: the server, pgvector, the encoding or the user's rights do not suffice.
        """
        with self.server.lease() as db:
            (encoding, creates, secure, database), *_ = db.execute(_RIGHTS).fetchall()
            if encoding != "UTF8":
                raise StoreError(f"The database “{database}” is not in UTF-8: make another one.")
            if not creates:
                raise StoreError(
                    f"This user may not make collections: GRANT it CREATE ON DATABASE {database}."
                )
            names = schemas.names(db)
            found = [vector_indexes(db, schemas.schema_of(name)) for name in names]
            whole = [is_whole for indexes in found for is_whole in indexes.values()]
            version, extension = versions(db)
            vector = ".".join(map(str, extension or ()))
            tls = "TLS" if secure else "no TLS, on this machine"
            rest = f" ({whole.count(False)} unfinished: built again now)" if not all(whole) else ""
            return (
                f"PostgreSQL {version} with pgvector {vector}, {tls}; {len(names)} there, "
                f"{len(whole)} with a vector index{rest}"
            ) + (f"; {self._replica.check()}" if self._replica else "")

    def close(self) -> None:
        """Close all connections."""
        self._news.close()
        if self._replica:
            self._replica.close()
        self.server.close()


class _News:
    """The names of the collections, each with a number that changes with every write to it.

    A thread listens to PostgreSQL's notifications. When it has lost its connection, all numbers
    change, since it may have missed some. Each number comes with the position in the server's log
    after the last known write. It is None while the notification of this process's own write is
    outstanding, and after a lost connection.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._states: dict[str, tuple[int, str | None]] = {}
        self._thread: threading.Thread | None = None
        self._known = threading.Event()
        self._closing = threading.Event()
        self._error: StoreError | None = None

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="onrecord-news")
                self._thread.daemon = True
                self._thread.start()

    def position(self, name: str) -> str | None:
        self._start()
        with self._lock:
            return self._states.get(name, (0, None))[1]

    def state(self, name: str) -> object | None:
        self._start()
        if not self._known.wait(_PATIENCE_S):
            raise self._error or StoreError("PostgreSQL does not answer: try again in a minute.")
        with self._lock:
            return self._states.get(name)

    def note(self, name: str, *, exists: bool) -> None:
        """Note a write of this process at once, since its notification comes later."""
        with self._lock:
            self._set(name, None, exists=exists)
        # Its notification may have come before this, so do not wait for it.
        with contextlib.suppress(StoreError), self._server.lease() as db:
            self._hear(db, name)

    def _set(self, name: str, position: str | None, *, exists: bool) -> None:
        if exists:
            self._states[name] = next(self._numbers), position
        else:
            self._states.pop(name, None)

    def _hear(self, db: psycopg.Connection, name: str) -> None:
        """Note a write from a notification, unless this process writes: its own comes next."""
        with self._lock:
            before = self._states.get(name)
        exists, position = schemas.has(db, name), position_of(db)
        with self._lock:
            if self._states.get(name) == before:
                self._set(name, position, exists=exists)

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                with self._server.connect() as db:
                    db.execute(f"LISTEN {CHANNEL}")
                    names, position = schemas.names(db), position_of(db)
                    with self._lock:
                        self._states = {name: (next(self._numbers), position) for name in names}
                    self._known.set()
                    self._error = None
                    while not self._closing.is_set():
                        notices = db.notifies(timeout=_CHECK_S, stop_after=1)
                        for name in {notice.payload for notice in notices}:
                            self._hear(db, name)
            except (StoreError, psycopg.Error) as error:
                log.warning("PostgreSQL's notifications are not heard: %s", error)
                self._error = error if isinstance(error, StoreError) else None
                with self._lock:
                    self._states = {name: (next(self._numbers), None) for name in self._states}
                self._closing.wait(_AGAIN_S)

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
