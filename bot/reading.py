"""The commands of `onrecord` that read a collection: articles, ask, search and history."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bot import output
from bot.command import FAILED, Json
from index.archive import Archive
from index.article import Filters
from index.errors import InputError, OnRecordError, QuestionError
from index.plain import clean

app = typer.Typer()


class Unit(StrEnum):
    """What is ranked."""

    sentence = "sentence"
    article = "article"


Publishers = Annotated[list[str] | None, typer.Option("--publisher", help="Only this publisher.")]
Since = Annotated[str | None, typer.Option(help="Published on or after this date.")]
Until = Annotated[str | None, typer.Option(help="Published on or before this date.")]
AsOf = Annotated[str | None, typer.Option(help="Answer from what was published by then.")]
Queries = Annotated[
    Path | None, typer.Option(help='JSON lines {"_id", "text"}; one JSON line each.')
]


@app.command()
def articles(
    context: typer.Context,
    removed: Annotated[bool, typer.Option("--removed", help="Those that were taken out.")] = False,
    as_json: Json = False,
) -> None:
    """List the articles of the collection."""
    with context.obj.archive() as archive:
        found = archive.articles(retired=removed)
    if as_json:
        rows = [output.article(one, with_text=False) for one in found]
        print(output.document({"articles": rows}))
        return
    console = output.console()
    for one in found:
        console.print(f"{one.article_id}  {output.source_line(one)}", markup=False)
    console.print(f"{len(found):,} articles", style="dim")


@app.command()
def article(
    context: typer.Context,
    article_id: str,
    revision: Annotated[int | None, typer.Option(help="An earlier revision.")] = None,
    as_json: Json = False,
) -> None:
    """Show one article with its stored text."""
    with context.obj.archive() as archive:
        found = archive.article(article_id, revision)
    if as_json:
        print(output.document(output.article(found)))
        return
    console = output.console()
    state = ", removed" if found.retired else ""
    console.print(output.source_line(found), style="bold", markup=False)
    notice = f"\n{output.notice_line(found)}" if found.notice else ""
    console.print(f"{found.article_id}, revision {found.revision}{state}{notice}\n", markup=False)
    console.out(found.text, highlight=False)


@app.command()
def ask(
    context: typer.Context,
    question: Annotated[str | None, typer.Argument(help="In your own words.")] = None,
    publisher: Publishers = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    queries: Queries = None,
    as_json: Json = False,
) -> None:
    """Answer a question with quotes, or say that the reports do not."""
    filters = _filters(publisher, since, until, as_of)
    with context.obj.archive() as archive:
        if queries:
            _each(queries, lambda key, text: output.answer(archive.ask(text, filters), key))
            return
        given = archive.ask(_needed(question), filters)
        if not archive.size().articles:
            context.obj.notes.print("Add reports first: onrecord add FILE...", markup=False)
    if as_json:
        print(output.document(output.answer(given)))
    else:
        output.print_answer(output.console(), given)


@app.command()
def search(
    context: typer.Context,
    question: Annotated[str | None, typer.Argument(help="In your own words.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many results.")] = 10,
    by: Annotated[Unit, typer.Option(help="What to rank.")] = Unit.sentence,
    publisher: Publishers = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    queries: Queries = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what made the score of each sentence.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Rank sentences or articles without answering."""
    filters = _filters(publisher, since, until, as_of)
    by_article = by is Unit.article

    def found(archive: Archive, text: str, key: str | None = None) -> dict[str, Any]:
        ranked = archive.search(text, k, filters)
        return output.ranking(ranked, k, by_article=by_article, query_id=key, explain=explain)

    with context.obj.archive() as archive:
        if queries:
            _each(queries, lambda key, text: found(archive, text, key))
        elif as_json:
            print(output.document(found(archive, _needed(question))))
        else:
            ranked = archive.search(_needed(question), k, filters)
            output.print_ranking(Console(), ranked, k, by_article=by_article, explain=explain)


@app.command()
def history(
    context: typer.Context,
    limit: Annotated[int | None, typer.Option(help="Only the newest.")] = None,
    as_json: Json = False,
) -> None:
    """Show the audit log, newest first."""
    with context.obj.archive() as archive:
        events = archive.history(limit)
    if as_json:
        print(output.document({"events": [output.event(one) for one in events]}))
        return
    for one in events:
        counts = ", ".join(f"{count} {what}" for what, count in one.articles.items())
        few = f"({'; '.join(one.titles)})" if one.titles else ""
        told = "  ".join(part for part in (one.actor, one.action, counts, few, one.note) if part)
        print(f"{one.generation:>6}  {one.at:%Y-%m-%d %H:%M}  {told}")


def _needed(question: str | None) -> str:
    if question is None:
        raise QuestionError("Ask a question, or name a file of them with --queries.")
    return question


def _each(path: Path, answer: Any) -> None:  # a function (id, text) -> JSON object
    """One JSON line a query, in order; a query that fails says so in its own line."""
    failed = False
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as JSON lines: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        key, text = _query(line)
        try:
            if text is None:
                raise QuestionError(f'Line {number} is not like {{"_id": …, "text": "…"}}.')
            made = answer(key, text)
        except OnRecordError as error:
            made = {"id": key, "error": str(error)}
        failed = failed or "error" in made
        print(output.document(made), flush=True)
    if failed:
        raise typer.Exit(FAILED)


def _query(line: str) -> tuple[str | None, str | None]:
    """Id and text of a query's line; None for what it does not hold."""
    try:
        query = json.loads(line)
    except (ValueError, RecursionError):
        return None, None
    fields = query if isinstance(query, dict) else {}
    key, text = fields.get("_id"), fields.get("text")
    shown = None if key is None else clean(str(key))
    return shown, text if isinstance(text, str) else None


def _filters(
    publishers: list[str] | None, since: str | None, until: str | None, as_of: str | None
) -> Filters:
    return Filters(
        publishers=tuple(publishers or ()),
        since=_moment(since, time.min),
        until=_moment(until, time.max),
        as_of=_moment(as_of, time.max),
    )


def _moment(value: str | None, at: time) -> datetime | None:
    """An ISO date or date and time; a date alone counts whole, in UTC where no zone is given."""
    if value is None:
        return None
    try:
        try:
            moment = datetime.combine(date.fromisoformat(value), at)
        except ValueError:
            moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise QuestionError(f"“{value}” is not a date: write it like 2026-03-14.") from None
