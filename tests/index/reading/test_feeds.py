"""An item of a feed is identified by its guid, and a bad item does not affect others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.fakes import FakeEncoder
from support.files import BODY, FIRST, MARKUP, SECOND, TEXT, items, refusal, rss

from index.archive import Archive
from index.domain import Article, Failure
from index.reading.feeds import _name
from index.reading.items import Link, Omission
from index.results import IngestResult
from index.store.sqlite import SqliteStore

TWELVE = "Twelve people were hurt when a tram left the rails in Adell, the operator said."
NINE = "Nine people were hurt when a tram left the rails in Adell, the operator said."


def item(title: str, text: str, rest: str = "") -> str:
    """Return an item of RSS with its whole text."""
    body = f"<content:encoded><![CDATA[<p>{text}</p><p>{SECOND}</p>]]></content:encoded>"
    return f"<item><title>{title}</title>{rest}{body}</item>"


def linked(path: str, guid: str = "") -> str:
    """Return the link and guid of an item."""
    named = f'<guid isPermaLink="false">{guid}</guid>' if guid else ""
    return f"<link>https://northwire.example/{path}</link>{named}"


def feed(*entries: str) -> str:
    """Return a feed of a site."""
    return rss("<link>https://northwire.example/</link>", *entries)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Open an empty collection."""
    with closing(Archive(SqliteStore(tmp_path / "data"), FakeEncoder())) as opened:
        yield opened


def add(archive: Archive, folder: Path, name: str, data: str) -> IngestResult:
    """Add a file, and return the result."""
    file = folder / name
    file.write_text(data, encoding="utf-8")
    return archive.add([str(file)])


def titles(archive: Archive) -> list[str]:
    """Return the titles of all articles."""
    return sorted(article.title for article in archive.articles())


def test_a_changed_link_is_a_revision(archive: Archive, tmp_path: Path) -> None:
    """A corrected report whose slug changed too replaces its first version."""
    add(
        archive, tmp_path, "1.xml", feed(item("Twelve hurt", TWELVE, linked("twelve-hurt", "nw-7")))
    )
    result = add(
        archive, tmp_path, "2.xml", feed(item("Nine hurt", NINE, linked("nine-hurt", "nw-7")))
    )
    (article,) = archive.articles()
    assert [change.title for change in result.updated] == ["Nine hurt"]
    assert (article.revision, article.url) == (2, "https://northwire.example/nine-hurt")


def test_items_with_one_link_stay_apart(archive: Archive, tmp_path: Path) -> None:
    """Items that share a link are different reports if their guids differ."""
    first, second, third = (
        item(f"Post {n}", f"{n} {FIRST}", linked("live", f"post-{n}")) for n in "123"
    )
    add(archive, tmp_path, "1.xml", feed(first, second))
    add(archive, tmp_path, "2.xml", feed(third))
    assert titles(archive) == ["Post 1", "Post 2", "Post 3"]
    assert add(archive, tmp_path, "3.xml", feed(first, second, third)).unchanged == 3


def test_items_without_guids_that_share_a_link_stay_apart(archive: Archive, tmp_path: Path) -> None:
    """Without guids, items that share a link are distinguished by their words."""
    posts = [item(f"Post {n}", f"{n} {FIRST}", linked("live", "N/A")) for n in "123"]
    add(archive, tmp_path, "1.xml", feed(*posts, posts[0]))
    assert titles(archive) == ["Post 1", "Post 2", "Post 3"]


def test_a_page_that_was_added_is_the_item_that_links_to_it(
    archive: Archive, tmp_path: Path
) -> None:
    """An article known by its address gets the guid of the feed's item."""
    row = {"title": "Tram", "text": TWELVE, "url": "https://northwire.example/tram"}
    add(archive, tmp_path, "rows.jsonl", json.dumps(row))
    add(archive, tmp_path, "1.xml", feed(item("Tram", NINE, linked("tram", "nw-7"))))
    add(archive, tmp_path, "2.xml", feed(item("The tram", NINE, linked("the-tram", "nw-7"))))
    assert titles(archive) == ["The tram"]


def test_a_page_of_many_items_is_none_of_them(archive: Archive, tmp_path: Path) -> None:
    """A page that several items link to is a separate report."""
    posts = [item(f"Post {n}", f"{n} {FIRST}", linked("live", f"post-{n}")) for n in "12"]
    add(archive, tmp_path, "1.xml", feed(*posts))
    row = {"title": "All day", "text": TWELVE, "url": "https://northwire.example/live"}
    add(archive, tmp_path, "rows.jsonl", json.dumps(row))
    assert titles(archive) == ["All day", "Post 1", "Post 2"]


@pytest.mark.parametrize(
    ("guid", "key"),
    [
        ("tag:northwire.example,2026:7", "northwire.example tag:northwire.example,2026:7"),
        ("nw-7", "northwire.example/feed.xml nw-7"),
        ("7", "northwire.example/feed.xml 7"),
        ("https://www.northwire.example/dam#3", "northwire.example northwire.example/dam"),
    ],
)
def test_the_scope_of_a_guid(guid: str, key: str) -> None:
    """A URI is valid on its site, an address without its fragment, another guid in its feed."""
    data = feed(item("Dam", FIRST, linked("dam", guid)))
    url = "https://www.northwire.example/feed.xml"
    (found,) = items(data, url, url=url)
    assert isinstance(found, Article)
    assert found.key == key


def test_a_feed_speaks_for_its_own_site() -> None:
    """A guid is valid on the site of the feed, not on the home that the feed states."""
    url = "https://planet.example/feed.xml"
    (found,) = items(feed(item("Dam", FIRST, linked("dam", "tag:n,2026:7"))), url, url=url)
    assert isinstance(found, Article)
    assert found.key == "planet.example tag:n,2026:7"


def test_a_counter_of_an_unknown_feed_is_no_guid() -> None:
    """Items numbered 1 of two files are two reports, distinguished by their links."""
    first, second = (
        items(feed(item("Dam", FIRST, linked(path, "1"))), path)[0] for path in ("a", "b")
    )
    assert isinstance(first, Article)
    assert isinstance(second, Article)
    assert first.key is second.key is None
    assert first.article_id != second.article_id


@pytest.mark.parametrize(
    "end", ["few people ever read twice.", "and continue silently.", "silence…"]
)
def test_a_whole_text_is_no_summary(end: str) -> None:
    """A text without a link is kept, and only known words show that a text continues."""
    found, *_ = items(feed(item("Dam", FIRST).replace(SECOND, end)), "f.xml")
    assert isinstance(found, Article)
    assert found.text.endswith(end)
    linked_item = items(feed(item("Dam", FIRST, linked("dam")).replace(SECOND, end)), "f.xml")
    assert isinstance(linked_item[0], Link if end.endswith("…") else Article)


@pytest.mark.parametrize("end", ["Read more", "Continue reading →", "[…]"])
def test_a_text_that_is_cut_short_is_a_link(end: str) -> None:
    """For a text that continues elsewhere, the page is fetched."""
    cut = item("Dam", FIRST, linked("dam")).replace(SECOND, f"{SECOND} {end}")
    (found,) = items(feed(cut), "f.xml")
    assert isinstance(found, Link)


def atom(*parts: str) -> Article:
    """Return the entry of an Atom feed with these parts."""
    whole = f"<entry><id>tag:7</id><link href='https://n.example/7'/>{''.join(parts)}</entry>"
    (found,) = items(f"<feed xmlns='http://www.w3.org/2005/Atom'>{whole}</feed>", "f.atom")
    assert isinstance(found, Article)
    return found


def test_plain_text_of_atom_is_no_markup() -> None:
    """Atom's plain text is read letter for letter, and its HTML as markup."""
    written = "&lt;b&gt; is a tag, 3 &amp;lt; 4"
    found = atom(f"<title>{written}</title><content type='text'>{written}</content>")
    assert (found.title, found.text) == ("<b> is a tag, 3 &lt; 4",) * 2
    found = atom(f"<title>Tag</title><content type='html'>{written}</content>")
    assert found.text == "is a tag, 3 < 4"


def test_the_date_of_an_update_is_a_guess() -> None:
    """When an entry was updated does not say when it was published."""
    parts = (
        "<title>Dam</title><updated>2026-11-03T09:00:00Z</updated>",
        f"<content>{FIRST}</content>",
    )
    found = atom(*parts)
    assert (found.published, found.guessed_date) == (None, datetime(2026, 11, 3, 9, tzinfo=UTC))
    assert atom(*parts, "<published>2026-11-02T09:00:00Z</published>").guessed_date is None
    row = {"id": "nw-7", "content_text": FIRST, "date_modified": "2026-11-03T09:00:00Z"}
    (found,) = items(json_feed(row), "feed.json")
    assert isinstance(found, Article)
    assert (found.published, found.guessed_date) == (None, datetime(2026, 11, 3, 9, tzinfo=UTC))


def test_hidden_words_of_a_feed_are_not_read() -> None:
    """Text that a page would hide is not read."""
    (found,) = items(feed(item("Dam", f"{FIRST}<b hidden>It held.</b>", linked("a"))), "f")
    assert isinstance(found, Article)
    assert "held" not in found.text


def test_a_damaged_item_does_not_affect_others() -> None:
    """Control characters are dropped, and items lost in a damaged feed are counted."""
    bad, good = item("Dam \x08fails", FIRST, linked("a")), item("Cup", SECOND, linked("b"))
    first, second = items(feed(bad, good), "f.xml")
    assert isinstance(first, Article)
    assert (first.title, first.text) == ("Dam fails", f"{FIRST}\n\n{SECOND}")
    cut = feed(good, good.replace("<item>", "<item><![CDATA[", 1))
    assert [type(found) for found in items(cut.replace("]]>", ""), "f.xml")][-1] is Omission
    assert isinstance(second, Article)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("vell@northwire.example (Ada Vell)", "Ada Vell"),
        ("Ada Vell <vell@northwire.example>", "Ada Vell"),
        ("vell@northwire.example", None),
        ("Ada Vell, https://northwire.example/ada", "Ada Vell"),
        ("Ada Vell (Northwire)", "Ada Vell (Northwire)"),
        ("Ada Vell and Jonas Rike", "Ada Vell and Jonas Rike"),
    ],
)
def test_an_author_is_a_name(written: str, name: str | None) -> None:
    """An address is not an author; the name beside it is."""
    assert _name(written) == name
    (found,) = items(
        feed(item("Dam", FIRST, f"<author>{written}</author>".replace("<v", "&lt;v"))), "f"
    )
    assert isinstance(found, Article)
    assert found.author == name


def test_the_text_behind_a_comment_stays() -> None:
    """Text after a comment in the markup is kept."""
    (found,) = items(
        feed(item("Dam", "It is safe only<!-- --> if the gate holds.", linked("a"))), "f"
    )
    assert isinstance(found, Article)
    assert found.text.startswith("It is safe only if the gate holds.")


def test_an_older_version_in_an_atom_feed_is_left_out() -> None:
    """Among Atom entries with the same id and link, only the latest is read."""
    versions = "".join(
        f"<entry><id>tag:7</id><link href='https://n.example/7'/><title>{title}</title>"
        f"<updated>2026-11-03T{hour}:00:00Z</updated><content>{text}</content></entry>"
        for title, hour, text in (("Nine", "11", NINE), ("Twelve", "09", TWELVE))
    )
    data = f"<feed xmlns='http://www.w3.org/2005/Atom'><title>N</title>{versions}</feed>"
    article, omission = items(data, "f.atom")
    assert isinstance(article, Article)
    assert (article.title, article.key) == ("Nine", "n.example tag:7")
    assert omission == Omission("f.atom", "Older versions of its entries were left out: 1.")


# JSON Feed


def json_feed(*entries: object) -> str:
    """Return a JSON Feed, as programs write it."""
    whole = {"version": "https://jsonfeed.org/version/1.1", "title": "Northwire", "items": entries}
    return json.dumps({**whole, "home_page_url": "https://northwire.example/"}, indent=2)


def test_a_json_feed() -> None:
    """Items have text, names and guid; a summary is a link, and a broken item is omitted."""
    whole = {
        "id": "nw-7",
        "url": "https://northwire.example/dam",
        "title": "Dam fails",
        "content_html": MARKUP,
        "date_published": "2026-11-03T21:24:10-05:00",
        "authors": [{"name": "Ada Vell"}, {"name": "Jonas Rike"}],
    }
    summary = {"id": "nw-8", "url": "https://northwire.example/cup", "summary": FIRST}
    article, link, omission = items(json_feed(whole, summary, "broken"), "feed.json")
    assert isinstance(article, Article)
    assert (article.text, article.author) == (TEXT, "Ada Vell, Jonas Rike")
    assert (article.key, article.publisher) == ("northwire.example nw-7", "Northwire")
    assert article.published
    assert article.published.isoformat() == "2026-11-03T21:24:10-05:00"
    assert link == Link("https://northwire.example/cup", "", "northwire.example nw-8")
    assert isinstance(omission, Omission)


def test_a_row_about_json_feed_is_a_row() -> None:
    """JSON lines that mention JSON Feed stay JSON lines; a feed may be on a single line."""
    row = json.dumps({"text": f"See https://jsonfeed.org/version/1.1. {FIRST}"})
    assert [type(found) for found in items(f"{row}\n{row}\n", "a.jsonl")] == [Article, Article]
    feed_line = json.dumps(json.loads(json_feed({"id": "nw-7", "content_text": FIRST})))
    (found,) = items(feed_line, "feed.json")
    assert isinstance(found, Article)
    assert found.text == FIRST


def test_other_json() -> None:
    """A list of reports is read like JSON lines; JSON without a report is refused."""
    rows = [{"title": "Dam", "text": BODY[0], "data": "x"}, 7, {"title": "No text"}]
    found = items(json.dumps(rows, indent=1), "rows.json")
    assert [type(item) for item in found] == [Article, Omission, Failure]
    for other in ({"name": "x", "version": "1.0.0"}, [{"type": "Feature"}]):
        assert "has no report" in refusal(json.dumps(other, indent=2), "a.json")
    assert "has no report" in refusal('{\n"a": ', "a.json")


def test_a_feed_that_holds_nothing_to_store_is_no_source(archive: Archive, tmp_path: Path) -> None:
    """A feed whose items were all omitted has failed, and says why."""
    result = add(archive, tmp_path, "f.xml", feed("<item><title>Gallery</title></item>"))
    (failure,) = result.failed
    assert "“Gallery” has neither a text nor a link" in failure.error
    assert [read.error for read in result.sources] == [failure.error]
    assert result.omitted == ()
    assert archive.sources.all() == []
