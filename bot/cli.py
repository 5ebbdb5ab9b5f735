"""The `onrecord` command: reads settings, wires the parts and hands over.

What scripts rely on is kept: `--json` prints one JSON document (or one line a query) on standard
output, all else goes to standard error, and the exit status is 0 for done, 1 for something
failed, 2 for wrong usage or settings.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot import changing, output, reading
from bot.command import FAILED, USAGE, Json, Run, progress
from bot.settings import load
from index.errors import OnRecordError, QuestionError, SettingsError

app = typer.Typer(
    name="onrecord",
    help="Answers questions about news reports by quoting them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(changing.app)
app.add_typer(reading.app)
_GLOBAL = {"--data": True, "--collection": True, "--config": True, "--debug": False}


@app.callback()
def _globals(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option(help="Data folder [ONRECORD_DATA].")] = None,
    collection: Annotated[
        str | None, typer.Option(help="Collection; a server's is server-ID [ONRECORD_COLLECTION].")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file [ONRECORD_CONFIG].")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and logs.")] = False,
) -> None:
    level = logging.DEBUG if debug else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr)
    settings = load(data=data, collection=collection, config=config)
    context.obj = Run(settings, output.console(stderr=True))


@app.command()
def evaluate(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A data set in BEIR's layout.")],
    split: Annotated[str, typer.Option(help="Which qrels/SPLIT.tsv.")] = "test",
    run_file: Annotated[
        Path | None, typer.Option("--run", help="Write the ranked articles in TREC's format.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure ranking and declining on a data set, in a collection of its own."""
    from index import evaluate as evaluation  # noqa: PLC0415 - not needed to answer

    run: Run = context.obj
    name = evaluation.collection_name(folder, run.settings.model.name)
    opened = run.archive(name, threads=os.cpu_count(), make=True)
    with opened as archive, progress(run, "Indexing") as watch:
        measured, failed = evaluation.evaluate(
            archive, folder, split=split, run=run_file, watch=watch
        )
    for failure in failed:
        run.notes.print(f"{failure.source}: {failure.error}", markup=False)
    found = output.figures(measured)
    if as_json:
        print(output.document(found))
    else:
        for figure, value in found.items():
            print(f"{figure:>28}  {value}")
    if failed:
        raise typer.Exit(FAILED)


@app.command()
def bot(context: typer.Context) -> None:
    """Connect to Discord with DISCORD_TOKEN."""
    from bot.client import run  # noqa: PLC0415 - discord.py takes a second to import

    run(context.obj.settings, context.obj.encoder())


@app.command()
def demo(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes a free one.")] = 8765,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address.")
    ] = False,
) -> None:
    """Serve the real bot on the sample reports in a page on this machine; needs no token."""
    from bot.demo import run  # noqa: PLC0415 - needs the extra `demo`

    run(context.obj.encoder(), port=port, browser=not no_browser)


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Check settings, model, collections, disk and the token; say what to mend."""
    from bot import doctor as checks  # noqa: PLC0415 - not needed to answer

    found = checks.examine(context.obj.settings, context.obj.encoder())
    if as_json:
        rows = [{"check": one.name, "ok": one.ok, "says": one.says} for one in found]
        print(output.document({"checks": rows}))
    else:
        for one in found:
            print(f"{'ok  ' if one.ok else 'MEND'}  {one.name}: {one.says}")
    if not all(one.ok for one in found):
        raise typer.Exit(FAILED)


def main() -> None:
    """Run the command; the console script's entry point."""
    arguments = _hoisted(sys.argv[1:])
    debug = "--debug" in arguments
    try:
        app(arguments, prog_name="onrecord")
    except (OnRecordError, OSError) as error:
        if debug:
            raise
        print(f"onrecord: {error}", file=sys.stderr)
        usage = isinstance(error, SettingsError | QuestionError)
        raise SystemExit(USAGE if usage else FAILED) from None
    except Exception as error:
        if debug:
            raise
        print(f"onrecord: this should not have happened ({error!r}); --debug.", file=sys.stderr)
        raise SystemExit(FAILED) from None


def _hoisted(arguments: list[str]) -> list[str]:
    """Move the global options in front of the command, wherever they were written."""
    front: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        name = argument.partition("=")[0]
        if argument == "--":
            rest += [argument, *remaining]
        elif name in _GLOBAL:
            front.append(argument)
            if _GLOBAL[name] and "=" not in argument:
                front += [value for value in [next(remaining, None)] if value is not None]
        else:
            rest.append(argument)
    return front + rest
