"""Which reports are copies or rewrites of one another, and which stand alone.

Two outlets that both print one agency's text are one witness, not two. Reports of one event that
were written independently share names and figures but not wording; a rewrite keeps most of the
wording sentence by sentence, in another order, cut, respelled. So sentences are aligned by their
wording, quotations left out (both may quote one speech), and it is measured how much of the
shorter report was lifted: containment of word trigrams, after Broder 1997 ("On the resemblance
and containment of documents"). A sentence with another figure or another name is another sentence.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from itertools import combinations, pairwise

from index.domain import Article
from index.text.numbers import NUMBERS
from index.text.terms import STOP_TERMS, terms

LONGEST = 20_000  # code points of a report that are compared
_LEAST_WORDS = 5  # a shorter sentence ("She won the prize.") has no wording to lift
_REWRITE = 0.22  # of the shorter report's words: independent reports of one event mostly have less
_SHINGLES = 0.1  # of the runs of three words as they stand: no rewrite measured had less than 0.13
_LEAST_LIFTED = 13  # words: reports of a few lines share as much by chance
_WHOLLY = 0.9
_MOSTLY = 0.6  # of the names in two leads, where days do not tell that both are of one subject
_SAME_NEWS = timedelta(14)
_LEAD = 5  # sentences whose names tell what a report is about

Three = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Wording:
    """What sentences are compared by: stems in order without stop words, what they hold."""

    stems: tuple[str, ...]
    bag: frozenset[str]
    figures: frozenset[str]
    names: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    threes: tuple[Three | None, ...]


@dataclass(frozen=True, slots=True)
class _Report:
    """A report, read: its sentences with enough words, and its trigrams."""

    sentences: tuple[Wording, ...]
    threes: frozenset[Three]
    size: int


@lru_cache(maxsize=4096)
def lifted(a: str, b: str) -> float:
    """The part of the shorter report's words that stand in runs of three shared with the other.

    Only aligned sentences count, names and figures do not; 0 where it is too little to tell.
    """
    if a == b:
        return 1.0
    one, other = _shingles(a[:LONGEST]), _shingles(b[:LONGEST])
    if len(one & other) < _SHINGLES * min(len(one), len(other)):
        return 0.0
    left, right = _report(a[:LONGEST]), _report(b[:LONGEST])
    least = min(left.size, right.size)
    if 3 * len(left.threes & right.threes) < max(1, _REWRITE * least):
        return 0.0  # no alignment could lift as much
    aligned = _align(left.sentences, right.sentences)
    part = max(_covered(left, right, aligned), _covered(right, left, [(j, i) for i, j in aligned]))
    sides = len({i for i, _ in aligned}), len({j for _, j in aligned})
    several = min(sides) > 1 and part * least >= _LEAST_LIFTED
    return part if several or part >= _WHOLLY else 0.0


def same_origin(a: str, b: str) -> bool:
    """Whether one of two reports copies or rewrites the other, or both the same text."""
    return lifted(a, b) >= _REWRITE


def same_event(a: str, b: str, question: str = "") -> bool:
    """Whether two reports' leads tell of one event: they share names (a gate, not a claim).

    One name at least that the question does not have: namesakes share what was asked for.
    """
    left, right = _lead_names(a[:LONGEST]), _lead_names(b[:LONGEST])
    shared = left & right
    least = max(2, _REWRITE * min(len(left), len(right)))
    return len(shared) >= least and not shared <= read(question).bag


def same_subject(question: str, a: Article, b: Article) -> bool:
    """Whether two reports speak of the one bearer of a name, and not of namesakes.

    News of one thing appears within days. Reports further apart or of unknown day have to name
    what the question names, and beside it mostly the same in their leads.
    """
    if a.published and b.published and abs(a.published - b.published) <= _SAME_NEWS:
        return True
    asked = read(question)
    left, right = (_lead_names(one.text[:LONGEST]) | read(one.title).names for one in (a, b))
    if asked.names and not (asked.names & left and asked.names & right):
        return False
    left, right = left - asked.bag, right - asked.bag
    return len(left & right) >= _MOSTLY * max(len(left), len(right))


def independence(articles: Sequence[Article]) -> list[frozenset[int]]:
    """For each article the indices of those that it is independent of.

    Not of itself, of a copy or rewrite (through others, too), of a report of the same publisher,
    nor of one whose publisher it names as its source, or that names its own.
    """
    group = list(range(len(articles)))
    tied = set()
    for (i, one), (j, other) in combinations(enumerate(articles), 2):
        if group[i] != group[j] and same_origin(one.text, other.text):
            group = [group[i] if g == group[j] else g for g in group]
        if _same_house(one, other) or _leans_on(one, other) or _leans_on(other, one):
            tied |= {(i, j), (j, i)}
    every = range(len(articles))
    return [
        frozenset(j for j in every if group[i] != group[j] and (i, j) not in tied) for i in every
    ]


def _same_house(one: Article, other: Article) -> bool:
    return bool(one.publisher) and one.publisher == other.publisher


def _leans_on(report: Article, source: Article) -> bool:
    """Whether a report names the other's publisher as where it has something from."""
    bare = (source.publisher or "").removeprefix("The ")
    if not bare or bare not in report.text:
        return False
    name = re.escape(bare)
    return bool(
        re.search(
            rf"\b(?:[Aa]ccording to|[Tt]old|by|[Cc]iting|[Qq]uoting) (?:[Tt]he )?{name}\b"
            rf"|\b{name},? (?:(?:has|had|first) )*(?:reports?|reported|said|wrote|revealed)\b"
            rf"|\({name}\)",
            report.text[:LONGEST],
        )
    )


# Reading

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_QUOTED = re.compile(r"“[^”“]*[”“]?|\"[^\"]*\"?")
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
_TIME = re.compile(r"\b(\d{1,2})[.:](\d\d) ?(?=[ap]\.?m\b)")
_ENDS = re.compile(r"(?<=[.!?])[\"”’)]*\s+(?=[\"“‘(]?[A-Z0-9])|\n+")
_NUMBER = {word: str(number) for word, number in NUMBERS.items() if number > 1}
_SAYING = frozenset(terms("said say says would will also may might could"))


@lru_cache(maxsize=2048)
def read(sentence: str) -> Wording:
    """The parts of a sentence that are compared."""
    sentence = _TIME.sub(r"\1:\2 ", sentence)  # "4.40am" is "4:40 a.m."
    words = _WORD.findall(sentence)
    read_as = [_stem(word) for word in words]
    stems = tuple(stem for stem in read_as if stem)
    names = frozenset(
        stem
        for word, stem in zip(words[1:], read_as[1:], strict=True)
        if stem and word[0].isupper() and len(word) > 2  # noqa: PLR2004 - "Al", "In"
    )
    figures = {figure.replace(",", "") for figure in _FIGURE.findall(sentence)}
    figures |= {_NUMBER[word.lower()] for word in words if word.lower() in _NUMBER}
    fixed = [stem in names or stem[0].isdigit() for stem in stems]
    # A run of names and figures is nobody's wording: nobody can say it otherwise.
    threes = tuple(
        (stems[n], stems[n + 1], stems[n + 2]) if sum(fixed[n : n + 3]) < 2 else None  # noqa: PLR2004
        for n in range(len(stems) - 2)
    )
    return Wording(
        stems, frozenset(stems), frozenset(figures), names, frozenset(pairwise(stems)), threes
    )


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    """The term a word is compared as, a number in digits; empty for a stop word."""
    found = _NUMBER.get(word.lower()) or "".join(terms(word))
    return "" if found in STOP_TERMS or found in _SAYING else found


@lru_cache(maxsize=256)
def _report(text: str) -> _Report:
    read_all = map(read, _sentences(text))
    told = tuple(one for one in read_all if len(one.bag) >= _LEAST_WORDS)
    return _Report(
        told,
        frozenset(three for one in told for three in one.threes if three),
        sum(len(one.stems) for one in told),
    )


@lru_cache(maxsize=512)
def _shingles(text: str) -> frozenset[int]:
    """Runs of three words as they stand, hashed: what tells most pairs apart at little cost."""
    words = text.lower().split()
    return frozenset(map(hash, zip(words, words[1:], words[2:], strict=False)))


@lru_cache(maxsize=512)
def _lead_names(text: str) -> frozenset[str]:
    names: set[str] = set()
    for sentence in _sentences(text)[:_LEAD]:
        one = read(sentence)
        names |= {*one.names, *one.stems[:1]}  # the first word is mostly the subject
    return frozenset(names)


def _sentences(text: str) -> list[str]:
    """Its sentences without what they quote."""
    plain = "\n".join(_QUOTED.sub(" ", line) for line in text.splitlines())
    return [sentence for sentence in _ENDS.split(plain) if sentence]


# Aligning

_Pairs = list[tuple[int, int]]


def _align(left: Sequence[Wording], right: Sequence[Wording]) -> _Pairs:
    """Sentences of one wording; a rewrite may split one, so one may be aligned with several."""
    has: dict[tuple[str, str], list[int]] = {}
    for j, other in enumerate(right):
        for pair in other.pairs:
            has.setdefault(pair, []).append(j)
    found: _Pairs = []
    for i, one in enumerate(left):
        shared = Counter(j for pair in one.pairs for j in has.get(pair, ()))
        found += [(i, j) for j, count in shared.items() if count > 1 and _same(one, right[j])]
    return found


def _same(a: Wording, b: Wording) -> bool:
    """Whether two sentences share their wording, not only their subject, and their facts."""
    shared = len(a.bag & b.bag)
    least, most = sorted((len(a.bag), len(b.bag)))
    if shared < 4 or shared < 0.5 * least or shared < 0.3 * most:  # noqa: PLR2004
        return False
    runs = len(a.pairs & b.pairs) >= max(2, 0.2 * min(len(a.pairs), len(b.pairs)))
    return runs and not facts_differ(a, b)


def same_sentence(a: str, b: str) -> bool:
    """Whether two sentences have one wording and the same figures and names."""
    return _same(read(a), read(b))


def facts_differ(a: Wording, b: Wording) -> bool:
    """Whether each has a figure that the other lacks, or each a name in the other's place."""
    if a.figures - b.figures and b.figures - a.figures:
        return True
    return bool(a.names - b.bag and b.names - a.bag) and not a.names & b.names


def _covered(mine: _Report, theirs: _Report, pairs: _Pairs) -> float:
    """The part of a report's words that stand in trigrams shared with aligned sentences."""
    covered = set()
    for i, j in pairs:
        known = set(theirs.sentences[j].threes)
        for n, three in enumerate(mine.sentences[i].threes):
            if three and three in known:
                covered |= {(i, n), (i, n + 1), (i, n + 2)}
    return len(covered) / mine.size


# Finding candidates

_SKETCHED = 4  # one trigram in so many is kept


def sketch(text: str) -> frozenset[int]:
    """Hashes of some of a text's word trigrams, the same ones in every text that has them.

    Those divisible by 4 (the mod sketch of Broder 1997), else the smallest; the same in every
    process. Texts that share none are no rewrites of one another worth comparing.
    """
    words = text[:LONGEST].lower().split()
    threes = zip(words, words[1:], words[2:], strict=False)
    hashes = {zlib.crc32(" ".join(three).encode("utf-8", "replace")) for three in threes}
    kept = frozenset(value for value in hashes if value % _SKETCHED == 0)
    return kept or frozenset(sorted(hashes)[:1])
