"""Choose where collections are kept: in a folder, or in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from index.errors import SettingsError
from index.store.connections import Pool, collection_names, folder_of, state_of, was_killed
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
        return collection_names(self._data)

    def recent(self) -> list[str]:
        """Return the names of the collections, the last changed first."""

        def changed(name: str) -> int:
            return max((moment for _, moment, _ in state_of(self._data, name) or ()), default=0)

        return sorted(self.names(), key=changed, reverse=True)

    def open(self, name: str, *, create: bool) -> SqliteStore:
        """Open a collection, which must exist unless `create`.

        Raises:
            InputError: the name cannot name a folder.
            NotFoundError: there is no such collection, and `create` is false.
        """
        return SqliteStore(folder_of(self._data, name, create=create), pool=self._pool)

    def state(self, name: str) -> object | None:
        """Return a value that changes whenever a collection is written to; None if missing."""
        return state_of(self._data, name)

    def was_killed(self, name: str) -> bool:
        """Return whether the last process that used a collection did not close it."""
        return was_killed(self._data, name)

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
