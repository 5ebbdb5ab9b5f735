"""HTML pages, feeds, Word files and zip archives -> plain fields; meant to run in a sandbox.

Each function takes bytes and returns records of JSON. A field is stated where its source says it
in a place made for it, and named in `guessed` where it was worked out. Libraries are imported
where they are needed: a feed does not wait for what reads pages.
"""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from calendar import timegm
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urljoin

from index.errors import SourceError
from index.reading.urls import site

Record = dict[str, Any]

_MAX_TAGS = 150_000  # about ten seconds of work
_MAX_ENTRIES = 1_000
_MIN_CHARS = 60  # less is a label or a menu
_WHOLE_STORY = 1_000  # characters; shorter descriptions in a feed are summaries

# Lines that belong to the page and not to the report.
_CHROME = re.compile(
    r"(?:read (?:more|also|next|on)|also read|see also|related(?: (?:articles?|stories|coverage))?"
    r"|more on this(?: story)?|recommended(?: for you)?|trending(?: now)?|most (?:read|popular))"
    r"\s*(?:[:|›»→…].*|\.{3}.*)?"
    r"|(?:continue|keep) reading.{0,60}|advertisements?|sponsored(?: content)?"
    r"|(?:sign up|subscribe)\b.{0,80}\b(?:newsletter|updates|inbox|alerts)\b.{0,40}"
    r"|share (?:this|on)\b.{0,40}|(?:©|\(c\)|copyright\b).{0,120}|all rights reserved\.?"
    r"|(?:we|this (?:web)?site|our (?:web)?sites?)(?: and our partners)? uses? cookies\b.{0,400}",
    re.IGNORECASE,
)
_COMMENTS = re.compile(
    r"(?:\d+ )?(?:reader )?comments?(?: \(\d+\))?|(?:leave|post|add) a (?:comment|reply)",
    re.IGNORECASE,
)
_CUT_SHORT = re.compile(
    r"(?:…|\.{3}|\[(?:…|\.{3}|&hellip;)\]|(?:read|continue) \w+\W*)\s*$", re.IGNORECASE
)
_BLOCKS = frozenset(
    "address article aside blockquote br caption dd div dl dt figcaption footer h1 h2 h3 h4 h5 h6"
    " header hr li main nav ol p pre section table tbody td th thead tr ul".split()
)
_UNSEEN = frozenset("script style noscript template iframe object svg form button".split())
_MAX_FILES = 1_000
_MAX_UNPACKED = 50_000_000
_MAX_RATIO = 100  # text packs to a tenth, a bomb to a thousandth
_NOTES = " | ".join(
    f"//a[starts-with(@href, '#{kind}')] | //li[starts-with(@id, '{kind}')]"
    for kind in ("footnote-", "endnote-")
)
_DATES = {
    "original_date": True,
    "extensive_search": True,
    "outputformat": "%Y-%m-%dT%H:%M:%S%z",
}
_PUBLISHED = (
    "article:published_time og:article:published_time datepublished dc.date.issued"
    " dcterms.issued dc.date dcterms.date dcterms.created pubdate publishdate publish-date"
    " parsely-pub-date sailthru.date cxenseparse:recs:publishtime date"
).split()


# Records


def with_guesses(stated: Record, guesses: Mapping[str, Any]) -> Record:
    """What is stated, filled up with what is guessed and marked so."""
    new = {name: value for name, value in guesses.items() if value and not stated.get(name)}
    return {**stated, **new, "guessed": sorted(new)}


def with_text(record: Record, lines: Sequence[str]) -> Record:
    """A record with these lines for its text, but the first where it only repeats the title."""
    repeated = len(lines) > 1 and _same_words(lines[0], record.get("title") or "")
    return {**record, "text": "\n\n".join(lines[repeated:])}


def _same_words(one: str, other: str) -> bool:
    """Whether two lines have the same letters and digits."""
    return re.sub(r"\W+", "", one).casefold() == re.sub(r"\W+", "", other).casefold()


# HTML


def page(data: bytes, *, url: str | None = None) -> list[Record]:
    """A page's report: main text, title, author, publisher and date; `data` is UTF-8."""
    from lxml import html  # type: ignore[import-untyped]  # noqa: PLC0415
    from trafilatura import bare_extraction  # noqa: PLC0415

    if data.count(b"<") > _MAX_TAGS:
        raise SourceError("has too many tags for a report: save the text alone")
    tree = html.document_fromstring(data, parser=html.HTMLParser(encoding="utf-8"))
    stated, heading = _stated(tree, url), tree.findtext(".//title") or ""
    _drop_comments(tree)
    found: Any = bare_extraction(
        tree,
        url=url,
        favor_precision=True,
        include_comments=False,
        with_metadata=True,
        date_extraction_params=_DATES,
    )
    guesses = {name: getattr(found, name, None) or "" for name in ("title", "author")}
    guesses["published"] = getattr(found, "date", None) or ""
    guesses["publisher"] = (
        _site(heading, stated["title"] or guesses["title"])
        or getattr(found, "sitename", None)
        or site(url)
    )
    record = with_guesses(stated, guesses)
    record["title"] = _without_site(record.get("title") or "", record.get("publisher"))
    lines = [line.strip().removeprefix("- ") for line in ((found and found.text) or "").split("\n")]
    record = with_text(record, [line for line in lines if line and not _CHROME.fullmatch(line)])
    if len(record["text"]) < _MIN_CHARS:
        raise SourceError("has no text that looks like a report: save the text alone")
    return [record]


def _stated(tree: Any, url: str | None) -> Record:
    """What the page says of itself: JSON-LD first, then meta tags."""
    linked, tags = _json_ld(tree), _meta_tags(tree)
    authors = (tags.get("author", ""), tags.get("article:author", ""))
    dates = (moment_of(tags.get(name)) for name in _PUBLISHED)
    language = re.match(r"[a-z]{2}\b", (tree.get("lang") or "").lower())
    return {
        "title": _name(linked.get("headline")) or tags.get("og:title"),
        "author": _name(linked.get("author"))
        or next((name for name in authors if name and not name.startswith("http")), None),
        "publisher": _name(linked.get("publisher")) or tags.get("og:site_name"),
        "published": moment_of(linked.get("datePublished")) or next(filter(None, dates), None),
        "url": _own(tree.xpath("string(//link[@rel='canonical']/@href)").strip(), url),
        "language": language[0] if language else None,
    }


def _json_ld(tree: Any) -> Record:
    """The article that a page describes for machines; of several, the one it says most of."""
    found: list[Record] = []

    def note(item: Record) -> Record:
        kinds = item.get("@type")
        named = map(str, kinds if isinstance(kinds, list) else [kinds])
        if any(kind.endswith(("Article", "BlogPosting")) for kind in named):
            found.append(item)
        return item

    for script in tree.xpath("//script[@type='application/ld+json']"):
        with suppress(ValueError, RecursionError):
            json.loads(script.text_content(), strict=False, object_hook=note)
    return max(found, key=len, default={})


def _name(value: Any) -> str | None:
    """The name or names in a JSON-LD value."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_name, value[:20]))) or None
    if isinstance(value, dict):
        value = value.get("name")
    return (" ".join(value.split()) or None) if isinstance(value, str) else None


def _meta_tags(tree: Any) -> dict[str, str]:
    tags: dict[str, str] = {}
    for tag in tree.xpath("//meta[@content] | //time[@datetime][@itemprop or @pubdate]"):
        name = tag.get("property") or tag.get("name") or tag.get("itemprop") or "pubdate"
        content = " ".join((tag.get("content") or tag.get("datetime") or "").split())
        if content:
            tags.setdefault(name.lower(), content)
    return tags


def moment_of(value: Any) -> str | None:
    """A date as ISO 8601; None for what is none, or cannot be."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError, TypeError, IndexError, AttributeError):
            moment = read(value.strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment.isoformat() if 1500 < moment.year < 2200 else None  # noqa: PLR2004
    return None


def _own(canonical: str, url: str | None) -> str | None:
    """The address a page gives itself, unless it claims to be of another site."""
    canonical = urljoin(url or "", canonical)
    return canonical if site(canonical) and site(canonical) == site(url or canonical) else url


def _site(heading: str, title: str) -> str | None:
    """The site in “Dam fails | Northwire”."""
    rest = heading.strip().removeprefix(title or heading)
    found = re.fullmatch(r"\s+[|–—·-]\s+([^|–—·]{2,60})", rest)
    return found[1].strip() if found else None


def _without_site(title: str, publisher: str | None) -> str:
    """A title without “ | Northwire” at its end."""
    return re.sub(
        rf"\s+[|–—·-]\s+{re.escape(publisher or '|')}\s*$", "", title, flags=re.IGNORECASE
    )


def _drop_comments(tree: Any) -> None:
    """Take out what readers wrote, by its heading, where the markup does not tell it apart."""
    for node in tree.xpath("//h2 | //h3 | //h4 | //h5 | //h6 | //p"):
        if _COMMENTS.fullmatch(" ".join(node.text_content().split())):
            for below in [node, *node.itersiblings()]:
                below.getparent().remove(below)


def _blocks(markup: str) -> Iterator[tuple[str, str]]:
    """(tag, text) of each block that holds text, in order, without notes; without recursion."""
    from lxml import etree, html  # noqa: PLC0415

    tree = html.fragment_fromstring(markup, create_parent="div")
    for note in tree.xpath(_NOTES):
        note.drop_tree()
    walker = etree.iterwalk(tree, events=("start", "end"))
    tag, written = "", ""
    for event, node in walker:
        block = node.tag in _BLOCKS
        if block and written.strip():
            yield tag, " ".join(written.split())
        written = "" if block else written
        if event == "end":
            written += node.tail or ""
        elif not isinstance(node.tag, str) or node.tag in _UNSEEN:
            walker.skip_subtree()
        else:
            tag = node.tag if block else tag
            written += node.text or ""
    if written.strip():
        yield tag, " ".join(written.split())


# Feeds


def feed(data: bytes, *, url: str | None = None) -> list[Record]:
    """The entries of an RSS or Atom feed; those with a summary alone are `partial`."""
    import feedparser  # type: ignore[import-untyped]  # noqa: PLC0415

    if data.count(b"<item") + data.count(b"<entry") > _MAX_ENTRIES:
        raise SourceError(f"has more than {_MAX_ENTRIES:,} entries: shorten it")
    parsed = feedparser.parse(io.BytesIO(data), response_headers={"content-location": url or ""})
    if not parsed.version:
        raise SourceError("is XML, but no feed and no page: give it as HTML or text")
    if not parsed.entries:
        raise SourceError("is a feed without entries: try later")
    return [_entry(entry, parsed.feed, url) for entry in parsed.entries]


def _entry(entry: Any, channel: Any, url: str | None) -> Record:
    bodies = [_paragraphs(body.get("value", "")) for body in entry.get("content", [])]
    body = max([*bodies, _paragraphs(entry.get("summary", ""))], key=len)
    given = body in bodies  # feedparser gives content as summary too, where there is none
    whole = (given or len(body) >= _WHOLE_STORY) and not _CUT_SHORT.search(body)
    link = urljoin(url or "", entry.get("link") or "")
    stated = {
        "title": " ".join(text for _, text in _blocks(entry.get("title") or "")),
        "author": entry.get("author"),
        "publisher": (entry.get("source") or {}).get("title") or entry.get("publisher"),
        "published": _moment(entry.get("published_parsed")),
        "url": link if link.startswith("http") else None,
        "language": (channel.get("language") or "")[:2].lower() or None,
        "text": body,
        "partial": not whole,
    }
    changed = _moment(entry.get("updated_parsed"))
    return with_guesses(stated, {"published": changed, "publisher": channel.get("title")})


def _moment(time: Any) -> str | None:
    return datetime.fromtimestamp(timegm(time), UTC).isoformat() if time else None


def _paragraphs(markup: str) -> str:
    return "\n\n".join(text for _, text in _blocks(markup) if not _CHROME.fullmatch(text))


# Word and zip


def packed(data: bytes) -> list[Record]:
    """A Word file's report, else the files of a zip archive: `name`, and `data` in base 64."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    files = archive.infolist()
    if len(files) > _MAX_FILES:
        raise SourceError(f"holds more than {_MAX_FILES:,} files: split it")
    if any(file.flag_bits & 1 for file in files):
        raise SourceError("is locked with a password: save a copy without one")
    unpacked = sum(file.file_size for file in files)  # zipfile holds them to what they say
    if unpacked > _MAX_UNPACKED or unpacked > _MAX_RATIO * max(len(data), 10_000):
        raise SourceError("unpacks to far more than it is: split it, or send the files alone")
    names = archive.namelist()
    if "word/document.xml" in names:
        return _word(data, archive)
    if "[Content_Types].xml" in names or "mimetype" in names:
        raise SourceError("is an Office file other than Word: save it as PDF")
    shown = {_label(file.filename): file for file in files if not file.is_dir()}
    records = [
        {"name": name, "data": base64.b64encode(archive.read(file)).decode()}
        for name, file in shown.items()
        if not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    ]
    if not records:
        raise SourceError("is an empty zip archive: pack the reports again")
    return records


def _label(name: str) -> str:
    """A name to show, which leads nowhere."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return "/".join(part for part in parts if part not in {"/", "..", "."})


def _word(data: bytes, archive: zipfile.ZipFile) -> list[Record]:
    """A Word file's text, with the title and author of its properties or its first heading."""
    import mammoth  # type: ignore[import-untyped]  # noqa: PLC0415

    style = "p[style-name='Title'] => h1:fresh"
    made = mammoth.convert_to_html(io.BytesIO(data), convert_image=lambda _: [], style_map=style)
    found = [*_blocks(made.value)]
    if not found:
        raise SourceError("has no text: write some, or save it as PDF")
    known = _properties(archive)
    headings = (text for tag, text in found[:3] if tag == "h1")
    stated = {"title": known.get("title"), "author": known.get("creator")}
    guesses = {"title": next(headings, None), "published": moment_of(known.get("created"))}
    return [with_text(with_guesses(stated, guesses), [text for _, text in found])]


def _properties(archive: zipfile.ZipFile) -> dict[str, str]:
    """What a Word file states of itself, such as title, creator and when it was created."""
    from lxml import etree  # noqa: PLC0415

    found: dict[str, str] = {}
    if "docProps/core.xml" in archive.namelist():
        safely = etree.XMLParser(resolve_entities=False, no_network=True)
        for node in etree.fromstring(archive.read("docProps/core.xml"), safely).iterchildren("*"):
            found[etree.QName(node).localname] = (node.text or "").strip()
    return found
