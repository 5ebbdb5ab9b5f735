"""Answers with other quotes: the passages that come next, or the same with their surroundings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from index.answering.compose import citations, cited
from index.domain import Answer, Citation, CitedQuote, Passage, Quote
from index.text.sentences import Span, split

_CONTEXT = 2  # sentences on each side of a quote


def further(
    answer: Answer, passages: Iterable[Passage], rewrites: Mapping[str, AbstractSet[str]]
) -> Answer:
    """A copy of an answer that quotes those passages that it does not quote yet."""
    shown = [given.quote for given in (*answer.quotes, *filter(None, [answer.closest]))]
    rest = [
        replace(passage, also=())
        for passage in passages
        if not any(
            quote.article_id == passage.article.article_id
            and quote.start <= passage.best.start < quote.end
            for quote in shown
        )
    ]
    articles = {passage.article.article_id: passage.article for passage in rest}
    sources = citations(rest, articles, rewrites)
    return _with_quotes(answer, tuple(cited(passage, sources) for passage in rest), sources)


def widened(answer: Answer) -> Answer:
    """A copy of an answer whose quotes have two more sentences on each side."""
    articles = {citation.number: citation.article for citation in answer.citations}
    quotes = []
    for given in answer.quotes:
        article = articles[given.citation]
        span = _with_neighbours(split(article.text, article.language), given.quote)
        quotes.append(CitedQuote(Quote.cut(article, span.start, span.end), given.citation))
    return _with_quotes(answer, tuple(quotes), answer.citations)


def _with_neighbours(spans: list[Span], quote: Quote) -> Span:
    """The span of a quote, widened by the sentences around it."""
    inside = [i for i, s in enumerate(spans) if s.start < quote.end and quote.start < s.end]
    if not inside:
        return Span(quote.start, quote.end)
    first, last = max(0, inside[0] - _CONTEXT), min(len(spans) - 1, inside[-1] + _CONTEXT)
    return Span(min(quote.start, spans[first].start), max(quote.end, spans[last].end))


def _with_quotes(
    answer: Answer, quotes: tuple[CitedQuote, ...], sources: tuple[Citation, ...]
) -> Answer:
    return replace(
        answer,
        status="answered" if quotes else "declined",
        quotes=quotes,
        citations=sources,
        agreement=None,
        reason=None if quotes else "The reports have no more on this.",
        closest=None,
        news=None,
    )
