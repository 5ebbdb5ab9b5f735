"""How the passages of an answer relate to one another, and who says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

from index.answering.attribution import Attribution
from index.answering.conflicts import Relation, Statement, relate, same_speaker
from index.domain import Agreement, Passage, Side
from index.encoder import Vectors


def voice(passage: Passage) -> Attribution:
    """Return the speaker and act of a passage; no speaker if its sentences have several."""
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
    about: int | None = None,
) -> tuple[Agreement | None, frozenset[int]]:
    """Return the most important relation of passages, and the indices of those that deny another.

    Args:
        question: what they answer.
        passages: in the order of the answer.
        vectors: embeddings (d,) by sentence id, where known.
        about: index of the passage that answers best; others have to agree or disagree with it,
            since any two may disagree on something that was not asked. None for no such passage.
            Updates concern what the question counts, or are corrections, so any two may do.
    """
    statements = [
        (n, Statement(passage.article, sentence, vectors.get(sentence.sentence_id)))
        for n, passage in enumerate(passages)
        for sentence in passage.sentences
    ]
    pairs = [
        _Pair((i, j), (a, b), relation)
        for (i, a), (j, b) in combinations(statements, 2)
        if i < j and (relation := relate(question, a, b))
    ]
    for kind in ("disagree", "updated", "agree"):
        alike = [pair for pair in pairs if pair.relation.kind == kind]
        alike.sort(key=lambda pair: about not in pair.indices)  # other pairs may join its sides
        if alike and (about is None or kind == "updated" or about in alike[0].indices):
            against = [
                p.indices[p.relation.against] for p in alike if p.relation.against is not None
            ]
            sides = _sides(alike)
            denying = {*against} & {*sides[-1].quotes} if kind == "disagree" else ()
            return Agreement(kind, sides), frozenset(denying)
    return None, frozenset()


def _sides(pairs: Sequence[_Pair]) -> tuple[Side, ...]:
    """Return one side if passages agree, else two; a passage stays where its first pair puts it."""
    agree = pairs[0].relation.kind == "agree"
    side: dict[int, int] = {}
    speaker: dict[int, str | None] = {}
    for pair in pairs:
        against = 1 if pair.relation.against is None else pair.relation.against
        placed = {index: int(n == against and not agree) for n, index in enumerate(pair.indices)}
        joins = not side or side.keys() & placed.keys()
        if not joins or any(side.get(index, n) != n for index, n in placed.items()):
            continue
        side |= placed
        for index, statement in zip(pair.indices, pair.statements, strict=True):
            speaker[placed[index]] = speaker.get(placed[index]) or statement.sentence.speaker
    return tuple(
        Side(tuple(sorted(i for i in side if side[i] == n)), None if agree else speaker.get(n))
        for n in sorted({*side.values()})
    )
