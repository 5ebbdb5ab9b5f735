"""Jobs that wait until a test lets them go on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.jobs import Job, Jobs, Task
from bot.views import progress
from index import IngestResult, Progress
from support.newsroom import Newsroom


class HeldJobs:
    """Holds every job at its start, so that a test can look at it."""

    def __init__(self, env: Any, patch: pytest.MonkeyPatch) -> None:
        self._env = env
        self._run = Jobs.run
        self.go = asyncio.Event()
        self.job: Job | None = None
        self.pauses: list[float] = []  # before each edit of a status message
        held = self

        async def run(jobs: Jobs, job: Job, task: Task) -> IngestResult:
            held.job = job
            await env.external_wait(held.go.wait(), reason="held by the test")
            job.report(job.progress or Progress(0, 0, None, ""))
            return await held._run(jobs, job, task)

        async def finished(running: asyncio.Future[IngestResult], seconds: float) -> bool:
            self.pauses.append(seconds)
            waiting = asyncio.wait({running}, timeout=seconds)
            return bool((await env.external_wait(waiting, reason="held by the test"))[0])

        patch.setattr(Jobs, "run", run)
        patch.setattr(progress, "finished", finished)

    async def release(self) -> None:
        """Let the jobs go on, and wait for what they post."""
        self.go.set()
        await self._env.settle()


@pytest.fixture
def held(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> HeldJobs:
    return HeldJobs(room.env, monkeypatch)
