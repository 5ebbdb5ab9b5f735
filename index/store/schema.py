"""The SQLite file of a collection: its schema, and bringing an older one up to date.

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
from pathlib import Path

from index.domain import Article
from index.errors import StoreBusyError, StoreDamagedError, StoreError, StoreVersionError
from index.store.answers import SCHEMA as MEMORY_SCHEMA
from index.store.types import keys
from index.text.terms import terms

_APPLICATION_ID = 0x4F6E5265  # "OnRe": tells our files from other SQLite files
_BUSY_S = 30.0

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
    terms TEXT NOT NULL, speaker TEXT, act TEXT NOT NULL DEFAULT 'report');
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
"""
# Each makes the next version from the one before it. What a release has had is never changed:
# more comes at the end, and `_TERMS_AGAIN` once more whenever `index.terms` changes.
_VERSIONS = (_SCHEMA + MEMORY_SCHEMA, _SOURCES_AND_NOTICES, _TERMS_AGAIN)
SCHEMA_VERSION = len(_VERSIONS)


def connect(path: Path) -> sqlite3.Connection:
    """Open a catalogue, and make its schema where there is none yet.

    Raises:
        StoreVersionError: a newer version of On Record made it.
        StoreBusyError: another process holds it and does not come to an end.
        StoreDamagedError: it is damaged, or no database.
        StoreError: it cannot be opened, or is another program's.
    """
    places = (path, path.parent)
    read_only = path.is_file() and not all(os.access(place, os.W_OK) for place in places)
    try:
        connection = sqlite3.connect(
            _read_only_uri(path) if read_only else path,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
            uri=read_only,
        )
        try:
            _make_ready(connection, path, read_only=read_only)
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        raise explained(error) from error
    return connection


def _make_ready(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    old = _version(connection, path) < SCHEMA_VERSION  # a look, before anything is written
    if read_only and old:
        raise StoreError(
            f"{path} is of an older version and cannot be written: open it once where it can be, "
            "to bring it up to date."
        )
    if not read_only:
        with contextlib.suppress(sqlite3.OperationalError):  # somebody is at it: the next one then
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    if old:
        _upgrade(connection, path)


def _read_only_uri(path: Path) -> str:
    """How SQLite opens a file that it must not write beside; a log not taken in yet needs more."""
    settled = not path.with_name(path.name + "-wal").exists()
    return f"{path.resolve().as_uri()}?mode=ro" + ("&immutable=1" if settled else "")


def explained(error: sqlite3.DatabaseError) -> StoreError:
    """What SQLite says, in a sentence that says what to do."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the rest of the code is detail
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusyError(
                "Another process is writing to this collection: wait until it has finished, then "
                "try again."
            )
        case sqlite3.SQLITE_READONLY:
            return StoreError("The collection's folder is read-only: allow writing to it.")
        case sqlite3.SQLITE_FULL:
            return StoreError("The disk is full: nothing was changed; make room and try again.")
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return StoreDamagedError(
                f"The collection is damaged ({error}): restore a backup of its folder, or erase it."
            )
        case _:
            return StoreError(
                f"The collection cannot be opened or used ({error}): if it was erased just now, "
                "try again; else check its folder, permissions and disk."
            )


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
    with connection:  # which commits at its end, or rolls back
        for statements in _VERSIONS[_version(connection, path) :]:  # others may have been faster
            for statement in statements.split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _alike_keys(title: str, text: str, publisher: str | None, url: str | None) -> str:
    article = Article(article_id="-", title=title, text=text, publisher=publisher, url=url)
    return json.dumps(keys(article))


def _terms_of(text: str, start: int, stop: int) -> str:
    return " ".join(terms(text[start:stop]))
