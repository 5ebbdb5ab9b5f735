"""Which articles of an answer are independent of one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from index.domain import Article
from index.text import rewrites as texts


def independence(
    articles: Sequence[Article], rewrites: Mapping[str, AbstractSet[str]]
) -> list[frozenset[int]]:
    """For each article the indices of those that it is independent of.

    Args:
        articles: n of them.
        rewrites: for each article id, the ids of the articles that copy or rewrite it.
    """
    return texts.independence(articles)
