"""What the commands of `onrecord` share: their collection, progress, how they print and end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from pydantic import BaseModel, Field, ValidationError
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn

from bot.cli.output import Result
from bot.collections import Collections
from bot.settings import Settings
from index import (
    Archive,
    InputError,
    OnRecordError,
    Progress,
    ProgressCallback,
    QuestionError,
    SentenceTransformerEncoder,
    prepare_process,
)

FAILED, USAGE = 1, 2
Made = Callable[[str, str | None], Result]  # of a question, and its id if it has one
_DEFAULT = Settings.model_fields["collection"].default


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command: its settings, and in which form it prints."""

    settings: Settings
    as_json: bool

    def encoder(self, threads: int | None = None) -> SentenceTransformerEncoder:
        """The encoder of the settings; loaded at first use."""
        prepare_process()
        model = self.settings.model
        return SentenceTransformerEncoder(model.name, threads=threads or model.threads)

    @contextmanager
    def archive(
        self, name: str | None = None, *, threads: int | None = None, make: bool = False
    ) -> Iterator[Archive]:
        """The collection of this run; a name that there is none of is made only where told to."""
        name = name or self.settings.collection
        with closing(Collections(self.settings, self.encoder(threads))) as library:
            yield library.open(name, create=make or name == _DEFAULT)

    def show(self, made: Result) -> None:
        """Print what a command came to; without colours where nobody looks at a terminal."""
        text = json.dumps(made.document, ensure_ascii=False) if self.as_json else made.text
        typer.echo(text)

    def end(self, made: Result) -> None:
        """Print what a command came to; the exit status tells whether something failed."""
        self.show(made)
        if made.failed:
            raise typer.Exit(FAILED)


class _Query(BaseModel, coerce_numbers_to_str=True):
    key: str | None = Field(default=None, alias="_id")
    text: str = ""


@contextmanager
def progress(word: str) -> Iterator[ProgressCallback | None]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True, emoji=False)
    if not console.is_terminal:
        yield None
        return
    title = TextColumn("{task.fields[title]}", markup=False)
    with Bar(*Bar.get_default_columns(), title, console=console, transient=True) as bar:
        task = bar.add_task(word, total=None, title="")

        def watcher(made: Progress) -> None:
            done = made.articles or made.sentences
            bar.update(task, completed=done, total=made.total, title=made.title[:40])

        yield watcher


def each(run: Run, question: str | None, queries: Path | None, made: Made) -> None:
    """Print what is made of a question, or of each in a file: one JSON line each, in order.

    A query that fails says so in its own line.
    """
    if queries is None:
        if question is None:
            raise QuestionError("Ask a question, or name a file of them with --queries.")
        run.end(made(question, None))
        return
    try:
        lines = queries.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise InputError(f"{queries} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{queries} is no text in UTF-8: write JSON lines into it.") from error
    failed = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        key = None
        try:
            query = _Query.model_validate_json(line)
            key = query.key
            document = made(query.text, key).document
        except ValidationError:
            wrong = f'Line {number} is not like {{"_id": …, "text": "…"}}.'
            document, failed = {"id": key, "error": wrong}, True
        except OnRecordError as error:
            document, failed = {"id": key, "error": str(error)}, True
        typer.echo(json.dumps(document, ensure_ascii=False))
    if failed:
        raise typer.Exit(FAILED)
