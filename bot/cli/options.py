"""Arguments and options of several commands of `onrecord`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

ArticleIds = Annotated[list[str], Argument(help="Ids, as `articles` lists them.")]
ArticleId = Annotated[str, Argument(help="Its id, as `articles` lists it.")]
Publishers = Annotated[
    list[str] | None, Option("--publisher", metavar="NAME", help="Only this publisher.")
]
Since = Annotated[
    str | None,
    Option(metavar="DATE", help="Published on or after: 2026-03-09, 9 March, last week."),
]
Until = Annotated[
    str | None,
    Option(metavar="DATE", help="Published on or before: 2026-03-09, March 2026, yesterday."),
]
AsOf = Annotated[
    str | None,
    Option(metavar="DATE", help="Answer from what was published by then, as if asked then."),
]
Question = Annotated[
    str | None,
    Argument(
        help='In your own words, or "-" to read it from standard input. Days such as "yesterday" '
        "count from today, or from --as-of, as they do in the options."
    ),
]
Queries = Annotated[
    Path | None,
    Option(metavar="FILE", help='JSON lines {"_id", "text"}, or "-"; one JSON line for each.'),
]
Yes = Annotated[bool, Option("--yes", help="Do not ask first.")]
Force = Annotated[bool, Option("--force", help="Replace the file if it exists.")]
Note = Annotated[str, Option(help="What is wrong with it; shown where it is quoted.")]
Reason = Annotated[
    str, Option("--note", help="Why it is retracted; shown where it was quoted, as in `why`.")
]
Revision = Annotated[int | None, Option(help="An earlier revision.")]
Removed = Annotated[bool, Option("--removed", help="List removed articles instead.")]
Generation = Annotated[
    int, Argument(help="The last good generation: the number at the left of `onrecord history`.")
]
AnswerId = Annotated[str, Argument(help="The id under an answer.")]
