"""A ranking -> an Answer with quotes and citations, or a reasoned decline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.answering import decline
from index.answering.agreement import agreement, voice
from index.answering.independence import independence
from index.answering.select import asks_of_the_past, passages, unheard, voiced
from index.domain import Answer, Article, Citation, CitedQuote, Filters, FollowUp, Passage
from index.ranking.rank import Ranking, weights
from index.text.rewrites import is_rewrite


@dataclass(frozen=True, slots=True)
class Judgement:
    """How far the best passages answer the question: confidence 0..1 and, if too weak, why."""

    confidence: float
    reason: str | None


def compose(
    ranking: Ranking,
    *,
    filters: Filters,
    generation: int,
    model: str,
    threshold: float,
    after: FollowUp | None = None,
) -> Answer:
    """Answer from a ranking, or decline where confidence is under the threshold."""
    question = ranking.query.question
    judged = judge(ranking, threshold, filters)
    answered = judged.reason is None
    found = passages(ranking, filters, after)[: None if answered else 1]
    made, denying = agreement(question, found, ranking.vectors)
    updated = made is not None and made.kind == "updated"
    if made and updated and not asks_of_the_past(ranking, filters):  # what holds now leads
        found = _led_by(found, made.sides[1].quotes)
        made, denying = agreement(question, found, ranking.vectors)
    sources = citations(found, ranking.articles)
    quotes = tuple(
        cited(passage, sources, denies=number in denying) for number, passage in enumerate(found)
    )
    return Answer(
        answer_id=answer_id(
            question, filters, generation, f"{model} {weights()} {threshold}", after
        ),
        question=question,
        filters=filters,
        generation=generation,
        model=model,
        status="answered" if answered else "declined",
        confidence=judged.confidence,
        quotes=quotes if answered else (),
        citations=sources,
        agreement=made,
        reason=judged.reason,
        closest=quotes[0] if quotes and not answered else None,
        scores=tuple(passage.score for passage in found),
    )


def judge(ranking: Ranking, threshold: float, filters: Filters) -> Judgement:
    """Whether the best passages are enough to answer from."""
    if not ranking.sentences:
        where = "that pass the filters" if filters else "in this collection yet"
        return Judgement(0.0, f"There are no reports {where}.")
    confidence = ranking.confidence
    theirs = voiced(ranking)
    if theirs:
        confidence = max(confidence, threshold)
    if confidence >= threshold and (theirs or not unheard(ranking)):
        return Judgement(confidence, decline.uncounted(ranking))
    return Judgement(confidence, decline.reason(ranking))


def answer_id(
    question: str, filters: Filters, generation: int, model: str, after: FollowUp | None = None
) -> str:
    """Twelve hex digits that name question, filters, generation, what judges and came before."""
    parts = [question, sorted(filters.publishers), generation, model]
    parts += [str(moment) for moment in (filters.since, filters.until, filters.as_of)]
    parts += [after.words, repr(after.told)] if after else []
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _led_by(found: Sequence[Passage], first: Sequence[int]) -> list[Passage]:
    """The passages, those of some indices in front."""
    rest = [passage for number, passage in enumerate(found) if number not in first]
    return [*(found[number] for number in first), *rest]


def cited(passage: Passage, sources: Sequence[Citation], *, denies: bool = False) -> CitedQuote:
    """A passage as a quote; who negates what another quote says denies it, whatever the verb."""
    numbers = {citation.article.article_id: citation.number for citation in sources}
    said = voice(passage)
    return CitedQuote(
        quote=passage.quote(),
        citation=numbers[passage.article.article_id],
        speaker=said.speaker,
        act="denial" if denies and said.act == "claim" else said.act,
        also=tuple(numbers[article_id] for article_id in passage.also),
    )


def citations(found: Sequence[Passage], articles: Mapping[str, Article]) -> tuple[Citation, ...]:
    """The reports quoted, then those that have the same sentences, with their independence."""
    ids = [passage.article.article_id for passage in found]
    ids += [article_id for passage in found for article_id in passage.also]
    listed = [articles[article_id] for article_id in dict.fromkeys(ids)]
    rewrites = {
        a.article_id: {b.article_id for b in listed if b is not a and is_rewrite(a.text, b.text)}
        for a in listed
    }
    return tuple(
        Citation(number, article, tuple(sorted(other + 1 for other in others)))
        for number, (article, others) in enumerate(
            zip(listed, independence(listed, rewrites), strict=True), 1
        )
    )
