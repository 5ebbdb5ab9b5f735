"""How do adding, asking, opening, memory and disk grow, up to a million sentences?

    python tests/benchmarks/growth.py --reports corpus.jsonl.gz --questions queries.jsonl
        [--sizes 20000 100000 300000 1000000] [--json FILE] [--networks] [--processor]
        [--folder DIR]

Prints a table, and writes all figures as JSON. The house is measured without the networks: vectors
are made beforehand (see `growing.py`); `--networks` also asks with the encoder and the reader. Each
size is measured in a process of its own, as the bot would open it. Where txtai is installed, it
holds the same sentences with the same vectors (hybrid, as a user would set it up). Run it on a
machine that does nothing else.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from growing import Growing, Remembered, read_rows

from index.archive import Archive
from index.domain import Filters
from index.encoder import PackagedEncoder, Vectors
from index.network import prepare_process
from index.ranking.query import parse
from index.reader.model import TrainedReader
from index.store.embedded import SqliteSnapshot

ASKED, EXACT = 200, 100  # questions for times, and for recall
PORTION = 20_000  # sentences in a call of `add`
NAME, KEPT = "growth", "vectors.npy"
Figures = dict[str, float]


def main() -> None:
    """Grow a collection, and measure it at each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 100_000, 300_000, 10**6])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--processor", action="store_true", help="processor time of questions")
    parser.add_argument("--folder", type=Path, help="keeps the collection; goes on with it")
    arguments = parser.parse_args()
    questions = [row["text"] for row in read_rows(arguments.questions)]
    processes = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as temporary:
        data = arguments.folder or Path(temporary)
        data.mkdir(parents=True, exist_ok=True)
        measured: list[Figures] = []
        for size in arguments.sizes:
            figures: Figures = {}
            for step in (grow, measure, *([compare] if find_spec("txtai") else [])):
                with ProcessPoolExecutor(1, processes) as process:  # a fresh one: its memory counts
                    work = process.submit(step, data, size, questions, arguments)
                    figures |= work.result()
            measured.append(figures)
            show(figures)
        if arguments.json:
            arguments.json.write_text(json.dumps(measured, indent=1), encoding="utf-8")
        table(measured)


def show(figures: Figures) -> None:
    """Print the figures of a size, while the next is made."""
    print(json.dumps(figures), file=sys.stderr, flush=True)


def table(measured: list[Figures]) -> None:
    """Print the figures of all sizes as a table in Markdown."""
    names = dict.fromkeys(name for figures in measured for name in figures)
    rows = [
        [name, *(f"{figures.get(name, float('nan')):,.4g}" for figures in measured)]
        for name in names
    ]
    for number, row in enumerate(rows):
        print(f"| {' | '.join(row)} |")
        if not number:
            print("|---" * len(row) + "|")


# Adding


def grow(data: Path, size: int, _: list[str], arguments: argparse.Namespace) -> Figures:
    """Add sentences until there are enough."""
    prepare_process()
    encoder = Remembered(PackagedEncoder(threads=2))
    growing = Growing(read_rows(arguments.reports), encoder, data / KEPT)
    archive = Archive.open(data, NAME, encoder)
    before, seconds = archive.size().sentences, 0.0
    if not before:
        seconds += add(archive, growing.first())
    rest = size - archive.size().sentences
    for stream in growing.portions(max(0, rest), PORTION, seed=size):
        seconds += add(archive, stream)
    sentences = archive.size().sentences
    archive.close()
    return {
        "sentences": sentences,
        "added a second": (sentences - before) / seconds if seconds else float("nan"),
        "adding: peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "disk MB": sum(file.stat().st_size for file in data.glob(f"{NAME}/*")) / 1e6,
    }


def add(archive: Archive, stream: io.BytesIO) -> float:
    """Add reports; return the seconds it took."""
    started = time.perf_counter()
    result = archive.add(["-"], stream=stream)
    assert not result.failed, result.failed[:3]
    return time.perf_counter() - started


# Asking


def measure(data: Path, _: int, questions: list[str], arguments: argparse.Namespace) -> Figures:
    """Open the collection as the bot does, and ask it."""
    prepare_process()
    encoder = Remembered(PackagedEncoder())
    asked = questions[:ASKED]
    clean = Archive.open(data, f"{NAME}-empty", encoder)
    for question in asked:  # embeds them
        query = parse(question)
        encoder.encode_parts(query.question, query.clauses)
    clean.close()
    before = memory()
    started = time.perf_counter()
    archive = Archive.open(data, NAME, encoder)
    archive.prepare()
    figures: Figures = {"opening s": time.perf_counter() - started}
    archive.ask(asked[0])
    figures |= {f"opened: {name}": after - before[name] for name, after in memory().items()}
    times = partial(timed, time.process_time if arguments.processor else time.perf_counter)
    figures |= times("ask", archive.ask, asked)
    figures |= times("search", archive.search, asked)
    rare = filters_of(archive)
    for name, filters in rare.items():
        figures |= times(f"search {name}", lambda q, f=filters: archive.search(q, 10, f), asked)
    figures |= parts(archive, encoder, asked, times)
    figures |= {f"asked: {name}": after - before[name] for name, after in memory().items()}
    figures |= recall(archive, encoder, questions[:EXACT], rare)
    growing = Growing(read_rows(arguments.reports), encoder, data / KEPT)
    figures |= one_more(archive, growing, asked)
    if arguments.networks:
        real = Archive.open(data, NAME, PackagedEncoder(), reader=TrainedReader())
        real.ask(asked[0])
        figures |= times("ask, networks included,", real.ask, asked)
    archive.close()
    return figures


def timed(
    clock: Callable[[], float],
    name: str,
    call: Callable[[str], object],
    questions: Iterable[str],
) -> Figures:
    """Return milliseconds of calls, median and 95th percentile."""
    spent = []
    for question in questions:
        started = clock()
        call(question)
        spent.append(1000 * (clock() - started))
    return {f"{name} p{p} ms": float(np.percentile(spent, p)) for p in (50, 95)}


def parts(
    archive: Archive, encoder: Remembered, asked: list[str], times: Callable[..., Figures]
) -> Figures:
    """Time the two searches that a question makes, alone."""
    queries = {question: parse(question) for question in asked}
    with archive._store.snapshot() as snapshot:
        return {
            **times(
                "by vector",
                lambda q: snapshot.dense(
                    encoder.encode_parts(queries[q].question, queries[q].clauses)[0], 70
                ),
                asked,
            ),
            **times("by words", lambda q: snapshot.lexical(queries[q].terms, 70), asked),
        }


def one_more(archive: Archive, growing: Growing, asked: list[str]) -> Figures:
    """Add one report at a time, and ask after each; return medians of 9."""
    adding, asking = [], []
    for number, stream in enumerate(growing.portions(9 * 20, 20, seed=time.time_ns() % 2**32)):
        adding.append(add(archive, stream))
        started = time.perf_counter()
        archive.ask(asked[number])
        asking.append(time.perf_counter() - started)
    names = ("one report more ms", "the question after it ms")
    return {
        name: 1000 * float(np.median(spent))
        for name, spent in zip(names, (adding, asking), strict=True)
    }


def filters_of(archive: Archive) -> dict[str, Filters]:
    """Return a publisher with about one report in a hundred, and days with about as many."""
    counts = archive.publishers()
    wanted = sum(counts.values()) / 100
    name = min(counts, key=lambda name: abs(counts[name] - wanted))
    with archive._store.snapshot() as snapshot:
        rows = snapshot.db.execute(
            "SELECT published FROM article JOIN revision ON revision = live "
            "WHERE published IS NOT NULL ORDER BY published"
        ).fetchall()
    first = len(rows) // 2
    since, until = (
        datetime.fromisoformat(rows[place][0]) for place in (first, first + len(rows) // 100)
    )
    return {
        "by publisher": Filters(publishers=(name,)),
        "by dates": Filters(since=since, until=until),
    }


def recall(
    archive: Archive, encoder: Remembered, questions: list[str], rare: dict[str, Filters]
) -> Figures:
    """Return the share of the true ten nearest sentences found, filtered and not."""
    found: dict[str, list[set[int]]] = {}
    queries = [parse(question) for question in questions]
    vectors = np.stack([encoder.encode_parts(q.question, q.clauses)[0] for q in queries])
    with archive._store.snapshot() as snapshot:
        true = nearest(
            snapshot,
            vectors,
            {"": None} | {name: snapshot.live_ids(filters) for name, filters in rare.items()},
        )
        for name, filters in {"": Filters(), **rare}.items():
            found[name] = [set(snapshot.dense(v, 10, filters).ids.tolist()) for v in vectors]
    return {
        f"recall@10 {name}".rstrip(): float(
            np.mean([len(a & b) / 10 for a, b in zip(found[name], true[name], strict=True)])
        )
        for name in found
    }


def nearest(
    snapshot: SqliteSnapshot, vectors: Vectors, allowed: dict[str, Any]
) -> dict[str, list[set[int]]]:
    """Return ids of the ten nearest sentences of each vector (n, d), by brute force."""
    best = {name: [np.empty((2, 0)) for _ in vectors] for name in allowed}
    for ids, held in stored(snapshot):
        scores = vectors @ held.T
        for name, only in allowed.items():
            inside = np.ones(len(ids), bool) if only is None else np.isin(ids, only)
            for row, one in enumerate(scores):
                both = np.hstack([best[name][row], np.stack([ids[inside], one[inside]])])
                best[name][row] = both[
                    :, np.argpartition(-both[1], min(10, both.shape[1] - 1))[:10]
                ]
    return {name: [set(rows[0].astype(int).tolist()) for rows in best[name]] for name in best}


def stored(snapshot: SqliteSnapshot) -> Iterator[tuple[Any, Vectors]]:
    """Yield all ids and vectors, some thousands at a time."""
    cursor = snapshot.db.execute("SELECT sentence_id, vector FROM embedding")
    while rows := cursor.fetchmany(50_000):
        held = np.frombuffer(b"".join(row[1] for row in rows), np.float32).reshape(len(rows), -1)
        yield np.array([row[0] for row in rows]), held


def memory() -> Figures:
    """Return the resident memory of this process, and its private part, in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    values = {
        name: rest.split()[0]
        for name, _, rest in (line.partition(":") for line in lines)
        if rest.split()
    }
    names = {"resident MB": "VmRSS", "own MB": "RssAnon"}
    return {name: int(values[field]) / 1024 for name, field in names.items()}


# txtai


def compare(data: Path, size: int, questions: list[str], arguments: argparse.Namespace) -> Figures:
    """Give txtai the same sentences with the same vectors, and search it."""
    del size
    from txtai import Embeddings  # noqa: PLC0415 - only where it is installed

    prepare_process()
    encoder = Remembered(PackagedEncoder())
    made = {q: encoder.encode([q])[0] for q in questions[:ASKED]}
    archive = Archive.open(data, NAME, encoder)
    waiting: dict[str, Vectors] = {}
    rival = Embeddings(
        method="external",
        transform=lambda texts: np.stack([waiting[t] for t in texts]),
        hybrid=True,
        content=True,
    )

    def texts(snapshot: SqliteSnapshot) -> Iterator[tuple[int, str, None]]:
        rows = snapshot.db.execute(
            "SELECT sentence_id, substr(text, start + 1, stop - start), vector FROM sentence "
            "JOIN revision USING (revision) JOIN embedding USING (sentence_id)"
        )
        for number, text, vector in rows:
            waiting[text] = np.frombuffer(vector, np.float32)
            yield number, text, None

    started = time.perf_counter()
    with archive._store.snapshot() as snapshot:
        rival.index(texts(snapshot))
        sentences = archive.size().sentences
    seconds = time.perf_counter() - started
    waiting |= made
    figures = {"txtai: added a second": sentences / seconds}
    clock = time.process_time if arguments.processor else time.perf_counter
    figures |= timed(clock, "txtai: search", lambda q: rival.search(q, 10), made)
    figures |= {f"txtai: {name}": value for name, value in memory().items()}
    return figures


if __name__ == "__main__":
    main()
