"""What reading yields; and how bytes become text, and named fields an article."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import chardet
from markdown_it import MarkdownIt

from index.domain import MAX_ID_CHARS, Article
from index.errors import SourceError

Record = dict[str, Any]
"""Fields of a report by name, as a reader of some format found them."""

_TITLE_CHARS = 90
_LINE_CHARS = 300
_GUESSABLE = ("author", "language", "published", "publisher", "title", "url")
_CONTROL = {code: None for code in range(32) if chr(code) not in "\t\n"} | {0x7F: None}
_HIDDEN = _CONTROL | {code: None for code in range(0x80, 0xA0) if code != 0x85}  # noqa: PLR2004
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*\n", re.DOTALL)
_LATIN = frozenset({"iso-8859-1", "latin-1", "latin1", "us-ascii"})  # and Windows-1252 is meant
_ASCII = frozenset(map(chr, range(128)))
_TYPOGRAPHY = frozenset("€…‘’“”•–—™£©®°§½«»")  # all that English has beyond ASCII, in Windows-1252
SENTENCE_END = re.compile(r"[.!?:;,…][\"'”’)\]]*$")
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be read or stored, and what to do about it."""

    source: str
    error: str


@dataclass(frozen=True, slots=True)
class Link:
    """A report that a feed names and does not hold: its page has to be fetched."""

    url: str
    title: str


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


# Bytes -> text -> fields


def decode(data: bytes, charset: str | None = None) -> str:
    """Bytes -> text: as UTF-8, else in the charset that their sender names, else as they look.

    Line ends become newlines and control characters go; all else stays as it is.

    Raises:
        SourceError: they are no text; the sentence has no subject.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = _detected(data, error.start, charset)
    controls = sum(text.count(chr(code)) for code in _CONTROL if chr(code) not in "\r\f\v\x1b")
    if controls > max(2, len(text) // 200):
        raise SourceError("looks like a binary file, not text: save it as UTF-8 text")
    return clean(text)


def _detected(data: bytes, start: int, charset: str | None) -> str:
    """Text in the charset that is named, or is likely by what stands around `start`."""
    first = max(0, start - 100_000)  # what comes before may be ASCII and tell nothing
    # With DOS code pages allowed, it would see them in “smart” quotes.
    tries: list[dict[str, Any]] = [{"encoding_era": chardet.EncodingEra.MODERN_WEB}]
    # Of a few marks alone it would make letters: “Ł5 million” of “£5 million”.
    if {*data[start:].decode("windows-1252", "replace")} - _ASCII <= _TYPOGRAPHY:
        tries.insert(0, {"include_encodings": ["windows-1252"]})
    if charset:
        named = "windows-1252" if charset.lower() in _LATIN else charset
        tries.insert(0, {"include_encodings": [named]})
    for among in tries:
        try:
            found = chardet.detect(data[first : first + 200_000], prefer_superset=True, **among)
            return data.decode(found["encoding"] or "")
        except (ValueError, LookupError):  # a charset that nobody knows, or another one
            continue
    raise SourceError("is not text: save it as UTF-8 text")


def clean(text: str) -> str:
    """Text as it is stored: line ends as newlines, no control characters, no lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return _SURROGATE.sub("\ufffd", text.translate(_HIDDEN)).lstrip("\ufeff")


def plain_text(text: str) -> Record:
    """One report; a short first line without a full stop is its title."""
    fields, body = _front_matter(text)
    first, _, rest = body.strip().partition("\n")
    headline = first.strip()
    looks_like_title = len(headline) <= _TITLE_CHARS * 2 and not SENTENCE_END.search(headline)
    if not fields.get("title") and rest.strip() and looks_like_title:
        return {**fields, "title": headline, "text": rest}
    return {**fields, "text": body}


def markdown(data: bytes) -> list[Record]:
    """One report of UTF-8; its first heading of the first level is its title.

    Meant to run in a sandbox: brackets and stars without end take minutes.
    """
    fields, body = _front_matter(data.decode())
    blocks: list[str] = []
    row: list[str] = []
    around = ""  # the tag that was opened last
    for token in _MARKDOWN.parse(body):
        if token.type == "tr_close":
            blocks.append(" | ".join(filter(None, row)))
            row = []
        elif token.type in {"fence", "code_block"}:
            blocks.append(token.content.strip("\n"))
        elif token.type == "inline":
            words = _inline(token.children or [])
            if around == "h1" and not fields.get("title"):
                fields["title"] = words
            else:
                (row if around in {"td", "th"} else blocks).append(words)
        around = token.tag
    return [{**fields, "text": "\n\n".join(block for block in blocks if block.strip())}]


def _inline(tokens: list[Any]) -> str:
    written = {"text", "code_inline", "text_special"}
    breaks = {"softbreak": " ", "hardbreak": "\n"}
    return "".join(
        token.content if token.type in written else breaks.get(token.type, "") for token in tokens
    )


def _front_matter(text: str) -> tuple[Record, str]:
    """`key: value` lines between two lines of three dashes, and what follows them."""
    found = _FRONT_MATTER.match(text)
    if not found:
        return {}, text
    pairs = (line.partition(":") for line in found[1].splitlines() if ":" in line)
    fields = {key.strip().lower(): value.strip().strip("\"'") for key, _, value in pairs}
    return fields, text[found.end() :]


def row(line: bytes) -> Record:
    """A line of JSON in the form of BEIR or our own. Raises SourceError with a whole sentence."""
    try:
        found = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise SourceError(
            "This is not a JSON object in UTF-8 on one line: mend the line."
        ) from None
    if not isinstance(found, dict):
        raise SourceError('This is not a JSON object like {"title": …, "text": …}.')
    metadata = found.get("metadata")
    return {**(metadata if isinstance(metadata, dict) else {}), **found}


# Fields -> an article


def from_fields(fields: Mapping[str, Any], source: str, otherwise: str | None = None) -> Article:
    """An article of named fields, under any of the names that are in use.

    Without an id of its own it is known as `otherwise`, or by its address, or by its words.

    Raises:
        InputError: a field cannot be used; in a whole sentence.
    """
    text = _string(fields, "text")
    if text is None:
        raise SourceError("It has no text: put the report into “text”.")
    title = _line(fields, "title")
    url = _string(fields, "url")
    given = _string(fields, "_id", "id", "article_id")
    if given and len(given) > MAX_ID_CHARS:
        raise SourceError(f"Its id is longer than {MAX_ID_CHARS} characters: shorten it.")
    told = fields.get("guessed")
    guessed = [*(told if isinstance(told, list) else []), *([] if title else ["title"])]
    return Article(
        article_id=given or otherwise or digest(url or (title or "") + "\x00" + text)[:12],
        title=title or _opening(text),
        text=text,
        publisher=_line(fields, "publisher", "source"),
        author=_line(fields, "author"),
        published=_date(_string(fields, "published", "published_at")),
        url=url if url and re.match(r"https?://", url) else None,
        language=_string(fields, "language") or "en",
        source=source,
        guessed=tuple(name for name in _GUESSABLE if name in guessed),
        id_given=given is not None,
    )


def digest(text: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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
