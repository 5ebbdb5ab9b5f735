"""The default Store: one folder with a SQLite catalogue and a FAISS file derived from it.

The catalogue is the only truth. The vector index in memory is tagged with the generation it
was made from and takes in what was committed since, by this process or another, before it
answers; its file on disk is a cache that is checked before use and made again from the stored
embeddings when it is missing, stale or damaged.
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
from dataclasses import fields
from datetime import datetime
from pathlib import Path

from index.domain import Article
from index.encoder import Encoder
from index.errors import StoreDamagedError, StoreError
from index.store.answers import AnswerLog
from index.store.reader import Reader, meta, newest, utc_text
from index.store.schema import connect, explained
from index.store.types import Changes, Commit, IndexVersion, Source
from index.store.vectors import EXACT_UP_TO, VectorIndex
from index.store.writer import Writer, set_meta

CATALOGUE = "catalogue.sqlite3"
_MERGE_ROWS = 5_000  # a delta this long, or a fifth of the base, is worth merging
_MERGE_SHARE = 5
_REBUILT = 1_000  # sentences embedded again between two commits
_UNSTAGED = """
    SELECT s.sentence_id, r.text, s.start, s.stop FROM sentence s JOIN revision r USING (revision)
    WHERE s.sentence_id NOT IN (SELECT sentence_id FROM staged) LIMIT ?
"""
_IS_KNOWN = "SELECT 1 FROM generation WHERE number = ? AND token = ?"


class EmbeddedStore:
    """A collection in a folder of its own."""

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
        self._cache_path = folder / "vectors.faiss"
        self._exact_up_to = exact_up_to
        self._opener = opener
        self._idle: queue.SimpleQueue[tuple[sqlite3.Connection, int | None]] = queue.SimpleQueue()
        self._articles: tuple[IndexVersion | None, dict[int, Article]] = (None, {})
        self._index: VectorIndex | None = None
        self._saved_base: object = None  # the FAISS part that the file on disk holds
        self._index_lock = threading.Lock()
        self._merger: threading.Thread | None = None
        self.answers = AnswerLog(self.snapshot, self._writing)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Reader]:
        with self._connection() as db:
            db.execute("BEGIN")
            try:
                stamp = newest(db)
                kept, articles = self._articles
                if kept != stamp:
                    articles = {}  # and not cleared: a snapshot may still fill the old one
                    self._articles = stamp, articles
                yield Reader(db, stamp, articles, self._index_at)
            finally:
                db.rollback()

    def commit(
        self, changes: Changes, *, actor: str, action: str, note: str = "", model: str | None = None
    ) -> Commit:
        with self._writing() as db:
            writer = Writer(db)
            writer.apply(changes, model)
            return writer.finish(actor, action, note, always=changes.undo is not None)

    # Sources

    def remember(self, source: Source) -> None:
        with self._writing() as db:
            db.execute(
                "INSERT INTO origin (uri, kind, every) VALUES (?, ?, ?) "
                "ON CONFLICT (uri) DO NOTHING",
                (source.uri, source.kind, source.every),
            )

    def amend(self, source: Source, *names: str) -> None:
        chosen = [field.name for field in fields(Source) if field.name in names]
        values = [getattr(source, name) for name in chosen]
        stored = [utc_text(one) if isinstance(one, datetime) else one for one in values]
        settings = ", ".join(f"{name} = ?" for name in chosen)
        with self._writing() as db:
            db.execute(f"UPDATE origin SET {settings} WHERE uri = ?", (*stored, source.uri))

    def forget(self, uri: str) -> None:
        with self._writing() as db:
            db.execute("DELETE FROM origin WHERE uri = ?", (uri,))

    # The whole

    def rebuild(
        self, encoder: Encoder, *, actor: str, on_progress: Callable[[int], None] | None = None
    ) -> Commit:
        done = 0
        while True:
            with self._staging(encoder.model) as db:
                rows, state = db.execute(_UNSTAGED, (_REBUILT,)).fetchall(), newest(db)
                if not rows:
                    return _switch(db, encoder.model, actor)
            # Cut here and not in SQL, which takes a NUL for the end of a text.
            vectors = encoder.encode([text[start:stop] for _, text, start, stop in rows])
            staged = [(row[0], one.tobytes()) for row, one in zip(rows, vectors, strict=True)]
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
        with self.snapshot() as snapshot:
            self._wait_for_merge()  # one under way may be of an older generation
            self._index_at(snapshot)
        self._wait_for_merge()

    def backup(self, file: Path) -> None:
        draft = file.with_name(f".{file.name}.draft")
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
        if not file.is_file():
            raise StoreError(f"There is no file {file}: name one that `onrecord backup` made.")
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copy(file, Path(folder) / "copy.sqlite3"))
            try:
                source = self._opener(copy)
            except StoreDamagedError as error:
                told = "is no copy of a collection: name one that `onrecord backup` made."
                raise StoreError(f"{file} {told}") from error
            with closing(source), self._connection() as db:
                damage = source.execute("PRAGMA quick_check").fetchone()[0]
                if damage != "ok":
                    raise StoreError(f"{file} is damaged ({damage}): nothing was changed.")
                source.backup(db)

    def erase(self) -> None:
        with contextlib.suppress(StoreDamagedError), self._writing():
            pass  # it is ours, or nobody's, and nobody is writing
        self.close()
        grave = self._folder.with_name(f".{self._folder.name}-{secrets.token_hex(4)}")
        ours = [CATALOGUE + end for end in ("-wal", "-shm", "-journal", "")]
        try:
            self._folder.rename(grave)  # at once: who opens it now must not meet half of its files
            found = [grave / name for name in (self._cache_path.name, *ours)]
            for file in (*grave.glob(".vectors-*"), *found):
                file.unlink(missing_ok=True)
            if grave.is_symlink() or any(grave.iterdir()):  # somebody else's
                grave.rename(self._folder)
            else:
                grave.rmdir()
        except OSError as error:
            raise StoreError(f"{error.filename} cannot be deleted: delete it by hand.") from error

    def close(self) -> None:
        self._wait_for_merge()
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
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{self._folder} cannot be made ({error.strerror}): name a folder that you may "
                "write to."
            ) from error
        return self._opener(self._path), _inode(self._path)

    # The vector index

    def _index_at(self, reader: Reader) -> VectorIndex:
        """The vector index of exactly the reader's generation."""
        with self._index_lock:
            index = self._index
            if index is None:
                index = VectorIndex.load(self._cache_path)
                self._saved_base = index.base if index is not None else None
            if index is None or not reader.descends_from(index.stamp):
                index = self._built(reader)
            elif index.stamp != reader.stamp:
                changed, live = reader.changed_since(index.stamp.generation)
                index = index.advanced(reader.stamp, changed, live, reader.live_vectors(live))
            self._use(index)
            long = max(_MERGE_ROWS, len(index.base_ids) // _MERGE_SHARE)
            unmerged = index.base is not self._saved_base or index.stale_rows > long
            if self._index is index and unmerged and not (self._merger and self._merger.is_alive()):
                self._merger = threading.Thread(target=self._merge, args=(index,))
                self._merger.start()
        return index

    def _use(self, index: VectorIndex) -> None:
        """Keep it for the next question, unless that has a newer one; the lock must be held."""
        kept = self._index
        newer = kept is None or kept.stamp.generation <= index.stamp.generation
        if newer or index.stamp == self._articles[0]:  # of a recovered copy, which counts anew
            self._index = index

    def _built(self, reader: Reader) -> VectorIndex:
        ids = reader.live_ids()
        return VectorIndex.build(ids, reader.live_vectors(ids), reader.stamp, self._exact_up_to)

    def _merge(self, index: VectorIndex) -> None:
        """Build one base of all that is live, use it and save it, while others ask."""
        with contextlib.suppress(StoreError):  # the next question meets it, and tells
            if index.stale_rows:
                with self.snapshot() as snapshot:
                    index = self._built(snapshot)
            with contextlib.suppress(OSError):  # a cache that cannot be written is made again
                index.save(self._cache_path)
            with self._index_lock:
                self._saved_base = index.base
                self._use(index)

    def _wait_for_merge(self) -> None:
        with self._index_lock:  # under it a merger is put in place and started
            merger = self._merger
        if merger is not None:
            merger.join()


def _switch(db: sqlite3.Connection, model: str, actor: str) -> Commit:
    """Put what is staged in force."""
    writer = Writer(db)
    db.execute("DELETE FROM embedding")
    db.execute("INSERT INTO embedding SELECT * FROM staged")
    db.execute("DELETE FROM staged")
    set_meta(db, "model", model)
    set_meta(db, "rebuilt", str(writer.generation))
    return writer.finish(actor, "rebuild", always=True)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
