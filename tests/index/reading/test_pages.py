"""The text of a page is the whole report and nothing else, with the fields that it states."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from support.files import BODY, FIRST, MARKUP, SECOND, TEXT, THIRD, URL, article, page

from index.reading.markup import blocks

REPORT = {"@type": "NewsArticle", "@id": "#report", "headline": "Dam fails above Tessen"}
WARNING = "The council had been warned twice, in letters that the ministry has not yet published."


def json_ld(data: object, before: str = "", after: str = "") -> str:
    """Return a script tag with JSON-LD."""
    return f'<script type="application/ld+json">{before}{json.dumps(data)}{after}</script>'


def read(*paragraphs: str, head: str = "") -> str:
    """Read a page whose report has these paragraphs of markup after the first two."""
    markup = "".join(f"<p>{text}</p>" for text in (FIRST, SECOND, *paragraphs))
    body = f"<main><article><h1>Dam fails above Tessen</h1>{markup}</article></main>"
    return article(f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>", "a").text


def stated(*items: dict[str, Any], head: str = "", url: str = URL) -> Any:
    """Read a page whose head has these items of JSON-LD."""
    return article(page(head + json_ld({"@graph": [*items]})), url, url=url)


# Text


def test_text_after_a_comment_is_kept() -> None:
    """A comment or processing instruction in a paragraph does not end it."""
    text = read(
        "It is safe <!-- -->only if the gates are open<?php x ?>, <b>she</b> <!-- a -->said."
    )
    assert text.endswith("It is safe only if the gates are open, she said.")


def test_marks_of_references_are_left_out() -> None:
    """“[1]” and “[citation needed]” are removed; an exponent stays an exponent."""
    mark = '<sup><a href="#1">[1]</a></sup><sup>[<i>citation needed</i>]</sup>'
    text = read(f"The lake had spread over nine km<sup>2</sup> by then.{mark} It fell later.{mark}")
    assert text.endswith("The lake had spread over nine km² by then. It fell later.")


SEEN = (
    "About 10<sup>6</sup> fled, 12<sup>1</sup> died<sup><a href='#n1'>1</a></sup> and"
    "<a href='#n2'><sup>2</sup></a> <del>12</del> <ins>nine</ins> are<s> not</s> missing"
    "<span hidden>, they lie</span><span style='display: none'>, all lie</span> on 5<sup>th</sup>."
)
AS_SEEN = "About 10⁶ fled, 12¹ died and nine are missing on 5th."


def test_text_is_what_a_reader_sees() -> None:
    """Digits in superscript never join a number, and struck or hidden words are not read."""
    assert read(SEEN).endswith(AS_SEEN)
    assert [*blocks(f"<p>{SEEN}</p>")] == [("p", AS_SEEN)]


@pytest.mark.parametrize(
    ("style", "sheet"),
    [
        ("visibility: hidden", ""),
        ("font-size:0", ""),
        ("text-decoration: line-through", ""),
        ("", ".a, span.b { display : none }"),
        ("", "@media print {.x {color: red}} .b{VISIBILITY:hidden}"),
    ],
)
def test_text_that_a_style_hides(style: str, sheet: str) -> None:
    """Text that any style hides or strikes out is not read."""
    sentence = f'They are <span class="b" style="{style}">not </span>safe, the ministry said.'
    head = f"<style>{sheet}</style>"
    assert read(sentence, head=head).endswith("They are safe, the ministry said.")


def test_a_style_for_printing_hides_nothing() -> None:
    """Text that is hidden only in print, or until a script unfolds it, is read."""
    head = "<style>@media print {.b {display:none}} .fold {display:none}</style>"
    text = read('They are <span class="b">not </span>safe, they said.', head=head)
    assert text.endswith("They are not safe, they said.")


@pytest.mark.parametrize("sheet", ["", ".u{vertical-align: super; font-size: .8em}"])
def test_superscripts_set_by_a_style(sheet: str) -> None:
    """Digits that a style raises are not joined to the number before them."""
    style = "" if sheet else ' style="vertical-align:super"'
    sentence = f'About 10<span class="u"{style}>6</span> people fled the valley in one night.'
    assert read(sentence, head=f"<style>{sheet}</style>").endswith(
        "About 10⁶ people fled the valley in one night."
    )


def test_a_fold_is_part_of_the_report() -> None:
    """Paragraphs that a click unfolds are read."""
    assert [*blocks(f"<div hidden><p>{FIRST}</p></div>")] == [("p", FIRST)]


def test_blocks_go_on_after_a_comment() -> None:
    """Feeds and Markdown also keep the text after comments and processing instructions."""
    markup = "<!-- x --><p>Safe <!-- -->only if<script>x</script> the gates<?php y ?> are open.</p>"
    assert [*blocks(markup)] == [("p", "Safe only if the gates are open.")]


@pytest.mark.parametrize(
    "sentence",
    [
        f'She <a href="/1">{WARNING[:-1]}</a>, he wrote.',
        f'<a href="/1">{WARNING[:-1]}</a>.',
        f'<a href="/1">{WARNING[:40]}</a> <a href="/2">{WARNING[40:-1]}</a>!',
    ],
)
def test_sentences_that_are_links_are_kept(sentence: str) -> None:
    """A paragraph of the report is text, however much of it is linked."""
    paragraphs = [sentence] * 3 + [THIRD]
    assert WARNING[50:-1] in read(*paragraphs)


OTHER = "<p>Measles cases tripled in October, the health board of the county has said.</p>"


@pytest.mark.parametrize(
    "teaser",
    [
        f'<div class="story__read-next">{OTHER}</div>',
        f'<section id="most-popular">{OTHER}</section>',
        f'<div role="tooltip">{OTHER}</div>',
        f"<div hidden>{OTHER}</div>",
        f"<div><h3>More from Northwire</h3>{OTHER}</div>",
        f'<a href="/m">{OTHER}</a>',
        '<p>Léalo también: <a href="/m">Measles cases tripled in October</a></p>',
        '<p><a href="/m">Measles cases tripled in October, it was said</a></p>',
        '<p><a href="/m">Measles cases</a> [<b>VIDEO]|<br></b><a href="/n">Trams</a> [MORE]</p>',
    ],
    ids="class id card hidden heading block label link links".split(),
)
def test_teasers_are_left_out(teaser: str) -> None:
    """Other stories are recognised by names or headings, or by being only a link."""
    more = f"{WARNING} It said so again in May, and once more when the snow had gone in June."
    text = read(f"{THIRD}</p>{teaser}<p>{more}")
    assert text == "\n\n".join([*BODY, more])


@pytest.mark.parametrize(
    "line",
    [
        "Follow Northwire on Instagram, Facebook and YouTube.",
        "Get the latest updates right in your inbox. Subscribe to our newsletters.",
    ],
)
def test_lines_that_ask_to_follow_the_publisher_are_left_out(line: str) -> None:
    """A line that asks readers to follow or subscribe is left out."""
    assert read(line, THIRD) == TEXT


def test_a_live_blog_is_kept() -> None:
    """Posts that are articles inside an article, under headings that are links, are the report."""
    post = '<article class="post"><h3><a href="/{}">{}</a></h3><p>{}</p></article>'
    posts = "".join(post.format(n, f"Part {n}", f"{WARNING} ({n})") for n in range(8))
    text = article(f"<html><body><article>{posts}</article></body></html>", "a.html").text
    assert text.count(WARNING) == 8


def test_a_report_in_a_class_of_teasers_is_kept() -> None:
    """The element with most of the page is the report, whatever its class."""
    markup = f'<html><body><div class="read-next content">{MARKUP}<p>{WARNING}</p></div></body>'
    assert article(markup, "a.html").text == f"{TEXT}\n\n{WARNING}"


def test_two_headings_of_comments() -> None:
    """A second heading inside removed comments causes no error."""
    comments = "<div><h3>2 comments</h3><p>First!</p><h3>Leave a comment</h3><p>Name</p></div>"
    assert (
        article(f"<html><body><article>{MARKUP}</article>{comments}</body></html>", "a").text
        == TEXT
    )


def test_a_count_of_comments_above_the_report() -> None:
    """Only the count of comments below the title is left out."""
    markup = f"<html><body><article><h1>Dam</h1><p>3 comments</p>{MARKUP}</article></body></html>"
    assert article(markup, "a.html").text == TEXT


def test_a_lead_that_stands_apart() -> None:
    """The lead above the text is part of the report if the page's description confirms it."""
    head = f'<meta name="description" content="{WARNING[:60]}…">'
    markup = f'<div><header class="teaser"><p>{WARNING}</p></header>{MARKUP}</div>'
    for body in (markup, f"<div>{MARKUP}<footer><p>{WARNING}</p></footer></div>"):
        text = article(f"<html><head>{head}</head><body>{body}</body></html>", "a.html").text
        assert text == (f"{WARNING}\n\n{TEXT}" if body == markup else TEXT)


def test_a_report_in_several_containers() -> None:
    """A report continues after an interruption; another article is another report."""
    part = (
        f'<div class="article__body">{"".join(f"<p>{WARNING} ({n})</p>" for n in range(8))}</div>'
    )
    rows = f"<div><div>{part}</div><aside>Sign up</aside><div>{part.replace('(', '(1')}</div></div>"
    text = article(f"<html><body>{rows}</body></html>", "a.html").text
    assert len(text.split("\n\n")) == 16
    apart = "".join(f"<article>{part.replace('(', mark)}</article>" for mark in ("(", "(1"))
    text = article(f"<html><body><div>{apart}</div></body></html>", "a.html").text
    assert len(text.split("\n\n")) == 8


def test_the_body_in_json_ld() -> None:
    """If the page shows only the beginning, the whole text may come from JSON-LD."""
    body = "\n".join([*BODY, WARNING]).replace("“", "&#8220;")
    head = json_ld({**REPORT, "articleBody": body})
    text = article(f"<html><head>{head}</head><body><p>{FIRST}</p></body></html>", "a.html").text
    assert text == f"{TEXT}\n\n{WARNING}"


def test_a_report_that_looks_like_a_sidebar() -> None:
    """If precise extraction overlooks most of the text, a less precise one is used."""
    rest = "".join(f"<div>{WARNING} ({number})</div>" for number in range(12))
    text = article(f'<html><body><div class="sidebar">{rest}</div></body></html>', "a.html").text
    assert text.count(WARNING) == 12


def test_a_link_in_a_span_stays_in_its_sentence() -> None:
    """A sentence is whole, whatever the classes of its parts."""
    sentence = f'She said that <span class="link"><a href="/1">{WARNING[:30]}</a></span> was true.'
    assert f"She said that {WARNING[:30]} was true." in read(sentence, THIRD)


def test_a_card_about_a_name_is_no_part_of_the_sentence() -> None:
    """A card that opens over a name is not read into the sentence."""
    name = '<a href="/vell">Ada Vell</a>'
    card = f'<span><img src="/a.png">{name}<a href="/2">Rain to end: all of the news</a></span>'
    sentence = f"<span>He told the court that <span>{name}<span>{card}</span></span> lied.</span>"
    assert read(sentence, THIRD).endswith(f"He told the court that Ada Vell lied.\n\n{THIRD}")


def test_an_overlooked_paragraph_is_put_back() -> None:
    """A paragraph among those of the report is part of it, whatever its class."""
    marked = MARKUP.replace("<p>", '<p class="teaser-link rating">', 1)
    text = article(f"<html><body><h1>Dam</h1><div>{marked}</div></body></html>", "a.html").text
    assert text == TEXT


def test_an_overlooked_first_part_is_put_back() -> None:
    """Paragraphs above the text that was found are part of it if they are of the same kind."""
    part = '<div class="module"><div class="module-text">{}</div></div>'
    body = part.format(f"<p>{WARNING}</p>") + "<hr>" + part.format(MARKUP * 3)
    text = article(f"<html><body><div>{body}</div></body></html>", "a.html").text
    assert text.startswith(f"{WARNING}\n\n{FIRST}")


def test_a_heading_that_is_a_link_is_put_back() -> None:
    """A heading of the report is part of it, also if all of it is a link."""
    heading = '<h3><a href="/gates">The gates</a></h3>'
    markup = MARKUP.replace("</p>", f"</p>{heading}", 1)
    text = article(f"<html><body><h1>Dam</h1><div>{markup}</div></body></html>", "a.html").text
    assert text.split("\n\n") == [BODY[0], "The gates", *BODY[1:]]


def test_a_lead_below_the_heading() -> None:
    """The paragraph between heading and text is the lead, also in a box of its own."""
    lead = f'<h1>Dam fails</h1><div class="teaser-text"><p>{WARNING}</p></div>'
    text = article(f"<html><body>{lead}<div>{MARKUP}</div></body></html>", "a.html").text
    assert text == f"{WARNING}\n\n{TEXT}"


def test_a_lead_below_a_heading_that_was_read() -> None:
    """The lead is found even if the heading above it is part of the text that was extracted."""
    lead = f'<h1>Dam fails</h1><div class="teaser-text"><p>{WARNING}</p></div>'
    body = f"<main><article>{lead}<div>{MARKUP}</div></article></main>"
    assert article(f"<html><body>{body}</body></html>", "a.html").text == f"{WARNING}\n\n{TEXT}"


@pytest.mark.parametrize(
    "below",
    [
        "<h3>Top stories of the week</h3>",
        "<p>Further reading:</p>",
        '<p>See these:</p><ul><li><a href="/1">Rain</a></li><li><a href="/2">Snow</a></li></ul>',
        '<p>More:</p><ul><li><a href="/1">Rain</a></li><li><a href="/2">Snow</a></li></ul>',
        "<p>3 November 2026</p>",
        "<p>Source: Northwire</p>",
    ],
)
def test_trailing_headings_are_left_out(below: str) -> None:
    """A heading, label or credit below the report is left out."""
    text = article(f"<html><body><h1>Dam</h1><div>{MARKUP}{below}</div></body></html>", "a").text
    assert text == TEXT


def test_a_label_between_paragraphs_goes_with_its_links() -> None:
    """“More:” above links to other stories is left out with them."""
    links = '<ul><li><a href="/1">Rain</a></li><li><a href="/2">Snow</a></li></ul>'
    markup = MARKUP.replace("</p>", f"</p><p><strong>More:</strong></p>{links}", 1)
    text = article(f"<html><body><h1>Dam</h1><div>{markup}</div></body></html>", "a.html").text
    assert text == TEXT


@pytest.mark.parametrize("below", [f"<p>{THIRD}</p>", ""])
def test_a_paragraph_that_announces_something_is_kept(below: str) -> None:
    """Only a short label goes with its links: a paragraph that ends with a colon stays."""
    announces = f"{WARNING} The ministry now names the following two:"
    links = '<ul><li><a href="/1">Rain</a></li><li><a href="/2">Snow</a></li></ul>'
    markup = f"{MARKUP}<p>{announces}</p>{links}{below}"
    text = article(f"<html><body><h1>Dam</h1><div>{markup}</div></body></html>", "a.html").text
    assert announces in text


# Fields


def test_entities_in_fields() -> None:
    """Entities that sites leave in JSON-LD and in meta tags are decoded."""
    names = {"author": {"name": "Zo&euml; O&#039;Hara"}, "publisher": {"name": "Brook &amp; Vale"}}
    found = stated({**REPORT, **names, "headline": "&#8216;We won&#8217;t pay&#8217;"})
    assert (found.title, found.author, found.publisher) == (
        "‘We won’t pay’",
        "Zoë O'Hara",
        "Brook & Vale",
    )


def test_names_by_id() -> None:
    """An author or publisher may be defined elsewhere, and referred to by its id."""
    people = [
        {"@id": "#rike", "@type": "Person", "name": "Jonas Rike"},
        {"@id": "#site", "@type": "Organization", "name": "Northwire"},
    ]
    found = stated({**REPORT, "author": [{"@id": "#rike"}], "publisher": {"@id": "#site"}}, *people)
    assert (found.author, found.publisher) == ("Jonas Rike", "Northwire")


@pytest.mark.parametrize(
    ("before", "after"),
    [("//<![CDATA[\n", "\n//]]>"), ("<!--\n", "\n-->"), ("", ";")],
    ids=["CDATA", "comment", "semicolon"],
)
def test_wrappings_of_json_ld(before: str, after: str) -> None:
    """What sites wrap JSON-LD into does not matter."""
    head = json_ld({**REPORT, "author": "Jonas Rike"}, before, after)
    assert article(page(head), URL, url=URL).author == "Jonas Rike"


@pytest.mark.parametrize(
    "name", ["https://northwire.example/", "www.northwire.example", "© 2014 Northwire", "Copyright"]
)
def test_a_publisher_is_a_name(name: str) -> None:
    """An address or a copyright line is not a publisher."""
    head = f'<meta property="og:site_name" content="{name}">'
    found = stated({**REPORT, "publisher": {"name": name}}, head=head)
    assert found.publisher == "northwire.example"


@pytest.mark.parametrize(
    ("moment", "rest", "url", "expected"),
    [
        (
            "2026-11-04T02:24:10Z",
            '{"at":"2026-11-03T21:24:10-05:00"}',
            URL,
            "2026-11-03T21:24:10-05:00",
        ),
        (
            "2026-11-04T02:24:10Z",
            '{"at":"2026-11-03T20:24:10-05:00"}',
            URL,
            "2026-11-04T02:24:10+00:00",
        ),
        ("2026-11-04T02:24:10Z", "", "/2026/11/03/dam", "2026-11-03T00:00:00+00:00"),
        ("2026-11-04T02:24:10Z", "", "/20261103/dam", "2026-11-03T00:00:00+00:00"),
        ("2026-11-03T23:01:00Z", "", "/2026/11/4/dam", "2026-11-04T00:00:00+00:00"),
        ("2026-11-04T02:24:10Z", "", "/2026/11/04/dam", "2026-11-04T02:24:10+00:00"),
        ("2026-11-04T02:24:10Z", "", "/2026/11/01/dam", "2026-11-04T02:24:10+00:00"),
        ("2026-11-04T10:24:10Z", "", "/2026/11/03/dam", "2026-11-04T10:24:10+00:00"),
        ("2026-11-04T02:24:10+01:00", "", "/2026/11/03/dam", "2026-11-04T02:24:10+01:00"),
        ("2026-11-04T02:24:10Z", "", "/2026/44/44/dam", "2026-11-04T02:24:10+00:00"),
    ],
)
def test_a_date_in_utc_is_put_on_the_pages_clock(
    moment: str, rest: str, url: str, expected: str
) -> None:
    """Of a moment in UTC, the page's own clock or its URL says what day it was there."""
    url = f"https://northwire.example{url}" if url.startswith("/") else url
    head = f"<script>{rest}</script>"
    found = stated({**REPORT, "datePublished": moment}, head=head, url=url)
    assert found.published == datetime.fromisoformat(expected)
    assert found.published.isoformat() == expected


def test_a_date_in_utc_is_put_on_the_clock_of_a_tag() -> None:
    """A meta tag may name the same moment on the page's own clock, in words."""
    head = '<meta name="date" content="Tue, 03 Nov 2026 21:24:00 -0500">'
    found = stated({**REPORT, "datePublished": "2026-11-04T02:24:00Z"}, head=head)
    assert found.published.isoformat() == "2026-11-03T21:24:00-05:00"


@pytest.mark.parametrize(
    ("moment", "host", "expected"),
    [
        ("2026-11-03T23:00:00Z", "northwire.de", "2026-11-04T00:00:00+01:00"),
        ("2026-07-03T23:30:00Z", "www.northwire.co.uk", "2026-07-04T00:30:00+01:00"),
        ("2026-11-04T01:10:00Z", "northwire.ca", "2026-11-03T00:00:00+00:00"),
        ("2026-11-04T05:10:00Z", "northwire.ca", "2026-11-04T05:10:00+00:00"),
        ("2026-11-03T23:00:00Z", "northwire.tv", "2026-11-03T23:00:00+00:00"),
        ("2026-11-03T23:00:00Z", "northwire.example", "2026-11-03T23:00:00+00:00"),
    ],
    ids="one-clock summer one-day two-days any-country no-country".split(),
)
def test_a_date_in_utc_is_put_on_the_clock_of_its_country(
    moment: str, host: str, expected: str
) -> None:
    """A country's domain says what day it was there, if it was the same day everywhere in it."""
    found = stated({**REPORT, "datePublished": moment}, url=f"https://{host}/dam")
    assert found.published.isoformat() == expected


def test_the_one_day_that_a_page_marks_up() -> None:
    """The only day in `time` tags is used before a vague tag; of two days, neither is."""
    head = '<meta name="date" content="2026-11-06">'
    once = '<time datetime="2026-11-04T09:00">4 November</time>'
    assert stated(head=head + once).published == datetime(2026, 11, 4, tzinfo=UTC)
    twice = once + '<time datetime="2026-11-05">5 November</time>'
    assert stated(head=head + twice).published == datetime(2026, 11, 6, tzinfo=UTC)
    assert stated(head=twice).published is None


def test_a_page_that_states_two_days() -> None:
    """If a page states two different days of publication, neither is taken for it."""
    head = '<meta property="article:published_time" content="2026-11-{}">'
    day = {**REPORT, "datePublished": "2026-11-04T07:30:00Z"}
    assert stated(day, head=head.format("05")).published is not None
    assert stated(day, head=head.format("06")).published is None


def test_a_day_in_a_sentence_is_not_the_day_of_the_report() -> None:
    """A `time` tag inside a sentence does not date the report."""
    told = '<p>The wall fell on <time datetime="1989-11-09">9 November 1989</time>, he said.</p>'
    assert stated(head=told).published is None
    dated = '<time datetime="2026-11-04T09:00:00Z">4 November</time>' + told
    assert stated(head=dated).published == datetime(2026, 11, 4, 9, tzinfo=UTC)


def test_a_day_is_not_moved() -> None:
    """A day without a time is not changed by the URL."""
    found = stated({**REPORT, "datePublished": "2026-11-04"}, url=f"{URL}/2026/11/03/dam")
    assert found.published == datetime(2026, 11, 4, tzinfo=UTC)
