"""Every statement that reads the SQLite file of a collection; its tables are in `schema`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from index.article import Article, Filters, Notice, Sentence
from index.encoder import Vectors
from index.errors import NotFoundError
from index.log import SqliteLog
from index.plain import Page
from index.store import Event, Fresh, Ids, Known, Ranked, Rows, Size, Source

_CACHED_ARTICLES = 2_000
_TITLES = 5  # of an event
_BATCH = 500  # parameters a statement; SQLite's own limit is far above
_ARTICLE_COLUMNS = """
    a.article_id, r.title, r.text, r.publisher, r.author, r.published, r.url, r.language,
    r.source, r.number, a.live IS NULL, r.revision, r.guessed
"""
_SOURCE_COLUMNS = (
    "uri, kind, every, paused, checked, succeeded, failures, failing_since, error, told"
)


def utc_text(moment: datetime | None) -> str | None:
    """A moment as stored: UTC, ISO 8601, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


class Reader:
    """What a snapshot reads from SQLite: all of it but the vector index."""

    def __init__(self, connection: sqlite3.Connection, cache: dict[int, Article]) -> None:
        """Read through a connection that is inside a transaction.

        Args:
            connection: pinned to one generation.
            cache: articles by revision row, which never change; shared between snapshots.
        """
        self._db = connection
        self._cache = cache
        newest = connection.execute("SELECT max(number) FROM generation").fetchone()[0]
        self.generation: int = newest or 0
        self.model = self.meta("model")
        self.log = SqliteLog(connection)

    def token(self, generation: int) -> str | None:
        """What tells a generation from another of the same number in a restored catalogue."""
        row = self._db.execute("SELECT token FROM generation WHERE number = ?", (generation,))
        found = row.fetchone()
        return found[0] if found else None

    def meta(self, key: str) -> str | None:
        """One value of the `meta` table."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def size(self) -> Size:
        count = self._db.execute("SELECT count(*) FROM article WHERE live IS NOT NULL")
        return Size(int(count.fetchone()[0]), int(self.meta("live_sentences") or 0))

    def lexical(self, terms: Sequence[str], k: int, filters: Filters = Filters()) -> Ranked:  # noqa: B008
        if not terms or k < 1:
            return Ranked(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        match = " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)
        condition, values = live_filter(filters)
        found = self._db.execute(
            "SELECT rowid, -bm25(live_text) FROM live_text WHERE live_text MATCH ?"
            + (f" AND rowid IN ({condition})" if filters else "")
            + " ORDER BY bm25(live_text), rowid LIMIT ?",
            (match, *values, k),
        ).fetchall()
        ids = np.array([row[0] for row in found], dtype=np.int64)
        return Ranked(ids, np.array([row[1] for row in found], dtype=np.float32))

    def document_frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        sql = "SELECT term, doc FROM live_terms WHERE term IN ({})"
        return dict(self._in_batches(sql, list(dict.fromkeys(terms))))

    def live_ids(self, filters: Filters = Filters()) -> Ids:  # noqa: B008
        """All live sentence ids, ascending: int64 (n,)."""
        condition, values = live_filter(filters)
        rows = self._db.execute(f"{condition} ORDER BY s.sentence_id", values)
        return np.fromiter((row[0] for row in rows), dtype=np.int64)

    def live_vectors(self, ids: Ids) -> Vectors:
        """Embeddings of live sentences: float32 (n, d), in the order of ascending `ids`."""
        sql = "SELECT vector FROM embedding WHERE sentence_id IN ({}) ORDER BY sentence_id"
        blobs = b"".join(row[0] for row in self._in_batches(sql, ids.tolist()))
        if not len(ids):
            return np.empty((0, 0), dtype=np.float32)
        return np.frombuffer(blobs, dtype=np.float32).reshape(len(ids), -1)

    def changed_since(self, generation: int) -> tuple[Ids, Ids]:
        """Sentence ids (all, live) of the articles that changed after a generation."""
        changed = "SELECT DISTINCT article FROM change WHERE generation > ?"
        every = self._db.execute(
            "SELECT s.sentence_id, a.live IS r.revision FROM article a "
            "JOIN revision r USING (article) JOIN sentence s USING (revision) "
            f"WHERE a.article IN ({changed}) ORDER BY s.sentence_id",
            (generation,),
        ).fetchall()
        ids = np.array([row[0] for row in every], dtype=np.int64)
        live = np.array([row[1] for row in every], dtype=bool)
        return ids, ids[live]

    def rows(self, ids: Iterable[int], radius: int = 0) -> Rows:
        asked = set(ids)
        wanted = sorted({near for i in asked for near in range(i - radius, i + radius + 1)})
        sql = (
            "SELECT s.sentence_id, s.revision, s.position, s.start, s.stop, s.terms, e.vector "
            "FROM sentence s JOIN article a ON a.live = s.revision "
            "JOIN embedding e USING (sentence_id) WHERE s.sentence_id IN ({})"
            " ORDER BY s.sentence_id"
        )
        found = list(self._in_batches(sql, wanted))
        if radius:  # an id beside the asked one may belong to another article
            at = {row[0]: row[1] for row in found}
            found = [row for row in found if _near(row[0], row[1], asked, at, radius)]
        articles = self._articles_by_revision({row[1] for row in found})
        sentences = tuple(_sentence(row, articles[row[1]]) for row in found)
        vectors = np.frombuffer(b"".join(row[6] for row in found), dtype=np.float32)
        return Rows(
            sentences=sentences,
            vectors=vectors.reshape(len(found), -1) if found else vectors.reshape(0, 0),
            terms=tuple(tuple(row[5].split()) for row in found),
            articles={article.article_id: article for article in articles.values()},
        )

    def article(self, article_id: str, revision: int | None = None) -> Article:
        row = self._db.execute(
            f"SELECT {_ARTICLE_COLUMNS} FROM article a JOIN revision r USING (article) "
            "WHERE a.article_id = ? AND "
            + ("r.revision = a.latest" if revision is None else "r.number = ?"),
            (article_id,) if revision is None else (article_id, revision),
        ).fetchone()
        if row is None:
            which = f" in revision {revision}" if revision else ""
            raise NotFoundError(
                f"There is no article “{article_id}”{which} here: `onrecord articles` lists all."
            )
        return self._noted(_article(row))

    def articles(self, *, retired: bool = False) -> list[Article]:
        rows = self._db.execute(
            f"SELECT {_ARTICLE_COLUMNS} FROM article a JOIN revision r ON r.revision = a.latest "
            f"WHERE a.live IS {'NULL' if retired else 'NOT NULL'} ORDER BY a.article_id"
        )
        return [self._noted(_article(row)) for row in rows]

    def published(self) -> tuple[datetime, datetime] | None:
        first, last = self._db.execute(
            "SELECT min(r.published), max(r.published) "
            "FROM article a JOIN revision r ON r.revision = a.live"
        ).fetchone()
        return (datetime.fromisoformat(first), datetime.fromisoformat(last)) if first else None

    def fresh(self, since: datetime, filters: Filters, limit: int) -> list[Fresh]:
        where, values = _article_filter(replace(filters, since=None))
        rows = self._db.execute(
            "WITH revised AS (SELECT c.article, min(c.before) AS before FROM change c "
            "JOIN generation g ON g.number = c.generation "
            "WHERE c.outcome = 'updated' AND g.at >= ? GROUP BY c.article) "
            f"SELECT {_ARTICLE_COLUMNS}, b.number FROM article a "
            "JOIN revision r ON r.revision = a.live LEFT JOIN revised ON revised.article = "
            "a.article LEFT JOIN revision b ON b.revision = revised.before "
            f"WHERE (r.published >= ? OR b.number IS NOT NULL){where} "
            "ORDER BY r.published DESC, a.article LIMIT ?",
            (utc_text(since), utc_text(since), *values, limit),
        ).fetchall()
        return [
            Fresh(self._noted(_article(row)), self.article(row[0], row[-1]) if row[-1] else None)
            for row in rows
        ]

    def sentences(self, article_id: str) -> list[Sentence]:
        article = self.article(article_id)
        rows = self._db.execute(
            "SELECT s.sentence_id, s.revision, s.position, s.start, s.stop FROM sentence s "
            "JOIN article a ON a.latest = s.revision WHERE a.article_id = ? ORDER BY s.position",
            (article_id,),
        )
        return [_sentence(row, article) for row in rows]

    def publishers(self) -> dict[str, int]:
        rows = self._db.execute(
            "SELECT r.publisher, count(*) FROM article a JOIN revision r ON r.revision = a.live "
            "WHERE r.publisher IS NOT NULL GROUP BY r.publisher_key ORDER BY 2 DESC, 1"
        )
        return dict(rows.fetchall())

    def known(self, article_ids: Iterable[str]) -> dict[str, Known]:
        sql = (
            "SELECT a.article_id, r.text_hash, a.live IS NULL FROM article a "
            "JOIN revision r ON r.revision = a.latest WHERE a.article_id IN ({})"
        )
        rows = self._in_batches(sql, list(article_ids))
        return {row[0]: Known(row[1], bool(row[2])) for row in rows}

    def alike(self, keys: Iterable[str]) -> dict[str, str]:
        sql = "SELECT key, article_id FROM alike JOIN article USING (article) WHERE key IN ({})"
        return dict(self._in_batches(sql, list(keys)))

    def page(self, address: str) -> Page | None:
        row = self._db.execute(
            "SELECT address, etag, modified, articles, links FROM page WHERE address = ? AND NOT "
            "EXISTS (SELECT 1 FROM json_each(articles) "
            "WHERE value NOT IN (SELECT article_id FROM article))",
            (address,),
        ).fetchone()
        return Page(*row[:3], *(tuple(json.loads(ids)) for ids in row[3:])) if row else None

    def embedded(self, article_id: str) -> dict[str, Vectors]:
        row = self._db.execute(
            "SELECT r.text, r.revision FROM article a JOIN revision r ON r.revision = a.latest "
            "WHERE a.article_id = ?",
            (article_id,),
        ).fetchone()
        if row is None:
            return {}
        spans = self._db.execute(
            "SELECT s.start, s.stop, e.vector FROM sentence s JOIN embedding e USING (sentence_id)"
            " WHERE s.revision = ?",
            (row[1],),
        )
        return {row[0][a:b]: np.frombuffer(vector, dtype=np.float32) for a, b, vector in spans}

    def history(self, limit: int | None = None) -> list[Event]:
        rows = self._db.execute(
            "SELECT number, at, actor, action, note FROM generation ORDER BY number DESC LIMIT ?",
            (-1 if limit is None else limit,),
        ).fetchall()
        counts: dict[int, dict[str, int]] = {row[0]: {} for row in rows}
        counted = self._db.execute(
            "SELECT generation, outcome, count(*) FROM change WHERE generation >= ? GROUP BY 1, 2",
            (min(counts, default=None),),
        )
        for generation, outcome, count in counted:
            counts[generation][outcome] = count
        titles: dict[int, list[str]] = {row[0]: [] for row in rows}
        named = self._db.execute(
            "SELECT generation, title FROM (SELECT generation, coalesce(after, before, a.latest) "
            "AS revision, row_number() OVER (PARTITION BY generation) AS place FROM change "
            "JOIN article a USING (article) WHERE generation >= ?) JOIN revision USING (revision) "
            "WHERE place <= ?",
            (min(titles, default=None), _TITLES),
        )
        for generation, title in named:
            titles[generation].append(title)
        return [
            Event(
                number,
                datetime.fromisoformat(at),
                *(actor, action, note),
                counts[number],
                tuple(titles[number]),
            )
            for number, at, actor, action, note in rows
        ]

    def sources(self) -> list[Source]:
        rows = self._db.execute(f"SELECT {_SOURCE_COLUMNS} FROM origin ORDER BY number")
        return [_source(row) for row in rows]

    @cached_property
    def _notices(self) -> dict[str, Notice]:
        """The newest notice of each article; a revision may be cached, what became of it not."""
        rows = self._db.execute(
            "SELECT article_id, kind, note, at, actor FROM notice JOIN article USING (article) "
            "ORDER BY generation"
        )
        return {
            row[0]: Notice(row[1], row[2], datetime.fromisoformat(row[3]), row[4])
            for row in {row[0]: row for row in rows}.values()  # the newest of each stands
            if row[1]  # one without a kind takes those before it back
        }

    def _noted(self, article: Article) -> Article:
        notice = self._notices.get(article.article_id)
        return replace(article, notice=notice) if notice else article

    def _articles_by_revision(self, revisions: set[int]) -> dict[int, Article]:
        # Another thread may clear the cache at any time: each entry is looked up once.
        cached = {r: article for r in revisions if (article := self._cache.get(r)) is not None}
        sql = (
            f"SELECT {_ARTICLE_COLUMNS} FROM revision r JOIN article a USING (article) "
            "WHERE r.revision IN ({})"
        )
        missing = [revision for revision in revisions if revision not in cached]
        loaded = {row[11]: _article(row) for row in self._in_batches(sql, missing)}
        if len(self._cache) + len(loaded) > _CACHED_ARTICLES:
            self._cache.clear()
        self._cache.update(loaded)
        return {key: self._noted(article) for key, article in (cached | loaded).items()}

    def _in_batches(self, sql: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        for first in range(0, len(values), _BATCH):
            batch = values[first : first + _BATCH]
            yield from self._db.execute(sql.format(",".join("?" * len(batch))), batch)


def _near(
    sentence_id: int, revision: int, asked: set[int], revisions: dict[int, int], radius: int
) -> bool:
    near = range(sentence_id - radius, sentence_id + radius + 1)
    return any(i in asked and revisions.get(i) == revision for i in near)


def live_filter(filters: Filters) -> tuple[str, list[object]]:
    """A SELECT of live sentence ids that pass the filters, and its parameters."""
    sql = (
        "SELECT s.sentence_id FROM article a JOIN revision r ON r.revision = a.live "
        "JOIN sentence s ON s.revision = r.revision WHERE a.live IS NOT NULL"
    )
    where, values = _article_filter(filters)
    return sql + where, values


def _article_filter(filters: Filters) -> tuple[str, list[object]]:
    """Conditions on revision r that the filters make, and their parameters."""
    sql = ""
    values: list[object] = []
    if filters.publishers:
        sql += f" AND r.publisher_key IN ({','.join('?' * len(filters.publishers))})"
        values += [publisher.casefold() for publisher in filters.publishers]
    if filters.since:
        sql += " AND r.published >= ?"
        values.append(utc_text(filters.since))
    if filters.latest:
        sql += " AND r.published <= ?"
        values.append(utc_text(filters.latest))
    return sql, values


def _article(row: Sequence[Any]) -> Article:
    published = row[5]
    return Article(
        article_id=row[0],
        title=row[1],
        text=row[2],
        publisher=row[3],
        author=row[4],
        published=datetime.fromisoformat(published) if published else None,
        url=row[6],
        language=row[7],
        source=row[8],
        revision=row[9],
        retired=bool(row[10]),
        guessed=tuple(row[12].split()),
    )


def _source(row: Sequence[Any]) -> Source:
    checked, succeeded, failing_since = (
        datetime.fromisoformat(row[at]) if row[at] else None for at in (4, 5, 7)
    )
    return Source(
        uri=row[0],
        kind=row[1],
        every=row[2],
        paused=bool(row[3]),
        checked=checked,
        succeeded=succeeded,
        failures=row[6],
        failing_since=failing_since,
        error=row[8],
        told=bool(row[9]),
    )


def _sentence(row: Sequence[Any], article: Article) -> Sentence:
    sentence_id, _, position, start, end = row[:5]
    return Sentence(
        sentence_id=sentence_id,
        article_id=article.article_id,
        revision=article.revision,
        position=position,
        start=start,
        end=end,
        text=article.text[start:end],
    )
