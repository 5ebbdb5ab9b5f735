"""The face of `index`: a collection that can be asked, added to, corrected and measured.

Plain blocking calls, safe from several threads. Whoever serves people (the bot, the command
line) needs nothing else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO

from index.answering import decline, whats_new
from index.answering.compose import Context, compose
from index.answering.followup import resolved
from index.answering.requote import further, widened
from index.answering.select import CANDIDATES
from index.answering.timeline import Timeline, timeline
from index.domain import (
    Answer,
    Article,
    Filters,
    FollowUp,
    Notice,
    NoticeKind,
    Passage,
    Sentence,
)
from index.encoder import Encoder
from index.errors import InputError, NotFoundError, QuestionError
from index.ingest import ArticleChange, IngestResult, Intake, Progress, ProgressCallback, reported
from index.ranking.query import Query, parse, publishers_named
from index.ranking.rank import DEPTH, Ranking, rank
from index.reading import sources
from index.reading.http import Fetcher
from index.reading.text import Failure, clean
from index.schedule import Sources
from index.store.sqlite import CATALOGUE, EmbeddedStore
from index.store.types import Changes, HistoryEvent, Outcome, Size, Snapshot, Store
from index.store.writer import check_model
from index.text.terms import terms

DEFAULT_THRESHOLD = 0.12
MAX_K = 1_000
MAX_NOTE_CHARS = 1_000
_EXPORTED = "title text publisher author published url language guessed".split()


class Archive:
    """One collection with the encoder that embeds for it."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        *,
        threshold: float = DEFAULT_THRESHOLD,
        fetcher: Fetcher | None = None,
    ) -> None:
        """Wire the parts.

        Args:
            store: holds the collection.
            encoder: must be the one that the collection was embedded with.
            threshold: confidence under which a question is declined, 0..1.
            fetcher: reads addresses; one with the usual limits unless given.
        """
        self._store = store
        self._encoder = encoder
        self.answers = store.answers
        self.sources = Sources(store, encoder, fetcher or Fetcher())
        self._threshold = threshold

    @classmethod
    def open(
        cls,
        data: Path,
        collection: str,
        encoder: Encoder,
        *,
        threshold: float = DEFAULT_THRESHOLD,
        create: bool = True,
    ) -> Archive:
        """The embedded collection of that name below a data folder, created unless told not to.

        Its files are opened at first use.

        Raises:
            InputError: the name is no folder name.
            NotFoundError: there is no such collection, and it is not to be made.
        """
        if not collection or not all(char.isalnum() or char in "-_" for char in collection):
            raise InputError(
                f"“{collection}” cannot name a collection: use letters, digits, - and _."
            )
        if not create and not (data / collection / CATALOGUE).exists():
            have = ", ".join(cls.names(data)) or "none yet"
            raise NotFoundError(
                f"There is no collection “{collection}” in {data}; collections there: {have}."
            )
        store = EmbeddedStore(data / collection)
        return cls(store, encoder, threshold=threshold)

    @staticmethod
    def names(data: Path) -> list[str]:
        """The collections below a data folder, without what an erasing that was cut short left."""
        return sorted(file.parent.name for file in data.glob(f"[!.]*/{CATALOGUE}"))

    # Asking

    def ask(
        self,
        question: str,
        filters: Filters = Filters(),  # noqa: B008 - frozen
        previous: Answer | None = None,
    ) -> Answer:
        """Answer a question from one generation.

        Args:
            question: in a person's own words.
            filters: which reports may answer.
            previous: the answer that the question follows up; the words of its question are
                carried over. If that declines, only those that were quoted are.

        Raises:
            QuestionError: the question or a filter cannot be used.
            ModelMismatchError: the collection was embedded by another model.
        """
        if previous is None:
            return self._ask(question, filters, None)
        whole, after = resolved(question, previous)
        answer = self._ask(whole, filters, after)
        if answer.status == "declined" and previous.quotes:
            known = set(terms(" ".join(cited.quote.text for cited in previous.quotes)))
            whole, after = resolved(question, previous, known)
            retried = self._ask(whole, filters, after)
            return retried if retried.status == "answered" else answer
        return answer

    def _ask(self, question: str, filters: Filters, after: FollowUp | None) -> Answer:
        with self._store.snapshot() as snapshot:
            query, filters = _parsed(snapshot, question, filters, after)
            context = Context(filters, snapshot.generation, self._encoder.model, self._threshold)
            if request := whats_new.parse(query, snapshot):
                return whats_new.answer(query, request, snapshot, context)
            ranking = self._ranked(snapshot, query, filters, DEPTH)
            ids = dict.fromkeys(s.article_id for s in ranking.sentences[:CANDIDATES])
            answer = compose(ranking, snapshot.rewrites(ids), context)
            if answer.status == "declined" and filters:
                free = self._ranked(snapshot, query, Filters(), DEPTH)
                if free.confidence >= self._threshold:
                    best = free.articles[free.sentences[0].article_id]
                    reason = f"{answer.reason} {decline.excluded(filters, best)}"
                    answer = replace(answer, reason=reason)
            return answer

    def more(self, answer: Answer, limit: int) -> Answer:
        """A copy of an answer that quotes the next best passages (the next newest, for news)."""
        with self._store.snapshot() as snapshot:
            query, filters = _parsed(snapshot, answer.question, answer.filters)
            if request := whats_new.parse(query, snapshot):
                passages = whats_new.passages(request, snapshot, filters, limit)
            else:
                ranking = self._ranked(snapshot, query, filters, max(DEPTH, limit))
                best = ranking.sentences[:limit]
                passages = [Passage(ranking.articles[s.article_id], (s,), s, 0.0) for s in best]
            rewrites = snapshot.rewrites([p.article.article_id for p in passages])
        return further(answer, passages, rewrites)

    def context(self, answer: Answer) -> Answer:
        """A copy of an answer whose quotes have two more sentences on each side."""
        return widened(answer)

    def timeline(self, topic: str) -> Timeline:
        """Which days the reports with all words of a topic speak of. Raises QuestionError."""
        return timeline(topic, self.search(topic, MAX_K))

    def check(self, answer: Answer) -> None:
        """Compare every quote with the stored text; call it just before the answer is shown.

        Raises:
            QuoteError: the text differs; nothing of the answer may be shown.
        """
        with self._store.snapshot() as snapshot:
            for cited in [*answer.quotes, *([answer.closest] if answer.closest else [])]:
                quote = cited.quote
                quote.check(snapshot.article(quote.article_id, quote.revision))

    def search(
        self,
        question: str,
        k: int = 10,
        filters: Filters = Filters(),  # noqa: B008 - frozen
    ) -> Ranking:
        """Rank sentences without answering: at least k candidates if there are so many.

        Raises:
            QuestionError: the question, k or a filter cannot be used.
        """
        if not 1 <= k <= MAX_K:
            raise QuestionError(f"k is {k}: ask for 1 to {MAX_K:,} results.")
        with self._store.snapshot() as snapshot:
            query, filters = _parsed(snapshot, question, filters)
            return self._ranked(snapshot, query, filters, max(DEPTH, k))

    def _ranked(self, snapshot: Snapshot, query: Query, filters: Filters, depth: int) -> Ranking:
        check_model(snapshot.model, self._encoder.model)
        return rank(snapshot, self._encoder, query, filters, depth)

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
        """Add reports from files, folders or a stream; what fails is listed, the rest goes in.

        Args:
            names: paths, or "-" for JSON lines on `stream`.
            actor: who is written into the audit log.
            stream: bytes for "-".
            files: handed in, which no reindex looks for again.
            dry_run: tell what would be done, and do nothing.
            on_progress: called with the progress; may raise CancelledError to stop after a commit.
        """
        names = [*names]
        read: dict[str, str | None] = {}
        run = Intake(
            store=self._store,
            encoder=self._encoder,
            actor=actor,
            action="add",
            dry_run=dry_run,
            total=sources.total(names) if on_progress else None,
            on_progress=on_progress,
        )
        try:
            items = self.sources.read(names, read, stream)
            return run.take(chain(items, sources.uploaded(files)))
        finally:
            if not dry_run:
                self.sources.remember(n for n, error in read.items() if error is None and n != "-")

    def rebuild(
        self, *, actor: str = "operator", on_progress: ProgressCallback | None = None
    ) -> IngestResult:
        """Embed every sentence again, for a new encoder; questions are answered meanwhile.

        What was embedded is kept when it is interrupted, and the next call goes on from there.
        """
        started = time.monotonic()
        embedded = 0

        def report(done: int) -> None:
            nonlocal embedded
            embedded = done
            if on_progress:
                on_progress(Progress(0, done, None, f"{done:,} sentences embedded again"))

        self._encoder.encode([""])  # fails here, before anything changes, if it cannot be loaded
        commit = self._store.rebuild(self._encoder, actor=actor, on_progress=report)
        self._store.prepare()
        seconds = time.monotonic() - started
        return IngestResult(commit.generation, embedded=embedded, seconds=seconds)

    def remove(self, article_ids: Iterable[str], *, actor: str = "operator") -> IngestResult:
        """Take articles out; their text stays, so that old quotes still resolve."""
        return self._change(Changes(remove=[*article_ids]), actor, "remove")

    def restore(self, article_ids: Iterable[str], *, actor: str = "operator") -> IngestResult:
        """Bring removed articles back, without embedding them again."""
        return self._change(Changes(restore=[*article_ids]), actor, "restore")

    def undo(self, generation: int, *, actor: str = "operator") -> IngestResult:
        """Make every article what it was at a generation, without embedding; a new generation.

        Raises:
            NotFoundError: there is no such generation, or nothing came after it.
        """
        note = f"back to generation {generation}"
        return self._change(Changes(undo=generation), actor, "undo", note)

    def _change(self, changes: Changes, actor: str, action: str, note: str = "") -> IngestResult:
        started = time.monotonic()
        commit = self._store.commit(changes, actor=actor, action=action, note=note)
        changed: list[tuple[Outcome, ArticleChange]] = []
        failed: list[Failure] = []
        with self._store.snapshot() as snapshot:
            for article_id, outcome in commit.outcomes.items():
                if outcome == "absent":
                    error = "There is no such article: look for its id in the list of articles."
                    failed.append(Failure(article_id, error))
                else:
                    title = snapshot.article(article_id).title
                    count = len(snapshot.sentences(article_id))
                    changed.append((outcome, ArticleChange(article_id, title, count)))
        return reported(changed, commit.generation, started, failed)

    def correct(self, article_id: str, note: str, *, actor: str = "operator") -> Article:
        """Attach a correction to an article; answers that cite it show it. Raises NotFoundError."""
        return self._notice("corrected", article_id, note, actor)

    def retract(self, article_id: str, note: str, *, actor: str = "operator") -> Article:
        """Take an article out and say why; its old quotes still resolve. Raises NotFoundError."""
        return self._notice("retracted", article_id, note, actor)

    def _notice(self, kind: NoticeKind, article_id: str, note: str, actor: str) -> Article:
        note = " ".join(clean(note).split())
        if not 0 < len(note) <= MAX_NOTE_CHARS:
            raise InputError(f"Say in 1 to {MAX_NOTE_CHARS:,} characters what is wrong with it.")
        notice = Notice(kind, note, datetime.now(UTC), actor)
        changes = Changes(notices=[(article_id, notice)])
        action = "correct" if kind == "corrected" else "retract"
        self._store.commit(changes, actor=actor, action=action, note=note)
        return self.article(article_id)

    def export(self, stream: IO[bytes]) -> int:
        """Write the live articles as JSON lines that `add` reads; return how many."""
        articles = self.articles()
        for article in articles:
            row = {"id": article.article_id} | {name: getattr(article, name) for name in _EXPORTED}
            row["published"] = article.published.isoformat() if article.published else None
            filled = {name: value for name, value in row.items() if value}
            stream.write(json.dumps(filled, ensure_ascii=False).encode() + b"\n")
        return len(articles)

    def erase(self) -> None:
        """Delete the collection for good, damaged or not, with its answers and sources, and close.

        Raises:
            StoreError: its file is another program's or a newer version's, or cannot be deleted.
        """
        self._store.erase()

    # Looking

    @property
    def generation(self) -> int:
        """The newest committed state."""
        with self._store.snapshot() as snapshot:
            return snapshot.generation

    def related(self, article_id: str) -> list[Article]:
        """The other live articles that copy or rewrite one. Raises NotFoundError."""
        with self._store.snapshot() as snapshot:
            snapshot.article(article_id)
            return [
                snapshot.article(other)
                for other in sorted(snapshot.rewrites([article_id])[article_id])
            ]

    def sentences(self, article_id: str) -> list[Sentence]:
        """The sentences of an article's latest revision, in order. Raises NotFoundError."""
        with self._store.snapshot() as snapshot:
            return snapshot.sentences(article_id)

    def article(self, article_id: str, revision: int | None = None) -> Article:
        """One stored article, removed ones too. Raises NotFoundError."""
        with self._store.snapshot() as snapshot:
            return snapshot.article(article_id, revision)

    def articles(self, *, retired: bool = False) -> list[Article]:
        """All articles that questions see (or all removed ones), by id."""
        with self._store.snapshot() as snapshot:
            return snapshot.articles(retired=retired)

    def history(self, limit: int | None = None) -> list[HistoryEvent]:
        """The audit log, newest first."""
        with self._store.snapshot() as snapshot:
            return snapshot.history(limit)

    def publishers(self) -> dict[str, int]:
        """How many articles each publisher has."""
        with self._store.snapshot() as snapshot:
            return snapshot.publishers()

    def size(self) -> Size:
        """How much there is to ask about."""
        with self._store.snapshot() as snapshot:
            return snapshot.size()

    @property
    def model(self) -> str | None:
        """The model that the collection was embedded with; None while it is empty."""
        with self._store.snapshot() as snapshot:
            return snapshot.model

    def backup(self, file: Path) -> None:
        """Write a consistent copy of the collection to a file, while it is in use."""
        self._store.backup(file)

    def recover(self, file: Path) -> None:
        """Put a copy that `backup` made in the place of all that is stored."""
        self._store.recover(file)

    def prepare(self) -> None:
        """Load what the first question would wait for."""
        self._store.prepare()
        self._encoder.encode(["warm"])

    def close(self) -> None:
        """Let go of files."""
        self._store.close()


def _parsed(
    snapshot: Snapshot, question: str, filters: Filters, after: FollowUp | None = None
) -> tuple[Query, Filters]:
    """The question taken apart, and the filters with publishers as the collection spells them."""
    publishers = snapshot.publishers()
    as_of = filters.as_of.date() if filters.as_of else None
    query = parse(question, publishers, as_of=as_of, after=after)
    names = publishers_named(filters.publishers, publishers)
    return query, replace(filters, publishers=names)
