"""Rank the sentences of a collection for a query.

Candidates are the best sentences by vector and by full text, and their neighbours. A linear model
over readable features (see `features`) ranks them. A reader, which sees question and sentence
together, then judges the best of them, and its score is one feature more. All weights are in
ranking.json.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from itertools import chain

import numpy as np

from index.domain import Article, Filters, Sentence
from index.encoder import Encoder, Vectors
from index.ranking.features import Floats, article_bm25, scaled, table
from index.ranking.query import Query
from index.reader.excerpts import Excerpt
from index.reader.model import Reader, Reading
from index.store.protocol import Snapshot
from index.store.types import Rows

DEPTH = 70  # 50 finds 1 to 2 points less of MultiHop-RAG's evidence and costs 10 % less
READ = 12  # sentences that are read, with their neighbours
EXCERPTS, EXCERPT = 4, 900  # excerpts that are read; characters of one
# Added to the log-odds where nothing was read, so that one threshold suits both: what is .35 now
# was .12, at which every public set has 95 % of its answerable questions answered.
_UNREAD = 1.37
_TOP = 5  # sentences that confidence is judged by
_NOTHING = np.empty(0, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Model:
    """The weights of ranking.json.

    Attributes:
        fitted: weight by feature, learned from public question sets.
        same_article: subtracted from each further sentence of an article if the question asks
            several things: their answers are seldom in one report.
        confidence: weight by confidence feature, and `bias`, where nothing was read.
        reader: weight of the reader's score, for questions of "few" clauses and of "many".
        read_confidence: the same as `confidence`, where the best sentences were read.
        by_hand: weight by feature of a question's form, for which there is no public data.
    """

    fitted: Mapping[str, float]
    same_article: float
    confidence: Mapping[str, float]
    reader: Mapping[str, float] = field(default_factory=dict)
    read_confidence: Mapping[str, float] = field(default_factory=dict)
    by_hand: Mapping[str, float] = field(default_factory=dict)

    def reader_weight(self, query: Query) -> float:
        """Return the weight of the reader's score for a question."""
        return self.reader["many" if query.has_many_clauses else "few"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates of a question, best first.

    Attributes:
        query: the one that they were ranked for.
        sentences: n of them, best first.
        scores: float32 (n,), descending; comparable within this ranking only.
        features: raw values (n,) by name.
        articles: by article id.
        confidence: 0 to 1, how likely the best sentences answer the question.
        evidence: the features that confidence was judged by.
        frequencies: number of sentences of the collection that have each term of the question.
        vectors: embeddings (d,) of the best `DEPTH` sentences, by sentence id.
        readings: what the reader says of the sentences that were read, by sentence id.
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

    def by_article(self) -> list[tuple[Article, float]]:
        """Return articles by their best sentence's score and, for questions of one clause, BM25.

        A question of several clauses is answered by several articles, none of which is about all of
        it: there the whole text would mislead.
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

        `same_article` is what further sentences of an article lose.
        """
        weighted = _weighted({**packaged().fitted, **packaged().by_hand}, self.features)
        if self.readings:
            weighted["reader"] = packaged().reader_weight(self.query) * self.features["reader"]
        return weighted | {"same_article": self.scores - sum(weighted.values())}


@lru_cache(maxsize=1)
def packaged() -> Model:
    """Return the packaged weights."""
    return Model(**json.loads(_ranking_json()))


@lru_cache(maxsize=1)
def weights() -> str:
    """Return a hash of the packaged weights: other weights give other answers."""
    return hashlib.sha256(_ranking_json()).hexdigest()[:8]


def _ranking_json() -> bytes:
    return (files("index.ranking") / "ranking.json").read_bytes()


@dataclass(frozen=True, slots=True)
class Candidates:
    """The measured candidates of a query, before they are weighted."""

    query: Query
    rows: Rows
    features: Mapping[str, Floats]
    frequencies: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ranker:
    """The models that rank; without a reader, by the encoder and the words alone."""

    encoder: Encoder
    reader: Reader | None = None

    @property
    def model(self) -> str:
        """Names all weights that an answer depends on."""
        return " ".join([self.encoder.model, weights(), self.reader.model if self.reader else ""])

    def rank(
        self,
        snapshot: Snapshot,
        query: Query,
        filters: Filters = Filters(),  # noqa: B008 - frozen
        depth: int = DEPTH,
    ) -> Ranking:
        """Rank the sentences of a generation; `depth` candidates from each of vectors and words."""
        candidates = gather(snapshot, self.encoder, query, filters, depth)
        if candidates is None:
            return Ranking(query, (), _NOTHING, {}, {}, 0.0)
        ranking = ranked(candidates)
        # The reader was not trained with topics ("tell me about the dam"), nor with the words of
        # two questions that a follow-up is made of; and no sentence alone says whether two things
        # are alike.
        several = query.yes_or_no and len(query.clauses) > 1
        unusual = query.after or several or not query.asks
        return read(ranking, self.reader) if self.reader and not unusual else ranking


def gather(
    snapshot: Snapshot, encoder: Encoder, query: Query, filters: Filters, depth: int
) -> Candidates | None:
    """Find and measure candidates; return None if no sentence passes the filters.

    If another encoder embedded the collection, its vectors cannot be compared with a question's:
    then the candidates come from the full text alone, and are embedded here.
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
    # Robertson, Spärck Jones 1976, but never negative
    idf = [math.log(1 + (total - count + 0.5) / (count + 0.5)) for count in frequencies.values()]
    return Candidates(query, rows, table(query, rows, vectors, np.array(idf)), frequencies)


def ranked(candidates: Candidates, model: Model | None = None) -> Ranking:
    """Weight candidates by a model, by default the packaged one, and sort them.

    Confidence comes from the fitted weights alone: it was learned with those.
    """
    model = model or packaged()
    rows, measured = candidates.rows, candidates.features
    fitted = np.sum([*_weighted(model.fitted, measured).values()], axis=0)
    total = fitted + sum(_weighted(model.by_hand, measured).values())
    if len(candidates.query.clauses) > 1:
        total -= model.same_article * _better_of_article(rows, total)
    order = np.argsort(-total, kind="stable")
    features = {name: column[order] for name, column in measured.items()}
    evidence = confidence_features(candidates.query, features, float(fitted.max()))
    return Ranking(
        query=candidates.query,
        sentences=tuple(rows.sentences[i] for i in order),
        scores=total[order],
        features=features,
        articles=rows.articles,
        confidence=_confidence(model.confidence, evidence, _UNREAD),
        evidence=evidence,
        frequencies=candidates.frequencies,
        vectors={rows.sentences[i].sentence_id: rows.vectors[i] for i in order[:DEPTH]},
    )


def read(ranking: Ranking, reader: Reader, model: Model | None = None) -> Ranking:
    """Return a ranking whose best sentences the reader has judged, in their new order.

    They are read in excerpts, so that their neighbours are judged as well. What is not read
    counts as the worst that is. Of a question of many clauses no sentence answers all, so what
    the reader says moves their order but not the confidence.
    """
    model = model or packaged()
    chosen = excerpts(ranking.sentences)
    texts = [
        Excerpt(ranking.articles[own[0].article_id].title, tuple(s.text for s in own))
        for own in chosen
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
    evidence = confidence_features(ranking.query, features, ranking.evidence["score"])
    confidence = ranking.confidence
    if not ranking.query.has_many_clauses:
        confidence = _confidence(model.read_confidence, evidence)
    return replace(
        ranking,
        sentences=tuple(ranking.sentences[i] for i in order),
        scores=scores[order],
        features=features,
        confidence=confidence,
        evidence=evidence,
        readings=readings,
    )


def excerpts(sentences: Sequence[Sentence]) -> list[list[Sentence]]:
    """Choose what is read of ranked sentences: the best ones, each among its neighbours.

    Returns:
        At most `EXCERPTS` runs of sentences of one article, each of up to `EXCERPT` characters or
        of one sentence.
    """
    known = {(s.article_id, s.position): s for s in sentences}
    out: list[list[Sentence]] = []
    covered: set[int] = set()
    for best in sentences[:READ]:
        if best.sentence_id in covered or len(out) == EXCERPTS:
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
        out.append(excerpt)
    return out


def _confidence(
    weight: Mapping[str, float], evidence: Mapping[str, float], offset: float = 0.0
) -> float:
    return 1 / (1 + math.exp(-offset - sum(weight[name] * evidence[name] for name in weight)))


def _weighted(weight: Mapping[str, float], features: Mapping[str, Floats]) -> dict[str, Floats]:
    """What each feature adds to each score: (n,) by name."""
    return {name: weight[name] * scaled(name, features[name]) for name in weight}


def _better_of_article(rows: Rows, total: Floats) -> Floats:
    """How many sentences of its own article rank above each sentence: (n,)."""
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
    """Return the inputs of the model that judges whether the best sentences answer the question.

    Args:
        query: the question.
        features: (n,) by name, best first.
        best: the highest score by fitted weights.
    """
    top = slice(_TOP)
    judged = {"reader": float(features["reader"].max())} if "reader" in features else {}
    return judged | {
        "bias": 1.0,
        "dense": float(features["dense"].max()),
        "near": float(features["near"][top].max()),
        "names": float(features["names"][top].max()) if query.names else 1.0,
        "publisher": float(features["publisher"][top].max()),
        "score": best,
        "terms": math.log1p(len(query.terms)),  # the fewer, the lower any cosine
    }
