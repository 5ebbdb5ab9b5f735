"""Cut markup into blocks of text, and read Markdown; runs in the sandbox.

The readers of pages, feeds, books and Word files share this. A field that its source does not state
is guessed, and then named in `guessed`. Parsers are imported where they are used, since each takes
a while.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from index.reading.text import Record, front_matter

# Lines of a page that are not part of the report: "Read more: …", "Advertisement", "Sign up for our
# newsletter", "Follow us on Instagram", "Share this on …", "© 2026 Northwire", "We use cookies …".
BOILERPLATE = re.compile(
    r"(?:read (?:more|also|next|on)|also read|see also|related(?: (?:articles?|stories|coverage))?"
    r"|more on this(?: story)?|recommended(?: for you)?|trending(?: now)?|most (?:read|popular))"
    r"\s*(?:[:|›»→…].*|\.{3}.*)?"
    r"|(?:continue|keep) reading.{0,60}|(?:story|article) continues (?:below|after).{0,40}"
    r"|advertisements?|sponsored(?: content)?"
    r"|(?:sign up|subscribe)\b.{0,80}\b(?:newsletters?|updates|inbox|alerts)\b.{0,40}"
    r"|get .{0,80}\b(?:inbox|newsletters?)\b.{0,60}"
    r"|follow .{1,60} on (?:twitter|facebook|instagram|telegram|youtube)\b.{0,80}"
    r"|share (?:this|on)\b.{0,40}|(?:©|\(c\)|copyright\b).{0,120}|all rights reserved\.?"
    r"|(?:we|this (?:web)?site|our (?:web)?sites?)(?: and our partners)? uses? cookies\b.{0,400}",
    re.IGNORECASE,
)
_HEAD_BYTES = 8_192  # searched for the charset that a page states
# <?xml version="1.0" encoding="koi8-r"?>, <meta charset=koi8-r>, and
# <meta http-equiv="Content-Type" content="text/html; charset=koi8-r">
_CHARSET = re.compile(
    rb"<(?:\?xml\b[^>]*\bencoding|meta\b[^>]*\bcharset)\s*=\s*[\"']?\s*([\w:.-]+)", re.IGNORECASE
)
_BLOCK_TAGS = frozenset(
    "address article aside blockquote br caption dd div dl dt figcaption footer h1 h2 h3 h4 h5 h6"
    " header hr li main nav ol p pre section table tbody thead tr ul".split()
)
INLINE = frozenset(
    "abbr b bdi big cite em font i mark q small span strong sub sup time u".split()
)  # elements within a sentence
HIDDEN_TAGS = frozenset("script style noscript template iframe object svg form button".split())
# Elements that a reader does not see, or sees struck out; `rt` is the pronunciation of a word.
_UNSEEN = frozenset("del s strike rt rp".split())
_HIDDEN = re.compile(r"display:none|visibility:hidden|font-size:0(?:px|pt|em|rem|%)?(?![.\w])")
_STRUCK = re.compile(r"text-decoration(?:-line)?:[^;]*line-through")
_RAISED = re.compile(r"vertical-align:super|font-variant-position:super")
_AT_RULE = re.compile(r"/\*.*?\*/|@[^{;]*(?:;|\{(?:[^{}]*\{[^{}]*\})*[^{}]*\})", re.DOTALL)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_CLASS = re.compile(r"\s*\w*\.([\w-]+)\s*")  # “.note”, “span.note”
_MARK = re.compile(r"\[[^]]{1,30}\]")  # "[1]", "[note 2]", "[citation needed]", "[edit]"
_MARKS = """//sup | //span[contains(@class, 'editsection')]
    | //a[contains(@href, '#') and count(*) = 1 and sup and normalize-space(.) = string(sup)]"""
_SUPERSCRIPTS = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")
_NOTES = " | ".join(  # as mammoth marks them up
    f"//a[starts-with(@href, '#{kind}')] | //li[starts-with(@id, '{kind}')]"
    for kind in ("footnote-", "endnote-")
)


def stated_charset(data: bytes) -> str | None:
    """Return the charset that a page in some superset of ASCII names in its head."""
    match = _CHARSET.search(data[:_HEAD_BYTES])
    return match[1].decode() if match else None


def with_guesses(stated: Record, guesses: Mapping[str, Any]) -> Record:
    """Return the stated fields, with gaps filled by guesses that are marked as such."""
    new = {name: value for name, value in guesses.items() if value and not stated.get(name)}
    return {**stated, **new, "guessed": sorted(new)}


def with_text(record: Record, lines: Sequence[str]) -> Record:
    """Return the record with these lines as its text, without a first line that is the title."""
    repeated = len(lines) > 1 and letters(lines[0]) == letters(record.get("title") or "")
    return {**record, "text": "\n\n".join(lines[repeated:])}


def letters(line: str) -> str:
    """Return only the letters and digits of a line, case-folded, to compare it with another."""
    return re.sub(r"\W+", "", line).casefold()


def raised(text: str) -> str:
    """Return the text with its digits as superscripts, so that 10⁶ is not read as 106."""
    return text.translate(_SUPERSCRIPTS)


def raise_digits(node: Any) -> None:
    """Turn the digits within an element into superscripts."""
    for part in node.iter():
        part.text = raised(part.text or "")
        if part is not node:
            part.tail = raised(part.tail or "")


def as_seen(tree: Any) -> None:
    """Remove struck and hidden text and the marks of notes, and raise digits in superscript."""
    classes = _styled_classes(tree)
    for node in [*tree.iterdescendants()]:
        if node.getparent() is None or not isinstance(node.tag, str):
            continue  # removed with its parent
        style = _style(node, classes)
        hides = node.get("hidden") is not None or _HIDDEN.search(style) or _STRUCK.search(style)
        # An element that hides paragraphs is a fold that a click opens.
        if node.tag in _UNSEEN or (hides and node.find(".//p") is None):
            node.drop_tree()
        elif _RAISED.search(style):
            node.tag = "sup"
    for node in tree.xpath(_MARKS):
        is_link = node.tag == "a" or node.xpath("*[self::a[contains(@href, '#')]]")
        if is_link or _MARK.fullmatch(" ".join(node.text_content().split())):
            node.drop_tree()
        elif node.tag == "sup":
            raise_digits(node)


def _styled_classes(tree: Any) -> dict[str, str]:
    """Return the declarations for classes in a page's style sheets, without white space."""
    classes: dict[str, str] = {}
    for sheet in tree.iter("style"):
        for selectors, declared in _RULE.findall(_AT_RULE.sub("", sheet.text or "")):
            for selector in selectors.split(","):
                if match := _CLASS.fullmatch(selector):
                    classes[match[1]] = f"{classes.get(match[1], '')};{_packed(declared)}"
    return classes


def _style(node: Any, classes: Mapping[str, str]) -> str:
    """Return the declarations of an element; those by class, only for parts of a sentence."""
    own = _packed(node.get("style") or "")
    names = (node.get("class") or "").split() if node.tag in INLINE else []
    return ";".join([*(classes[name] for name in names if name in classes), own])


def _packed(declared: str) -> str:
    return "".join(declared.split()).lower()


def blocks(markup: str) -> Iterator[tuple[str, str]]:
    """Yield (tag, text) of each block with text, in order, as a reader sees it, without notes."""
    from lxml import etree, html  # type: ignore[import-untyped]  # noqa: PLC0415

    # If a comment were skipped later, the text behind it would be lost too.
    parser = html.HTMLParser(remove_comments=True, remove_pis=True)
    tree = html.fragment_fromstring(markup, create_parent="div", parser=parser)
    for note in tree.xpath(_NOTES):
        note.drop_tree()
    as_seen(tree)
    walker = etree.iterwalk(tree, events=("start", "end"))
    tag, text = "", ""
    for event, node in walker:
        is_block = node.tag in _BLOCK_TAGS
        if is_block:
            if line := " ".join(text.split()).strip("| "):
                yield tag, line
            text = ""
        if event == "end":
            text += (" | " if node.tag in {"td", "th"} else "") + (node.tail or "")
        elif node.tag in HIDDEN_TAGS:
            walker.skip_subtree()
        else:
            tag = node.tag if is_block else tag
            text += node.text or ""


def paragraphs(markup: str) -> str:
    """Return the text of some markup, without lines that are not part of the report."""
    return "\n\n".join(text for _, text in blocks(markup) if not BOILERPLATE.fullmatch(text))


def read_markdown(data: bytes) -> list[Record]:
    """Read a report in UTF-8; the first `#` heading is its title, and not part of the text."""
    from markdown_it import MarkdownIt  # noqa: PLC0415

    fields, body = front_matter(data.decode())
    lines = [*blocks(MarkdownIt("commonmark").enable("table").render(body))]
    heading = next((line for line in lines if line[0] == "h1"), None)
    if heading:
        lines.remove(heading)
        fields = {**fields, "title": fields.get("title") or heading[1]}
    return [with_text(fields, [text for _, text in lines])]
