"""Copy a collection from one engine to another.

Rows are copied as they are, with their embeddings. Nothing derived is copied: the target builds
what it searches from the copied rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from index.errors import StoreError
from index.store.database import Database

# Each table comes after those that it refers to.
TABLES = (
    "meta generation article revision publisher identity sentence embedding staged sketch rewrite"
    " change notice source page page_article answer asker feedback asked quoted notified preference"
    " watch"
).split()
_LIVE = "SELECT live FROM article WHERE live IS NOT NULL ORDER BY live"
_AT_ONCE = 500  # revisions made searchable per statement


class _Sum:
    """A count of rows and a sum of their hashes, which do not depend on the order of the rows."""

    def __init__(self) -> None:
        self.rows = self.total = 0

    def add(self, row: Iterable[Any]) -> None:
        plain = tuple(int(value) if isinstance(value, bool) else value for value in row)
        digest = hashlib.blake2b(repr(plain).encode("utf-8", "surrogatepass"), digest_size=16)
        self.rows += 1
        self.total = (self.total + int.from_bytes(digest.digest())) % 2**128

    def of(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Add each row, and pass it on."""
        for row in rows:
            self.add(row)
            yield row

    @property
    def result(self) -> tuple[int, int]:
        return self.rows, self.total


def fingerprint(db: Database) -> dict[str, tuple[int, int]]:
    """Return the row count of each table and a sum of the rows' hashes, equal in both engines."""
    sums = {table: _Sum() for table in TABLES}
    for table, total in sums.items():
        for row in db.stream(f"SELECT * FROM {table}"):
            total.add(row)
    return {table: total.result for table, total in sums.items()}


def transfer(
    source: Database, target: Database, on_progress: Callable[[int], None] | None = None
) -> int:
    """Copy every row into an empty collection, and check the copy; return the number of rows.

    Args:
        source: inside a transaction that sees a single state.
        target: inside a write transaction.
        on_progress: called with the number of rows copied; may raise to stop.

    Raises:
        StoreError: the copy differs.
    """
    copied = 0
    for table in TABLES:
        given, written = _Sum(), _Sum()
        target.insert(table, given.of(source.stream(f"SELECT * FROM {table}")))
        for row in target.stream(f"SELECT * FROM {table}"):
            written.add(row)
        if given.result != written.result:
            raise StoreError(
                f"The copy of “{table}” differs from the original, so nothing was copied: check "
                "the disks and memory of both machines, then try again."
            )
        copied += given.rows
        if on_progress is not None:
            on_progress(copied)
    live = [row[0] for row in target.execute(_LIVE).fetchall()]
    for first in range(0, len(live), _AT_ONCE):
        target.switch_live([], live[first : first + _AT_ONCE])
    target.count_on()
    return copied
