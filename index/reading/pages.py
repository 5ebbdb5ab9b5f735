"""Read the report in an HTML page; runs in the sandbox.

We read the JSON-LD and meta tags of pages ourselves: trafilatura takes a date of modification for
that of publication, overlooks agencies as authors, and does not say what it guessed.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin

from index.errors import SourceError
from index.reading.markup import BOILERPLATE, with_guesses, with_text
from index.reading.text import Record, parse_date
from index.reading.urls import site

_MAX_TAGS = 150_000  # about ten seconds of work
_MIN_REPORT_CHARS = 60  # a shorter text is a label or a menu

_COMMENTS_HEADING = re.compile(  # "2 comments", "Reader comments (5)", "Leave a reply"
    r"(?:\d+ )?(?:reader )?comments?(?: \(\d+\))?|(?:leave|post|add) a (?:comment|reply)",
    re.IGNORECASE,
)
_DATES = {"original_date": True, "extensive_search": False, "outputformat": "%Y-%m-%dT%H:%M:%S%z"}
_PUBLISHED_TAGS = (
    "article:published_time og:article:published_time datepublished dc.date.issued"
    " dcterms.issued dc.date dcterms.date dcterms.created pubdate publishdate publish-date"
    " parsely-pub-date sailthru.date cxenseparse:recs:publishtime date"
).split()


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
    report = [line for line in lines if line and not BOILERPLATE.fullmatch(line)]
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
