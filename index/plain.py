"""Text, Markdown and JSON lines -> articles, and the fields that all formats share."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import chardet
from markdown_it import MarkdownIt

from index.article import MAX_ID_CHARS, Article
from index.errors import InputError, SourceError

MAX_BYTES = 20_000_000  # of one article, and of one line of JSON
_TITLE_CHARS = 90
_LINE_CHARS = 300
_GUESSABLE = ("title", "publisher", "author", "published", "language", "url")
_CONTROL = {code: None for code in range(32) if chr(code) not in "\t\n"} | {0x7F: None}
_HIDDEN = _CONTROL | {code: None for code in range(0x80, 0xA0) if code != 0x85}  # noqa: PLR2004
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*\n", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?:;,…][\"'”’)\]]*$")
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be read or stored, and what to do about it."""

    source: str
    error: str


@dataclass(frozen=True, slots=True)
class Link:
    """A report that a feed names and does not hold: its page has to be fetched.

    `summary` is the feed's own text and no article: it may be cut short or written by others.
    """

    url: str
    title: str
    published: datetime | None
    summary: str


@dataclass(frozen=True, slots=True)
class Page:
    """A file or address that was read to its end without a failure, or had not changed.

    Attributes:
        etag, modified: what tells whether it changes: a server's ETag and Last-Modified, or time
            and size of a file.
        articles: ids of what it held.
        links: addresses of the reports that it only names.
        unchanged: it was not read, since it is as it was.
    """

    address: str
    etag: str | None
    modified: str | None
    articles: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    unchanged: bool = False


Item = Article | Failure | Page


@dataclass(frozen=True, slots=True)
class Place:
    """Where bytes come from, and what their sender says of them.

    Attributes:
        name: of the file, or the address; it is shown, and its suffix breaks ties.
        url: where they were fetched; None for a file.
        limit: bytes of one article.
        inside: they were packed in a zip archive, which must not hold another.
        origin: what stands for a file without a lasting place, in ids and as the source.
    """

    name: str
    url: str | None = None
    content_type: str | None = None
    charset: str | None = None
    limit: int = MAX_BYTES
    inside: bool = False
    origin: str | None = None


def decode(data: bytes, name: str) -> str:
    """Bytes -> text: by byte order mark, as UTF-8, else as what chardet takes it for.

    Line ends become newlines and control characters go; all else stays as it is.

    Raises:
        SourceError: it is no text.
    """
    encoding = next((e for mark, e in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        first = max(0, error.start - 100_000)  # what comes before may be ASCII and tell nothing
        guess = chardet.detect(  # with DOS code pages allowed, it sees them in “smart” quotes
            data[first : first + 200_000],
            encoding_era=chardet.EncodingEra.MODERN_WEB,
            prefer_superset=True,
        )
        try:
            text = data.decode(guess["encoding"] or "")
        except (LookupError, UnicodeDecodeError):
            raise SourceError(f"{name} is not text: save it as UTF-8 text.") from None
    controls = sum(text.count(chr(code)) for code in _CONTROL if chr(code) not in "\r\f\v\x1b")
    if controls > max(2, len(text) // 200):
        raise SourceError(f"{name} looks like a binary file, not text: save it as UTF-8 text.")
    return clean(text)


def clean(text: str) -> str:
    """Text as it is stored: line ends as newlines, no control characters, no lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return _SURROGATE.sub("\ufffd", text.translate(_HIDDEN)).lstrip("\ufeff")


def whole(file: IO[bytes], place: Place) -> bytes:
    """All bytes of one article. Raises SourceError where there are more than the limit."""
    data = file.read(place.limit + 1)
    if len(data) > place.limit:
        raise SourceError(
            f"{place.name} is larger than {place.limit // 1_000_000} MB: "
            "split it into one file a report."
        )
    return data


def _text(file: IO[bytes], place: Place) -> str:
    text = decode(whole(file, place), place.name)
    if not text.strip():
        raise SourceError(f"{place.name} is empty: there is nothing to quote.")
    return text


def plain_text(file: IO[bytes], place: Place) -> Iterator[Item]:
    """One report; a short first line without a full stop is its title."""
    fields, body = _front_matter(_text(file, place))
    first, _, rest = body.strip().partition("\n")
    headline = first.strip()
    looks_like_title = len(headline) <= _TITLE_CHARS * 2 and not _SENTENCE_END.search(headline)
    if not fields.get("title") and rest.strip() and looks_like_title:
        fields, body = {**fields, "title": headline}, rest
    yield from_file({**fields, "text": body}, place)


def markdown(file: IO[bytes], place: Place) -> Iterator[Item]:
    """One report; its first heading of the first level is its title."""
    fields, body = _front_matter(_text(file, place))
    blocks, title = [], fields.get("title")
    tokens = _MARKDOWN.parse(body)
    row: list[str] = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "tr_close":
            blocks.append(" | ".join(cell for cell in row if cell))
            row = []
        elif token.type in {"fence", "code_block"}:
            blocks.append(token.content.strip("\n"))
        elif token.type == "inline":
            text = _inline(token.children or [])
            if before is not None and before.type in {"td_open", "th_open"}:
                row.append(text)
            elif not title and before is not None and before.tag == "h1":
                title = text
            else:
                blocks.append(text)
    text = "\n\n".join(block for block in blocks if block.strip())
    yield from_file({**fields, "title": title or "", "text": text}, place)


def _inline(tokens: list[Any]) -> str:
    written = {"text", "code_inline", "text_special"}
    breaks = {"softbreak": " ", "hardbreak": "\n"}
    return "".join(
        token.content if token.type in written else breaks.get(token.type, "") for token in tokens
    )


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """`key: value` lines between two lines of three dashes, and what follows them."""
    found = _FRONT_MATTER.match(text)
    if not found:
        return {}, text
    pairs = (line.partition(":") for line in found[1].splitlines() if ":" in line)
    fields = {key.strip().lower(): value.strip().strip("\"'") for key, _, value in pairs}
    return fields, text[found.end() :]


def from_file(fields: Mapping[str, Any], place: Place) -> Article:
    """The one article of a file or page; its id is given, or made from where it is."""
    if place.url:
        address = fields.get("url") or place.url
        made = {"url": address, "_id": fields.get("id") or _digest(str(address))[:12]}
        return replace(from_fields({**fields, **made}, place.url), named=bool(fields.get("id")))
    where = place.origin or str(Path(place.name).resolve())
    stem = re.sub(r"[^a-z0-9]+", "-", Path(place.name).name.split(".")[0].lower()).strip("-")[:48]
    made = {"_id": fields.get("id") or f"{stem or 'report'}-{_digest(where)[:12]}"}
    return replace(from_fields({**fields, **made}, where), named=bool(fields.get("id")))


def json_lines(file: IO[bytes], place: Place) -> Iterator[Item]:
    """One report a line; a line that cannot be used fails alone."""
    number = 0
    while line := file.readline(place.limit + 1):
        number += 1
        where = f"{place.name}, line {number}"
        if len(line) > place.limit:
            too_long = f"The line is longer than {place.limit // 1_000_000} MB: shorten it."
            yield Failure(where, too_long)
            while line and not line.endswith(b"\n"):
                line = file.readline(place.limit)
        elif line.strip():
            yield _row(line, where)


def _row(line: bytes, where: str) -> Item:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return Failure(where, "This is not a JSON object in UTF-8 on one line: mend the line.")
    if not isinstance(row, dict):
        return Failure(where, 'This is not a JSON object like {"title": …, "text": …}.')
    metadata = row.get("metadata")
    fields = {**(metadata if isinstance(metadata, dict) else {}), **row}
    try:
        return from_fields(fields, where)
    except InputError as error:
        return Failure(where, str(error))


def from_fields(fields: Mapping[str, Any], source: str) -> Article:
    """An article of named fields, under any of the names that are in use."""
    text = _string(fields, "text")
    if text is None:
        raise SourceError("It has no text: put the report into “text”.")
    title = _line(fields, "title")
    url = _string(fields, "url")
    given = _string(fields, "_id", "id", "article_id")
    if given and len(given) > MAX_ID_CHARS:
        raise SourceError(f"Its id is longer than {MAX_ID_CHARS} characters: shorten it.")
    return Article(
        article_id=given or _digest(url or (title or "") + "\x00" + text)[:12],
        title=title or _opening(text),
        text=text,
        publisher=_line(fields, "publisher", "source"),
        author=_line(fields, "author"),
        published=_date(_string(fields, "published", "published_at")),
        url=url if url and re.match(r"https?://", url) else None,
        language=_string(fields, "language") or "en",
        source=source,
        guessed=_names(fields.get("guessed")),
        named=given is not None,
    )


def _names(value: Any) -> tuple[str, ...]:
    """Which fields an exported row calls guessed."""
    named = value if isinstance(value, list) else []
    return tuple(dict.fromkeys(name for name in named if name in _GUESSABLE))


def _line(fields: Mapping[str, Any], *names: str) -> str | None:
    """A field that is shown on one line, and no longer than one reads."""
    text = _string(fields, *names)
    return " ".join(text[: 2 * _LINE_CHARS].split())[:_LINE_CHARS] if text else None


def _string(fields: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        value = fields.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = clean(str(value))
            if text.strip():
                return text if name == "text" else text.strip()
        elif value is not None and name in {"text", "title"}:
            raise SourceError(f"Its “{name}” is not a string: make it one.")
    return None


def _date(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        return moment.replace(microsecond=0)  # as it is stored
    except (ValueError, OverflowError):
        raise SourceError(
            f"Its date “{value[:40]}” is not ISO 8601: write it like 2026-03-14T09:30:00+00:00."
        ) from None


def _opening(text: str) -> str:
    """The first words, for a report without a title."""
    words = " ".join(text[: _TITLE_CHARS * 3].split())
    return words if len(words) <= _TITLE_CHARS else words[:_TITLE_CHARS].rsplit(" ", 1)[0] + "…"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
