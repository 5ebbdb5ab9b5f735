"""Bytes, files, folders and streams -> articles. One reader a format, in one table.

A source yields articles and, in between, failures: what cannot be read is told in one sentence
and does not stop the rest.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

import chardet
from markdown_it import MarkdownIt

from index.article import MAX_ID_CHARS, Article
from index.errors import InputError, SourceError

MAX_BYTES = 20_000_000  # of one article, and of one line of JSON
_TITLE_CHARS = 90
_CONTROL = {code: None for code in range(32) if chr(code) not in "\t\n"} | {0x7F: None}
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*\n", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?:;,…][\"'”’)\]]*$")
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be read or stored, and what to do about it."""

    source: str
    error: str


Item = Article | Failure


def read(source: str, stream: IO[bytes] | None = None) -> Iterator[Item]:
    """Read a file, a folder or, for "-", JSON lines from `stream`.

    Folders are read in name order, sub-folders too, without hidden files.

    Raises:
        SourceError: there is nothing of that name, or nothing in it that can be read.
    """
    if source == "-":
        if stream is None:
            raise SourceError("There is no standard input to read from.")
        yield from _json_lines(stream, "standard input")
        return
    path = existing(source)
    if path is None:
        raise SourceError(f"{source} is neither a file nor a folder: check the name.")
    if path.is_dir():
        files = files_in(path)
        if not files:
            raise SourceError(
                f"{source} has no report files: they end in {', '.join(sorted(SUFFIXES))}."
            )
        for file in files:
            yield from _read_file(file)
    else:
        yield from _read_file(path)


def existing(source: str) -> Path | None:
    """The file or folder of that name; None where there is none."""
    try:
        path = Path(source).expanduser()
        return path if source and (path.is_file() or path.is_dir()) else None
    except (OSError, RuntimeError):  # a name that no system takes, a home that nobody has
        return None


def files_in(folder: Path) -> list[Path]:
    """The files below a folder that have a reader, in name order, hidden ones left out."""
    below = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [
        path
        for path in below
        if _suffix(path) in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def count(source: str) -> int | None:
    """How many articles a file or folder holds at the most, for a progress bar; None: unknown."""
    path = existing(source)
    if path is None:
        return None
    files = files_in(path) if path.is_dir() else [path]
    return sum(_lines(file) if SUFFIXES.get(_suffix(file)) is _json_lines else 1 for file in files)


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
    return _SURROGATE.sub("\ufffd", text.translate(_CONTROL)).lstrip("\ufeff")


_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def _read_file(path: Path) -> Iterator[Item]:
    suffix = _suffix(path)
    reader = SUFFIXES.get(suffix, _plain_text)
    try:
        with _open(path) as file:
            yield from reader(file, str(path))
    except InputError as error:
        yield Failure(str(path), str(error))
    except (gzip.BadGzipFile, EOFError, zlib.error):
        yield Failure(str(path), f"{path.name} is a damaged gzip file: make it again.")
    except OSError as error:
        yield Failure(str(path), f"{path.name} cannot be read ({error.strerror}).")


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def _suffix(path: Path) -> str:
    return (
        "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    )


def _lines(path: Path) -> int:
    try:
        with _open(path) as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) + 1
    except (OSError, EOFError, zlib.error):
        return 1


def _whole(file: IO[bytes], name: str) -> str:
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SourceError(
            f"{name} is larger than {MAX_BYTES // 1_000_000} MB: split it into one file a report."
        )
    text = decode(data, name)
    if not text.strip():
        raise SourceError(f"{name} is empty: there is nothing to quote.")
    return text


def _plain_text(file: IO[bytes], name: str) -> Iterator[Item]:
    fields, body = _front_matter(_whole(file, name))
    first, _, rest = body.strip().partition("\n")
    headline = first.strip()
    looks_like_title = len(headline) <= _TITLE_CHARS * 2 and not _SENTENCE_END.search(headline)
    if not fields.get("title") and rest.strip() and looks_like_title:
        fields, body = {**fields, "title": headline}, rest
    yield _from_file(fields, body, name)


def _markdown(file: IO[bytes], name: str) -> Iterator[Item]:
    fields, body = _front_matter(_whole(file, name))
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
    yield _from_file({**fields, "title": title or ""}, text, name)


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


def _from_file(fields: Mapping[str, str], text: str, name: str) -> Article:
    path = Path(name).resolve()
    stem = re.sub(r"[^a-z0-9]+", "-", path.name.split(".")[0].lower()).strip("-")[:48]
    made = f"{stem or 'report'}-{_digest(str(path))[:6]}"
    return _article({**fields, "text": text, "_id": fields.get("id") or made}, str(path))


def _json_lines(file: IO[bytes], name: str) -> Iterator[Item]:
    number = 0
    while line := file.readline(MAX_BYTES + 1):
        number += 1
        where = f"{name}, line {number}"
        if len(line) > MAX_BYTES:
            yield Failure(
                where, f"The line is longer than {MAX_BYTES // 1_000_000} MB: shorten it."
            )
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_BYTES)
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
        return _article(fields, where)
    except InputError as error:
        return Failure(where, str(error))


def _article(fields: Mapping[str, Any], source: str) -> Article:
    """One article of either row form (ours, or BEIR's with `metadata`)."""
    text = _string(fields, "text")
    if text is None:
        raise SourceError("It has no text: put the report into “text”.")
    title = " ".join((_string(fields, "title") or "").split())
    url = _string(fields, "url")
    given = _string(fields, "_id", "id", "article_id")
    if given and len(given) > MAX_ID_CHARS:
        raise SourceError(f"Its id is longer than {MAX_ID_CHARS} characters: shorten it.")
    return Article(
        article_id=given or _digest(url or title + "\x00" + text)[:12],
        title=title or _opening(text),
        text=text,
        publisher=_string(fields, "publisher", "source"),
        author=_string(fields, "author"),
        published=_date(_string(fields, "published", "published_at")),
        url=url if url and re.match(r"https?://", url) else None,
        language=_string(fields, "language") or "en",
        source=source,
    )


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
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
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


SUFFIXES: Mapping[str, Callable[[IO[bytes], str], Iterator[Item]]] = {
    ".txt": _plain_text,
    ".md": _markdown,
    ".markdown": _markdown,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".jsonl.gz": _json_lines,
    ".ndjson.gz": _json_lines,
}
