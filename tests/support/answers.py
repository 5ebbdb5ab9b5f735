"""Answers that tests make."""

from __future__ import annotations

from datetime import UTC, datetime

from index.domain import Answer, Article, Citation, CitedQuote, Filters, Quote


def answer_of(texts: list[str], *, url: str | None = None, title: str = "A title") -> Answer:
    """An answer that quotes each text whole, from an article of its own."""
    articles = [
        Article(
            article_id=f"a{number}",
            title=title,
            text=text,
            publisher="Northwire",
            published=datetime(2026, 3, 9, tzinfo=UTC),
            url=url,
        )
        for number, text in enumerate(texts)
    ]
    return Answer(
        answer_id="0123456789ab",
        question="What *happened*?",
        filters=Filters(),
        generation=1,
        model="fake",
        status="answered",
        confidence=1.0,
        quotes=tuple(
            CitedQuote(Quote.cut(article, 0, len(article.text)), number)
            for number, article in enumerate(articles, 1)
        ),
        citations=tuple(Citation(number, one) for number, one in enumerate(articles, 1)),
    )
