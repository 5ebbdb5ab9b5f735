"""Recognise formats by content and read them as articles, with one reader per format.

A name or content type decides only between text, Markdown, JSON lines and fragments of HTML.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Literal, cast
from urllib.parse import urlsplit

from index.domain import Article, Failure
from index.errors import InputError, SourceError
from index.reading.isolation import Isolation
from index.reading.markup import stated_charset
from index.reading.sandbox import Sandbox
from index.reading.text import Record, decode, digest, read_row, read_text, to_article
from index.reading.urls import is_url

MAX_BYTES = 20_000_000  # of one report, and of one line of JSON
_LIMIT = f"{MAX_BYTES // 1_000_000} MB"
_MAX_GZIP_RATIO = 200  # beyond MAX_BYTES
_HEAD_BYTES = 4_096  # enough to recognise a format
Format = Literal["text", "markdown", "json lines", "html", "feed", "pdf", "zip", "old office"]
READABLE_SUFFIXES: Mapping[str, Format] = {
    ".txt": "text",
    **dict.fromkeys([".md", ".markdown"], "markdown"),
    **dict.fromkeys([".jsonl", ".ndjson"], "json lines"),
    **dict.fromkeys([".html", ".htm", ".xhtml"], "html"),
    **dict.fromkeys([".rss", ".atom", ".xml"], "feed"),
    ".pdf": "pdf",
    **dict.fromkeys([".docx", ".zip"], "zip"),
}
_CONTENT_TYPES: Mapping[str, Format] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "application/jsonl": "json lines",
    "application/x-ndjson": "json lines",
}
# What may come before a root tag: white space, <?xml …?>, <!-- … --> and <!DOCTYPE rss>.
_PROLOGUE = r"(?:\s|<\?(?:(?!\?>).)*\?>|<!--(?:(?!-->).)*-->|<!doctype(?!\s+html)[^<>[]*>)*"
_SIGNATURES: tuple[tuple[re.Pattern[str], Format], ...] = (
    (re.compile(r"\s*%PDF-"), "pdf"),
    (re.compile("PK(?:\x03\x04|\x05\x06)"), "zip"),
    (re.compile("\xd0\xcf\x11\xe0"), "old office"),
    (re.compile(_PROLOGUE + r"<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL), "html"),
    (re.compile(_PROLOGUE + r"<(?:rss|feed|rdf:rdf)\b", re.IGNORECASE | re.DOTALL), "feed"),
    (re.compile(r"\s*<\?xml\b"), "feed"),  # whose reader refuses other XML
    (re.compile(r'\s*\{\s*"'), "json lines"),
)
_TAG = re.compile(r"<(?:[a-z][a-z0-9]*\b|!--)", re.IGNORECASE)
_SANDBOX = Sandbox()
_WRITTEN = "title text publisher author published guessed_date url language guessed".split()


@dataclass(frozen=True, slots=True)
class Link:
    """A report that a feed only names: its page has to be fetched."""

    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where bytes come from, and what their sender says about them.

    `name` is a path or URL, which is shown and whose suffix breaks ties. `upload` identifies an
    upload, which has no lasting path. `in_archive`: a zip archive, which may not contain another.
    """

    name: str
    url: str | None = None
    content_type: str | None = None
    charset: str | None = None
    upload: str | None = None
    in_archive: bool = False


def read(file: IO[bytes], origin: Origin) -> Iterator[Article | Failure | Link]:
    """Yield the articles of a file or a fetched page; `file` must be seekable.

    Raises:
        InputError: it cannot be read, or not to its end; what was yielded before is valid.
    """
    max_bytes, head = None, file.read(_HEAD_BYTES)
    try:
        if head.startswith(b"\x1f\x8b"):
            max_bytes = max(MAX_BYTES, _MAX_GZIP_RATIO * file.seek(0, io.SEEK_END))
            file.seek(0)
            file = cast("IO[bytes]", gzip.GzipFile(fileobj=file))
            head = file.read(_HEAD_BYTES)
        elif origin.name.lower().endswith(".gz") and not origin.url:
            raise gzip.BadGzipFile
        file.seek(0)
        kind = recognise(head, origin)
        if kind == "json lines":
            yield from read_rows(file, origin.name, max_bytes)
        else:
            for record in _records(kind, file, origin):
                yield from _items(record, kind, origin)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise SourceError(f"{origin.name} is a damaged gzip file: compress it again.") from None


def recognise(head: bytes, origin: Origin) -> Format:
    """Return the format of a file by its first bytes, else by its content type and suffix."""
    is_utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = head.decode("utf-16" if is_utf16 else "latin-1", "replace").removeprefix("\xef\xbb\xbf")
    for signature, kind in _SIGNATURES:
        if signature.match(text):
            return kind
    named = _CONTENT_TYPES.get(origin.content_type or "")
    named = named or READABLE_SUFFIXES.get(suffix_of(origin.name))
    if named == "pdf" and b"%PDF-" in head[:1024]:  # some PDFs begin with junk
        return "pdf"
    if named == "html" and _TAG.search(text):
        return "html"
    return named if named in {"markdown", "json lines"} else "text"


def suffix_of(name: str) -> str:
    """Return the suffix of a file name or of a URL's path, in lower case, ignoring .gz."""
    path = urlsplit(name).path if is_url(name) else name
    return PurePosixPath(path.lower().removesuffix(".gz")).suffix


# The readers


def read_rows(
    file: IO[bytes], name: str, max_bytes: int | None = None
) -> Iterator[Article | Failure]:
    """Yield one article per line of JSON; a line that cannot be used fails alone.

    Raises:
        SourceError: there are more than `max_bytes`.
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
                yield to_article(read_row(part), source)
            except InputError as error:
                yield Failure(source, str(error))


def isolation_of_parsers() -> Isolation:
    """Parse a text in the sandbox, and return what its process gave up.

    Raises:
        SourceError: nothing can be parsed on this system.
    """
    _sandboxed("markup.read_markdown", b"A page of one paragraph.")
    return cast("Isolation", _SANDBOX.isolation)


def _sandboxed(reader: str, data: bytes, **options: str | None) -> list[Record]:
    return cast("list[Record]", _SANDBOX.run(f"index.reading.{reader}", data, **options))


# Errors that these readers raise lack their subject. JSON lines are read one by one instead.
_READERS: Mapping[Format, Callable[[bytes, Origin], list[Record]]] = {
    "text": lambda data, _: [read_text(decode(data))],
    "markdown": lambda data, _: _sandboxed("markup.read_markdown", decode(data).encode()),
    "html": lambda data, origin: _sandboxed(
        "pages.read_html",
        decode(data, origin.charset, stated_charset(data)).encode(),
        url=origin.url,
    ),
    "feed": lambda data, origin: _sandboxed("feeds.read_feed", data, url=origin.url),
    "pdf": lambda data, _: _sandboxed("pdf.read_pdf", data),
    "zip": lambda data, _: _sandboxed("office.read_zip", data),
}


def _records(kind: Format, file: IO[bytes], origin: Origin) -> list[Record]:
    try:
        data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise SourceError(f"is larger than {_LIMIT}: split it into one file per report")
        if not data.strip():
            raise SourceError("is empty: add a report")
        if kind == "old office":
            raise SourceError("is an old or locked Office file: save it as .docx, unlocked")
        return _READERS[kind](data, origin)
    except SourceError as error:
        raise SourceError(f"{origin.name} {error}.") from None


def _items(record: Record, kind: Format, origin: Origin) -> Iterator[Article | Failure | Link]:
    """Turn a record into an article, a link, or the articles of an archive's file."""
    if "data" in record:
        yield from _archived(record, origin)
    elif kind != "feed":
        yield _article(record, kind, origin)
    elif not record["partial"]:
        try:
            yield to_article(record, origin.name)
        except InputError as error:
            yield Failure(origin.name, str(error))
    elif record["url"]:
        yield Link(record["url"], record["title"])
    else:
        title = record["title"]
        yield Failure(origin.name, f"“{title}” has neither a text nor a link: add its page.")


def _article(record: Record, kind: Format, origin: Origin) -> Article:
    """The article of a file or page; its id is the given one, or made from its URL or path."""
    if origin.url:
        return to_article({**record, "url": record.get("url") or origin.url}, origin.url)
    path = origin.upload or str(Path(origin.name).resolve())
    if kind == "html" and record.get("url"):  # a saved page is the page
        return to_article(record, path)
    stem = Path(origin.name).name.split(".")[0].lower()
    slug = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:48] or "report"
    return to_article(record, path, f"{slug}-{digest(path)[:12]}")


def _archived(record: Record, origin: Origin) -> Iterator[Article | Failure | Link]:
    """The articles of a file in a zip archive; none if its format is unknown."""
    if origin.in_archive:
        raise SourceError(f"{origin.name} is a zip archive inside another: unpack it first.")
    path = f"/{record['name']}"
    if suffix_of(path) not in READABLE_SUFFIXES:
        return
    upload = origin.upload and origin.upload + path
    inner = replace(origin, name=origin.name + path, upload=upload, in_archive=True)
    try:
        yield from read(io.BytesIO(base64.b64decode(record["data"])), inner)
    except InputError as error:
        yield Failure(inner.name, str(error))


def json_line(article: Article) -> bytes:
    """Return an article as a JSON line that is read as the same article."""
    row = {"id": article.article_id} | {name: getattr(article, name) for name in _WRITTEN}
    filled = {name: value for name, value in row.items() if value}
    return json.dumps(filled, ensure_ascii=False, default=datetime.isoformat).encode() + b"\n"
