"""Read tables of reports, separated by commas, semicolons or tabs; runs in the sandbox."""

from __future__ import annotations

import csv
import io

from index.errors import SourceError
from index.reading.text import FIELDS, Record, known_fields

_DELIMITERS = ",;\t"


def is_heading(text: str) -> bool:
    """Return whether a text begins with the column names of a table: “title,text,published”."""
    names = _columns(text, _delimiter(text))
    return "text" in names and len(FIELDS.intersection(names)) > 1


def read_table(data: bytes) -> list[Record]:
    """Read a table in UTF-8 whose first row names the columns as JSON lines name the fields."""
    text = data.decode().lstrip()
    delimiter = _delimiter(text)
    names = _columns(text, delimiter)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
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


def _delimiter(text: str) -> str:
    """Return the delimiter that separates the most known names in the first row."""
    return max(_DELIMITERS, key=lambda mark: len(FIELDS.intersection(_columns(text, mark))))


def _columns(text: str, delimiter: str) -> list[str]:
    """Return the names in the first row of a table; a name in quotes may contain a delimiter."""
    csv.field_size_limit(len(text) + 1)
    heading: list[str] = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    return [name.strip().lower() for name in heading]
