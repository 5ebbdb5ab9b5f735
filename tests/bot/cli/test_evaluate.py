"""Measures agree with their definitions, and a data set is read and measured end to end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.fakes import FakeEncoder, write_rows
from support.shell import Shell

from bot.cli.evaluate import answered_at, auroc, collection_name, evaluate, load, ndcg
from index import Archive, InputError

CORPUS = [
    {"_id": "dam", "title": "Dam", "text": "The dam above Tessen failed. Nobody was warned."},
    {"_id": "bank", "title": "Bank", "text": "Thieves took data from a bank. Nobody was blamed."},
    {"_id": "cup", "title": "Cup", "text": "Athletic won the cup. The crowd sang in Adell."},
]
QUERIES = [
    {"_id": "q1", "text": "The dam above Tessen failed", "metadata": {"answerable": True}},
    {"_id": "q2", "text": "Thieves took data from a bank", "metadata": {"answerable": True}},
    {"_id": "q3", "text": "zebra quilt vortex", "metadata": {"answerable": False}},
    {"_id": "q4", "text": "The crowd sang in Adell"},
]
EVIDENCE = [
    {"query_id": "q1", "article_id": "dam", "text": "The dam above Tessen failed."},
    {"query_id": "q2", "article_id": "bank", "text": "Thieves took data from a bank."},
    {"query_id": "q2", "article_id": "bank", "text": "This stands nowhere."},
    {"query_id": "q2", "article_id": "nowhere", "text": "Nor this."},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a small set in BEIR's layout, with evidence and an unanswerable question."""
    data_set = tmp_path / "My set"
    (data_set / "qrels").mkdir(parents=True)
    write_rows(data_set / "corpus.jsonl", CORPUS)
    write_rows(data_set / "queries.jsonl", QUERIES)
    write_rows(data_set / "evidence.jsonl", EVIDENCE)
    lines = ["query-id\tcorpus-id\tscore", "q1\tdam\t1", "q1\tcup\t0", "q2\tbank\t2"]
    (data_set / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return data_set


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Open a collection for the set."""
    with closing(Archive.open(tmp_path, "measured", FakeEncoder())) as opened:
        yield opened


def test_ndcg_of_known_rankings() -> None:
    """The nDCG of rankings equals values computed by hand."""
    grades = {"a": 2, "b": 1}
    ideal = 2 / math.log2(2) + 1 / math.log2(3)
    assert ndcg(["a", "b", "x"], grades, 10) == pytest.approx(1)
    assert ndcg(["x", "b", "a"], grades, 10) == pytest.approx((1 / math.log2(3) + 1) / ideal)
    assert ndcg(["x", "b", "a"], grades, 1) == 0
    assert ndcg(["a"], grades, 1) == pytest.approx(1)
    assert ndcg([], grades, 10) == 0
    assert ndcg(["x"], {}, 10) == 0


def test_auroc_of_known_scores() -> None:
    """AUROC is the share of pairs in the right order; a tie counts half."""
    assert auroc([3, 4], [1, 2]) == 1
    assert auroc([1], [1]) == 0.5
    assert auroc([1, 4], [2, 3]) == 0.5
    assert auroc([0.2], [0.9, 0.1]) == 0.5


def test_a_set_is_loaded(folder: Path, archive: Archive) -> None:
    """Questions have their relevant articles, and the evidence that occurs in the corpus."""
    archive.add([str(folder / "corpus.jsonl")])
    articles = {article.article_id: article for article in archive.articles()}
    questions = {question.query_id: question for question in load(folder, "test", articles)}
    assert questions.keys() == {"q1", "q2", "q3"}
    assert questions["q1"].articles == {"dam": 1}
    assert questions["q2"].articles == {"bank": 2}
    (gold,) = questions["q2"].evidence
    assert articles["bank"].text[gold.start : gold.end] == "Thieves took data from a bank."
    assert (questions["q1"].answerable, questions["q3"].answerable) == (True, False)


def test_a_set_is_measured(folder: Path, archive: Archive) -> None:
    """Questions that repeat a sentence find it at rank 1, so all measures are 1."""
    result = evaluate(archive, folder, "test")
    document = dict(result.document)
    assert document.pop("seconds_per_query") >= 0
    names = "ndcg@10 recall@10 mrr@10 hit@4 hit@10 evidence_recall@10 decline_auroc answered@5%"
    assert document == {
        "dataset": "My set",
        "queries": 3,
        **dict.fromkeys(names.split(), 1),
    }
    evaluate(archive, folder, "test")
    assert archive.history()[0].generation == 1


def test_wrong_judgements_measure_low(folder: Path, archive: Archive) -> None:
    """With qrels of other articles the figures are low; without evidence some are missing."""
    (folder / "evidence.jsonl").unlink()
    lines = ["query-id\tcorpus-id\tscore", "q1\tdam\t1", "q2\tnowhere\t1"]
    (folder / "qrels" / "dev.tsv").write_text("\n".join(lines), encoding="utf-8")
    document = evaluate(archive, folder, "dev").document
    assert document["recall@10"] == document["ndcg@10"] == document["mrr@10"] == 0.5
    assert not {"hit@4", "hit@10", "evidence_recall@10"} & document.keys()


def test_the_command_prints_the_figures(run: Shell, folder: Path) -> None:
    """`onrecord evaluate --json` prints the figures, from a collection named after the set."""
    assert run.json("evaluate", str(folder))["ndcg@10"] == 1
    (collection,) = run.data.iterdir()
    assert collection.name.startswith("evaluate-My-set-")


def test_answered_at_a_share_of_wrong_answers() -> None:
    """Positives above the score that 5 % of the negatives exceed are counted."""
    negatives = [n / 100 for n in range(100)]
    assert answered_at([0.5, 0.96, 0.97], negatives) == pytest.approx(2 / 3)


def test_a_missing_file_is_named(folder: Path, archive: Archive) -> None:
    """A missing corpus, query file or split is named."""
    with pytest.raises(FileNotFoundError, match=r"train\.tsv"):
        load(folder, "train", {})
    (folder / "queries.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match=r"queries\.jsonl"):
        load(folder, "test", {})
    (folder / "corpus.jsonl").unlink()
    with pytest.raises(InputError, match="corpus"):
        evaluate(archive, folder, "test")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("qrels/test.tsv", b"query-id\tcorpus-id\tscore\nq1 dam 1\n", r"line 2: it must be"),
        ("qrels/test.tsv", b"a\tb\tc\nq1\tdam\tmuch\n", r"line 2: it must be"),
        ("qrels/test.tsv", b"\xff\xfe", r"test\.tsv is not UTF-8 text"),
        ("queries.jsonl", b"\n{broken", r"queries\.jsonl, line 2: it must be a JSON object"),
        ("queries.jsonl", b'["q1"]', r"line 1: it must be a JSON object"),
        ("queries.jsonl", b'{"_id": "q9", "metadata": "no"}', r"with _id and text"),
        ("queries.jsonl", b"", r"judges no question"),
        ("evidence.jsonl", b'{"query_id": "q1"}', r"with query_id, article_id and text"),
        ("corpus.jsonl", b"", r"holds no article"),
        ("corpus.jsonl", b'{"_id": "dam"}', r"holds no article"),
    ],
)
def test_a_broken_set_is_refused(
    folder: Path, archive: Archive, name: str, content: bytes, says: str
) -> None:
    """An unreadable file is named with its line, in one sentence."""
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=says):
        evaluate(archive, folder, "test")


def test_a_collection_is_named_after_its_corpus(folder: Path, tmp_path: Path) -> None:
    """Another corpus or encoder gives another collection name, and the name is valid."""
    name = collection_name(folder, "one")
    assert name == collection_name(folder, "one")
    assert name != collection_name(folder, "other")
    write_rows(folder / "corpus.jsonl", CORPUS[:2])
    assert collection_name(folder, "one") != name
    Archive.open(tmp_path, name, FakeEncoder()).close()


def test_rows_that_fail_are_listed(folder: Path, archive: Archive) -> None:
    """An unreadable row of the corpus is named, and the rest is measured."""
    with (folder / "corpus.jsonl").open("a", encoding="utf-8") as corpus:
        corpus.write('{"_id": "empty"}')
    result = evaluate(archive, folder, "test")
    assert result.failed
    assert "corpus.jsonl, line 4" in result.text
    assert result.document["queries"] == 3
