"""Adding articles: unchanged sources cost next to nothing, and a report is a single article."""

from __future__ import annotations

import io
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fakes import FakeEncoder, write_rows
from support.servers import Server, fetcher, plain, reply, serving

from index import ingest
from index import schedule as refresh
from index.archive import Archive
from index.domain import Article
from index.encoder import Vectors
from index.errors import (
    EncoderError,
    InputError,
    ModelMismatchError,
    NotFoundError,
    SourceError,
    StoreBusyError,
)
from index.ingest import Progress
from index.reading import formats
from index.reading.formats import Origin
from index.reading.sources import Upload
from index.store.catalogue import Catalogue
from index.store.sqlite import SqliteStore
from index.store.types import Changes, Commit

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
DAM = "The dam above Tessen failed at dawn. Nobody in Tessen was warned of it in time."
CUP = "Athletic won the cup in Adell on Sunday. The crowd sang until the lights went out."


@dataclass
class Site:
    """A news site: a feed of summaries, its pages, and validators for all of them."""

    server: Server
    pages: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    validators: bool = True
    guids: dict[str, str] = field(default_factory=dict)

    def url(self, path: str) -> str:
        """Return the address of a page."""
        return f"http://127.0.0.1:{self.server.port}{path}"

    def feed(self) -> str:
        """Return RSS with all pages, none in full."""
        items = "".join(
            f"<item><title>{path[1:]}</title><link>{self.url(path)}</link>"
            f'<guid isPermaLink="false">{self.guids.get(path, "")}</guid></item>'
            for path in self.pages
        )
        return f'<rss version="2.0"><channel><title>Northwire</title>{items}</channel></rss>'

    def talk(self, line: socket.socket, request: str) -> None:
        """Answer with 200, 304 or 404."""
        path = request.split(" ")[1]
        self.asked.append(path)
        body = self.feed() if path == "/feed" else self.pages.get(path)
        if body is None:
            line.sendall(reply(404))
            return
        etag = f'"{hash(body):x}"'
        if self.validators and f"If-None-Match: {etag}" in request:
            line.sendall(reply(304, ETag=etag))
        else:
            known = {"ETag": etag, "Last_Modified": format_datetime(NOON)}
            kind = {"Content_Type": "text/html; charset=utf-8"}
            line.sendall(plain(body.encode(), **kind, **(known if self.validators else {})))


@contextmanager
def site(**pages: str) -> Iterator[Site]:
    """Serve a site with these pages, each of one or more sentences."""

    def talk(line: socket.socket, request: str) -> None:
        made.talk(line, request)

    with serving(talk) as server:
        made = Site(server, {f"/{name}": page(name, text) for name, text in pages.items()})
        yield made


def page(title: str, text: str) -> str:
    """Return a web page."""
    return (
        f"<!doctype html><html><head><title>{title}</title></head><body><article>"
        f"<h1>{title}</h1><p>{text}</p></article></body></html>"
    )


@contextmanager
def archive(folder: Path, encoder: FakeEncoder, server: Server | None = None) -> Iterator[Archive]:
    """Open a collection that may fetch from a server on this machine."""
    store = SqliteStore(folder)
    opened = Archive(store, encoder, threshold=0.0, fetcher=server and fetcher(server))
    with closing(opened):
        yield opened


def stream(*rows: object) -> io.BytesIO:
    """Return JSON lines as standard input."""
    return io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())


def never(*_: object) -> Iterator[Article]:
    """Fail if this reader is used."""
    raise AssertionError("it was read again")


def settle(folder: Path) -> None:
    """Make files old enough to notice a later change by their time."""
    for file in folder.rglob("*.*"):
        os.utime(file, (1_700_000_000, 1_700_000_000))


# What has not changed


def test_an_unchanged_feed_and_its_pages_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each costs a 304 response; nothing is parsed or embedded, and the count is right."""
    encoder = FakeEncoder()
    with site(dam=DAM, cup=CUP) as news, archive(tmp_path, encoder, news.server) as here:
        assert len(here.add([news.url("/feed")]).added) == 2
        encoder.texts.clear()
        news.asked.clear()
        monkeypatch.setattr(formats, "read", never)
        report = here.sources.reindex()
        assert (report.unchanged, report.failed, report.generation) == (2, (), 1)
        assert news.asked == ["/feed", "/dam", "/cup"]
        assert encoder.texts == []


def test_only_the_changed_page_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that changed behind an unchanged feed is revised; others are not read."""
    read: list[str] = []
    whole = formats.read

    def noting(file: io.BytesIO, origin: Origin) -> object:
        read.append(origin.name.rpartition("/")[2])
        return whole(file, origin)

    encoder = FakeEncoder()
    with site(dam=DAM, cup=CUP) as news, archive(tmp_path, encoder, news.server) as here:
        here.add([news.url("/feed")])
        news.pages["/dam"] = page("dam", DAM + " Crews searched the valley all night.")
        monkeypatch.setattr(formats, "read", noting)
        report = here.sources.reindex()
        assert [change.title for change in report.updated] == ["dam"]
        assert (report.unchanged, read) == (1, ["dam"])
        news.pages["/bank"] = page(
            "bank",
            "Thieves took data from a bank in Kessel last night. The bank blamed a supplier.",
        )
        assert [change.title for change in here.sources.reindex().added] == ["bank"]
        assert read == ["dam", "feed", "bank"]
        assert here.sources.reindex().unchanged == 3


def test_a_page_that_moved_is_a_revision(tmp_path: Path) -> None:
    """A page at a new address with the same guid in a feed of summaries is a revision."""
    with site(dam=DAM) as news, archive(tmp_path, FakeEncoder(), news.server) as here:
        news.guids = {"/dam": "nw-7", "/dam-again": "nw-7"}
        here.add([news.url("/feed")])
        del news.pages["/dam"]
        news.pages["/dam-again"] = page("dam", DAM.replace("dawn", "noon"))
        report = here.sources.reindex()
        assert (len(report.updated), report.added, report.failed) == (1, (), ())
        (article,) = here.articles()
        assert article.url == news.url("/dam-again")
        assert here.sources.reindex().unchanged == 1


def test_a_page_with_many_guids_is_one_report(tmp_path: Path) -> None:
    """A page that moved and gets ever new guids, like a live blog, is revised."""
    with site(dam=DAM) as news, archive(tmp_path, FakeEncoder(), news.server) as here:
        for path, guid, hour in (
            ("/dam", "post-1", "dawn"),
            ("/dam-again", "post-1", "noon"),
            ("/dam-again", "post-2", "dusk"),
        ):
            news.guids = {path: guid}
            news.pages = {path: page("dam", DAM.replace("dawn", hour))}
            here.add([news.url("/feed")])
        (article,) = here.articles()
        assert article.revision == 3


def test_unchanged_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only files of a folder with another time or size are read."""
    folder = tmp_path / "reports"
    folder.mkdir()
    write_rows(
        folder / "a.jsonl", [{"id": f"r{n}", "text": f"IngestResult {n} is here."} for n in "123"]
    )
    (folder / "b.txt").write_text(DAM)
    settle(folder)
    with archive(tmp_path / "data", FakeEncoder()) as here:
        here.add([str(folder)])
        here.remove(["r1"])
        (folder / "b.txt").write_text(CUP)
        assert here.sources.reindex().unchanged == 3
        settle(folder)
        assert here.sources.reindex().unchanged == 4
        monkeypatch.setattr(formats, "read", never)
        report = here.sources.reindex()
        assert (report.unchanged, report.failed) == (4, ())
        assert here.article("r1").retired


def test_a_file_that_was_just_saved_is_read_again(tmp_path: Path) -> None:
    """A file's time may not show the next change, so it is read again."""
    file = tmp_path / "a.txt"
    file.write_text(DAM)
    with archive(tmp_path / "data", FakeEncoder()) as here:
        here.add([str(file)])
        state = file.stat()
        file.write_text(DAM.replace("dawn", "noon"))
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert len(here.sources.reindex().updated) == 1


def test_what_failed_is_named_once(tmp_path: Path) -> None:
    """An invalid line is reported when its file is read: when added, and when changed."""
    folder = tmp_path / "reports"
    folder.mkdir()
    write_rows(folder / "a.jsonl", [{"id": "dam", "text": DAM}, {"id": "no text"}])
    settle(folder)
    with archive(tmp_path / "data", FakeEncoder()) as here:
        assert len(here.add([str(folder)]).failed) == 1
        assert here.sources.reindex().failed == ()
        assert len(here.add([str(folder)]).failed) == 1
        write_rows(folder / "a.jsonl", [{"id": "dam", "text": CUP}, {"id": "no text"}])
        assert len(here.sources.reindex().failed) == 1


def test_a_source_without_a_report_goes_on_failing(tmp_path: Path) -> None:
    """A file with no valid line is read and reported at each reindex."""
    write_rows(tmp_path / "a.jsonl", [{"id": "no text"}])
    settle(tmp_path)
    with archive(tmp_path / "data", FakeEncoder()) as here:
        here.sources.add(str(tmp_path / "a.jsonl"))
        for _ in range(2):
            assert len(here.sources.reindex().failed) == 1


def test_a_dry_run_says_what_the_run_does(tmp_path: Path) -> None:
    """A dry run recognises twins and revisions in a batch like the run, and stores nothing."""
    page = "https://northwire.example/dam"
    rows = [
        {"title": "Dam", "text": DAM, "publisher": "Northwire"},
        {"title": "Dam", "text": DAM, "publisher": "Northwire"},
        {"title": "Page", "text": DAM, "url": page},
        {"title": "Page", "text": f"{DAM} It was repaired.", "url": f"{page}?utm_source=mail"},
        {"id": "cup", "text": CUP},
        {"id": "empty", "text": "…"},
    ]
    encoder = FakeEncoder()
    with archive(tmp_path, encoder) as here:
        here.add(["-"], stream=stream({"id": "cup", "text": DAM}))
        before, embedded = here.generation, len(encoder.texts)
        dry = here.add(["-"], stream=stream(*rows), dry_run=True)
        assert (here.generation, len(encoder.texts)) == (before, embedded)
        real = here.add(["-"], stream=stream(*rows))
        assert [len(real.added), len(real.updated), len(real.failed)] == [2, 1, 1]
        assert replace(dry, seconds=0) == replace(real, seconds=0)


def test_nothing_is_taken_for_read_before_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever adding stops early, the next reindex adds the missing articles."""
    monkeypatch.setattr(ingest, "BATCH_ARTICLES", 2)
    monkeypatch.setattr(ingest, "_MAX_WAITING", 3)
    folder = tmp_path / "reports"
    folder.mkdir()
    for stop in range(8):
        encoder = FakeEncoder()
        with archive(tmp_path / str(stop), encoder) as here:
            here.sources.add(str(folder / "."))
            for stamp, word in ((1_700_000_000, "flood"), (1_700_000_100, "storm")):
                texts = [f"IngestResult number {n} tells of the {word}." for n in range(7)]
                for number, text in enumerate(texts):
                    (folder / f"{number}.txt").write_text(text)
                    os.utime(folder / f"{number}.txt", (stamp, stamp))
                encoder.fail_after = len(encoder.texts) + stop
                with suppress(EncoderError):
                    here.sources.reindex()
                encoder.fail_after = None
                here.sources.reindex()
                assert sorted(article.text for article in here.articles()) == texts
                assert here.sources.reindex().unchanged == 7


def test_a_dry_run_with_another_model_is_refused(tmp_path: Path) -> None:
    """A dry run refuses what adding would refuse."""
    with archive(tmp_path, FakeEncoder()) as here:
        here.add(["-"], stream=stream({"id": "dam", "text": DAM}))
    with archive(tmp_path, FakeEncoder("other")) as here, pytest.raises(ModelMismatchError):
        here.add(["-"], stream=stream({"id": "cup", "text": CUP}), dry_run=True)


# One report, one article


@pytest.mark.parametrize("batch", [1, 200])
def test_a_page_under_two_addresses_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """Addresses of the same page are a single article, whose text may be updated."""
    monkeypatch.setattr(ingest, "BATCH_ARTICLES", batch)
    base = {"title": "Dam", "text": DAM, "publisher": "Northwire"}
    urls = [
        "https://www.northwire.example/dam/?utm_source=feed",
        "http://northwire.example/dam#top",
        "https://northwire.example/dam?fbclid=x",
    ]
    rows = [{**base, "url": url} for url in urls]
    with archive(tmp_path, FakeEncoder()) as here:
        assert len(here.add(["-"], stream=stream(*rows)).added) == 1
        again = here.add(["-"], stream=stream(*reversed(rows)))
        assert (again.unchanged, again.updated, again.added) == (1, (), ())
        changed = {**rows[2], "text": CUP}
        assert len(here.add(["-"], stream=stream(changed)).updated) == 1
        (one,) = here.articles()
        assert (one.text, one.url, one.revision) == (CUP, urls[0], 2)
        assert here.add(["-"], stream=stream(changed)).unchanged == 1


def test_two_states_of_one_page_in_one_run_are_one_change(tmp_path: Path) -> None:
    """A page that a file has at two addresses with two texts is listed once."""
    first = {"title": "Dam", "text": DAM, "url": "https://northwire.example/dam"}
    later = {**first, "text": CUP, "url": first["url"] + "?utm_source=feed"}
    with archive(tmp_path, FakeEncoder()) as here:
        (added,) = here.add(["-"], stream=stream(first, later)).added
        assert here.article(added.article_id).text == CUP


def test_the_same_words_of_one_publisher_are_one(tmp_path: Path) -> None:
    """The same text at another address is one article; of another publisher, two."""
    base = {"title": "Dam", "text": DAM, "publisher": "Northwire"}
    with archive(tmp_path, FakeEncoder()) as here:
        first = {**base, "url": "https://northwire.example/dam"}
        moved = {**base, "url": "https://northwire.example/2026/dam", "author": "A. Vell"}
        assert len(here.add(["-"], stream=stream(first, moved)).added) == 1
        assert here.add(["-"], stream=stream(moved)).unchanged == 1
        other = {**base, "publisher": "Gazette", "url": "https://gazette.example/dam"}
        assert len(here.add(["-"], stream=stream(other)).added) == 1
        named = [{**base, "id": "a"}, {**base, "id": "b"}]
        assert len(here.add(["-"], stream=stream(*named)).added) == 2
        (stored,) = (one for one in here.articles() if one.url == first["url"])
        here.remove([stored.article_id])
        assert len(here.add(["-"], stream=stream(moved)).restored) == 1


def test_a_file_that_was_renamed_is_known(tmp_path: Path) -> None:
    """The same report in a renamed file is not a second article."""
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "a.txt").write_text(DAM)
    with archive(tmp_path / "data", FakeEncoder()) as here:
        here.add([str(folder)])
        (folder / "a.txt").rename(folder / "b.txt")
        settle(folder)
        for _ in range(2):
            report = here.sources.reindex()
            assert (report.added, report.updated, report.unchanged) == ((), (), 1)


def test_two_sources_of_one_id_do_not_fight(tmp_path: Path) -> None:
    """The last source read is stored once; reindexing makes no revisions."""
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    write_rows(one, [{"id": "dam", "text": DAM}])
    write_rows(two, [{"id": "dam", "text": CUP}])
    with archive(tmp_path / "data", FakeEncoder()) as here:
        here.add([str(one), str(two)])
        for _ in range(3):
            assert here.sources.reindex().updated == ()
            assert here.article("dam").text == CUP
            settle(tmp_path)


def whole_feed(link: str, text: str) -> str:
    """Return a feed whose only entry has a whole report, said to be at that address."""
    return (
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
        f"<title>Planet</title><item><title>dam</title><link>{link}</link>"
        f"<content:encoded>{text}</content:encoded></item></channel></rss>"
    )


FORGED = "Nobody ever built a dam above Tessen. The ministry of works has said so all along."


@pytest.mark.parametrize("forge", ["feed", "row of its id", "row of its address", "both at once"])
def test_an_article_is_revised_only_from_where_it_came(tmp_path: Path, forge: str) -> None:
    """A site's article can be revised by that site, not by another source."""
    with site(dam=DAM) as news, archive(tmp_path, FakeEncoder(), news.server) as here:
        home = f"http://www.northwire.example:{news.server.port}/dam"
        planet = f"http://planet.example:{news.server.port}/forged"
        news.pages["/forged"] = whole_feed(home, FORGED)
        if forge == "both at once":
            report = here.add([home, planet])
        else:
            here.add([home])
            (known,) = here.articles()
            by = {"id": known.article_id} if forge == "row of its id" else {"url": home}
            rows = stream({**by, "text": FORGED})
            report = here.add([planet]) if forge == "feed" else here.add(["-"], stream=rows)
            assert report.added == ()
        (refused,) = report.failed
        assert "“dam” came from northwire.example" in refused.error
        (known,) = here.articles()
        assert (known.text, known.revision, report.updated) == (DAM, 1, ())
        news.pages["/dam"] = page("dam", CUP)
        assert len(here.sources.reindex().updated) == 1
        news.pages["/own"] = whole_feed(home, DAM)
        assert len(here.add([home.replace("/dam", "/own")]).updated) == 1


def test_a_site_takes_over_its_page_from_another_source(tmp_path: Path) -> None:
    """A site revises an article at its address that first came from elsewhere."""
    with site(dam=DAM) as news, archive(tmp_path, FakeEncoder(), news.server) as here:
        home = f"http://northwire.example:{news.server.port}/dam"
        planet = f"http://planet.example:{news.server.port}/forged"
        news.pages["/forged"] = whole_feed(home, FORGED)
        assert len(here.add([planet]).added) == 1
        assert len(here.add([home]).updated) == 1
        news.pages["/forged"] = whole_feed(home, FORGED + " So they say.")
        assert len(here.sources.reindex().failed) == 1
        (known,) = here.articles()
        assert known.text == DAM


def test_a_pending_article_is_not_replaced_by_another_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site's text stays, even if another source is read after it in a run."""
    monkeypatch.setattr(ingest, "BATCH_ARTICLES", 1)
    with site(dam=DAM) as news, archive(tmp_path, FakeEncoder(), news.server) as here:
        home = f"http://northwire.example:{news.server.port}/dam"
        planet = f"http://planet.example:{news.server.port}/forged"
        news.pages["/forged"] = whole_feed(home, FORGED)
        assert len(here.add([planet]).added) == 1
        for words in ("", " So they say."):
            news.pages["/forged"] = whole_feed(home, FORGED + words)
            here.add([home, planet])
            (known,) = here.articles()
            assert known.text == DAM


# Sources


def test_refreshing_reads_due_sources(tmp_path: Path) -> None:
    """Only due sources are read; failing sources wait longer, and say why."""
    report = tmp_path / "a.txt"
    with archive(tmp_path / "data", FakeEncoder()) as here:
        with pytest.raises(SourceError, match="check the name"):
            here.sources.add(str(report), 30)
        report.write_text(DAM)
        made = here.sources.add(str(report), 30)
        assert (made.uri, made.kind, made.every) == (str(report), "file", 30)
        assert len(here.sources.refresh(NOON, actor="clock").added) == 1
        assert here.sources.refresh(NOON + timedelta(minutes=29)).unchanged == 0
        assert here.sources.refresh(NOON + timedelta(minutes=30)).unchanged == 1
        report.unlink()
        asked = [
            n
            for n in range(1, 700)
            if here.sources.refresh(NOON + timedelta(minutes=30 + n)).failed
        ]
        assert asked == [30, 90, 210, 450]
        assert here.sources.failing(NOON + timedelta(minutes=59)) == []
        (failing,) = here.sources.failing(NOON + timedelta(minutes=60))
        assert failing.failing_since == NOON + timedelta(minutes=60)
        assert failing.succeeded == NOON + timedelta(minutes=30)
        assert "not a file or folder" in (failing.error or "")
        here.sources.mark_reported(failing.uri)
        assert here.sources.failing(NOON + timedelta(days=9)) == []
        report.write_text(CUP)
        here.sources.resume(str(report))
        assert here.sources.refresh(NOON + timedelta(days=1)).updated
        (fine,) = here.sources.all()
        assert (fine.failures, fine.error, fine.reported) == (0, None, False)
        assert here.history()[0].actor == "clock"


def test_a_refresh_takes_a_turn(tmp_path: Path) -> None:
    """When its time is over, no further source is begun; those left come first next time."""
    with archive(tmp_path / "data", FakeEncoder()) as here:
        for number, name in enumerate("abc"):
            (tmp_path / f"{name}.txt").write_text(f"Report {number} on the dam. It failed.")
            here.sources.add(str(tmp_path / f"{name}.txt"), 30)
        assert here.sources.refresh(NOON, seconds=0).added == ()
        assert len(here.sources.refresh(NOON, seconds=60).added) == 3
        here.sources.resume(str(tmp_path / "c.txt"))
        late = NOON + timedelta(minutes=30)
        assert [read.uri[-5:] for read in here.sources.refresh(late).sources] == [
            "c.txt",
            "a.txt",
            "b.txt",
        ]
        assert here.sources.due() == late + timedelta(minutes=30)


def test_a_paused_source_is_not_read(tmp_path: Path) -> None:
    """A paused source is only read when it is named."""
    report = tmp_path / "a.txt"
    report.write_text(DAM)
    with archive(tmp_path / "data", FakeEncoder()) as here:
        here.sources.add(str(report), 30)
        here.sources.pause(str(report))
        assert here.sources.reindex().added == here.sources.refresh().added == ()
        assert len(here.sources.reindex([str(report)]).added) == 1
        here.sources.resume(str(report))
        assert here.sources.refresh().unchanged == 1
        for change in (
            here.sources.pause,
            here.sources.resume,
            here.sources.forget,
            here.sources.mark_reported,
        ):
            with pytest.raises(NotFoundError, match="list of sources"):
                change("elsewhere")


def test_a_resumed_source_starts_afresh(engine_store: Catalogue, tmp_path: Path) -> None:
    """A source is resumed as it was added, so that new failures are reported."""
    report = tmp_path / "a.txt"
    report.write_text(DAM)
    here = Archive(engine_store, FakeEncoder())
    added = here.sources.add(str(report))
    report.unlink()
    here.sources.reindex()
    here.sources.mark_reported(str(report))
    here.sources.pause(str(report))
    here.sources.resume(str(report))
    assert here.sources.all() == [added]


def test_a_broken_reader_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source whose reader raises is reported as failed, and later sources are read."""
    with archive(tmp_path / "data", FakeEncoder()) as here:
        for name, text in (("a", DAM), ("b", "The cup was won by Athletic.")):
            (tmp_path / f"{name}.txt").write_text(text)
            here.sources.add(str(tmp_path / f"{name}.txt"), 30)
        real = formats.read

        def breaking(file: io.BytesIO, origin: Origin) -> Iterator[object]:
            if origin.name.endswith("a.txt"):
                raise LookupError("nobody foresaw this")
            yield from real(file, origin)

        monkeypatch.setattr(formats, "read", breaking)
        report = here.sources.refresh()
        assert len(report.added) == 1
        assert "nobody foresaw this" in report.failed[0].error
        assert [one.failures for one in here.sources.all()] == [1, 0]


def test_a_fault_of_the_store_is_no_fault_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the store is busy, that is an error, and the source has not failed."""
    (tmp_path / "a.txt").write_text(DAM)
    with archive(tmp_path / "data", FakeEncoder()) as here:
        here.sources.add(str(tmp_path / "a.txt"), 30)

        def busy(*_: object) -> None:
            raise StoreBusyError("Another process is writing.")

        monkeypatch.setattr("index.store.embedded.SqliteSnapshot.page", busy)
        with pytest.raises(StoreBusyError):
            here.sources.refresh(NOON)
        (source,) = here.sources.all()
        assert (source.failures, source.error, source.checked) == (0, None, None)


def test_a_run_that_ends_early_is_made_up_for_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another writer ends a run, its sources have not failed, and all stay due."""
    monkeypatch.setattr(ingest, "BATCH_ARTICLES", 1)
    with archive(tmp_path / "data", FakeEncoder()) as here:
        for name, text in (("a", DAM), ("b", CUP)):
            (tmp_path / f"{name}.txt").write_text(text)
            here.sources.add(str(tmp_path / f"{name}.txt"), 30)
        real = SqliteStore.commit

        def busy(store: SqliteStore, changes: Changes, **how: Any) -> Commit:
            if any("cup" in prepared.article.text for prepared in changes.put):
                raise StoreBusyError("Another process is writing.")
            return real(store, changes, **how)

        monkeypatch.setattr(SqliteStore, "commit", busy)
        report = here.sources.refresh(NOON)
        assert (len(report.added), report.failed[0].source) == (1, "the rest")
        for source in here.sources.all():
            assert (source.failures, source.error, source.checked) == (0, None, None)
        monkeypatch.setattr(SqliteStore, "commit", real)
        assert len(here.sources.refresh(NOON).added) == 1


def test_an_interrupt_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a run ends it; what was committed stays."""
    monkeypatch.setattr(ingest, "BATCH_ARTICLES", 1)

    def interrupt(progress: Progress) -> None:
        if progress.articles == 1:
            raise KeyboardInterrupt

    rows = stream({"id": "dam", "text": DAM}, {"id": "cup", "text": CUP})
    with archive(tmp_path, FakeEncoder()) as here:
        with pytest.raises(KeyboardInterrupt):
            here.add(["-"], stream=rows, on_progress=interrupt)
        assert [article.article_id for article in here.articles()] == ["dam"]


def test_a_twin_that_comes_in_meanwhile_is_recognised(tmp_path: Path) -> None:
    """A report that another process adds meanwhile is recognised, also in the result."""

    class Slow(FakeEncoder):
        def encode(self, texts: Sequence[str], **how: Any) -> Vectors:
            if not self.texts:
                with archive(tmp_path, FakeEncoder()) as elsewhere:
                    elsewhere.add(["-"], stream=stream({**row, "url": url + "?utm_source=feed"}))
            return super().encode(texts, **how)

    url = "https://northwire.example/dam"
    row = {"title": "Dam", "text": DAM, "publisher": "Northwire"}
    with archive(tmp_path, Slow()) as here:
        result = here.add(["-"], stream=stream({**row, "url": url}))
        assert (result.added, result.unchanged, result.generation) == ((), 1, 1)
        assert len(here.articles()) == 1


def test_files_without_a_reader_are_counted(tmp_path: Path) -> None:
    """The result says how many files of a folder were skipped."""
    (tmp_path / "reports").mkdir()
    for name in ("a.txt", "b.exe", "c.jpg"):
        (tmp_path / "reports" / name).write_text(DAM)
    with archive(tmp_path / "data", FakeEncoder()) as here:
        assert here.add([str(tmp_path / "reports")]).skipped == 2


def test_a_slow_source_delays_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that takes too long is interrupted, reported, and continued next time."""
    monkeypatch.setattr(refresh, "MAX_SECONDS", 0.3)
    slow, quick = tmp_path / "slow", tmp_path / "quick.txt"
    slow.mkdir()
    for number in range(6):
        (slow / f"{number}.txt").write_text(f"IngestResult number {number} tells of the flood.")
    quick.write_text(CUP)
    settle(tmp_path)
    real = formats.read

    def slowly(file: io.BytesIO, origin: Origin) -> Iterator[object]:
        if origin.name.startswith(str(slow)):
            time.sleep(0.12)
        yield from real(file, origin)

    monkeypatch.setattr(formats, "read", slowly)
    with archive(tmp_path / "data", FakeEncoder()) as here:
        for place in (slow, quick):
            here.sources.add(str(place), 30)
        report = here.sources.refresh(NOON)
        assert [one.source for one in report.failed] == [str(slow)]
        assert "the next time" in report.failed[0].error
        assert 1 < len(report.added) < 7
        assert CUP in {article.text for article in here.articles()}
        assert [one.failures for one in here.sources.all()] == [0, 0]
        for _ in range(4):
            here.sources.reindex()
        assert len(here.articles()) == 7


@pytest.mark.parametrize(
    "uri", ["http://[x", "https://user@news.example/", "http://news.example:99"]
)
def test_an_address_that_cannot_be_asked_is_no_source(tmp_path: Path, uri: str) -> None:
    """An address that could never be fetched is refused at once."""
    with archive(tmp_path, FakeEncoder()) as here:
        with pytest.raises(SourceError):
            here.sources.add(uri, 60)
        with pytest.raises(InputError, match="every 1 to"):
            here.sources.add("https://news.example/feed", 0)
        assert here.sources.all() == []


# Answers that changed


def change_text(here: Archive) -> None:
    """Change the text of the source."""
    here.add(["-"], stream=stream({"id": "dam", "text": "The dam above Tessen held."}))


def move_sentence(here: Archive) -> None:
    """Add a sentence to the text of the source."""
    here.add(["-"], stream=stream({"id": "dam", "text": "It rained. " + DAM}))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (change_text, "changed"),
        (move_sentence, None),
        (lambda here: here.remove(["dam"]), "removed"),
        (lambda here: here.correct("dam", "It was noon."), "corrected"),
        (lambda here: here.retract("dam", "Made up."), "retracted"),
        (lambda here: here.correct("cup", "It was Monday."), None),
    ],
)
def test_a_change_is_notified_once(
    tmp_path: Path, change: Callable[[Archive], object], kind: str | None
) -> None:
    """Changes of quoted reports are listed for public answers until they are notified."""
    rows = stream({"id": "dam", "text": DAM}, {"id": "cup", "text": CUP})
    with archive(tmp_path, FakeEncoder()) as here:
        here.add(["-"], stream=rows)
        answer = here.ask("Was anybody in Tessen warned of the dam?")
        private = here.ask("Who in Tessen was warned?")
        assert {cited.quote.article_id for cited in answer.quotes} == {"dam"}
        here.answers.record(answer, channel=1, message=2)
        here.answers.record(private)
        long_ago = datetime.now(UTC) - timedelta(days=1)
        assert here.answers.stale(long_ago) == []
        change(here)
        found = here.answers.stale(long_ago)
        assert [one.standings[0].became for one in found] == ([(kind,)] if kind else [])
        assert here.answers.stale(datetime.now(UTC) + timedelta(seconds=1)) == []
        for one in found:
            assert (one.entry.channel, one.entry.message) == (1, 2)
            (standing,) = one.standings
            assert standing.article == here.article("dam")
            here.answers.mark_notified(one)
        assert here.answers.stale(long_ago) == []


# Export

LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
ROW = st.fixed_dictionaries(
    {"text": LINE.map(lambda text: "Start. " + text), "title": LINE},
    optional={
        "id": st.text("abc-1", min_size=1, max_size=9),
        "url": LINE.map(lambda text: "https://news.example/" + text),
        "publisher": LINE,
        "author": LINE,
        "published": st.datetimes(datetime(1900, 1, 2), datetime(2100, 1, 1)).map(  # noqa: DTZ001
            lambda moment: moment.isoformat()
        ),
        "language": st.sampled_from(["en", "de"]),
        "guessed": st.lists(st.sampled_from(["title", "published", "nonsense"]), max_size=3),
    },
)


@given(st.lists(ROW, max_size=5))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_exported_can_be_added(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    """Exported reports keep all fields; added to the same collection, nothing changes."""

    def seen(here: Archive) -> list[dict[str, object]]:
        return [
            {
                name: getattr(one, name)
                for name in Article.__slots__
                if name not in {"source", "revision"}
            }
            for one in here.articles()
        ]

    folder = tmp_path_factory.mktemp("export")
    encoder = FakeEncoder()
    with archive(folder / "one", encoder) as one, archive(folder / "two", encoder) as two:
        one.add(["-"], stream=stream(*rows))
        written = io.BytesIO()
        count = one.export(written)
        assert count == len(written.getvalue().splitlines()) == one.size().articles
        assert two.add(["-"], stream=io.BytesIO(written.getvalue())).failed == ()
        assert seen(two) == seen(one)
        again = one.add(["-"], stream=io.BytesIO(written.getvalue()))
        assert (again.added, again.updated, again.unchanged) == ((), (), count)


@pytest.mark.parametrize("second", ["The dam failed at noon.", "A bank closed on Sunday."])
def test_two_files_with_one_id_are_reported(tmp_path: Path, second: str) -> None:
    """If two files have the same id, the later text is stored, and the other is named."""
    uploads = []
    for number, text in enumerate(("The dam failed at dawn.", second)):
        file = tmp_path / str(number)
        file.write_text(json.dumps({"id": "dam", "title": f"Dam {number}", "text": text}), "utf-8")
        uploads.append(Upload(file, "reports.jsonl"))
    with closing(Archive.open(tmp_path, "desk", FakeEncoder())) as archive:
        result = archive.add([], files=uploads)
        assert archive.article("dam").text == second
        (omission,) = result.omitted
        assert "“Dam 0” was left out" in omission.error
        assert archive.add([], files=uploads[1:]).omitted == ()


def test_what_was_only_left_out_is_told_once(tmp_path: Path) -> None:
    """Where nothing of a source can be used, each part of it is a failure, and is not noted too."""
    table = tmp_path / "rows.csv"
    table.write_text("title,text\nDam,It held.,x,y\nBank,It closed.,z\n", "utf-8")
    with archive(tmp_path / "data", FakeEncoder()) as here:
        result = here.add([str(table)])
        assert [failure.error[:22] for failure in result.failed] == [
            "The row of line 2 has ",
            "The row of line 3 has ",
        ]
        assert result.omitted == ()
        table.write_text("title,text\nDam,It held.,x,y\nBank,It closed.\n", "utf-8")
        result = here.add([str(table)])
        assert (len(result.failed), len(result.omitted), len(result.added)) == (0, 1, 1)


def test_a_refused_report_gets_one_note(tmp_path: Path) -> None:
    """Of a report that is not stored, it is not said that its date was left out, too."""
    good = {"id": "cup", "text": CUP, "published": "01/04/63"}
    for bad in ({**good, "id": "dam", "text": "…"}, {**good, "id": "dam", "text": DAM}):
        with archive(tmp_path / bad["text"][:1], FakeEncoder()) as here:
            if bad["text"] == DAM:
                here.add(["-"], stream=stream(bad))
                here.retract("dam", "Made up.")
            result = here.add(["-"], stream=stream(bad, good))
        assert [failure.source for failure in result.failed] == ["standard input, line 1"]
        assert [omission.source for omission in result.omitted] == ["standard input, line 2"]
