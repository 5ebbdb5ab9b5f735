"""Read RTF files; runs in the sandbox."""

from __future__ import annotations

import re

from index.errors import SourceError
from index.reading.markup import with_guesses, with_text
from index.reading.text import Record, is_headline, names_no_report

_INFO = r"\{{\\(?:\*\\)?{} ?((?:[^{{}}\\]|\\[^a-z]|\\[a-z]+-?\d* ?)*)\}}"  # {\title Dam fails}
_CREATED = re.compile(r"\\creatim\\yr(\d{4})\\mo(\d\d?)\\dy(\d\d?)")
# striprtf writes a link's address into the text, where no reader of the document sees it.
_LINK = re.compile(r"(\\fldinst[\s{]*(?:\\\w+\s*)*)HYPERLINK", re.IGNORECASE)


def read_rtf(data: bytes) -> list[Record]:
    """Read an RTF file's text, title and author, and when it was made as the guess of its date."""
    from striprtf.striprtf import rtf_to_text  # noqa: PLC0415

    source = data.decode("latin-1")
    text = rtf_to_text(_LINK.sub(r"\1", source), errors="replace")
    rows = (re.sub(r"[ \t]*\|[ \t]*", " | ", line).strip(" |\t") for line in text.split("\n"))
    lines = [line for line in rows if line]
    if not lines:
        raise SourceError("has no text: add some, or save it as PDF")

    def info(name: str) -> str | None:
        match = re.search(_INFO.format(name), source)
        return rtf_to_text(f"{{\\rtf1 {match[1]}}}", errors="replace").strip() if match else None

    title = info("title")
    stated = {"title": None if names_no_report(title) else title, "author": info("author")}
    created = _CREATED.search(source)
    guesses = {
        "title": lines[0] if len(lines) > 1 and is_headline(lines[0]) else None,
        "guessed_date": "-".join(part.zfill(2) for part in created.groups()) if created else None,
    }
    return [with_text(with_guesses(stated, guesses), lines)]
