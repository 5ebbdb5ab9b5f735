"""The `onrecord` command.

Scripts rely on this: `--json` prints a JSON document (or a line for each query) on standard output,
everything else goes to standard error, and the exit status is 0 for success, 1 if something failed,
2 for wrong usage or settings. A command returns its result; `Command` prints it.
"""

from __future__ import annotations

import logging
import os
import sys
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Context, Option

from bot.cli import copies, options, output
from bot.cli.context import (
    app,
    command,
    confirm,
    each_question,
    filters_of,
    open_archive,
    parse_part,
    progress,
    warning,
)
from bot.cli.output import Result
from bot.preferences import kept_days
from bot.views.text import plural, restore_warnings, undo_warnings
from index import (
    InputError,
    Progress,
    QuestionError,
    SettingsError,
    encode_part,
    intent,
    read_source,
)

_CORES = os.cpu_count() or 1

# Changing the collection


@command()
def add(
    context: Context,
    source: Annotated[list[str], Argument(help='Files, folders, URLs, or "-" for JSON lines.')],
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would change.")] = False,
    vectors: Annotated[
        list[Path] | None, Option(metavar="FILE", help="Embeddings from `encode`; repeatable.")
    ] = None,
) -> Result:
    """Add reports."""
    archive = open_archive(context, threads=_CORES, create=True, vectors=vectors)
    stream = sys.stdin.buffer if "-" in source else None
    with progress("Adding") as on_progress:
        outcome = archive.add(source, stream=stream, dry_run=dry_run, on_progress=on_progress)
    return output.ingest(outcome, dry_run=dry_run)


@command()
def encode(
    context: Context,
    source: Annotated[list[str], Argument(help="What will be added: files, folders, URLs.")],
    out: Annotated[Path, Option(metavar="FILE", help="Where to write the embeddings.")],
    part: Annotated[str, Option(metavar="I/N", help="Every N-th report, from the I-th.")] = "1/1",
) -> Result:
    """Write embeddings of reports to a file for `add --vectors`, perhaps on several machines."""
    number_and_count = parse_part(part)
    with progress("Embedding") as on_progress:
        count = encode_part(
            chain.from_iterable(map(read_source, source)),
            context.obj.encoder(_CORES),
            number_and_count,
            out,
            lambda done: on_progress(Progress(0, done, None, "")),
        )
    document = {"file": str(out), "part": part, "sentences": count}
    return Result(document, f"{plural(count, 'sentence')} in {out}")


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
    resume: Annotated[str | None, Option(help="Check this source again.")] = None,
    forget: Annotated[str | None, Option(help="Remove this source; its articles stay.")] = None,
) -> Result:
    """List the sources; or add, pause, resume or forget a source."""
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
def restore(context: Context, article_id: options.ArticleIds, yes: options.Yes = False) -> Result:
    """Bring removed articles back; ask first if that withdraws a retraction."""
    archive = open_archive(context)

    def lost() -> list[str]:
        removed = archive.articles(retired=True)
        return restore_warnings(article for article in removed if article.article_id in article_id)

    if warnings := lost():
        confirm("\n".join(warnings), yes=yes)
        if lost() != warnings:
            raise InputError("The articles changed meanwhile, so nothing was done: try again.")
    return output.ingest(archive.restore(article_id))


@command()
def correct(context: Context, article_id: options.ArticleId, note: options.Note) -> Result:
    """Attach a correction to an article."""
    return output.notice(open_archive(context).correct(article_id, note))


@command()
def retract(context: Context, article_id: options.ArticleId, note: options.Reason) -> Result:
    """Remove an article and say why."""
    return output.notice(open_archive(context).retract(article_id, note))


@command()
def undo(context: Context, generation: options.Generation, yes: options.Yes = False) -> Result:
    """Roll all articles back to an earlier generation; ask first if something would be lost."""
    archive = open_archive(context)
    seen, articles = archive.generation, archive.size().articles  # as before the preview
    preview = archive.undo(generation, dry_run=True)
    if warnings := undo_warnings(preview, articles, "article"):
        confirm("\n".join(warnings), yes=yes)
    nothing = f"Nothing to undo: the articles are as they were in generation {generation}."
    return output.ingest(archive.undo(generation, seen=seen), nothing=nothing)


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
        if queries is None and intent(text, context.obj.encoder()) != "question":
            raise QuestionError("I answer questions about the reports: ask one in a few words.")
        given = archive.ask(text, filters)
        with warning("The answer could not be logged for `why`"):
            archive.answers.record(given)
        return output.answer(given, key, typed=text)

    result = each_question(question, queries, answer)
    with warning("Old answers could not be deleted"):
        archive.answers.prune(kept_days(context.obj.settings, archive))
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
    explain: Annotated[bool, Option("--explain", help="Show the parts of each score.")] = False,
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
    """Measure ranking and declining on a data set, in a separate collection."""
    from bot.cli.evaluate import collection_name, evaluate  # noqa: PLC0415 - imports scikit-learn

    name = collection_name(folder, context.obj.settings.model.name)
    archive = open_archive(context, name, threads=_CORES, create=True)
    with progress("Indexing") as on_progress:
        return evaluate(archive, folder, split, on_progress)


# Copying and deleting

for copying in (copies.export, copies.backup, copies.copy, copies.recover, copies.erase_all):
    command()(copying)


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
    """Check settings, models, collections, disk, token and permissions; say what to fix."""
    from bot.cli.doctor import examine  # noqa: PLC0415 - imports discord.py

    return examine(context.obj.settings, context.obj.encoder())


def main() -> None:
    """Run the command; the console script's entry point."""
    app(prog_name="onrecord")
