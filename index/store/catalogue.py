"""A collection in SQL tables: what all engines share."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, TypeVar

from index.encoder import Encoder
from index.errors import StoreError
from index.store.answers import AnswerLog
from index.store.database import Database
from index.store.inbox import Inbox
from index.store.people import People
from index.store.preferences import Preferences
from index.store.protocol import Snapshot, Store
from index.store.schema import meta, set_meta, utc_text
from index.store.snapshot import CatalogueSnapshot, GenerationCache
from index.store.sources import COLUMNS, Source
from index.store.transfer import fingerprint, transfer
from index.store.types import Changes, Commit, IndexVersion
from index.store.writer import Writer

T = TypeVar("T")
_REBUILT = 1_000  # sentences embedded again per commit
_UNSTAGED = """
    SELECT s.sentence_id, r.text, s.start, s.stop FROM sentence s JOIN revision r USING (revision)
    WHERE s.sentence_id > ?
    AND NOT EXISTS (SELECT 1 FROM staged t WHERE t.sentence_id = s.sentence_id)
    ORDER BY s.sentence_id LIMIT ?
"""
_IS_KNOWN = "SELECT 1 FROM generation WHERE number = ? AND token = ?"
_STAGE = """
    INSERT INTO staged VALUES (?, ?)
    ON CONFLICT (sentence_id) DO UPDATE SET vector = excluded.vector
"""


class Catalogue(ABC):
    """A collection. Safe to use from several threads and processes.

    A commit makes a generation: articles, sentences, embeddings, full text and the audit log
    change together or not at all. A snapshot sees exactly one generation.

    Attributes:
        answers: the log of its answers; not part of a generation.
        people: what it keeps about people; not part of a generation.
        inbox: open items for moderators; not part of a generation.
        preferences: what the moderators of its servers chose; not part of a generation.
    """

    def __init__(self) -> None:
        self._cache: tuple[IndexVersion | None, GenerationCache] = (None, GenerationCache())
        self.answers = AnswerLog(self.snapshot, self.writing)
        self.people = People(self.snapshot, self.writing)
        self.inbox = Inbox(self.snapshot, self.writing)
        self.preferences = Preferences(self.snapshot, self.writing)

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[CatalogueSnapshot]:
        """Open the newest generation to read. Raises StoreError if that fails."""

    def read(self, work: Callable[[Snapshot], T]) -> T:
        """Return what some work finds in the newest generation that this process knows of.

        The engine may read from a replica, and repeats the work itself if that fails.
        """
        with self.snapshot() as snapshot:
            return work(snapshot)

    @abstractmethod
    def writing(self) -> AbstractContextManager[Database]:
        """Hold a write transaction, which is committed at the end or rolled back.

        Raises:
            StoreBusyError: another process is writing and does not finish.
        """

    def glance(self) -> AbstractContextManager[None]:
        """Keep what this thread does meanwhile from evicting another collection from memory."""
        return contextlib.nullcontext()

    def _cache_of(self, version: IndexVersion) -> GenerationCache:
        """Return the cache that the snapshots of a generation share."""
        cached, cache = self._cache
        if cached != version:
            cache = GenerationCache()
            self._cache = version, cache
        return cache

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

        Whether an article is new, known under another id, unchanged or refused is decided inside
        the transaction. `model` is the encoder of the vectors. A `dry_run` returns what the commit
        would do, and rolls it back; nobody else can write meanwhile.

        Raises:
            NotFoundError: there is no such generation to go back to.
            InputError: the collection has changed since the generation `changes.seen`, or a
                retracted article would be corrected.
            ModelMismatchError: the collection was embedded with another encoder.
            StoreBusyError: another process is writing and does not finish.
            StoreError: the collection cannot be written.
        """
        with self.writing() as db:
            writer = Writer(db)
            writer.apply(changes, model)
            commit = writer.finish(actor, action, note)
            if dry_run:
                db.rollback()
            return commit

    def copy_to(self, target: Store, on_progress: Callable[[int], None] | None = None) -> int:
        """Copy everything stored into another collection, of any engine, or copy nothing.

        Args:
            target: empty, or already a copy of this collection.
            on_progress: called with the number of rows copied; may raise to stop.

        Returns:
            The number of rows copied; 0 if the target is already a copy.

        Raises:
            StoreError: the target has other contents, or the copy differs.
        """
        with self.snapshot() as snapshot, target.writing() as db:
            there = fingerprint(db)
            if any(rows for rows, _ in there.values()):
                if there == fingerprint(snapshot.db):
                    return 0
                raise StoreError(
                    "The collection there has other contents: erase it there first, with "
                    "`onrecord erase-all`, or copy to another place. Nothing was changed."
                )
            copied = transfer(snapshot.db, db, on_progress)
        target.prepare()
        return copied

    def add_sources(self, sources: Iterable[Source]) -> None:
        """Add sources; those that exist already stay as they are."""
        with self.writing() as db:
            db.executemany(
                "INSERT INTO source (uri, kind, every) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [(source.uri, source.kind, source.every) for source in sources],
            )

    def put_source(self, source: Source) -> Source:
        """Add a source, or change the interval of an existing source; return it as stored."""
        with self.writing() as db:
            (row,) = db.execute(
                "INSERT INTO source (uri, kind, every) VALUES (?, ?, ?) "
                f"ON CONFLICT (uri) DO UPDATE SET every = excluded.every RETURNING {COLUMNS}",
                (source.uri, source.kind, source.every),
            ).fetchall()
        return Source.from_row(row)

    def update_source(self, uri: str, **changes: int | str | datetime | None) -> None:
        """Change some fields of a source."""
        columns = ", ".join(f"{name} = ?" for name in changes)
        values = (utc_text(v) if isinstance(v, datetime) else v for v in changes.values())
        with self.writing() as db:
            db.execute(f"UPDATE source SET {columns} WHERE uri = ?", (*values, uri))

    def remove_source(self, uri: str) -> None:
        """Remove a source; its articles stay."""
        with self.writing() as db:
            db.execute("DELETE FROM source WHERE uri = ?", (uri,))

    def rebuild(
        self, encoder: Encoder, *, actor: str, on_progress: Callable[[int], None] | None = None
    ) -> Commit:
        """Embed every sentence again, then switch to the new embeddings in one commit.

        Until then snapshots have the old embeddings, and articles may be added. If it is stopped or
        killed, the next call with the same model continues. Others can write between two batches:
        sentences are chosen and embedded without holding the collection's lock.

        Args:
            encoder: the encoder to embed with.
            actor: who rebuilds, for the audit log.
            on_progress: called with the number of sentences done; may raise to stop.
        """
        with self._staging(encoder.model):
            pass  # this deleted what was staged for another model
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
                # Another process may have discarded some of it, so look for all once more.
                rest = db.execute(_UNSTAGED, (0, 1)).fetchone()
                if rest is None:
                    return _activate_staged(db, encoder.model, actor)
            last = rest[0] - 1

    def _stage(self, rows: list[Any], encoder: Encoder, version: IndexVersion) -> None:
        """Embed sentences (rows of `_UNSTAGED` in that version), and stage their embeddings."""
        # Cut here and not in SQL, which takes a NUL to be the end of a text.
        vectors = encoder.encode([text[start:stop] for _, text, start, stop in rows])
        staged = [(row[0], vector.tobytes()) for row, vector in zip(rows, vectors, strict=True)]
        with self._staging(encoder.model) as db:
            # A backup recovered meanwhile may have other sentences under these ids.
            if db.execute(_IS_KNOWN, (version.generation, version.token)).fetchone():
                db.executemany(_STAGE, staged)

    @contextlib.contextmanager
    def _staging(self, model: str) -> Iterator[Database]:
        """Open a write transaction in which only embeddings by this model are staged."""
        with self.writing() as db:
            if meta(db, "staged_model") != model:
                db.execute("DELETE FROM staged")
                set_meta(db, "staged_model", model)
            yield db


def _activate_staged(db: Database, model: str, actor: str) -> Commit:
    writer = Writer(db)
    db.activate_staged(writer.generation)
    set_meta(db, "model", model)
    set_meta(db, "rebuilt", str(writer.generation))
    return writer.finish(actor, "rebuild", always=True)
