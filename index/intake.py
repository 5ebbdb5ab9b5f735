"""Taking articles in: what is new is split, embedded and committed, batch by batch.

A batch is a commit of its own, so a long run that ends early keeps what it did, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from index.article import Article
from index.encoder import Encoder, Vectors
from index.errors import CancelledError, EncoderError, StoreError
from index.sentences import Span, split
from index.sources import Failure, Item
from index.store import Changes, Known, Outcome, Prepared, Store

BATCH_SENTENCES = 1_000  # a commit about this often
BATCH_ARTICLES = 200
_Ready = tuple[Article, list[Span]]


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
    embedded: int = 0  # sentences, by a rebuild
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long task is. `total` articles where it can be known; `title` is in hand."""

    articles: int
    sentences: int
    total: int | None
    title: str


@dataclass(slots=True)
class Tally:
    """A report in the making."""

    changes: dict[Outcome, list[Change]] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)
    unchanged: int = 0
    articles: int = 0
    sentences: int = 0

    def note(self, outcome: Outcome, change: Change) -> None:
        """Count what became of one article."""
        if outcome == "unchanged":
            self.unchanged += 1
        else:
            self.changes.setdefault(outcome, []).append(change)

    def report(self, generation: int, seconds: float) -> Report:
        """The report as it stands."""
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


class Intake:
    """One run of taking articles into a store."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        *,
        actor: str,
        action: str,
        revive: bool = True,
        dry_run: bool = False,
        total: int | None = None,
        watch: Watcher | None = None,
    ) -> None:
        """Say who does it, and how.

        Args:
            store: takes the articles in.
            encoder: embeds their sentences.
            actor: who is written into the audit log, and `action` why.
            action: see `actor`.
            revive: whether an article that had been removed comes back.
            dry_run: tell what would be done, and do nothing.
            total: articles, where that is known.
            watch: called with the progress; may raise CancelledError to stop after a commit.
        """
        self._store = store
        self._encoder = encoder
        self._actor = actor
        self._action = action
        self._revive = revive
        self._dry_run = dry_run
        self._total = total
        self._watch = watch
        self._tally = Tally()
        self._seen: dict[str, Known] = {}  # by a dry run, which stores nothing

    def take(self, items: Iterator[Item]) -> Report:
        """Take in what is new among the items.

        Raises:
            StoreError, EncoderError, CancelledError: before anything was committed; later they
                are a failure in the report, beside what is kept.
        """
        started = time.monotonic()
        tally = self._tally
        with self._store.snapshot() as snapshot:
            generation = snapshot.generation
        try:
            for batch in _batches(items, tally.failed):
                ready = [made for article in self._new(batch) if (made := self._split(article))]
                if self._dry_run:
                    self._predict(ready)
                elif ready:
                    generation = max(generation, self._commit(ready))
        except (StoreError, EncoderError, CancelledError, KeyboardInterrupt) as error:
            if not tally.changes:
                raise
            told = str(error) or "It was stopped"
            tally.failed.append(Failure("the rest", f"{told.rstrip('.')}; what is listed stays."))
        if tally.changes and not self._dry_run:
            self._store.prepare(load=False)
        return tally.report(generation, time.monotonic() - started)

    def _known(self, articles: Iterable[Article]) -> dict[str, Known]:
        with self._store.snapshot() as snapshot:
            return snapshot.known({article.article_id for article in articles}) | self._seen

    def _new(self, batch: list[Article]) -> list[Article]:
        """The articles of a batch that are new or differ from what is stored."""
        known = self._known(batch)
        new = [article for article in batch if self._differs(article, known)]
        self._tally.unchanged += len(batch) - len(new)
        self._tally.articles += len(batch) - len(new)
        return new

    def _differs(self, article: Article, known: dict[str, Known]) -> bool:
        stored = known.get(article.article_id)
        if stored is None:
            return True
        return self._revive if stored.retired else stored.text_hash != article.text_hash

    def _split(self, article: Article) -> _Ready | None:
        spans = split(article.text, article.language)
        if spans and any(char.isalnum() for char in article.text):
            return article, spans
        where = article.source or article.article_id
        self._tally.failed.append(Failure(where, "It has no sentences: give it a text."))
        return None

    def _commit(self, ready: list[_Ready]) -> int:
        """Embed and store a batch; the generation that it made."""
        vectors = self._embed(ready)
        put = [
            Prepared(article, tuple(spans), own)
            for (article, spans), own in zip(ready, vectors, strict=True)
        ]
        commit = self._store.commit(
            Changes(put=put, revive=self._revive),
            model=self._encoder.model,
            actor=self._actor,
            action=self._action,
        )
        tally = self._tally
        for article, spans in ready:
            change = Change(article.article_id, article.title, len(spans))
            tally.note(commit.outcomes[article.article_id], change)
            tally.articles += 1
            tally.sentences += len(spans)
        if self._watch:
            title = ready[-1][0].title
            self._watch(Progress(tally.articles, tally.sentences, self._total, title))
        return commit.generation

    def _embed(self, ready: list[_Ready]) -> list[Vectors]:
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

    def _predict(self, ready: list[_Ready]) -> None:
        known = self._known(article for article, _ in ready)
        for article, spans in ready:
            stored = known.get(article.article_id)
            outcome: Outcome = "added" if stored is None else "updated"
            if stored and stored.retired and stored.text_hash == article.text_hash:
                outcome = "restored"
            self._seen[article.article_id] = Known(article.text_hash, retired=False)
            self._tally.note(outcome, Change(article.article_id, article.title, len(spans)))


def _batches(items: Iterator[Item], failed: list[Failure]) -> Iterator[list[Article]]:
    """What goes into one commit each; an id that comes twice is an update, in a later one."""
    batch: dict[str, Article] = {}
    size = 0
    for item in items:
        if isinstance(item, Failure):
            failed.append(item)
            continue
        full = size >= BATCH_SENTENCES or len(batch) >= BATCH_ARTICLES
        if full or item.article_id in batch:
            yield [*batch.values()]
            batch, size = {}, 0
        batch[item.article_id] = item
        size += len(item.text) // 120  # about a sentence
    if batch:
        yield [*batch.values()]
