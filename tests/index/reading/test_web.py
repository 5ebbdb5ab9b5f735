"""Pages, feeds and Word files become articles; a field that is not stated is marked as a guess."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from html import escape

import pytest
from support.files import (
    BODY,
    FIRST,
    MARKUP,
    SECOND,
    TEXT,
    URL,
    article,
    entry,
    items,
    page,
    paragraph,
    refusal,
    rss,
    word,
)

from index.domain import Article
from index.errors import SourceError
from index.reading.items import Link, Omission

NOON = datetime(2026, 3, 14, 12, 30, tzinfo=UTC)
NEWS_ARTICLE = {
    "@type": ["NewsArticle"],
    "headline": "Dam fails above Tessen",
    "datePublished": "2026-03-14T14:30:00+02:00",
    "author": [{"@type": "Person", "name": "Jonas Rike"}, {"name": "Mira Tolland"}],
    "publisher": {"name": "Northwire"},
}


def json_ld(data: object) -> str:
    """Return a script tag with JSON-LD."""
    return f'<script type="application/ld+json">{json.dumps(data)}</script>'


# HTML


def test_a_page_is_its_report_alone() -> None:
    """Navigation, cookie notices, comments and teasers are left out."""
    found = article(page(), "dam.html")
    assert (found.text, found.title, found.language) == (TEXT, "Dam fails above Tessen", "en")


def test_comments_without_markup_are_left_out() -> None:
    """Everything after a heading like “2 comments” is dropped, whatever its markup."""
    comments = "".join(f"<p>{text}</p>" for text in ["2 comments", "I disagree with all of this."])
    assert (
        article(f"<html><body><div>{MARKUP}{comments}</div></body></html>", "a.html").text == TEXT
    )


def test_json_ld_states_the_fields() -> None:
    """JSON-LD is preferred to meta tags and broken scripts, and nothing is a guess."""
    graph = {"@graph": [{"@type": "WebSite", "name": "Wrong"}, NEWS_ARTICLE]}
    head = json_ld(graph) + '<script type="application/ld+json">{broken</script>'
    found = article(page(head + '<meta name="author" content="No">'), URL, url=URL)
    assert (found.author, found.publisher) == ("Jonas Rike, Mira Tolland", "Northwire")
    assert (found.published, found.guessed) == (NOON, ())
    assert (found.url, found.source) == (URL, URL)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"@context": ["https://schema.org", {}]}, ("Jonas Rike, Mira Tolland", NOON, ())),
        ({"author": {"@type": "Organization", "name": "Reuters"}}, ("Reuters", NOON, ())),
        ({"datePublished": "1987-03-14"}, (..., datetime(1987, 3, 14, tzinfo=UTC), ())),
        (
            {"datePublished": "", "dateModified": "2026-03-14T12:30:00Z"},
            (..., None, ()),
        ),
        ({"mentions": [{"@type": "Article", "author": "No"}]}, (..., NOON, ())),
        ({"isPartOf": {"@type": "WebSite", "name": "A much longer name"}}, (..., NOON, ())),
    ],
    ids=["context", "agency", "old", "only modified", "mentions", "site"],
)
def test_json_ld_in_the_wild(stated: dict[str, object], expected: tuple[object, ...]) -> None:
    """Agencies are authors, a date of modification is a guess, and nested articles are ignored."""
    found = article(page(json_ld({**NEWS_ARTICLE, **stated})), URL, url=URL)
    author, published, guessed = expected
    assert author in {found.author, ...}
    assert (found.published, found.guessed, found.publisher) == (published, guessed, "Northwire")


def test_a_page_keeps_its_own_clock() -> None:
    """A page of the evening of 3 November has that date, although it was the 4th in UTC."""
    evening = "2026-11-03T21:24:10-05:00"
    dated = article(page(json_ld({**NEWS_ARTICLE, "datePublished": evening})), URL, url=URL)
    assert dated.published
    assert dated.published.isoformat() == evening


def test_a_page_without_an_article_may_state_its_date() -> None:
    """If JSON-LD has no article, the page's date is used, but not that of a change."""
    stated = {"@type": "WebPage", "name": "x", "datePublished": "2025-03-14T12:30:00Z"}
    linked = json_ld({"@graph": [stated | {"dateModified": "2026-01-01"}]})
    assert article(page(linked), URL, url=URL).published == NOON.replace(year=2025)


def test_a_copyright_line_is_no_date() -> None:
    """The year of a copyright line is not used as a date, even as a guess."""
    silent = article(page() + "<footer>© 2021 Northwire</footer>", URL, url=URL)
    assert (silent.published, silent.guessed_date) == (None, None)


def test_meta_tags_state_the_fields() -> None:
    """Meta tags are used without JSON-LD; a profile's URL is not an author."""
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


def test_guesses_are_marked() -> None:
    """A field that only the text of the page or its host suggests is named as guessed."""
    byline = '<p class="byline">By <a rel="author" href="/r">Jonas Rike</a></p>'
    byline += '<time datetime="2026-03-14T12:30:00Z">14 March 2026</time>'
    byline += '<time datetime="2026-03-16T08:00:00Z">16 March 2026</time>'
    found = article(page(byline=byline), URL, url=URL)
    assert (found.author, found.published, found.guessed_date) == ("Jonas Rike", None, NOON)
    assert found.publisher == "northwire.example"
    assert set(found.guessed) == {"author", "publisher", "title"}


@pytest.mark.parametrize(
    ("canonical", "expected"),
    [
        ("https://www.northwire.example/2026/dam", "https://www.northwire.example/2026/dam"),
        ("/2026/dam", "https://northwire.example/2026/dam"),
        ("https://other.example/dam", URL),
        ("https://northwire.example/", URL),
        ("javascript:alert(1)", URL),
    ],
)
def test_a_page_cannot_claim_another_site(canonical: str, expected: str) -> None:
    """A canonical URL gives the id, unless it is on another site or the home of its own."""
    head = f'<link rel="canonical" href="{canonical}">'
    found = article(page(head), URL + "?utm=1", url=URL)
    assert found.url == expected
    assert found.article_id == article(page(), expected, url=expected).article_id


def test_a_saved_page_keeps_its_id() -> None:
    """A saved page is identified by its canonical URL, else by its file."""
    assert article(page(), "dam.html").article_id.startswith("dam-")
    saved = article(page(f'<link rel="canonical" href="{URL}">'), "a/dam.html")
    assert saved.article_id == article(page(), URL, url=URL).article_id
    assert saved.url == URL


@pytest.mark.parametrize(
    "wild",
    [
        "<div>" * 100_000,
        "<table><tr><td>" * 30_000,
        "</p>" * 100_000,
        "<!--" * 100_000,
        "<p a='" + "x" * 1_000_000 + "'>",
        "&amp;" * 200_000,
        "<a href='" * 50_000,
    ],
    ids=lambda wild: wild[:8],
)
def test_wild_markup_neither_hangs_nor_crashes(wild: str) -> None:
    """A hundred thousand nested tags give an article or a failure, quickly."""
    started = time.monotonic()
    data = f"<!doctype html><body><article><p>{FIRST}</p><p>{SECOND}</p>{wild}</article></body>"
    try:
        assert all(isinstance(item, Article) for item in items(data, "a.html"))
    except SourceError as error:
        assert str(error).startswith("a.html ")  # noqa: PT017 - either is right
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("<html><body><nav>Home</nav></body></html>", "no text that looks like a report"),
        ("<html>" + "<p>" * 150_001, "too many tags"),
    ],
)
def test_pages_without_a_report(data: str, error: str) -> None:
    """A page with nothing to quote and a page too large have different messages."""
    assert error in refusal(data, "a.html")


# Markdown


def test_markdown_becomes_plain_text() -> None:
    """Markup, link targets and scripts are removed; words, rows of tables and code stay."""
    found = article(
        "---\npublisher: Courier\n---\n# Dam *fails*\n\nThe **dam** at\n"
        "[Tessen](https://x.example/a) failed &amp; fell.\n\n## Numbers\n\n- one\n- two\n\n"
        "> “Run,” she said.\n\n| place | dead |\n|---|---|\n| Tessen | 3 |\n\n"
        "```\ncode here\n```\n\n<script>html</script>\n",
        "a.md",
    )
    assert (found.title, found.publisher) == ("Dam fails", "Courier")
    assert found.text.split("\n\n") == [
        "The dam at Tessen failed & fell.",
        *("Numbers", "one", "two", "“Run,” she said.", "place | dead", "Tessen | 3", "code here"),
    ]


def test_a_title_in_the_front_matter_wins() -> None:
    """With a title in the front matter, the first heading is dropped."""
    found = article(f"---\ntitle: Ours\n---\n# Theirs\n\n{FIRST}\n", "a.md")
    assert (found.title, found.text) == ("Ours", FIRST)


# Feeds


def test_a_feed_with_whole_reports() -> None:
    """Content in a feed is an article, without scripts and a final “read more”."""
    content = f"{MARKUP}<script>x</script><p>Read more…</p>"
    rest = f"<description>{FIRST[:40]}…</description>"
    rest += f"<content:encoded><![CDATA[{content}]]></content:encoded>"
    found = article(rss(entry(rest)), URL, url=URL)
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
        f"<description>{'<![CDATA[' + MARKUP * 9 + ']]>'} […]</description>",
        f"<content:encoded><![CDATA[<p>{FIRST}</p> <p>{SECOND[:30]}...</p>]]></content:encoded>",
    ],
    ids=["summary", "nothing", "cut", "cut content"],
)
def test_a_feed_with_summaries(rest: str) -> None:
    """An entry that is only a summary is a link to its page, never an article."""
    (link,) = items(rss(entry(rest)), URL, url=URL)
    assert link == Link("https://northwire.example/dam", "Dam & town")


def test_an_atom_feed() -> None:
    """Atom is read; the day of the last update is a guess of the date."""
    feed = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>Northwire</title><entry>'
        '<title type="html">Dam &lt;b&gt;fails&lt;/b&gt;</title><link href="https://n.example/1"/>'
        "<updated>2026-03-14T12:30:00Z</updated><author><name>Ada Vell</name></author>"
        f'<content type="html">{escape(MARKUP)}</content></entry></feed>'
    )
    found = article(feed, "feed.atom")
    assert (found.title, found.author, found.guessed_date) == ("Dam fails", "Ada Vell", NOON)
    assert (found.guessed, found.text) == (("publisher",), TEXT)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "file:///etc/passwd", ""])
def test_entries_without_a_web_link(link: str) -> None:
    """An entry with neither a text nor a web address is omitted, which is reported."""
    good = entry(f"<description><![CDATA[{MARKUP * 5}]]></description>")
    omission, found = items(rss(entry("", link), good), "f.xml")
    assert isinstance(omission, Omission)
    assert isinstance(found, Article)


BILLION_LAUGHS = '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a0 "lol lol lol">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)
)


def test_entities_are_not_expanded() -> None:
    """Entities neither grow to gigabytes nor read files of this machine."""
    started = time.monotonic()
    head = BILLION_LAUGHS.partition("?>")[2] + "]>"
    for item in items(rss(entry("<description>&a11;</description>", URL), head=head), "f.xml"):
        assert not isinstance(item, Article)
    bomb = word(BODY[0], **{"word/document.xml": BILLION_LAUGHS + "]><rss>&a11;</rss>"})
    assert "damaged" in refusal(bomb, "a.docx")
    assert time.monotonic() - started < 10
    head = '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    content = f"<content:encoded>{escape(MARKUP)} &x; end</content:encoded>"
    found = article(rss(entry(content, URL), head=head), "f.xml")
    assert found.text.startswith(TEXT)
    assert found.text.endswith("end")
    assert "root:" not in found.text


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (rss(), "without entries"),
        ('<?xml version="1.0"?><svg/>', "neither a feed nor a page"),
        ("<?xml", "neither a feed nor a page"),
        (rss("<item/>" * 1_001), "more than 1,000 entries"),
    ],
)
def test_xml_that_is_not_a_feed(data: str, error: str) -> None:
    """Other XML, and a feed of nothing or too much, is refused."""
    assert error in refusal(data, "a.xml")


# Word

PARAGRAPHS = "".join(map(paragraph, BODY))
CORE = (
    "<dc:title>Dam fails</dc:title><dc:creator>Ada Vell</dc:creator>"
    "<t:created>2026-03-14T12:30:00Z</t:created>"
)


def test_a_word_file() -> None:
    """Paragraphs are blocks; title and author come from the properties; macros are ignored."""
    found = article(word(PARAGRAPHS, CORE, **{"word/vbaProject.bin": "macro"}), "dam.docx")
    assert found.text == TEXT
    assert (found.title, found.author, found.published) == ("Dam fails", "Ada Vell", None)
    assert found.guessed_date == NOON


@pytest.mark.parametrize("style", ["Title", "Heading1"])
def test_a_word_file_with_a_heading(style: str) -> None:
    """Without a title in the properties, the first heading is the guessed title."""
    found = article(word(paragraph("Dam fails", style) + PARAGRAPHS), "dam.docx")
    assert (found.title, found.guessed, found.text) == ("Dam fails", ("title",), TEXT)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (word(""), "has no text"),
        (word(PARAGRAPHS)[:900], "damaged"),
        (word(PARAGRAPHS + "<broken"), "damaged"),
        (word("x" * 60_000_000), "far larger unpacked"),
    ],
    ids=["empty", "cut", "broken", "bomb"],
)
def test_word_files_that_are_refused(data: bytes, error: str) -> None:
    """Empty, damaged and hostile Word files have different messages."""
    assert error in refusal(data, "a.docx")
