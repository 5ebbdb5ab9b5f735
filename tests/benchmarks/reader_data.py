"""Sets of questions and sentences -> what the reader is trained on, and what it is measured on.

Only sets that may be trained on are read here. What is measured is kept apart by document:
a quarter of the SQuAD titles, two thirds of ClapNQ, and the development parts of WikiQA and
TREC-QA, with every question that stands in them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import log
from pathlib import Path
from typing import Any

from index.text.sentences import split

RELATIONS = {"entailment": 0, "neutral": 1, "contradiction": 2}
POSITIVES, NEGATIVES = 2, 4
_CAPS = {"qamr": 8000, "qadiscourse": 4000, "qasrl_gs": 1500, "time_sensitive_qa": 2000}
_POSITIVE_ONLY = frozenset({"qamr", "qadiscourse", "qasrl_gs"})
_NLI = 9000  # pairs an epoch
_PTB = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "``": '"', "''": '"'}
_WORD = re.compile(r"\w+")
_NAMED = re.compile(r"(?<=[\w,'\"] )[A-Z\d]")  # "Who leads Fiat?": a name or number past the start
_STOP = frozenset(
    "a an and are as at be been being but by can could did do does for from had has have how if in "
    "into is it its many much no not of on or s so than that the their there they this to was were "
    "what when where which who whom whose why will with would".split()
)


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

    `negatives` are in document order when loaded, hardest first once `sorted_by_hardness`.
    """

    source: str
    document: str
    question: str
    positives: tuple[Candidate, ...]
    negatives: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One pair to learn from; None where a head learns nothing from it."""

    question: str
    context: str
    sentence: str
    answers: float | None = None
    span: tuple[int, int] | None = None
    relation: int | None = None


@dataclass
class Corpus:
    """What is trained on (groups, relations) and what is measured (by name of the set)."""

    train: list[Group] = field(default_factory=list)
    relations: list[Example] = field(default_factory=list)
    measured: dict[str, list[Group]] = field(default_factory=dict)


def load(sets: Path) -> Corpus:
    """Read all sets under the folder `sets`."""
    corpus = Corpus()
    answering = sets / "reader" / "open" / "answering"
    measured = corpus.measured
    measured["wikiqa dev"] = list(_wikiqa(sets / "wikiqa" / "dev.jsonl.gz"))
    measured["trecqa dev"] = list(_trecqa(sets / "trecqa" / "dev.jsonl.gz"))
    groups = [*_wikiqa(sets / "wikiqa" / "train_tokenized.jsonl.gz")]
    groups += _trecqa(sets / "trecqa" / "train.jsonl.gz")
    for name in "covid_qa qed_dev qnli_dev selqa squad2_fragment time_sensitive_qa".split():
        groups += _answering(answering / f"{name}.jsonl.gz")
    groups += _squad(sets / "squad")
    groups += _clapnq(sets / "clapnq")
    for group in groups:
        if group.source == "squad" and kept_apart(group.document, 4):
            measured.setdefault("squad", []).append(group)
        elif group.source == "clapnq" and not kept_apart(group.document, 3):
            measured.setdefault("clapnq", []).append(group)
        else:
            corpus.train.append(group)
    corpus.train += _pooled(answering)
    known = {_plain(group.question) for groups in measured.values() for group in groups}
    shown = {
        _plain(each.sentence)
        for group in measured["squad"]
        for each in (*group.positives, *group.negatives)
    }
    corpus.train = [
        group
        for group in corpus.train
        if _plain(group.question) not in known
        and not any(_plain(each.sentence) in shown for each in group.positives + group.negatives)
    ]
    corpus.train = sorted_by_hardness(corpus.train)
    for file in sorted((sets / "reader" / "open" / "nli").glob("*.jsonl.gz")):
        for row in _rows(file):
            corpus.relations.append(
                Example(row["premise"], "", row["hypothesis"], relation=RELATIONS[row["label"]])
            )
    return corpus


def kept_apart(document: str, share: int) -> bool:
    """Whether a document falls to one part in `share`, by its hash."""
    return int(hashlib.sha256(f"reader:{document}".encode()).hexdigest(), 16) % share == 0


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _untokenised(text: str) -> str:
    """ "It 's 5 -LRB- or so -RRB- ." -> "It's 5 (or so)."."""
    words = " ".join(_PTB.get(word, word) for word in text.split())
    words = re.sub(r" (?=[.,;:?!)\]%]|'s\b|n't\b|'(?:re|ve|ll|d|m)\b)|(?<=[(\[$]) ", "", words)
    return re.sub(r"\s+", " ", words).strip()


def _plain(text: str) -> str:
    return "".join(re.findall(r"[a-z0-9]+", text.lower()))


def _listed(texts: Sequence[str], title: str = "") -> list[Candidate]:
    """Sentences in the order of their document, each with the one before it."""
    return [
        Candidate(text, before, title)
        for before, text in zip(["", *texts], texts, strict=False)
    ]


def _told_apart(
    source: str, document: str, question: str, candidates: Sequence[Candidate], right: set[int]
) -> Group:
    positives = tuple(each for i, each in enumerate(candidates) if i in right)
    negatives = tuple(each for i, each in enumerate(candidates) if i not in right)
    return Group(source, document, question, positives, negatives)


def _wikiqa(file: Path) -> Iterator[Group]:
    for row in _rows(file):
        candidates = _listed(
            [_untokenised(each["text"]) for each in row["candidates"]], row.get("doc_title", "")
        )
        right = {i for i, each in enumerate(row["candidates"]) if each["label"]}
        question = _untokenised(row["question"])
        yield _told_apart("wikiqa", row.get("doc_id", question), question, candidates, right)


def _trecqa(file: Path) -> Iterator[Group]:
    for row in _rows(file):
        candidates = [Candidate(_untokenised(each["text"])) for each in row["candidates"]]
        right = {i for i, each in enumerate(row["candidates"]) if each["label"]}
        yield _told_apart("trecqa", row["qid"], _untokenised(row["question"]), candidates, right)


def _answering(file: Path) -> Iterator[Group]:
    """Groups of a set that gives positives and negatives itself."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(file):
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
        document = re.sub(r"^squad:(.*)#\d+$", r"\1", document)
        yield _told_apart(source, document, asked, candidates, right)


def _squad(folder: Path) -> Iterator[Group]:
    for part in ("squad2_dev_part", "xquad_en"):
        paragraphs = {row["id"]: row for row in _rows(folder / f"{part}_paragraphs.jsonl.gz")}
        sentences = {key: split(row["text"]) for key, row in paragraphs.items()}
        for row in _rows(folder / f"{part}_questions.jsonl.gz"):
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
            yield _told_apart("squad", paragraph["title"], row["question"], candidates, right)


def _clapnq(folder: Path) -> Iterator[Group]:
    for name in ("answerable", "unanswerable"):
        for row in _rows(folder / f"{name}.jsonl.gz"):
            passage = row["passages"][0]
            chosen = {
                _plain(text)
                for output in row["output"]
                for text in output.get("selected_sentences") or []
            }
            texts = [_untokenised(text) for text in passage["sentences"]]
            right = {i for i, text in enumerate(texts) if _plain(text) in chosen}
            yield _told_apart(
                "clapnq", passage["title"], row["input"], _listed(texts, passage["title"]), right
            )


def _pooled(folder: Path) -> Iterator[Group]:
    """Groups of sets with positives only: negatives are other sentences of the same document.

    Such questions are asked of a known sentence ("What did they lose?"): another sentence is a
    safe negative only where the question names something; else it brings none.
    """
    pool: dict[str, list[str]] = defaultdict(list)
    for row in _rows(folder / "pools" / "wiki1k_sentences.jsonl.gz"):
        pool[row["context_id"]].append(row["sentence"])
    generator = random.Random(13)
    for name in ("qamr", "qadiscourse", "qasrl_gs"):
        for row in _rows(folder / f"{name}.jsonl.gz"):
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
            negatives = generator.sample(others, min(len(others), 12)) if named else []
            positive = Candidate(row["sentence"], row["context"], "", span)
            yield Group(name, document, question, (positive,), tuple(negatives))


def sorted_by_hardness(groups: Sequence[Group]) -> list[Group]:
    """Put the negatives that share most with their question, weighted by rarity, first."""
    seen: Counter[str] = Counter()
    for group in groups:
        for each in (*group.positives, *group.negatives[:12]):
            seen.update(_content(each.sentence))
    total = sum(seen.values())

    def shared(question: set[str], candidate: Candidate) -> float:
        words = question & (_content(candidate.sentence) | _content(candidate.title))
        return sum(log(total / (1 + seen[word])) for word in words)

    out = []
    for group in groups:
        words = _content(group.question)
        ranked = sorted(group.negatives, key=lambda each: -shared(words, each))
        out.append(replace(group, negatives=tuple(ranked)))
    return out


def _content(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.lower()) if word not in _STOP}


def epoch(corpus: Corpus, seed: int) -> Iterator[list[Example]]:
    """All groups once in a random order, each as the examples drawn from it for this epoch."""
    generator = random.Random(seed)
    chosen: list[Group | Example] = list(_capped(corpus.train, generator))
    chosen += generator.sample(corpus.relations, min(_NLI, len(corpus.relations)))
    generator.shuffle(chosen)
    for each in chosen:
        yield [each] if isinstance(each, Example) else _drawn(each, generator)


def _capped(groups: Iterable[Group], generator: random.Random) -> Iterator[Group]:
    by_source: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        by_source[group.source].append(group)
    for source, members in by_source.items():
        yield from generator.sample(members, min(len(members), _CAPS.get(source, len(members))))


def _drawn(group: Group, generator: random.Random) -> list[Example]:
    positives = generator.sample(group.positives, min(POSITIVES, len(group.positives)))
    hard = list(group.negatives[:3])
    negatives = generator.sample(hard, min(len(hard), NEGATIVES // 2))
    rest = group.negatives[3:]
    negatives += generator.sample(rest, min(len(rest), NEGATIVES - len(negatives)))
    question = as_typed(group.question, generator)
    told = None if group.source in _POSITIVE_ONLY and not group.negatives else 1.0
    examples = [
        Example(question, context(each, generator), each.sentence, told, each.span)
        for each in positives
    ]
    return examples + [
        Example(question, context(each, generator), each.sentence, 0.0) for each in negatives
    ]


def as_typed(question: str, generator: random.Random) -> str:
    """Now and then without the question mark or with a slip of the fingers, as people type."""
    if generator.random() < 0.3:
        question = question.rstrip("? ")
    if generator.random() < 0.07:
        words = question.split()
        i = generator.randrange(len(words))
        if len(words[i]) > 3 and words[i].isalpha():
            at = generator.randrange(1, len(words[i]) - 1)
            swapped = words[i][at + 1] + words[i][at]
            words[i] = words[i][:at] + generator.choice(["", swapped]) + words[i][at + 2 :]
        question = " ".join(words)
    return question


def context(candidate: Candidate, generator: random.Random) -> str:
    """What stands before, with the title, alone, or nothing: the reader must do with each."""
    share = generator.random()
    if share < 0.35:
        return ""
    if share < 0.75 or not candidate.title:
        return candidate.before
    return f"{candidate.title}. {candidate.before}".strip()
