"""SQLite and FAISS together: no fault tears a commit, and the cache file is only a cache."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fakes import FailingOpener, FakeEncoder, put, ready, remove, restore
from support.processes import environment
from support.stores import BANK, CUP, DAM

from index.domain import Filters, Notice
from index.encoder import Vectors
from index.errors import (
    CancelledError,
    NotFoundError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreVersionError,
)
from index.reading.items import Link, PageState
from index.store import catalogue, schema
from index.store.embedded import SqliteSnapshot
from index.store.rows import page_of
from index.store.schema import connect
from index.store.sqlite import SqliteStore
from index.store.types import Changes
from index.store.vectors import VectorIndex

TABLES = (
    "meta generation article revision identity sentence embedding staged sketch rewrite change"
    " notice source page page_article"
).split()
PAGE = PageState("dam.txt", None, "1 2", ("dam", "bank"), ())
FIXED = Notice("corrected", "It was noon.", datetime(2026, 3, 14, tzinfo=UTC), "mod")
LATE = Notice("retracted", "Made up.", datetime(2026, 3, 14, tzinfo=UTC), "mod")


@contextmanager
def opened(folder: Path, **options: object) -> Iterator[SqliteStore]:
    """Open a store that is closed at the end."""
    with closing(SqliteStore(folder, **options)) as store:
        yield store


def look_into(folder: Path) -> None:
    """Open a store and read from it."""
    with opened(folder) as store, store.snapshot():
        pass


def newer(path: Path) -> None:
    """Make a catalogue of a newer version than this program reads."""
    with closing(connect(path)) as db:
        db.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")


def foreign(version: int) -> Callable[[Path], None]:
    """Make another program's database, with its own version."""

    def make(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE bookmark (url TEXT)")
            db.execute(f"PRAGMA user_version = {version}")

    return make


def not_a_database(path: Path) -> None:
    """Make a file that is not a database."""
    path.write_bytes(b"%PDF-1.7 " + bytes(range(256)) * 40)


def zeroed(path: Path) -> None:
    """Make a collection whose pages after the first are lost."""
    with opened(path.parent) as store:
        put(store, *(replace(CUP, article_id=f"cup-{n}") for n in range(40)))
    data = path.read_bytes()
    path.write_bytes(data[:4096] + bytes(len(data) - 4096))


def cut_short(path: Path) -> None:
    """Make a collection that ends after half a page."""
    with opened(path.parent) as store:
        put(store, DAM)
    path.write_bytes(path.read_bytes()[:2000])


def dump(folder: Path) -> dict[str, list[object]]:
    """Check a catalogue, and return its rows except for times."""
    with closing(connect(folder / "catalogue.sqlite3")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        db.execute("INSERT INTO live_text (live_text) VALUES ('integrity-check')")
        rows: dict[str, list[object]] = {
            name: db.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES
        }
        rows["generation"] = db.execute("SELECT number, actor, action FROM generation").fetchall()
        rows["terms"] = db.execute("SELECT term, doc, cnt FROM live_terms").fetchall()
        return rows


def consistent(folder: Path) -> None:
    """Check that counts and full text have exactly the live sentences."""
    with closing(connect(folder / "catalogue.sqlite3")) as db:

        def value(sql: str) -> int:
            return int(db.execute(sql).fetchone()[0])

        live = "FROM sentence s JOIN article a ON a.live = s.revision"
        lengths = [len(row[0].split()) for row in db.execute(f"SELECT s.terms {live}")]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        counted = "SELECT coalesce(sum(sentences), 0) FROM revision JOIN article ON live = revision"
        assert value(counted) == len(lengths)
        assert value("SELECT coalesce(sum(cnt), 0) FROM live_terms") == sum(lengths)
        assert value("SELECT count(*) FROM sentence") == value("SELECT count(*) FROM embedding")
        cut = "SELECT revision FROM sentence"
        assert value(f"SELECT count(*) FROM revision WHERE revision NOT IN ({cut})") == 0


def found(snapshot: SqliteSnapshot) -> list[tuple[str, float]]:
    """Return article ids and scores of all live sentences for a question, best first."""
    ranked = snapshot.dense(FakeEncoder().vector("Who was warned of the dam?"), 1_000)
    rows = snapshot.rows(ranked.ids.tolist())
    at = {sentence.sentence_id: sentence for sentence in rows.sentences}
    return [
        (at[i].article_id, round(score, 5))
        for i, score in zip(ranked.ids.tolist(), ranked.scores.tolist(), strict=True)
    ]


# Faults


def add_update_remove(store: SqliteStore) -> None:
    """Commit every kind of change."""
    changed = replace(DAM, text="The dam held. Nobody was warned.")
    changes = Changes(
        put=[ready(changed), ready(BANK)],
        remove=["cup"],
        restore=["gone"],
        notices=[("bank", LATE)],
        pages=[PAGE],
    )
    store.commit(changes, model="fake-256", actor="tester", action="all")


def undo(store: SqliteStore) -> None:
    """Go back to where only one article was live."""
    store.commit(Changes(undo=1), actor="tester", action="undo")


def only_a_page(store: SqliteStore) -> None:
    """Commit the state of a page where all was read and nothing was new."""
    store.commit(Changes(pages=[PAGE]), actor="tester", action="refresh")


def switch(store: SqliteStore) -> None:
    """Finish a rebuild."""
    store.rebuild(FakeEncoder("other", fail_after=0), actor="tester")


def stop(_: int) -> None:
    """Embed all, and stop the rebuild before the switch."""
    raise CancelledError("Enough.")


@pytest.mark.parametrize("change", [add_update_remove, undo, only_a_page, switch])
def test_a_fault_anywhere_leaves_the_old_or_the_new(
    tmp_path: Path, change: Callable[[SqliteStore], None]
) -> None:
    """After a failure at any of SQLite's steps, a commit is whole or did not happen."""

    def fill(store: SqliteStore) -> None:
        put(store, DAM, CUP, replace(CUP, article_id="gone"))
        put(store, replace(DAM, text="The dam held at first."))
        store.commit(Changes(notices=[("cup", FIXED)]), actor="mod", action="correct")
        remove(store, "gone")
        with pytest.raises(CancelledError):
            store.rebuild(FakeEncoder("other"), actor="tester", on_progress=stop)

    with opened(tmp_path / "smooth") as store:
        fill(store)
        old = dump(tmp_path / "smooth")
        change(store)
        new = dump(tmp_path / "smooth")
    opener = FailingOpener()
    folder = tmp_path / "rough"
    failed = 0
    with opened(folder, opener=opener) as store:
        fill(store)
        for steps in range(10_000):
            opener.left = steps
            try:
                change(store)
            except StoreError:
                failed += 1
                opener.left = None
                assert dump(folder) == old
            else:
                break
        opener.left = None
        assert dump(folder) == new
        consistent(folder)
        with store.snapshot() as snapshot:
            assert {name for name, _ in found(snapshot)} == {
                a.article_id for a in snapshot.articles()
            }
    assert failed > 9


WRITER = """
import sys
from pathlib import Path
from support.fakes import put, remove
from index.domain import Article
from index.store.sqlite import SqliteStore
from index.encoder import Vectors

store = SqliteStore(Path(sys.argv[1]))
with store.snapshot() as snapshot:
    first = snapshot.generation
for n in range(first, first + 100_000):
    text = " ".join(f"Sentence {i} of report {n} is here." for i in range(n % 40 + 1))
    put(store, Article(article_id=f"r{n % 50}", title=str(n), text=text))
    if n % 3 == 0:
        remove(store, f"r{n % 50}")
    if n % 5 == 0:
        store.prepare()
    with store.snapshot() as snapshot:
        print(snapshot.generation, flush=True)
"""


def test_killed_at_any_moment_nothing_is_torn(tmp_path: Path) -> None:
    """After kill -9 during commits, all reported commits are there and whole."""
    for round_number in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            env=environment(),
        ) as writer:
            assert writer.stdout is not None
            told = 0
            for _ in range(15 + 7 * round_number):
                told = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            told = max([told, *(int(line) for line in writer.stdout if line.endswith(b"\n"))])
        dump(tmp_path)
        consistent(tmp_path)
        with opened(tmp_path) as store, store.snapshot() as snapshot:
            assert snapshot.generation >= told
            live = {article.article_id for article in snapshot.articles()}
            assert {name for name, _ in found(snapshot)} == live


def refuse_writing(path: Path) -> sqlite3.Connection:
    """Open a read-only connection."""
    connection = connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


def leave_no_room(path: Path) -> sqlite3.Connection:
    """Open a connection to a full disk."""
    connection = connect(path)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    return connection


@pytest.mark.parametrize(
    ("opener", "message"), [(refuse_writing, "read-only"), (leave_no_room, "disk is full")]
)
def test_a_failed_write_is_explained(
    tmp_path: Path, opener: Callable[[Path], sqlite3.Connection], message: str
) -> None:
    """A read-only or full disk is explained, changes nothing, and reading goes on."""
    with opened(tmp_path) as store:
        put(store, DAM)
    before = dump(tmp_path)
    long = replace(BANK, text="The bank blamed others. " * 2_000)
    with opened(tmp_path, opener=opener) as store:
        with pytest.raises(StoreError, match=message):
            put(store, long)
        with store.snapshot() as snapshot:
            assert {name for name, _ in found(snapshot)} == {"dam"}
    assert dump(tmp_path) == before


@pytest.mark.parametrize("in_use", [False, True])
def test_a_read_only_folder_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_use: bool
) -> None:
    """If nothing can be written, not even beside the file, everything can be read."""
    with opened(tmp_path) as store:
        put(store, DAM)
    with closing(connect(tmp_path / "catalogue.sqlite3")) as other:
        if in_use:
            other.execute("INSERT INTO meta VALUES ('in the log', '')")
        else:
            other.close()
        files = {*tmp_path.iterdir()}
        monkeypatch.setattr("os.access", lambda *_: False)
        with opened(tmp_path) as store:
            with store.snapshot() as snapshot:
                assert {name for name, _ in found(snapshot)} == {"dam"}
                logged = snapshot.db.execute("SELECT 1 FROM meta WHERE key = 'in the log'")
                assert bool(logged.fetchone()) == in_use
            with pytest.raises(StoreError, match="read-only"):
                put(store, BANK)
        assert {*tmp_path.iterdir()} == files


def impatient(path: Path) -> sqlite3.Connection:
    """Open a connection that does not wait for another writer."""
    connection = connect(path)
    connection.execute("PRAGMA busy_timeout = 20")
    return connection


def test_another_writer_is_reported(tmp_path: Path) -> None:
    """A writer that waits in vain gets an error; later a retry succeeds."""
    with opened(tmp_path, opener=impatient) as store:
        put(store, DAM)
        with closing(connect(tmp_path / "catalogue.sqlite3")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusyError):
                put(store, CUP)
            with store.snapshot() as snapshot:
                assert {name for name, _ in found(snapshot)} == {"dam"}
        put(store, CUP)
        with store.snapshot() as snapshot:
            assert {name for name, _ in found(snapshot)} == {"dam", "cup"}


def test_an_interrupt_in_a_transaction_locks_nobody_out(tmp_path: Path) -> None:
    """Ctrl-C in a transaction does not leave it open."""
    with opened(tmp_path) as store, opened(tmp_path, opener=impatient) as other:
        put(store, DAM)
        with suppress(KeyboardInterrupt), store._connections.lease() as db:
            db.execute("BEGIN IMMEDIATE")
            raise KeyboardInterrupt
        put(other, CUP)
        put(store, BANK)


# Opening


def test_a_collection_is_created_once(tmp_path: Path) -> None:
    """A collection opened by many at once is created once, and all can use it."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(6)

    def use(folder: Path, number: int) -> None:
        try:
            barrier.wait()
            with opened(folder) as store:
                put(store, replace(CUP, article_id=f"cup-{number}"))
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    for number in range(5):
        folder = tmp_path / str(number)
        threads = [threading.Thread(target=use, args=(folder, n)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        with opened(folder) as store, store.snapshot() as snapshot:
            assert (snapshot.generation, snapshot.size().articles) == (6, 6)


def test_erasing_leaves_what_is_not_ours(tmp_path: Path) -> None:
    """Other files in the folder stay, and links are not followed."""
    treasure = tmp_path / "treasure"
    treasure.write_text("x", encoding="utf-8")
    folder = tmp_path / "collection"
    with opened(folder) as store:
        put(store, DAM)
        cache(folder).symlink_to(treasure)
        (folder / "notes.txt").write_text("x", encoding="utf-8")
        store.erase()
    assert [*folder.iterdir()] == [folder / "notes.txt"]
    assert treasure.read_text(encoding="utf-8") == "x"


def test_a_question_during_an_erasure_is_handled(tmp_path: Path) -> None:
    """A question is answered from the old or the new state, or gets an explanation."""
    errors: list[str] = []
    done = threading.Event()

    def ask() -> None:
        with opened(tmp_path / "collection") as store:
            while not done.is_set():
                try:
                    with store.snapshot() as snapshot:
                        live = {article.article_id for article in snapshot.articles()}
                        assert {name for name, _ in found(snapshot)} <= live
                except StoreError as error:
                    errors.append(str(error))

    with ThreadPoolExecutor(3) as threads:
        asking = [threads.submit(ask) for _ in range(3)]
        for _ in range(30):
            with opened(tmp_path / "collection") as store:
                put(store, DAM, CUP)
                store.erase()
        done.set()
        for one in asking:
            one.result()
    unexplained = [error for error in errors if "erased just now" not in error]
    assert not unexplained


def test_erasing_waits_for_a_connection_that_opens(tmp_path: Path) -> None:
    """Else it would have an erased file and the next one's log, and cause damage."""
    with opened(tmp_path / "c") as store, ThreadPoolExecutor(1) as threads:
        put(store, DAM)
        erasing = []

        def slowly(path: Path) -> sqlite3.Connection:
            erasing.append(threads.submit(store.erase))
            with pytest.raises(TimeoutError):
                erasing[0].result(timeout=0.2)
            return connect(path)

        with opened(tmp_path / "c", opener=slowly) as other, other.snapshot() as snapshot:
            assert snapshot.generation == 1
        erasing[0].result()
        assert not (tmp_path / "c").exists()


def test_a_busy_collection_is_not_blamed_on_the_backup(tmp_path: Path) -> None:
    """A backup of a busy collection says so, since another file would not help."""

    def busy(_: Path) -> sqlite3.Connection:
        raise StoreBusyError("Wait.")

    with opened(tmp_path / "c", opener=busy) as store, pytest.raises(StoreBusyError):
        store.backup(tmp_path / "copy")


def test_a_lent_connection_is_closed_once_it_is_returned(tmp_path: Path) -> None:
    """A store closed during a read keeps no file open afterwards."""
    opener = FailingOpener()
    store = SqliteStore(tmp_path, opener=opener)
    with store.snapshot():
        store.close()
    (connection,) = opener.opened
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_the_log_of_a_large_commit_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next commit after a checkpoint truncates SQLite's log."""
    monkeypatch.setattr(schema, "_LOG_BYTES", 50_000)
    with closing(connect(tmp_path / "c.sqlite3")) as db:
        db.execute("INSERT INTO meta VALUES ('large', ?)", ("x" * 1_000_000,))
        db.execute("PRAGMA wal_checkpoint(RESTART)")
        db.execute("INSERT INTO meta VALUES ('small', 'x')")
        assert (tmp_path / "c.sqlite3-wal").stat().st_size <= 50_000


def test_two_backups_to_one_file_are_both_whole(tmp_path: Path) -> None:
    """Each backup is written under a unique name first."""
    with opened(tmp_path / "c") as store, ThreadPoolExecutor(2) as threads:
        put(store, DAM)
        for _ in range(20):
            for writing in [threads.submit(store.backup, tmp_path / "copy") for _ in range(2)]:
                writing.result()
        store.recover(tmp_path / "copy", actor="tester")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["copy"]


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("damage", [not_a_database, zeroed, cut_short])
def test_a_damaged_collection_can_be_erased(
    tmp_path: Path, damage: Callable[[Path], None], *, used: bool
) -> None:
    """After any damage, erasing leaves nothing, and a new collection can be created."""
    folder = tmp_path / "collection"
    folder.mkdir()
    damage(folder / "catalogue.sqlite3")
    with opened(folder) as store:
        if used:
            with pytest.raises(StoreError):
                put(store, DAM)
        store.erase()
    assert [*tmp_path.iterdir()] == []
    with opened(folder) as store:
        assert put(store, DAM).generation == 1


@pytest.mark.parametrize("damage", [not_a_database, zeroed, cut_short])
def test_a_backup_replaces_a_damaged_collection(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """After any damage, recovery restores the backup, also for stores that are open."""
    folder = tmp_path / "collection"
    with opened(folder) as store, opened(folder) as elsewhere:
        put(store, DAM)
        store.backup(tmp_path / "copy")
        look_into(folder)
        store._delete_files()
        folder.mkdir()
        damage(folder / "catalogue.sqlite3")
        with pytest.raises(StoreError):
            put(elsewhere, BANK)
        store.recover(tmp_path / "copy", actor="tester")
        for each in (store, elsewhere):
            with each.snapshot() as snapshot:
                assert {name for name, _ in found(snapshot)} == {"dam"}
                assert snapshot.history()[0].action == "recover"
        put(elsewhere, BANK)
    consistent(folder)


def torn(path: Path) -> None:
    """Make a backup that opens, but lacks its last pages."""
    with opened(path.parent / "torn") as store:
        put(store, *(replace(CUP, article_id=f"cup-{n}") for n in range(40)))
        store.backup(path)
    path.write_bytes(path.read_bytes()[: -20 * 4096] + bytes(20 * 4096))


def unused(path: Path) -> None:
    """Make a backup of a collection to which nothing was ever added."""
    with opened(path.parent / "unused") as store:
        store.backup(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Path.touch, "is empty"),
        (unused, "is empty"),
        (foreign(1), "another program"),
        (newer, "another version"),
        (not_a_database, "is damaged, or is no backup"),
        (torn, "is damaged, or is no backup"),
        (lambda _: None, "There is no file"),
    ],
)
def test_only_a_whole_backup_replaces_a_collection(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    """Any other file is refused by its name, and nothing is changed."""
    backup = tmp_path / "backup" / "catalogue.sqlite3"
    backup.parent.mkdir()
    make(backup)
    content = backup.read_bytes() if backup.exists() else None
    with opened(tmp_path / "c") as store:
        put(store, DAM)
        before = dump(tmp_path / "c")
        with pytest.raises(StoreError, match=message) as raised:
            store.recover(backup, actor="tester")
    assert str(backup) in str(raised.value)
    assert str(raised.value).endswith("Nothing was changed.")
    assert dump(tmp_path / "c") == before
    assert content is None or backup.read_bytes() == content


def test_a_concurrent_erasure_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If two processes erase at once, neither says that files are left."""
    with opened(tmp_path / "c") as store:
        close = store.close

        def overtaken() -> None:
            close()
            shutil.rmtree(tmp_path / "c")

        monkeypatch.setattr(store, "close", overtaken)
        store.erase()
        monkeypatch.undo()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("kind", ["newer", "foreign"])
def test_a_foreign_database_is_not_erased(tmp_path: Path, kind: str) -> None:
    """Another program's database, and one of a newer version, are refused and stay."""
    path = tmp_path / "catalogue.sqlite3"
    (newer if kind == "newer" else foreign(1))(path)
    before = path.read_bytes()
    with opened(tmp_path) as store, pytest.raises(StoreError):
        store.erase()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (newer, StoreVersionError, "another version"),
        (foreign(0), StoreError, "another program"),
        (foreign(1), StoreError, "another program"),
        (foreign(9), StoreError, "another program"),
        (not_a_database, StoreDamagedError, "not a database"),
    ],
)
def test_a_foreign_file_is_left_alone(
    tmp_path: Path, make: Callable[[Path], None], kind: type[StoreError], message: str
) -> None:
    """A newer catalogue, another program's database and other files stay unchanged."""
    path = tmp_path / "catalogue.sqlite3"
    make(path)
    before = path.read_bytes()
    with pytest.raises(kind, match=message) as raised:
        look_into(tmp_path)
    assert type(raised.value) is kind
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    """A file in place of the folder, or a folder in place of the file, is reported."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be created"):
        look_into(tmp_path / "file")
    with pytest.raises(StoreError, match="cannot be created"):
        look_into(tmp_path / "file" / "below")
    (tmp_path / "catalogue.sqlite3").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        look_into(tmp_path)


def test_a_damaged_catalogue_is_reported(tmp_path: Path) -> None:
    """Damage inside the database is an error with a remedy, never a wrong answer."""
    with opened(tmp_path) as store:
        put(store, *(replace(CUP, article_id=f"cup-{n}") for n in range(40)))
    path = tmp_path / "catalogue.sqlite3"
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="backup"), opened(tmp_path) as store:
        put(store, DAM)


# The cache file of a compact index


def cache(folder: Path) -> Path:
    """Return the path of the vector index."""
    return folder / "vectors.compact"


@contextmanager
def compact(folder: Path) -> Iterator[SqliteStore]:
    """Open a store whose index is compact, and so kept in a file."""
    with opened(folder, exact_up_to=2) as store:
        yield store


def never(*_: object) -> None:
    """Fail if called."""
    raise AssertionError("built again")


def test_the_cache_is_written_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `prepare` the file has the newest generation, which is not built again."""
    with compact(tmp_path) as store:
        put(store, DAM, CUP)
        store.prepare()
        with store.snapshot() as snapshot:
            before = found(snapshot)
    monkeypatch.setattr(VectorIndex, "_build", never)
    with compact(tmp_path) as store, store.snapshot() as snapshot:
        assert found(snapshot) == before


def lose(path: Path) -> None:
    """Delete the file."""
    path.unlink()


def truncate(path: Path) -> None:
    """Delete half of the file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """Change a bit."""
    data = bytearray(path.read_bytes())
    data[-100] ^= 4
    path.write_bytes(data)


def empty(path: Path) -> None:
    """Empty the file."""
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [lose, truncate, flip, empty])
def test_the_cache_can_be_lost(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """A missing or damaged file is built again from the stored embeddings."""
    with compact(tmp_path) as store:
        put(store, DAM, CUP, BANK)
        remove(store, "bank")
        store.prepare()
        with store.snapshot() as snapshot:
            before = found(snapshot)
    whole = cache(tmp_path).read_bytes()
    damage(cache(tmp_path))
    with compact(tmp_path) as store:
        with store.snapshot() as snapshot:
            assert found(snapshot) == before
        store.prepare()
    assert len(cache(tmp_path).read_bytes()) == len(whole)


@pytest.mark.parametrize("what", ["a later generation", "another catalogue", "another model"])
def test_a_cache_of_something_else_is_not_used(tmp_path: Path, what: str) -> None:
    """A file of another timeline, another catalogue or an old model is not used."""
    path = tmp_path / "catalogue.sqlite3"
    model = "other" if what == "another model" else "fake-256"
    with compact(tmp_path) as store:
        put(store, DAM)
        put(store, CUP)
    backup = path.read_bytes()
    with compact(tmp_path) as store:
        put(store, BANK)
        remove(store, "dam")
        store.prepare()
        kept = cache(tmp_path).read_bytes()
        if what == "another model":
            restore(store, "dam")
            store.rebuild(FakeEncoder(model), actor="tester")
    if what == "a later generation":
        path.write_bytes(backup)
    if what == "another catalogue":
        path.unlink()
        with compact(tmp_path) as store:
            for article in (DAM, CUP, BANK, CUP):
                put(store, replace(article, text=article.text + f" {article.title}."))
    cache(tmp_path).write_bytes(kept)
    with compact(tmp_path) as store, store.snapshot() as snapshot:
        vector = FakeEncoder(model).vector("The dam failed.")
        ids = snapshot.dense(vector, 99).ids.tolist()
        assert len(ids) == snapshot.size().sentences
        assert snapshot.dense(vector, 1).scores[0] == pytest.approx(1, abs=0.05)


def test_a_rebuild_notices_that_a_copy_was_recovered(tmp_path: Path) -> None:
    """Embeddings are not stored for other sentences with the same ids."""

    class Slow(FakeEncoder):
        def encode(self, texts: Sequence[str], **how: Any) -> Vectors:
            if not self.texts:
                self.texts.append("")
                elsewhere.recover(copy, actor="tester")
                put(elsewhere, BANK)
            return super().encode(texts, **how)

    copy, other = tmp_path / "copy", Slow("other")
    with opened(tmp_path / "c") as store, opened(tmp_path / "c") as elsewhere:
        put(store, DAM)
        store.backup(copy)
        put(store, CUP, replace(CUP, article_id="gone", text="The cup was stolen. It is gone."))
        store.rebuild(other, actor="tester")
        put(store, CUP, model="other")
        with store.snapshot() as snapshot:
            for one in (DAM, BANK, CUP):
                assert len(snapshot.embedded(one.article_id)) == 2
                for text, vector in snapshot.embedded(one.article_id).items():
                    assert np.allclose(vector, other.vector(text)), text


def test_a_rebuild_costs_what_it_embeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's work grows linearly with the sentences."""
    monkeypatch.setattr(catalogue, "_REBUILT", 4)

    def steps(articles: int) -> int:
        opener = FailingOpener()
        with opened(tmp_path / str(articles), opener=opener) as store:
            put(store, *(replace(DAM, article_id=f"dam-{n}") for n in range(articles)))
            opener.left = before = 10**9
            store.rebuild(FakeEncoder("other"), actor="tester")
            return before - opener.left

    assert steps(320) < 6 * steps(80)


def test_an_undo_costs_what_came_after(tmp_path: Path) -> None:
    """SQLite's work, also in a preview, grows linearly with the changes."""

    def steps(articles: int) -> int:
        opener = FailingOpener()
        with opened(tmp_path / str(articles), opener=opener) as store:
            put(store, DAM)
            put(store, *(replace(CUP, article_id=f"cup-{n}") for n in range(articles)))
            opener.left = before = 10**9
            undo = Changes(undo=1)
            preview = store.commit(undo, actor="tester", action="undo", dry_run=True)
            assert len(preview.outcomes) == articles
            return before - opener.left

    assert steps(320) < 6 * steps(80)


def test_a_dry_run_is_rolled_back(tmp_path: Path) -> None:
    """It returns what a commit would do, and the next commit is as if it had not been."""
    with opened(tmp_path) as store:
        put(store, DAM)
        put(store, CUP, BANK)
        before = dump(tmp_path)
        undo = Changes(undo=1)
        preview = store.commit(undo, actor="tester", action="undo", dry_run=True)
        assert dump(tmp_path) == before
        assert store.commit(undo, actor="tester", action="undo") == preview
        assert preview.outcomes == {"cup": "removed", "bank": "removed"}


def test_others_write_while_a_rebuild_embeds(tmp_path: Path) -> None:
    """The collection is not locked while sentences are embedded."""

    class Embedding(FakeEncoder):
        def encode(self, texts: Sequence[str], **how: Any) -> Vectors:
            if not self.texts:
                put(other, CUP)
            return super().encode(texts, **how)

    with opened(tmp_path) as store, opened(tmp_path, opener=impatient) as other:
        put(store, DAM)
        store.rebuild(Embedding("other"), actor="tester")
        with store.snapshot() as snapshot:
            assert snapshot.size().articles == 2


def test_a_killed_rebuild_continues(tmp_path: Path) -> None:
    """Sentences embedded before a kill are not embedded again; the old vectors are used."""
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from index.store import catalogue, sqlite; from support.fakes import FakeEncoder\n"
        "catalogue._REBUILT = 4; done = []\n"
        "def die(count): count == 8 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "store = sqlite.SqliteStore(Path(sys.argv[1]))\n"
        "store.rebuild(FakeEncoder('other'), actor='tester', on_progress=die)\n"
    )
    with opened(tmp_path) as store:
        put(store, *(replace(DAM, article_id=f"dam-{n}") for n in range(10)))
        command = [sys.executable, "-c", script, tmp_path]
        run = subprocess.run(command, env=environment(), check=False)
        assert run.returncode == -signal.SIGKILL
        with store.snapshot() as snapshot:
            assert (snapshot.model, len(found(snapshot))) == ("fake-256", 20)
        encoder = FakeEncoder("other")
        store.rebuild(encoder, actor="tester")
        assert len(encoder.texts) == 12
        with store.snapshot() as snapshot:
            assert snapshot.model == "other"


def test_a_question_of_the_old_encoder_is_not_compared_with_new_vectors(tmp_path: Path) -> None:
    """A snapshot from before the switch finds nothing in the new index."""
    with opened(tmp_path) as store:
        put(store, DAM, CUP)
        with store.snapshot() as before:
            with opened(tmp_path) as elsewhere:
                elsewhere.rebuild(FakeEncoder("other"), actor="tester")
            with store.snapshot() as after:
                assert len(after.dense(FakeEncoder("other").vector("The dam failed."), 9).ids) == 4
            vector = FakeEncoder().vector("The dam failed.")
            assert len(before.dense(vector, 9).ids) == 0
            assert len(before.dense(vector, 9, Filters(until=datetime.now(UTC))).ids) == 0


def test_a_recovery_is_a_generation_of_its_own(tmp_path: Path) -> None:
    """Its number is new, the audit log has it, and no two states share a version."""
    with opened(tmp_path / "c") as store, opened(tmp_path / "c") as elsewhere:
        versions = []
        for article in (DAM, CUP, BANK):
            put(store, article)
            if article is CUP:
                store.backup(tmp_path / "copy")
            with elsewhere.snapshot() as snapshot:
                versions.append(snapshot.version)
                found(snapshot)
        for recovery in (4, 5):
            commit = store.recover(tmp_path / "copy", actor="operator")
            assert commit.generation == recovery
            with elsewhere.snapshot() as snapshot:
                assert {name for name, _ in found(snapshot)} == {"dam", "cup"}
                versions.append(snapshot.version)
                entry = snapshot.history()[0]
                assert (entry.generation, entry.actor, entry.action, entry.note) == (
                    *(recovery, "operator", "recover"),
                    "from a backup of generation 2",
                )
        assert len({*versions}) == len(versions) == 5
        with pytest.raises(NotFoundError):
            store.commit(Changes(undo=3), actor="mod", action="undo")
        put(store, BANK)
        store.commit(Changes(undo=2), actor="mod", action="undo")
        with elsewhere.snapshot() as snapshot:
            assert {name for name, _ in found(snapshot)} == {"dam", "cup"}


def test_an_unwritable_cache_is_done_without(tmp_path: Path) -> None:
    """If the file cannot be written, questions are answered and no draft is left."""
    (cache(tmp_path) / "x").mkdir(parents=True)
    with compact(tmp_path) as store:
        put(store, DAM)
        store.prepare()
        put(store, CUP)
        with store.snapshot() as snapshot:
            assert {name for name, _ in found(snapshot)} == {"dam", "cup"}
    assert not [*tmp_path.glob(".vectors-*")]


def test_drafts_of_a_killed_process_are_deleted(tmp_path: Path) -> None:
    """Drafts of the index, each as large as it, do not pile up."""
    (tmp_path / ".vectors-killed").touch()
    with compact(tmp_path) as store:
        put(store, DAM, CUP)
        store.prepare()
    assert cache(tmp_path).exists()
    assert not [*tmp_path.glob(".vectors-*")]


def test_many_ask_while_articles_come_and_go(tmp_path: Path) -> None:
    """Each question of many threads finds only what is in its generation."""
    failures: list[BaseException] = []
    done = threading.Event()
    with opened(tmp_path) as first:
        put(first, *(replace(DAM, article_id=f"dam-{n}") for n in range(20)))
    with opened(tmp_path, exact_up_to=60) as store:

        def ask() -> None:
            try:
                while not done.is_set():
                    with store.snapshot() as snapshot:
                        live = {article.article_id for article in snapshot.articles()}
                        assert {name for name, _ in found(snapshot)} <= live
                    store.prepare()
            except BaseException as error:  # noqa: BLE001 - reported below
                failures.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(20):
            put(store, replace(CUP, article_id=f"cup-{number}"))
            remove(store, f"dam-{number}")
        done.set()
        for thread in threads:
            thread.join()
        assert failures == []
        with store.snapshot() as snapshot:
            assert len(found(snapshot)) == 40


@pytest.mark.parametrize("first", ["search", "recovery"])
def test_no_index_of_an_abandoned_timeline_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Whether a slow build or a recovery ends first, only the recovered state is searched."""
    with opened(tmp_path / "collection") as store:
        put(store, DAM)
        store.backup(tmp_path / "copy")
        put(store, CUP)
        build, built = VectorIndex._build, []
        reading, go_on = threading.Event(), threading.Event()

        def slow(index: VectorIndex, source: Any) -> None:
            built.append(source.version.generation)
            if len(built) == 1:
                reading.set()
                go_on.wait(10)
            build(index, source)

        def ask() -> None:
            with store.snapshot() as snapshot:
                found(snapshot)

        monkeypatch.setattr(VectorIndex, "_build", slow)
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(ask)
            reading.wait(10)
            if first == "search":
                go_on.set()
                asked.result()
            with suppress(StoreBusyError):
                store.recover(tmp_path / "copy", actor="tester")
            go_on.set()
            asked.result()
        with store.snapshot() as snapshot:
            live = {article.article_id for article in snapshot.articles()}
        for _ in range(3):
            with store.snapshot() as snapshot:
                assert {name for name, _ in found(snapshot)} == live == {"dam"}
                assert store._vectors.version == snapshot.version
        assert built == [2, 3]


def test_two_stores_add_a_report_once(tmp_path: Path) -> None:
    """A twin that another writer commits between look-up and commit is recognised."""
    page = "https://northwire.example/dam"
    mine = replace(DAM, article_id="mine", url=page, id_given=False)
    theirs = replace(DAM, article_id="theirs", url=page + "?utm_source=x", id_given=False)
    with opened(tmp_path) as here, opened(tmp_path) as elsewhere:
        with here.snapshot() as snapshot:
            assert snapshot.decide(mine).outcome == "added"
        put(elsewhere, theirs)
        (decision,) = put(here, mine).put
        assert (decision.article.article_id, decision.outcome) == ("theirs", "unchanged")
        with here.snapshot() as snapshot:
            assert [article.article_id for article in snapshot.articles()] == ["theirs"]


def test_links_that_an_older_version_stored_are_known() -> None:
    """A feed's links stored as mere addresses are read as links without a key."""
    row = ("https://northwire.example/feed", '"v1"', None, '["https://northwire.example/a"]')
    assert page_of(row, []).links == (Link("https://northwire.example/a", ""),)
