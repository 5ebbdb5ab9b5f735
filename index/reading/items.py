"""The items that reading a source yields."""

from __future__ import annotations

from dataclasses import dataclass

from index.domain import Article, Failure


@dataclass(frozen=True, slots=True)
class PageState:
    """The state of a file or URL when it was last read: its validators and contents.

    `modified` is a server's Last-Modified, or a file's time and size; `articles` are ids; `links`
    are pages that a feed only links to; `unchanged` means that it was not read again.
    """

    address: str
    etag: str | None
    modified: str | None
    articles: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A report that a feed only links to: its page has to be fetched. `key`: see `Article`."""

    url: str
    title: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Omission:
    """A part of a source that was left out, and a sentence that says why; the rest was added.

    Examples are a date that can mean several days, and an item of a feed. `article_id` names the
    article that it was a part of, if any.
    """

    source: str
    error: str
    article_id: str | None = None


SourceItem = Article | Failure | Omission | PageState
