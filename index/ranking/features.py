"""Measure each candidate sentence by a few readable features.

`table` returns raw values; `ranking.json` holds the weights. The columns of `SCALED` are z-scored
among the candidates of a question; the other columns are weighted as they are.

The weights under "fitted" were learned by tests/benchmarks/fit.py on six public question sets. No
public set asks who said what, about a time, or in several turns, so the weights under "by_hand"
were chosen on the sample reports and tests/data/follow_ups.jsonl.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from index.domain import Article, Sentence
from index.encoder import Vectors
from index.ranking.query import ACT_WORDS, AnswerType, FollowUp, Query
from index.store.types import Rows
from index.text.acronyms import spelt_out
from index.text.dates import MONTHS, WEEKDAYS, DateRange, date_ranges
from index.text.quantities import COUNTING, figures, units
from index.text.sentences import Span
from index.text.terms import STOP_TERMS, content_terms, terms

Floats = npt.NDArray[np.floating[Any]]

SCALED = frozenset({"cover", "clause_bm25", "clause_dense", "article_dense", "length"})
JUDGING = frozenset({"dense", "names", "near"})
"""Used for confidence only: the cosine of sentence and question, and the shares (by idf) of the
question's names and of all its terms that the sentence, its neighbours and its title have."""
_K1, _B = 1.2, 0.75
_PROMISING = 150  # `gives` is computed for so many of some 340 candidates: all would rank no better


def table(query: Query, rows: Rows, vectors: Vectors, idf: Floats) -> dict[str, Floats]:
    """Return the raw values (n,) of candidates by feature, including `JUDGING`.

    Args:
        query: with m terms and c clauses.
        rows: n candidates.
        vectors: float32 (1 + c, d), embeddings of the question and its clauses.
        idf: float32 (m,), inverse document frequencies of the terms.
    """
    owners, articles = _owners(rows)
    counts, sizes = _term_counts(query, rows.terms)
    title_counts, title_sizes = _term_counts(query, [_title_terms(a.title) for a in articles])
    positions = np.array([sentence.position for sentence in rows.sentences])
    follows = (owners[1:] == owners[:-1]) & (positions[1:] == positions[:-1] + 1)
    window = _with_neighbours(counts, follows) + title_counts[owners]
    window_sizes = _with_neighbours(sizes, follows) + title_sizes[owners]
    topical = np.array([term not in query.source_terms for term in query.terms])
    weights = idf * topical if topical.any() else idf
    clauses = [terms(query.question[span.start : span.end]) for span in query.clauses]
    by_clause = np.minimum(_term_counts(query, clauses)[0], 1).T * weights[:, None]
    dense = rows.vectors @ vectors[0]
    names = np.array([term in query.names for term in query.terms])
    endings = [sentence.text.rstrip("\"'”’) ")[-1:] for sentence in rows.sentences]
    columns = {
        "dense": dense,
        "names": _share(window, idf * names),
        "near": _share(window, weights),
        "cover": _share(counts, weights),
        "clause_bm25": (_saturated(window, window_sizes) @ by_clause).max(1),
        "clause_dense": _z_scores(rows.vectors @ vectors[1:].T).max(1),
        # the mean over an article's candidates, shrunk to the overall mean (prior weight 1)
        "article_dense": ((np.bincount(owners, dense) + dense.mean()) / (np.bincount(owners) + 1))[
            owners
        ],
        **source_features(query, rows),
        "first": 1 / (1 + positions),
        "length": np.log1p(sizes),
        "asks": _column(ending == "?" for ending in endings),
        "unfinished": _column(ending not in (*".!?",) for ending in endings),
        **_form_features(query, rows),
    }
    rough = 3 * (columns["publisher"] + columns["day"])  # about what the weights give them
    rough = rough + sum(scaled(name, columns[name]) for name in SCALED - {"length"})
    gives = np.zeros(len(rows.sentences))
    for row in np.argsort(-rough, kind="stable")[:_PROMISING]:
        gives[row] = next(given(query, rows.sentences[row].text), None) is not None
    columns["gives"] = gives
    return {name: column.astype(np.float32) for name, column in columns.items()}


def source_features(query: Query, rows: Rows) -> dict[str, Floats]:
    """Return how well the question names the publisher and the day of each sentence: each (n,)."""
    owners, articles = _owners(rows)
    days = query.dates(newest(articles))
    publisher = [query.publishers.get(article.publisher or "", 0.0) for article in articles]
    day = [max((_nearness(day, article) for day in days), default=0.0) for article in articles]
    return {"publisher": _column(publisher)[owners], "day": _column(day)[owners]}


def _nearness(day: DateRange, article: Article) -> float:
    """Return 1 on the named day, 0.5 on the day before or after, 0.25 in a named month, else 0."""
    published = article.published_on
    if published is None or day.start is None:
        return 0.0
    if day.start != day.end:
        return 0.25 if day.holds(published) else 0.0
    return {0: 1.0, 1: 0.5}.get(abs((day.start - published).days), 0.0)


def newest(articles: Iterable[Article]) -> date | None:
    """Return the last day on which one of the articles was published; None if none has a date."""
    return max((a.published_on for a in articles if a.published_on), default=None)


def scaled(name: str, column: Floats) -> Floats:
    """Return a column as it is weighted: z-scored if it is one of `SCALED`."""
    return _z_scores(column) if name in SCALED else column


def article_bm25(query: Query, articles: Sequence[Article]) -> Floats:
    """Return the BM25 of whole articles with their titles, z-scored among them: (articles,)."""
    counts, sizes = _term_counts(query, [terms(f"{a.title} {a.text}") for a in articles])
    frequency = (counts > 0).sum(0)
    idf = np.log(1 + (len(articles) - frequency + 0.5) / (frequency + 0.5))
    return _z_scores(_saturated(counts, sizes) @ idf)


@lru_cache(maxsize=10_000)
def _title_terms(title: str) -> list[str]:
    return terms(title)


def _column(values: Iterable[float]) -> Floats:
    return np.fromiter(values, dtype=np.float32)


def _z_scores(values: Floats) -> Floats:
    """Return z-scores over the first axis; zeros where all values are equal."""
    return np.asarray((values - values.mean(0)) / (values.std(0) + 1e-6))


def _owners(rows: Rows) -> tuple[npt.NDArray[np.int64], list[Article]]:
    """Return the index of each row's article (n,), and the articles."""
    order = {article_id: i for i, article_id in enumerate(rows.articles)}
    owners = np.array([order[sentence.article_id] for sentence in rows.sentences], dtype=np.int64)
    return owners, list(rows.articles.values())


def _term_counts(query: Query, texts: Sequence[Sequence[str]]) -> tuple[Floats, Floats]:
    """Return the count of each query term in each text (n, m), and the texts' lengths (n,)."""
    column = {term: i for i, term in enumerate(query.terms)}
    counts = np.zeros((len(texts), len(column)), dtype=np.float32)
    for row, text in enumerate(texts):
        for term in column.keys() & text:
            counts[row, column[term]] = text.count(term)
    return counts, _column(map(len, texts))


def _saturated(counts: Floats, sizes: Floats) -> Floats:
    """Return BM25 term weights before idf (Robertson, Zaragoza 2009); the texts set the length."""
    norm = _K1 * (1 - _B + _B * sizes / max(float(sizes.mean()), 1.0))
    return counts * (_K1 + 1) / (counts + norm[:, None])


def _share(counts: Floats, weights: Floats) -> Floats:
    """Return the share of the total weight that the terms present carry: (n,)."""
    return np.minimum(counts, 1) @ weights / max(float(weights.sum()), 1e-6)


def _with_neighbours(values: Floats, follows: npt.NDArray[np.bool_]) -> Floats:
    """Add its neighbours to each row; `follows` (n - 1,) says whether row i + 1 follows row i."""
    total = values.copy()
    total[1:][follows] += values[:-1][follows]
    total[:-1][follows] += values[1:][follows]
    return total


# The form of a question: a time, a speaker, an act, a follow-up

NEGATION = re.compile(r"\b(?:no|not|never|false|fake|hoax)\b|n['’]t\b", re.IGNORECASE)
_BARE = 3  # words: "And why?" has no new words to look for, so what was quoted may answer it


def _form_features(query: Query, rows: Rows) -> dict[str, Floats]:
    """Return the features that depend on a question's form, zero for most questions: each (n,)."""
    names = ("time", "speaker", "act", "new_words", "repeats")
    columns: dict[str, Floats] = dict.fromkeys(names, np.zeros(len(rows.sentences)))
    pairs = [(sentence, rows.articles[sentence.article_id]) for sentence in rows.sentences]
    days = query.days(newest(rows.articles.values()))
    if days and len(query.clauses) == 1:  # dates in longer questions mostly identify reports
        columns["time"] = _column(_is_about(days, *pair) for pair in pairs)
    if query.speaker:
        columns["speaker"] = _column(_is_said_by_speaker(query, *pair) for pair in pairs)
    if query.acts:
        columns["act"] = _column(_is_act(query, sentence) for sentence in rows.sentences)
    if query.after:
        columns |= _novelty(query.after, rows)
    return columns


def _is_about(days: Sequence[DateRange], sentence: Sentence, article: Article) -> bool:
    """Return whether a sentence names any of the days, or names no day but was published on one."""
    published = article.published_on
    if named := date_ranges(sentence.text, published):
        return any(day.overlaps(other) for day in days for other in named)
    return published is not None and any(day.holds(published) for day in days)


def _is_said_by_speaker(query: Query, sentence: Sentence, article: Article) -> bool:
    """Return whether "What did X say about Y?" asks for a sentence: by X, and on half of Y."""
    if query.speaker is None or not _same_name(query.speaker.speaker, sentence.speaker or ""):
        return False
    if query.speaker.verb.lower().startswith("den") and sentence.act != "denial":
        return False
    topic = set(content_terms(query.speaker.about)) - STOP_TERMS
    mentioned = topic.intersection(terms(f"{article.title} {sentence.text}"))
    return 2 * len(mentioned) >= len(topic)


@lru_cache(maxsize=4_096)  # the candidates of a question have few speakers
def _same_name(a: str, b: str) -> bool:
    """Return whether one phrase has all words of the other, with acronyms spelt out."""
    left, right = set(terms(spelt_out(a, b))) - STOP_TERMS, set(terms(spelt_out(b, a))) - STOP_TERMS
    return bool(left and right) and (left <= right or right <= left)


def _is_act(query: Query, sentence: Sentence) -> bool:
    """Return whether a sentence is an act the question asks about; a negative claim is a denial."""
    negated = sentence.act == "claim" and NEGATION.search(sentence.text)
    return ("denial" if negated else sentence.act) in query.acts


def _novelty(after: FollowUp, rows: Rows) -> dict[str, Floats]:
    """Return the share of a follow-up's new words in each sentence, and how far it is repeated.

    A sentence that was quoted before counts as repeated, and as half repeated if it has half of the
    new words; no sentence does if the follow-up is about the quotes themselves ("Why?").
    """
    wording = after.new_words
    for pattern in ACT_WORDS.values():
        wording = pattern.sub(" ", wording)  # a denial need not have the word "deny"
    new = set(content_terms(wording)) - STOP_TERMS
    share = _column(len(new.intersection(words)) / max(1, len(new)) for words in rows.terms)
    quoted = _column(
        any(
            quote.article_id == sentence.article_id
            and quote.start < sentence.end
            and sentence.start < quote.end
            for quote in after.quoted
        )
        for sentence in rows.sentences
    )
    if not new and 0 < len(after.new_words.split()) <= _BARE:
        quoted *= 0
    novel = np.where((quoted > 0) & (share < 0.5), 0, share)  # noqa: PLR2004
    return {"new_words": novel, "repeats": quoted * np.where(novel > 0, 0.5, 1)}


# The kind of thing that a question asks for

_NAME = re.compile(r"\b[A-Z][\w’'.-]+(?: [A-Z][\w’'.-]+)+|(?<!^)(?<![.!?\"“] )\b[A-Z][\w’'-]+")
_GIVEN: dict[AnswerType, re.Pattern[str]] = {
    "person": _NAME,  # "Mara Voss"
    "name": _NAME,
    "date": re.compile(  # "1962", "Monday", "4.40am"
        rf"\b(?:1[0-9]|20)\d\d\b|\b(?:{'|'.join([*MONTHS, *WEEKDAYS])}|century|yesterday|midnight"
        r"|noon)\b|\b\d{1,2}(?:[.:]\d\d)? ?(?:[ap]m\b|[ap]\.m\.)|\b\d{1,2}:\d\d\b"
        r"|\b(?<=at )\d{1,2}\.\d\d\b"
    ),
    "amount": re.compile(  # "$1.2 million", "7%", "several hours"
        r"[$£€]\s?\d[\d.,]*(?: ?(?:thousand|million|billion|trillion|[kmb]n?\b))?"
        r"|\d\S* ?(?:%|percent|per cent|years?|months?|weeks?|days?|hours?|minutes?"
        r"|seconds?|miles?|\w*met(?:re|er)s?|feet|foot|inch(?:es)?|pounds?|dollars?|tons?|kg|km"
        r"|degrees|million|billion|trillion)"
        rf"|\b(?:several|{COUNTING}) (?:years|months|weeks|days|hours|minutes|times)"
    ),
    "number": re.compile(  # "1,200", "twenty-three"
        rf"\d[\d.,]*\b|\b(?:{COUNTING}|dozens?|hundreds?|thousands?|millions?|once|twice"
        r"|both|half)\b",
        re.IGNORECASE,
    ),
    "place": re.compile(  # "near the old Ostby"
        r"\b(?:in|at|from|near|to|of|outside|across) (?:the )?(?:[a-z]+ )?[A-Z]\w+"
    ),
}


def given(query: Query, text: str) -> Iterator[Span]:
    """Yield the spans of a text that give the kind of thing asked for, unless the question does."""
    if query.answer_type == "number" and query.counted:  # not the displaced for the dead
        if query.counted & units(text):
            counted = (figure for figure in figures(text) if figure.unit in query.counted)
            yield from (Span(figure.start, figure.end) for figure in counted)
    elif query.answer_type:
        for match in _GIVEN[query.answer_type].finditer(text):
            if not query.known.issuperset(terms(match.group())):
                yield Span(*match.span())
