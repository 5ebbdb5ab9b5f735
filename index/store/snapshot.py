"""Read one generation of a collection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from index.domain import Article, Filters, Sentence
from index.encoder import Vectors
from index.errors import NotFoundError
from index.reading.items import PageState
from index.store.database import LIST, Database
from index.store.identity import decide
from index.store.rows import (
    ARTICLE,
    NEAR,
    SENTENCE,
    article_of,
    matrix,
    page_of,
    passing,
    sentence_of,
)
from index.store.schema import clock_text, utc_text
from index.store.sources import COLUMNS, Source
from index.store.types import (
    Decision,
    HistoryEvent,
    IndexVersion,
    Ranked,
    RecentArticle,
    Rows,
    Size,
)

_ALL = Filters()
_TITLES = 5  # per event
_MAX_CACHED = 2_000  # articles: some 10 MB
_ALL_ROWS = 2**63 - 1


@dataclass(slots=True)
class GenerationCache:
    """A cache shared by the snapshots of a generation: articles by revision, publishers' counts."""

    articles: dict[int, Article] = field(default_factory=dict)
    census: list[tuple[str | None, int, int]] = field(default_factory=list)


class CatalogueSnapshot(ABC):
    """A generation of a collection in SQL tables, to read inside its `with` block.

    Each engine searches in its own way.

    Attributes:
        db: the connection, inside a transaction that sees only this generation.
        version: the version of the generation.
        model: the name of the encoder; None while nothing is embedded.
    """

    db: Database

    def __init__(
        self, db: Database, version: IndexVersion, model: str | None, cache: GenerationCache
    ) -> None:
        """Read a generation through a connection; `cache` belongs to that generation."""
        self.db = db
        self.version = version
        self.model = model
        self._cache = cache

    @property
    def generation(self) -> int:
        """The number of the generation; 0 before the first commit."""
        return self.version.generation

    @property
    def _census(self) -> list[tuple[str | None, int, int]]:
        """Publishers (None: unknown), each with its numbers of live articles and sentences."""
        sql = "SELECT name, articles, sentences FROM publisher WHERE articles > 0"
        self._cache.census = self._cache.census or self.db.execute(sql).fetchall()
        return self._cache.census

    def size(self) -> Size:
        """Return how many articles and sentences are live."""
        _, articles, sentences = zip((None, 0, 0), *self._census, strict=True)
        return Size(sum(articles), sum(sentences))

    def publishers(self) -> dict[str, int]:
        """Return how many live articles each publisher has, most first."""
        named = [(-count, name) for name, count, _ in self._census if name is not None]
        return {name: -count for count, name in sorted(named)}

    # Searching

    @abstractmethod
    def dense(self, vector: Vectors, k: int, filters: Filters = _ALL) -> Ranked:
        """Return the k live sentences with the highest inner product with `vector` (d,).

        The result is exact in a small collection and the newest generation. An older snapshot may
        miss sentences that were removed since, but never has sentences that were added since.
        """

    @abstractmethod
    def lexical(self, terms: Sequence[str], k: int, filters: Filters = _ALL) -> Ranked:
        """Return the k live sentences with the highest BM25 for any of the terms."""

    def document_frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """Return in how many live sentences each term occurs, without terms that occur nowhere."""
        sql = f"SELECT term, doc FROM live_terms WHERE term IN {LIST}"
        return dict(self.db.execute(sql, ([*terms],)))

    def vocabulary(self, initial: str) -> dict[str, int]:
        """Return the terms of live sentences that begin with a character, with their frequency."""
        sql = "SELECT term, doc FROM live_terms WHERE term >= ? AND term < ?"
        return dict(self.db.execute(sql, (initial, chr(ord(initial) + 1))))

    def rows(self, ids: Iterable[int], radius: int = 0) -> Rows:
        """Return live sentences by id, with `radius` neighbours on each side in their article."""
        rows = self.db.execute(
            f"SELECT {SENTENCE}, s.terms, e.vector FROM sentence s "
            "JOIN embedding e USING (sentence_id) "
            f"WHERE s.sentence_id IN ({NEAR}) ORDER BY s.sentence_id",
            (radius, radius, [*ids]),
        ).fetchall()
        articles = self._articles({row[1] for row in rows})
        return Rows(
            sentences=tuple(sentence_of(row, articles[row[1]]) for row in rows),
            vectors=matrix([row[8] for row in rows]),
            terms=tuple(tuple(row[7].split()) for row in rows),
            articles={article.article_id: article for article in articles.values()},
        )

    def _articles(self, revisions: set[int]) -> dict[int, Article]:
        """Return articles by revision. Other threads may empty the cache: read each entry once."""
        cached = {r: article for r in revisions if (article := self._cache.articles.get(r))}
        missing = [*(revisions - cached.keys())]
        rows = self.db.execute(f"SELECT {ARTICLE} WHERE r.revision IN {LIST}", (missing,))
        loaded = {row[0]: article_of(row) for row in rows}
        if len(self._cache.articles) + len(loaded) > _MAX_CACHED:
            self._cache.articles.clear()
        self._cache.articles.update(loaded)
        return cached | loaded

    # Articles

    def article(self, article_id: str, revision: int | None = None) -> Article:
        """Return an article, live or retired, in its latest or the given revision.

        Raises:
            NotFoundError: no such article or revision.
        """
        which = "r.revision = a.latest" if revision is None else "r.number = ?"
        number = [] if revision is None else [min(revision, _ALL_ROWS)]
        condition = f"WHERE a.article_id = ? AND {which}"
        articles = self._select_articles(condition, (article_id, *number))
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
        """Return live articles published or revised since a time, newest first."""
        condition, values = passing(replace(filters, since=None))  # a revised article may be older
        sql = (
            "SELECT a.article_id, r.number FROM change c JOIN generation g "
            "ON g.number = c.generation JOIN article a USING (article) JOIN revision r "
            "ON r.revision = c.before WHERE c.outcome = 'updated' AND g.at >= ? "
            "ORDER BY c.before DESC"  # so that the earliest of several changes stays
        )
        revised: dict[str, int] = dict(self.db.execute(sql, (utc_text(since),)))
        articles = self._select_articles(
            "WHERE r.revision = a.live AND (r.published >= ? OR a.article_id IN "
            f"{LIST}){condition} ORDER BY r.published DESC NULLS LAST, a.article LIMIT ?",
            (clock_text(since), [*revised], *values, limit),
        )
        return [
            RecentArticle(article, self.article(key, revised[key]) if key in revised else None)
            for article in articles
            for key in [article.article_id]
        ]

    def rewrites(self, article_ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return, for each of these articles, the live articles that are rewrites of each other."""
        others: dict[str, set[str]] = {article_id: set() for article_id in article_ids}
        rows = self.db.execute(
            "SELECT a.article_id, b.article_id FROM article a JOIN rewrite w ON w.revision = a.live"
            f" JOIN article b ON b.live = w.other WHERE a.article_id IN {LIST}",
            ([*others],),
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
        """Return what storing an article would do to this generation."""
        return decide(self.db, article, revive=revive)

    def page(self, address: str) -> PageState | None:
        """Return the last state of a page or file; None unless all its articles are stored."""
        row = self.db.execute(
            "SELECT address, etag, modified, links FROM page p WHERE address = ? AND NOT EXISTS "
            "(SELECT 1 FROM page_article l LEFT JOIN article a USING (article_id) "
            "WHERE l.address = p.address AND a.article IS NULL)",
            (address,),
        ).fetchone()
        if row is None:
            return None
        sql = "SELECT article_id FROM page_article WHERE address = ? ORDER BY position"
        return page_of(row, [name for (name,) in self.db.execute(sql, (address,))])

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
        events = self.db.execute(
            "SELECT number, at, actor, action, note FROM generation ORDER BY number DESC LIMIT ?",
            (_ALL_ROWS if limit is None else limit,),
        ).fetchall()
        oldest = events[-1][0] if events else _ALL_ROWS
        counts, titles = defaultdict[int, dict[str, int]](dict), defaultdict[int, list[str]](list)
        for number, outcome, count in self.db.execute(
            "SELECT generation, outcome, count(*) FROM change WHERE generation >= ? GROUP BY 1, 2",
            (oldest,),
        ):
            counts[number][outcome] = count
        for number, title in self.db.execute(
            "SELECT c.generation, r.title FROM (SELECT *, row_number() OVER "
            "(PARTITION BY generation ORDER BY article) AS place FROM change WHERE generation >= ?)"
            " c JOIN article a USING (article) JOIN revision r "
            "ON r.revision = coalesce(c.after, c.before, a.latest) WHERE place <= ? "
            "ORDER BY c.generation, place",
            (oldest, _TITLES),
        ):
            titles[number].append(title)
        return [
            HistoryEvent(
                *(number, datetime.fromisoformat(at), actor, action, note),
                *(counts[number], tuple(titles[number])),
            )
            for number, at, actor, action, note in events
        ]

    def sources(self) -> list[Source]:
        """Return the sources, in the order they were added."""
        rows = self.db.execute(f"SELECT {COLUMNS} FROM source ORDER BY number")
        return [Source.from_row(row) for row in rows]
