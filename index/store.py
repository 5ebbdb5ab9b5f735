"""The protocol `Store`: one collection, changed in commits, read in snapshots.

A commit makes a generation: articles, sentences, embeddings, full text and the audit log
change together or not at all. A snapshot sees exactly one generation from beginning to end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from index.article import Article, Filters, Sentence
from index.encoder import Vectors
from index.log import Entry, Feedback, Verdict, Watch
from index.sentences import Span

Ids = npt.NDArray[np.int64]
Outcome = Literal["added", "updated", "unchanged", "removed", "restored", "absent"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An article ready to be stored: `vectors` float32 (len(spans), d), one a sentence."""

    article: Article
    spans: tuple[Span, ...]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Changes:
    """What one commit does.

    Attributes:
        put: articles to add or, where the text differs from the stored one, to update.
        remove, restore: article ids to take out of, and bring back into, the corpus.
        revive: whether a put brings back an article that had been removed; a refresh of a
            source must not undo a moderator's removal.
    """

    put: Sequence[Prepared] = ()
    remove: Sequence[str] = ()
    restore: Sequence[str] = ()
    revive: bool = True


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did: the generation it made (or found, if nothing changed)."""

    generation: int
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit log: a generation, who made it, how, and what it changed."""

    generation: int
    at: datetime
    actor: str
    action: str
    note: str
    articles: Mapping[str, int] = field(default_factory=dict)  # outcome -> how many


@dataclass(frozen=True, slots=True)
class Origin:
    """A place that articles come from, fetched again by a reindex."""

    uri: str
    kind: Literal["file", "folder", "url", "feed"]


@dataclass(frozen=True, slots=True)
class Known:
    """What a store knows of an article id: enough to tell whether it has to be embedded."""

    text_hash: str
    retired: bool


@dataclass(frozen=True, slots=True)
class Fresh:
    """A live article that is new since some moment, or changed: then `before` is what it was."""

    article: Article
    before: Article | None


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
    """How much is live: articles, sentences and the average number of terms a sentence."""

    articles: int
    sentences: int
    average_terms: float


class Log(Protocol):
    """The answer log of a collection; see index/log.py for what its methods promise."""

    def record(self, entry: Entry) -> None: ...
    def entry(self, answer_id: str) -> Entry | None: ...
    def quoting(self, article_id: str, limit: int) -> list[Entry]: ...
    def judge(self, answer_id: str, verdict: Verdict, note: str) -> None: ...
    def feedback(self, answer_id: str) -> list[Feedback]: ...
    def watch(self, watch: Watch) -> int: ...
    def looked(self, number: int, generation: int) -> None: ...
    def unwatch(self, number: int) -> None: ...
    def watches(self) -> list[Watch]: ...


class Snapshot(Protocol):
    """One generation of a collection, to read. Not to be used after its `with` block."""

    @property
    def generation(self) -> int:
        """0 for a collection to which nothing was ever committed."""

    @property
    def model(self) -> str | None:
        """The encoder's model; None while nothing is embedded."""

    @property
    def log(self) -> Log:
        """The answer log, to read."""

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

    def fresh(self, since: datetime, filters: Filters, limit: int) -> list[Fresh]:
        """Live articles published or revised since then, the newest first.

        Of the filters `since` does not count.
        """

    def sentences(self, article_id: str) -> list[Sentence]:
        """The sentences of an article's latest revision, in order."""

    def publishers(self) -> dict[str, int]:
        """How many live articles each publisher has."""

    def known(self, article_ids: Iterable[str]) -> dict[str, Known]:
        """What is stored under these ids; unknown ids are left out."""

    def embedded(self, article_id: str) -> dict[str, Vectors]:
        """Sentence text -> vector (d,) of the latest revision, to spare embedding it again."""

    def history(self, limit: int | None = None) -> list[Event]:
        """The audit log, newest first."""

    def origins(self) -> list[Origin]:
        """Where articles come from, in the order they were named."""


class Store(Protocol):
    """One collection."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """The newest generation, to read.

        Raises:
            StoreError: it cannot be opened.
        """

    def commit(
        self, changes: Changes, *, model: str | None = None, actor: str, action: str
    ) -> Commit:
        """Apply all changes and make a generation, or change nothing at all.

        `model` made the vectors of what is put; needed only for that.

        Raises:
            ModelMismatchError: the collection was embedded by another model.
            StoreBusyError: another process is writing and does not come to an end.
            StoreError: it cannot be written.
        """

    def remember(self, origin: Origin) -> None:
        """Name a place that a reindex fetches again; naming it twice is one."""

    def forget(self, uri: str) -> None:
        """Drop a place; its articles stay."""

    def unstaged(self, model: str, limit: int) -> list[tuple[int, str]]:
        """Sentences (id, text) that `model` has not embedded yet for a rebuild."""

    def stage(self, model: str, ids: Sequence[int], vectors: Vectors) -> None:
        """Keep embeddings (n, d) for a rebuild; questions do not see them yet."""

    def switch(self, *, model: str, actor: str) -> Commit | None:
        """Put the staged embeddings in force; None if sentences came in meanwhile."""

    def logging(self) -> AbstractContextManager[Log]:
        """The answer log, to write: all of a block or nothing; it makes no generation."""

    def prepare(self, *, load: bool = True) -> None:
        """Bring derived files up to date, so that the next question does not wait for it.

        With `load` false only where they are far behind: adding little costs little.
        """

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

    def close(self) -> None:
        """Let go of files and connections; a closed store is not used again."""
