"""Bytes -> articles: one reader a format, in one table, chosen by what the bytes are.

A name or a content type decides only between what looks alike: text, Markdown, JSON lines and
fragments of HTML. What strangers make and large libraries take apart (HTML, PDF, Word, feeds,
zip) is read in a sandbox.
"""

from __future__ import annotations

import base64
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import IO, Any, Literal, cast
from urllib.parse import urlsplit

from index.article import Article
from index.errors import InputError, SourceError
from index.plain import (
    MAX_BYTES,
    Failure,
    Item,
    Link,
    Place,
    decode,
    from_fields,
    from_file,
    json_lines,
    markdown,
    plain_text,
    whole,
)
from index.sandbox import Sandbox

Format = Literal["text", "markdown", "json lines", "html", "feed", "pdf", "zip", "old office"]
Reader = Callable[[IO[bytes], Place], Iterator[Item | Link]]

SUFFIXES: Mapping[str, Format] = {
    ".txt": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".rss": "feed",
    ".atom": "feed",
    ".xml": "feed",
    ".pdf": "pdf",
    ".docx": "zip",
    ".zip": "zip",
}
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
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_CHARSET = re.compile(
    r"utf-?(?:8|16|16le|16be)|(?:windows-|cp-?)\d+|iso-?8859-\d+|latin-?1|us-ascii|koi8-[ru]"
    r"|gbk|gb2312|gb18030|big5|shift[_-]jis|euc-(?:jp|kr)|iso-2022-jp"
)
_SANDBOX = Sandbox()


def read(file: IO[bytes], place: Place) -> Iterator[Item | Link]:
    """The articles of a file or a fetched page, one after another; `file` can be rewound.

    Raises:
        InputError: it cannot be read, or not to its end; what came before stands.
    """
    head = _head(file)
    try:
        if head.startswith(_GZIP):
            file = cast("IO[bytes]", _Gunzip(file))
            head = _head(file)
        elif place.name.lower().endswith(".gz") and not place.url:
            raise gzip.BadGzipFile
        yield from READERS[format_of(head, place)](file, place)
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


class _Gunzip(gzip.GzipFile):
    """A gzip file that is not read on when it turns out to be a bomb."""

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__(fileobj=packed)
        self._packed = packed

    def readline(self, size: int | None = -1) -> bytes:
        if self.tell() > max(MAX_BYTES, _MAX_RATIO * self._packed.tell()):
            raise SourceError("It unpacks to far more than it is: split it.")
        return super().readline(size)


def _head(file: IO[bytes]) -> bytes:
    head = file.read(_HEAD)
    file.seek(0)
    return head


def _page(file: IO[bytes], place: Place) -> Iterator[Item | Link]:
    data = _decoded(whole(file, place), place).encode()
    for record in _records("index.markup.page", data, place, url=place.url):
        yield _article(record, place)


def _pdf(file: IO[bytes], place: Place) -> Iterator[Item | Link]:
    for record in _records("index.portable.portable", whole(file, place), place):
        yield _article(record, place)


def _feed(file: IO[bytes], place: Place) -> Iterator[Item | Link]:
    for record in _records("index.markup.feed", whole(file, place), place, url=place.url):
        try:
            entry = from_fields({**record, "text": record["text"] or "…"}, place.name)
        except InputError as error:
            yield Failure(place.name, str(error))
            continue
        if not record["partial"]:
            yield replace(entry, guessed=tuple(record["guessed"]))
        elif entry.url:
            yield Link(entry.url, entry.title, entry.published, record["text"])
        else:
            yield Failure(place.name, f"“{entry.title}” has neither a text nor an address.")


def _packed(file: IO[bytes], place: Place) -> Iterator[Item | Link]:
    """A Word file, or a zip archive with files of any other format."""
    nested = "yes" if place.inside else None
    records = _records("index.packed.packed", whole(file, place), place, nested=nested)
    for record in records:
        if "data" not in record:
            yield _article(record, place)
        elif suffix_of(record["name"]) in SUFFIXES:
            path = f"/{record['name']}"
            inner = replace(
                place,
                name=place.name + path,
                inside=True,
                origin=place.origin and place.origin + path,
            )
            try:
                yield from read(io.BytesIO(base64.b64decode(record["data"])), inner)
            except InputError as error:
                yield Failure(inner.name, str(error))


def _old_office(_: IO[bytes], place: Place) -> Iterator[Item | Link]:
    raise SourceError(
        f"{place.name} is an old or a locked Office file: save it as .docx without a password."
    )


def _records(
    function: str, data: bytes, place: Place, **options: str | None
) -> list[dict[str, Any]]:
    try:
        found = _SANDBOX.run(function, data, **options)
    except SourceError as error:
        raise SourceError(f"{place.name} {error}.") from None
    return list(found)


def _article(record: Mapping[str, Any], place: Place) -> Article:
    if record.get("url") and not place.url:  # a saved page that tells its address
        place = replace(place, url=str(record["url"]))
    untitled = () if record.get("title") else ("title",)  # the opening words stand for it
    return replace(from_file(record, place), guessed=(*record["guessed"], *untitled))


def _decoded(data: bytes, place: Place) -> str:
    """A page's text: by byte order mark, as its sender or itself says, else as it looks."""
    said = _META_CHARSET.search(data[:_HEAD])
    for charset in (place.charset, said and said[1].decode("ascii", "replace")):
        name = (charset or "").lower()
        if _CHARSET.fullmatch(name) and not data.startswith(
            (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
        ):
            latin = name in {"iso-8859-1", "latin-1", "latin1", "us-ascii"}
            try:
                return data.decode("cp1252" if latin else name)
            except (UnicodeDecodeError, LookupError):
                continue
    return decode(data, place.name)


READERS: Mapping[Format, Reader] = {
    "text": plain_text,
    "markdown": markdown,
    "json lines": json_lines,
    "html": _page,
    "feed": _feed,
    "pdf": _pdf,
    "zip": _packed,
    "old office": _old_office,
}
