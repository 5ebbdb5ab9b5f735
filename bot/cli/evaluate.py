"""Measures how good the ranking is, and how well it declines, against judged questions.

A data set is in BEIR's layout (Thakur et al. 2021): corpus.jsonl[.gz], queries.jsonl and
qrels/SPLIT.tsv with article ids. `evidence.jsonl` ({query_id, article_id, text}) adds gold
sentences, and `metadata.answerable` in the queries says which of them the corpus answers.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, ValidationError
from scipy.stats import bootstrap
from sklearn.metrics import ndcg_score, roc_auc_score

from bot.cli.context import read_lines
from bot.cli.output import Result
from index import Archive, Article, Failure, InputError, ProgressCallback, Ranking, Sentence

_DEPTH = 10
_GOLD_OVERLAP = 0.8  # of the shorter of two sentences: our splits and the gold ones differ a little
_RESAMPLES = 1_000
_Row = TypeVar("_Row", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A gold sentence: [start, end) of an article's text."""

    article_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Question:
    """A query with the grades of its relevant articles; `answerable` is None if unknown."""

    query_id: str
    text: str
    articles: Mapping[str, int]
    evidence: tuple[Evidence, ...]
    answerable: bool | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval, by the percentile bootstrap over questions (Efron 1979)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured.

    Attributes:
        dataset: the folder's name.
        queries: how many questions were asked.
        estimates: by name, over the questions each applies to; those that the data set has no
            judgements for are missing. `ndcg@10` and `recall@10` are over articles; `mrr@10` is
            over gold sentences if there are any, else over articles; `answered@5%` is the share of
            answerable questions answered when 5 % of the unanswerable ones are.
        seconds_per_query: wall-clock time of one search.
    """

    dataset: str
    queries: int
    estimates: Mapping[str, Estimate]
    seconds_per_query: float

    def result(self, *, failed: bool) -> Result:
        """The figures as the command prints them, each with its interval."""
        document: dict[str, Any] = {"dataset": self.dataset, "queries": self.queries}
        for name, estimate in self.estimates.items():
            document[name] = round(estimate.value, 4)
            document[f"{name}_interval"] = [round(estimate.low, 4), round(estimate.high, 4)]
        document["seconds_per_query"] = round(self.seconds_per_query, 4)
        lines = [f"{name:>28}  {value}" for name, value in document.items()]
        return Result(document, "\n".join(lines), failed=failed)


class _QueryRow(BaseModel):
    key: str = Field(alias="_id")
    text: str
    metadata: dict[str, Any] = {}


class _EvidenceRow(BaseModel):
    query_id: str
    article_id: str
    text: str


def load(folder: Path, split: str, articles: Mapping[str, Article]) -> list[Question]:
    """The questions of a split, with their evidence located in the stored articles.

    Raises:
        InputError: the folder is not in this layout, or none of its questions is judged.
    """
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for number, line in read_lines(folder / "qrels" / f"{split}.tsv"):
        match line.split("\t"):
            case [query_id, article_id, grade] if grade.strip().isdecimal():
                if int(grade):  # some sets also list what was judged irrelevant
                    grades[query_id][article_id] = int(grade)
            case _ if number > 1:  # the first line names the columns
                raise InputError(
                    f"{folder}/qrels/{split}.tsv, line {number}: it must be a query id, an article "
                    "id and a whole number, separated by tabs."
                )
    evidence: dict[str, list[Evidence]] = defaultdict(list)
    if (folder / "evidence.jsonl").exists():
        for gold in _rows(folder / "evidence.jsonl", _EvidenceRow):
            article, text = articles.get(gold.article_id), gold.text.strip()
            if article and (start := article.text.find(text)) >= 0:
                place = Evidence(gold.article_id, start, start + len(text))
                evidence[gold.query_id].append(place)
    questions = [
        Question(
            query.key,
            query.text,
            grades.get(query.key, {}),
            tuple(evidence.get(query.key, ())),
            query.metadata.get("answerable"),
        )
        for query in _rows(folder / "queries.jsonl", _QueryRow)
        if query.key in grades or query.metadata.get("answerable") is False
    ]
    if not questions:
        raise InputError(f"{folder}/qrels/{split}.tsv judges no question of queries.jsonl.")
    return questions


def _rows(path: Path, model: type[_Row]) -> Iterator[_Row]:
    """The rows of a file of JSON lines."""
    for number, line in read_lines(path):
        try:
            yield model.model_validate_json(line)
        except ValidationError as error:
            names = ", ".join(field.alias or name for name, field in model.model_fields.items())
            message = f"{path}, line {number}: it must be a JSON object with {names}."
            raise InputError(message) from error


def collection_name(folder: Path, model: str) -> str:
    """The name of a data set's collection: its folder, and a hash of its corpus and the encoder."""
    with _corpus(folder).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(model.encode())
    plain = re.sub(r"[^\w-]+", "-", folder.resolve().name)
    return f"evaluate-{plain}-{digest.hexdigest()[:8]}"


def _corpus(folder: Path) -> Path:
    for name in ("corpus.jsonl", "corpus.jsonl.gz"):
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"{folder} has no corpus.jsonl or corpus.jsonl.gz; it also needs queries.jsonl and "
        "qrels/SPLIT.tsv."
    )


def evaluate(
    archive: Archive,
    folder: Path,
    *,
    split: str = "test",
    run_file: Path | None = None,
    on_progress: ProgressCallback | None = None,
) -> tuple[Figures, Sequence[Failure]]:
    """Add a data set's corpus to `archive`, and measure; also returns the rows that failed.

    Args:
        archive: best a collection of its own for each data set.
        folder: in BEIR's layout.
        split: which qrels.
        run_file: file to write the ranked articles to, in TREC's format.
        on_progress: called with the progress of indexing.

    Raises:
        InputError: the folder is not in this layout, or none of its questions is judged.
    """
    failures = archive.add([str(_corpus(folder))], actor="evaluate", on_progress=on_progress).failed
    articles = {article.article_id: article for article in archive.articles()}
    if not articles:
        reason = f" ({failures[0].error})" if failures else ""
        raise InputError(f"{_corpus(folder)} holds no article that can be read{reason}.")
    questions = load(folder, split, articles)
    archive.prepare()
    started = time.perf_counter()
    rankings = [archive.search(question.text) for question in questions]
    seconds = (time.perf_counter() - started) / len(questions)
    if run_file is not None:
        with run_file.open("w", encoding="utf-8") as file:
            for question, ranking in zip(questions, rankings, strict=True):
                for rank, (article, score) in enumerate(ranking.by_article(), 1):
                    row = f"{question.query_id} Q0 {article.article_id} {rank} {score:.6f}"
                    file.write(f"{row} onrecord\n")
    return Figures(folder.name, len(questions), _estimates(questions, rankings), seconds), failures


def _estimates(questions: Sequence[Question], rankings: Sequence[Ranking]) -> dict[str, Estimate]:
    """All figures that the judgements allow."""
    values: dict[str, list[float]] = defaultdict(list)
    confidences: dict[bool | None, list[float]] = defaultdict(list)
    has_evidence = any(question.evidence for question in questions)
    for question, ranking in zip(questions, rankings, strict=True):
        confidences[question.answerable].append(ranking.confidence)
        if not question.articles:
            continue
        ids = [article.article_id for article, _ in ranking.by_article()]
        ranks = [rank for rank, article_id in enumerate(ids, 1) if article_id in question.articles]
        values["ndcg@10"].append(ndcg(ids, question.articles, _DEPTH))
        values["recall@10"].append(_recall(ranks, len(question.articles)))
        if question.evidence:
            ranks = _gold_ranks(question, ranking.sentences)
            values["evidence_recall@10"].append(_recall(ranks, len(question.evidence)))
            for depth in (4, _DEPTH):
                values[f"hit@{depth}"].append(min(ranks, default=depth + 1) <= depth)
        if question.evidence or not has_evidence:
            first = min(ranks, default=_DEPTH + 1)
            values["mrr@10"].append(1 / first if first <= _DEPTH else 0)
    estimates = {name: _estimate(np.mean, sample) for name, sample in values.items()}
    if confidences[True] and confidences[False]:
        for name, figure in (("decline_auroc", auroc), ("answered@5%", answered_at)):
            estimates[name] = _estimate(figure, confidences[True], confidences[False])
    return estimates


def _recall(ranks: Sequence[int], relevant: int) -> float:
    return sum(rank <= _DEPTH for rank in ranks) / relevant


def _estimate(figure: Callable[..., float], *samples: Sequence[float]) -> Estimate:
    """A figure of one or more samples with its interval; the same each time."""
    arrays = [np.asarray(sample, dtype=np.float64) for sample in samples]
    value = float(figure(*arrays))
    if min(map(len, arrays)) == 1:  # nothing to draw from
        return Estimate(value, value, value)
    interval = bootstrap(
        arrays, figure, n_resamples=_RESAMPLES, method="percentile", vectorized=False, rng=0
    ).confidence_interval
    return Estimate(value, float(interval.low), float(interval.high))


def ndcg(ranked: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """Normalised discounted cumulative gain at k (Järvelin, Kekäläinen 2002), linear gains."""
    gains = [grades.get(article_id, 0) for article_id in ranked[:k]]
    gains += [0] * (k - len(gains))
    gains += [grade for article_id, grade in grades.items() if article_id not in ranked[:k]]
    return float(ndcg_score([gains], [range(len(gains), 0, -1)], k=k, ignore_ties=True))


def auroc(positives: npt.ArrayLike, negatives: npt.ArrayLike) -> float:
    """How often a positive scores above a negative; ties count half. Neither may be empty."""
    scores = [*np.ravel(positives), *np.ravel(negatives)]
    return float(roc_auc_score([1] * np.size(positives) + [0] * np.size(negatives), scores))


def answered_at(positives: npt.ArrayLike, negatives: npt.ArrayLike, wrongly: float = 0.05) -> float:
    """The share of positives above the threshold that a share `wrongly` of negatives passes."""
    return float(np.mean(np.asarray(positives) > np.quantile(np.asarray(negatives), 1 - wrongly)))


def _gold_ranks(question: Question, sentences: Sequence[Sentence]) -> list[int]:
    """The rank at which each gold sentence that was retrieved first appears."""
    ranks = []
    for gold in question.evidence:
        for rank, sentence in enumerate(sentences, 1):
            shared = min(sentence.end, gold.end) - max(sentence.start, gold.start)
            shorter = min(sentence.end - sentence.start, gold.end - gold.start)
            if sentence.article_id == gold.article_id and shared >= _GOLD_OVERLAP * shorter:
                ranks.append(rank)
                break
    return ranks
