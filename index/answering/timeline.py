"""Which days the reports on a topic speak of, counted by publisher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from index.domain import Article, Sentence
from index.ranking.rank import Ranking
from index.text.dates import date_ranges
from index.text.terms import content_terms, terms

_SHORT = timedelta(6)  # "in 1978" and "in May" are not days


@dataclass(frozen=True, slots=True)
class Timeline:
    """The days that the reports with all words of a topic speak of.

    Attributes:
        topic: as the person typed it.
        days: for each day, how many reports of each publisher; a report counts once a day.
        reports: how many there are.
        by_publication: how many of them name no day, so that their day of publication counts.
        undated: how many have no day of publication either.
    """

    topic: str
    days: Mapping[date, Mapping[str, int]]
    reports: int
    by_publication: int = 0
    undated: int = 0


def timeline(topic: str, ranking: Ranking) -> Timeline:
    """Count the reports in a ranking that have all words of a topic."""
    wanted = set(content_terms(topic))
    by_article: dict[str, list[Sentence]] = {}
    for sentence in ranking.sentences:
        by_article.setdefault(sentence.article_id, []).append(sentence)
    days: dict[date, Counter[str]] = {}
    reports = by_publication = undated = 0
    for article_id, sentences in by_article.items():
        article = ranking.articles[article_id]
        if not wanted.issubset(terms(f"{article.title}\n{article.text}")):
            continue
        reports += 1
        spoken_of = _spoken_of(article, sentences, wanted)
        if not spoken_of and article.published:
            by_publication += 1
            spoken_of = {article.published.date()}
        undated += not spoken_of
        for day in spoken_of:
            days.setdefault(day, Counter())[article.publisher or "no publisher"] += 1
    return Timeline(topic, days, reports, by_publication, undated)


def _spoken_of(article: Article, sentences: Iterable[Sentence], wanted: set[str]) -> set[date]:
    """The first days of the ranges that sentences with a word of the topic name."""
    published = article.published.date() if article.published else None
    ranges = (
        days
        for sentence in sentences
        if wanted.intersection(terms(sentence.text))
        for days in date_ranges(sentence.text, published)
    )
    return {days.start for days in ranges if days.start and days.end - days.start <= _SHORT}
