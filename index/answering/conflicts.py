"""What the passages of one answer have to do with one another, and who says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from index.answering.attribution import Attribution
from index.answering.claims import Said
from index.answering.compare import Verdict, compare
from index.domain import Agreement, Article, Passage, Sentence, Side
from index.encoder import Vectors
from index.text.rewrites import independence, read, same_event, same_subject

_KINDS = ("disagree", "updated", "agree")  # what matters most to a reader comes first


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence, the report that it stands in, and its embedding (d,) where it is known."""

    article: Article
    sentence: Sentence
    vector: Vectors | None = field(default=None, compare=False, repr=False)

    @property
    def said(self) -> Said:
        """What `compare` asks of it."""
        published = self.article.published
        return Said(
            self.sentence.text, self.article.publisher, published.date() if published else None
        )

    @property
    def attribution(self) -> Attribution:
        """Who says it, as annotated when the article was added."""
        return Attribution(self.sentence.speaker, self.sentence.act)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two passages (indices) and what the sentences `tolds` of them have to do with each other."""

    indices: tuple[int, int]
    tolds: tuple[Statement, Statement]
    verdict: Verdict


def told(
    passage: Passage, vectors: Mapping[int, Vectors] = MappingProxyType({})
) -> list[Statement]:
    """The sentences of a passage, in order, with their embeddings by sentence id."""
    return [
        Statement(passage.article, sentence, vectors.get(sentence.sentence_id))
        for sentence in passage.sentences
    ]


def voice(passage: Passage) -> Attribution:
    """Who says a passage: known only where all its sentences are said by one speaker."""
    best = Statement(passage.article, passage.best).attribution
    voices = [one.attribution.speaker for one in told(passage)]
    if best.speaker and all(same_speaker(best.speaker, one) for one in voices):
        return best
    return Attribution(None, best.act)


def same_speaker(one: str | None, other: str | None) -> bool:
    """Whether two phrases name one speaker: the words of one are among those of the other."""
    a, b = (read(phrase or "").bag for phrase in (one, other))
    return a <= b or b <= a if a and b else one == other


def relate(question: str, a: Statement, b: Statement) -> Verdict | None:
    """How two sentences relate on a question, in view of the reports they stand in.

    Within one report only two speakers can disagree. Reports of different events cannot; and
    only independent reports agree, and not where both pass on one speaker.
    """
    near = 0.0 if a.vector is None or b.vector is None else float(np.dot(a.vector, b.vector))
    found = compare(question, a.said, b.said, near)
    if found is None:
        return None
    speakers = a.attribution.speaker, b.attribution.speaker
    one_voice = None not in speakers and same_speaker(*speakers)
    if a.article.article_id == b.article.article_id:
        against = found.reason in {"denial", "negation"} and None not in speakers
        return found if against and not one_voice else None
    if found.kind == "agree":
        witnesses = bool(independence((a.article, b.article))[0])
        return found if witnesses and not one_voice else None
    related = found.reason == "correction" or same_event(a.article.text, b.article.text, question)
    if found.reason == "fact":
        related = related and same_subject(question, a.article, b.article)
    return found if related else None


def agreement(
    question: str,
    passages: Sequence[Passage],
    vectors: Mapping[int, Vectors] = MappingProxyType({}),
) -> tuple[Agreement | None, frozenset[int]]:
    """What matters most among the passages, and which of them (indices) deny what another says."""
    pairs = [
        _Pair((i, j), (one, other), found)
        for j in range(len(passages))
        for i in range(j)
        for one in told(passages[i], vectors)
        for other in told(passages[j], vectors)
        if (found := relate(question, one, other))
    ]
    for kind in _KINDS:
        of_kind = [pair for pair in pairs if pair.verdict.kind == kind]
        if of_kind:
            against = (pair for pair in of_kind if pair.verdict.against is not None)
            denying = {pair.indices[pair.verdict.against or 0] for pair in against}
            made = _together(of_kind) if kind == "agree" else _apart(of_kind)
            return made, frozenset(denying if kind == "disagree" else ())
    return None, frozenset()


def _together(pairs: Sequence[_Pair]) -> Agreement:
    """The passages that agree with those of the first pair."""
    joined = {*pairs[0].indices}
    for pair in pairs:
        if joined & {*pair.indices}:
            joined |= {*pair.indices}
    return Agreement("agree", (Side(tuple(sorted(joined))),))


def _apart(pairs: Sequence[_Pair]) -> Agreement:
    """Two sides, begun by the first pair; a passage joins the side that its first pair gives it."""
    side: dict[int, int] = {}
    speaker: dict[int, str | None] = {}
    for pair in pairs:
        against = 1 if pair.verdict.against is None else pair.verdict.against
        own = {index: int(n == against) for n, index in enumerate(pair.indices)}
        begun = not side or side.keys() & own.keys()
        if not begun or any(side.get(index, n) != n for index, n in own.items()):
            continue
        side |= own
        for index, one in zip(pair.indices, pair.tolds, strict=True):
            speaker[own[index]] = speaker.get(own[index]) or one.attribution.speaker
    sides = [tuple(sorted(index for index, own in side.items() if own == n)) for n in (0, 1)]
    return Agreement(pairs[0].verdict.kind, tuple(Side(sides[n], speaker.get(n)) for n in (0, 1)))
