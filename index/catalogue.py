"""The SQLite file of a collection: its schema and every statement that reads it.

One file holds articles with their revisions, sentences, embeddings, full text, the places they
come from and the audit log, so that one transaction changes them together. A sentence is *live*
when it belongs to the live revision of an article; only live sentences are in the full text.
Sentences of one revision are written in one go and so have consecutive ids.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from index.article import Article, Filters, Notice, Sentence
from index.encoder import Vectors
from index.errors import NotFoundError, StoreBusyError, StoreError, StoreVersionError
from index.log import SCHEMA as LOG_SCHEMA
from index.log import SqliteLog
from index.plain import Page
from index.store import Event, Fresh, Ids, Known, Ranked, Rows, Size, Source, keys
from index.terms import terms

_APPLICATION_ID = 0x4F6E5265  # "OnRe": tells our files from other SQLite files
_BUSY_S = 30.0
_CACHED_ARTICLES = 2_000
_TITLES = 5  # of an event
_BATCH = 500  # parameters a statement; SQLite's own limit is far above

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE generation (
    number INTEGER PRIMARY KEY, token TEXT NOT NULL, at TEXT NOT NULL, actor TEXT NOT NULL,
    action TEXT NOT NULL, note TEXT NOT NULL DEFAULT '');
CREATE TABLE article (
    article INTEGER PRIMARY KEY, article_id TEXT NOT NULL UNIQUE,
    latest INTEGER NOT NULL, live INTEGER);
CREATE INDEX article_live ON article (live) WHERE live IS NOT NULL;
CREATE TABLE revision (
    revision INTEGER PRIMARY KEY, article INTEGER NOT NULL, number INTEGER NOT NULL,
    title TEXT NOT NULL, publisher TEXT, publisher_key TEXT, author TEXT, published TEXT, url TEXT,
    language TEXT NOT NULL, source TEXT, text_hash TEXT NOT NULL, text TEXT NOT NULL,
    UNIQUE (article, number));
CREATE TABLE sentence (
    sentence_id INTEGER PRIMARY KEY AUTOINCREMENT, revision INTEGER NOT NULL,
    position INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    terms TEXT NOT NULL);
CREATE INDEX sentence_revision ON sentence (revision);
CREATE TABLE embedding (sentence_id INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE staged (sentence_id INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE VIRTUAL TABLE live_text USING fts5 (
    terms, content='sentence', content_rowid='sentence_id',
    tokenize="unicode61 remove_diacritics 0 tokenchars '.'");
CREATE VIRTUAL TABLE live_terms USING fts5vocab (live_text, row);
CREATE TABLE change (
    generation INTEGER NOT NULL, article INTEGER NOT NULL, outcome TEXT NOT NULL,
    before INTEGER, after INTEGER, PRIMARY KEY (generation, article)) WITHOUT ROWID;
CREATE TABLE origin (
    number INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE, kind TEXT NOT NULL);
"""

_SOURCES_AND_NOTICES = """
ALTER TABLE revision ADD COLUMN guessed TEXT NOT NULL DEFAULT '';
ALTER TABLE origin ADD COLUMN every INTEGER;
ALTER TABLE origin ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE origin ADD COLUMN checked TEXT;
ALTER TABLE origin ADD COLUMN succeeded TEXT;
ALTER TABLE origin ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE origin ADD COLUMN failing_since TEXT;
ALTER TABLE origin ADD COLUMN error TEXT;
ALTER TABLE origin ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
CREATE TABLE page (
    address TEXT PRIMARY KEY, etag TEXT, modified TEXT, articles TEXT NOT NULL,
    links TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE notice (
    generation INTEGER NOT NULL, article INTEGER NOT NULL, kind TEXT NOT NULL, note TEXT NOT NULL,
    at TEXT NOT NULL, actor TEXT NOT NULL, PRIMARY KEY (generation, article)) WITHOUT ROWID;
CREATE TABLE told (
    answer_id TEXT NOT NULL, article_id TEXT NOT NULL, kind TEXT NOT NULL,
    PRIMARY KEY (answer_id, article_id, kind)) WITHOUT ROWID;
CREATE TABLE alike (key TEXT PRIMARY KEY, article INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO alike
    SELECT k.value, r.article FROM revision r, json_each(alike_keys(title, text, publisher, url)) k
    ORDER BY r.revision;
"""
_TERMS_AGAIN = """
UPDATE sentence SET terms = terms_of(
    (SELECT text FROM revision r WHERE r.revision = sentence.revision), start, stop);
INSERT INTO live_text (live_text) VALUES ('delete-all');
INSERT INTO live_text (rowid, terms)
    SELECT s.sentence_id, s.terms FROM article a JOIN sentence s ON s.revision = a.live;
UPDATE meta SET value = (
    SELECT coalesce(sum(length(s.terms) - length(replace(s.terms, ' ', '')) + (s.terms <> '')), 0)
    FROM article a JOIN sentence s ON s.revision = a.live) WHERE key = 'live_term_count';
"""
# Each makes the next version from the one before it. What a release has had is never changed:
# more comes at the end, and `_TERMS_AGAIN` once more whenever `index.terms` changes.
_VERSIONS = (_SCHEMA + LOG_SCHEMA, _SOURCES_AND_NOTICES, _TERMS_AGAIN)
SCHEMA_VERSION = len(_VERSIONS)

_ARTICLE_COLUMNS = """
    a.article_id, r.title, r.text, r.publisher, r.author, r.published, r.url, r.language,
    r.source, r.number, a.live IS NULL, r.revision, r.guessed
"""
_SOURCE_COLUMNS = (
    "uri, kind, every, paused, checked, succeeded, failures, failing_since, error, told"
)


def connect(path: Path) -> sqlite3.Connection:
    """Open a catalogue, and make its schema where there is none yet.

    Raises:
        StoreVersionError: a newer version of On Record made it.
        StoreBusyError: another process holds it and does not come to an end.
        StoreError: it cannot be opened, or is something else.
    """
    with contextlib.ExitStack() as undo:
        try:
            read_only = path.is_file() and not all(
                os.access(place, os.W_OK) for place in (path, path.parent)
            )
            connection = sqlite3.connect(
                _read_only_uri(path) if read_only else path,
                timeout=_BUSY_S,
                isolation_level=None,
                check_same_thread=False,
                uri=read_only,
            )
            undo.callback(connection.close)
            connection.execute("BEGIN")
            version = _version(connection, path)  # a look, before anything is written
            connection.execute("COMMIT")
            if read_only and version < SCHEMA_VERSION:
                raise StoreError(
                    f"{path} is of an older version and cannot be written: open it once where it "
                    "can be, to bring it up to date."
                )
            if not read_only:
                _write_ahead(connection)
                connection.execute("PRAGMA synchronous = FULL")
            if version < SCHEMA_VERSION:
                _upgrade(connection, path)
        except sqlite3.DatabaseError as error:
            if isinstance(told := explained(error), StoreBusyError):
                raise told from error
            raise StoreError(
                f"{path} cannot be opened as a collection ({error}): check the folder and its "
                "permissions, or restore a backup."
            ) from error
        undo.pop_all()
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a write-ahead log; SQLite does not wait for the lock that this needs."""
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _read_only_uri(path: Path) -> str:
    """How SQLite opens a file that it must not write beside; a log not taken in yet needs more."""
    settled = not path.with_name(path.name + "-wal").exists()
    return f"{path.resolve().as_uri()}?mode=ro" + ("&immutable=1" if settled else "")


def explained(error: sqlite3.DatabaseError) -> StoreError:
    """What SQLite says, in a sentence that says what to do."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return StoreBusyError(
            "Another process is writing to this collection: wait until it has finished, then "
            "try again."
        )
    if "readonly" in text:
        return StoreError("The collection's folder is read-only: allow writing to it.")
    if "full" in text:
        return StoreError("The disk is full: nothing was changed; make room and try again.")
    return StoreError(f"The collection cannot be used ({text}): restore a backup of its folder.")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Of the schema; 0 where nothing was ever written. Raises if it is no collection of ours."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID
    if not ours and (version or tables):
        raise StoreError(f"{path} is a database of another program: name another folder.")
    if version > SCHEMA_VERSION:
        raise StoreVersionError(
            f"{path} was made by a newer version of On Record: upgrade with "
            "pip install --upgrade onrecord. Nothing was changed."
        )
    return version


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Make the schema, or bring an older one up to date, whole or not at all."""
    connection.create_function("alike_keys", 4, _alike_keys, deterministic=True)
    connection.create_function("terms_of", 3, _terms_of, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in _VERSIONS[_version(connection, path) :]:  # others may have been faster
            for statement in statements.split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _alike_keys(title: str, text: str, publisher: str | None, url: str | None) -> str:
    article = Article(article_id="-", title=title, text=text, publisher=publisher, url=url)
    return json.dumps(keys(article))


def _terms_of(text: str, start: int, stop: int) -> str:
    return " ".join(terms(text[start:stop]))


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
        sentences = int(self.meta("live_sentences") or 0)
        total = int(self.meta("live_term_count") or 0)
        return Size(int(count.fetchone()[0]), sentences, total / sentences if sentences else 0.0)

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
