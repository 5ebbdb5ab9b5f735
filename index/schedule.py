"""Manage the sources of a collection: add, pause and remove them, and read those that are due."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import takewhile
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

from index.domain import Failure
from index.encoder import Encoder
from index.errors import InputError, NotFoundError, SourceError, StoreError
from index.ingest import Ingest
from index.reading import sources
from index.reading.http import Fetcher
from index.reading.items import Omission, PageState, SourceItem
from index.reading.sources import PageLookup
from index.reading.urls import is_url
from index.results import IngestResult, ProgressCallback, SourceRead
from index.store.protocol import Store
from index.store.sources import NO_FAILURES, Source

MAX_EVERY = 43_200  # minutes: 30 days
MAX_SECONDS = 600.0  # for reading one source, so that the others get their turn


class Sources:
    """The sources of a collection."""

    def __init__(self, store: Store, encoder: Encoder, fetcher: Fetcher) -> None:
        """Fetch URLs with `fetcher`, and embed new sentences with `encoder`."""
        self._store = store
        self._encoder = encoder
        self._fetcher = fetcher

    def all(self) -> list[Source]:
        """Return all sources, in the order they were added."""
        with self._store.snapshot() as snapshot:
            return snapshot.sources()

    def add(self, uri: str, every: int | None = None) -> Source:
        """Add a source, or change its interval; nothing is read yet.

        Args:
            uri: a URL, a file or a folder; accept only URLs from other people, since files are
                read with this process's rights.
            every: minutes between two reads; None for reindexing only.

        Raises:
            SourceError: there is no such file or folder, or the URL is not allowed.
            InputError: the interval is out of bounds.
        """
        if every is not None and not 1 <= every <= MAX_EVERY:
            raise InputError(f"A source is read every 1 to {MAX_EVERY:,} minutes.")
        if is_url(uri):
            self._fetcher.parse(uri)
        elif sources.existing(uri) is None:
            raise SourceError(sources.missing(uri))
        return self._store.put_source(replace(_named(uri), every=every))

    def pause(self, uri: str) -> None:
        """Stop reading a source until it is resumed. Raises NotFoundError."""
        self._store.update_source(self._known(uri).uri, paused=True)

    def resume(self, uri: str) -> None:
        """Resume a source, which is read at once if it has an interval. Raises NotFoundError."""
        known = self._known(uri)
        self._store.update_source(known.uri, paused=False, checked=None, **NO_FAILURES)

    def forget(self, uri: str) -> None:
        """Drop a source; its articles stay. Raises NotFoundError."""
        self._store.remove_source(self._known(uri).uri)

    def failing(self, since: datetime) -> list[Source]:
        """Return sources that have failed at least since that moment and are not reported yet."""
        return [
            source
            for source in self.all()
            if source.failing_since and source.failing_since <= since
            if not (source.reported or source.paused)
        ]

    def mark_reported(self, uri: str) -> None:
        """Note that moderators were told of a failing source; its next success clears the note."""
        self._store.update_source(self._known(uri).uri, reported=True)

    def due(self) -> datetime | None:
        """Return when the next source is due; None if none is on a schedule."""
        return min(filter(None, (source.due() for source in self.all())), default=None)

    def reindex(
        self,
        only: Iterable[str] | None = None,
        *,
        actor: str = "operator",
        on_progress: ProgressCallback | None = None,
    ) -> IngestResult:
        """Add what is new in the sources, except paused ones; removed articles stay removed.

        Args:
            only: the URIs of the sources to read, paused or not; None for all.
            actor: named in the audit log.
            on_progress: called with the progress; may raise CancelledError to stop after a commit.

        Raises:
            NotFoundError: `only` names an unknown source.
        """
        if only is None:
            chosen = [source for source in self.all() if not source.paused]
        else:
            chosen = [self._known(uri) for uri in only]
        options: dict[str, Any] = {"actor": actor, "on_progress": on_progress}
        return self._ingest(chosen, datetime.now(UTC), action="reindex", **options)

    def refresh(
        self,
        now: datetime | None = None,
        *,
        actor: str = "clock",
        on_progress: ProgressCallback | None = None,
        seconds: float = math.inf,
    ) -> IngestResult:
        """Add what is new in the sources that are due (see `Source.due`), the most overdue first.

        After so many `seconds` no further source is started: the rest stay due.
        """
        now = now or datetime.now(UTC)
        due = [(moment, source) for source in self.all() if (moment := source.due())]
        due.sort(key=itemgetter(0))
        chosen = [source for moment, source in due if moment <= now]
        options: dict[str, Any] = {"actor": actor, "on_progress": on_progress}
        return self._ingest(chosen, now, action="refresh", seconds=seconds, **options)

    def _ingest(
        self, chosen: list[Source], now: datetime, *, seconds: float = math.inf, **options: Any
    ) -> IngestResult:
        """Read sources into an `Ingest` with these options, and note the result of each."""
        end = time.monotonic() + seconds
        names = [source.uri for source in chosen]
        total = sources.total(names) if options["on_progress"] else None
        ingest = Ingest(
            store=self._store, encoder=self._encoder, revive=False, total=total, **options
        )
        in_time = takewhile(lambda _: time.monotonic() < end, names)
        result = ingest.run(self.read(in_time, known=self._page, seconds=MAX_SECONDS))
        errors = {read.uri: read.error for read in result.sources}
        for source in chosen:
            if source.uri in errors:
                self._store.update_source(source.uri, **source.after(now, errors[source.uri]))
        return result

    def read(
        self,
        names: Iterable[str],
        stream: IO[bytes] | None = None,
        known: PageLookup = lambda _: None,
        seconds: float = math.inf,
    ) -> Iterator[SourceItem | SourceRead]:
        """Yield the items of each path or URL, then a `SourceRead`, with an error if it holds none.

        Where nothing but omissions was read, each of them is a failure instead.

        Args:
            names: paths and URLs, sources or not, or "-" for JSON lines on `stream`.
            stream: bytes for "-".
            known: see `index.reading.sources.read`.
            seconds: the limit for reading each name; the rest is read the next time.

        Raises:
            StoreError: what is known of a page cannot be looked up; all other errors are yielded.
        """
        for name in names:
            error = "It holds no report."
            kinds: set[type] = set()
            left_out: list[Omission] = []  # until anything else is read
            try:
                for item in _within(sources.read(name, stream, self._fetcher, known), seconds):
                    kinds.add(type(item))
                    error = item.error if isinstance(item, Failure | Omission) else error
                    if isinstance(item, Omission) and kinds == {Omission}:
                        left_out.append(item)
                        continue
                    yield from left_out
                    left_out.clear()
                    yield item
            except SourceError as failure:
                error = str(failure)
                yield Failure(name, error)
            except StoreError:
                raise
            except Exception as fault:  # noqa: BLE001 - one source must not starve the next
                error = f"It cannot be read ({fault!r:.200}): report this, or pause the source."
                yield Failure(name, error)
            yield from (Failure(item.source, item.error) for item in left_out)
            yield SourceRead(name, error if kinds <= {Failure, Omission} else None)

    def remember(self, names: Iterable[str]) -> None:
        """Keep paths and URLs as sources, so that a reindex reads them again."""
        if added := [_named(name) for name in names]:
            self._store.add_sources(added)

    def _page(self, address: str) -> PageState | None:
        with self._store.snapshot() as snapshot:
            return snapshot.page(address)

    def _known(self, uri: str) -> Source:
        known = {source.uri: source for source in self.all()}
        for name in (uri, _named(uri).uri):
            if name in known:
                return known[name]
        raise NotFoundError(f"{uri} is not a source here: choose one from the list of sources.")


def _within(items: Iterator[SourceItem], seconds: float) -> Iterator[SourceItem]:
    """Yield items until producing them has taken `seconds`; the caller's time is not counted.

    Raises:
        SourceError: that time has passed.
    """
    while True:
        started = time.monotonic()
        item = next(items, None)
        seconds -= time.monotonic() - started
        if item is None:
            return
        yield item
        if seconds < 0:
            raise SourceError("It took too long to read: the rest is read the next time.")


def _named(uri: str) -> Source:
    """Return the source of a URL or path; a path is made absolute."""
    if is_url(uri):
        return Source(uri, "url")
    path = Path(uri).expanduser().resolve()
    return Source(str(path), "folder" if path.is_dir() else "file")
