"""A file is read by its content, whatever its name; hostile files are refused in a sentence."""

from __future__ import annotations

import gzip
import json
import random
import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.files import (
    BODY,
    FIRST,
    MARKUP,
    SECOND,
    TEXT,
    THIRD,
    URL,
    article,
    entry,
    items,
    packed,
    page,
    paragraph,
    pdf,
    refusal,
    rss,
    word,
)

from index.domain import Article, Failure
from index.errors import InputError, SourceError
from index.reading import formats
from index.reading.items import Omission

PDF = pdf(["Dam fails", "", *BODY], info="/Title(Dam fails)")
WORD = word("".join(map(paragraph, BODY)), "<dc:title>Dam fails</dc:title>")
LONG_ROW = json.dumps({"text": "a " * 5_000}).encode() + b"\n"
FLAGS = re.compile(b"(PK\x03\x04..|PK\x01\x02....).", re.DOTALL)
LOCKED = FLAGS.sub(b"\\1\x01", packed({"a.txt": TEXT}))
ROW = json.dumps({"_id": "a", "title": "Row", "text": TEXT})


@pytest.fixture(scope="module", autouse=True)
def _close() -> Iterator[None]:
    """Leave no process behind."""
    yield
    formats._SANDBOX.close()


@pytest.mark.parametrize(
    ("data", "name", "title"),
    [
        (page(), "report.txt", "Dam fails above Tessen"),
        ("\n<!-- x -->\n" + page(), "report", "Dam fails above Tessen"),
        ("<?xml version='1.0'?>" + page(), "report.xml", "Dam fails above Tessen"),
        (PDF, "report.html", "Dam fails"),
        (b"junk\n" + PDF, "report.pdf", "Dam fails"),
        (WORD, "report.zip", "Dam fails"),
        (WORD, "report.txt", "Dam fails"),
        (ROW, "report.html", "Row"),
        (gzip.compress(ROW.encode()), "report.jsonl", "Row"),
        (gzip.compress(page().encode()), "report", "Dam fails above Tessen"),
        (f"Dam fails\n\n{TEXT}", "report.pdf", "Dam fails"),
        (f"Dam fails\n\n{TEXT}", "report.html", "Dam fails"),
        (f"# Dam fails\n\n{TEXT}", "report.md", "Dam fails"),
        (f"# Dam fails\n\n{TEXT}", "report.txt", "# Dam fails"),
        (f"<div align=center>x</div>\n\n# Dam fails\n\n{TEXT}", "report.md", "Dam fails"),
        (rss(entry(f"<description><![CDATA[{MARKUP * 5}]]></description>")), "a.txt", "Dam & town"),
    ],
)
def test_content_goes_before_the_name(data: bytes | str, name: str, title: str) -> None:
    """A suffix only decides between kinds of text."""
    found = article(data, name)
    assert found.title == title
    assert FIRST[:40] in found.text


def test_the_content_type_decides_between_kinds_of_text() -> None:
    """A fragment that its server calls HTML is read as HTML, and Markdown as Markdown."""
    fragment = f"<div><article><h1>Dam fails</h1>{MARKUP}</article></div>"
    assert article(fragment, URL, url=URL, content_type="text/html").text == TEXT
    found = article(f"# Dam fails\n\n{TEXT}", URL, url=URL, content_type="text/markdown")
    assert (found.title, found.url) == ("Dam fails", URL)


@pytest.mark.parametrize(
    ("charset", "stated"),
    [
        ("utf-16", None),
        ("windows-1252", "windows-1252"),
        ("windows-1252", "iso-8859-1"),
        ("windows-1251", "Windows-1251"),
        ("windows-1251", None),
        ("iso-8859-2", None),
        ("iso-8859-2", "no-such-thing"),
        ("shift_jis", "shift_jis"),
        ("utf-8", "punycode"),
        ("utf-8", "no-such-thing"),
    ],
)
def test_charsets(charset: str, stated: str | None) -> None:
    """A page is decoded as the server says, else as the page says or its bytes suggest."""
    first = {"windows-1251": "Плотина", "shift_jis": "ダム", "iso-8859-2": "řekl, že"}.get(
        charset, "The café’s dam –"
    )
    markup = page(body=[f"{first} {FIRST}", SECOND, THIRD]).replace("“", "").replace("”", "")
    if charset != "utf-8":
        meta = "" if stated == charset else f'<meta charset="{charset}">'
        markup = markup.replace('<meta charset="utf-8">', meta).replace("©", "")
    if charset in {"windows-1251", "shift_jis", "iso-8859-2"}:
        markup = markup.replace("’", "'")
    sender = {"charset": stated} if stated else {}
    assert first in article(markup.encode(charset), URL, url=URL, **sender).text


@pytest.mark.parametrize(
    ("data", "name", "error"),
    [
        (packed({"a.txt": bytes(40_000_000)}), "a.zip", "far larger unpacked"),
        (packed({f"{n}.txt": bytes(9_000_000) for n in range(9)}), "a.zip", "far larger unpacked"),
        (packed({f"{n}.txt": "x" for n in range(1_001)}), "a.zip", "more than 1,000 files"),
        (packed({"xl/a.xml": "x", "[Content_Types].xml": "x"}), "a.xlsx", "other than a text"),
        (packed({"mimetype": "application/x-slides"}), "a.odp", "other than a text"),
        (packed({"mimetype": "application/epub+zip"}), "a.epub", "damaged"),
        (packed({"a.jpg": "x"}), "a.zip", "without reports"),
        (packed({"a/": ""}), "a.zip", "without reports"),
        (LOCKED, "a.zip", "locked with a password"),
        (packed({"a.txt": TEXT})[:60], "a.zip", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.doc", "old or locked Office"),
        (gzip.compress(LONG_ROW * 4_000), "a.jsonl.gz", "far larger unpacked"),
    ],
    ids="bomb bombs files xlsx odp epub photos empty locked damaged doc gzip".split(),
)
def test_archives_that_are_refused(data: bytes, name: str, error: str) -> None:
    """Bombs, damage and other Office files are refused in a sentence, quickly."""
    started = time.monotonic()
    assert error in refusal(data, name)
    assert time.monotonic() - started < 10


def test_an_archive_of_everything() -> None:
    """Files of an archive are read by their content; their names lead nowhere."""
    files = {
        "../../etc/a.txt": TEXT,
        "/b/rows.jsonl": ROW + "\n{broken\n",
        "c\\page.html": page(),
        "d.pdf": PDF,
        "e.docx": WORD,
        "f.jpg": b"\xff\xd8\xff",
        "g.txt": b"",
        "h.zip": packed({"b.txt": TEXT}),
        ".hidden.txt": TEXT,
        "__MACOSX/a.txt": TEXT,
    }
    found = items(packed(files), "all.zip")
    articles = [item for item in found if isinstance(item, Article)]
    titles = [item.title for item in articles]
    assert titles[1:] == ["Row", "Dam fails above Tessen", "Dam fails", "Dam fails"]
    assert (articles[0].source or "").endswith("/all.zip/etc/a.txt")
    failures = {item.source: item.error for item in found if isinstance(item, Failure)}
    assert Omission("all.zip", "Files in other formats were not read: f.jpg.") in found
    assert [*failures] == ["all.zip/b/rows.jsonl, line 2", "all.zip/g.txt", "all.zip/h.zip"]
    assert "inside another" in failures["all.zip/h.zip"]
    assert len({item.article_id for item in articles}) == 5


def test_files_of_an_archive_on_the_web_stay_apart() -> None:
    """An archive at an address gives as many reports as it has files."""
    data = packed({"a.txt": FIRST, "b.txt": SECOND})
    first, second = items(data, URL, url=URL, content_type="application/zip")
    assert isinstance(first, Article)
    assert isinstance(second, Article)
    assert (first.text, second.text) == (FIRST, SECOND)
    assert first.article_id != second.article_id
    assert first.source == f"{URL}/a.txt"


@given(st.binary(max_size=300), st.sampled_from(["a.txt", "a.md", "a.jsonl", "a.gz", "a"]))
@example(b"\x1f\x8b" + b"\x1f\x8b" * 9, "a.gz")
@example(b"\xff\xfe<\x00", "a.html")
def test_any_bytes_are_items_or_an_error(data: bytes, name: str) -> None:
    """Reading any bytes yields articles and failures, or raises an InputError."""
    try:
        found = items(data, name)
    except InputError:
        return
    assert all(isinstance(item, Article | Failure | Omission) for item in found)


@pytest.mark.parametrize("start", [b"%PDF-1.4\n", b"PK\x03\x04", b"<html>", b"<rss>", b"<?xml "])
def test_noise_after_a_signature(start: bytes) -> None:
    """Noise that begins like a known format is refused in a sentence or read as text."""
    noise = random.Random(7)  # noqa: S311 - noise
    for size in (0, 10, 1_000, 50_000):
        try:
            found = items(start + noise.randbytes(size), "a.bin")
        except SourceError as error:
            assert re.fullmatch(r"a\.bin .*\.", str(error))  # noqa: PT017 - either is right
        else:
            assert start == b"<html>"
            assert all(isinstance(item, Article) for item in found)
