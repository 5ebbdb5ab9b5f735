"""The protocol `Store`: one collection, changed in commits, read in snapshots.

A commit makes a generation: articles, sentences, embeddings, full text and the audit log
change together or not at all. A snapshot sees exactly one generation from beginning to end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from index.domain import Act, Article, Filters, Notice, PageState, Sentence
from index.encoder import Encoder, Vectors
from index.reading.urls import canonical
from index.store.answers import AnswerLog
from index.text.sentences import Span

_DAY = 24 * 60  # minutes

Ids = npt.NDArray[np.int64]
Outcome = Literal[
    "added", "updated", "unchanged", "removed", "restored", "absent", "corrected", "retracted"
]


@dataclass(frozen=True, slots=True)
class PreparedArticle:
    """An article ready to be stored: `vectors` float32 (len(spans), d), one a sentence.

    `voices` has a speaker and an act for each sentence; empty where nobody annotated them.
    """

    article: Article
    spans: tuple[Span, ...]
    vectors: Vectors
    voices: tuple[tuple[str | None, Act], ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """What one commit does.

    Attributes:
        put: articles to add or, where the text differs from the stored one, to update.
        remove, restore: article ids to take out of, and bring back into, the corpus.
        revive: whether a put brings back an article that had been removed; a refresh of a
            source must not undo a moderator's removal.
        notices: of article ids; a retraction takes its article out as well.
        undo: a generation; every article becomes live, or not, as it was then.
        pages: what was read to bring this about, to know it again when it has not changed.
    """

    put: Sequence[PreparedArticle] = ()
    remove: Sequence[str] = ()
    restore: Sequence[str] = ()
    revive: bool = True
    notices: Sequence[tuple[str, Notice]] = ()
    undo: int | None = None
    pages: Sequence[PageState] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did: the generation it made (or found, if nothing changed)."""

    generation: int
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One line of the audit log: a generation, who made it, how, and what it changed.

    `articles` counts by outcome; `titles` are of the first few that it changed.
    """

    generation: int
    at: datetime
    actor: str
    action: str
    note: str
    articles: Mapping[str, int] = field(default_factory=dict)
    titles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A source: a place that articles come from, and how reading it went.

    Attributes:
        every: minutes between two looks; None: only when a reindex is asked for.
        checked, succeeded: when it was read last, and last without failing.
        failures: in a row; `error` is the last one, `failing_since` the moment of the first.
        told: whether moderators know that it fails.
    """

    uri: str
    kind: Literal["file", "folder", "url"]
    every: int | None = None
    paused: bool = False
    checked: datetime | None = None
    succeeded: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    error: str | None = None
    told: bool = False

    def due(self, now: datetime) -> bool:
        """Whether to look again; each failure in a row doubles the wait, up to a day."""
        if self.every is None or self.paused:
            return False
        wait = min(self.every * 2 ** min(self.failures, 20), max(self.every, _DAY))
        return self.checked is None or self.checked + timedelta(minutes=wait) <= now

    def after(self, now: datetime, error: str | None) -> Source:
        """The source after it was read, or failed to be."""
        if error is None:
            fresh = Source(self.uri, self.kind, self.every, self.paused)
            return replace(fresh, checked=now, succeeded=now)
        since = self.failing_since or now
        failures = self.failures + 1
        return replace(self, checked=now, failures=failures, failing_since=since, error=error)


@dataclass(frozen=True, slots=True)
class Known:
    """What a store knows of an article id: enough to tell whether it has to be embedded."""

    text_hash: str
    retired: bool


def keys(article: Article) -> tuple[str, ...]:
    """What tells an article under another id: its page, and its very words by one publisher."""
    said = [(article.publisher or "").casefold(), article.title, article.text]
    words = "\x00".join(" ".join(part.split()) for part in said).encode("utf-8", "surrogatepass")
    page = (f"page {canonical(article.url)}",) if article.url else ()
    return (*page, f"words {hashlib.sha256(words).hexdigest()}")


@dataclass(frozen=True, slots=True)
class RecentArticle:
    """A live article that is new since some moment, or changed: then `before` is what it was."""

    article: Article
    before: Article | None


@dataclass(frozen=True, slots=True)
class IndexVersion:
    """Tells one state of the embeddings from every other.

    The number of a generation alone does not: a copy that was recovered makes it again.

    Attributes:
        token: random, made with the generation; "" for generation 0.
        model: which made the embeddings, and in which rebuild.
    """

    generation: int
    token: str
    model: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """Sentence ids with scores, best first; equal scores by ascending id.

    `ids` int64 (n,), `scores` float32 (n,).
    """

    ids: Ids
    scores: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rows:
    """Sentences with all that ranking looks at, ordered by id.

    Attributes:
        sentences: n of them; consecutive sentences of an article have consecutive ids.
        vectors: float32 (n, d), unit norm.
        terms: n term lists.
        articles: by article id.
    """

    sentences: tuple[Sentence, ...]
    vectors: Vectors
    terms: tuple[tuple[str, ...], ...]
    articles: Mapping[str, Article]


@dataclass(frozen=True, slots=True)
class Size:
    """How many articles and sentences are live."""

    articles: int
    sentences: int


class Snapshot(Protocol):
    """One generation of a collection, to read. Not to be used after its `with` block."""

    @property
    def generation(self) -> int:
        """0 for a collection to which nothing was ever committed."""

    @property
    def model(self) -> str | None:
        """The encoder's model; None while nothing is embedded."""

    def size(self) -> Size:
        """How much is live."""

    def dense(self, vector: Vectors, k: int, filters: Filters = ...) -> Ranked:
        """The k live sentences of the highest inner product with `vector` (d,)."""

    def lexical(self, terms: Sequence[str], k: int, filters: Filters = ...) -> Ranked:
        """The k live sentences of the highest BM25 for any of the terms."""

    def document_frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """In how many live sentences each term stands; terms in none are left out."""

    def rows(self, ids: Iterable[int], radius: int = 0) -> Rows:
        """Live sentences by id, with up to `radius` neighbours on each side in their article."""

    def article(self, article_id: str, revision: int | None = None) -> Article:
        """One article, retired ones too; the latest revision unless another is asked for.

        Raises:
            NotFoundError: no such article or revision.
        """

    def articles(self, *, retired: bool = False) -> list[Article]:
        """All live articles (or all retired ones), by id."""

    def published(self) -> tuple[datetime, datetime] | None:
        """When the first and the last live article that tells was published."""

    def fresh(self, since: datetime, filters: Filters, limit: int) -> list[RecentArticle]:
        """Live articles published or revised since then, the newest first.

        Of the filters `since` does not count.
        """

    def rewrites(self, article_ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """For each of these articles, the live ones that copy or rewrite it, or the same text."""

    def sentences(self, article_id: str) -> list[Sentence]:
        """The sentences of an article's latest revision, in order."""

    def publishers(self) -> dict[str, int]:
        """How many live articles each publisher has."""

    def known(self, article_ids: Iterable[str]) -> dict[str, Known]:
        """What is stored under these ids; unknown ids are left out."""

    def alike(self, keys: Iterable[str]) -> dict[str, str]:
        """Key (of `keys`) -> id of the article that first had it; unknown keys are left out."""

    def page(self, address: str) -> PageState | None:
        """What was read there; None where not all of its articles are stored any more."""

    def embedded(self, article_id: str) -> dict[str, Vectors]:
        """Sentence text -> vector (d,) of the latest revision, to spare embedding it again."""

    def history(self, limit: int | None = None) -> list[HistoryEvent]:
        """The audit log, newest first."""

    def sources(self) -> list[Source]:
        """Where articles come from, in the order they were named."""


class Store(Protocol):
    """One collection."""

    @property
    def answers(self) -> AnswerLog:
        """What it remembers of its answers; that is no part of a generation."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """The newest generation, to read.

        Raises:
            StoreError: it cannot be opened.
        """

    def commit(
        self, changes: Changes, *, actor: str, action: str, note: str = "", model: str | None = None
    ) -> Commit:
        """Apply all changes and make a generation, or change nothing at all.

        `model` made the vectors of what is put; needed only for that. Pages make no generation.

        Raises:
            NotFoundError: there is no such generation to go back to.
            ModelMismatchError: the collection was embedded by another model.
            StoreBusyError: another process is writing and does not come to an end.
            StoreError: it cannot be written.
        """

    def remember(self, source: Source) -> None:
        """Name a place that a reindex fetches again; naming it twice is one."""

    def amend(self, source: Source, *names: str) -> None:
        """Write these fields of a place; the others may be changed by somebody else meanwhile."""

    def forget(self, uri: str) -> None:
        """Drop a place; its articles stay."""

    def rebuild(
        self, encoder: Encoder, *, actor: str, on_progress: Callable[[int], None] | None = None
    ) -> Commit:
        """Embed every sentence again and, once all are, put that in force at once.

        Until then questions see what was there before, and articles may come in. What was embedded
        is kept when it ends early; the next call for the same model goes on from there.

        Args:
            encoder: makes the vectors.
            actor: who is written into the audit log.
            on_progress: called now and then with how many sentences are done; may raise to stop.
        """

    def prepare(self) -> None:
        """Bring derived files up to date, so that the next question does not wait for it."""

    def backup(self, file: Path) -> None:
        """Write a consistent copy of the newest generation to a file, whole or not at all.

        Raises:
            StoreError: the file cannot be written.
        """

    def recover(self, file: Path) -> None:
        """Put a copy in the place of all that is stored.

        Raises:
            StoreError: the file is no copy of a collection; nothing was changed.
        """

    def erase(self) -> None:
        """Delete all that is stored, for good, damaged or not, and close.

        Raises:
            StoreError: it is not ours to delete, or not to be had now; nothing was deleted.
        """

    def close(self) -> None:
        """Let go of files and connections; a closed store is not used again."""
