"""Split, annotate, embed and commit articles, batch by batch.

Each batch is one commit, so a run that ends early keeps its commits, and says so. New articles are
committed as they come. Changed articles wait until everything is read: only the last text of an id
is stored, or sources that list an id twice would add revisions whenever they are read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice

import numpy as np

from index.answering.attribution import annotate
from index.domain import Article, Failure
from index.encoder import Encoder, Vectors
from index.errors import CancelledError, EncoderError, StoreError
from index.reading.items import Omission, PageState, SourceItem
from index.results import ArticleChange, IngestResult, Progress, ProgressCallback, SourceRead
from index.store.identity import comes_from, refusal, share_words
from index.store.protocol import Store
from index.store.types import Changes, Decision, Outcome, PreparedArticle
from index.store.writer import check_model
from index.text.sentences import Span, split

BATCH_SENTENCES = 1_000  # roughly, per commit
BATCH_ARTICLES = 200
_SENTENCE_CHARS = 120  # roughly, in news
_MANY_SENTENCES = 5_000  # after adding more, the vector index is updated at once
_MAX_WAITING = 2_000  # changed articles that wait for a later text of the same id
_NOT_EMBEDDED = np.zeros(1, np.float32)


@dataclass(slots=True, kw_only=True)
class Ingest:
    """A run that adds articles to a store.

    Unchanged articles are skipped before embedding. The store decides about the others again inside
    the commit, since another process may have committed meanwhile.

    Attributes:
        store: keeps the articles.
        encoder: embeds their sentences.
        actor, action: named in the audit log.
        revive: whether removed articles come back.
        dry_run: whether the store is a copy that nobody will search: nothing is embedded.
        total: the number of articles, if known.
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
    _failed: list[Failure] = field(init=False, default_factory=list)
    _omitted: list[Omission] = field(init=False, default_factory=list)
    _refused: set[tuple[str | None, str]] = field(init=False, default_factory=set)
    _sources: list[SourceRead] = field(init=False, default_factory=list)
    _pages: list[PageState] = field(init=False, default_factory=list)  # with articles that wait
    _names: dict[str, str] = field(init=False, default_factory=dict)  # id read -> id stored
    # By the id stored:
    _unchanged: set[str] = field(init=False, default_factory=set)
    _new: dict[str, Decision] = field(init=False, default_factory=dict)
    _changed: dict[str, Decision] = field(init=False, default_factory=dict)

    def run(self, items: Iterable[SourceItem | SourceRead]) -> IngestResult:
        """Add what is new among the items.

        Raises:
            StoreError, EncoderError, CancelledError: before the first commit; after it, the error
                is a failure in the result.
        """
        started = time.monotonic()
        with self.store.snapshot() as snapshot:
            self._generation = snapshot.generation
            check_model(snapshot.model, self.encoder.model)
        try:
            for item in items:
                self._receive(item)
                size = sum(len(decision.given.text) for decision in self._new.values())
                if len(self._new) >= BATCH_ARTICLES or size >= BATCH_SENTENCES * _SENTENCE_CHARS:
                    self._commit(self._new)
                if len(self._changed) >= _MAX_WAITING:
                    self._commit(self._changed)
            self._commit(self._new)
            self._commit(self._changed)
        except (StoreError, EncoderError, CancelledError) as error:
            if not self._changes:
                raise
            reason = str(error).rstrip(".") or "It was stopped"
            self._failed.append(Failure("the rest", f"{reason}; what is listed stays."))
            self._sources.clear()  # none counts as read: some of their articles may not be stored
        if self._sentences > _MANY_SENTENCES and not self.dry_run:
            with suppress(StoreError):  # the next question tries again; the result is due now
                self.store.prepare()
        unchanged = self._unchanged.difference(change.article_id for _, change in self._changes)
        result = IngestResult.of(self._changes, self._generation, started, self._failed)
        return replace(
            result,
            unchanged=len(unchanged),
            omitted=tuple(
                omission
                for omission in self._omitted
                if (omission.source, omission.article_id) not in self._refused
            ),
            sources=tuple(self._sources),
        )

    @property
    def _sentences(self) -> int:
        return sum(change.sentences for _, change in self._changes)

    def _receive(self, item: SourceItem | SourceRead) -> None:
        match item:
            case Failure():
                self._failed.append(item)
            case Omission():
                self._omitted.append(item)
            case SourceRead():
                self._sources.append(item)
            case PageState(unchanged=False):
                self._pages.append(item)
            case PageState():
                for name in item.articles:
                    waiting = self._changed.get(name)
                    if waiting is None or comes_from(item.address, waiting.article):
                        self._changed.pop(name, None)
                        self._unchanged.add(name)
            case Article():
                self._show_progress(item.title)
                self._receive_article(item)

    def _receive_article(self, article: Article) -> None:
        """Queue an article, unless it may not be stored under the id of an earlier one."""
        decision = self._decide(article)
        name = decision.article.article_id
        earlier = self._changed.get(name) or self._new.get(name)
        if earlier and name in self._new and not share_words(earlier.given, article):
            self._commit(self._new)  # so that the store can tell the two apart
            decision = self._decide(article)
            if decision.article.article_id != name:
                name = decision.article.article_id
                earlier = self._changed.get(name)
        reason = decision.reason
        if earlier and not comes_from(article.source, earlier.article):
            reason = refusal(earlier.article)
        if reason:
            self._fail(article, reason)
            return
        if earlier and (omitted := _superseded(earlier.given, article)):
            self._omitted.append(Omission(earlier.given.source or name, omitted))
        self._names[article.article_id] = name
        self._queue(name, decision)

    def _queue(self, name: str, decision: Decision) -> None:
        """Let a new article wait for the next batch, a changed article for the end of the run."""
        self._new.pop(name, None)
        self._changed.pop(name, None)
        self._unchanged.discard(name)
        match decision.outcome:
            case "unchanged" if not decision.claims:
                self._unchanged.add(name)
            case "added":
                self._new[name] = decision
            case _:
                self._changed[name] = decision

    def _decide(self, article: Article) -> Decision:
        with self.store.snapshot() as snapshot:
            return snapshot.decide(article, revive=self.revive)

    def _fail(self, article: Article, reason: str) -> None:
        """Report an article that is not stored; what was left out of it is then not reported."""
        self._refused.add((article.source, article.article_id))
        self._failed.append(Failure(article.source or article.article_id, reason))

    def _commit(self, waiting: dict[str, Decision]) -> None:
        """Embed and store the waiting articles, then the pages whose articles are all stored."""
        while names := [*islice(waiting, BATCH_ARTICLES)]:
            self._commit_articles([waiting.pop(name) for name in names])
        pages, self._pages = self._pages, []
        complete: list[PageState] = []
        for page in pages:
            ids = dict.fromkeys(self._names.get(name, name) for name in page.articles)
            is_waiting = any(name in self._new or name in self._changed for name in ids)
            (self._pages if is_waiting else complete).append(replace(page, articles=tuple(ids)))
        if complete:
            changes = Changes(pages=complete)
            self.store.commit(changes, actor=self.actor, action=self.action)

    def _commit_articles(self, decisions: list[Decision]) -> None:
        spans = [self._split(decision.given) for decision in decisions]
        ready = [pair for pair in zip(decisions, spans, strict=True) if pair[1]]
        if not ready:
            return
        commit = self.store.commit(
            Changes(put=self._prepared(ready), revive=self.revive),
            model=self.encoder.model,
            actor=self.actor,
            action=self.action,
        )
        self._generation = commit.generation
        added = {change.article_id for became, change in self._changes if became == "added"}
        for decision, (_, sentences) in zip(commit.put, ready, strict=True):
            article = decision.article
            self._names[decision.given.article_id] = article.article_id
            if decision.outcome == "refused":
                self._fail(decision.given, decision.reason)
            elif decision.outcome == "unchanged":
                self._unchanged.add(article.article_id)
            else:
                change = ArticleChange(article.article_id, article.title, len(sentences))
                is_new = decision.outcome == "added" or article.article_id in added
                self._changes.append(("added" if is_new else decision.outcome, change))
        self._show_progress(ready[-1][0].given.title)

    def _split(self, article: Article) -> tuple[Span, ...]:
        spans = tuple(split(article.text, article.language))
        if spans and any(char.isalnum() for char in article.text):
            return spans
        self._fail(article, "It has no sentences: give it a text.")
        return ()

    def _prepared(self, ready: list[tuple[Decision, tuple[Span, ...]]]) -> list[PreparedArticle]:
        """Embed and annotate articles."""
        texts = [[d.given.text[s.start : s.end] for s in spans] for d, spans in ready]
        distinct = dict.fromkeys(chain(*texts), _NOT_EMBEDDED)
        vectors = distinct if self.dry_run else self._embedded(distinct, ready)
        return [
            PreparedArticle(
                decision.given,
                spans,
                np.stack([vectors[text] for text in sentences]),
                tuple((a.speaker, a.act) for a in annotate(decision.given.text, spans)),
            )
            for (decision, spans), sentences in zip(ready, texts, strict=True)
        ]

    def _embedded(
        self, texts: Iterable[str], ready: list[tuple[Decision, tuple[Span, ...]]]
    ) -> dict[str, Vectors]:
        """Return vectors of texts; sentences that a revision keeps are not embedded again."""
        known: dict[str, Vectors] = {}
        with self.store.snapshot() as snapshot:
            for decision, _ in ready:
                known |= snapshot.embedded(decision.article.article_id)
        if new := [text for text in texts if text not in known]:
            on_progress = partial(self._show_progress, ready[-1][0].given.title)
            known |= zip(new, self.encoder.encode(new, on_progress=on_progress), strict=True)
        return known

    def _show_progress(self, title: str, embedded: int = 0) -> None:
        """Report the progress; `embedded` counts sentences that are not stored yet."""
        if self.on_progress:
            count = len(self._changes) + len(self._unchanged)
            self.on_progress(Progress(count, self._sentences + embedded, self.total, title))


def _superseded(earlier: Article, later: Article) -> str:
    """Return what to say about an article whose id a later article takes; "" if nothing."""
    if (later.id_given and earlier.text != later.text) or not share_words(earlier, later):
        return (
            f"“{earlier.title}” was left out, because another report has the same id or address: "
            "give each its own."
        )
    if earlier.source != later.source:
        return f"“{later.title}” came again in {later.source}: the later text counts."
    return ""
