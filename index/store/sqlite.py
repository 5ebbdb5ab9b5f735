"""A collection: one folder with a SQLite file and, for large collections, a file of codes.

The SQLite file is the only source of truth. Before each search, the vector index in memory takes in
the commits of this and other processes. Its file is a cache, which is checked before use and built
again when it is missing, stale or damaged.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

from index.errors import StoreDamagedError, StoreError
from index.store.backups import copy_of, recovered
from index.store.catalogue import Catalogue
from index.store.connections import CATALOGUE, Connections, Pool
from index.store.embedded import SqliteSnapshot
from index.store.rows import newest
from index.store.schema import SqliteDatabase, connect, damaged
from index.store.snapshot import GenerationCache
from index.store.types import Commit
from index.store.vectors import EXACT_UP_TO, VectorIndex

_CACHE = "vectors.compact"


class SqliteStore(Catalogue):
    """A collection in its own folder."""

    def __init__(
        self,
        folder: Path,
        *,
        exact_up_to: int = EXACT_UP_TO,
        opener: Callable[[Path], SqliteDatabase] = connect,
        pool: Pool | None = None,
    ) -> None:
        """Name the collection; it is opened, or created, at first use.

        Args:
            folder: created if missing.
            exact_up_to: sentences above which the vector index is compact.
            opener: opens connections; tests pass a function that fails.
            pool: closes the files and drops the vectors of stores that were not used recently.
        """
        super().__init__()
        self._folder = folder
        self._exact_up_to = exact_up_to
        self._connections = Connections(folder / CATALOGUE, opener, pool or Pool(1), self._forget)
        self._forget()

    def _forget(self) -> None:
        """Drop what is derived from the file; searches under way keep what they have."""
        self._cache = None, GenerationCache()
        self._vectors = VectorIndex(self._exact_up_to, self._folder / _CACHE)

    def glance(self) -> AbstractContextManager[None]:
        return self._connections.glance()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        with self._connections.lease() as db:
            db.execute("BEGIN")
            try:
                version, model = newest(db)
                cache, index = self._cache_of(version), self._vectors
                yield SqliteSnapshot(
                    *(db, version, model, cache), index=index, newest=self.snapshot
                )
            finally:
                db.rollback()

    def writing(self) -> AbstractContextManager[SqliteDatabase]:
        return self._connections.writing()

    def prepare(self) -> None:
        """Bring the vector index up to date, so that the next question does not wait for it."""
        self._vectors.prepare(self.snapshot)

    def verify(self) -> None:
        """Look at every page of the file. Raises StoreDamagedError if one is damaged."""
        with self.snapshot() as snapshot:
            found = snapshot.db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise damaged(found)

    @contextlib.contextmanager
    def copy(self) -> Iterator[SqliteStore]:
        """Lend a copy of the collection to try a change on; it is deleted afterwards."""
        with tempfile.TemporaryDirectory(prefix="onrecord-copy-") as folder:
            self.backup(Path(folder, CATALOGUE))
            with closing(SqliteStore(Path(folder))) as store:
                yield store

    def backup(self, file: Path) -> None:
        """Write a whole copy of the newest generation to a file, or nothing. Raises StoreError."""
        draft = file.with_name(f".{file.name}-{secrets.token_hex(4)}.draft")
        with self._connections.lease() as db:  # errors of the collection, not of `file`
            try:
                with closing(sqlite3.connect(draft)) as copy:
                    db.backup(copy)
                draft.replace(file)
            except (OSError, sqlite3.OperationalError) as error:
                raise StoreError(
                    f"{file} cannot be written: name a file in a folder that exists and has room."
                ) from error
            finally:
                draft.unlink(missing_ok=True)

    def recover(self, file: Path, *, actor: str) -> Commit:
        """Replace everything stored, damaged or not, by a backup, in a new generation.

        Its number is higher than any before (unless damage hides them), and it continues the audit
        log of the backup, so that nothing read before the recovery is taken for the state after it.
        Moderators' preferences stay as they are, if they can be read.

        Raises:
            StoreError: the file is not an undamaged backup with contents; nothing was changed.
        """
        with copy_of(file) as source:
            try:
                with self.snapshot() as snapshot:
                    last = snapshot.generation
                    chosen = snapshot.db.execute("SELECT * FROM preference").fetchall()
            except StoreDamagedError:
                last, chosen = 0, []
            source.execute("BEGIN IMMEDIATE")
            with source:
                commit = recovered(source, last, chosen, actor)
            try:
                self._overwrite(source)
            except StoreDamagedError:
                self._delete_files()
                self._overwrite(source)
            return commit

    def _overwrite(self, source: SqliteDatabase) -> None:
        with self._connections.lease() as db:
            source.backup(db)

    def erase(self) -> None:
        """Delete everything stored, damaged or not, for good, and close.

        Raises:
            StoreError: the file belongs to another program, or cannot be deleted now.
        """
        with contextlib.suppress(StoreDamagedError), self._connections.writing():
            pass  # it is a collection or empty, and nobody is writing
        self.close()
        self._delete_files()

    def _delete_files(self) -> None:
        """Delete the collection's files, and its folder unless it holds others."""
        doomed = self._folder.with_name(f".{self._folder.name}-{secrets.token_hex(4)}")
        ours = [CATALOGUE + end for end in ("-wal", "-shm", "-journal", "")]
        try:
            with self._connections.opening:
                self._folder.rename(doomed)  # atomic: nobody must see half of its files
        except FileNotFoundError:  # another process has just erased it
            return
        except OSError as error:
            raise StoreError(f"{error.filename} cannot be deleted: delete it by hand.") from error
        try:
            for file in (*doomed.glob(".vectors-*"), *(doomed / name for name in (_CACHE, *ours))):
                file.unlink(missing_ok=True)
            if doomed.is_symlink() or any(doomed.iterdir()):  # files of another program
                doomed.rename(self._folder)
            else:
                doomed.rmdir()
        except OSError as error:
            raise StoreError(f"{error.filename} cannot be deleted: delete it by hand.") from error

    def close(self) -> None:
        """Close files and connections; later uses of the store raise StoreError."""
        self._connections.close()
        self._vectors.finish()  # else it may write its file after the collection was erased
