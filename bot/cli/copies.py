"""Commands that copy, recover and delete collections."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Context, Option

from bot.cli import options
from bot.cli.context import confirm, open_archive, progress
from bot.cli.output import Result
from bot.collections import engine
from bot.views.text import plural
from index import Archive, InputError, NotFoundError, Progress, StoreDamagedError


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


def backup(context: Context, file: Path, force: options.Force = False) -> Result:
    """Write a consistent copy of the collection to a file, while it is in use."""
    _check_free(file, force=force)
    archive = open_archive(context)
    archive.backup(file)
    return _copied(archive, file)


def copy(
    context: Context,
    names: Annotated[
        list[str] | None, Argument(metavar="[NAME]...", help="Collections; default: all.")
    ] = None,
    source: Annotated[
        str | None, Option("--from", metavar="PLACE", help="Default: as in the settings.")
    ] = None,
    target: Annotated[str | None, Option("--to", metavar="PLACE", help="Like --from.")] = None,
) -> Result:
    """Copy whole collections between a folder and a PostgreSQL database; run it again to resume.

    A PLACE is a folder, or an address such as postgresql://USER@HOST/DATABASE.
    """
    settings = context.obj.settings
    if source == target:
        raise InputError("Name the target with --to, or the source with --from, or both.")
    places = [
        settings if place is None else settings.model_copy(update=_place(place))
        for place in (source, target)
    ]
    with closing(engine(places[0])) as here, closing(engine(places[1])) as there:
        chosen = names or here.names()
        if not chosen:
            raise NotFoundError("There is no collection to copy: check --from.")
        copied = {}
        for name in chosen:
            with (
                closing(here.open(name, create=False)) as original,
                closing(there.open(name, create=True)) as replica,
                progress(f"Copying {name}") as on_progress,
            ):
                copied[name] = original.copy_to(
                    replica, lambda rows: on_progress(Progress(rows, 0, None, ""))
                )
    lines = (
        f"{name}: {plural(rows, 'row')} copied and compared" if rows else f"{name}: already there"
        for name, rows in copied.items()
    )
    return Result({"copied": copied}, "\n".join(lines))


def _place(place: str) -> dict[str, object]:
    """Return the settings that name a folder or a database."""
    if place.startswith(("postgresql://", "postgres://")):
        return {"store": place, "replica": ""}
    return {"store": "", "replica": "", "data": Path(place).expanduser()}


def recover(context: Context, file: Path, yes: options.Yes = False) -> Result:
    """Replace everything in the collection by a copy that `backup` wrote; ask first."""
    archive = open_archive(context, create=True)
    if file.is_file() and (content := _content(archive)):
        confirm(f"{file} would replace the collection: {content} would be lost.", yes=yes)
    archive.recover(file)
    return _copied(archive, file)


def _content(archive: Archive) -> str:
    """Return in words what a collection holds, damaged or not; "" if it was never used."""
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
