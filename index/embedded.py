"""The default Store: one folder with a SQLite catalogue and a FAISS file derived from it.

The catalogue is the only truth. The vector index in memory is tagged with the generation it
was made from and takes in what was committed since, by this process or another, before it
answers; its file on disk is a cache that is checked before use and made again from the stored
embeddings when it is missing, stale or damaged.
"""

from __future__ import annotations

import contextlib
import queue
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import fields
from datetime import datetime
from pathlib import Path

import numpy as np

from index.article import Article, Filters
from index.catalogue import Reader, utc_text
from index.commit import Writer
from index.encoder import Vectors
from index.errors import StoreError
from index.log import SqliteLog
from index.schema import connect, explained
from index.store import Changes, Commit, Ranked, Source
from index.vectors import EXACT_UP_TO, VectorIndex

CATALOGUE = "catalogue.sqlite3"
_MERGE_ROWS = 5_000  # a delta this long, or a fifth of the base, is worth merging
_MERGE_SHARE = 5


class EmbeddedSnapshot(Reader):
    """A Reader that also searches the vector index of its generation."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        cache: dict[int, Article],
        index_for: Callable[[Reader], VectorIndex],
    ) -> None:
        """Pin the newest generation of a connection that is inside a transaction."""
        super().__init__(connection, cache)
        self._index_for = index_for

    def dense(self, vector: Vectors, k: int, filters: Filters = Filters()) -> Ranked:  # noqa: B008
        allowed = self.live_ids(filters) if filters else None
        return self._index_for(self).search(vector, k, allowed)


class EmbeddedStore:
    """A collection in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        *,
        exact_up_to: int = EXACT_UP_TO,
        opener: Callable[[Path], sqlite3.Connection] = connect,
    ) -> None:
        """Open or make the collection.

        Args:
            folder: made if it is not there.
            exact_up_to: sentences above which the vector index is compact and approximate.
            opener: makes connections; tests hand in one that fails.

        Raises:
            StoreError: the folder cannot be used.
        """
        self._exact_up_to = exact_up_to
        self._opener = opener
        self._path = folder / CATALOGUE
        self._cache_path = folder / "vectors.faiss"
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._articles: dict[int, Article] = {}
        self._articles_of = (0, "")  # the generation that was last cached from, and its token
        self._articles_lock = threading.Lock()
        self._index: VectorIndex | None = None
        self._saved_base: object = None  # the FAISS part that the file on disk holds
        self._index_lock = threading.Lock()
        self._merger: threading.Thread | None = None
        self._file: int | None = None  # its inode, to see when another process erased it
        self._idle.put(self._open())

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[EmbeddedSnapshot]:
        with self._connection() as connection:
            connection.execute("BEGIN")
            try:
                yield EmbeddedSnapshot(connection, self._cached(connection), self._index_at)
            finally:
                if connection.in_transaction:  # some errors end it themselves
                    connection.execute("ROLLBACK")

    def commit(
        self,
        changes: Changes,
        *,
        model: str | None = None,
        actor: str,
        action: str,
        note: str = "",
    ) -> Commit:
        with self._writing() as writer:
            if changes.put:
                writer.use_model(model or "")
            for prepared in changes.put:
                writer.put(prepared, revive=changes.revive)
            for article_id in changes.remove:
                writer.set_live(article_id, live=False)
            for article_id in changes.restore:
                writer.set_live(article_id, live=True)
            for article_id, notice in changes.notices:
                writer.notice(article_id, notice)
            if changes.undo is not None:
                writer.undo(changes.undo)
            for page in changes.pages:
                writer.page(page)
            return writer.finish(actor, action, note, always=changes.undo is not None)

    def remember(self, source: Source) -> None:
        with self._writing() as writer:
            writer.db.execute(
                "INSERT INTO origin (uri, kind, every) VALUES (?, ?, ?) "
                "ON CONFLICT (uri) DO NOTHING",
                (source.uri, source.kind, source.every),
            )

    def amend(self, source: Source, *names: str) -> None:
        chosen = [field.name for field in fields(Source) if field.name in names]
        values = [getattr(source, name) for name in chosen]
        stored = [utc_text(one) if isinstance(one, datetime) else one for one in values]
        settings = ", ".join(f"{name} = ?" for name in chosen)
        with self._writing() as writer:
            writer.db.execute(f"UPDATE origin SET {settings} WHERE uri = ?", (*stored, source.uri))

    def forget(self, uri: str) -> None:
        with self._writing() as writer:
            writer.db.execute("DELETE FROM origin WHERE uri = ?", (uri,))

    def unstaged(self, model: str, limit: int) -> list[tuple[int, str]]:
        with self._writing() as writer:
            writer.use_staging(model)
            rows = writer.db.execute(
                "SELECT s.sentence_id, r.text, s.start, s.stop "
                "FROM sentence s JOIN revision r USING (revision) WHERE NOT EXISTS "
                "(SELECT 1 FROM staged WHERE staged.sentence_id = s.sentence_id) LIMIT ?",
                (limit,),
            )  # cut here and not in SQL, which takes a NUL for the end of a text
            return [(sentence_id, text[start:stop]) for sentence_id, text, start, stop in rows]

    def stage(self, model: str, ids: Sequence[int], vectors: Vectors) -> None:
        with self._writing() as writer:
            writer.use_staging(model)
            rows = zip(ids, (vector.tobytes() for vector in vectors), strict=True)
            writer.db.executemany("INSERT OR REPLACE INTO staged VALUES (?, ?)", rows)

    def switch(self, *, model: str, actor: str) -> Commit | None:
        with self._writing() as writer:
            writer.use_staging(model)
            missing = writer.db.execute(
                "SELECT 1 FROM sentence WHERE sentence_id NOT IN (SELECT sentence_id FROM staged)"
            )
            if missing.fetchone():
                return None
            writer.db.execute("DELETE FROM embedding")
            writer.db.execute("INSERT INTO embedding SELECT * FROM staged")
            writer.db.execute("DELETE FROM staged")
            writer.set_meta("staged_model", "")
            writer.set_meta("model", model)
            writer.set_meta("rebuilt", str(writer.generation))
            return writer.finish(actor, "rebuild", always=True)

    @contextlib.contextmanager
    def logging(self) -> Iterator[SqliteLog]:
        with self._writing() as writer:
            yield SqliteLog(writer.db)

    def prepare(self, *, load: bool = True) -> None:
        with self.snapshot() as snapshot:
            if not load and self._index is None and self._nearly_saved(snapshot):
                return
            self._wait_for_merge()  # one under way may be of an older generation
            self._index_at(snapshot)
        self._wait_for_merge()

    def backup(self, file: Path) -> None:
        draft = file.with_name(f".{file.name}.draft")
        try:
            with self._connection() as connection, closing(sqlite3.connect(draft)) as copy:
                connection.backup(copy)
            draft.replace(file)
        except (OSError, StoreError) as error:
            raise StoreError(
                f"{file} cannot be written: name a file in a folder that is there."
            ) from (error)
        finally:
            draft.unlink(missing_ok=True)

    def recover(self, file: Path) -> None:
        if not file.is_file():
            raise StoreError(f"There is no file {file}: name one that `onrecord backup` made.")
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copy(file, Path(folder) / "copy.sqlite3"))
            with closing(self._opener(copy)) as source, self._connection() as connection:
                damage = source.execute("PRAGMA quick_check").fetchone()[0]
                if damage != "ok":
                    raise StoreError(f"{file} is damaged ({damage}): nothing was changed.")
                source.backup(connection)

    def erase(self) -> None:
        with self._writing() as writer:  # who still has it open reads nothing any more
            for (name,) in writer.db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'live\\_%' "
                "ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
            ).fetchall():
                writer.db.execute(f"DELETE FROM {name}")
            writer.db.execute("INSERT INTO live_text (live_text) VALUES ('delete-all')")
        self.close()
        ours = [self._cache_path, *self._path.parent.glob(".vectors-*")]
        ours += [self._path.with_name(self._path.name + end) for end in ("", "-wal", "-shm")]
        try:
            for file in ours:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{error.filename} cannot be deleted: delete it by hand.") from error
        with contextlib.suppress(OSError):  # it stays where there is something else in it
            self._path.parent.rmdir()

    def close(self) -> None:
        self._wait_for_merge()
        self._release()

    def _release(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _open(self) -> sqlite3.Connection:
        folder = self._path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be made ({error.strerror}): name a folder that you may write to."
            ) from error
        connection = self._opener(self._path)
        self._file = _inode(self._path)
        return connection

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if _inode(self._path) != self._file:
            self._release()
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._open()
        try:
            yield connection
        except sqlite3.DatabaseError as error:
            connection.close()
            raise explained(error) from error
        except BaseException:
            self._idle.put(connection)
            raise
        else:
            self._idle.put(connection)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Writer]:
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Writer(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _cached(self, connection: sqlite3.Connection) -> dict[int, Article]:
        """Articles by revision row, anew where a recovered copy may use the rows for others.

        Replaced and not cleared: a snapshot of the state before it may still fill the old one.
        """
        reader = Reader(connection, {})
        with self._articles_lock:
            number, token = self._articles_of
            if (reader.token(number) or "") != token:
                self._articles = {}
            self._articles_of = reader.generation, reader.token(reader.generation) or ""
            return self._articles

    def _index_at(self, reader: Reader) -> VectorIndex:
        """The vector index of exactly the reader's generation."""
        with self._index_lock:
            index = self._index
            if index is None:
                index = VectorIndex.load(self._cache_path, self._exact_up_to)
                self._saved_base = index.base if index else None
            if index is None or not _descends(index, reader):
                index = self._built(reader)
            elif index.generation < reader.generation:
                index = _advanced(index, reader)
            if self._index is None or self._index.generation <= index.generation:
                self._index = index
                self._merge_behind(index)
        return index

    def _built(self, reader: Reader) -> VectorIndex:
        ids = reader.live_ids()
        return VectorIndex.build(
            ids,
            reader.live_vectors(ids),
            model=_embedded_by(reader),
            generation=reader.generation,
            token=reader.token(reader.generation) or "",
            exact_up_to=self._exact_up_to,
        )

    def _nearly_saved(self, reader: Reader) -> bool:
        """Whether the file, by its header alone, is so near that a question takes in the rest."""
        saved = VectorIndex.saved_generation(self._cache_path)
        return saved is not None and len(reader.changed_since(saved)[0]) <= _MERGE_ROWS

    def _unmerged(self, index: VectorIndex) -> bool:
        long = max(_MERGE_ROWS, len(index.base_ids) // _MERGE_SHARE)
        return index.base is not self._saved_base or index.stale_rows > long

    def _merge_behind(self, index: VectorIndex) -> None:
        """Merge in a thread where that is worth it, one at a time; the lock must be held."""
        if self._unmerged(index) and (self._merger is None or not self._merger.is_alive()):
            self._merger = threading.Thread(target=self._merge, args=(index,), name="merge-vectors")
            self._merger.start()

    def _merge(self, index: VectorIndex) -> None:
        """Build one base of all that is live, use it and save it."""
        with contextlib.suppress(StoreError):  # the next question meets it, and tells
            if index.stale_rows:
                with self.snapshot() as snapshot:
                    index = self._built(snapshot)
            with contextlib.suppress(OSError):  # a cache that cannot be written is made again
                index.save(self._cache_path)
            with self._index_lock:
                self._saved_base = index.base
                if self._index is None or self._index.generation <= index.generation:
                    self._index = index

    def _wait_for_merge(self) -> None:
        with self._index_lock:  # under it a merger is put in place and started
            merger = self._merger
        if merger is not None:
            merger.join()


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _embedded_by(reader: Reader) -> str:
    """The model, and which of its rebuilds the embeddings come from."""
    return f"{reader.model or ''} {reader.meta('rebuilt') or ''}".strip()


def _descends(index: VectorIndex, reader: Reader) -> bool:
    """Whether the reader's generation is that of the index, or came after it.

    The number alone does not tell: a catalogue restored from a backup makes it again.
    """
    same = index.token == (reader.token(index.generation) or "")
    return same and index.generation <= reader.generation and index.model == _embedded_by(reader)


def _advanced(index: VectorIndex, reader: Reader) -> VectorIndex:
    every, live = reader.changed_since(index.generation)
    drop = np.setdiff1d(every, live, assume_unique=True)
    add = live[~index.held(live)]
    token = reader.token(reader.generation) or ""
    return index.advanced(reader.generation, drop, add, reader.live_vectors(add), token)
