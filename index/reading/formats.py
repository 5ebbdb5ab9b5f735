"""Read articles from files and pages in any format, with one reader per format."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, cast

from index.domain import Article, Failure
from index.errors import InputError, SourceError
from index.reading.isolation import Isolation
from index.reading.items import Link, Omission
from index.reading.markup import stated_charset
from index.reading.recognise import HEAD_BYTES, Format, Origin, recognise
from index.reading.sandbox import Sandbox
from index.reading.text import Record, decode, digest, read_row, read_text, to_article

MAX_BYTES = 20_000_000  # size of a report, and of a line of JSON
_LIMIT = f"{MAX_BYTES // 1_000_000} MB"
_MAX_GZIP_RATIO = 200  # for files above MAX_BYTES
_MAX_WITHIN = 2  # levels of packing, such as a mail in a zip archive
_SANDBOX = Sandbox()
_WRITTEN = "title text publisher author published guessed_date url language guessed".split()


Item = Article | Failure | Omission | Link


def read(file: IO[bytes], origin: Origin) -> Iterator[Item]:
    """Yield the articles of a file or a fetched page; `file` must be seekable.

    Raises:
        InputError: it cannot be read, or not to its end; what was yielded before is valid.
    """
    max_bytes, head = None, file.read(HEAD_BYTES)
    try:
        if head.startswith(b"\x1f\x8b"):
            max_bytes = max(MAX_BYTES, _MAX_GZIP_RATIO * file.seek(0, io.SEEK_END))
            file.seek(0)
            file = cast("IO[bytes]", gzip.GzipFile(fileobj=file))
            head = file.read(HEAD_BYTES)
        elif origin.name.lower().endswith(".gz") and not origin.url:
            raise gzip.BadGzipFile
        file.seek(0)
        kind = _recognised(head, origin)
        if kind == "json lines":
            yield from read_rows(file, origin.name, max_bytes)
        else:
            for record in _records(kind, file, origin):
                yield from _items(record, kind, origin)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise SourceError(f"{origin.name} is a damaged gzip file: compress it again.") from None


# The readers


def read_rows(
    file: IO[bytes], name: str, max_bytes: int | None = None
) -> Iterator[Article | Failure | Omission]:
    """Yield an article per line of JSON; an unusable line is a failure of its own.

    Raises:
        SourceError: there are more than `max_bytes` bytes.
    """
    number = total = 0
    at_line_start = True
    while part := file.readline(MAX_BYTES + 1):
        total += len(part)
        if max_bytes and total > max_bytes:
            raise SourceError(f"{name} is far larger unpacked than packed: split it.")
        is_start, at_line_start = at_line_start, part.endswith(b"\n")
        number += is_start
        source = f"{name}, line {number}"
        if is_start and len(part) > MAX_BYTES:
            yield Failure(source, f"This line is longer than {_LIMIT}: shorten it.")
        elif is_start and part.strip():
            try:
                yield from to_article(read_row(part), source)
            except InputError as error:
                yield Failure(source, str(error))


def isolation_of_parsers() -> Isolation:
    """Parse a text in the sandbox, and return the isolation of its process.

    Raises:
        SourceError: nothing can be parsed on this system.
    """
    _sandboxed("markup.read_markdown", b"A page of one paragraph.")
    return cast("Isolation", _SANDBOX.isolation)


def _sandboxed(reader: str, data: bytes, **options: str | None) -> list[Record]:
    return cast("list[Record]", _SANDBOX.run(f"index.reading.{reader}", data, **options))


# The messages of these readers' errors lack their subject. JSON lines are read one by one instead.
_READERS: Mapping[Format, Callable[[bytes, Origin], list[Record]]] = {
    "text": lambda data, _: [read_text(decode(data))],
    "markdown": lambda data, _: _sandboxed("markup.read_markdown", decode(data).encode()),
    "html": lambda data, origin: _sandboxed(
        "pages.read_html",
        decode(data, origin.charset, stated_charset(data)).encode(),
        url=origin.url,
    ),
    "feed": lambda data, origin: _sandboxed("feeds.read_feed", data, url=origin.url),
    "json": lambda data, origin: _sandboxed(
        "feeds.read_json_feed", decode(data).encode(), url=origin.url
    ),
    "table": lambda data, _: _sandboxed("tables.read_table", decode(data).encode()),
    "mail": lambda data, _: _sandboxed("mail.read_mail", data),
    "rtf": lambda data, _: _sandboxed("rtf.read_rtf", data),
    "pdf": lambda data, _: _sandboxed("pdf.read_pdf", data),
    "zip": lambda data, _: _sandboxed("office.read_zip", data),
}


def _recognised(head: bytes, origin: Origin) -> Format:
    try:
        return recognise(head, origin)
    except SourceError as error:
        raise SourceError(f"{origin.name} {error}.") from None


def _records(kind: Format, file: IO[bytes], origin: Origin) -> list[Record]:
    try:
        data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise SourceError(f"is larger than {_LIMIT}: split it into one file per report")
        if not data.strip():
            raise SourceError("is empty: choose another file")
        return _with_distinct_names(_READERS[kind](data, origin))
    except SourceError as error:
        raise SourceError(f"{origin.name} {error}.") from None


def _with_distinct_names(records: list[Record]) -> list[Record]:
    """Make the names of files in records distinct, since the name of an attachment is its id."""
    counts: Counter[str] = Counter()
    for record in records:
        if name := record.get("name"):
            counts[name] += 1
            record["name"] = name if counts[name] == 1 else f"{counts[name]}/{name}"
    return records


def _items(record: Record, kind: Format, origin: Origin) -> Iterator[Item]:
    """Yield what a record holds (see `Record`)."""
    if "omitted" in record:
        yield Omission(origin.name, record["omitted"])
    elif "data" in record:
        yield from _archived(record, kind, origin)
    elif "place" in record:
        source = f"{origin.name}, {record['place']}"
        try:
            yield from to_article(record, source)
        except InputError as error:
            yield Failure(source, str(error))
    elif "partial" not in record:
        yield from _article(record, kind, origin)
    elif record["partial"] and record["url"]:
        yield Link(record["url"], record["title"], record["key"])
    elif not record["text"]:
        name = f"“{record['title']}”" if record["title"] else "An entry without a title"
        nothing = f"{name} has neither a text nor a link: add its page."
        yield Omission(origin.name, nothing)
    else:
        try:
            yield from to_article(record, origin.name, key=record["key"])
        except InputError as error:
            yield Omission(origin.name, f"“{record['title']}” cannot be used. {error}")


def _article(record: Record, kind: Format, origin: Origin) -> Iterator[Article | Omission]:
    """Yield the article of a file or page; its id is given, or made from its URL or path."""
    if origin.url:
        return to_article({**record, "url": record.get("url") or origin.url}, origin.url)
    path = origin.upload or str(Path(origin.name).resolve())
    if record.get("key"):  # a mail is the same mail in whatever file it is
        return to_article(record, path, key=record["key"])
    if kind == "html" and record.get("url"):  # a saved page is the page at its URL
        return to_article(record, path)
    stem = Path(origin.name).name.split(".")[0].lower()
    slug = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:48] or "report"
    return to_article(record, path, f"{slug}-{digest(path)[:12]}")


def _archived(record: Record, kind: Format, origin: Origin) -> Iterator[Item]:
    """Yield the items in a file of an archive, or in an attachment of a mail."""
    if len(origin.within) >= _MAX_WITHIN or (kind == "zip" and "zip" in origin.within):
        raise SourceError(f"{origin.name} is packed inside another: unpack it first.")
    path = f"/{record['name']}"
    inner = Origin(
        name=origin.name + path,
        upload=f"{place}{path}" if (place := origin.upload or origin.url) else None,
        within=(*origin.within, kind),
    )
    try:
        yield from read(io.BytesIO(base64.b64decode(record["data"])), inner)
    except InputError as error:
        yield Failure(inner.name, str(error))


def json_line(article: Article) -> bytes:
    """Return an article as a JSON line, from which the same article is read."""
    row = {"id": article.article_id} | {name: getattr(article, name) for name in _WRITTEN}
    filled = {name: value for name, value in row.items() if value}
    return json.dumps(filled, ensure_ascii=False, default=datetime.isoformat).encode() + b"\n"
