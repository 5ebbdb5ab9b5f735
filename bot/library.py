"""Which collection a server asks: each its own, opened at first use and kept open."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.settings import Settings
from index.archive import Archive
from index.article import Article
from index.encoder import Encoder
from index.errors import InputError
from index.rerank import CrossEncoderReranker


@dataclass(frozen=True, slots=True)
class Headline:
    """A report in a list: all but its text."""

    article_id: str
    title: str
    publisher: str | None
    published: datetime | None


class Library:
    """Opens collections for servers. Safe to call from several threads."""

    def __init__(self, settings: Settings, encoder: Encoder) -> None:
        """Wire the settings and the one encoder that all collections share."""
        self._settings = settings
        self._encoder = encoder
        named = settings.model.reranker
        self._reranker = CrossEncoderReranker(named) if named else None
        self._open: dict[str, Archive] = {}
        self._lock = threading.Lock()
        self._headlines: dict[Archive, tuple[int, tuple[Headline, ...]]] = {}

    def archive(self, server: int | None) -> Archive:
        """The collection of a server, and of no other unless the settings say so.

        Raises:
            QuestionError: None, for a direct message, and the settings name no collection for it.
        """
        name = self._settings.discord.collection_of(server)
        with self._lock:
            if name not in self._open:
                self._open[name] = Archive.open(
                    self._settings.data,
                    name,
                    self._encoder,
                    threshold=self._settings.answers.threshold,
                    reranker=self._reranker,
                )
            return self._open[name]

    def existing(self, servers: Iterable[int]) -> list[int | None]:
        """One server (None: direct messages) for each collection that there is already."""
        settings = self._settings
        direct = [None] if settings.discord.direct_messages else []
        asked = {settings.discord.collection_of(server): server for server in [*direct, *servers]}
        made = Archive.names(settings.data)
        return [server for name, server in asked.items() if name in made]

    def erase(self, server: int) -> None:
        """Delete a server's collection for good, its answers and log too.

        Raises:
            InputError: the settings let others ask it as well.
        """
        settings = self._settings.discord
        name = settings.collection_of(server)
        if name in {settings.direct_messages, *settings.collections.values()}:
            raise InputError(
                "This server shares its reports with others: the operator can erase them with "
                "`onrecord erase-all`."
            )
        archive = self.archive(server)
        with self._lock:
            self._open.pop(name, None)
            self._headlines.pop(archive, None)
        archive.erase()

    def headlines(self, server: int | None) -> tuple[Headline, ...]:
        """What reports a server has, newest first; read once a generation."""
        archive = self.archive(server)
        generation = archive.generation
        known = self._headlines.get(archive)
        if known is None or known[0] != generation:
            known = generation, _headlines(archive.articles())
            self._headlines[archive] = known
        return known[1]

    def retired(self, server: int | None) -> tuple[Headline, ...]:
        """What reports were removed from a server, newest first."""
        return _headlines(self.archive(server).articles(retired=True))

    def close(self) -> None:
        """Let go of all collections."""
        with self._lock:
            for archive in self._open.values():
                archive.close()
            self._open.clear()
            self._headlines.clear()


def _headlines(articles: Iterable[Article]) -> tuple[Headline, ...]:
    oldest = datetime.min.replace(tzinfo=UTC)
    made = [Headline(one.article_id, one.title, one.publisher, one.published) for one in articles]
    return tuple(sorted(made, key=lambda one: one.published or oldest, reverse=True))
