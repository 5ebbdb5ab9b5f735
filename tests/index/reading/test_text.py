"""Bytes are decoded, and text, Markdown and rows of JSON become articles."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.files import article, refusal

from index.domain import Article, Failure
from index.errors import SourceError
from index.reading import formats
from index.reading.formats import Item
from index.reading.items import Omission
from index.reading.text import clean, decode

BODY = "The dam failed at dawn. Nobody in Tessen was warned."


def from_row(row: object) -> Item:
    """Read a line of JSON, without its omissions."""
    item, *_ = formats.read_rows(io.BytesIO(json.dumps(row).encode() + b"\n"), "rows")
    return item


# Text


def test_text_with_front_matter() -> None:
    """Front matter gives the fields of a text file; the rest is the text."""
    found = article(
        "---\ntitle: 'Dam: the night'\nPublisher: Northwire\nauthor: A. Vell\n"
        "published: 2026-03-14T09:30:00+02:00\nurl: https://northwire.example/dam\n"
        f"language: en\nid: nw-1\n---\n{BODY}\n",
        "a.txt",
    )
    assert (found.article_id, found.title) == ("nw-1", "Dam: the night")
    assert (found.publisher, found.author) == ("Northwire", "A. Vell")
    assert found.published == datetime(2026, 3, 14, 7, 30, tzinfo=UTC)
    assert (found.url, found.text.strip()) == ("https://northwire.example/dam", BODY)


def test_a_first_line_like_a_headline_is_the_title() -> None:
    """A short first line without a full stop is the title; any other stays in the text."""
    found = article(f"Dam fails in Arvenland\n\n{BODY}\n", "a.txt")
    assert (found.title, found.text.strip()) == ("Dam fails in Arvenland", BODY)
    for first in ("It failed at dawn.", "Who was warned?", "x" * 181):
        found = article(f"{first}\n{BODY}\n", "a.txt")
        assert found.text.startswith(first)
        assert found.title.startswith(first[:10])


def test_a_first_line_that_repeats_the_title_is_not_text() -> None:
    """A headline equal to the front matter's title is dropped; other lines stay."""
    for first, text in (("Dam fails", BODY), ("Dam holds", f"Dam holds\n\n{BODY}")):
        stored = article(f"---\ntitle: Dam fails\n---\n{first}\n\n{BODY}\n", "a.txt")
        assert (stored.title, stored.text.strip()) == ("Dam fails", text)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xef\xbb\xbf" + "Café – ok.".encode(), "Café – ok."),
        (b"\xff\xfe" + "Café – ok.".encode("utf-16-le"), "Café – ok."),
        (b"\xfe\xff" + "Café – ok.".encode("utf-16-be"), "Café – ok."),
        (b"\xff\xfe\0\0" + "Café – ok.".encode("utf-32-le"), "Café – ok."),
        (
            f"{BODY} The café owner José Ávila.".encode("latin-1"),
            f"{BODY} The café owner José Ávila.",
        ),
        (
            "“It failed” – nobody’s been warned.".encode("cp1252"),
            "“It failed” – nobody’s been warned.",
        ),
        (BODY.encode() * 5_000 + b" It cost \xa340.", BODY * 5_000 + " It cost £40."),
        ("Fürs Erste in Köln, ".encode() + b"\xb7 2026", "Fürs Erste in Köln, \ufffd 2026"),
        (b"one\r\ntwo\rthree\x0cfour", "one\ntwo\nthree\nfour"),
        (b"a\x00b\x07c", "abc"),
        ("e\u0301 \u202eabc\u202c 👩\u200d🚒".encode(), "e\u0301 \u202eabc\u202c 👩\u200d🚒"),
    ],
    ids="bom utf16le utf16be utf32 latin1 cp1252 late bad lines controls unusual".split(),
)
def test_decoding(data: bytes, expected: str) -> None:
    """Text in any encoding is read as a reader sees it."""
    assert decode(data) == expected


@pytest.mark.parametrize(
    ("charset", "stated"), [("cp1250", "gb2312"), ("latin-1", "utf-8"), ("koi8-r", "koi8-r")]
)
def test_a_charset_that_is_stated_wrongly(charset: str, stated: str) -> None:
    """Bytes that do not fit the charset that a mail or page states are decoded all the same."""
    text = {"cp1250": "Zażółć gęślą jaźń. ", "latin-1": "Der Fluß steigt. "}.get(charset, "Мир. ")
    assert decode((text * 20).encode(charset), stated) == text * 20


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8,
        b"\x7fELF\x02\x01\x01" + b"\x00" * 500,
        "The dam failed.".encode("utf-16-le"),
        bytes(range(256)) * 4,
    ],
    ids=["png", "elf", "utf16 without mark", "all bytes"],
)
def test_binary_files(data: bytes) -> None:
    """A binary file is refused, whatever its name says."""
    assert "save what it says as text" in refusal(data, "photo.txt")


@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_an_error(data: bytes) -> None:
    """Decoding any bytes gives text that can be stored, or a SourceError."""
    try:
        text = decode(data)
    except SourceError:
        return
    assert text == clean(text)
    text.encode()


# JSON lines


def test_rows_in_our_form() -> None:
    """A row's fields become an article's, and the id is kept as given."""
    row = {
        "_id": "nw-7",
        "title": " Dam\nfails ",
        "text": BODY,
        "publisher": "Northwire",
        "author": "A. Vell",
        "published": "2026-03-14",
        "url": "https://northwire.example/7",
        "language": "de",
    }
    moment = datetime(2026, 3, 14, tzinfo=UTC)
    changed = {"title": "Dam fails", "published": moment, "source": "rows, line 1"}
    assert from_row(row) == Article(article_id=row.pop("_id"), **{**row, **changed})  # type: ignore[arg-type]


def test_rows_in_the_form_of_beir() -> None:
    """BEIR's `metadata` is read; the row's own fields take precedence."""
    metadata = {"source": "Courier", "published_at": "2026-03-14T10:00:00Z", "title": "No"}
    found = from_row({"_id": 12, "title": "Yes", "text": BODY, "metadata": metadata})
    assert isinstance(found, Article)
    assert (found.article_id, found.title, found.publisher) == ("12", "Yes", "Courier")
    assert found.published == datetime(2026, 3, 14, 10, tzinfo=UTC)


def test_rows_without_an_id_get_one_from_their_text() -> None:
    """The same text always gets the same id, and another text another."""
    rows = [{"text": BODY}, {"text": BODY, "publisher": "x"}, {"text": BODY + "!"}]
    first, again, other = (found for row in rows if isinstance(found := from_row(row), Article))
    assert first.article_id == again.article_id != other.article_id
    assert first.title == BODY


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({}, "no text"),
        ({"text": " \x00 "}, "no text"),
        ({"text": ["a"]}, "not a string"),
        ({"text": BODY, "title": {"en": "x"}}, "not a string"),
        ({"text": BODY, "_id": "x" * 201}, "1 to 200"),
        ({"text": "x" * 2_000_001}, "split it"),
        ([1], "not a JSON object"),
        (None, "not a JSON object"),
    ],
)
def test_bad_rows(row: Any, error: str) -> None:
    """Each bad row gives a failure that names its line and the reason."""
    item = from_row(row)
    assert isinstance(item, Failure)
    assert item.source == "rows, line 1"
    assert error in item.error


@pytest.mark.parametrize("written", ["01/04/63", "14 March", "0001-01-01T00:00:00+05:00"])
def test_an_ambiguous_date_is_omitted(written: str) -> None:
    """An article with an ambiguous or impossible date is read without it, and says so."""
    row = json.dumps({"title": "Dam fails", "text": BODY, "published": written}).encode()
    stored, omission = formats.read_rows(io.BytesIO(row), "rows")
    assert isinstance(stored, Article)
    assert stored.published is None
    assert isinstance(omission, Omission)
    assert omission.source == "rows, line 1"
    assert f"“{written}” of “Dam fails”" in omission.error


def test_blank_fields_do_not_count() -> None:
    """Fields of white space and control characters are ignored, and so are odd links."""
    item = from_row({"text": BODY, "_id": " ", "publisher": "\x01", "url": "javascript:alert(1)"})
    assert isinstance(item, Article)
    assert item.article_id.isalnum()
    assert (item.publisher, item.url) == (None, None)


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(), max_size=30),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
NAMES = st.sampled_from(
    "_id id title text publisher source author published url metadata x".split()
)


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_row_is_an_article_or_a_failure(row: dict[str, Any]) -> None:
    """Any JSON makes a failure, or an article that can be stored as it is."""
    item = from_row(row)
    if isinstance(item, Article):
        for value in (item.article_id, item.title, item.text, item.publisher or "-"):
            assert value == clean(value)
            assert value.strip()
            value.encode()


def test_a_bad_line_does_not_stop_the_rest() -> None:
    """Lines after a broken one are read, blank ones are ignored, and numbers are the file's."""
    good = json.dumps({"_id": "a", "text": BODY}).encode()
    data = b"\n".join([good, b"{broken", b"", b"\xff\xfe", good])
    found = [*formats.read_rows(io.BytesIO(data), "rows")]
    assert [type(item) for item in found] == [Article, Failure, Failure, Article]
    assert [(item.source or "")[-1] for item in found] == ["1", "2", "4", "5"]


@given(st.integers(1, 600))
def test_a_line_that_is_too_long_is_skipped(size: int) -> None:
    """A line over the limit fails alone, however long it is."""
    data = b"x" * size + b"\n" + json.dumps({"_id": "a", "text": BODY}).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "MAX_BYTES", 100)
        first, second = formats.read_rows(io.BytesIO(data), "rows")
    assert isinstance(first, Failure)
    assert ("longer than" in first.error) == (size >= 100)
    assert isinstance(second, Article)
