"""What a store holds and promises: the protocols `Store` and `Snapshot`, and their records.

A commit makes a generation: articles, sentences, embeddings, full text and the audit log
change together or not at all. A snapshot sees exactly one generation from beginning to end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from index.domain import Act, Article, Filters, Notice, PageState, Sentence
from index.encoder import Encoder, Vectors
from index.store.answers import AnswerLog
from index.store.sources import Source
from index.text.sentences import Span

Ids = npt.NDArray[np.int64]
Outcome = Literal[
    "added",
    "updated",
    "unchanged",
    "refused",
    "removed",
    "restored",
    "absent",
    "corrected",
    "retracted",
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
        remove, restore: ids of articles to take out of, and bring back into, the corpus.
        revive: whether a put brings back an article that had been removed; a refresh of a
            source must not undo a moderator's removal.
        notices: article ids with a notice each; a retraction takes its article out as well.
        undo: a generation; every article becomes live, or not, as it was then.
        pages: how to recognise what was read for this commit while it stays unchanged.
    """

    put: Sequence[PreparedArticle] = ()
    remove: Sequence[str] = ()
    restore: Sequence[str] = ()
    revive: bool = True
    notices: Sequence[tuple[str, Notice]] = ()
    undo: int | None = None
    pages: Sequence[PageState] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What putting an article does, in view of what is stored.

    Attributes:
        article: with the id and address it is stored under, which may be those of an article
            that was recognised by its page or its words.
        outcome: added, updated, restored, unchanged or refused.
        reason: why it is refused, in a sentence that says what to do.
    """

    article: Article
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did.

    Attributes:
        generation: the one it made, or the newest if nothing changed.
        outcomes: by the id of each stored article it was about.
        put: one decision for each article put, in order.
    """

    generation: int
    outcomes: Mapping[str, Outcome]
    put: tuple[Decision, ...] = ()


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
class RecentArticle:
    """A live article that is new since some moment, or changed: then `before` is what it was."""

    article: Article
    before: Article | None


@dataclass(frozen=True, slots=True)
class IndexVersion:
    """Identifies one state of the embeddings.

    The number of a generation alone does not: after a recovery it is given again.

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
        """The k live sentences of the highest inner product with `vector` (d,).

        Exact on the newest generation. A snapshot that is no longer the newest may miss
        sentences that were removed since; it never returns any that it does not have.
        """

    def lexical(self, terms: Sequence[str], k: int, filters: Filters = ...) -> Ranked:
        """The k live sentences of the highest BM25 for any of the terms."""

    def document_frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """In how many live sentences each term occurs; terms in none are left out."""

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
        """When the first and the last dated live article were published."""

    def fresh(self, since: datetime, filters: Filters, limit: int) -> list[RecentArticle]:
        """Live articles published or revised since then, newest first; ignores `filters.since`."""

    def rewrites(self, article_ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """For each of these articles, the live ones that share its origin (copies, rewrites)."""

    def sentences(self, article_id: str) -> list[Sentence]:
        """The sentences of an article's latest revision, in order. Raises NotFoundError."""

    def publishers(self) -> dict[str, int]:
        """How many live articles each publisher has, most first."""

    def decide(self, article: Article, *, revive: bool = True) -> Decision:
        """What putting an article would do to this generation."""

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
        """The log of its answers; no part of a generation."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """The newest generation, to read. Raises StoreError where it cannot be opened."""

    def commit(
        self, changes: Changes, *, actor: str, action: str, note: str = "", model: str | None = None
    ) -> Commit:
        """Apply all changes and make a generation, or change nothing at all.

        What an article is (new, known under another id, unchanged, refused) is decided inside
        the transaction. `model` made the vectors of what is put. Pages make no generation.

        Raises:
            NotFoundError: there is no such generation to go back to.
            ModelMismatchError: the collection was embedded by another model.
            StoreBusyError: another process is writing and does not come to an end.
            StoreError: it cannot be written.
        """

    def add_source(self, source: Source) -> None:
        """Name a place that a reindex reads; one that is there already stays as it is."""

    def schedule_source(self, uri: str, every: int | None) -> None:
        """Set the minutes between two reads of a source."""

    def pause_source(self, uri: str, *, paused: bool) -> None:
        """Pause a source, or resume it: then it is due, and its failures are forgotten."""

    def update_source(self, source: Source) -> None:
        """Write how reading a source went; its interval and pause stay as they are."""

    def remove_source(self, uri: str) -> None:
        """Drop a source; its articles stay."""

    def rebuild(
        self, encoder: Encoder, *, actor: str, on_progress: Callable[[int], None] | None = None
    ) -> Commit:
        """Embed every sentence again and, once all are, put that in force at once.

        Until then snapshots have the old embeddings, and articles may be added. What was embedded
        is kept when it ends early; the next call for the same model goes on from there.

        Args:
            encoder: makes the vectors.
            actor: named in the audit log.
            on_progress: called with how many sentences are done; may raise to stop.
        """

    def prepare(self) -> None:
        """Bring what is derived up to date, so that the next question does not wait for it."""

    def backup(self, file: Path) -> None:
        """Write a copy of the newest generation to a file, or nothing. Raises StoreError."""

    def recover(self, file: Path) -> None:
        """Replace all that is stored by a copy. Raises StoreError, nothing changed, for others."""

    def erase(self) -> None:
        """Delete all that is stored, for good, damaged or not, and close.

        Raises:
            StoreError: it is another program's, or cannot be deleted now; nothing was deleted.
        """

    def close(self) -> None:
        """Close files and connections; a closed store is not used again."""
