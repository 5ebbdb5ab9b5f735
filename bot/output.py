"""Results -> what the command line prints: one JSON document, or text for a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.wording import speaker_line, story_line
from index.article import Agreement, Answer, Article, Citation, CitedQuote, News, Notice
from index.evaluate import Figures
from index.intake import Change, Report
from index.retrieve import Ranking, explained
from index.store import Event, Source


def console(*, stderr: bool = False) -> Console:
    """A terminal that shows stored text as it is: no emoji codes, no highlighting, no wrapping."""
    return Console(stderr=stderr, emoji=False, highlight=False, soft_wrap=True)


def document(value: object) -> str:
    """One JSON document on one line."""
    return json.dumps(value, ensure_ascii=False)


def report(made: Report) -> dict[str, Any]:
    """What `add`, `reindex`, `remove` and `restore` did."""
    return {
        "generation": made.generation,
        "added": [_change(change) for change in made.added],
        "updated": [_change(change) for change in made.updated],
        "restored": [_change(change) for change in made.restored],
        "removed": [_change(change) for change in made.removed],
        "unchanged": made.unchanged,
        "embedded": made.embedded,
        "failed": [{"source": one.source, "error": one.error} for one in made.failed],
        "seconds": round(made.seconds, 3),
    }


def ranking(
    ranked: Ranking, k: int, *, by_article: bool, query_id: str | None, explain: bool = False
) -> dict[str, Any]:
    """A ranking of sentences or articles; `explain` adds what each feature adds to a score."""
    results: list[dict[str, Any]]
    if by_article:
        results = [
            {"rank": rank, "score": round(score, 6), "article_id": found.article_id}
            for rank, (found, score) in enumerate(ranked.by_article()[:k], 1)
        ]
    else:
        pairs = zip(ranked.sentences[:k], ranked.scores[:k].tolist(), strict=True)
        results = [
            {
                "rank": rank,
                "score": round(score, 6),
                "article_id": sentence.article_id,
                "sentence_id": sentence.sentence_id,
                "start": sentence.start,
                "end": sentence.end,
                "text": sentence.text,
            }
            for rank, (sentence, score) in enumerate(pairs, 1)
        ]
        added = explained(ranked) if explain else {}
        for row, result in enumerate(results if explain else []):
            result["features"] = {
                name: round(float(own[row]), 4) + 0.0  # no minus zero
                for name, own in added.items()
            }
    return {"id": query_id, "results": results}


def answer(given: Answer, query_id: str | None = None) -> dict[str, Any]:
    """An answer or a decline."""
    made: dict[str, Any] = {} if query_id is None else {"id": query_id}
    made |= {
        "answer_id": given.answer_id,
        "question": given.question,
        "status": given.status,
        "confidence": round(given.confidence, 4),
        "quotes": [_quote(cited) for cited in given.quotes],
        "citations": [_citation(citation) for citation in given.citations],
        "agreement": _agreement(given.agreement) if given.agreement else None,
        "independent": given.independent,
        "news": _news(given.news) if given.news else None,
        "generation": given.generation,
    }
    if given.reason:
        made["reason"] = given.reason
    if given.closest:
        made["closest"] = _quote(given.closest)
    return made


def article(found: Article, *, with_text: bool = True) -> dict[str, Any]:
    """A stored article."""
    made = {"article_id": found.article_id, "title": found.title}
    if with_text:
        made["text"] = found.text
    return {
        **made,
        "publisher": found.publisher,
        "author": found.author,
        "published": _moment(found.published),
        "url": found.url,
        "language": found.language,
        "source": found.source,
        "revision": found.revision,
        "retired": found.retired,
        "guessed": list(found.guessed),
        "notice": _notice(found.notice) if found.notice else None,
    }


def source(origin: Source) -> dict[str, Any]:
    """A source, and how reading it went."""
    return {
        "source": origin.uri,
        "kind": origin.kind,
        "every": origin.every,
        "paused": origin.paused,
        "checked": _moment(origin.checked),
        "succeeded": _moment(origin.succeeded),
        "failures": origin.failures,
        "failing_since": _moment(origin.failing_since),
        "error": origin.error,
    }


def event(logged: Event) -> dict[str, Any]:
    """A line of the audit log."""
    return {
        "generation": logged.generation,
        "at": _moment(logged.at),
        "actor": logged.actor,
        "action": logged.action,
        "note": logged.note,
        "articles": dict(logged.articles),
        "titles": list(logged.titles),
    }


def figures(measured: Figures) -> dict[str, Any]:
    """What `evaluate` measured, each figure with its 95 % interval."""
    made: dict[str, Any] = {"dataset": measured.dataset, "queries": measured.queries}
    for name, one in measured.estimates.items():
        made[name] = round(one.value, 4)
        made[f"{name}_interval"] = [round(one.low, 4), round(one.high, 4)]
    return made | {"seconds_per_query": round(measured.seconds_per_query, 4)}


def print_report(console: Console, made: Report) -> None:
    """What was done, for a person."""
    for word, changes in (
        ("Added", made.added),
        ("Updated", made.updated),
        ("Restored", made.restored),
        ("Removed", made.removed),
    ):
        if changes:
            sentences = sum(change.sentences for change in changes)
            console.print(f"{word} {len(changes):,} ({sentences:,} sentences)")
            for change in changes[:_LISTED]:
                console.print(f"  {escape(change.article_id)}  {escape(change.title)}")
            if len(changes) > _LISTED:
                console.print(f"  … and {len(changes) - _LISTED:,} more")
    if made.unchanged:
        console.print(f"Unchanged {made.unchanged:,}")
    for failure in made.failed:
        console.print(f"[red]Failed[/red] {escape(failure.source)}: {escape(failure.error)}")
    if made.embedded:
        console.print(f"Embedded {made.embedded:,} sentences again")
    elif not any((made.added, made.updated, made.restored, made.removed, made.failed)):
        console.print("Nothing new.")


def print_answer(console: Console, given: Answer) -> None:
    """An answer, for a person."""
    console.print(f"[bold]{escape(given.question)}[/bold]\n")
    if given.status == "declined":
        console.print(escape(given.reason or ""))
        if given.closest:
            console.print("\nThe closest passage, which does not answer it:")
    for cited in [*given.quotes, *([given.closest] if given.closest else [])]:
        if line := speaker_line(cited):
            console.print(f"  {escape(line)}")
        console.out(f"  “{cited.quote.text}” [{cited.citation}]\n", highlight=False)
    if line := story_line(given):
        console.print(f"{line}\n")
    for citation in given.citations:
        console.print(f"\\[{citation.number}] {escape(source_line(citation.article))}")
        if citation.article.notice:
            console.print(f"    {escape(notice_line(citation.article))}")
    console.print(f"[dim]answer {given.answer_id}[/dim]")


def print_ranking(
    console: Console, ranked: Ranking, k: int, *, by_article: bool, explain: bool = False
) -> None:
    """A ranking, for a person; `explain` says under each sentence what made its score."""
    table = Table("", "score", "article", "" if by_article else "sentence", box=None)
    table.columns[2].overflow = "fold"
    if by_article:
        for rank, (found, score) in enumerate(ranked.by_article()[:k], 1):
            table.add_row(str(rank), f"{score:.2f}", escape(found.article_id), escape(found.title))
    else:
        added = explained(ranked) if explain else {}
        pairs = zip(ranked.sentences[:k], ranked.scores[:k].tolist(), strict=True)
        for rank, (one, score) in enumerate(pairs, 1):
            table.add_row(str(rank), f"{score:.2f}", escape(one.article_id), escape(one.text))
            if explain:
                parts = {name: float(own[rank - 1]) for name, own in added.items()}
                table.add_row("", "", "", f"[dim]{_in_words(parts)}[/dim]")
    console.print(table)


_WORDS = {
    "cover": "its words are the question's",
    "clause_bm25": "it and its neighbours use the question's words",
    "clause_dense": "it means what the question means",
    "article_dense": "its report is about this",
    "publisher": "the publisher named",
    "day": "the day named",
    "gives": "it gives the kind of thing asked for",
    "first": "it stands early in its report",
    "length": "its length",
    "asks": "it is a question itself",
    "unfinished": "it is a caption or headline",
    "same_article": "its report stands higher already",
}
_SEEN = 0.05  # of a score, under which a feature is not worth a word


def _in_words(parts: Mapping[str, float]) -> str:
    """What made a score, the most telling first."""
    told = sorted(parts.items(), key=lambda part: -abs(part[1]))
    return ", ".join(
        f"{value:+.2f} {_WORDS.get(name, name)}" for name, value in told if abs(value) >= _SEEN
    )


def source_line(found: Article) -> str:
    """Publisher, date and title on one line."""
    date = _day(found.published) if found.published else None
    return ", ".join(part for part in (found.publisher, date, found.title) if part)


def notice_line(found: Article) -> str:
    """What is wrong with an article, and since when that is known."""
    notice = found.notice
    return f"{notice.kind} {_day(notice.at)}: {notice.note}" if notice else ""


def print_sources(console: Console, found: list[Source]) -> None:
    """Where articles come from, for a person."""
    for one in found:
        every = f"every {one.every:,} minutes" if one.every else "on reindex"
        state = "paused" if one.paused else every
        good = f", last read {_day(one.succeeded)}" if one.succeeded else ""
        console.print(f"{escape(one.uri)}  ({one.kind}, {state}{good})")
        if one.failures:
            console.print(f"  [red]failed {one.failures:,} times[/red]: {escape(one.error or '')}")
    if not found:
        console.print("No sources yet: `onrecord add` and `onrecord sources --add` name some.")


def _day(moment: datetime) -> str:
    return moment.strftime("%-d %B %Y")


_LISTED = 20


def _change(change: Change) -> dict[str, Any]:
    return {
        "article_id": change.article_id,
        "title": change.title,
        "sentences": change.sentences,
    }


def _quote(cited: CitedQuote) -> dict[str, Any]:
    quote = cited.quote
    return {
        "text": quote.text,
        "article_id": quote.article_id,
        "start": quote.start,
        "end": quote.end,
        "citation": cited.citation,
        "speaker": cited.speaker,
        "act": cited.act,
        "also": list(cited.also),
        "change": cited.change,
    }


def _news(found: News) -> dict[str, Any]:
    return {"since": found.since.isoformat(), "reports": found.reports}


def _agreement(found: Agreement) -> dict[str, Any]:
    sides: list[dict[str, Any]] = []
    for side in found.sides:
        sides.append({"quotes": list(side.quotes)})
        if side.speaker is not None:
            sides[-1]["speaker"] = side.speaker
    return {"kind": found.kind, "sides": sides}


def _citation(citation: Citation) -> dict[str, Any]:
    return {
        "number": citation.number,
        **article(citation.article, with_text=False),
        "independent_of": list(citation.independent_of),
    }


def _notice(notice: Notice) -> dict[str, Any]:
    return {
        "kind": notice.kind,
        "note": notice.note,
        "at": _moment(notice.at),
        "actor": notice.actor,
    }


def _moment(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
