"""Read RSS and Atom feeds; runs in the sandbox."""

from __future__ import annotations

import io
import re
from datetime import datetime
from time import strftime
from typing import Any
from urllib.parse import urljoin

from index.errors import SourceError
from index.reading.markup import blocks, paragraphs, with_guesses
from index.reading.text import Record, parse_date
from index.reading.urls import is_url

_MAX_ENTRIES = 1_000  # of a feed
_MIN_STORY_CHARS = 1_000  # a shorter description in a feed is a summary
_CUT_SHORT = re.compile(  # "The dam failed and […]", "Continue reading"
    r"(?:…|\.{3}|\[(?:…|\.{3}|&hellip;)\]|(?:read|continue) \w+\W*)\s*$", re.IGNORECASE
)


def read_feed(data: bytes, *, url: str | None = None) -> list[Record]:
    """Read the entries of an RSS or Atom feed; one that is only a summary is `partial`."""
    import feedparser  # type: ignore[import-untyped]  # noqa: PLC0415

    if data.count(b"<item") + data.count(b"<entry") > _MAX_ENTRIES:
        raise SourceError(f"has more than {_MAX_ENTRIES:,} entries: shorten it")
    parsed = feedparser.parse(io.BytesIO(data), response_headers={"content-location": url or ""})
    if not parsed.version:
        raise SourceError("is XML, but neither a feed nor a page: save it as HTML or text")
    if not parsed.entries:
        raise SourceError("is a feed without entries: try again later")
    return [_entry(entry, parsed.feed, url) for entry in parsed.entries]


def _entry(entry: Any, channel: Any, url: str | None) -> Record:
    contents = [paragraphs(content.get("value", "")) for content in entry.get("content", [])]
    body = max([*contents, paragraphs(entry.get("summary", ""))], key=len)
    # feedparser repeats the content as the summary of an entry that has none.
    whole = (body in contents or len(body) >= _MIN_STORY_CHARS) and not _CUT_SHORT.search(body)
    link = urljoin(url or "", entry.get("link") or "")
    stated = {
        "title": " ".join(text for _, text in blocks(entry.get("title") or "")),
        "author": entry.get("author"),
        "publisher": (entry.get("source") or {}).get("title") or entry.get("publisher"),
        "published": _moment(entry, "published") or _moment(entry, "updated"),
        "url": link if is_url(link) else None,
        "language": (channel.get("language") or "")[:2].lower() or None,
        "text": body,
        "partial": not whole,
    }
    return with_guesses(stated, {"publisher": channel.get("title")})


def _moment(entry: Any, name: str) -> datetime | str | None:
    """A date of an entry on its own clock, if feedparser is not alone in understanding it."""
    utc = entry.get(f"{name}_parsed")
    return parse_date(entry.get(name)) or (strftime("%Y-%m-%dT%H:%M:%SZ", utc) if utc else None)
