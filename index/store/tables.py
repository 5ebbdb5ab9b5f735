"""A base class for tables of a collection that are not part of its generations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from index.store.database import Database
from index.store.snapshot import CatalogueSnapshot


class Tables:
    """Tables of a collection; each public method is a transaction of its own."""

    def __init__(
        self,
        snapshot: Callable[[], AbstractContextManager[CatalogueSnapshot]],
        writing: Callable[[], AbstractContextManager[Database]],
    ) -> None:
        """Use the collection that `snapshot` opens to read and `writing` to write."""
        self._snapshot = snapshot
        self._writing = writing

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._snapshot() as snapshot:
            return snapshot.db.execute(sql, values).fetchall()
