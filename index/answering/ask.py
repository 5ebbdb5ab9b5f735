"""Answer one question: parse it, rank sentences, choose passages, compose the answer."""

from __future__ import annotations

from dataclasses import replace

from index.answering import decline, whats_new
from index.answering.compose import Context, citations, cited, compose, judge
from index.answering.followup import resolved
from index.answering.select import CANDIDATES
from index.domain import Answer, Citation, CitedQuote, Filters, Passage, Quote
from index.errors import NotFoundError, QuoteError, optional
from index.ranking.query import FollowUp, Query, parse, publishers_named
from index.ranking.rank import DEPTH, Ranker, Ranking
from index.ranking.spelling import corrected
from index.store.protocol import Snapshot
from index.store.types import IndexVersion
from index.text.sentences import split
from index.text.terms import terms

_CONTEXT = 2  # sentences on each side of a quote
_CACHED = 200  # answers, some 20 KB each


class Asker:
    """Answers questions, and caches the answers until the collection changes.

    Safe to use from several threads.
    """

    def __init__(self, ranker: Ranker) -> None:
        """Answer with a ranker's models."""
        self._ranker = ranker
        self._cache: tuple[IndexVersion | None, dict[object, Answer]] = (None, {})

    def ask(
        self,
        snapshot: Snapshot,
        question: str,
        filters: Filters,
        previous: Answer | None,
        threshold: float,
    ) -> Answer:
        """Answer a question, or a follow-up to a previous answer; see `Archive.ask`."""
        if previous is not None:  # the same follow-up to the same answer is rare
            return ask(snapshot, self._ranker, question, filters, previous, threshold)
        version, answers = self._cache
        if version != snapshot.version or len(answers) >= _CACHED:
            answers = {}
            self._cache = snapshot.version, answers
        key = (question, filters, threshold)
        if key not in answers:
            answers[key] = ask(snapshot, self._ranker, question, filters, None, threshold)
        return answers[key]


def ask(  # noqa: PLR0917 - everything that an answer depends on
    snapshot: Snapshot,
    ranker: Ranker,
    question: str,
    filters: Filters,
    previous: Answer | None,
    threshold: float,
) -> Answer:
    """Answer a question, or a follow-up to a previous answer; see `Archive.ask`."""

    def answered(question: str, after: FollowUp | None = None) -> Answer:
        query, resolved_filters = _parsed(snapshot, question, filters, after)
        context = Context(resolved_filters, snapshot.generation, ranker.model, threshold)
        return _answered(snapshot, ranker, query, context)

    if previous is None:
        return answered(question)
    answer = answered(*resolved(question, previous))
    if answer.status == "answered" or not previous.quotes:
        return answer
    quoted = set(terms(" ".join(cited.quote.text for cited in previous.quotes)))
    again = answered(*resolved(question, previous, quoted))
    return again if again.status == "answered" else answer


def _answered(snapshot: Snapshot, ranker: Ranker, query: Query, context: Context) -> Answer:
    if request := whats_new.parse(query, snapshot):
        return whats_new.answer(query, request, snapshot, context)
    ranking = ranker.rank(snapshot, query, context.filters)
    ids = dict.fromkeys(s.article_id for s in ranking.sentences[:CANDIDATES])
    answer = compose(ranking, snapshot.rewrites(ids), context)
    if answer.status == "answered" or not context.filters:
        return answer
    excluded = optional("", _excluded, snapshot, ranker, query, context)
    return replace(answer, reason=f"{answer.reason} {excluded}".rstrip())


def _excluded(snapshot: Snapshot, ranker: Ranker, query: Query, context: Context) -> str:
    """Return a sentence on a report that would answer but for the filters; "" if none would."""
    unfiltered = ranker.rank(snapshot, query)
    if judge(unfiltered, context)[1]:
        return ""
    best = unfiltered.articles[unfiltered.sentences[0].article_id]
    return decline.excluded(context.filters, best)


def search(snapshot: Snapshot, ranker: Ranker, question: str, filters: Filters, k: int) -> Ranking:
    """Rank sentences without answering; see `Archive.search`."""
    query, filters = _parsed(snapshot, question, filters)
    return ranker.rank(snapshot, query, filters, max(DEPTH, k))


def more(snapshot: Snapshot, ranker: Ranker, answer: Answer, limit: int) -> Answer:
    """Return a copy of an answer that quotes the passages of the best `limit` not shown yet."""
    query, filters = _parsed(snapshot, answer.question, answer.filters)
    if request := whats_new.parse(query, snapshot):
        best = whats_new.passages(request, snapshot, filters, limit)
    else:
        ranking = ranker.rank(snapshot, query, filters, max(DEPTH, limit))
        top = ranking.sentences[:limit]
        best = [Passage(ranking.articles[s.article_id], (s,), s, 0.0) for s in top]
    shown = [cited.quote for cited in answer.shown]
    rest = [
        replace(passage, also=())
        for passage in best
        if not any(
            quote.article_id == passage.article.article_id
            and quote.start <= passage.best.start < quote.end
            for quote in shown
        )
    ]
    articles = {passage.article.article_id: passage.article for passage in rest}
    sources = citations(rest, articles, snapshot.rewrites(articles))
    return _with_quotes(answer, tuple(cited(passage, sources) for passage in rest), sources)


def _parsed(
    snapshot: Snapshot, question: str, filters: Filters, after: FollowUp | None = None
) -> tuple[Query, Filters]:
    """Return the question as a query in corrected spelling, and the filters with full names."""
    publishers = snapshot.publishers()
    today = filters.as_of.date() if filters.as_of else filters.today
    query = parse(question, publishers, as_of=today, after=after)

    def respelled() -> Query:
        spelling = corrected(query, snapshot)
        if spelling == query.question:
            return query
        return parse(spelling, publishers, as_of=today, after=after)

    query = optional(query, respelled)
    names = publishers_named(filters.publishers, publishers)
    # A question that names no days has the same answer, with the same id, whenever it is asked.
    today = filters.today if query.days(None) else None
    return query, replace(filters, publishers=names, today=today)


def widened(answer: Answer) -> Answer:
    """Return a copy of an answer whose quotes have two more sentences on each side."""
    articles = {citation.number: citation.article for citation in answer.citations}
    quotes = []
    for cited_quote in answer.quotes:
        article, quote = articles[cited_quote.citation], cited_quote.quote
        spans = split(article.text, article.language)
        inside = [n for n, s in enumerate(spans) if s.start < quote.end and quote.start < s.end]
        around = spans[max(0, min(inside) - _CONTEXT) : max(inside) + _CONTEXT + 1]
        start, end = min(quote.start, around[0].start), max(quote.end, around[-1].end)
        quotes.append(CitedQuote(Quote.cut(article, start, end), cited_quote.citation))
    return _with_quotes(answer, tuple(quotes), answer.citations)


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


def check(answer: Answer, snapshot: Snapshot) -> None:
    """Compare every quote with the stored text; see `Archive.check`."""
    for shown in answer.shown:
        try:
            article = snapshot.article(shown.quote.article_id, shown.quote.revision)
        except NotFoundError as error:  # a recovered backup does not have it
            raise QuoteError(
                f"{shown.quote.article_id} is no longer in the collection; "
                "its quote was not sent: ask again."
            ) from error
        for quote in filter(None, [shown.quote, shown.answer]):
            quote.check(article)
