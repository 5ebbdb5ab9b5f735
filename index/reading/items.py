"""What reading a source yields."""

from __future__ import annotations

from dataclasses import dataclass

from index.domain import Article, Failure


@dataclass(frozen=True, slots=True)
class PageState:
    """A file or URL as it was last read: its validators and what it held.

    `modified` is a server's Last-Modified, or a file's time and size; `articles` are ids; `links`
    are pages that a feed only names; `unchanged` means that it was not read again.
    """

    address: str
    etag: str | None
    modified: str | None
    articles: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A report that a feed only names: its page has to be fetched. `key`: see `Article`."""

    url: str
    title: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Omission:
    """What was left out of something that was read, and one sentence that says why.

    Such as a date that can mean several days, or one item of a feed; the rest went in.
    """

    source: str
    error: str


SourceItem = Article | Failure | Omission | PageState
