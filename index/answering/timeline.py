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

_SHORT = timedelta(6)  # "in 1978" and "in May" are no day


@dataclass(frozen=True, slots=True)
class Timeline:
    """The days that reports with all words of a topic speak of, how many reports by publisher.

    A report counts once for each day. `by_publication` of the `reports` name no day, so that the
    day they were published stands for it; `undated` ones do not even have that.
    """

    topic: str
    days: Mapping[date, Mapping[str, int]]
    reports: int
    by_publication: int = 0
    undated: int = 0


def timeline(topic: str, ranking: Ranking) -> Timeline:
    """Count the reports, among the best-ranked ones, that hold all words of a topic."""
    wanted = set(content_terms(topic))
    said: dict[str, list[Sentence]] = {}
    for sentence in ranking.sentences:
        said.setdefault(sentence.article_id, []).append(sentence)
    days: dict[date, Counter[str]] = {}
    reports = by_publication = undated = 0
    for article_id, sentences in said.items():
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
    """The first days of the ranges in sentences that have a word of the topic."""
    published = article.published.date() if article.published else None
    ranges = (
        one
        for sentence in sentences
        if wanted.intersection(terms(sentence.text))
        for one in date_ranges(sentence.text, published)
    )
    return {one.start for one in ranges if one.start and one.end - one.start <= _SHORT}
