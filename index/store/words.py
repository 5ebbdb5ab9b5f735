"""The full-text index of large collections: postings in arrays, in the compact index's file.

SQLite's full text visits each sentence that has any word of a question, at 2 µs each; in a million
sentences, tens of thousands have one. Here the sentences of a term are an array. BM25 is the same
(k1 1.2, b 0.75, as in SQLite's `bm25`).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from index.encoder import Vectors
from index.store.types import Ids, Ranked

_K1, _B = 1.2, 0.75
_LEAST_IDF = 1e-6  # the idf of a term that more than half of the sentences have
_MOST = 255  # the highest count of a term in a sentence: it is stored in 8 bits
_NO_IDS: Ids = np.empty(0, dtype=np.int64)

Arrays = Mapping[str, npt.NDArray[Any]]
Mask = npt.NDArray[np.bool_]


class Postings:
    """The terms of n sentences, numbered as rows 0 to n - 1. It never changes."""

    def __init__(self, arrays: Arrays) -> None:
        """Use the arrays that `arrays_of` makes."""
        self._vocabulary, self._ends = arrays["vocabulary"], arrays["term_ends"]
        self._starts, self._rows, self._times = arrays["starts"], arrays["rows"], arrays["times"]
        self.lengths = np.array(arrays["lengths"])
        self.total = int(self.lengths.sum(dtype=np.int64))

    def holders(self, term: str) -> tuple[Ids, npt.NDArray[np.uint8]]:
        """Return the rows that have a term, ascending, and how often each has it."""
        number = self._place(term)
        if number == len(self._ends) or self._term(number) != term:
            return _NO_IDS, np.empty(0, np.uint8)
        place = slice(int(self._starts[number]), int(self._starts[number + 1]))
        return self._rows[place].astype(np.int64), self._times[place]

    def beginning(self, initial: str) -> Iterator[tuple[str, int]]:
        """Yield the terms that begin with a character, and how many rows have each."""
        for number in range(self._place(initial), self._place(chr(ord(initial) + 1))):
            yield self._term(number), int(self._starts[number + 1] - self._starts[number])

    def _place(self, term: str) -> int:
        return bisect_left(range(len(self._ends)), term, key=self._term)

    def _term(self, number: int) -> str:
        start = int(self._ends[number - 1]) if number else 0
        return bytes(self._vocabulary[start : int(self._ends[number])]).decode()

    def kept(self, rows: Ids) -> tuple[list[str], npt.NDArray[np.uint64], Vectors]:
        """Return the postings of some ascending rows, renumbered from 0, for `arrays_of`."""
        places = np.full(len(self.lengths), -1, np.int64)
        places[rows] = np.arange(len(rows))
        numbers = np.repeat(np.arange(len(self._ends)), np.diff(self._starts))
        moved = places[self._rows]
        stay = moved >= 0
        packed = _packed(numbers[stay], moved[stay], np.asarray(self._times)[stay])
        return [self._term(n) for n in range(len(self._ends))], packed, self.lengths[rows]


def arrays_of(
    sentences: Iterable[Sequence[str]],
    before: tuple[list[str], npt.NDArray[np.uint64], Vectors] | None = None,
) -> Arrays:
    """Return the arrays of `Postings`.

    Args:
        sentences: lists of sentences, each its terms joined by spaces, in the order of their rows.
        before: the result of `Postings.kept` for the rows before these.
    """
    vocabulary, packed, lengths = before or ([], np.empty(0, np.uint64), np.empty(0, np.uint16))
    numbers = {term: number for number, term in enumerate(vocabulary)}
    blocks, sizes, row = [packed], [lengths], len(lengths)
    for block in sentences:
        split = [text.split() for text in block]
        count = np.array([*map(len, split)], np.int64)
        found = [numbers.setdefault(term, len(numbers)) for terms in split for term in terms]
        rows = np.repeat(np.arange(row, row + len(split)), count)
        pairs, times = np.unique(_packed(np.array(found, np.int64), rows, 0), return_counts=True)
        blocks.append(pairs + np.minimum(times, _MOST).astype(np.uint64))
        sizes.append(np.minimum(count, 2**16 - 1).astype(np.uint16))
        row += len(split)
    order = sorted(numbers)
    rank = np.empty(len(order), np.uint64)
    rank[[numbers[term] for term in order]] = np.arange(len(order))
    packed = np.concatenate(blocks)
    del blocks
    rest = np.uint64((1 << 40) - 1)
    packed = rank[packed >> np.uint64(40)] << np.uint64(40) | packed & rest
    packed.sort()
    written = [term.encode() for term in order]
    held = np.bincount((packed >> np.uint64(40)).astype(np.int64), minlength=len(order))
    return {
        "vocabulary": np.frombuffer(b"".join(written), np.uint8),
        "term_ends": np.cumsum([*map(len, written)], dtype=np.int64),
        "starts": np.concatenate([[0], np.cumsum(held)]).astype(np.int64),
        "rows": (packed >> np.uint64(8) & np.uint64(2**32 - 1)).astype(np.uint32),
        "times": (packed & np.uint64(255)).astype(np.uint8),
        "lengths": np.concatenate(sizes).astype(np.uint16),
    }


def _packed(numbers: Any, rows: Any, times: Any) -> npt.NDArray[np.uint64]:
    """Pack a term's number in 24 bits, a row in 32 and a count in 8, to sort by them."""
    high: Any = np.asarray(numbers).astype(np.uint64) << np.uint64(40)
    low = np.asarray(rows).astype(np.uint64) << np.uint64(8)
    packed: npt.NDArray[np.uint64] = high | low | np.asarray(times).astype(np.uint64)
    return packed


class RecentWords:
    """The terms of some thousand sentences that come and go. Call it with a lock held."""

    def __init__(self) -> None:
        self._holders: dict[str, dict[int, int]] = {}
        self._lengths: dict[int, int] = {}
        self._terms: dict[int, str] = {}
        self.total = 0  # number of terms in all sentences

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, sentence_id: int, text: str) -> None:
        """Add a sentence: its terms joined by spaces."""
        words = text.split()
        self._lengths[sentence_id], self._terms[sentence_id] = len(words), text
        self.total += len(words)
        for term, count in Counter(words).items():
            self._holders.setdefault(term, {})[sentence_id] = min(count, _MOST)

    def remove(self, sentence_id: int) -> None:
        """Remove a sentence, if it exists."""
        self.total -= self._lengths.pop(sentence_id, 0)
        for term in set(self._terms.pop(sentence_id, "").split()):
            del self._holders[term][sentence_id]

    def holders(self, term: str) -> tuple[Ids, Ids, Ids]:
        """Return the ids of the sentences with a term, their counts of it, and their lengths."""
        held = self._holders.get(term, {})
        ids = np.fromiter(held, np.int64, len(held))
        lengths = np.fromiter((self._lengths[i] for i in held), np.int64, len(held))
        return ids, np.fromiter(held.values(), np.int64, len(held)), lengths

    def beginning(self, initial: str) -> Iterator[tuple[str, int]]:
        """Yield the terms that begin with a character, and how many sentences have each."""
        held = ((term, len(ids)) for term, ids in self._holders.items() if term[0] == initial)
        return ((term, count) for term, count in held if count)


class FullText:
    """The postings of some terms in a generation.

    Attributes:
        frequencies: in how many live sentences each term occurs, without terms that occur nowhere.
    """

    def __init__(
        self,
        postings: Postings,
        ids: Ids,
        passing: Callable[[Ids | None], Mask],
        gone: Ids,
        *,
        recent: Mapping[str, tuple[Ids, Ids, Ids]],
        others: tuple[int, int],
    ) -> None:
        """Look the terms up.

        Args:
            postings: the postings of n sentences.
            ids: their ids (n,).
            passing: returns which of them (n,) are live and, if ids are given, among those.
            gone: ascending rows of those that are not live.
            recent: by term, the result of `RecentWords.holders` for newer live sentences.
            others: the number of newer sentences, and of their terms.
        """
        self._postings, self._ids = postings, ids
        self._passing, self._gone = passing, gone
        self._recent, self._others = recent, others
        self._held = {term: postings.holders(term) for term in recent}
        counts = {
            term: len(rows) - _shared(rows, gone) + len(recent[term][0])
            for term, (rows, _) in self._held.items()
        }
        self.frequencies = {term: count for term, count in counts.items() if count}

    def best(self, k: int, allowed: Ids | None = None) -> Ranked:
        """Return the k sentences with the highest BM25 for any of the terms.

        With ascending `allowed` ids, only these are searched.
        """
        others, more = self._others
        size = max(1, len(self._ids) - len(self._gone) + others)
        lengths = self._postings.lengths
        total = self._postings.total - int(lengths[self._gone].sum(dtype=np.int64)) + more
        average = max(1, total) / size
        passing = None if allowed is None else self._passing(allowed)
        scores = np.zeros(len(self._ids), np.float32)
        recent: Counter[int] = Counter()
        for term, held in self.frequencies.items():
            rows, counts = self._held[term]
            if passing is not None:
                inside = passing[rows]
                rows, counts = rows[inside], counts[inside]
            ids, times, sizes = self._recent[term]
            idf = np.float32(max(math.log((size - held + 0.5) / (held + 0.5)), _LEAST_IDF))
            scores[rows] += idf * _saturated(counts, lengths[rows], average)
            values = idf * _saturated(times, sizes, average)
            recent.update(dict(zip(ids.tolist(), values.tolist(), strict=True)))
        scores[self._gone] = 0
        rows = np.flatnonzero(scores > 0)
        if len(rows) > k > 0:  # keep all that tie for the last place
            least = np.partition(scores[rows], len(rows) - k)[len(rows) - k]
            rows = rows[scores[rows] >= least]
        ids = np.fromiter(recent, np.int64, len(recent))
        values = np.fromiter(recent.values(), np.float32, len(recent))
        if allowed is not None:
            inside = np.isin(ids, allowed)
            ids, values = ids[inside], values[inside]
        ids, values = np.append(ids, self._ids[rows]), np.append(values, scores[rows])
        order = np.lexsort((ids, -values))[:k]
        return Ranked(ids[order], values[order])


def _shared(left: Ids, right: Ids) -> int:
    """Return how many ascending rows are in both."""
    few, many = sorted((left, right), key=len)
    places = np.searchsorted(many, few)
    inside = places < len(many)
    return int(np.count_nonzero(many[places[inside]] == few[inside]))


def _saturated(times: Any, lengths: Any, average: float) -> Vectors:
    """Return the weight of a term without its idf, from its counts and the sentences' lengths."""
    counts = np.asarray(times, np.float32)
    norms: Any = np.asarray(lengths, np.float32) * np.float32(_K1 * _B / average)
    norms += np.float32(_K1 * (1 - _B))
    return np.asarray(counts * np.float32(_K1 + 1) / (counts + norms))
