"""Ask, add to and correct a collection: the public interface of `index`.

All calls block; they are safe to use from several threads.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO

from index.answering import ask as asking
from index.answering.timeline import Timeline, timeline
from index.domain import Answer, Article, Failure, Filters, Notice, NoticeKind, Sentence
from index.encoder import Encoder
from index.errors import InputError, QuestionError
from index.ingest import Ingest
from index.ranking.rank import Ranker, Ranking
from index.reader.model import Reader
from index.reading import sources
from index.reading.formats import json_line
from index.reading.http import Fetcher
from index.reading.text import clean
from index.results import ArticleChange, IngestResult, Progress, ProgressCallback
from index.schedule import Sources
from index.store.engines import Folder
from index.store.protocol import Store
from index.store.types import Changes, HistoryEvent, IndexVersion, Noted, Outcome, Size

DEFAULT_THRESHOLD = 0.4  # answers 83 % of ordinary questions, and 27 % of near misses
MAX_K = 1_000
MAX_NOTE_CHARS = 1_000
_ABSENT = "There is no such article: look for its id in the list of articles."


class Archive:
    """A collection and its encoder.

    Attributes:
        answers: the log of its answers.
        people: what it keeps about people.
        inbox: open items for moderators.
        preferences: what moderators of its servers have chosen.
        sources: where its articles come from.
        glance: a context manager; what this thread reads in it evicts no collection from the pool.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        *,
        reader: Reader | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        fetcher: Fetcher | None = None,
    ) -> None:
        """Use a store; `threshold` (0..1) is the confidence below which questions are declined."""
        self._store = store
        self._encoder = encoder
        self._ranker = Ranker(encoder, reader)
        self.answers, self.inbox = store.answers, store.inbox
        self.people, self.preferences = store.people, store.preferences
        self.glance = store.glance
        self.sources = Sources(store, encoder, fetcher or Fetcher())
        self._threshold = threshold
        self._asked = asking.Asker(self._ranker)

    @classmethod
    def open(
        cls,
        data: Path,
        collection: str,
        encoder: Encoder,
        *,
        reader: Reader | None = None,
        threshold: float = DEFAULT_THRESHOLD,
    ) -> Archive:
        """Open a collection in a data folder by name, or create it there.

        Raises InputError if the name cannot name a folder.
        """
        store = Folder(data).open(collection, create=True)
        return cls(store, encoder, reader=reader, threshold=threshold)

    # Asking

    def ask(
        self,
        question: str,
        filters: Filters = Filters(),  # noqa: B008 - frozen
        previous: Answer | None = None,
        threshold: float | None = None,
    ) -> Answer:
        """Answer a question from one generation, or a follow-up to the `previous` answer.

        A follow-up takes over the words of the previous question or, if that leads to a decline,
        only those that were quoted. `threshold` overrides the collection's.

        Raises QuestionError if the question or a filter cannot be used.
        """
        least = self._threshold if threshold is None else threshold
        return self._store.read(
            lambda snapshot: self._asked.ask(snapshot, question, filters, previous, least)
        )

    def more(self, answer: Answer, limit: int) -> Answer:
        """Return a copy of an answer that quotes the next best (for news: newest) passages."""
        return self._store.read(lambda snapshot: asking.more(snapshot, self._ranker, answer, limit))

    def timeline(self, topic: str) -> Timeline:
        """Return the days mentioned by reports with all words of a topic. Raises QuestionError."""
        return timeline(topic, self.search(topic, MAX_K))

    def check(self, answer: Answer) -> None:
        """Compare every quote with the stored text; call it just before the answer is shown.

        Raises QuoteError if the text differs: then no part of the answer may be shown.
        """
        self._store.read(lambda snapshot: asking.check(answer, snapshot))

    def search(
        self,
        question: str,
        k: int = 10,
        filters: Filters = Filters(),  # noqa: B008 - frozen
    ) -> Ranking:
        """Rank sentences without answering; return at least k of them, if there are as many.

        Raises QuestionError if the question, k or a filter cannot be used.
        """
        if not 1 <= k <= MAX_K:
            raise QuestionError(f"k is {k}: ask for 1 to {MAX_K:,} results.")
        return self._store.read(
            lambda snapshot: asking.search(snapshot, self._ranker, question, filters, k)
        )

    # Changing

    def add(
        self,
        names: Iterable[str],
        *,
        actor: str = "operator",
        stream: IO[bytes] | None = None,
        files: Iterable[sources.Upload | Failure] = (),
        dry_run: bool = False,
        on_progress: ProgressCallback | None = None,
    ) -> IngestResult:
        """Add articles; failures are listed, the rest is committed.

        Args:
            names: paths, URLs, or "-" for the JSON lines of `stream`.
            actor: named in the audit log.
            stream: bytes for "-".
            files: uploads, which a reindex does not read again.
            dry_run: report what would be done, and change nothing.
            on_progress: called with the progress; may raise CancelledError to stop after a commit.
        """
        names = [*names]
        with self._store.copy() if dry_run else nullcontext(self._store) as store:
            result = Ingest(
                store=store,
                encoder=self._encoder,
                actor=actor,
                action="add",
                dry_run=dry_run,
                total=sources.total(names) if on_progress else None,
                on_progress=on_progress,
            ).run(chain(self.sources.read(names, stream), sources.uploaded(files)))
        if not dry_run:
            read = {source.uri for source in result.sources if source.error is None}
            self.sources.remember(sorted(read - {"-"}))
        return replace(result, skipped=sources.skipped_files(names))

    def rebuild(
        self, *, actor: str = "operator", on_progress: ProgressCallback | None = None
    ) -> IngestResult:
        """Embed every sentence again, for a new encoder; an interrupted call can be resumed."""
        started, embedded = time.monotonic(), 0

        def report(done: int) -> None:
            nonlocal embedded
            embedded = done
            if on_progress:
                on_progress(Progress(0, done, None, f"{done:,} sentences embedded again"))

        self._encoder.encode([""])  # if the model cannot be loaded, fail before anything changes
        generation = self._store.rebuild(self._encoder, actor=actor, on_progress=report).generation
        self._store.prepare()
        return IngestResult(generation, embedded=embedded, seconds=time.monotonic() - started)

    def remove(self, article_ids: Iterable[str], *, actor: str = "operator") -> IngestResult:
        """Remove articles; their text stays, so that old quotes can still be checked."""
        return self._change(Changes(remove=[*article_ids]), actor, "remove")

    def restore(self, article_ids: Iterable[str], *, actor: str = "operator") -> IngestResult:
        """Restore removed articles without embedding them again, and withdraw retractions."""
        return self._change(Changes(restore=[*article_ids]), actor, "restore")

    def undo(
        self,
        generation: int,
        *,
        actor: str = "operator",
        dry_run: bool = False,
        seen: int | None = None,
    ) -> IngestResult:
        """Roll back to an earlier generation; if that changes anything, it is a new generation.

        The result has the notices that this withdraws. Raises NotFoundError if there is no such
        generation, InputError if `seen` is given and is not the newest generation.
        """
        changes = Changes(undo=generation, seen=seen)
        return self._change(changes, actor, "undo", f"back to {generation}", dry_run=dry_run)

    def _change(
        self, changes: Changes, actor: str, action: str, note: str = "", *, dry_run: bool = False
    ) -> IngestResult:
        started, failed = time.monotonic(), list[Failure]()
        commit = self._store.commit(changes, actor=actor, action=action, note=note, dry_run=dry_run)
        changed = list[tuple[Outcome, ArticleChange]]()
        with self._store.snapshot() as snapshot:
            for name, outcome in commit.outcomes.items():
                if outcome == "absent":
                    failed.append(Failure(name, _ABSENT))
                    continue
                title, count = snapshot.article(name).title, len(snapshot.sentences(name))
                changed.append((outcome, ArticleChange(name, title, count)))
        result = IngestResult.of(changed, commit.generation, started, failed)
        return replace(result, notices=commit.notices)

    def correct(self, article_id: str, note: str, *, actor: str = "operator") -> Noted:
        """Attach a correction. Raises NotFoundError, or InputError if the article is retracted."""
        return self._notice("corrected", article_id, note, actor)

    def retract(self, article_id: str, note: str, *, actor: str = "operator") -> Noted:
        """Remove an article and say why. Raises NotFoundError."""
        return self._notice("retracted", article_id, note, actor)

    def _notice(self, kind: NoticeKind, article_id: str, note: str, actor: str) -> Noted:
        note = " ".join(clean(note).split())
        if not 0 < len(note) <= MAX_NOTE_CHARS:
            raise InputError(f"Say in 1 to {MAX_NOTE_CHARS:,} characters what is wrong with it.")
        notice = Notice(kind, note, datetime.now(UTC), actor)
        action, changes = kind.removesuffix("ed"), Changes(notices=[(article_id, notice)])
        commit = self._store.commit(changes, actor=actor, action=action, note=note)
        replaced = next((change.notice for change in commit.notices), None)
        return Noted(self.article(article_id), replaced)

    def export(self, stream: IO[bytes]) -> int:
        """Write the live articles as JSON lines that `add` reads; return their number."""
        articles = self.articles()
        stream.writelines(json_line(article) for article in articles)
        return len(articles)

    def erase(self) -> None:
        """Delete the collection with its answers and sources, damaged or not. Raises StoreError."""
        self._store.erase()

    # Reading

    @property
    def generation(self) -> int:
        """The number of the newest committed state."""
        return self.version.generation

    @property
    def version(self) -> IndexVersion:
        """An id of the newest committed state; unlike a generation's number, it is never reused."""
        with self._store.snapshot() as snapshot:
            return snapshot.version

    def related(self, article_id: str) -> list[Article]:
        """Return the live articles of the same origin (copies, rewrites). Raises NotFoundError."""
        with self._store.snapshot() as snapshot:
            snapshot.article(article_id)
            rewrites = sorted(snapshot.rewrites([article_id])[article_id])
            return [snapshot.article(other) for other in rewrites]

    def sentences(self, article_id: str) -> list[Sentence]:
        """Return the sentences of an article's latest revision, in order. Raises NotFoundError."""
        with self._store.snapshot() as snapshot:
            return snapshot.sentences(article_id)

    def article(self, article_id: str, revision: int | None = None) -> Article:
        """Return a stored article, removed or not. Raises NotFoundError."""
        with self._store.snapshot() as snapshot:
            return snapshot.article(article_id, revision)

    def articles(self, *, retired: bool = False) -> list[Article]:
        """Return all live articles, or all removed articles, sorted by id."""
        with self._store.snapshot() as snapshot:
            return snapshot.articles(retired=retired)

    def history(self, limit: int | None = None) -> list[HistoryEvent]:
        """Return the audit log, newest first."""
        with self._store.snapshot() as snapshot:
            return snapshot.history(limit)

    def publishers(self) -> dict[str, int]:
        """Return how many live articles each publisher has."""
        with self._store.snapshot() as snapshot:
            return snapshot.publishers()

    def size(self) -> Size:
        """Return how many articles and sentences are live."""
        with self._store.snapshot() as snapshot:
            return snapshot.size()

    @property
    def model(self) -> str | None:
        """The model that the collection was embedded with; None while it is empty."""
        with self._store.snapshot() as snapshot:
            return snapshot.model

    def backup(self, file: Path) -> None:
        """Write a consistent copy of the collection to a file, even while it is in use."""
        self._store.backup(file)

    def recover(self, file: Path, *, actor: str = "operator") -> None:
        """Replace everything stored, damaged or not, by a copy that `backup` wrote.

        Preferences stay, if they can be read. The audit log notes the recovery. Raises StoreError
        if the file is not such a copy or is incomplete; then nothing is changed.
        """
        self._store.recover(file, actor=actor)

    def prepare(self) -> None:
        """Load the vector index, so that the first question does not wait for it."""
        self._store.prepare()

    def verify(self) -> None:
        """Read everything stored. Raises StoreDamagedError if any of it is damaged."""
        self._store.verify()

    def close(self) -> None:
        """Close files and connections."""
        self._store.close()
