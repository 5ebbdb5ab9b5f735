"""The collections of a data folder: each opened at first use and kept open."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.settings import Settings
from index import Archive, Encoder, InputError


@dataclass(frozen=True, slots=True)
class Headline:
    """A report in a list: all but its text."""

    article_id: str
    title: str
    publisher: str | None
    published: datetime | None


class Collections:
    """Opens collections by name, or for servers. Safe to call from several threads."""

    def __init__(self, settings: Settings, encoder: Encoder) -> None:
        """Wire the settings and the one encoder that all collections share."""
        self._settings = settings
        self._encoder = encoder
        self._open: dict[str, Archive] = {}
        self._lock = threading.Lock()
        self._headlines: dict[tuple[Archive, bool], tuple[int, tuple[Headline, ...]]] = {}

    def open(self, name: str, *, create: bool = True) -> Archive:
        """The collection of that name; made where there is none, unless `create` is false.

        Raises:
            NotFoundError: there is no such collection, and it is not to be made.
        """
        with self._lock:
            if name not in self._open:
                self._open[name] = Archive.open(
                    self._settings.data,
                    name,
                    self._encoder,
                    threshold=self._settings.answers.threshold,
                    create=create,
                )
            return self._open[name]

    def archive(self, server: int | None) -> Archive:
        """The collection of a server, and of no other unless the settings say so.

        Raises:
            QuestionError: None, for a direct message, and the settings name no collection for it.
        """
        return self.open(self._settings.discord.collection_of(server))

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
        archive = self.open(name)
        with self._lock:
            self._open.pop(name, None)
            self._headlines.clear()
        archive.erase()

    def headlines(self, server: int | None, *, retired: bool = False) -> tuple[Headline, ...]:
        """A server's reports, or those removed from it, newest first; read once a generation."""
        archive = self.archive(server)
        generation = archive.generation
        known = self._headlines.get((archive, retired))
        if known is None or known[0] != generation:
            oldest = datetime.min.replace(tzinfo=UTC)
            made = [
                Headline(one.article_id, one.title, one.publisher, one.published)
                for one in archive.articles(retired=retired)
            ]
            made.sort(key=lambda one: one.published or oldest, reverse=True)
            known = self._headlines[archive, retired] = generation, tuple(made)
        return known[1]

    def close(self) -> None:
        """Let go of all collections."""
        with self._lock:
            for archive in self._open.values():
                archive.close()
            self._open.clear()
            self._headlines.clear()
