"""What is measured of each candidate sentence: few columns, each one readable.

`table` gives raw values; `index/ranking.json` says how much each one weighs. Those of `SCALED` are
z-scored among the candidates of the question, the others are taken as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from index.domain import Article
from index.encoder import Vectors
from index.ranking.query import AnswerType, Query
from index.store.types import Rows
from index.text.dates import MONTHS, WEEKDAYS
from index.text.quantities import COUNTING
from index.text.quantities import figures, units
from index.text.sentences import Span
from index.text.terms import terms

Column = npt.NDArray[np.float32]
Grid = npt.NDArray[np.float32]

SCALED = frozenset({"cover", "clause_bm25", "clause_dense", "article_dense", "length"})
JUDGING = frozenset({"dense", "names", "near"})
"""Measured for judging an answer alone: the cosine of sentence and question, and which share (by
idf) of the question's names and of all its terms stand in the sentence, its neighbours and its
title."""
_K1, _B = 1.2, 0.75


def table(query: Query, rows: Rows, vectors: Vectors, idf: Column) -> dict[str, Column]:
    """Measure candidates: raw values (n,) by feature, and by each of `JUDGING`.

    Args:
        query: with m terms and c clauses.
        rows: n candidates.
        vectors: float32 (1 + c, d), the question's and its clauses'.
        idf: float32 (m,), inverse document frequency of the terms.
    """
    own, articles = _ownership(rows)
    counts, sizes = _term_counts(query, rows.terms)
    title_counts, title_sizes = _term_counts(query, [_analysed(a.title) for a in articles])
    positions = np.array([sentence.position for sentence in rows.sentences])
    follows = (own[1:] == own[:-1]) & (positions[1:] == positions[:-1] + 1)
    window = _with_neighbours(counts, follows) + title_counts[own]
    window_sizes = _with_neighbours(sizes, follows) + title_sizes[own]
    weights = _without_sources(query, idf)
    dense = rows.vectors @ vectors[0]
    publisher = np.array([query.publishers.get(a.publisher or "", 0.0) for a in articles])
    day = np.array([_day(query, article) for article in articles])
    names = np.array([term in query.names for term in query.terms])
    texts = [sentence.text for sentence in rows.sentences]
    columns = {
        "dense": dense,
        "names": _share(window, idf * names),
        "near": _share(window, weights),
        "cover": _share(counts, weights),
        "clause_bm25": (_saturated(window, window_sizes) @ _by_clause(query, weights)).max(1),
        "clause_dense": _scaled(rows.vectors @ vectors[1:].T).max(1),
        "article_dense": _shrunken_mean(dense, own),
        "publisher": publisher[own],
        "day": day[own],
        "gives": _gives(query, texts),
        "first": 1 / (1 + positions),
        "length": np.log1p(sizes),
        "asks": _each(texts, lambda text: _last(text) == "?"),
        "unfinished": _each(texts, lambda text: _last(text) not in _FULL_STOPS),
    }
    return {name: np.asarray(column, dtype=np.float32) for name, column in columns.items()}


def _day(query: Query, article: Article) -> float:
    published = article.published
    return max((it.matches(published.date()) for it in query.dates), default=0) if published else 0


def scaled(name: str, column: Column) -> Column:
    """A column as it is weighed."""
    return _scaled(column) if name in SCALED else column


def article_bm25(query: Query, articles: Sequence[Article]) -> Column:
    """z-scored BM25 of whole articles with their titles, among those given: (articles,)."""
    texts = [terms(f"{article.title} {article.text}") for article in articles]
    counts, sizes = _term_counts(query, texts)
    frequency = (counts > 0).sum(0)
    idf = np.log(1 + (len(texts) - frequency + 0.5) / (frequency + 0.5))
    return _scaled(_saturated(counts, sizes) @ idf)


@lru_cache(maxsize=10_000)
def _analysed(title: str) -> list[str]:
    return terms(title)


# Arithmetic


def _scaled(values: Grid) -> Grid:
    """z-scores over the first axis; zeros where all values are equal."""
    return np.asarray((values - values.mean(0)) / (values.std(0) + 1e-6), dtype=np.float32)


def _ownership(rows: Rows) -> tuple[npt.NDArray[np.int64], list[Article]]:
    """For each row the index of its article (n,), and the articles."""
    order = {article_id: i for i, article_id in enumerate(rows.articles)}
    own = np.array([order[sentence.article_id] for sentence in rows.sentences], dtype=np.int64)
    return own, list(rows.articles.values())


def _term_counts(query: Query, texts: Sequence[Sequence[str]]) -> tuple[Grid, Column]:
    """How often each query term stands in each text (n, m), and how many terms it has (n,)."""
    column = {term: i for i, term in enumerate(query.terms)}
    counts = np.zeros((len(texts), len(column)), dtype=np.float32)
    for row, text in enumerate(texts):
        for term in column.keys() & text:
            counts[row, column[term]] = text.count(term)
    return counts, np.array([len(text) for text in texts], dtype=np.float32)


def _saturated(counts: Grid, sizes: Column) -> Grid:
    """BM25's term weight before idf (Robertson, Zaragoza 2009), lengths among those given."""
    norm = _K1 * (1 - _B + _B * sizes / max(float(sizes.mean()), 1.0))
    return np.asarray(counts * (_K1 + 1) / (counts + norm[:, None]), dtype=np.float32)


def _share(counts: Grid, weights: Column) -> Column:
    """Which share of the weights the terms present carry: (n,)."""
    total = max(float(weights.sum()), 1e-6)
    return np.asarray(np.minimum(counts, 1) @ weights / total, dtype=np.float32)


def _without_sources(query: Query, idf: Column) -> Column:
    """Weights of the terms (m,), 0 for those that only name a publisher or a date."""
    keep = np.array([term not in query.source_terms for term in query.terms], dtype=np.float32)
    return np.asarray(idf * keep if keep.any() else idf, dtype=np.float32)


def _by_clause(query: Query, weights: Column) -> Grid:
    """Weights of the terms in each clause: (m, c)."""
    parts = [terms(query.question[span.start : span.end]) for span in query.clauses]
    counts, _ = _term_counts(query, parts)
    return np.asarray(np.minimum(counts, 1).T * weights[:, None], dtype=np.float32)


def _shrunken_mean(dense: Column, own: npt.NDArray[np.int64]) -> Column:
    """Mean over an article's candidates, drawn to that of all by one more of its weight: (n,)."""
    means = (np.bincount(own, dense) + dense.mean()) / (np.bincount(own) + 1)
    return np.asarray(means[own], dtype=np.float32)


def _with_neighbours(values: Grid, follows: npt.NDArray[np.bool_]) -> Grid:
    """Each row with those of the sentences before and after it: `follows` (n - 1,) tells which."""
    total = values.copy()
    total[1:][follows] += values[:-1][follows]
    total[:-1][follows] += values[1:][follows]
    return total


# Reading

_MONTHS_AND_DAYS = "|".join([*MONTHS, *WEEKDAYS])
_NAME = re.compile(r"\b[A-Z][\w’'.-]+(?: [A-Z][\w’'.-]+)+|(?<!^)(?<![.!?\"“] )\b[A-Z][\w’'-]+")
_GIVEN: dict[AnswerType, re.Pattern[str]] = {
    "person": _NAME,
    "name": _NAME,
    "date": re.compile(
        rf"\b(?:1[0-9]|20)\d\d\b|\b(?:{_MONTHS_AND_DAYS}|century|today|yesterday|midnight|noon)\b"
        r"|\b\d{1,2}(?:[.:]\d\d)? ?(?:[ap]m\b|[ap]\.m\.)|\b\d{1,2}:\d\d\b"
    ),
    "amount": re.compile(
        r"[$£€]\s?\d[\d.,]*(?: ?(?:thousand|million|billion|trillion|[kmb]n?\b))?"
        r"|\d\S* ?(?:%|percent|per cent|years?|months?|weeks?|days?|hours?|minutes?"
        r"|seconds?|miles?|\w*met(?:re|er)s?|feet|foot|inch(?:es)?|pounds?|dollars?|tons?|kg|km"
        r"|degrees|million|billion|trillion)"
        rf"|\b(?:several|{COUNTING}) (?:years|months|weeks|days|hours|minutes|times)"
    ),
    "number": re.compile(
        rf"\d[\d.,]*\b|\b(?:{COUNTING}|dozens?|hundreds?|thousands?|millions?|once|twice"
        r"|both|half)\b",
        re.IGNORECASE,
    ),
    "place": re.compile(
        r"\b(?:in|at|from|near|to|of|outside|across) (?:the )?(?:[a-z]+ )?[A-Z]\w+"
    ),
}
_FULL_STOPS = frozenset(".!?")


def _last(text: str) -> str:
    return text.rstrip("\"'”’) ")[-1:]


def _each(texts: Sequence[str], holds: Callable[[str], bool]) -> Column:
    return np.fromiter(map(holds, texts), dtype=np.float32)


def given(query: Query, text: str) -> list[Span]:
    """Where a text holds something of the kind asked for that the question does not name."""
    return [*_given(query, set(terms(query.question)), text)]


def _given(query: Query, known: set[str], text: str) -> Iterator[Span]:
    kind, counted = query.answer_type, units(query.question)
    if kind == "number" and counted:  # asked for the dead, the displaced are no answer
        yield from (Span(one.start, one.end) for one in figures(text) if one.unit in counted)
        return
    for found in _GIVEN[kind].finditer(text) if kind else ():
        if not known.issuperset(terms(found.group())):
            yield Span(*found.span())


def _gives(query: Query, texts: Sequence[str]) -> Column:
    """1 where a sentence holds something of the kind asked for that the question does not: (n,)."""
    known = set(terms(query.question))
    return _each(texts, lambda text: any(True for _ in _given(query, known, text)))
