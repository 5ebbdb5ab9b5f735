"""Files, folders, addresses and streams -> articles.

A source yields articles and, in between, failures: what cannot be read is told in one sentence
and does not stop the rest.
"""

from __future__ import annotations

import contextlib
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

from index import formats
from index.article import Article
from index.errors import InputError, SourceError
from index.fetch import Fetcher
from index.formats import SUFFIXES, Place, suffix_of
from index.plain import Failure, Item, Link, Page

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
    if path.is_dir():
        files = files_in(path)
        if not files:
            raise SourceError(
                f"{source} has no report files: they end in {', '.join(sorted(SUFFIXES))}."
            )
        for file in files:
            yield from _read_file(file, known)
    else:
        yield from _read_file(path, known)


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


def files_in(folder: Path) -> list[Path]:
    """The files below a folder that have a reader, in name order, hidden ones left out."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(place, name)
            for name in names
            if suffix_of(name) in SUFFIXES and not name.startswith(".")
        ]
    return sorted(found)


def stamps(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of each file that is read there, to see that something changed."""
    found = []
    for file in files_in(path) if path.is_dir() else [path]:
        with contextlib.suppress(OSError):  # it was there a moment ago
            state = file.stat()
            found.append((str(file), state.st_mtime_ns, state.st_size))
    return tuple(found)


def count(source: str) -> int | None:
    """How many articles a file or folder holds at the most, for a progress bar; None: unknown."""
    path = existing(source)
    if path is None:
        return None
    files = files_in(path) if path.is_dir() else [path]
    return sum(
        _lines(file) if SUFFIXES.get(suffix_of(file.name)) == "json lines" else 1 for file in files
    )


def total(names: Iterable[str]) -> int | None:
    """How many articles all of them hold at the most; None: unknown, as of standard input."""
    counts = [count(name) if name != "-" else None for name in names]
    return None if None in counts else sum(one or 0 for one in counts)


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
            place = Place(
                page.url, url=page.url, content_type=page.content_type, charset=page.charset
            )
            items = formats.read(io.BytesIO(page.body), place)
            yield from _told(Page(url, page.etag, page.last_modified), items, links, linked=linked)
    except InputError as error:
        yield Failure(url, str(error))
    for link in links:
        yield from _fetched(link, fetcher, known, linked=True)


def _told(
    page: Page, items: Iterator[Item | Link], links: list[str] | None = None, *, linked: bool = True
) -> Iterator[Item]:
    """Items as they are, then the page where all went well and it can be known again."""
    held: list[str] = []
    links = [] if links is None else links
    whole = True
    for item in items:
        if isinstance(item, Link) and not linked:
            links.append(item.url)
            continue
        told = _unread(item) if isinstance(item, Link) else item
        whole = whole and not isinstance(told, Failure)
        held += [told.article_id] if isinstance(told, Article) else []
        yield told
    if whole and (page.etag or page.modified):
        yield replace(page, articles=tuple(dict.fromkeys(held)), links=tuple(links))


def _unread(link: Link) -> Failure:
    return Failure(link.url, f"The feed holds only a summary of “{link.title}”: add its page.")


def _shown(path: Path) -> str:
    """A path as text that can be stored, whatever bytes its name is made of."""
    return str(path).encode("utf-8", "replace").decode()


def _lines(path: Path) -> int:
    packed = path.suffix.lower() == ".gz"
    try:
        with cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) + 1
    except (OSError, EOFError, zlib.error):
        return 1
