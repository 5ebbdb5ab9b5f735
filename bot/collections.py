"""The open collections: each is opened at first use, and closed when others need its place."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from bot.preferences import Preferences, preferences
from bot.settings import Settings
from index import (
    Archive,
    Article,
    Encoder,
    Engine,
    Excerpt,
    InputError,
    Intent,
    NotFoundError,
    NoticeKind,
    OnRecordError,
    Reader,
    StoreBusyError,
    StoreDamagedError,
    TrainedReader,
    engine_of,
    intent,
)

log = logging.getLogger(__name__)
_PREPARE_S = 20.0
_UNDATED = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Headline:
    """A report as lists show it, without its text."""

    article_id: str
    title: str
    publisher: str | None
    published: datetime | None
    guessed_date: datetime | None
    state: NoticeKind | None
    searched: str

    @classmethod
    def of(cls, article: Article) -> Headline:
        """Return the headline of a report."""
        return cls(
            *(article.article_id, article.title, article.publisher, article.published),
            *(article.guessed_date, article.notice.kind if article.notice else None),
            searched=f"{article.title} {article.publisher or ''}".casefold(),
        )

    def matches(self, words: Iterable[str]) -> bool:
        """Return whether the title or publisher contains every word; words are casefolded."""
        return all(word in self.searched for word in words)


def engine(settings: Settings) -> Engine:
    """Return the engine that keeps collections. Raises SettingsError if it cannot be used."""
    password = settings.store_password
    return engine_of(
        settings.data,
        settings.store,
        password.get_secret_value() if password else None,
        replica=settings.replica,
        open_at_most=settings.discord.open_collections,
    )


class Collections:
    """Opens collections by name, or for servers. Thread-safe; every method may block."""

    def __init__(self, settings: Settings, encoder: Encoder, reader: Reader | None = None) -> None:
        """Share the models among all collections."""
        self._settings = settings
        self._encoder = encoder
        self._reader = reader
        self._engine = engine(settings)
        self._open: dict[str, Archive] = {}
        self._erasing: set[str] = set()
        self._damaged: dict[str, tuple[object, StoreDamagedError]] = {}  # with the state checked
        self._lock = threading.Lock()
        self._headlines: dict[tuple[Archive, bool], tuple[object, tuple[Headline, ...]]] = {}

    @classmethod
    def with_reader(cls, settings: Settings, encoder: Encoder) -> Collections:
        """Return collections that share the packaged reader, unless the settings turn it off."""
        return cls(settings, encoder, TrainedReader() if settings.answers.reader else None)

    def open(self, name: str, *, create: bool = True) -> Archive:
        """Return the collection of this name, created if missing unless `create` is false.

        Raises:
            NotFoundError: there is no such collection, and `create` is false.
            StoreBusyError: it is being erased.
            StoreDamagedError: a check found it damaged, and it has not been replaced since.
        """
        if name in self._damaged:
            state, error = self._damaged[name]
            if state == self._engine.state(name):
                raise error
            self._damaged.pop(name, None)
        return self._opened(name, create=create)

    def _opened(self, name: str, *, create: bool = True) -> Archive:
        """Return the collection of this name, damaged or not."""
        with self._lock:
            if name in self._erasing:
                raise StoreBusyError("These reports are being erased: try again in a minute.")
            if name not in self._open:
                self._open[name] = Archive(
                    self._engine.open(name, create=create),
                    self._encoder,
                    reader=self._reader,
                    threshold=self._settings.answers.threshold,
                )
            return self._open[name]

    def archive(self, server: int | None, *, create: bool = True) -> Archive:
        """Return the collection of a server; of direct messages if `server` is None.

        Raises:
            NotFoundError: there is no such collection, and `create` is false.
            QuestionError: direct messages have no collection in the settings.
        """
        return self.open(self._settings.discord.collection_of(server), create=create)

    def preferences(self, server: int | None) -> Preferences:
        """Return the preferences of a server; for direct messages, the operator's settings.

        They are read at every call, so that a choice takes effect at once; creates no collection.
        """
        archive = None
        name = self._settings.discord.collection_of(server) if server is not None else ""
        if name and self._engine.state(name) is not None:
            with contextlib.suppress(NotFoundError):  # erased at this moment
                archive = self.archive(server, create=False)
        return preferences(self._settings, archive, server)

    def intent(self, text: str) -> Intent:
        """Classify a message to the bot."""
        return intent(text, self._encoder)

    def prepare(self) -> None:
        """Load the models, and the vectors of the collections, so that no question waits for them.

        The collections changed last come first. Those for which the pool has no room, or which are
        not reached within `_PREPARE_S`, are loaded at their first question.

        Raises:
            EncoderError: a model cannot be loaded.
        """
        self._encoder.encode_parts("Ready?", [])
        if self._reader:
            self._reader.read("Ready?", [Excerpt("", ("Ready.",))])
        self.intent("Ready")  # embeds its examples
        started = time.monotonic()
        for name in self._engine.recent()[: self._settings.discord.open_collections]:
            if time.monotonic() - started > _PREPARE_S:
                log.warning(
                    "not all collections are loaded; the rest are loaded at their first question"
                )
                return
            try:
                archive = self._checked(name)
                archive.prepare()
                model = archive.model
            except OnRecordError as error:
                log.warning("collection %s cannot be used: %s", name, error)
                continue
            if model not in {None, self._encoder.model}:
                log.warning(
                    "collection %s was embedded with %s, but the settings name %s: until "
                    "`onrecord --collection %s reindex --rebuild`, only full text is searched",
                    *(name, model, self._encoder.model, name),
                )

    def _checked(self, name: str) -> Archive:
        """Return an existing collection, verified if the last process that had it was killed.

        Raises:
            StoreDamagedError: it is damaged; from now on, `open` raises this too.
        """
        killed = self._engine.was_killed(name)
        archive = self.open(name, create=False)
        try:
            if killed:
                archive.verify()
        except StoreDamagedError as error:
            archive.close()
            with self._lock:
                del self._open[name]
            self._damaged[name] = self._engine.state(name), error
            raise
        return archive

    def existing(self, servers: Iterable[int]) -> dict[int | None, object]:
        """Return a server (None: direct messages) for each existing collection of these servers.

        The value is the collection's state, which differs once it has changed. Nothing is opened.
        """
        settings = self._settings
        direct = [None] if settings.discord.direct_messages else []
        by_name = {settings.discord.collection_of(server): server for server in [*direct, *servers]}
        states = {server: self._engine.state(name) for name, server in by_name.items()}
        return {server: state for server, state in states.items() if state is not None}

    def hold(self, server: int | None, work: str) -> Callable[[], None] | None:
        """Keep other processes from doing this work on a server's collection.

        Returns:
            A function that ends this; None if another process is doing the work.
        """
        return self._engine.hold(self._settings.discord.collection_of(server), work)

    def wait_s(self, event: str, most: int, window_s: float) -> float | None:
        """Count an event among all bots that share the collections; return how long it has to wait.

        None if no other bot can share them.
        """
        return self._engine.wait_s(event, most, window_s)

    def check_erasable(self, server: int | None) -> None:
        """Raise InputError if other servers share a server's collection."""
        if self._settings.discord.is_shared(server):
            raise InputError(
                "This server shares its reports with others: the operator can erase them with "
                "`onrecord erase-all`."
            )

    def erase(self, server: int) -> None:
        """Delete a server's reports permanently, with answers and audit log; its settings stay.

        Raises:
            InputError: other servers share the collection.
        """
        self.check_erasable(server)
        chosen = dict[str, Any]()
        with contextlib.suppress(StoreDamagedError):
            chosen = self.archive(server).preferences.of(server)
        self._erase(server)
        if chosen:
            self.archive(server).preferences.keep(server, chosen)

    def leave(self, server: int) -> None:
        """Delete everything that is kept about a server; reports shared with other servers stay."""
        if self._settings.discord.is_shared(server):
            self.archive(server).preferences.forget(server)
        else:
            self._erase(server)

    def _erase(self, server: int) -> None:
        name = self._settings.discord.collection_of(server)
        archive = self._opened(name)
        with self._lock:  # not while erasing: other collections can be opened meanwhile
            self._open.pop(name, None)
            self._erasing.add(name)
        try:
            archive.erase()
        finally:
            with self._lock:
                self._erasing.discard(name)
            for removed in (False, True):
                self._headlines.pop((archive, removed), None)

    def headlines(
        self,
        server: int | None,
        search: str = "",
        *,
        removed: bool = False,
        limit: int | None = None,
    ) -> list[Headline]:
        """Return up to `limit` reports of a server with all words of `search`, newest first.

        They are read once for each generation, and cached for the servers that used them last.
        """
        archive = self.archive(server)
        version = archive.version
        cached = self._headlines.get((archive, removed))
        if cached is None or cached[0] != version:
            headlines = [Headline.of(article) for article in archive.articles(retired=removed)]
            headlines.sort(key=lambda headline: headline.published or _UNDATED, reverse=True)
            cached = version, tuple(headlines)
        with self._lock:
            self._headlines.pop((archive, removed), None)
            self._headlines[archive, removed] = cached
            if len(self._headlines) > self._settings.discord.open_collections:
                del self._headlines[next(iter(self._headlines))]
        words = search.casefold().split()
        matching = (headline for headline in cached[1] if headline.matches(words))
        return [*islice(matching, limit)]

    def close(self) -> None:
        """Close all collections."""
        with self._lock:
            for archive in self._open.values():
                archive.close()
            self._open.clear()
            self._headlines.clear()
            self._engine.close()
