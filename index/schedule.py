"""The sources of a collection: named, looked into again when they are due, paused and forgotten."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from index.domain import Failure, PageState, SourceItem
from index.encoder import Encoder
from index.errors import InputError, NotFoundError, SourceError
from index.ingest import IngestResult, Intake, ProgressCallback
from index.reading import sources
from index.reading.http import Fetcher
from index.reading.sources import PageLookup
from index.reading.urls import is_url
from index.store.types import Source, Store

MAX_EVERY = 43_200  # minutes: a month
MAX_SECONDS = 600.0  # of reading one source, so that those behind it have their turn
_STATUS = ("checked", "succeeded", "failures", "failing_since", "error", "told")


class Sources:
    """The sources of a store, and taking in what they have new."""

    def __init__(self, store: Store, encoder: Encoder, fetcher: Fetcher) -> None:
        """Read addresses with this fetcher, and embed with this encoder what is new there."""
        self._store = store
        self._encoder = encoder
        self._fetcher = fetcher

    def all(self) -> list[Source]:
        """Where articles come from, and how reading it went, in the order they were named."""
        with self._store.snapshot() as snapshot:
            return snapshot.sources()

    def add(self, uri: str, every: int | None = None) -> Source:
        """Look into a source from now on; nothing is read yet.

        Args:
            uri: an address, a file or a folder; who lets others name one should pass addresses
                only, since files are read with this program's rights.
            every: minutes between two looks; None: only when a reindex is asked for.

        Raises:
            SourceError: there is nothing of that name.
            InputError: the interval is none.
        """
        if every is not None and not 1 <= every <= MAX_EVERY:
            raise InputError(f"A source is looked into every 1 to {MAX_EVERY:,} minutes.")
        if is_url(uri):
            self._fetcher.parse(uri)
        elif sources.existing(uri) is None:
            raise SourceError(f"{uri} is neither a file nor a folder: check the name.")
        source = replace(_named(uri), every=every)
        self._store.remember(source)
        self._store.amend(source, "every")
        return self._known(uri)

    def pause(self, uri: str) -> None:
        """Look into a source no longer until it is resumed. Raises NotFoundError."""
        self._store.amend(replace(self._known(uri), paused=True), "paused")

    def resume(self, uri: str) -> None:
        """Look into a source again, and soon if it is looked into at all. Raises NotFoundError."""
        fresh = replace(self._known(uri), paused=False, failures=0, checked=None)
        self._store.amend(fresh, "paused", "failures", "checked")

    def forget(self, uri: str) -> None:
        """Drop a source; its articles stay. Raises NotFoundError."""
        self._store.forget(self._known(uri).uri)

    def failing(self, since: datetime) -> list[Source]:
        """Those that have failed since that moment or longer, while moderators do not know yet."""
        return [
            one
            for one in self.all()
            if one.failing_since and one.failing_since <= since and not one.told
        ]

    def told(self, uri: str) -> None:
        """Note that moderators know that a source fails, until it succeeds again."""
        self._store.amend(replace(self._known(uri), told=True), "told")

    def reindex(
        self,
        only: Iterable[str] | None = None,
        *,
        actor: str = "operator",
        dry_run: bool = False,
        on_progress: ProgressCallback | None = None,
    ) -> IngestResult:
        """Take in what the sources have new, paused ones left out; removed articles stay removed.

        Args:
            only: of these sources, paused or not. Raises NotFoundError where one is none.
            actor: who is written into the audit log.
            dry_run: tell what would be done, and do nothing.
            on_progress: called with the progress; may raise CancelledError to stop after a commit.
        """
        if only is None:
            chosen = [one for one in self.all() if not one.paused]
        else:
            chosen = [self._known(uri) for uri in only]
        return self._look(chosen, datetime.now(UTC), actor, "reindex", on_progress, dry_run=dry_run)

    def refresh(
        self,
        now: datetime | None = None,
        *,
        actor: str = "clock",
        on_progress: ProgressCallback | None = None,
    ) -> IngestResult:
        """Take in what the sources that are due have new (see `Source.due`)."""
        now = now or datetime.now(UTC)
        chosen = [one for one in self.all() if one.due(now)]
        return self._look(chosen, now, actor, "refresh", on_progress)

    def _look(
        self,
        chosen: list[Source],
        now: datetime,
        actor: str,
        action: str,
        on_progress: ProgressCallback | None,
        *,
        dry_run: bool = False,
    ) -> IngestResult:
        names = [source.uri for source in chosen]
        read: dict[str, str | None] = {}
        run = Intake(
            store=self._store,
            encoder=self._encoder,
            actor=actor,
            action=action,
            revive=False,
            dry_run=dry_run,
            total=sources.total(names) if on_progress else None,
            on_progress=on_progress,
        )
        try:
            return run.take(self.read(names, read, known=self._page, seconds=MAX_SECONDS))
        finally:
            for source in chosen:
                if source.uri in read and not dry_run:
                    self._store.amend(source.after(now, read[source.uri]), *_STATUS)

    def read(
        self,
        names: Iterable[str],
        read: dict[str, str | None],
        stream: IO[bytes] | None = None,
        known: PageLookup = lambda _: None,
        seconds: float = math.inf,
    ) -> Iterator[SourceItem]:
        """What stands there; each name goes into `read`, with its error where it gave nothing.

        Args:
            names: paths and addresses, sources or not, or "-" for JSON lines on `stream`.
            read: name -> error, or None where there is an article.
            stream: bytes for "-".
            known: see `index.sources.read`.
            seconds: that reading may take for each name; what is left then waits for the next time.
        """
        for name in names:
            error = "It holds no report."
            try:
                found = sources.read(name, stream, self._fetcher, known)
                for item in _in_time(found, seconds):
                    if isinstance(item, Failure):
                        error = item.error
                    else:
                        read[name] = None
                    yield item
            except SourceError as failure:
                error = str(failure)
                yield Failure(name, error)
            except Exception as fault:  # noqa: BLE001 - one source must not starve those behind it
                error = f"It cannot be read ({fault!r:.200}): report this, or pause the source."
                yield Failure(name, error)
            read.setdefault(name, error)

    def remember(self, names: Iterable[str]) -> None:
        """Look into places that were read whenever a reindex is asked for."""
        for name in names:
            self._store.remember(_named(name))

    def _page(self, address: str) -> PageState | None:
        with self._store.snapshot() as snapshot:
            return snapshot.page(address)

    def _known(self, uri: str) -> Source:
        known = {source.uri: source for source in self.all()}
        for place in (uri, _named(uri).uri):
            if place in known:
                return known[place]
        raise NotFoundError(f"{uri} is no source here: `onrecord sources` lists them.")


def _in_time(items: Iterator[SourceItem], seconds: float) -> Iterator[SourceItem]:
    """Items for as long as making them takes no longer; what is done with them does not count."""
    while True:
        started = time.monotonic()
        item = next(items, None)
        seconds -= time.monotonic() - started
        if item is None:
            return
        yield item
        if seconds < 0:
            raise SourceError("It takes too long to read: the rest is read the next time.")


def _named(uri: str) -> Source:
    if is_url(uri):
        return Source(uri, "url")
    path = Path(uri).expanduser().resolve()
    return Source(str(path), "folder" if path.is_dir() else "file")
