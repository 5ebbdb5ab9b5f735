"""How does a collection in PostgreSQL compare with the same one embedded?

    PYTHONPATH=.:tests python tests/benchmarks/postgres.py [--sentences 20000] [--kills 2]
        [--address URL --replica URL]

Without an address it starts the server of the extra `test`, as the tests do, and a streaming
replica of it. Made-up reports, and vectors that are sums of their words': what is measured is the
stores, not the models. Run by hand on a quiet machine; results stand in README with machine and
date.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from servers import DIMENSION, SENTENCES, WORDS, stream_of
from support.postgres import Postgres, made, replica_of

from index import Archive, Filters, Vectors
from index.network import prepare_process
from index.store.engines import Folder
from index.store.postgres.engine import PostgresEngine
from index.store.postgres.schema import schema_of
from index.store.postgres.store import PostgresStore

ASKED, K, COMMITS = 50, 10, 50
PAPERS = 20  # a filter by one passes a twentieth
NAME = "measured"
FILTERS = Filters(publishers=("Paper 3",))
# Asks until it is killed, and prints when each answer was recorded.
BOT = """
import sys, time
sys.path.insert(0, "tests/benchmarks")
from postgres import WordEncoder, questions
from index import Archive
from index.store.postgres.engine import PostgresEngine
engine = PostgresEngine(sys.argv[1], sys.argv[2])
archive = Archive(engine.open("measured", create=False), WordEncoder())
while True:
    for question in questions():
        archive.answers.record(archive.ask(question), channel=1, message=1)
        print(time.time(), flush=True)
"""


class WordEncoder:
    """Sums of a random vector for each word: texts that share words are near."""

    model = "made-up-words"

    def __init__(self) -> None:
        self._words: dict[str, Vectors] = {}

    def _word(self, word: str) -> Vectors:
        if word not in self._words:
            chance = np.random.default_rng(zlib.crc32(word.encode()))
            self._words[word] = chance.standard_normal(DIMENSION).astype(np.float32)
        return self._words[word]

    def encode(self, texts: Any, **_: object) -> Vectors:
        """Return float32 (n, 384), unit norm."""
        rows = [sum(map(self._word, text.lower().split()), self._word("")) for text in texts]
        vectors = np.array(rows, dtype=np.float32).reshape(-1, DIMENSION)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    def encode_parts(self, text: str, parts: Any) -> Vectors:
        """Return float32 (1 + parts, 384)."""
        return self.encode([text, *(text[part.start : part.end] for part in parts)])


def busy_s(servers: Sequence[int]) -> float:
    """Return seconds of processor time of this process and of a server's processes."""
    total = time.process_time()
    for server in servers:
        for task in Path(f"/proc/{server}/task/{server}/children").read_text().split():
            with suppress(FileNotFoundError):  # it has just ended
                total += int(Path(f"/proc/{task}/schedstat").read_text().split()[0]) / 1e9
    return total


def questions() -> list[str]:
    """Return questions about what the reports say."""
    return [f"When was the {WORDS[n % 32]} {WORDS[n * 7 % 32]} seen?" for n in range(ASKED)]


def fill(archive: Archive, sentences: int, servers: Sequence[int]) -> str:
    """Add sentences by twenty publishers; return in words how many per second."""
    reports = sentences // SENTENCES // PAPERS
    started, worked = time.monotonic(), busy_s(servers)
    for paper in range(PAPERS):
        lines = stream_of(reports, paper).read().replace(b'"Post"', f'"Paper {paper}"'.encode())
        with tempfile.TemporaryFile() as stream:
            stream.write(lines)
            stream.seek(0)
            archive.add(["-"], stream=stream)
    count = archive.size().sentences
    wall, work = time.monotonic() - started, busy_s(servers) - worked
    return f"{count / wall:.0f} sentences/s, {count / work:.0f} a second of processor time"


def timed(work: Callable[[str], object], servers: Sequence[int]) -> str:
    """Return the median and 95th percentile of a question's time, and its processor time."""
    work("When was the barton seen?")
    times, works = [], []
    for question in questions():
        started, worked = time.perf_counter(), busy_s(servers)
        work(question)
        times.append(1000 * (time.perf_counter() - started))
        works.append(1000 * (busy_s(servers) - worked))
    shown = []
    for what, values in (("", sorted(times)), (" of processor time", sorted(works))):
        late = values[int(0.95 * len(values))]
        shown.append(f"p50 {statistics.median(values):.1f} ms, p95 {late:.1f} ms{what}")
    return "; ".join(shown)


def compare(embedded: Archive, served: Archive, servers: Sequence[int]) -> None:
    """Time both engines, and count how often they quote the same."""
    for name, filters in (("plain", Filters()), ("filtered", FILTERS)):
        for engine, archive in (("embedded", embedded), ("PostgreSQL", served)):
            times = timed(lambda q, a=archive, f=filters: a.ask(q, f), servers)
            print(f"ask, {name}, {engine}: {times}", flush=True)
        same = [
            [quote.quote for quote in embedded.ask(question, filters).quotes]
            == [quote.quote for quote in served.ask(question, filters).quotes]
            for question in questions()
        ]
        print(f"the same quotes, {name}: {sum(same)} of {len(same)}")


def recall(exact: PostgresStore, indexed: PostgresStore, servers: Sequence[int]) -> None:
    """Measure how much of the ten nearest an HNSW index finds, how fast, and its build time."""
    started = time.monotonic()
    indexed.prepare()
    print(f"HNSW index, unless it was there: made in {time.monotonic() - started:.1f} s")
    encoder = WordEncoder()
    for name, filters in (("plain", Filters()), ("filtered", FILTERS)):
        shares = []
        with exact.snapshot() as one, indexed.snapshot() as other:
            for question in questions():
                vector = encoder.encode([question])[0]
                least = one.dense(vector, K, filters).scores[-1] - 1e-6
                shares.append(float((other.dense(vector, K, filters).scores >= least).sum()) / K)
            for kind, snapshot in (("exact", one), ("HNSW", other)):
                rate = timed(
                    lambda q, s=snapshot, f=filters: s.dense(encoder.encode([q])[0], K, f), servers
                )
                print(f"ten nearest, {name}, {kind}: {rate}", flush=True)
        print(f"recall@{K} of HNSW, {name}: {statistics.mean(shares):.3f}")


def visible(engine: PostgresEngine, other: PostgresEngine) -> None:
    """Measure how soon another bot knows of a commit, and how soon its replica shows it."""
    committed = list[float]()
    store = PostgresStore(
        engine.server, NAME, on_write=lambda *_, **__: committed.append(time.perf_counter())
    )
    archive, reading = Archive(store, WordEncoder()), other.open(NAME, create=False)

    def served(snapshot: Any) -> tuple[bool, int]:
        return *snapshot.db.execute("SELECT pg_is_in_recovery()").fetchone(), snapshot.generation

    heard, shown = [], []
    for number in range(COMMITS):
        before = other.state(NAME)
        generation = archive.add(["-"], stream=stream_of(1, 1_000 + number)).generation
        while other.state(NAME) == before:
            time.sleep(0.0005)
        heard.append(1000 * (time.perf_counter() - committed[0]))
        while other._replica and (seen := reading.read(served)) != (True, generation):
            assert seen[1] == generation, "an answer from before the commit"
        shown.append(1000 * (time.perf_counter() - committed[0]))
        committed.clear()
    whats = ["another bot hears of it", "the replica serves it"][: 1 + bool(other._replica)]
    for what, times in zip(whats, (heard, shown), strict=False):
        print(
            f"from a commit until {what}: p50 {statistics.median(times):.1f} ms, "
            f"most {max(times):.1f} ms"
        )


class Bot:
    """A process that asks, and when each of its answers was recorded, also before its restarts."""

    def __init__(self, address: str, password: str) -> None:
        self._command = [sys.executable, "-c", BOT, address, password]
        self.answered: list[float] = []
        self.start()

    def start(self) -> None:
        """Start it, again if it was killed."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.answered.append(float(line))

    def wait_for_more(self, count: int = 20) -> None:
        """Return once it has answered so many more questions."""
        enough = len(self.answered) + count
        while len(self.answered) < enough:
            assert self._process.poll() is None, "the bot ended"
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill it, and read what it printed before."""
        self._process.kill()
        self._listening.join()
        self._process.wait()


def kill_in_turn(engine: PostgresEngine, address: str, password: str, kills: int) -> None:
    """Kill two bots in turn under load, and restart them; print how long the other paused."""
    bots = Bot(address, password), Bot(address, password)
    for bot in bots:
        bot.wait_for_more()
    pauses = []
    for number in range(kills):
        killed, other = bots[number % 2], bots[1 - number % 2]
        last = len(other.answered) - 1
        killed.kill()
        other.wait_for_more()
        pauses.append(max(b - a for a, b in pairwise(other.answered[last:])))
        killed.start()
        killed.wait_for_more()
    for bot in bots:
        bot.kill()
    said = sum(len(bot.answered) for bot in bots)
    with engine.server.reading(schema_of(NAME)) as db:
        (recorded,) = db.execute("SELECT sum(times)::bigint FROM asked").fetchall()[0]
    print(
        f"two bots, {kills} kills: {said} answers reported, {recorded} recorded, so "
        f"{max(0, said - recorded)} lost; the longest pause of the other bot after a kill: p50 "
        f"{statistics.median(pauses):.2f} s, most {max(pauses):.2f} s"
    )


def main() -> None:
    """Fill both, then ask, copy, commit and kill."""
    prepare_process()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--address")
    parser.add_argument("--replica")
    arguments = parser.parse_args()
    address, replica = arguments.address, arguments.replica or ""
    password, servers = os.environ.get("PGPASSWORD", ""), list[Postgres]()

    def start(server: Postgres) -> tuple[str, str]:
        servers.append(server)
        server.start()
        return server.address, server.password

    try:
        if not arguments.address:
            address, password = start(made())
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(PostgresEngine(address, password)) as engine,
        ):
            measure(Path(folder), engine, arguments.sentences, running(servers))
            if not arguments.address:  # only now: following the additions would slow them down
                replica, _ = start(replica_of(servers[0]))
            with closing(PostgresEngine(address, password, replica)) as other:
                serve(engine, other, running(servers))
            kill_in_turn(engine, address, password, arguments.kills)
            engine.open(NAME, create=False).erase()
    finally:
        for server in servers:
            server.stop(kill=True)
            shutil.rmtree(server.folder)


def running(servers: Sequence[Postgres]) -> list[int]:
    """Return the process ids of the servers."""
    return [server.process.pid for server in servers if server.process]


def serve(engine: PostgresEngine, other: PostgresEngine, servers: Sequence[int]) -> None:
    """Ask the replica of another bot, if it has one, and note how soon it knows of commits."""
    if other._replica:
        archive = Archive(other.open(NAME, create=False), WordEncoder())
        print(f"ask, plain, the replica: {timed(archive.ask, servers)}", flush=True)
    visible(engine, other)


def measure(folder: Path, engine: PostgresEngine, sentences: int, servers: Sequence[int]) -> None:
    """Print how both engines compare."""
    embedded = Archive(Folder(folder).open(NAME, create=True), WordEncoder())
    served = Archive(engine.open(NAME, create=True), WordEncoder())
    for name, archive in (("embedded", embedded), ("PostgreSQL", served)):
        print(f"add, {name}: {fill(archive, sentences, servers)}", flush=True)
    with engine.server.lease() as db:
        (size,) = db.execute(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE nspname = %s AND relkind = 'r'",
            (schema_of(NAME),),
        ).fetchall()[0]
        db.execute("ANALYZE")
    count = served.size().sentences
    print(f"{count:,} sentences, {size / count / 1000:.1f} kB each")
    for name, archive in (("embedded", embedded), ("PostgreSQL", served)):
        started, worked = time.monotonic(), busy_s(servers)
        archive.prepare()
        wall, work = time.monotonic() - started, busy_s(servers) - worked
        print(f"prepare, {name}: {wall:.1f} s, {work:.1f} s of processor time", flush=True)
    compare(embedded, served, servers)
    exact, indexed = (PostgresStore(engine.server, NAME, exact_up_to=n) for n in (10**9, 0))
    recall(exact, indexed, servers)
    started, worked = time.monotonic(), busy_s(servers)
    rows = Folder(folder).open(NAME, create=False).copy_to(engine.open("copied", create=True))
    wall, work = time.monotonic() - started, busy_s(servers) - worked
    print(f"copied and compared: {rows:,} rows in {wall:.1f} s, {work:.1f} s of processor time")
    engine.open("copied", create=False).erase()
    embedded.close()


if __name__ == "__main__":
    main()
