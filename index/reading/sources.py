"""Read files, folders, URLs and streams; what cannot be read becomes a `Failure`."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from index.domain import Article, Failure
from index.errors import InputError, SourceError
from index.reading import formats
from index.reading.formats import Item
from index.reading.http import Fetcher
from index.reading.items import Link, PageState, SourceItem
from index.reading.recognise import READABLE_SUFFIXES, Origin, suffix_of
from index.reading.urls import is_url, site

PageLookup = Callable[[str], PageState | None]
"""Returns the state of a file or URL when it was last read."""

_OF_MANY = frozenset(
    ".jsonl .ndjson .csv .tsv .zip .eml .rss .atom .xml".split()
)  # formats with any number of articles
_CLOCK_NS = 2_000_000_000  # a file may change twice within one tick of its file system's clock


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file: its temporary path, and its name."""

    path: Path
    name: str


def read(
    source: str,
    stream: IO[bytes] | None = None,
    fetcher: Fetcher | None = None,
    last_state: PageLookup = lambda _: None,
) -> Iterator[SourceItem]:
    """Read a file, a folder, the page or feed at a URL or, for "-", JSON lines.

    Folders are read in name order with their sub-folders, without hidden files. If a feed has only
    summaries, the pages are fetched. A `PageState` follows the articles of each file or URL that
    was read without a failure.

    Args:
        source: a path, a URL, or "-".
        stream: bytes for "-".
        fetcher: fetches URLs; the default has the usual limits.
        last_state: a file or URL that has not changed since then is not read, and its new state
            says so.

    Raises:
        SourceError: there is no such source, or it has nothing that can be read.
    """
    if source == "-":
        if stream is None:
            raise SourceError("There is no standard input: pipe JSON lines into this command.")
        yield from formats.read_rows(stream, "standard input")
    elif is_url(source):
        yield from _read_url(source, fetcher or Fetcher(), last_state)
    else:
        if existing(source) is None:
            raise SourceError(missing(source))
        files, _ = _files(source)
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
                state = PageState(upload.name, None, None)
                yield from _with_state(state, formats.read(file, origin))
        except (InputError, OSError) as error:
            yield Failure(upload.name, str(error))


def existing(name: str) -> Path | None:
    """Return the file or folder of that name, if any; a name has to be UTF-8 to be stored."""
    try:
        name.encode()
        path = Path(name).expanduser()
        return path if name and (path.is_file() or path.is_dir()) else None
    except (OSError, RuntimeError, UnicodeError):  # an impossible name, or an unknown user's home
        return None


def missing(name: str) -> str:
    """Return a message that there is no file or folder of that name."""
    if any("\ud800" <= char <= "\udfff" for char in name):  # a byte that is not UTF-8
        return f"{name} has a name that is not in UTF-8: rename it."
    return f"{name} is not a file or folder: check the name."


def skipped_files(names: Iterable[str]) -> int:
    """Return how many files of the folders among `names` have no readable suffix."""
    return sum(_files(name)[1] for name in names)


def total(names: Sequence[str]) -> int | None:
    """Return how many articles these sources have, for a progress bar; None if unknown."""
    files = [file for name in names for file in _files(name)[0]]
    unknown = None in map(existing, names) or any(suffix_of(f.name) in _OF_MANY for f in files)
    return None if unknown else len(files)


def _files(name: str) -> tuple[list[Path], int]:
    """Return a file, or a folder's readable files in name order, and the number of other files.

    Hidden files and folders do not count.
    """
    path = existing(name)
    if path is None or path.is_file():
        return [path] if path else [], 0
    visible: list[Path] = []
    for parent, folders, files in os.walk(path):
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
        visible += (Path(parent, file) for file in files if not file.startswith("."))
    readable = sorted(file for file in visible if suffix_of(file.name) in READABLE_SUFFIXES)
    return readable, len(visible) - len(readable)


def _read_file(path: Path, last_state: PageLookup) -> Iterator[SourceItem]:
    name = str(path).encode("utf-8", "replace").decode()  # so that any name can be stored
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
    url: str,
    fetcher: Fetcher,
    last_state: PageLookup,
    named: Link | None = None,
    feed: str = "",
) -> Iterator[SourceItem]:
    """Read a page or feed, and the pages that a feed links to.

    A page that was `named` by a feed cannot itself be a feed. If it is on the site of the feed, it
    is identified as in the feed.
    """
    links: Sequence[Link] = ()
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
            if named and named.key and site(page.url) == site(feed):
                items = _keyed(items, named.key)
            links = yield from _with_state(state, items, follow=named is None)
    except InputError as error:
        yield Failure(url, str(error))
    for link in links:
        yield from _read_url(link.url, fetcher, last_state, link, url)


def _keyed(items: Iterator[Item], key: str) -> Iterator[Item]:
    """Yield the items, and give the article among them a key."""
    for item in items:
        yield replace(item, key=key) if isinstance(item, Article) and not item.key else item


def _with_state(
    state: PageState, items: Iterator[Item], *, follow: bool = False
) -> Generator[SourceItem, None, list[Link]]:
    """Yield the items, then the state if there were any and a later change could be noticed.

    Failures within it, such as a line of many, are reported again only when it is read again: after
    a change, or when it is added once more.

    Returns the links to `follow`, each page once; otherwise links are failures.
    """
    article_ids: list[str] = []
    links: dict[str, Link] = {}
    for item in items:
        if isinstance(item, Article):
            article_ids.append(item.article_id)
            yield item
        elif isinstance(item, Link) and follow:
            links.setdefault(item.url, item)
        elif isinstance(item, Link):
            yield Failure(item.url, f"The feed has only a summary of “{item.title}”: add its page.")
        else:
            yield item
    pages = tuple(links.values())
    if (article_ids or links) and (state.etag or state.modified):
        yield replace(state, articles=tuple(dict.fromkeys(article_ids)), links=pages)
    return [*pages]
