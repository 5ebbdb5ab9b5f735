"""Query -> candidates -> weighed features -> a ranking of sentences.

Candidates are the best sentences by vector and by full text, and their neighbours. A linear model
over readable features (index/features.py) orders them; its weights are in index/ranking.json, and
were learned from questions over several collections of texts.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

import numpy as np

from index.domain import Article, Filters, Sentence
from index.encoder import Encoder, Vectors
from index.ranking.features import Column, article_bm25, scaled, table
from index.ranking.query import Query
from index.store.types import Rows, Snapshot

DEPTH = 70
_TOP = 5  # sentences that confidence looks at
_NOTHING = np.empty(0, dtype=np.float32)


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
        frequencies: in how many sentences of the collection each term of the question stands.
        vectors: embeddings (d,) by sentence id.
    """

    query: Query
    sentences: tuple[Sentence, ...]
    scores: Column
    features: Mapping[str, Column]
    articles: Mapping[str, Article]
    confidence: float
    frequencies: Mapping[str, int] = field(default_factory=dict)
    vectors: Mapping[int, Vectors] = field(default_factory=dict)

    def by_article(self) -> list[tuple[Article, float]]:
        """Articles by the score of their best sentence and, where one thing is asked, their BM25.

        A question of several parts is answered by several reports, none of which is about all of
        it: there the whole text would mislead.
        """
        best: dict[str, float] = {}
        for sentence, score in zip(self.sentences, self.scores.tolist(), strict=True):
            best.setdefault(sentence.article_id, score)
        found = [self.articles[article_id] for article_id in best]
        scores = np.array([*best.values()], dtype=np.float32)
        if len(self.query.clauses) == 1 and found:
            scores += article_bm25(self.query, found)
        order = np.argsort(-scores, kind="stable")
        return [(found[i], float(scores[i])) for i in order]


@lru_cache(maxsize=1)
def weights() -> str:
    """Names the packaged weights: other weights, other answers."""
    return hashlib.sha256((files("index.ranking") / "ranking.json").read_bytes()).hexdigest()[:8]


@lru_cache(maxsize=1)
def model() -> Model:
    """The packaged weights."""
    read = json.loads((files("index.ranking") / "ranking.json").read_text(encoding="utf-8"))
    return Model(read["ranking"], read["same_article"], read["confidence"])


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a question's ranking is made of, before anything is weighed."""

    query: Query
    rows: Rows
    features: Mapping[str, Column]
    frequencies: Mapping[str, int] = field(default_factory=dict)


def rank(
    snapshot: Snapshot,
    encoder: Encoder,
    query: Query,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    depth: int = DEPTH,
) -> Ranking:
    """Rank the sentences of one generation for a query; `depth` candidates from each side."""
    found = gather(snapshot, encoder, query, filters, depth)
    return ranked(found) if found else Ranking(query, (), _NOTHING, {}, {}, 0.0)


def gather(
    snapshot: Snapshot, encoder: Encoder, query: Query, filters: Filters, depth: int
) -> Candidates | None:
    """Find and measure candidates; None where nothing passes the filters."""
    vectors = encoder.encode_parts(query.question, query.clauses)
    dense = snapshot.dense(vectors[0], depth, filters)
    lexical = snapshot.lexical(query.terms, depth, filters)
    rows = snapshot.rows({*dense.ids.tolist(), *lexical.ids.tolist()}, radius=1)
    if not rows.sentences:
        return None
    known = snapshot.document_frequencies(query.terms)
    frequencies = {term: known.get(term, 0) for term in query.terms}
    idf = _idf(frequencies.values(), snapshot.size().sentences)
    return Candidates(query, rows, table(query, rows, vectors, idf), frequencies)


def ranked(found: Candidates, learned: Model | None = None) -> Ranking:
    """Weigh candidates, by the packaged weights unless others are given, and put them in order."""
    learned = learned or model()
    rows = found.rows
    total = np.zeros(len(rows.sentences), dtype=np.float32)
    for name, weight in learned.ranking.items():
        total += weight * scaled(name, found.features[name])
    if len(found.query.clauses) > 1:
        total -= learned.same_article * _better_of_article(rows, total)
    order = np.argsort(-total, kind="stable")
    features = {name: column[order] for name, column in found.features.items()}
    evidence = signs(found.query, features, float(total[order[0]]))
    logit = sum(weight * evidence[name] for name, weight in learned.confidence.items())
    return Ranking(
        query=found.query,
        sentences=tuple(rows.sentences[i] for i in order),
        scores=total[order],
        features=features,
        articles=rows.articles,
        confidence=1 / (1 + math.exp(-logit)),
        frequencies=found.frequencies,
        vectors={
            one.sentence_id: vector
            for one, vector in zip(rows.sentences, rows.vectors, strict=True)
        },
    )


def _better_of_article(rows: Rows, total: Column) -> Column:
    """How many sentences of its own article stand above each (n,)."""
    taken: Counter[str] = Counter()
    above = np.zeros_like(total)
    for row in np.argsort(-total, kind="stable"):
        article_id = rows.sentences[row].article_id
        above[row] = taken[article_id]
        taken[article_id] += 1
    return above


def explained(ranking: Ranking) -> dict[str, Column]:
    """What each feature adds to each score: (n,) by name, which sum up to the scores.

    What a repeated article costs is `same_article`; with what a reranker moved, `reranker`.
    """
    added = {
        name: np.asarray(weight * scaled(name, ranking.features[name]), dtype=np.float32)
        for name, weight in model().ranking.items()
    }
    rest = ranking.scores - np.sum([*added.values()], axis=0)
    name = "reranker" if "reranker" in ranking.features else "same_article"
    return added | {name: np.asarray(rest, dtype=np.float32)}


def signs(query: Query, features: Mapping[str, Column], best: float) -> dict[str, float]:
    """What speaks for and against that the best sentences answer.

    Args:
        query: what is asked.
        features: (n,) by name, best first.
        best: the highest score.
    """
    top = slice(_TOP)
    return {
        "bias": 1.0,
        "dense": float(features["dense"].max()),
        "near": float(features["near"][top].max()),
        "names": float(features["names"][top].max()) if query.names else 1.0,
        "publisher": float(features["publisher"][top].max()),
        "score": best,
        "terms": math.log1p(len(query.terms)),  # the fewer, the lower any cosine
    }


def _idf(counts: Iterable[int], total: int) -> Column:
    """Inverse document frequency (Robertson, Spärck Jones 1976), never negative: (terms,)."""
    values = [math.log(1 + (total - count + 0.5) / (count + 0.5)) for count in counts]
    return np.array(values, dtype=np.float32)
