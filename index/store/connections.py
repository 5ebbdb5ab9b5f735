"""Connect to the SQLite file of a collection."""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from index.errors import StoreError, not_utf8
from index.store.schema import SqliteDatabase, explained

CATALOGUE = "catalogue.sqlite3"
_KEPT_IDLE = 2  # connections to a file: each holds two descriptors, and the file one more
# By folder, for all stores of this process. SQLite opens a file and then its log, each by name. If
# the collection is erased and made again in between, the connection has the erased file and the new
# log, and damages the new file.
_OPENING: dict[Path, threading.Lock] = {}
_GLANCING = threading.local()


class Pool:
    """Limits how many files are open by closing the least recently used. Thread-safe."""

    def __init__(self, limit: int) -> None:
        """Keep up to `limit` files open, or more while more are in use at the same moment."""
        self._limit = limit
        self._lock = threading.Lock()
        self._open: dict[Connections, None] = {}  # in order of their last use

    def use(self, connections: Connections) -> None:
        """Note that a file is in use, and close others if there are too many."""
        with self._lock:
            self._open.pop(connections, None)
            if connections.closed:
                return
            self._open[connections] = None
            surplus = [*islice(self._open, max(0, len(self._open) - self._limit))]
            for other in surplus:
                del self._open[other]
        for other in surplus:  # without holding the lock: closing a file may write to it
            if not other.rest():
                with self._lock:
                    if not other.closed:
                        self._open.setdefault(other)

    def __contains__(self, connections: Connections) -> bool:
        return connections in self._open

    def drop(self, connections: Connections) -> None:
        """Remove a file that was closed."""
        with self._lock:
            self._open.pop(connections, None)


class Connections:
    """Connections to one file, each used by one thread at a time.

    Attributes:
        opening: a lock held while the file is opened; hold it while the folder is renamed.
        closed: whether `close` was called, so that no connection can be opened any more.
    """

    def __init__(
        self,
        path: Path,
        opener: Callable[[Path], SqliteDatabase],
        pool: Pool,
        on_rest: Callable[[], None] = lambda: None,
    ) -> None:
        """Open nothing yet; `on_rest` is called once the pool has closed idle connections."""
        self._path = path
        self._opener = opener
        self._pool = pool
        self._on_rest = on_rest
        self.closed = False
        self._lock = threading.Lock()
        self._users = 0
        # SQLite keeps the descriptors of closed connections as long as others are open.
        self._crowded = False
        self.opening = _OPENING.setdefault(path.parent.resolve(), threading.Lock())
        self._idle: queue.SimpleQueue[tuple[SqliteDatabase, int | None]] = queue.SimpleQueue()

    @contextlib.contextmanager
    def writing(self) -> Iterator[SqliteDatabase]:
        """Hold a write transaction, which is committed at the end or rolled back.

        Raises:
            StoreBusyError: another process is writing and does not finish.
        """
        with self.lease() as db:
            db.execute("BEGIN IMMEDIATE")
            with db:
                yield db

    @contextlib.contextmanager
    def lease(self) -> Iterator[SqliteDatabase]:
        """Lend a connection. Raises StoreError for what SQLite raises."""
        with self._in_use(), self._lent() as db:
            yield db

    @contextlib.contextmanager
    def glance(self) -> Iterator[None]:
        """Keep this thread from taking up a place in the pool meanwhile, unless it has one."""
        _GLANCING.here = self
        try:
            yield
        finally:
            _GLANCING.here = None
            if self not in self._pool:
                self.rest()

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        with self._lock:  # count first, then tell the pool: so it cannot close a file in use
            self._users += 1
        try:
            if getattr(_GLANCING, "here", None) is not self:
                self._pool.use(self)
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._crowded and not self._users:
                    self._close_idle()
                    self._crowded = False

    @contextlib.contextmanager
    def _lent(self) -> Iterator[SqliteDatabase]:
        db, inode = self._borrowed()
        try:
            yield db
        except sqlite3.DatabaseError as error:
            db.close()
            raise explained(error) from error
        except Exception as error:  # raised by the caller; the connection is intact
            self._return(db, inode)
            if isinstance(error, UnicodeEncodeError):  # bytes on a command line that are not UTF-8
                raise not_utf8(error) from error
            raise
        except BaseException:  # an interrupt, perhaps in the middle of a transaction
            db.close()
            raise
        else:
            self._return(db, inode)

    def _return(self, db: SqliteDatabase, inode: int | None) -> None:
        """Take back a lent connection, and keep it to lend again unless enough are idle."""
        if self._idle.qsize() >= _KEPT_IDLE:
            db.close()
            self._crowded = True
            return
        self._idle.put((db, inode))
        if self.closed:
            self.close()

    def rest(self) -> bool:
        """Close all connections until one is needed again; False if the file is in use."""
        with self._lock:
            if self._users:
                return False
            self._close_idle()
            self._on_rest()
            return True

    def close(self) -> None:
        """Close idle connections, and others once they are returned; open no more."""
        self.closed = True
        self._close_idle()
        self._pool.drop(self)

    def _close_idle(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait()[0].close()

    def _borrowed(self) -> tuple[SqliteDatabase, int | None]:
        """Return an idle or new connection; close those to a file that another process erased."""
        with contextlib.suppress(queue.Empty):
            while True:
                db, inode = self._idle.get_nowait()
                if inode == _inode(self._path):
                    return db, inode
                db.close()
        folder = self._path.parent
        with self.opening:
            if self.closed:  # perhaps erased: opening the file now would create it again
                raise StoreError("The collection was closed meanwhile: try again.")
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    f"{folder} cannot be created ({error.strerror}): name a folder that you may "
                    "write to."
                ) from error
            return self._opener(self._path), _inode(self._path)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
