"""Groups of sentences -> the examples that the reader learns from, epoch by epoch.

Negatives of the same document, hardest first; sentences of other documents that share most with
the question; and near misses made by rule. Unanswerable questions matter most.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import log
from pathlib import Path

import numpy as np
from reader_near_misses import NearMisses, Text, asked_of_a_name, stated
from reader_sets import Candidate, Group, news_pairs, read_groups, rows_of

from index.encoder import PackagedEncoder
from index.network import prepare_process

RELATIONS = {"entailment": 0, "neutral": 1, "contradiction": 2}
POSITIVES, NEGATIVES = 2, 3
_CAPS = {"qamr": 4000, "qadiscourse": 2000, "qasrl_gs": 300, "time_sensitive_qa": 1500}
_POSITIVE_ONLY = frozenset({"qamr", "qadiscourse", "qasrl_gs"})
_RARE = 2  # files of news that have a word which tells what a question is about
_NEAREST = 8  # sentences of other reports that a question is paired with
_NLI = 3000  # pairs an epoch: of captions and single facts, they teach little about news
_WORD = re.compile(r"\w+")
_STOP = frozenset(
    "a an and are as at be been being but by can could did do does for from had has have how if in "
    "into is it its many much no not of on or s so than that the their there they this to was were "
    "what when where which who whom whose why will with would".split()
)


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
    """What is trained on."""

    train: list[Group] = field(default_factory=list)
    relations: list[Example] = field(default_factory=list)
    news_relations: list[Example] = field(default_factory=list)
    near: NearMisses = field(default_factory=NearMisses)


def load(sets: Path) -> Corpus:
    """Read what is trained on under the folder `sets`."""
    groups, _ = read_groups(sets)
    groups += _stated(groups)
    corpus = Corpus(retrieved(with_mined(sorted_by_hardness(groups))))
    corpus.near.learn(group.question for group in corpus.train)
    for file in sorted((sets / "reader" / "open" / "nli").glob("*.jsonl.gz")):
        corpus.relations += [
            Example(row["premise"], "", row["hypothesis"], relation=RELATIONS[row["label"]])
            for row in rows_of(file)
        ]
    for relation, first, second in news_pairs(measured=False):
        for pair in ((first, second), (second, first)):
            if pair[0] == first or relation != "E":  # the second may follow from the first only
                corpus.news_relations.append(
                    Example(pair[0], "", pair[1], relation="ENC".index(relation))
                )
    return corpus


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
    generator = random.Random(seed)  # noqa: S311 - the same in every run
    chosen: list[Group | Example] = list(_capped(corpus.train, generator))
    chosen += [group for group in corpus.train if group.source == "news"]  # once more
    chosen += generator.sample(corpus.relations, min(_NLI, len(corpus.relations)))
    chosen += 3 * corpus.news_relations
    generator.shuffle(chosen)
    for each in chosen:
        if isinstance(each, Example):
            yield [each]
        else:
            yield _drawn(each, corpus.near, generator)


def _capped(groups: Iterable[Group], generator: random.Random) -> Iterator[Group]:
    by_source: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        by_source[group.source].append(group)
    for source, members in by_source.items():
        yield from generator.sample(members, min(len(members), _CAPS.get(source, len(members))))


def _drawn(group: Group, near: NearMisses, generator: random.Random) -> list[Example]:
    """Examples of one question: sentences that answer, that do not, and near misses."""
    positives = generator.sample(group.positives, min(POSITIVES, len(group.positives)))
    hard = group.negatives[:3]
    negatives = generator.sample(hard, min(len(hard), 2))
    rest = group.negatives[3:]
    negatives += generator.sample(rest, min(len(rest), NEGATIVES - len(negatives)))
    if group.mined and (group.source == "news" or generator.random() < 0.5):
        negatives[-1:] = [generator.choice(group.mined)]
    told = None if group.source in _POSITIVE_ONLY and not negatives else 1.0
    drawn = [(group.question, each, told) for each in positives]
    drawn += [(group.question, each, 0.0) for each in negatives]
    if told and positives:
        missed = near.change(group.question, _text(positives[0]), generator)
        drawn += [(missed, positives[0], 0.0)] if missed else []
    if generator.random() < 0.15 and (several := positives + negatives):
        each = generator.choice(several)
        asked = asked_of_a_name(_text(each), generator)
        drawn += [(asked, each, 0.0)] if asked else []
    hand = generator.random()  # one for all, lest the typing tells a near miss from its question
    return [
        Example(
            as_typed(question, random.Random(hand)),  # noqa: S311
            context(each, generator),
            each.sentence,
            label,
            each.span if label != 0.0 else None,
        )
        for question, each, label in drawn
    ]


def _text(candidate: Candidate) -> Text:
    return Text(candidate.sentence, f"{candidate.title} {candidate.before}")


def _stated(groups: Sequence[Group]) -> Iterator[Group]:
    """Common questions ("How old is ...?") on sentences that state the answer outright."""
    done = set()
    for group in groups:
        for each in (*group.positives, *group.negatives):
            for question, span in stated(each.sentence):
                if (question, each.sentence) not in done:
                    done.add((question, each.sentence))
                    positive = replace(each, span=span)
                    yield Group("stated", group.document, question, (positive,), ())


def with_mined(groups: Sequence[Group]) -> list[Group]:
    """Add sentences of other documents that share most with the question, by rarity of words.

    Questions that name nothing get none: another document may well answer them.
    """
    pool = {each.sentence: (group, each) for group in groups for each in group.negatives[:4]}
    pool |= {each.sentence: (group, each) for group in groups for each in group.positives}
    postings: dict[str, list[str]] = defaultdict(list)
    for sentence in pool:
        for word in _content(sentence):
            postings[word].append(sentence)
    out = []
    for group in groups:
        scores: Counter[str] = Counter()
        if group.source not in {"qasrl_gs", "stated"}:
            for word in _content(group.question):
                if 1 < len(postings[word]) < 600:
                    weight = log(len(pool) / len(postings[word]))
                    scores.update(dict.fromkeys(postings[word], weight))
        answers = {
            each.sentence[each.span[0] : each.span[1]].lower()
            for each in group.positives
            if each.span
        }
        own = {each.sentence for each in (*group.positives, *group.negatives)}
        mined = [
            pool[sentence][1]
            for sentence, _ in scores.most_common(12)
            if pool[sentence][0].document != group.document
            and sentence not in own
            and not any(answer in sentence.lower() for answer in answers)
        ]
        out.append(replace(group, mined=tuple(mined[1:7])))
    return out


def retrieved(groups: Sequence[Group]) -> list[Group]:
    """Give each question on news the nearest sentences of other reports, as retrieval finds them.

    A question that names nothing rare gets none: another report may well answer it.
    """
    news = [group for group in groups if group.source == "news"]
    sentences = {
        each.sentence: (group.document, each)
        for group in news
        for each in (*group.positives, *group.negatives)
    }
    files: dict[str, set[str]] = defaultdict(set)
    for sentence, (document, each) in sentences.items():
        for word in _content(f"{each.title} {sentence}"):
            files[word].add(document)
    prepare_process()
    encoder = PackagedEncoder()
    pool = [*sentences]
    vectors = encoder.encode(pool)
    asked = encoder.encode([group.question for group in news])
    documents = np.array([sentences[sentence][0] for sentence in pool])
    found: dict[int, tuple[Candidate, ...]] = {}
    for group, vector in zip(news, asked, strict=True):
        if any(len(files[word]) <= _RARE for word in _content(group.question)):
            near = np.where(documents == group.document, -1.0, vectors @ vector)
            best = np.argpartition(-near, _NEAREST)[:_NEAREST]
            found[id(group)] = tuple(sentences[pool[i]][1] for i in best)
    return [replace(group, mined=found.get(id(group), group.mined)) for group in groups]


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
    if share < 0.45:
        return ""
    if share < 0.8 or not candidate.title:
        return candidate.before
    return f"{candidate.title}. {candidate.before}".strip()
