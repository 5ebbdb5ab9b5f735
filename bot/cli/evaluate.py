"""Measure ranking and declining on questions with relevance judgements.

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
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel
from sklearn.metrics import ndcg_score, roc_auc_score

from bot.cli.context import Query, read_lines
from bot.cli.output import Result
from bot.views.text import failure_line
from index import Archive, Article, InputError, ProgressCallback, Ranking, Sentence

_DEPTH = 10
_GOLD_OVERLAP = 0.8  # of the shorter sentence: our sentence splits and the gold splits may differ
_Row = TypeVar("_Row")


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


class _Gold(BaseModel):
    query_id: str
    article_id: str
    text: str


def load(folder: Path, split: str, articles: Mapping[str, Article]) -> list[Question]:
    """Return the questions of a split, with their evidence located in the stored articles.

    Raises:
        InputError: the folder is not in this layout, or no question has a judgement.
    """
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    wanted = "a query id, an article id and a whole number, separated by tabs"
    for query_id, article_id, grade in _parsed(folder / "qrels" / f"{split}.tsv", _grade, wanted):
        if grade > 0:  # some sets also list articles judged irrelevant
            grades[query_id][article_id] = grade
    evidence: dict[str, list[Evidence]] = defaultdict(list)
    gold_file = folder / "evidence.jsonl"
    wanted = "a JSON object with query_id, article_id and text"
    gold_rows = _parsed(gold_file, _Gold.model_validate_json, wanted) if gold_file.exists() else ()
    for gold in gold_rows:
        article, text = articles.get(gold.article_id), gold.text.strip()
        if article and (start := article.text.find(text)) >= 0:
            evidence[gold.query_id].append(Evidence(gold.article_id, start, start + len(text)))
    questions = []
    wanted = "a JSON object with _id and text, and metadata if there is any"
    for query in _parsed(folder / "queries.jsonl", Query.model_validate_json, wanted):
        key, answerable = query.key or "", query.metadata.get("answerable")
        if key in grades or answerable is False:
            judged = grades.get(key, {}), tuple(evidence[key])
            questions.append(Question(key, query.text, *judged, answerable))
    if not questions:
        raise InputError(f"{folder}/qrels/{split}.tsv judges no question of queries.jsonl.")
    return questions


def _parsed(path: Path, parse: Callable[[str], _Row], wanted: str) -> Iterator[_Row]:
    for number, line in read_lines(path):
        if path.suffix == ".tsv" and number == 1:
            continue  # column names
        try:
            yield parse(line)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: it must be {wanted}.") from error


def _grade(line: str) -> tuple[str, str, int]:
    query_id, article_id, grade = line.split("\t")
    return query_id, article_id, int(grade)


def collection_name(folder: Path, model: str) -> str:
    """Return the name of a data set's collection, with a hash of its corpus and the encoder."""
    digest = hashlib.sha256(_corpus(folder).read_bytes() + model.encode()).hexdigest()
    plain = re.sub(r"[^\w-]+", "-", folder.resolve().name)
    return f"evaluate-{plain}-{digest[:8]}"


def _corpus(folder: Path) -> Path:
    for file in (folder / "corpus.jsonl", folder / "corpus.jsonl.gz"):
        if file.is_file():
            return file
    wanted = "corpus.jsonl or corpus.jsonl.gz, queries.jsonl and qrels/SPLIT.tsv"
    raise InputError(f"{folder} has no corpus: a data set holds {wanted}.")


def evaluate(
    archive: Archive, folder: Path, split: str, on_progress: ProgressCallback | None = None
) -> Result:
    """Add the corpus of a data set to `archive`, and return the data set's figures.

    `ndcg@10` and `recall@10` are over articles; `mrr@10` is over gold sentences if there are any,
    else over articles; `answered@5%` is the share of answerable questions answered when 5 % of the
    unanswerable questions are. Figures that need missing judgements are left out.

    Raises:
        InputError: the folder is not in this layout, or no question has a judgement.
    """
    failed = archive.add([str(_corpus(folder))], actor="evaluate", on_progress=on_progress).failed
    articles = {article.article_id: article for article in archive.articles()}
    if not articles:
        reason = f" ({failed[0].error})" if failed else ""
        raise InputError(f"{_corpus(folder)} holds no article that can be read{reason}.")
    questions = load(folder, split, articles)
    archive.search(questions[0].text)  # loads the models
    started = time.perf_counter()
    rankings = [archive.search(question.text) for question in questions]
    seconds = (time.perf_counter() - started) / len(questions)
    document: dict[str, Any] = {"dataset": folder.name, "queries": len(questions)}
    figures = {**_figures(questions, rankings), "seconds_per_query": seconds}
    document |= {name: round(value, 4) for name, value in figures.items()}
    lines = [f"{name:>20}  {value}" for name, value in document.items()]
    lines += [f"Failed: {failure_line(failure)}" for failure in failed]
    return Result(document, "\n".join(lines), failed=bool(failed))


def _figures(questions: Sequence[Question], rankings: Sequence[Ranking]) -> dict[str, float]:
    """Return the figures for which there are judgements."""
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
    figures = {name: float(np.mean(sample)) for name, sample in values.items()}
    answerable, unanswerable = confidences[True], confidences[False]
    if answerable and unanswerable:
        figures["decline_auroc"] = auroc(answerable, unanswerable)
        figures["answered@5%"] = answered_at(answerable, unanswerable)
    return figures


def _recall(ranks: Sequence[int], relevant: int) -> float:
    return sum(rank <= _DEPTH for rank in ranks) / relevant


def ndcg(ranked: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """Return the nDCG at k (Järvelin, Kekäläinen 2002), with linear gains."""
    gains = [grades.get(article_id, 0) for article_id in ranked[:k]]
    gains += [0] * (k - len(gains))
    gains += [grade for article_id, grade in grades.items() if article_id not in ranked[:k]]
    return float(ndcg_score([gains], [range(len(gains), 0, -1)], k=k, ignore_ties=True))


def auroc(positives: npt.ArrayLike, negatives: npt.ArrayLike) -> float:
    """Return the share of pairs in which the positive scores higher; ties count half.

    Neither may be empty.
    """
    labels = [1] * np.size(positives) + [0] * np.size(negatives)
    return float(roc_auc_score(labels, np.concatenate([positives, negatives])))


def answered_at(positives: npt.ArrayLike, negatives: npt.ArrayLike, wrongly: float = 0.05) -> float:
    """Return the share of positives above the threshold that `wrongly` of the negatives pass."""
    return float(np.mean(np.asarray(positives) > np.quantile(np.asarray(negatives), 1 - wrongly)))


def _gold_ranks(question: Question, sentences: Sequence[Sentence]) -> list[int]:
    """Return the first rank of each gold sentence that was retrieved."""
    first: dict[int, int] = {}
    ranked = enumerate(sentences, 1)
    for (rank, sentence), (number, gold) in product(ranked, enumerate(question.evidence)):
        shared = min(sentence.end, gold.end) - max(sentence.start, gold.start)
        shorter = min(sentence.end - sentence.start, gold.end - gold.start)
        if sentence.article_id == gold.article_id and shared >= _GOLD_OVERLAP * shorter:
            first.setdefault(number, rank)
    return [*first.values()]
