"""Rank the sentences of a collection for a query.

Candidates are the best sentences by vector and by full text, and their neighbours. A linear model
(see `model`) over readable features (see `features`) ranks them. A reader, which sees question and
sentence together, then judges the best of them, and its score is a further feature.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain

import numpy as np

from index.domain import Article, Filters, Sentence
from index.encoder import Encoder, Vectors
from index.ranking.features import Floats, article_bm25, newest, table
from index.ranking.model import Model, packaged, packaged_hash, probability, weighted
from index.ranking.query import Query
from index.reader.excerpts import Excerpt
from index.reader.model import Reader, Reading
from index.store.protocol import Snapshot
from index.store.types import Rows
from index.text.terms import is_english

DEPTH = 70  # 50 finds 1 to 2 points less of MultiHop-RAG's evidence and costs 10 % less
READ = 12  # sentences that are read, with their neighbours
EXCERPT = 300  # characters of an excerpt: in longer ones the reader tells answers apart worse
# Added to the log-odds if no sentence was read, so that one threshold suits both cases: it turns
# .12, at which 95 % of the answerable questions of every public set are answered, into .40.
_UNREAD = 1.59
_OPENING = 500  # characters of a report that tell its language
_TOP = 5  # sentences that confidence is judged by
_NO_SCORES = np.empty(0, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates of a question, best first.

    Attributes:
        query: what they were ranked for.
        sentences: n candidates, best first.
        scores: float32 (n,), descending; comparable within this ranking only.
        features: raw values (n,) by name.
        articles: by article id.
        confidence: how likely the best sentences answer the question, 0 to 1.
        evidence: the inputs of the confidence, by name.
        frequencies: number of sentences in the collection by term of the question.
        vectors: embeddings (d,) of the best `DEPTH` sentences, by sentence id.
        readings: the reader's judgements of the sentences that were read, by sentence id.
    """

    query: Query
    sentences: tuple[Sentence, ...]
    scores: Floats
    features: Mapping[str, Floats]
    articles: Mapping[str, Article]
    confidence: float
    evidence: Mapping[str, float] = field(default_factory=dict)
    frequencies: Mapping[str, int] = field(default_factory=dict)
    vectors: Mapping[int, Vectors] = field(default_factory=dict)
    readings: Mapping[int, Reading] = field(default_factory=dict)

    @property
    def newest(self) -> date | None:
        """The last day on which one of the articles was published; None if none has a date."""
        return newest(self.articles.values())

    def by_article(self) -> list[tuple[Article, float]]:
        """Return articles by their best sentence's score and, for questions of one clause, BM25.

        Several articles answer a question of several clauses, and none is about the whole question:
        there BM25 of the whole text would mislead.
        """
        best: dict[str, float] = {}
        for sentence, score in zip(self.sentences, self.scores.tolist(), strict=True):
            best.setdefault(sentence.article_id, score)
        articles = [self.articles[article_id] for article_id in best]
        scores = np.array([*best.values()], dtype=np.float32)
        if len(self.query.clauses) == 1 and articles:
            scores += article_bm25(self.query, articles)
        order = np.argsort(-scores, kind="stable")
        return [(articles[i], float(scores[i])) for i in order]

    def contributions(self) -> dict[str, Floats]:
        """Return what each feature adds to each score: (n,) by name; they add up to the scores.

        `same_article` is the deduction for further sentences of an article.
        """
        parts = weighted({**packaged().fitted, **packaged().by_hand}, self.features)
        if self.readings:
            parts["reader"] = packaged().reader_weight(self.query) * self.features["reader"]
        return parts | {"same_article": self.scores - sum(parts.values())}


@dataclass(frozen=True, slots=True)
class Candidates:
    """The measured candidates of a query, before they are weighted."""

    query: Query
    rows: Rows
    features: Mapping[str, Floats]
    frequencies: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ranker:
    """Ranks with an encoder, full text and, if there is one, a reader."""

    encoder: Encoder
    reader: Reader | None = None

    @property
    def model(self) -> str:
        """The names of all weights that an answer depends on."""
        reader = self.reader.model if self.reader else ""
        return f"{self.encoder.model} {packaged_hash()} {reader}"

    def rank(
        self,
        snapshot: Snapshot,
        query: Query,
        filters: Filters = Filters(),  # noqa: B008 - frozen
        depth: int = DEPTH,
    ) -> Ranking:
        """Rank sentences; vectors and full text yield up to `depth` candidates each."""
        candidates = gather(snapshot, self.encoder, query, filters, depth)
        if candidates is None:
            return Ranking(query, (), _NO_SCORES, {}, {}, 0.0)
        ranking = ranked(candidates)
        # The reader was trained neither on topics ("tell me about the dam") nor on follow-ups,
        # which mix the words of two questions. No sentence alone says whether two things are alike.
        several = query.yes_or_no and len(query.clauses) > 1
        unusual = query.after or several or not (query.asks and _is_english(ranking))
        return read(ranking, self.reader) if self.reader and not unusual else ranking


def gather(
    snapshot: Snapshot, encoder: Encoder, query: Query, filters: Filters, depth: int
) -> Candidates | None:
    """Find and measure candidates; return None if no sentence passes the filters.

    If another encoder embedded the collection, its vectors cannot be compared with the question's:
    then the candidates come from full text alone, and are embedded here.
    """
    vectors = encoder.encode_parts(query.question, query.clauses)
    ids = {*snapshot.lexical(query.terms, depth, filters).ids.tolist()}
    comparable = snapshot.model in {None, encoder.model}
    if comparable:
        ids.update(snapshot.dense(vectors[0], depth, filters).ids.tolist())
    rows = snapshot.rows(ids, radius=1)
    if not rows.sentences:
        return None
    if not comparable:
        rows = replace(rows, vectors=encoder.encode([s.text for s in rows.sentences]))
    known = snapshot.document_frequencies(query.terms)
    frequencies = {term: known.get(term, 0) for term in query.terms}
    total = snapshot.size().sentences
    # Robertson and Spärck Jones 1976, but never negative
    idf = [math.log(1 + (total - count + 0.5) / (count + 0.5)) for count in frequencies.values()]
    return Candidates(query, rows, table(query, rows, vectors, np.array(idf)), frequencies)


def ranked(candidates: Candidates, model: Model | None = None) -> Ranking:
    """Score candidates with a model, by default the packaged model, and sort them.

    Confidence comes from the fitted weights alone, with which it was learned.
    """
    model = model or packaged()
    rows, measured = candidates.rows, candidates.features
    fitted = np.sum([*weighted(model.fitted, measured).values()], axis=0)
    total = fitted + sum(weighted(model.by_hand, measured).values())
    if len(candidates.query.clauses) > 1:
        total -= model.same_article * _higher_in_article(rows, total)
    order = np.argsort(-total, kind="stable")
    features = {name: column[order] for name, column in measured.items()}
    evidence = confidence_features(candidates.query, features, float(fitted.max()))
    return Ranking(
        query=candidates.query,
        sentences=tuple(rows.sentences[i] for i in order),
        scores=total[order],
        features=features,
        articles=rows.articles,
        confidence=probability(model.confidence, evidence, _UNREAD),
        evidence=evidence,
        frequencies=candidates.frequencies,
        vectors={rows.sentences[i].sentence_id: rows.vectors[i] for i in order[:DEPTH]},
    )


def read(ranking: Ranking, reader: Reader, model: Model | None = None) -> Ranking:
    """Return a ranking whose best sentences the reader has judged, in their new order.

    They are read in excerpts, so that their neighbours are judged as well. A sentence that was not
    read gets the lowest score of those that were. No sentence answers a question of many clauses
    completely: there the reader changes the order, but not the confidence.
    """
    model = model or packaged()
    chosen = excerpts(ranking.sentences)
    texts = [
        Excerpt(ranking.articles[run[0].article_id].title, tuple(s.text for s in run))
        for run in chosen
    ]
    readings: dict[int, Reading] = {}
    judged = reader.read(ranking.query.question, texts)
    for sentence, reading in zip(chain(*chosen), chain(*judged), strict=True):
        readings.setdefault(sentence.sentence_id, reading)
    worst = min(reading.score for reading in readings.values())
    column = np.array(
        [r.score if (r := readings.get(s.sentence_id)) else worst for s in ranking.sentences],
        dtype=np.float32,
    )
    scores = ranking.scores + model.reader_weight(ranking.query) * column
    order = np.argsort(-scores, kind="stable")
    columns = {**ranking.features, "reader": column}
    features = {name: values[order] for name, values in columns.items()}
    evidence = read_confidence_features(ranking.query, features)
    confidence = ranking.confidence
    if not ranking.query.has_many_clauses:
        confidence = probability(model.read_confidence, evidence)
    return replace(
        ranking,
        sentences=tuple(ranking.sentences[i] for i in order),
        scores=scores[order],
        features=features,
        confidence=confidence,
        evidence=evidence,
        readings=readings,
    )


def _is_english(ranking: Ranking) -> bool:
    """Return whether the question and the best report are English, as the reader is."""
    best = ranking.articles[ranking.sentences[0].article_id]
    return ranking.query.english and is_english(best.text[:_OPENING])


def excerpts(sentences: Sequence[Sentence]) -> list[list[Sentence]]:
    """Choose what the reader reads: the best of the ranked sentences, each with its neighbours.

    Returns:
        At most `READ` runs of sentences of one article, each of up to `EXCERPT` characters or of
        one sentence.
    """
    known = {(s.article_id, s.position): s for s in sentences}
    chosen: list[list[Sentence]] = []
    covered: set[int] = set()
    for best in sentences[:READ]:
        if best.sentence_id in covered:
            continue
        excerpt, room, growing = [best], EXCERPT - len(best.text), True
        while growing:
            growing = False
            for step, side in ((-1, 0), (1, -1)):
                end = excerpt[side]
                neighbour = known.get((end.article_id, end.position + step))
                if neighbour and len(neighbour.text) <= room:
                    excerpt.insert(0 if step < 0 else len(excerpt), neighbour)
                    room -= len(neighbour.text)
                    growing = True
        covered.update(s.sentence_id for s in excerpt)
        chosen.append(excerpt)
    return chosen


def _higher_in_article(rows: Rows, total: Floats) -> Floats:
    """Return how many sentences of the same article rank above each sentence: (n,)."""
    seen: Counter[str] = Counter()
    above = np.zeros_like(total)
    for row in np.argsort(-total, kind="stable"):
        article_id = rows.sentences[row].article_id
        above[row] = seen[article_id]
        seen[article_id] += 1
    return above


def confidence_features(
    query: Query, features: Mapping[str, Floats], best: float
) -> dict[str, float]:
    """Return the inputs of the confidence if no sentence was read.

    Args:
        query: the question.
        features: (n,) by name, best first.
        best: the highest score by fitted weights.
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


def read_confidence_features(query: Query, features: Mapping[str, Floats]) -> dict[str, float]:
    """Return the inputs of the confidence if the best sentences were read.

    The names of the question count where the reader sees the answer: an answer about somebody else
    is none. More inputs did not separate answerable questions better.

    Args:
        query: the question.
        features: (n,) by name, `reader` among them.
    """
    best = int(features["reader"].argmax())
    return {
        "bias": 1.0,
        "reader": float(features["reader"][best]),
        "dense": float(features["dense"].max()),
        "names": float(features["names"][best]) if query.names else 1.0,
    }
