"""Read tables of reports, separated by commas, semicolons or tabs; runs in the sandbox."""

from __future__ import annotations

import csv
import io

from index.errors import SourceError
from index.reading.text import FIELDS, Record, known_fields

_DELIMITERS = ",;\t"


def is_heading(line: str) -> bool:
    """Whether a line names the columns of a table of reports, as in “title,text,published”."""
    names = _columns(line, _delimiter(line))
    return "text" in names and len(FIELDS.intersection(names)) > 1


def read_table(data: bytes) -> list[Record]:
    """Read a table in UTF-8 whose first row names the columns as JSON lines name the fields."""
    text = data.decode()
    heading = text.lstrip().partition("\n")[0]
    delimiter = _delimiter(heading)
    csv.field_size_limit(len(text) + 1)
    rows = csv.reader(io.StringIO(text.lstrip(), newline=""), delimiter=delimiter, strict=True)
    names = _columns(heading, delimiter)
    next(rows)
    if "text" not in names:
        raise SourceError(
            "is a table without a column “text”: name its columns in the first row, like title, "
            "text, published"
        )
    records: list[Record] = []
    start = rows.line_num + 1
    try:
        for cells in rows:
            place = f"line {start}"
            start = rows.line_num + 1
            if len(cells) > len(names) and any(cells[len(names) :]):
                error = (
                    f"The row of {place} has more cells than there are columns: check its quotes."
                )
                records.append({"omitted": error})
            elif any(cell.strip() for cell in cells):
                records.append(
                    known_fields(dict(zip(names, cells, strict=False))) | {"place": place}
                )
    except csv.Error as error:
        records.append(
            {"omitted": f"What follows line {start} cannot be read ({error}): check it."}
        )
    if not records:
        raise SourceError("is a table without rows: add reports")
    return records


def _delimiter(heading: str) -> str:
    """What separates the most known names."""
    return max(_DELIMITERS, key=lambda mark: len(FIELDS.intersection(_columns(heading, mark))))


def _columns(heading: str, delimiter: str) -> list[str]:
    return [name.strip().strip('"').strip().lower() for name in heading.split(delimiter)]
