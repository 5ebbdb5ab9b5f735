"""What an answer is made of <-> JSON, without the text of any article.

Quotes are kept as the places they were cut at; loading cuts them again from the stored articles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import TypeAdapter

from index.domain import (
    Act,
    Agreement,
    Answer,
    Article,
    ChangeKind,
    Citation,
    CitedQuote,
    Filters,
    News,
    Quote,
)


class Articles(Protocol):
    """Where the revisions that an answer quotes are stored."""

    def article(self, article_id: str, revision: int | None = None) -> Article: ...


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where a quote was cut, and all else of a `CitedQuote`."""

    article_id: str
    start: int
    end: int
    citation: int
    score: float
    speaker: str | None
    act: Act
    also: tuple[int, ...]
    change: ChangeKind | None


@dataclass(frozen=True, slots=True)
class _Cited:
    """A `Citation`, its article by id and revision."""

    number: int
    article_id: str
    revision: int
    independent_of: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What an answer is made of, without the text of any article."""

    cuts: tuple[_Cut, ...]
    cited: tuple[_Cited, ...]
    agreement: Agreement | None
    news: News | None


_PARTS = TypeAdapter(_Parts)
_FILTERS = TypeAdapter(Filters)


def dump_filters(filters: Filters) -> str:
    """Filters as JSON, always the same for equal ones."""
    return _FILTERS.dump_json(filters).decode()


def load_filters(text: str) -> Filters:
    """Filters that `dump_filters` wrote."""
    return _FILTERS.validate_json(text)


def dump_parts(answer: Answer) -> str:
    """Quotes, citations, agreement and news of an answer as JSON."""
    quotes = answer.quotes or ((answer.closest,) if answer.closest else ())
    scores = answer.scores or (0.0,) * len(quotes)
    cuts = tuple(
        _Cut(
            *(q.quote.article_id, q.quote.start, q.quote.end, q.citation, score),
            *(q.speaker, q.act, q.also, q.change),
        )
        for q, score in zip(quotes, scores, strict=False)
    )
    cited = tuple(
        _Cited(c.number, c.article.article_id, c.article.revision, c.independent_of)
        for c in answer.citations
    )
    return _PARTS.dump_json(_Parts(cuts, cited, answer.agreement, answer.news)).decode()


def load_parts(text: str, status: str, articles: Articles) -> dict[str, Any]:
    """What `dump_parts` wrote, as fields of an answer. Raises NotFoundError, QuoteError."""
    parts = _PARTS.validate_json(text)
    citations = {
        cited.number: Citation(
            cited.number, articles.article(cited.article_id, cited.revision), cited.independent_of
        )
        for cited in parts.cited
    }
    quotes = tuple(
        CitedQuote(
            Quote.cut(citations[cut.citation].article, cut.start, cut.end),
            *(cut.citation, cut.speaker, cut.act, cut.also, cut.change),
        )
        for cut in parts.cuts
    )
    return {
        "quotes": quotes if status == "answered" else (),
        "closest": quotes[0] if quotes and status != "answered" else None,
        "citations": tuple(citations[number] for number in sorted(citations)),
        "agreement": parts.agreement,
        "news": parts.news,
        "scores": tuple(cut.score for cut in parts.cuts),
    }
