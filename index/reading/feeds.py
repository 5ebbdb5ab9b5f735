"""Read RSS, Atom and JSON Feed; runs in the sandbox.

An item that cannot be read is `omitted`, and the rest of its feed is read. An item is identified by
its guid, since links and titles change with a correction; `key` holds it.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urljoin

from index.errors import SourceError
from index.reading.markup import blocks, paragraphs, with_guesses
from index.reading.text import Record, clean, digest, known_fields
from index.reading.urls import canonical, is_url, site

_MAX_ENTRIES = 1_000  # entries of a feed
_MIN_STORY_CHARS = 1_000  # a shorter description in a feed is a summary
_CUT_SHORT = re.compile(  # "The dam failed and […]", "Continue reading"
    r"(?:…|\.{3}|\[(?:…|\.{3}|&hellip;)\]|(?:read (?:more|on)|(?:continue|keep) reading)\W*)\s*$",
    re.IGNORECASE,
)
_URIS = ("http://", "https://", "tag:", "urn:")  # guids that other feeds of a site do not reuse
_MIN_DIGITS = 4  # digits of a number that counts a site's articles, not a feed's items
_ADDRESS = re.compile(r"(?:mailto:)?[\w.+%-]+@[\w.-]+\w|https?://\S+")  # of a mailbox or a page
_NO_XML = bytes({*range(32)} - {*b"\t\n\r\x1b"})  # what XML forbids; escapes switch charsets
_ENTRY = re.compile(rb"<!\[CDATA\[.*?\]\]>|<!--.*?-->|(<(?:item|entry)[\s/>])", re.DOTALL)


def read_feed(data: bytes, *, url: str | None = None) -> list[Record]:
    """Read the entries of an RSS or Atom feed; an entry that is only a summary is `partial`."""
    import feedparser  # type: ignore[import-untyped]  # noqa: PLC0415

    if not data.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16
        data = data.translate(None, _NO_XML)
    count = sum(bool(tag) for tag in _ENTRY.findall(data))
    if count > _MAX_ENTRIES:
        raise SourceError(f"has more than {_MAX_ENTRIES:,} entries: shorten it")
    headers = {"content-location": url or ""}
    # feedparser's sanitizer would remove the markup that hides text, and so reveal the text.
    parsed = feedparser.parse(io.BytesIO(data), response_headers=headers, sanitize_html=False)
    if not parsed.version:
        raise SourceError("is XML, but neither a feed nor a page: save it as HTML or text")
    if not parsed.entries:
        raise SourceError("is a feed without entries: try again later")
    channel = parsed.feed
    home = urljoin(url or "", channel.get("link") or "")
    is_atom = parsed.version.startswith("atom")
    entries = _latest(parsed.entries) if is_atom else parsed.entries
    records = _read_all(entries, lambda entry: _entry(entry, channel, url, is_atom), home, url)
    if older := len(parsed.entries) - len(entries):
        records.append({"omitted": f"Older versions of its entries were left out: {older:,}."})
    if lost := count - len(parsed.entries):
        records.append({"omitted": f"It is damaged: {lost:,} of {count:,} entries were lost."})
    return records


def _latest(entries: list[Any]) -> list[Any]:
    """Return entries without their earlier versions, which Atom allows under the same id."""
    latest = {
        (entry.get("id"), entry.get("link")): entry
        for entry in sorted(entries, key=lambda entry: tuple(entry.get("updated_parsed") or ()))
    }
    kept = {id(entry) for entry in latest.values()}
    return [entry for entry in entries if not entry.get("id") or id(entry) in kept]


def read_json_feed(data: bytes, *, url: str | None = None) -> list[Record]:
    """Read the items of a JSON Feed, or other JSON with reports in the form of JSON lines."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and "jsonfeed.org/version" in str(value.get("version")):
        items = value.get("items")
        if not isinstance(items, list) or not items:
            raise SourceError("is a feed without entries: try again later")
        if len(items) > _MAX_ENTRIES:
            raise SourceError(f"has more than {_MAX_ENTRIES:,} entries: shorten it")
        home = urljoin(url or "", str(value.get("home_page_url") or ""))
        return _read_all(items, lambda item: _json_item(item, value, url), home, url)
    rows = value if isinstance(value, list) else [value]
    if not any(isinstance(row, dict) and row.get("text") for row in rows):
        raise SourceError(
            'is JSON, but not a JSON Feed, and has no report: write one object like {"title": "…", '
            '"text": "…"} on each line'
        )
    return [
        _omitted(f"Item {number}")
        if not isinstance(row, dict)
        else {**known_fields(row), "place": f"item {number}"}
        for number, row in enumerate(rows, 1)
    ]


def _read_all(
    entries: Iterable[Any], read: Callable[[Any], Record], home: str, url: str | None
) -> list[Record]:
    """Read entries one by one, and find the identifier of each."""
    records: list[Record] = []
    for number, entry in enumerate(entries, 1):
        try:
            records.append(read(entry))
        except Exception:  # noqa: BLE001 - whatever a parser raises, this entry is at fault
            title = entry.get("title") if isinstance(entry, dict) else None
            records.append(_omitted(f"“{clean(str(title))}”" if title else f"Entry {number}"))
    _identify(records, home, url or "")
    return records


def _omitted(name: str) -> Record:
    return {"omitted": f"{name} cannot be read: it is damaged, or not what it should be."}


def _identify(records: list[Record], home: str, feed: str) -> None:
    """Replace the guids of entries by unique keys.

    An entry without a unique guid is identified by its link, and has no key. If others share the
    link too, as in live blogs, it is identified by its text.
    """
    entries = [record for record in records if "guid" in record]
    distinct = {
        (record["guid"], record["url"], record["title"], record["text"]): record
        for record in entries
    }
    names = {id(record): _names(record, home, feed) for record in entries}
    counts = Counter(
        name for record in distinct.values() for name in {*names[id(record)], record["url"]}
    )
    for record in entries:
        unique = (name for name in names[id(record)] if counts[name] == 1)
        key = next(unique, None)
        if key is None and record["url"] and counts[record["url"]] > 1:
            words = digest("\x00".join([record["title"], record["text"]]))
            key = f"{site(feed or home or record['url'])} {words}"
        record["key"] = key
        del record["guid"]


def _names(record: Record, home: str, feed: str) -> list[str]:
    """Return possible keys from an entry's guid, the most stable first.

    A guid is valid within the site that the feed was fetched from, whatever home the feed states.
    An address is used without its fragment, which some sites increase with every change. A guid
    that is not a URI is valid only within its feed: each feed of a site may count from 1. For a
    feed in a file, only its home is known, and a short number is ignored.
    """
    guid = record["guid"]
    scope = site(feed or home or record["url"])
    if not guid.startswith(_URIS):
        if not feed and guid.isdigit() and len(guid) < _MIN_DIGITS:
            return []
        scope = canonical(feed) if feed else scope
    if not guid or not scope:
        return []
    return [f"{scope} {name}" for name in ([canonical(guid)] if is_url(guid) else []) + [guid]]


def _entry(entry: Any, channel: Any, url: str | None, is_atom: bool) -> Record:
    """Read an entry of RSS or Atom; the date of an update is not a date of publication."""
    contents = [_text(content) for content in entry.get("content", [])]
    body = max([*contents, _text(entry.get("summary_detail"))], key=len)
    updated = entry.get("updated")  # in RSS, its only date
    # feedparser repeats the content as the summary of an entry that has none.
    whole = body and (body in contents or len(body) >= _MIN_STORY_CHARS)
    stated = {
        "guid": " ".join((entry.get("id") or "").split()),
        "title": " ".join(_text(entry.get("title_detail")).split()),
        "author": _authors(entry),
        "publisher": (entry.get("source") or {}).get("title") or entry.get("publisher"),
        "published": entry.get("published") or (None if is_atom else updated),
        "url": _link(url, entry.get("link")),
        "language": (channel.get("language") or "")[:2].lower() or None,
        "text": body,
        "partial": not whole or bool(_CUT_SHORT.search(body)),
    }
    guesses = {"publisher": _line(channel.get("title")), "guessed_date": updated}
    return with_guesses(stated, guesses)


def _json_item(item: Any, feed: Any, url: str | None) -> Record:
    """Read an item of a JSON Feed."""
    body = _body(item.get("content_html")) or clean(item.get("content_text") or "").strip()
    authors = item.get("authors") or [item.get("author")]
    authors = authors if any(authors) else feed.get("authors") or [feed.get("author")]
    names = [_name(str(author.get("name") or "")) for author in authors if author]
    stated = {
        "guid": str(item.get("id") or ""),
        "title": _line(item.get("title")),
        "author": ", ".join(filter(None, names)),
        "published": item.get("date_published"),
        "url": _link(url, item.get("url") or item.get("external_url")),
        "language": str(item.get("language") or feed.get("language") or "")[:2].lower() or None,
        "text": body or clean(item.get("summary") or ""),
        "partial": not body or bool(_CUT_SHORT.search(body)),
    }
    guesses = {"publisher": _line(feed.get("title")), "guessed_date": item.get("date_modified")}
    return with_guesses(stated, guesses)


def _text(part: Any) -> str:
    """Return the text of an element, which is plain text or markup."""
    value = (part or {}).get("value") or ""
    is_plain = value and part.get("type") == "text/plain"
    return clean(value).strip() if is_plain else _body(value)


def _body(markup: str | None) -> str:
    return paragraphs(clean(markup or ""))


def _line(markup: str | None) -> str:
    """Return a title, which may contain markup, as plain text."""
    return " ".join(text for _, text in blocks(clean(markup or "")))


def _link(base: str | None, link: str | None) -> str | None:
    """Return the address of an entry; None without a link, not the address of its feed."""
    absolute = urljoin(base or "", link) if link else ""
    return absolute if is_url(absolute) else None


def _authors(entry: Any) -> str | None:
    """Return the names of an entry's authors; feedparser cuts names that have an address."""
    authors = entry.get("authors") or []
    if any("email" in author for author in authors) and len(authors) == 1:
        return _name(entry.get("author") or "")
    names = (_name(author.get("name") or "") for author in authors)
    return ", ".join(filter(None, names)) or _name(entry.get("author") or "")


def _name(written: str) -> str | None:
    """Return the name beside an address, as in “desk@news.example (Ada Vell)”; None without."""
    rest = _ADDRESS.sub(" ", clean(written)).replace("<", " ").replace(">", " ")
    rest = " ".join(rest.split()).removesuffix("()").strip(" ,;:")
    inner = re.fullmatch(r"\(([^()]*)\)", rest)
    return (inner[1] if inner else rest) or None
