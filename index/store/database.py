"""What the tables of a collection are reached through, whichever engine keeps them.

All statements but an engine's own are written in what SQLite and PostgreSQL have in common: `?`
stands for a value, and `IN {LIST}` for any of a list's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

LIST = "(SELECT value FROM json_each(?))"


class Cursor(Protocol):
    """The rows that a statement returned."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Database(Protocol):
    """A connection to the tables of one collection, used by one thread at a time."""

    def execute(self, sql: str, values: Sequence[object] = ..., /) -> Cursor:
        """Run a statement."""

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run a statement for each row of values."""

    def insert(self, table: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Insert whole rows, whose values come in the order of the table's columns."""

    def stream(self, sql: str, /) -> Iterator[Any]:
        """Yield the rows of a statement without holding all of them."""

    def switch_live(self, before: Sequence[int], after: Sequence[int], /) -> None:
        """Take the sentences of some revisions out of both searches, and those of others in."""

    def activate_staged(self, generation: int, /) -> None:
        """Replace all embeddings by the staged ones, in the generation that is being written."""

    def count_on(self) -> None:
        """Let the numbers that the engine gives go on after those that were inserted."""

    def rollback(self) -> None:
        """Undo what the transaction did, and end it."""
