"""Recognise the format of a file: by its content and, between kinds of text, by its name.

A file that cannot contain a report, such as a program, is refused with an explanation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from index.errors import SourceError
from index.reading.tables import is_heading
from index.reading.urls import is_url

HEAD_BYTES = 4_096  # enough to recognise a format
Format = Literal[
    "text", "markdown", "json lines", "json", "table", "html", "feed", "mail", "rtf", "pdf", "zip"
]
READABLE_SUFFIXES: Mapping[str, Format] = {
    ".txt": "text",
    **dict.fromkeys([".md", ".markdown"], "markdown"),
    **dict.fromkeys([".jsonl", ".ndjson"], "json lines"),
    **dict.fromkeys([".csv", ".tsv"], "table"),
    **dict.fromkeys([".html", ".htm", ".xhtml"], "html"),
    **dict.fromkeys([".rss", ".atom", ".xml"], "feed"),
    ".eml": "mail",
    ".rtf": "rtf",
    ".pdf": "pdf",
    **dict.fromkeys([".docx", ".odt", ".epub", ".zip"], "zip"),
}
_CONTENT_TYPES: Mapping[str, Format] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "application/jsonl": "json lines",
    "application/x-ndjson": "json lines",
    "application/feed+json": "json",
    "text/csv": "table",
    "text/tab-separated-values": "table",
}
# What may come before a root tag: white space, <?xml …?>, <!-- … --> and <!DOCTYPE rss>.
_PROLOGUE = r"(?:\s|<\?(?:(?!\?>).)*\?>|<!--(?:(?!-->).)*-->|<!doctype(?!\s+html)[^<>[]*>)*"
_SIGNATURES: Mapping[str, Format] = {
    r"\s*%PDF-": "pdf",
    "PK(?:\x03\x04|\x05\x06)": "zip",
    r"\s*\{\\rtf\d": "rtf",
    _PROLOGUE + r"<(?:!doctype\s+html|html)\b": "html",
    _PROLOGUE + r"<(?:rss|feed|rdf:rdf)\b": "feed",
    r"\s*<\?xml\b": "feed",  # its reader refuses other XML
}
_REFUSED = tuple(
    (re.compile(pattern, re.IGNORECASE), what)
    for pattern, what in (
        ("\xd0\xcf\x11\xe0", "an old or locked Office file: save it as .docx, unlocked"),
        (r"WEBVTT\b|\s*\[Script Info\]|\{\d+\}\{\d+\}", "a file of subtitles"),
        (r"\s*(?:\d+\s+)?[\d:]{5,8}[,.]\d{2,3}\s*(?:-->|,\d)", "a file of subtitles"),
        (r"#!\s*/|\s*<\?php\b", "a program"),
        (r"BEGIN:V\w+\s", "a calendar or an address book"),
        (r"From \S+ +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} ", "a mailbox: save each mail as .eml"),
        (r"%!PS|\s*\\documentclass\b", "the source of a document: save it as PDF"),
    )
)
_OTHER_DATA = frozenset(  # suffixes of files that their content cannot distinguish from text
    ".py .js .mjs .ts .jsx .tsx .css .scss .c .h .cc .cpp .hpp .cs .java .kt .go .rs .rb .pl .php"
    " .sh .bash .bat .ps1 .sql .r .lua .swift .ipynb .yaml .yml .toml .ini .cfg .tex"
    " .bib .ics .vcf .srt .vtt .ass .sub .mht .mhtml .warc .mbox .geojson .svg".split()
)
_JSON_FEED = re.compile(r'"version"\s*:\s*"https?://jsonfeed\.org/version')
_TAG = re.compile(r"<(?:[a-z][a-z0-9]*\b|!--)", re.IGNORECASE)
_HEADER = re.compile(r"([A-Za-z][\w-]*):(?:[ \t].*)?|[ \t].*")  # "Subject: …", or its next line
_MOST_HEADERS = 40  # how many headers are looked at
_WEB_ARCHIVE = re.compile(
    r"^(?:Snapshot-Content-Location:|From: <?Saved by )|\AWARC/1|\Abplist00", re.MULTILINE
)
_MAIL_HEADERS = frozenset(
    "from to cc date subject message-id mime-version received return-path reply-to sender"
    " content-type delivered-to".split()
)


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of some bytes, and what their sender says about them.

    `name` is a path or URL, which is shown and whose suffix breaks ties. `upload` identifies an
    upload, which has no lasting path. `within` has the formats of the archives and mails around it.
    """

    name: str
    url: str | None = None
    content_type: str | None = None
    charset: str | None = None
    upload: str | None = None
    within: tuple[Format, ...] = ()


def recognise(head: bytes, origin: Origin) -> Format:
    """Return the format of a file by its first bytes, else by its content type and suffix.

    Raises:
        SourceError: it cannot contain a report; the message lacks its subject.
    """
    is_utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = head.decode("utf-16" if is_utf16 else "latin-1", "replace").removeprefix("\xef\xbb\xbf")
    _refuse(text, origin)
    for signature, signed in _SIGNATURES.items():
        if re.match(signature, text, re.IGNORECASE | re.DOTALL):
            return signed
    named = _CONTENT_TYPES.get(origin.content_type or "")
    named = named or READABLE_SUFFIXES.get(suffix_of(origin.name))
    if kind := _structured(text, named):
        return kind
    if (named == "pdf" and b"%PDF-" in head[:1024]) or (named == "html" and _TAG.search(text)):
        return named  # some PDFs begin with junk
    return named if named in {"markdown", "json lines", "table"} else "text"


def _refuse(text: str, origin: Origin) -> None:
    """Raise SourceError, without its subject, if a text is in a form that cannot be read."""
    what = next((what for pattern, what in _REFUSED if pattern.match(text)), None)
    if what is None and _WEB_ARCHIVE.search(text.partition("\n\n")[0]):
        what = "a web archive: save the page as HTML"
    if what is None and suffix_of(origin.name) in _OTHER_DATA and not origin.url:
        what = "a program or other data, by its name"
    if what:
        raise SourceError(f"is {what}" if ":" in what else f"is {what}: save what it says as text")


def suffix_of(name: str) -> str:
    """Return the suffix of a file name or of a URL's path, in lower case, ignoring .gz."""
    path = urlsplit(name).path if is_url(name) else name
    return PurePosixPath(path.lower().removesuffix(".gz")).suffix


def _structured(text: str, named: Format | None) -> Format | None:
    """Return the kind of JSON, table or mail; None for running text or markup."""
    if re.match(r'\s*(?:\{\s*"|\[\s*\{)', text):
        return _json_kind(text, named)
    if is_heading(text):
        return "table"
    return "mail" if _is_mail(text) else None


def _json_kind(text: str, named: Format | None) -> Format:
    """Return whether JSON is a single document, or a document per line."""
    first, line_end, _ = text.lstrip().partition("\n")
    if _JSON_FEED.search(text) or first.strip() in {"{", "[", "[{"}:
        return "json"
    if named == "json lines" or (first.startswith("{") and not line_end):
        return "json lines"
    try:
        return "json lines" if isinstance(json.loads(first), dict) else "json"
    except ValueError:
        return "json"


def _is_mail(text: str) -> bool:
    """Return whether a text begins with the headers of a mail, up to an empty line."""
    lines = text.replace("\r\n", "\n").partition("\n\n")[0].split("\n")[:_MOST_HEADERS]
    if len(text) >= HEAD_BYTES:  # the last line may be cut
        lines.pop()
    matches = [_HEADER.fullmatch(line) for line in lines]
    names = {match[1].lower() for match in matches if match and match[1]}
    return all(matches) and "from" in names and len(names & _MAIL_HEADERS) > 2  # noqa: PLR2004
