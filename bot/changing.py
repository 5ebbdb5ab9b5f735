"""The commands of `onrecord` that change a collection or copy it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import typer

from bot import output
from bot.command import Json, Run, finish, progress, show
from index import intake
from index.archive import Archive
from index.article import Article
from index.errors import CancelledError, InputError, StoreDamagedError
from index.sources import stamps

app = typer.Typer()


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
    with _opened(run) as archive, progress(run, "Adding") as watch:
        stream = sys.stdin.buffer if "-" in source else None
        made = archive.add(source, stream=stream, dry_run=dry_run, watch=watch)
    finish(made, as_json=as_json)


@app.command()
def reindex(
    context: typer.Context,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Embed everything again.")] = False,
    due: Annotated[bool, typer.Option("--due", help="Only sources whose time has come.")] = False,
    forget: Annotated[
        list[str] | None, typer.Option(help="Look into this source no longer; articles stay.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take in what the collection's sources have new; with --due, for a timer."""
    run: Run = context.obj
    threads = os.cpu_count()
    with run.archive(threads=threads) as archive, progress(run, "Reindexing") as watch:
        for source in forget or ():
            archive.sources.forget(source)
        look = archive.sources.refresh if due else archive.sources.reindex
        made = (archive.rebuild if rebuild else look)(watch=watch)
    finish(made, as_json=as_json)


@app.command()
def sources(
    context: typer.Context,
    add: Annotated[str | None, typer.Option(help="Look into this file, folder or address.")] = None,
    every: Annotated[
        int | None, typer.Option(help="Minutes between two looks of `reindex --due`.")
    ] = None,
    pause: Annotated[str | None, typer.Option(help="Look there no longer for now.")] = None,
    resume: Annotated[str | None, typer.Option(help="Look there again.")] = None,
    forget: Annotated[str | None, typer.Option(help="Drop it; its articles stay.")] = None,
    as_json: Json = False,
) -> None:
    """List where articles come from and how that went, after adding, pausing or dropping one."""
    if every is not None and add is None:
        raise typer.BadParameter("--every goes with --add.")
    with context.obj.archive(make=add is not None) as archive:
        if add is not None:
            archive.sources.add(add, every)
        for uri, change in (
            (pause, archive.sources.pause),
            (resume, archive.sources.resume),
            (forget, archive.sources.forget),
        ):
            if uri is not None:
                change(uri)
        found = archive.sources.all()
    if as_json:
        print(output.document({"sources": [output.source(one) for one in found]}))
    else:
        output.print_sources(output.console(), found)


@app.command()
def watch(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder, or one file.")],
    seconds: Annotated[float, typer.Option(help="Between two looks.", min=0.05)] = 1.0,
    as_json: Json = False,
) -> None:
    """Take in the files of a folder as they are saved, until Ctrl-C."""
    stop = threading.Event()

    def end_soon(_: intake.Progress) -> None:
        if stop.is_set():
            raise CancelledError("It was stopped.")

    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        with _opened(context.obj) as archive:
            place = archive.sources.add(str(folder)).uri
            seen = taken = None
            while not stop.wait(seconds):
                found = stamps(Path(place))
                if found == seen and found not in {taken, ()}:  # nobody writes at the moment
                    made = archive.sources.reindex([place], actor="watch", watch=end_soon)
                    if made.added or made.updated or made.failed:
                        show(made, as_json=as_json)
                    taken = found
                seen = found
    finally:
        signal.signal(signal.SIGINT, before)


@app.command()
def remove(context: typer.Context, article_id: list[str], as_json: Json = False) -> None:
    """Take articles out; `restore` brings them back."""
    with context.obj.archive() as archive:
        finish(archive.remove(article_id), as_json=as_json)


@app.command()
def restore(context: typer.Context, article_id: list[str], as_json: Json = False) -> None:
    """Bring removed articles back."""
    with context.obj.archive() as archive:
        finish(archive.restore(article_id), as_json=as_json)


@app.command()
def correct(
    context: typer.Context,
    article_id: str,
    note: Annotated[str, typer.Option(help="What is wrong with it; shown with its quotes.")],
    as_json: Json = False,
) -> None:
    """Attach a correction to an article."""
    with context.obj.archive() as archive:
        _noticed(archive.correct(article_id, note), as_json=as_json)


@app.command()
def retract(
    context: typer.Context,
    article_id: str,
    note: Annotated[str, typer.Option(help="Why; shown where it was quoted.")],
    as_json: Json = False,
) -> None:
    """Take an article out and say why."""
    with context.obj.archive() as archive:
        _noticed(archive.retract(article_id, note), as_json=as_json)


@app.command()
def undo(
    context: typer.Context,
    generation: Annotated[int, typer.Argument(help="The last good one; `history` lists them.")],
    as_json: Json = False,
) -> None:
    """Make every article what it was at a generation."""
    with context.obj.archive() as archive:
        finish(archive.undo(generation), as_json=as_json)


@app.command()
def export(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help='Where to write, or "-".')],
    as_json: Json = False,
) -> None:
    """Write the articles as JSON lines that `add` reads."""
    run: Run = context.obj
    with run.archive() as archive:
        if file == "-":
            archive.export(sys.stdout.buffer)
            return
        draft = Path(f"{file}.draft")
        try:
            with draft.open("wb") as stream:
                count = archive.export(stream)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    _done({"file": file, "articles": count}, f"{count:,} articles in {file}", as_json=as_json)


@app.command()
def backup(context: typer.Context, file: Path, as_json: Json = False) -> None:
    """Write a consistent copy of the collection to a file, while it is in use."""
    with context.obj.archive() as archive:
        archive.backup(file)
        _copied(archive, file, as_json=as_json)


@app.command()
def recover(context: typer.Context, file: Path, as_json: Json = False) -> None:
    """Put a copy that `backup` made in the place of all that is stored."""
    with context.obj.archive(make=True) as archive:
        archive.recover(file)
        _copied(archive, file, as_json=as_json)


@app.command()
def erase_all(
    context: typer.Context,
    yes: Annotated[str | None, typer.Option(help="The collection's name, not to be asked.")] = None,
    as_json: Json = False,
) -> None:
    """Delete the collection for good: articles, sources, log and all."""
    run: Run = context.obj
    name = run.settings.collection
    with run.archive() as archive:
        asked = f"Type “{name}” to delete it {_with(archive)} for good"
        typed = typer.prompt(asked, err=True) if yes is None else yes
        if typed != name:
            raise InputError(f"“{typed}” is not “{name}”: nothing was deleted.")
        archive.erase()
    _done({"erased": name}, f"“{name}” is deleted.", as_json=as_json)


def _with(archive: Archive) -> str:
    try:
        return f"with its {archive.size().articles:,} articles"
    except StoreDamagedError:
        return "with all that is left in it"


def _opened(run: Run) -> AbstractContextManager[Archive]:
    """A collection to add to, with all processors at work."""
    return run.archive(threads=os.cpu_count(), make=True)


def _noticed(found: Article, *, as_json: bool) -> None:
    _done(output.article(found, with_text=False), output.notice_line(found), as_json=as_json)


def _copied(archive: Archive, file: Path, *, as_json: bool) -> None:
    count = archive.size().articles
    made = {"file": str(file), "generation": archive.generation, "articles": count}
    _done(made, f"{count:,} articles, generation {archive.generation}", as_json=as_json)


def _done(made: dict[str, Any], line: str, *, as_json: bool) -> None:
    print(output.document(made) if as_json else line)
