"""The vector index finds what brute force finds, through every change, and its file is safe."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.encoder import Vectors
from index.errors import StoreError
from index.store.compact import Compact
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
    """Return the vector (8,) of a sentence."""
    return vectors(1, sentence_id)[0]


def matrix(ids: npt.ArrayLike) -> Vectors:
    """Return vectors of sentences: (n, 8), or (0, 0) for none."""
    listed = np.asarray(ids).tolist()
    return np.stack([vector_of(i) for i in listed]) if listed else np.empty((0, 0), np.float32)


def ids_of(values: Iterable[int]) -> Ids:
    """Ascending ids: (n,)."""
    return np.array(sorted(values), dtype=np.int64)


@dataclass
class Corpus:
    """Generations of live sentences, as a store would show the newest."""

    given: dict[int, Vectors] = field(default_factory=dict)
    live: set[int] = field(default_factory=set)
    changed: list[set[int]] = field(default_factory=list)
    timeline: str = "first"

    @property
    def version(self) -> IndexVersion:
        """The version of the newest generation."""
        return IndexVersion(len(self.changed), f"{self.timeline} {len(self.changed)}", "m")

    def commit(self, drop: Iterable[int], add: Iterable[int] = ()) -> None:
        """Make a generation without some sentences and with others."""
        gone, new = {*drop}, {*add}
        self.live = (self.live - gone) | new
        self.changed.append(gone | new)

    def descends_from(self, version: IndexVersion) -> bool:
        """Return whether it is of the same timeline, and not older."""
        return version.token.startswith(self.timeline) and version.generation <= len(self.changed)

    def changed_since(self, generation: int) -> tuple[Ids, Ids]:
        """Return the sentences changed after a generation, and those that are live."""
        changed: set[int] = set().union(*self.changed[generation:])
        return ids_of(changed), ids_of(changed & self.live)

    def live_ids(self) -> Ids:
        """Return the live sentences."""
        return ids_of(self.live)

    def vectors(self, ids: Ids) -> tuple[Ids, Vectors]:
        """The vectors of ids, ascending."""
        held = np.sort(ids)
        if self.given and len(held):
            return held, np.stack([self.given[i] for i in held.tolist()])
        return held, matrix(held)

    def terms(self, ids: Ids) -> Iterator[list[str]]:
        """Each sentence has its number for a word."""
        yield [f"all w{i}" for i in np.sort(ids).tolist()]

    @contextmanager
    def newest(self) -> Iterator[Corpus]:
        """Open the newest generation, which later ones do not change."""
        yield replace(self, live={*self.live}, changed=[*self.changed])


def build(
    ids: Iterable[int], *, exact_up_to: int = 100_000, cache: Path | None = None
) -> tuple[VectorIndex, Corpus]:
    """Return an index of generation 1, and its corpus."""
    corpus, index = Corpus(), VectorIndex(exact_up_to, cache)
    corpus.commit([], ids)
    index.prepare(corpus.newest)
    return index, corpus


def brute(live: set[int], query: Vectors, k: int) -> list[tuple[int, float]]:
    """Return what a search must find: best first, ties by ascending id."""
    scored = [(i, float(vector_of(i) @ query)) for i in live]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:k]


STORED = Corpus().vectors


def found(index: VectorIndex, query: Vectors, k: int, allowed: Ids | None = None) -> object:
    """Return what a search finds, in the form of `brute`."""
    ranked = index.search(query, k, allowed, stored=STORED)
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
    """Search is exact through any removals, additions and returns, filtered or not."""
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
    """After a recovery nothing of the abandoned generations is found."""
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
    """If more sentences tie than are asked for, the lowest ids are returned."""
    corpus = Corpus(dict.fromkeys(range(1, 2_001), vector_of(1)))
    corpus.commit([], range(1, 2_001))
    index = VectorIndex()
    index.follow(corpus, corpus.newest)
    assert index.search(vector_of(1), 5, stored=corpus.vectors).ids.tolist() == [1, 2, 3, 4, 5]


def test_empty_searches_find_nothing() -> None:
    """An empty index, k = 0 and a filter that allows nothing give empty results."""
    query = vector_of(1)
    assert found(VectorIndex(), query, 5) == found(build([])[0], query, 5) == []
    index, corpus = build([1, 2])
    assert found(index, query, 0) == found(index, query, 5, ids_of([])) == []
    corpus.commit([1, 2])
    index.follow(corpus, corpus.newest)
    assert found(index, query, 5) == []


def test_a_vector_of_another_model_is_refused() -> None:
    """A vector of other dimensions is an error, and not truncated."""
    with pytest.raises(StoreError, match="rebuild"):
        build([1, 2])[0].search(np.ones(9, dtype=np.float32), 3, stored=STORED)


# The file


def kept(path: Path, corpus: Corpus) -> VectorIndex:
    """Return an index that can only use the file: its source has no live sentence."""
    index = VectorIndex(10, path)
    empty = Corpus(changed=[*corpus.changed], timeline=corpus.timeline)
    index.follow(empty, empty.newest)
    return index


def test_an_index_read_from_its_file_is_the_same(tmp_path: Path) -> None:
    """Read from its file, it gives the same results and follows later generations."""
    path = tmp_path / "vectors.compact"
    first, corpus = build(range(1, 40), exact_up_to=10, cache=path)
    again = kept(path, corpus)
    assert again.version == first.version == corpus.version
    query = vector_of(1)
    assert len(again) == 39
    assert found(again, query, 600) == found(first, query, 600)
    corpus.commit(range(1, 39), [900])
    again.follow(corpus, corpus.newest)
    assert {i for i, _ in found(again, query, 600)} == {39, 900}


def test_damage_in_any_byte_is_found(tmp_path: Path) -> None:
    """A file with a bit flipped anywhere, or cut short anywhere, is not used."""
    path = tmp_path / "vectors.compact"
    first, corpus = build(range(1, 40), exact_up_to=10, cache=path)
    whole = path.read_bytes()
    assert len(kept(path, corpus)) == len(first)
    rng = np.random.default_rng(0)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        assert not len(kept(path, corpus)), place
    for length in [0, 1, 18, 55, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert not len(kept(path, corpus)), length


def test_damage_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A missing file is not logged; a damaged file is logged once."""
    path = tmp_path / "vectors.compact"
    _, corpus = build(range(1, 40), exact_up_to=10, cache=path)
    assert not caplog.records
    path.write_bytes(path.read_bytes()[:-1])
    again, _ = build(range(1, 40), exact_up_to=10, cache=path)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert str(path) in record.getMessage()
    assert kept(path, corpus).version == again.version
    assert len(caplog.records) == 1


def test_a_file_of_something_else_is_not_used(tmp_path: Path) -> None:
    """No file, a folder, and a file of FAISS itself are not used as caches."""
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(vectors(3, 0))
    faiss.write_index(index, str(tmp_path / "x.faiss"))
    for path in (tmp_path / "nowhere", tmp_path, tmp_path / "x.faiss"):
        assert Compact.kept(path) is None


def test_a_save_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced whole or not at all, and no draft is left."""
    path = tmp_path / "vectors.compact"
    index, corpus = build(range(1, 40), exact_up_to=10, cache=path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    corpus.commit([1], range(50, 99))
    index.prepare(corpus.newest)
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]
    assert {i for i, _ in found(index, vector_of(1), 600)} == corpus.live


def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    """A large collection in a read-only folder is searched without a file."""
    index, corpus = build(range(1, 40), exact_up_to=10, cache=tmp_path / "nowhere" / "file")
    assert {i for i, _ in found(index, vector_of(1), 600)} == corpus.live


# Compact


def clustered(count: int, dimension: int = 32) -> Vectors:
    """Return unit vectors (count, dimension) in a few hundred directions, like texts."""
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(200, dimension))
    made = centres[rng.integers(200, size=count)] + 0.4 * rng.normal(size=(count, dimension))
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


def recall(
    index: VectorIndex, corpus: Corpus, queries: Vectors, allowed: Ids | None = None
) -> float:
    """Return the share of the true ten best live sentences found, over queries (q, d)."""
    ids, held = corpus.vectors(ids_of(corpus.live) if allowed is None else allowed)
    right = 0
    for query in queries:
        best = set(ids[np.argsort(-(held @ query))[:10]].tolist())
        ranked = index.search(query, 10, allowed, stored=corpus.vectors)
        right += len(best & set(ranked.ids.tolist()))
        assert np.allclose(
            ranked.scores,
            np.stack([corpus.given[i] for i in ranked.ids.tolist()]) @ query,
            atol=1e-6,
        )
    return right / (10 * len(queries))


def test_compact_finds_nearly_all(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compact index finds 98 of the 100 nearest, filtered or not, and after changes."""
    monkeypatch.setattr("index.store.compact._SCANNED", 200)
    corpus = Corpus(dict(enumerate(clustered(8_000))))
    corpus.commit([], range(6_000))
    index = VectorIndex(1_000)
    index.follow(corpus, corpus.newest)
    assert index._compact
    queries = clustered(40)
    rng = np.random.default_rng(1)
    for _ in range(2):
        assert recall(index, corpus, queries) > 0.98
        for count in (60, 3_000):
            allowed = rng.choice(ids_of(corpus.live), count, replace=False)
            assert recall(index, corpus, queries, np.sort(allowed)) > 0.98
        corpus.commit(range(0, 6_000, 7), range(6_000, 6_900))
        index.follow(corpus, corpus.newest)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_a_filter_without_near_sentences_is_searched() -> None:
    """If no near sentence passes the filter, all that pass are scored."""
    held = clustered(4_000)
    corpus = Corpus(dict(enumerate(held[np.argsort(-(held @ held[0]))])))
    corpus.commit([], range(4_000))
    index = VectorIndex(1_000)
    index.follow(corpus, corpus.newest)
    assert recall(index, corpus, held[:1], ids_of(range(3_000, 4_000))) > 0.98


def test_the_kind_follows_the_size() -> None:
    """Growing and shrinking change the kind of index, and growth retrains the codebook."""
    index, corpus = build(range(1, 10), exact_up_to=20)

    def trained() -> int:
        return index._compact.trained_for if index._compact else 0

    seen = [trained()]
    for drop, add in (([], range(10, 41)), ([], range(41, 72)), (range(1, 65), [])):
        corpus.commit(drop, add)
        index.prepare(corpus.newest)
        seen.append(trained())
        assert {i for i, _ in found(index, vector_of(1), 99)} == corpus.live
    assert seen == [0, 40, 40, 0]


def test_it_is_built_again_while_searches_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds many changes starts a new build, without waiting for it."""
    index, corpus = build(range(1, 40), exact_up_to=20)
    going, go_on = threading.Event(), threading.Event()
    extended = Compact.extended

    def slow(*arguments: Any) -> Compact:
        going.set()
        go_on.wait(10)
        return extended(*arguments)

    monkeypatch.setattr(Compact, "extended", slow)
    corpus.commit(range(1, 9), range(50, 72))
    index.follow(corpus, corpus.newest)
    assert going.wait(10)
    corpus.commit([9], [72])
    index.follow(corpus, corpus.newest)
    query = vector_of(1)
    assert found(index, query, 99) == brute(corpus.live, query, 99)
    go_on.set()
    index.finish()
    assert index._compact
    assert len(index._compact) == 53
    assert found(index, query, 99) == brute(corpus.live, query, 99)
