"""What is measured of each candidate sentence: few columns, each of them readable.

`table` returns raw values; `ranking.json` holds the weights. The columns of `SCALED` are z-scored
among the candidates of a question, the others are weighed as they are.

The weights under "fitted" were learned by tests/benchmarks/fit.py on six public sets of questions.
No public set asks who said what, for a time, or in several turns, so the weights under "by_hand"
were chosen on the sample reports and tests/data/follow_ups.jsonl.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from index.domain import Article, FollowUp, Sentence
from index.encoder import Vectors
from index.ranking.query import ACT_WORDS, AnswerType, Query
from index.store.types import Rows
from index.text.dates import MONTHS, WEEKDAYS, DateRange, date_ranges
from index.text.quantities import COUNTING, figures
from index.text.sentences import Span
from index.text.terms import STOP_TERMS, content_terms, terms

Column = npt.NDArray[np.float32]
Grid = npt.NDArray[np.float32]

SCALED = frozenset({"cover", "clause_bm25", "clause_dense", "article_dense", "length"})
JUDGING = frozenset({"dense", "names", "near"})
"""Measured only to judge the answer: the cosine of sentence and question, and the share (by idf) of
the question's names, and of all its terms, in the sentence, its neighbours and its title."""
_K1, _B = 1.2, 0.75


def table(query: Query, rows: Rows, vectors: Vectors, idf: Column) -> dict[str, Column]:
    """Measure candidates: raw values (n,) by feature, and by each of `JUDGING`.

    Args:
        query: with m terms and c clauses.
        rows: n candidates.
        vectors: float32 (1 + c, d), of the question and its clauses.
        idf: float32 (m,), inverse document frequency of the terms.
    """
    own, articles = _ownership(rows)
    counts, sizes = _term_counts(query, rows.terms)
    title_counts, title_sizes = _term_counts(query, [_title_terms(a.title) for a in articles])
    positions = np.array([sentence.position for sentence in rows.sentences])
    follows = (own[1:] == own[:-1]) & (positions[1:] == positions[:-1] + 1)
    window = _with_neighbours(counts, follows) + title_counts[own]
    window_sizes = _with_neighbours(sizes, follows) + title_sizes[own]
    weights = _without_sources(query, idf)
    dense = rows.vectors @ vectors[0]
    names = np.array([term in query.names for term in query.terms])
    texts = [sentence.text for sentence in rows.sentences]
    endings = [text.rstrip("\"'”’) ")[-1:] for text in texts]
    columns = {
        "dense": dense,
        "names": _share(window, idf * names),
        "near": _share(window, weights),
        "cover": _share(counts, weights),
        "clause_bm25": (_saturated(window, window_sizes) @ _by_clause(query, weights)).max(1),
        "clause_dense": _scaled(rows.vectors @ vectors[1:].T).max(1),
        "article_dense": _shrunken_mean(dense, own),
        **source_features(query, rows),
        "gives": _each(texts, lambda text: next(_given(query, text), None) is not None),
        "first": 1 / (1 + positions),
        "length": np.log1p(sizes),
        "asks": _each(endings, lambda ending: ending == "?"),
        "unfinished": _each(endings, lambda ending: ending not in _FULL_STOPS),
        **_form_features(query, rows),
    }
    return {name: np.asarray(column, dtype=np.float32) for name, column in columns.items()}


def source_features(query: Query, rows: Rows) -> dict[str, Column]:
    """Whether the question names the publisher of a sentence's article, and its day: each (n,)."""
    own, articles = _ownership(rows)
    days = query.dates(_newest(articles))
    publisher = [query.publishers.get(article.publisher or "", 0.0) for article in articles]
    day = [max((_nearness(day, article) for day in days), default=0.0) for article in articles]
    return {"publisher": _column(publisher)[own], "day": _column(day)[own]}


def _nearness(day: DateRange, article: Article) -> float:
    """1 on the named day, 0.5 on a day beside it, 0.25 in a named month, else 0."""
    if article.published is None or day.start is None:
        return 0.0
    published = article.published.date()
    if day.start != day.end:
        return 0.25 if day.holds(published) else 0.0
    return {0: 1.0, 1: 0.5}.get(abs((day.start - published).days), 0.0)


def _newest(articles: Sequence[Article]) -> date | None:
    return max((a.published.date() for a in articles if a.published), default=None)


def scaled(name: str, column: Column) -> Column:
    """The column as it is weighed."""
    return _scaled(column) if name in SCALED else column


def article_bm25(query: Query, articles: Sequence[Article]) -> Column:
    """BM25 of whole articles with their titles, z-scored among these articles: (articles,)."""
    texts = [terms(f"{article.title} {article.text}") for article in articles]
    counts, sizes = _term_counts(query, texts)
    frequency = (counts > 0).sum(0)
    idf = np.log(1 + (len(texts) - frequency + 0.5) / (frequency + 0.5))
    return _scaled(_saturated(counts, sizes) @ idf)


@lru_cache(maxsize=10_000)
def _title_terms(title: str) -> list[str]:
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
    """BM25 term weights before idf (Robertson, Zaragoza 2009); lengths relative to these texts."""
    norm = _K1 * (1 - _B + _B * sizes / max(float(sizes.mean()), 1.0))
    return np.asarray(counts * (_K1 + 1) / (counts + norm[:, None]), dtype=np.float32)


def _share(counts: Grid, weights: Column) -> Column:
    """The share of all weight that the terms present carry: (n,)."""
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
    """Mean over an article's candidates, shrunk to the overall mean (prior weight 1): (n,)."""
    means = (np.bincount(own, dense) + dense.mean()) / (np.bincount(own) + 1)
    return np.asarray(means[own], dtype=np.float32)


def _with_neighbours(values: Grid, follows: npt.NDArray[np.bool_]) -> Grid:
    """Each row plus its neighbours; `follows` (n - 1,) says whether row i + 1 continues row i."""
    total = values.copy()
    total[1:][follows] += values[:-1][follows]
    total[:-1][follows] += values[1:][follows]
    return total


# The form of a question: a time, a speaker, an act, a follow-up

_NEGATIVE = re.compile(r"\b(?:no|not|never|false|fake|hoax)\b|n['’]t\b", re.IGNORECASE)
_VIEW = re.compile(r"\b(?:what|how) about\b|\bwhat\b.*\bsa(?:y|id)\b", re.IGNORECASE)
_BARE = 3  # words: "And why?" has nothing new to look for, so what was quoted may answer it
_VIEWED = 0.3  # of a speaker that is named, for "What about the ministry?"


def _form_features(query: Query, rows: Rows) -> dict[str, Column]:
    """Features of the form of the question, zero for most questions: each (n,)."""
    columns = {
        name: np.zeros(len(rows.sentences), dtype=np.float32)
        for name in ("time", "speaker", "act", "new_words", "repeats")
    }
    pairs = [(one, rows.articles[one.article_id]) for one in rows.sentences]
    days = query.days(_newest([*rows.articles.values()]))
    if days and len(query.clauses) == 1:  # the dates in longer questions mostly name reports
        columns["time"] = _column(_speaks_of(days, *pair) for pair in pairs)
    if query.speaker:
        columns["speaker"] = _column(_is_said_by_speaker(query, *pair) for pair in pairs)
    if query.acts:
        columns["act"] = _column(_is_act(query, sentence) for sentence in rows.sentences)
    if query.after:
        values = [_novelty(query.after, sentence) for sentence in rows.sentences]
        views, columns["new_words"], columns["repeats"] = map(_column, zip(*values, strict=True))
        columns["speaker"] = np.maximum(columns["speaker"], views)
    return columns


def _speaks_of(days: Sequence[DateRange], sentence: Sentence, article: Article) -> bool:
    """Whether a sentence names one of the days, or names none and was published on one."""
    published = article.published.date() if article.published else None
    if named := date_ranges(sentence.text, published):
        return any(day.overlaps(other) for day in days for other in named)
    return published is not None and any(day.holds(published) for day in days)


def _is_said_by_speaker(query: Query, sentence: Sentence, article: Article) -> bool:
    """Whether "What did X say about Y?" asks for this sentence: said by X, half of Y mentioned."""
    if query.speaker is None or not _same_name(query.speaker.speaker, sentence.speaker):
        return False
    if query.speaker.verb.lower().startswith("den") and sentence.act != "denial":
        return False
    topic = set(content_terms(query.speaker.about)) - STOP_TERMS
    mentioned = topic.intersection(terms(f"{article.title} {sentence.text}"))
    return 2 * len(mentioned) >= len(topic)


@lru_cache(maxsize=4_096)
def _same_name(one: str, other: str | None) -> bool:
    """Whether the words of one phrase are among those of the other."""
    a, b = (set(terms(phrase or "")) - STOP_TERMS for phrase in (one, other))
    return bool(a and b) and (a <= b or b <= a)


def _is_act(query: Query, sentence: Sentence) -> bool:
    """Whether it is of an act the question asks about; who claims that it is not so, denies it."""
    negated = sentence.act == "claim" and _NEGATIVE.search(sentence.text)
    return ("denial" if negated else sentence.act) in query.acts


def _novelty(after: FollowUp, sentence: Sentence) -> tuple[float, float, float]:
    """Values of `speaker`, `new_words` and `repeats` for a sentence.

    A sentence that was quoted before is repeated, but only by half if it has half of the new words,
    and not at all if the follow-up is all about what was quoted ("Why?").
    """
    wording = after.new_words
    for pattern in ACT_WORDS.values():
        wording = pattern.sub(" ", wording)  # a denial need not have the word "deny"
    new = set(content_terms(wording)) - STOP_TERMS
    share = len(new.intersection(terms(sentence.text))) / max(1, len(new))
    asks_view = bool(_VIEW.search(wording))
    view = _VIEWED * (asks_view and not new.isdisjoint(terms(sentence.speaker or "")))
    if not any(
        quote.article_id == sentence.article_id
        and quote.start < sentence.end
        and sentence.start < quote.end
        for quote in after.quoted
    ):
        return view, share, 0.0
    if not new and 0 < len(after.new_words.split()) <= _BARE:
        return view, 0.0, 0.0
    return (view, share, 0.5) if 2 * share >= 1 and not asks_view else (view, 0.0, 1.0)


# The kind of thing that a question asks for

_MONTHS_AND_DAYS = "|".join([*MONTHS, *WEEKDAYS])
_NAME = re.compile(r"\b[A-Z][\w’'.-]+(?: [A-Z][\w’'.-]+)+|(?<!^)(?<![.!?\"“] )\b[A-Z][\w’'-]+")
_GIVEN: dict[AnswerType, re.Pattern[str]] = {
    "person": _NAME,
    "name": _NAME,
    "date": re.compile(
        rf"\b(?:1[0-9]|20)\d\d\b|\b(?:{_MONTHS_AND_DAYS}|century|yesterday|midnight|noon)\b"
        r"|\b\d{1,2}(?:[.:]\d\d)? ?(?:[ap]m\b|[ap]\.m\.)|\b\d{1,2}:\d\d\b|\b(?<=at )\d{1,2}\.\d\d\b"
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


def _column(values: Iterable[float]) -> Column:
    return np.fromiter(values, dtype=np.float32)


def _each(texts: Sequence[str], holds: Callable[[str], bool]) -> Column:
    return _column(map(holds, texts))


def given(query: Query, text: str) -> list[Span]:
    """Where a text holds something of the kind asked for that the question does not name."""
    return [*_given(query, text)]


def _given(query: Query, text: str) -> Iterator[Span]:
    if query.answer_type == "number" and query.counted:  # the displaced are no answer on the dead
        yield from (Span(one.start, one.end) for one in figures(text) if one.unit in query.counted)
    elif query.answer_type:
        for match in _GIVEN[query.answer_type].finditer(text):
            if not query.known.issuperset(terms(match.group())):
                yield Span(*match.span())
