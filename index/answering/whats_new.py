"""Answer "What has changed at the dam since Monday?" with what no report had before that day.

Nothing is ranked by meaning here: the sentences of the newest reports come first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from index.answering.agreement import agreement
from index.answering.compose import Context, citations, cited
from index.answering.decline import NO_ANSWER
from index.answering.select import MAX_QUOTES
from index.domain import Answer, ChangeKind, Filters, News, Passage, Sentence
from index.errors import optional
from index.ranking.query import Query
from index.store.protocol import Snapshot
from index.text.dates import as_written, date_ranges
from index.text.terms import content_terms, terms

_MOST_REPORTS = 300  # searched for a topic
_LEAST_TERMS = 5  # a shorter sentence is not clear alone
_ASKS = re.compile(  # "What has changed at the dam", "Any news on the siren", "How has it changed"
    r"^\W*(?:(?:so|and|please|whats?|is|are|has|have|been|there|any|anything|the|s)\W+)*"
    r"(?:new|news|changed?|changes|happened|updates?|developments?)"
    r"(?:\W*$|\s+(?:about|with|at|in|on|for|of|to|from|regarding|around)\s+(?:the\s+)?(?P<topic>.+))"
    r"|^\W*(?:and\s+)?how (?:has|have|did) (?P<how>.+?) changed?\W*$",
    re.IGNORECASE,
)
_NEWS = re.compile(r"\b(?:new|news|chang\w+|happened|updates?|developments?)\b", re.IGNORECASE)
_SINCE = re.compile(  # "... since ", "... over the last three days"
    r"(?P<lead>.*?)\b(?:(?:in|over|during) (?:the )?)?"
    r"(?:since |(?:last|past) \w+ (?:day|week|month|year)s\b)",
    re.IGNORECASE,
)
_LONGEST = 150  # code points: a longer question asks for more than news
_FURTHEST = timedelta(366)
# In place of missing dates: any weekday is near this day, and any named year is far from it.
_UNDATED = (datetime(9000, 1, 1, tzinfo=UTC),) * 2


@dataclass(frozen=True, slots=True)
class Request:
    """A question about what is new since a day, on a topic ("" for any)."""

    since: date
    topic: str


def parse(query: Query, snapshot: Snapshot) -> Request | None:
    """Return what a question about news asks for; None for any other question.

    A question that goes back further than the reports ("What has changed since 1962?") asks what
    they say of that time, not what is new.
    """
    written = as_written(query.question)
    if len(written) > _LONGEST or not (_SINCE.search(written) and _NEWS.search(written)):
        return None
    first, last = (moment.date() for moment in snapshot.published() or _UNDATED)
    for days in date_ranges(written, query.as_of or last):
        since, after = _SINCE.match(written[: days.text_end]), written[days.text_end :]
        if days.start is None or first - days.start > _FURTHEST or not since:
            continue
        lead, after = since["lead"].rstrip(" ,"), after.strip(" ,?!.")
        if match := _ASKS.match(lead or after):
            topic = f"{match['topic'] or match['how'] or ''} {after if lead else ''}"
            return Request(days.start, " ".join(topic.split()))
    return None


def answer(query: Query, request: Request, snapshot: Snapshot, context: Context) -> Answer:
    """Quote the newest passages that are new or changed; decline if there are none."""
    fresh = _fresh(request, snapshot, context.filters)
    articles = {passage.article.article_id: passage.article for passage, _ in fresh}
    changes = {passage.article.article_id: change for passage, change in fresh}
    rewrites = snapshot.rewrites(articles)
    chosen = _once(fresh, rewrites, MAX_QUOTES)
    sources = citations(chosen, articles, rewrites)
    relation, _ = optional((None, frozenset()), agreement, query.question, chosen)
    undated = snapshot.undated(context.filters)
    reason = None
    if not chosen:
        reason = optional(NO_ANSWER, _nothing_new, request, snapshot, context.filters, undated)
    return context.answer(
        query,
        status="answered" if chosen else "declined",
        confidence=float(bool(chosen)),
        quotes=tuple(
            replace(cited(passage, sources), change=changes[passage.article.article_id])
            for passage in chosen
        ),
        citations=sources,
        agreement=relation if relation and relation.kind == "updated" else None,
        reason=reason,
        news=News(request.since, len(fresh), undated) if snapshot.published() else None,
        scores=(0.0,) * len(chosen),
    )


def passages(request: Request, snapshot: Snapshot, filters: Filters, most: int) -> list[Passage]:
    """Return passages that are new or changed, newest first, without repeats from rewrites."""
    fresh = _fresh(request, snapshot, filters)
    rewrites = snapshot.rewrites([passage.article.article_id for passage, _ in fresh])
    return _once(fresh, rewrites, most)


def _once(
    fresh: Sequence[tuple[Passage, ChangeKind]],
    rewrites: Mapping[str, AbstractSet[str]],
    most: int,
) -> list[Passage]:
    """Return one passage for each article and its rewrites; `also` has the ids of the rewrites."""
    chosen: list[Passage] = []
    for passage, _ in fresh:
        article_id = passage.article.article_id
        copies = (n for n, p in enumerate(chosen) if p.article.article_id in rewrites[article_id])
        if (n := next(copies, None)) is not None:
            chosen[n] = replace(chosen[n], also=(*chosen[n].also, article_id))
        elif len(chosen) < most:
            chosen.append(passage)
    return chosen


def _fresh(
    request: Request, snapshot: Snapshot, filters: Filters
) -> list[tuple[Passage, ChangeKind]]:
    """Return the best new sentence of each article with news on the topic, newest article first.

    The best sentence has the most words of the topic; among equals, the first mostly has the news.
    """
    start = datetime.combine(request.since, time.min, UTC)
    start = max(start, filters.since) if filters.since else start
    topic = set(content_terms(request.topic)) if request.topic else set()
    fresh: list[tuple[Passage, ChangeKind]] = []
    for recent in snapshot.fresh(start, filters, _MOST_REPORTS):
        article, before = recent.article, recent.before.text if recent.before else ""
        mentioned = topic.intersection(terms(f"{article.title}\n{article.text}")) if topic else ()
        if 3 * len(mentioned) < 2 * len(topic):  # needs two thirds; of two words, both
            continue
        new = [s for s in snapshot.sentences(article.article_id) if s.text not in before]
        if best := _best(new, topic):
            change: ChangeKind = "changed" if recent.before else "new"
            fresh.append((Passage(article, (best,), best, 0.0), change))
    return fresh


def _best(sentences: Sequence[Sentence], topic: set[str]) -> Sentence | None:
    """Return the clear (else any) sentence with the most words of a topic; of equals, the first."""
    with_terms = ((sentence, terms(sentence.text)) for sentence in sentences)
    clear = ((s, words) for s, words in with_terms if len(words) >= _LEAST_TERMS)
    if not topic:  # then the rest need not be read
        return next((s for s, _ in clear), next(iter(sentences), None))
    ranked = [(len(topic.intersection(words)), s) for s, words in clear]
    ranked = ranked or [(len(topic.intersection(terms(s.text))), s) for s in sentences]
    return max(ranked, key=lambda pair: pair[0], default=(0, None))[1]


def _nothing_new(request: Request, snapshot: Snapshot, filters: Filters, undated: int) -> str:
    published = snapshot.published()
    if published is None:
        return "The reports here state no dates, so nobody can say what is new in them."
    day = f"{request.since.day} {request.since:%B %Y}"
    about = f" about “{request.topic}”" if request.topic else ""
    among = " that passes the filters" if filters else ""
    newest = f"The newest report is from {published[1].day} {published[1]:%B %Y}."
    unknown = f" {undated:,} without a date may be older or newer." if undated else ""
    return f"No report{among} has anything new or changed{about} since {day}. {newest}{unknown}"
