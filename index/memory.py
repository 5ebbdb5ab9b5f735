"""What a collection remembers of its answers: recalling, judging and watching, in one call each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from index.article import Answer, Article
from index.errors import NotFoundError, QuoteError
from index.log import Asked, Feedback, Recalled, Verdict, Watch
from index.store import Snapshot, Store


@dataclass(frozen=True, slots=True)
class Disturbed:
    """A public answer that quotes what no longer stands.

    Attributes:
        entry: the answer as it was kept, with where it was posted.
        article: as it is now, with its notice.
        kind: what became of the article.
        quotes: the sentences quoted from it that it no longer has; all, where it was taken out.
    """

    entry: Recalled
    article: Article
    kind: Literal["changed", "removed", "corrected", "retracted"]
    quotes: tuple[str, ...]


class Memory:
    """The answer log of a store."""

    def __init__(self, store: Store) -> None:
        """Remember in this store."""
        self._store = store

    def log(
        self, answer: Answer, *, channel: int | None = None, message: int | None = None
    ) -> None:
        """Keep an answer that was sent, and where all can read it; without that it is private."""
        with self._store.logging() as log:
            log.record(answer, channel=channel, message=message)

    def recall(self, answer_id: str) -> Recalled:
        """An answer that was sent, its quotes cut again as they were. Raises NotFoundError."""
        with self._store.snapshot() as snapshot:
            return _recalled(snapshot, answer_id)

    def quoting(self, article_id: str, limit: int = 5) -> list[Asked]:
        """Answers for all to read that quote an article, newest first."""
        with self._store.snapshot() as snapshot:
            return snapshot.log.quoting(article_id, limit)

    def judge(self, answer_id: str, verdict: Verdict, note: str = "", *, reader: int) -> None:
        """Keep what a reader said of an answer, in the place of what they said before."""
        with self._store.logging() as log:
            log.judge(answer_id, verdict, note, reader)

    def prune(self, days: int) -> None:
        """Forget answers that were given more than so many days ago."""
        with self._store.logging() as log:
            log.prune(datetime.now(UTC) - timedelta(days=days))

    def feedback(self, answer_id: str) -> list[Feedback]:
        """What readers said of an answer, oldest first."""
        with self._store.snapshot() as snapshot:
            return snapshot.log.feedback(answer_id)

    def watch(self, answer: Answer, *, channel: int, person: int) -> int:
        """Wait for reports that answer what this answer declined; the watch's number."""
        watch = Watch(0, answer.question, answer.filters, answer.generation, channel, person)
        with self._store.logging() as log:
            return log.watch(watch)

    def looked(self, number: int, generation: int) -> None:
        """Note that a generation was looked at for a watch."""
        with self._store.logging() as log:
            log.looked(number, generation)

    def unwatch(self, number: int) -> None:
        """End a watch."""
        with self._store.logging() as log:
            log.unwatch(number)

    def watches(self) -> list[Watch]:
        """What somebody waits for, oldest first."""
        with self._store.snapshot() as snapshot:
            return snapshot.log.watches()

    def disturbed(self, since: datetime) -> list[Disturbed]:
        """Public answers posted since whose quotes no longer stand, until they are told of.

        A quote stands while the live text of its article has it, letter for letter, and the
        article was not corrected or retracted after the answer.
        """
        with self._store.snapshot() as snapshot:
            told = snapshot.log.told()
            return [
                found
                for entry in _posted(snapshot, since)
                for article_id in dict.fromkeys(q.quote.article_id for q in entry.answer.quotes)
                if (found := _disturbed(snapshot, entry, article_id))
                and (entry.answer.answer_id, article_id, found.kind) not in told
            ]

    def told(self, disturbed: Iterable[Disturbed]) -> None:
        """Note that readers of these answers know."""
        with self._store.logging() as log:
            for one in disturbed:
                log.tell(one.entry.answer.answer_id, one.article.article_id, one.kind)


def _recalled(snapshot: Snapshot, answer_id: str) -> Recalled:
    found = snapshot.log.recall(answer_id.strip().lower(), snapshot.article)
    if found is None:
        raise NotFoundError(
            f"No answer “{answer_id}” is kept here: copy the id from under an answer; those "
            "given long ago are forgotten."
        )
    return found


def _posted(snapshot: Snapshot, since: datetime) -> Iterator[Recalled]:
    """Public answers; one that was sent while a copy was recovered may quote what is not there."""
    for answer_id in snapshot.log.posted(since):
        with contextlib.suppress(NotFoundError, QuoteError):
            yield _recalled(snapshot, answer_id)


def _disturbed(snapshot: Snapshot, entry: Recalled, article_id: str) -> Disturbed | None:
    now = snapshot.article(article_id)
    quoted = [one.quote for one in entry.answer.quotes if one.quote.article_id == article_id]
    lost = tuple(quote.text for quote in quoted if now.retired or quote.text not in now.text)
    if now.notice and now.notice.at >= entry.at.replace(microsecond=0):  # kept to the second
        return Disturbed(entry, now, now.notice.kind, lost)
    if lost:
        return Disturbed(entry, now, "removed" if now.retired else "changed", lost)
    return None
