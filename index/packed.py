"""Word files and zip archives -> plain fields; meant to run in a sandbox.

A Word file is a zip archive, so both are opened under the same limits.
"""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import PurePosixPath

from index.errors import SourceError
from index.markup import Record, blocks, moment_of, same_words, with_guesses

_MAX_FILES = 1_000
_MAX_UNPACKED = 50_000_000
_MAX_RATIO = 100  # text packs to a tenth, a bomb to a thousandth
_NOTES = " | ".join(
    f"//a[starts-with(@href, '#{kind}')] | //li[starts-with(@id, '{kind}')]"
    for kind in ("footnote-", "endnote-")
)


def word(data: bytes) -> list[Record]:
    """A Word file's text, with the title and author of its properties or its first heading."""
    import mammoth  # type: ignore[import-untyped]  # noqa: PLC0415
    from lxml import html  # type: ignore[import-untyped]  # noqa: PLC0415

    with _opened(data) as archive:
        stated = _properties(archive)
    markup = mammoth.convert_to_html(
        io.BytesIO(data),
        convert_image=lambda _: [],
        style_map="p[style-name='Title'] => h1:fresh",
    ).value
    if not markup.strip():
        raise SourceError("has no text: write some, or save it as PDF")
    tree = html.fragment_fromstring(markup, create_parent="div")
    for note in tree.xpath(_NOTES):
        note.drop_tree()
    found = [*blocks(tree)]
    headings = (text for tag, text in found[:3] if tag == "h1")
    record = with_guesses(stated, {"title": next(headings, None), "published": stated.pop("made")})
    lines = [text for _, text in found]
    if lines and same_words(lines[0], record.get("title") or ""):
        lines = lines[1:]
    return [{**record, "text": "\n\n".join(lines)}]


def _properties(archive: zipfile.ZipFile) -> Record:
    from lxml import etree  # noqa: PLC0415

    found: dict[str, str] = {}
    if "docProps/core.xml" in archive.namelist():
        safely = etree.XMLParser(resolve_entities=False, no_network=True)
        for node in etree.fromstring(archive.read("docProps/core.xml"), safely).iterchildren("*"):
            found[etree.QName(node).localname] = (node.text or "").strip()
    made = moment_of(found.get("created"))
    return {"title": found.get("title"), "author": found.get("creator"), "made": made}


def _opened(data: bytes) -> zipfile.ZipFile:
    """A zip archive that says to stay within the limits; zipfile holds it to what it says."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    files = archive.infolist()
    if len(files) > _MAX_FILES:
        raise SourceError(f"holds more than {_MAX_FILES:,} files: split it")
    if any(file.flag_bits & 1 for file in files):
        raise SourceError("is locked with a password: save a copy without one")
    unpacked = sum(file.file_size for file in files)
    if unpacked > _MAX_UNPACKED or unpacked > _MAX_RATIO * max(len(data), 10_000):
        raise SourceError("unpacks to far more than it is: split it, or send the files alone")
    return archive


def packed(data: bytes, *, nested: str | None = None) -> list[Record]:
    """A Word file's report, else the files of a zip archive: `name`, and `data` in base 64."""
    with _opened(data) as archive:
        names = archive.namelist()
        if "word/document.xml" in names:
            return word(data)
        if "[Content_Types].xml" in names or "mimetype" in names:
            raise SourceError("is an Office file other than Word: save it as PDF")
        if nested:
            raise SourceError("is a zip archive inside another: unpack it first")
        files = {_label(file.filename): file for file in archive.infolist() if not file.is_dir()}
        records = [
            {"name": name, "data": base64.b64encode(archive.read(file)).decode()}
            for name, file in files.items()
            if not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
        ]
    if not records:
        raise SourceError("is an empty zip archive: pack the reports again")
    return records


def _label(name: str) -> str:
    """A name to show, which leads nowhere."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return "/".join(part for part in parts if part not in {"/", "..", "."})
