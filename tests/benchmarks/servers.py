"""How many servers can a small machine handle? Descriptors, memory, upkeep, first answers, lag.

    python tests/benchmarks/servers.py [--servers 2000] [--listed 20000]

Made-up reports and vectors: what is measured is the house around the models, not the models. Run by
hand on a quiet Linux machine; results stand in README with machine and date.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import resource
import shutil
import tempfile
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from bot import answers
from bot.bot import OnRecord
from bot.cogs.maintenance import Maintenance
from bot.cogs.reports import report_choices
from bot.cogs.upkeep import SCHEDULED, Upkeep
from bot.collections import Collections
from bot.settings import Settings
from index import Archive, Vectors

DIMENSION = 384
SENTENCES = 10  # in a report
REPORTS = (20, 20, 20, 40, 40, 60, 100, 200)  # of one server in eight each
FEED = "https://example.org/feed.xml"  # never fetched: it is due in a month
HEADS, TAILS = "bar dun fen gil hol kes lor mar".split(), "ton ley wick by".split()
WORDS = [head + tail for head in HEADS for tail in TAILS]
ASKED = 50  # idle servers
STORM, ASKERS = 400, 64  # keystrokes, and people who ask meanwhile


class HashEncoder:
    """An encoder with random vectors, which are the same for the same text."""

    model = "made-up"

    def encode(self, texts: Any, **_: object) -> Vectors:
        """Return float32 (n, 384), unit norm."""
        rows = [
            np.random.default_rng(zlib.crc32(text.encode())).standard_normal(DIMENSION)
            for text in texts
        ]
        vectors = np.array(rows, dtype=np.float32).reshape(-1, DIMENSION)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def encode_parts(self, text: str, parts: Any) -> Vectors:
        """Return float32 (1 + parts, 384)."""
        return self.encode([text, *(text[part.start : part.end] for part in parts)])


def stream_of(reports: int, seed: int, sentences: int = SENTENCES) -> io.BytesIO:
    """Return reports as JSON lines."""
    chance = random.Random(seed)  # noqa: S311 - the same reports each time
    lines = []
    for number in range(reports):
        said = " ".join(
            f"The {' '.join(chance.choices(WORDS, k=10))} was seen {number} times."
            for _ in range(sentences)
        )
        title = " ".join(chance.choices(WORDS, k=6))
        lines.append({"id": f"{seed}-{number}", "title": title, "text": said, "publisher": "Post"})
    return io.BytesIO("\n".join(map(json.dumps, lines)).encode())


def fill(data: Path, servers: int) -> list[int]:
    """Make the collections of so many servers, copies of a few; return their sentence counts."""
    sentences = []
    for server, reports in enumerate(REPORTS[:servers]):
        archive = Archive.open(data, f"server-{server}", HashEncoder())
        archive.add(["-"], stream=stream_of(reports, server))
        archive.sources.add(FEED, 43_200)
        archive.sources._store.update_source(FEED, checked=datetime.now(UTC))
        sentences.append(archive.size().sentences)
        archive.close()
    for server in range(len(REPORTS), servers):
        shutil.copytree(data / f"server-{server % len(REPORTS)}", data / f"server-{server}")
    return sentences


class Offline(OnRecord):
    """The bot in so many servers, without a connection to Discord."""

    def __init__(self, collections: Collections, settings: Settings, servers: int) -> None:
        super().__init__(collections, settings)
        self._servers = [SimpleNamespace(id=server) for server in range(servers)]

    @property
    def guilds(self) -> Any:
        """The servers, which have only ids."""
        return self._servers

    async def wait_until_ready(self) -> None:
        """Return at once."""


def descriptors() -> int:
    """Return how many files, pipes and sockets this process has open."""
    return len([*Path("/proc/self/fd").iterdir()])


class Watch:
    """Samples resources, and the event loop's lag, until it is cancelled."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self.descriptors = 0

    async def run(self) -> None:
        """Sample every 5 ms."""
        while True:
            due = time.monotonic() + 0.005
            await asyncio.sleep(0.005)
            self.late_ms.append(1000 * (time.monotonic() - due))
            self.descriptors = max(self.descriptors, descriptors())

    def report(self, what: str) -> None:
        """Print the figures since the last report."""
        late = sorted(self.late_ms)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{what}: at most {self.descriptors} descriptors, peak memory {memory:,.0f} MB, "
            f"event loop late by {late[len(late) // 2]:.0f} ms (median), "
            f"{late[int(0.99 * len(late))]:.0f} ms (p99), {late[-1]:.0f} ms (most)"
        )
        self.late_ms.clear()


async def minute(upkeep: Upkeep, what: str) -> None:
    """Do a minute's scheduled work, once."""
    started, processor = time.monotonic(), time.process_time()
    await upkeep.begin()
    while working := [task for task in asyncio.all_tasks() if task.get_name() == SCHEDULED]:
        await asyncio.wait(working)
    seconds, processor = time.monotonic() - started, time.process_time() - processor
    print(f"{what}: {processor:.2f} s of processor time, {seconds:.1f} s")


async def measure(bot: Offline, arguments: argparse.Namespace) -> None:
    """Print all figures."""
    watch = Watch()
    watching = asyncio.create_task(watch.run())
    await asyncio.to_thread(bot.collections.prepare)
    watch.report("start")
    upkeep = Upkeep(bot, Maintenance(bot).duties(), set)
    await minute(upkeep, "first minute, in which all are opened")
    await minute(upkeep, "the next one, in which none has changed")
    for server in range(0, arguments.servers, 20):
        await asyncio.to_thread(remove_one, bot.collections.archive(server))
    await minute(upkeep, "one in which 5 % have changed")
    watch.report("upkeep")
    seconds = []
    for server in range(0, arguments.servers, max(1, arguments.servers // ASKED)):
        started = time.monotonic()
        await answers.ask(bot, server, "Where was barton dunley seen?")
        seconds.append(time.monotonic() - started)
    seconds.sort()
    median, most = 1000 * seconds[len(seconds) // 2], 1000 * seconds[-1]
    print(f"first answer in an idle server: {median:.0f} ms (median), {most:.0f} ms (most)")
    watch.report("answers")
    await storm(bot, arguments.servers)
    watch.report(f"{STORM} keystrokes among {arguments.listed:,} reports, and {ASKERS} askers")
    watching.cancel()


def remove_one(archive: Archive) -> None:
    """Change a collection."""
    archive.remove([archive.articles()[0].article_id])


async def storm(bot: Offline, server: int) -> None:
    """Type into a list of reports while others ask, at most 200 keystrokes a second."""
    interaction: Any = SimpleNamespace(client=bot, guild_id=server)
    work = [
        asyncio.create_task(answers.ask(bot, person, "Where was barton dunley seen?"))
        for person in range(ASKERS)
    ]
    for number in range(STORM):
        typed = WORDS[number % len(WORDS)][: 1 + number % 5] + " zz" * (number % 2)
        work.append(asyncio.create_task(report_choices(interaction, typed)))
        await asyncio.sleep(0.005)
    await asyncio.gather(*work)


def main() -> None:
    """Make the servers, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=2_000)
    parser.add_argument("--listed", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        sentences = fill(data, arguments.servers)
        print(f"{arguments.servers:,} servers with {min(sentences)} to {max(sentences)} sentences")
        with_titles = Archive.open(data, f"server-{arguments.servers}", HashEncoder())
        with_titles.add(["-"], stream=stream_of(arguments.listed, arguments.servers, 1))
        with_titles.close()
        settings = Settings(data=data)
        bot = Offline(Collections(settings, HashEncoder()), settings, arguments.servers)
        asyncio.run(measure(bot, arguments))
        bot.collections.close()


if __name__ == "__main__":
    main()
