"""Compare extracted text with the paragraphs of its page; runs in the sandbox.

An extractor judges containers by their names and their share of links. This module judges each
paragraph and its place instead. A paragraph among those that the extractor kept, with the same tags
and classes, belongs to the report; a heading with nothing under it does not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from index.reading.markup import BOILERPLATE, HIDDEN_TAGS, letters
from index.text.moments import read_moment

T = TypeVar("T")
_NEAR = 2  # levels above a paragraph that contain its neighbours
SENTENCE_END = re.compile(r"[.!?…。！？।][\"'“”‘’«»‹›」』)\]]*\s*$")
_BLOCKS = frozenset(
    "address article aside blockquote body dd div dl dt figcaption figure footer form h1 h2 h3 h4"
    " h5 h6 header li main nav ol p pre section table tbody td th tr ul".split()
)
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_BESIDE = frozenset("nav footer aside figure figcaption button select".split())
_LISTS = frozenset(["ul", "ol", "li", "dl", "dd", "dt"])
_TIME_OF_DAY = re.compile(r"\b[ap]\.?m\.\s*$", re.IGNORECASE)  # "PUBLISHED: … at 4:30 p.m."
_ROWS = frozenset(["li", "td", "th", "dd", "dt", "pre", "blockquote"])
_ABOVE = -1  # stands for the line before the first
_MIN_LETTERS = 40  # letters of a paragraph that is added; a shorter one may be a label
_MAX_LEAD_CHARS = 700
_MAX_LABEL_CHARS = 40  # “You may also like: ”
_MAX_CREDIT_CHARS = 100  # length of a heading, label or credit below the report
_MAIN = 0.8  # share of the prose with the same kind or place that makes it the main one
_MAX_LINKED = 0.5  # share of a paragraph's text in links


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading or list item of a page.

    `kind` is its tag with the tags and classes above it, which the paragraphs of a report have in
    common; `box` is the number of the element that contains it, not counting lists, and `within`
    has the numbers of those around it; `tags` are the names of all of them; `linked` is the share
    of its text in links.
    """

    tag: str
    text: str
    letters: str
    kind: tuple[str, ...]
    box: int
    tags: frozenset[str]
    within: frozenset[int]
    linked: float

    @property
    def is_prose(self) -> bool:
        """Whether it is at least a sentence long, and not a list of links."""
        return (
            len(self.letters) >= _MIN_LETTERS
            and self.linked < _MAX_LINKED
            and ends_sentence(self.text)
        )


def ends_sentence(line: str) -> bool:
    """Return whether a line ends like a sentence, and not with a time of day."""
    return SENTENCE_END.search(line) is not None and not _TIME_OF_DAY.search(line)


def is_label(line: str) -> bool:
    """Return whether a line only announces what follows, like “More:”."""
    return line.endswith(":") and len(line) < _MAX_LABEL_CHARS


def read_blocks(tree: Any) -> list[Block]:
    """Return the blocks of a page in order; text beside paragraphs is a block, too."""
    from lxml import etree  # type: ignore[import-untyped]  # noqa: PLC0415

    numbers = {node: number for number, node in enumerate(tree.iter())}
    found: list[Block] = []
    parts: list[str] = []
    linked = links = 0  # letters in links, and open links

    def end_block(node: Any) -> None:
        nonlocal linked
        if node is not None and (text := " ".join("".join(parts).split())):
            found.append(_block(node, text, linked, numbers))
        parts.clear()
        linked = 0

    def add(text: str | None) -> None:
        nonlocal linked
        parts.append(text or "")
        linked += len(text or "") if links else 0

    walker = etree.iterwalk(tree, events=("start", "end"))
    for event, node in walker:
        is_block = node.tag in _BLOCKS
        if event == "start":
            if is_block:
                end_block(node.getparent())
            links += node.tag == "a"
            if node.tag in HIDDEN_TAGS:
                walker.skip_subtree()
            else:
                add(" " if node.tag == "br" else node.text)
        else:
            if is_block:
                end_block(node)
            links -= node.tag == "a"
            add(node.tail)
    return found


def _block(node: Any, text: str, linked: int, numbers: dict[Any, int]) -> Block:
    while node.tag not in _BLOCKS and node.getparent() is not None:
        node = node.getparent()
    above = [*node.iterancestors()]
    kind = (node.tag, *(f"{part.tag} {part.get('class') or ''}" for part in above[:2]))
    lists = [part for part in above if part.tag not in _LISTS]
    box = numbers[lists[0]] if lists else 0
    tags = frozenset([node.tag, *(part.tag for part in above)])
    within = frozenset(numbers[part] for part in above[: _NEAR + len(above) - len(lists)])
    share = min(1.0, linked / len(text))
    return Block(node.tag, text, letters(text), kind, box, tags, within, share)


def checked(lines: Sequence[str], blocks: Sequence[Block], title: str) -> list[str]:
    """Insert overlooked paragraphs into the lines, and remove lines that are not of the report."""
    texts = [block for block in blocks if _BESIDE.isdisjoint(block.tags)]
    known = {block.letters: block for block in [*blocks, *texts]}
    places = _places(lines, texts)
    if not places:
        return [*lines]
    kept = "".join(map(letters, lines))
    added = _lead(texts, places, title, kept) | _overlooked(texts, places, kept)
    foreign = _foreign(lines, texts, places)
    merged = [*added.get(_ABOVE, ())]
    for number, line in enumerate(lines):
        if not (number in foreign or read_moment(line)):
            merged.append(line)
        merged += added.get(number, ())
    return _without_bare_headings(merged, known)


def _overlooked(
    texts: Sequence[Block], places: Mapping[int, int], kept: str
) -> dict[int, list[str]]:
    """Return overlooked paragraphs, by their kind or place, by the number of the previous line.

    A heading is overlooked if the line below it was not.
    """
    prose = [texts[index] for index in places if texts[index].is_prose]
    kinds, boxes = {block.kind for block in prose}, {block.box for block in prose}
    first, last = min(places), max(places)

    def is_of_report(index: int, block: Block) -> bool:
        if block.tag in _HEADINGS and first < index and index + 1 in places:
            return block.box in boxes
        return block.is_prose and (block.box in boxes or block.kind in kinds)

    added: dict[int, list[str]] = {}
    before = _ABOVE
    for index, block in enumerate(texts[: last + 1]):
        if index in places:
            before = places[index]
        elif block.letters in kept or BOILERPLATE.fullmatch(block.text):
            continue
        elif is_of_report(index, block):
            added.setdefault(before, []).append(block.text)
    return added


def _foreign(
    lines: Sequence[str], texts: Sequence[Block], places: Mapping[int, int]
) -> frozenset[int]:
    """Return the numbers of lines below and apart from the report, and of labels without text."""
    prose = [texts[index] for index in places if texts[index].is_prose]
    own = [index for index in places if _is_of(prose, texts[index])]
    near = frozenset[int]().union(*(texts[index].within for index in own))

    def is_foreign(index: int, line: str) -> bool:
        if is_label(line) and index + 1 < len(texts) and index + 1 not in places:
            return True  # its content was not kept
        if not own or min(own) <= index <= max(own):
            return False
        is_short = len(texts[index].letters) < _MIN_LETTERS
        return is_short if index < min(own) else near.isdisjoint(texts[index].within)

    return frozenset(n for index, n in places.items() if is_foreign(index, lines[n]))


def _is_of(prose: Sequence[Block], block: Block) -> bool:
    """Return whether a block has the kind of most of the prose, or is within or beside it."""
    box, kind = (_main(getattr(part, field) for part in prose) for field in ("box", "kind"))
    return block.kind == kind or box in block.within


def _main(values: Iterable[T]) -> T | None:
    """Return the value that nearly all have; None if there is none."""
    counts = Counter(values)
    main, count = counts.most_common(1)[0] if counts else (None, 0)
    return main if count >= _MAIN * counts.total() else None


def _places(lines: Sequence[str], blocks: Sequence[Block]) -> dict[int, int]:
    """Return which block became which line, by number, as far as they have the same order."""
    places: dict[int, int] = {}
    start = 0
    for number, line in enumerate(lines):
        wanted = letters(line)
        for index in range(start, len(blocks)):
            if wanted and blocks[index].letters == wanted:
                places[index] = number
                start = index + 1
                break
    return places


def _lead(
    texts: Sequence[Block], places: Mapping[int, int], title: str, kept: str
) -> dict[int, list[str]]:
    """Return the overlooked paragraph between the heading and the report, by its previous line."""
    wanted = letters(title)
    first = min((index for index in places if texts[index].is_prose), default=min(places))
    starts = [n for n, b in enumerate(texts[:first]) if b.tag == "h1" or b.letters == wanted]
    for index in range(starts[-1] + 1, first) if starts else ():
        block = texts[index]
        if block.is_prose and len(block.text) < _MAX_LEAD_CHARS and block.letters not in kept:
            before = max((places[other] for other in places if other < index), default=_ABOVE)
            return {before: [block.text]}
    return {}


def _without_bare_headings(lines: Sequence[str], known: dict[str, Block]) -> list[str]:
    """Return the lines without headings that have no text, and without short lines at the end."""
    kept: list[str] = []
    level = ""  # of the last heading read, from the end
    for line in reversed(lines):
        block = known.get(letters(line))
        tag = block.tag if block else ""
        if not kept and _is_bare(line, block):
            continue
        if tag in _HEADINGS and tag == level and not ends_sentence(line):
            continue
        level = tag if tag in _HEADINGS else ""
        kept.append(line)
    return kept[::-1] or [*lines]


def _is_bare(line: str, block: Block | None) -> bool:
    """Return whether a last line is a heading, a label or a credit."""
    is_short = block is not None and block.tag not in _ROWS and len(line) < _MAX_CREDIT_CHARS
    return is_label(line) or (is_short and not ends_sentence(line))
