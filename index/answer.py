"""A ranking -> an Answer with quotes and citations, or a reasoned decline."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from index import decline
from index.article import Answer, Article, Citation, CitedQuote, Filters, Passage, Sentence
from index.features import given
from index.query import words
from index.retrieve import Ranking
from index.sentences import Span
from index.terms import content_terms, terms

MAX_QUOTES = 4
CANDIDATES = 12  # sentences looked at for quotes
_SPREAD = 0.5  # of the best score's lead over the mean, that a further quote may lie under it
_FACT_SPREAD = 0.3  # the same where one fact is asked for, which one sentence gives
_HIGHLIGHTS = 4  # of a quote
_RAREST = 2  # question words that are shown where nothing of the kind asked for is
NEAR_COPY = 0.5  # share of terms in common (Jaccard) above which a second quote adds nothing


# A further sentence of a report already quoted must lie nearer to the best one, unless it rebuts.
_REBUTS = re.compile(r"\b(?:den(?:y|ies|ied|ial)|reject|refut|disput|dismiss|rebut)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Judgement:
    """How far the best passages answer the question: confidence 0..1 and, if too weak, why."""

    confidence: float
    reason: str | None


def compose(
    ranking: Ranking, *, filters: Filters, generation: int, model: str, threshold: float
) -> Answer:
    """Answer from a ranking, or decline where confidence is under the threshold."""
    question = ranking.query.question
    found = passages(ranking)
    judged = judge(ranking, threshold, filters)
    if judged.reason is not None:
        found = found[:1]
    citations = _citations(passage.article for passage in found)
    numbers = {citation.article.article_id: citation.number for citation in citations}
    quotes = tuple(
        CitedQuote(
            passage.quote(),
            numbers[passage.article.article_id],
            highlights(ranking, passage) if judged.reason is None else (),
        )
        for passage in found
    )
    answered = judged.reason is None
    return Answer(
        answer_id=answer_id(question, filters, generation, model),
        question=question,
        filters=filters,
        generation=generation,
        model=model,
        status="answered" if answered else "declined",
        confidence=judged.confidence,
        quotes=quotes if answered else (),
        citations=citations,
        reason=judged.reason,
        closest=quotes[0] if quotes and not answered else None,
        scores=tuple(passage.score for passage in found),
    )


def passages(ranking: Ranking, most: int = MAX_QUOTES) -> list[Passage]:
    """The best sentences, neighbours merged, without near-copies, best first."""
    chosen: list[list[Sentence]] = []
    scores: list[float] = []
    top = ranking.scores[0] if len(ranking.scores) else 0.0
    floor = top - _spread(ranking)
    for sentence, score in zip(
        ranking.sentences[:CANDIDATES], ranking.scores.tolist(), strict=False
    ):
        if score < floor:
            break
        again = any(group[0].article_id == sentence.article_id for group in chosen)
        if again and score < (top + floor) / 2 and not _REBUTS.search(sentence.text):
            continue
        beside = next((group for group in chosen if _adjoins(group, sentence)), None)
        if beside is not None and len(beside) == 1:
            beside.append(sentence)
        elif beside is None and not _repeats(sentence, chosen) and len(chosen) < most:
            chosen.append([sentence])
            scores.append(score)
    return [
        Passage(
            ranking.articles[group[0].article_id],
            tuple(sorted(group, key=lambda s: s.position)),
            group[0],
            score,
        )
        for group, score in zip(chosen, scores, strict=True)
    ]


def judge(ranking: Ranking, threshold: float, filters: Filters) -> Judgement:
    """Whether the best passages are enough to answer from."""
    if not ranking.sentences:
        where = "that pass the filters" if filters else "in this collection yet"
        return Judgement(0.0, f"There are no reports {where}.")
    confidence = ranking.confidence
    if confidence >= threshold:
        return Judgement(confidence, None)
    return Judgement(confidence, decline.reason(ranking))


def highlights(ranking: Ranking, passage: Passage) -> tuple[Span, ...]:
    """Spans of a passage that answer, counted from its start.

    What its best sentence gives of the kind asked for, or else the question's rarest words in it.
    """
    text, query = passage.best.text, ranking.query
    found = [*given(query, text)]
    if not found:
        of = {span: set(terms(text[span.start : span.end])) for span in words(text)}
        held = set(query.terms) & {term for own in of.values() for term in own}
        rare = sorted(held, key=lambda term: ranking.frequencies.get(term, 0))[:_RAREST]
        found = [span for span, own in of.items() if own & {*rare}]
    shift = passage.best.start - passage.start
    return tuple(Span(one.start + shift, one.end + shift) for one in found[:_HIGHLIGHTS])


def answer_id(question: str, filters: Filters, generation: int, model: str) -> str:
    """Twelve hex digits that name question, filters, generation and model."""
    parts = [question, list(filters.publishers), generation, model]
    parts += [str(moment) for moment in (filters.since, filters.until, filters.as_of)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _spread(ranking: Ranking) -> float:
    """How far under the best score a sentence still adds to the answer."""
    if not len(ranking.scores):
        return 0.0
    share = _FACT_SPREAD if ranking.query.answer_type else _SPREAD
    return share * float(ranking.scores[0] - ranking.scores.mean())


def _adjoins(group: list[Sentence], sentence: Sentence) -> bool:
    return group[0].article_id == sentence.article_id and any(
        abs(other.position - sentence.position) == 1 for other in group
    )


def _repeats(sentence: Sentence, chosen: list[list[Sentence]]) -> bool:
    mine = set(content_terms(sentence.text))
    for group in chosen:
        theirs = set(content_terms(group[0].text))
        if len(mine & theirs) > NEAR_COPY * len(mine | theirs):
            return True
    return False


def _citations(articles: Iterable[Article]) -> tuple[Citation, ...]:
    distinct = {article.article_id: article for article in articles}
    return tuple(Citation(number, article) for number, article in enumerate(distinct.values(), 1))
