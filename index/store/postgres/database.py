"""Run the statements of `index.store.database` on a connection to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import psycopg
from psycopg import sql

from index.store.database import LIST

_TYPES = """
    SELECT array_agg(atttypid::bigint ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = ?::regclass AND attnum > 0 AND NOT attisdropped
"""
_IDENTITIES = {"article": "article", "revision": "revision", "source": "number", "watch": "number"}
_TAKE_OUT = """
WITH gone AS (DELETE FROM posting p USING word w WHERE w.revision = ANY(?)
    AND p.term = w.term AND p.sentence_id = w.sentence_id RETURNING p.term)
UPDATE term_count t SET doc = t.doc - g.doc
    FROM (SELECT term, count(*) AS doc FROM gone GROUP BY term) g WHERE t.term = g.term
"""
_PUT_IN = """
WITH put AS (INSERT INTO posting SELECT term, sentence_id, occurrences, length FROM word
    WHERE revision = ANY(?) RETURNING term)
INSERT INTO term_count AS t SELECT term, count(*) FROM put GROUP BY term ORDER BY term
    ON CONFLICT (term) DO UPDATE SET doc = t.doc + excluded.doc
"""
_PUT_IN_VECTORS = """
INSERT INTO live_vector SELECT s.sentence_id, s.revision,
    coalesce((SELECT value::bigint FROM meta WHERE key = 'rebuilt'), 0), e.vector::halfvec
    FROM sentence s JOIN embedding e USING (sentence_id) WHERE s.revision = ANY(?)
"""
_COUNT = """
UPDATE live_size SET sentences = live_size.sentences + ? * c.sentences,
    terms = live_size.terms + ? * c.terms
    FROM (SELECT count(*) AS sentences,
    coalesce(sum(cardinality(string_to_array(terms, ' '))), 0)::bigint AS terms
    FROM sentence WHERE revision = ANY(?)) c
"""


class PostgresDatabase:
    """A connection inside a transaction on one collection; see `index.store.database`."""

    def __init__(self, connection: psycopg.Connection[Any], types: dict[str, list[int]]) -> None:
        """Use a connection whose search path is the collection's schema.

        Args:
            connection: inside a transaction.
            types: a cache of the column types of tables, which are the same in all collections.
        """
        self.connection = connection
        self._types = types

    def execute(self, statement: str, values: Sequence[object] = (), /) -> psycopg.Cursor[Any]:
        """Run a statement."""
        return self.connection.execute(_own(statement), values, binary=True)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Run a statement for each row of values."""
        with self.connection.cursor() as cursor:
            cursor.executemany(_own(statement), rows)

    def insert(self, table: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Copy whole rows into a table."""
        rows = iter(rows)
        if (first := next(rows, None)) is None:
            return
        if table not in self._types:
            ((self._types[table],),) = self.execute(_TYPES, (table,)).fetchall()
        copy = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table))
        with self.connection.cursor() as cursor, cursor.copy(copy) as copying:
            copying.set_types(self._types[table])
            for row in chain([first], rows):
                copying.write_row(row)

    def stream(self, statement: str, /) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a statement without holding all of them."""
        with self.connection.cursor("stream", binary=True) as cursor:
            cursor.itersize = 2_000
            yield from cursor.execute(_own(statement))

    def switch_live(self, before: Sequence[int], after: Sequence[int], /) -> None:
        """Change the postings and vectors of live sentences, and their counts."""
        gone, come = [*before], [*after]
        if gone:
            self.execute(_TAKE_OUT, (gone,))
            self.execute("DELETE FROM term_count WHERE doc = 0")
            self.execute("DELETE FROM live_vector WHERE revision = ANY(?)", (gone,))
            self.execute(_COUNT, (-1, -1, gone))
        if come:
            self.execute(_PUT_IN, (come,))
            self.execute(_PUT_IN_VECTORS, (come,))
            self.execute(_COUNT, (1, 1, come))

    def activate_staged(self, generation: int, /) -> None:
        """Replace the embeddings; older snapshots go on reading the old embeddings."""
        self.execute(
            "UPDATE embedding e SET vector = s.vector FROM staged s "
            "WHERE e.sentence_id = s.sentence_id"
        )
        self.execute("DELETE FROM staged")
        self.execute(
            "UPDATE live_vector l SET vector = e.vector::halfvec, rebuilt = ? FROM embedding e "
            "WHERE l.sentence_id = e.sentence_id",
            (generation,),
        )

    def count_on(self) -> None:
        """Continue PostgreSQL's generated ids after the ids that were inserted."""
        for table, column in _IDENTITIES.items():
            self.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), "
                f"(SELECT coalesce(max({column}), 0) + 1 FROM {table}), FALSE)"
            )

    @property
    def in_transaction(self) -> bool:
        """Whether the transaction is still open, so that its changes will be committed."""
        return self.connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS

    def rollback(self) -> None:
        """Undo and end the transaction."""
        self.connection.rollback()


@lru_cache(maxsize=500)
def _own(statement: str) -> Any:
    """Translate a statement into the syntax of PostgreSQL and psycopg."""
    return statement.replace(f"IN {LIST}", "= ANY(?)").replace("%", "%%").replace("?", "%s")
