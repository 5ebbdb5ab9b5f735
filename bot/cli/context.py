"""What the commands of `onrecord` share: global options, the collection, progress, and output."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
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

from bot.cli.output import Result
from bot.collections import Collections
from bot.settings import Settings, load
from index import (
    Archive,
    Filters,
    InputError,
    OnRecordError,
    Progress,
    ProgressCallback,
    QuestionError,
    SentenceTransformerEncoder,
    SettingsError,
    parse_moment,
    prepare_process,
)

FAILED, USAGE = 1, 2  # exit statuses
ResultOf = Callable[[str, str | None], Result]
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

    def encoder(self, threads: int | None = None) -> SentenceTransformerEncoder:
        """The encoder of the settings; its model is loaded at first use."""
        prepare_process()
        model = self.settings.model
        return SentenceTransformerEncoder(model.name, threads=threads or model.threads)

    @contextmanager
    def archive(
        self, name: str | None = None, *, threads: int | None = None, create: bool = False
    ) -> Iterator[Archive]:
        """Open this run's collection; only the default one is created without `create`."""
        name = name or self.settings.collection
        with closing(Collections(self.settings, self.encoder(threads))) as collections:
            yield collections.open(name, create=create or name == _DEFAULT_COLLECTION)

    def finish(self, result: Result) -> None:
        """Print a result; the exit status says whether something failed."""
        typer.echo(_json(result.document) if self.as_json else result.text)
        if result.failed:
            raise typer.Exit(FAILED)


class Command(TyperCommand):
    """A command that also takes the global options, and reports an error as one sentence."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [*super().get_params(ctx), *_shared(ctx)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        values = {option.name: ctx.params.pop(option.name) for option in _shared(ctx)}
        if not ctx.resilient_parsing:  # as shell completion does, without a Run
            ctx.obj = replace(ctx.obj, **{name: value for name, value in values.items() if value})
        return rest

    def invoke(self, ctx: Any) -> Any:
        level = logging.DEBUG if ctx.obj.debug else logging.WARNING
        logging.basicConfig(level=level, stream=sys.stderr)
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.obj.debug:
                raise
            sentence = str(error)
            if not isinstance(error, OnRecordError | OSError):
                sentence = f"unexpected error ({error!r}); run it again with --debug."
            typer.echo(f"onrecord: {sentence}", err=True)
            usage = isinstance(error, SettingsError | QuestionError)
            raise typer.Exit(USAGE if usage else FAILED) from None


def _shared(context: Any) -> list[Any]:
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


@contextmanager
def progress(description: str) -> Iterator[ProgressCallback | None]:
    """Show a progress bar on a terminal, and nothing elsewhere."""
    console = Console(stderr=True, emoji=False)
    if not console.is_terminal:
        yield None
        return
    title = TextColumn("{task.fields[title]}", markup=False)
    columns = [*ProgressBar.get_default_columns(), title]
    with ProgressBar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(description, total=None, title="")

        def update(state: Progress) -> None:
            completed = state.articles or state.sentences
            bar.update(task, completed=completed, total=state.total, title=state.title[:40])

        yield update


def filters_of(
    publishers: list[str] | None, since: str | None, until: str | None, as_of: str | None
) -> Filters:
    """The filters of a question; dates are ISO 8601 or in words."""
    today = datetime.now(UTC).date()
    ends = parse_moment(until, today, last=True), parse_moment(as_of, today, last=True)
    return Filters(tuple(publishers or ()), parse_moment(since, today), *ends)


class _Query(BaseModel, coerce_numbers_to_str=True):
    key: str | None = Field(default=None, alias="_id")
    text: str = ""


def for_each_question(
    run: Run, question: str | None, queries: Path | None, result_of: ResultOf
) -> None:
    """Print the result of a question, or a JSON line for each query in a file, in order.

    `result_of` is called with a question and the id of its query. A query that fails gets a line
    that says why.
    """
    if queries is None:
        if question is None:
            raise QuestionError("Ask a question, or name a file of them with --queries.")
        run.finish(result_of(question, None))
        return
    failed = False
    for number, line in read_lines(queries):
        key = None
        try:
            query = _Query.model_validate_json(line)
            key = query.key
            document = result_of(query.text, key).document
        except (ValidationError, OnRecordError) as error:
            sentence = str(error)
            if isinstance(error, ValidationError):
                sentence = f'Line {number} is not of the form {{"_id": …, "text": "…"}}.'
            document, failed = {"id": key, "error": sentence}, True
        typer.echo(_json(document))
    if failed:
        raise typer.Exit(FAILED)


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a UTF-8 file that are not blank, with their numbers; raises InputError."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text.") from error
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False)
