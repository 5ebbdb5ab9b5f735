"""Records that a store takes and returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

from index.domain import Act, Article, Notice, Sentence
from index.encoder import Vectors
from index.reading.items import PageState
from index.text.rewrites import sketch
from index.text.sentences import Span
from index.text.terms import terms

Ids = npt.NDArray[np.int64]
Put = Literal["added", "updated", "unchanged", "refused", "restored"]
Outcome = Put | Literal["removed", "absent", "corrected", "retracted", "withdrawn"]


@dataclass(frozen=True, slots=True)
class PreparedArticle:
    """An article ready to be stored: `vectors` float32 (len(spans), d), one per sentence.

    `voices` has the speaker and act of each sentence. `terms` (of each sentence) and `hashes` (the
    sketch of the text) are computed here, before the store is locked.
    """

    article: Article
    spans: tuple[Span, ...]
    vectors: Vectors
    voices: tuple[tuple[str | None, Act], ...]
    terms: tuple[str, ...] = field(init=False)
    hashes: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        text = self.article.text
        joined = (" ".join(terms(text[span.start : span.end])) for span in self.spans)
        object.__setattr__(self, "terms", tuple(joined))
        object.__setattr__(self, "hashes", tuple(sorted(sketch(text))))


@dataclass(frozen=True, slots=True)
class Changes:
    """What one commit does.

    Attributes:
        put: articles to add or, where the text differs from the stored one, to update.
        remove, restore: ids of articles to remove from the corpus, and to restore.
        revive: whether a put restores a removed article; reading a source again must not undo a
            moderator's removal.
        notices: a notice for each of these article ids; a retraction also removes the article.
        undo: a generation; every article becomes live, or not, as it was then.
        seen: the newest generation that whoever decided on this has seen; if there is a newer
            generation, nothing is changed.
        pages: how to recognise unchanged files and pages; they alone make no generation.
    """

    put: Sequence[PreparedArticle] = ()
    remove: Sequence[str] = ()
    restore: Sequence[str] = ()
    revive: bool = True
    notices: Sequence[tuple[str, Notice]] = ()
    undo: int | None = None
    seen: int | None = None
    pages: Sequence[PageState] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What putting an article would do to what is stored.

    Attributes:
        given: the article as it was read.
        article: the article with the id and URL that it is stored under, which are those of the
            stored article that it is a version of, if there is one.
        claims: whether it has a key or page that no article has yet and that its source may claim:
            storing it records these, even if its text is unchanged.
        reason: why it is refused, in a sentence that says what to do.
        key, latest, live, number: the stored article's row, its latest and live revisions, and the
            number of its last revision.
    """

    given: Article
    article: Article
    outcome: Put
    reason: str = ""
    key: int | None = None
    latest: int = 0
    live: int | None = None
    number: int = 0
    claims: bool = False


@dataclass(frozen=True, slots=True)
class NoticeChange:
    """A notice that a change withdrew or replaced, or that is `in_force` again."""

    article_id: str
    title: str
    notice: Notice
    in_force: bool


@dataclass(frozen=True, slots=True)
class Noted:
    """An article with its new notice, and the earlier notice of the same kind that it replaced."""

    article: Article
    replaced: Notice | None


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did.

    Attributes:
        generation: the generation it made, or the newest if nothing changed.
        outcomes: by the id of each article concerned.
        put: a decision for each article put, in order.
        notices: the notices that were withdrawn or replaced, or are in force again.
    """

    generation: int
    outcomes: Mapping[str, Outcome]
    put: tuple[Decision, ...] = ()
    notices: tuple[NoticeChange, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """An entry of the audit log: a generation, who made it, how, and what it changed.

    `articles` has counts by outcome; `titles` are those of the first few articles it changed.
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
    """A live article that was added or changed since a time: `before` is its earlier revision."""

    article: Article
    before: Article | None


@dataclass(frozen=True, slots=True)
class IndexVersion:
    """A permanent identifier of one state of a collection.

    The number of a generation is not: once a collection was erased, its numbers are used again.

    Attributes:
        token: random, made with the generation; "" for generation 0.
        model: the encoder's model, and the generation of the last rebuild.
    """

    generation: int
    token: str
    model: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """Sentence ids int64 (n,) and scores float32 (n,), best first; equal scores by ascending id."""

    ids: Ids
    scores: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rows:
    """Sentences with everything that ranking needs, ordered by id.

    Attributes:
        sentences: n sentences; consecutive sentences of an article have consecutive ids.
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
