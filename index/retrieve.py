"""Query -> candidates -> fused scores -> a ranking of sentences.

Candidates are the best sentences by vector and by full text, and their neighbours. Each gets a
few readable features, z-normalised among the candidates (over the whole corpus it ranks worse and
costs more), and the weighted sum of them orders the sentences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.article import Article, Filters, Sentence
from index.encoder import Encoder, Vectors
from index.query import Query
from index.store import Rows, Snapshot

Column = npt.NDArray[np.float32]
Grid = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]

DEPTH = 50
WEIGHTS: Mapping[str, float] = {
    "dense": 1.0,
    "neighbours": 1.0,
    "clause": 0.7,
    "bm25": 1.0,
    "window": 1.0,
    "publisher": 3.0,
}
_K1, _B = 1.2, 0.75


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates of a question, best first.

    Attributes:
        sentences: n of them, best first.
        scores: float32 (n,), descending; comparable within this ranking only.
        dense: float32 (n,), inner product with the question, for whoever judges sufficiency.
        features: raw values (n,) by name.
        articles: by article id.
    """

    query: Query
    sentences: tuple[Sentence, ...]
    scores: Column
    dense: Column
    features: Mapping[str, Column]
    articles: Mapping[str, Article]

    def by_article(self) -> list[tuple[Article, float]]:
        """Articles with the score of their best sentence, best first."""
        best: dict[str, float] = {}
        for sentence, score in zip(self.sentences, self.scores.tolist(), strict=True):
            best.setdefault(sentence.article_id, score)
        return [(self.articles[article_id], score) for article_id, score in best.items()]


def rank(
    snapshot: Snapshot,
    encoder: Encoder,
    query: Query,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    depth: int = DEPTH,
) -> Ranking:
    """Rank the sentences of one generation for a query; `depth` candidates from each side."""
    vectors = encoder.encode([query.question, *query.clauses])
    dense = snapshot.dense(vectors[0], depth, filters)
    lexical = snapshot.lexical(query.terms, depth, filters)
    ids = set(dense.ids.tolist()) | set(lexical.ids.tolist())
    if not ids:
        empty = np.empty(0, dtype=np.float32)
        return Ranking(query, (), empty, empty, {}, {})
    rows = snapshot.rows(ids, radius=2)
    table = features(query, rows, vectors, _idf(snapshot, query))
    scores = sum(WEIGHTS[name] * standardised(column) for name, column in table.items())
    order = np.lexsort((np.arange(len(rows.sentences)), -np.asarray(scores)))
    return Ranking(
        query=query,
        sentences=tuple(rows.sentences[i] for i in order),
        scores=np.asarray(scores, dtype=np.float32)[order],
        dense=table["dense"][order],
        features={name: column[order] for name, column in table.items()},
        articles=rows.articles,
    )


def features(query: Query, rows: Rows, vectors: Vectors, idf: Column) -> dict[str, Column]:
    """One raw column (n,) a feature; `vectors` (1 + clauses, d), `idf` (terms,)."""
    cosine = rows.vectors @ vectors[0]
    beside = [_beside(rows, step) for step in (-1, 1)]
    present = [(index >= 0).astype(np.float32) for index in beside]
    near = [cosine[index] * there for index, there in zip(beside, present, strict=True)]
    counts, sizes = _term_counts(query, rows)
    window, window_sizes = counts.copy(), sizes.copy()
    for index, there in zip(beside, present, strict=True):
        window += counts[index] * there[:, None]
        window_sizes += sizes[index] * there
    table = {
        "dense": cosine,
        "neighbours": cosine + 0.5 * (near[0] + near[1]),
        "bm25": _saturated(counts, sizes) @ idf,
        "window": _saturated(window, window_sizes) @ idf,
        "publisher": _named_publishers(query, rows),
    }
    if query.clauses:
        parts = rows.vectors @ vectors[1:].T
        table["clause"] = np.max([standardised(part) for part in parts.T], axis=0)
    return {name: np.asarray(column, dtype=np.float32) for name, column in table.items()}


def standardised(column: Column) -> Column:
    """z-scores; zeros where all values are equal."""
    return np.asarray((column - column.mean()) / (column.std() + 1e-6), dtype=np.float32)


def _idf(snapshot: Snapshot, query: Query) -> Column:
    """Inverse document frequency (Robertson, Spärck Jones 1976), never negative: (terms,)."""
    total = snapshot.size().sentences
    frequency = snapshot.document_frequencies(query.terms)
    counts = [frequency.get(term, 0) for term in query.terms]
    values = [math.log(1 + (total - count + 0.5) / (count + 0.5)) for count in counts]
    return np.array(values, dtype=np.float32)


def _term_counts(query: Query, rows: Rows) -> tuple[Grid, Column]:
    """How often each query term stands in each sentence (n, terms), and all terms (n,)."""
    columns = {term: i for i, term in enumerate(query.terms)}
    counts = np.zeros((len(rows.terms), len(columns)), dtype=np.float32)
    for row, terms in enumerate(rows.terms):
        for term in terms:
            column = columns.get(term)
            if column is not None:
                counts[row, column] += 1
    return counts, np.array([len(terms) for terms in rows.terms], dtype=np.float32)


def _saturated(counts: Grid, sizes: Column) -> Grid:
    """BM25's term weight before idf (Robertson, Zaragoza 2009): (n, terms)."""
    norm = _K1 * (1 - _B + _B * sizes / max(float(sizes.mean()), 1.0))
    return np.asarray(counts * (_K1 + 1) / (counts + norm[:, None]), dtype=np.float32)


def _beside(rows: Rows, step: int) -> Index:
    """The row of the sentence `step` further in the same article (n,); -1 where there is none."""
    place = {(s.article_id, s.position): i for i, s in enumerate(rows.sentences)}
    where = (place.get((s.article_id, s.position + step), -1) for s in rows.sentences)
    return np.fromiter(where, dtype=np.int64)


def _named_publishers(query: Query, rows: Rows) -> Column:
    named = set(query.publishers)
    hits = (rows.articles[s.article_id].publisher in named for s in rows.sentences)
    return np.fromiter(hits, dtype=np.float32)
