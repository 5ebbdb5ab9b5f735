"""What the commands of `onrecord` share: global options, the collection, progress and input."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, Field, ValidationError
from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.progress import TextColumn
from typer import Context, Option
from typer.core import TyperCommand

import index
from bot.cli.output import Result, to_json
from bot.collections import Collections
from bot.settings import Settings, load

_DEFAULT_COLLECTION = Settings.model_fields["collection"].default


@dataclass(frozen=True)
class Run:
    """One run of the command: its global options, each None or False if not given."""

    data: Path | None
    collection: str | None
    config: Path | None
    as_json: bool
    debug: bool

    @cached_property
    def settings(self) -> Settings:
        """The settings, read at first use so that `--help` works without them."""
        return load(data=self.data, collection=self.collection, config=self.config)

    def encoder(self, threads: int | None = None) -> index.SentenceTransformerEncoder:
        """The encoder of the settings; its model is loaded at first use."""
        index.prepare_process()
        model = self.settings.model
        return index.SentenceTransformerEncoder(model.name, threads=threads or model.threads)


class Command(TyperCommand):
    """A command that takes the global options too, prints its result and explains its errors."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [*super().get_params(ctx), *_global_params(ctx)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        values = {option.name: ctx.params.pop(option.name) for option in _global_params(ctx)}
        if not ctx.resilient_parsing:  # as shell completion does, without a Run
            ctx.obj = replace(ctx.obj, **{name: value for name, value in values.items() if value})
        return rest

    def invoke(self, ctx: Any) -> None:
        run: Run = ctx.obj
        logging.basicConfig(level=logging.DEBUG if run.debug else logging.WARNING)
        try:
            result: Result | None = super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except Exception as error:
            if run.debug:
                raise
            sentence = str(error)
            if isinstance(error, OSError) and error.filename:
                name = str(error.filename).removesuffix(".draft")
                sentence = f"{name} cannot be opened or written ({error.strerror})."
            elif not isinstance(error, index.OnRecordError | OSError):
                sentence = f"unexpected error ({error!r}); run it again with --debug."
            typer.echo(f"onrecord: {sentence}", err=True)
            usage = isinstance(error, index.SettingsError | index.QuestionError)
            raise typer.Exit(2 if usage else 1) from None
        if result:
            typer.echo(to_json(result.document) if run.as_json else result.text)
            if result.failed:
                raise typer.Exit(1)


def _global_params(context: Any) -> list[Any]:
    """The options of `onrecord` itself that its commands take too: the fields of Run."""
    names = {field.name for field in fields(Run)}
    return [option for option in context.parent.command.params if option.name in names]


app = typer.Typer(
    name="onrecord",
    help="Answers questions about news reports by quoting them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
command = partial(app.command, cls=Command)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"onrecord {version('onrecord')}")
        raise typer.Exit


@app.callback()
def _global_options(
    context: Context,
    data: Annotated[Path | None, Option(help="Data folder [ONRECORD_DATA].")] = None,
    collection: Annotated[
        str | None, Option(help="Collection, such as server-ID [ONRECORD_COLLECTION].")
    ] = None,
    config: Annotated[Path | None, Option(help="Settings file [ONRECORD_CONFIG].")] = None,
    as_json: Annotated[bool, Option("--json", help="Print one JSON document.")] = False,
    debug: Annotated[bool, Option("--debug", help="Show logs and tracebacks.")] = False,
    _version: Annotated[
        bool, Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    context.obj = Run(data, collection, config, as_json, debug)


def open_archive(
    context: Context, name: str | None = None, *, threads: int | None = None, create: bool = False
) -> index.Archive:
    """Open a collection until the command ends; without `create` only the default one is made."""
    run: Run = context.obj
    name = name or run.settings.collection
    collections = Collections.with_reader(run.settings, run.encoder(threads))
    context.call_on_close(collections.close)
    return collections.open(name, create=create or name == _DEFAULT_COLLECTION)


@contextmanager
def progress(description: str) -> Iterator[index.ProgressCallback]:
    """Show a progress bar on a terminal, and nothing elsewhere."""
    console = Console(stderr=True, emoji=False)
    columns = [*ProgressBar.get_default_columns(), TextColumn("{task.fields[title]}", markup=False)]
    silent = not console.is_terminal
    with ProgressBar(*columns, console=console, transient=True, disable=silent) as bar:
        task = bar.add_task(description, total=None, title="")

        def update(state: index.Progress) -> None:
            completed = state.articles or state.sentences
            bar.update(task, completed=completed, total=state.total, title=state.title[:40])

        yield update


def filters_of(
    publishers: list[str] | None, since: str | None, until: str | None, as_of: str | None
) -> index.Filters:
    """The filters of a question; dates are ISO 8601 or in words."""
    today = datetime.now(UTC).date()
    ends = index.parse_moment(until, today, last=True), index.parse_moment(as_of, today, last=True)
    return index.Filters(tuple(publishers or ()), index.parse_moment(since, today), *ends)


class Query(BaseModel, coerce_numbers_to_str=True):
    """A line of a file of queries, in BEIR's layout."""

    key: str | None = Field(default=None, alias="_id")
    text: str = ""
    metadata: dict[str, Any] = {}


def each_question(
    question: str | None, queries: Path | None, result_of: Callable[[str, str | None], Result]
) -> Result | None:
    """The result of a question; or print a JSON line for each query of a file, in order.

    `result_of` is called with a question and the id of its query. A query that fails gets a line
    that says why.
    """
    if queries is None:
        if question is None:
            raise index.QuestionError("Ask a question, or name a file of them with --queries.")
        return result_of(question, None)
    failed = False
    for number, line in read_lines(queries):
        query = Query()
        try:
            query = Query.model_validate_json(line)
            document = result_of(query.text, query.key).document
        except (ValidationError, index.OnRecordError) as error:
            sentence = str(error)
            if isinstance(error, ValidationError):
                sentence = f'Line {number} is not of the form {{"_id": …, "text": "…"}}.'
            document, failed = {"id": query.key, "error": sentence}, True
        typer.echo(to_json(document))
    if failed:
        raise typer.Exit(1)
    return None


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a UTF-8 file that are not blank, with their numbers.

    Raises:
        InputError, OSError: the file is not UTF-8, or cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise index.InputError(f"{path} is not UTF-8 text.") from error
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
