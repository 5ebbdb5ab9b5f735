"""Read and search one generation of an embedded collection.

In a large collection, vectors and words are searched in the compact index; in a small collection,
words are searched by FTS5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np

from index.domain import Filters
from index.encoder import Vectors
from index.store.database import LIST, Database
from index.store.rows import ids_of, matrix, passing
from index.store.snapshot import CatalogueSnapshot, GenerationCache
from index.store.types import Ids, IndexVersion, Ranked
from index.store.vectors import Newest, VectorIndex
from index.store.words import FullText

_ALL = Filters()
_AT_ONCE = 10_000  # sentences


class SqliteSnapshot(CatalogueSnapshot):
    """One generation of an embedded collection."""

    def __init__(
        self,
        db: Database,
        version: IndexVersion,
        model: str | None,
        cache: GenerationCache,
        *,
        index: VectorIndex,
        newest: Newest,
    ) -> None:
        """Read a generation; the `index` follows it, or else the generation that `newest` opens."""
        super().__init__(db, version, model, cache)
        self._index, self._newest = index, newest
        # Looked up more than once for a question.
        self._passing: dict[Filters, Ids] = {}
        self._texts: dict[tuple[str, ...], FullText | None] = {}

    def dense(self, vector: Vectors, k: int, filters: Filters = _ALL) -> Ranked:
        allowed, index = self._allowed(filters), self._followed()
        search = partial(index.search, vector, k, stored=self.vectors, model=self.version.model)
        ranked = search(allowed)
        if allowed is None and index.version != self.version:  # it has a newer generation
            ranked = search(self.live_ids())
        return ranked

    def lexical(self, terms: Sequence[str], k: int, filters: Filters = _ALL) -> Ranked:
        allowed = self._allowed(filters)
        if text := self._full_text(terms):
            return text.best(k, allowed)
        match = " OR ".join('"' + term.replace('"', '""') + '"' for term in terms) or '""'
        rows = self.db.execute(
            "SELECT rowid, -bm25(live_text) FROM live_text WHERE live_text MATCH ? "
            # "+": else SQLite looks each sentence up in the full text
            + (f"AND +rowid IN {LIST} " if filters else "")
            + "ORDER BY bm25(live_text), rowid LIMIT ?",
            (match, *([] if allowed is None else [allowed.tolist()]), max(k, 0)),
        ).fetchall()
        return Ranked(ids_of(rows), np.array([row[1] for row in rows], dtype=np.float32))

    def document_frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        if text := self._full_text(listed := [*terms]):
            return text.frequencies
        return super().document_frequencies(listed)

    def vocabulary(self, initial: str) -> dict[str, int]:
        known = self._followed().vocabulary(self.version, initial)
        return known or super().vocabulary(initial)

    def _full_text(self, terms: Sequence[str]) -> FullText | None:
        """Return postings of terms in the compact index; None if it has another generation."""
        asked = tuple(terms)
        if asked not in self._texts:
            self._texts[asked] = self._followed().full_text(self.version, asked)
        return self._texts[asked]

    def _followed(self) -> VectorIndex:
        """Return the index, brought up to date with this generation or a newer one."""
        if self._index.version != self.version:
            self._index.follow(self, self._newest)
        return self._index

    def _allowed(self, filters: Filters) -> Ids | None:
        """Return the live sentences that pass the filters; None without filters."""
        if filters and filters not in self._passing:
            self._passing[filters] = self.live_ids(filters)
        return self._passing.get(filters)

    # For the vector index

    def live_ids(self, filters: Filters = _ALL) -> Ids:
        """Return live sentence ids, ascending: int64 (n,)."""
        condition, values = passing(filters)
        # With filters, begin with their index; without, avoid the revisions and their long texts.
        tables = "revision r CROSS JOIN article a" if filters else "article a CROSS JOIN revision r"
        sql = f"SELECT r.first, r.sentences FROM {tables} ON r.revision = a.live"
        return _ranges(self.db.execute(f"{sql} WHERE a.live IS NOT NULL{condition}", values))

    def vectors(self, ids: Ids) -> tuple[Ids, Vectors]:
        """Return the ids (n,) that have an embedding, ascending, and their vectors (n, d)."""
        sql = f"SELECT sentence_id, vector FROM embedding WHERE sentence_id IN {LIST} ORDER BY 1"
        rows = self.db.execute(sql, (ids.tolist(),)).fetchall()
        return ids_of(rows), matrix([row[1] for row in rows])

    def descends_from(self, version: IndexVersion) -> bool:
        """Return whether this generation is that version or follows it, with the same model."""
        sql = "SELECT token FROM generation WHERE number = ?"
        row = self.db.execute(sql, (version.generation,)).fetchone()
        return (row[0] if row else "", self.version.model) == (version.token, version.model)

    def changed_since(self, generation: int) -> tuple[Ids, Ids]:
        """Return the sentences of articles that changed after a generation; all after 0.

        Returns:
            The ids of all (n,) and of those that are live now (m,), both ascending.
        """
        sql = (
            "SELECT r.first, r.sentences FROM article a JOIN revision r USING (article) "
            "WHERE a.article IN (SELECT article FROM change WHERE generation > ?)"
        )
        changed = _ranges(self.db.execute(sql, (generation,)))
        return changed, _ranges(self.db.execute(f"{sql} AND a.live = r.revision", (generation,)))

    def terms(self, ids: Ids) -> Iterator[list[str]]:
        """Yield lists of sentences' terms, joined by spaces, by ascending id."""
        sql = f"SELECT terms FROM sentence WHERE sentence_id IN {LIST} ORDER BY sentence_id"
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE].tolist()
            yield [row[0] for row in self.db.execute(sql, (some,))]


def _ranges(rows: Iterable[tuple[int, int]]) -> Ids:
    """Return ascending sentence ids, from the first id and the count of each revision."""
    firsts, counts = np.array([*rows], dtype=np.int64).reshape(-1, 2).T
    ends = np.cumsum(counts)
    return np.sort(np.repeat(firsts - (ends - counts), counts) + np.arange(counts.sum()))
