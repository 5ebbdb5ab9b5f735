"""Count the reports on a topic by the days that they mention, and by publisher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from index.ranking.rank import Ranking
from index.text.dates import date_ranges
from index.text.terms import content_terms, terms

_SHORT = timedelta(6)  # "in 1978" and "in May" are not days


@dataclass(frozen=True, slots=True)
class Timeline:
    """The days that the reports with all words of a topic mention.

    Attributes:
        topic: as the person typed it.
        days: for each day, the number of reports by publisher; a report counts once a day.
        reports: the number of reports with all words.
        by_publication: how many of them mention no day, so that they count on the day when they
            were published.
        undated: how many have no day of publication either.
    """

    topic: str
    days: Mapping[date, Mapping[str, int]]
    reports: int
    by_publication: int = 0
    undated: int = 0


def timeline(topic: str, ranking: Ranking) -> Timeline:
    """Return the timeline of the reports in a ranking that have all words of a topic."""
    wanted = set(content_terms(topic))
    days: dict[date, Counter[str]] = {}
    reports = by_publication = undated = 0
    for article in ranking.articles.values():
        if not wanted.issubset(terms(f"{article.title}\n{article.text}")):
            continue
        reports += 1
        published = article.published_on
        mentioned = {
            named.start
            for sentence in ranking.sentences
            if sentence.article_id == article.article_id
            and wanted.intersection(terms(sentence.text))
            for named in date_ranges(sentence.text, published)
            if named.start and named.end - named.start <= _SHORT
        }
        if not mentioned and published:
            by_publication += 1
            mentioned = {published}
        undated += not mentioned
        for day in mentioned:
            days.setdefault(day, Counter())[article.publisher or "no publisher"] += 1
    return Timeline(topic, days, reports, by_publication, undated)
