"""The `onrecord` command: reads settings, wires the parts and hands over.

What scripts rely on is kept: `--json` prints one JSON document (or one line a query) on standard
output, all else goes to standard error, and the exit status is 0 for done, 1 for something
failed, 2 for wrong usage or settings.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bot import output
from bot.settings import Settings, load
from index import intake, sources
from index.archive import Archive
from index.article import Filters
from index.encoder import SentenceTransformerEncoder
from index.errors import InputError, OnRecordError, QuestionError, SettingsError
from index.intake import Report, Watcher
from index.rerank import CrossEncoderReranker

app = typer.Typer(
    name="onrecord",
    help="Answers questions about news reports by quoting them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_FAILED, _USAGE = 1, 2
_GLOBAL = {"--data": True, "--collection": True, "--config": True, "--debug": False}


class Unit(StrEnum):
    """What is ranked."""

    sentence = "sentence"
    article = "article"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command: its settings, and where messages for people go."""

    settings: Settings
    notes: Console

    def encoder(self, threads: int | None = None) -> SentenceTransformerEncoder:
        """The encoder of the settings; loaded at first use."""
        model = self.settings.model
        return SentenceTransformerEncoder(model.name, threads=threads or model.threads)

    @contextmanager
    def archive(
        self, collection: str | None = None, threads: int | None = None
    ) -> Iterator[Archive]:
        """The collection of this run."""
        reranker = self.settings.model.reranker
        opened = Archive.open(
            self.settings.data,
            collection or self.settings.collection,
            self.encoder(threads),
            threshold=self.settings.answers.threshold,
            reranker=CrossEncoderReranker(reranker) if reranker else None,
        )
        try:
            yield opened
        finally:
            opened.close()


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Publishers = Annotated[list[str] | None, typer.Option("--publisher", help="Only this publisher.")]
Since = Annotated[str | None, typer.Option(help="Published on or after this date.")]
Until = Annotated[str | None, typer.Option(help="Published on or before this date.")]
AsOf = Annotated[str | None, typer.Option(help="Answer from what was published by then.")]
Queries = Annotated[
    Path | None, typer.Option(help='JSON lines {"_id", "text"}; one JSON line each.')
]


@app.callback()
def _globals(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option(help="Data folder [ONRECORD_DATA].")] = None,
    collection: Annotated[
        str | None, typer.Option(help="Collection; a server's is server-ID [ONRECORD_COLLECTION].")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file [ONRECORD_CONFIG].")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and logs.")] = False,
) -> None:
    level = logging.DEBUG if debug else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr)
    settings = load(data=data, collection=collection, config=config)
    context.obj = Run(settings, output.console(stderr=True))


@app.command()
def add(
    context: typer.Context,
    source: Annotated[
        list[str], typer.Argument(help='Files, folders, URLs, feeds, or "-" for JSON lines.')
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done; change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add reports."""
    run: Run = context.obj
    with run.archive(threads=os.cpu_count()) as archive, _progress(run, "Adding") as watch:
        stream = sys.stdin.buffer if "-" in source else None
        made = archive.add(source, stream=stream, dry_run=dry_run, watch=watch)
    _finish(made, as_json=as_json)


@app.command()
def reindex(
    context: typer.Context,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Embed everything again.")] = False,
    forget: Annotated[
        list[str] | None, typer.Option(help="Look into this source no longer; articles stay.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take in what the collection's sources have new."""
    run: Run = context.obj
    with run.archive(threads=os.cpu_count()) as archive, _progress(run, "Reindexing") as watch:
        for source in forget or ():
            archive.forget(source)
        made = archive.rebuild(watch=watch) if rebuild else archive.reindex(watch=watch)
    _finish(made, as_json=as_json)


@app.command()
def remove(context: typer.Context, article_id: list[str], as_json: Json = False) -> None:
    """Take articles out; `restore` brings them back."""
    with context.obj.archive() as archive:
        _finish(archive.remove(article_id), as_json=as_json)


@app.command()
def restore(context: typer.Context, article_id: list[str], as_json: Json = False) -> None:
    """Bring removed articles back."""
    with context.obj.archive() as archive:
        _finish(archive.restore(article_id), as_json=as_json)


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
    console.print(f"{found.article_id}, revision {found.revision}{state}\n", markup=False)
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
def evaluate(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A data set in BEIR's layout.")],
    split: Annotated[str, typer.Option(help="Which qrels/SPLIT.tsv.")] = "test",
    run_file: Annotated[
        Path | None, typer.Option("--run", help="Write the ranked articles in TREC's format.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure ranking and declining on a data set, in a collection of its own."""
    from index import evaluate as evaluation  # noqa: PLC0415 - not needed to answer

    run: Run = context.obj
    name = evaluation.collection_name(folder, run.settings.model.name)
    with run.archive(name, threads=os.cpu_count()) as archive, _progress(run, "Indexing") as watch:
        measured, failed = evaluation.evaluate(
            archive, folder, split=split, run=run_file, watch=watch
        )
    for failure in failed:
        run.notes.print(f"{failure.source}: {failure.error}", markup=False)
    found = output.figures(measured)
    if as_json:
        print(output.document(found))
    else:
        for figure, value in found.items():
            print(f"{figure:>28}  {value}")
    if failed:
        raise typer.Exit(_FAILED)


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
        print(f"{one.generation:>6}  {one.at:%Y-%m-%d %H:%M}  {one.actor}  {one.action}  {counts}")


@app.command()
def backup(context: typer.Context, file: Path) -> None:
    """Write a consistent copy of the collection to a file, while it is in use."""
    with context.obj.archive() as archive:
        archive.backup(file)


@app.command()
def recover(context: typer.Context, file: Path) -> None:
    """Put a copy that `backup` made in the place of all that is stored."""
    with context.obj.archive() as archive:
        archive.recover(file)


@app.command()
def bot(context: typer.Context) -> None:
    """Connect to Discord with DISCORD_TOKEN."""
    from bot.client import run  # noqa: PLC0415 - discord.py takes a second to import

    run(context.obj.settings, context.obj.encoder())


@app.command()
def demo(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes a free one.")] = 8765,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address.")
    ] = False,
) -> None:
    """Serve the real bot on the sample reports in a page on this machine; needs no token."""
    from bot.demo import run  # noqa: PLC0415 - needs the extra `demo`

    run(context.obj.encoder(), port=port, browser=not no_browser)


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Check settings, model, collections, disk and the token; say what to mend."""
    from bot import doctor as checks  # noqa: PLC0415 - not needed to answer

    found = checks.examine(context.obj.settings, context.obj.encoder())
    if as_json:
        rows = [{"check": one.name, "ok": one.ok, "says": one.says} for one in found]
        print(output.document({"checks": rows}))
    else:
        for one in found:
            print(f"{'ok  ' if one.ok else 'MEND'}  {one.name}: {one.says}")
    if not all(one.ok for one in found):
        raise typer.Exit(_FAILED)


def main() -> None:
    """Run the command; the console script's entry point."""
    arguments = _hoisted(sys.argv[1:])
    debug = "--debug" in arguments
    try:
        app(arguments, prog_name="onrecord")
    except (OnRecordError, OSError) as error:
        if debug:
            raise
        print(f"onrecord: {error}", file=sys.stderr)
        usage = isinstance(error, SettingsError | QuestionError)
        raise SystemExit(_USAGE if usage else _FAILED) from None
    except Exception as error:
        if debug:
            raise
        print(f"onrecord: this should not have happened ({error!r}); --debug.", file=sys.stderr)
        raise SystemExit(_FAILED) from None


def _hoisted(arguments: list[str]) -> list[str]:
    """Move the global options in front of the command, wherever they were written."""
    front: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        name = argument.partition("=")[0]
        if argument == "--":
            rest += [argument, *remaining]
        elif name in _GLOBAL:
            front.append(argument)
            if _GLOBAL[name] and "=" not in argument:
                front += [value for value in [next(remaining, None)] if value is not None]
        else:
            rest.append(argument)
    return front + rest


def _finish(made: Report, *, as_json: bool) -> None:
    if as_json:
        print(output.document(output.report(made)))
    else:
        output.print_report(output.console(), made)
    if made.failed:
        raise typer.Exit(_FAILED)


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
        raise typer.Exit(_FAILED)


def _query(line: str) -> tuple[str | None, str | None]:
    """Id and text of a query's line; None for what it does not hold."""
    try:
        query = json.loads(line)
    except (ValueError, RecursionError):
        return None, None
    fields = query if isinstance(query, dict) else {}
    key, text = fields.get("_id"), fields.get("text")
    shown = None if key is None else sources.clean(str(key))
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


@contextmanager
def _progress(run: Run, word: str) -> Iterator[Watcher | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not run.notes.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[title]}", markup=False),
    )
    with Progress(*columns, console=run.notes, transient=True) as bar:
        task = bar.add_task(word, total=None, title="")

        def watch(made: intake.Progress) -> None:
            done = made.articles or made.sentences
            bar.update(task, completed=done, total=made.total, title=made.title[:40])

        yield watch
