"""The face of `index`: a collection that can be asked, added to, corrected and measured.

Plain blocking calls, safe from several threads. Whoever serves people (the bot, the command
line) needs nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import numpy as np

from index import decline, sources
from index.answer import compose
from index.article import Answer, Article, Filters
from index.embedded import EmbeddedStore
from index.encoder import Encoder, Vectors
from index.errors import InputError, ModelMismatchError, QuestionError, SourceError
from index.query import parse
from index.retrieve import DEPTH, Ranking, rank
from index.sentences import Span, split
from index.sources import Failure
from index.store import (
    Changes,
    Commit,
    Event,
    Known,
    Origin,
    Outcome,
    Prepared,
    Size,
    Snapshot,
    Store,
)

THRESHOLD = 0.12
MAX_K = 1_000
_BATCH_SENTENCES = 1_000  # a commit about this often while adding
_BATCH_ARTICLES = 200


@dataclass(frozen=True, slots=True)
class Change:
    """An article that was added, updated, removed or restored."""

    article_id: str
    title: str
    sentences: int


@dataclass(frozen=True, slots=True)
class Report:
    """What adding, removing or reindexing did."""

    generation: int
    added: tuple[Change, ...] = ()
    updated: tuple[Change, ...] = ()
    restored: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()
    unchanged: int = 0
    failed: tuple[Failure, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long task is. `total` articles where it can be known; `title` is in hand."""

    articles: int
    sentences: int
    total: int | None
    title: str


@dataclass(slots=True)
class _Tally:
    """The report in the making."""

    changes: dict[Outcome, list[Change]] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)
    unchanged: int = 0
    articles: int = 0
    sentences: int = 0

    def report(self, generation: int, seconds: float) -> Report:
        made = {name: tuple(changes) for name, changes in self.changes.items()}
        return Report(
            generation=generation,
            added=made.get("added", ()),
            updated=made.get("updated", ()),
            restored=made.get("restored", ()),
            removed=made.get("removed", ()),
            unchanged=self.unchanged,
            failed=tuple(self.failed),
            seconds=seconds,
        )


Watcher = Callable[[Progress], None]


class Archive:
    """One collection with the encoder that embeds for it."""

    def __init__(self, store: Store, encoder: Encoder, *, threshold: float = THRESHOLD) -> None:
        """Wire the parts.

        Args:
            store: holds the collection.
            encoder: must be the one that the collection was embedded with.
            threshold: confidence under which a question is declined, 0..1.
        """
        self._store = store
        self._encoder = encoder
        self._threshold = threshold

    @classmethod
    def open(
        cls, data: Path, collection: str, encoder: Encoder, *, threshold: float = THRESHOLD
    ) -> Archive:
        """The embedded collection of that name below a data folder.

        Raises:
            InputError: the name is no folder name.
            StoreError: it cannot be opened.
        """
        if not collection or not all(char.isalnum() or char in "-_" for char in collection):
            raise InputError(
                f"“{collection}” cannot name a collection: use letters, digits, - and _."
            )
        return cls(EmbeddedStore(data / collection), encoder, threshold=threshold)

    # Asking

    def ask(self, question: str, filters: Filters = Filters()) -> Answer:  # noqa: B008 - frozen
        """Answer a question on one generation, with quotes checked against it.

        Raises:
            QuestionError: the question or a filter cannot be used.
            ModelMismatchError: the collection was embedded by another model.
        """
        with self._store.snapshot() as snapshot:
            ranking, filters = self._ranked(snapshot, question, filters, DEPTH)
            answer = compose(
                ranking,
                filters=filters,
                generation=snapshot.generation,
                model=self._encoder.model,
                threshold=self._threshold,
            )
            if answer.status == "declined" and filters:
                free, _ = self._ranked(snapshot, question, Filters(), DEPTH)
                if free.confidence >= self._threshold:
                    best = free.articles[free.sentences[0].article_id]
                    left_out = decline.excluded(filters, best)
                    answer = replace(answer, reason=f"{answer.reason} {left_out}")
            _check_quotes(snapshot, answer)
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
        filters = replace(filters, publishers=_resolved(filters.publishers, publishers))
        if snapshot.model is not None and snapshot.model != self._encoder.model:
            raise ModelMismatchError(
                f"This collection was embedded with {snapshot.model}, and the settings name "
                f"{self._encoder.model}: set the model back, or run `onrecord reindex --rebuild`."
            )
        return rank(snapshot, self._encoder, query, filters, depth), filters

    # Changing

    def add(
        self,
        names: Iterable[str],
        *,
        actor: str = "operator",
        stream: IO[bytes] | None = None,
        dry_run: bool = False,
        watch: Watcher | None = None,
    ) -> Report:
        """Add reports from files, folders or a stream; what fails is listed, the rest goes in.

        Args:
            names: paths, or "-" for JSON lines on `stream`.
            actor: who is written into the audit log.
            stream: bytes for "-".
            dry_run: tell what would be done, and do nothing.
            watch: called with the progress; may raise CancelledError to stop after a commit.
        """
        names = [*names]
        report = self._take_in(
            _items(names, stream),
            actor=actor,
            action="add",
            total=_total(names),
            dry_run=dry_run,
            watch=watch,
            revive=True,
        )
        for name in names:
            path = None if dry_run or name == "-" else sources.existing(name)
            if path is not None:
                place = str(path.resolve())
                origin = Origin(place, "folder" if path.is_dir() else "file")
                self._store.remember(origin)
        return report

    def reindex(self, *, actor: str = "operator", watch: Watcher | None = None) -> Report:
        """Take in what the collection's sources have new; removed articles stay removed."""
        with self._store.snapshot() as snapshot:
            names = [origin.uri for origin in snapshot.origins()]
        items = _items(names, None)
        return self._take_in(
            items,
            actor=actor,
            action="reindex",
            total=_total(names),
            dry_run=False,
            watch=watch,
            revive=False,
        )

    def rebuild(self, *, actor: str = "operator", watch: Watcher | None = None) -> Report:
        """Embed every sentence again, for a new encoder; questions are answered meanwhile.

        What was embedded is kept when it is interrupted, and the next call goes on from there.
        """
        started = time.monotonic()
        model, done = self._encoder.model, 0
        self._encoder.encode([""])
        while True:
            while missing := self._store.unstaged(model, _BATCH_SENTENCES):
                vectors = self._encoder.encode([text for _, text in missing])
                self._store.stage(model, [sentence_id for sentence_id, _ in missing], vectors)
                done += len(missing)
                if watch:
                    watch(Progress(0, done, None, f"{done:,} sentences embedded again"))
            commit = self._store.switch(model=model, actor=actor)
            if commit is not None:
                self._store.prepare()
                return Report(commit.generation, seconds=time.monotonic() - started)

    def remove(self, article_ids: Iterable[str], *, actor: str = "operator") -> Report:
        """Take articles out; their text stays, so that old quotes still resolve."""
        return self._set_live(Changes(remove=[*article_ids]), actor, "remove")

    def restore(self, article_ids: Iterable[str], *, actor: str = "operator") -> Report:
        """Bring removed articles back, without embedding them again."""
        return self._set_live(Changes(restore=[*article_ids]), actor, "restore")

    def _set_live(self, changes: Changes, actor: str, action: str) -> Report:
        started = time.monotonic()
        commit = self._store.commit(changes, model=self._encoder.model, actor=actor, action=action)
        tally = _Tally()
        with self._store.snapshot() as snapshot:
            for article_id, outcome in commit.outcomes.items():
                if outcome == "absent":
                    error = "There is no such article: `onrecord articles` lists all."
                    tally.failed.append(Failure(article_id, error))
                    continue
                article = snapshot.article(article_id)
                count = len(snapshot.sentences(article_id))
                _note(tally, outcome, Change(article_id, article.title, count))
        return tally.report(commit.generation, time.monotonic() - started)

    # Looking

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

    def origins(self) -> list[Origin]:
        """Where a reindex looks for news."""
        with self._store.snapshot() as snapshot:
            return snapshot.origins()

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

    def prepare(self) -> None:
        """Load what the first question would wait for."""
        self._store.prepare()
        self._encoder.encode(["warm"])

    def close(self) -> None:
        """Let go of files."""
        self._store.close()

    # Taking in

    def _take_in(
        self,
        items: Iterator[sources.Item],
        *,
        actor: str,
        action: str,
        total: int | None,
        dry_run: bool,
        watch: Watcher | None,
        revive: bool,
    ) -> Report:
        started = time.monotonic()
        tally = _Tally()
        with self._store.snapshot() as snapshot:
            generation = snapshot.generation
        for batch in _batches(items, tally.failed):
            new = self._unknown(batch, tally, revive=revive)
            prepared = [ready for article in new if (ready := _spans(article, tally))]
            if dry_run:
                self._predict(prepared, tally)
                continue
            commit = self._commit(
                prepared,
                tally,
                actor=actor,
                action=action,
                total=total,
                watch=watch,
                revive=revive,
            )
            generation = max(generation, commit.generation) if commit else generation
        if not dry_run and tally.changes:
            self._store.prepare()
        return tally.report(generation, time.monotonic() - started)

    def _unknown(self, batch: list[Article], tally: _Tally, *, revive: bool) -> list[Article]:
        """The articles of a batch that are new or differ from what is stored."""
        with self._store.snapshot() as snapshot:
            known = snapshot.known({article.article_id for article in batch})
        new = []
        for article in batch:
            stored = known.get(article.article_id)
            if stored is None or _differs(article, stored, revive=revive):
                new.append(article)
            else:
                tally.unchanged += 1
        tally.articles += len(batch) - len(new)
        return new

    def _commit(
        self,
        ready: list[tuple[Article, list[Span]]],
        tally: _Tally,
        *,
        actor: str,
        action: str,
        total: int | None,
        watch: Watcher | None,
        revive: bool,
    ) -> Commit | None:
        if not ready:
            return None
        vectors = self._embed(ready)
        put = [
            Prepared(article, tuple(spans), vectors[number])
            for number, (article, spans) in enumerate(ready)
        ]
        commit = self._store.commit(
            Changes(put=put, revive=revive), model=self._encoder.model, actor=actor, action=action
        )
        for article, spans in ready:
            change = Change(article.article_id, article.title, len(spans))
            _note(tally, commit.outcomes[article.article_id], change)
            tally.articles += 1
            tally.sentences += len(spans)
        if watch:
            watch(Progress(tally.articles, tally.sentences, total, ready[-1][0].title))
        return commit

    def _embed(self, ready: list[tuple[Article, list[Span]]]) -> list[Vectors]:
        """One (sentences, d) array an article; unchanged sentences of a revision are reused."""
        with self._store.snapshot() as snapshot:
            model_is_ours = snapshot.model == self._encoder.model
            stored = [
                snapshot.embedded(article.article_id) if model_is_ours else {}
                for article, _ in ready
            ]
        texts = [[article.text[s.start : s.end] for s in spans] for article, spans in ready]
        new = list(
            dict.fromkeys(
                text
                for known, own in zip(stored, texts, strict=True)
                for text in own
                if text not in known
            )
        )
        made = dict(zip(new, self._encoder.encode(new), strict=True)) if new else {}
        return [
            np.stack([known[text] if text in known else made[text] for text in own])
            for known, own in zip(stored, texts, strict=True)
        ]

    def _predict(self, ready: list[tuple[Article, list[Span]]], tally: _Tally) -> None:
        with self._store.snapshot() as snapshot:
            known = snapshot.known([article.article_id for article, _ in ready])
        for article, spans in ready:
            outcome: Outcome = "updated" if article.article_id in known else "added"
            _note(tally, outcome, Change(article.article_id, article.title, len(spans)))


def _items(names: Iterable[str], stream: IO[bytes] | None) -> Iterator[sources.Item]:
    for name in names:
        try:
            yield from sources.read(name, stream)
        except SourceError as error:
            yield Failure(name, str(error))


def _total(names: Iterable[str]) -> int | None:
    counts = [sources.count(name) if name != "-" else None for name in names]
    return None if None in counts else sum(count or 0 for count in counts)


def _batches(items: Iterator[sources.Item], failed: list[Failure]) -> Iterator[list[Article]]:
    """What goes into one commit each; an id that comes twice is an update, in a later one."""
    batch: dict[str, Article] = {}
    size = 0
    for item in items:
        if isinstance(item, Failure):
            failed.append(item)
            continue
        full = size >= _BATCH_SENTENCES or len(batch) >= _BATCH_ARTICLES
        if full or item.article_id in batch:
            yield [*batch.values()]
            batch, size = {}, 0
        batch[item.article_id] = item
        size += len(item.text) // 120  # about a sentence
    if batch:
        yield [*batch.values()]


def _spans(article: Article, tally: _Tally) -> tuple[Article, list[Span]] | None:
    spans = split(article.text, article.language)
    if any(char.isalnum() for char in article.text) and spans:
        return article, spans
    tally.failed.append(
        Failure(article.source or article.article_id, "It has no sentences: give it a text.")
    )
    return None


def _differs(article: Article, stored: Known, *, revive: bool) -> bool:
    if stored.retired:
        return revive
    return stored.text_hash != article.text_hash


def _note(tally: _Tally, outcome: Outcome, change: Change) -> None:
    if outcome == "unchanged":
        tally.unchanged += 1
    else:
        tally.changes.setdefault(outcome, []).append(change)


def _resolved(wanted: Iterable[str], publishers: Iterable[str]) -> tuple[str, ...]:
    """Publishers as the collection spells them; part of a name is enough if only one has it."""
    found = []
    known = [*publishers]
    for name in wanted:
        exact = [one for one in known if one.casefold() == name.casefold()]
        near = exact or [one for one in known if name.casefold() in one.casefold()]
        if not near:
            have = ", ".join(known[:10]) or "none"
            raise QuestionError(f"No report is by “{name}”; publishers here: {have}.")
        found += near
    return tuple(dict.fromkeys(found))


def _check_quotes(snapshot: Snapshot, answer: Answer) -> None:
    for cited in [*answer.quotes, *([answer.closest] if answer.closest else [])]:
        cited.quote.check(snapshot.article(cited.quote.article_id, cited.quote.revision))
