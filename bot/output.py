"""Results -> what the command line prints: one JSON document, or text for a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.wording import KINDS, day, speaker_line, story_line
from index.article import Agreement, Answer, Article, Citation, CitedQuote, Sentence
from index.evaluate import Figures
from index.intake import Change, Report
from index.retrieve import Ranking, explained
from index.store import Event, Source

_LISTED = 20
# The fields that scripts rely on, in order.
_CHANGE = "article_id title sentences"
_SENTENCE = "article_id sentence_id start end text"
_ARTICLE = "publisher author published url language source revision retired guessed"
_ORIGIN = "kind every paused checked succeeded failures failing_since error"


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
        **{kind: [_fields(one, _CHANGE) for one in getattr(made, kind)] for kind in KINDS},
        **_fields(made, "unchanged embedded"),
        "failed": [_fields(one, "source error") for one in made.failed],
        "seconds": round(made.seconds, 3),
    }


def ranking(
    ranked: Ranking, k: int, *, by_article: bool, query_id: str | None, explain: bool = False
) -> dict[str, Any]:
    """A ranking of sentences or articles; `explain` adds what each feature adds to a score."""
    scored: list[tuple[Article | Sentence, float]] = (
        [*ranked.by_article()]
        if by_article
        else [*zip(ranked.sentences, ranked.scores.tolist(), strict=True)]
    )
    names = "article_id" if by_article else _SENTENCE
    results = [
        {"rank": rank, "score": round(score, 6), **_fields(one, names)}
        for rank, (one, score) in enumerate(scored[:k], 1)
    ]
    if explain and not by_article:
        added = explained(ranked)
        for row, result in enumerate(results):
            result["features"] = {
                name: round(float(own[row]), 4) + 0.0  # no minus zero
                for name, own in added.items()
            }
    return {"id": query_id, "results": results}


def answer(given: Answer, query_id: str | None = None) -> dict[str, Any]:
    """An answer or a decline."""
    made: dict[str, Any] = {} if query_id is None else {"id": query_id}
    made |= {
        **_fields(given, "answer_id question status"),
        "confidence": round(given.confidence, 4),
        "quotes": [_quote(cited) for cited in given.quotes],
        "citations": [_citation(citation) for citation in given.citations],
        "agreement": _agreement(given.agreement) if given.agreement else None,
        "independent": given.independent,
        "news": _fields(given.news, "since reports") if given.news else None,
        "generation": given.generation,
    }
    if given.reason:
        made["reason"] = given.reason
    if given.closest:
        made["closest"] = _quote(given.closest)
    return made


def article(found: Article, *, with_text: bool = True) -> dict[str, Any]:
    """A stored article."""
    return {
        **_fields(found, "article_id title text" if with_text else "article_id title"),
        **_fields(found, _ARTICLE),
        "notice": _fields(found.notice, "kind note at actor") if found.notice else None,
    }


def source(origin: Source) -> dict[str, Any]:
    """A source, and how reading it went."""
    return {"source": origin.uri, **_fields(origin, _ORIGIN)}


def event(logged: Event) -> dict[str, Any]:
    """A line of the audit log."""
    return _fields(logged, "generation at actor action note articles titles")


def figures(measured: Figures) -> dict[str, Any]:
    """What `evaluate` measured, each figure with its 95 % interval."""
    made: dict[str, Any] = {"dataset": measured.dataset, "queries": measured.queries}
    for name, one in measured.estimates.items():
        made[name] = round(one.value, 4)
        made[f"{name}_interval"] = [round(one.low, 4), round(one.high, 4)]
    return made | {"seconds_per_query": round(measured.seconds_per_query, 4)}


def print_report(console: Console, made: Report) -> None:
    """What was done, for a person."""
    for kind in KINDS:
        changes: tuple[Change, ...] = getattr(made, kind)
        if changes:
            sentences = sum(change.sentences for change in changes)
            console.print(f"{kind.capitalize()} {len(changes):,} ({sentences:,} sentences)")
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
    elif not made.failed and not any(getattr(made, kind) for kind in KINDS):
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
    date = day(found.published) if found.published else None
    return ", ".join(part for part in (found.publisher, date, found.title) if part)


def notice_line(found: Article) -> str:
    """What is wrong with an article, and since when that is known."""
    notice = found.notice
    return f"{notice.kind} {day(notice.at)}: {notice.note}" if notice else ""


def print_sources(console: Console, found: list[Source]) -> None:
    """Where articles come from, for a person."""
    for one in found:
        every = f"every {one.every:,} minutes" if one.every else "on reindex"
        state = "paused" if one.paused else every
        good = f", last read {day(one.succeeded)}" if one.succeeded else ""
        console.print(f"{escape(one.uri)}  ({one.kind}, {state}{good})")
        if one.failures:
            console.print(f"  [red]failed {one.failures:,} times[/red]: {escape(one.error or '')}")
    if not found:
        console.print("No sources yet: `onrecord add` and `onrecord sources --add` name some.")


def _quote(cited: CitedQuote) -> dict[str, Any]:
    of = _fields(cited.quote, "text article_id start end")
    return of | _fields(cited, "citation speaker act also change")


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


def _fields(of: object, names: str) -> dict[str, Any]:
    """Some fields of an object, by their names, as JSON has them: times in ISO 8601, lists."""
    return {name: _plain(getattr(of, name)) for name in names.split()}


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
