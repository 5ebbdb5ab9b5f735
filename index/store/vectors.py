"""Keep a FAISS index of a collection's newest generation; the only module that knows FAISS.

The index is exact up to `EXACT_UP_TO` sentences, and above that an inverted file of 8-bit codes
(IVF, SQ8: Jégou, Douze, Schmid 2011), which a file keeps since it takes long to train.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np

from index.encoder import Vectors
from index.errors import StoreError
from index.store.embedded import SqliteSnapshot
from index.store.types import Ids, IndexVersion, Ranked

faiss: Any = _faiss  # its stubs accept less than its Python wrappers

EXACT_UP_TO = 200_000
_TRAINING_ROWS = 65_536
_SEARCHED_SHARE = 16  # one list in 16 is searched in a compact index
_GROWTH = 2  # a compact index is trained again at twice the sentences it was trained for
_DRAFT = ".vectors-"  # begins the name of a file under way
_NOTHING = Ranked(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))

Newest = Callable[[], AbstractContextManager[SqliteSnapshot]]


class VectorIndex:
    """The live sentences of the newest generation it followed. Safe to use from several threads.

    Attributes:
        version: the generation that it has; None before the first.
    """

    def __init__(self, exact_up_to: int = EXACT_UP_TO, cache: Path | None = None) -> None:
        """Start without vectors.

        Args:
            exact_up_to: sentences above which it is compact and approximate.
            cache: file that keeps a compact index.
        """
        self.version: IndexVersion | None = None
        self._exact_up_to = exact_up_to
        self._cache = cache
        self._lock = threading.Lock()
        self._ids: Ids = _NOTHING.ids
        self._index: Any = None  # maps ids to vectors; None while there are none
        self._trained_for = 0  # sentences; 0 of an exact index
        self._saved: IndexVersion | None = None

    def __len__(self) -> int:
        return len(self._ids)

    def search(
        self, vector: Vectors, k: int, allowed: Ids | None = None, *, model: str | None = None
    ) -> Ranked:
        """Return the k highest inner products with `vector` (d,), among `allowed` ids if given.

        Nothing is returned for a `model` whose vectors the index no longer has: those of two
        encoders cannot be compared.
        """
        faiss.omp_set_num_threads(1)  # of this thread: more would only wait for each other
        with self._lock:
            count = len(self._ids)
            if allowed is not None:
                allowed = np.intersect1d(self._ids, allowed, assume_unique=True)
                count = len(allowed)
            foreign = model is not None and self.version and self.version.model != model
            if k < 1 or not count or foreign:
                return _NOTHING
            if vector.shape != (self._index.d,):
                raise StoreError(
                    f"The question has {vector.shape[-1]} dimensions and the index "
                    f"{self._index.d}: the operator has to run `onrecord reindex --rebuild`."
                )
            depth = min(k + 1, count)
            ids, scores = self._nearest(vector, depth, count, allowed)
            while depth < count and scores[k - 1] == scores[-1]:
                # FAISS returns any of those that tie for the last place: get all, to
                # choose the lowest ids
                depth = min(4 * depth, count)
                ids, scores = self._nearest(vector, depth, count, allowed)
        ids, scores = ids[ids >= 0], scores[ids >= 0]  # FAISS pads with -1 if there are fewer
        order = np.lexsort((ids, -scores))[:k]
        return Ranked(ids[order], scores[order])

    def _nearest(
        self, vector: Vectors, depth: int, count: int, allowed: Ids | None
    ) -> tuple[Ids, Vectors]:
        """Ids (depth,) and scores (depth,) as FAISS gives them, among `count` sentences."""
        chosen = {} if allowed is None else {"sel": faiss.IDSelectorBatch(allowed)}
        parameters = faiss.SearchParameters(**chosen)
        if self._trained_for:
            few = count < depth * _SEARCHED_SHARE**2  # they may lie in any list
            lists = self._index.nlist
            probes = lists if few else max(8, lists // _SEARCHED_SHARE)
            parameters = faiss.SearchParametersIVF(nprobe=probes, **chosen)
        scores, ids = self._index.search(vector[None, :], depth, params=parameters)
        return ids[0], scores[0]

    def follow(self, snapshot: SqliteSnapshot, newest: Newest) -> None:
        """Bring the index forward to a generation.

        A generation that does not descend from the index is older, or comes from a recovery: then
        the newest one is followed, opened under the lock, so that no index goes back.

        Args:
            snapshot: a generation.
            newest: opens the newest one.
        """
        with self._lock:
            if self.version is None and self._cache is not None:
                self._load(self._cache)
            if self.version is None or snapshot.descends_from(self.version):
                self._advance(snapshot)
            else:
                with newest() as latest:
                    self._advance(latest)

    def prepare(self, newest: Newest) -> None:
        """Follow the newest generation; train the index again if it has outgrown its kind; save it.

        Searches wait meanwhile.
        """
        with newest() as snapshot:
            self.follow(snapshot, newest)
        with self._lock, newest() as snapshot:
            compact = len(self._ids) > self._exact_up_to
            grown = len(self._ids) > _GROWTH * self._trained_for
            if bool(self._trained_for) != compact or (compact and grown):
                self._build(snapshot)
                self.version = snapshot.version
            if self._trained_for and self._cache and self._saved != self.version:
                with contextlib.suppress(OSError):  # an index that was not saved is made again
                    self._save(self._cache)

    def _advance(self, snapshot: SqliteSnapshot) -> None:
        """Become the index of a generation; call with the lock held."""
        if self.version is None or not snapshot.descends_from(self.version):
            self._build(snapshot)
        elif self.version != snapshot.version:
            changed, live, vectors = snapshot.changed_since(self.version.generation)
            self._remove(changed)
            self._add(live, vectors)
        self.version = snapshot.version

    def _build(self, snapshot: SqliteSnapshot) -> None:
        _, ids, vectors = snapshot.changed_since(0)
        self._index, self._ids, self._trained_for = None, _NOTHING.ids, 0
        if len(ids) > self._exact_up_to:
            self._trained_for = len(ids)
            self._index = _trained(vectors)
        self._add(ids, vectors)

    def _add(self, ids: Ids, vectors: Vectors) -> None:
        if not len(ids):
            return
        if self._index is None:
            self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
        self._index.add_with_ids(np.ascontiguousarray(vectors), ids)
        self._ids = np.union1d(self._ids, ids)

    def _remove(self, ids: Ids) -> None:
        present = np.intersect1d(self._ids, ids)
        if len(present):  # removing scans the whole index
            self._index.remove_ids(faiss.IDSelectorBatch(present))
            self._ids = np.setdiff1d(self._ids, present, assume_unique=True)

    def _save(self, path: Path) -> None:
        """Write the whole index to a file, or nothing."""
        version = json.dumps(asdict(self.version))  # type: ignore[arg-type]
        index = faiss.serialize_index(self._index)
        for draft in path.parent.glob(f"{_DRAFT}*"):  # of a process that was killed, or is late
            draft.unlink(missing_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_DRAFT, delete=False) as file:
            try:
                trained = np.array(self._trained_for)
                np.savez(file, version=version, trained_for=trained, ids=self._ids, index=index)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        self._saved = self.version

    def _load(self, path: Path) -> None:
        """Load a saved index, unless it is missing or its checksums show damage."""
        with contextlib.suppress(Exception), path.open("rb") as file, np.load(file) as data:
            version = IndexVersion(**json.loads(str(data["version"])))
            index = faiss.deserialize_index(data["index"])
            self._ids, self._trained_for = data["ids"], int(data["trained_for"])
            self._index, self.version, self._saved = index, version, version


def _trained(vectors: Vectors) -> Any:
    """An empty compact index whose lists fit vectors (n, d)."""
    count, dimension = vectors.shape
    lists = min(count, int(4 * np.sqrt(count)))
    index = faiss.index_factory(dimension, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1  # else FAISS prints a warning
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    index.train(np.ascontiguousarray(vectors[:: max(1, count // _TRAINING_ROWS)]))
    faiss.omp_set_num_threads(1)
    return index
