"""Read what an HTML page states about its report: in JSON-LD, else in meta tags.

We do this ourselves: trafilatura takes a date of modification for that of publication, overlooks
agencies as authors, and does not say what it guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta, timezone
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

from index.reading.paragraphs import SENTENCE_END
from index.reading.text import Record, parse_date
from index.reading.urls import is_home, site

_PUBLISHED_TAGS = (
    "article:published_time og:article:published_time datepublished dc.date.issued"
    " dcterms.issued dc.date dcterms.date dcterms.created pubdate publishdate publish-date"
    " parsely-pub-date sailthru.date cxenseparse:recs:publishtime"
).split()
_DAY_TAG = "date"  # also used for the day of a change
_NO_NAME = re.compile(r"https?:|www\.|//|[^ ]+@|©|\(c\)|copyright\b", re.IGNORECASE)
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?[+-]\d\d:?\d\d")
_URL_DAY = re.compile(r"/(\d{4})(/?)(\d\d?)\2(\d\d?)/")  # "/2026/11/3/", "/20261103/"
_OFFSET = re.compile(r"T.*(?:Z|[+-]\d\d:?\d\d)$")
_DAY = timedelta(days=1)
_EAST, _WEST = timedelta(hours=14), timedelta(hours=10)  # the zones farthest from Greenwich
# Country domains that are used anywhere because of what they spell.
_OPEN_DOMAINS = frozenset(
    "ac ad ai am as bz cc cd co dj fm gg io je la ly me ms nu sc sh sr st su tk to tv vc vg vu"
    " ws".split()
)


def read_stated(tree: Any, data: bytes, url: str | None) -> Record:
    """Return the fields that a page states about its report, and any `description` and `body`."""
    linked, tags = _json_ld(tree), _meta_tags(tree)
    language = re.match(r"[a-z]{2}\b", (tree.get("lang") or "").lower())
    canonical = urljoin(url or "", tree.xpath("string(//link[@rel='canonical']/@href)").strip())
    own_site = site(canonical) and site(canonical) == site(url or canonical)
    # A page must not pass for another site's. Many sites name their home on every page by mistake.
    address = canonical if own_site and not is_home(canonical) else url
    published = _published(tree, linked, tags)
    return {
        "title": _text(linked.get("headline")) or tags.get("og:title"),
        "author": linked.get("author") or as_name(tags.get("author"), tags.get("article:author")),
        "publisher": linked.get("publisher") or as_name(tags.get("og:site_name")),
        "published": published and _on_its_clock(published, data, tags, address),
        "url": address,
        "language": language[0] if language else None,
        "description": tags.get("og:description") or tags.get("description"),
        "body": _text(linked.get("articleBody"), "\n"),
    }


def _published(tree: Any, linked: Record, tags: dict[str, str]) -> datetime | None:
    """Return when the report was published; None if the page states two different days."""
    named = [*map(parse_date, [linked.get("datePublished"), *map(tags.get, _PUBLISHED_TAGS)])]
    vague = parse_date(tags.get(_DAY_TAG))
    moments = [moment for moment in [*named, vague] if moment]
    # A moment and the midnight that stands for its day are less than this apart.
    if moments and max(moments) - min(moments) > _DAY + _EAST:
        return None
    return next(filter(None, [*named, parse_date(_shown_day(tree)), vague]), None)


def _shown_day(tree: Any) -> str | None:
    """Return the only day that a page's `time` tags name; None if there is no such day."""
    tags = [tag for tag in tree.xpath("//time[@datetime]") if not _is_in_sentence(tag)]
    stated = {(value := str(tag.get("datetime")))[:10]: value for tag in tags}
    if len(stated) != 1:
        return None
    day, moment = stated.popitem()
    return moment if _OFFSET.search(moment) else day  # without an offset, its clock is unknown


def _is_in_sentence(tag: Any) -> bool:
    """Return whether a tag is part of a sentence, which may name any day."""
    return any(SENTENCE_END.search(box.text_content()) for box in tag.iterancestors("p"))


def _on_its_clock(moment: datetime, data: bytes, tags: dict[str, str], url: str | None) -> datetime:
    """Return a moment in UTC on the page's own clock, or else the day that it was there.

    The clock is that of the same moment elsewhere on the page, of the day in its address, or of the
    country of its domain, in this order.
    """
    if moment.utcoffset() or moment.time() == time():
        return moment
    written = [match[0].decode() for match in _MOMENT.finditer(data)]
    for local in map(parse_date, [*written, *tags.values()]):
        if local == moment and local.utcoffset():
            return local
    in_url = _URL_DAY.search(url or "")
    day = parse_date("{}-{:0>2}-{:0>2}".format(*in_url.group(1, 3, 4))) if in_url else None
    if day and -_EAST <= moment - day < _WEST + _DAY:
        return moment if day.date() == moment.date() else day
    return _in_its_country(moment, url)


def _in_its_country(moment: datetime, url: str | None) -> datetime:
    """Return a moment on the clock of a domain's country, or the day there if its clocks differ.

    If not even the day is the same everywhere in the country, the moment is returned as it is.
    """
    import pytz  # type: ignore[import-untyped]  # noqa: PLC0415

    host = urlsplit(url or "").hostname or ""
    domain = host.rpartition(".")[2]
    if domain in _OPEN_DOMAINS:
        return moment
    names = pytz.country_timezones.get("gb" if domain == "uk" else domain, ())
    locally = [moment.astimezone(pytz.timezone(name)) for name in names]
    offsets = {local.utcoffset() or timedelta() for local in locally}
    days = {local.date() for local in locally}
    if len(offsets) == 1:
        return moment.astimezone(timezone(offsets.pop()))
    return datetime.combine(days.pop(), time(), UTC) if len(days) == 1 else moment


def _json_ld(tree: Any) -> Record:
    """Return the article with the most fields in a page's JSON-LD, else the date of the page.

    Its author and publisher are names, even if the article only refers to them by an id.
    """
    articles: list[Record] = []
    dated: list[Record] = []
    named: dict[str, Record] = {}

    def collect(item: Record) -> Record:
        types = item.get("@type")
        kinds = [*map(str, types if isinstance(types, list) else [types])]
        if any(kind.endswith(("Article", "BlogPosting")) for kind in kinds):
            articles.append(item)
        elif "WebPage" in kinds and item.get("datePublished"):
            dated.append({"datePublished": item["datePublished"]})
        if item.get("name") and item.get("@id"):
            named.setdefault(str(item["@id"]), item)
        return item

    def names(value: Any) -> Iterator[str | None]:
        for item in value[:20] if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield as_name(named.get(str(item.get("@id")), item).get("name"))
            else:
                yield as_name(item)

    decoder = json.JSONDecoder(strict=False, object_hook=collect)
    for script in tree.xpath("//script[contains(@type, 'ld+json')]"):
        text = script.text_content()
        if start := re.search(r"(?<!CDATA)[\[{](?!CDATA)", text):  # after “<!--” or “//<![CDATA[”
            with suppress(ValueError, RecursionError):
                decoder.raw_decode(text, start.start())
    article = max(articles or dated, key=len, default={})
    people = {
        field: ", ".join(dict.fromkeys(filter(None, names(article.get(field)))))
        for field in ("author", "publisher")
    }
    return {**article, **people}


def _meta_tags(tree: Any) -> dict[str, str]:
    """Return contents of meta tags and of `time` tags of publication, by lower-case name."""
    tags: dict[str, str] = {}
    for tag in tree.xpath("//meta[@content] | //time[@datetime][@itemprop or @pubdate]"):
        name = tag.get("property") or tag.get("name") or tag.get("itemprop") or "pubdate"
        if content := _text(tag.get("content") or tag.get("datetime")):
            tags.setdefault(name.lower(), content)
    return tags


def as_name(*values: Any) -> str | None:
    """Return the first value that is a name, not an address or “Copyright 2014”."""
    names = (text for value in values if (text := _text(value)) and not _NO_NAME.match(text))
    return next(names, None)


def _text(value: Any, line_end: str = " ") -> str | None:
    """Return a string without the entities that many sites leave in; None if nothing is left."""
    if not isinstance(value, str):
        return None
    lines = (" ".join(line.split()) for line in unescape(value).splitlines())
    return line_end.join(filter(None, lines)) or None
