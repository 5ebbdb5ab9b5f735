"""What the commands of `onrecord` share: their settings, their progress and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bot import output
from bot.settings import Settings
from index import intake
from index.archive import Archive
from index.encoder import SentenceTransformerEncoder
from index.intake import Report, Watcher
from index.rerank import CrossEncoderReranker

FAILED, USAGE = 1, 2
_DEFAULT = Settings.model_fields["collection"].default


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command: its settings, and where messages for people go."""

    settings: Settings
    notes: Console

    def encoder(self, threads: int | None = None) -> SentenceTransformerEncoder:
        """The encoder of the settings; loaded at first use."""
        model = self.settings.model
        return SentenceTransformerEncoder(model.name, threads=threads or model.threads)

    @contextmanager
    def archive(
        self, collection: str | None = None, *, threads: int | None = None, make: bool = False
    ) -> Iterator[Archive]:
        """The collection of this run; a name that there is none of is made only where told to."""
        name = collection or self.settings.collection
        reranker = self.settings.model.reranker
        opened = Archive.open(
            self.settings.data,
            name,
            self.encoder(threads),
            threshold=self.settings.answers.threshold,
            make=make or name == _DEFAULT,
            reranker=CrossEncoderReranker(reranker) if reranker else None,
        )
        try:
            yield opened
        finally:
            opened.close()


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def show(made: Report, *, as_json: bool) -> None:
    """Print what was done."""
    if as_json:
        print(output.document(output.report(made)), flush=True)
    else:
        output.print_report(output.console(), made)


def finish(made: Report, *, as_json: bool) -> None:
    """Print what was done, and end with a status that tells whether something failed."""
    show(made, as_json=as_json)
    if made.failed:
        raise typer.Exit(FAILED)


@contextmanager
def progress(run: Run, word: str) -> Iterator[Watcher | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not run.notes.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[title]}", markup=False),
    )
    with Progress(*columns, console=run.notes, transient=True) as bar:
        task = bar.add_task(word, total=None, title="")

        def watch(made: intake.Progress) -> None:
            done = made.articles or made.sentences
            bar.update(task, completed=done, total=made.total, title=made.title[:40])

        yield watch
