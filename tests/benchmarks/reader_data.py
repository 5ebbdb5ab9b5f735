"""Make the excerpts that the reader learns from out of questions on documents, per epoch.

An excerpt around a sentence that answers; one elsewhere, of the same document or of another that
shares most with the question; and near misses made by rule. Unanswerable questions matter most.
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
from reader_sets import Document, Group, Span, read_groups

from index.encoder import PackagedEncoder
from index.network import prepare_process
from index.reader.excerpts import Excerpt

SHORTEST, LONGEST = 120, 500  # characters of an excerpt
ALONE = 0.12  # share of excerpts of one sentence
_CAPS = {"qamr": 3000, "time_sensitive_qa": 1500}  # questions an epoch
_RARE = 2  # files of news that have a word which tells what a question is about
_NEAREST = 8  # sentences of other reports that a question is paired with
_WORD = re.compile(r"\w+")
_STOP = frozenset(
    "a an and are as at be been being but by can could did do does for from had has have how if in "
    "into is it its many much no not of on or s so than that the their there they this to was were "
    "what when where which who whom whose why will with would".split()
)


@dataclass(frozen=True, slots=True)
class Example:
    """A question and an excerpt to learn from.

    Attributes:
        answers: for each sentence whether it answers; None teaches nothing.
        places: for some sentences, by their index, where the answer stands.
    """

    question: str
    excerpt: Excerpt
    answers: tuple[bool | None, ...]
    places: dict[int, Span] = field(default_factory=dict)


@dataclass
class Corpus:
    """The documents and questions of a training."""

    groups: list[Group] = field(default_factory=list)
    near: NearMisses = field(default_factory=NearMisses)


def load(sets: Path, without: Iterable[str] = ()) -> Corpus:
    """Read the training data under the folder `sets`, without some sources."""
    groups = [group for group in read_groups(sets)[0] if group.source not in {*without}]
    groups += _stated(groups)
    corpus = Corpus(retrieved(with_mined(with_hard(groups))))
    corpus.near.learn(group.question for group in corpus.groups)
    return corpus


def _stated(groups: Sequence[Group]) -> Iterator[Group]:
    """Return common questions ("How old is ...?") on sentences that state the answer."""
    for document in dict.fromkeys(group.document for group in groups):
        for i, sentence in enumerate(document.sentences):
            for question, span in stated(sentence):
                silent = frozenset({*range(len(document.sentences))} - {i})
                yield Group("stated", document, question, {i: span}, silent)


def with_hard(groups: Sequence[Group]) -> list[Group]:
    """Put the wrong sentences that share most with the question, weighted by rarity, first."""
    words = {
        document: [_content(sentence) for sentence in document.sentences]
        for document in dict.fromkeys(group.document for group in groups)
    }
    seen = Counter(word for rows in words.values() for row in rows for word in row)
    total = sum(seen.values())
    out = []
    for group in groups:
        asked = _content(group.question)
        shared = {
            i: sum(log(total / seen[word]) for word in asked & words[group.document][i])
            for i in group.wrong
        }
        hard = sorted(shared, key=lambda i: -shared[i])[:6]
        out.append(replace(group, hard=tuple(hard)))
    return out


def _content(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.lower()) if word not in _STOP}


def with_mined(groups: Sequence[Group]) -> list[Group]:
    """Add sentences of other documents that share most with the question, by rarity of words.

    Questions that name nothing get none: another document may well answer them.
    """
    pool = {
        group.document.sentences[i]: (group.document, i)
        for group in groups
        for i in (*group.hard[:4], *group.right)
    }
    postings: dict[str, list[str]] = defaultdict(list)
    for sentence in pool:
        for word in _content(sentence):
            postings[word].append(sentence)
    out = []
    for group in groups:
        scores: Counter[str] = Counter()
        if group.source != "stated":
            for word in _content(group.question):
                if 1 < len(postings[word]) < 600:
                    weight = log(len(pool) / len(postings[word]))
                    scores.update(dict.fromkeys(postings[word], weight))
        answers = group.answers
        mined = [
            pool[sentence]
            for sentence, _ in scores.most_common(12)
            if pool[sentence][0].name != group.document.name
            and sentence not in group.document.sentences
            and not any(answer in sentence.lower() for answer in answers)
        ]
        out.append(replace(group, mined=tuple(mined[1:7])))
    return out


def retrieved(groups: Sequence[Group]) -> list[Group]:
    """Give each question on news the nearest sentences of other reports, as retrieval finds them.

    A question that names nothing rare gets none: another report may well answer it.
    """
    news = [group for group in groups if group.source == "news"]
    reports = [*dict.fromkeys(group.document for group in news)]
    pool = [(report, i) for report in reports for i in range(len(report.sentences))]
    files: dict[str, set[str]] = defaultdict(set)
    for report in reports:
        for word in _content(" ".join([report.title, *report.sentences])):
            files[word].add(report.name)
    prepare_process()
    encoder = PackagedEncoder()
    vectors = encoder.encode([report.sentences[i] for report, i in pool])
    asked = encoder.encode([group.question for group in news])
    names = np.array([report.name for report, _ in pool])
    found: dict[int, tuple[tuple[Document, int], ...]] = {}
    for group, vector in zip(news, asked, strict=True):
        if any(len(files[word]) <= _RARE for word in _content(group.question)):
            near = np.where(names == group.document.name, -1.0, vectors @ vector)
            best = np.argpartition(-near, _NEAREST)[:_NEAREST]
            found[id(group)] = tuple(pool[i] for i in best)
    return [replace(group, mined=found.get(id(group), group.mined)) for group in groups]


def epoch(corpus: Corpus, seed: int) -> Iterator[list[Example]]:
    """Yield all groups once, in a random order, each as the examples drawn from it."""
    generator = random.Random(seed)  # noqa: S311 - the same in every run
    chosen = [*_capped(corpus.groups, generator)]
    generator.shuffle(chosen)
    for group in chosen:
        yield _drawn(group, corpus.near, generator)


def _capped(groups: Iterable[Group], generator: random.Random) -> Iterator[Group]:
    by_source: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        by_source[group.source].append(group)
    for source, members in by_source.items():
        yield from generator.sample(members, min(len(members), _CAPS.get(source, len(members))))


def _drawn(group: Group, near: NearMisses, generator: random.Random) -> list[Example]:
    """Return examples of a question: where it is answered, where not, and near misses."""
    out = []
    if group.right:
        target = generator.choice([*group.right])
        shown = around(group.document, target, generator)
        out.append(_example(group, shown))
        missed = near.change(group.question, _text(group.document, target, shown), generator)
        if missed and group.source != "stated":
            out.append(_nowhere(missed, group.document, shown))
    if group.hard and (not group.right or generator.random() < 0.4):
        target = generator.choice(group.hard[:3])
        if not out or target not in shown:
            out.append(_example(group, around(group.document, target, generator)))
    if group.mined and generator.random() < (0.6 if group.source == "news" else 0.3):
        document, target = generator.choice(group.mined)
        out.append(_nowhere(group.question, document, around(document, target, generator)))
    if generator.random() < 0.15:
        target = generator.randrange(len(group.document.sentences))
        shown = around(group.document, target, generator)
        asked = asked_of_a_name(_text(group.document, target, shown), generator)
        out += [_nowhere(asked, group.document, shown)] if asked else []
    hand = generator.random()  # one for all, lest the typing tells a near miss from its question
    titled = generator.random() < 0.75
    return [
        replace(
            each,
            question=as_typed(each.question, random.Random(hand)),  # noqa: S311
            excerpt=each.excerpt if titled else Excerpt("", each.excerpt.sentences),
        )
        for each in out
    ]


def around(document: Document, target: int, generator: random.Random) -> range:
    """Return indices of consecutive sentences, with the target anywhere among them."""
    shown = range(target, target + 1)
    if not document.joined or generator.random() < ALONE:
        return shown
    room = generator.uniform(SHORTEST, LONGEST) - len(document.sentences[target])
    while sides := [
        side
        for side in (shown.start - 1, shown.stop)
        if 0 <= side < len(document.sentences) and len(document.sentences[side]) <= room
    ]:
        side = generator.choice(sides)
        room -= len(document.sentences[side])
        shown = range(min(side, shown.start), max(side + 1, shown.stop))
    return shown


def _example(group: Group, shown: range) -> Example:
    answers = tuple(None if i in group.silent else i in group.right for i in shown)
    places = {i - shown.start: span for i in shown if (span := group.right.get(i))}
    return Example(group.question, _excerpt(group.document, shown), answers, places)


def _nowhere(question: str, document: Document, shown: range) -> Example:
    return Example(question, _excerpt(document, shown), (False,) * len(shown))


def _excerpt(document: Document, shown: range) -> Excerpt:
    return Excerpt(document.title, document.sentences[shown.start : shown.stop])


def _text(document: Document, target: int, shown: range) -> Text:
    others = [document.sentences[i] for i in shown if i != target]
    return Text(document.sentences[target], " ".join([document.title, *others]))


def as_typed(question: str, generator: random.Random) -> str:
    """Sometimes drop the question mark or add a typing error, as people do."""
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
