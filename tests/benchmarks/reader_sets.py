"""Read question sets as groups of sentences that answer a question and that do not.

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from index.text.sentences import split

_PTB = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "``": '"', "''": '"'}
_NAMED = re.compile(r"(?<=[\w,'\"] )[A-Z\d]")  # "Who leads Fiat?": a name or number past the start


Span = tuple[int, int]  # code points in a sentence


@dataclass(frozen=True, eq=False, slots=True)
class Document:
    """Sentences in their order; `name` is what sets are kept apart by.

    `joined` is false where they come from several texts, so that none is read with another.
    """

    name: str
    title: str
    sentences: tuple[str, ...]
    joined: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """A question asked of a document.

    Attributes:
        right: the sentences that answer, by their index, and where in them the answer stands.
        silent: indices of sentences of which it is not known.
        hard: indices of sentences that do not answer, those that share most with it first.
        mined: sentences of other documents that share most with the question.
    """

    source: str
    document: Document
    question: str
    right: Mapping[int, Span | None]
    silent: frozenset[int] = frozenset()
    hard: tuple[int, ...] = ()
    mined: tuple[tuple[Document, int], ...] = ()

    @property
    def wrong(self) -> list[int]:
        """The indices of the sentences that do not answer."""
        count = range(len(self.document.sentences))
        return [i for i in count if i not in self.right and i not in self.silent]

    @property
    def answers(self) -> set[str]:
        """The words that answer, in lower case."""
        sentences = self.document.sentences
        return {sentences[i][slice(*span)].lower() for i, span in self.right.items() if span}


@dataclass(slots=True)
class WrittenText:
    """An invented report or background text, and the questions asked of it.

    Each question has the indices of the sentences that answer it, best first, and the words in the
    first of them that do, if any.
    """

    file: str
    title: str
    sentences: list[str] = field(default_factory=list)
    questions: list[tuple[str, list[int], str]] = field(default_factory=list)


NEWS, BACKGROUND = (Path(__file__).parent / name for name in ("news", "background"))
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
    groups += [*_written(NEWS, "news"), *_written(BACKGROUND, "background")]
    train = [*_pooled(answering)]
    measured: dict[str, list[Group]] = {
        "news": [],
        "wikiqa dev": [*_wikiqa(sets / "wikiqa" / "dev.jsonl.gz")],
        "trecqa dev": [*_trecqa(sets / "trecqa" / "dev.jsonl.gz")],
        "clapnq": [],
        "squad": [],
    }
    for group in groups:
        if group.source == "squad" and kept_apart(group.document.name, 4):
            measured["squad"].append(group)
        elif group.source == "news" and kept_apart(group.document.name, 8):
            measured["news"].append(group)
        elif group.source == "clapnq" and not kept_apart(group.document.name, 3):
            measured["clapnq"].append(group)
        else:
            train.append(group)
    questions = {plain(group.question) for groups in measured.values() for group in groups}
    sentences = {plain(each) for group in measured["squad"] for each in group.document.sentences}
    train = [
        group
        for group in train
        if plain(group.question) not in questions
        and not any(plain(each) in sentences for each in group.document.sentences)
    ]
    return train, measured


def kept_apart(document: str, share: int) -> bool:
    """Return whether a document belongs to one part in `share`, by its hash."""
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


def _wikiqa(file: Path) -> Iterator[Group]:
    for row in rows_of(file):
        texts = tuple(_untokenised(each["text"]) for each in row["candidates"])
        question = _untokenised(row["question"])
        document = Document(row.get("doc_id", question), row.get("doc_title", ""), texts)
        right = {i: None for i, each in enumerate(row["candidates"]) if each["label"]}
        yield Group("wikiqa", document, question, right)


def _trecqa(file: Path) -> Iterator[Group]:
    for row in rows_of(file):
        texts = tuple(_untokenised(each["text"]) for each in row["candidates"])
        document = Document(row["qid"], "", texts, joined=False)
        right = {i: None for i, each in enumerate(row["candidates"]) if each["label"]}
        yield Group("trecqa", document, _untokenised(row["question"]), right)


def _answering(file: Path) -> Iterator[Group]:
    """Read groups of a set that says which sentences answer, with the previous sentence."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows_of(file):
        rows[row["context_id"], row["question"]].append(row)
    for (name, question), lines in rows.items():
        texts: list[str] = []
        right: dict[int, Span | None] = {}
        silent = set()
        for line in sorted(lines, key=lambda each: each["position"]):
            if line["context"] and line["context"] not in texts[-1:]:
                silent.add(len(texts))
                texts.append(line["context"])
            if line["label"]:
                right[len(texts)] = tuple(line["spans"][0]) if line["spans"] else None
            texts.append(line["sentence"])
        asked = re.sub(r" \(Answer: .*\)$", "", question)
        source = "squad" if name.startswith("squad:") else lines[0]["source"]
        apart = re.sub(r"^squad:(.*)#\d+$", r"\1", name)
        document = Document(apart, lines[0].get("title", ""), tuple(texts))
        yield Group(source, document, asked, right, frozenset(silent))


def _squad(folder: Path) -> Iterator[Group]:
    for part in ("squad2_dev_part", "xquad_en"):
        paragraphs = {row["id"]: row for row in rows_of(folder / f"{part}_paragraphs.jsonl.gz")}
        places = {key: split(row["text"]) for key, row in paragraphs.items()}
        documents = {
            key: Document(
                row["title"],
                row["title"].replace("_", " "),
                tuple(row["text"][place.start : place.end] for place in places[key]),
            )
            for key, row in paragraphs.items()
        }
        for row in rows_of(folder / f"{part}_questions.jsonl.gz"):
            document = documents[row["paragraph"]]
            right: dict[int, Span | None] = {}
            words: set[str] = set()
            if not row["unanswerable"]:
                answer = row["answers"][0]
                start, end = answer["start"], answer["start"] + len(answer["text"])
                for i, place in enumerate(places[row["paragraph"]]):
                    if place.start <= start and end <= place.end:
                        right[i] = (start - place.start, end - place.start)
                if not right:
                    continue
                words = {each["text"].lower() for each in row["answers"]}
            silent = _holding(document.sentences, words) - right.keys()
            yield Group("squad", document, row["question"], right, frozenset(silent))


def _holding(sentences: Sequence[str], words: set[str]) -> set[int]:
    """Return indices of sentences with any of these words: they may answer, too."""
    return {i for i, each in enumerate(sentences) if any(word in each.lower() for word in words)}


def _clapnq(folder: Path) -> Iterator[Group]:
    for name in ("answerable", "unanswerable"):
        for row in rows_of(folder / f"{name}.jsonl.gz"):
            passage = row["passages"][0]
            chosen = {
                plain(text)
                for output in row["output"]
                for text in output.get("selected_sentences") or []
            }
            texts = tuple(_untokenised(text) for text in passage["sentences"])
            right = {i: None for i, text in enumerate(texts) if plain(text) in chosen}
            document = Document(passage["title"], passage["title"], texts)
            yield Group("clapnq", document, row["input"], right)


def _pooled(folder: Path) -> Iterator[Group]:
    """Make groups of sets with positives only: other sentences of the document are negatives.

    Such questions are asked of a known sentence ("What did they lose?"): another sentence is a
    safe negative only where the question names something.
    """
    pool: dict[str, list[str]] = defaultdict(list)
    for row in rows_of(folder / "pools" / "wiki1k_sentences.jsonl.gz"):
        pool[row["context_id"]].append(row["sentence"])
    documents = {name: Document(name, "", tuple(texts)) for name, texts in pool.items()}
    generator = random.Random(13)  # noqa: S311 - the same in every run
    for name in ("qamr", "qadiscourse"):
        for row in rows_of(folder / f"{name}.jsonl.gz"):
            named = _NAMED.search(row["question"])
            if not named and generator.random() < 0.7:
                continue
            document = documents.get(row["context_id"])
            if document is None or row["sentence"] not in document.sentences:
                document = Document(row["context_id"], "", (row["context"], row["sentence"]))
            span = tuple(row["spans"][0]) if row["spans"] else None
            right = {document.sentences.index(row["sentence"]): span}
            silent = {*range(len(document.sentences))}
            if named and document.name in documents:
                answer = row["sentence"][slice(*span)].lower() if span else ""
                silent = _holding(document.sentences, {answer} - {""})
            yield Group(name, document, row["question"], right, frozenset(silent - right.keys()))


def written_texts(folder: Path) -> list[WrittenText]:
    """Read the invented texts of a folder; the README in tests/benchmarks/news has the format."""
    texts: list[WrittenText] = []
    for file in sorted(folder.glob("*.txt")):
        if file.stem.startswith("pairs"):
            continue
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("# "):
                texts.append(WrittenText(file.stem, line[2:].rpartition(" | ")[0]))
            elif match := _NUMBERED.match(line):
                texts[-1].sentences.append(match[2])
            elif line[:2] in {"Q ", "N "}:
                question, numbers, answer = [*line[2:].split(" | "), "", ""][:3]
                right = [int(number) - 1 for number in numbers.split(",") if number]
                texts[-1].questions.append((question.strip(), right, answer.strip(" -")))
    return texts


def _written(folder: Path, source: str) -> Iterator[Group]:
    """Read a file as documents by name: successive reports may be on the same event."""
    for text in written_texts(folder):
        document = Document(text.file, text.title, tuple(text.sentences))
        for question, numbers, answer in text.questions:
            right: dict[int, Span | None] = dict.fromkeys(numbers)
            if answer:
                start = text.sentences[numbers[0]].index(answer)
                right[numbers[0]] = (start, start + len(answer))
            yield Group(source, document, question, right)
