"""The `onrecord` command.

Scripts rely on this: `--json` prints one JSON document (or one line a query) on standard output,
everything else goes to standard error, and the exit status is 0 for done, 1 for something failed,
2 for wrong usage or settings. A command returns its result; `Command` prints it.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Context, Option

from bot.cli import options, output
from bot.cli.context import (
    app,
    command,
    confirm,
    each_question,
    filters_of,
    open_archive,
    progress,
)
from bot.cli.output import Result
from bot.views.text import plural, undo_warnings
from index import Archive, InputError, SettingsError, StoreDamagedError

_CORES = os.cpu_count() or 1

# Changing the collection


@command()
def add(
    context: Context,
    source: Annotated[list[str], Argument(help='Files, folders, URLs, or "-" for JSON lines.')],
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would be done.")] = False,
) -> Result:
    """Add reports."""
    archive = open_archive(context, threads=_CORES, create=True)
    stream = sys.stdin.buffer if "-" in source else None
    with progress("Adding") as on_progress:
        outcome = archive.add(source, stream=stream, dry_run=dry_run, on_progress=on_progress)
    return output.ingest(outcome, dry_run=dry_run)


@command()
def reindex(
    context: Context,
    rebuild: Annotated[bool, Option("--rebuild", help="Embed everything again.")] = False,
    due: Annotated[bool, Option("--due", help="Only sources that are due.")] = False,
) -> Result:
    """Fetch what the collection's sources have new; with --due, for a timer."""
    archive = open_archive(context, threads=_CORES)
    refresh = archive.sources.refresh if due else archive.sources.reindex
    with progress("Reindexing") as on_progress:
        return output.ingest((archive.rebuild if rebuild else refresh)(on_progress=on_progress))


@command()
def sources(
    context: Context,
    add: Annotated[str | None, Option(help="Add this file, folder or address.")] = None,
    every: Annotated[int | None, Option(help="Minutes between checks; with --add.")] = None,
    pause: Annotated[str | None, Option(help="Stop checking this source for now.")] = None,
    resume: Annotated[str | None, Option(help="Check it again.")] = None,
    forget: Annotated[str | None, Option(help="Remove it; its articles stay.")] = None,
) -> Result:
    """List the sources; or add, pause, resume or forget one."""
    if every is not None and add is None:
        raise typer.BadParameter("--every goes with --add.")
    registry = open_archive(context, create=add is not None).sources
    if add is not None:
        registry.add(add, every)
    changes = ((pause, registry.pause), (resume, registry.resume), (forget, registry.forget))
    for uri, change in changes:
        if uri is not None:
            change(uri)
    return output.sources(registry.all())


@command()
def remove(context: Context, article_id: options.ArticleIds) -> Result:
    """Remove articles; `restore` brings them back."""
    return output.ingest(open_archive(context).remove(article_id))


@command()
def restore(context: Context, article_id: options.ArticleIds) -> Result:
    """Bring removed articles back."""
    return output.ingest(open_archive(context).restore(article_id))


@command()
def correct(context: Context, article_id: options.ArticleId, note: options.Note) -> Result:
    """Attach a correction to an article."""
    return output.notice(open_archive(context).correct(article_id, note))


@command()
def retract(context: Context, article_id: options.ArticleId, note: options.Note) -> Result:
    """Remove an article and say why."""
    return output.notice(open_archive(context).retract(article_id, note))


@command()
def undo(context: Context, generation: options.Generation, yes: options.Yes = False) -> Result:
    """Roll all articles back to an earlier generation; ask first if something would be lost."""
    archive = open_archive(context)
    preview, articles = archive.undo(generation, dry_run=True), archive.size().articles
    if warnings := undo_warnings(preview, articles, "article"):
        confirm("\n".join(warnings), yes=yes)
    return output.ingest(archive.undo(generation))


# Asking and listing


@command()
def ask(
    context: Context,
    question: options.Question = None,
    publisher: options.Publishers = None,
    since: options.Since = None,
    until: options.Until = None,
    as_of: options.AsOf = None,
    queries: options.Queries = None,
) -> Result | None:
    """Answer a question with quotes, or say that the reports do not."""
    filters = filters_of(publisher, since, until, as_of)
    archive = open_archive(context)

    def answer(text: str, key: str | None) -> Result:
        given = archive.ask(text, filters)
        archive.answers.record(given)  # for `why`
        return output.answer(given, key, typed=text)

    result = each_question(question, queries, answer)
    archive.answers.prune(context.obj.settings.answers.keep_days)
    if not archive.size().articles:
        typer.echo("Add reports first: onrecord add FILE...", err=True)
    return result


@command()
def why(context: Context, answer_id: options.AnswerId) -> Result:
    """Show an earlier answer again, and what has changed since."""
    return output.why(open_archive(context).answers.get(answer_id))


@command()
def search(
    context: Context,
    question: options.Question = None,
    k: Annotated[int, Option("-k", help="How many results.")] = 10,
    by: Annotated[Literal["sentence", "article"], Option(help="What to rank.")] = "sentence",
    publisher: options.Publishers = None,
    since: options.Since = None,
    until: options.Until = None,
    as_of: options.AsOf = None,
    queries: options.Queries = None,
    explain: Annotated[bool, Option("--explain", help="Say what makes up each score.")] = False,
) -> Result | None:
    """Rank sentences or articles without answering."""
    filters = filters_of(publisher, since, until, as_of)
    archive = open_archive(context)

    def rank(text: str, key: str | None) -> Result:
        ranking = archive.search(text, k, filters)
        return output.ranking(ranking, k, key, by_article=by == "article", explain=explain)

    return each_question(question, queries, rank)


@command()
def articles(context: Context, removed: options.Removed = False) -> Result:
    """List the articles of the collection."""
    return output.articles(open_archive(context).articles(retired=removed))


@command()
def article(
    context: Context, article_id: options.ArticleId, revision: options.Revision = None
) -> Result:
    """Show an article with its stored text."""
    return output.article(open_archive(context).article(article_id, revision))


@command()
def history(context: Context) -> Result:
    """Show the audit log, newest first."""
    return output.history(open_archive(context).history())


@command("evaluate")
def evaluate_(
    context: Context,
    folder: Annotated[Path, Argument(help="A data set in BEIR's layout.")],
    split: Annotated[str, Option(help="Which qrels/SPLIT.tsv.")] = "test",
) -> Result:
    """Measure ranking and declining on a data set, in a collection of its own."""
    from bot.cli.evaluate import collection_name, evaluate  # noqa: PLC0415 - imports scikit-learn

    name = collection_name(folder, context.obj.settings.model.name)
    archive = open_archive(context, name, threads=_CORES, create=True)
    with progress("Indexing") as on_progress:
        return evaluate(archive, folder, split, on_progress)


# Copying and deleting


@command()
def export(
    context: Context,
    file: Annotated[Path, Argument(help='Where to write, or "-".')],
    force: options.Force = False,
) -> Result | None:
    """Write the articles as JSON lines that `add` reads."""
    archive = open_archive(context)
    if str(file) == "-":
        archive.export(sys.stdout.buffer)
        return None
    _check_free(file, force=force)
    draft = Path(f"{file}.draft")
    try:
        with draft.open("wb") as stream:
            count = archive.export(stream)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return Result({"file": str(file), "articles": count}, f"{plural(count, 'article')} in {file}")


@command()
def backup(context: Context, file: Path, force: options.Force = False) -> Result:
    """Write a consistent copy of the collection to a file, while it is in use."""
    _check_free(file, force=force)
    archive = open_archive(context)
    archive.backup(file)
    return _copied(archive, file)


@command()
def recover(context: Context, file: Path, yes: options.Yes = False) -> Result:
    """Replace everything in the collection with a copy that `backup` wrote; ask first."""
    archive = open_archive(context, create=True)
    if file.is_file() and (content := _content(archive)):
        confirm(f"{file} would replace the collection: {content} would go.", yes=yes)
    archive.recover(file)
    return _copied(archive, file)


def _content(archive: Archive) -> str:
    """What a collection holds, damaged or not; "" if it was never used."""
    try:
        count = plural(archive.size().articles, "article")
        return f"its {count}, answers and history" if archive.generation else ""
    except StoreDamagedError:
        return "all that is left in it"


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
    yes: Annotated[
        str | None, Option(metavar="NAME", help="The collection's name, to skip the prompt.")
    ] = None,
) -> Result:
    """Delete the collection for good: articles, sources, answers and log."""
    name = context.obj.settings.collection
    archive = open_archive(context)
    if yes is None and not sys.stdin.isatty():
        raise InputError(f"Add --yes {name} to delete it without being asked: nothing was deleted.")
    content = _content(archive) or "nothing in it"
    prompt = f"Type “{name}” to delete it with {content} for good"
    typed = typer.prompt(prompt, err=True, prompt_suffix=": ") if yes is None else yes
    if typed != name:
        raise InputError(f"“{typed}” is not “{name}”: nothing was deleted.")
    archive.erase()
    return Result({"erased": name}, f"“{name}” is deleted.")


# Serving


@command()
def bot(
    context: Context,
    sync: Annotated[bool, Option("--sync", help="Send Discord the commands, changed or not.")] = (
        False
    ),
) -> None:
    """Connect to Discord with DISCORD_TOKEN."""
    from bot.bot import run  # noqa: PLC0415 - discord.py takes a second to import

    run(context.obj.settings, context.obj.encoder(), sync=sync, debug=context.obj.debug)


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
def doctor(context: Context) -> Result:
    """Check settings, model, collections, disk, token and permissions; say what to fix."""
    from bot.cli.doctor import examine  # noqa: PLC0415 - imports discord.py

    return examine(context.obj.settings, context.obj.encoder())


def main() -> None:
    """Run the command; the console script's entry point."""
    app(prog_name="onrecord")
