"""The base of what keeps tables in a collection's file that are not part of its generations."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from index.store.snapshot import SqliteSnapshot


class Tables:
    """Tables in a collection's file; each public method is a transaction of its own."""

    def __init__(
        self,
        snapshot: Callable[[], AbstractContextManager[SqliteSnapshot]],
        writing: Callable[[], AbstractContextManager[sqlite3.Connection]],
    ) -> None:
        """Use the file that `snapshot` opens to read and `writing` to write."""
        self._snapshot = snapshot
        self._writing = writing

    def _rows(
        self, sql: str, values: Sequence[object] | Mapping[str, object] = ()
    ) -> list[tuple[Any, ...]]:
        with self._snapshot() as snapshot:
            return snapshot.db.execute(sql, values).fetchall()
