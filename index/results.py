"""What changes of a collection did, and the progress of long ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from index.domain import Failure
from index.reading.items import Omission
from index.store.types import NoticeChange, Outcome


@dataclass(frozen=True, slots=True)
class ArticleChange:
    """An article that was added, updated, removed or restored."""

    article_id: str
    title: str
    sentences: int


@dataclass(frozen=True, slots=True)
class SourceRead:
    """A source that was read; `error` says why it gave no article."""

    uri: str
    error: str | None


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What adding, reindexing, removing, restoring, undoing or rebuilding did.

    Attributes:
        embedded: sentences embedded by a rebuild.
        sources: the sources that were read; none if the run ended early.
        omitted: what was left out of items that were otherwise stored.
        skipped: number of files in folders that have no readable format.
        notices: corrections and retractions that were withdrawn or put back in force.
    """

    generation: int
    added: tuple[ArticleChange, ...] = ()
    updated: tuple[ArticleChange, ...] = ()
    restored: tuple[ArticleChange, ...] = ()
    removed: tuple[ArticleChange, ...] = ()
    unchanged: int = 0
    failed: tuple[Failure, ...] = ()
    omitted: tuple[Omission, ...] = ()
    embedded: int = 0
    seconds: float = 0.0
    sources: tuple[SourceRead, ...] = ()
    skipped: int = 0
    notices: tuple[NoticeChange, ...] = ()

    @classmethod
    def of(
        cls,
        changes: Sequence[tuple[Outcome, ArticleChange]],
        generation: int,
        started: float,
        failed: Sequence[Failure],
    ) -> IngestResult:
        """Group changes by outcome; of several changes of an article with one outcome, the last.

        `started` is a reading of `time.monotonic`.
        """

        def having(outcome: Outcome) -> tuple[ArticleChange, ...]:
            last = {change.article_id: change for became, change in changes if became == outcome}
            return tuple(last.values())

        return cls(
            generation,
            *(having("added"), having("updated"), having("restored"), having("removed")),
            unchanged=len(having("unchanged")),
            failed=tuple(failed),
            seconds=time.monotonic() - started,
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a long task: `total` articles if known, `title` of the current one."""

    articles: int
    sentences: int
    total: int | None
    title: str


ProgressCallback = Callable[[Progress], None]
