"""Background jobs: long work on a collection, in threads separate from those for questions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

import discord
from discord.utils import format_dt

from bot.collections import Collections
from bot.logs import fields
from bot.markdown import escape
from bot.metrics import count_error
from bot.settings import Discord
from index import Archive, CancelledError, IngestResult, InputError, Progress, ProgressCallback

Task = Callable[[Archive, ProgressCallback], IngestResult]
SCHEDULED_AT_ONCE = 4  # so that a slow source does not delay other collections
_THREADS = SCHEDULED_AT_ONCE + 2  # the two are for jobs that people start
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Job:
    """A running job. Its thread writes `progress` and reads `stopped_by`.

    Attributes:
        collection: the collection it changes.
        title: a word or two, such as "Reindexing".
        started_by: the id of the user who started it; 0 for the bot itself.
        name: the display name of the user.
        exclusive: whether it excludes other exclusive jobs on the collection.
        url: the address of its status message, once it is posted.
        stopped_by: the display name of the user who stopped it.
        key: identifies it in its Stop button.
    """

    collection: str
    title: str
    started_by: int
    name: str
    exclusive: bool = False
    url: str | None = None
    progress: Progress | None = None
    stopped_by: str | None = None
    key: str = field(default_factory=lambda: secrets.token_hex(4))
    started_at: datetime = field(default_factory=discord.utils.utcnow)

    def report(self, progress: Progress) -> None:
        """Record the progress. Raises CancelledError as `check` does."""
        self.progress = progress
        self.check()

    def check(self) -> None:
        """Raise CancelledError if somebody has stopped the job."""
        if self.stopped_by is not None:
            raise CancelledError(f"{self.stopped_by} stopped it")


class Jobs:
    """All jobs running in this process."""

    def __init__(self, collections: Collections, settings: Discord) -> None:
        """Start without jobs; the settings say which servers share a collection."""
        self._stopping = False
        self.running: dict[str, Job] = {}
        self._collections = collections
        self._settings = settings
        self._threads = ThreadPoolExecutor(_THREADS, "onrecord-job")
        self._turns = defaultdict[tuple[str, bool], asyncio.Lock](asyncio.Lock)

    async def run_silently(self, server: int | None, title: str, task: Task) -> bool:
        """Run a scheduled job silently; False if the collection is busy, or the bot stops."""
        job = Job(self._settings.collection_of(server), title, 0, "The schedule", exclusive=True)
        if self._stopping or self.busy(server):
            return False
        with self.listed(job):
            await self.run(job, task)
        return True

    async def run(self, job: Job, task: Task) -> IngestResult:
        """Run a job's blocking task in a thread, and log how it ended and what it did.

        Jobs that people start on the same collection run one after the other, so that threads are
        left for other collections.
        """

        def work() -> IngestResult:
            job.check()  # it may have been stopped while it waited for a thread
            return task(self._collections.open(job.collection), job.report)

        known = {"job": job.title, "collection": job.collection}
        log.info("job started", extra=fields(**known, user=job.started_by or None))
        started = time.monotonic()
        try:
            async with self._turns[job.collection, job.started_by == 0]:
                result = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except (CancelledError, asyncio.CancelledError) as error:
            reason = str(error) or "the bot did not wait for it"
            log.info("job stopped", extra=fields(**known, reason=reason))
            raise
        except Exception as error:  # its message may have an address with a secret
            count_error(error)
            log.warning("job failed", extra=fields(**known, error=type(error).__name__))
            raise
        counts = ("added", "updated", "restored", "removed", "failed", "omitted")
        changes = {name: len(getattr(result, name)) for name in counts}
        seconds = round(time.monotonic() - started, 1)
        log.info("job finished", extra=fields(**known, **changes, seconds=seconds))
        for read in result.sources:
            if read.error is not None:
                name = read.uri.partition("?")[0]  # the query may have a secret
                reason = read.error.replace(read.uri, name)
                log.warning("source failed", extra=fields(**known, source=name, reason=reason))
        return result

    def _exclusive(self, collection: str) -> Job | None:
        """Return the exclusive job on a collection, if any."""
        jobs = (job for job in self.running.values() if job.collection == collection)
        return next((job for job in jobs if job.exclusive), None)

    def busy(self, server: int | None) -> bool:
        """Return whether any job changes a server's collection."""
        collection = self._settings.collection_of(server)
        return any(job.collection == collection for job in self.running.values())

    @contextlib.contextmanager
    def listed(self, job: Job) -> Iterator[None]:
        """List a job as running. Raises InputError if another job excludes it, or the bot stops."""
        if self._stopping:
            raise InputError("I'm restarting: try again in a minute.")
        if job.exclusive and (other := self._exclusive(job.collection)):
            since = format_dt(other.started_at, "R")
            where = f" You can follow and stop it at {other.url}." if other.url else ""
            raise InputError(
                f"{escape(other.name)} started {other.title.lower()} {since}: "
                f"wait until it has finished.{where}"
            )
        self.running[job.key] = job
        try:
            yield
        finally:
            del self.running[job.key]

    def stop(self) -> None:
        """Accept no more jobs, and stop all after their current report; what they added stays."""
        self._stopping = True
        for job in self.running.values():
            job.stopped_by = job.stopped_by or "The operator"

    def close(self) -> None:
        """Abandon the threads; a job that does not stop in time ends with the process."""
        self.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
