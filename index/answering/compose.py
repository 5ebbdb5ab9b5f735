"""Turn a ranking into an answer with quotes and citations, or a decline with its reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from index.answering import decline
from index.answering.agreement import agreement, voice
from index.answering.answer_part import answer_part, counted_part, counts_differ
from index.answering.attribution import Attribution
from index.answering.independence import independence
from index.answering.select import passages
from index.domain import (
    Agreement,
    Answer,
    Article,
    Citation,
    CitedQuote,
    Filters,
    Passage,
    Quote,
    Side,
)
from index.errors import optional
from index.ranking.query import Query
from index.ranking.rank import Ranking

_Related = tuple[list[Passage], Agreement | None, frozenset[int]]
_CLOSE = 5  # sentences searched for the speaker that the question asks for


@dataclass(frozen=True, slots=True)
class Context:
    """What an answer depends on besides the question and the reports.

    Attributes:
        filters: which articles may answer.
        generation: the collection's generation.
        model: the names of the weights that ranked.
        threshold: the confidence below which a question is declined, 0 to 1.
    """

    filters: Filters
    generation: int
    model: str
    threshold: float

    def answer(self, query: Query, **fields: Any) -> Answer:
        """Return an answer; its id is a hash of the question and all else that it depends on."""
        filters, after = self.filters, query.after
        parts = [query.question, sorted(filters.publishers), self.generation, self.model]
        parts += [self.threshold]
        parts += [str(moment) for moment in (filters.since, filters.until, filters.as_of)]
        parts += [str(filters.today)] if filters.today else []
        parts += [after.new_words, repr(after.quoted)] if after else []
        return Answer(
            answer_id=hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12],
            question=query.question,
            filters=filters,
            generation=self.generation,
            model=self.model,
            **fields,
        )


def compose(ranking: Ranking, rewrites: Mapping[str, AbstractSet[str]], context: Context) -> Answer:
    """Answer from a ranking, or decline if confidence is below the threshold.

    Args:
        ranking: the ranked sentences.
        rewrites: for each article id, the ids of the articles that copy or rewrite it.
        context: everything else that the answer depends on.
    """
    confidence, reason = judge(ranking, context)
    chosen = passages(ranking, rewrites)[: None if reason is None else 1]
    unrelated: _Related = (chosen, None, frozenset())
    chosen, relation, denying = optional(unrelated, _related, ranking, chosen)
    sources = citations(chosen, ranking.articles, rewrites)
    parts = optional({}, _parts, ranking, chosen, relation)
    quotes = tuple(
        cited(p, sources, parts.get(n), denies=n in denying) for n, p in enumerate(chosen)
    )
    return context.answer(
        ranking.query,
        status="declined" if reason else "answered",
        confidence=confidence,
        quotes=() if reason else quotes,
        citations=sources,
        agreement=relation,
        reason=reason,
        closest=quotes[0] if quotes and reason else None,
        scores=tuple(passage.score for passage in chosen),
    )


def judge(ranking: Ranking, context: Context) -> tuple[float, str | None]:
    """Return the confidence, and the reason to decline if the best passages do not answer.

    A question for somebody's words has few words to match: it is answered if a top sentence is by
    that speaker, and declined if no report has the name.
    """
    if not ranking.sentences:
        where = "that pass the filters" if context.filters else "in this collection yet"
        return 0.0, f"There are no reports {where}."
    confidence = ranking.confidence
    if ranking.features["speaker"][:_CLOSE].max() == 1:
        confidence = max(confidence, context.threshold)
        return confidence, optional(None, decline.missing_count, ranking)
    if confidence >= context.threshold and not decline.unknown_speaker(ranking):
        return confidence, optional(None, decline.missing_count, ranking)
    return confidence, optional(decline.NO_ANSWER, decline.reason, ranking)


def _related(ranking: Ranking, chosen: list[Passage]) -> _Related:
    """Return the passages in the order to show, their relation, and the indices of denials.

    A passage that updates the others comes first. If a denial answers best, its claim precedes it:
    alone, a denial cannot be understood.
    """
    best = max(range(len(chosen)), key=lambda n: chosen[n].score, default=None)
    relation, denying = agreement(ranking.query.question, chosen, ranking.vectors, best)
    if relation is None or relation.kind == "agree":
        return chosen, relation, denying
    related = (chosen, relation, denying)
    claim, against = (side.quotes for side in relation.sides)
    if relation.kind == "disagree":
        return _in_order(*related, first=claim[:1]) if best in against else related
    return related if _asks_about_past(ranking) else _in_order(*related, first=against)


def _asks_about_past(ranking: Ranking) -> bool:
    """Return whether the question names a time, or asks for the first reports."""
    return ranking.query.order == "oldest" or bool(ranking.query.days(ranking.newest))


def _in_order(
    chosen: list[Passage],
    relation: Agreement,
    denying: frozenset[int],
    *,
    first: Sequence[int],
) -> _Related:
    """Move some passages (indices) to the front, and renumber the relation and the denials."""
    order = [*first, *(n for n in range(len(chosen)) if n not in first)]
    position = {old: new for new, old in enumerate(order)}
    sides = [Side(tuple(sorted(position[n] for n in s.quotes)), s.speaker) for s in relation.sides]
    moved = replace(relation, sides=tuple(sides))
    return [chosen[n] for n in order], moved, frozenset(position[n] for n in denying)


def _parts(
    ranking: Ranking, chosen: Sequence[Passage], relation: Agreement | None
) -> dict[int, Quote | None]:
    """Return the part of each passage (by index) that answers; outdated passages have none.

    Passages that count differently without one updating the other have none either. The latest
    count is marked even if the reader is not sure of it: else only an older count would stand out.
    """
    updated = relation is not None and relation.kind == "updated"
    if chosen and not updated and counts_differ(ranking.query, chosen):
        return {}
    earlier, later = [s.quotes for s in relation.sides] if relation and updated else ((), ())
    parts: dict[int, Quote | None] = {}
    for n, passage in enumerate(chosen):
        if n not in earlier:
            reading = ranking.readings.get(passage.best.sentence_id)
            parts[n] = answer_part(ranking.query, passage, reading)
        if n in later and parts[n] is None:
            parts[n] = counted_part(ranking.query, passage)
    return parts


def cited(
    passage: Passage,
    sources: Sequence[Citation],
    part: Quote | None = None,
    *,
    denies: bool = False,
) -> CitedQuote:
    """Return a passage as a quote; a claim that negates another quote counts as a denial."""
    numbers = {citation.article.article_id: citation.number for citation in sources}
    attribution = optional(Attribution(), voice, passage)
    return CitedQuote(
        quote=passage.quote(),
        citation=numbers[passage.article.article_id],
        speaker=attribution.speaker,
        act="denial" if denies and attribution.act == "claim" else attribution.act,
        also=tuple(numbers[article_id] for article_id in passage.also),
        answer=part,
    )


def citations(
    chosen: Sequence[Passage],
    articles: Mapping[str, Article],
    rewrites: Mapping[str, AbstractSet[str]],
) -> tuple[Citation, ...]:
    """Return the citations of the quoted reports, then of reports with the same sentences."""
    ids = [passage.article.article_id for passage in chosen]
    ids += [article_id for passage in chosen for article_id in passage.also]
    listed = [articles[article_id] for article_id in dict.fromkeys(ids)]
    apart = optional(None, independence, listed, rewrites)
    return tuple(
        Citation(n + 1, article, None if apart is None else tuple(sorted(m + 1 for m in apart[n])))
        for n, article in enumerate(listed)
    )
