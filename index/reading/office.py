"""Read Word files and zip archives; runs in the sandbox."""

from __future__ import annotations

import base64
import io
import zipfile
from contextlib import suppress
from pathlib import PurePosixPath

from index.errors import SourceError
from index.reading.markup import blocks, with_guesses, with_text
from index.reading.text import Record, parse_date

_MAX_FILES = 1_000  # of an archive
_MAX_UNPACKED_BYTES = 50_000_000
_MAX_RATIO = 100  # text packs to about a tenth, a bomb to a thousandth


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
    from lxml import etree  # type: ignore[import-untyped]  # noqa: PLC0415

    style = "p[style-name='Title'] => h1:fresh"
    markup = mammoth.convert_to_html(io.BytesIO(data), convert_image=lambda _: [], style_map=style)
    lines = [*blocks(markup.value)]
    if not lines:
        raise SourceError("has no text: add some, or save it as PDF")
    properties = {}
    with suppress(KeyError):  # there are none
        safe = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(archive.read("docProps/core.xml"), safe)
        properties = {etree.QName(node).localname: node.text for node in root.iterchildren("*")}
    heading = next((text for tag, text in lines[:3] if tag == "h1"), None)
    stated = {"title": properties.get("title"), "author": properties.get("creator")}
    guesses = {"title": heading, "guessed_date": parse_date(properties.get("created"))}
    return [with_text(with_guesses(stated, guesses), [text for _, text in lines])]
