"""The sources of a collection, and when each is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

_DAY = 24 * 60  # minutes
_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Source:
    """A place that articles come from, and the result of reading it.

    Attributes:
        every: minutes between two reads; None: only when a reindex is asked for.
        checked, succeeded: when it was last read, and last read without failing.
        failures: failed reads in a row; `error` is the last error, `failing_since` the time of the
            first.
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

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Source:
        """Return a source from its columns, which are named and ordered as its fields."""
        uri, kind, every, paused, checked, succeeded, failures, since, error, reported = row
        checked, succeeded, since = (
            text and datetime.fromisoformat(text) for text in (checked, succeeded, since)
        )
        return cls(
            *(uri, kind, every, bool(paused), checked, succeeded),
            *(failures, since, error, bool(reported)),
        )

    def due(self) -> datetime | None:
        """The time to read it again; each failure in a row doubles the wait, up to a day.

        It is None without a schedule, and the beginning of time if it was never read.
        """
        if self.every is None or self.paused:
            return None
        wait = min(self.every * 2 ** min(self.failures, 20), max(self.every, _DAY))
        return self.checked + timedelta(minutes=wait) if self.checked else _ALWAYS

    def after(self, now: datetime, error: str | None) -> dict[str, Any]:
        """Return the fields to update after it was read or, with an `error`, could not be read."""
        if error is not None:
            since, failures = self.failing_since or now, self.failures + 1
            return {"checked": now, "failures": failures, "failing_since": since, "error": error}
        fine = {"failures": 0, "failing_since": None, "error": None, "reported": False}
        return {"checked": now, "succeeded": now, **fine}


COLUMNS = ", ".join(field.name for field in fields(Source))
