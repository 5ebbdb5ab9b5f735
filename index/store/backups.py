"""Backups of a collection: a copy to recover from is opened only once it is known to be whole."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from index.errors import StoreError
from index.store.rows import newest
from index.store.schema import is_new

_HINT = "name a backup that `onrecord backup` made. Nothing was changed."


@contextlib.contextmanager
def copy_of(backup: Path) -> Iterator[sqlite3.Connection]:
    """Open a checked copy of a backup, which may be written to; the backup is only read.

    Raises:
        StoreVersionError: another version of On Record made it.
        StoreError: it is missing, empty, damaged, or another program's.
    """
    if not backup.is_file():
        raise StoreError(f"There is no file {backup}: {_HINT}")
    with tempfile.TemporaryDirectory(prefix="onrecord-backup-") as folder:
        try:
            file = shutil.copy(backup, Path(folder, "copy.sqlite3"))
        except OSError as error:
            raise StoreError(
                f"{backup} cannot be copied to {tempfile.gettempdir()} ({error.strerror}): allow "
                "reading it, or make room there. Nothing was changed."
            ) from error
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            _check(db, backup)
            yield db


def _check(db: sqlite3.Connection, backup: Path) -> None:
    """Raise StoreError unless a copy of this backup is a whole collection with a generation."""
    try:
        if is_new(db, backup) or newest(db).generation == 0:
            raise StoreError(f"{backup} is empty: {_HINT}")
        damage = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        damage = str(error)
    if damage != "ok":
        raise StoreError(f"{backup} is damaged, or is no backup ({damage}): {_HINT}")
