"""Recover a collection from a backup, which is checked before anything is changed."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from index.errors import StoreError
from index.store.database import Database
from index.store.rows import newest
from index.store.schema import SqliteDatabase, is_new
from index.store.types import Commit
from index.store.writer import Writer

_HINT = "name a backup that `onrecord backup` made. Nothing was changed."


@contextlib.contextmanager
def copy_of(backup: Path) -> Iterator[SqliteDatabase]:
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
        with closing(_open(file)) as db:
            _check(db, backup)
            yield db


def recovered(db: Database, last: int, chosen: Sequence[Any], actor: str) -> Commit:
    """Make a generation of a backup that has replaced a collection.

    Args:
        db: the database, with the contents of the backup.
        last: the last generation of the replaced collection; 0 if it cannot be read.
        chosen: its rows of `preference`: a recovery must not change who moderates.
        actor: who recovers, for the audit log.
    """
    if last or chosen:
        db.execute("DELETE FROM preference")
        db.insert("preference", chosen)
    note = f"from a backup of generation {newest(db)[0].generation}"
    return Writer(db, after=last).finish(actor, "recover", note, always=True)


def _open(file: Path | str) -> SqliteDatabase:
    return sqlite3.connect(file, isolation_level=None, factory=SqliteDatabase)


def _check(db: SqliteDatabase, backup: Path) -> None:
    """Raise StoreError unless the copy of a backup is an undamaged collection with a generation."""
    try:
        if is_new(db, backup) or newest(db)[0].generation == 0:
            raise StoreError(f"{backup} is empty: {_HINT}")
        damage = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        damage = str(error)
    if damage != "ok":
        raise StoreError(f"{backup} is damaged, or is no backup ({damage}): {_HINT}")
