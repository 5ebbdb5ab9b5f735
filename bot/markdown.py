"""Text for Discord: escaped, shortened, and without bidirectional controls."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from index import Span

# Characters that Discord reads as markup, mentions or links: "*", "@", the ":" of "https://",
# and the "-", "+" or "1." that begins a list.
_MARKUP = re.compile(r"[\\`*_~|\[\]()<>#@]|(?<=\w):(?=//)|^\s*[-+]|^\s*\d+(?=\.)", re.MULTILINE)
_NOT_BOLD = re.compile(r"[\\*_~|`\n\r\u2028\u2029]|^\W|\W$")
_ROUND = str.maketrans("[]", "()")
_DIRECTION = re.compile(r"[\u202a-\u202e\u2066-\u2069]")  # bidirectional control characters


def escape(text: str, bold: Iterable[Span] = ()) -> str:
    """Return text that Discord shows verbatim: no markup, mention, link or list.

    Args:
        text: any text.
        bold: spans to wrap in `**`, not adjacent. A span that Discord would not show in bold, since
            it has markup or a line break or is part of a word, is left plain.
    """
    inserts: dict[int, str] = {}
    for sign in _MARKUP.finditer(text):
        position = sign.end() if sign.group()[-1].isdigit() else sign.end() - 1
        inserts[position] = "\\"
    for span in bold:
        beside = text[: span.start][-1:] + text[span.end :][:1]
        if _NOT_BOLD.search(text[span.start : span.end]) or re.search(r"\w", beside):
            continue
        inserts[span.start] = inserts.get(span.start, "") + "**"
        inserts[span.end] = "**" + inserts.get(span.end, "")
    positions = [0, *sorted(inserts)]
    escaped = "".join(text[a:b] + inserts[b] for a, b in pairwise(positions))
    return escaped + text[positions[-1] :]


def link_text(text: str) -> str:
    """Return text for the brackets of a link, without brackets, at which the link would end."""
    return escape(text.translate(_ROUND))


def shorten(text: str, limit: int) -> str:
    """Return a name or title on one line, cut to `limit`, without bidirectional controls."""
    line = " ".join(strip_direction(text).split())
    return line if len(line) <= limit else line[:limit].rstrip() + "…"


def strip_direction(text: str) -> str:
    """Remove bidirectional control characters, which could reverse the text that follows."""
    return _DIRECTION.sub("", text)
