"""HTML pages and feeds -> plain fields; meant to run in a sandbox.

Each function takes bytes and returns records of JSON. A field is stated where its source says it
in a place made for it, and named in `guessed` where it was worked out. Libraries are imported
where they are needed: a feed does not wait for what reads pages.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from index.errors import SourceError

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


# HTML


def page(data: bytes, *, url: str | None = None) -> list[Record]:
    """A page's report: main text, title, author, publisher and date; `data` is UTF-8."""
    from lxml import html  # type: ignore[import-untyped]  # noqa: PLC0415
    from trafilatura import bare_extraction  # noqa: PLC0415

    if data.count(b"<") > _MAX_TAGS:
        raise SourceError("has too many tags for a report: save the text alone")
    tree = html.document_fromstring(data, parser=html.HTMLParser(encoding="utf-8"))
    stated = _stated(tree, url)
    heading, times = tree.findtext(".//title") or "", tree.xpath("//time/@datetime")
    _drop_comments(tree)
    found: Any = bare_extraction(
        tree, url=url, favor_precision=True, include_comments=False, with_metadata=True
    )
    guesses = {
        "title": getattr(found, "title", None),
        "author": getattr(found, "author", None),
        "published": _nearest(getattr(found, "date", None), times),
        "publisher": _site(heading, stated["title"] or getattr(found, "title", None))
        or getattr(found, "sitename", None)
        or (urlsplit(url or "").hostname or "").removeprefix("www."),
    }
    record = with_guesses(stated, guesses)
    record["title"] = _without_site(record.get("title") or "", record.get("publisher"))
    lines = [line.strip().removeprefix("- ") for line in ((found and found.text) or "").split("\n")]
    lines = [line for line in lines if line and not _CHROME.fullmatch(line)]
    if lines and same_words(lines[0], record["title"]):
        lines = lines[1:]
    if sum(map(len, lines)) < _MIN_CHARS:
        raise SourceError("has no text that looks like a report: save the text alone")
    return [{**record, "text": "\n\n".join(lines)}]


def _drop_comments(tree: Any) -> None:
    """Take out what readers wrote, by its heading, where the markup does not tell it apart."""
    for node in tree.xpath("//h2 | //h3 | //h4 | //h5 | //h6 | //p"):
        if _COMMENTS.fullmatch(" ".join(node.text_content().split())):
            for below in [node, *node.itersiblings()]:
                below.getparent().remove(below)


def with_guesses(stated: Record, guesses: Mapping[str, Any]) -> Record:
    """What is stated, filled up with what is guessed and marked so."""
    new = {name: value for name, value in guesses.items() if value and not stated.get(name)}
    return {**stated, **new, "guessed": sorted(new)}


def _stated(tree: Any, url: str | None) -> Record:
    """What the page says of itself: JSON-LD first, then meta tags."""
    linked, tags = _json_ld(tree), _meta_tags(tree)
    authors = [name for name in (tags.get("author"), tags.get("article:author")) if name]
    canonical = tree.xpath("string(//link[@rel='canonical']/@href)").strip()
    language = re.match(r"[a-z]{2}\b", (tree.get("lang") or "").lower())
    return {
        "title": _name(linked.get("headline")) or tags.get("og:title"),
        "author": _name(linked.get("author"))
        or next((name for name in authors if not name.startswith("http")), None),
        "publisher": _name(linked.get("publisher")) or tags.get("og:site_name"),
        "published": moment_of(linked.get("datePublished")) or _first_moment(tags),
        "url": _own(urljoin(url or "", canonical), url),
        "language": language[0] if language else None,
    }


def _own(canonical: str, url: str | None) -> str | None:
    """The address a page gives itself, unless it claims to be of another site."""
    hosts = {
        (urlsplit(one).hostname or "").removeprefix("www.") for one in (canonical, url or canonical)
    }
    return canonical if canonical.startswith("http") and len(hosts) == 1 else url


def _json_ld(tree: Any) -> Record:
    for script in tree.xpath("//script[@type='application/ld+json']"):
        try:
            waiting = [json.loads(script.text_content(), strict=False)]
        except (ValueError, RecursionError):
            continue
        while waiting:
            item = waiting.pop()
            if isinstance(item, list):
                waiting += item[:100]
            elif isinstance(item, dict):
                kind = item.get("@type")
                kinds = kind if isinstance(kind, list) else [kind]
                if any(str(one).endswith(("Article", "BlogPosting")) for one in kinds):
                    return item
                waiting.append(item.get("@graph"))
    return {}


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


def _first_moment(tags: Mapping[str, str]) -> str | None:
    names = (
        "article:published_time og:article:published_time datepublished dc.date.issued"
        " dcterms.issued dc.date dcterms.date dcterms.created pubdate publishdate publish-date"
        " parsely-pub-date sailthru.date cxenseparse:recs:publishtime date"
    )
    return next(filter(None, (moment_of(tags.get(name)) for name in names.split())), None)


def moment_of(value: Any) -> str | None:
    """A date as ISO 8601; None for what is none, or cannot be."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError):
            return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.isoformat() if 1500 < moment.year < 2200 else None  # noqa: PLR2004


def _nearest(day: Any, times: list[str]) -> str | None:
    """The moment, of those the page shows, that lies on a day; else the day alone."""
    moments = [moment for moment in map(moment_of, times) if moment and day]
    return next((one for one in moments if one.startswith(str(day))), moment_of(day))


def _site(heading: str, title: str | None) -> str | None:
    """The site in “Dam fails | Northwire”."""
    rest = heading.strip().removeprefix(title or heading)
    found = re.fullmatch(r"\s+[|–—·-]\s+([^|–—·]{2,60})", rest)
    return found[1].strip() if found else None


def _without_site(title: str, publisher: str | None) -> str:
    """A title without “ | Northwire” at its end."""
    return re.sub(
        rf"\s+[|–—·-]\s+{re.escape(publisher or '|')}\s*$", "", title, flags=re.IGNORECASE
    )


def same_words(one: str, other: str) -> bool:
    """Whether two lines have the same letters and digits, and any."""
    return re.sub(r"\W+", "", one).casefold() == re.sub(r"\W+", "", other).casefold() != ""


def blocks(tree: Any) -> Iterator[tuple[str, str]]:
    """(tag, text) of each block that holds text, in order; without recursion."""
    from lxml import etree  # noqa: PLC0415

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
    summary = _paragraphs(entry.get("summary", ""))
    body = max([*bodies, summary], key=len)
    given = body in bodies  # feedparser gives content as summary too, where there is none
    whole = (given or len(body) >= _WHOLE_STORY) and not _CUT_SHORT.search(body)
    link = urljoin(url or "", entry.get("link") or "")
    moments = {name: entry.get(f"{name}_parsed") for name in ("published", "updated")}
    dates = {name: _at(time) for name, time in moments.items() if time}
    publisher = (entry.get("source") or {}).get("title") or entry.get("publisher")
    stated = {
        "title": " ".join(text for _, text in _blocks_of(entry.get("title") or "")),
        "author": entry.get("author"),
        "publisher": publisher,
        "published": dates.get("published"),
        "url": link if link.startswith("http") else None,
        "language": (channel.get("language") or "")[:2].lower() or None,
        "text": body,
        "partial": not whole,
    }
    return with_guesses(
        stated, {"published": dates.get("updated"), "publisher": channel.get("title")}
    )


def _at(time: Any) -> str:
    year, month, day, hour, minute, second = time[:6]
    return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC).isoformat()


def _paragraphs(markup: str) -> str:
    lines = (text for _, text in _blocks_of(markup))
    return "\n\n".join(line for line in lines if not _CHROME.fullmatch(line))


def _blocks_of(markup: str) -> Iterator[tuple[str, str]]:
    from lxml import html  # noqa: PLC0415

    return (
        blocks(html.fragment_fromstring(markup, create_parent="div"))
        if markup.strip()
        else iter(())
    )
