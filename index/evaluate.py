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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.answer import judge
from index.archive import Archive, Watcher
from index.article import Article, Filters, Sentence
from index.errors import SourceError
from index.retrieve import Ranking
from index.sources import Failure

_GOLD_OVERLAP = 0.8  # of the shorter of two sentences


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
class Figures:
    """Means over the queries they apply to; None where the set has no such judgements.

    `ndcg`, `recall` and `mrr` at 10 are over sentences where the set has evidence for `mrr`, and
    over articles otherwise; nDCG and recall are always over articles.
    """

    dataset: str
    queries: int
    ndcg: float | None
    recall: float | None
    mrr: float | None
    hit4: float | None
    hit10: float | None
    evidence_recall: float | None
    decline_auroc: float | None
    seconds_per_query: float


def load(folder: Path, split: str, articles: Mapping[str, Article]) -> list[Question]:
    """Questions of a split, with their evidence found in the stored articles.

    Raises:
        SourceError: the folder is not in this layout.
    """
    needed = [folder / "queries.jsonl", folder / "qrels" / f"{split}.tsv"]
    if missing := [path.name for path in needed if not path.is_file()]:
        raise SourceError(
            f"{folder} lacks {', '.join(missing)}: it needs corpus.jsonl, queries.jsonl and "
            "qrels/SPLIT.tsv; name the split with --split."
        )
    qrels: dict[str, dict[str, int]] = {}
    for line in needed[1].read_text(encoding="utf-8").splitlines()[1:]:
        query_id, article_id, grade = line.split("\t")
        if int(grade) > 0:  # some sets also list what was judged to be of no use
            qrels.setdefault(query_id, {})[article_id] = int(grade)
    evidence: dict[str, list[Evidence]] = {}
    if (folder / "evidence.jsonl").is_file():
        for row in _rows(folder / "evidence.jsonl"):
            article = articles.get(row["article_id"])
            start = article.text.find(row["text"].strip()) if article else -1
            if article is not None and start >= 0:
                found = Evidence(article.article_id, start, start + len(row["text"].strip()))
                evidence.setdefault(row["query_id"], []).append(found)
    return [
        Question(
            query_id=row["_id"],
            text=row["text"],
            articles=qrels.get(row["_id"], {}),
            evidence=tuple(evidence.get(row["_id"], ())),
            answerable=(row.get("metadata") or {}).get("answerable"),
        )
        for row in _rows(needed[0])
        if row["_id"] in qrels or (row.get("metadata") or {}).get("answerable") is False
    ]


def collection_name(folder: Path) -> str:
    """Where a set is indexed: a collection named after the folder and its corpus' content."""
    with _corpus(folder).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    plain = re.sub(r"[^\w-]+", "-", folder.resolve().name)
    return f"evaluate-{plain}-{digest[:8]}"


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
    watch: Watcher | None = None,
) -> tuple[Figures, list[Failure]]:
    """Index a set's corpus into `archive` where it is not there yet, and measure.

    Args:
        archive: best a collection of its own for each set.
        folder: in BEIR's layout.
        split: which qrels.
        watch: called with the progress of indexing.
    """
    report = archive.add([str(_corpus(folder))], actor="evaluate", watch=watch)
    articles = {article.article_id: article for article in archive.articles()}
    questions = load(folder, split, articles)
    archive.prepare()
    started = time.perf_counter()
    runs = [archive.search(question.text) for question in questions]
    seconds = (time.perf_counter() - started) / max(len(questions), 1)
    return _figures(folder.name, questions, runs, seconds), [*report.failed]


def _figures(
    dataset: str, questions: Sequence[Question], runs: Sequence[Ranking], seconds: float
) -> Figures:
    judged = [(q, r) for q, r in zip(questions, runs, strict=True) if q.articles]
    golden = [(q, r) for q, r in judged if q.evidence]
    found = [_gold_ranks(question, ranking.sentences) for question, ranking in golden]
    by_article = [[a.article_id for a, _ in ranking.by_article()] for _, ranking in judged]
    ndcgs = [ndcg(ids, q.articles, 10) for (q, _), ids in zip(judged, by_article, strict=True)]
    recalls = [
        sum(one in q.articles for one in ids[:10]) / len(q.articles)
        for (q, _), ids in zip(judged, by_article, strict=True)
    ]
    if golden:
        firsts = [min(ranks, default=None) for ranks in found]
    else:
        firsts = [
            next((n for n, one in enumerate(ids, 1) if one in q.articles), None)
            for (q, _), ids in zip(judged, by_article, strict=True)
        ]
    confident = [
        (judge(r, 0.5, Filters()).confidence, q.answerable)
        for q, r in zip(questions, runs, strict=True)
        if q.answerable is not None
    ]
    return Figures(
        dataset=dataset,
        queries=len(questions),
        ndcg=_mean(ndcgs),
        recall=_mean(recalls),
        mrr=_mean([1 / first if first and first <= 10 else 0.0 for first in firsts]),  # noqa: PLR2004
        hit4=_mean([float(bool(first and first <= 4)) for first in firsts]) if golden else None,  # noqa: PLR2004
        hit10=_mean([float(bool(first and first <= 10)) for first in firsts]) if golden else None,  # noqa: PLR2004
        evidence_recall=_mean(
            [
                sum(rank <= 10 for rank in ranks) / len(q.evidence)  # noqa: PLR2004
                for (q, _), ranks in zip(golden, found, strict=True)
            ]
        ),
        decline_auroc=auroc(
            [score for score, answerable in confident if answerable],
            [score for score, answerable in confident if not answerable],
        ),
        seconds_per_query=seconds,
    )


def ndcg(ranked: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """Normalised discounted cumulative gain at k (Järvelin, Kekäläinen 2002), linear gains."""
    gain = sum(grades.get(one, 0) / math.log2(rank + 1) for rank, one in enumerate(ranked[:k], 1))
    best = sorted(grades.values(), reverse=True)[:k]
    ideal = sum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, 1))
    return gain / ideal if ideal else 0.0


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float | None:
    """How often a positive scores above a negative; ties count half. None if one is empty."""
    if not positives or not negatives:
        return None
    wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    return wins / (len(positives) * len(negatives))


def _gold_ranks(question: Question, sentences: Sequence[Sentence]) -> list[int]:
    """The rank at which each gold sentence that was found first appears."""
    ranks = []
    for gold in question.evidence:
        for rank, sentence in enumerate(sentences, 1):
            if _is_gold(sentence, gold):
                ranks.append(rank)
                break
    return ranks


def _is_gold(sentence: Sentence, gold: Evidence) -> bool:
    """They share most of the shorter one."""
    if sentence.article_id != gold.article_id:
        return False
    shared = min(sentence.end, gold.end) - max(sentence.start, gold.start)
    lengths = (sentence.end - sentence.start, gold.end - gold.start)
    return shared >= _GOLD_OVERLAP * min(lengths)


def _mean(values: Iterable[float]) -> float | None:
    listed = [*values]
    return sum(listed) / len(listed) if listed else None


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from (json.loads(line) for line in file if line.strip())
