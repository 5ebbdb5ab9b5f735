"""Does a collection survive being killed (-9) at any moment, and how soon does it open again?

    PYTHONPATH=.:tests python tests/benchmarks/kills.py [--kills 500] [--sentences 20000]
        [--postgres] [--within 2] [--seed 1]

A process adds, revises, removes, restores, undoes, rebuilds and backs up, at random, and says when
each commit is done. It is killed after up to half a second. What it said is done has to be there,
what it was at whole or not at all, and the collection has to open within two seconds: of processor
time, or, on PostgreSQL, whose server works as well, of real time. Run by hand; a test kills at each
step of each operation.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import IO, Protocol

from support.fakes import FakeEncoder, write_rows
from support.killing import QUESTION, in_child, opened
from support.postgres import Postgres, made, value

from index.archive import Archive
from index.network import prepare_process
from index.store.connections import CATALOGUE
from index.store.postgres.connections import Server
from index.store.postgres.schema import schema_of
from index.store.postgres.store import PostgresStore

_LONGEST_S = 0.5
_LARGE = 12  # sentences of the reports that make up the bulk


_WITHOUT_VECTOR = (
    "SELECT count(*) FROM {schema}sentence LEFT JOIN {schema}embedding USING (sentence_id) "
    "WHERE embedding.sentence_id IS NULL"
)


class Engine(Protocol):
    """Where the collection is kept.

    Attributes:
        clock: measures how long opening takes.
    """

    clock: Callable[[], float]

    def opened(self) -> AbstractContextManager[Archive]:
        """The open collection."""

    def check(self) -> None:
        """Fail if what is stored is damaged, or not whole."""


class Embedded:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self.clock = time.process_time
        self._folder = folder

    def opened(self) -> AbstractContextManager[Archive]:
        return opened(self._folder)

    def check(self) -> None:
        with closing(sqlite3.connect(self._folder / "collection" / CATALOGUE)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
            assert db.execute(_WITHOUT_VECTOR.format(schema="")).fetchone() == (0,)


class OnPostgres:
    """A server of its own."""

    def __init__(self, server: Postgres) -> None:
        self.clock = time.perf_counter
        self._server = server

    @contextmanager
    def opened(self) -> Iterator[Archive]:
        with (
            closing(Server(self._server.address, self._server.password)) as server,
            closing(Archive(PostgresStore(server, "killed"), FakeEncoder())) as archive,
        ):
            yield archive

    def check(self) -> None:
        query = _WITHOUT_VECTOR.format(schema=f'"{schema_of("killed")}".')
        assert value(self._server, query) == 0


def text(name: str, revision: int, sentences: int) -> str:
    """A report that says how many sentences it has, so that a part of one is known."""
    return " ".join(
        f"Sentence {n} of {sentences} in revision {revision} of {name} is here."
        for n in range(1, sentences + 1)
    )


def add(archive: Archive, folder: Path, *rows: dict[str, str]) -> None:
    """Add reports from JSON lines."""
    archive.add([str(write_rows(folder / f"{os.getpid()}.jsonl", rows))])


def work(engine: Engine, folder: Path, dice: random.Random, said: IO[str]) -> None:
    """Change the collection until killed, and say what each change has led to."""
    with engine.opened() as archive:
        while True:
            change(archive, folder, dice)
            said.write(json.dumps([archive.generation, digest(archive)]) + "\n")
            said.flush()


def change(archive: Archive, folder: Path, dice: random.Random) -> None:
    """One change, of any kind."""
    name = f"r{dice.randrange(30)}"
    kind = dice.choice("add add add remove restore undo backup recover prepare rebuild".split())
    if kind == "add":
        row = {"id": name, "text": text(name, dice.randrange(10**9), dice.randrange(1, 40))}
        add(archive, folder, row)
    elif kind in {"remove", "restore"}:
        getattr(archive, kind)([name])
    elif kind == "undo":
        history = archive.history(20)
        archive.undo(history[-1].generation)
    elif kind == "backup":
        archive.backup(folder / "backup")
    elif kind == "recover" and (folder / "backup").exists() and not dice.randrange(5):
        archive.recover(folder / "backup")
    elif kind == "rebuild" and not dice.randrange(10):
        archive.rebuild()
    else:
        archive.prepare()


def digest(archive: Archive) -> list[str]:
    """The first words of each small report that is live."""
    articles = archive.articles()
    return sorted(a.text[:80] for a in articles if a.article_id.startswith("r"))


def look(engine: Engine) -> tuple[float, int, list[str]]:
    """How long opening and a search took, in s; the generation; the digest. Checks it all."""
    started = engine.clock()
    with engine.opened() as archive:
        archive.search(QUESTION, 10)
        seconds = engine.clock() - started
        for article in archive.articles():
            if article.article_id.startswith("r"):
                (count,) = {*re.findall(r"\d+ of (\d+) in revision", article.text)}
                assert len(archive.sentences(article.article_id)) == int(count), article
        there = archive.generation, digest(archive)
    engine.check()
    return seconds, *there


def kill_once(engine: Engine, folder: Path, dice: random.Random) -> tuple[int, list[str]] | None:
    """Let a process work, and kill it; return the last that it said."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        with os.fdopen(write, "w") as said:
            work(engine, folder, random.Random(dice.random()), said)  # noqa: S311 - no secrets
        os._exit(1)
    os.close(write)
    with os.fdopen(read) as lines:
        first = lines.readline()
        time.sleep(dice.uniform(0, _LONGEST_S))
        os.kill(child, signal.SIGKILL)
        said = [line for line in (first, *lines) if line.endswith("\n")]
    os.waitpid(child, 0)
    return tuple(json.loads(said[-1])) if said else None


def main() -> None:
    """Kill, look, and print the figures."""
    prepare_process()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--sentences", type=int, default=20_000)
    parser.add_argument("--postgres", action="store_true", help="keep it on a PostgreSQL server")
    parser.add_argument("--within", type=float, default=2.0, help="seconds in which it has to open")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if not arguments.postgres:
            kill(Embedded(Path(name)), Path(name), arguments)
            return
        server = made()
        server.start()
        try:
            kill(OnPostgres(server), Path(name), arguments)
        finally:
            server.stop(kill=True)
            shutil.rmtree(server.folder)


def kill(engine: Engine, folder: Path, arguments: argparse.Namespace) -> None:
    """Fill a collection, then kill and look again and again."""
    dice = random.Random(arguments.seed)  # noqa: S311 - no secrets

    def fill() -> None:
        bulk = [f"bulk{number}" for number in range(arguments.sentences // _LARGE)]
        with engine.opened() as archive:
            add(archive, folder, *({"id": b, "text": text(b, 0, _LARGE)} for b in bulk))
            archive.prepare()

    in_child(fill)
    slowest, later = 0.0, 0
    for number in range(1, arguments.kills + 1):
        said = kill_once(engine, folder, dice)
        seen, _ = in_child(lambda: look(engine))
        assert seen is not None
        seconds, generation, there = seen
        slowest = max(slowest, seconds)
        if said:
            assert generation >= said[0], f"kill {number}: {said[0]} was lost"
            assert generation > said[0] or there == said[1], f"kill {number}: not as said"
            later += generation > said[0]
        assert seconds <= arguments.within, f"kill {number}: it took {seconds:.1f} s to open"
        if sys.stderr.isatty():
            print(f"\r{number}", end="", file=sys.stderr, flush=True)
    print(
        f"{arguments.kills} kills survived at {arguments.sentences:,} sentences, seed "
        f"{arguments.seed}; {later} commits were in force that had not been reported yet; "
        f"opened and searched within {slowest:.2f} s"
    )


if __name__ == "__main__":
    main()
