"""Taking articles in: what is new is split, embedded and committed, batch by batch.

A batch is a commit of its own, so a long run that ends early keeps what it did, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import numpy as np

from index.address import site
from index.article import Article
from index.commit import mismatch
from index.encoder import Encoder, Vectors
from index.errors import CancelledError, EncoderError, ModelMismatchError, StoreError
from index.plain import Failure, Item, Page
from index.sentences import Span, split
from index.store import Changes, Known, Outcome, Prepared, Snapshot, Store, keys

BATCH_SENTENCES = 1_000  # a commit about this often
BATCH_ARTICLES = 200
_HELD = 2_000  # changed articles that wait for a later text of the same id
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
        self._held: dict[str, Article] = {}  # differ from what is stored, until the end
        self._same: dict[str, tuple[str, str | None]] = {}  # key -> id and address, of this run
        self._renamed: dict[str, str] = {}  # id as it was read -> id it is stored under
        self._unchanged: set[str] = set()
        self._pages: list[Page] = []  # read, and not yet stored

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
            if snapshot.model not in {None, self._encoder.model}:
                raise ModelMismatchError(mismatch(snapshot.model or "", self._encoder.model))
        try:
            for batch in self._batches(items):
                generation = max(generation, self._take(batch))
        except (StoreError, EncoderError, CancelledError, KeyboardInterrupt) as error:
            if not tally.changes:
                raise
            told = str(error) or "It was stopped"
            tally.failed.append(Failure("the rest", f"{told.rstrip('.')}; what is listed stays."))
        if tally.changes and not self._dry_run:
            self._store.prepare(load=False)
        tally.unchanged += len(self._unchanged)
        return tally.report(generation, time.monotonic() - started)

    def _take(self, batch: list[Article]) -> int:
        """Commit a batch with the pages whose articles are all in by then; the generation made."""
        ready = [made for article in batch if (made := self._split(article))]
        if self._dry_run:
            self._predict(ready)
            return 0
        ripe, waiting = [], []
        for page in self._pages:
            ids = tuple(dict.fromkeys(self._renamed.get(one, one) for one in page.articles))
            if self._held.keys().isdisjoint(ids):
                ripe.append(replace(page, articles=ids))
            else:
                waiting.append(page)
        self._pages = waiting
        return self._commit(ready, ripe) if ready or ripe else 0

    def _batches(self, items: Iterator[Item]) -> Iterator[list[Article]]:
        """What goes into one commit each: new articles at once, changed ones when all is read.

        The last text of an id stands, and only it: sources that hold an id twice would otherwise
        make revisions whenever they are read.
        """
        batch: dict[str, Article] = {}
        size = 0
        for item in items:
            if isinstance(item, Failure):
                self._tally.failed.append(item)
            elif isinstance(item, Page):
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

    def _note(self, page: Page) -> None:
        if not page.unchanged:
            self._pages.append(page)
            return
        for article_id in page.articles:
            held = self._held.get(article_id)
            if held is None or _is_from(page.address, held):
                self._held.pop(article_id, None)
                self._unchanged.add(article_id)

    def _new(self, batch: list[Article]) -> list[Article]:
        """The articles of a batch that are new; changed ones are held back, equal ones counted."""
        new: dict[str, Article] = {}
        with self._store.snapshot() as snapshot:
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
            other = others.get(article.article_id) or new.get(article.article_id)
            if not self._may_stand_for(other, article):
                continue
            self._held.pop(article.article_id, None)
            self._unchanged.discard(article.article_id)
            if stored is None:
                new[article.article_id] = article
            elif self._revive if stored.retired else stored.text_hash != article.text_hash:
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
        self._tally.failed.append(Failure(article.source or article.article_id, told))
        return False

    def _identified(self, snapshot: Snapshot, batch: list[Article]) -> list[Article]:
        """The articles under the ids and addresses by which they are known already.

        An id that was given is kept; one made from an address or a path is only another name for
        what is known by its page or, word for word, by its publisher.
        """
        known = snapshot.known([article.article_id for article in batch])
        new = {one.article_id: keys(one) for one in batch if one.article_id not in known}
        stored = snapshot.alike(key for own in new.values() for key in own)
        made = []
        for article in batch:
            own = () if article.named else new.get(article.article_id, ())
            twin = next((key for key in own if key in stored or key in self._same), None)
            if twin is None:
                for key in new.get(article.article_id, ()):
                    self._same.setdefault(key, (article.article_id, article.url))
                made.append(article)
                continue
            if twin in stored:
                other = snapshot.article(stored[twin])
                name, url = other.article_id, other.url
                made += [other] if own[-1] in stored else []
            else:
                name, url = self._same[twin]
            self._renamed[article.article_id] = name
            if own[-1] not in stored and own[-1] not in self._same:  # the page has another text
                made.append(replace(article, article_id=name, url=url))
        return made

    def _split(self, article: Article) -> _Ready | None:
        spans = split(article.text, article.language)
        if spans and any(char.isalnum() for char in article.text):
            return article, spans
        where = article.source or article.article_id
        self._tally.failed.append(Failure(where, "It has no sentences: give it a text."))
        return None

    def _commit(self, ready: list[_Ready], pages: list[Page]) -> int:
        """Embed and store a batch; the generation that it made."""
        vectors = self._embed(ready)
        put = [
            Prepared(article, tuple(spans), own)
            for (article, spans), own in zip(ready, vectors, strict=True)
        ]
        commit = self._store.commit(
            Changes(put=put, revive=self._revive, pages=pages),
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
        if ready:
            self._tell(ready[-1][0].title)
        return commit.generation

    def _tell(self, title: str, embedded: int = 0) -> None:
        """Say how far it is, with the article in hand and what is embedded and not yet stored."""
        if self._watch:
            done = self._tally.articles + len(self._unchanged)
            sentences = self._tally.sentences + embedded
            self._watch(Progress(done, sentences, self._total, title))

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
        made = {}
        if new:
            each = partial(self._tell, ready[-1][0].title)
            made = dict(zip(new, self._encoder.encode(new, each=each), strict=True))
        return [
            np.stack([known[text] if text in known else made[text] for text in own])
            for known, own in zip(stored, texts, strict=True)
        ]

    def _predict(self, ready: list[_Ready]) -> None:
        with self._store.snapshot() as snapshot:
            known = snapshot.known([article.article_id for article, _ in ready]) | self._seen
        for article, spans in ready:
            stored = known.get(article.article_id)
            outcome: Outcome = "added" if stored is None else "updated"
            if stored and stored.retired and stored.text_hash == article.text_hash:
                outcome = "restored"
            self._seen[article.article_id] = Known(article.text_hash, retired=False)
            self._tally.note(outcome, Change(article.article_id, article.title, len(spans)))


def _is_from(source: str | None, article: Article) -> bool:
    """Whether a source is where an article came from: its site, or the same machine's files."""
    own = {site(article.source)} | ({site(article.url)} if article.url else set())
    return site(source) in own
