"""How fast does the bot answer over real sockets while Discord fails; does its memory grow?

    PYTHONPATH=.:tests python tests/benchmarks/sockets.py [--people 64] [--rounds 10]
        [--minutes 120] [--data DATA] [--questions FILE] [--adding N] [--calm] [--no-reader]

A small Discord on this machine (its HTTP interface and its gateway) and the real `onrecord bot`,
each in a process of its own. Each request takes 80 ms; some are answered by 429 or 502, half of the
latter after they were carried out; the gateway is closed in the midst of questions. In rounds
everybody asks at the same moment; for so many minutes each asks, waits for the answer, and asks
again after a pause, and memory is compared. Meanwhile the bot itself reads a source with N reports
anew each minute, all of them changed. DATA holds a collection `server-200`, which is changed;
without it, one of made-up reports is used. Run by hand; Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

from aiohttp import web
from support.discord_server import GUILD, Asked, DiscordServer, Fault, discord_server

from index import Archive, PackagedEncoder
from index.network import prepare_process

LATENCY_S = 0.08
LIMITED, FAILING = 0.02, 0.02  # shares of requests answered by 429 and by 502
PATIENCE_S = 60.0
PAUSE_S = 10.0  # of a person between two questions, on average
SAMPLE_S = 10.0  # between two looks at the bot's memory
WARM = 1 / 12  # of the time, after which memory has to stay as it is
REMEMBERED = 1000  # questions whose second answer would be noticed
COLLECTION = f"server-{GUILD}"
WORDS = (
    "harbour council ferry bridge tunnel strike ministry budget storm river school museum railway "
    "union court election minister factory airport hospital market museum festival power station"
).split()


class Trouble:
    """Some requests fail, and are counted by their status."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self._chance = random.Random(7)  # noqa: S311 - faults, not secrets

    def __call__(self, request: web.Request) -> Fault | None:
        chance, interaction = self._chance.random(), request.path.endswith("/callback")
        fault = None
        if chance < LIMITED and not interaction:  # Discord does not limit those
            fault = Fault(web.HTTPTooManyRequests.status_code)
        elif LIMITED <= chance < LIMITED + FAILING:
            fault = Fault(web.HTTPBadGateway.status_code, late=self._chance.random() < 0.5)
        if fault:
            self.counts[fault.status] += 1
        return fault


def made_up(path: Path, count: int, seed: int) -> Path:
    """Return reports of random words, 12 sentences each, as JSON lines with fixed ids."""
    choose = random.Random(seed)  # noqa: S311 - no secrets
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            text = " ".join(" ".join(["The", *choose.sample(WORDS, 14)]) + "." for _ in range(12))
            row = {"id": f"{path.stem}-{number}", "title": " ".join(choose.sample(WORDS, 4))}
            file.write(json.dumps(row | {"text": text, "publisher": "Northwire"}) + "\n")
    return path


def asked_questions(file: Path | None) -> list[str]:
    """Return the questions of a file, or invented questions, in random order."""
    if file:
        return [json.loads(line)["text"] for line in file.read_text("utf-8").splitlines()]
    questions = [
        f"What did the {a} say about the {b} and the {c}?"
        for a, b, c in itertools.permutations(WORDS[:12], 3)
    ]
    random.Random(7).shuffle(questions)  # noqa: S311 - no secrets
    return questions


class Bot:
    """The bot's process."""

    def __init__(self, server: DiscordServer, data: Path, *, reader: bool) -> None:
        settings = data / "onrecord.toml"
        settings.write_text(
            "[discord]\nquestions_per_minute = 1000\nserver_questions_per_minute = 100000\n"
            f'[answers]\nreader = {str(reader).lower()}\n[logs]\nlevel = "WARNING"\n'
        )
        environment = {
            **os.environ,
            "ONRECORD_TEST_DISCORD": server.url,
            "ONRECORD_TEST_SECONDS": "-1",  # the real encoder
            "ONRECORD_DATA": str(data),
            "ONRECORD_CONFIG": str(settings),
            "DISCORD_TOKEN": "none",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.started_bot", "bot"], env=environment
        )
        self.memory = list[float]()

    def memory_mb(self) -> float:
        """Return its present memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def processor_s(self) -> float:
        """Return the processor time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2]
        used = fields.split()
        return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")

    async def watch(self) -> None:
        """Record its memory repeatedly."""
        while True:
            self.memory.append(self.memory_mb())
            await asyncio.sleep(SAMPLE_S)

    def end(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(timeout=30)


@asynccontextmanager
async def meanwhile(*work: Awaitable[None]) -> Any:
    """Run endless work while something else runs."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def change(source: Path, count: int) -> None:
    """Change all reports of a source as soon as the bot may have read them, each minute."""
    for seed in itertools.count(2):
        await asyncio.to_thread(made_up, source, count, seed)
        await asyncio.sleep(60)


class Crowd:
    """People who ask."""

    def __init__(self, server: DiscordServer, arguments: argparse.Namespace) -> None:
        self._server, self._arguments = server, arguments
        self._questions = itertools.cycle(asked_questions(arguments.questions))
        self._chance = random.Random(7)  # noqa: S311 - no secrets
        self.asked: list[Asked] = []

    async def ask(self, person: int) -> None:
        """Ask, and wait for the answer; two in three questions are commands."""
        await asyncio.sleep(LATENCY_S / 2)
        await self._server.connected.wait()
        question = next(self._questions)
        asked = await self._server.ask(question, person, command=person % 3 != 0)
        with suppress(TimeoutError):
            await asyncio.wait_for(asked.done.wait(), PATIENCE_S)
        self.asked.append(asked)
        if len(self.asked) > REMEMBERED:
            self._server.forget(self.asked[-REMEMBERED])

    async def in_rounds(self) -> None:
        """Let everybody ask at once, repeatedly; in some rounds the gateway closes."""
        for number in range(self._arguments.rounds):
            await self._server.connected.wait()
            asking = [asyncio.create_task(self.ask(n)) for n in range(self._arguments.people)]
            if not self._arguments.calm and number % 3:
                await asyncio.sleep(0.15)
                await self._server.drop(resumable=number % 3 == 1)
            await asyncio.gather(*asking)
            await asyncio.sleep(1)

    async def for_minutes(self) -> None:
        """Let each person ask, wait and pause; the gateway closes every ten minutes."""
        end = time.monotonic() + 60 * self._arguments.minutes

        async def one(person: int) -> None:
            while time.monotonic() < end:
                await asyncio.sleep(self._chance.uniform(0, 2 * PAUSE_S))
                await self.ask(person)

        async def drop() -> None:
            while not self._arguments.calm:
                await asyncio.sleep(600)
                await self._server.drop()

        async with meanwhile(drop()):
            await asyncio.gather(*map(one, range(self._arguments.people)))


async def measure(arguments: argparse.Namespace, data: Path, source: Path) -> None:
    """Start both, let people ask, and print the results."""
    async with discord_server() as server:
        server.latency_s = LATENCY_S
        bot = Bot(server, data, reader=not arguments.no_reader)
        try:
            while not server.connected.is_set():
                if bot.process.poll() is not None:
                    raise SystemExit("The bot did not start.")
                await asyncio.sleep(0.1)
            crowd, trouble = Crowd(server, arguments), Trouble()
            await crowd.ask(0)
            await crowd.ask(1)
            crowd.asked.clear()
            if not arguments.calm:
                server.trouble = trouble
            work = [bot.watch()]
            if arguments.adding:
                work.append(change(source, arguments.adding))
            used, started = bot.processor_s(), time.perf_counter()
            async with meanwhile(*work):
                await (crowd.for_minutes() if arguments.minutes else crowd.in_rounds())
            seconds, used = time.perf_counter() - started, bot.processor_s() - used
            tell(crowd.asked, trouble.counts, seconds)
            print(
                f"processor time: {1000 * used / len(crowd.asked):.0f} ms a question, with all "
                f"that was added; load {os.getloadavg()[0]:.1f}"
            )
            tell_memory(bot.memory)
        finally:
            bot.end()


def tell(asked: Sequence[Asked], faults: Counter[int], seconds: float) -> None:
    """Print the results."""
    refused = [one for one in asked if any("Too many people" in a for a in one.answers.values())]
    answered = [one for one in asked if one.answers and one not in refused]
    print(
        f"{len(asked)} questions in {seconds:.0f} s, {len(answered) / seconds:.1f} answered a "
        f"second; faults {dict(faults)}"
    )
    for name, times in (
        ("first response", [one.first for one in asked if one.first]),
        ("answer", [one.seconds for one in answered if one.seconds]),
        ("refusal", [one.seconds for one in refused if one.seconds]),
    ):
        if times:
            print(f"{name}: " + ", ".join(f"{word} {at:.2f} s" for word, at in spread(times)))
    print(
        f"answered: {len(answered)}; refused: {len(refused)}; "
        f"answered twice: {sum(len(one.answers) > 1 for one in asked)}; "
        f"without a word: {sum(not one.answers for one in asked)}"
    )


def tell_memory(samples: Sequence[float]) -> None:
    """Print how memory grew after the warm-up."""
    width = max(1, round(len(samples) * WARM))
    warm, last = samples[width : 2 * width] or samples, samples[-width:]
    before, after = sum(warm) / len(warm), sum(last) / len(last)
    print(
        f"memory: {before:.0f} MB once warm, {after:.0f} MB at the end "
        f"({after / before - 1:+.1%}), {max(samples):.0f} MB at most"
    )


def spread(times: list[float]) -> list[tuple[str, float]]:
    """Return the median, 95th and 99th percentile, and the maximum."""
    ordered = sorted(times)
    return [
        ("median", ordered[len(ordered) // 2]),
        ("95th percentile", ordered[int(0.95 * len(ordered))]),
        ("99th percentile", ordered[int(0.99 * len(ordered))]),
        ("worst", ordered[-1]),
    ]


def main() -> None:
    """Prepare a collection, and measure."""
    prepare_process()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help=f"holds a collection {COLLECTION}")
    parser.add_argument("--questions", type=Path, help="JSON lines with a text")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=0, help="instead of rounds")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--adding", type=int, default=0, help="reports changed each minute")
    parser.add_argument(
        "--reports", type=int, default=1_700, help="made up, where there is no DATA"
    )
    parser.add_argument("--calm", action="store_true", help="without faults")
    parser.add_argument("--no-reader", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = arguments.data or Path(folder, "data")
        source = made_up(Path(folder, "source.jsonl"), arguments.adding, seed=1)
        with closing(Archive.open(data, COLLECTION, PackagedEncoder())) as archive:
            if arguments.data is None:
                made = made_up(Path(folder, "made-up.jsonl"), arguments.reports, seed=1)
                archive.add([str(made)])
            if arguments.adding:
                archive.sources.add(str(source), every=1)
        asyncio.run(measure(arguments, data, source))


if __name__ == "__main__":
    main()
