"""Decide which articles are independent of one another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import combinations

from index.domain import Article

_LONGEST = 20_000  # code points of an article that are searched for a source


def independence(
    articles: Sequence[Article], rewrites: Mapping[str, AbstractSet[str]]
) -> list[frozenset[int]]:
    """Return, for each article, the indices of the articles that it is independent of.

    Two articles are not independent if one copies or rewrites the other (perhaps through others),
    if they have the same publisher, or if one names the other's publisher as its source. No article
    is independent of itself.

    Args:
        articles: n articles.
        rewrites: for each article id, the ids of the articles that copy or rewrite it.
    """
    group = list(range(len(articles)))
    tied = set()
    for (i, a), (j, b) in combinations(enumerate(articles), 2):
        copies = b.article_id in rewrites.get(a.article_id, ())
        if copies or a.article_id in rewrites.get(b.article_id, ()):
            group = [group[i] if number == group[j] else number for number in group]
        if share_source(a, b):
            tied |= {(i, j), (j, i)}
    everyone = range(len(articles))
    return [
        frozenset(j for j in everyone if group[i] != group[j] and (i, j) not in tied)
        for i in everyone
    ]


def share_source(a: Article, b: Article) -> bool:
    """Return whether two articles have the same publisher, or one names the other's as a source."""
    return same_publisher(a, b) or _cites(a, b) or _cites(b, a)


def same_publisher(a: Article, b: Article) -> bool:
    """Return whether two articles have the same publisher, ignoring case and spacing."""
    names = [" ".join((article.publisher or "").casefold().split()) for article in (a, b)]
    return names[0] == names[1] != ""


def _cites(article: Article, source: Article) -> bool:
    """Return whether an article names the publisher of another article as its source.

    "the Northern Wire reported", "told the Courier", "(Northwire)"; not "beside the Courier".
    """
    bare = (source.publisher or "").removeprefix("The ")
    if not bare or bare not in article.text:
        return False
    name = re.escape(bare)
    pattern = (
        rf"\b(?:[Aa]ccording to|[Tt]old|by|[Cc]iting|[Qq]uoting) (?:[Tt]he )?{name}\b"
        rf"|\b{name},? (?:(?:has|had|first) )*(?:reports?|reported|said|wrote|revealed)\b"
        rf"|\({name}\)"
    )
    return bool(re.search(pattern, article.text[:_LONGEST]))
