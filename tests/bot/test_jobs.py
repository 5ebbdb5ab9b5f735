"""Jobs share a few threads, of which one is reserved for people."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from support.fakes import FakeEncoder

from bot.collections import Collections
from bot.jobs import _THREADS, SCHEDULED_AT_ONCE, Job, Jobs
from bot.settings import Discord, Settings
from index import IngestResult


async def test_scheduled_jobs_leave_a_thread_for_people(tmp_path: Path) -> None:
    """While the maximum of scheduled sources is slow to answer, a moderator's job is done."""
    collections = Collections(Settings(data=tmp_path), FakeEncoder())
    jobs, answered = Jobs(collections, Discord()), threading.Event()

    def slow(*_: object) -> IngestResult:
        answered.wait(30)
        return IngestResult(0)

    servers = range(1, 1 + SCHEDULED_AT_ONCE)
    scheduled = [asyncio.create_task(jobs.run_silently(server, "A", slow)) for server in servers]
    await asyncio.sleep(0)
    job = Job("server-9", "Adding", 7, "Ada")
    async with asyncio.timeout(20):
        await jobs.run(job, lambda *_: IngestResult(0))
    assert not any(task.done() for task in scheduled)
    answered.set()
    assert await asyncio.gather(*scheduled) == [True] * SCHEDULED_AT_ONCE
    jobs.close()
    collections.close()


async def test_uploads_to_one_collection_take_turns(tmp_path: Path) -> None:
    """Three big uploads to a collection leave a thread for another's, and all are done."""
    collections = Collections(Settings(data=tmp_path), FakeEncoder())
    jobs, uploaded = Jobs(collections, Discord()), threading.Event()

    def big(*_: object) -> IngestResult:
        uploaded.wait(30)
        return IngestResult(0)

    def small(*_: object) -> IngestResult:
        return IngestResult(0)

    slow = [
        asyncio.create_task(jobs.run(Job("server-1", "Adding", 7, "Ada"), big))
        for _ in range(_THREADS + 1)
    ]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await jobs.run(Job("server-2", "Adding", 8, "Ben"), small)
        assert await jobs.run_silently(3, "A refresh", small)
    assert not any(task.done() for task in slow)
    uploaded.set()
    assert len(await asyncio.gather(*slow)) == len(slow)
    jobs.close()
    collections.close()
