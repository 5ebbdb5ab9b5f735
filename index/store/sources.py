"""The sources of a collection, and when each is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from index.store.schema import moment

_DAY = 24 * 60  # minutes
NO_FAILURES: dict[str, Any] = {
    "failures": 0,
    "failing_since": None,
    "error": None,
    "reported": False,
}
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
        return cls(
            *(uri, kind, every, bool(paused), moment(checked), moment(succeeded)),
            *(failures, moment(since), error, bool(reported)),
        )

    def due(self) -> datetime | None:
        """Return when to read it again; each failure in a row doubles the wait, up to a day.

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
        return {"checked": now, "succeeded": now, **NO_FAILURES}


COLUMNS = ", ".join(field.name for field in fields(Source))
