"""Read one generation of a collection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from index.domain import Article, Filters, Sentence
from index.encoder import Vectors
from index.errors import NotFoundError
from index.reading.items import PageState
from index.store.identity import decide
from index.store.rows import (
    ARTICLE,
    LIST,
    NEAR,
    SENTENCE,
    article_of,
    first_ids,
    matrix,
    page_of,
    passing,
    ranges,
    sentence_of,
)
from index.store.schema import clock_text, meta, utc_text
from index.store.searcher import Searcher
from index.store.sources import COLUMNS, Source
from index.store.types import (
    Decision,
    HistoryEvent,
    Ids,
    IndexVersion,
    Ranked,
    RecentArticle,
    Rows,
    Size,
)

_ALL = Filters()
_TITLES = 5  # per event
_AT_ONCE = 10_000  # sentences
_MAX_CACHED = 2_000  # articles: some 10 MB


@dataclass(slots=True)
class GenerationCache:
    """What the snapshots of one generation share: articles by revision, and publishers' counts."""

    articles: dict[int, Article] = field(default_factory=dict)
    census: list[tuple[str | None, int, int]] = field(default_factory=list)


class SqliteSnapshot:
    """One generation of a collection, to read inside its `with` block.

    Attributes:
        version: the generation's.
        model: the encoder's; None while nothing is embedded.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        version: IndexVersion,
        searcher: Searcher,
        cache: GenerationCache,
    ) -> None:
        """Read through a connection that is inside a transaction.

        Args:
            db: pinned to the generation.
            version: the generation's.
            searcher: searches what is derived from the file.
            cache: of this generation; filled here.
        """
        self.db = db
        self.version = version
        self.model = meta(db, "model")
        self._cache = cache
        self._searcher = searcher

    @property
    def generation(self) -> int:
        """The number of the generation; 0 before the first commit."""
        return self.version.generation

    @property
    def _census(self) -> list[tuple[str | None, int, int]]:
        """Each publisher (None if unknown) with its numbers of live articles and sentences."""
        sql = "SELECT name, articles, sentences FROM publisher WHERE articles > 0"
        self._cache.census = self._cache.census or self.db.execute(sql).fetchall()
        return self._cache.census

    def size(self) -> Size:
        """Return how many articles and sentences are live."""
        _, articles, sentences = zip((None, 0, 0), *self._census, strict=True)
        return Size(sum(articles), sum(sentences))

    def publishers(self) -> dict[str, int]:
        """Return how many live articles each publisher has, most first."""
        return {name: -n for n, name in sorted((-n, name) for name, n, _ in self._census if name)}

    # Searching

    def dense(self, vector: Vectors, k: int, filters: Filters = _ALL) -> Ranked:
        """Return the k live sentences with the highest inner product with `vector` (d,).

        Exact on the newest generation. A snapshot that is no longer the newest may miss
        sentences that were removed since, but never has one that was added since.
        """
        return self._searcher.nearest(self, vector, k, self.live_ids(filters) if filters else None)

    def lexical(self, terms: Sequence[str], k: int, filters: Filters = _ALL) -> Ranked:
        """Return the k live sentences with the highest BM25 for any of the terms."""
        allowed = self.live_ids(filters) if filters else None
        if text := self._searcher.full_text(self, terms):
            return text.best(k, allowed)
        match = " OR ".join('"' + term.replace('"', '""') + '"' for term in terms) or '""'
        rows = self.db.execute(
            "SELECT rowid, -bm25(live_text) FROM live_text WHERE live_text MATCH ? "
            # "+": else SQLite looks each of them up in the full text
            + (f"AND +rowid IN {LIST} " if filters else "")
            + "ORDER BY bm25(live_text), rowid LIMIT ?",
            (match, *([json.dumps(allowed.tolist())] if allowed is not None else []), max(k, 0)),
        ).fetchall()
        return Ranked(first_ids(rows), np.array([row[1] for row in rows], dtype=np.float32))

    def document_frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """Return in how many live sentences each term occurs, without terms that occur in none."""
        if text := self._searcher.full_text(self, listed := [*terms]):
            return text.frequencies()
        sql = f"SELECT term, doc FROM live_terms WHERE term IN {LIST}"
        return dict(self.db.execute(sql, (json.dumps(listed),)))

    def vocabulary(self, initial: str) -> dict[str, int]:
        """Return the terms of live sentences that begin with a character, with their frequency."""
        if known := self._searcher.vocabulary(self, initial):
            return known
        sql = "SELECT term, doc FROM live_terms WHERE term >= ? AND term < ?"
        return dict(self.db.execute(sql, (initial, chr(ord(initial) + 1))))

    def rows(self, ids: Iterable[int], radius: int = 0) -> Rows:
        """Return live sentences by id, with `radius` neighbours on each side in their article."""
        rows = self.db.execute(
            f"SELECT {SENTENCE}, s.terms, e.vector FROM sentence s "
            "JOIN embedding e USING (sentence_id) "
            f"WHERE s.sentence_id IN ({NEAR}) ORDER BY s.sentence_id",
            (radius, radius, json.dumps([*ids])),
        ).fetchall()
        articles = self._articles({row[1] for row in rows})
        return Rows(
            sentences=tuple(sentence_of(row, articles[row[1]]) for row in rows),
            vectors=matrix([row[8] for row in rows]),
            terms=tuple(tuple(row[7].split()) for row in rows),
            articles={article.article_id: article for article in articles.values()},
        )

    def _articles(self, revisions: set[int]) -> dict[int, Article]:
        """Articles by revision. Another thread may empty the cache: each entry is read once."""
        cached = {r: article for r in revisions if (article := self._cache.articles.get(r))}
        missing = json.dumps([*(revisions - cached.keys())])
        rows = self.db.execute(f"SELECT {ARTICLE} WHERE r.revision IN {LIST}", (missing,))
        loaded = {row[0]: article_of(row) for row in rows}
        if len(self._cache.articles) + len(loaded) > _MAX_CACHED:
            self._cache.articles.clear()
        self._cache.articles.update(loaded)
        return cached | loaded

    # For the vector index

    def live_ids(self, filters: Filters = _ALL) -> Ids:
        """Return live sentence ids, ascending: int64 (n,)."""
        condition, values = passing(filters)
        # A filter's index first; without one, never the revisions with their long texts.
        tables = "revision r CROSS JOIN article a" if filters else "article a CROSS JOIN revision r"
        sql = f"SELECT r.first, r.sentences FROM {tables} ON r.revision = a.live"
        return ranges(self.db.execute(f"{sql} WHERE a.live IS NOT NULL{condition}", values))

    def vectors(self, ids: Ids) -> tuple[Ids, Vectors]:
        """Return those of the ids that have an embedding (n,), ascending, and it: (n, d)."""
        sql = f"SELECT sentence_id, vector FROM embedding WHERE sentence_id IN {LIST} ORDER BY 1"
        rows = self.db.execute(sql, (json.dumps(ids.tolist()),)).fetchall()
        return first_ids(rows), matrix([row[1] for row in rows])

    def descends_from(self, version: IndexVersion) -> bool:
        """Whether this generation is that version or follows it, with the same model."""
        sql = "SELECT token FROM generation WHERE number = ?"
        row = self.db.execute(sql, (version.generation,)).fetchone()
        return (row[0] if row else "", self.version.model) == (version.token, version.model)

    def changed_since(self, generation: int) -> tuple[Ids, Ids]:
        """Return the sentences of articles that changed after a generation; after 0, of all.

        Returns:
            All ids (n,) and those that are live now (m,), both ascending.
        """
        sql = (
            "SELECT r.first, r.sentences FROM article a JOIN revision r USING (article) "
            "WHERE a.article IN (SELECT article FROM change WHERE generation > ?)"
        )
        changed = ranges(self.db.execute(sql, (generation,)))
        return changed, ranges(self.db.execute(f"{sql} AND a.live = r.revision", (generation,)))

    def terms(self, ids: Ids) -> Iterator[list[str]]:
        """Yield the terms of sentences by ascending id, joined by spaces; thousands at once."""
        sql = f"SELECT terms FROM sentence WHERE sentence_id IN {LIST} ORDER BY sentence_id"
        for start in range(0, len(ids), _AT_ONCE):
            some = json.dumps(ids[start : start + _AT_ONCE].tolist())
            yield [row[0] for row in self.db.execute(sql, (some,))]

    # Articles

    def article(self, article_id: str, revision: int | None = None) -> Article:
        """Return an article, retired or not, in its latest or the given revision.

        Raises:
            NotFoundError: no such article or revision.
        """
        articles = self._select_articles(
            "WHERE a.article_id = ? AND iif(?, r.revision = a.latest, r.number = ?)",
            (article_id, revision is None, min(revision or 0, 2**63 - 1)),
        )
        if not articles:
            where = f" in revision {revision}" if revision else ""
            raise NotFoundError(f"There is no article “{article_id}”{where} in this collection.")
        return articles[0]

    def articles(self, *, retired: bool = False) -> list[Article]:
        """Return all live articles (or all retired ones), by id."""
        which = "r.revision = a.latest AND a.live IS NULL" if retired else "r.revision = a.live"
        return self._select_articles(f"WHERE {which} ORDER BY a.article_id")

    def _select_articles(self, condition: str, values: Sequence[object] = ()) -> list[Article]:
        return [article_of(row) for row in self.db.execute(f"SELECT {ARTICLE} {condition}", values)]

    def published(self) -> tuple[datetime, datetime] | None:
        """Return when the first and the last live article were published, if any has a date."""
        sql = "SELECT min(r.published), max(r.published) FROM article a JOIN revision r "
        first, last = self.db.execute(f"{sql} ON r.revision = a.live").fetchone()
        return (datetime.fromisoformat(first), datetime.fromisoformat(last)) if first else None

    def undated(self, filters: Filters) -> int:
        """Return how many live articles by the publishers of the filters state no date."""
        condition, values = passing(Filters(filters.publishers))
        sql = "SELECT count(*) FROM article a JOIN revision r ON r.revision = a.live "
        rows = self.db.execute(f"{sql} WHERE r.published IS NULL{condition}", values)
        return int(rows.fetchone()[0])

    def fresh(self, since: datetime, filters: Filters, limit: int) -> list[RecentArticle]:
        """Return live articles published or revised since then, newest first."""
        condition, values = passing(replace(filters, since=None))  # a revised one may be older
        sql = (
            "SELECT a.article_id, r.number FROM change c JOIN generation g "
            "ON g.number = c.generation JOIN article a USING (article) JOIN revision r "
            "ON r.revision = c.before WHERE c.outcome = 'updated' AND g.at >= ? "
            "ORDER BY c.before DESC"  # so that the earliest of several stays
        )
        revised: dict[str, int] = dict(self.db.execute(sql, (utc_text(since),)))
        articles = self._select_articles(
            "WHERE r.revision = a.live AND (r.published >= ? OR a.article_id IN "
            f"{LIST}){condition} ORDER BY r.published DESC, a.article LIMIT ?",
            (clock_text(since), json.dumps([*revised]), *values, limit),
        )
        return [
            RecentArticle(article, self.article(key, revised[key]) if key in revised else None)
            for article in articles
            for key in [article.article_id]
        ]

    def rewrites(self, article_ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return, for each of these articles, the live ones that copy or rewrite it, or it them."""
        others: dict[str, set[str]] = {article_id: set() for article_id in article_ids}
        rows = self.db.execute(
            "SELECT a.article_id, b.article_id FROM article a JOIN rewrite w ON w.revision = a.live"
            f" JOIN article b ON b.live = w.other WHERE a.article_id IN {LIST}",
            (json.dumps([*others]),),
        )
        for article_id, other in rows:
            others[article_id].add(other)
        return {article_id: frozenset(rewrites) for article_id, rewrites in others.items()}

    def sentences(self, article_id: str) -> list[Sentence]:
        """Return the sentences of an article's latest revision, in order. Raises NotFoundError."""
        article = self.article(article_id)
        rows = self.db.execute(
            f"SELECT {SENTENCE} FROM sentence s "
            "JOIN article a ON a.latest = s.revision WHERE a.article_id = ? ORDER BY s.position",
            (article_id,),
        )
        return [sentence_of(row, article) for row in rows]

    # Look-ups for ingestion

    def decide(self, article: Article, *, revive: bool = True) -> Decision:
        """Decide what storing an article would do to this generation."""
        return decide(self.db, article, revive=revive)

    def page(self, address: str) -> PageState | None:
        """Return the last state of a page or file; None unless all its articles are stored."""
        row = self.db.execute(
            "SELECT address, etag, modified, (SELECT json_group_array(article_id) FROM "
            "(SELECT article_id FROM page_article WHERE address = p.address ORDER BY position)), "
            "links FROM page p WHERE address = ? AND NOT EXISTS (SELECT 1 FROM page_article l "
            "WHERE l.address = p.address AND article_id NOT IN (SELECT article_id FROM article))",
            (address,),
        ).fetchone()
        return page_of(row) if row else None

    def embedded(self, article_id: str) -> dict[str, Vectors]:
        """Return the vector (d,) of each sentence text of the latest revision, for reuse."""
        rows = self.db.execute(
            "SELECT r.text, s.start, s.stop, e.vector FROM article a "
            "JOIN revision r ON r.revision = a.latest JOIN sentence s USING (revision) "
            "JOIN embedding e USING (sentence_id) WHERE a.article_id = ?",
            (article_id,),
        )
        return {text[a:b]: np.frombuffer(vector, dtype=np.float32) for text, a, b, vector in rows}

    # Records

    def history(self, limit: int | None = None) -> list[HistoryEvent]:
        """Return the audit log, newest first."""
        rows = self.db.execute(
            "SELECT number, at, actor, action, note, (SELECT json_group_object(outcome, n) FROM "
            "(SELECT outcome, count(*) AS n FROM change WHERE generation = number GROUP BY 1)), "
            "(SELECT json_group_array(title) FROM (SELECT r.title FROM change c "
            "JOIN article a USING (article) JOIN revision r "
            "ON r.revision = coalesce(c.after, c.before, a.latest) "
            "WHERE c.generation = g.number LIMIT ?)) "
            "FROM generation g ORDER BY number DESC LIMIT ?",
            (_TITLES, -1 if limit is None else limit),
        )
        return [
            HistoryEvent(
                *(number, datetime.fromisoformat(at), actor, action, note),
                *(json.loads(counts), tuple(json.loads(titles))),
            )
            for number, at, actor, action, note, counts, titles in rows
        ]

    def sources(self) -> list[Source]:
        """Return the sources, in the order they were added."""
        rows = self.db.execute(f"SELECT {COLUMNS} FROM source ORDER BY number")
        return [Source.from_row(row) for row in rows]
