"""Answer questions from a streaming replica while it shows all writes known to this process.

If it is behind or gone, the primary is asked instead: an answer from a replica never knows less
than an answer from the primary would.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

from index.errors import StoreBusyError, StoreError
from index.store.postgres.connections import Server, has_replayed, position_of
from index.store.postgres.database import PostgresDatabase
from index.store.postgres.schema import schema_of

log = logging.getLogger(__name__)
_PATIENCE_S = 2  # how long a question waits for a replica that has just vanished
_AGAIN_S = 10.0  # time from a failure to the next attempt
_BEHIND_S = 5.0  # a longer lag is reported as an error
_IDENTITY = "SELECT system_identifier FROM pg_control_system()"


class Replica:
    """A replica of a database. Safe to use from several threads."""

    def __init__(
        self,
        address: str,
        password: str | None,
        primary: Server,
        position: Callable[[str], str | None],
    ) -> None:
        """Connect at first use.

        Args:
            address: the address of the replica.
            password: the password of its user.
            primary: the server that it must be a replica of.
            position: returns the position in the primary's log after the last write to a
                collection, by name; None if that is not known.

        Raises:
            SettingsError: the address cannot be used.
        """
        self._server = Server(address, password, connect_s=_PATIENCE_S, lease_s=_PATIENCE_S)
        self._primary, self._position = primary, position
        self._lock = threading.Lock()
        self._works = False
        self._next_attempt = 0.0

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[PostgresDatabase]:
        """Open a read transaction on a collection, which sees all known writes.

        Raises:
            StoreError: it is behind or cannot be used now, so the primary has to be asked.
        """
        position = self._position(name)
        if position is None or not self._is_due():
            raise StoreBusyError("The replica is not asked now.")
        try:
            if not self._works:
                self._check_identity()
            with self._server.reading(schema_of(name), position) as db:
                self._works = True
                yield db
        except StoreBusyError:  # it is behind
            raise
        except StoreError as error:
            self._works, self._next_attempt = False, time.monotonic() + _AGAIN_S
            log.warning("the replica is not asked for %d s: %s", _AGAIN_S, error)
            raise

    def _is_due(self) -> bool:
        """Return whether to try: after a failure only one caller tries, and no other waits."""
        with self._lock:
            now = time.monotonic()
            if not self._works:
                if now < self._next_attempt:
                    return False
                self._next_attempt = now + _AGAIN_S
            return True

    def _check_identity(self) -> None:
        with self._server.connect() as db, self._primary.lease() as primary:
            if db.execute(_IDENTITY).fetchone() != primary.execute(_IDENTITY).fetchone():
                raise StoreError(
                    "The setting “replica” names a server that is not a replica of the primary."
                )

    def check(self) -> str:
        """Return how far behind it is. Raises StoreError if it is far behind or cannot be used."""
        self._check_identity()
        with self._primary.lease() as primary, self._server.lease() as db:
            position = position_of(primary)
            started = time.monotonic()
            while not has_replayed(db, position):
                if time.monotonic() - started > _BEHIND_S:
                    raise StoreError(
                        f"The replica is more than {_BEHIND_S:.0f} s behind, or is not a replica: "
                        "check that it is streaming. Until then the primary answers."
                    )
                time.sleep(0.001)
            return f"a replica, {1000 * (time.monotonic() - started):.0f} ms behind"

    def close(self) -> None:
        """Close its connections."""
        self._server.close()
