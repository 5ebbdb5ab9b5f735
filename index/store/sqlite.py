"""A collection: one folder with a SQLite file and, for large collections, a FAISS file.

The SQLite file is the only truth. The vector index in memory holds the newest generation and
takes in what was committed since, by this process or another, before it is searched; its file
is a cache that is checked before use and made again when it is missing, stale or damaged.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from index.encoder import Encoder, Vectors
from index.errors import InputError, StoreDamagedError, StoreError
from index.store.answers import AnswerLog
from index.store.schema import connect, explained, meta, set_meta, utc_text
from index.store.snapshot import GenerationCache, SqliteSnapshot, newest
from index.store.sources import Source
from index.store.types import Changes, Commit, Ids, IndexVersion, Ranked
from index.store.vectors import EXACT_UP_TO, VectorIndex
from index.store.writer import Writer

CATALOGUE = "catalogue.sqlite3"
_CACHE = "vectors.faiss"
# By folder, for all stores of this process: SQLite opens a file and its log one after the other, by
# name. A connection that has an erased file and the log of the next one damages the latter.
_OPENING: dict[Path, threading.Lock] = {}
_REBUILT = 1_000  # sentences embedded again between two commits
_UNSTAGED = """
    SELECT s.sentence_id, r.text, s.start, s.stop FROM sentence s JOIN revision r USING (revision)
    WHERE NOT EXISTS (SELECT 1 FROM staged t WHERE t.sentence_id = s.sentence_id)
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
    """A collection in a folder of its own. Safe from several threads and processes.

    A commit makes a generation: articles, sentences, embeddings, full text and the audit log
    change together or not at all. A snapshot sees exactly one generation.

    Attributes:
        answers: the log of its answers; no part of a generation.
    """

    def __init__(
        self,
        folder: Path,
        *,
        exact_up_to: int = EXACT_UP_TO,
        opener: Callable[[Path], sqlite3.Connection] = connect,
    ) -> None:
        """Name the collection; it is opened, or made, at first use.

        Args:
            folder: made if it is not there.
            exact_up_to: sentences above which the vector index is compact and approximate.
            opener: makes connections; tests hand in one that fails.
        """
        self._folder = folder
        self._path = folder / CATALOGUE
        self._opener = opener
        self._opening = _OPENING.setdefault(folder.resolve(), threading.Lock())
        self._idle: queue.SimpleQueue[tuple[sqlite3.Connection, int | None]] = queue.SimpleQueue()
        self._cache: tuple[IndexVersion | None, GenerationCache] = (None, GenerationCache())
        self._vectors = VectorIndex(exact_up_to, folder / _CACHE)
        self.answers = AnswerLog(self.snapshot, self._writing)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        """Open the newest generation, to read. Raises StoreError where that fails."""
        with self._connection() as db:
            db.execute("BEGIN")
            try:
                version = newest(db)
                cached, cache = self._cache
                if cached != version:
                    cache = GenerationCache()
                    self._cache = version, cache
                yield SqliteSnapshot(db, version, self._search, cache)
            finally:
                db.rollback()

    def _search(
        self, snapshot: SqliteSnapshot, vector: Vectors, k: int, allowed: Ids | None
    ) -> Ranked:
        """Search the newest generation; what is not live in an older snapshot is left out."""
        if self._vectors.version != snapshot.version:
            self._vectors.follow(snapshot, self.snapshot)
        ranked = self._vectors.search(vector, k, allowed)
        if allowed is None and self._vectors.version != snapshot.version:
            ranked = self._vectors.search(vector, k, snapshot.live_ids())
        return ranked

    def commit(
        self, changes: Changes, *, actor: str, action: str, note: str = "", model: str | None = None
    ) -> Commit:
        """Apply all changes and make a generation, or change nothing at all.

        What an article is (new, known under another id, unchanged, refused) is decided inside
        the transaction. `model` made the vectors of what is put.

        Raises:
            NotFoundError: there is no such generation to go back to.
            ModelMismatchError: the collection was embedded by another model.
            StoreBusyError: another process is writing and does not come to an end.
            StoreError: it cannot be written.
        """
        with self._writing() as db:
            writer = Writer(db)
            writer.apply(changes, model)
            return writer.finish(actor, action, note, always=changes.undo is not None)

    def add_source(self, source: Source) -> None:
        """Name a place that a reindex reads; one that is there already stays as it is."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO source (uri, kind, every) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (source.uri, source.kind, source.every),
            )

    def update_source(self, uri: str, **changes: int | str | datetime | None) -> None:
        """Change these fields of a source, and none that somebody else may be changing."""
        columns = ", ".join(f"{name} = ?" for name in changes)
        values = (utc_text(v) if isinstance(v, datetime) else v for v in changes.values())
        with self._writing() as db:
            db.execute(f"UPDATE source SET {columns} WHERE uri = ?", (*values, uri))

    def remove_source(self, uri: str) -> None:
        """Drop a source; its articles stay."""
        with self._writing() as db:
            db.execute("DELETE FROM source WHERE uri = ?", (uri,))

    def rebuild(
        self, encoder: Encoder, *, actor: str, on_progress: Callable[[int], None] | None = None
    ) -> Commit:
        """Embed every sentence again and, once all are, put that in force at once.

        Until then snapshots have the old embeddings, and articles may be added. What was embedded
        is kept when it ends early; the next call for the same model goes on from there.

        Args:
            encoder: makes the vectors.
            actor: named in the audit log.
            on_progress: called with how many sentences are done; may raise to stop.
        """
        done = 0
        while True:
            with self._staging(encoder.model) as db:
                rows, state = db.execute(_UNSTAGED, (_REBUILT,)).fetchall(), newest(db)
                if not rows:
                    return _activate_staged(db, encoder.model, actor)
            # Cut here and not in SQL, which takes a NUL for the end of a text.
            vectors = encoder.encode([text[start:stop] for _, text, start, stop in rows])
            staged = [(row[0], vector.tobytes()) for row, vector in zip(rows, vectors, strict=True)]
            with self._staging(encoder.model) as db:
                # A copy recovered meanwhile may have other sentences under these numbers.
                if db.execute(_IS_KNOWN, (state.generation, state.token)).fetchone():
                    db.executemany("INSERT OR REPLACE INTO staged VALUES (?, ?)", staged)
            done += len(rows)
            if on_progress is not None:
                on_progress(done)

    @contextlib.contextmanager
    def _staging(self, model: str) -> Iterator[sqlite3.Connection]:
        """Write while only what this model embedded is staged."""
        with self._writing() as db:
            if meta(db, "staged_model") != model:
                db.execute("DELETE FROM staged")
                set_meta(db, "staged_model", model)
            yield db

    def prepare(self) -> None:
        """Bring the vector index up to date, so that the next question does not wait for it."""
        self._vectors.prepare(self.snapshot)

    def backup(self, file: Path) -> None:
        """Write a copy of the newest generation to a file, or nothing. Raises StoreError."""
        draft = file.with_name(f".{file.name}-{secrets.token_hex(4)}.draft")
        try:
            with self._connection() as db, closing(sqlite3.connect(draft)) as copy:
                db.backup(copy)
            draft.replace(file)
        except (OSError, StoreError) as error:
            raise StoreError(
                f"{file} cannot be written: name a file in a folder that is there and has room."
            ) from error
        finally:
            draft.unlink(missing_ok=True)

    def recover(self, file: Path) -> None:
        """Replace all that is stored by a copy. Raises StoreError, nothing changed, for others."""
        if not file.is_file():
            raise StoreError(f"There is no file {file}: name one that `onrecord backup` made.")
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copy(file, Path(folder) / "copy.sqlite3"))
            try:
                source = self._opener(copy)
            except StoreDamagedError as error:
                raise StoreError(
                    f"{file} is no copy of a collection: name one that `onrecord backup` made."
                ) from error
            with closing(source), self._connection() as db:
                damage = source.execute("PRAGMA quick_check").fetchone()[0]
                if damage != "ok":
                    raise StoreError(f"{file} is damaged ({damage}): nothing was changed.")
                source.backup(db)

    def erase(self) -> None:
        """Delete all that is stored, for good, damaged or not, and close.

        Raises:
            StoreError: it is another program's, or cannot be deleted now; nothing was deleted.
        """
        with contextlib.suppress(StoreDamagedError), self._writing():
            pass  # it is a collection, or nothing yet, and nobody is writing
        self.close()
        grave = self._folder.with_name(f".{self._folder.name}-{secrets.token_hex(4)}")
        ours = [CATALOGUE + end for end in ("-wal", "-shm", "-journal", "")]
        try:
            with self._opening:
                self._folder.rename(grave)  # at once: nobody must meet half of its files
            files = [grave / name for name in (_CACHE, *ours)]
            for file in (*grave.glob(".vectors-*"), *files):
                file.unlink(missing_ok=True)
            if grave.is_symlink() or any(grave.iterdir()):  # somebody else's
                grave.rename(self._folder)
            else:
                grave.rmdir()
        except OSError as error:
            raise StoreError(f"{error.filename} cannot be deleted: delete it by hand.") from error

    def close(self) -> None:
        """Close files and connections; a closed store is not used again."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait()[0].close()

    # Connections

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            with db:  # which commits at its end, or rolls back
                yield db

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        db, inode = self._borrowed()
        try:
            yield db
        except sqlite3.DatabaseError as error:
            db.close()
            raise explained(error) from error
        except UnicodeEncodeError as error:  # bytes of a command line that are no UTF-8
            self._idle.put((db, inode))
            raise InputError(
                f"{error.object!a:.200} is not UTF-8: check how it is typed."
            ) from error
        except BaseException:
            self._idle.put((db, inode))
            raise
        else:
            self._idle.put((db, inode))

    def _borrowed(self) -> tuple[sqlite3.Connection, int | None]:
        """An idle connection, or a new one; those to a file that another process erased go."""
        with contextlib.suppress(queue.Empty):
            while True:
                db, inode = self._idle.get_nowait()
                if inode == _inode(self._path):
                    return db, inode
                db.close()
        with self._opening:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    f"{self._folder} cannot be made ({error.strerror}): name a folder that you "
                    "may write to."
                ) from error
            return self._opener(self._path), _inode(self._path)


def _activate_staged(db: sqlite3.Connection, model: str, actor: str) -> Commit:
    """Replace the embeddings by the staged ones, without copying any."""
    writer = Writer(db)
    for statement in _ACTIVATE.split(";\n"):
        db.execute(statement)
    set_meta(db, "model", model)
    set_meta(db, "rebuilt", str(writer.generation))
    return writer.finish(actor, "rebuild", always=True)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
