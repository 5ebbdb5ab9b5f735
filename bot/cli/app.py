"""The `onrecord` command.

Scripts rely on this: `--json` prints one JSON document (or one line a query) on standard output,
everything else goes to standard error, and the exit status is 0 for done, 1 for something failed,
2 for wrong usage or settings.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Context, Option

from bot.cli import output
from bot.cli.context import Run, app, command, filters_of, for_each_question, progress
from bot.cli.output import Result
from bot.views.text import plural
from index import Archive, InputError, SettingsError, StoreDamagedError

_CORES = os.cpu_count() or 1

# Adding and removing


@command()
def add(
    context: Context,
    source: Annotated[list[str], Argument(help='Files, folders, URLs, or "-" for JSON lines.')],
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Add reports."""
    run: Run = context.obj
    with run.archive(threads=_CORES, create=True) as archive, progress("Adding") as on_progress:
        stream = sys.stdin.buffer if "-" in source else None
        outcome = archive.add(source, stream=stream, dry_run=dry_run, on_progress=on_progress)
    run.finish(output.ingest(outcome, dry_run=dry_run, skipped=outcome.skipped))


@command()
def reindex(
    context: Context,
    rebuild: Annotated[bool, Option("--rebuild", help="Embed everything again.")] = False,
    due: Annotated[bool, Option("--due", help="Only sources that are due.")] = False,
) -> None:
    """Fetch what the collection's sources have new; with --due, for a timer."""
    run: Run = context.obj
    with run.archive(threads=_CORES) as archive, progress("Reindexing") as on_progress:
        refresh = archive.sources.refresh if due else archive.sources.reindex
        outcome = (archive.rebuild if rebuild else refresh)(on_progress=on_progress)
    run.finish(output.ingest(outcome))


@command()
def sources(
    context: Context,
    add: Annotated[str | None, Option(help="Add this file, folder or address.")] = None,
    every: Annotated[int | None, Option(help="Minutes between checks; with --add.")] = None,
    pause: Annotated[str | None, Option(help="Stop checking this source for now.")] = None,
    resume: Annotated[str | None, Option(help="Check it again.")] = None,
    forget: Annotated[str | None, Option(help="Remove it; its articles stay.")] = None,
) -> None:
    """List where articles come from and how that went; or add, pause, resume or forget one."""
    if every is not None and add is None:
        raise typer.BadParameter("--every goes with --add.")
    with context.obj.archive(create=add is not None) as archive:
        registry = archive.sources
        before = registry.all()
        changed = [registry.add(add, every)] if add is not None else []
        changes = ((pause, registry.pause), (resume, registry.resume), (forget, registry.forget))
        for uri, change in changes:
            if uri is not None:
                change(uri)
        after = registry.all()
    changed += [source for source in after if source not in [*before, *changed]]
    context.obj.finish(output.sources(after, shown=changed or after))


ArticleIds = Annotated[list[str], Argument(help="As `articles` lists them.")]
ArticleId = Annotated[str, Argument(help="As `articles` lists it.")]


@command()
def remove(context: Context, article_id: ArticleIds) -> None:
    """Remove articles; `restore` brings them back."""
    _show(context.obj, lambda archive: output.ingest(archive.remove(article_id)))


@command()
def restore(context: Context, article_id: ArticleIds) -> None:
    """Bring removed articles back."""
    _show(context.obj, lambda archive: output.ingest(archive.restore(article_id)))


@command()
def correct(
    context: Context,
    article_id: ArticleId,
    note: Annotated[str, Option(help="What is wrong with it; shown with its quotes.")],
) -> None:
    """Attach a correction to an article."""
    _show(context.obj, lambda archive: output.notice(archive.correct(article_id, note)))


@command()
def retract(
    context: Context,
    article_id: ArticleId,
    note: Annotated[str, Option(help="Why; shown where it was quoted.")],
) -> None:
    """Remove an article and say why."""
    _show(context.obj, lambda archive: output.notice(archive.retract(article_id, note)))


@command()
def undo(
    context: Context,
    generation: Annotated[int, Argument(help="The last good one; `history` lists them.")],
) -> None:
    """Roll all articles back to an earlier generation."""
    _show(context.obj, lambda archive: output.ingest(archive.undo(generation)))


def _show(run: Run, result_of: Callable[[Archive], Result]) -> None:
    """Print the result of one call to the collection."""
    with run.archive() as archive:
        run.finish(result_of(archive))


# Asking and listing

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
    filters = filters_of(publisher, since, until, as_of)
    with context.obj.archive() as archive:

        def answer(text: str, key: str | None) -> Result:
            return output.answer(archive.ask(text, filters), key)

        for_each_question(context.obj, question, queries, answer)
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
    explain: Annotated[bool, Option("--explain", help="Say what makes up each score.")] = False,
) -> None:
    """Rank sentences or articles without answering."""
    filters = filters_of(publisher, since, until, as_of)
    with context.obj.archive() as archive:

        def rank(text: str, key: str | None) -> Result:
            ranking = archive.search(text, k, filters)
            return output.ranking(ranking, k, key, by_article=by == "article", explain=explain)

        for_each_question(context.obj, question, queries, rank)


@command()
def articles(
    context: Context,
    removed: Annotated[bool, Option("--removed", help="Those that were removed.")] = False,
) -> None:
    """List the articles of the collection."""
    _show(context.obj, lambda archive: output.articles(archive.articles(retired=removed)))


@command()
def article(
    context: Context,
    article_id: ArticleId,
    revision: Annotated[int | None, Option(help="An earlier revision.")] = None,
) -> None:
    """Show an article with its stored text."""
    _show(context.obj, lambda archive: output.article(archive.article(article_id, revision)))


@command()
def history(context: Context) -> None:
    """Show the audit log, newest first."""
    _show(context.obj, lambda archive: output.history(archive.history()))


@command("evaluate")
def evaluate_(
    context: Context,
    folder: Annotated[Path, Argument(help="A data set in BEIR's layout.")],
    split: Annotated[str, Option(help="Which qrels/SPLIT.tsv.")] = "test",
) -> None:
    """Measure ranking and declining on a data set, in a collection of its own."""
    from bot.cli.evaluate import collection_name, evaluate  # noqa: PLC0415 - imports scikit-learn

    run: Run = context.obj
    name = collection_name(folder, run.settings.model.name)
    opened = run.archive(name, threads=_CORES, create=True)
    with opened as archive, progress("Indexing") as on_progress:
        run.finish(evaluate(archive, folder, split, on_progress))


# Copying and deleting


Force = Annotated[bool, Option("--force", help="Replace the file if it exists.")]


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
        _check_free(file, force=force)
        draft = Path(f"{file}.draft")
        try:
            with draft.open("wb") as stream:
                count = archive.export(stream)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    document = {"file": str(file), "articles": count}
    context.obj.finish(Result(document, f"{plural(count, 'article')} in {file}"))


@command()
def backup(context: Context, file: Path, force: Force = False) -> None:
    """Write a consistent copy of the collection to a file, while it is in use."""
    _check_free(file, force=force)
    with context.obj.archive() as archive:
        archive.backup(file)
        context.obj.finish(_copied(archive, file))


@command()
def recover(context: Context, file: Path) -> None:
    """Replace everything in the collection with a copy that `backup` wrote."""
    with context.obj.archive(create=True) as archive:
        archive.recover(file)
        context.obj.finish(_copied(archive, file))


def _check_free(file: Path, *, force: bool) -> None:
    if file.exists() and not force:
        raise InputError(f"{file} exists: name another file, or replace it with --force.")


def _copied(archive: Archive, file: Path) -> Result:
    count, generation = archive.size().articles, archive.generation
    document = {"file": str(file), "generation": generation, "articles": count}
    return Result(document, f"{plural(count, 'article')}, generation {generation}")


@command()
def erase_all(
    context: Context,
    yes: Annotated[str | None, Option(help="The collection's name, to skip the prompt.")] = None,
) -> None:
    """Delete the collection for good: articles, sources, answers and log."""
    name = context.obj.settings.collection
    with context.obj.archive() as archive:
        try:
            content = f"its {plural(archive.size().articles, 'article')}"
        except StoreDamagedError:
            content = "all that is left in it"
        prompt = f"Type “{name}” to delete it with {content} for good"
        typed = typer.prompt(prompt, err=True) if yes is None else yes
        if typed != name:
            raise InputError(f"“{typed}” is not “{name}”: nothing was deleted.")
        archive.erase()
    context.obj.finish(Result({"erased": name}, f"“{name}” is deleted."))


# Serving


@command()
def bot(context: Context) -> None:
    """Connect to Discord with DISCORD_TOKEN."""
    from bot.bot import run  # noqa: PLC0415 - discord.py takes a second to import

    for name in ("bot", "discord"):  # that it connected, and to what, is worth a line
        logging.getLogger(name).setLevel(min(logging.INFO, logging.getLogger().level))
    run(context.obj.settings, context.obj.encoder())


@command()
def demo(
    context: Context,
    port: Annotated[int, Option(help="Port on loopback; 0 takes a free one.")] = 8765,
    no_browser: Annotated[bool, Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Serve the real bot on the sample reports in a page on this machine; needs no token."""
    logging.getLogger("discord").setLevel(logging.ERROR)  # simcord's self-check warns of no guilds
    try:
        from bot.cli.demo import run  # noqa: PLC0415 - needs the extra `demo`
    except ModuleNotFoundError as error:
        if error.name != "simcord":
            raise
        raise SettingsError('The demo needs its extra: pip install "onrecord[demo]".') from None
    run(context.obj.encoder(), port=port, browser=not no_browser)


@command()
def doctor(context: Context) -> None:
    """Check settings, model, collections, disk, token and permissions; say what to fix."""
    from bot.cli.doctor import examine  # noqa: PLC0415 - imports discord.py

    context.obj.finish(examine(context.obj.settings, context.obj.encoder()))


def main() -> None:
    """Run the command; the console script's entry point."""
    app(prog_name="onrecord")
