"""The few words of the bot's own that stand around quotes and results, here and on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import PurePath

from index import Act, Answer, CitedQuote, Failure, IngestResult, News, Source

KINDS = ("added", "updated", "restored", "removed")  # what may become of an article
_MANNER: dict[Act, str] = {"denial": ", denying it:", "confirmation": ", confirming it:"}


def speaker_line(cited: CitedQuote) -> str | None:
    """Who says a quote, as the report names them, and whether it is news; None without either."""
    change = cited.change.capitalize() if cited.change else None
    if cited.speaker is None:
        return change and f"{change}:"
    named = " ".join(cited.speaker.split())
    line = named[0].upper() + named[1:] + _MANNER.get(cited.act, ":")
    return f"{change} · {line}" if change else line


def story_line(answer: Answer) -> str | None:
    """How many reports stand behind an answer, and whether they agree; None if there is one."""
    parts = [_news(answer.news, len(answer.citations))] if answer.news and answer.quotes else []
    if len(answer.citations) > 1:
        quoted = " quoted" if answer.news else ""
        parts.append(f"{len(answer.citations)} reports{quoted}, {answer.independent} independent.")
    if answer.agreement:
        sides = [
            {answer.quotes[n].citation for n in side.quotes} for side in answer.agreement.sides
        ]
        within = len(set().union(*sides)) == 1
        parts.append(
            {
                "agree": "Independent reports say the same.",
                "disagree": "Those quoted disagree." if within else "The reports disagree.",
                "updated": _latest(answer),
            }[answer.agreement.kind]
        )
    return " ".join(parts) or None


def _news(news: News, shown: int) -> str:
    newest = ", of which the newest are quoted" if news.reports > shown else ""
    return (
        f"New or changed since {format_day(news.since)}: {plural(news.reports, 'report')}{newest}."
    )


def _latest(answer: Answer) -> str:
    """Since when what leads a developing story holds."""
    articles = {citation.number: citation.article for citation in answer.citations}
    published = articles[answer.quotes[0].citation].published
    leads = answer.agreement is not None and 0 in answer.agreement.sides[1].quotes
    if published is None or not leads:
        return "Earlier and later reports."
    return (
        f"The first quote is the latest, of {format_day(published)}; "
        "an earlier report said otherwise."
    )


def format_day(moment: date) -> str:
    """A day in words."""
    return f"{moment.day} {moment:%B %Y}"


def plural(count: int, noun: str) -> str:
    """So many of a thing: "1 report", "2,000 reports"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def outcomes(
    report: IngestResult, *, dry_run: bool = False, folders: bool = True
) -> Iterator[tuple[str, str, list[str]]]:
    """What was done, or would be: of each kind how many, more on that, and what belongs under it.

    Without `folders` it does not say where files lie, which is the operator's to know.
    """
    for kind in KINDS:
        if changes := getattr(report, kind):
            head = f"Would be {kind}:" if dry_run else kind.capitalize()
            sentences = plural(sum(one.sentences for one in changes), "sentence")
            titles = [f"{one.title} · {one.article_id}" for one in changes]
            yield f"{head} {len(changes):,}", f" ({sentences})", titles
    if report.unchanged:
        yield f"Unchanged {report.unchanged:,}", "", []
    if report.failed:
        failed = [failure_line(one, folders=folders) for one in report.failed]
        yield f"Failed {len(failed):,}", "", failed
    if report.embedded:
        yield f"Embedded {plural(report.embedded, 'sentence')} again", "", []


def failure_line(failure: Failure, *, folders: bool = True) -> str:
    """What failed and why; a reason that begins with the name of its file does not say it again."""
    name = source_name(failure.source)
    shown = failure.source if folders else name
    error = failure.error.replace(failure.source, name)
    rest = error.removeprefix(f"{name} ")
    return f"{shown}: {error}" if rest == error else f"{shown} {rest}"


def source_name(source: str) -> str:
    """A source without the folders that it lies in."""
    return PurePath(source).name if PurePath(source).is_absolute() else source


def source_error(source: Source) -> str:
    """Why a source fails, without the folders that it lies in."""
    return (source.error or "").replace(source.uri, source_name(source.uri))
