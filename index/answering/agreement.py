"""What the passages of one answer have to do with one another, and who says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from index.answering.attribution import Attribution
from index.answering.conflicts import Relation, Statement, relate, same_speaker
from index.domain import Agreement, Passage, Side
from index.encoder import Vectors


def voice(passage: Passage) -> Attribution:
    """Who says a passage: known only if one speaker says all of its sentences."""
    speaker = passage.best.speaker
    if speaker and all(same_speaker(speaker, s.speaker) for s in passage.sentences):
        return Attribution(speaker, passage.best.act)
    return Attribution(None, passage.best.act)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two passages (indices), their related statements, and how these relate."""

    indices: tuple[int, int]
    statements: tuple[Statement, Statement]
    relation: Relation


def agreement(
    question: str,
    passages: Sequence[Passage],
    vectors: Mapping[int, Vectors] = MappingProxyType({}),
) -> tuple[Agreement | None, frozenset[int]]:
    """How passages relate, what matters most first, and which of them (indices) deny another.

    Args:
        question: that they answer.
        passages: in the order of the answer.
        vectors: the embedding (d,) of a sentence by its id, where known.
    """
    statements = [
        [Statement(p.article, s, vectors.get(s.sentence_id)) for s in p.sentences] for p in passages
    ]
    pairs = [
        _Pair((i, j), (a, b), relation)
        for j in range(len(passages))
        for i in range(j)
        for a in statements[i]
        for b in statements[j]
        if (relation := relate(question, a, b))
    ]
    for kind in ("disagree", "updated", "agree"):
        of_kind = [pair for pair in pairs if pair.relation.kind == kind]
        if of_kind and kind == "agree":
            return Agreement("agree", (Side(_joined(of_kind)),)), frozenset()
        if of_kind:
            against = [
                p.indices[p.relation.against] for p in of_kind if p.relation.against is not None
            ]
            return _sides(of_kind), frozenset(against if kind == "disagree" else ())
    return None, frozenset()


def _joined(pairs: Sequence[_Pair]) -> tuple[int, ...]:
    """The passages that agree with those of the first pair."""
    joined = {*pairs[0].indices}
    for pair in pairs:
        if joined & {*pair.indices}:
            joined |= {*pair.indices}
    return tuple(sorted(joined))


def _sides(pairs: Sequence[_Pair]) -> Agreement:
    """Two sides, begun by the first pair; a passage joins the side that its first pair gives it."""
    side: dict[int, int] = {}
    speaker: dict[int, str | None] = {}
    for pair in pairs:
        against = 1 if pair.relation.against is None else pair.relation.against
        placed = {index: int(n == against) for n, index in enumerate(pair.indices)}
        joins = not side or side.keys() & placed.keys()
        if not joins or any(side.get(index, n) != n for index, n in placed.items()):
            continue
        side |= placed
        for index, statement in zip(pair.indices, pair.statements, strict=True):
            speaker[placed[index]] = speaker.get(placed[index]) or statement.sentence.speaker
    sides = [tuple(sorted(index for index, n in side.items() if n == number)) for number in (0, 1)]
    return Agreement(pairs[0].relation.kind, tuple(Side(sides[n], speaker.get(n)) for n in (0, 1)))
