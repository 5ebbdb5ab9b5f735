"""The face of `index`: a collection that can be asked, added to, corrected and measured.

Plain blocking calls, safe from several threads. Whoever serves people (the bot, the command
line) needs nothing else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO

from index.answering import decline
from index.answering import whats_new as news
from index.answering.compose import citations, cited, compose
from index.answering.followup import resolved
from index.answering.timeline import Timeline, timeline
from index.domain import (
    Answer,
    Article,
    Citation,
    CitedQuote,
    Filters,
    FollowUp,
    Notice,
    NoticeKind,
    Passage,
    Quote,
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
from index.text.rewrites import is_rewrite
from index.text.sentences import Span, split
from index.text.terms import terms

DEFAULT_THRESHOLD = 0.12
MAX_K = 1_000
_CONTEXT = 2  # sentences on each side of a quote
_SAMPLED = 8  # sentences of a report by which others of its origin are looked for
_NEAR_SENTENCES = 10  # to each of them
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
            previous: the answer that the question follows up; its words are carried over. Where
                that declines, fewer of them are: a word that no report has may be in the way.

        Raises:
            QuestionError: the question or a filter cannot be used.
            ModelMismatchError: the collection was embedded by another model.
        """
        if previous is None:
            return self._ask(question, filters, None)
        whole, after = resolved(question, previous)
        answer = self._ask(whole, filters, after)
        if answer.status == "declined" and previous.quotes:
            quoted = " ".join(cited.quote.text for cited in previous.quotes)
            whole, after = resolved(question, previous, set(terms(quoted)))
            retried = self._ask(whole, filters, after)
            return retried if retried.status == "answered" else answer
        return answer

    def _ask(self, question: str, filters: Filters, after: FollowUp | None) -> Answer:
        with self._store.snapshot() as snapshot:
            publishers = snapshot.publishers()
            filters = _known(filters, publishers)
            if wanted := news.asked(question, snapshot, filters):
                return news.told(question, wanted, snapshot, filters, model=self._encoder.model)
            return self._answered(snapshot, parse(question, publishers), filters, after)

    def _answered(
        self, snapshot: Snapshot, query: Query, filters: Filters, after: FollowUp | None
    ) -> Answer:
        answer = compose(
            self._ranked(snapshot, query, filters, DEPTH),
            filters=filters,
            generation=snapshot.generation,
            model=self._encoder.model,
            threshold=self._threshold,
            after=after,
        )
        if answer.status == "declined" and filters:
            free = self._ranked(snapshot, query, Filters(), DEPTH)
            if free.confidence >= self._threshold:
                best = free.articles[free.sentences[0].article_id]
                left_out = decline.excluded(filters, best)
                answer = replace(answer, reason=f"{answer.reason} {left_out}")
        return answer

    def more(self, answer: Answer, limit: int) -> Answer:
        """A copy of an answer that quotes the next best passages (the next newest, for news)."""
        passages = self._further(answer, limit)
        sources = citations(passages, {p.article.article_id: p.article for p in passages})
        quotes = tuple(cited(passage, sources) for passage in passages)
        return _with_quotes(answer, quotes, sources)

    def context(self, answer: Answer) -> Answer:
        """A copy of an answer whose quotes have two more sentences on each side."""
        articles = {citation.number: citation.article for citation in answer.citations}
        wider = []
        for quoted in answer.quotes:
            article = articles[quoted.citation]
            span = _with_neighbours(split(article.text, article.language), quoted.quote)
            wider.append(CitedQuote(Quote.cut(article, span.start, span.end), quoted.citation))
        return _with_quotes(answer, tuple(wider), answer.citations)

    def timeline(self, topic: str) -> Timeline:
        """Which days the reports with all words of a topic speak of. Raises QuestionError."""
        return timeline(topic, self.search(topic, MAX_K))

    def _further(self, answer: Answer, most: int) -> list[Passage]:
        """The next best passages (or, of an answer with news, the next newest) of an answer."""
        with self._store.snapshot() as snapshot:
            publishers = snapshot.publishers()
            if wanted := news.asked(answer.question, snapshot, answer.filters):
                found = news.passages(wanted, snapshot, answer.filters, most)
            else:
                query = parse(answer.question, publishers)
                ranking = self._ranked(snapshot, query, answer.filters, max(DEPTH, most))
                best = ranking.sentences[:most]
                found = [Passage(ranking.articles[one.article_id], (one,), one, 0) for one in best]
        told = [one.quote for one in (*answer.quotes, *filter(None, [answer.closest]))]
        return [
            replace(passage, also=())
            for passage in found
            if not any(
                quote.article_id == passage.article.article_id
                and quote.start <= passage.best.start < quote.end
                for quote in told
            )
        ]

    def check(self, answer: Answer) -> None:
        """Compare every quote with the stored text again, just before it is sent.

        Raises:
            QuoteError: one no longer stands there; nothing of the answer may be sent.
        """
        with self._store.snapshot() as snapshot:
            _check_quotes(snapshot, answer)

    def search(
        self,
        question: str,
        k: int = 10,
        filters: Filters = Filters(),  # noqa: B008 - frozen
    ) -> Ranking:
        """Rank sentences without answering; at least k candidates where there are so many.

        Raises:
            QuestionError: the question, k or a filter cannot be used.
        """
        if not 1 <= k <= MAX_K:
            raise QuestionError(f"k is {k}: ask for 1 to {MAX_K:,} results.")
        with self._store.snapshot() as snapshot:
            publishers = snapshot.publishers()
            query, filters = parse(question, publishers), _known(filters, publishers)
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
            found = self.sources.read(names, read, stream)
            return run.take(chain(found, sources.uploaded(files)))
        finally:
            if not dry_run:
                told = (name for name, error in read.items() if error is None and name != "-")
                self.sources.remember(told)

    def rebuild(
        self, *, actor: str = "operator", on_progress: ProgressCallback | None = None
    ) -> IngestResult:
        """Embed every sentence again, for a new encoder; questions are answered meanwhile.

        What was embedded is kept when it is interrupted, and the next call goes on from there.
        """
        started = time.monotonic()
        embedded = 0

        def told(done: int) -> None:
            nonlocal embedded
            embedded = done
            if on_progress:
                on_progress(Progress(0, done, None, f"{done:,} sentences embedded again"))

        self._encoder.encode([""])  # a model that cannot be loaded is not put in force
        commit = self._store.rebuild(self._encoder, actor=actor, on_progress=told)
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
        made: list[tuple[Outcome, ArticleChange]] = []
        failed = []
        with self._store.snapshot() as snapshot:
            for article_id, outcome in commit.outcomes.items():
                if outcome == "absent":
                    error = "There is no such article: `onrecord articles` lists all."
                    failed.append(Failure(article_id, error))
                else:
                    title = snapshot.article(article_id).title
                    count = len(snapshot.sentences(article_id))
                    made.append((outcome, ArticleChange(article_id, title, count)))
        return reported(made, commit.generation, started, failed)

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
        """Write the articles that questions see as JSON lines that `add` reads; how many."""
        found = self.articles()
        for one in found:
            row = {"id": one.article_id, **{name: getattr(one, name) for name in _EXPORTED}}
            row["published"] = one.published.isoformat() if one.published else None
            told = {name: value for name, value in row.items() if value}
            stream.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")
        return len(found)

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

    def same_origin(self, article_id: str) -> list[Article]:
        """The other live reports that copy or rewrite an article, or what it was made from.

        Only those are compared that have a sentence near one of its own, so it costs the same
        however large the collection is.
        """
        with self._store.snapshot() as snapshot:
            article = snapshot.article(article_id)
            vectors = [*snapshot.embedded(article_id).values()]
            step = max(1, len(vectors) // _SAMPLED)
            near = [snapshot.dense(vector, _NEAR_SENTENCES).ids for vector in vectors[::step]]
            found = snapshot.rows({int(one) for ids in near for one in ids}).articles
        others = (one for one in found.values() if one.article_id != article_id)
        return [one for one in others if is_rewrite(article.text, one.text)]

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


def _known(filters: Filters, publishers: Mapping[str, int]) -> Filters:
    """The filters with publishers by the names that the collection knows."""
    return replace(filters, publishers=publishers_named(filters.publishers, publishers))


def _check_quotes(snapshot: Snapshot, answer: Answer) -> None:
    for quoted in [*answer.quotes, *([answer.closest] if answer.closest else [])]:
        quoted.quote.check(snapshot.article(quoted.quote.article_id, quoted.quote.revision))


def _with_quotes(
    answer: Answer, quotes: tuple[CitedQuote, ...], sources: tuple[Citation, ...]
) -> Answer:
    """A copy of an answer with other quotes and no verdict on them."""
    return replace(
        answer,
        status="answered" if quotes else "declined",
        quotes=quotes,
        citations=sources,
        agreement=None,
        reason=None if quotes else "The reports have no more on this.",
        closest=None,
        news=None,
    )


def _with_neighbours(spans: list[Span], quote: Quote) -> Span:
    """A quote's span, widened by the sentences around it."""
    inside = [i for i, s in enumerate(spans) if s.start < quote.end and quote.start < s.end]
    if not inside:
        return Span(quote.start, quote.end)
    first, last = max(0, inside[0] - _CONTEXT), min(len(spans) - 1, inside[-1] + _CONTEXT)
    return Span(min(quote.start, spans[first].start), max(quote.end, spans[last].end))
