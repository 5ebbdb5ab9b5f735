"""Background jobs: long work on a collection, in threads apart from those of questions."""

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
SCHEDULED_AT_ONCE = 4  # so that a source that is slow to answer delays no other collection
_THREADS = SCHEDULED_AT_ONCE + 2  # the last are for people, and for one job of a collection each
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Job:
    """A running job. Its thread writes `progress` and reads `stopped_by`.

    Attributes:
        collection: the collection it changes; an `exclusive` job allows no other such job there.
        title: a word or two, such as "Reindexing".
        started_by: the id of the user who started it; 0 for the bot itself.
        url: the address of its status message, once there is one.
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
        """Raise CancelledError once somebody stopped the job."""
        if self.stopped_by is not None:
            raise CancelledError(f"{self.stopped_by} stopped it")


class Jobs:
    """All jobs running in this process."""

    def __init__(self, collections: Collections, settings: Discord) -> None:
        """Start with none; the settings say which servers share a collection."""
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
            await self.run(server, task, job)
        return True

    async def run(self, server: int | None, task: Task, job: Job) -> IngestResult:
        """Run a job's blocking task in a thread, and log how it ended and what it did.

        Those that people start in one collection run one after the other, so that they leave
        threads to other collections.
        """

        def work() -> IngestResult:
            job.check()  # it may have waited for a thread
            return task(self._collections.archive(server), job.report)

        place = {"job": job.title, "collection": job.collection}
        log.info("job started", extra=fields(**place, user=job.started_by or None))
        started = time.monotonic()
        try:
            async with self._turns[job.collection, job.started_by == 0]:
                result = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except (CancelledError, asyncio.CancelledError) as error:
            reason = str(error) or "the bot did not wait for it"
            log.info("job stopped", extra=fields(**place, reason=reason))
            raise
        except Exception as error:  # its message may name an address that holds a key
            count_error(error)
            log.warning("job failed", extra=fields(**place, error=type(error).__name__))
            raise
        counts = ("added", "updated", "restored", "removed", "failed", "omitted")
        changes = {name: len(getattr(result, name)) for name in counts}
        seconds = round(time.monotonic() - started, 1)
        log.info("job finished", extra=fields(**place, **changes, seconds=seconds))
        for read in result.sources:
            if read.error is not None:
                name = read.uri.partition("?")[0]  # what follows may be a key
                reason = read.error.replace(read.uri, name)
                log.warning("source failed", extra=fields(**place, source=name, reason=reason))
        return result

    def _exclusive(self, collection: str) -> Job | None:
        """The exclusive job on a collection, if any."""
        jobs = (job for job in self.running.values() if job.collection == collection)
        return next((job for job in jobs if job.exclusive), None)

    def busy(self, server: int | None) -> bool:
        """Whether any job changes a server's collection."""
        collection = self._settings.collection_of(server)
        return any(job.collection == collection for job in self.running.values())

    @contextlib.contextmanager
    def listed(self, job: Job) -> Iterator[None]:
        """List a job as running. Raises InputError if another one excludes it, or the bot stops."""
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
        """Take no more jobs, and stop all at the report they are at; what they added stays."""
        self._stopping = True
        for job in self.running.values():
            job.stopped_by = job.stopped_by or "The operator"

    def close(self) -> None:
        """Let go of the threads; a job that did not stop in time ends between two commits."""
        self.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
