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
from index.answering.compose import compose
from index.answering.duplicates import same_origin
from index.domain import (
    Answer,
    Article,
    Filters,
    FollowUp,
    Notice,
    Passage,
    Sentence,
    Standing,
)
from index.encoder import Encoder
from index.errors import InputError, NotFoundError, QuestionError
from index.ingest import Change, Intake, Progress, Report, Watcher, reported
from index.ranking.query import Query, parse, publishers_named
from index.ranking.rank import DEPTH, Ranking, rank
from index.ranking.rerank import Reranker, reranked
from index.reading import sources
from index.reading.http import Fetcher
from index.reading.text import Failure, clean
from index.schedule import Sources
from index.store.sqlite import CATALOGUE, EmbeddedStore
from index.store.types import Changes, Event, Outcome, Size, Snapshot, Store
from index.store.writer import check_model

THRESHOLD = 0.12
MAX_K = 1_000
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
        threshold: float = THRESHOLD,
        fetcher: Fetcher | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        """Wire the parts.

        Args:
            store: holds the collection.
            encoder: must be the one that the collection was embedded with.
            threshold: confidence under which a question is declined, 0..1.
            fetcher: reads addresses; one with the usual limits unless given.
            reranker: looks at the best sentences again, and judges how sure they are.
        """
        self._store = store
        self._reranker = reranker
        self._encoder = encoder
        self.memory = store.memory
        self.sources = Sources(store, encoder, fetcher or Fetcher())
        self._threshold = threshold

    @classmethod
    def open(
        cls,
        data: Path,
        collection: str,
        encoder: Encoder,
        *,
        threshold: float = THRESHOLD,
        make: bool = True,
        reranker: Reranker | None = None,
    ) -> Archive:
        """The embedded collection of that name below a data folder; made there unless `make` is no.

        Its files are opened at first use.

        Raises:
            InputError: the name is no folder name.
            NotFoundError: there is no such collection, and it is not to be made.
        """
        if not collection or not all(char.isalnum() or char in "-_" for char in collection):
            raise InputError(
                f"“{collection}” cannot name a collection: use letters, digits, - and _."
            )
        if not make and not (data / collection / CATALOGUE).exists():
            have = ", ".join(cls.names(data)) or "none yet"
            raise NotFoundError(
                f"There is no collection “{collection}” in {data}; collections there: {have}."
            )
        store = EmbeddedStore(data / collection)
        return cls(store, encoder, threshold=threshold, reranker=reranker)

    @staticmethod
    def names(data: Path) -> list[str]:
        """The collections below a data folder, without what an erasing that was cut short left."""
        return sorted(file.parent.name for file in data.glob(f"[!.]*/{CATALOGUE}"))

    # Asking

    def ask(
        self,
        question: str,
        filters: Filters = Filters(),  # noqa: B008 - frozen
        after: FollowUp | None = None,
    ) -> Answer:
        """Answer a question on one generation, with quotes checked against it.

        Args:
            question: that stands by itself, also where it was asked after another.
            filters: which reports may answer.
            after: what came before it, if anything.

        Raises:
            QuestionError: the question or a filter cannot be used.
            ModelMismatchError: the collection was embedded by another model.
        """
        with self._store.snapshot() as snapshot:
            publishers = snapshot.publishers()
            filters = _known(filters, publishers)
            if wanted := news.asked(question, snapshot, filters):
                answer = news.told(question, wanted, snapshot, filters, model=self._judges)
            else:
                answer = self._answered(snapshot, parse(question, publishers), filters, after)
            _check_quotes(snapshot, answer)
            return answer

    def _answered(
        self, snapshot: Snapshot, query: Query, filters: Filters, after: FollowUp | None
    ) -> Answer:
        answer = compose(
            self._ranked(snapshot, query, filters, DEPTH),
            filters=filters,
            generation=snapshot.generation,
            model=self._judges,
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

    def further(self, answer: Answer, most: int) -> list[Passage]:
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
        ranking = rank(snapshot, self._encoder, query, filters, depth)
        return reranked(ranking, self._reranker) if self._reranker else ranking

    @property
    def _judges(self) -> str:
        """All models that an answer depends on."""
        again = f" + {self._reranker.model}" if self._reranker else ""
        return self._encoder.model + again

    # Changing

    def add(
        self,
        names: Iterable[str],
        *,
        actor: str = "operator",
        stream: IO[bytes] | None = None,
        files: Iterable[sources.Upload | Failure] = (),
        dry_run: bool = False,
        watch: Watcher | None = None,
    ) -> Report:
        """Add reports from files, folders or a stream; what fails is listed, the rest goes in.

        Args:
            names: paths, or "-" for JSON lines on `stream`.
            actor: who is written into the audit log.
            stream: bytes for "-".
            files: handed in, which no reindex looks for again.
            dry_run: tell what would be done, and do nothing.
            watch: called with the progress; may raise CancelledError to stop after a commit.
        """
        names = [*names]
        read: dict[str, str | None] = {}
        run = Intake(
            store=self._store,
            encoder=self._encoder,
            actor=actor,
            action="add",
            dry_run=dry_run,
            total=sources.total(names) if watch else None,
            watch=watch,
        )
        try:
            found = self.sources.read(names, read, stream)
            return run.take(chain(found, sources.uploaded(files)))
        finally:
            if not dry_run:
                told = (name for name, error in read.items() if error is None and name != "-")
                self.sources.remember(told)

    def rebuild(self, *, actor: str = "operator", watch: Watcher | None = None) -> Report:
        """Embed every sentence again, for a new encoder; questions are answered meanwhile.

        What was embedded is kept when it is interrupted, and the next call goes on from there.
        """
        started = time.monotonic()
        embedded = 0

        def told(done: int) -> None:
            nonlocal embedded
            embedded = done
            if watch:
                watch(Progress(0, done, None, f"{done:,} sentences embedded again"))

        self._encoder.encode([""])  # a model that cannot be loaded is not put in force
        commit = self._store.rebuild(self._encoder, actor=actor, each=told)
        self._store.prepare()
        seconds = time.monotonic() - started
        return Report(commit.generation, embedded=embedded, seconds=seconds)

    def remove(self, article_ids: Iterable[str], *, actor: str = "operator") -> Report:
        """Take articles out; their text stays, so that old quotes still resolve."""
        return self._change(Changes(remove=[*article_ids]), actor, "remove")

    def restore(self, article_ids: Iterable[str], *, actor: str = "operator") -> Report:
        """Bring removed articles back, without embedding them again."""
        return self._change(Changes(restore=[*article_ids]), actor, "restore")

    def undo(self, generation: int, *, actor: str = "operator") -> Report:
        """Make every article what it was at a generation, without embedding; a new generation.

        Raises:
            NotFoundError: there is no such generation, or nothing came after it.
        """
        note = f"back to generation {generation}"
        return self._change(Changes(undo=generation), actor, "undo", note)

    def _change(self, changes: Changes, actor: str, action: str, note: str = "") -> Report:
        started = time.monotonic()
        commit = self._store.commit(changes, actor=actor, action=action, note=note)
        made: list[tuple[Outcome, Change]] = []
        failed = []
        with self._store.snapshot() as snapshot:
            for article_id, outcome in commit.outcomes.items():
                if outcome == "absent":
                    error = "There is no such article: `onrecord articles` lists all."
                    failed.append(Failure(article_id, error))
                else:
                    title = snapshot.article(article_id).title
                    count = len(snapshot.sentences(article_id))
                    made.append((outcome, Change(article_id, title, count)))
        return reported(made, commit.generation, started, failed)

    def correct(self, article_id: str, note: str, *, actor: str = "operator") -> Article:
        """Attach a correction to an article; answers that cite it show it. Raises NotFoundError."""
        return self._notice("corrected", article_id, note, actor)

    def retract(self, article_id: str, note: str, *, actor: str = "operator") -> Article:
        """Take an article out and say why; its old quotes still resolve. Raises NotFoundError."""
        return self._notice("retracted", article_id, note, actor)

    def _notice(self, kind: Standing, article_id: str, note: str, actor: str) -> Article:
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
        return [one for one in others if same_origin(article.text, one.text)]

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

    def history(self, limit: int | None = None) -> list[Event]:
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
    for cited in [*answer.quotes, *([answer.closest] if answer.closest else [])]:
        cited.quote.check(snapshot.article(cited.quote.article_id, cited.quote.revision))
