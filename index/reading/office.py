"""Read Office files and zip archives; runs in the sandbox."""

from __future__ import annotations

import base64
import io
import zipfile
from contextlib import suppress
from pathlib import PurePosixPath

from index.errors import SourceError
from index.reading.markup import blocks, with_guesses, with_text
from index.reading.opendocument import read_epub, read_odt
from index.reading.recognise import READABLE_SUFFIXES, suffix_of
from index.reading.text import Record, names_no_report, parse_date

_WORD_TEXT = "word/document.xml"
_MAX_FILES = 1_000  # files in an archive
_MAX_UNPACKED_BYTES = 50_000_000
_LISTED = 3  # how many files that are not read are named
_MAX_RATIO = 100  # text packs to about a tenth of its size, a bomb to a thousandth


def read_zip(data: bytes) -> list[Record]:
    """Read the report of a Word file, an OpenDocument text or a book, or the files of an archive.

    Each readable file of an archive is a record with its `name` and base64 `data`.
    """
    archive = zipfile.ZipFile(io.BytesIO(data))
    files = archive.infolist()
    if len(files) > _MAX_FILES:
        raise SourceError(f"holds more than {_MAX_FILES:,} files: split it")
    if any(file.flag_bits & 1 for file in files):
        raise SourceError("is locked with a password: save a copy without one")
    unpacked = sum(file.file_size for file in files)  # zipfile reads no more than these sizes
    if unpacked > _MAX_UNPACKED_BYTES or unpacked > _MAX_RATIO * max(len(data), 10_000):
        raise SourceError("is far larger unpacked than packed: split it, or send the files alone")
    names = archive.namelist()
    kind = archive.read("mimetype").strip() if "mimetype" in names else b""
    if _WORD_TEXT in names:
        return _word(archive)
    if kind == b"application/vnd.oasis.opendocument.text":
        return read_odt(archive)
    if kind == b"application/epub+zip" or "META-INF/container.xml" in names:
        return read_epub(archive)
    if "[Content_Types].xml" in names or kind:
        raise SourceError("is an Office file other than a text: save it as PDF")
    return _files(archive)


def _files(archive: zipfile.ZipFile) -> list[Record]:
    """Read the readable files in an archive, without hidden files, and name the others."""
    records: list[Record] = []
    unread: list[str] = []
    for file in archive.infolist():
        path = PurePosixPath(file.filename.replace("\\", "/"))
        parts = [part for part in path.parts if part not in {"/", "..", "."}]  # stay in the archive
        if file.is_dir() or any(part.startswith((".", "__MACOSX")) for part in parts):
            continue
        if suffix_of(file.filename) in READABLE_SUFFIXES:
            content = base64.b64encode(archive.read(file)).decode()
            records.append({"name": "/".join(parts), "data": content})
        else:
            unread.append("/".join(parts))
    if not records:
        raise SourceError("is a zip archive without reports: pack files that can be read")
    if unread:
        more = f" and {len(unread) - _LISTED:,} more" if len(unread) > _LISTED else ""
        some = ", ".join(unread[:_LISTED]) + more
        records.append({"omitted": f"Files in other formats were not read: {some}."})
    return records


def _word(archive: zipfile.ZipFile) -> list[Record]:
    """Read a Word file: its text, and the title and author of its properties or first heading."""
    import mammoth  # type: ignore[import-untyped]  # noqa: PLC0415
    from lxml import etree  # type: ignore[import-untyped]  # noqa: PLC0415

    style = "p[style-name='Title'] => h1:fresh"
    markup = mammoth.convert_to_html(
        _without_hidden(archive), convert_image=lambda _: [], style_map=style
    )
    lines = [*blocks(_with_rows(markup.value))]
    if not lines:
        raise SourceError("has no text: add some, or save it as PDF")
    properties = {}
    with suppress(KeyError):  # it has no properties
        safe = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(archive.read("docProps/core.xml"), safe)
        properties = {etree.QName(node).localname: node.text for node in root.iterchildren("*")}
    heading = next((text for tag, text in lines[:3] if tag == "h1"), None)
    title = properties.get("title")
    stated = {
        "title": None if names_no_report(title) else title,
        "author": properties.get("creator"),
    }
    guesses = {"title": heading, "guessed_date": parse_date(properties.get("created"))}
    return [with_text(with_guesses(stated, guesses), [text for _, text in lines])]


def _without_hidden(archive: zipfile.ZipFile) -> io.BytesIO:
    """Return a Word file without hidden and double-struck text, which mammoth would read."""
    from lxml import etree  # noqa: PLC0415

    root = etree.fromstring(archive.read(_WORD_TEXT), etree.XMLParser(no_network=True))
    for mark in [*root.iter("{*}vanish", "{*}dstrike")]:
        run = mark.getparent().getparent()
        is_off = any(value in {"0", "false", "off"} for value in mark.values())
        if not is_off and etree.QName(run).localname == "r" and run.getparent() is not None:
            run.getparent().remove(run)
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as seen:
        for name in {*archive.namelist()}:
            content = etree.tostring(root) if name == _WORD_TEXT else archive.read(name)
            seen.writestr(name, content)
    return copy


def _with_rows(markup: str) -> str:
    """Join the paragraphs in each cell of a table, so that rows stay rows."""
    from lxml import html  # noqa: PLC0415

    tree = html.fragment_fromstring(markup, create_parent="div")
    for paragraph in tree.xpath(".//td//p | .//th//p"):
        paragraph.tail = f" {paragraph.tail or ''}"
        paragraph.drop_tag()
    return str(html.tostring(tree, encoding="unicode"))
