"""Read OpenDocument texts and EPUB books; runs in the sandbox."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from index.errors import SourceError
from index.reading.markup import blocks, raise_digits, stated_charset, with_guesses, with_text
from index.reading.text import Record, decode, names_no_report

_LOCKED = "is locked with a password: save a copy without one"
# Elements of OpenDocument that are not the text: notes, comments, deleted text, tables of contents.
_ASIDE = frozenset(
    "note annotation tracked-changes forms table-of-content alphabetical-index frame"
    " ruby-text".split()
)
_DC = "{http://purl.org/dc/elements/1.1/}"


def read_odt(archive: zipfile.ZipFile) -> list[Record]:
    """Read an OpenDocument text: its text, and the title and author of its properties."""
    if b"encryption-data" in _file(archive, "META-INF/manifest.xml"):
        raise SourceError(_LOCKED)
    root = _parsed(_file(archive, "content.xml"))
    titles = {"Title"} | {
        _attribute(style, "name")
        for style in root.iter("{*}style")
        if _attribute(style, "parent-style-name") == "Title"
    }
    _as_seen(root)
    lines = [*_lines(root.find(".//{*}text"), titles)]
    if not lines:
        raise SourceError("has no text: add some, or save it as PDF")
    meta = _parsed(_file(archive, "meta.xml") or b"<meta/>")
    title = meta.findtext(f".//{_DC}title")
    stated = {
        "title": None if names_no_report(title) else title,
        "author": meta.findtext(".//{*}initial-creator") or meta.findtext(f".//{_DC}creator"),
    }
    guesses = {
        "title": next((text for is_title, text in lines[:3] if is_title), None),
        "guessed_date": meta.findtext(".//{*}creation-date") or meta.findtext(f".//{_DC}date"),
    }
    return [with_text(with_guesses(stated, guesses), [text for _, text in lines])]


def _as_seen(root: Any) -> None:
    """Remove hidden and struck text, and raise digits in superscript."""
    raised, unseen = set(), set()
    for look in root.iter("{*}text-properties"):
        style = _attribute(look.getparent(), "name")
        if (_attribute(look, "text-position") or "").startswith("super"):
            raised.add(style)
        is_struck = (_attribute(look, "text-line-through-style") or "none") != "none"
        if is_struck or _attribute(look, "display") == "none":
            unseen.add(style)
    for span in root.iter("{*}span"):
        if _attribute(span, "style-name") in unseen:
            span.clear(keep_tail=True)
        elif _attribute(span, "style-name") in raised:
            raise_digits(span)


def _lines(node: Any, titles: set[str | None]) -> Iterator[tuple[bool, str]]:
    """Yield (is a title, text) of each paragraph, heading or row of a table, in order."""
    for child in node:
        name = _name(child)
        if name in {"p", "h"}:
            text = " ".join("".join(_pieces(child)).split())
            is_title = _attribute(child, "outline-level") == "1"
            if text:
                yield is_title or _attribute(child, "style-name") in titles, text
            for box in _boxes(child):
                yield from _lines(box, titles)
        elif name == "table-row":
            cells = (" ".join(text for _, text in _lines(cell, titles)) for cell in child)
            if row := " | ".join(cells).strip(" |"):
                yield False, row
        elif name not in _ASIDE:
            yield from _lines(child, titles)


def _boxes(node: Any) -> Iterator[Any]:
    """Yield the text boxes in a paragraph, without boxes inside others."""
    for child in node:
        if _name(child) == "text-box":
            yield child
        else:
            yield from _boxes(child)


def _pieces(node: Any) -> Iterator[str]:
    """Yield the text of a paragraph; spaces, tabs and line ends are elements."""
    yield node.text or ""
    for child in node:
        if _name(child) in {"s", "tab", "line-break"}:
            yield " "
        elif _name(child) not in _ASIDE:
            yield from _pieces(child)
        yield child.tail or ""


def read_epub(archive: zipfile.ZipFile) -> list[Record]:
    """Read a book's chapters in order as one report, with the metadata that it states."""
    from lxml import html  # type: ignore[import-untyped]  # noqa: PLC0415

    container = _parsed(_file(archive, "META-INF/container.xml"))
    path = container.find(".//{*}rootfile").get("full-path")
    package = _parsed(archive.read(path))
    files = {item.get("id"): item for item in package.iter("{*}item")}
    locked = _file(archive, "META-INF/encryption.xml").decode("utf-8", "replace")
    lines: list[str] = []
    for reference in package.iter("{*}itemref"):
        item = files.get(reference.get("idref"))
        if item is None or "nav" in (item.get("properties") or "").split():
            continue
        name = posixpath.join(posixpath.dirname(path), unquote(item.get("href")))
        if name in locked:
            raise SourceError("is locked by its shop: save what it says as text")
        chapter = archive.read(posixpath.normpath(name))
        text = decode(chapter, stated_charset(chapter)).encode()
        page = html.document_fromstring(text, parser=html.HTMLParser(encoding="utf-8"))
        for body in page.iter("body"):
            lines += [text for _, text in blocks(html.tostring(body, encoding="unicode"))]
    if not lines:
        raise SourceError("has no text, only pictures: run text recognition first")

    def stated(name: str) -> str:
        return ", ".join(node.text for node in package.iter(f"{_DC}{name}") if node.text)

    fields = {
        "title": package.findtext(f".//{_DC}title"),
        "author": stated("creator"),
        "publisher": stated("publisher"),
        "published": package.findtext(f".//{_DC}date"),
        "language": stated("language")[:2].lower(),
    }
    return [with_text(fields, lines)]


def _file(archive: zipfile.ZipFile, name: str) -> bytes:
    return archive.read(name) if name in archive.namelist() else b""


def _parsed(data: bytes) -> Any:
    from lxml import etree  # noqa: PLC0415

    # Text after a comment or an entity in a paragraph would be that node's tail.
    parser = etree.XMLParser(
        resolve_entities="internal", no_network=True, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(data, parser)


def _name(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]


def _attribute(node: Any, name: str) -> str | None:
    """Return an attribute by its name in any namespace."""
    return next((value for key, value in node.items() if key.rpartition("}")[2] == name), None)
