"""Search one generation of a collection in PostgreSQL: words by BM25, vectors by inner product.

The BM25 is that of SQLite's FTS5, so that both engines rank alike. Vectors are compared in half
precision: all of them in a small collection, and in a large collection those that an HNSW index
finds (Malkov, Yashunin 2018). The nearest are then compared in full precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from index.domain import Filters
from index.encoder import Vectors
from index.errors import StoreError
from index.store.postgres.database import PostgresDatabase
from index.store.rows import ids_of, matrix, passing
from index.store.schema import meta
from index.store.snapshot import CatalogueSnapshot, GenerationCache
from index.store.types import Ids, IndexVersion, Ranked

EXACT_UP_TO = 50_000
_HALF_ERROR = 1e-3  # two vectors of unit norm, each rounded to 11 bits, differ by less
_BEYOND = 32  # candidates beyond those asked for
_ALL = Filters()
_NOTHING = Ranked(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
_LIVE = "SELECT r.revision, r.sentences FROM article a JOIN revision r ON r.revision = a.live"
# The weights of terms are materialised, else PostgreSQL computes them again for each posting.
# OFFSET makes it look up each term; without statistics it would read all postings in order.
_BM25 = """
    WITH q AS MATERIALIZED (
        SELECT term, z.terms::float8 / z.sentences AS mean, greatest(1e-6::float8,
            ln((z.sentences - t.doc + 0.5::float8) / (t.doc + 0.5::float8))) AS idf
        FROM unnest(?::text[]) AS w (term) JOIN term_count t USING (term) CROSS JOIN live_size z
    )
    SELECT p.sentence_id, sum(q.idf * p.occurrences * 2.2::float8 / (p.occurrences +
        1.2::float8 * (0.25::float8 + 0.75::float8 * p.length / q.mean)))::real AS score
    FROM q CROSS JOIN LATERAL (SELECT * FROM posting WHERE posting.term = q.term OFFSET 0) p
    {} GROUP BY p.sentence_id
    ORDER BY score DESC, p.sentence_id LIMIT ?
"""
_AMONG = "JOIN sentence s USING (sentence_id) WHERE s.revision = ANY(?)"
_NEAREST = """
    SELECT c.sentence_id, c.likeness, e.vector FROM (
        SELECT sentence_id, -({nearness}) AS likeness FROM live_vector
        WHERE rebuilt = {rebuilt} {among} ORDER BY {nearness} {ties} LIMIT ?
    ) c JOIN embedding e USING (sentence_id)
"""


class PostgresSnapshot(CatalogueSnapshot):
    """One generation of a collection in PostgreSQL."""

    db: PostgresDatabase

    def __init__(
        self,
        db: PostgresDatabase,
        version: IndexVersion,
        model: str | None,
        cache: GenerationCache,
        exact_up_to: int = EXACT_UP_TO,
    ) -> None:
        """Compare with every vector among up to `exact_up_to` sentences."""
        super().__init__(db, version, model, cache)
        self._exact_up_to = exact_up_to

    def lexical(self, terms: Sequence[str], k: int, filters: Filters = _ALL) -> Ranked:
        among, values = ("", []) if not filters else (_AMONG, [self._revisions(filters)[0]])
        asked = ([*terms], *values, max(k, 0))
        rows = self.db.execute(_BM25.format(among), asked).fetchall()
        return Ranked(ids_of(rows), np.array([row[1] for row in rows], dtype=np.float32))

    def dense(self, vector: Vectors, k: int, filters: Filters = _ALL) -> Ranked:
        among: list[int] | None = None
        count = self.size().sentences
        if filters:
            among, count = self._revisions(filters)
        if k < 1 or not count:
            return _NOTHING
        exact, depth = count <= self._exact_up_to, k + _BEYOND
        while True:
            ids, scores, least = self._nearest(vector, depth, among, exact=exact)
            order = np.lexsort((ids, -scores))[:k]
            certain = len(ids) < depth or least + _HALF_ERROR < scores[order[-1]]
            if certain or not exact:
                return Ranked(ids[order], scores[order])
            depth *= 4

    def _nearest(
        self, vector: Vectors, depth: int, among: list[int] | None, *, exact: bool
    ) -> tuple[Ids, Vectors, float]:
        """Return ids and exact scores of the nearest sentences, and the least approximate score."""
        halves = "[" + ",".join(map(repr, vector.tolist())) + "]"
        column = sql.SQL("vector" if exact else f"(vector::halfvec({len(vector):d}))")
        nearness = sql.SQL("{} <#> {}::halfvec").format(column, halves)
        if not exact:  # let the index look further if it has to, in any order
            searched = min(1_000, max(100, 2 * depth))
            self.db.connection.execute(
                f"SET LOCAL hnsw.iterative_scan = relaxed_order; SET LOCAL hnsw.ef_search = "
                f"{searched:d}; SET LOCAL hnsw.max_scan_tuples = 200000"
            )
        statement = sql.SQL(_NEAREST).format(
            nearness=nearness,
            rebuilt=sql.Literal(rebuilt(self.db)),
            among=sql.SQL("" if among is None else "AND revision = ANY(%s)"),
            ties=sql.SQL(", sentence_id" if exact else ""),
        )
        text = statement.as_string(self.db.connection).replace("LIMIT ?", "LIMIT %s")
        values = (depth,) if among is None else (among, depth)
        try:
            rows = self.db.connection.execute(text, values, binary=True).fetchall()
        except psycopg.errors.DataException as error:
            raise StoreError(
                f"The question has {len(vector)} dimensions, unlike the collection: "
                "the operator has to run `onrecord reindex --rebuild`."
            ) from error
        scores = matrix([row[2] for row in rows]) @ vector
        least = min((row[1] for row in rows), default=0.0)
        return ids_of(rows), scores.astype(np.float32), least

    def _revisions(self, filters: Filters) -> tuple[list[int], int]:
        """Return the live revisions that pass some filters, and their number of sentences."""
        condition, values = passing(filters)
        rows = self.db.execute(f"{_LIVE} WHERE TRUE {condition}", values).fetchall()
        return [row[0] for row in rows], sum(row[1] for row in rows)


def rebuilt(db: PostgresDatabase) -> int:
    """Return the generation of the last rebuild; 0 if there was none."""
    return int(meta(db, "rebuilt") or 0)


def vector_indexes(db: psycopg.Connection[Any], schema: str) -> dict[str, bool]:
    """Return the vector indexes of a collection, and whether each is valid."""
    rows = db.execute(
        "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = c.relam "
        "WHERE n.nspname = %s AND m.amname = 'hnsw'",
        (schema,),
    )
    return dict(rows.fetchall())
