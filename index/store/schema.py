"""The SQLite file of a collection: its tables, and opening it.

One file holds articles with their revisions, sentences, embeddings, full text, sources, the log of
answers and the audit log, so that one transaction changes them together. A sentence is *live*
when it belongs to the live revision of an article; only live sentences are in the full text.
Sentences of one revision are written together and so have consecutive ids, from `first` on.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from index.errors import StoreBusyError, StoreDamagedError, StoreError, StoreVersionError
from index.store.database import Database

SCHEMA_VERSION = 3
_APPLICATION_ID = 0x4F6E5265  # "OnRe": distinguishes our files from other SQLite files
_BUSY_S = 30.0
_LOG_BYTES = 64_000_000  # size of the log file kept for later commits
_WAL_MS = 100  # time to wait for readers of a new file; this thread may be one of them

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE generation (
    number INTEGER PRIMARY KEY, token TEXT NOT NULL, at TEXT NOT NULL, actor TEXT NOT NULL,
    action TEXT NOT NULL, note TEXT NOT NULL) STRICT;
CREATE TABLE article (
    article INTEGER PRIMARY KEY, article_id TEXT NOT NULL UNIQUE,
    latest INTEGER NOT NULL REFERENCES revision DEFERRABLE INITIALLY DEFERRED,
    live INTEGER REFERENCES revision DEFERRABLE INITIALLY DEFERRED
        CHECK (live IS NULL OR live = latest)) STRICT;
CREATE INDEX article_live ON article (live) WHERE live IS NOT NULL;
CREATE TABLE revision (
    revision INTEGER PRIMARY KEY, article INTEGER NOT NULL REFERENCES article,
    number INTEGER NOT NULL, first INTEGER NOT NULL,
    sentences INTEGER NOT NULL CHECK (sentences > 0),
    title TEXT NOT NULL, publisher TEXT, publisher_key TEXT, author TEXT, published TEXT,
    guessed_date TEXT, url TEXT, language TEXT NOT NULL, source TEXT, guessed TEXT NOT NULL,
    text_hash TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (article, number)) STRICT;
CREATE INDEX revision_publisher ON revision (publisher_key, published);
CREATE INDEX revision_published ON revision (published);
CREATE TABLE publisher (  -- how much of each is live; key '': unknown
    key TEXT PRIMARY KEY, name TEXT, articles INTEGER NOT NULL,
    sentences INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE identity (
    key TEXT PRIMARY KEY, article INTEGER NOT NULL REFERENCES article) STRICT, WITHOUT ROWID;
CREATE TABLE sentence (
    sentence_id INTEGER PRIMARY KEY, revision INTEGER NOT NULL REFERENCES revision,
    position INTEGER NOT NULL, start INTEGER NOT NULL CHECK (start >= 0),
    stop INTEGER NOT NULL CHECK (stop > start), terms TEXT NOT NULL, speaker TEXT,
    act TEXT NOT NULL CHECK (act IN ('claim', 'denial', 'confirmation', 'report'))) STRICT;
CREATE INDEX sentence_revision ON sentence (revision);
CREATE TABLE embedding (
    sentence_id INTEGER PRIMARY KEY REFERENCES sentence, vector BLOB NOT NULL) STRICT;
CREATE TABLE staged (
    sentence_id INTEGER PRIMARY KEY REFERENCES sentence, vector BLOB NOT NULL) STRICT;
CREATE VIRTUAL TABLE live_text USING fts5 (
    terms, content='sentence', content_rowid='sentence_id',
    tokenize="unicode61 remove_diacritics 0 tokenchars '.'");
CREATE VIRTUAL TABLE live_terms USING fts5vocab (live_text, row);
CREATE TABLE sketch (
    hash INTEGER NOT NULL, revision INTEGER NOT NULL REFERENCES revision,
    PRIMARY KEY (hash, revision)) STRICT, WITHOUT ROWID;
CREATE TABLE rewrite (
    revision INTEGER NOT NULL REFERENCES revision, other INTEGER NOT NULL REFERENCES revision,
    PRIMARY KEY (revision, other)) STRICT, WITHOUT ROWID;
CREATE TABLE change (
    generation INTEGER NOT NULL REFERENCES generation DEFERRABLE INITIALLY DEFERRED,
    article INTEGER NOT NULL REFERENCES article,
    outcome TEXT NOT NULL CHECK (outcome IN
        ('added', 'updated', 'removed', 'restored', 'corrected', 'retracted', 'withdrawn')),
    before INTEGER REFERENCES revision, after INTEGER REFERENCES revision,
    PRIMARY KEY (generation, article)) STRICT, WITHOUT ROWID;
CREATE TABLE notice (
    generation INTEGER NOT NULL REFERENCES generation DEFERRABLE INITIALLY DEFERRED,
    article INTEGER NOT NULL REFERENCES article,
    kind TEXT NOT NULL CHECK (kind IN ('corrected', 'retracted', '')),  -- '': none any more
    note TEXT NOT NULL, at TEXT NOT NULL, actor TEXT NOT NULL,
    covers INTEGER,  -- of a retraction: the generation of the correction that it hides
    PRIMARY KEY (generation, article)) STRICT, WITHOUT ROWID;
CREATE INDEX notice_article ON notice (article, generation);
CREATE TABLE source (
    number INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('file', 'folder', 'url')), every INTEGER,
    paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)), checked TEXT, succeeded TEXT,
    failures INTEGER NOT NULL DEFAULT 0, failing_since TEXT, error TEXT,
    reported INTEGER NOT NULL DEFAULT 0 CHECK (reported IN (0, 1))) STRICT;
CREATE TABLE page (
    address TEXT PRIMARY KEY, etag TEXT, modified TEXT, links TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE page_article (
    address TEXT NOT NULL REFERENCES page ON DELETE CASCADE, position INTEGER NOT NULL,
    article_id TEXT NOT NULL, PRIMARY KEY (address, position)) STRICT, WITHOUT ROWID;
CREATE INDEX page_article_id ON page_article (article_id);
CREATE TABLE answer (
    answer_id TEXT PRIMARY KEY, at TEXT NOT NULL, question TEXT NOT NULL, filters TEXT NOT NULL,
    generation INTEGER NOT NULL, model TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('answered', 'declined')), confidence REAL NOT NULL,
    parts TEXT NOT NULL, reason TEXT, channel INTEGER, message INTEGER) STRICT, WITHOUT ROWID;
CREATE INDEX answer_at ON answer (at);
CREATE TABLE asker (
    alias INTEGER PRIMARY KEY, answer_id TEXT NOT NULL REFERENCES answer ON DELETE CASCADE) STRICT;
CREATE INDEX asker_answer ON asker (answer_id);
CREATE TABLE feedback (
    alias INTEGER PRIMARY KEY, answer_id TEXT NOT NULL REFERENCES answer ON DELETE CASCADE,
    server INTEGER NOT NULL, at TEXT NOT NULL, note TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX feedback_answer ON feedback (answer_id);
CREATE TABLE asked (  -- by server (0: none), and there how often and where last in public
    answer_id TEXT NOT NULL REFERENCES answer ON DELETE CASCADE, server INTEGER NOT NULL,
    at TEXT NOT NULL, times INTEGER NOT NULL, channel INTEGER,
    done INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (answer_id, server)) STRICT, WITHOUT ROWID;
CREATE TABLE quoted (
    answer_id TEXT NOT NULL REFERENCES answer ON DELETE CASCADE, article_id TEXT NOT NULL,
    PRIMARY KEY (answer_id, article_id)) STRICT, WITHOUT ROWID;
CREATE INDEX quoted_article ON quoted (article_id);
CREATE TABLE notified (
    answer_id TEXT NOT NULL REFERENCES answer ON DELETE CASCADE, article_id TEXT NOT NULL,
    state TEXT NOT NULL, PRIMARY KEY (answer_id, article_id)) STRICT, WITHOUT ROWID;
CREATE TABLE preference (
    server INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (server, name)) STRICT, WITHOUT ROWID;
CREATE TABLE watch (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, question TEXT NOT NULL,
    filters TEXT NOT NULL, generation INTEGER NOT NULL, server INTEGER, channel INTEGER,
    person INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX watch_once ON watch (
    question, filters, coalesce(server, 0), coalesce(channel, 0), person);
"""

_ACTIVATE = """
DROP TABLE embedding;
ALTER TABLE staged RENAME TO embedding;
CREATE TABLE staged (
    sentence_id INTEGER PRIMARY KEY REFERENCES sentence, vector BLOB NOT NULL) STRICT
"""


class SqliteDatabase(sqlite3.Connection):
    """A connection to a collection's file; see `index.store.database`."""

    def insert(self, table: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Insert whole rows."""
        rows = iter(rows)
        if first := next(rows, None):
            places = ",".join("?" * len(first))
            self.executemany(f"INSERT INTO {table} VALUES ({places})", chain([first], rows))

    def stream(self, sql: str, /) -> Iterator[Any]:
        """Yield the rows of a statement."""
        return self.execute(sql)

    def switch_live(self, before: Sequence[int], after: Sequence[int], /) -> None:
        """Change the full text; the vector index follows at the next search."""
        self.executemany(
            "INSERT INTO live_text (live_text, rowid, terms) "
            "SELECT 'delete', sentence_id, terms FROM sentence WHERE revision = ?",
            [(revision,) for revision in before],
        )
        self.executemany(
            "INSERT INTO live_text (rowid, terms) "
            "SELECT sentence_id, terms FROM sentence WHERE revision = ?",
            [(revision,) for revision in after],
        )

    def activate_staged(self, generation: int, /) -> None:
        """Replace the embeddings by the staged embeddings, without copying."""
        del generation
        for statement in _ACTIVATE.split(";\n"):
            self.execute(statement)

    def count_on(self) -> None:
        """Do nothing: SQLite continues after the highest id."""


sqlite3.register_adapter(list, json.dumps)  # `IN {LIST}` reads JSON


def connect(path: Path) -> SqliteDatabase:
    """Open a collection's file, and create its tables if it has none yet.

    In a read-only folder, it is opened for reading only.

    Raises:
        StoreVersionError: another version of On Record made it.
        StoreBusyError: another process has it locked and does not finish.
        StoreDamagedError: it is damaged, or not a database.
        StoreError: it cannot be opened, or belongs to another program.
    """
    try:
        connection = sqlite3.connect(
            _uri(path),
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
            factory=SqliteDatabase,
            uri=True,
        )
        try:
            new = is_new(connection, path)  # read first, before anything is written
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA busy_timeout = {_WAL_MS}")
            with contextlib.suppress(sqlite3.OperationalError):  # in use: the next connection will
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA busy_timeout = {int(1000 * _BUSY_S)}")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
            if new:
                _create(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        raise explained(error) from error
    return connection


def _uri(path: Path) -> str:
    """Return the URI of a collection's file, with the mode in which it can be opened."""
    uri = path.absolute().as_uri()
    if not path.exists() or os.access(path.parent, os.W_OK):
        return uri
    # Without a log nobody has it open, and SQLite can read it without writing a log.
    logged = path.with_name(f"{path.name}-wal").exists()
    return f"{uri}?mode=ro" if logged else f"{uri}?mode=ro&immutable=1"


def is_new(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether nothing was ever written to a file, without writing to it.

    Raises:
        StoreVersionError: another version of On Record made it.
        StoreError: it belongs to another program.
    """
    # A single statement, so that another process cannot create the tables in between.
    tables, version, application = connection.execute(
        "SELECT (SELECT count(*) FROM sqlite_master), user_version, application_id "
        "FROM pragma_user_version, pragma_application_id"
    ).fetchone()
    ours = application == _APPLICATION_ID
    if not ours and (version or tables):
        raise StoreError(
            f"{path} is a database of another program: name another one. Nothing was changed."
        )
    if ours and version != SCHEMA_VERSION:
        raise StoreVersionError(
            f"{path} was made by another version of On Record (its schema is {version}, this one "
            f"reads {SCHEMA_VERSION}): install that version. Nothing was changed."
        )
    return not ours


def _create(connection: sqlite3.Connection, path: Path) -> None:
    """Create all tables or none."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:  # commits at its end, or rolls back
        if is_new(connection, path):  # another process may have been faster
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def explained(error: sqlite3.DatabaseError) -> StoreError:
    """Return an error of SQLite as an error whose message says what to do."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the rest of the code is detail
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusyError(
                "Another process is writing to this collection: wait until it has finished, then "
                "try again."
            )
        case sqlite3.SQLITE_READONLY:
            return StoreError("The collection's folder is read-only: allow writing to it.")
        case sqlite3.SQLITE_FULL:
            return StoreError("The disk is full: make room, then try again.")
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return damaged(error)
        case _:
            return StoreError(
                f"The collection cannot be opened or used ({error}): if it was erased just now, "
                "try again; else check its folder, permissions and disk."
            )


def damaged(how: object) -> StoreDamagedError:
    """Return the error for a damaged collection, which says what to do about it."""
    return StoreDamagedError(
        f"The collection is damaged ({how}): put a backup in its place with `onrecord recover`, or "
        "erase it."
    )


def utc_text(moment: datetime | None) -> str | None:
    """Return a moment as it is stored: UTC, ISO 8601, so that text order is time order."""
    return clock_text(moment.astimezone(UTC)) if moment else None


def clock_text(moment: datetime | None) -> str | None:
    """Return a report's date as it is stored: on its own clock, so that text order is day order."""
    return moment.isoformat(timespec="seconds") if moment else None


def moment(text: str | None) -> datetime | None:
    """Return the moment that a stored text stands for."""
    return datetime.fromisoformat(text) if text else None


def meta(db: Database, key: str) -> str | None:
    """Return a value of the `meta` table."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return row[0] if row else None


def set_meta(db: Database, key: str, value: str) -> None:
    """Set a value of the `meta` table."""
    db.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )
