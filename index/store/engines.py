"""Choose where collections are kept: in a folder, or in a PostgreSQL database."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from index.errors import InputError, NotFoundError, SettingsError
from index.store.connections import CATALOGUE, Pool
from index.store.protocol import Engine
from index.store.sqlite import SqliteStore


class Folder:
    """Collections in a folder, one subfolder each."""

    def __init__(self, data: Path, open_at_most: int = 1) -> None:
        """Keep the files of up to `open_at_most` collections open and their vectors in memory."""
        self._data = data
        self._pool = Pool(open_at_most)

    def names(self) -> list[str]:
        """Return the names of the collections, except half-erased ones."""
        return sorted(file.parent.name for file in self._data.glob(f"[!.]*/{CATALOGUE}"))

    def recent(self) -> list[str]:
        """Return the names of the collections, the last changed first."""

        def changed(name: str) -> int:
            return max((moment for _, moment, _ in self.state(name) or ()), default=0)

        return sorted(self.names(), key=changed, reverse=True)

    def open(self, name: str, *, create: bool) -> SqliteStore:
        """Open a collection, which must exist unless `create`.

        Raises:
            InputError: the name cannot name a folder.
            NotFoundError: there is no such collection, and `create` is false.
        """
        if not name or not all(char.isalnum() or char in "-_" for char in name):
            raise InputError(f"“{name}” cannot name a collection: use letters, digits, - and _.")
        if not create and not (self._data / name / CATALOGUE).exists():
            have = ", ".join(self.names()) or "none yet"
            raise NotFoundError(f"There is no collection “{name}” in {self._data}. It has: {have}.")
        return SqliteStore(self._data / name, pool=self._pool)

    def state(self, name: str) -> tuple[tuple[int, int, int], ...] | None:
        """Return a value that changes whenever a collection is written to; None if it is missing.

        The collection is not opened. The value also changes when SQLite moves its log into the
        file, although nothing has changed then.
        """
        states = []
        with contextlib.suppress(OSError):
            for end in ("", "-wal"):
                file = (self._data / name / f"{CATALOGUE}{end}").stat()
                states.append((file.st_ino, file.st_mtime_ns, file.st_size))
        if len(states) > 1 and not states[-1][-1]:  # readers leave an empty log, or none
            states.pop()
        return tuple(states) or None

    def was_killed(self, name: str) -> bool:
        """Return whether a collection that nobody has open was not closed: its log still exists."""
        with contextlib.suppress(OSError):
            return (self._data / name / f"{CATALOGUE}-wal").stat().st_size > 0
        return False

    def hold(self, name: str, work: str) -> Callable[[], None] | None:
        """Keep other processes from doing this work on a collection.

        Returns:
            A function to call at the end; None if another process does this work. A folder has
            only one bot, so it is never None here.
        """
        del name, work
        return lambda: None

    def wait_s(self, event: str, most: int, window_s: float) -> float | None:
        """Return None: only one process uses a folder, so it can count its events itself."""
        del event, most, window_s
        return None

    def check(self) -> str:
        """Return a few words on the folder if it can be used. Raises StoreError if it cannot."""
        return f"{len(self.names())} in the data folder"

    def close(self) -> None:
        """Do nothing: each collection closes its own files."""


def engine_of(
    data: Path,
    address: str = "",
    password: str | None = None,
    *,
    replica: str = "",
    open_at_most: int = 1,
) -> Engine:
    """Return where collections are kept: at the address of a database, or else in a folder.

    Raises:
        SettingsError: an address cannot be used, or the extra `postgres` is not installed.
    """
    if replica and not address:
        raise SettingsError("A “replica” needs its primary: name that in the setting “store”.")
    if not address:
        return Folder(data, open_at_most)
    try:
        from index.store.postgres.engine import PostgresEngine  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"psycopg", "psycopg_pool"}:
            raise
        raise SettingsError(
            'PostgreSQL needs its extra: pip install "onrecord[postgres]".'
        ) from None
    return PostgresEngine(address, password, replica)
