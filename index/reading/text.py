"""Decode bytes, read text and rows of JSON, and build an `Article` from named fields."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import chardet

from index.domain import Article
from index.errors import SourceError
from index.reading.items import Omission
from index.text.moments import read_moment

Record = dict[str, Any]
"""Fields of a report by name, as read from some format.

Some fields make it something else: `omitted` says why something was left out; `name` and `data` (in
base64) are a file in an archive. Others say more about a report: `place` is its row; `partial`
means that a feed has only its summary; `key` identifies it (see `Article`).
"""

FIELDS = frozenset(  # names in a row of JSON, a row of a table, and front matter
    "_id id article_id title text publisher source author published published_at guessed_date url"
    " language guessed".split()
)
MAX_TITLE_CHARS = 180  # a longer first line is a paragraph
_MAX_LINE_CHARS = 300  # length of a title, author or publisher
_OPENING_CHARS = 90  # length of the opening of the text, shown for a missing title
_GUESSABLE = ("author", "language", "publisher", "title", "url")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f]")  # but tab and line ends
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # what text files do not contain
_NO_TITLE = re.compile(  # "Untitled-1", "Microsoft Word - dam.docx", "dam.indd", "press_release_2"
    r"\s*(?:untitled.*|microsoft (?:office )?(?:word|powerpoint)\b.*|powerpoint presentation"
    r"|(?:document|slide|layout|page|scan)[ _-]?\d*|\S*_\S*|\S+-\S+-\S+"
    r"|.*\.(?:docx?|pdf|odt|rtf|txt|indd|qxd|pptx?|tex))?\s*",
    re.IGNORECASE,
)
_NO_TEXT = "is neither text nor in a format that can be read: save what it says as text, in UTF-8"
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*\n", re.DOTALL)
_LATIN = frozenset({"iso-8859-1", "latin-1", "latin1", "us-ascii"})  # in practice Windows-1252
_SEVEN_BITS = re.compile(r"iso-2022-|hz\b|(?:unicode-1-1-)?utf-?7\b", re.IGNORECASE)
_ASCII = frozenset(map(chr, range(128)))
_TYPOGRAPHY = frozenset("€…‘’“”•–—™£©®°§½«»")  # English marks of Windows-1252 beyond ASCII
_SENTENCE_END = re.compile(r"[.!?:;,…][\"'”’)\]]*$")  # as in: “Run,” she said.


def decode(data: bytes, *charsets: str | None) -> str:
    """Decode as UTF-8, else by the first stated charset that fits, else by the likeliest charset.

    A stated 7-bit charset goes first, since all its texts are also valid UTF-8. UTF-8 with a few
    bad bytes is still UTF-8, and these become �. Line ends become newlines and control characters
    are dropped; nothing else changes.

    Raises:
        SourceError: this is not text; the message lacks its subject.
    """
    seven_bits = next((name for name in charsets if name and _SEVEN_BITS.match(name)), None)
    try:
        text = _decode_seven_bits(data, seven_bits) or data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data.decode("utf-8-sig", "replace")
        beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
        if text.count("\ufffd") > beyond_ascii / 2:  # hardly any byte of other charsets fits
            text = _decode_detected(data, error.start, charsets)
    if len(_BINARY.findall(text)) > max(2, len(text) // 200):
        raise SourceError(_NO_TEXT)
    return clean(text)


def _decode_seven_bits(data: bytes, charset: str | None) -> str | None:
    """Decode ASCII bytes that stand for other letters; None if they stand for themselves."""
    with suppress(ValueError, LookupError):  # an unknown charset, or the wrong one
        return data.decode(charset) if charset and data.isascii() else None
    return None


def _decode_detected(data: bytes, start: int, charsets: Sequence[str | None]) -> str:
    """Decode by a stated charset, or by what the bytes around `start` look like."""
    first = max(0, start - 100_000)  # earlier bytes may be only ASCII, which shows nothing
    # DOS code pages are left out: chardet would mistake “smart” quotes for them.
    attempts: list[dict[str, Any]] = [{"encoding_era": chardet.EncodingEra.MODERN_WEB}]
    # From a few marks alone chardet infers letters: “Ł5 million” for “£5 million”.
    if {*data[start:].decode("windows-1252", "replace")} - _ASCII <= _TYPOGRAPHY:
        attempts.insert(0, {"include_encodings": ["windows-1252"]})
    stated = ["windows-1252" if name.lower() in _LATIN else name for name in charsets if name]
    # `no_match_encoding` has to be one of the included encodings.
    tried = [{"include_encodings": [name], "no_match_encoding": name} for name in stated]
    for options in [*tried, *attempts]:
        try:
            sample = data[first : first + 200_000]
            encoding = chardet.detect(sample, prefer_superset=True, **options)["encoding"]
            return data.decode(encoding or "")
        except (ValueError, LookupError):  # an unknown charset, or the wrong one
            continue
    raise SourceError(_NO_TEXT)


def clean(text: str) -> str:
    """Return text as it is stored: line ends are newlines, no control characters or surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return _SURROGATE.sub("\ufffd", _CONTROLS.sub("", text)).lstrip("\ufeff")


def is_headline(line: str) -> bool:
    """Return whether a line is short and does not end like a sentence."""
    return len(line) <= MAX_TITLE_CHARS and not _SENTENCE_END.search(line)


def names_no_report(title: str | None) -> bool:
    """Return whether a title is missing, or is the name of a file or program."""
    return _NO_TITLE.fullmatch(title or "") is not None


def read_text(text: str) -> Record:
    """Read a report; a first line that looks like a headline is its title."""
    fields, body = front_matter(text)
    first, _, rest = body.strip().partition("\n")
    title = fields.get("title") or first.strip()
    if rest.strip() and is_headline(first.strip()) and title.casefold() == first.strip().casefold():
        return {**fields, "title": title, "text": rest}
    return {**fields, "text": body}


def front_matter(text: str) -> tuple[Record, str]:
    """Split off `key: value` lines between two lines of three dashes.

    Unlike in YAML, “title: Dam: the night” needs no quotes.
    """
    match = _FRONT_MATTER.match(text)
    if not match:
        return {}, text
    pairs = (line.partition(":") for line in match[1].splitlines() if ":" in line)
    fields = {key.strip().lower(): value.strip().strip("\"'") for key, _, value in pairs}
    return known_fields(fields), text[match.end() :]


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
    return known_fields(row)


def known_fields(row: Record) -> Record:
    """Return the fields of a report in a row; those in its BEIR “metadata” come last."""
    metadata = row.get("metadata")
    fields = {**(metadata if isinstance(metadata, dict) else {}), **row}
    return {name: value for name, value in fields.items() if name in FIELDS}


def to_article(
    fields: Mapping[str, Any],
    source: str,
    article_id: str | None = None,
    key: str | None = None,
) -> Iterator[Article | Omission]:
    """Yield the article of some fields, under any of their common names, and its omissions.

    `article_id` is for fields without an id; the default is a hash of the key, the URL or the text.

    Raises:
        InputError: a field cannot be used; the message is a whole sentence.
    """
    text = _string(fields, "text")
    if text is None:
        raise SourceError("It has no text: put the report into “text”.")
    title = _line(fields, "title")
    url = _string(fields, "url")
    given_id = _string(fields, "_id", "id", "article_id")
    marks = fields.get("guessed")
    guessed = [*(marks if isinstance(marks, list) else []), *([] if title else ["title"])]
    written = _string(fields, "published", "published_at")
    published = parse_date(written)
    article = Article(
        article_id=given_id or article_id or digest(key or url or f"{title or ''}\x00{text}")[:12],
        title=title or _opening(text),
        text=text,
        publisher=_line(fields, "publisher", "source"),
        author=_line(fields, "author"),
        published=published,
        guessed_date=None if published else parse_date(fields.get("guessed_date")),
        url=url if url and re.match(r"https?://", url) else None,
        language=_string(fields, "language") or "en",
        source=source,
        guessed=tuple(name for name in _GUESSABLE if name in guessed),
        id_given=given_id is not None,
        key=key,
    )
    yield article
    if written and not published:
        error = (
            f"The date “{written[:40]}” of “{article.title}” names no single day, and was "
            "left out: write it like 2026-03-14."
        )
        yield Omission(source, error, article.article_id)


def digest(text: str) -> str:
    """Return the SHA-256 of a text in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _line(fields: Mapping[str, Any], *names: str) -> str | None:
    """Return a field as a single line, cut to a readable length."""
    text = _string(fields, *names)
    return " ".join(text[: 2 * _MAX_LINE_CHARS].split())[:_MAX_LINE_CHARS] if text else None


def _string(fields: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of these fields with a value. Raises SourceError for another type."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = clean(str(value))
            if text.strip():
                return text if name == "text" else text.strip()
        elif value is not None and name in {"text", "title"}:
            raise SourceError(f"Its “{name}” is not a string: make it one.")
    return None


def parse_date(value: Any) -> datetime | None:
    """Return the moment that a field states; None if it names no single day (see `read_moment`)."""
    return read_moment(value) if isinstance(value, str) else None


def _opening(text: str) -> str:
    """Return the first words of a text, to show for a missing title."""
    words = " ".join(text[: _OPENING_CHARS * 3].split())
    return words if len(words) <= _OPENING_CHARS else words[:_OPENING_CHARS].rsplit(" ", 1)[0] + "…"
