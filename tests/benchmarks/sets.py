"""Public question sets as candidates, measured by the product's own code, and right answers.

Sets whose questions come with a corpus are indexed into a collection each; TREC-QA and WikiQA
come with the sentences to rank for each question.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from reader_sets import NEWS, kept_apart, written_texts

from bot.cli.evaluate import Evidence, Question, load
from index.archive import Archive
from index.domain import Article, Filters, Sentence
from index.encoder import PackagedEncoder, Vectors
from index.ranking.features import source_features, table
from index.ranking.query import parse
from index.ranking.rank import DEPTH, Candidates, gather
from index.store.types import Rows
from index.text.sentences import Span
from index.text.terms import terms

SQUAD_ARTICLE = 8  # paragraphs: a Wikipedia page is long, this comes near a report's length
SQUAD_QUESTIONS = 700  # of each kind
NEWS_QUESTIONS = 1_600
WIKIQA_QUESTIONS = (400, 300)  # answerable, not answerable
_PTB = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "``": '"', "''": '"'}


@dataclass(frozen=True, slots=True)
class Item:
    """A question with its measured candidates and the right ones.

    Attributes:
        found: n candidates, in no telling order.
        facts: rows that state each gold fact; empty where the candidates lack it.
        relevant: ids of relevant articles, where only those are known.
        blinded: the same candidates as a fit sees them, without quirks of the set.
        unread: whether the reader was trained without it, so that it can be measured here.
    """

    found: Candidates
    facts: tuple[tuple[int, ...], ...]
    relevant: frozenset[str]
    answerable: bool
    blinded: Candidates | None = None
    unread: bool = True


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """`test` is measured (and, in folds, fitted on); `train` is only fitted on."""

    name: str
    test: list[Item]
    train: list[Item] = field(default_factory=list)
    blind: frozenset[str] = frozenset()


class RememberingEncoder:
    """The packaged encoder with its vectors kept in a file, by text."""

    def __init__(self, path: Path) -> None:
        """Keep vectors in an SQLite file at `path`."""
        self._encoder = PackagedEncoder(threads=2)
        self._db = sqlite3.connect(path)
        self._db.execute("CREATE TABLE IF NOT EXISTS known (text TEXT PRIMARY KEY, vector BLOB)")

    @property
    def model(self) -> str:
        """The name of the encoder."""
        return self._encoder.model

    def encode(self, texts: Sequence[str], *, on_progress: Any = None) -> Vectors:
        """Embed what is not known yet."""
        look = "SELECT vector FROM known WHERE text = ?"
        known = {
            text: row[0] for text in texts if (row := self._db.execute(look, (text,)).fetchone())
        }
        new = [text for text in dict.fromkeys(texts) if text not in known]
        for first in range(0, len(new), 1_000):
            batch = new[first : first + 1_000]
            made = zip(
                batch,
                (v.tobytes() for v in self._encoder.encode(batch, on_progress=on_progress)),
                strict=True,
            )
            known |= (pairs := dict(made))
            self._db.executemany("INSERT OR REPLACE INTO known VALUES (?, ?)", pairs.items())
            self._db.commit()
        return np.frombuffer(b"".join(known[t] for t in texts), np.float32).reshape(len(texts), -1)

    def encode_parts(self, text: str, parts: Sequence[Span]) -> Vectors:
        """Embed a question; not kept."""
        return self._encoder.encode_parts(text, parts)


def read(folder: Path, data: Path, names: Iterable[str]) -> list[QuestionSet]:
    """Read the named sets from `folder`, indexing into `data` what is not there yet."""
    data.mkdir(parents=True, exist_ok=True)
    encoder = RememberingEncoder(data / "vectors.sqlite3")
    readers = {
        "multihop": _multihop, "squad": _squad, "clapnq": _clapnq, "trecqa": _trecqa,
        "wikiqa": _wikiqa, "scifact": _scifact, "news": _news,
    }  # fmt: skip
    return [readers[name](folder, data, encoder) for name in names]


# Sets with a corpus


def _multihop(folder: Path, data: Path, encoder: RememberingEncoder) -> QuestionSet:
    """Its "stub" articles hold gold sentences only and alone name no publisher: neither may teach.

    In what a fit sees, articles without a publisher get another's, and `first` is left out.
    """
    place = folder / "multihop_dev"
    archive = _archive(data, "multihop", [*_rows(place / "corpus.jsonl.gz")], encoder)
    articles = {article.article_id: article for article in archive.articles()}
    questions = load(place, "test", articles)
    questions += [
        Question(row["_id"], row["text"], {}, (), answerable=False)
        for row in _rows(place / "unlabelled_queries.jsonl")
        if not row["metadata"]["answerable"]
    ]
    draw = random.Random(3)  # noqa: S311 - repeatable
    known = [one for one in articles.values() if one.publisher]
    lent = {
        one.article_id: replace(
            one, publisher=draw.choice(known).publisher, published=draw.choice(known).published
        )
        for one in articles.values()
        if not one.publisher
    }
    items = _asked(archive, encoder, questions, lent)
    return QuestionSet("multihop", items, blind=frozenset({"first"}))


def _scifact(folder: Path, data: Path, encoder: RememberingEncoder) -> QuestionSet:
    place = folder / "scifact_train"
    archive = _archive(data, "scifact", [*_rows(place / "corpus.jsonl.gz")], encoder)
    questions = load(place, "train", {})
    return QuestionSet("scifact", _asked(archive, encoder, questions))


def _squad(folder: Path, data: Path, encoder: RememberingEncoder) -> QuestionSet:
    rows, starts = _squad_articles(folder / "squad")
    archive = _archive(data, "squad", rows, encoder)
    asked = [*_rows(folder / "squad" / "squad2_dev_part_questions.jsonl.gz")]
    random.Random(7).shuffle(asked)  # noqa: S311 - repeatable
    questions, taken = [], Counter[bool]()
    for row in asked:
        answerable = not row["unanswerable"]
        taken[answerable] += 1
        if taken[answerable] > SQUAD_QUESTIONS:
            continue
        article_id, offset = starts[row["paragraph"]]
        gold = [
            Evidence(article_id, offset + one["start"], offset + one["start"] + len(one["text"]))
            for one in row["answers"]
        ]
        questions.append(Question(row["id"], row["question"], {}, tuple(gold), answerable))
    read = {
        row["id"]
        for row in asked
        if not kept_apart(starts[row["paragraph"]][0].partition("#")[0], 4)
    }
    return QuestionSet("squad", _of_one_fact(_asked(archive, encoder, questions, read=read)))


def _of_one_fact(items: Iterable[Item]) -> list[Item]:
    """The items with all that answers as one fact, such as the marks of several annotators."""
    return [
        replace(
            item,
            facts=(tuple(sorted({row for fact in item.facts for row in fact})),)
            if item.answerable
            else item.facts,
        )
        for item in items
    ]


def _news(_: Path, data: Path, encoder: RememberingEncoder) -> QuestionSet:
    """Ordinary questions and near misses on invented reports, all of which are one corpus.

    Only the questions that the reader was not trained with are asked.
    """
    articles, questions = [], []
    for number, report in enumerate(written_texts(NEWS)):
        starts, text = [], ""
        for sentence in report.sentences:
            starts.append(len(text))
            text += sentence + " "
        key = f"{report.file}-{number}"
        articles.append({"_id": key, "title": report.title, "text": text.rstrip()})
        for question, right, _ in report.questions if kept_apart(report.file, 8) else ():
            gold = [Evidence(key, starts[i], starts[i] + len(report.sentences[i])) for i in right]
            questions.append(Question(question, question, {}, tuple(gold), bool(gold)))
    questions = random.Random(0).sample(questions, NEWS_QUESTIONS)  # noqa: S311 - always the same
    archive = _archive(data, "news", articles, encoder)
    return QuestionSet("news", _of_one_fact(_asked(archive, encoder, questions)))


def _squad_articles(place: Path) -> tuple[list[dict[str, str]], dict[str, tuple[str, int]]]:
    paragraphs = [*_rows(place / "squad2_dev_part_paragraphs.jsonl.gz")]
    seen = {row["text"] for row in paragraphs}
    more = _rows(place / "xquad_en_paragraphs.jsonl.gz")
    by_title: dict[str, list[dict[str, Any]]] = {}
    for row in [*paragraphs, *(row for row in more if row["text"] not in seen)]:
        by_title.setdefault(row["title"], []).append(row)
    articles, starts = [], {}
    for title, rows in by_title.items():
        for first in range(0, len(rows), SQUAD_ARTICLE):
            text = ""
            for row in rows[first : first + SQUAD_ARTICLE]:
                starts[row["id"]] = (f"{title}#{first}", len(text))
                text += row["text"] + "\n\n"
            named = {"_id": f"{title}#{first}", "title": title.replace("_", " "), "text": text}
            articles.append(named)
    return articles, starts


def _clapnq(folder: Path, data: Path, encoder: RememberingEncoder) -> QuestionSet:
    """Its passages among those of SQuAD, as a corpus to search."""
    articles, questions = _squad_articles(folder / "squad")[0], []
    read = set()
    for answerable in (True, False):
        name = "answerable" if answerable else "unanswerable"
        for row in _rows(folder / "clapnq" / f"{name}.jsonl.gz"):
            passage, text, gold = row["passages"][0], "", []
            chosen = {_plain(s) for o in row["output"] for s in o.get("selected_sentences") or ()}
            for sentence in map(_plain, passage["sentences"]):
                if answerable and sentence in chosen:
                    gold.append(Evidence(row["id"], len(text), len(text) + len(sentence)))
                text += sentence + " "
            articles.append({"_id": row["id"], "title": passage["title"], "text": text.rstrip()})
            questions.append(Question(row["id"], row["input"], {}, tuple(gold), answerable))
            if kept_apart(passage["title"], 3):
                read.add(row["id"])
    archive = _archive(data, "clapnq", articles, encoder)
    return QuestionSet("clapnq", _asked(archive, encoder, questions, read=read))


def _archive(
    data: Path, name: str, rows: list[dict[str, Any]], encoder: RememberingEncoder
) -> Archive:
    """Open the collection of a set; it is made again if splitting or analysis have changed."""
    code = [
        (files("index") / f"{one}.py").read_bytes()
        for one in ("text/sentences", "text/terms", "reading/sources", "store/schema")
    ]
    digest = hashlib.sha256(b"".join(code)).hexdigest()[:8]
    archive = Archive.open(data, f"{name}-{digest}", encoder)
    if not archive.size().articles:
        path = data / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        archive.add([str(path)])
    return archive


def _asked(
    archive: Archive,
    encoder: RememberingEncoder,
    questions: Iterable[Question],
    lent: dict[str, Article] | None = None,
    read: AbstractSet[str] = frozenset(),
) -> list[Item]:
    """Return the questions with their candidates; `read` has the ids the reader was trained on."""
    items = []
    publishers = archive.publishers()
    with archive._store.snapshot() as snapshot:
        for question in questions:
            query = parse(question.text, publishers)
            found = gather(snapshot, encoder, query, Filters(), DEPTH)
            if found is None:
                continue
            facts = tuple(_stating(found.rows.sentences, gold) for gold in question.evidence)
            relevant = frozenset() if facts else frozenset(question.articles)
            answerable = question.answerable is not False
            blinded = _lend(found, lent) if lent else None
            unread = question.query_id not in read
            items.append(Item(found, facts, relevant, answerable, blinded, unread))
    return items


def _stating(sentences: Sequence[Sentence], gold: Evidence) -> tuple[int, ...]:
    """Return rows that share most words of the shorter one with a gold sentence."""
    rows = []
    for row, one in enumerate(sentences):
        shared = min(one.end, gold.end) - max(one.start, gold.start)
        shorter = min(one.end - one.start, gold.end - gold.start)
        if one.article_id == gold.article_id and shared >= 0.8 * shorter:
            rows.append(row)
    return tuple(rows)


def _lend(found: Candidates, lent: dict[str, Article]) -> Candidates:
    """Lend publishers and dates to candidates; only the columns that use them change."""
    articles = {key: lent.get(key, one) for key, one in found.rows.articles.items()}
    columns = source_features(found.query, replace(found.rows, articles=articles))
    return replace(found, features={**found.features, **columns})


# Sets with given candidates


def _trecqa(folder: Path, _: Path, encoder: RememberingEncoder) -> QuestionSet:
    """Read TREC-QA: candidates come from different reports, shuffled, each its own article."""
    test = _given(_rows(folder / "trecqa" / "dev.jsonl.gz"), encoder, apart=True)
    train = _given(_rows(folder / "trecqa" / "train.jsonl.gz"), encoder, apart=True)
    return QuestionSet("trecqa", test, train)


def _wikiqa(folder: Path, _: Path, encoder: RememberingEncoder) -> QuestionSet:
    """Read WikiQA, whose candidates are consecutive sentences of a page."""
    train = [*_rows(folder / "wikiqa" / "train_tokenized.jsonl.gz")]
    parts: tuple[list[dict[str, Any]], ...] = ([], [])
    for row in train:
        parts[not any(one["label"] for one in row["candidates"])].append(row)
    chosen = [row for part, n in zip(parts, WIKIQA_QUESTIONS, strict=True) for row in part[:n]]
    test = _given(_rows(folder / "wikiqa" / "dev.jsonl.gz"), encoder, apart=False)
    return QuestionSet("wikiqa", test, _given(chosen, encoder, apart=False))


def _given(
    rows: Iterable[dict[str, Any]], encoder: RememberingEncoder, *, apart: bool
) -> list[Item]:
    """Return items with given candidates; a term's frequency is counted over all of them."""
    rows = [row for row in rows if row["candidates"]]
    texts = [[_plain(one["text"]) for one in row["candidates"]] for row in rows]
    analysed = [[tuple(terms(text)) for text in own] for own in texts]
    frequency = Counter(term for own in analysed for one in own for term in set(one))
    total = sum(map(len, texts))
    vectors = encoder.encode([text for own in texts for text in own])
    items, first = [], 0
    for number, row in enumerate(rows):
        size = len(texts[number])
        order = np.random.default_rng(number).permutation(size) if apart else np.arange(size)
        own = vectors[first : first + size][order]
        first += size
        candidates = _as_rows(
            row, [texts[number][i] for i in order], own, [analysed[number][i] for i in order], apart
        )
        query = parse(_plain(row["question"]))
        counts = np.array([frequency[term] for term in query.terms], dtype=np.float32)
        idf = np.log(1 + (total - counts + 0.5) / (counts + 0.5))
        parts = encoder.encode_parts(query.question, query.clauses)
        found = Candidates(query, candidates, table(query, candidates, parts, idf))
        labels = [row["candidates"][i]["label"] for i in order]
        right = tuple(np.flatnonzero(labels).tolist())
        items.append(Item(found, (right,) if right else (), frozenset(), bool(right)))
    return items


def _as_rows(
    row: dict[str, Any],
    texts: list[str],
    vectors: Vectors,
    analysed: list[tuple[str, ...]],
    apart: bool,
) -> Rows:
    title = row.get("doc_title", "")
    sentences = tuple(
        Sentence(n, str(n if apart else 0), 1, 0 if apart else n, 0, len(text), text)
        for n, text in enumerate(texts)
    )
    articles = {
        str(n): Article(article_id=str(n), title=title, text=texts[n])
        for n in (range(len(texts)) if apart else [0])
    }
    return Rows(sentences, vectors, tuple(analysed), articles)


# Reading


def _plain(text: str) -> str:
    for token, sign in _PTB.items():
        text = text.replace(token, sign)
    return text


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from (json.loads(line) for line in file)
