"""Files, folders, addresses and streams -> articles.

A source yields articles and, in between, failures: what cannot be read is told in one sentence
and does not stop the rest.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from index.domain import Article
from index.errors import InputError, SourceError
from index.reading import formats
from index.reading.formats import SUFFIXES, Found, Place, suffix_of
from index.reading.http import Fetcher
from index.reading.text import Failure, Item, Link, Page

Known = Callable[[str], Page | None]
_SETTLED_NS = 2_000_000_000  # a file may change twice within what its clock can tell apart


def read(
    source: str,
    stream: IO[bytes] | None = None,
    fetcher: Fetcher | None = None,
    known: Known = lambda _: None,
) -> Iterator[Item]:
    """Read a file, a folder, a page or feed by its address or, for "-", JSON lines.

    Folders are read in name order, sub-folders too, without hidden files. Where a feed holds only
    summaries, the pages it names are fetched. A `Page` follows the articles of each file or
    address that was read without a failure.

    Args:
        source: a path, an address that starts with http:// or https://, or "-".
        stream: bytes for "-".
        fetcher: for addresses; one with the usual limits unless given.
        known: file or address -> how it was read before; where it has not changed since, it is
            not read, and its `Page` says so.

    Raises:
        SourceError: there is nothing of that name, or nothing in it that can be read.
    """
    if source == "-":
        if stream is None:
            raise SourceError("There is no standard input to read from.")
        yield from formats.rows(stream, "standard input")
        return
    if is_address(source):
        yield from _fetched(source, fetcher or Fetcher(), known)
        return
    path = existing(source)
    if path is None:
        raise SourceError(f"{source} is neither a file nor a folder: check the name.")
    files = files_in(path)
    if not files:
        suffixes = ", ".join(sorted(SUFFIXES))
        raise SourceError(f"{source} has no report files: they end in {suffixes}.")
    for file in files:
        yield from _read_file(file, known)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody handed in: where it lies for now, and what it was called."""

    path: Path
    name: str


def uploaded(files: Iterable[Upload | Failure]) -> Iterator[Item]:
    """Read files that were handed in; the same content under the same name is one article."""
    for one in files:
        if isinstance(one, Failure):
            yield one
            continue
        try:
            with one.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                file.seek(0)
                place = Place(one.name, origin=f"upload:{digest[:16]}/{one.name}")
                for item in formats.read(file, place):
                    yield _unread(item) if isinstance(item, Link) else item
        except (InputError, OSError) as error:
            yield Failure(one.name, str(error))


def is_address(source: str) -> bool:
    """Whether a source is fetched, and not looked for on this machine."""
    return source.lower().startswith(("http://", "https://"))


def existing(source: str) -> Path | None:
    """The file or folder of that name; None where there is none."""
    try:
        path = Path(source).expanduser()
        return path if source and (path.is_file() or path.is_dir()) else None
    except (OSError, RuntimeError):  # a name that no system takes, a home that nobody has
        return None


def files_in(path: Path) -> list[Path]:
    """A file; of a folder, those below it that have a reader, in name order, none hidden."""
    if not path.is_dir():
        return [path]
    found = []
    for place, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        shown = [name for name in names if not name.startswith(".")]
        found += [Path(place, name) for name in shown if suffix_of(name) in SUFFIXES]
    return sorted(found)


def skipped_files(names: Iterable[str]) -> int:
    """How many files of the folders among `names` have a suffix that no reader takes."""
    count = 0
    for folder in (path for name in names if (path := existing(name)) and path.is_dir()):
        for _, inner, files in os.walk(folder):
            inner[:] = [name for name in inner if not name.startswith(".")]
            count += sum(not name.startswith(".") for name in files)
        count -= len(files_in(folder))
    return count


def total(names: Iterable[str]) -> int | None:
    """How many articles files and folders hold at the most, for a progress bar; None: unknown."""
    counted = 0
    for name in names:
        path = existing(name) if name != "-" else None
        if path is None:
            return None
        counted += sum(map(_most, files_in(path)))
    return counted


def _most(path: Path) -> int:
    """How many articles a file holds at the most."""
    if SUFFIXES.get(suffix_of(path.name)) != "json lines":
        return 1
    packed = path.suffix.lower() == ".gz"
    try:
        with cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb") as file:
            return sum(1 for _ in file)
    except (OSError, EOFError, zlib.error):
        return 1


def _read_file(path: Path, known: Known) -> Iterator[Item]:
    name = _shown(path)
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            stamp = f"{state.st_mtime_ns} {state.st_size}"
            before = known(name)
            if before and before.modified == stamp:
                yield replace(before, unchanged=True)
                return
            settled = time.time_ns() - state.st_mtime_ns > _SETTLED_NS
            read = Page(name, None, stamp if settled else None)
            yield from _told(read, formats.read(file, Place(name)))
    except InputError as error:
        yield Failure(name, str(error))
    except OSError as error:
        yield Failure(name, f"{path.name} cannot be read ({error.strerror}).")


def _fetched(url: str, fetcher: Fetcher, known: Known, *, linked: bool = False) -> Iterator[Item]:
    """What an address holds; a page that a feed names is not taken for another feed."""
    links: list[str] = []
    try:
        before = known(url)
        page = fetcher.get(url, before.etag, before.modified) if before else fetcher.get(url)
        if before and page.not_modified:
            links += before.links
            yield replace(before, unchanged=True)
        else:
            place = Place(page.url, page.url, page.content_type, page.charset)
            found = formats.read(io.BytesIO(page.body), place)
            read = Page(url, page.etag, page.last_modified)
            yield from _told(read, found, None if linked else links)
    except InputError as error:
        yield Failure(url, str(error))
    for link in links:
        yield from _fetched(link, fetcher, known, linked=True)


def _told(page: Page, found: Iterator[Found], links: list[str] | None = None) -> Iterator[Item]:
    """Items as they are, then the page where all went well and it can be known again.

    Links go to `links`; without it they are failures.
    """
    held: dict[str, None] = {}
    whole = True
    for item in found:
        if isinstance(item, Article):
            held[item.article_id] = None
        elif isinstance(item, Link) and links is not None:
            links.append(item.url)
            continue
        else:
            whole = False
        yield _unread(item) if isinstance(item, Link) else item
    if whole and (page.etag or page.modified):
        yield replace(page, articles=tuple(held), links=tuple(links or ()))


def _unread(link: Link) -> Failure:
    return Failure(link.url, f"The feed holds only a summary of “{link.title}”: add its page.")


def _shown(path: Path) -> str:
    """A path as text that can be stored, whatever bytes its name is made of."""
    return str(path).encode("utf-8", "replace").decode()
