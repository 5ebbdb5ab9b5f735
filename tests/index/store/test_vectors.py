"""The vector index finds what brute force finds, through every change, and its file is safe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.encoder import Vectors
from index.errors import StoreError
from index.store.types import Ids, IndexVersion
from index.store.vectors import VectorIndex

DIMENSION = 8


def vectors(count: int, seed: int) -> Vectors:
    """Unit vectors whose products are exact in float32, so that ties are ties: (count, 8)."""
    rng = np.random.default_rng(seed)
    made = np.zeros((count, DIMENSION), dtype=np.float32)
    for row in made:
        row[rng.choice(DIMENSION, 4, replace=False)] = rng.choice([-0.5, 0.5], 4)
    return made


def vector_of(sentence_id: int) -> Vectors:
    """The one vector that a sentence has: (8,)."""
    return vectors(1, sentence_id)[0]


def matrix(ids: npt.ArrayLike) -> Vectors:
    """Vectors of sentences: (n, 8), or (0, 0) where a store has none to give."""
    listed = np.asarray(ids).tolist()
    return np.stack([vector_of(i) for i in listed]) if listed else np.empty((0, 0), np.float32)


def ids_of(values: Iterable[int]) -> Ids:
    """Ascending ids: (n,)."""
    return np.array(sorted(values), dtype=np.int64)


@dataclass
class Corpus:
    """Generations of live sentences, as a store would show the newest one."""

    vectors: dict[int, Vectors] = field(default_factory=dict)
    live: set[int] = field(default_factory=set)
    changed: list[set[int]] = field(default_factory=list)
    timeline: str = "first"

    @property
    def version(self) -> IndexVersion:
        """The newest generation's."""
        return IndexVersion(len(self.changed), f"{self.timeline} {len(self.changed)}", "m")

    def commit(self, drop: Iterable[int], add: Iterable[int] = ()) -> None:
        """Make a generation without some sentences and with others, there or not."""
        gone, new = {*drop}, {*add}
        self.live = (self.live - gone) | new
        self.changed.append(gone | new)

    def descends_from(self, version: IndexVersion) -> bool:
        """Whether it is of the same timeline, and not older."""
        return version.token.startswith(self.timeline) and version.generation <= len(self.changed)

    def changed_since(self, generation: int) -> tuple[Ids, Ids, Vectors]:
        """What changed after a generation."""
        changed: set[int] = set().union(*self.changed[generation:])
        return ids_of(changed), *self._of(changed & self.live)

    def _of(self, ids: set[int]) -> tuple[Ids, Vectors]:
        held = ids_of(ids)
        if self.vectors:
            return held, np.stack([self.vectors[i] for i in held.tolist()])
        return held, matrix(held)

    @contextmanager
    def newest(self) -> Iterator[Corpus]:
        """Open the newest generation."""
        yield self


def build(
    ids: Iterable[int], *, exact_up_to: int = 100_000, cache: Path | None = None
) -> tuple[VectorIndex, Corpus]:
    """An index of generation 1, and what it follows."""
    corpus, index = Corpus(), VectorIndex(exact_up_to, cache)
    corpus.commit([], ids)
    index.prepare(corpus.newest)
    return index, corpus


def brute(live: set[int], query: Vectors, k: int) -> list[tuple[int, float]]:
    """What a search must give: best first, ties by ascending id."""
    scored = [(i, float(vector_of(i) @ query)) for i in live]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:k]


def found(index: VectorIndex, query: Vectors, k: int, allowed: Ids | None = None) -> object:
    """What a search gives, in the form of `brute`."""
    ranked = index.search(query, k, allowed)
    assert ranked.ids.dtype == np.int64
    assert ranked.scores.dtype == np.float32
    return list(zip(ranked.ids.tolist(), ranked.scores.tolist(), strict=True))


SOME = st.sets(st.integers(1, 60))


@given(SOME, st.lists(st.tuples(SOME, SOME), max_size=5), st.integers(0, 99), SOME, st.data())
def test_search_equals_brute_force(
    first: set[int],
    changes: list[tuple[set[int], set[int]]],
    seed: int,
    allowed: set[int],
    data: st.DataObject,
) -> None:
    """Through any sequence of removals, additions and returns, with and without a filter."""
    index, corpus = build(first)
    query = vectors(1, 1_000 + seed)[0]
    k = data.draw(st.integers(1, 70))
    for drop, add in changes:
        corpus.commit(drop, add)
        if data.draw(st.booleans()):  # else it follows several generations at once
            index.follow(corpus, corpus.newest)
    index.follow(corpus, corpus.newest)
    assert index.version == corpus.version
    assert len(index) == len(corpus.live)
    assert found(index, query, k) == brute(corpus.live, query, k)
    assert found(index, query, k, ids_of(allowed)) == brute(corpus.live & allowed, query, k)


def test_another_timeline_is_indexed_anew() -> None:
    """After a recovery nothing of the abandoned generations is left, whatever their numbers."""
    index, corpus = build(range(1, 20))
    corpus.commit([3], [50])
    index.follow(corpus, corpus.newest)
    query = vector_of(3)
    for generations in (1, 2, 3):
        other = Corpus(timeline=f"other {generations}")
        for _ in range(generations):
            other.commit([], [2, 3])
        index.follow(other, other.newest)
        assert found(index, query, 99) == brute({2, 3}, query, 99)


def test_many_equal_vectors_come_by_ascending_id() -> None:
    """Where more sentences tie than are asked for, those of the lowest ids are given."""
    corpus = Corpus(dict.fromkeys(range(1, 2_001), vector_of(1)))
    corpus.commit([], range(1, 2_001))
    index = VectorIndex()
    index.follow(corpus, corpus.newest)
    assert index.search(vector_of(1), 5).ids.tolist() == [1, 2, 3, 4, 5]


def test_nothing_in_it_is_found_as_nothing() -> None:
    """An empty index, k of none and a filter that allows none give empty results."""
    query = vector_of(1)
    assert found(VectorIndex(), query, 5) == found(build([])[0], query, 5) == []
    index, corpus = build([1, 2])
    assert found(index, query, 0) == found(index, query, 5, ids_of([])) == []
    corpus.commit([1, 2])
    index.follow(corpus, corpus.newest)
    assert found(index, query, 5) == []


def test_a_vector_of_another_model_is_refused() -> None:
    """Dimensions that do not fit are an error, not truncated."""
    with pytest.raises(StoreError, match="rebuild"):
        build([1, 2])[0].search(np.ones(9, dtype=np.float32), 3)


# The file


def loaded(path: Path, corpus: Corpus) -> bool:
    """Whether a new index takes the file over, as one of generation 1."""
    index = VectorIndex(10, path)
    index._load(path)
    assert index.version in {None, corpus.version}
    return index.version is not None


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    """A loaded index has the same tags, gives the same results, and follows later generations."""
    path = tmp_path / "vectors.faiss"
    first, corpus = build(range(1, 40), exact_up_to=10, cache=path)
    again = VectorIndex(10, path)
    again._load(path)
    assert again.version == first.version == corpus.version
    query = vector_of(1)
    assert found(again, query, 600) == found(first, query, 600)
    corpus.commit(range(1, 39), [900])
    again.follow(corpus, corpus.newest)
    assert set(again.search(query, 600).ids.tolist()) == {39, 900}


def test_damage_in_any_byte_is_found(tmp_path: Path) -> None:
    """With one bit flipped, or cut short, anywhere, the file is not used, or holds the same."""
    path = tmp_path / "vectors.faiss"
    first, corpus = build(range(1, 40), exact_up_to=10, cache=path)
    whole = path.read_bytes()
    assert loaded(path, corpus)
    query = vector_of(1)
    rng = np.random.default_rng(0)
    for place in [*range(250), *rng.integers(250, len(whole), 200).tolist()]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        index = VectorIndex(10, path)
        index._load(path)
        if index.version:
            assert index.version == corpus.version
            assert found(index, query, 99) == found(first, query, 99)
    for length in [0, 1, 18, 55, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert not loaded(path, corpus), length


def test_a_file_of_something_else_is_not_used(tmp_path: Path) -> None:
    """No file, a folder, and a file of FAISS itself are no caches."""
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(vectors(3, 0))
    faiss.write_index(index, str(tmp_path / "x.faiss"))
    for path in (tmp_path / "nowhere", tmp_path, tmp_path / "x.faiss"):
        assert not loaded(path, Corpus())


def test_a_save_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced whole or not at all, and no half of it stays behind."""
    path = tmp_path / "vectors.faiss"
    index, corpus = build(range(1, 40), exact_up_to=10, cache=path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    corpus.commit([1])
    index.prepare(corpus.newest)
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


# Compact


def clustered(count: int, dimension: int = 32) -> Vectors:
    """Unit vectors in a few hundred directions, as texts are: (count, dimension)."""
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(200, dimension))
    made = centres[rng.integers(200, size=count)] + 0.4 * rng.normal(size=(count, dimension))
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


def recall(
    index: VectorIndex, held: Vectors, queries: Vectors, live: npt.NDArray[np.bool_]
) -> float:
    """Share of the true ten best live rows that are found, over queries (q, d)."""
    allowed = None if live.all() else np.flatnonzero(live).astype(np.int64)
    right = 0
    for query in queries:
        scores = np.where(live, held @ query, -9)
        best = set(np.argsort(-scores)[:10].tolist())
        right += len(best & set(index.search(query, 10, allowed).ids.tolist()))
    return right / (10 * len(queries))


def test_compact_finds_nearly_all(capfd: pytest.CaptureFixture[str]) -> None:
    """Above its limit the index is an inverted file of 8-bit codes; it finds over nine tenths."""
    held = clustered(6_000)
    corpus = Corpus(dict(enumerate(held)))
    corpus.commit([], range(6_000))
    index = VectorIndex(1_000)
    index.follow(corpus, corpus.newest)
    assert isinstance(index._index, faiss.IndexIVF)
    queries = clustered(60)
    live = np.ones(6_000, dtype=bool)
    assert recall(index, held, queries, live) > 0.9
    few = np.zeros(6_000, dtype=bool)
    few[np.random.default_rng(1).choice(6_000, 60, replace=False)] = True
    assert recall(index, held, queries, few) > 0.9
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_the_kind_follows_the_size() -> None:
    """Growing and shrinking change the kind, and growth the training, when there is time."""
    index, corpus = build(range(1, 10), exact_up_to=20)
    trained = [index._trained_for]
    for drop, add in (([], range(10, 31)), ([], range(31, 71)), (range(1, 65), [])):
        corpus.commit(drop, add)
        index.follow(corpus, corpus.newest)
        assert index._trained_for == trained[-1]
        index.prepare(corpus.newest)
        trained.append(index._trained_for)
        assert set(index.search(vector_of(1), 99).ids.tolist()) == corpus.live
    assert trained == [0, 30, 70, 0]
