"""Kill a process (-9) at a chosen point of its work on a collection, and check the collection.

    python -m support.killing EVERY OPERATION...

kills each operation before each of its SQL statements and file operations (every third with 3), and
prints a JSON line: how often it was killed, and how often it had taken effect by then. It ends with
an AssertionError if anything was lost, torn or made up. This process itself starts no thread, since
it forks: all work is done by its children.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import sqlite3
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from index.archive import Archive
from index.network import prepare_process
from index.store.connections import CATALOGUE
from index.store.sqlite import SqliteStore
from support.fakes import FakeEncoder

T = TypeVar("T")
QUESTION = "Who was warned of the gate at the dam?"
_FILES = {  # Python's audit events of what changes files
    *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate"),
    *("shutil.copyfile", "tempfile.mkstemp"),
}


def in_child(work: Callable[[], T], *, killed_at: int | None = None) -> tuple[T | None, int]:
    """Run work in a child; return its result, None if killed, and the number of points passed."""
    read, write = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(read)
            passed = _count_points(killed_at)
            result = work()
            with os.fdopen(write, "wb") as stream:
                pickle.dump((result, passed()), stream)
            status = 0
        except BaseException:  # noqa: BLE001 - nothing of the parent may run here
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        data = stream.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None, killed_at or 0
    assert status == 0, "the child failed: its traceback is above"
    result, points = pickle.loads(data)  # noqa: S301 - of our own child
    return result, points


def _count_points(killed_at: int | None) -> Callable[[], int]:
    """Count SQL statements and file operations of this process; kill it before one of them."""
    passed = 0

    def point(*_: object) -> None:
        nonlocal passed
        passed += 1
        if passed == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    connect = sqlite3.connect

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.set_trace_callback(point)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _FILES or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            point()

    sys.addaudithook(audit)
    return lambda: passed


@contextmanager
def opened(folder: Path, model: str = "fake-256") -> Iterator[Archive]:
    """Open the collection in a folder, with an index file from five sentences on."""
    store = SqliteStore(folder / "collection", exact_up_to=4)
    with closing(Archive(store, FakeEncoder(model))) as archive:
        yield archive


def state(folder: Path) -> Any:
    """Return all that a collection stores and answers, None without one, after checks."""
    file = folder / "collection" / CATALOGUE
    if not file.exists():
        return None
    with opened(folder) as archive:
        model = archive.model or "fake-256"
    with opened(folder, model) as archive:
        live = sorted(article.article_id for article in archive.articles())
        found = archive.search(QUESTION, 100).sentences if live else []
        assert {sentence.article_id for sentence in found} <= {*live}
        archive.prepare()
        articles = [*archive.articles(), *archive.articles(retired=True)]
        shown = sorted((a.article_id, a.text, a.notice and a.notice.note) for a in articles)
        actions = [event.action for event in archive.history()]
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        sentences, embeddings = (
            db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("sentence", "embedding")
        )
    assert sentences == embeddings
    return shown, live, [sentence.text for sentence in found], actions, model


def state_of_backup(folder: Path) -> Any:
    """Return the state of a collection recovered from the backup."""
    with tempfile.TemporaryDirectory() as other:
        with opened(Path(other)) as archive:
            archive.recover(folder / "backup")
        return state(Path(other))


# Operations


def stock(folder: Path) -> None:
    """Make a collection with a history, sources that have changed since, and a backup."""
    reports = folder / "reports"
    reports.mkdir(parents=True)
    for name in ("dam", "bank", "cup"):
        text = f"The {name} was warned of the gate. Nobody at the dam heard the {name}. It rained."
        (reports / f"{name}.txt").write_text(text)
    with opened(folder) as archive:
        archive.add([str(reports)])
        ids = [article.article_id for article in archive.articles()]
        archive.correct(ids[0], "It was noon.")
        archive.remove(ids[1:2])
        archive.prepare()
        archive.backup(folder / "backup")
        archive.restore(ids[1:2])
    (reports / "dam.txt").write_text("The dam held at first. Everybody was warned of the gate.")
    (folder / "more").mkdir()
    for name in ("ferry", "storm"):
        text = f"The {name} came at dawn. The {name} was not warned of the gate at the dam."
        (folder / "more" / f"{name}.txt").write_text(text)


def first(archive: Archive) -> str:
    """Return the id of a report."""
    return min(article.article_id for article in archive.articles())


def rebuild(folder: Path) -> None:
    """Embed everything again, by another encoder."""
    with opened(folder, "other") as archive:
        archive.rebuild()


def on_archive(change: Callable[[Archive, Path], object]) -> Callable[[Path], None]:
    """Return an operation on the open collection."""

    def work(folder: Path) -> None:
        with opened(folder) as archive:
            change(archive, folder)

    return work


OPERATIONS: dict[str, Callable[[Path], None]] = {
    "add": on_archive(lambda archive, folder: archive.add([str(folder / "more")])),
    "reindex": on_archive(lambda archive, _: archive.sources.reindex()),
    "remove": on_archive(lambda archive, _: archive.remove([first(archive)])),
    "retract": on_archive(lambda archive, _: archive.retract(first(archive), "Made up.")),
    "undo": on_archive(lambda archive, _: archive.undo(1)),
    "rebuild": rebuild,
    "prepare": on_archive(lambda archive, _: archive.prepare()),
    "backup": on_archive(lambda archive, folder: archive.backup(folder / "backup")),
    "recover": on_archive(lambda archive, folder: archive.recover(folder / "backup")),
    "erase": on_archive(lambda archive, _: archive.erase()),
}


def kill_at_each(name: str, start: Path, every: int) -> dict[str, Any]:
    """Kill an operation at each of its points, and check that its state is whole each time."""
    operation, folder = OPERATIONS[name], start.with_name("rough")
    look = state_of_backup if name == "backup" else state

    def renew() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(start, folder)

    renew()
    old, _ = in_child(lambda: look(folder))
    _, points = in_child(lambda: operation(folder))
    new, _ = in_child(lambda: look(folder))
    in_force = 0
    kills = range(1, points + 1, every)
    for at in kills:
        renew()
        _, killed_at = in_child(lambda: operation(folder), killed_at=at)
        assert killed_at == at
        there, _ = in_child(lambda: look(folder))
        assert there in (old, new), f"{name}, killed at {at}: {there}"
        in_force += there == new
    return {"operation": name, "kills": len(kills), "in force": in_force}


def main() -> None:
    """Kill the named operations."""
    prepare_process()
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder, "start")
        in_child(lambda: stock(start))
        for name in sys.argv[2:] or OPERATIONS:
            print(json.dumps(kill_at_each(name, start, int(sys.argv[1]))), flush=True)


if __name__ == "__main__":
    main()
