"""Pages, PDFs, Word files, feeds and archives become articles; hostile ones become a sentence."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.files import pdf

from index.domain import Article, Failure
from index.errors import InputError, SourceError
from index.reading import formats
from index.reading.formats import Link, Origin
from index.reading.sandbox import Sandbox

FIRST = "The dam above Tessen failed at dawn on Saturday, and the valley was under water by noon."
SECOND = "Nobody in the lower town had been warned, said the engineer Ada Vell, who lives there."
THIRD = (
    "“We heard it before we saw it,” she said, and named the ministry that had to answer for it."
)
BODY = [FIRST, SECOND, THIRD]
TEXT = "\n\n".join(BODY)
NOON = datetime(2026, 3, 14, 12, 30, tzinfo=UTC)
URL = "https://northwire.example/dam"


@pytest.fixture(scope="module", autouse=True)
def _end() -> Iterator[None]:
    """No process is left behind."""
    yield
    formats._SANDBOX.close()


def read(data: bytes | str, name: str, **place: str) -> list[Article | Failure | Link]:
    """All that a file or page of that name holds."""
    raw = data.encode() if isinstance(data, str) else data
    return [*formats.read(io.BytesIO(raw), Origin(name, **place))]  # type: ignore[arg-type]


def article(data: bytes | str, name: str, **place: str) -> Article:
    """The only article of a file or page."""
    (item,) = read(data, name, **place)
    assert isinstance(item, Article), item
    return item


def refusal(data: bytes | str, name: str, **place: str) -> str:
    """Why a file is not read: one plain sentence that names it."""
    with pytest.raises(SourceError) as error:
        read(data, name, **place)
    told = str(error.value)
    assert told.startswith(name)
    assert told.endswith(".")
    assert "\n" not in told
    return told


# HTML

LINKED = {
    "@context": "https://schema.org",
    "@graph": [
        {"@type": "WebSite", "name": "Wrong"},
        {
            "@type": ["NewsArticle"],
            "headline": "Dam fails above Tessen",
            "datePublished": "2026-03-14T14:30:00+02:00",
            "author": [{"@type": "Person", "name": "Jonas Rike"}, {"name": "Mira Tolland"}],
            "publisher": {"name": "Northwire"},
        },
    ],
}


def page(head: str = "", body: list[str] = BODY, byline: str = "") -> str:
    """A page as sites make them, with all that is not the report."""
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


def test_a_page_is_its_report_alone() -> None:
    """Navigation, cookie texts, comments and what points elsewhere do not become text."""
    found = article(page(), "dam.html")
    assert found.text == TEXT
    assert found.title == "Dam fails above Tessen"
    assert found.language == "en"


def test_comments_without_marks_are_left_out() -> None:
    """What readers wrote is no report, also where the markup does not tell it apart."""
    comments = "".join(f"<p>{text}</p>" for text in ["2 comments", "I disagree with all of this."])
    bare = f"<html><body><div><p>{'</p><p>'.join(BODY)}</p>{comments}</div></body></html>"
    assert article(bare, "a.html").text == TEXT


def test_json_ld_states_the_fields() -> None:
    """Author, publisher and time come from JSON-LD, with nothing guessed, whatever else stands."""
    head = f'<script type="application/ld+json">{json.dumps(LINKED)}</script>'
    head += '<script type="application/ld+json">{broken</script><meta name="author" content="No">'
    found = article(page(head), URL, url=URL)
    assert (found.author, found.publisher) == ("Jonas Rike, Mira Tolland", "Northwire")
    assert (found.published, found.guessed) == (NOON, ())
    assert (found.url, found.source) == (URL, URL)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"@context": ["https://schema.org", {}]}, ("Jonas Rike, Mira Tolland", NOON, ())),
        ({"author": {"@type": "Organization", "name": "Reuters"}}, ("Reuters", NOON, ())),
        ({"datePublished": "1987-03-14"}, (..., datetime(1987, 3, 14, tzinfo=UTC), ())),
        (
            {"datePublished": "", "dateModified": "2026-03-14T12:30:00Z"},
            (..., NOON, ("published",)),
        ),
        ({"mentions": [{"@type": "Article", "author": "No"}]}, (..., NOON, ())),
        ({"isPartOf": {"@type": "WebSite", "name": "A much longer name"}}, (..., NOON, ())),
    ],
    ids=["context", "agency", "old", "only changed", "mentions", "site"],
)
def test_json_ld_in_the_wild(said: dict[str, object], expected: tuple[object, ...]) -> None:
    """Agencies are authors, a day of change is a guess, and other things told are not taken."""
    told = json.dumps({**LINKED["@graph"][1], **said})  # type: ignore[dict-item]
    found = article(page(f'<script type="application/ld+json">{told}</script>'), URL, url=URL)
    author, published, guessed = expected
    assert author in {found.author, ...}
    assert (found.published, found.guessed, found.publisher) == (published, guessed, "Northwire")


def test_meta_tags_state_the_fields() -> None:
    """Without JSON-LD the meta tags are believed; a profile's address is no author."""
    head = (
        '<meta property="og:title" content="Dam fails – Northwire">'
        '<meta property="og:site_name" content="Northwire">'
        '<meta property="article:author" content="https://social.example/rike">'
        '<meta name="author" content="Jonas Rike">'
        '<meta property="article:published_time" content="2026-03-14T12:30:00Z">'
    )
    found = article(page(head), "dam.html")
    assert (found.title, found.publisher, found.author) == ("Dam fails", "Northwire", "Jonas Rike")
    assert (found.published, found.guessed) == (NOON, ())


def test_what_is_worked_out_is_marked() -> None:
    """A date, author or site that only stands in the text of the page is named as guessed."""
    byline = '<p class="byline">By <a rel="author" href="/r">Jonas Rike</a></p>'
    byline += '<time datetime="2026-03-14T12:30:00Z">14 March 2026</time>'
    found = article(page(byline=byline), URL, url=URL)
    assert (found.author, found.published, found.publisher) == ("Jonas Rike", NOON, "Northwire")
    assert set(found.guessed) == {"author", "published", "publisher", "title"}


def test_a_page_without_site_is_named_by_its_host() -> None:
    """Where nothing else names the site, its host does, and is marked."""
    bare = f"<html><body><article><p>{'</p><p>'.join(BODY)}</p></article></body></html>"
    found = article(bare, URL, url="https://www.northwire.example/dam")
    assert found.publisher == "northwire.example"
    assert {"publisher", "title"} <= set(found.guessed)


@pytest.mark.parametrize(
    ("canonical", "expected"),
    [
        ("https://www.northwire.example/2026/dam", "https://www.northwire.example/2026/dam"),
        ("/2026/dam", "https://northwire.example/2026/dam"),
        ("https://other.example/dam", URL),
        ("javascript:alert(1)", URL),
    ],
)
def test_a_page_cannot_pass_for_another_sites(canonical: str, expected: str) -> None:
    """A canonical address is taken from the same site only, and makes the id."""
    head = f'<link rel="canonical" href="{canonical}">'
    found = article(page(head), URL + "?utm=1", url=URL)
    assert found.url == expected
    plain = article(page(), expected, url=expected)
    assert found.article_id == plain.article_id


def test_a_saved_page_keeps_its_id() -> None:
    """A saved page without address is known by its file; one that tells its address, by that."""
    assert article(page(), "dam.html").article_id.startswith("dam-")
    head = f'<link rel="canonical" href="{URL}">'
    saved, fetched = article(page(head), "a/dam.html"), article(page(), URL, url=URL)
    assert saved.article_id == fetched.article_id
    assert saved.url == URL


@pytest.mark.parametrize(
    ("charset", "told"),
    [
        ("utf-8", {}),
        ("utf-16", {}),
        ("windows-1252", {"charset": "windows-1252"}),
        ("windows-1252", {"charset": "iso-8859-1"}),
        ("windows-1251", {"charset": "Windows-1251"}),
        ("shift_jis", {"charset": "shift_jis"}),
        ("utf-8", {"charset": "punycode"}),
        ("utf-8", {"charset": "no-such-thing"}),
    ],
)
def test_charsets(charset: str, told: dict[str, str]) -> None:
    """A page is decoded as its sender says, and as it looks where that cannot be."""
    first = {"windows-1251": "Плотина", "shift_jis": "ダム"}.get(charset, "The café’s dam –")
    markup = page(body=[f"{first} {FIRST}", SECOND, THIRD]).replace("“", "").replace("”", "")
    if charset != "utf-8":
        markup = markup.replace('<meta charset="utf-8">', "").replace("©", "")
    if charset in {"windows-1251", "shift_jis"}:
        markup = markup.replace("’", "'")
    assert first in article(markup.encode(charset), URL, url=URL, **told).text


def test_a_page_names_its_charset() -> None:
    """Without a header, the charset in the page is used."""
    markup = page(body=["Плотина " + FIRST, SECOND]).replace('"utf-8"', '"windows-1251"')
    data = markup.replace("©", "").replace("’", "").encode("windows-1251")
    assert article(data, "a.html").text.startswith("Плотина")


@pytest.mark.parametrize(
    "wild",
    [
        "<div>" * 100_000,
        "<b>" * 100_000,
        "<ul><li>" * 50_000,
        "<table><tr><td>" * 30_000,
        "<svg>" * 50_000,
        "</p>" * 100_000,
        "<!--" * 100_000,
        "<p a='" + "x" * 1_000_000 + "'>",
        "&amp;" * 200_000,
        "\x00" * 10,
        "<a href='" * 50_000,
    ],
    ids=lambda wild: wild[:8],
)
def test_wild_markup_neither_hangs_nor_crashes(wild: str) -> None:
    """A hundred thousand nested tags end in an article or a sentence, soon."""
    started = time.monotonic()
    data = f"<!doctype html><body><article><p>{FIRST}</p><p>{SECOND}</p>{wild}</article></body>"
    try:
        items = read(data, "a.html")
    except SourceError as error:
        assert str(error).startswith("a.html ")  # noqa: PT017 - either is right
    else:
        assert all(isinstance(item, Article) for item in items)
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("<html></html>", "no text that looks like a report"),
        ("<html><body><nav>Home</nav></body></html>", "no text that looks like a report"),
        ("<html>" + "<p>" * 150_001, "too many tags"),
    ],
)
def test_pages_without_report(data: str, error: str) -> None:
    """A page with nothing to quote is told apart from one with too much."""
    assert error in refusal(data, "a.html")


# PDF


NOISE = random.Random(1).randbytes(5_000)  # noqa: S311 - noise
LINES = [
    "The dam above Tessen failed at dawn on Saturday, and the val-",
    "ley was under water by noon. Nobody in the lower town had",
    "been warned, said the engineer. She is well-known, and a well-",
    "known critic of the COVID-",
    "19 loans in 2019–",
    "2020 and of an out-of-control, life-",
    "threatening plan. A short line ends it.",
    "",
    "A second paragraph begins after a gap, and it is a full line.",
]
INFO = "/Title(Dam fails)/Author(Ada Vell)/CreationDate(D:20260314143000+02'00')"


def test_a_pdf_has_paragraphs() -> None:
    """Lines become paragraphs, cut words whole, and hyphens stay where they belong."""
    found = article(pdf(LINES, info=INFO), "dam.pdf")
    assert found.text == (
        "The dam above Tessen failed at dawn on Saturday, and the valley was under water by noon."
        " Nobody in the lower town had been warned, said the engineer. She is well-known, and a"
        " well-known critic of the COVID-19 loans in 2019–2020 and of an out-of-control,"
        " life-threatening plan. A short line ends it.\n\n"
        "A second paragraph begins after a gap, and it is a full line."
    )
    assert (found.title, found.author) == ("Dam fails", "Ada Vell")


def test_a_pdf_was_made_then_and_perhaps_published() -> None:
    """The date of a PDF is when it was made, and is marked as a guess."""
    found = article(pdf(LINES, info=INFO), "dam.pdf")
    assert (found.published, found.guessed) == (NOON, ("published",))
    assert article(pdf(LINES, info="/CreationDate(nonsense)"), "a.pdf").published is None
    assert article(pdf(LINES, info="/CreationDate(D:20261399)"), "a.pdf").published is None


@pytest.mark.parametrize("title", ["", "Untitled-1", "Microsoft Word - dam.docx", "dam.indd"])
def test_a_pdf_without_title(title: str) -> None:
    """What a program wrote is no title; a headline on the first page is, and is marked."""
    found = article(pdf(["Dam fails above Tessen", "", *LINES], info=f"/Title({title})"), "a.pdf")
    assert found.title == "Dam fails above Tessen"
    assert found.guessed == ("title",)
    assert found.text.startswith("The dam above")


PLACES = "first second third fourth fifth sixth".split()


def test_pages_edges_are_left_out() -> None:
    """Running heads and page numbers do not interrupt a sentence that crosses pages."""
    parts = [[f"{word} {place} of the report" for place in PLACES] for word in ("A", "B", "C", "D")]
    pages = [
        ["Northwire, 14 March", "", *part, "", f"Page {number} of 4"]
        for number, part in enumerate(parts, 1)
    ]
    text = article(pdf(*pages, info="/Title(Dam)"), "a.pdf").text
    assert text == " ".join(line for part in parts for line in part)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (pdf([]), "only pictures or empty pages"),
        (pdf([" "], [""]), "only pictures or empty pages"),
        (pdf(LINES)[:200], "damaged"),
        (b"%PDF-1.7\n" + NOISE, "damaged"),
        (
            pdf(
                LINES,
                more=f"/ID[<00><00>]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<{'ab' * 32}>"
                f"/U<{'cd' * 32}>>>",
            ),
            "locked with a password",
        ),
        (pdf(*[["x"]] * 2_001), "more than 2,000 pages"),
    ],
    ids=["pictures", "blank", "cut", "noise", "locked", "long"],
)
def test_pdfs_that_cannot_be_quoted(data: bytes, error: str) -> None:
    """Pictures, locks and damage are told apart."""
    assert error in refusal(data, "scan.pdf")


# Word and zip


def packed(files: dict[str, bytes | str], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def word(body: str, core: str = "", **more: str) -> bytes:
    """A Word file with this body."""
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
    """A paragraph of a Word file."""
    named = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{named}<w:r><w:t>{text}</w:t></w:r></w:p>"


PARAGRAPHS = "".join(map(paragraph, BODY))
CORE = (
    "<dc:title>Dam fails</dc:title><dc:creator>Ada Vell</dc:creator>"
    "<t:created>2026-03-14T12:30:00Z</t:created>"
)


def test_a_word_file() -> None:
    """Paragraphs are blocks; title and author come from the properties, macros do not matter."""
    data = word(PARAGRAPHS, CORE, **{"word/vbaProject.bin": "macro"})
    found = article(data, "dam.docx")
    assert found.text == TEXT
    assert (found.title, found.author, found.published) == ("Dam fails", "Ada Vell", NOON)
    assert found.guessed == ("published",)


@pytest.mark.parametrize("style", ["Title", "Heading1"])
def test_a_word_file_with_a_heading(style: str) -> None:
    """Without a title in the properties, the first heading is it, marked, and no sentence."""
    found = article(word(paragraph("Dam fails", style) + PARAGRAPHS), "dam.docx")
    assert (found.title, found.guessed, found.text) == ("Dam fails", ("title",), TEXT)


def test_a_word_file_without_text() -> None:
    """An empty Word file says so."""
    assert "has no text" in refusal(word(""), "a.docx")


LAUGHS = '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a0 "lol lol lol">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("data", "name", "error"),
    [
        (packed({"a.txt": bytes(40_000_000)}), "a.zip", "far more than it is"),
        (packed({f"{n}.txt": bytes(9_000_000) for n in range(9)}), "a.zip", "far more than it is"),
        (packed({f"{n}.txt": "x" for n in range(1_001)}), "a.zip", "more than 1,000 files"),
        (packed({"a.zip": packed({"b.txt": TEXT})}), "a.zip", "inside another"),
        (packed({"xl/a.xml": "x", "[Content_Types].xml": "x"}), "a.xlsx", "other than Word"),
        (packed({"mimetype": "application/epub+zip"}), "a.epub", "other than Word"),
        (packed({}), "a.zip", "empty zip"),
        (packed({"a/": ""}), "a.zip", "empty zip"),
        (packed({"a.txt": TEXT})[:60], "a.zip", "damaged"),
        (word(PARAGRAPHS)[:900], "a.docx", "damaged"),
        (word(PARAGRAPHS + "<broken"), "a.docx", "damaged"),
        (word("x" * 60_000_000), "a.docx", "far more than it is"),
        (packed({"word/document.xml": LAUGHS + "]><rss>&a11;</rss>"}), "a.docx", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.doc", "old or a locked Office"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_archives_that_are_refused(data: bytes, name: str, error: str) -> None:
    """Bombs, archives in archives, damage and other Office files end in a sentence."""
    started = time.monotonic()
    try:
        (failure,) = read(data, name)
    except SourceError as raised:
        told = str(raised)
    else:
        assert isinstance(failure, Failure)
        told = failure.error
    assert error in told
    assert time.monotonic() - started < 10


def test_an_archive_of_everything() -> None:
    """Each file of an archive is read by what it is; names lead nowhere, other files are left."""
    items = read(
        packed(
            {
                "../../etc/a.txt": TEXT,
                "/b/rows.jsonl": json.dumps({"_id": "row", "text": TEXT}) + "\n{broken\n",
                "c\\page.html": page(),
                "d.pdf": pdf(LINES, info=INFO),
                "e.docx": word(PARAGRAPHS, CORE),
                "f.jpg": b"\xff\xd8\xff",
                "g.txt": b"",
                ".hidden.txt": TEXT,
                "__MACOSX/a.txt": TEXT,
            }
        ),
        "all.zip",
    )
    articles = [item for item in items if isinstance(item, Article)]
    assert [one.title for one in articles][1:] == [
        articles[1].title,
        "Dam fails above Tessen",
        "Dam fails",
        "Dam fails",
    ]
    assert (articles[0].source or "").endswith("/all.zip/etc/a.txt")
    failures = [item for item in items if isinstance(item, Failure)]
    assert [one.source for one in failures] == ["all.zip/b/rows.jsonl, line 2", "all.zip/g.txt"]
    assert len({one.article_id for one in articles}) == 5


def test_a_locked_archive() -> None:
    """An archive with a password says so."""
    data = bytearray(packed({"a.txt": TEXT}))
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(sign) + offset] |= 1
    assert "locked with a password" in refusal(bytes(data), "a.zip")


# Feeds


def rss(*items: str, head: str = "") -> str:
    """An RSS feed."""
    spaces = 'xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    spaces += 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    channel = f"<title>Northwire</title><language>en-gb</language>{''.join(items)}"
    return (
        f'<?xml version="1.0"?>{head}<rss version="2.0" {spaces}><channel>{channel}</channel></rss>'
    )


def entry(rest: str, link: str = "/dam") -> str:
    """An entry of an RSS feed."""
    return (
        f"<item><title>Dam &amp;amp; town</title><link>{link}</link>"
        "<pubDate>Sat, 14 Mar 2026 14:30:00 +0200</pubDate><dc:creator>Ada Vell</dc:creator>"
        f"{rest}</item>"
    )


FULL = "".join(f"<p>{text}</p>" for text in BODY)


def test_a_feed_with_whole_reports() -> None:
    """Content in a feed is an article, without script, teaser and the “read more” at its end."""
    content = (
        f"<content:encoded><![CDATA[{FULL}<script>x</script><p>Read more…</p>]]></content:encoded>"
    )
    found = article(rss(entry(f"<description>{FIRST[:40]}…</description>{content}")), URL, url=URL)
    assert found.text == TEXT
    assert (found.title, found.author, found.publisher) == ("Dam & town", "Ada Vell", "Northwire")
    assert (found.published, found.url) == (NOON, "https://northwire.example/dam")
    assert (found.guessed, found.language) == (("publisher",), "en")
    assert found.article_id == article(page(), URL, url=URL).article_id


@pytest.mark.parametrize(
    "rest",
    [
        f"<description>{FIRST}</description>",
        "",
        f"<description>{'<![CDATA[' + FULL * 9 + ']]>'} […]</description>",
        f"<content:encoded><![CDATA[<p>{FIRST}</p> <p>{SECOND[:30]}...</p>]]></content:encoded>",
    ],
    ids=["summary", "nothing", "cut", "cut content"],
)
def test_a_feed_with_summaries(rest: str) -> None:
    """An entry that is only a summary is a link to its page, and never an article."""
    (link,) = read(rss(entry(rest)), URL, url=URL)
    assert isinstance(link, Link)
    assert (link.url, link.title) == ("https://northwire.example/dam", "Dam & town")


def test_a_long_description_is_a_report() -> None:
    """A feed that puts whole reports where summaries belong is read all the same."""
    found = article(rss(entry(f"<description><![CDATA[{FULL * 5}]]></description>")), URL, url=URL)
    assert found.text.count(THIRD) == 5


def test_an_atom_feed() -> None:
    """Atom is read too; a date of its last change is a guess at publication."""
    feed = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>Northwire</title><entry>'
        '<title type="html">Dam &lt;b&gt;fails&lt;/b&gt;</title><link href="https://n.example/1"/>'
        "<updated>2026-03-14T12:30:00Z</updated><author><name>Ada Vell</name></author>"
        f'<content type="html">{escape(FULL)}</content></entry></feed>'
    )
    found = article(feed, "feed.atom")
    assert (found.title, found.author, found.published) == ("Dam fails", "Ada Vell", NOON)
    assert found.guessed == ("published", "publisher")
    assert found.text == TEXT


@pytest.mark.parametrize("link", ["javascript:alert(1)", "file:///etc/passwd", ""])
def test_entries_that_lead_nowhere(link: str) -> None:
    """An entry without text whose address is no web address fails alone."""
    good = entry(f"<description><![CDATA[{FULL * 5}]]></description>")
    failure, found = read(rss(entry("", link), good), "f.xml")
    assert isinstance(failure, Failure)
    assert isinstance(found, Article)


def test_entities_do_not_grow() -> None:
    """Entities that unfold to gigabytes are not unfolded, and the next file is read."""
    started = time.monotonic()
    declared = LAUGHS.partition("?>")[2] + "]>"
    for item in read(rss(entry("<description>&a11;</description>"), head=declared), "f.xml"):
        assert not isinstance(item, Article)
    assert time.monotonic() - started < 10
    assert article(page(), "dam.html").text == TEXT


def test_entities_do_not_read_files() -> None:
    """An external entity stays empty."""
    head = '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    whole = f"<content:encoded>{escape(FULL)} &x; end</content:encoded>"
    found = article(rss(entry(whole, URL), head=head), "f.xml")
    assert found.text.startswith(TEXT)
    assert found.text.endswith("end")
    assert "root:" not in found.text


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (rss(), "without entries"),
        ('<?xml version="1.0"?><svg/>', "no feed and no page"),
        ("<?xml", "no feed and no page"),
        (rss("<item/>" * 1_001), "more than 1,000 entries"),
    ],
)
def test_xml_that_is_no_feed(data: str, error: str) -> None:
    """Other XML, and a feed of nothing or too much, is told."""
    assert error in refusal(data, "a.xml")


# What a file is

JSONL = json.dumps({"_id": "a", "title": "Row", "text": TEXT})


@pytest.mark.parametrize(
    ("data", "name", "title"),
    [
        (page(), "report.txt", "Dam fails above Tessen"),
        (page(), "report.pdf", "Dam fails above Tessen"),
        ("\n<!-- x -->\n" + page(), "report", "Dam fails above Tessen"),
        ("<?xml version='1.0'?>" + page(), "report.xml", "Dam fails above Tessen"),
        (pdf(LINES, info=INFO), "report.html", "Dam fails"),
        (b"junk\n" + pdf(LINES, info=INFO), "report.pdf", "Dam fails"),
        (word(PARAGRAPHS, CORE), "report.zip", "Dam fails"),
        (word(PARAGRAPHS, CORE), "report.txt", "Dam fails"),
        (JSONL, "report.txt", "Row"),
        (JSONL, "report.html", "Row"),
        (gzip.compress(JSONL.encode()), "report.jsonl", "Row"),
        (gzip.compress(page().encode()), "report", "Dam fails above Tessen"),
        (f"Dam fails\n\n{TEXT}", "report.pdf", "Dam fails"),
        (f"Dam fails\n\n{TEXT}", "report.html", "Dam fails"),
        (f"Dam fails\n\n{TEXT}", "report.docx", "Dam fails"),
        (f"# Dam fails\n\n{TEXT}", "report.md", "Dam fails"),
        (f"# Dam fails\n\n{TEXT}", "report.txt", "# Dam fails"),
        (f"<div align=center>x</div>\n\n# Dam fails\n\n{TEXT}", "report.md", "Dam fails"),
        (rss(entry(f"<description><![CDATA[{FULL * 5}]]></description>")), "a.txt", "Dam & town"),
    ],
)
def test_content_goes_before_the_name(data: bytes | str, name: str, title: str) -> None:
    """A file is read as what it is; its suffix only decides between kinds of text."""
    found = article(data, name)
    assert found.title == title
    assert FIRST[:40] in found.text


def test_the_senders_type_decides_between_kinds_of_text() -> None:
    """A fragment that its server calls HTML is read as such, and Markdown as Markdown."""
    fragment = f"<div><article><h1>Dam fails</h1>{FULL}</article></div>"
    assert article(fragment, URL, url=URL, content_type="text/html").text == TEXT
    found = article(f"# Dam fails\n\n{TEXT}", URL, url=URL, content_type="text/markdown")
    assert (found.title, found.url) == ("Dam fails", URL)


def test_a_gzip_bomb_of_rows() -> None:
    """Rows that unpack without end are read up to a limit."""
    line = json.dumps({"text": "a " * 5_000}).encode() + b"\n"
    with pytest.raises(SourceError, match="far more than it is"):
        read(gzip.compress(line * 4_000), "a.jsonl.gz")


@given(st.binary(max_size=300), st.sampled_from(["a.txt", "a.md", "a.jsonl", "a.gz", "a"]))
@example(b"\x1f\x8b" + b"\x1f\x8b" * 9, "a.gz")
@example(b"\xff\xfe<\x00", "a.html")
def test_any_bytes_are_items_or_an_error(data: bytes, name: str) -> None:
    """No bytes make reading fail in another way."""
    try:
        items = read(data, name)
    except InputError:
        return
    assert all(isinstance(item, Article | Failure) for item in items)


@pytest.mark.parametrize("start", [b"%PDF-1.4\n", b"PK\x03\x04", b"<html>", b"<rss>", b"<?xml "])
def test_any_noise_behind_a_sign_is_told(start: bytes) -> None:
    """Noise that begins like a known format fails in one sentence, or was text after all."""
    noise = random.Random(7)  # noqa: S311 - noise
    for size in (0, 10, 1_000, 50_000):
        try:
            items = read(start + noise.randbytes(size), "a.bin")
        except SourceError as error:
            assert re.fullmatch(r"a\.bin .*\.", str(error))  # noqa: PT017 - either is right
        else:
            assert start == b"<html>"
            assert all(isinstance(item, Article) for item in items)


# The sandbox

HUNG = "<html><body>" + f"<p {' '.join(f'a{n}=1' for n in range(60_000))}>x</p>"


def test_a_hung_process_is_replaced() -> None:
    """A file that takes for ever fails in time, and the next one is read."""
    sandbox = Sandbox(seconds=3)
    with pytest.raises(SourceError, match="too much memory or time"):
        sandbox.run("index.reading.web.read_html", HUNG.encode())
    assert sandbox.run("index.reading.web.read_html", page().encode())[0]["text"] == TEXT
    sandbox.close()


def test_english_marks_of_windows_stay() -> None:
    """In English with few characters beyond ASCII, none becomes another language's letter."""
    text = "The dam “failed” at dawn — nobody’s been warned. It cost £5 million."
    (found,) = formats.read(io.BytesIO(text.encode("windows-1252")), Origin("dam.txt"))
    assert isinstance(found, Article)
    assert found.text == text


def test_markdown_without_end_fails_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of brackets, which takes minutes to parse, holds nobody up."""
    sandbox = Sandbox(seconds=3)
    monkeypatch.setattr(formats, "_SANDBOX", sandbox)
    with pytest.raises(SourceError, match="too much memory or time"):
        [*formats.read(io.BytesIO(b"[" * 200_000), Origin("brackets.md"))]
    sandbox.close()


def test_a_process_that_dies_is_replaced() -> None:
    """A process that was killed, idle or at work, is replaced."""
    sandbox = Sandbox()
    with pytest.raises(SourceError, match="too much memory or time"):
        sandbox.run("builtins.eval", b"__import__('os')._exit(1)")
    for _ in range(2):
        assert sandbox.run("index.reading.pdf.read_pdf", pdf(LINES))
        assert sandbox._process is not None
        sandbox._process.kill()
        sandbox._process.wait()
    sandbox.close()


def test_a_process_without_memory() -> None:
    """A file that takes too much memory fails alone."""
    sandbox = Sandbox(memory=400_000_000)
    with pytest.raises(SourceError, match="too much memory or time"):
        sandbox.run("builtins.eval", b"len(bytearray(600_000_000))")
    assert sandbox.run("index.reading.pdf.read_pdf", pdf(LINES))
    sandbox.close()


def test_a_process_has_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of this process does not go over."""
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    sandbox = Sandbox()
    sandbox.run("index.reading.pdf.read_pdf", pdf(LINES))
    assert sandbox._process is not None
    assert b"secret" not in Path(f"/proc/{sandbox._process.pid}/environ").read_bytes()
    sandbox.close()


def test_nothing_heavy_is_loaded_here() -> None:
    """The libraries that take files apart are loaded over there alone."""
    script = "import sys, index.reading.sources; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"lxml", "trafilatura", "pypdfium2", "mammoth", "feedparser"} & {*loaded}
