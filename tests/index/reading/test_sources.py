"""Files and folders are read; what cannot be read is a failure that stops nothing."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from support.fakes import write_rows

from index.domain import Article, Failure
from index.errors import SourceError
from index.reading import formats, sources
from index.reading.sources import read

BODY = "The dam failed at dawn. Nobody in Tessen was warned."


def one(path: Path) -> Article:
    """Return the only article of a file."""
    (item,) = read(str(path))
    assert isinstance(item, Article), item
    return item


def failure(path: Path) -> Failure:
    """Return the only failure of a file."""
    (item,) = read(str(path))
    assert isinstance(item, Failure), item
    return item


def write(path: Path, content: str | bytes) -> Path:
    """Write a file, and create its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_id_comes_from_the_path(tmp_path: Path) -> None:
    """A file keeps its id when its text changes; files in two folders have different ids."""
    before = one(write(tmp_path / "Dam report.v2.txt", BODY))
    after = one(write(tmp_path / "Dam report.v2.txt", BODY + " More."))
    other = one(write(tmp_path / "b" / "Dam report.v2.txt", BODY))
    assert before.article_id == after.article_id != other.article_id
    assert before.article_id.startswith("dam-report-")


def test_gzip(tmp_path: Path) -> None:
    """Compressed JSON lines and text are read like uncompressed files."""
    rows = write_rows(
        tmp_path / "a.jsonl", [{"_id": "a", "text": BODY}, {"_id": "b", "text": BODY}]
    )
    packed = write(tmp_path / "b.jsonl.gz", gzip.compress(rows.read_bytes()))
    assert [i.article_id for i in read(str(packed)) if isinstance(i, Article)] == ["a", "b"]
    assert one(write(tmp_path / "c.txt.gz", gzip.compress(BODY.encode()))).text == BODY


@pytest.mark.parametrize("damage", ["cut", "flip", "not gzip"])
def test_damaged_gzip(tmp_path: Path, damage: str) -> None:
    """A damaged file ends in a failure; the rows before the damage are kept."""
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


@pytest.mark.parametrize("content", [b"", b" \n\n\t", b"\xef\xbb\xbf", b"---\ntitle: x\n---\n"])
@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_empty_files(tmp_path: Path, name: str, content: bytes) -> None:
    """A file without text gives a failure."""
    assert failure(write(tmp_path / name, content)).source.endswith(name)


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the limit is not read."""
    monkeypatch.setattr(formats, "MAX_BYTES", 100)
    assert "larger than" in failure(write(tmp_path / "a.txt", "x" * 101)).error
    assert one(write(tmp_path / "b.txt", "x" * 100)).text == "x" * 100


def test_a_folder_is_read_in_order(tmp_path: Path) -> None:
    """Sub-folders are read; hidden files and other suffixes are not, and one file fails alone."""
    for name in ("b.txt", "a/z.md", "a/b/c.txt", "c.TXT", ".hidden.txt", ".git/x.txt", "d.xyz"):
        write(tmp_path / name, f"IngestResult {name} says that the dam failed.")
    write(tmp_path / "bad.txt", b"")
    items = [*read(str(tmp_path))]
    names = [Path(item.source or "").relative_to(tmp_path).as_posix() for item in items]
    assert names == ["a/b/c.txt", "a/z.md", "b.txt", "bad.txt", "c.TXT"]
    assert [type(item) for item in items].count(Failure) == 1
    assert sources.total([str(tmp_path)]) == 5


def test_a_dangling_link_is_no_file(tmp_path: Path) -> None:
    """A link to nowhere is a failure, and the rest of its folder is read."""
    write(tmp_path / "a.txt", BODY)
    (tmp_path / "b.txt").symlink_to(tmp_path / "nowhere")
    first, second = read(str(tmp_path))
    assert isinstance(first, Article)
    assert isinstance(second, Failure)


def test_counting(tmp_path: Path) -> None:
    """Text files are counted for a progress bar; files with several articles are not."""
    write(tmp_path / "a.txt", BODY)
    write(tmp_path / "b" / "c.md", BODY)
    assert sources.total([str(tmp_path), str(tmp_path / "a.txt")]) == 3
    write(tmp_path / "b.jsonl.gz", gzip.compress(b"{}"))
    assert sources.total([str(tmp_path)]) is None
    assert sources.total([str(tmp_path / "a.txt"), str(tmp_path / "nowhere")]) is None


@pytest.mark.parametrize(
    "name", ["nowhere.txt", "", "x" * 5000, "~nobody-of-that-name/a.txt", "a\x00b", "/dev/null/x"]
)
def test_a_name_without_a_file(name: str) -> None:
    """A name without a file, possible or not, is a SourceError."""
    with pytest.raises(SourceError, match="is not a file or folder"):
        next(read(name))
    assert sources.total([name]) is None


def test_a_name_that_cannot_be_stored(tmp_path: Path) -> None:
    """A file whose name is not UTF-8 is refused, since its name cannot be stored."""
    name = str(write(tmp_path / "caf\udce9.txt", b"The dam failed."))
    with pytest.raises(SourceError, match="UTF-8"):
        next(read(name))
    assert len(list(read(str(tmp_path)))) == 1


def test_an_empty_folder_and_a_missing_stream_are_errors(tmp_path: Path) -> None:
    """A folder without reports names the suffixes; "-" needs a stream."""
    with pytest.raises(SourceError, match=r"\.txt"):
        next(read(str(tmp_path)))
    with pytest.raises(SourceError, match="standard input"):
        next(read("-"))
