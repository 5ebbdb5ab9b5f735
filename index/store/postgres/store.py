"""A collection on a PostgreSQL server."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol, TypeVar

from psycopg import errors, sql

from index.errors import StoreError
from index.store.backups import copy_of, recovered
from index.store.catalogue import Catalogue
from index.store.postgres import schema as schemas
from index.store.postgres.connections import Server, hash_of
from index.store.postgres.database import PostgresDatabase
from index.store.postgres.replica import Replica
from index.store.postgres.search import (
    EXACT_UP_TO,
    PostgresSnapshot,
    rebuilt,
    vector_indexes,
)
from index.store.protocol import Snapshot
from index.store.rows import newest
from index.store.sqlite import SqliteStore
from index.store.transfer import TABLES, transfer
from index.store.types import Commit

T = TypeVar("T")


class OnWrite(Protocol):
    """Takes the name of a collection that was written to, and whether it still exists."""

    def __call__(self, name: str, /, *, exists: bool) -> None: ...


class PostgresStore(Catalogue):
    """A collection in its own schema of a database."""

    def __init__(
        self,
        server: Server,
        name: str,
        *,
        exact_up_to: int = EXACT_UP_TO,
        replica: Replica | None = None,
        on_write: OnWrite | None = None,
    ) -> None:
        """Name the collection; it is opened, or created, at first use.

        Args:
            server: the server of the database.
            name: the name of the collection, without the prefix of its schema.
            exact_up_to: sentences above which vectors are searched by an approximate index.
            replica: answers questions while it shows all known writes.
            on_write: called after the collection was written to or erased.
        """
        super().__init__()
        self._server, self.name = server, name
        self._schema = schemas.schema_of(name)
        self._exact_up_to = exact_up_to
        self._replica = replica
        self._on_write = on_write
        self._closed = self._is_ours = False

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        self._check_open()
        with contextlib.ExitStack() as stack:
            try:
                newest = self._newest(stack.enter_context(self._server.reading(self._schema)))
            except errors.UndefinedTable:
                stack.close()
                self._create()
                newest = self._newest(stack.enter_context(self._server.reading(self._schema)))
            yield newest

    def read(self, work: Callable[[Snapshot], T]) -> T:
        self._check_open()
        if self._replica is not None:
            with contextlib.suppress(StoreError), self._replica.reading(self.name) as db:
                return work(self._newest(db))
        return super().read(work)

    def _newest(self, db: PostgresDatabase) -> PostgresSnapshot:
        if not self._is_ours:  # raises StoreVersionError if another version made it
            self._is_ours = schemas.exists(db.connection, self._schema)
        version, model = newest(db)
        cache = self._cache_of(version)
        return PostgresSnapshot(db, version, model, cache, self._exact_up_to)

    @contextlib.contextmanager
    def writing(self) -> Iterator[PostgresDatabase]:
        self._check_open()
        with self._server.writing(self._schema) as db:
            if not schemas.exists(db.connection, self._schema):
                schemas.create(db.connection, self._schema)
            yield db
            changed = db.in_transaction
        if changed:
            self._report(exists=True)

    def _create(self) -> None:
        with self.writing():
            pass

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("The collection was closed meanwhile: try again.")

    def verify(self) -> None:
        """Do nothing: PostgreSQL checks its own files as it reads them."""

    def prepare(self) -> None:
        """Index the vectors of a large collection while it is in use; drop unused indexes."""
        with self.snapshot() as snapshot:
            since = rebuilt(snapshot.db)
            size = snapshot.size().sentences
            row = snapshot.db.execute("SELECT vector_dims(vector) FROM live_vector LIMIT 1")
            dimensions = (row.fetchone() or (0,))[0]
            path = snapshot.db.execute("SELECT unnest(current_schemas(FALSE))").fetchall()
            extension = path[-1][0]
        wanted = f"live_vector_{since}" if size > self._exact_up_to else ""
        with self._server.lease() as db:
            if not wanted and not vector_indexes(db, self._schema):
                return
            names = sql.Identifier(self._schema), sql.Identifier(extension)
            key = (hash_of(f"{self._schema} index"),)
            if db.execute("SELECT pg_try_advisory_lock(%s)", key).fetchall() != [(True,)]:
                return  # another process does this
            try:
                for name, valid in vector_indexes(db, self._schema).items():
                    if name != wanted or not valid:
                        drop = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}.{}")
                        db.execute(drop.format(names[0], sql.Identifier(name)))
                if wanted and wanted not in vector_indexes(db, self._schema):
                    memory = min(2_000_000, max(64_000, size * (4 * dimensions + 500) // 1_000))
                    db.execute(f"SET maintenance_work_mem = '{memory:d}kB'")
                    make = sql.SQL(
                        "CREATE INDEX CONCURRENTLY {index} ON {schema}.live_vector USING hnsw "
                        "((vector::{extension}.halfvec({dimensions})) "
                        "{extension}.halfvec_ip_ops) WHERE rebuilt = {since}"
                    )
                    db.execute(
                        make.format(
                            index=sql.Identifier(wanted),
                            schema=names[0],
                            extension=names[1],
                            dimensions=sql.Literal(dimensions),
                            since=sql.Literal(since),
                        )
                    )
            finally:
                db.execute("RESET maintenance_work_mem; SELECT pg_advisory_unlock_all()")

    @contextlib.contextmanager
    def copy(self) -> Iterator[SqliteStore]:
        """Lend a copy of the collection to try a change on; it is deleted afterwards."""
        with (
            tempfile.TemporaryDirectory(prefix="onrecord-copy-") as folder,
            closing(SqliteStore(Path(folder))) as store,
        ):
            with self.snapshot() as snapshot, store.writing() as target:
                transfer(snapshot.db, target)
            yield store

    def backup(self, file: Path) -> None:
        """Write the newest generation to a file, as an embedded collection. Raises StoreError."""
        with self.copy() as store:
            store.backup(file)

    def recover(self, file: Path, *, actor: str) -> Commit:
        """Replace everything stored by a backup, of either engine, in a new generation.

        Moderators' preferences stay as they are.

        Raises:
            StoreError: the file is not an undamaged backup with contents; nothing was changed.
        """
        with copy_of(file) as source, self.writing() as db:
            last = newest(db)[0].generation
            chosen = db.execute("SELECT * FROM preference").fetchall()
            self._empty(db)
            transfer(source, db)
            return recovered(db, last, chosen, actor)

    def _empty(self, db: PostgresDatabase) -> None:
        """Delete all rows; open snapshots still see them."""
        for name in vector_indexes(db.connection, self._schema):
            db.connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        for table in (*reversed(TABLES), "posting", "term_count", "live_vector"):
            db.execute(f"DELETE FROM {table}")
        db.execute("UPDATE live_size SET sentences = 0, terms = 0")

    def erase(self) -> None:
        """Delete everything stored, for good, and close. Raises StoreError."""
        with self._server.writing(self._schema) as db:
            if schemas.exists(db.connection, self._schema):
                schemas.drop(db.connection, self._schema)
        self.close()
        self._report(exists=False)

    def _report(self, *, exists: bool) -> None:
        if self._on_write is not None:
            self._on_write(self.name, exists=exists)

    def close(self) -> None:
        """Refuse later uses of the store; its connections belong to the server."""
        self._closed = True
