"""Taking articles in: what is new is split, embedded and committed, batch by batch.

A batch is a commit of its own, so a long run that ends early keeps what it did, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice

import numpy as np

from index.answering.attribution import annotate
from index.domain import Act, Article, Failure, PageState, SourceItem
from index.encoder import Encoder, Vectors
from index.errors import CancelledError, EncoderError, StoreError
from index.reading.urls import site
from index.store.types import (
    Changes,
    Commit,
    Known,
    Outcome,
    PreparedArticle,
    Snapshot,
    Store,
    keys,
)
from index.store.writer import check_model
from index.text.sentences import Span, split

BATCH_SENTENCES = 1_000  # a commit about this often
BATCH_ARTICLES = 200
_MANY = 5_000  # sentences after which the vector index is brought up to date at once
_HELD = 2_000  # changed articles that wait for a later text of the same id
_Ready = tuple[Article, list[Span]]


@dataclass(frozen=True, slots=True)
class ArticleChange:
    """An article that was added, updated, removed or restored."""

    article_id: str
    title: str
    sentences: int


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What adding, removing or reindexing did."""

    generation: int
    added: tuple[ArticleChange, ...] = ()
    updated: tuple[ArticleChange, ...] = ()
    restored: tuple[ArticleChange, ...] = ()
    removed: tuple[ArticleChange, ...] = ()
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


ProgressCallback = Callable[[Progress], None]


def reported(
    done: Sequence[tuple[Outcome, ArticleChange]],
    generation: int,
    started: float,
    failed: list[Failure],
) -> IngestResult:
    """What became of articles, since a moment of `time.monotonic`."""

    def those(outcome: Outcome) -> tuple[ArticleChange, ...]:
        return tuple(change for became, change in done if became == outcome)

    return IngestResult(
        generation,
        *(those("added"), those("updated"), those("restored"), those("removed")),
        unchanged=len(those("unchanged")),
        failed=tuple(failed),
        seconds=time.monotonic() - started,
    )


@dataclass(slots=True, kw_only=True)
class Intake:
    """One run of taking articles into a store.

    Attributes:
        store, encoder: take the articles in, and embed their sentences.
        actor, action: who is written into the audit log, and why.
        revive: whether an article that had been removed comes back.
        dry_run: tell what would be done, and do nothing.
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
    _done: list[tuple[Outcome, ArticleChange]] = field(init=False, default_factory=list)
    _failed: list[Failure] = field(init=False, default_factory=list)
    _sentences: int = field(init=False, default=0)  # stored
    _unchanged: set[str] = field(init=False, default_factory=set)
    # Changed articles wait until all is read, pages until all of their articles are stored.
    _held: dict[str, Article] = field(init=False, default_factory=dict)
    _pages: list[PageState] = field(init=False, default_factory=list)
    # Of this run: id and address by key, the id that is stored by the id that was read, what
    # should become of each article, and what a dry run, which stores nothing, has seen.
    _same: dict[str, tuple[str, str | None]] = field(init=False, default_factory=dict)
    _renamed: dict[str, str] = field(init=False, default_factory=dict)
    _expected: dict[str, Outcome] = field(init=False, default_factory=dict)
    _seen: dict[str, Known] = field(init=False, default_factory=dict)

    def take(self, items: Iterator[SourceItem]) -> IngestResult:
        """Take in what is new among the items.

        Raises:
            StoreError, EncoderError, CancelledError: before anything was committed; later they
                are a failure in the report, beside what is kept.
        """
        started = time.monotonic()
        with self.store.snapshot() as snapshot:
            generation = snapshot.generation
            check_model(snapshot.model, self.encoder.model)
        try:
            for batch in self._batches(items):
                generation = max(generation, self._take(batch))
        except (StoreError, EncoderError, CancelledError, KeyboardInterrupt) as error:
            if not self._done:
                raise
            told = str(error) or "It was stopped"
            self._failed.append(Failure("the rest", f"{told.rstrip('.')}; what is listed stays."))
        if self._sentences > _MANY and not self.dry_run:  # less, the next question takes in
            self.store.prepare()
        report = reported(self._done, generation, started, self._failed)
        return replace(report, unchanged=len(self._unchanged))

    def _take(self, batch: list[Article]) -> int:
        """Commit a batch with the pages whose articles are all in by then; the generation made."""
        ready = [made for article in batch if (made := self._split(article))]
        pages = [*self._ripe()]
        if self.dry_run:
            commit = Commit(0, self._expected)
            self._seen |= {one.article_id: Known(one.text_hash, retired=False) for one, _ in ready}
        elif ready or pages:
            commit = self._committed(ready, pages)
        else:
            return 0
        for article, spans in ready:
            outcome = commit.outcomes[article.article_id]
            change = ArticleChange(article.article_id, article.title, len(spans))
            if outcome == "unchanged":  # it was undone, and its source still says so
                self._unchanged.add(article.article_id)
            else:
                self._done.append((outcome, change))
                self._sentences += len(spans)
        if ready:
            self._tell(ready[-1][0].title)
        return commit.generation

    def _batches(self, items: Iterator[SourceItem]) -> Iterator[list[Article]]:
        """What goes into one commit each: new articles at once, changed ones when all is read.

        The last text of an id stands, and only it: sources that hold an id twice would otherwise
        make revisions whenever they are read.
        """
        batch: dict[str, Article] = {}
        size = 0
        for item in items:
            if isinstance(item, Failure):
                self._failed.append(item)
            elif isinstance(item, PageState):
                self._note(item)
            else:
                self._tell(item.title)
                if self._may_stand_for(batch.get(item.article_id), item):
                    batch.pop(item.article_id, None)
                    batch[item.article_id] = item
                size += len(item.text) // 120  # about a sentence
            if size >= BATCH_SENTENCES or len(batch) >= BATCH_ARTICLES:
                yield self._new([*batch.values()])
                batch, size = {}, 0
                if len(self._held) >= _HELD:
                    yield from self._released()
        yield self._new([*batch.values()])
        yield from self._released()

    def _released(self) -> Iterator[list[Article]]:
        while batch := [*islice(self._held.values(), BATCH_ARTICLES)]:
            for article in batch:
                del self._held[article.article_id]
            yield batch

    def _note(self, page: PageState) -> None:
        if not page.unchanged:
            self._pages.append(page)
            return
        for article_id in page.articles:
            held = self._held.get(article_id)
            if held is None or _is_from(page.address, held):
                self._held.pop(article_id, None)
                self._unchanged.add(article_id)

    def _ripe(self) -> Iterator[PageState]:
        """Pages none of whose articles waits, with the ids that those are stored under."""
        waiting, self._pages = self._pages, []
        for page in waiting:
            ids = tuple(dict.fromkeys(self._renamed.get(one, one) for one in page.articles))
            if self._held.keys().isdisjoint(ids):
                yield replace(page, articles=ids)
            else:
                self._pages.append(page)

    def _new(self, batch: list[Article]) -> list[Article]:
        """The articles of a batch that are new; changed ones are held back, equal ones counted."""
        new: dict[str, Article] = {}
        with self.store.snapshot() as snapshot:
            batch = self._identified(snapshot, batch)
            known = snapshot.known({article.article_id for article in batch}) | self._seen
            others = {
                article.article_id: snapshot.article(article.article_id)
                for article in batch
                if (stored := known.get(article.article_id))
                and stored.text_hash != article.text_hash
                and article.article_id not in self._seen
            }
        for article in batch:
            stored = known.get(article.article_id)
            told = (some.get(article.article_id) for some in (self._held, new, others))
            if not self._may_stand_for(next(filter(None, told), None), article):
                continue
            self._held.pop(article.article_id, None)
            self._unchanged.discard(article.article_id)
            same = stored is not None and stored.text_hash == article.text_hash
            self._expected[article.article_id] = "restored" if same else "updated"
            if stored is None:
                self._expected[article.article_id] = "added"
                new[article.article_id] = article
            elif self.revive if stored.retired else not same:
                self._held[article.article_id] = article
            else:
                self._unchanged.add(article.article_id)
        return [*new.values()]

    def _may_stand_for(self, known: Article | None, article: Article) -> bool:
        """Whether an article may revise what is known under its id; where not, it is refused.

        Only where a report came from it is revised: whoever writes a feed or a file could
        otherwise put words into another outlet's mouth.
        """
        if known is None or _is_from(article.source, known):
            return True
        there = site(known.source) or "a file"
        told = (
            f"“{known.title}” came from {there}, and is revised only from there: give this report "
            "an address or an id of its own, or say with `correct` what is wrong with that one."
        )
        self._failed.append(Failure(article.source or article.article_id, told))
        return False

    def _identified(self, snapshot: Snapshot, batch: list[Article]) -> list[Article]:
        """The articles under the ids and addresses by which they are known already.

        An id that was given is kept; one made from an address or a path is only another name for
        what is known by its page or, word for word, by its publisher.
        """
        known = snapshot.known([article.article_id for article in batch])
        new = {one.article_id: keys(one) for one in batch if one.article_id not in known}
        stored = snapshot.alike(key for own in new.values() for key in own)
        for key, article_id in stored.items():
            self._same.setdefault(key, (article_id, snapshot.article(article_id).url))
        made = []
        for article in batch:
            own = new.get(article.article_id, ())
            twin = next((key for key in own if key in self._same), None)
            if twin is None or article.named:
                made.append(article)
                for key in own:
                    self._same.setdefault(key, (article.article_id, article.url))
                continue
            name, url = self._same[twin]
            self._renamed[article.article_id] = name
            if own[-1] in stored:
                made.append(snapshot.article(name))
            elif own[-1] not in self._same:  # the page has another text
                made.append(replace(article, article_id=name, url=url))
        return made

    def _split(self, article: Article) -> _Ready | None:
        spans = split(article.text, article.language)
        if spans and any(char.isalnum() for char in article.text):
            return article, spans
        where = article.source or article.article_id
        self._failed.append(Failure(where, "It has no sentences: give it a text."))
        return None

    def _committed(self, ready: list[_Ready], pages: list[PageState]) -> Commit:
        """Embed and store a batch."""
        vectors = self._embed(ready)
        put = [
            PreparedArticle(article, tuple(spans), own, _voices(article, spans))
            for (article, spans), own in zip(ready, vectors, strict=True)
        ]
        return self.store.commit(
            Changes(put=put, revive=self.revive, pages=pages),
            model=self.encoder.model,
            actor=self.actor,
            action=self.action,
        )

    def _embed(self, ready: list[_Ready]) -> list[Vectors]:
        """One (sentences, d) array an article; what a revision keeps is not embedded again."""
        known: dict[str, Vectors] = {}
        with self.store.snapshot() as snapshot:
            for article, _ in ready:
                known |= snapshot.embedded(article.article_id)
        texts = [[article.text[s.start : s.end] for s in spans] for article, spans in ready]
        new = [text for text in dict.fromkeys(chain(*texts)) if text not in known]
        if new:
            on_progress = partial(self._tell, ready[-1][0].title)
            known |= zip(new, self.encoder.encode(new, on_progress=on_progress), strict=True)
        return [np.stack([known[text] for text in own]) for own in texts]

    def _tell(self, title: str, embedded: int = 0) -> None:
        """Say how far it is, with the article in hand and what is embedded and not yet stored."""
        if self.on_progress:
            done = len(self._done) + len(self._unchanged)
            self.on_progress(Progress(done, self._sentences + embedded, self.total, title))


def _voices(article: Article, spans: list[Span]) -> tuple[tuple[str | None, Act], ...]:
    return tuple((one.speaker, one.act) for one in annotate(article.text, spans))


def _is_from(source: str | None, article: Article) -> bool:
    """Whether a source is where an article came from: its site, or the same machine's files."""
    own = {site(article.source)} | ({site(article.url)} if article.url else set())
    return site(source) in own
