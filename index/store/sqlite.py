"""A collection: one folder with a SQLite file and, for large collections, a file of codes.

The SQLite file is the only source of truth. The vector index in memory follows the commits of this
and other processes before each search; its file is a cache that is checked before use and made
again when it is missing, stale or damaged.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from index.encoder import Encoder
from index.errors import StoreDamagedError, StoreError
from index.store.answers import AnswerLog
from index.store.backups import copy_of
from index.store.connections import CATALOGUE, Connections, Pool
from index.store.inbox import Inbox
from index.store.people import People
from index.store.preferences import Preferences
from index.store.rows import newest
from index.store.schema import connect, meta, set_meta, utc_text
from index.store.searcher import Searcher
from index.store.snapshot import GenerationCache, SqliteSnapshot
from index.store.sources import COLUMNS, Source
from index.store.types import Changes, Commit, IndexVersion
from index.store.vectors import EXACT_UP_TO, VectorIndex
from index.store.writer import Writer

_CACHE = "vectors.compact"
_REBUILT = 1_000  # sentences embedded again between two commits
_UNSTAGED = """
    SELECT s.sentence_id, r.text, s.start, s.stop FROM sentence s JOIN revision r USING (revision)
    WHERE s.sentence_id > ?
    AND NOT EXISTS (SELECT 1 FROM staged t WHERE t.sentence_id = s.sentence_id)
    ORDER BY s.sentence_id LIMIT ?
"""
_IS_KNOWN = "SELECT 1 FROM generation WHERE number = ? AND token = ?"
_ACTIVATE = """
DROP TABLE embedding;
ALTER TABLE staged RENAME TO embedding;
CREATE TABLE staged (
    sentence_id INTEGER PRIMARY KEY REFERENCES sentence, vector BLOB NOT NULL) STRICT
"""


class SqliteStore:
    """A collection in its own folder. Safe to use from several threads and processes.

    A commit makes a generation: articles, sentences, embeddings, full text and the audit log
    change together or not at all. A snapshot sees exactly one generation.

    Attributes:
        answers: the log of its answers; not part of a generation.
        people: what it keeps of people; not part of a generation.
        inbox: what waits for a moderator; not part of a generation.
        preferences: what moderators of its servers have chosen; not part of a generation.
    """

    def __init__(
        self,
        folder: Path,
        *,
        exact_up_to: int = EXACT_UP_TO,
        opener: Callable[[Path], sqlite3.Connection] = connect,
        pool: Pool | None = None,
    ) -> None:
        """Name the collection; it is opened, or created, at first use.

        Args:
            folder: created if missing.
            exact_up_to: sentences above which the vector index is compact.
            opener: opens connections; tests pass one that fails.
            pool: closes the files, and drops the vectors, of stores that were not used lately.
        """
        self._folder = folder
        self._exact_up_to = exact_up_to
        self._connections = Connections(folder / CATALOGUE, opener, pool or Pool(1), self._forget)
        self._forget()
        self.answers = AnswerLog(self.snapshot, self._connections.writing)
        self.people = People(self.snapshot, self._connections.writing)
        self.inbox = Inbox(self.snapshot, self._connections.writing)
        self.preferences = Preferences(self.snapshot, self._connections.writing)

    def _forget(self) -> None:
        """Drop what is derived from the file; who uses it now keeps what they have."""
        self._cache: tuple[IndexVersion | None, GenerationCache] = (None, GenerationCache())
        self._vectors = VectorIndex(self._exact_up_to, self._folder / _CACHE)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        """Open the newest generation to read. Raises StoreError if that fails."""
        with self._connections.lease() as db:
            db.execute("BEGIN")
            try:
                version = newest(db)
                cached, cache = self._cache
                if cached != version:
                    cache = GenerationCache()
                    self._cache = version, cache
                yield SqliteSnapshot(db, version, Searcher(self._vectors, self.snapshot), cache)
            finally:
                db.rollback()

    def commit(
        self,
        changes: Changes,
        *,
        actor: str,
        action: str,
        note: str = "",
        model: str | None = None,
        dry_run: bool = False,
    ) -> Commit:
        """Apply all changes and make a generation, or change nothing at all.

        What an article is (new, known under another id, unchanged, refused) is decided inside
        the transaction. `model` is the model of the vectors. A `dry_run` returns what the commit
        would do, and rolls it back; nobody else can write meanwhile.

        Raises:
            NotFoundError: there is no such generation to go back to.
            InputError: the collection has changed since what `changes.seen` names, or a retracted
                article would be corrected.
            ModelMismatchError: the collection was embedded by another model.
            StoreBusyError: another process is writing and does not finish.
            StoreError: it cannot be written.
        """
        with self._connections.writing() as db:
            writer = Writer(db)
            writer.apply(changes, model)
            commit = writer.finish(actor, action, note)
            if dry_run:
                db.rollback()
            return commit

    def add_sources(self, sources: Iterable[Source]) -> None:
        """Add these sources, but for those that are there already, which stay as they are."""
        with self._connections.writing() as db:
            db.executemany(
                "INSERT INTO source (uri, kind, every) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [(source.uri, source.kind, source.every) for source in sources],
            )

    def put_source(self, source: Source) -> Source:
        """Add a source, or change the interval of the one that is there; return it as stored."""
        with self._connections.writing() as db:
            (row,) = db.execute(
                "INSERT INTO source (uri, kind, every) VALUES (?, ?, ?) "
                f"ON CONFLICT DO UPDATE SET every = excluded.every RETURNING {COLUMNS}",
                (source.uri, source.kind, source.every),
            ).fetchall()
        return Source.from_row(row)

    def update_source(self, uri: str, **changes: int | str | datetime | None) -> None:
        """Change these fields of a source and no others."""
        columns = ", ".join(f"{name} = ?" for name in changes)
        values = (utc_text(v) if isinstance(v, datetime) else v for v in changes.values())
        with self._connections.writing() as db:
            db.execute(f"UPDATE source SET {columns} WHERE uri = ?", (*values, uri))

    def remove_source(self, uri: str) -> None:
        """Drop a source; its articles stay."""
        with self._connections.writing() as db:
            db.execute("DELETE FROM source WHERE uri = ?", (uri,))

    def rebuild(
        self, encoder: Encoder, *, actor: str, on_progress: Callable[[int], None] | None = None
    ) -> Commit:
        """Embed every sentence again, then switch to the new embeddings in one commit.

        Until then snapshots have the old embeddings, and articles may be added. If it ends early,
        even killed, the next call for the same model goes on from there. Others can write between
        two batches: sentences are chosen and embedded without holding the collection.

        Args:
            encoder: makes the vectors.
            actor: named in the audit log.
            on_progress: called with the number of sentences done; may raise to stop.
        """
        with self._staging(encoder.model):
            pass  # what was staged for another model is gone
        done = last = 0
        while True:
            with self.snapshot() as snapshot:
                rows = snapshot.db.execute(_UNSTAGED, (last, _REBUILT)).fetchall()
            if rows:
                self._stage(rows, encoder, snapshot.version)
                done, last = done + len(rows), rows[-1][0]
                if on_progress is not None:
                    on_progress(done)
                continue
            with self._staging(encoder.model) as db:
                # Another process may have undone some of it, so all is looked at once more.
                rest = db.execute(_UNSTAGED, (0, 1)).fetchone()
                if rest is None:
                    return _activate_staged(db, encoder.model, actor)
            last = rest[0] - 1

    def _stage(self, rows: list[Any], encoder: Encoder, version: IndexVersion) -> None:
        """Embed sentences (rows of `_UNSTAGED` in that version), and stage their embeddings."""
        # Cut here and not in SQL, which takes a NUL for the end of a text.
        vectors = encoder.encode([text[start:stop] for _, text, start, stop in rows])
        staged = [(row[0], vector.tobytes()) for row, vector in zip(rows, vectors, strict=True)]
        with self._staging(encoder.model) as db:
            # A copy recovered meanwhile may have other sentences under these numbers.
            if db.execute(_IS_KNOWN, (version.generation, version.token)).fetchone():
                db.executemany("INSERT OR REPLACE INTO staged VALUES (?, ?)", staged)

    @contextlib.contextmanager
    def _staging(self, model: str) -> Iterator[sqlite3.Connection]:
        """Open a write transaction in which only embeddings by this model are staged."""
        with self._connections.writing() as db:
            if meta(db, "staged_model") != model:
                db.execute("DELETE FROM staged")
                set_meta(db, "staged_model", model)
            yield db

    def prepare(self) -> None:
        """Bring the vector index up to date, so that the next question does not wait for it."""
        self._vectors.prepare(self.snapshot)

    @contextlib.contextmanager
    def copy(self) -> Iterator[SqliteStore]:
        """A copy of the collection, to try a change on; it is deleted afterwards."""
        with tempfile.TemporaryDirectory(prefix="onrecord-copy-") as folder:
            self.backup(Path(folder, CATALOGUE))
            with closing(SqliteStore(Path(folder))) as store:
                yield store

    def backup(self, file: Path) -> None:
        """Write a whole copy of the newest generation to a file, or nothing. Raises StoreError."""
        draft = file.with_name(f".{file.name}-{secrets.token_hex(4)}.draft")
        with self._connections.lease() as db:  # whose errors are not the file's
            try:
                with closing(sqlite3.connect(draft)) as copy:
                    db.backup(copy)
                draft.replace(file)
            except (OSError, sqlite3.OperationalError) as error:
                raise StoreError(
                    f"{file} cannot be written: name a file in a folder that is there and has room."
                ) from error
            finally:
                draft.unlink(missing_ok=True)

    def recover(self, file: Path, *, actor: str) -> Commit:
        """Replace all that is stored, damaged or not, by a backup, in a generation of its own.

        Its number is higher than any before (unless damage hides that), and the audit log of the
        backup goes on with it, so that nothing read before the recovery is taken for the state
        after it.

        Raises:
            StoreError: the file is no whole backup with something in it, and nothing was changed.
        """
        with copy_of(file) as source:
            try:
                with self.snapshot() as snapshot:
                    last = snapshot.generation
            except StoreDamagedError:
                last = 0
            note = f"from a backup of generation {newest(source).generation}"
            source.execute("BEGIN IMMEDIATE")
            with source:
                commit = Writer(source, after=last).finish(actor, "recover", note, always=True)
            try:
                self._overwrite(source)
            except StoreDamagedError:
                self._delete_files()
                self._overwrite(source)
            return commit

    def _overwrite(self, source: sqlite3.Connection) -> None:
        with self._connections.lease() as db:
            source.backup(db)

    def erase(self) -> None:
        """Delete all that is stored, for good, damaged or not, and close.

        Raises:
            StoreError: it is another program's, or cannot be deleted now.
        """
        with contextlib.suppress(StoreDamagedError), self._connections.writing():
            pass  # it is a collection, or empty, and nobody is writing
        self.close()
        self._delete_files()

    def _delete_files(self) -> None:
        """Delete the collection's files, and its folder unless it holds others."""
        doomed = self._folder.with_name(f".{self._folder.name}-{secrets.token_hex(4)}")
        ours = [CATALOGUE + end for end in ("-wal", "-shm", "-journal", "")]
        try:
            with self._connections.opening:
                self._folder.rename(doomed)  # at once: nobody must meet half of its files
        except FileNotFoundError:  # somebody else has just erased it
            return
        except OSError as error:
            raise StoreError(f"{error.filename} cannot be deleted: delete it by hand.") from error
        try:
            for file in (*doomed.glob(".vectors-*"), *(doomed / name for name in (_CACHE, *ours))):
                file.unlink(missing_ok=True)
            if doomed.is_symlink() or any(doomed.iterdir()):  # files of another program
                doomed.rename(self._folder)
            else:
                doomed.rmdir()
        except OSError as error:
            raise StoreError(f"{error.filename} cannot be deleted: delete it by hand.") from error

    def close(self) -> None:
        """Close files and connections; who still uses the store gets a StoreError."""
        self._connections.close()
        self._vectors.finish()  # else it may write a file where there is no collection any more


def _activate_staged(db: sqlite3.Connection, model: str, actor: str) -> Commit:
    """Replace the embeddings by the staged ones, without copying any."""
    writer = Writer(db)
    for statement in _ACTIVATE.split(";\n"):
        db.execute(statement)
    set_meta(db, "model", model)
    set_meta(db, "rebuilt", str(writer.generation))
    return writer.finish(actor, "rebuild", always=True)
