"""Put the lines of a PDF page in reading order; runs in the sandbox.

Many programs write a page with columns row by row, across all columns. A gutter shows where
several lines have a gap at the same place, with running text on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

WIDE_GAP = 0.8  # in heights of a line: wider than most spaces between justified words
_MIN_LINES = 3  # lines with a gap at the gutter
_MAX_CROSSING = 0.25  # lines across the gutter, such as headlines, per line with the gap
_MIN_WORDS = 3  # words in the median line of a column: fewer suggest cells of a table
_MAX_GAPS = 500  # gaps compared per page


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text; positions and height of its letters in points.

    `pieces` are the parts between wide gaps; they have no pieces themselves.
    """

    text: str
    page: int
    left: float
    right: float
    bottom: float
    height: float
    pieces: tuple[Line, ...] = ()


def joined(pieces: Sequence[Line]) -> Line:
    """Join one or more pieces into a line."""
    text = " ".join(piece.text for piece in pieces)
    return replace(pieces[0], text=text, right=pieces[-1].right, pieces=tuple(pieces))


def in_reading_order(lines: list[Line]) -> list[Line]:
    """Return the lines of a page column by column, from the left.

    A line that crosses a gutter, such as a headline, stays between the text above and below it.
    """
    gutter = _gutter(lines)
    if gutter is None:
        return lines
    ordered: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in lines:
        before = [piece for piece in line.pieces if piece.right <= gutter]
        after = [piece for piece in line.pieces if piece.left >= gutter]
        if len(before) + len(after) < len(line.pieces):  # it crosses the gutter
            ordered += [*in_reading_order(left), *in_reading_order(right), line]
            left, right = [], []
            continue
        if before:
            left.append(_hyphenated(joined(before)) if after else joined(before))
        if after:
            right.append(joined(after))
    return ordered + in_reading_order(left) + in_reading_order(right)


def _hyphenated(line: Line) -> Line:
    """Give a line that ends at a gutter PDFium's mark for a hyphen at a line end."""
    return replace(line, text=f"{line.text[:-1]}\x02") if line.text.endswith("-") else line


def _gutter(lines: list[Line]) -> float | None:
    """Return the position of the gutter that divides the most lines; None if there is none."""
    middles = {(a.right + b.left) / 2 for line in lines for a, b in pairwise(line.pieces)}
    best: tuple[int, float] | None = None
    for middle in sorted(middles)[:_MAX_GAPS]:
        divided = [number for number, line in enumerate(lines) if _is_divided(line, middle)]
        if len(divided) >= max(_MIN_LINES, best[0] + 1 if best else 0) and _is_gutter(
            lines[divided[0] : divided[-1] + 1], middle, len(divided)
        ):
            best = len(divided), middle
    return best[1] if best else None


def _is_divided(line: Line, place: float) -> bool:
    return any(a.right <= place <= b.left for a, b in pairwise(line.pieces))


def _is_gutter(lines: list[Line], place: float, divided: int) -> bool:
    """Return whether few lines cross a position and it has running text on both sides."""
    crossing = sum(any(p.left < place < p.right for p in line.pieces) for line in lines)
    if crossing > _MAX_CROSSING * divided:
        return False
    pieces = [piece for line in lines if _is_divided(line, place) for piece in line.pieces]
    sides = ([p for p in pieces if p.right <= place], [p for p in pieces if p.left >= place])
    return all(median(len(p.text.split()) for p in side) >= _MIN_WORDS for side in sides)
