"""Question sets -> groups of sentences that answer a question and that do not.

Only sets that may be trained on are read here. What is measured is kept apart by document: a
quarter of the SQuAD titles, two thirds of ClapNQ, and the development parts of WikiQA and
TREC-QA, with every question that stands in them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from index.text.sentences import split

_PTB = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "``": '"', "''": '"'}
_NAMED = re.compile(r"(?<=[\w,'\"] )[A-Z\d]")  # "Who leads Fiat?": a name or number past the start


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence with what stands before it, and where in it the answer stands."""

    sentence: str
    before: str = ""
    title: str = ""
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """One question with sentences that answer it and sentences that do not.

    `negatives` are of the same document, hardest first once `sorted_by_hardness`; `mined` are
    sentences of other documents that share most with the question.
    """

    source: str
    document: str
    question: str
    positives: tuple[Candidate, ...]
    negatives: tuple[Candidate, ...]
    mined: tuple[Candidate, ...] = ()


@dataclass(slots=True)
class NewsReport:
    """An invented report, and the questions asked of it.

    Each question has the indices of the sentences that answer it, best first, and the words in the
    first of them that do, if any.
    """

    file: str
    title: str
    sentences: list[str] = field(default_factory=list)
    questions: list[tuple[str, list[int], str]] = field(default_factory=list)


NEWS = Path(__file__).parent / "news"
_NUMBERED = re.compile(r"(\d+) (.+)")


def read_groups(sets: Path) -> tuple[list[Group], dict[str, list[Group]]]:
    """Read all sets under the folder `sets`.

    Returns:
        What may be trained on; and what is measured, by the name of its set.
    """
    answering = sets / "reader" / "open" / "answering"
    groups = [*_wikiqa(sets / "wikiqa" / "train_tokenized.jsonl.gz")]
    groups += _trecqa(sets / "trecqa" / "train.jsonl.gz")
    for name in "covid_qa qed_dev qnli_dev selqa squad2_fragment time_sensitive_qa".split():
        groups += _answering(answering / f"{name}.jsonl.gz")
    groups += [*_squad(sets / "squad"), *_clapnq(sets / "clapnq")]
    groups += _news()
    train = [*_pooled(answering)]
    measured: dict[str, list[Group]] = {
        "news": [],
        "wikiqa dev": [*_wikiqa(sets / "wikiqa" / "dev.jsonl.gz")],
        "trecqa dev": [*_trecqa(sets / "trecqa" / "dev.jsonl.gz")],
        "clapnq": [],
        "squad": [],
    }
    for group in groups:
        if group.source == "squad" and kept_apart(group.document, 4):
            measured["squad"].append(group)
        elif group.source == "news" and kept_apart(group.document, 8):
            measured["news"].append(group)
        elif group.source == "clapnq" and not kept_apart(group.document, 3):
            measured["clapnq"].append(group)
        else:
            train.append(group)
    questions = {plain(group.question) for groups in measured.values() for group in groups}
    sentences = {
        plain(each.sentence)
        for group in measured["squad"]
        for each in (*group.positives, *group.negatives)
    }
    train = [
        group
        for group in train
        if plain(group.question) not in questions
        and not any(plain(each.sentence) in sentences for each in group.positives + group.negatives)
    ]
    return train, measured


def kept_apart(document: str, share: int) -> bool:
    """Whether a document falls to one part in `share`, by its hash."""
    return int(hashlib.sha256(f"reader:{document}".encode()).hexdigest(), 16) % share == 0


def rows_of(file: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _untokenised(text: str) -> str:
    """Undo Penn tokens: It 's 5 -LRB- or so -RRB- . -> It's 5 (or so)."""
    words = " ".join(_PTB.get(word, word) for word in text.split())
    words = re.sub(r" (?=[.,;:?!)\]%]|'s\b|n't\b|'(?:re|ve|ll|d|m)\b)|(?<=[(\[$]) ", "", words)
    return re.sub(r"\s+", " ", words).strip()


def plain(text: str) -> str:
    return "".join(re.findall(r"[a-z0-9]+", text.lower()))


def _listed(texts: Sequence[str], title: str = "") -> list[Candidate]:
    """Sentences in the order of their document, each with the one before it."""
    return [
        Candidate(text, before, title) for before, text in zip(["", *texts], texts, strict=False)
    ]


def _group(
    source: str, document: str, question: str, candidates: Sequence[Candidate], right: set[int]
) -> Group:
    positives = tuple(each for i, each in enumerate(candidates) if i in right)
    negatives = tuple(each for i, each in enumerate(candidates) if i not in right)
    return Group(source, document, question, positives, negatives)


def _wikiqa(file: Path) -> Iterator[Group]:
    for row in rows_of(file):
        candidates = _listed(
            [_untokenised(each["text"]) for each in row["candidates"]], row.get("doc_title", "")
        )
        right = {i for i, each in enumerate(row["candidates"]) if each["label"]}
        question = _untokenised(row["question"])
        yield _group("wikiqa", row.get("doc_id", question), question, candidates, right)


def _trecqa(file: Path) -> Iterator[Group]:
    for row in rows_of(file):
        candidates = [Candidate(_untokenised(each["text"])) for each in row["candidates"]]
        right = {i for i, each in enumerate(row["candidates"]) if each["label"]}
        yield _group("trecqa", row["qid"], _untokenised(row["question"]), candidates, right)


def _answering(file: Path) -> Iterator[Group]:
    """Groups of a set that gives positives and negatives itself."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows_of(file):
        rows[row["context_id"], row["question"]].append(row)
    for (document, question), lines in rows.items():
        candidates = [
            Candidate(
                line["sentence"],
                line["context"],
                line.get("title", ""),
                tuple(line["spans"][0]) if line["spans"] else None,
            )
            for line in lines
        ]
        right = {i for i, line in enumerate(lines) if line["label"]}
        asked = re.sub(r" \(Answer: .*\)$", "", question)
        source = "squad" if document.startswith("squad:") else lines[0]["source"]
        title = re.sub(r"^squad:(.*)#\d+$", r"\1", document)
        yield _group(source, title, asked, candidates, right)


def _squad(folder: Path) -> Iterator[Group]:
    for part in ("squad2_dev_part", "xquad_en"):
        paragraphs = {row["id"]: row for row in rows_of(folder / f"{part}_paragraphs.jsonl.gz")}
        sentences = {key: split(row["text"]) for key, row in paragraphs.items()}
        for row in rows_of(folder / f"{part}_questions.jsonl.gz"):
            paragraph, spans = paragraphs[row["paragraph"]], sentences[row["paragraph"]]
            text, title = paragraph["text"], paragraph["title"].replace("_", " ")
            candidates = _listed([text[span.start : span.end] for span in spans], title)
            right: set[int] = set()
            if not row["unanswerable"]:
                answer = row["answers"][0]
                start, end = answer["start"], answer["start"] + len(answer["text"])
                for i, span in enumerate(spans):
                    if span.start <= start and end <= span.end:
                        right.add(i)
                        place = (start - span.start, end - span.start)
                        candidates[i] = replace(candidates[i], span=place)
                if not right:
                    continue
                words = {each["text"].lower() for each in row["answers"]}
                candidates = [
                    each
                    for i, each in enumerate(candidates)
                    if i in right or not any(word in each.sentence.lower() for word in words)
                ]
                right = {i for i, each in enumerate(candidates) if each.span}
            yield _group("squad", paragraph["title"], row["question"], candidates, right)


def _clapnq(folder: Path) -> Iterator[Group]:
    for name in ("answerable", "unanswerable"):
        for row in rows_of(folder / f"{name}.jsonl.gz"):
            passage = row["passages"][0]
            chosen = {
                plain(text)
                for output in row["output"]
                for text in output.get("selected_sentences") or []
            }
            texts = [_untokenised(text) for text in passage["sentences"]]
            right = {i for i, text in enumerate(texts) if plain(text) in chosen}
            yield _group(
                "clapnq", passage["title"], row["input"], _listed(texts, passage["title"]), right
            )


def _pooled(folder: Path) -> Iterator[Group]:
    """Groups of sets with positives only: negatives are other sentences of the same document.

    Such questions are asked of a known sentence ("What did they lose?"): another sentence is a
    safe negative only where the question names something; else it brings none.
    """
    pool: dict[str, list[str]] = defaultdict(list)
    for row in rows_of(folder / "pools" / "wiki1k_sentences.jsonl.gz"):
        pool[row["context_id"]].append(row["sentence"])
    generator = random.Random(13)  # noqa: S311 - the same in every run
    for name in ("qamr", "qadiscourse", "qasrl_gs"):
        for row in rows_of(folder / f"{name}.jsonl.gz"):
            span = tuple(row["spans"][0]) if row["spans"] else None
            question, document = row["question"], row["context_id"]
            answer = row["sentence"][span[0] : span[1]].lower() if span else ""
            others = [
                each
                for each in _listed(pool[document])
                if each.sentence != row["sentence"]
                and not (answer and answer in each.sentence.lower())
            ]
            named = name != "qasrl_gs" and _NAMED.search(question)
            if not named and generator.random() < 0.7:
                continue
            negatives = generator.sample(others, min(len(others), 12)) if named else []
            positive = Candidate(row["sentence"], row["context"], "", span)
            yield Group(name, document, question, (positive,), tuple(negatives))


def news_reports() -> list[NewsReport]:
    """Read the invented reports of tests/benchmarks/news; the README there has the format."""
    reports: list[NewsReport] = []
    for file in sorted(NEWS.glob("*.txt")):
        if file.stem.startswith("pairs"):
            continue
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("# "):
                reports.append(NewsReport(file.stem, line[2:].rpartition(" | ")[0]))
            elif match := _NUMBERED.match(line):
                reports[-1].sentences.append(match[2])
            elif line[:2] in {"Q ", "N "}:
                question, numbers, answer = [*line[2:].split(" | "), "", ""][:3]
                right = [int(number) - 1 for number in numbers.split(",") if number]
                reports[-1].questions.append((question.strip(), right, answer.strip(" -")))
    return reports


def _news() -> Iterator[Group]:
    """A file is one document: reports that follow one another may be on one event."""
    for report in news_reports():
        for question, right, answer in report.questions:
            candidates = _listed(report.sentences, report.title)
            if answer:
                start = report.sentences[right[0]].index(answer)
                span = (start, start + len(answer))
                candidates[right[0]] = replace(candidates[right[0]], span=span)
            yield _group("news", report.file, question, candidates, {*right})


def news_pairs(*, measured: bool) -> Iterator[tuple[str, str, str]]:
    """(relation, first sentence, second sentence); C contradict, E agree, N neither."""
    for file in sorted(NEWS.glob("pairs*.txt")):
        if kept_apart(file.stem, 8) == measured:
            for line in file.read_text(encoding="utf-8").splitlines():
                relation, first, second = line.split("\t")
                yield relation, first, second
