"""Phrases around quotes and results, shared by Discord and the command line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import PurePath

from index import (
    Agreement,
    Answer,
    Article,
    CitedQuote,
    Failure,
    Filters,
    HistoryEvent,
    IngestResult,
    News,
    Notice,
    NoticeChange,
    NoticeKind,
    Omission,
    Source,
    Standing,
    is_whole_day,
)

CLOSEST = "The closest passage, in case it helps:"  # under a decline, which may be a mistake
KINDS = ("added", "updated", "restored", "removed")  # outcomes for an article
_STRONG, _FAIR = 0.5, 0.25  # confidence: as likely as not, and half of that
_PRONOUN = re.compile(  # "He", "the leader of their union"; not "US officials"
    r"\b(?:[Hh]e|[Ss]he|[Ii]t|[Tt]hey|[Ww]e|[Yy]ou|[Hh]im|[Tt]hem|[Hh]is|[Hh]ers?|[Ii]ts|[Tt]heirs?"
    r"|[Oo]urs?|[Mm]y|[Yy]ours?|us|me)\b|^I$"
)
_BECAME = {
    "changed": "was changed and no longer says what is quoted here",
    "revised": "was changed but still says what is quoted here",
    "removed": "was removed",
    "corrected": "was corrected",
    "retracted": "was retracted",
    "withdrawn": "is no longer marked as corrected",
}
_NOUNS: dict[NoticeKind, str] = {"corrected": "correction", "retracted": "retraction"}
_UPLOAD = re.compile(r"^upload:[0-9a-f]+/")
_SHORT_CHARS = 150  # of an answer's short form: above that, the quote is as quick to read
_LISTED = 10  # corrections that undoing would withdraw


def speaker_line(cited: CitedQuote, answer: Answer) -> str:
    """Return the speaker as the report names them, and whether the quote is new; "" for neither.

    A speaker whom the quote names is not repeated, and a pronoun names nobody. A denial is called a
    denial only beside what it denies.
    """
    speaker = " ".join((cited.speaker or "").split())
    repeated = speaker.casefold() in " ".join(cited.quote.text.split()).casefold()
    parts = [cited.change.capitalize()] if cited.change else []
    denies = cited.act == "denial" and _is_against(cited, answer)
    if speaker and not repeated and not _PRONOUN.search(speaker):
        parts.append(speaker[0].upper() + speaker[1:] + (", denying it:" if denies else ":"))
    elif speaker and denies:
        parts.append("Denying it:")
    return " · ".join(parts).removesuffix(":") + ":" if parts else ""


def _is_against(cited: CitedQuote, answer: Answer) -> bool:
    """Return whether a quote is on the second side of a disagreement."""
    if answer.agreement is None or answer.agreement.kind != "disagree":
        return False
    return cited in [answer.quotes[n] for n in answer.agreement.sides[-1].quotes]


def story_line(answer: Answer) -> str:
    """Return how many reports an answer quotes and how they relate; "" if there is nothing."""
    if answer.status == "declined":
        return ""
    parts = [_news(answer.news, len(answer.citations))] if answer.news else []
    if (count := len(answer.citations)) > 1:
        quoted = " are quoted" if answer.news else ""
        parts.append(f"{count:,} reports{quoted}{_independence(answer.independent, count)}.")
    if answer.agreement:
        parts.append(_agreement(answer, answer.agreement))
    return " ".join(parts)


def _independence(independent: int | None, count: int) -> str:
    """Return the end of a sentence: how many of so many reports are independent."""
    if independent is None:
        return "; whether they are independent of one another is not known"
    how = (
        "" if independent == count else "not " if independent == 1 else f"{independent:,} of them "
    )
    return f", {how}independent of one another"


def short_form(answer: Answer) -> str:
    """Return the words that answer the question, on a line; "" if unsure, or if they are many."""
    part = answer.short and answer.short.answer
    words = " ".join(part.text.split()) if part else ""
    return words if len(words) <= _SHORT_CHARS else ""


def date_words(published: date | None, guess: date | None) -> str:
    """Return when a report was published, or a guess: "undated, perhaps 9 March 2026"."""
    if published:
        return format_day(published)
    return f"undated, perhaps {format_day(guess)}" if guess else "undated"


def describe_filters(filters: Filters) -> str:
    """Return filters as "only dated reports by Northwire, since 9 March 2026"; "" for none."""
    by = [f"by {', '.join(filters.publishers)}"] if filters.publishers else []
    bounds = [("since", filters.since), ("until", filters.latest)]
    dates = [f"{word} {format_moment(moment)}" for word, moment in bounds if moment]
    if not by + dates:
        return ""
    return f"only {'dated ' if dates else ''}reports {', '.join(by + dates)}"


def notice_words(notice: Notice) -> str:
    """Return a correction or retraction, such as "Corrected on 9 March 2026: It was five."."""
    return f"{notice.kind.capitalize()} on {format_day(notice.at)}: {notice.note}"


def became_words(standing: Standing) -> str:
    """Return what has become of a quoted report, such as "was corrected: It was five."."""
    words = " and ".join(_BECAME[word] for word in standing.became)
    notice = standing.article.notice
    if notice and notice.kind in standing.became:
        return f"{words}: {notice.note}"
    return f"{words or 'stands again as it is quoted here'}."


def _agreement(answer: Answer, agreement: Agreement) -> str:
    """Return how the quotes agree; for an update, also the date of the latest report."""
    if agreement.kind == "agree":
        return "Independent reports say the same."
    if agreement.kind == "updated":
        articles = {citation.number: citation.article for citation in answer.citations}
        published = articles[answer.quotes[0].citation].published
        if published is None or 0 not in agreement.sides[-1].quotes:
            return "A later report differs from an earlier one."
        day = format_day(published)
        return f"The first quote is the latest, from {day}; an earlier report gave another number."
    cited = {answer.quotes[index].citation for side in agreement.sides for index in side.quotes}
    return "The people quoted disagree." if len(cited) == 1 else "The reports disagree."


def _news(news: News, cited: int) -> str:
    since, count = format_day(news.since), plural(news.reports, "report")
    newest = "; the newest are quoted" if news.reports > cited else ""
    undated = f" {plural(news.undated, 'report')} without a date may be new too." * bool(
        news.undated
    )
    return f"New or changed since {since}: {count}{newest}.{undated}"


def format_day(moment: date) -> str:
    """Return a date in words, such as "9 March 2026"."""
    return f"{moment.day} {moment:%B %Y}"


def strength(confidence: float) -> str:
    """Return a confidence as a word."""
    return "strong" if confidence >= _STRONG else "fair" if confidence >= _FAIR else "weak"


def share_of(confidence: float, score: float, best: float) -> float:
    """Return the confidence in a passage, given the confidence in the best passage and both scores.

    Scores are sums of logistic weights, so their difference is the logarithm of a ratio of odds.
    """
    safe = min(max(confidence, 1e-6), 1 - 1e-6)
    return 1 / (1 + math.exp(-(math.log(safe / (1 - safe)) + score - best)))


def format_moment(moment: datetime) -> str:
    """Return a moment in words, without a time if it means a whole day."""
    day = format_day(moment)
    return day if is_whole_day(moment) else f"{day}, {moment:%H:%M %Z}".rstrip()


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, such as "1 report" or "2,000 reports"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def outcomes(
    result: IngestResult, *, dry_run: bool = False, operator: bool = True
) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (heading, detail, items) for each outcome of a run.

    For the operator, titles have ids and files have folders; in Discord, they do not.
    """
    for kind in KINDS:
        if changes := getattr(result, kind):
            heading = f"Would be {kind}:" if dry_run else kind.capitalize()
            sentences = plural(sum(change.sentences for change in changes), "sentence")
            titles = [
                f"{change.title} · {change.article_id}" if operator else change.title
                for change in changes
            ]
            yield f"{heading} {len(changes):,}", f" ({sentences})", titles
    for in_force, kind in ((False, "withdrawn"), (True, "back in force")):
        if items := [notice_item(n) for n in result.notices if n.in_force == in_force]:
            heading = f"Would be {kind}:" if dry_run else kind.capitalize()
            yield f"{heading} {len(items):,}", "", items
    if result.unchanged:
        yield f"Unchanged {result.unchanged:,}", "", []
    if result.failed:
        lines = [failure_line(failure, folders=operator) for failure in result.failed]
        yield f"Failed {len(lines):,}", "", lines
    if result.omitted:
        lines = [failure_line(omission, folders=operator) for omission in result.omitted]
        yield f"Parts left out {len(lines):,}", "", lines
    if result.embedded:
        yield f"Embedded {plural(result.embedded, 'sentence')} again", "", []


def notice_item(change: NoticeChange) -> str:
    """Return a correction or retraction as an item of a list."""
    return f"{_NOUNS[change.notice.kind]} of “{change.title}”: {change.notice.note}"


def undo_warnings(preview: IngestResult, articles: int, noun: str = "report") -> list[str]:
    """Return what undoing would lose, for which confirmation is needed; empty for nothing.

    Args:
        preview: the result of a dry run.
        articles: the present number of articles.
        noun: "report" or "article".
    """
    lines = []
    if articles and len(preview.removed) == articles and not preview.restored:
        lines.append(f"{plural(articles, noun)} would be removed, and none would be left.")
    return lines + _withdrawals([change for change in preview.notices if not change.in_force])


def restore_warnings(articles: Iterable[Article]) -> list[str]:
    """Return the retractions that restoring would lose, for which confirmation is needed."""
    retractions = [
        NoticeChange(article.article_id, article.title, article.notice, in_force=False)
        for article in articles
        if article.notice and article.notice.kind == "retracted"
    ]
    return _withdrawals(retractions)


def _withdrawals(lost: Sequence[NoticeChange]) -> list[str]:
    lines = [f"This would withdraw the {notice_item(change)}" for change in lost[:_LISTED]]
    if len(lost) > _LISTED:
        lines.append(f"This would also withdraw {len(lost) - _LISTED:,} more.")
    return lines


def event_words(event: HistoryEvent) -> str:
    """Return what an event did, such as "undo: 2 removed, 1 correction withdrawn"."""
    counts = [
        f"{plural(count, 'correction')} withdrawn"
        if outcome == "withdrawn"
        else f"{count:,} {outcome}"
        for outcome, count in event.articles.items()
    ]
    return f"{event.action}: {', '.join(counts)}" if counts else event.action


def titles_of(event: HistoryEvent, most: int) -> Sequence[str]:
    """Return the first titles of an event, and how many more it has."""
    titles = event.titles[:most]
    rest = sum(event.articles.values()) - len(titles)
    return [*titles, f"and {rest:,} more"] if titles and rest > 0 else titles


def failure_line(failure: Failure | Omission, *, folders: bool = True) -> str:
    """Return what failed or was left out, and why, without repeating a file name."""
    name = source_name(failure.source)
    shown = failure.source if folders else name
    error = failure.error.replace(failure.source, name)
    reason = error.removeprefix(f"{name} ")
    return f"{shown}: {error}" if reason == error else f"{shown} {reason}"


def source_name(source: str) -> str:
    """Return a source without its folder, and an upload without the hash that identifies it."""
    source = _UPLOAD.sub("", source)
    return PurePath(source).name if PurePath(source).is_absolute() else source


def source_error(source: Source) -> str:
    """Return why a source fails, without its folder."""
    return (source.error or "").replace(source.uri, source_name(source.uri))
