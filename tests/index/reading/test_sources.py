"""Bytes, files and folders become articles; what cannot be read is told and stops nothing."""

from __future__ import annotations

import gzip
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import write_rows

from index.domain import Article, Failure
from index.errors import SourceError
from index.reading import formats, sources
from index.reading.sources import read
from index.reading.text import clean, decode

BODY = "The dam failed at dawn. Nobody in Tessen was warned."


def one(path: Path) -> Article:
    """The only article of a file."""
    (item,) = read(str(path))
    assert isinstance(item, Article), item
    return item


def failure(path: Path) -> Failure:
    """The only failure of a file."""
    (item,) = read(str(path))
    assert isinstance(item, Failure), item
    return item


def from_row(row: object) -> Article | Failure:
    """What one JSON line makes."""
    (item,) = read("-", io.BytesIO(json.dumps(row).encode() + b"\n"))
    return item


def write(path: Path, content: str | bytes) -> Path:
    """Write a file, in folders that are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# Text


def test_text_with_front_matter(tmp_path: Path) -> None:
    """Front matter gives the fields of a text file; the text is what follows it."""
    article = one(
        write(
            tmp_path / "a.txt",
            "---\ntitle: 'Dam: the night'\nPublisher: Northwire\nauthor: A. Vell\n"
            "published: 2026-03-14T09:30:00+02:00\nurl: https://northwire.example/dam\n"
            f"language: en\nid: nw-1\n---\n{BODY}\n",
        )
    )
    assert (article.article_id, article.title) == ("nw-1", "Dam: the night")
    assert (article.publisher, article.author) == ("Northwire", "A. Vell")
    assert article.published == datetime(2026, 3, 14, 7, 30, tzinfo=UTC)
    assert article.url == "https://northwire.example/dam"
    assert article.text.strip() == BODY


def test_first_line_is_the_title(tmp_path: Path) -> None:
    """A short first line that ends like a headline is the title, and is not quoted from."""
    article = one(write(tmp_path / "a.txt", f"Dam fails in Arvenland\n\n{BODY}\n"))
    assert article.title == "Dam fails in Arvenland"
    assert article.text.strip() == BODY


@pytest.mark.parametrize("first", ["It failed at dawn.", "Who was warned?", "x" * 181])
def test_first_sentence_is_no_title(tmp_path: Path, first: str) -> None:
    """A first line that is a sentence, or longer than a headline, stays in the text."""
    article = one(write(tmp_path / "a.txt", f"{first}\n{BODY}\n"))
    assert article.text.startswith(first)
    assert article.title.startswith(first[:10])


def test_id_comes_from_the_path(tmp_path: Path) -> None:
    """A file keeps its id when its text changes, and equal names in two folders differ."""
    before = one(write(tmp_path / "Dam report.v2.txt", BODY))
    after = one(write(tmp_path / "Dam report.v2.txt", BODY + " More."))
    other = one(write(tmp_path / "b" / "Dam report.v2.txt", BODY))
    assert before.article_id == after.article_id != other.article_id
    assert before.article_id.startswith("dam-report-")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xef\xbb\xbf" + "Café – ok.".encode(), "Café – ok."),
        (b"\xff\xfe" + "Café – ok.".encode("utf-16-le"), "Café – ok."),
        (b"\xfe\xff" + "Café – ok.".encode("utf-16-be"), "Café – ok."),
        (b"\xff\xfe\0\0" + "Café – ok.".encode("utf-32-le"), "Café – ok."),
        (
            f"{BODY} The café owner José Ávila said so.".encode("latin-1"),
            f"{BODY} The café owner José Ávila said so.",
        ),
        (
            f"{BODY} “It failed,” she said – “twice.”".encode("cp1252"),
            f"{BODY} “It failed,” she said – “twice.”",
        ),
        (BODY.encode() * 5_000 + b" It cost \xa340.", BODY * 5_000 + " It cost £40."),
        (b"one\r\ntwo\rthree\x0cfour", "one\ntwo\nthree\nfour"),
        (b"a\x00b\x07c", "abc"),
        ("e\u0301 \u202eabc\u202c 👩\u200d🚒".encode(), "e\u0301 \u202eabc\u202c 👩\u200d🚒"),
    ],
    ids=[
        "bom",
        "utf16le",
        "utf16be",
        "utf32",
        "latin1",
        "cp1252",
        "late",
        "lines",
        "controls",
        "hostile",
    ],
)
def test_decoding(data: bytes, expected: str) -> None:
    """Whatever the encoding, the text is read; what a reader sees is not changed."""
    assert decode(data) == expected


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
def test_binary_with_a_text_name(tmp_path: Path, data: bytes) -> None:
    """A binary file is refused with what to do, whatever its name says."""
    assert "save it as UTF-8 text" in failure(write(tmp_path / "photo.txt", data)).error


@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_an_error(data: bytes) -> None:
    """No bytes make decoding fail in another way, and what comes out can be stored."""
    try:
        text = decode(data)
    except SourceError:
        return
    assert text == clean(text)
    text.encode()


@given(st.text(st.characters(), max_size=200))
def test_cleaning_leaves_what_can_be_stored(text: str) -> None:
    """Cleaned text has no control characters and no lone surrogates; cleaning again is nothing."""
    cleaned = clean(text)
    cleaned.encode()
    assert not set(cleaned) & {chr(code) for code in range(32) if chr(code) not in "\n\t"}
    assert clean(cleaned) == cleaned


# Markdown


def test_markdown_becomes_plain_text(tmp_path: Path) -> None:
    """Marks, links, images' addresses and HTML go; words, tables and code stay."""
    article = one(
        write(
            tmp_path / "a.md",
            "---\npublisher: Courier\n---\n# Dam *fails*\n\nThe **dam** at\n"
            "[Tessen](https://x.example/a) failed &amp; fell.\n\n## Numbers\n\n- one\n- two\n\n"
            "> “Run,” she said.\n\n| place | dead |\n|---|---|\n| Tessen | 3 |\n\n"
            "```\ncode here\n```\n\n<div>html</div>\n",
        )
    )
    assert (article.title, article.publisher) == ("Dam fails", "Courier")
    blocks = article.text.split("\n\n")
    assert blocks == [
        "The dam at Tessen failed & fell.",
        "Numbers",
        "one",
        "two",
        "“Run,” she said.",
        "place | dead",
        "Tessen | 3",
        "code here",
    ]


def test_markdown_title_of_the_front_matter_wins(tmp_path: Path) -> None:
    """With a title in the front matter, the first heading is text like any other."""
    article = one(write(tmp_path / "a.md", f"---\ntitle: Ours\n---\n# Theirs\n\n{BODY}\n"))
    assert article.title == "Ours"
    assert article.text == f"Theirs\n\n{BODY}"


# JSON lines


def test_rows_of_our_form() -> None:
    """A row's fields become an article's, and the id is kept as given."""
    article = from_row(
        {
            "_id": "nw-7",
            "title": " Dam\nfails ",
            "text": BODY,
            "publisher": "Northwire",
            "author": "A. Vell",
            "published": "2026-03-14",
            "url": "https://northwire.example/7",
            "language": "de",
        }
    )
    assert article == Article(
        article_id="nw-7",
        title="Dam fails",
        text=BODY,
        publisher="Northwire",
        author="A. Vell",
        published=datetime(2026, 3, 14, tzinfo=UTC),
        url="https://northwire.example/7",
        language="de",
        source="standard input, line 1",
    )


def test_rows_of_the_beir_form() -> None:
    """BEIR's `metadata` is read; what the row itself says goes before it."""
    metadata = {"source": "Courier", "published_at": "2026-03-14T10:00:00Z", "title": "No"}
    article = from_row({"_id": 12, "title": "Yes", "text": BODY, "metadata": metadata})
    assert isinstance(article, Article)
    assert (article.article_id, article.title, article.publisher) == ("12", "Yes", "Courier")
    assert article.published == datetime(2026, 3, 14, 10, tzinfo=UTC)


def test_rows_without_id_get_one_from_their_content() -> None:
    """The same row has the same id wherever it is read; another text has another."""
    first, again = from_row({"text": BODY}), from_row({"text": BODY, "publisher": "x"})
    other = from_row({"text": BODY + "!"})
    assert isinstance(first, Article)
    assert isinstance(again, Article)
    assert isinstance(other, Article)
    assert first.article_id == again.article_id != other.article_id
    assert first.title == BODY


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({}, "no text"),
        ({"text": " \x00 "}, "no text"),
        ({"text": ["a"]}, "not a string"),
        ({"text": BODY, "title": {"en": "x"}}, "not a string"),
        ({"text": BODY, "published": "14 March"}, "ISO 8601"),
        ({"text": BODY, "published": "0001-01-01T00:00:00+05:00"}, "ISO 8601"),
        ({"text": BODY, "_id": "x" * 201}, "longer than 200"),
        ({"text": "x" * 2_000_001}, "split it"),
        ([1], "not a JSON object"),
        (None, "not a JSON object"),
        ("text", "not a JSON object"),
    ],
)
def test_bad_rows_are_told(row: Any, error: str) -> None:
    """Each bad row makes one failure that names its line and says what is wrong."""
    item = from_row(row)
    assert isinstance(item, Failure)
    assert item.source == "standard input, line 1"
    assert error in item.error


def test_blank_fields_are_no_fields() -> None:
    """Fields of white space and control characters count as not given; odd links are dropped."""
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
def test_any_json_row_is_an_article_or_a_failure(row: dict[str, Any]) -> None:
    """No JSON makes reading fail in another way, and an article can be stored as it is."""
    item = from_row(row)
    if isinstance(item, Article):
        for value in (item.article_id, item.title, item.text, item.publisher or "-"):
            assert value == clean(value)
            assert value.strip()
            value.encode()


def test_a_bad_line_does_not_stop_the_rest(tmp_path: Path) -> None:
    """Lines after a broken one are read, blank ones are none, and numbers are the file's."""
    good = json.dumps({"_id": "a", "text": BODY}).encode()
    data = b"\n".join([good, b"{broken", b"", b"\xff\xfe", good.replace(b'"a"', b'"b"')])
    items = [*read(str(write(tmp_path / "a.jsonl", data)))]
    assert [type(item) for item in items] == [Article, Failure, Failure, Article]
    assert [item.source.rpartition(" ")[2] for item in items] == ["1", "2", "4", "5"]


def test_a_line_too_long_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line over the limit fails alone, whatever its length is in limits."""
    monkeypatch.setattr(formats, "MAX_BYTES", 100)
    row = {"_id": "a", "text": BODY}
    for size in (101, 199, 200, 201, 500):
        path = write(tmp_path / "a.jsonl", "x" * size + "\n" + json.dumps(row) + "\n")
        items = [*read(str(path))]
        assert [type(item) for item in items] == [Failure, Article], size


def test_gzip(tmp_path: Path) -> None:
    """Compressed JSON lines and text are read like plain ones."""
    rows = write_rows(
        tmp_path / "a.jsonl", [{"_id": "a", "text": BODY}, {"_id": "b", "text": BODY}]
    )
    packed = write(tmp_path / "b.jsonl.gz", gzip.compress(rows.read_bytes()))
    assert [i.article_id for i in read(str(packed)) if isinstance(i, Article)] == ["a", "b"]
    assert one(write(tmp_path / "c.txt.gz", gzip.compress(BODY.encode()))).text == BODY


@pytest.mark.parametrize("damage", ["cut", "flip", "not gzip"])
def test_damaged_gzip_is_told(tmp_path: Path, damage: str) -> None:
    """A damaged archive ends in a failure; rows before the damage are kept."""
    lines = "".join(
        json.dumps({"text": f"{BODY} {os.urandom(99).hex()}"}) + "\n" for _ in range(400)
    )
    data = bytearray(gzip.compress(lines.encode()))
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flip":
        data[-6] ^= 1
    else:
        data = bytearray(lines.encode())
    *rows, last = read(str(write(tmp_path / "a.jsonl.gz", bytes(data))))
    assert isinstance(last, Failure)
    assert "damaged gzip" in last.error
    assert bool(rows) == (damage != "not gzip")


# Files and folders


@pytest.mark.parametrize("content", [b"", b" \n\n\t", b"\xef\xbb\xbf", b"---\ntitle: x\n---\n"])
@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_empty_files_are_told(tmp_path: Path, name: str, content: bytes) -> None:
    """A file without text makes one failure."""
    assert failure(write(tmp_path / name, content)).source.endswith(name)


def test_a_file_too_large_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the limit is not read into memory and is told."""
    monkeypatch.setattr(formats, "MAX_BYTES", 100)
    assert "larger than" in failure(write(tmp_path / "a.txt", "x" * 101)).error
    assert one(write(tmp_path / "b.txt", "x" * 100)).text == "x" * 100


def test_a_folder_is_read_in_order(tmp_path: Path) -> None:
    """Sub-folders too, hidden files and other suffixes not, each failing file alone."""
    for name in ("b.txt", "a/z.md", "a/b/c.txt", "c.TXT", ".hidden.txt", ".git/x.txt", "d.xyz"):
        write(tmp_path / name, f"IngestResult {name} says that the dam failed.")
    write(tmp_path / "bad.txt", b"")
    items = [*read(str(tmp_path))]
    names = [Path(item.source or "").relative_to(tmp_path).as_posix() for item in items]
    assert names == ["a/b/c.txt", "a/z.md", "b.txt", "bad.txt", "c.TXT"]
    assert [type(item) for item in items].count(Failure) == 1
    assert sources.total([str(tmp_path)]) == 5


def test_a_folder_that_is_hidden_itself_is_read(tmp_path: Path) -> None:
    """Hidden are files below the folder that was named, not the folder."""
    write(tmp_path / ".drafts" / "a.txt", BODY)
    assert len([*read(str(tmp_path / ".drafts"))]) == 1


def test_a_dangling_link_is_no_file(tmp_path: Path) -> None:
    """A link to nowhere is named as a failure, and the rest of its folder is read."""
    write(tmp_path / "a.txt", BODY)
    (tmp_path / "b.txt").symlink_to(tmp_path / "nowhere")
    first, second = read(str(tmp_path))
    assert isinstance(first, Article)
    assert isinstance(second, Failure)


def test_counting(tmp_path: Path) -> None:
    """The count for a progress bar is at least what is read, for files and folders."""
    write_rows(tmp_path / "a.jsonl", [{"text": BODY}] * 5)
    write(tmp_path / "b.jsonl.gz", gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    write(tmp_path / "c.txt", BODY)
    assert 11 <= (sources.total([str(tmp_path)]) or 0) <= 13
    assert sources.total([str(tmp_path / "nowhere")]) is None


@pytest.mark.parametrize(
    "name", ["nowhere.txt", "", "x" * 5000, "~nobody-of-that-name/a.txt", "a\x00b", "/dev/null/x"]
)
def test_a_name_of_nothing_is_an_error(name: str) -> None:
    """A name without a file behind it, possible or not, is told as one kind of error."""
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        next(read(name))
    assert sources.total([name]) is None


def test_an_empty_folder_and_a_missing_stream_are_errors(tmp_path: Path) -> None:
    """A folder without reports names the suffixes; "-" needs a stream."""
    with pytest.raises(SourceError, match=r"\.txt"):
        next(read(str(tmp_path)))
    with pytest.raises(SourceError, match="standard input"):
        next(read("-"))
