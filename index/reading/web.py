"""Read HTML pages, Markdown, feeds, Word files and zip archives; runs in the sandbox.

Each reader takes bytes and returns records. A field that its source does not state is worked out,
and then named in `guessed`. We read the JSON-LD and meta tags of pages ourselves: trafilatura takes
a date of modification for that of publication, overlooks agencies as authors, and does not say
what it guessed. Parsers are imported where they are used, since each takes a while.
"""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import PurePosixPath
from time import strftime
from typing import Any
from urllib.parse import urljoin

from index.errors import SourceError
from index.reading.text import Record, front_matter, parse_date
from index.reading.urls import is_url, site

_MAX_TAGS = 150_000  # about ten seconds of work
_MAX_ENTRIES = 1_000  # of a feed
_MIN_REPORT_CHARS = 60  # a shorter text is a label or a menu
_MIN_STORY_CHARS = 1_000  # a shorter description in a feed is a summary
_MAX_FILES = 1_000  # of an archive
_MAX_UNPACKED_BYTES = 50_000_000
_MAX_RATIO = 100  # text packs to about a tenth, a bomb to a thousandth

# Lines of a page that are not the report: "Read more: …", "Advertisement", "Sign up for our
# newsletter", "Share this on …", "© 2026 Northwire", "We use cookies …".
_BOILERPLATE = re.compile(
    r"(?:read (?:more|also|next|on)|also read|see also|related(?: (?:articles?|stories|coverage))?"
    r"|more on this(?: story)?|recommended(?: for you)?|trending(?: now)?|most (?:read|popular))"
    r"\s*(?:[:|›»→…].*|\.{3}.*)?"
    r"|(?:continue|keep) reading.{0,60}|advertisements?|sponsored(?: content)?"
    r"|(?:sign up|subscribe)\b.{0,80}\b(?:newsletter|updates|inbox|alerts)\b.{0,40}"
    r"|share (?:this|on)\b.{0,40}|(?:©|\(c\)|copyright\b).{0,120}|all rights reserved\.?"
    r"|(?:we|this (?:web)?site|our (?:web)?sites?)(?: and our partners)? uses? cookies\b.{0,400}",
    re.IGNORECASE,
)
_COMMENTS_HEADING = re.compile(  # "2 comments", "Reader comments (5)", "Leave a reply"
    r"(?:\d+ )?(?:reader )?comments?(?: \(\d+\))?|(?:leave|post|add) a (?:comment|reply)",
    re.IGNORECASE,
)
_CUT_SHORT = re.compile(  # "The dam failed and […]", "Continue reading"
    r"(?:…|\.{3}|\[(?:…|\.{3}|&hellip;)\]|(?:read|continue) \w+\W*)\s*$", re.IGNORECASE
)
_BLOCK_TAGS = frozenset(
    "address article aside blockquote br caption dd div dl dt figcaption footer h1 h2 h3 h4 h5 h6"
    " header hr li main nav ol p pre section table tbody thead tr ul".split()
)
_HIDDEN_TAGS = frozenset("script style noscript template iframe object svg form button".split())
_NOTES = " | ".join(  # as mammoth marks them up
    f"//a[starts-with(@href, '#{kind}')] | //li[starts-with(@id, '{kind}')]"
    for kind in ("footnote-", "endnote-")
)
_DATES = {"original_date": True, "extensive_search": False, "outputformat": "%Y-%m-%dT%H:%M:%S%z"}
_PUBLISHED_TAGS = (
    "article:published_time og:article:published_time datepublished dc.date.issued"
    " dcterms.issued dc.date dcterms.date dcterms.created pubdate publishdate publish-date"
    " parsely-pub-date sailthru.date cxenseparse:recs:publishtime date"
).split()


def with_guesses(stated: Record, guesses: Mapping[str, Any]) -> Record:
    """The stated fields, with gaps filled by guesses that are marked as such."""
    new = {name: value for name, value in guesses.items() if value and not stated.get(name)}
    return {**stated, **new, "guessed": sorted(new)}


def with_text(record: Record, lines: Sequence[str]) -> Record:
    """The record with these lines as its text, without a first line that repeats the title."""
    repeated = len(lines) > 1 and _letters(lines[0]) == _letters(record.get("title") or "")
    return {**record, "text": "\n\n".join(lines[repeated:])}


def _letters(line: str) -> str:
    return re.sub(r"\W+", "", line).casefold()


# HTML


def read_html(data: bytes, *, url: str | None = None) -> list[Record]:
    """Read a page's report in UTF-8: main text, title, author, publisher and date."""
    from lxml import html  # type: ignore[import-untyped]  # noqa: PLC0415
    from trafilatura import bare_extraction  # noqa: PLC0415

    if data.count(b"<") > _MAX_TAGS:
        raise SourceError("has too many tags for a report: save its text alone")
    tree = html.document_fromstring(data, parser=html.HTMLParser(encoding="utf-8"))
    stated = _stated(tree, url)
    _drop_comments(tree)
    extracted: Any = bare_extraction(
        tree,
        url=url,
        favor_precision=True,
        include_comments=False,
        with_metadata=True,
        date_extraction_params=_DATES,
    )
    fields = extracted.as_dict() if extracted else {}
    guesses = {name: fields.get(name) for name in ("title", "author")}
    guesses |= {"publisher": fields.get("sitename") or site(url)}
    guesses |= {"guessed_date": fields.get("date")}
    record = with_guesses(stated, guesses)
    suffix = rf"\s+[|–—·-]\s+{re.escape(record.get('publisher') or '|')}\s*$"  # " | Northwire"
    record["title"] = re.sub(suffix, "", record.get("title") or "", flags=re.IGNORECASE)
    lines = (line.strip().removeprefix("- ") for line in (fields.get("text") or "").split("\n"))
    report = [line for line in lines if line and not _BOILERPLATE.fullmatch(line)]
    record = with_text(record, report)
    if len(record["text"]) < _MIN_REPORT_CHARS:
        raise SourceError("has no text that looks like a report: save its text alone")
    return [record]


def _stated(tree: Any, url: str | None) -> Record:
    """The fields that a page states: in JSON-LD, else in meta tags."""
    linked, tags = _json_ld(tree), _meta_tags(tree)
    authors = (tags.get("author", ""), tags.get("article:author", ""))
    dates = (parse_date(tags.get(name)) for name in _PUBLISHED_TAGS)
    language = re.match(r"[a-z]{2}\b", (tree.get("lang") or "").lower())
    canonical = urljoin(url or "", tree.xpath("string(//link[@rel='canonical']/@href)").strip())
    trusted = site(canonical) and site(canonical) == site(url or canonical)
    return {
        "title": _names(linked.get("headline")) or tags.get("og:title"),
        "author": _names(linked.get("author"))
        or next((name for name in authors if name and not name.startswith("http")), None),
        "publisher": _names(linked.get("publisher")) or tags.get("og:site_name"),
        "published": parse_date(linked.get("datePublished")) or next(filter(None, dates), None),
        "url": canonical if trusted else url,  # a page cannot pass for another site's
        "language": language[0] if language else None,
    }


def _json_ld(tree: Any) -> Record:
    """The article with the most fields among a page's JSON-LD, else the date of the page."""
    articles: list[Record] = []
    dated: list[Record] = []

    def collect(item: Record) -> Record:
        types = item.get("@type")
        names = [*map(str, types if isinstance(types, list) else [types])]
        if any(name.endswith(("Article", "BlogPosting")) for name in names):
            articles.append(item)
        elif "WebPage" in names and item.get("datePublished"):
            dated.append({"datePublished": item["datePublished"]})
        return item

    for script in tree.xpath("//script[@type='application/ld+json']"):
        with suppress(ValueError, RecursionError):
            json.loads(script.text_content(), strict=False, object_hook=collect)
    return max(articles or dated, key=len, default={})


def _names(value: Any) -> str | None:
    """The name or names in a JSON-LD value."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_names, value[:20]))) or None
    if isinstance(value, dict):
        value = value.get("name")
    return (" ".join(value.split()) or None) if isinstance(value, str) else None


def _meta_tags(tree: Any) -> dict[str, str]:
    """Contents of meta tags and of `time` tags marked as publication, by lower-case name."""
    tags: dict[str, str] = {}
    for tag in tree.xpath("//meta[@content] | //time[@datetime][@itemprop or @pubdate]"):
        name = tag.get("property") or tag.get("name") or tag.get("itemprop") or "pubdate"
        content = " ".join((tag.get("content") or tag.get("datetime") or "").split())
        if content:
            tags.setdefault(name.lower(), content)
    return tags


def _drop_comments(tree: Any) -> None:
    """Remove what follows a heading like “2 comments”, where the markup does not mark comments."""
    for node in tree.xpath("//h2 | //h3 | //h4 | //h5 | //h6 | //p"):
        if _COMMENTS_HEADING.fullmatch(" ".join(node.text_content().split())):
            for sibling in [node, *node.itersiblings()]:
                sibling.getparent().remove(sibling)


def _blocks(markup: str) -> Iterator[tuple[str, str]]:
    """(tag, text) of each block with text, in order, without footnotes; not recursive."""
    from lxml import etree, html  # noqa: PLC0415

    tree = html.fragment_fromstring(markup, create_parent="div")
    for note in tree.xpath(_NOTES):
        note.drop_tree()
    walker = etree.iterwalk(tree, events=("start", "end"))
    tag, text = "", ""
    for event, node in walker:
        is_block = node.tag in _BLOCK_TAGS
        if is_block:
            if line := " ".join(text.split()).strip("| "):
                yield tag, line
            text = ""
        if event == "end":
            text += (" | " if node.tag in {"td", "th"} else "") + (node.tail or "")
        elif not isinstance(node.tag, str) or node.tag in _HIDDEN_TAGS:
            walker.skip_subtree()
        else:
            tag = node.tag if is_block else tag
            text += node.text or ""


def read_markdown(data: bytes) -> list[Record]:
    """Read one report in UTF-8; the first `#` heading is a title, and not part of the text."""
    from markdown_it import MarkdownIt  # noqa: PLC0415

    fields, body = front_matter(data.decode())
    blocks = [*_blocks(MarkdownIt("commonmark").enable("table").render(body))]
    heading = next((block for block in blocks if block[0] == "h1"), None)
    if heading:
        blocks.remove(heading)
        fields = {**fields, "title": fields.get("title") or heading[1]}
    return [with_text(fields, [text for _, text in blocks])]


# Feeds


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
    contents = [_paragraphs(content.get("value", "")) for content in entry.get("content", [])]
    body = max([*contents, _paragraphs(entry.get("summary", ""))], key=len)
    # feedparser repeats the content as the summary of an entry that has none.
    whole = (body in contents or len(body) >= _MIN_STORY_CHARS) and not _CUT_SHORT.search(body)
    link = urljoin(url or "", entry.get("link") or "")
    stated = {
        "title": " ".join(text for _, text in _blocks(entry.get("title") or "")),
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


def _paragraphs(markup: str) -> str:
    return "\n\n".join(text for _, text in _blocks(markup) if not _BOILERPLATE.fullmatch(text))


# Word and zip


def read_zip(data: bytes) -> list[Record]:
    """Read a Word file's report, or the `name` and base64 `data` of each file in an archive."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    files = archive.infolist()
    if len(files) > _MAX_FILES:
        raise SourceError(f"holds more than {_MAX_FILES:,} files: split it")
    if any(file.flag_bits & 1 for file in files):
        raise SourceError("is locked with a password: save a copy without one")
    unpacked = sum(file.file_size for file in files)  # zipfile reads no more than this
    if unpacked > _MAX_UNPACKED_BYTES or unpacked > _MAX_RATIO * max(len(data), 10_000):
        raise SourceError("is far larger unpacked than packed: split it, or send the files alone")
    names = archive.namelist()
    if "word/document.xml" in names:
        return _word(data, archive)
    if "[Content_Types].xml" in names or "mimetype" in names:
        raise SourceError("is an Office file other than Word: save it as PDF")
    records = []
    for file in files:
        path = PurePosixPath(file.filename.replace("\\", "/"))
        parts = [part for part in path.parts if part not in {"/", "..", "."}]  # it leads nowhere
        if not (file.is_dir() or any(part.startswith((".", "__MACOSX")) for part in parts)):
            content = base64.b64encode(archive.read(file)).decode()
            records.append({"name": "/".join(parts), "data": content})
    if not records:
        raise SourceError("is an empty zip archive: pack the reports again")
    return records


def _word(data: bytes, archive: zipfile.ZipFile) -> list[Record]:
    """Read a Word file: its text, and the title and author of its properties or first heading."""
    import mammoth  # type: ignore[import-untyped]  # noqa: PLC0415
    from lxml import etree  # noqa: PLC0415

    style = "p[style-name='Title'] => h1:fresh"
    markup = mammoth.convert_to_html(io.BytesIO(data), convert_image=lambda _: [], style_map=style)
    blocks = [*_blocks(markup.value)]
    if not blocks:
        raise SourceError("has no text: add some, or save it as PDF")
    properties = {}
    with suppress(KeyError):  # there are none
        safe = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(archive.read("docProps/core.xml"), safe)
        properties = {etree.QName(node).localname: node.text for node in root.iterchildren("*")}
    heading = next((text for tag, text in blocks[:3] if tag == "h1"), None)
    stated = {"title": properties.get("title"), "author": properties.get("creator")}
    guesses = {"title": heading, "guessed_date": parse_date(properties.get("created"))}
    return [with_text(with_guesses(stated, guesses), [text for _, text in blocks])]
