"""Shared by the commands of `onrecord`: global options, the collection, progress and input."""

from __future__ import annotations

import logging
import shutil
import sys
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
from bot.cli.output import Result, to_json, wrap
from bot.collections import Collections
from bot.settings import Settings, load

_DEFAULT_COLLECTION = Settings.model_fields["collection"].default


@dataclass(frozen=True)
class Run:
    """A run of the command: its global options, each None or False if not given."""

    data: Path | None
    collection: str | None
    config: Path | None
    as_json: bool
    debug: bool

    @cached_property
    def settings(self) -> Settings:
        """The settings, read at first use so that `--help` works without them."""
        return load(data=self.data, collection=self.collection, config=self.config)

    @cached_property
    def _encoders(self) -> dict[int, index.Encoder]:
        return {}

    def encoder(self, threads: int | None = None) -> index.Encoder:
        """Return the encoder of the settings, with so many threads; it loads at first use."""
        index.prepare_process()
        model = self.settings.model
        count = threads or model.threads
        if count not in self._encoders:
            self._encoders[count] = index.load_encoder(
                model.name, threads=count, prompts=model.prompts or None
            )
        return self._encoders[count]


class Command(TyperCommand):
    """A command that takes the global options too, prints its result and explains its errors."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [*super().get_params(ctx), *_global_params(ctx)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        values = {option.name: ctx.params.pop(option.name) for option in _global_params(ctx)}
        if not ctx.resilient_parsing:  # during shell completion there is no Run
            ctx.obj = replace(ctx.obj, **{name: value for name, value in values.items() if value})
        return rest

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the first paragraph of the help, not shortened: the list of commands wraps it."""
        del limit
        return " ".join((self.help or "").partition("\n\n")[0].split())

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
            show(f"onrecord: {sentence_of(error)}", err=True)
            usage = isinstance(error, index.SettingsError | index.QuestionError)
            raise typer.Exit(2 if usage else 1) from None
        if result:
            if run.as_json:
                typer.echo(to_json(result.document))
            else:
                show(result.text)
            if result.failed:
                raise typer.Exit(1)


def sentence_of(error: Exception) -> str:
    """Return an error as a sentence, without the system's error number."""
    if isinstance(error, index.OnRecordError):
        return str(error)
    if isinstance(error, OSError):
        name = str(error.filename).removesuffix(".draft") if error.filename else "A file"
        return f"{name} cannot be opened or written ({error.strerror or error})."
    return f"unexpected error ({error!r}); run it again with --debug."


def show(text: str, *, err: bool = False) -> None:
    """Print text; on a terminal, break its lines between words."""
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        text = wrap(text, shutil.get_terminal_size().columns)
    typer.echo(text, err=err)


@contextmanager
def warning(what: str) -> Iterator[None]:
    """Print what failed and why on standard error, and go on: the result does not depend on it."""
    try:
        yield
    except (index.OnRecordError, OSError) as error:
        show(f"onrecord: {what}: {sentence_of(error)}", err=True)


def confirm(consequence: str, *, yes: bool) -> None:
    """Ask on the terminal whether to go on, unless `yes`.

    Raises:
        InputError: the answer is no, or there is no terminal to ask on.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise index.InputError(f"{consequence} Add --yes if you mean it: nothing was changed.")
    show(consequence, err=True)
    if not typer.confirm("Go on?", err=True):
        raise index.InputError("Nothing was changed.")


def _global_params(context: Any) -> list[Any]:
    """Return the options of `onrecord` that its commands also take: the fields of Run."""
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


def _named(text: str) -> str:
    """Return the name in an option; refuse an empty name, such as from an unset variable."""
    if not text.strip():
        raise typer.BadParameter("the name is empty: give one, or leave the option out.")
    return text


def _named_path(text: str) -> Path:
    return Path(_named(text))


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"onrecord {version('onrecord')}")
        raise typer.Exit


@app.callback()
def _global_options(
    context: Context,
    data: Annotated[
        Path | None,
        Option(parser=_named_path, metavar="FOLDER", help="Data folder [ONRECORD_DATA]."),
    ] = None,
    collection: Annotated[
        str | None,
        Option(
            parser=_named,
            metavar="NAME",
            help="Collection, such as server-ID [ONRECORD_COLLECTION].",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        Option(parser=_named_path, metavar="FILE", help="Settings file [ONRECORD_CONFIG]."),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print a JSON document.")] = False,
    debug: Annotated[bool, Option("--debug", help="Show logs and tracebacks.")] = False,
    _version: Annotated[
        bool, Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    context.obj = Run(data, collection, config, as_json, debug)


def open_archive(
    context: Context,
    name: str | None = None,
    *,
    threads: int | None = None,
    create: bool = False,
    vectors: list[Path] | None = None,
) -> index.Archive:
    """Open a collection until the command ends; create it if `create`, or if it is the default.

    Sentences whose embeddings are in the files `vectors` are not embedded again.
    """
    run: Run = context.obj
    name, encoder = name or run.settings.collection, run.encoder(threads)
    if vectors:
        encoder = index.PrecomputedEncoder(encoder, vectors)
    collections = Collections.with_reader(run.settings, encoder)
    context.call_on_close(collections.close)
    return collections.open(name, create=create or name == _DEFAULT_COLLECTION)


def parse_part(text: str) -> tuple[int, int]:
    """Return the 1-based number of a part and the number of parts, written as "2/8"."""
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise typer.BadParameter(f"“{text}” is not a part: for eight parts, write 1/8 to 8/8.")
    return int(number), int(count)


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
    """Return the filters of a question; dates are ISO 8601 or in words."""
    today = datetime.now(UTC).date()
    ends = index.parse_moment(until, today, last=True), index.parse_moment(as_of, today, last=True)
    start = index.parse_moment(since, today)
    return index.Filters(tuple(publishers or ()), start, *ends, today)


class Query(BaseModel, coerce_numbers_to_str=True):
    """A line of a file of queries, in BEIR's layout."""

    key: str | None = Field(default=None, alias="_id")
    text: str = ""
    metadata: dict[str, Any] = {}


def each_question(
    question: str | None, queries: Path | None, result_of: Callable[[str, str | None], Result]
) -> Result | None:
    """Return the result of a question; or print a JSON line for each query of a file, in order.

    "-" reads a question or queries from standard input. `result_of` is called with a question and
    the id of its query. For a query that fails, the line says why.
    """
    if queries is None:
        if question is None:
            raise index.QuestionError("Ask a question, or name a file with --queries.")
        return result_of(_read(Path("-")) if question == "-" else question, None)
    failed = False
    for number, line in read_lines(queries):
        query = Query()
        try:
            query = Query.model_validate_json(line)
            document = result_of(query.text, query.key).document
        except (ValidationError, index.OnRecordError) as error:
            sentence = str(error)
            if isinstance(error, ValidationError):
                sentence = f'Line {number} does not have the form {{"_id": …, "text": "…"}}.'
            document, failed = {"id": query.key, "error": sentence}, True
        typer.echo(to_json(document))
    if failed:
        raise typer.Exit(1)
    return None


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a UTF-8 file (see `_read`) that are not blank, with their numbers.

    Raises:
        InputError, OSError: the file is not UTF-8, or cannot be read.
    """
    lines = _read(path).split("\n")
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _read(path: Path) -> str:
    """Return the text of a UTF-8 file, or of standard input if it is "-"."""
    from_stdin = str(path) == "-"
    data = sys.stdin.buffer.read() if from_stdin else path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        name = "Standard input" if from_stdin else path
        raise index.InputError(f"{name} is not UTF-8 text: save it as UTF-8.") from error
