"""Every statement that reads the SQLite file of a collection; its tables are in `schema`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from index.domain import Article, Filters, Notice, Sentence
from index.encoder import Vectors
from index.errors import NotFoundError
from index.reading.text import Page
from index.store.types import (
    HistoryEvent,
    Ids,
    IndexVersion,
    Known,
    Ranked,
    RecentArticle,
    Rows,
    Size,
    Source,
)
from index.store.vectors import VectorIndex
from index.text.rewrites import is_rewrite

_CACHED_ARTICLES = 2_000
_TITLES = 5  # of an event
_FIELDS = "article_id title text publisher author published url language source guessed".split()
_ARTICLE = f"""
    r.revision, r.number, a.live IS NULL, {", ".join(_FIELDS)}
    FROM article a JOIN revision r USING (article)
"""
_LIST = "(SELECT value FROM json_each(?))"  # of a JSON array: any number of values
_LIVE = """
    SELECT s.sentence_id FROM article a JOIN revision r ON r.revision = a.live
    JOIN sentence s ON s.revision = r.revision WHERE a.live IS NOT NULL
"""
# Sentences of a revision have consecutive ids, so neighbours are found by theirs.
_NEAR = f"""
    SELECT n.sentence_id FROM sentence s JOIN article a ON a.live = s.revision
    JOIN sentence n ON n.revision = s.revision
    AND n.sentence_id BETWEEN s.sentence_id - ? AND s.sentence_id + ? WHERE s.sentence_id IN {_LIST}
"""


def utc_text(moment: datetime | None) -> str | None:
    """A moment as stored: UTC, ISO 8601, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


def meta(db: sqlite3.Connection, key: str) -> str | None:
    """One value of the `meta` table."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return row[0] if row else None


def newest(db: sqlite3.Connection) -> IndexVersion:
    """What was committed last."""
    number, token = db.execute("SELECT max(number), token FROM generation").fetchone()
    made_by = f"{meta(db, 'model') or ''} {meta(db, 'rebuilt') or ''}".strip()
    return IndexVersion(number or 0, token or "", made_by)


class Reader:
    """One generation of a collection, to read."""

    def __init__(
        self,
        db: sqlite3.Connection,
        stamp: IndexVersion,
        articles: dict[int, Article],
        vectors: Callable[[Reader], VectorIndex],
    ) -> None:
        """Read through a connection that is inside a transaction.

        Args:
            db: pinned to the generation.
            stamp: the generation's.
            articles: by revision row, as they are in this generation; filled here.
            vectors: the index of this generation, when it is asked for.
        """
        self.db = db
        self.stamp = stamp
        self.model = meta(db, "model")
        self._articles = articles
        self._vectors = vectors

    @property
    def generation(self) -> int:
        return self.stamp.generation

    def size(self) -> Size:
        count = self.db.execute("SELECT count(*) FROM article WHERE live IS NOT NULL")
        return Size(int(count.fetchone()[0]), int(meta(self.db, "live_sentences") or 0))

    # Searching

    def dense(self, vector: Vectors, k: int, filters: Filters = Filters()) -> Ranked:  # noqa: B008
        return self._vectors(self).search(vector, k, self.live_ids(filters) if filters else None)

    def lexical(self, terms: Sequence[str], k: int, filters: Filters = Filters()) -> Ranked:  # noqa: B008
        match = " OR ".join('"' + term.replace('"', '""') + '"' for term in terms) or '""'
        condition, values = _passing(filters)
        found = self.db.execute(
            "SELECT rowid, -bm25(live_text) FROM live_text WHERE live_text MATCH ?"
            # "+": else SQLite looks every single one of them up in the full text
            + (f" AND +rowid IN ({_LIVE}{condition})" if filters else "")
            + " ORDER BY bm25(live_text), rowid LIMIT ?",
            (match, *values, max(k, 0)),
        ).fetchall()
        ids = np.array([row[0] for row in found], dtype=np.int64)
        return Ranked(ids, np.array([row[1] for row in found], dtype=np.float32))

    def document_frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        sql = f"SELECT term, doc FROM live_terms WHERE term IN {_LIST}"
        return dict(self.db.execute(sql, (json.dumps([*terms]),)))

    def rows(self, ids: Iterable[int], radius: int = 0) -> Rows:
        found = self.db.execute(
            "SELECT s.sentence_id, s.revision, s.position, s.start, s.stop, s.speaker, s.act, "
            "s.terms, e.vector "
            "FROM sentence s JOIN embedding e USING (sentence_id) "
            f"WHERE s.sentence_id IN ({_NEAR}) ORDER BY s.sentence_id",
            (radius, radius, json.dumps([*ids])),
        ).fetchall()
        articles = self._articles_of({row[1] for row in found})
        return Rows(
            sentences=tuple(_sentence(row, articles[row[1]]) for row in found),
            vectors=_matrix([row[8] for row in found]),
            terms=tuple(tuple(row[7].split()) for row in found),
            articles={article.article_id: article for article in articles.values()},
        )

    # What the vector index is made from

    def live_ids(self, filters: Filters = Filters()) -> Ids:  # noqa: B008
        """All live sentence ids, ascending: int64 (n,)."""
        condition, values = _passing(filters)
        rows = self.db.execute(f"{_LIVE}{condition} ORDER BY s.sentence_id", values)
        return np.fromiter((row[0] for row in rows), dtype=np.int64)

    def live_vectors(self, ids: Ids) -> Vectors:
        """Embeddings of live sentences: float32 (n, d), in the order of ascending `ids`."""
        sql = f"SELECT vector FROM embedding WHERE sentence_id IN {_LIST} ORDER BY sentence_id"
        return _matrix([row[0] for row in self.db.execute(sql, (json.dumps(ids.tolist()),))])

    def descends_from(self, stamp: IndexVersion) -> bool:
        """Whether this generation is the one of that stamp, or came after it."""
        sql = "SELECT token FROM generation WHERE number = ?"
        row = self.db.execute(sql, (stamp.generation,)).fetchone()
        return (row[0] if row else "", self.stamp.model) == (stamp.token, stamp.model)

    def changed_since(self, generation: int) -> tuple[Ids, Ids]:
        """Sentence ids (all, live) of the articles that changed after a generation."""
        rows = self.db.execute(
            "SELECT s.sentence_id, a.live IS r.revision FROM article a "
            "JOIN revision r USING (article) JOIN sentence s USING (revision) WHERE a.article IN "
            "(SELECT article FROM change WHERE generation > ?) ORDER BY s.sentence_id",
            (generation,),
        ).fetchall()
        ids, live = np.array(rows, dtype=np.int64).reshape(-1, 2).T
        return ids, ids[live == 1]

    # Articles

    def article(self, article_id: str, revision: int | None = None) -> Article:
        which = "r.revision = a.latest" if revision is None else "r.number = ?"
        values = (article_id,) if revision is None else (article_id, revision)
        found = self._found(f"WHERE a.article_id = ? AND {which}", values)
        if not found:
            where = f" in revision {revision}" if revision else ""
            raise NotFoundError(
                f"There is no article “{article_id}”{where} here: `onrecord articles` lists all."
            )
        return found[0]

    def articles(self, *, retired: bool = False) -> list[Article]:
        which = "r.revision = a.latest AND a.live IS NULL" if retired else "r.revision = a.live"
        return self._found(f"WHERE {which} ORDER BY a.article_id")

    def published(self) -> tuple[datetime, datetime] | None:
        first, last = self.db.execute(
            "SELECT min(r.published), max(r.published) "
            "FROM article a JOIN revision r ON r.revision = a.live"
        ).fetchone()
        return (datetime.fromisoformat(first), datetime.fromisoformat(last)) if first else None

    def fresh(self, since: datetime, filters: Filters, limit: int) -> list[RecentArticle]:
        condition, values = _passing(replace(filters, since=None))
        revised = dict(
            self.db.execute(
                "SELECT a.article_id, r.number FROM change c JOIN generation g "
                "ON g.number = c.generation JOIN article a USING (article) JOIN revision r "
                "ON r.revision = c.before WHERE c.outcome = 'updated' AND g.at >= ? "
                "ORDER BY c.before DESC",  # so that what it was before them all stays
                (utc_text(since),),
            ).fetchall()
        )
        found = self._found(
            "WHERE r.revision = a.live AND (r.published >= ? OR a.article_id IN "
            f"{_LIST}){condition} ORDER BY r.published DESC, a.article LIMIT ?",
            (utc_text(since), json.dumps([*revised]), *values, limit),
        )
        return [
            RecentArticle(one, self.article(one.article_id, before) if before else None)
            for one, before in ((one, revised.get(one.article_id)) for one in found)
        ]

    def rewrites(self, article_ids: Iterable[str]) -> dict[str, frozenset[str]]:
        texts = {article_id: self.article(article_id).text for article_id in article_ids}
        return {
            own: frozenset(k for k, other in texts.items() if k != own and is_rewrite(text, other))
            for own, text in texts.items()
        }

    def sentences(self, article_id: str) -> list[Sentence]:
        article = self.article(article_id)
        rows = self.db.execute(
            "SELECT s.sentence_id, s.revision, s.position, s.start, s.stop, s.speaker, s.act "
            "FROM sentence s "
            "JOIN article a ON a.latest = s.revision WHERE a.article_id = ? ORDER BY s.position",
            (article_id,),
        )
        return [_sentence(row, article) for row in rows]

    def publishers(self) -> dict[str, int]:
        rows = self.db.execute(
            "SELECT r.publisher, count(*) FROM article a JOIN revision r ON r.revision = a.live "
            "WHERE r.publisher IS NOT NULL GROUP BY r.publisher_key ORDER BY 2 DESC, 1"
        )
        return dict(rows.fetchall())

    # What taking in looks for

    def known(self, article_ids: Iterable[str]) -> dict[str, Known]:
        rows = self.db.execute(
            "SELECT a.article_id, r.text_hash, a.live IS NULL FROM article a "
            f"JOIN revision r ON r.revision = a.latest WHERE a.article_id IN {_LIST}",
            (json.dumps([*article_ids]),),
        )
        return {row[0]: Known(row[1], bool(row[2])) for row in rows}

    def alike(self, keys: Iterable[str]) -> dict[str, str]:
        sql = f"SELECT key, article_id FROM alike JOIN article USING (article) WHERE key IN {_LIST}"
        return dict(self.db.execute(sql, (json.dumps([*keys]),)))

    def page(self, address: str) -> Page | None:
        row = self.db.execute(
            "SELECT address, etag, modified, articles, links FROM page WHERE address = ? AND NOT "
            "EXISTS (SELECT 1 FROM json_each(articles) "
            "WHERE value NOT IN (SELECT article_id FROM article))",
            (address,),
        ).fetchone()
        return Page(*row[:3], *(tuple(json.loads(ids)) for ids in row[3:])) if row else None

    def embedded(self, article_id: str) -> dict[str, Vectors]:
        rows = self.db.execute(
            "SELECT r.text, s.start, s.stop, e.vector FROM article a "
            "JOIN revision r ON r.revision = a.latest JOIN sentence s USING (revision) "
            "JOIN embedding e USING (sentence_id) WHERE a.article_id = ?",
            (article_id,),
        )
        return {text[a:b]: np.frombuffer(vector, dtype=np.float32) for text, a, b, vector in rows}

    # Records

    def history(self, limit: int | None = None) -> list[HistoryEvent]:
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
        rows = self.db.execute(
            "SELECT uri, kind, every, paused, checked, succeeded, failures, failing_since, error, "
            "told FROM origin ORDER BY number"
        )
        return [_source(row) for row in rows]

    @cached_property
    def _notices(self) -> dict[str, Notice | None]:
        """The newest notice of each article; one without a kind takes those before it back."""
        rows = self.db.execute(
            "SELECT article_id, kind, note, at, actor FROM notice JOIN article USING (article) "
            "ORDER BY generation"
        )
        return {
            article_id: Notice(kind, note, datetime.fromisoformat(at), actor) if kind else None
            for article_id, kind, note, at, actor in rows
        }

    def _found(self, condition: str, values: Sequence[object] = ()) -> list[Article]:
        rows = self.db.execute(f"SELECT {_ARTICLE} {condition}", values).fetchall()
        return [_article(row, self._notices.get(row[3])) for row in rows]

    def _articles_of(self, revisions: set[int]) -> dict[int, Article]:
        # Another thread may clear the cache at any time: each entry is looked up once.
        cached = {r: article for r in revisions if (article := self._articles.get(r)) is not None}
        rows = self.db.execute(
            f"SELECT {_ARTICLE} WHERE r.revision IN {_LIST}",
            (json.dumps([*(revisions - cached.keys())]),),
        )
        loaded = {row[0]: _article(row, self._notices.get(row[3])) for row in rows}
        if len(self._articles) + len(loaded) > _CACHED_ARTICLES:
            self._articles.clear()
        self._articles.update(loaded)
        return cached | loaded


def _passing(filters: Filters) -> tuple[str, list[object]]:
    """Conditions on revision r that the filters make, and their parameters."""
    publishers = [one.casefold() for one in filters.publishers]
    made: list[tuple[str, object]] = [
        (f"r.publisher_key IN {_LIST}", publishers and json.dumps(publishers)),
        ("r.published >= ?", utc_text(filters.since)),
        ("r.published <= ?", utc_text(filters.latest)),
    ]
    used = [(condition, value) for condition, value in made if value]
    return "".join(f" AND {condition}" for condition, _ in used), [value for _, value in used]


def _matrix(blobs: list[bytes]) -> Vectors:
    """Stored vectors as float32 (n, d)."""
    vectors = np.frombuffer(b"".join(blobs), dtype=np.float32)
    return vectors.reshape(len(blobs), -1) if blobs else vectors.reshape(0, 0)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _article(row: Sequence[Any], notice: Notice | None) -> Article:
    _, number, retired, *values = row
    told = dict(zip(_FIELDS, values, strict=True))
    told |= {"published": _moment(told["published"]), "guessed": tuple(told["guessed"].split())}
    return Article(**told, revision=number, retired=bool(retired), notice=notice)


def _source(row: Sequence[Any]) -> Source:
    uri, kind, every, paused, checked, succeeded, failures, since, error, told = row
    read = _moment(checked), _moment(succeeded)
    return Source(
        uri, kind, every, bool(paused), *read, failures, _moment(since), error, bool(told)
    )


def _sentence(row: Sequence[Any], article: Article) -> Sentence:
    number, _, position, start, end, speaker, act = row[:7]
    text, place = article.text[start:end], (article.article_id, article.revision, position)
    return Sentence(number, *place, start, end, text, speaker, act)
