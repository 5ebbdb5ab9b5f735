"""Read files, folders, URLs and streams as articles.

What cannot be read is yielded as a `Failure` and does not stop the rest.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from index.domain import Article, Failure, PageState, SourceItem
from index.errors import InputError, SourceError
from index.reading import formats
from index.reading.formats import READABLE_SUFFIXES, Link, Origin, suffix_of
from index.reading.http import Fetcher
from index.reading.urls import is_url

PageLookup = Callable[[str], PageState | None]
"""File or URL -> its state when it was last read."""

_CLOCK_NS = 2_000_000_000  # a file may change twice within one tick of its file system's clock


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file: where it is for now, and its name."""

    path: Path
    name: str


def read(
    source: str,
    stream: IO[bytes] | None = None,
    fetcher: Fetcher | None = None,
    last_state: PageLookup = lambda _: None,
) -> Iterator[SourceItem]:
    """Read a file, a folder, the page or feed at a URL or, for "-", JSON lines.

    Folders are read in name order with their sub-folders, without hidden files. Pages that a feed
    only summarises are fetched. A `PageState` follows the articles of each file or URL that was
    read without a failure.

    Args:
        source: a path, a URL, or "-".
        stream: bytes for "-".
        fetcher: for URLs; the default has the usual limits.
        last_state: a file or URL that has not changed since is not read, and its state says so.

    Raises:
        SourceError: there is no such source, or nothing in it that can be read.
    """
    if source == "-":
        if stream is None:
            raise SourceError("There is no standard input: pipe JSON lines into this command.")
        yield from formats.read_rows(stream, "standard input")
    elif is_url(source):
        yield from _read_url(source, fetcher or Fetcher(), last_state)
    else:
        path = existing(source)
        if path is None:
            raise SourceError(f"{source} is neither a file nor a folder: check the name.")
        files = files_in(path)
        if not files:
            suffixes = ", ".join(sorted(READABLE_SUFFIXES))
            raise SourceError(f"{source} has no reports: add files that end in {suffixes}.")
        for file in files:
            yield from _read_file(file, last_state)


def uploaded(files: Iterable[Upload | Failure]) -> Iterator[SourceItem]:
    """Read uploaded files; the same content under the same name is the same article."""
    for upload in files:
        if isinstance(upload, Failure):
            yield upload
            continue
        try:
            with upload.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                file.seek(0)
                origin = Origin(upload.name, upload=f"upload:{digest[:16]}/{upload.name}")
                for item in formats.read(file, origin):
                    yield _summary_only(item) if isinstance(item, Link) else item
        except (InputError, OSError) as error:
            yield Failure(upload.name, str(error))


def existing(name: str) -> Path | None:
    """The file or folder of that name, if there is one."""
    try:
        path = Path(name).expanduser()
        return path if name and (path.is_file() or path.is_dir()) else None
    except (OSError, RuntimeError):  # an impossible name, or the home of nobody
        return None


def files_in(path: Path) -> list[Path]:
    """The file itself, or the readable files of a folder in name order, without hidden ones."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in _visible(path) if suffix_of(file.name) in READABLE_SUFFIXES)


def skipped_files(names: Iterable[str]) -> int:
    """How many files of the folders among `names` have a suffix that is not readable."""
    folders = (path for name in names if (path := existing(name)) and path.is_dir())
    files = (file for folder in folders for file in _visible(folder))
    return sum(suffix_of(file.name) not in READABLE_SUFFIXES for file in files)


def _visible(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def total(names: Iterable[str]) -> int | None:
    """How many articles files and folders hold at most, for a progress bar; None if unknown."""
    paths = [existing(name) for name in names]
    if None in paths:
        return None
    return sum(_count(file) for path in paths if path for file in files_in(path))


def _count(path: Path) -> int:
    """How many articles a file holds at most."""
    if READABLE_SUFFIXES.get(suffix_of(path.name)) != "json lines":
        return 1
    is_gzip = path.suffix.lower() == ".gz"
    try:
        with cast("IO[bytes]", gzip.open(path)) if is_gzip else path.open("rb") as file:
            return sum(1 for _ in file)
    except (OSError, EOFError, zlib.error):
        return 1


def _read_file(path: Path, last_state: PageLookup) -> Iterator[SourceItem]:
    name = str(path).encode("utf-8", "replace").decode()  # a name of any bytes can be stored
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            modified = f"{stat.st_mtime_ns} {stat.st_size}"
            before = last_state(name)
            if before and before.modified == modified:
                yield replace(before, unchanged=True)
                return
            settled = time.time_ns() - stat.st_mtime_ns > _CLOCK_NS
            state = PageState(name, None, modified if settled else None)
            yield from _with_state(state, formats.read(file, Origin(name)))
    except InputError as error:
        yield Failure(name, str(error))
    except OSError as error:
        yield Failure(name, f"{path.name} cannot be read ({error.strerror}): check it.")


def _read_url(
    url: str, fetcher: Fetcher, last_state: PageLookup, *, from_feed: bool = False
) -> Iterator[SourceItem]:
    """Read a page or feed and the pages that a feed names, which cannot be feeds themselves."""
    links: Sequence[str] = ()
    try:
        before = last_state(url)
        page = fetcher.get(url, before.etag, before.modified) if before else fetcher.get(url)
        if before and page.not_modified:
            links = before.links
            yield replace(before, unchanged=True)
        else:
            origin = Origin(page.url, page.url, page.content_type, page.charset)
            state = PageState(url, page.etag, page.last_modified)
            items = formats.read(io.BytesIO(page.body), origin)
            links = yield from _with_state(state, items, follow=not from_feed)
    except InputError as error:
        yield Failure(url, str(error))
    for link in links:
        yield from _read_url(link, fetcher, last_state, from_feed=True)


def _with_state(
    state: PageState, items: Iterator[Article | Failure | Link], *, follow: bool = False
) -> Generator[SourceItem, None, list[str]]:
    """Yield the items, then the state if nothing failed and a later change could be noticed.

    Returns the URLs of links to follow; if none are to be followed, links are failures.
    """
    article_ids: dict[str, None] = {}
    links: list[str] = []
    failed = False
    for item in items:
        if isinstance(item, Article):
            article_ids[item.article_id] = None
            yield item
        elif isinstance(item, Link) and follow:
            links.append(item.url)
        else:
            failed = True
            yield _summary_only(item) if isinstance(item, Link) else item
    if not failed and (state.etag or state.modified):
        yield replace(state, articles=tuple(article_ids), links=tuple(links))
    return links


def _summary_only(link: Link) -> Failure:
    return Failure(link.url, f"The feed has only a summary of “{link.title}”: add its page.")
