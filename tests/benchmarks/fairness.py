"""How long does a busy server delay another server's scheduled refresh?

    python tests/benchmarks/fairness.py [--minutes 4]

One server has ten feeds that answer after 15 seconds each, and two people upload 3,000 reports each
to it, embedded by the real encoder. Another has one quick feed, due every minute. Printed is how
much later than due that was asked for, with and without the busy one.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from servers import WORDS

from bot.bot import OnRecord
from bot.cogs.maintenance import Maintenance
from bot.cogs.upkeep import Upkeep
from bot.collections import Collections
from bot.jobs import Job
from bot.settings import Settings
from index import Archive, Fetcher, IngestResult, OnRecordError, PackagedEncoder, ProgressCallback

BUSY, OTHER = 1, 2
SLOW_S, FEEDS, REPORTS = 15.0, 10, 3_000
LOOK_S = 60.0  # as the bot does
FEED = """<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>Post</title><item><title>Tide {number}</title><guid>{number}</guid><content:encoded>
The tide rose {number} feet at dawn. Boats left the quay.</content:encoded></item></channel></rss>
"""


class Feeds:
    """A web server: /slow feeds answer late, /quick at once and with a new item."""

    def __init__(self) -> None:
        self.asked: list[float] = []  # when the quick one was
        feeds = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path != "/robots.txt"
                if self.path.startswith("/slow"):
                    time.sleep(SLOW_S)
                elif found:
                    feeds.asked.append(time.monotonic())
                number = len(feeds.asked)
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/xml")
                self.end_headers()
                self.wfile.write(FEED.format(number=number).encode())

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


class Offline(OnRecord):
    """The bot in two servers, without a connection to Discord."""

    @property
    def guilds(self) -> Any:
        """The servers, which have only ids."""
        return [SimpleNamespace(id=server) for server in (BUSY, OTHER)]

    async def wait_until_ready(self) -> None:
        """Return at once."""


def add_feeds(archive: Archive, port: int, names: list[str]) -> None:
    """Give a collection these feeds, due every minute, and let it reach them."""
    archive.sources._fetcher = Fetcher(allow=frozenset({("127.0.0.1", port)}))
    for name in names:
        archive.sources.add(f"http://127.0.0.1:{port}/{name}", 1)


def upload(archive: Archive, on_progress: ProgressCallback) -> IngestResult:
    """Add many new reports."""
    chance = random.Random(time.monotonic_ns())  # noqa: S311
    rows = []
    for _ in range(REPORTS):
        said = " ".join(f"The {' '.join(chance.choices(WORDS, k=10))} was seen." for _ in range(10))
        rows.append({"title": " ".join(chance.choices(WORDS, k=6)), "text": said})
    lines = "\n".join(map(json.dumps, rows)).encode()
    return archive.add(["-"], stream=io.BytesIO(lines), on_progress=on_progress)


async def measure(bot: Offline, minutes: int, *, busy: bool) -> None:
    """Check both servers once a minute, and print how late the quick feed was requested."""
    feeds = Feeds()
    add_feeds(bot.collections.archive(OTHER), feeds.port, ["quick"])
    uploads = []
    if busy:
        names = [f"slow{number}" for number in range(FEEDS)]
        add_feeds(bot.collections.archive(BUSY), feeds.port, names)
        jobs = [Job(f"server-{BUSY}", "Adding reports", person, "Ada") for person in (7, 8)]
        uploads = [asyncio.create_task(bot.jobs.run(job, upload)) for job in jobs]
    upkeep = Upkeep(bot, Maintenance(bot).duties(), set)
    due, late = time.monotonic(), list[float]()
    for _ in range(minutes):
        known = len(feeds.asked)
        await upkeep.begin()
        await asyncio.sleep(LOOK_S)
        times = feeds.asked[known:]
        late.append((times[0] if times else time.monotonic()) - due)
        due = (times[0] if times else due) + 60
    what = "beside a busy server" if busy else "alone"
    print(f"{what}: late by {', '.join(f'{max(0.0, s):.1f}' for s in late)} s", flush=True)
    print(f"  uploads still running: {sum(not task.done() for task in uploads)}", flush=True)
    bot.jobs.stop()
    await asyncio.gather(*uploads, return_exceptions=True)


def main() -> None:
    """Measure alone, then beside the busy server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=4)
    minutes = parser.parse_args().minutes
    for busy in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(data=Path(folder))
            bot = Offline(Collections(settings, PackagedEncoder()), settings)
            bot.collections._encoder.encode([""])
            try:
                asyncio.run(measure(bot, minutes, busy=busy))
            except OnRecordError as error:
                print(error)
            bot.jobs.close()
            bot.collections.close()


if __name__ == "__main__":
    main()
