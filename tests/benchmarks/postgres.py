"""How does a collection in PostgreSQL compare with the same one embedded?

    PYTHONPATH=.:tests python tests/benchmarks/postgres.py [--sentences 20000] [--address URL]

Without an address it starts the server of the extra `test`, as the tests do. Made-up reports, and
vectors that are sums of their words': what is measured is the stores, not the models. Run by hand
on a quiet machine; results stand in README with machine and date.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from servers import DIMENSION, SENTENCES, WORDS, stream_of
from support.postgres import made

from index import Archive, Filters, Vectors
from index.network import prepare_process
from index.store.engines import Folder
from index.store.postgres.engine import PostgresEngine
from index.store.postgres.schema import schema_of
from index.store.postgres.store import PostgresStore

ASKED, K = 50, 10
PAPERS = 20  # a filter by one passes a twentieth
NAME = "measured"
FILTERS = Filters(publishers=("Paper 3",))
# Asks until it is killed, and prints when each answer was there.
BOT = """
import sys, time
from contextlib import closing
sys.path.insert(0, "tests/benchmarks")
from postgres import WordEncoder, questions
from index import Archive
from index.store.postgres.engine import PostgresEngine
engine = PostgresEngine(sys.argv[1], sys.argv[2])
archive = Archive(engine.open("measured", create=False), WordEncoder())
while True:
    for question in questions():
        archive.answers.record(archive.ask(question))
        print(time.time(), flush=True)
"""


class WordEncoder:
    """Sums of vectors that look random, one for each word: texts that share words are near."""

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


def busy_s(server: int | None) -> float:
    """Seconds of processor time of this process and of a server's processes, to the microsecond."""
    total = time.process_time()
    if server is not None:
        for task in Path(f"/proc/{server}/task/{server}/children").read_text().split():
            with suppress(FileNotFoundError):  # it has just ended
                total += int(Path(f"/proc/{task}/schedstat").read_text().split()[0]) / 1e9
    return total


def questions() -> list[str]:
    """Questions about what the reports say."""
    return [f"When was the {WORDS[n % 32]} {WORDS[n * 7 % 32]} seen?" for n in range(ASKED)]


def fill(archive: Archive, sentences: int, server: int | None) -> str:
    """Add so many sentences by twenty publishers; say how many a second."""
    reports = sentences // SENTENCES // PAPERS
    started, worked = time.monotonic(), busy_s(server)
    for paper in range(PAPERS):
        lines = stream_of(reports, paper).read().replace(b'"Post"', f'"Paper {paper}"'.encode())
        with tempfile.TemporaryFile() as stream:
            stream.write(lines)
            stream.seek(0)
            archive.add(["-"], stream=stream)
    count = archive.size().sentences
    wall, work = time.monotonic() - started, busy_s(server) - worked
    return f"{count / wall:.0f} sentences/s, {count / work:.0f} a second of processor time"


def timed(work: Callable[[str], object], server: int | None) -> str:
    """The median and the 95th percentile of what each question takes: time, and processor time."""
    work("When was the barton seen?")
    times, works = [], []
    for question in questions():
        started, worked = time.perf_counter(), busy_s(server)
        work(question)
        times.append(1000 * (time.perf_counter() - started))
        works.append(1000 * (busy_s(server) - worked))
    shown = []
    for what, values in (("", sorted(times)), (" of processor time", sorted(works))):
        late = values[int(0.95 * len(values))]
        shown.append(f"p50 {statistics.median(values):.1f} ms, p95 {late:.1f} ms{what}")
    return "; ".join(shown)


def compare(embedded: Archive, served: Archive, server: int | None) -> None:
    """Time both, and count how often both quote the same."""
    for name, filters in (("plain", Filters()), ("filtered", FILTERS)):
        for engine, archive in (("embedded", embedded), ("PostgreSQL", served)):
            times = timed(lambda q, a=archive, f=filters: a.ask(q, f), server)
            print(f"ask, {name}, {engine}: {times}", flush=True)
        same = [
            [quote.quote for quote in embedded.ask(question, filters).quotes]
            == [quote.quote for quote in served.ask(question, filters).quotes]
            for question in questions()
        ]
        print(f"the same quotes, {name}: {sum(same)} of {len(same)}")


def recall(exact: PostgresStore, indexed: PostgresStore, server: int | None) -> None:
    """How much of the ten nearest an HNSW index finds, how fast, and how long it takes to make."""
    started = time.monotonic()
    indexed.prepare()
    print(f"HNSW index made in {time.monotonic() - started:.1f} s")
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
                    lambda q, s=snapshot, f=filters: s.dense(encoder.encode([q])[0], K, f), server
                )
                print(f"ten nearest, {name}, {kind}: {rate}", flush=True)
        print(f"recall@{K} of HNSW, {name}: {statistics.mean(shares):.3f}")


def visible(engine: PostgresEngine, other: PostgresEngine) -> None:
    """How long a commit takes to be heard of in another process's engine."""
    archive = Archive(engine.open(NAME, create=False), WordEncoder())
    other.state(NAME)
    times = []
    for number in range(20):
        before = other.state(NAME)
        archive.add(["-"], stream=stream_of(1, 1_000 + number))
        committed = time.perf_counter()
        while other.state(NAME) == before:
            time.sleep(0.0005)
        times.append(1000 * (time.perf_counter() - committed))
    print(f"from the end of an addition until another bot hears of it: {max(times):.1f} ms at most")


def kill_in_turn(address: str, password: str) -> None:
    """Kill each of two bots under load, and start it again; say how long the other paused."""
    command = [sys.executable, "-c", BOT, address, password]
    answered: list[list[float]] = [[], []]
    running: list[subprocess.Popen[str]] = []

    def listen(number: int, bot: subprocess.Popen[str]) -> None:
        assert bot.stdout is not None
        answered[number] += [float(line) for line in bot.stdout if line.endswith("\n")]

    def start(number: int) -> subprocess.Popen[str]:
        bot = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=listen, args=(number, bot)).start()
        return bot

    def wait_for_more(number: int, count: int = 20) -> None:
        enough = len(answered[number]) + count
        while len(answered[number]) < enough:
            assert running[number].poll() is None, "the bot ended"
            time.sleep(0.1)

    running = [start(0), start(1)]
    for number in (0, 1):
        wait_for_more(number)
    for number in (0, 1):
        running[number].send_signal(signal.SIGKILL)
        wait_for_more(1 - number)
        running[number] = start(number)
        wait_for_more(number)
    for bot in running:
        bot.kill()
        bot.wait()
    time.sleep(0.5)
    for number, times in enumerate(answered):
        gaps = sorted(b - a for a, b in pairwise(times))
        print(
            f"bot {number}: {len(times)} answers, longest pauses {gaps[-1]:.1f} s (its own restart)"
            f", {gaps[-2]:.2f} s"
        )


def main() -> None:
    """Fill both, then ask, copy, commit and kill."""
    prepare_process()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=20_000)
    parser.add_argument("--address")
    arguments = parser.parse_args()
    server = None if arguments.address else made()
    if server:
        server.start()
    address = arguments.address or (server.address if server else "")
    password = server.password if server else os.environ.get("PGPASSWORD", "")
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(PostgresEngine(address, password)) as engine,
            closing(PostgresEngine(address, password)) as other,
        ):
            process = server.process.pid if server and server.process else None
            measure(Path(folder), engine, other, arguments.sentences, process)
            kill_in_turn(address, password)
            engine.open(NAME, create=False).erase()
    finally:
        if server:
            server.stop(kill=True)
            shutil.rmtree(server.folder)


def measure(
    folder: Path, engine: PostgresEngine, other: PostgresEngine, sentences: int, server: int | None
) -> None:
    """Print all figures but those of killed bots."""
    embedded = Archive(Folder(folder).open(NAME, create=True), WordEncoder())
    served = Archive(engine.open(NAME, create=True), WordEncoder())
    for name, archive in (("embedded", embedded), ("PostgreSQL", served)):
        print(f"add, {name}: {fill(archive, sentences, server)}", flush=True)
    with engine.server.lease() as db:
        (size,) = db.execute(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE nspname = %s AND relkind = 'r'",
            (schema_of(NAME),),
        ).fetchall()[0]
        db.execute("ANALYZE")
    count = served.size().sentences
    print(f"{count:,} sentences, {size / count / 1000:.1f} kB each")
    compare(embedded, served, server)
    visible(engine, other)
    exact, indexed = (PostgresStore(engine.server, NAME, exact_up_to=n) for n in (10**9, 0))
    recall(exact, indexed, server)
    started, worked = time.monotonic(), busy_s(server)
    rows = Folder(folder).open(NAME, create=False).copy_to(engine.open("copied", create=True))
    wall, work = time.monotonic() - started, busy_s(server) - worked
    print(f"copied and compared: {rows:,} rows in {wall:.1f} s, {work:.1f} s of processor time")
    engine.open("copied", create=False).erase()
    embedded.close()


if __name__ == "__main__":
    main()
