"""The phrases around quotes and results, shared by Discord and the command line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from pathlib import PurePath

from index import Act, Agreement, Answer, CitedQuote, Failure, IngestResult, News, Source

KINDS = ("added", "updated", "restored", "removed")  # outcomes for an article
_STRONG, _FAIR = 0.5, 0.25  # as likely as not, and half of that
_ACTS: dict[Act, str] = {"denial": ", denying it:", "confirmation": ", confirming it:"}


def speaker_line(cited: CitedQuote) -> str | None:
    """The speaker as the report names them, and whether the quote is new; None without either."""
    change = cited.change.capitalize() if cited.change else None
    if cited.speaker is None:
        return change and f"{change}:"
    speaker = " ".join(cited.speaker.split())
    line = speaker[0].upper() + speaker[1:] + _ACTS.get(cited.act, ":")
    return f"{change} · {line}" if change else line


def story_line(answer: Answer) -> str | None:
    """How many reports an answer quotes and whether they agree; None for a single report."""
    parts = [_news(answer.news, len(answer.citations))] if answer.news and answer.quotes else []
    if len(answer.citations) > 1:
        quoted = " quoted" if answer.news else ""
        parts.append(f"{len(answer.citations)} reports{quoted}, {answer.independent} independent.")
    if answer.agreement:
        parts.append(_agreement(answer, answer.agreement))
    return " ".join(parts) or None


def _agreement(answer: Answer, agreement: Agreement) -> str:
    """How the quotes agree; in a developing story, the date of the latest figure."""
    if agreement.kind == "agree":
        return "Independent reports say the same."
    if agreement.kind == "updated":
        articles = {citation.number: citation.article for citation in answer.citations}
        published = articles[answer.quotes[0].citation].published
        if published is None or 0 not in agreement.sides[1].quotes:
            return "Earlier and later reports."
        day = format_day(published)
        return f"The first quote is the latest, from {day}; an earlier report said otherwise."
    cited = {answer.quotes[index].citation for side in agreement.sides for index in side.quotes}
    return "The people quoted disagree." if len(cited) == 1 else "The reports disagree."


def _news(news: News, cited: int) -> str:
    since, count = format_day(news.since), plural(news.reports, "report")
    newest = "; the newest are quoted" if news.reports > cited else ""
    return f"New or changed since {since}: {count}{newest}."


def format_day(moment: date) -> str:
    """A date in words, such as "9 March 2026"."""
    return f"{moment.day} {moment:%B %Y}"


def strength(confidence: float) -> str:
    """A confidence in a word."""
    return "strong" if confidence >= _STRONG else "fair" if confidence >= _FAIR else "weak"


def share_of(confidence: float, score: float, best: float) -> float:
    """A passage's share of the confidence: its odds fall with the score's distance to the best.

    Scores are sums of logistic weights, so a difference of scores is a ratio of odds.
    """
    safe = min(max(confidence, 1e-6), 1 - 1e-6)
    return 1 / (1 + math.exp(-(math.log(safe / (1 - safe)) + score - best)))


def plural(count: int, noun: str) -> str:
    """A count with its noun, such as "1 report" or "2,000 reports"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def outcomes(
    result: IngestResult, *, dry_run: bool = False, folders: bool = True
) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (heading, detail, items) for each outcome of a run.

    Without `folders`, the folders of files are left out: only the operator should see them.
    """
    for kind in KINDS:
        if changes := getattr(result, kind):
            heading = f"Would be {kind}:" if dry_run else kind.capitalize()
            sentences = plural(sum(change.sentences for change in changes), "sentence")
            titles = [f"{change.title} · {change.article_id}" for change in changes]
            yield f"{heading} {len(changes):,}", f" ({sentences})", titles
    if result.unchanged:
        yield f"Unchanged {result.unchanged:,}", "", []
    if result.failed:
        lines = [failure_line(failure, folders=folders) for failure in result.failed]
        yield f"Failed {len(lines):,}", "", lines
    if result.embedded:
        yield f"Embedded {plural(result.embedded, 'sentence')} again", "", []


def failure_line(failure: Failure, *, folders: bool = True) -> str:
    """What failed and why; a file name that begins the reason is not repeated."""
    name = source_name(failure.source)
    shown = failure.source if folders else name
    error = failure.error.replace(failure.source, name)
    reason = error.removeprefix(f"{name} ")
    return f"{shown}: {error}" if reason == error else f"{shown} {reason}"


def source_name(source: str) -> str:
    """A source without its folder."""
    return PurePath(source).name if PurePath(source).is_absolute() else source


def source_error(source: Source) -> str:
    """Why a source fails, without its folder."""
    return (source.error or "").replace(source.uri, source_name(source.uri))
