"""Query -> candidates -> weighed features -> a ranking of sentences.

Candidates are the best sentences by vector and by full text, and their neighbours. A linear model
over readable features (index/features.py) orders them; its weights are in index/ranking.json, and
were learned from questions over several collections of texts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from index.article import Article, Filters, Sentence
from index.encoder import Encoder
from index.features import Column, Measured, scaled, table
from index.query import Query
from index.store import Rows, Snapshot

DEPTH = 50
_TOP = 5  # sentences that confidence looks at


@dataclass(frozen=True, slots=True)
class Model:
    """What was learned: see index/ranking.json.

    Attributes:
        ranking: weight by feature.
        same_article: taken off the score of a further sentence of an article, where a question
            asks several things: their answers are seldom in one report.
        confidence: weight by sign of sufficiency, and `bias`.
    """

    ranking: Mapping[str, float]
    same_article: float
    confidence: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates of a question, best first.

    Attributes:
        sentences: n of them, best first.
        scores: float32 (n,), descending; comparable within this ranking only.
        features: raw values (n,) by name.
        articles: by article id.
        confidence: 0 to 1, how likely the best sentences answer the question.
    """

    query: Query
    sentences: tuple[Sentence, ...]
    scores: Column
    features: Mapping[str, Column]
    articles: Mapping[str, Article]
    confidence: float

    def by_article(self) -> list[tuple[Article, float]]:
        """Articles with the score of their best sentence, best first."""
        best: dict[str, float] = {}
        for sentence, score in zip(self.sentences, self.scores.tolist(), strict=True):
            best.setdefault(sentence.article_id, score)
        return [(self.articles[article_id], score) for article_id, score in best.items()]


@lru_cache(maxsize=1)
def model() -> Model:
    """The packaged weights."""
    read = json.loads((files("index") / "ranking.json").read_text(encoding="utf-8"))
    return Model(read["ranking"], read["same_article"], read["confidence"])


def rank(
    snapshot: Snapshot,
    encoder: Encoder,
    query: Query,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    depth: int = DEPTH,
) -> Ranking:
    """Rank the sentences of one generation for a query; `depth` candidates from each side."""
    vectors = encoder.encode_parts(query.question, query.clauses)
    dense = snapshot.dense(vectors[0], depth, filters)
    lexical = snapshot.lexical(query.terms, depth, filters)
    ids = set(dense.ids.tolist()) | set(lexical.ids.tolist())
    if not ids:
        return Ranking(query, (), np.empty(0, dtype=np.float32), {}, {}, 0.0)
    rows = snapshot.rows(ids, radius=1)
    if not rows.sentences:
        return Ranking(query, (), np.empty(0, dtype=np.float32), {}, {}, 0.0)
    measured = table(query, rows, vectors, _idf(snapshot, query))
    weights = model().ranking
    total = np.zeros(len(rows.sentences), dtype=np.float32)
    for name, column in measured.columns.items():
        total += weights[name] * scaled(name, column)
    order, scores = _ordered(query, rows, total)
    return Ranking(
        query=query,
        sentences=tuple(rows.sentences[i] for i in order),
        scores=scores,
        features={"dense": measured.dense[order]}
        | {name: column[order] for name, column in measured.columns.items()},
        articles=rows.articles,
        confidence=_confidence(query, measured, order),
    )


def _ordered(query: Query, rows: Rows, total: Column) -> tuple[npt.NDArray[np.int64], Column]:
    """Rows best first (n,), and their scores (n,), with what a repeated article costs."""
    order = np.lexsort((np.arange(len(total)), -total))
    if len(query.clauses) == 1:
        return order, total[order]
    taken: dict[str, int] = {}
    cost = np.zeros_like(total)
    for row in order:
        article_id = rows.sentences[row].article_id
        cost[row] = model().same_article * taken.get(article_id, 0)
        taken[article_id] = taken.get(article_id, 0) + 1
    total = total - cost
    order = np.lexsort((np.arange(len(total)), -total))
    return order, total[order]


def _confidence(query: Query, measured: Measured, order: npt.NDArray[np.int64]) -> float:
    """How likely the best sentences answer: logistic over a few signs (0 to 1)."""
    columns, top = measured.columns, order[:_TOP]
    known = bool(columns["publisher"].max() > 0)
    signs = {
        "bias": 1.0,
        "dense": float(measured.dense.max()),
        "cover": float(columns["cover"][order[0]]),
        "names": float(measured.names[top].max()) if query.names else 1.0,
        "publisher": float(columns["publisher"][top].max()),
        "unknown_source": float(query.names_a_source and not known),
        "gives": float(columns["gives"][order[0]]) if query.answer_type else 0.5,
    }
    weights = model().confidence
    return 1 / (1 + math.exp(-sum(weights[name] * value for name, value in signs.items())))


def _idf(snapshot: Snapshot, query: Query) -> Column:
    """Inverse document frequency (Robertson, Spärck Jones 1976), never negative: (terms,)."""
    total = snapshot.size().sentences
    frequency = snapshot.document_frequencies(query.terms)
    counts = [frequency.get(term, 0) for term in query.terms]
    values = [math.log(1 + (total - count + 0.5) / (count + 0.5)) for count in counts]
    return np.array(values, dtype=np.float32)
