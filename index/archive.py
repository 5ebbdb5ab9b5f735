"""The face of `index`: a collection that can be asked, added to, corrected and measured.

Plain blocking calls, safe from several threads. Whoever serves people (the bot, the command
line) needs nothing else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO

from index import decline, news, sources
from index.answer import compose
from index.article import Answer, Article, Filters, FollowUp, Notice, Sentence, Standing
from index.commit import mismatch
from index.embedded import CATALOGUE, EmbeddedStore
from index.encoder import Encoder
from index.errors import (
    InputError,
    ModelMismatchError,
    NotFoundError,
    QuestionError,
    SourceError,
)
from index.fetch import Fetcher
from index.intake import Change, Intake, Progress, Report, Tally, Watcher
from index.log import Recalled
from index.memory import Disturbed, Memory
from index.origins import same_origin
from index.query import parse, publishers_named
from index.rerank import Reranker, reranked
from index.retrieve import DEPTH, Ranking, rank
from index.sources import Failure, Item, Known, Page
from index.store import Changes, Event, Origin, Size, Snapshot, Store

THRESHOLD = 0.12
MAX_K = 1_000
_SAMPLED = 8  # sentences of a report by which others of its origin are looked for
_NEAR_SENTENCES = 10  # to each of them
MAX_EVERY = 43_200  # minutes: a month
MAX_NOTE_CHARS = 1_000
_REBUILD_SENTENCES = 1_000  # embedded again between two commits
_STATUS = ("checked", "succeeded", "failures", "failing_since", "error", "told")


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
        self.memory = Memory(store)
        self._encoder = encoder
        self._threshold = threshold
        self._fetcher = fetcher or Fetcher()

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

        Raises:
            InputError: the name is no folder name.
            NotFoundError: there is no such collection, and it is not to be made.
            StoreError: it cannot be opened.
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
        """The collections below a data folder."""
        return sorted(file.parent.name for file in data.glob(f"*/{CATALOGUE}"))

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
            wanted = news.asked(question, snapshot, filters)
            if wanted is None:
                answer = self._answered(snapshot, question, filters, after)
            else:
                known = publishers_named(filters.publishers, snapshot.publishers())
                filters = replace(filters, publishers=known)
                answer = news.told(question, wanted, snapshot, filters, model=self._judges)
            _check_quotes(snapshot, answer)
            return answer

    def _answered(
        self, snapshot: Snapshot, question: str, filters: Filters, after: FollowUp | None
    ) -> Answer:
        ranking, filters = self._ranked(snapshot, question, filters, DEPTH)
        answer = compose(
            ranking,
            filters=filters,
            generation=snapshot.generation,
            model=self._judges,
            threshold=self._threshold,
            after=after,
        )
        if answer.status == "declined" and filters:
            free, _ = self._ranked(snapshot, question, Filters(), DEPTH)
            if free.confidence >= self._threshold:
                best = free.articles[free.sentences[0].article_id]
                left_out = decline.excluded(filters, best)
                answer = replace(answer, reason=f"{answer.reason} {left_out}")
        return answer

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
            return self._ranked(snapshot, question, filters, max(DEPTH, k))[0]

    def _ranked(
        self, snapshot: Snapshot, question: str, filters: Filters, depth: int
    ) -> tuple[Ranking, Filters]:
        publishers = snapshot.publishers()
        query = parse(question, publishers)
        filters = replace(filters, publishers=publishers_named(filters.publishers, publishers))
        if snapshot.model is not None and snapshot.model != self._encoder.model:
            raise ModelMismatchError(mismatch(snapshot.model, self._encoder.model))
        ranking = rank(snapshot, self._encoder, query, filters, depth)
        return (reranked(ranking, self._reranker) if self._reranker else ranking), filters

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
            self._store,
            self._encoder,
            actor=actor,
            action="add",
            dry_run=dry_run,
            total=_total(names) if watch else None,
            watch=watch,
        )
        try:
            return run.take(chain(self._items(names, read, stream), sources.uploaded(files)))
        finally:
            for name, error in read.items() if not dry_run else ():
                if error is None and name != "-":
                    self._store.remember(_origin(name))

    def rebuild(self, *, actor: str = "operator", watch: Watcher | None = None) -> Report:
        """Embed every sentence again, for a new encoder; questions are answered meanwhile.

        What was embedded is kept when it is interrupted, and the next call goes on from there.
        """
        started = time.monotonic()
        model, done = self._encoder.model, 0
        self._encoder.encode([""])
        while True:
            while missing := self._store.unstaged(model, _REBUILD_SENTENCES):
                vectors = self._encoder.encode([text for _, text in missing])
                self._store.stage(model, [sentence_id for sentence_id, _ in missing], vectors)
                done += len(missing)
                if watch:
                    watch(Progress(0, done, None, f"{done:,} sentences embedded again"))
            commit = self._store.switch(model=model, actor=actor)
            if commit is not None:
                self._store.prepare()
                seconds = time.monotonic() - started
                return Report(commit.generation, embedded=done, seconds=seconds)

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
        tally = Tally()
        with self._store.snapshot() as snapshot:
            for article_id, outcome in commit.outcomes.items():
                if outcome == "absent":
                    error = "There is no such article: `onrecord articles` lists all."
                    tally.failed.append(Failure(article_id, error))
                    continue
                article = snapshot.article(article_id)
                count = len(snapshot.sentences(article_id))
                tally.note(outcome, Change(article_id, article.title, count))
        return tally.report(commit.generation, time.monotonic() - started)

    def correct(self, article_id: str, note: str, *, actor: str = "operator") -> Article:
        """Attach a correction to an article; answers that cite it show it. Raises NotFoundError."""
        return self._notice("corrected", article_id, note, actor)

    def retract(self, article_id: str, note: str, *, actor: str = "operator") -> Article:
        """Take an article out and say why; its old quotes still resolve. Raises NotFoundError."""
        return self._notice("retracted", article_id, note, actor)

    def _notice(self, kind: Standing, article_id: str, note: str, actor: str) -> Article:
        note = " ".join(sources.clean(note).split())
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
            row = {
                "id": one.article_id,
                "title": one.title,
                "text": one.text,
                "publisher": one.publisher,
                "author": one.author,
                "published": one.published.isoformat() if one.published else None,
                "url": one.url,
                "language": one.language,
                "guessed": list(one.guessed),
            }
            told = {name: value for name, value in row.items() if value}
            stream.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")
        return len(found)

    def erase(self) -> None:
        """Delete the collection for good, its log and sources too; the archive is closed."""
        self._store.erase()

    # Sources

    def sources(self) -> list[Origin]:
        """Where articles come from, and how reading it went, in the order they were named."""
        with self._store.snapshot() as snapshot:
            return snapshot.origins()

    def add_source(self, uri: str, every: int | None = None) -> Origin:
        """Look into a source from now on; nothing is read yet.

        Args:
            uri: an address, a file or a folder; who lets others name one should pass addresses
                only, since files are read with this program's rights.
            every: minutes between two looks; None: only when a reindex is asked for.

        Raises:
            SourceError: there is nothing of that name.
            InputError: the interval is none.
        """
        if every is not None and not 1 <= every <= MAX_EVERY:
            raise InputError(f"A source is looked into every 1 to {MAX_EVERY:,} minutes.")
        if sources.is_address(uri):
            self._fetcher.check(uri)
        elif sources.existing(uri) is None:
            raise SourceError(f"{uri} is neither a file nor a folder: check the name.")
        origin = replace(_origin(uri), every=every)
        self._store.remember(origin)
        self._store.amend(origin, "every")
        return self._source(uri)

    def pause(self, uri: str) -> None:
        """Look into a source no longer until it is resumed. Raises NotFoundError."""
        self._store.amend(replace(self._source(uri), paused=True), "paused")

    def resume(self, uri: str) -> None:
        """Look into a source again, and soon if it is looked into at all. Raises NotFoundError."""
        fresh = replace(self._source(uri), paused=False, failures=0, checked=None)
        self._store.amend(fresh, "paused", "failures", "checked")

    def forget(self, uri: str) -> None:
        """Drop a source; its articles stay. Raises NotFoundError."""
        self._store.forget(self._source(uri).uri)

    def failing(self, times: int = 3) -> list[Origin]:
        """Sources that failed so often in a row, and of which moderators do not know yet."""
        return [one for one in self.sources() if one.failures >= times and not one.told]

    def told_failing(self, uri: str) -> None:
        """Note that moderators know that a source fails, until it succeeds again."""
        self._store.amend(replace(self._source(uri), told=True), "told")

    def reindex(
        self,
        only: Iterable[str] | None = None,
        *,
        actor: str = "operator",
        dry_run: bool = False,
        watch: Watcher | None = None,
    ) -> Report:
        """Take in what the sources have new, paused ones left out; removed articles stay removed.

        Args:
            only: of these sources, paused or not. Raises NotFoundError where one is none.
            actor: who is written into the audit log.
            dry_run: tell what would be done, and do nothing.
            watch: called with the progress; may raise CancelledError to stop after a commit.
        """
        if only is None:
            chosen = [one for one in self.sources() if not one.paused]
        else:
            chosen = [self._source(uri) for uri in only]
        return self._refresh(chosen, datetime.now(UTC), actor, "reindex", watch, dry_run=dry_run)

    def refresh(
        self,
        now: datetime | None = None,
        *,
        actor: str = "clock",
        watch: Watcher | None = None,
    ) -> Report:
        """Take in what the sources that are due have new (see `Origin.due`)."""
        now = now or datetime.now(UTC)
        chosen = [one for one in self.sources() if one.due(now)]
        return self._refresh(chosen, now, actor, "refresh", watch)

    def _refresh(
        self,
        chosen: list[Origin],
        now: datetime,
        actor: str,
        action: str,
        watch: Watcher | None,
        *,
        dry_run: bool = False,
    ) -> Report:
        names = [origin.uri for origin in chosen]
        read: dict[str, str | None] = {}
        run = Intake(
            self._store,
            self._encoder,
            actor=actor,
            action=action,
            revive=False,
            dry_run=dry_run,
            total=_total(names) if watch else None,
            watch=watch,
        )
        try:
            return run.take(self._items(names, read, known=self._page))
        finally:
            for origin in chosen:
                if origin.uri in read and not dry_run:
                    after = origin.after(now, read[origin.uri])
                    self._store.amend(after, *_STATUS)

    def _items(
        self,
        names: Iterable[str],
        read: dict[str, str | None],
        stream: IO[bytes] | None = None,
        known: Known = lambda _: None,
    ) -> Iterator[Item]:
        """What sources hold; each goes into `read`, with its error where it gave nothing."""
        for name in names:
            error = "It holds no report."
            try:
                for item in sources.read(name, stream, self._fetcher, known):
                    if isinstance(item, Failure):
                        error = item.error
                    else:
                        read[name] = None
                    yield item
            except SourceError as failure:
                error = str(failure)
                yield Failure(name, error)
            read.setdefault(name, error)

    def _page(self, address: str) -> Page | None:
        with self._store.snapshot() as snapshot:
            return snapshot.page(address)

    def _source(self, uri: str) -> Origin:
        known = {origin.uri: origin for origin in self.sources()}
        for place in (uri, _origin(uri).uri):
            if place in known:
                return known[place]
        raise NotFoundError(f"{uri} is no source here: `onrecord sources` lists them.")

    # Remembering

    def log(
        self, answer: Answer, *, channel: int | None = None, message: int | None = None
    ) -> None:
        """Keep an answer that was sent, and where all can read it; without that it is private."""
        self.memory.log(answer, channel=channel, message=message)

    def recall(self, answer_id: str) -> Recalled:
        """An answer that was sent, its quotes cut again as they were. Raises NotFoundError."""
        return self.memory.recall(answer_id)

    def disturbed(self, since: datetime) -> list[Disturbed]:
        """Public answers posted since whose quotes no longer stand, until they are told of."""
        return self.memory.disturbed(since)

    def told(self, disturbed: Iterable[Disturbed]) -> None:
        """Note that readers of these answers know."""
        self.memory.told(disturbed)

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


def _origin(name: str) -> Origin:
    if sources.is_address(name):
        return Origin(name, "url")
    path = Path(name).expanduser().resolve()
    return Origin(str(path), "folder" if path.is_dir() else "file")


def _total(names: Iterable[str]) -> int | None:
    counts = [sources.count(name) if name != "-" else None for name in names]
    return None if None in counts else sum(count or 0 for count in counts)


def _check_quotes(snapshot: Snapshot, answer: Answer) -> None:
    for cited in [*answer.quotes, *([answer.closest] if answer.closest else [])]:
        cited.quote.check(snapshot.article(cited.quote.article_id, cited.quote.revision))
