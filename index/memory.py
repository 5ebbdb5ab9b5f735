"""What a collection remembers of its answers: recalling, judging and watching, in one call each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from index.article import Answer
from index.errors import NotFoundError
from index.log import Asked, Feedback, Recalled, Verdict, Watch
from index.store import Store


class Memory:
    """The answer log of a store."""

    def __init__(self, store: Store) -> None:
        """Remember in this store."""
        self._store = store

    def log(self, answer: Answer, *, channel: int | None, message: int | None) -> None:
        """Keep an answer that was sent."""
        with self._store.logging() as log:
            log.record(answer, channel=channel, message=message)

    def recall(self, answer_id: str) -> Recalled:
        """An answer that was sent. Raises NotFoundError."""
        with self._store.snapshot() as snapshot:
            found = snapshot.log.recall(answer_id.strip().lower(), snapshot.article)
        if found is None:
            raise NotFoundError(
                f"No answer “{answer_id}” is kept here: copy the id from under an answer; those "
                "given long ago are forgotten."
            )
        return found

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
