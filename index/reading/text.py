"""Decode bytes, read text, Markdown and rows of JSON, and build an Article from named fields."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import chardet
from markdown_it import MarkdownIt

from index.domain import MAX_ID_CHARS, Article
from index.errors import SourceError

Record = dict[str, Any]
"""Fields of a report by name, as read from some format."""

MAX_TITLE_CHARS = 180  # a longer first line is a paragraph
_MAX_LINE_CHARS = 300  # of a title, author or publisher
_OPENING_CHARS = 90  # of the text that stands in for a missing title
_GUESSABLE = ("author", "language", "published", "publisher", "title", "url")
_CONTROLS = {code: None for code in range(32) if chr(code) not in "\t\n"} | {0x7F: None}
_REMOVED = _CONTROLS | {code: None for code in range(0x80, 0xA0) if code != 0x85}  # noqa: PLR2004
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*\n", re.DOTALL)
_LATIN = frozenset({"iso-8859-1", "latin-1", "latin1", "us-ascii"})  # in practice Windows-1252
_ASCII = frozenset(map(chr, range(128)))
_TYPOGRAPHY = frozenset("€…‘’“”•–—™£©®°§½«»")  # what English uses of Windows-1252 beyond ASCII
_SENTENCE_END = re.compile(r"[.!?:;,…][\"'”’)\]]*$")  # as in: “Run,” she said.
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
_INLINE_BREAKS = {"softbreak": " ", "hardbreak": "\n"}


def decode(data: bytes, charset: str | None = None) -> str:
    """Decode as UTF-8, else by the charset that the sender names, else by the likeliest one.

    Line ends become newlines and control characters are dropped; nothing else changes.

    Raises:
        SourceError: this is not text; the message lacks its subject.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = _decode_detected(data, error.start, charset)
    controls = sum(text.count(chr(code)) for code in _CONTROLS if chr(code) not in "\r\f\v\x1b")
    if controls > max(2, len(text) // 200):
        raise SourceError("looks like a binary file: save it as UTF-8 text")
    return clean(text)


def _decode_detected(data: bytes, start: int, charset: str | None) -> str:
    """Decode by the named charset, or by what the bytes around `start` look like."""
    first = max(0, start - 100_000)  # the bytes before may be ASCII and tell nothing
    # DOS code pages are left out: chardet would find them in “smart” quotes.
    attempts: list[dict[str, Any]] = [{"encoding_era": chardet.EncodingEra.MODERN_WEB}]
    # From a few marks alone chardet infers letters: “Ł5 million” for “£5 million”.
    if {*data[start:].decode("windows-1252", "replace")} - _ASCII <= _TYPOGRAPHY:
        attempts.insert(0, {"include_encodings": ["windows-1252"]})
    if charset:
        named = "windows-1252" if charset.lower() in _LATIN else charset
        attempts.insert(0, {"include_encodings": [named]})
    for options in attempts:
        try:
            sample = data[first : first + 200_000]
            encoding = chardet.detect(sample, prefer_superset=True, **options)["encoding"]
            return data.decode(encoding or "")
        except (ValueError, LookupError):  # an unknown charset, or the wrong one
            continue
    raise SourceError("is not text: save it as UTF-8 text")


def clean(text: str) -> str:
    """Text as it is stored: newlines for line ends, no control characters, no lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return _SURROGATE.sub("\ufffd", text.translate(_REMOVED)).lstrip("\ufeff")


def is_headline(line: str) -> bool:
    """Whether a line is short and does not end like a sentence."""
    return len(line) <= MAX_TITLE_CHARS and not _SENTENCE_END.search(line)


def read_text(text: str) -> Record:
    """Read one report; a first line that looks like a headline is its title."""
    fields, body = _front_matter(text)
    first, _, rest = body.strip().partition("\n")
    if not fields.get("title") and rest.strip() and is_headline(first.strip()):
        return {**fields, "title": first.strip(), "text": rest}
    return {**fields, "text": body}


def read_markdown(data: bytes) -> list[Record]:
    """Read one report in UTF-8; the first `#` heading is its title.

    Runs in the sandbox: some inputs take minutes to parse.
    """
    fields, body = _front_matter(data.decode())
    blocks: list[str] = []
    cells: list[str] = []  # of the table row that is being read
    tag = ""  # that encloses the inline text
    for token in _MARKDOWN.parse(body):
        if token.type == "tr_close":
            blocks.append(" | ".join(filter(None, cells)))
            cells = []
        elif token.type in {"fence", "code_block"}:
            blocks.append(token.content.strip("\n"))
        elif token.type == "inline":
            words = _inline(token.children or [])
            if tag == "h1" and not fields.get("title"):
                fields["title"] = words
            else:
                (cells if tag in {"td", "th"} else blocks).append(words)
        tag = token.tag
    return [{**fields, "text": "\n\n".join(block for block in blocks if block.strip())}]


def _inline(tokens: list[Any]) -> str:
    texts = {"text", "code_inline", "text_special"}
    return "".join(
        token.content if token.type in texts else _INLINE_BREAKS.get(token.type, "")
        for token in tokens
    )


def _front_matter(text: str) -> tuple[Record, str]:
    """Split off `key: value` lines between two lines of three dashes.

    This is simpler than YAML on purpose: “title: Dam: the night” needs no quotes.
    """
    match = _FRONT_MATTER.match(text)
    if not match:
        return {}, text
    pairs = (line.partition(":") for line in match[1].splitlines() if ":" in line)
    fields = {key.strip().lower(): value.strip().strip("\"'") for key, _, value in pairs}
    return fields, text[match.end() :]


def read_row(line: bytes) -> Record:
    """Read a line of JSON in our form or BEIR's. Raises SourceError with a whole sentence."""
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise SourceError(
            'This line is not a JSON object: write it in UTF-8 like {"title": "…", "text": "…"}.'
        )
    metadata = row.get("metadata")
    return {**(metadata if isinstance(metadata, dict) else {}), **row}


def to_article(fields: Mapping[str, Any], source: str, article_id: str | None = None) -> Article:
    """Build an article from fields, under any of the names in use.

    Args:
        fields: text, title, url and so on.
        source: where they were read.
        article_id: for fields without an id; the default is a hash of the URL, or of the text.

    Raises:
        InputError: a field cannot be used; the message is a whole sentence.
    """
    text = _string(fields, "text")
    if text is None:
        raise SourceError("It has no text: put the report into “text”.")
    title = _line(fields, "title")
    url = _string(fields, "url")
    own_id = _string(fields, "_id", "id", "article_id")
    if own_id and len(own_id) > MAX_ID_CHARS:
        raise SourceError(f"Its id is longer than {MAX_ID_CHARS} characters: shorten it.")
    marks = fields.get("guessed")
    guessed = [*(marks if isinstance(marks, list) else []), *([] if title else ["title"])]
    return Article(
        article_id=own_id or article_id or digest(url or (title or "") + "\x00" + text)[:12],
        title=title or _opening(text),
        text=text,
        publisher=_line(fields, "publisher", "source"),
        author=_line(fields, "author"),
        published=_date(_string(fields, "published", "published_at")),
        url=url if url and re.match(r"https?://", url) else None,
        language=_string(fields, "language") or "en",
        source=source,
        guessed=tuple(name for name in _GUESSABLE if name in guessed),
        id_given=own_id is not None,
    )


def digest(text: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _line(fields: Mapping[str, Any], *names: str) -> str | None:
    """A field on one line, cut to a readable length."""
    text = _string(fields, *names)
    return " ".join(text[: 2 * _MAX_LINE_CHARS].split())[:_MAX_LINE_CHARS] if text else None


def _string(fields: Mapping[str, Any], *names: str) -> str | None:
    """The first of these fields that has a value. Raises SourceError for a text of another type."""
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
        return moment.replace(microsecond=0)  # the store keeps seconds
    except (ValueError, OverflowError):
        raise SourceError(
            f"Its date “{value[:40]}” is not ISO 8601: write it like 2026-03-14T09:30:00+00:00."
        ) from None


def _opening(text: str) -> str:
    """The first words of a text, to show where a title is missing."""
    words = " ".join(text[: _OPENING_CHARS * 3].split())
    return words if len(words) <= _OPENING_CHARS else words[:_OPENING_CHARS].rsplit(" ", 1)[0] + "…"
