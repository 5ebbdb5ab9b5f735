"""Files in every format that tests read, and the results of reading them."""

from __future__ import annotations

import io
import zipfile
from html import escape

import pytest

from index.domain import Article, Failure
from index.errors import SourceError
from index.reading import formats
from index.reading.items import Link, Omission
from index.reading.recognise import Origin

FIRST = "The dam above Tessen failed at dawn on Saturday, and the valley was under water by noon."
SECOND = "Nobody in the lower town had been warned, said the engineer Ada Vell, who lives there."
THIRD = (
    "“We heard it before we saw it,” she said, and named the ministry that had to answer for it."
)
BODY = [FIRST, SECOND, THIRD]
TEXT = "\n\n".join(BODY)
MARKUP = "".join(f"<p>{text}</p>" for text in BODY)
URL = "https://northwire.example/dam"


def items(data: bytes | str, name: str, **origin: str) -> list[Article | Failure | Link | Omission]:
    """Return the items of a file or page of that name."""
    raw = data.encode() if isinstance(data, str) else data
    return [*formats.read(io.BytesIO(raw), Origin(name, **origin))]  # type: ignore[arg-type]


def article(data: bytes | str, name: str, **origin: str) -> Article:
    """Return the only article of a file or page."""
    (item,) = items(data, name, **origin)
    assert isinstance(item, Article), item
    return item


def refusal(data: bytes | str, name: str) -> str:
    """Return why a file cannot be read: a plain sentence that names it."""
    with pytest.raises(SourceError) as error:
        items(data, name)
    message = str(error.value)
    assert message.startswith(name)
    assert message.endswith(".")
    assert "\n" not in message
    return message


def page(head: str = "", body: list[str] = BODY, byline: str = "") -> str:
    """Return a page as sites make them, with much besides the report."""
    paragraphs = [f"<p>{escape(text)}</p>" for text in body]
    paragraphs[1:1] = [
        '<p><strong>Read more:</strong> <a href="/b">Bridge reopens after the storm</a></p>',
        '<aside><h4>Related stories</h4><ul><li><a href="/c">Harbour tax</a></li></ul></aside>',
        "<p>Advertisement</p>",
    ]
    return f"""<!DOCTYPE html>
<html lang="en-GB"><head><meta charset="utf-8"><title>Dam fails above Tessen | Northwire</title>
{head}</head><body>
<div id="cookie-banner"><p>We use cookies to give you the best experience on our site.</p></div>
<nav><ul><li><a href="/">Home</a></li><li><a href="/sport">Sport</a></li></ul></nav>
<main><article><h1>Dam fails above Tessen</h1>{byline}<div class="article-body">
{"".join(paragraphs)}<p>Sign up for our newsletter and get the day’s stories.</p></div></article>
<section id="comments"><div class="comment"><p>The council should resign, I say.</p></div></section>
</main><footer><p>© 2026 Northwire. All rights reserved.</p></footer>
<script>var leak = "script text";</script></body></html>"""


def rss(*items: str, head: str = "") -> str:
    """Return an RSS feed."""
    spaces = 'version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    spaces += 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    channel = f"<title>Northwire</title><language>en-gb</language>{''.join(items)}"
    return f'<?xml version="1.0"?>{head}<rss {spaces}><channel>{channel}</channel></rss>'


def entry(rest: str, link: str = "/dam") -> str:
    """Return an entry of an RSS feed."""
    return (
        f"<item><title>Dam &amp;amp; town</title><link>{link}</link>"
        "<pubDate>Sat, 14 Mar 2026 14:30:00 +0200</pubDate><dc:creator>Ada Vell</dc:creator>"
        f"{rest}</item>"
    )


def packed(files: dict[str, bytes | str], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def word(body: str, core: str = "", **more: str) -> bytes:
    """Return a Word file with this body."""
    main = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    return packed(
        {
            "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default'
            ' Extension="xml" ContentType="application/xml"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1"'
            f' Type="{office}/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/document.xml": f'<w:document xmlns:w="{main}"><w:body>{body}</w:body>'
            "</w:document>",
            "word/styles.xml": f'<w:styles xmlns:w="{main}"><w:style w:type="paragraph"'
            ' w:styleId="Title"><w:name w:val="Title"/></w:style></w:styles>',
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="r1" Type="{office}/styles" Target="styles.xml"/></Relationships>',
            "docProps/core.xml": '<c:p xmlns:c="urn:c" xmlns:dc="urn:dc" xmlns:t="urn:t">'
            f"{core}</c:p>",
            **more,
        }
    )


def paragraph(text: str, style: str = "") -> str:
    """Return a paragraph of a Word file."""
    named = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{named}<w:r><w:t>{text}</w:t></w:r></w:p>"


def pdf(*pages: list[str], info: str = "", more: str = "", lead: int = 14) -> bytes:
    """Return a PDF with lines of Helvetica; an empty line is a gap."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(count))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {count}>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for number, lines in enumerate(pages):
        shown = "".join(f"({line}) Tj T* " for line in lines).encode("cp1252")
        stream = b"BT /F1 12 Tf %d TL 72 720 Td " % lead + shown + b"ET"
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]"
            b"/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>" % (5 + 2 * number),
            b"<</Length %d>>stream\n" % len(stream) + stream + b"\nendstream",
        ]
    objects.append(f"<<{info}>>".encode())
    data, places = b"%PDF-1.4\n", []
    for number, written in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n" % number + written + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table
    trailer = f"<</Size {len(objects) + 1}/Root 1 0 R/Info {len(objects)} 0 R{more}>>"
    return data + b"trailer\n" + trailer.encode() + b"\nstartxref\n%d\n%%%%EOF" % start
