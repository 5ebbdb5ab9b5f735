"""The `onrecord` command: reads settings, wires the parts, and hands over.

What scripts rely on is kept: `--json` prints one JSON document (or one line a query) on standard
output, all else goes to standard error, and the exit status is 0 for done, 1 for something
failed, 2 for wrong usage or settings.
"""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Context, Option

from bot.cli import output
from bot.cli.context import FAILED, USAGE, Run, each, progress
from bot.cli.output import Result
from bot.settings import load
from bot.views.text import failure_line, plural
from index import (
    Archive,
    Filters,
    InputError,
    OnRecordError,
    QuestionError,
    SettingsError,
    StoreDamagedError,
    parse_moment,
)

_NAMING, _FLAGS = {"--data", "--collection", "--config"}, {"--json", "--debug"}  # stand anywhere
_CORES = os.cpu_count() or 1
_HEAD = 16  # bytes of a file that tell what made it

app = typer.Typer(
    name="onrecord",
    help="Answers questions about news reports by quoting them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
command = partial(
    app.command,
    epilog="--json, --data, --collection, --config and --debug may stand anywhere: "
    "`onrecord --help` tells of them.",
)


@app.callback()
def _globals(
    context: Context,
    data: Annotated[Path | None, Option(help="Data folder [ONRECORD_DATA].")] = None,
    collection: Annotated[
        str | None, Option(help="Such as server-ID [ONRECORD_COLLECTION].")
    ] = None,
    config: Annotated[Path | None, Option(help="TOML file [ONRECORD_CONFIG].")] = None,
    as_json: Annotated[bool, Option("--json", help="Print one JSON document.")] = False,
    debug: Annotated[bool, Option("--debug", help="Show tracebacks and logs.")] = False,
) -> None:
    level = logging.DEBUG if debug else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr)
    context.obj = Run(load(data=data, collection=collection, config=config), as_json)


# Bringing in


@command()
def add(
    context: Context,
    source: Annotated[list[str], Argument(help='Files, folders, URLs, or "-" for JSON lines.')],
    dry_run: Annotated[bool, Option("--dry-run", help="Only tell what would be done.")] = False,
) -> None:
    """Add reports."""
    run: Run = context.obj
    with run.archive(threads=_CORES, make=True) as archive, progress("Adding") as watcher:
        stream = sys.stdin.buffer if "-" in source else None
        made = archive.add(source, stream=stream, dry_run=dry_run, on_progress=watcher)
    run.end(output.report(made, dry_run=dry_run, skipped=made.skipped))


@command()
def reindex(
    context: Context,
    rebuild: Annotated[bool, Option("--rebuild", help="Embed everything again.")] = False,
    due: Annotated[bool, Option("--due", help="Only sources whose time has come.")] = False,
) -> None:
    """Take in what the collection's sources have new; with --due, for a timer."""
    run: Run = context.obj
    with run.archive(threads=_CORES) as archive, progress("Reindexing") as watcher:
        look = archive.sources.refresh if due else archive.sources.reindex
        made = (archive.rebuild if rebuild else look)(on_progress=watcher)
    run.end(output.report(made))


@command()
def sources(
    context: Context,
    add: Annotated[str | None, Option(help="Look into this file, folder or address.")] = None,
    every: Annotated[int | None, Option(help="Minutes between looks of `reindex --due`.")] = None,
    pause: Annotated[str | None, Option(help="Look there no longer for now.")] = None,
    resume: Annotated[str | None, Option(help="Look there again.")] = None,
    forget: Annotated[str | None, Option(help="Drop it; its articles stay.")] = None,
) -> None:
    """List where articles come from and how that went; or add, pause, resume or drop one."""
    if every is not None and add is None:
        raise typer.BadParameter("--every goes with --add.")
    with context.obj.archive(make=add is not None) as archive:
        kept = archive.sources
        before = kept.all()
        changed = [kept.add(add, every)] if add is not None else []
        for uri, change in ((pause, kept.pause), (resume, kept.resume), (forget, kept.forget)):
            if uri is not None:
                change(uri)
        found = kept.all()
    changed += [one for one in found if one not in [*before, *changed]]
    context.obj.end(output.sources(found, changed or found))


# Putting right


@command()
def remove(context: Context, article_id: list[str]) -> None:
    """Take articles out; `restore` brings them back."""
    with context.obj.archive() as archive:
        context.obj.end(output.report(archive.remove(article_id)))


@command()
def restore(context: Context, article_id: list[str]) -> None:
    """Bring removed articles back."""
    with context.obj.archive() as archive:
        context.obj.end(output.report(archive.restore(article_id)))


@command()
def correct(
    context: Context,
    article_id: str,
    note: Annotated[str, Option(help="What is wrong with it; shown with its quotes.")],
) -> None:
    """Attach a correction to an article."""
    with context.obj.archive() as archive:
        context.obj.end(output.notice(archive.correct(article_id, note)))


@command()
def retract(
    context: Context,
    article_id: str,
    note: Annotated[str, Option(help="Why; shown where it was quoted.")],
) -> None:
    """Take an article out and say why."""
    with context.obj.archive() as archive:
        context.obj.end(output.notice(archive.retract(article_id, note)))


@command()
def undo(
    context: Context,
    generation: Annotated[int, Argument(help="The last good one; `history` lists them.")],
) -> None:
    """Make every article what it was at a generation."""
    with context.obj.archive() as archive:
        context.obj.end(output.report(archive.undo(generation)))


# Asking and looking


Publishers = Annotated[list[str] | None, Option("--publisher", help="Only this publisher.")]
Since = Annotated[str | None, Option(help="Published on or after this date.")]
Until = Annotated[str | None, Option(help="Published on or before this date.")]
AsOf = Annotated[str | None, Option(help="Answer from what was published by then.")]
Question = Annotated[str | None, Argument(help="In your own words.")]
Queries = Annotated[Path | None, Option(help='JSON lines {"_id", "text"}; one JSON line each.')]


@command()
def ask(
    context: Context,
    question: Question = None,
    publisher: Publishers = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    queries: Queries = None,
) -> None:
    """Answer a question with quotes, or say that the reports do not."""
    only = _filters(publisher, since, until, as_of)
    with context.obj.archive() as archive:
        each(
            context.obj,
            question,
            queries,
            lambda text, key: output.answer(archive.ask(text, only), key),
        )
        if not archive.size().articles:
            typer.echo("Add reports first: onrecord add FILE...", err=True)


@command()
def search(
    context: Context,
    question: Question = None,
    k: Annotated[int, Option("-k", help="How many results.")] = 10,
    by: Annotated[Literal["sentence", "article"], Option(help="What to rank.")] = "sentence",
    publisher: Publishers = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    queries: Queries = None,
    explain: Annotated[bool, Option("--explain", help="Say what made each score.")] = False,
) -> None:
    """Rank sentences or articles without answering."""
    only = _filters(publisher, since, until, as_of)
    with context.obj.archive() as archive:

        def ranked(text: str, key: str | None) -> Result:
            found = archive.search(text, k, only)
            return output.ranking(found, k, key, by_article=by == "article", explain=explain)

        each(context.obj, question, queries, ranked)


@command()
def articles(
    context: Context,
    removed: Annotated[bool, Option("--removed", help="Those that were taken out.")] = False,
) -> None:
    """List the articles of the collection."""
    with context.obj.archive() as archive:
        context.obj.end(output.articles(archive.articles(retired=removed)))


@command()
def article(
    context: Context,
    article_id: str,
    revision: Annotated[int | None, Option(help="An earlier revision.")] = None,
) -> None:
    """Show one article with its stored text."""
    with context.obj.archive() as archive:
        context.obj.end(output.article(archive.article(article_id, revision)))


@command()
def history(context: Context) -> None:
    """Show the audit log, newest first."""
    with context.obj.archive() as archive:
        context.obj.end(output.history(archive.history()))


@command()
def evaluate(
    context: Context,
    folder: Annotated[Path, Argument(help="A data set in BEIR's layout.")],
    split: Annotated[str, Option(help="Which qrels/SPLIT.tsv.")] = "test",
    run_file: Annotated[Path | None, Option("--run", help="Write TREC's run format.")] = None,
) -> None:
    """Measure ranking and declining on a data set, in a collection of its own."""
    from bot.cli import evaluate as evaluation  # noqa: PLC0415 - not needed to answer

    run: Run = context.obj
    name = evaluation.collection_name(folder, run.settings.model.name)
    opened = run.archive(name, threads=_CORES, make=True)
    with opened as archive, progress("Indexing") as watcher:
        measure = evaluation.evaluate
        measured, failed = measure(archive, folder, split=split, run=run_file, on_progress=watcher)
    for failure in failed:
        typer.echo(failure_line(failure), err=True)
    run.end(output.figures(measured, failed=bool(failed)))


def _filters(
    publishers: list[str] | None, since: str | None, until: str | None, as_of: str | None
) -> Filters:
    today = datetime.now(UTC).date()
    ends = parse_moment(until, today, last=True), parse_moment(as_of, today, last=True)
    return Filters(tuple(publishers or ()), parse_moment(since, today), *ends)


# Copying


Force = Annotated[bool, Option("--force", help="Replace the file if it is there.")]


@command()
def export(
    context: Context,
    file: Annotated[Path, Argument(help='Where to write, or "-".')],
    force: Force = False,
) -> None:
    """Write the articles as JSON lines that `add` reads."""
    with context.obj.archive() as archive:
        if str(file) == "-":
            archive.export(sys.stdout.buffer)
            return
        _spared(file, force=force)
        draft = Path(f"{file}.draft")
        try:
            with draft.open("wb") as stream:
                count = archive.export(stream)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    made = {"file": str(file), "articles": count}
    context.obj.end(Result(made, f"{plural(count, 'article')} in {file}"))


@command()
def backup(context: Context, file: Path, force: Force = False) -> None:
    """Write a consistent copy of the collection to a file, while it is in use."""
    _spared(file, force=force)
    with context.obj.archive() as archive:
        archive.backup(file)
        context.obj.end(_copied(archive, file))


@command()
def recover(context: Context, file: Path) -> None:
    """Put a copy that `backup` made in the place of all that is stored."""
    with context.obj.archive(make=True) as archive:
        archive.recover(file)
        context.obj.end(_copied(archive, file))


@command()
def erase_all(
    context: Context,
    yes: Annotated[str | None, Option(help="The collection's name, not to be asked.")] = None,
) -> None:
    """Delete the collection for good: articles, sources, log and all."""
    name = context.obj.settings.collection
    with context.obj.archive() as archive:
        asked = f"Type “{name}” to delete it {_held(archive)} for good"
        typed = typer.prompt(asked, err=True) if yes is None else yes
        if typed != name:
            raise InputError(f"“{typed}” is not “{name}”: nothing was deleted.")
        archive.erase()
    context.obj.end(Result({"erased": name}, f"“{name}” is deleted."))


def _held(archive: Archive) -> str:
    try:
        return f"with its {plural(archive.size().articles, 'article')}"
    except StoreDamagedError:
        return "with all that is left in it"


# Serving


@command()
def bot(context: Context) -> None:
    """Connect to Discord with DISCORD_TOKEN."""
    from bot.bot import run  # noqa: PLC0415 - discord.py takes a second to import

    run(context.obj.settings, context.obj.encoder())


@command()
def demo(
    context: Context,
    port: Annotated[int, Option(help="Port on loopback; 0 takes a free one.")] = 8765,
    no_browser: Annotated[bool, Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Serve the real bot on the sample reports in a page on this machine; needs no token."""
    from bot.cli.demo import run  # noqa: PLC0415 - needs the extra `demo`

    run(context.obj.encoder(), port=port, browser=not no_browser)


@command()
def doctor(context: Context) -> None:
    """Check settings, model, collections, disk and the token; say what to mend."""
    from bot.cli.doctor import examine  # noqa: PLC0415 - not needed to answer

    context.obj.end(examine(context.obj.settings, context.obj.encoder()))


def main() -> None:
    """Run the command; the console script's entry point."""
    arguments = _hoisted(sys.argv[1:])
    try:
        app(arguments, prog_name="onrecord")
    except Exception as error:
        if "--debug" in arguments:
            raise
        told = str(error)
        if not isinstance(error, OnRecordError | OSError):
            told = f"this should not have happened ({error!r}); --debug."
        typer.echo(f"onrecord: {told}", err=True)
        usage = isinstance(error, SettingsError | QuestionError)
        raise SystemExit(USAGE if usage else FAILED) from None


def _hoisted(arguments: list[str]) -> list[str]:
    """Move the global options in front of the command, wherever they were written."""
    front: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        name, given, _ = argument.partition("=")
        if argument == "--":
            rest += [argument, *remaining]
        elif name in _NAMING | _FLAGS:
            front.append(argument)
            if name in _NAMING and not given:
                front += islice(remaining, 1)
        else:
            rest.append(argument)
    return front + rest


def _spared(file: Path, *, force: bool) -> None:
    """Raise InputError rather than write over a file that this program did not make."""
    if force or not file.is_file():
        return
    with file.open("rb") as there:
        if not there.read(_HEAD).startswith((b"SQLite format 3\0", b'{"')):
            raise InputError(
                f"{file} is there already and no copy of a collection: name another file, or "
                "replace it with --force."
            )


def _copied(archive: Archive, file: Path) -> Result:
    count, generation = archive.size().articles, archive.generation
    made = {"file": str(file), "generation": generation, "articles": count}
    return Result(made, f"{plural(count, 'article')}, generation {generation}")
