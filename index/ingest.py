"""Articles -> split, embedded, annotated and committed, batch by batch.

A batch is a commit of its own, so a long run that ends early keeps what it did, and says so.
New articles are committed as they come. Changed ones wait until all is read: the last text of an
id stands, or sources that hold an id twice would make revisions whenever they are read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice

import numpy as np

from index.answering.attribution import annotate
from index.domain import Article, Failure, PageState, SourceItem
from index.encoder import Encoder, Vectors
from index.errors import CancelledError, EncoderError, StoreError
from index.store.identity import comes_from, identity_keys, refusal
from index.store.types import (
    Changes,
    Decision,
    Outcome,
    PreparedArticle,
    Store,
)
from index.store.writer import check_model
from index.text.sentences import Span, split

BATCH_SENTENCES = 1_000  # a commit about this often
BATCH_ARTICLES = 200
_SENTENCE_CHARS = 120  # about, in news
_MANY = 5_000  # sentences after which the vector index is brought up to date at once
_WAITING = 2_000  # changed articles that wait for a later text of the same id


@dataclass(frozen=True, slots=True)
class SourceRead:
    """A source that was read to its end; `error` says why it gave no article."""

    uri: str
    error: str | None


@dataclass(frozen=True, slots=True)
class ArticleChange:
    """An article that was added, updated, removed or restored."""

    article_id: str
    title: str
    sentences: int


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What adding, removing or reindexing did.

    Attributes:
        embedded: sentences, by a rebuild.
        sources: those that were read to their end.
        skipped: files of folders that no reader takes.
    """

    generation: int
    added: tuple[ArticleChange, ...] = ()
    updated: tuple[ArticleChange, ...] = ()
    restored: tuple[ArticleChange, ...] = ()
    removed: tuple[ArticleChange, ...] = ()
    unchanged: int = 0
    failed: tuple[Failure, ...] = ()
    embedded: int = 0
    seconds: float = 0.0
    sources: tuple[SourceRead, ...] = ()
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long task is. `total` articles where known; `title` of the current one."""

    articles: int
    sentences: int
    total: int | None
    title: str


ProgressCallback = Callable[[Progress], None]


def result_of(
    changes: Sequence[tuple[Outcome, ArticleChange]],
    generation: int,
    started: float,
    failed: Sequence[Failure],
) -> IngestResult:
    """A result that sorts changes by outcome; `started` is a moment of `time.monotonic`."""

    def having(outcome: Outcome) -> tuple[ArticleChange, ...]:
        return tuple(change for became, change in changes if became == outcome)

    return IngestResult(
        generation,
        *(having("added"), having("updated"), having("restored"), having("removed")),
        unchanged=len(having("unchanged")),
        failed=tuple(failed),
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True, slots=True)
class _Pending:
    """An article to be put, as it was read, and what a snapshot made of it."""

    article: Article
    decision: Decision


@dataclass(slots=True, kw_only=True)
class Ingest:
    """One run of adding articles to a store.

    What is unchanged is skipped before it is embedded; what is put is decided once more inside
    the commit, whatever another process committed meanwhile.

    Attributes:
        store, encoder: keep the articles, and embed their sentences.
        actor, action: named in the audit log.
        revive: whether an article that had been removed comes back.
        dry_run: report what would be done, and do nothing.
        total: articles, where that is known.
        on_progress: called with the progress; may raise CancelledError to stop after a commit.
    """

    store: Store
    encoder: Encoder
    actor: str
    action: str
    revive: bool = True
    dry_run: bool = False
    total: int | None = None
    on_progress: ProgressCallback | None = None
    _generation: int = field(init=False, default=0)
    _changes: list[tuple[Outcome, ArticleChange]] = field(init=False, default_factory=list)
    _unchanged: set[str] = field(init=False, default_factory=set)
    _failed: list[Failure] = field(init=False, default_factory=list)
    _sources: list[SourceRead] = field(init=False, default_factory=list)
    _changed: dict[str, _Pending] = field(init=False, default_factory=dict)
    _pages: list[PageState] = field(init=False, default_factory=list)  # wait for their articles
    _names: dict[str, str] = field(init=False, default_factory=dict)  # id read -> id stored
    _seen: set[str] = field(init=False, default_factory=set)  # by a dry run, which stores nothing

    def run(self, items: Iterable[SourceItem | SourceRead]) -> IngestResult:
        """Add what is new among the items.

        Raises:
            StoreError, EncoderError, CancelledError: before anything was committed; later they
                are a failure in the result, beside what is kept.
        """
        started = time.monotonic()
        with self.store.snapshot() as snapshot:
            self._generation = snapshot.generation
            check_model(snapshot.model, self.encoder.model)
        try:
            for batch in self._batches(items):
                self._commit([*self._sort(batch).values()])
                if len(self._changed) >= _WAITING:
                    self._release()
            self._release()
        except (StoreError, EncoderError, CancelledError) as error:
            if not self._changes:
                raise
            reason = str(error).rstrip(".") or "It was stopped"
            self._failed.append(Failure("the rest", f"{reason}; what is listed stays."))
        if self._sentences > _MANY and not self.dry_run:  # fewer, the next question takes in
            self.store.prepare()
        unchanged = self._unchanged.difference(change.article_id for _, change in self._changes)
        result = result_of(self._changes, self._generation, started, self._failed)
        return replace(result, unchanged=len(unchanged), sources=tuple(self._sources))

    @property
    def _sentences(self) -> int:
        return sum(change.sentences for _, change in self._changes)

    def _batches(
        self, items: Iterable[SourceItem | SourceRead]
    ) -> Iterator[list[SourceItem | SourceRead]]:
        """The items in the order they were read, about a commit's worth at a time."""
        batch: list[SourceItem | SourceRead] = []
        articles = size = 0
        for item in items:
            batch.append(item)
            if isinstance(item, Article):
                self._show_progress(item.title)
                articles += 1
                size += len(item.text) // _SENTENCE_CHARS
            if articles >= BATCH_ARTICLES or size >= BATCH_SENTENCES:
                yield batch
                batch, articles, size = [], 0, 0
        yield batch

    def _sort(self, batch: list[SourceItem | SourceRead]) -> dict[str, _Pending]:
        """The new articles of a batch, by id; changed ones wait, all else is only noted."""
        new: dict[str, _Pending] = {}
        with self.store.snapshot() as snapshot:
            for item in batch:
                if isinstance(item, Failure):
                    self._failed.append(item)
                elif isinstance(item, SourceRead):
                    self._sources.append(item)
                elif isinstance(item, PageState):
                    self._note_page(item)
                else:
                    decision = snapshot.decide(item, revive=self.revive)
                    self._sort_article(_Pending(item, decision), new)
        return new

    def _sort_article(self, pending: _Pending, new: dict[str, _Pending]) -> None:
        article, decision = pending.article, pending.decision
        name = decision.article.article_id
        before = self._changed.get(name) or new.get(name)
        reason = decision.reason
        if before and not comes_from(article.source, before.article):
            reason = refusal(before.article)
        if reason:
            self._failed.append(Failure(article.source or article.article_id, reason))
            return
        self._names[article.article_id] = name
        self._changed.pop(name, None)
        self._unchanged.discard(name)
        if decision.outcome == "unchanged":
            self._unchanged.add(name)
        elif decision.outcome != "added":
            self._changed[name] = pending
        elif not (self.dry_run and self._was_seen(article)):
            new.pop(name, None)
            new[name] = pending

    def _was_seen(self, article: Article) -> bool:
        """Whether a dry run had this new article before, under this id or another."""
        own = {f"id {article.article_id}"}
        keys = own | {*identity_keys(article)}
        seen = not self._seen.isdisjoint(own if article.id_given else keys)
        self._seen |= keys
        return seen

    def _note_page(self, page: PageState) -> None:
        """Keep a page until its articles are stored; count those of an unchanged one."""
        if not page.unchanged:
            self._pages.append(page)
            return
        for article_id in page.articles:
            waiting = self._changed.get(article_id)
            if waiting is None or comes_from(page.address, waiting.article):
                self._changed.pop(article_id, None)
                self._unchanged.add(article_id)

    def _complete_pages(self) -> Iterator[PageState]:
        """Pages none of whose articles waits, with the ids that those are stored under."""
        pages, self._pages = self._pages, []
        for page in pages:
            ids = tuple(dict.fromkeys(self._names.get(name, name) for name in page.articles))
            if self._changed.keys().isdisjoint(ids):
                yield replace(page, articles=ids)
            else:
                self._pages.append(page)

    def _release(self) -> None:
        """Commit the changed articles."""
        while batch := [*islice(self._changed, BATCH_ARTICLES)]:
            self._commit([self._changed.pop(name) for name in batch])
        self._commit([])

    def _commit(self, articles: list[_Pending]) -> None:
        """Embed and store articles, with the pages that are complete by then."""
        ready = [(pending, spans) for pending in articles if (spans := self._split(pending))]
        pages = [*self._complete_pages()]
        if self.dry_run or not (ready or pages):
            decisions = tuple(pending.decision for pending, _ in ready)
        else:
            commit = self.store.commit(
                Changes(put=self._prepared(ready), revive=self.revive, pages=pages),
                model=self.encoder.model,
                actor=self.actor,
                action=self.action,
            )
            self._generation, decisions = commit.generation, commit.put
        for (pending, spans), decision in zip(ready, decisions, strict=True):
            article = decision.article
            self._names[pending.article.article_id] = article.article_id
            if decision.outcome == "refused":
                where = article.source or article.article_id
                self._failed.append(Failure(where, decision.reason))
            elif decision.outcome == "unchanged":
                self._unchanged.add(article.article_id)
            else:
                change = ArticleChange(article.article_id, article.title, len(spans))
                self._changes.append((decision.outcome, change))
        if ready:
            self._show_progress(ready[-1][0].article.title)

    def _split(self, pending: _Pending) -> tuple[Span, ...]:
        article = pending.article
        spans = tuple(split(article.text, article.language))
        if spans and any(char.isalnum() for char in article.text):
            return spans
        where = article.source or article.article_id
        self._failed.append(Failure(where, "It has no sentences: give it a text."))
        return ()

    def _prepared(self, ready: list[tuple[_Pending, tuple[Span, ...]]]) -> list[PreparedArticle]:
        """Embed and annotate; what a revision keeps of the one before is not embedded again."""
        known: dict[str, Vectors] = {}
        with self.store.snapshot() as snapshot:
            for pending, _ in ready:
                known |= snapshot.embedded(pending.decision.article.article_id)
        texts = [[p.article.text[s.start : s.end] for s in spans] for p, spans in ready]
        new = [text for text in dict.fromkeys(chain(*texts)) if text not in known]
        if new:
            on_progress = partial(self._show_progress, ready[-1][0].article.title)
            known |= zip(new, self.encoder.encode(new, on_progress=on_progress), strict=True)
        return [
            PreparedArticle(
                pending.article,
                spans,
                np.stack([known[text] for text in sentences]),
                tuple((a.speaker, a.act) for a in annotate(pending.article.text, spans)),
            )
            for (pending, spans), sentences in zip(ready, texts, strict=True)
        ]

    def _show_progress(self, title: str, embedded: int = 0) -> None:
        """Report how far it is; `embedded` sentences are not yet stored."""
        if self.on_progress:
            count = len(self._changes) + len(self._unchanged)
            self.on_progress(Progress(count, self._sentences + embedded, self.total, title))
