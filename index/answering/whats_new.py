"""What is new: the sentences that no report had before a day, those of the newest report first.

Asked like "What has changed at the dam since Monday?". The day is understood as everywhere (see
`selection`): without a clock, on the day of `as_of` or of the newest report. Nothing is ranked by
meaning here: what counts is that it was not there before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from index.answering.compose import answer_id, citations, cited
from index.answering.agreement import agreement
from index.answering.select import MAX_QUOTES
from index.domain import Answer, ChangeKind, Filters, News, Passage, Sentence
from index.store.types import Snapshot
from index.text.dates import as_written, date_ranges
from index.text.rewrites import is_rewrite
from index.text.terms import content_terms, terms

_MOST_REPORTS = 300  # looked through for a topic
_LEAST_TERMS = 5  # in a sentence that says enough by itself
_ASKS = re.compile(
    r"^\W*(?:(?:so|and|please|whats?|is|are|has|have|been|there|any|anything|the|s)\W+)*"
    r"(?:new|news|changed?|changes|happened|updates?|developments?)"
    r"(?:\W*$|\s+(?:about|with|at|in|on|for|of|to|from|regarding|around)\s+(?:the\s+)?(?P<topic>.+))"
    r"|^\W*(?:and\s+)?how (?:has|have|did) (?P<how>.+?) changed?\W*$",
    re.IGNORECASE,
)
_NEWS = re.compile(r"\b(?:new|news|chang\w+|happened|updates?|developments?)\b", re.IGNORECASE)
_SINCE = re.compile(
    r"(?P<lead>.*?)\b(?:(?:in|over|during) (?:the )?)?"
    r"(?:since |(?:last|past) \w+ (?:day|week|month|year)s\b)",
    re.IGNORECASE,
)
_LONGEST = 300  # code points of a question that are looked at
_FURTHEST = timedelta(366)
# Stands for the dates of reports that have none: a weekday is near it, a year that is named is not.
_UNDATED = (datetime(9000, 1, 1, tzinfo=UTC),) * 2


@dataclass(frozen=True, slots=True)
class Asked:
    """A question for what is new since a day, about a topic ("" for anything)."""

    since: date
    topic: str


def asked(question: str, snapshot: Snapshot, filters: Filters) -> Asked | None:
    """What a question for news asks for; None for any other question.

    One that looks further back than the reports go ("What has changed since 1962?") asks what
    they say of that time, and not what is new.
    """
    written = as_written(" ".join(question.split())[:_LONGEST])
    if not (_SINCE.search(written) and _NEWS.search(written)):
        return None
    first, last = (moment.date() for moment in snapshot.published() or _UNDATED)
    for one in date_ranges(written, filters.as_of.date() if filters.as_of else last):
        since, after = _SINCE.match(written[: one.text_end]), written[one.text_end :].strip(" ,?!.")
        if one.start is None or first - one.start > _FURTHEST or not since:
            continue
        lead = since["lead"].rstrip(" ,")
        if found := _ASKS.match(lead or after):
            rest = after if lead else ""
            topic = f"{found['topic'] or found['how'] or ''} {rest}"
            return Asked(one.start, " ".join(topic.split()))
    return None


def told(
    question: str, wanted: Asked, snapshot: Snapshot, filters: Filters, *, model: str
) -> Answer:
    """The newest of what is new or changed, each marked so, or a decline that says since when."""
    fresh = [*_fresh(wanted, snapshot, filters)]
    found = _by_origin((passage for passage, _ in fresh), MAX_QUOTES)
    changes = {passage.article.article_id: change for passage, change in fresh}
    ids = [article_id for one in found for article_id in (one.article.article_id, *one.also)]
    sources = citations(found, {article_id: snapshot.article(article_id) for article_id in ids})
    quotes = tuple(
        replace(cited(one, sources), change=changes[one.article.article_id]) for one in found
    )
    made, _ = agreement(question, found)  # what was new and has been corrected since
    return Answer(
        answer_id=answer_id(question, filters, snapshot.generation, model),
        question=question,
        filters=filters,
        generation=snapshot.generation,
        model=model,
        status="answered" if quotes else "declined",
        confidence=float(bool(quotes)),
        quotes=quotes,
        citations=sources,
        agreement=made if made and made.kind == "updated" else None,
        reason=None if quotes else _nothing(wanted, snapshot, filters),
        news=News(wanted.since, len(fresh)) if snapshot.published() else None,
        scores=(0.0,) * len(quotes),
    )


def passages(wanted: Asked, snapshot: Snapshot, filters: Filters, most: int) -> list[Passage]:
    """What is new or changed, newest first; what one origin says, once."""
    return _by_origin((passage for passage, _ in _fresh(wanted, snapshot, filters)), most)


def _by_origin(found: Iterable[Passage], most: int) -> list[Passage]:
    """One passage for each of the first origins, with the other reports that are copies of it."""
    made: list[Passage] = []
    for passage in found:
        text = passage.article.text
        same = (n for n, one in enumerate(made) if is_rewrite(one.article.text, text))
        if (place := next(same, None)) is not None:
            also = (*made[place].also, passage.article.article_id)
            made[place] = replace(made[place], also=also)
        elif len(made) < most:
            made.append(passage)
    return made


def _fresh(
    wanted: Asked, snapshot: Snapshot, filters: Filters
) -> Iterator[tuple[Passage, ChangeKind]]:
    """Of each report with news on the topic the sentence that tells it, newest report first."""
    start = datetime.combine(wanted.since, time.min, UTC)
    start = max(start, filters.since) if filters.since else start
    topic = set(content_terms(wanted.topic)) if wanted.topic else set()
    for one in snapshot.fresh(start, filters, _MOST_REPORTS):
        article, before = one.article, one.before.text if one.before else ""
        if not _speaks_of(topic, f"{article.title}\n{article.text}"):
            continue
        every = snapshot.sentences(article.article_id)
        new = [sentence for sentence in every if sentence.text not in before]
        best = _best(new, topic)
        if best is not None:
            change: ChangeKind = "changed" if one.before else "new"
            yield Passage(article, (best,), best, 0.0), change


def _best(sentences: Sequence[Sentence], topic: set[str]) -> Sentence | None:
    """The sentence with most words of the topic, else the first, which mostly tells the news."""
    said = [(one, terms(one.text)) for one in sentences]
    full = [(one, held) for one, held in said if len(held) >= _LEAST_TERMS] or said
    ranked = [(-len(topic.intersection(held)), one.position, one) for one, held in full]
    return min(ranked, key=lambda item: item[:2])[2] if ranked else None


def _speaks_of(topic: set[str], text: str) -> bool:
    """Whether a text has most words of a topic; all, where there are one or two."""
    return not topic or 3 * len(topic.intersection(terms(text))) >= 2 * len(topic)


def _nothing(wanted: Asked, snapshot: Snapshot, filters: Filters) -> str:
    published = snapshot.published()
    if published is None:
        return "The reports here have no dates, so it cannot be told what is new in them."
    day = f"{wanted.since.day} {wanted.since:%B %Y}"
    about = f" about “{wanted.topic}”" if wanted.topic else ""
    among = " that passes the filters" if filters else ""
    newest = f"The newest report is of {published[1].day} {published[1]:%B %Y}."
    return f"No report{among} has anything new or changed{about} since {day}. {newest}"
