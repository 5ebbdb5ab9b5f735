"""Which sentences an answer quotes beside each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from index.answering.conflicts import Statement
from index.answering.select import _repeats, passages
from index.domain import Article, Sentence
from index.ranking.query import parse
from index.ranking.rank import Ranking
from index.reader.model import Reading

CLAIM = "Tessen council said on Monday that shutting the Mill Road pool would save 90,000 a year."
DENIAL = "Mill Road swimmers denied on Friday that shutting the pool would save 90,000 a year."


def statement(name: str, text: str) -> Statement:
    """Return the only sentence of a report, always by the same outlet."""
    article = Article(article_id=name, title=name, text=text, publisher="Tessen Star")
    return Statement(article, Sentence(1, name, 1, 0, 0, len(text), text))


@pytest.mark.parametrize(
    ("other", "repeats"),
    [
        (DENIAL, False),
        (CLAIM.replace("Monday", "Monday evening"), True),
        (CLAIM.replace("a year", "a year, not 80,000 as first said"), False),
        (DENIAL.replace("a year", "a year, not 80,000 as first said"), False),
    ],
)
def test_a_denial_is_no_copy(other: str, repeats: bool) -> None:
    """A denial is quoted beside its claim, even if an outlet words both alike."""
    assert _repeats(statement("a", CLAIM), statement("b", other), {}) is repeats
    assert _repeats(statement("b", other), statement("a", CLAIM), {}) is repeats


BOATS = "Boats had reached most of Reed Lane by noon, but the Mill Road bridge was impassable."


@pytest.mark.parametrize(
    ("other", "repeats"),
    [
        (BOATS.replace("was impassable", "could not be crossed"), True),
        (BOATS.replace("had reached", "had not reached"), False),
    ],
)
def test_a_rewrite_may_negate_what_means_the_same(other: str, repeats: bool) -> None:
    """A “not” in a rewrite matters only if the other sentence has what it negates."""
    rewrites = {"a": {"b"}, "b": {"a"}}
    assert _repeats(statement("a", BOATS), statement("b", other), rewrites) is repeats
    assert _repeats(statement("b", other), statement("a", BOATS), rewrites) is repeats


def test_a_denial_is_no_copy_of_a_negative_claim() -> None:
    """A negative claim is not a copy of its denial either."""
    corrected = CLAIM.replace("90,000 a year", "40,000 a year, not 90,000 as first stated")
    assert not _repeats(statement("a", corrected), statement("b", DENIAL), {})


def test_what_was_read_has_to_be_nearer_to_the_best() -> None:
    """A sentence of middling rank is quoted if nothing was read; else the reader has doubts."""
    texts = {"a": CLAIM, "b": BOATS, "c": "It rained.", "d": "The shop shut.", "e": "A cat sat."}
    rows = [statement(name, text) for name, text in texts.items()]
    sentences = [replace(row.sentence, sentence_id=number) for number, row in enumerate(rows)]
    articles = {row.article.article_id: row.article for row in rows}
    scores = np.array([10, 7.9, 0, 0, 0], dtype=np.float32)
    ranking = Ranking(parse("Who shut the pool?"), tuple(sentences), scores, {}, articles, 1.0)
    assert [passage.article.article_id for passage in passages(ranking, {})] == ["a", "b"]
    doubts = dict.fromkeys(range(5), Reading(0.0, 0.3))
    assert len(passages(replace(ranking, readings=doubts), {})) == 1
