"""How many questions a second does the bot answer when many people ask at once?

    python tests/benchmarks/askers.py --data FOLDER --questions FILE [REPORTS ...]
        [--people 64] [--seconds 60] [--no-reader]

FOLDER keeps the collection `server-1`, to which REPORTS are added. Each person asks the next
question of FILE (JSON lines with "text"; more than 200, since so many answers are remembered) as
soon as their last one is answered: through the bot's line and threads, with its models, but without
Discord. Run by hand on a quiet machine; results stand in README with machine and date.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from servers import Offline, Watch

from bot import answers
from bot.collections import Collections
from bot.settings import Settings
from index import Archive, PackagedEncoder, TrainedReader, prepare_process

SERVER = 1
NAME = f"server-{SERVER}"


async def ask_on(
    bot: Offline, person: int, questions: Iterator[str], end: float, took: list[float]
) -> Counter[str]:
    """Ask questions one after the other; count the answers by status."""
    counts = Counter[str]()
    while time.monotonic() < end:
        started = time.monotonic()
        answer = await answers.ask(bot, SERVER, next(questions), asker=person)
        took.append(time.monotonic() - started)
        counts[answer.status] += 1
    return counts


async def measure(bot: Offline, questions: list[str], people: int, seconds: float) -> None:
    """Ask, and print all figures."""
    begun = time.monotonic()
    await asyncio.to_thread(bot.collections.prepare)
    print(
        f"start to ready: {time.process_time():.1f} s of processor time with imports, "
        f"{time.monotonic() - begun:.1f} s without"
    )
    size = bot.collections.archive(SERVER).size()
    watch, took = Watch(), list[float]()
    watching = asyncio.create_task(watch.run())
    endless = itertools.cycle(questions)
    started, processor = time.monotonic(), time.process_time()
    asking = (ask_on(bot, who, endless, started + seconds, took) for who in range(people))
    counts = sum(await asyncio.gather(*asking), Counter[str]())
    elapsed, processor = time.monotonic() - started, time.process_time() - processor
    watching.cancel()
    p50, p99 = np.percentile(took, [50, 99])
    print(
        f"{people} people, {size.sentences:,} sentences: {dict(counts)}, "
        f"{len(took) / elapsed:.1f} a second; after {p50:.2f} s (median), {p99:.2f} s (p99); "
        f"{1000 * processor / len(took):.0f} ms of processor time each"
    )
    watch.report("meanwhile")


def main() -> None:
    """Add the reports, then ask."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("reports", nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--people", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--no-reader", action="store_true")
    arguments = parser.parse_args()
    prepare_process()
    if arguments.reports:
        encoder = PackagedEncoder(threads=os.cpu_count() or 1)
        archive = Archive.open(arguments.data, NAME, encoder)
        archive.add(arguments.reports)
        archive.close()
    lines = arguments.questions.read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["text"] for line in lines]
    reader = None if arguments.no_reader else TrainedReader()
    settings = Settings(data=arguments.data)
    bot = Offline(Collections(settings, PackagedEncoder(), reader), settings, 1)
    asyncio.run(measure(bot, questions, arguments.people, arguments.seconds))
    bot.collections.close()


if __name__ == "__main__":
    main()
