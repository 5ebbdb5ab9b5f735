"""Which collection a server asks: each its own, opened at first use and kept open."""

from __future__ import annotations

import threading

from bot.settings import Settings
from index.archive import Archive
from index.encoder import Encoder


class Library:
    """Opens collections for servers. Safe to call from several threads."""

    def __init__(self, settings: Settings, encoder: Encoder) -> None:
        """Wire the settings and the one encoder that all collections share."""
        self._settings = settings
        self._encoder = encoder
        self._open: dict[str, Archive] = {}
        self._lock = threading.Lock()

    def archive(self, server: int) -> Archive:
        """The collection of a server, and of no other unless the settings say so."""
        name = self._settings.discord.collection_of(server)
        with self._lock:
            if name not in self._open:
                self._open[name] = Archive.open(
                    self._settings.data,
                    name,
                    self._encoder,
                    threshold=self._settings.answers.threshold,
                )
            return self._open[name]

    def close(self) -> None:
        """Let go of all collections."""
        with self._lock:
            for archive in self._open.values():
                archive.close()
            self._open.clear()
