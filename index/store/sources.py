"""The sources of a collection: when each is due, and how it is stored."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from index.store.schema import moment, utc_text

_DAY = 24 * 60  # minutes

ADD = "INSERT INTO source (uri, kind, every) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
SCHEDULE = "UPDATE source SET every = ? WHERE uri = ?"
PAUSE = "UPDATE source SET paused = 1 WHERE uri = ?"
RESUME = "UPDATE source SET paused = 0, failures = 0, checked = NULL WHERE uri = ?"
UPDATE = """
    UPDATE source SET checked = ?, succeeded = ?, failing_since = ?, failures = ?, error = ?,
    reported = ? WHERE uri = ?
"""
REMOVE = "DELETE FROM source WHERE uri = ?"
_SELECT = """
    SELECT uri, kind, every, paused, checked, succeeded, failures, failing_since, error, reported
    FROM source ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A place that articles come from, and how reading it went.

    Attributes:
        every: minutes between two reads; None: only when a reindex is asked for.
        checked, succeeded: when it was read last, and last without failing.
        failures: in a row; `error` is the last one, `failing_since` the moment of the first.
        reported: whether moderators know that it fails.
    """

    uri: str
    kind: Literal["file", "folder", "url"]
    every: int | None = None
    paused: bool = False
    checked: datetime | None = None
    succeeded: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    error: str | None = None
    reported: bool = False

    def due(self, now: datetime) -> bool:
        """Whether to read it again; each failure in a row doubles the wait, up to a day."""
        if self.every is None or self.paused:
            return False
        wait = min(self.every * 2 ** min(self.failures, 20), max(self.every, _DAY))
        return self.checked is None or self.checked + timedelta(minutes=wait) <= now

    def after(self, now: datetime, error: str | None) -> Source:
        """The source after it was read, or failed to be."""
        if error is None:
            fresh = Source(self.uri, self.kind, self.every, self.paused)
            return replace(fresh, checked=now, succeeded=now)
        since = self.failing_since or now
        failures = self.failures + 1
        return replace(self, checked=now, failures=failures, failing_since=since, error=error)


def status(source: Source) -> tuple[object, ...]:
    """How reading a source went, as `UPDATE` stores it."""
    moments = (source.checked, source.succeeded, source.failing_since)
    return (*map(utc_text, moments), source.failures, source.error, source.reported)


def read_sources(db: sqlite3.Connection) -> list[Source]:
    """All sources, in the order they were added."""
    return [
        Source(
            *(uri, kind, every, bool(paused), moment(checked), moment(succeeded)),
            *(failures, moment(since), error, bool(reported)),
        )
        for uri, kind, every, paused, checked, succeeded, failures, since, error, reported in (
            db.execute(_SELECT)
        )
    ]
