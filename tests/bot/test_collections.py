"""The pool of open collections."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from support.fakes import FakeEncoder, FakeReader
from support.processes import environment

from bot.collections import Collections
from bot.settings import Discord, Settings
from index import (
    CATALOGUE,
    Archive,
    InputError,
    NotFoundError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
)


def test_headlines_follow_what_another_process_did(tmp_path: Path) -> None:
    """A collection erased and filled again by another process is listed anew."""
    collections = Collections(Settings(data=tmp_path), FakeEncoder())
    for name in ("dam", "cup"):
        with closing(Archive.open(tmp_path, "server-7", FakeEncoder())) as elsewhere:
            elsewhere.erase()
        with closing(Archive.open(tmp_path, "server-7", FakeEncoder())) as elsewhere:
            elsewhere.add(["-"], stream=io.BytesIO(b'{"id": "%s", "text": "Yes."}' % name.encode()))
        assert [headline.article_id for headline in collections.headlines(7)] == [name]
    collections.close()


def test_what_questions_need_is_loaded_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The encoder and all vectors are loaded; damage and another model are reported."""
    for name, model in (("a", "fake-256"), ("b", "other"), ("c", "fake-256")):
        with closing(Archive.open(tmp_path, name, FakeEncoder(model))) as archive:
            archive.add(["-"], stream=io.BytesIO(b'{"id": "x", "text": "The dam failed."}'))
    (tmp_path / "c" / "catalogue.sqlite3").write_bytes(b"no database at all" * 99)
    encoder = FakeEncoder()
    collections = Collections(Settings(data=tmp_path), encoder)
    collections.prepare()
    assert encoder.texts
    assert len(collections.open("a")._store._vectors) == 1
    assert "collection c cannot be used: The collection is damaged" in caplog.text
    assert "collection b was embedded with other" in caplog.text
    collections.close()


LEFT_OPEN = """
import io, os, signal, sys
from pathlib import Path
from support.fakes import FakeEncoder
from index import Archive
archive = Archive.open(Path(sys.argv[1]), "server-7", FakeEncoder())
archive.add(["-"], stream=io.BytesIO(b'{"id": "dam", "text": "The dam failed."}'))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_damage_is_noticed_after_a_kill(tmp_path: Path) -> None:
    """After a kill a collection is checked; if it is damaged, it is not used until recovered."""
    subprocess.run([sys.executable, "-c", LEFT_OPEN, str(tmp_path)], env=environment(), check=False)
    file = tmp_path / "server-7" / CATALOGUE
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'feedback'"  # which no answer reads
        (page,) = db.execute(sql).fetchone()
        size = db.execute("PRAGMA page_size").fetchone()[0]
        db.execute("INSERT INTO meta VALUES ('in the log', '')")
        db.commit()
        content = bytearray(file.read_bytes())
        content[(page - 1) * size : page * size] = b"\xff" * size
        file.write_bytes(content)
        with closing(Archive.open(tmp_path, "whole", FakeEncoder())) as archive:
            archive.add(["-"], stream=io.BytesIO(b'{"id": "cup", "text": "Yes."}'))
            archive.backup(tmp_path / "backup")
        collections = Collections(Settings(data=tmp_path), FakeEncoder())
        collections.prepare()
        with pytest.raises(StoreDamagedError, match="onrecord recover"):
            collections.archive(7)
        assert collections.open("whole").size().articles == 1
    with closing(Archive.open(tmp_path, "server-7", FakeEncoder())) as elsewhere:
        elsewhere.recover(tmp_path / "backup")
    assert collections.archive(7).size().articles == 1
    collections.close()


def test_the_reader_is_loaded_before_there_is_a_collection(tmp_path: Path) -> None:
    """The first question after the first report does not wait for the reader's weights."""
    reader = FakeReader()
    Collections(Settings(data=tmp_path), FakeEncoder(), reader).prepare()
    assert reader.excerpts  # it has read something


def test_an_erased_collection_is_not_created_again(tmp_path: Path) -> None:
    """Using a collection object after it was erased does not create its folder again."""
    collections = Collections(Settings(data=tmp_path), FakeEncoder())
    archive = collections.archive(7)
    archive.prepare()
    collections.erase(7)
    with pytest.raises(StoreError, match="closed meanwhile"):
        archive.answers.prune(1)
    with pytest.raises(NotFoundError):
        collections.archive(7, create=False)
    assert [*tmp_path.iterdir()] == []
    collections.archive(7).prepare()
    collections.close()


def test_erasing_is_not_overtaken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a collection is being erased it cannot be opened, and others can."""
    collections = Collections(Settings(data=tmp_path), FakeEncoder())
    collections.archive(7).prepare()
    erase, opened = Archive.erase, []

    def open_again() -> None:
        for server in (7, 8):
            with suppress(StoreBusyError):
                collections.archive(server)
                opened.append(server)

    def slowly(archive: Archive) -> None:
        threads.submit(open_again).result(timeout=10)
        erase(archive)

    monkeypatch.setattr(Archive, "erase", slowly)
    with ThreadPoolExecutor(1) as threads:
        collections.erase(7)
    assert opened == [8]
    collections.archive(7).prepare()
    collections.close()


def crowded(tmp_path: Path, *servers: int) -> Collections:
    """Make collections of which only one is kept open, each with a report."""
    settings = Settings(data=tmp_path, discord=Discord(open_collections=1))
    collections = Collections(settings, FakeEncoder())
    for server in servers:
        stream = io.BytesIO(b'{"id": "dam", "text": "The dam failed."}')
        collections.archive(server).add(["-"], stream=stream)
    return collections


def open_files(folder: Path) -> set[str]:
    """Return the names of the collections whose files this process has open."""
    files = [*Path("/proc/self/fd").iterdir()]
    targets = [file.readlink() for file in files if file.exists()]
    return {target.parent.name for target in targets if target.parent.parent == folder}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_idle_collections_are_closed_and_opened_again(tmp_path: Path) -> None:
    """With room for one collection, the previous is closed, and opened at its next question."""
    collections = crowded(tmp_path, 1, 2)
    first, second = collections.archive(1), collections.archive(2)
    for asked, name in ((first, "server-1"), (second, "server-2"), (first, "server-1")):
        assert asked.search("Which dam?").sentences
        assert open_files(tmp_path) == {name}
    assert len(second._store._vectors) == 0
    collections.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_collection_in_use_is_not_closed(tmp_path: Path) -> None:
    """A collection that a question reads is closed only afterwards when another is opened."""
    collections = crowded(tmp_path, 1, 2)
    reading, go_on = threading.Event(), threading.Event()

    def question() -> int:
        archive = collections.archive(1)
        with archive._store.snapshot() as snapshot:
            reading.set()
            go_on.wait(20)
            return snapshot.size().articles

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(question)
        reading.wait(20)
        assert collections.archive(2).search("Which dam?").sentences
        assert open_files(tmp_path) == {"server-1", "server-2"}
        go_on.set()
        assert answer.result(20) == 1
    collections.archive(2).size()
    assert open_files(tmp_path) == {"server-2"}
    collections.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_crowd_leaves_few_files_open(tmp_path: Path) -> None:
    """After eight people read a collection at once, it holds at most five file descriptors."""
    collections = crowded(tmp_path, 1)
    together = threading.Barrier(8)

    def read(_: int) -> None:
        with collections.archive(1)._store.snapshot():
            together.wait(20)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(read, range(8)))
    links = [file.readlink() for file in Path("/proc/self/fd").iterdir() if file.exists()]
    assert len([link for link in links if tmp_path in link.parents]) <= 5
    collections.close()


def test_a_glance_costs_no_place(tmp_path: Path) -> None:
    """Looking at every collection does not unload the vectors of the collection in use."""
    collections = crowded(tmp_path, 1, 2)
    hot, cold = collections.archive(1), collections.archive(2)
    assert hot.search("Which dam?").sentences
    with cold.glance():
        assert cold.sources.due() is None
    assert len(hot._store._vectors)
    assert cold._store._connections not in collections._engine._pool
    with hot.glance():
        assert hot.size().articles == 1
    assert len(hot._store._vectors)
    collections.close()


@pytest.mark.parametrize("moment", ["closed in use", "used once closed"])
def test_the_pool_keeps_nothing_closed(tmp_path: Path, moment: str) -> None:
    """A collection closed while others push it out, or used afterwards, takes no place."""
    collections = crowded(tmp_path, 1, 2)
    archive = collections.archive(1)
    connections, pool = archive._store._connections, collections._engine._pool
    if moment == "closed in use":
        rest = connections.rest

        def closed_meanwhile() -> bool:
            rested = rest()
            connections.close()
            return rested

        connections.rest = closed_meanwhile  # type: ignore[method-assign]
        with archive._store.snapshot():
            collections.archive(2).size()
            assert connections not in pool
    else:
        archive.close()
        with pytest.raises(StoreError, match="closed meanwhile"):
            archive.size()
    assert connections not in pool
    collections.close()


def test_a_closed_collection_can_be_erased(tmp_path: Path) -> None:
    """A collection closed by the pool is erased like an open one, and the others stay."""
    collections = crowded(tmp_path, 1, 2)
    collections.erase(1)
    assert [path.name for path in tmp_path.iterdir()] == ["server-2"]
    assert collections.archive(2).search("Which dam?").sentences
    collections.close()


def test_state_tells_whether_a_collection_was_written_to(tmp_path: Path) -> None:
    """The state stays the same after reading, closing and opening, and changes with a commit."""
    collections = crowded(tmp_path, 1, 2)  # 1 is closed by now
    before = collections.existing([1, 3])
    collections.archive(1).search("Which dam?")
    collections.archive(2).size()
    assert collections.existing([1, 3]) == before
    assert [*before] == [1]
    with closing(Archive.open(tmp_path, "server-1", FakeEncoder())) as elsewhere:
        elsewhere.remove(["dam"])
        assert collections.existing([1]) != before
    collections.close()


def test_shared_collections_are_not_erased(tmp_path: Path) -> None:
    """A collection of several servers is not erased from one of them."""
    settings = Settings(data=tmp_path, discord=Discord(collections={"7": "desk"}))
    collections = Collections(settings, FakeEncoder())
    collections.archive(7).prepare()
    collections.archive(8).prepare()
    with pytest.raises(InputError, match="shares its reports"):
        collections.erase(7)
    collections.erase(8)
    assert {path.name for path in tmp_path.iterdir()} == {"desk"}
    collections.close()
