"""Access the tables of a collection, whichever engine keeps them.

Statements that are not an engine's own use the SQL that SQLite and PostgreSQL have in common. `?`
stands for a value, and `IN {LIST}` for a condition with a list of values.
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
    """A connection to the tables of a collection, used by one thread at a time."""

    def execute(self, sql: str, values: Sequence[object] = ..., /) -> Cursor:
        """Run a statement."""

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run a statement for each row of values."""

    def insert(self, table: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Insert whole rows, with their values in the order of the table's columns."""

    def stream(self, sql: str, /) -> Iterator[Any]:
        """Yield the rows of a statement without holding all of them."""

    def switch_live(self, before: Sequence[int], after: Sequence[int], /) -> None:
        """Remove the sentences of revisions `before` from both searches, and add `after`'s."""

    def activate_staged(self, generation: int, /) -> None:
        """Replace all embeddings by the staged embeddings, in the generation being written."""

    def count_on(self) -> None:
        """Continue the engine's generated ids after the ids that were inserted."""

    def rollback(self) -> None:
        """Undo and end the transaction."""
