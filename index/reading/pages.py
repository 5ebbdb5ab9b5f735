"""Read the report in an HTML page; runs in the sandbox.

trafilatura finds the text. Before that, we remove what it would mistake for the report, and repair
parts of the report that it would mistake for something else. Its fallbacks and settings are not
enough for that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from index.errors import SourceError
from index.reading.markup import (
    BOILERPLATE,
    INLINE,
    as_seen,
    letters,
    paragraphs,
    with_guesses,
    with_text,
)
from index.reading.paragraphs import SENTENCE_END, checked, is_label, read_blocks
from index.reading.stated import as_name, read_stated
from index.reading.text import Record
from index.reading.urls import site

_MAX_TAGS = 150_000  # about ten seconds of work
_MIN_REPORT_CHARS = 60  # a shorter text is a label or a menu
_SHORT_REPORT_CHARS = 1_500  # of longer reports, hardly ever was most of the text overlooked
_OVERLOOKED = 3  # how many times as much text shows that most was overlooked
_MIN_PART_CHARS = 500  # length of paragraphs in a part of a report; teasers are shorter
_MAX_LEAD_CHARS = 700
_LEAD_LETTERS = 40  # letters by which a lead is recognised: a description is often cut short
_TEASER_SHARE = 0.2  # of the page's text; a longer element is the report, whatever its class
_DATES = {"original_date": True, "extensive_search": False, "outputformat": "%Y-%m-%dT%H:%M:%S%z"}
_COMMENTS_HEADING = re.compile(  # "2 comments", "Reader comments (5)", "Leave a reply"
    r"(?:\d+ )?(?:reader )?comments?(?: \(\d+\))?|(?:leave|post|add) a (?:comment|reply)",
    re.IGNORECASE,
)
_OTHER_STORIES = re.compile(  # class="story__read-next", id="up-next", role="tooltip"
    r"(?:\b|_)(?:(?:read|up|watch|listen)[-_]?next|(?:read|see|watch)[-_]?also|also[-_]?(?:read|see)"
    r"|(?:more|other|related|recommended|next)[-_]?(?:stor(?:y|ies)|articles?|posts?|news|from)"
    r"|most[-_]?(?:read|popular)|must[-_]?reads?|further[-_]?reading|recirc(?:ulation)?\b"
    r"|recommend(?:ed|ations)\b|trending\b|hover[-_]?card|tooltip\b|popup\b)",
    re.IGNORECASE,
)
_OTHER_STORIES_HEADING = re.compile(  # "More from Northwire", "You may also like"
    r"(?:more|related|recommended|popular|latest|other|top) (?:stories|articles|news|coverage)"
    r"|more (?:from|on) .{1,40}|you (?:may|might) also (?:like|enjoy).{0,10}|(?:read|up) next"
    r"|most (?:read|popular)|must reads?|recommended(?: for you)?|trending(?: now)?",
    re.IGNORECASE,
)
_KIND = re.compile(r"\[[^]]{1,30}\]")  # the kind of another story: "[VIDEO]"
_LEAVES = " | ".join(f"//{tag}" for tag in "h2 h3 h4 p span strong".split()) + (
    " | //div[not(div or p or section or ul)]"
)


def read_html(data: bytes, *, url: str | None = None) -> list[Record]:
    """Read the report of a page in UTF-8: main text, title, author, publisher and date."""
    from lxml import html  # type: ignore[import-untyped]  # noqa: PLC0415

    if data.count(b"<") > _MAX_TAGS:
        raise SourceError("has too many tags for a report: save its text alone")
    # trafilatura would keep only the part of a paragraph before a comment.
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    tree = html.document_fromstring(data, parser=parser)
    stated = read_stated(tree, data, url)
    description, body = stated.pop("description") or "", stated.pop("body") or ""
    as_seen(tree)
    _drop_comments(tree)
    _drop_teasers(tree)
    _flatten_sentences(tree)
    _join_parts(tree)
    extracted = _extract(tree, body, url)
    lines = (line.strip().removeprefix("- ") for line in extracted["text"].split("\n"))
    report = [line for line in lines if line and not BOILERPLATE.fullmatch(line)]
    record = _with_guesses(stated, extracted, url)
    report = checked(report, read_blocks(tree), record.get("title") or "")
    record = with_text(record, report)
    if lead := _lead(tree, description, record["text"]):
        record["text"] = f"{lead}\n\n{record['text']}"
    if len(record["text"]) < _MIN_REPORT_CHARS:
        raise SourceError("has no text that looks like a report: save its text alone")
    return [record]


def _with_guesses(stated: Record, extracted: Mapping[str, Any], url: str | None) -> Record:
    """Return the stated fields, with gaps filled by what trafilatura extracts from the page."""
    title, publisher = extracted.get("title"), as_name(extracted.get("sitename"))
    guesses = {
        "title": title,
        "author": extracted.get("author"),
        "publisher": site(url) if publisher == title else publisher or site(url),
        "guessed_date": extracted.get("date"),
    }
    record = with_guesses(stated, guesses)
    suffix = rf"\s+[|–—·-]\s+{re.escape(record.get('publisher') or '|')}\s*$"  # " | Northwire"
    return record | {"title": re.sub(suffix, "", record.get("title") or "", flags=re.IGNORECASE)}


def _lead(tree: Any, description: str, text: str) -> str | None:
    """Return the paragraph above the text that is the page's description, if it was overlooked."""
    start, first = (letters(line)[:_LEAD_LETTERS] for line in (description, text))
    if len(start) < _LEAD_LETTERS or start in letters(text):
        return None
    for node in tree.xpath(_LEAVES):
        line = _line(node)
        if letters(line).startswith(start) and len(line) < _MAX_LEAD_CHARS:
            return line
        if letters(line).startswith(first):  # the text begins here
            break
    return None


def _extract(tree: Any, body: str, url: str | None) -> dict[str, Any]:
    """Return what trafilatura extracts from a page.

    It prefers precision. If that overlooks most of the text, the result has the stated `body`, or
    what trafilatura finds when it prefers recall.
    """
    from trafilatura import bare_extraction  # noqa: PLC0415

    settings: dict[str, Any] = {"url": url, "include_comments": False}
    cautious: Any = bare_extraction(
        tree, favor_precision=True, with_metadata=True, date_extraction_params=_DATES, **settings
    )
    fields = cautious.as_dict() if cautious else {}
    text = fields.get("text") or ""
    if len(body) > _OVERLOOKED * len(text):
        text = paragraphs(body) if "<p" in body else body
    elif len(text) < _SHORT_REPORT_CHARS:
        incautious: Any = bare_extraction(tree, **settings)
        longer = (incautious and incautious.text) or ""
        text = longer if len(longer) > _OVERLOOKED * len(text) else text
    return {**fields, "text": text}


def _drop_comments(tree: Any) -> None:
    """Remove headings like “2 comments” and, below the report, everything after them.

    This finds comments that the markup does not mark.
    """
    chars = 0  # length of the report so far: a count of comments may also stand above it
    for node in [*tree.iter("h1", "h2", "h3", "h4", "h5", "h6", "p")]:
        text = _line(node)
        if node.tag == "h1":
            chars = 0
        elif not _COMMENTS_HEADING.fullmatch(text):
            chars += len(text)
        elif node.getparent() is not None:  # not yet removed
            for sibling in [*node.itersiblings()] if chars >= _MIN_REPORT_CHARS else []:
                sibling.drop_tree()
            node.drop_tree()


def _drop_teasers(tree: Any) -> None:
    """Remove teasers of other stories."""
    limit = _TEASER_SHARE * sum(len(node.text_content()) for node in tree.iter("p"))
    for node in [*tree.iter("a", "div", "p", "section", "span", "ul")]:
        is_here = node.getparent() is not None
        if is_here and _is_teaser(node) and len(node.text_content()) < limit:
            above = node.getprevious() if node.tag == "ul" else None
            if above is not None and is_label(_line(above)):
                above.drop_tree()
            node.drop_tree()


def _is_teaser(node: Any) -> bool:
    """Return whether an element is a teaser by its name or heading, or a link and no sentence."""
    if node.tag == "a":
        return node.find("p") is not None
    names = map(node.get, ("class", "id", "role", "data-testid"), ("",) * 4)
    if node.get("hidden") is not None or _OTHER_STORIES.search(" ".join(names)):
        return True
    if node.tag == "p":
        return _is_link(node) or _is_list_of_links(node)
    if node.tag == "span":
        return _is_card(node)
    if node.tag == "ul":
        return len(node) > 1 and all(map(_is_link, node))
    heading = next(iter(node), None)
    is_headed = heading is not None and heading.tag in {"h2", "h3", "h4", "h5", "h6"}
    return is_headed and bool(_OTHER_STORIES_HEADING.fullmatch(_line(heading)))


def _is_card(node: Any) -> bool:
    """Return whether an element behind text begins with a picture, as a card about a name does."""
    if node.getprevious() is None and not (node.getparent().text or "").strip():
        return False
    for part in node.iter():
        if part.tag == "img":
            return bool(_line(node))
        if (part.text or "").strip():
            return False
    return False


def _is_link(node: Any) -> bool:
    """Return whether a paragraph is a link, perhaps after a label, and no sentence."""
    text, linked = _line(node), " ".join("".join(node.xpath(".//a//text()")).split())
    if not linked or not text.endswith(linked) or SENTENCE_END.search(text):
        return False
    label = text.removesuffix(linked).rstrip()
    return not label or is_label(label)


def _is_list_of_links(node: Any) -> bool:
    """Return whether a paragraph is several headlines, all links, perhaps each with a kind."""
    links = [_line(link) for link in node.iterdescendants("a")]
    outside = " ".join(node.xpath(".//text()[not(ancestor::a)]"))
    return (
        len(links) > 1
        and not letters(_KIND.sub("", outside))
        and not any(map(SENTENCE_END.search, [outside, *links]))
    )


def _line(node: Any) -> str:
    return " ".join(node.text_content().split())


def _flatten_sentences(tree: Any) -> None:
    """Flatten sentences to text: trafilatura drops parts of them by class, or as a menu.

    Links stay unless most of the text is linked, since they show what is not a report. The full
    stop of a sentence is outside of its links, but not that of a headline in a list.
    """
    for node in tree.iter("p"):
        outside = "".join(node.xpath(".//text()[not(ancestor::a)]"))
        if not SENTENCE_END.search(outside):
            continue
        is_linked = 2 * len(outside) < len(node.text_content())
        for part in [*node.iterdescendants(*INLINE, *(["a"] if is_linked else []))]:
            part.drop_tag()


def _join_parts(tree: Any) -> None:
    """Join a report in containers of the same class, of which trafilatura would read the first.

    Successive articles stay apart: they are different reports.
    """
    parts: dict[tuple[Any, str], Any] = {}
    for node in [*tree.iter("div", "section")]:
        box, kind = node.getparent(), node.get("class")
        chars = sum(len(child.text_content()) for child in node.iterchildren("p"))
        if kind and box is not None and chars >= _MIN_PART_CHARS:
            first = parts.setdefault((box.getparent(), kind), node)
            if first is not node and (first.getparent() is box or box.tag != "article"):
                first.extend(node.getchildren())
