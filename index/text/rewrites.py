"""Tell copies and rewrites of a text from texts that were written independently.

Two outlets that print the same agency's text are one witness, not two. Independent reports of an
event share names and figures but not wording; a rewrite keeps most of the wording sentence by
sentence, reordered, shortened or respelled. So sentences are aligned by their wording, without
quotations (both may quote the same speech), and containment of word trigrams is measured: the share
of the shorter text that both have (after Broder 1997, "On the resemblance and containment of
documents"). Sentences with different figures or names are never aligned.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from index.text.quantities import NUMBERS
from index.text.terms import STOP_TERMS, terms

LONGEST = 20_000  # code points of a text that are compared
_LEAST_WORDS = 5  # a shorter sentence ("She won the prize.") has no wording of its own
_REWRITE = 0.22  # share of the shorter text's words: independent reports mostly share less
_SHINGLES = 0.1  # share of verbatim word trigrams: no rewrite that was measured had under 0.13
_LEAST_SHARED = 13  # words: texts of a few lines share as many by chance
_WHOLLY = 0.9  # share that a text of a single sentence needs to be a rewrite

Trigram = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Wording:
    """A sentence in the form in which it is compared with others.

    Attributes:
        stems: its words in order, as terms, without stop words; numbers in digits.
        bag: the stems as a set.
        figures: its numbers.
        names: stems of its capitalised words except the first.
        pairs: its bigrams of stems.
        trigrams: its trigrams of stems; None in place of those that are mostly names and figures,
            which are no evidence of copying.
    """

    stems: tuple[str, ...]
    bag: frozenset[str]
    figures: frozenset[str]
    names: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    trigrams: tuple[Trigram | None, ...]


@dataclass(frozen=True, slots=True)
class _Text:
    """The sentences of a text that have enough words, their trigrams and number of words."""

    sentences: tuple[Wording, ...]
    trigrams: frozenset[Trigram]
    size: int


def is_rewrite(a: str, b: str) -> bool:
    """Return whether one of two texts copies or rewrites the other, or both rewrite a third."""
    return shared_wording(a, b) >= _REWRITE


def shared_wording(a: str, b: str) -> float:
    """Return the share of the shorter text's words in trigrams that aligned sentences share.

    Trigrams of names and figures do not count. 0 if there is too little in common to tell.
    """
    if a == b:
        return 1.0
    a, b = a[:LONGEST], b[:LONGEST]
    shingles_a, shingles_b = _shingles(a), _shingles(b)
    if len(shingles_a & shingles_b) < _SHINGLES * min(len(shingles_a), len(shingles_b)):
        return 0.0
    left, right = _read_text(a), _read_text(b)
    least = min(left.size, right.size)
    if 3 * len(left.trigrams & right.trigrams) < max(1, _REWRITE * least):
        return 0.0  # no alignment could share as much
    aligned = _align(left.sentences, right.sentences)
    share = max(_covered(left, right, aligned), _covered(right, left, [(j, i) for i, j in aligned]))
    sides = len({i for i, _ in aligned}), len({j for _, j in aligned})
    several = min(sides) > 1 and share * least >= _LEAST_SHARED
    return share if several or share >= _WHOLLY else 0.0


def same_sentence(a: str, b: str) -> bool:
    """Return whether two sentences have the same wording, figures and names."""
    return _same(read(a), read(b))


def facts_differ(a: Wording, b: Wording) -> bool:
    """Return whether each has a figure that the other lacks; or a name, and they share no name."""
    if a.figures - b.figures and b.figures - a.figures:
        return True
    return bool(a.names - b.bag and b.names - a.bag) and not a.names & b.names


# Reading

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_QUOTED = re.compile(r"“[^”“]*[”“]?|\"[^\"]*\"?")
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
_TIME = re.compile(r"\b(\d{1,2})[.:](\d\d) ?(?=[ap]\.?m\b)")
_ENDS = re.compile(r"(?<=[.!?])[\"”’)]*\s+(?=[\"“‘(]?[A-Z0-9])|\n+")
_NUMBER = {word: str(number) for word, number in NUMBERS.items() if number > 1}
_SAYING = STOP_TERMS | set(terms("said say says said will would also may might could"))


@lru_cache(maxsize=1024)
def read(sentence: str) -> Wording:
    """Return the wording of a sentence."""
    sentence = _TIME.sub(r"\1:\2 ", sentence)  # "4.40am" is "4:40 a.m."
    words = _WORD.findall(sentence)
    stemmed = [_stem(word) for word in words]
    stems = tuple(stem for stem in stemmed if stem)
    names = frozenset(
        stem
        for word, stem in zip(words[1:], stemmed[1:], strict=True)
        if stem and word[0].isupper() and len(word) > 2  # noqa: PLR2004 - "Al", "In"
    )
    figures = {figure.replace(",", "") for figure in _FIGURE.findall(sentence)}
    figures |= {_NUMBER[word.lower()] for word in words if word.lower() in _NUMBER}
    fixed = [stem in names or stem[0].isdigit() for stem in stems]
    trigrams = tuple(
        (stems[n], stems[n + 1], stems[n + 2]) if sum(fixed[n : n + 3]) < 2 else None  # noqa: PLR2004
        for n in range(len(stems) - 2)
    )
    return Wording(
        stems, frozenset(stems), frozenset(figures), names, frozenset(pairwise(stems)), trigrams
    )


def _stem(word: str) -> str:
    """Return the term of a word, a number in digits; "" for a stop word."""
    stem = _NUMBER.get(word.lower()) or "".join(terms(word))
    return "" if stem in _SAYING else stem


def _read_text(text: str) -> _Text:
    """Return the sentences of a text that have enough words, without quotations."""
    plain = "\n".join(_QUOTED.sub(" ", line) for line in text.splitlines())
    readings = [read(sentence) for sentence in _ENDS.split(plain) if sentence]
    sentences = tuple(wording for wording in readings if len(wording.bag) >= _LEAST_WORDS)
    return _Text(
        sentences,
        frozenset(trigram for wording in sentences for trigram in wording.trigrams if trigram),
        sum(len(wording.stems) for wording in sentences),
    )


@lru_cache(maxsize=128)  # the same text is compared with many
def _shingles(text: str) -> frozenset[int]:
    """Return hashes of the verbatim word trigrams, a cheap test that rules out most pairs."""
    words = text.lower().split()
    return frozenset(map(hash, zip(words, words[1:], words[2:], strict=False)))


# Aligning

_Pairs = list[tuple[int, int]]


def _align(left: Sequence[Wording], right: Sequence[Wording]) -> _Pairs:
    """Return pairs (i, j) of sentences with the same wording; a rewrite may split a sentence."""
    holders: dict[tuple[str, str], list[int]] = {}
    for j, wording in enumerate(right):
        for pair in wording.pairs:
            holders.setdefault(pair, []).append(j)
    aligned: _Pairs = []
    for i, wording in enumerate(left):
        shared = Counter(j for pair in wording.pairs for j in holders.get(pair, ()))
        aligned += [(i, j) for j, count in shared.items() if count > 1 and _same(wording, right[j])]
    return aligned


def _same(a: Wording, b: Wording) -> bool:
    """Return whether two sentences share most wording (not only a subject), and no facts differ."""
    shared = len(a.bag & b.bag)
    least, most = sorted((len(a.bag), len(b.bag)))
    if shared < 4 or shared < 0.5 * least or shared < 0.3 * most:  # noqa: PLR2004
        return False
    runs = len(a.pairs & b.pairs) >= max(2, 0.2 * min(len(a.pairs), len(b.pairs)))
    return runs and not facts_differ(a, b)


def _covered(text: _Text, other: _Text, pairs: _Pairs) -> float:
    """Return the share of a text's words in trigrams that sentences aligned with its own have."""
    covered = set()
    for i, j in pairs:
        known = set(other.sentences[j].trigrams)
        for n, trigram in enumerate(text.sentences[i].trigrams):
            if trigram and trigram in known:
                covered |= {(i, n), (i, n + 1), (i, n + 2)}
    return len(covered) / text.size


# Finding candidates

_SKETCHED = 4  # every fourth trigram is kept, by its hash


def sketch(text: str) -> frozenset[int]:
    """Return a sample of the hashes of a text's word trigrams, consistent across texts.

    It has the hashes divisible by 4 (the mod sketch of Broder 1997), else the smallest hash; every
    process computes the same. Texts whose samples do not overlap are not worth comparing.
    """
    words = text[:LONGEST].lower().split()
    threes = zip(words, words[1:], words[2:], strict=False)
    hashes = {zlib.crc32(" ".join(three).encode("utf-8", "replace")) for three in threes}
    kept = frozenset(value for value in hashes if value % _SKETCHED == 0)
    return kept or frozenset(sorted(hashes)[:1])
