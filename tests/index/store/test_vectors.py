"""The vector index finds what brute force finds, through every change, and its file is safe."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
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


def build(ids: Iterable[int], *, exact_up_to: int = 100_000) -> VectorIndex:
    """An index of generation 1."""
    held = ids_of(ids)
    return VectorIndex.build(held, matrix(held), stamp(1), exact_up_to)


def advanced(
    index: VectorIndex, generation: int, drop: Iterable[int], add: Iterable[int] = ()
) -> VectorIndex:
    """Without some sentences, and with others, there or not."""
    new = ids_of(add)
    return index.advanced(stamp(generation), ids_of({*drop, *add}), new, matrix(new))


def stamp(generation: int) -> IndexVersion:
    """A state of the embeddings."""
    return IndexVersion(generation, f"token {generation}", "m")


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
    index, live = build(first), set(first)
    for generation, (drop, add) in enumerate(changes, 2):
        index = advanced(index, generation, drop, add)
        live = (live - drop) | add
        assert index.stamp == stamp(generation)
    query = vectors(1, 1_000 + seed)[0]
    k = data.draw(st.integers(1, 70))
    assert len(index) == len(live)
    assert found(index, query, k) == brute(live, query, k)
    assert found(index, query, k, ids_of(allowed)) == brute(live & allowed, query, k)


def test_advancing_leaves_the_old_one_alone() -> None:
    """A search that runs on an older generation is not disturbed by a newer one."""
    old = build(range(1, 20))
    new = advanced(old, 2, [3, 4], [50])
    newer = advanced(new, 3, [50], [3])
    query = vector_of(3)
    assert found(old, query, 99) == brute(set(range(1, 20)), query, 99)
    assert found(new, query, 99) == brute({*range(1, 20), 50} - {3, 4}, query, 99)
    assert found(newer, query, 99) == brute(set(range(1, 20)) - {4}, query, 99)
    assert newer.base is old.base


def test_many_equal_vectors_come_by_ascending_id() -> None:
    """Where more sentences tie than are asked for, those of the lowest ids are given."""
    ids = np.arange(1, 2_001, dtype=np.int64)
    same = np.tile(vector_of(1), (2_000, 1))
    index = VectorIndex.build(ids, same, stamp(1))
    assert index.search(vector_of(1), 5).ids.tolist() == [1, 2, 3, 4, 5]


def test_nothing_in_it_is_found_as_nothing() -> None:
    """An empty index, k of none and a filter that allows none give empty results."""
    query = vector_of(1)
    assert found(build([]), query, 5) == []
    assert found(build([1, 2]), query, 0) == []
    assert found(build([1, 2]), query, 5, ids_of([])) == []
    assert found(advanced(build([1, 2]), 2, [1, 2]), query, 5) == []
    assert found(advanced(build([]), 2, []), query, 5) == []


def test_a_vector_of_another_model_is_refused() -> None:
    """Dimensions that do not fit are told, not truncated."""
    with pytest.raises(StoreError, match="rebuild"):
        build([1, 2]).search(np.ones(9, dtype=np.float32), 3)


@pytest.mark.parametrize("ids", [[2, 1], [1, 1], [1, 2, 3]])
def test_ids_must_ascend_and_fit(ids: list[int]) -> None:
    """Two vectors take two distinct ascending ids."""
    with pytest.raises(StoreError):
        VectorIndex.build(np.array(ids, dtype=np.int64), vectors(2, 0), stamp(1))


# The file


@given(st.sets(st.integers(1, 500)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_saved_and_loaded_it_is_the_same(tmp_path: Path, ids: set[int]) -> None:
    """A loaded index has the same tags and gives the same results, and can go on."""
    path = tmp_path / "vectors.faiss"
    index = build(ids)
    index.save(path)
    loaded = VectorIndex.load(path)
    assert loaded is not None
    assert loaded.stamp == stamp(1)
    query = vector_of(1)
    assert found(loaded, query, 600) == found(index, query, 600)
    later = advanced(loaded, 2, ids, [900])
    assert found(later, query, 600) == brute({900}, query, 600)


@pytest.mark.parametrize("exact_up_to", [1_000, 10], ids=["exact", "compact"])
def test_damage_in_any_byte_is_found(tmp_path: Path, exact_up_to: int) -> None:
    """With one bit flipped anywhere, or cut short anywhere, the file is not used."""
    path = tmp_path / "vectors.faiss"
    build(range(1, 40), exact_up_to=exact_up_to).save(path)
    whole = path.read_bytes()
    assert VectorIndex.load(path) is not None
    rng = np.random.default_rng(0)
    header = range(300)
    for place in [*header, *rng.integers(300, len(whole), 300).tolist()]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        assert VectorIndex.load(path) is None, place
    for length in [0, 1, 18, 19, 50, 51, 55, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert VectorIndex.load(path) is None, length
    path.write_bytes(whole + b"\0")
    assert VectorIndex.load(path) is None


def test_a_file_of_something_else_is_not_used(tmp_path: Path) -> None:
    """No file, a folder, and a file of FAISS itself are no caches."""
    assert VectorIndex.load(tmp_path / "nowhere") is None
    assert VectorIndex.load(tmp_path) is None
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(vectors(3, 0))
    faiss.write_index(index, str(tmp_path / "x.faiss"))
    assert VectorIndex.load(tmp_path / "x.faiss") is None


def test_a_save_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced whole or not at all, and no half of it stays behind."""
    path = tmp_path / "vectors.faiss"
    build([1, 2]).save(path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        build([1, 2, 3]).save(path)
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


def test_only_a_merged_index_is_saved(tmp_path: Path) -> None:
    """A delta would be lost in the file, so it is refused."""
    index = advanced(build([1, 2]), 2, [], [3])
    with pytest.raises(StoreError, match="merged"):
        index.save(tmp_path / "vectors.faiss")


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
    index = VectorIndex.build(np.arange(6_000, dtype=np.int64), held, stamp(1), 1_000)
    assert isinstance(index.base, faiss.IndexIVF)
    queries = clustered(60)
    live = np.ones(6_000, dtype=bool)
    assert recall(index, held, queries, live) > 0.9
    few = np.zeros(6_000, dtype=bool)
    few[np.random.default_rng(1).choice(6_000, 60, replace=False)] = True
    assert recall(index, held, queries, few) > 0.9
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


@pytest.mark.parametrize("count", [1, 2, 5, 17])
def test_compact_of_very_few_works(count: int) -> None:
    """However low the limit is set, a handful of sentences can be indexed."""
    index = build(range(1, count + 1), exact_up_to=0)
    assert index.search(vector_of(1), 99).ids.tolist()[0] == 1
    assert len(index.search(vector_of(1), 99).ids) == count
