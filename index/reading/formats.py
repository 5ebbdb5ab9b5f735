"""Bytes -> articles: one reader a format, in one table, chosen by what the bytes are.

A name or a content type decides only between what looks alike: text, Markdown, JSON lines and
fragments of HTML. What strangers make and large libraries take apart (Markdown, HTML, PDF, Word,
feeds, zip) is read in a sandbox.
"""

from __future__ import annotations

import base64
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Literal, cast
from urllib.parse import urlsplit

from index.domain import Article
from index.errors import InputError, SourceError
from index.reading.sandbox import Sandbox
from index.reading.text import (
    Failure,
    Link,
    Record,
    decode,
    digest,
    from_fields,
    plain_text,
    row,
)

MAX_BYTES = 20_000_000  # of one article, and of one line of JSON

Found = Article | Failure | Link
Format = Literal["text", "markdown", "json lines", "html", "feed", "pdf", "zip", "old office"]

_ENDINGS: Mapping[Format, str] = {
    "text": ".txt",
    "markdown": ".md .markdown",
    "json lines": ".jsonl .ndjson",
    "html": ".html .htm .xhtml",
    "feed": ".rss .atom .xml",
    "pdf": ".pdf",
    "zip": ".docx .zip",
}
SUFFIXES = {suffix: kind for kind, suffixes in _ENDINGS.items() for suffix in suffixes.split()}
_TYPES: Mapping[str, Format] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "application/jsonl": "json lines",
    "application/x-ndjson": "json lines",
}
_HEAD = 4_096  # bytes that tell a format
_GZIP = b"\x1f\x8b"
_MAX_RATIO = 200  # of what a gzip file unpacks to beyond MAX_BYTES
_PROLOGUE = r"(?:\s|<\?(?:(?!\?>).)*\?>|<!--(?:(?!-->).)*-->|<!doctype(?!\s+html)[^<>[]*>)*"
_SIGNS: tuple[tuple[re.Pattern[str], Format], ...] = (
    (re.compile(r"\s*%PDF-"), "pdf"),
    (re.compile("PK(?:\x03\x04|\x05\x06)"), "zip"),
    (re.compile("\xd0\xcf\x11\xe0"), "old office"),
    (re.compile(_PROLOGUE + r"<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL), "html"),
    (re.compile(_PROLOGUE + r"<(?:rss|feed|rdf:rdf)\b", re.IGNORECASE | re.DOTALL), "feed"),
    (re.compile(r"\s*<\?xml\b"), "feed"),  # which then says that it is none
    (re.compile(r'\s*\{\s*"'), "json lines"),
)
_TAG = re.compile(r"<(?:[a-z][a-z0-9]*\b|!--)", re.IGNORECASE)
_SANDBOX = Sandbox()


@dataclass(frozen=True, slots=True)
class Place:
    """Where bytes come from, and what their sender says of them.

    Attributes:
        name: of the file, or the address; it is shown, and its suffix breaks ties.
        url: where they were fetched; None for a file.
        inside: they were packed in a zip archive, which must not hold another.
        origin: what stands for a file without a lasting place, in ids and as the source.
    """

    name: str
    url: str | None = None
    content_type: str | None = None
    charset: str | None = None
    inside: bool = False
    origin: str | None = None


def read(file: IO[bytes], place: Place) -> Iterator[Found]:
    """The articles of a file or a fetched page, one after another; `file` can be rewound.

    Raises:
        InputError: it cannot be read, or not to its end; what came before stands.
    """
    head = _head(file)
    most = None
    try:
        if head.startswith(_GZIP):
            most = max(MAX_BYTES, _MAX_RATIO * file.seek(0, io.SEEK_END))
            file.seek(0)
            file = cast("IO[bytes]", gzip.GzipFile(fileobj=file))
            head = _head(file)
        elif place.name.lower().endswith(".gz") and not place.url:
            raise gzip.BadGzipFile
        kind = format_of(head, place)
        if kind == "json lines":
            yield from rows(file, place.name, most)
            return
        for record in _records(kind, file, place):
            yield from _items(record, kind, place)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise SourceError(f"{place.name} is a damaged gzip file: make it again.") from None


def format_of(head: bytes, place: Place) -> Format:
    """What a file is, by its first bytes; what they leave open, by its type and suffix."""
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = head.decode("utf-16" if wide else "latin-1", "replace").removeprefix("\xef\xbb\xbf")
    for sign, found in _SIGNS:
        if sign.match(text):
            return found
    told = _TYPES.get(place.content_type or "") or SUFFIXES.get(suffix_of(place.name))
    if told == "pdf" and b"%PDF-" in head[:1024]:
        return "pdf"
    if told == "html" and _TAG.search(text):
        return "html"
    return told if told in {"markdown", "json lines"} else "text"


def suffix_of(name: str) -> str:
    """The suffix of a file name or of an address's path, in lower case, without .gz."""
    path = urlsplit(name).path if name.startswith(("http://", "https://")) else name
    return PurePosixPath(path.lower().removesuffix(".gz")).suffix


def _head(file: IO[bytes]) -> bytes:
    head = file.read(_HEAD)
    file.seek(0)
    return head


# The readers


def rows(file: IO[bytes], name: str, most: int | None = None) -> Iterator[Article | Failure]:
    """JSON lines: one report a line; a line that cannot be used fails alone.

    Raises:
        SourceError: there are more than `most` bytes.
    """
    number = total = 0
    ended = True
    while part := file.readline(MAX_BYTES + 1):
        total += len(part)
        if most and total > most:
            raise SourceError("It unpacks to far more than it is: split it.")
        begins, ended = ended, part.endswith(b"\n")
        number += begins
        where = f"{name}, line {number}"
        if begins and len(part) > MAX_BYTES:
            too_long = f"The line is longer than {MAX_BYTES // 1_000_000} MB: shorten it."
            yield Failure(where, too_long)
        elif begins and part.strip():
            try:
                yield from_fields(row(part), where)
            except InputError as error:
                yield Failure(where, str(error))


def _apart(function: str, data: bytes, **options: str | None) -> list[Record]:
    return cast("list[Record]", _SANDBOX.run(f"index.reading.{function}", data, **options))


READERS: Mapping[Format, Callable[[bytes, Place], list[Record]]] = {
    "text": lambda data, _: [plain_text(decode(data))],
    "markdown": lambda data, _: _apart("text.markdown", decode(data).encode()),
    "html": lambda data, place: _apart(
        "web.page", decode(data, place.charset).encode(), url=place.url
    ),
    "feed": lambda data, place: _apart("web.feed", data, url=place.url),
    "pdf": lambda data, _: _apart("pdf.portable", data),
    "zip": lambda data, _: _apart("web.packed", data),
}
"""All but JSON lines, which come one by one; what they raise is a sentence without a subject."""


def _records(kind: Format, file: IO[bytes], place: Place) -> list[Record]:
    try:
        data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise SourceError(
                f"is larger than {MAX_BYTES // 1_000_000} MB: split it into one file a report"
            )
        if not data.strip():
            raise SourceError("is empty: there is nothing to quote")
        if kind == "old office":
            raise SourceError(
                "is an old or a locked Office file: save it as .docx without a password"
            )
        return READERS[kind](data, place)
    except SourceError as error:
        raise SourceError(f"{place.name} {error}.") from None


def _items(record: Record, kind: Format, place: Place) -> Iterator[Found]:
    """What a record stands for: an article, a link to one, or a file of an archive."""
    if "data" in record:
        yield from _unpacked(record, place)
    elif kind != "feed":
        yield _article(record, place, known_by_address=kind == "html")
    elif not record["partial"]:
        try:
            yield from_fields(record, place.name)
        except InputError as error:
            yield Failure(place.name, str(error))
    elif record["url"]:
        yield Link(record["url"], record["title"])
    else:
        yield Failure(place.name, f"“{record['title']}” has neither a text nor an address.")


def _article(fields: Record, place: Place, *, known_by_address: bool) -> Article:
    """The one article of a file or page; its id is given, or made from where it is."""
    if place.url:
        return from_fields({**fields, "url": fields.get("url") or place.url}, place.url)
    where = place.origin or str(Path(place.name).resolve())
    stem = re.sub(r"[^a-z0-9]+", "-", Path(place.name).name.split(".")[0].lower()).strip("-")[:48]
    made = f"{stem or 'report'}-{digest(where)[:12]}"
    return from_fields(fields, where, None if known_by_address and fields.get("url") else made)


def _unpacked(record: Record, place: Place) -> Iterator[Found]:
    """The articles of a file in a zip archive, where it is of a format that is read."""
    if place.inside:
        raise SourceError(f"{place.name} is a zip archive inside another: unpack it first.")
    path = f"/{record['name']}"
    if suffix_of(path) not in SUFFIXES:
        return
    origin = place.origin and place.origin + path
    inner = replace(place, name=place.name + path, origin=origin, inside=True)
    try:
        yield from read(io.BytesIO(base64.b64decode(record["data"])), inner)
    except InputError as error:
        yield Failure(inner.name, str(error))
