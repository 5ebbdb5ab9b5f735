"""The few words of the bot's own that stand around quotes and results, here and on a terminal."""

from __future__ import annotations

from datetime import date
from pathlib import PurePath

from index.article import Act, Answer, CitedQuote, News
from index.plain import Failure

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
    return f"New or changed since {day(news.since)}: {plural(news.reports, 'report')}{newest}."


def _latest(answer: Answer) -> str:
    """Since when what leads a developing story holds."""
    articles = {citation.number: citation.article for citation in answer.citations}
    published = articles[answer.quotes[0].citation].published
    leads = answer.agreement is not None and 0 in answer.agreement.sides[1].quotes
    if published is None or not leads:
        return "Earlier and later reports."
    return f"The first quote is the latest, of {day(published)}; an earlier report said otherwise."


def day(moment: date) -> str:
    """A day in words."""
    return f"{moment.day} {moment:%B %Y}"


def plural(count: int, noun: str) -> str:
    """So many of a thing: "1 report", "2,000 reports"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def place(source: str) -> str:
    """A source as moderators see it: of a file or folder its name, not where it lies."""
    return PurePath(source).name if PurePath(source).is_absolute() else source


def without_folders(failure: Failure) -> Failure:
    """A failure as moderators see it."""
    name = place(failure.source)
    return Failure(name, failure.error.replace(failure.source, name))


def failure_line(failure: Failure) -> str:
    """What failed and why; a reason that begins with its file's name does not say it again."""
    for name in (failure.source, PurePath(failure.source).name):
        if failure.error.startswith(f"{name} "):
            return failure.source + failure.error.removeprefix(name)
    return f"{failure.source}: {failure.error}"
