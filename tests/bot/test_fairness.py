"""A server's slow feeds and big uploads do not delay other servers."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from support.fakes import FakeEncoder
from support.servers import fetcher, plain, saying, serving

from bot.bot import OnRecord
from bot.cogs.maintenance import Maintenance
from bot.cogs.upkeep import SCHEDULED, Upkeep
from bot.collections import Collections
from bot.jobs import Job
from bot.settings import Settings
from index import Archive, IngestResult, ProgressCallback

BUSY, OTHER = 1, 2
FEED = (
    b'<rss version="2.0"><channel><title>Post</title><item><title>Tide</title>'
    b"<description>The tide rose at dawn. Boats left the quay.</description>"
    b"</item></channel></rss>"
)


class Offline(OnRecord):
    """The bot in two servers, without a connection to Discord."""

    @property
    def guilds(self) -> Any:
        """The servers, which have only ids."""
        return [SimpleNamespace(id=server) for server in (BUSY, OTHER)]

    async def wait_until_ready(self) -> None:
        """Return at once."""


def articles_within(archive: Archive, seconds: float) -> int:
    """Return the number of articles as soon as there are any, or at the end."""
    end = time.monotonic() + seconds
    while not (count := archive.size().articles) and time.monotonic() < end:
        time.sleep(0.05)
    return count


async def test_one_busy_server_delays_no_other(tmp_path: Path) -> None:
    """While a server's ten feeds hang and two uploads take long, another server's is read."""
    bot = Offline(Collections(Settings(data=tmp_path), FakeEncoder()), Settings(data=tmp_path))
    go, asked = threading.Event(), threading.Semaphore(0)

    def hang(line: socket.socket, _: str) -> None:
        asked.release()
        go.wait(60)
        line.close()

    def upload(archive: Archive, _: ProgressCallback) -> IngestResult:
        go.wait(60)
        return IngestResult(archive.generation)

    with serving(hang) as slow, serving(saying(plain(FEED, Content_Type="text/xml"))) as quick:
        for server, site, feeds in ((BUSY, slow, 10), (OTHER, quick, 1)):
            sources = bot.collections.archive(server).sources
            sources._fetcher = fetcher(site, seconds=60.0)
            for number in range(feeds):
                sources.add(f"{site.url}feed{number}", 15)
        jobs = [Job(f"server-{BUSY}", "Adding reports", person, "Ada") for person in (7, 8)]
        uploads = [asyncio.create_task(bot.jobs.run(job, upload)) for job in jobs]
        upkeep = Upkeep(bot, Maintenance(bot).duties(), set)
        await upkeep.begin()
        assert await asyncio.to_thread(asked.acquire, timeout=30)
        other = bot.collections.archive(OTHER)
        assert await asyncio.to_thread(articles_within, other, 30.0)
        assert not any(task.done() for task in uploads)
        bot.jobs.stop()
        go.set()
        await asyncio.gather(*uploads)
        while working := [task for task in asyncio.all_tasks() if task.get_name() == SCHEDULED]:
            await asyncio.wait(working)
    bot.jobs.close()
    bot.collections.close()
