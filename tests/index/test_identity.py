"""No report is overwritten by another story or by a stranger, and no two are merged."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path

import pytest
from support.fakes import FakeEncoder
from support.files import rss

from index.archive import Archive
from index.reading.http import Fetched, Fetcher
from index.store.sqlite import SqliteStore

DAM = "The dam above Tessen failed at dawn. Nobody in Tessen was warned of it in time."
CUP = "Athletic won the cup in Adell on Sunday. The crowd sang until the lights went out."
LATER = f"{DAM} Crews searched the valley all night."
NORTH, PLANET = "https://north.example", "https://planet.example"


class Web(Fetcher):
    """A simulated web: pages by URL."""

    def __init__(self) -> None:
        """Start without pages."""
        super().__init__()
        self.pages: dict[str, str] = {}

    def get(self, url: str, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """Return a page, whatever was known of it."""
        del etag, last_modified
        return Fetched(url, self.pages[url].encode(), None, None, None, None)


@pytest.fixture
def web() -> Web:
    """Return a web without pages."""
    return Web()


@pytest.fixture
def archive(tmp_path: Path, web: Web) -> Iterator[Archive]:
    """Open an empty collection that reads that web."""
    store = SqliteStore(tmp_path / "data")
    with closing(Archive(store, FakeEncoder(), fetcher=web)) as opened:
        yield opened


def item(title: str, url: str, guid: str, text: str = "") -> str:
    """Return an item of a feed; without a text it is only a link."""
    named = f'<guid isPermaLink="false">{guid}</guid>' if guid else ""
    link = f"<link>{url}</link>" if url else ""
    body = f"<content:encoded><![CDATA[<p>{text}</p>]]></content:encoded>" if text else ""
    return f"<item><title>{title}</title>{link}{named}{body}</item>"


def feed(*entries: str, home: str = NORTH) -> str:
    """Return a feed that claims to be of that site."""
    return rss(f"<link>{home}/</link>", *entries)


def page(title: str, text: str, canonical: str = "") -> str:
    """Return a web page."""
    link = f'<link rel="canonical" href="{canonical}">' if canonical else ""
    return (
        f"<!doctype html><html><head><title>{title}</title>{link}</head><body><article>"
        f"<h1>{title}</h1><p>{text}</p></article></body></html>"
    )


def texts(archive: Archive) -> dict[str, str]:
    """Return the text of each article by its title."""
    articles = archive.articles()
    by_title = {article.title: article.text for article in articles}
    assert len(by_title) == len(articles)
    return by_title


# Strangers


def test_a_strangers_feed_rebinds_no_guid(archive: Archive, web: Web) -> None:
    """A feed that claims to be another site's does not affect that site's guids."""
    web.pages[f"{NORTH}/feed"] = feed(item("Dam", f"{NORTH}/dam", "nw-1000", DAM))
    web.pages[f"{NORTH}/cup"] = page("Cup", CUP)
    web.pages[f"{PLANET}/feed"] = feed(item("Cup", f"{NORTH}/cup", "nw-1000"))
    archive.add([f"{NORTH}/feed"])
    archive.add([f"{PLANET}/feed"])
    assert texts(archive) == {"Dam": DAM, "Cup": CUP}


def test_a_feeds_guid_is_not_put_on_another_sites_page(archive: Archive, web: Web) -> None:
    """A feed's guid for links to other sites makes no revision of their pages."""
    for path, text in (("dam", DAM), ("dam-again", LATER)):
        web.pages[f"{NORTH}/{path}"] = page(path, text)
        web.pages[f"{PLANET}/feed"] = feed(item(path, f"{NORTH}/{path}", "slot-1"), home=PLANET)
        archive.add([f"{PLANET}/feed"])
    assert texts(archive) == {"dam": DAM, "dam-again": LATER}


def test_a_stranger_who_comes_first_keeps_nobody_out(archive: Archive, web: Web) -> None:
    """A guid that a stranger used first does not block the site's own report."""
    web.pages[f"{PLANET}/feed"] = feed(item("Held", f"{PLANET}/x", "tag:n,1", CUP))
    web.pages[f"{NORTH}/feed"] = feed(item("Dam", f"{NORTH}/dam", "tag:n,1", DAM))
    archive.add([f"{PLANET}/feed"])
    assert archive.add([f"{NORTH}/feed"]).failed == ()
    assert texts(archive) == {"Held": CUP, "Dam": DAM}


def test_a_file_that_comes_first_keeps_nobody_out(
    archive: Archive, web: Web, tmp_path: Path
) -> None:
    """A saved feed with a site's guid for another address does not block the site."""
    (tmp_path / "saved.xml").write_text(feed(item("Saved", f"{PLANET}/x", "tag:n,1", DAM)))
    web.pages[f"{NORTH}/feed"] = feed(item("Dam", f"{NORTH}/dam", "tag:n,1", LATER))
    archive.add([str(tmp_path / "saved.xml")])
    assert archive.add([f"{NORTH}/feed"]).failed == ()
    assert texts(archive) == {"Saved": DAM, "Dam": LATER}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://feeds.feedburner.com/north", "https://feeds.feedburner.com/planet"),
        ("https://rss.github.io/feed", "https://amp.github.io/feed"),
        ("https://medium.com/feed/@north", "https://medium.com/feed/@planet"),
    ],
)
def test_a_host_that_many_share_is_many_sites(
    archive: Archive, web: Web, one: str, other: str
) -> None:
    """Two people on a shared host cannot revise each other's reports."""
    web.pages[one] = feed(item("Dam", f"{NORTH}/dam", "tag:n,1", DAM))
    web.pages[other] = feed(item("Held", f"{PLANET}/x", "tag:n,1", f"{DAM} It was repaired."))
    archive.add([one])
    archive.add([other])
    assert texts(archive) == {"Dam": DAM, "Held": f"{DAM} It was repaired."}


def test_a_page_is_not_a_neighbours(archive: Archive, web: Web) -> None:
    """A page on a shared host cannot claim to be another person's page."""
    dam, forged = "https://medium.com/@north/dam", "https://medium.com/@planet/x"
    web.pages = {dam: page("Dam", DAM), forged: page("Held", CUP, canonical=dam)}
    archive.add([dam])
    archive.add([forged])
    assert texts(archive) == {"Dam": DAM, "Held": CUP}


# Two stories


def test_two_feeds_of_a_site_count_apart(archive: Archive, web: Web) -> None:
    """The same number in two feeds of a site is two reports, even with similar words."""
    for name, text in (("news", DAM), ("sport", LATER)):
        entry = item(name, f"{NORTH}/{name}/a", "10012", text)
        web.pages[f"{NORTH}/{name}/feed"] = feed(entry)
    archive.add([f"{NORTH}/news/feed"])
    archive.add([f"{NORTH}/sport/feed"])
    assert texts(archive) == {"news": DAM, "sport": LATER}


def test_a_guid_that_is_given_away_again_is_another_report(archive: Archive, web: Web) -> None:
    """A reused guid with another address and other words is another report."""
    for title, text in (("Dam", DAM), ("Cup", CUP)):
        web.pages[f"{NORTH}/feed"] = feed(item(title, f"{NORTH}/{title}", "slot-1", text))
        archive.add([f"{NORTH}/feed"])
    assert archive.add([f"{NORTH}/feed"]).unchanged == 1
    assert texts(archive) == {"Dam": DAM, "Cup": CUP}


def test_pages_that_name_their_home_stay_apart(archive: Archive, web: Web) -> None:
    """Pages that all give the site's home as their address are different reports."""
    for title, text in (("Dam", DAM), ("Cup", CUP)):
        web.pages[f"{NORTH}/{title}"] = page(title, text, canonical=f"{NORTH}/")
        archive.add([f"{NORTH}/{title}"])
    assert texts(archive) == {"Dam": DAM, "Cup": CUP}


@pytest.mark.parametrize("link", ["", f"{NORTH}/"])
def test_items_without_an_address_of_their_own_stay_apart(
    archive: Archive, web: Web, link: str
) -> None:
    """Items that link nowhere, or only to the site, are different reports."""
    for title, text in (("Dam", DAM * 10), ("Cup", CUP * 10)):
        web.pages[f"{NORTH}/feed"] = feed(item(title, link, "", text))
        archive.add([f"{NORTH}/feed"])
    assert texts(archive) == {"Dam": DAM * 10, "Cup": CUP * 10}


def test_mails_that_share_their_id_are_two(archive: Archive, tmp_path: Path) -> None:
    """A mail with another's message id and other words does not replace it."""
    for name, text in (("Dam", DAM), ("Cup", CUP)):
        head = f"From: a@north.example\nSubject: {name}\nMessage-ID: <1@north.example>\n\n"
        (tmp_path / f"{name}.eml").write_text(head + text)
        archive.add([str(tmp_path / f"{name}.eml")])
    assert texts(archive) == {"Dam": DAM, "Cup": CUP}


# Live blogs and bulletins


def test_parts_of_a_page_stay_apart(archive: Archive, web: Web) -> None:
    """A later post of a live blog, alone in the feed, does not replace an earlier post."""
    for title, text in (("Dam", DAM), ("Cup", CUP)):
        address = f"{NORTH}/live#{title}"
        web.pages[f"{NORTH}/feed"] = feed(item(title, address, address, text))
        archive.add([f"{NORTH}/feed"])
    assert archive.add([f"{NORTH}/feed"]).unchanged == 1
    assert texts(archive) == {"Dam": DAM, "Cup": CUP}


def test_two_bulletins_in_the_same_words_are_two(archive: Archive, web: Web) -> None:
    """Two guids with two addresses are two reports, even with the same words."""
    entries = [item("Bulletin", f"{NORTH}/{day}", f"nw-{day}", DAM) for day in "12"]
    web.pages[f"{NORTH}/feed"] = feed(*entries)
    for _ in range(2):
        archive.add([f"{NORTH}/feed"])
        assert len(archive.articles()) == 2


def test_words_that_were_given_up_are_free(archive: Archive) -> None:
    """A report in another's former words is not that other report."""
    row = {"publisher": "Northwire", "title": "Level", "url": f"{NORTH}/1"}
    for text in ("The level is high in Adell.", "The level is low in Adell."):
        add_row(archive, {**row, "text": text})
    add_row(archive, {**row, "url": f"{NORTH}/9", "text": "The level is high in Adell."})
    assert len(archive.articles()) == 2


def add_row(archive: Archive, *rows: dict[str, str]) -> None:
    """Add rows as JSON lines."""
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    archive.add(["-"], stream=io.BytesIO(data))


# Retracted


def test_a_retracted_report_stays_out_under_a_new_guid(archive: Archive, web: Web) -> None:
    """A retracted report at its old address is refused, even with a new guid and word."""
    web.pages[f"{NORTH}/feed"] = feed(item("Dam", f"{NORTH}/dam", "nw-1", DAM))
    (added,) = archive.add([f"{NORTH}/feed"]).added
    archive.retract(added.article_id, "made up")
    web.pages[f"{NORTH}/feed"] = feed(item("Dam", f"{NORTH}/dam", "nw-2", f"{DAM} Still."))
    (failure,) = archive.add([f"{NORTH}/feed"]).failed
    assert "“Dam” was retracted (made up)" in failure.error
    assert archive.size().articles == 0


def test_a_retracted_report_stays_out_under_a_new_address(archive: Archive, web: Web) -> None:
    """A retracted report is refused from its site under a new guid, address and added line.

    A reindex, which brings back nothing that was removed, leaves it out without a word.
    """
    web.pages[f"{NORTH}/feed"] = feed(item("Dam", f"{NORTH}/dam", "nw-1", DAM))
    (added,) = archive.add([f"{NORTH}/feed"]).added
    archive.retract(added.article_id, "made up")
    text = f"{DAM}</p><p>Follow us for more."
    web.pages[f"{NORTH}/feed"] = feed(item("Dam, again", f"{NORTH}/dam-again", "nw-2", text))
    result = archive.sources.reindex()
    assert (result.added, result.failed, result.unchanged) == ((), (), 1)
    (failure,) = archive.add([f"{NORTH}/feed"]).failed
    assert "“Dam” was retracted (made up)" in failure.error
    archive.restore([added.article_id])
    assert archive.size().articles == 1


@pytest.mark.parametrize(
    ("again", "is_refused"),
    [
        ({"id": "other", "publisher": "northwire"}, True),
        ({"publisher": "Northwire", "url": f"{PLANET}/dam"}, True),
        ({"publisher": "Northwire", "text": DAM.replace("at dawn", "at 9 p.m.")}, False),
        ({"publisher": "Planet", "url": f"{PLANET}/dam"}, False),
        ({"publisher": "Northwire", "text": f"{DAM} {CUP} That was wrong."}, False),  # it quotes it
    ],
)
def test_a_retracted_report_stays_out_by_its_publisher(
    archive: Archive, web: Web, again: dict[str, str], *, is_refused: bool
) -> None:
    """Rows are refused with all words of a retracted page by their publisher, and no others."""
    row = {"id": "dam", "title": "Dam", "text": DAM, "publisher": "Northwire"}
    add_row(archive, {**row, "url": f"{NORTH}/dam"})
    archive.retract("dam", "made up")
    web.pages[f"{PLANET}/rows"] = json.dumps({"title": "Dam fails", "text": DAM, **again})
    result = archive.add([f"{PLANET}/rows"])
    assert [len(result.failed), len(result.added)] == ([1, 0] if is_refused else [0, 1])


def test_a_guid_counts_from_when_it_is_first_seen(archive: Archive, web: Web) -> None:
    """A page whose feed is added later, in the same words, is then known by its guid."""
    web.pages[f"{NORTH}/dam"] = page("Dam", DAM)
    archive.add([f"{NORTH}/dam"])
    for path, text in (("dam", DAM), ("dam-again", LATER)):
        web.pages[f"{NORTH}/feed"] = feed(item("Dam", f"{NORTH}/{path}", "nw-1", text))
        archive.add([f"{NORTH}/feed"])
    assert texts(archive) == {"Dam": LATER}


def test_a_post_that_gets_company_is_still_known(archive: Archive, web: Web) -> None:
    """A post of a live blog is corrected and not doubled once other posts join it."""
    for posts in ({"Dam": DAM}, {"Dam": DAM, "Cup": CUP}, {"Dam": LATER, "Cup": CUP}):
        entries = [
            item(title, f"{NORTH}/live#{title}", f"{NORTH}/live#{title}", text)
            for title, text in posts.items()
        ]
        web.pages[f"{NORTH}/feed"] = feed(*entries)
        archive.add([f"{NORTH}/feed"])
    assert texts(archive) == {"Dam": LATER, "Cup": CUP}


# Rows and files


def test_rows_that_give_the_home_of_their_site_stay_apart(archive: Archive) -> None:
    """Rows of a file with only the site's home as their address are different reports."""
    rows = [{"title": t, "text": x, "url": f"{NORTH}/"} for t, x in (("Dam", DAM), ("Cup", CUP))]
    for _ in range(2):
        add_row(archive, *rows)
        assert texts(archive) == {"Dam": DAM, "Cup": CUP}


def test_a_row_that_replaces_another_is_reported(archive: Archive) -> None:
    """Of two reports with the same id in a run, the later is stored, the earlier is named."""
    rows = [{"id": "1", "title": t, "text": x} for t, x in (("Dam", DAM), ("Cup", CUP))]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (omission,) = archive.add(["-"], stream=io.BytesIO(data)).omitted
    assert "“Dam” was left out" in omission.error
    assert texts(archive) == {"Cup": CUP}


def test_attachments_of_one_name_stay_apart(archive: Archive, tmp_path: Path) -> None:
    """Two files with the same name in a mail are two reports."""
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "desk@north.example", "Two reports"
    for text in (DAM, CUP):
        mail.add_attachment(text, filename="report.txt")
    (tmp_path / "mail.eml").write_bytes(mail.as_bytes())
    archive.add([str(tmp_path / "mail.eml")])
    assert sorted(article.text.strip() for article in archive.articles()) == [CUP, DAM]


def test_a_report_that_is_replaced_as_it_is_added_is_listed_once(archive: Archive) -> None:
    """An address whose text changes within a run is listed as a single added article."""
    rows = [{"title": t, "text": x, "url": f"{NORTH}/a"} for t, x in (("Dam", DAM), ("Cup", CUP))]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    result = archive.add(["-"], stream=io.BytesIO(data))
    assert [change.title for change in result.added] == ["Cup"]
    assert result.updated == ()
    assert [omission.error[:20] for omission in result.omitted] == ["“Dam” was left out, "]


def test_a_report_twice_in_an_archive_is_reported(archive: Archive, tmp_path: Path) -> None:
    """Two pages in an archive that are the same report are stored once, which is said."""
    head = f'<head><link rel="canonical" href="{NORTH}/dam"></head>'
    page = f"<!DOCTYPE html><html>{head}<body><h1>Dam fails</h1><p>{DAM}</p></body></html>"
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        for name in ("a.html", "b.html"):
            packed.writestr(name, page)
    result = archive.add([str(tmp_path / "all.zip")])
    assert len(result.added) == 1
    (omission,) = result.omitted
    assert omission.source.endswith("a.html")
    assert "b.html" in omission.error
