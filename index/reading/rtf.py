"""Read RTF files; runs in the sandbox."""

from __future__ import annotations

import re
from collections.abc import Iterator

from index.errors import SourceError
from index.reading.markup import raised, with_guesses, with_text
from index.reading.text import Record, is_headline, names_no_report

_INFO = r"\{{\\(?:\*\\)?{} ?((?:[^{{}}\\]|\\[^a-z]|\\[a-z]+-?\d* ?)*)\}}"  # {\title Dam fails}
_CREATED = re.compile(r"\\creatim\\yr(\d{4})\\mo(\d\d?)\\dy(\d\d?)")
# striprtf writes a link's address into the text, although no reader of the document sees it.
_LINK = re.compile(r"(\\fldinst[\s{]*(?:\\\w+\s*)*)HYPERLINK", re.IGNORECASE)
_UNSEEN = frozenset("v deleted strike striked".split())  # words that hide text or strike it out
_LETTERS = frozenset("u tab emdash endash bullet lquote rquote ldblquote rdblquote".split())


def read_rtf(data: bytes) -> list[Record]:
    """Read an RTF file's text, title and author; its creation date is only a guess."""
    from striprtf.striprtf import rtf_to_text  # noqa: PLC0415

    source = data.decode("latin-1")
    text = rtf_to_text("".join(_seen(_LINK.sub(r"\1", source))), errors="replace")
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


def _seen(source: str) -> Iterator[str]:
    """Yield the parts of RTF without hidden and struck text, and with digits in superscript."""
    from striprtf.striprtf import PATTERN  # noqa: PLC0415

    unseen: frozenset[str] = frozenset()
    is_raised = False
    outer: list[tuple[frozenset[str], bool]] = []  # the states of the groups around this group
    for match in PATTERN.finditer(source):
        word, argument, _, _, brace, letter = match.groups()
        if brace == "{":
            outer.append((unseen, is_raised))
        elif brace and outer:
            unseen, is_raised = outer.pop()
        elif word == "plain":
            unseen, is_raised = frozenset(), False
        elif word in _UNSEEN:
            unseen = unseen - {word} if argument == "0" else unseen | {word}
        elif word in {"super", "nosupersub", "sub"}:
            is_raised = word == "super" and argument != "0"
        if brace or (word and word not in _LETTERS) or not unseen:
            yield raised(letter) if letter and is_raised else match.group()
