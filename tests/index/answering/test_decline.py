"""Reasons for declining: what the reports lack."""

from __future__ import annotations

import numpy as np
import pytest

from index.answering.decline import NO_ANSWER, reason, unknown_speaker
from index.domain import Article
from index.ranking.query import parse
from index.ranking.rank import Ranking


@pytest.mark.parametrize(
    ("asked", "reported", "unknown"),
    [
        ("NPL", "Norland Port League", False),
        ("Norland Port League", "NPL", False),
        ("QXL", "Norland Port League", True),
    ],
)
def test_an_acronym_of_a_known_name_is_known(asked: str, reported: str, unknown: bool) -> None:
    """A person whom a report names in full, or by an acronym, is known."""
    query = parse(f"What did the {asked} say about the harbour?")
    text = f"The harbour of the {reported} closed."
    article = Article(article_id="harbour", title="Harbour", text=text)
    ranking = Ranking(
        query=query,
        sentences=(),
        scores=np.zeros(0),
        features={},
        articles={"harbour": article},
        confidence=0.0,
        frequencies={term: int(term == "harbour") for term in query.terms},
    )
    assert unknown_speaker(ranking) is unknown


@pytest.mark.parametrize(
    ("title", "expected"),
    [("Bus crashes in Karby", NO_ANSWER), ("Bus crashes", "No report mentions “Karby”.")],
)
def test_a_title_mentions_a_name(title: str, expected: str) -> None:
    """A name that only a report's title has is not said to be missing."""
    query = parse("How old was the driver of the bus in Karby?")
    ranking = Ranking(
        query=query,
        sentences=(),
        scores=np.zeros(0),
        features={},
        articles={"bus": Article(article_id="bus", title=title, text="The bus overturned.")},
        confidence=0.0,
        frequencies={term: int(term == "bus") for term in query.terms},
    )
    assert reason(ranking) == expected
