"""Which articles are independent of each other."""

from __future__ import annotations

from dataclasses import replace

from index.answering.independence import independence
from index.domain import Article


def article(name: str, text: str = "Trains stood still.", publisher: str | None = None) -> Article:
    """Return an article, by default of a publisher of its own."""
    return Article(article_id=name, title=name, text=text, publisher=publisher or f"The {name}")


def test_rewrites_are_tied_through_others() -> None:
    """A rewrite of a rewrite is not independent of the original."""
    articles = [article(name) for name in "ABCD"]
    rewrites = {"A": frozenset({"B"}), "B": frozenset({"A", "C"}), "C": frozenset({"B"})}
    assert independence(articles, rewrites) == [{3}, {3}, {3}, {0, 1, 2}]


def test_one_publisher_is_one_witness() -> None:
    """Two articles of the same publisher are not independent."""
    for name in ("The Wire", "THE WIRE", "the  wire"):
        articles = [article("A", publisher="The Wire"), article("B", publisher=name)]
        assert independence(articles, {}) == [set(), set()]


def test_nobody_is_no_publisher() -> None:
    """Two articles without a publisher do not have the same publisher."""
    articles = [replace(article(name), publisher=None) for name in "AB"]
    assert independence(articles, {}) == [{1}, {0}]


def test_naming_a_source_is_not_independent() -> None:
    """An article that cites another publisher depends on it; a mere mention does not."""
    wire = article("A", publisher="The Northern Wire")
    for text, free in (
        ("Trains stood still in Ostby, the Northern Wire reported.", False),
        ("According to the Northern Wire trains stood still.", False),
        ("Trains stood still beside the Northern Wire building.", True),
    ):
        assert independence([wire, article("B", text)], {}) == ([{1}, {0}] if free else [set()] * 2)
