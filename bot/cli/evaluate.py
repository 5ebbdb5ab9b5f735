"""Runs against qrels: how good is the ranking, and how well does it decline?

A set is in BEIR's layout (Thakur et al. 2021): corpus.jsonl[.gz], queries.jsonl and
qrels/SPLIT.tsv with article ids. `evidence.jsonl` ({query_id, article_id, text}) adds gold
sentences, and `metadata.answerable` in the queries tells which cannot be answered.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index import Archive, Article, Failure, ProgressCallback, Ranking, Sentence, SourceError

_GOLD_OVERLAP = 0.8  # of the shorter of two sentences
_K = 10
_RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """A gold sentence: [start, end) of an article."""

    article_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Question:
    """A query with what is right for it; `answerable` None where the set does not tell."""

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
        estimates: by name, over the questions each applies to; what the set has no judgements
            for is left out. `ndcg@10` and `recall@10` are over articles; `mrr@10` is over gold
            sentences where the set has them, else over articles; `answered@5%` is the share of
            answerable questions answered when 5 % of the unanswerable ones are.
    """

    dataset: str
    queries: int
    estimates: Mapping[str, Estimate]
    seconds_per_query: float


def load(folder: Path, split: str, articles: Mapping[str, Article]) -> list[Question]:
    """Questions of a split, with their evidence found in the stored articles.

    Raises:
        SourceError: the folder is not in this layout, or has nothing to ask.
    """
    queries, qrels = folder / "queries.jsonl", folder / "qrels" / f"{split}.tsv"
    if missing := [path.name for path in (queries, qrels) if not path.is_file()]:
        raise SourceError(
            f"{folder} lacks {', '.join(missing)}: it needs corpus.jsonl, queries.jsonl and "
            "qrels/SPLIT.tsv; name the split with --split."
        )
    judged = _judgements(qrels)
    evidence = _evidence(folder / "evidence.jsonl", articles)
    questions = []
    for row in _rows(queries, "_id", "text"):
        metadata = row.get("metadata")
        answerable = metadata.get("answerable") if isinstance(metadata, dict) else None
        right, gold = judged.get(row["_id"], {}), tuple(evidence.get(row["_id"], ()))
        if row["_id"] in judged or answerable is False:
            questions.append(Question(row["_id"], row["text"], right, gold, answerable))
    if not questions:
        raise SourceError(f"{qrels} judges none of the questions in {queries.name}.")
    return questions


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    """Grades over 0 by query and article: some sets also list what was judged to be of no use."""
    found: dict[str, dict[str, int]] = {}
    for number, line in _lines(path):
        try:
            query_id, article_id, grade = line.split("\t")
            if int(grade) > 0:
                found.setdefault(query_id, {})[article_id] = int(grade)
        except ValueError as error:
            if number > 1:  # the first line names the columns
                raise SourceError(
                    f"{path}, line {number}: a query, an article and a whole number are needed, "
                    "with tabs between them."
                ) from error
    return found


def _evidence(path: Path, articles: Mapping[str, Article]) -> dict[str, list[Evidence]]:
    """Gold sentences by query, where they stand in the stored articles."""
    found: dict[str, list[Evidence]] = {}
    for row in _rows(path, "query_id", "article_id", "text") if path.is_file() else ():
        text, article = row["text"].strip(), articles.get(row["article_id"])
        start = article.text.find(text) if article else -1
        if start >= 0:
            gold = Evidence(row["article_id"], start, start + len(text))
            found.setdefault(row["query_id"], []).append(gold)
    return found


def collection_name(folder: Path, model: str) -> str:
    """Where a set is indexed: named after the folder, its corpus' content and the encoder."""
    with _corpus(folder).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(model.encode())
    plain = re.sub(r"[^\w-]+", "-", folder.resolve().name)
    return f"evaluate-{plain}-{digest.hexdigest()[:8]}"


def _corpus(folder: Path) -> Path:
    for name in ("corpus.jsonl", "corpus.jsonl.gz"):
        if (folder / name).is_file():
            return folder / name
    raise SourceError(f"{folder} has no corpus.jsonl or corpus.jsonl.gz.")


def evaluate(
    archive: Archive,
    folder: Path,
    *,
    split: str = "test",
    run: Path | None = None,
    on_progress: ProgressCallback | None = None,
) -> tuple[Figures, list[Failure]]:
    """Index a set's corpus into `archive` where it is not there yet, and measure.

    Args:
        archive: best a collection of its own for each set.
        folder: in BEIR's layout.
        split: which qrels.
        run: file to write the ranked articles to, in TREC's format.
        on_progress: called with the progress of indexing.

    Raises:
        SourceError: the folder is not in this layout, or has nothing to ask.
    """
    report = archive.add([str(_corpus(folder))], actor="evaluate", on_progress=on_progress)
    articles = {article.article_id: article for article in archive.articles()}
    if not articles:
        why = f" ({report.failed[0].error})" if report.failed else ""
        raise SourceError(f"{_corpus(folder)} holds no article that can be read{why}.")
    questions = load(folder, split, articles)
    archive.prepare()
    started = time.perf_counter()
    rankings = [archive.search(question.text) for question in questions]
    seconds = (time.perf_counter() - started) / max(len(questions), 1)
    pairs = [*zip(questions, rankings, strict=True)]
    if run is not None:
        run.write_text("".join(_run_lines(pairs)), encoding="utf-8")
    figures = Figures(folder.name, len(pairs), _ranking(pairs) | _declining(pairs), seconds)
    return figures, [*report.failed]


def _run_lines(pairs: Iterable[tuple[Question, Ranking]]) -> Iterator[str]:
    for question, ranking in pairs:
        for rank, (article, score) in enumerate(ranking.by_article(), 1):
            yield f"{question.query_id} Q0 {article.article_id} {rank} {score:.6f} onrecord\n"


def _ranking(pairs: Sequence[tuple[Question, Ranking]]) -> dict[str, Estimate]:
    """How high what is right ranks, over the questions for which it is known."""
    values: dict[str, list[float]] = {}
    sentences = any(question.evidence for question, _ in pairs)
    for question, ranking in pairs:
        if not question.articles:
            continue
        ids = [article.article_id for article, _ in ranking.by_article()]
        right = [rank for rank, one in enumerate(ids, 1) if one in question.articles]
        row = {
            "ndcg@10": ndcg(ids, question.articles, _K),
            "recall@10": sum(rank <= _K for rank in right) / len(question.articles),
        }
        if question.evidence:
            right = _gold_ranks(question, ranking.sentences)
            found = sum(rank <= _K for rank in right) / len(question.evidence)
            row |= {"evidence_recall@10": found}
            row |= {f"hit@{k}": float(min(right, default=k + 1) <= k) for k in (4, _K)}
        if question.evidence or not sentences:
            first = min(right, default=_K + 1)
            row["mrr@10"] = 1 / first if first <= _K else 0.0
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return {name: _estimate(lambda drawn: float(drawn.mean()), own) for name, own in values.items()}


def _declining(pairs: Sequence[tuple[Question, Ranking]]) -> dict[str, Estimate]:
    """How well confidence tells questions that can be answered from those that cannot."""
    of = {
        kind: [ranking.confidence for question, ranking in pairs if question.answerable is kind]
        for kind in (True, False)
    }
    if not all(of.values()):
        return {}
    return {
        "decline_auroc": _estimate(auroc, of[True], of[False]),
        "answered@5%": _estimate(answered_at, of[True], of[False]),
    }


def _estimate(figure: Callable[..., float], *samples: Sequence[float]) -> Estimate:
    """A figure of one or more samples, each drawn again for the interval; repeatable."""
    own = [np.asarray(sample, dtype=np.float64) for sample in samples]
    draw = np.random.default_rng(0)
    again = [figure(*(draw.choice(one, len(one)) for one in own)) for _ in range(_RESAMPLES)]
    low, high = np.percentile(again, [2.5, 97.5])
    return Estimate(figure(*own), float(low), float(high))


def ndcg(ranked: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """Normalised discounted cumulative gain at k (Järvelin, Kekäläinen 2002), linear gains."""
    gain = sum(grades.get(one, 0) / math.log2(rank + 1) for rank, one in enumerate(ranked[:k], 1))
    best = sorted(grades.values(), reverse=True)[:k]
    ideal = sum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, 1))
    return gain / ideal if ideal else 0.0


def auroc(positives: npt.ArrayLike, negatives: npt.ArrayLike) -> float:
    """How often a positive scores above a negative; ties count half. Neither may be empty."""
    above, below = np.asarray(positives), np.sort(np.asarray(negatives))
    wins = np.searchsorted(below, above, "left") + np.searchsorted(below, above, "right")
    return float(wins.mean() / 2 / len(below))


def answered_at(positives: npt.ArrayLike, negatives: npt.ArrayLike, wrongly: float = 0.05) -> float:
    """Share of positives above the threshold that a share `wrongly` of negatives passes."""
    return float(np.mean(np.asarray(positives) > np.quantile(np.asarray(negatives), 1 - wrongly)))


def _gold_ranks(question: Question, sentences: Sequence[Sentence]) -> list[int]:
    """The rank at which each gold sentence that was found first appears."""
    found = (
        next((rank for rank, one in enumerate(sentences, 1) if _is_gold(one, gold)), None)
        for gold in question.evidence
    )
    return [rank for rank in found if rank is not None]


def _is_gold(sentence: Sentence, gold: Evidence) -> bool:
    """They share most of the shorter one."""
    shared = min(sentence.end, gold.end) - max(sentence.start, gold.start)
    shorter = min(sentence.end - sentence.start, gold.end - gold.start)
    return sentence.article_id == gold.article_id and shared >= _GOLD_OVERLAP * shorter


def _rows(path: Path, *fields: str) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines, in all of which some fields must be texts."""
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise SourceError(f"{path}, line {number}: this is not JSON ({error}).") from error
        if not isinstance(row, dict) or not all(isinstance(row.get(f), str) for f in fields):
            raise SourceError(f"{path}, line {number}: {', '.join(fields)} are needed, as texts.")
        yield row


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, by number."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as text in UTF-8 ({error}).") from error
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())
