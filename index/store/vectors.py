"""FAISS and its peculiarities, in one place.

A `VectorIndex` never changes: taking in new sentences makes another one that shares the FAISS
part (`base`) and differs in a small `delta` of added rows and a mask of dropped ones. A search
sees both. The delta is merged into a new base when it has grown, by whoever has time for it.

The base is exact up to a number of sentences; above it, it is an inverted file of 8-bit codes
(IVF, SQ8: Jégou, Douze, Schmid 2011), of which the caller scores what was found exactly again.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np
import numpy.typing as npt

from index.encoder import Vectors
from index.errors import StoreError
from index.store.types import Ids, IndexVersion, Ranked

faiss: Any = _faiss  # its stubs know less than its Python wrappers accept

EXACT_UP_TO = 200_000
_MAGIC = b"ONRECORD VECTORS 1\n"
_DIGEST_BYTES = 32  # SHA-256 of all that follows it in the file
_TRAINING_ROWS = 65_536
_SEARCHED_SHARE = 16  # one list in so many is searched in a compact index
Mask = npt.NDArray[np.bool_]
_NONE: Ids = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """Sentence vectors of one generation of one model.

    Attributes:
        stamp: the state it was made from; compared before it is used.
        base: a FAISS index of len(base_ids) vectors, row i being sentence base_ids[i].
        base_ids: int64 (n,), ascending.
        dropped: bool (n,), rows of the base that are no longer live.
        delta_ids: int64 (m,), ascending, and delta: float32 (m, d); d is 0 while it is empty.
    """

    stamp: IndexVersion
    base: Any
    base_ids: Ids
    dropped: Mask
    delta_ids: Ids
    delta: Vectors

    @classmethod
    def build(
        cls, ids: Ids, vectors: Vectors, stamp: IndexVersion, exact_up_to: int = EXACT_UP_TO
    ) -> VectorIndex:
        """Index vectors (n, d), unit norm, under ascending, distinct ids (n,)."""
        if len(ids) != len(vectors) or (len(ids) > 1 and not (np.diff(ids) > 0).all()):
            raise StoreError("Vectors need one ascending, distinct id each.")
        base = _faiss_index(np.ascontiguousarray(vectors), exact_up_to) if len(vectors) else None
        return cls._merged(stamp, base, ids)

    @classmethod
    def _merged(cls, stamp: IndexVersion, base: Any, ids: Ids) -> VectorIndex:
        delta = np.empty((0, 0 if base is None else base.d), dtype=np.float32)
        return cls(stamp, base, ids, np.zeros(len(ids), dtype=bool), _NONE, delta)

    def __len__(self) -> int:
        """How many sentences are live."""
        return int(len(self.base_ids) - self.dropped.sum() + len(self.delta_ids))

    @property
    def stale_rows(self) -> int:
        """Rows that a merge would tidy up."""
        return int(self.dropped.sum()) + len(self.delta_ids)

    def advanced(
        self, stamp: IndexVersion, changed: Ids, live: Ids, vectors: Vectors
    ) -> VectorIndex:
        """The index of a later generation.

        Args:
            stamp: of that generation.
            changed: ids of whatever may not be as it was.
            live: those of them that are live then, ascending (m,).
            vectors: theirs (m, d).
        """
        dropped = self.dropped | np.isin(self.base_ids, changed)
        keep = ~np.isin(self.delta_ids, changed)
        ids, delta = self.delta_ids[keep], self.delta[keep]
        if len(live):  # what is empty may not know its dimension yet
            ids = np.concatenate([ids, live])
            delta = np.concatenate([delta.reshape(len(delta), vectors.shape[1]), vectors])
        order = np.argsort(ids)
        return replace(self, stamp=stamp, dropped=dropped, delta_ids=ids[order], delta=delta[order])

    def search(self, vector: Vectors, k: int, allowed: Ids | None = None) -> Ranked:
        """The k highest inner products with `vector` (d,), among `allowed` ids if given."""
        if k < 1 or not len(self):
            return Ranked(_NONE, np.empty(0, dtype=np.float32))
        if vector.shape != self.delta.shape[1:]:
            raise StoreError(
                f"The question has {vector.shape[-1]} dimensions and the index "
                f"{self.delta.shape[1]}: run `onrecord reindex --rebuild`."
            )
        ids, scores = self._search_base(vector, k, allowed)
        delta_ids, delta = self.delta_ids, self.delta
        if allowed is not None:
            keep = np.isin(delta_ids, allowed)
            delta_ids, delta = delta_ids[keep], delta[keep]
        ids = np.concatenate([ids, delta_ids])
        scores = np.concatenate([scores, delta @ vector])
        order = np.lexsort((ids, -scores))[:k]
        return Ranked(ids[order], scores[order].astype(np.float32))

    def _search_base(self, vector: Vectors, k: int, allowed: Ids | None) -> tuple[Ids, Vectors]:
        faiss.omp_set_num_threads(1)  # of this thread: more would only wait for each other
        live = ~self.dropped
        if allowed is not None:
            live &= np.isin(self.base_ids, allowed, assume_unique=True)
        count = int(live.sum())
        if not count:
            return _NONE, np.empty(0, dtype=np.float32)
        chosen = {}
        if not live.all():
            chosen["sel"] = faiss.IDSelectorBitmap(np.packbits(live, bitorder="little"))
        depth = min(k + 1, count)
        if isinstance(self.base, faiss.IndexIVF):
            few = count < depth * _SEARCHED_SHARE**2  # they may lie in any list
            probes = self.base.nlist if few else max(8, self.base.nlist // _SEARCHED_SHARE)
            parameters = faiss.SearchParametersIVF(nprobe=probes, **chosen)
        else:
            parameters = faiss.SearchParameters(**chosen)
        scores, rows = self.base.search(vector[None, :], depth, params=parameters)
        while depth < count and scores[0][k - 1] == scores[0][-1]:
            # FAISS takes any of those that tie for the last place: have all, to take the lowest ids
            depth = min(4 * depth, count)
            scores, rows = self.base.search(vector[None, :], depth, params=parameters)
        found = rows[0] >= 0  # it pads with -1 where it found fewer
        return self.base_ids[rows[0][found]], scores[0][found]

    def save(self, path: Path) -> None:
        """Write the base to `path`, whole or not at all. Only a merged index is saved."""
        if self.stale_rows:
            raise StoreError("Only a merged vector index is saved.")
        header = json.dumps({**asdict(self.stamp), "count": len(self.base_ids)}).encode()
        content = struct.pack("<I", len(header)) + header + self.base_ids.tobytes()
        if self.base is not None:
            content += faiss.serialize_index(self.base).tobytes()
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".vectors-", delete=False) as file:
            try:
                file.write(_MAGIC + hashlib.sha256(content).digest() + content)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    @classmethod
    def load(cls, path: Path) -> VectorIndex | None:
        """Read a saved index; None if it is missing or damaged in any byte."""
        try:
            data = path.read_bytes()
            content = memoryview(data)[len(_MAGIC) + _DIGEST_BYTES :]
            if not data.startswith(_MAGIC + hashlib.sha256(content).digest()):
                return None
            end = 4 + struct.unpack_from("<I", content)[0]
            head = json.loads(bytes(content[4:end]))
            stamp = IndexVersion(head["generation"], head["token"], head["model"])
            # A copy: aligned, and the rest of the file need not stay in memory for it.
            ids = np.frombuffer(content[end:], dtype=np.int64, count=head["count"]).copy()
            rest = np.frombuffer(content[end:], dtype=np.uint8, offset=8 * len(ids))
            return cls._merged(stamp, faiss.deserialize_index(rest) if len(ids) else None, ids)
        except (OSError, ValueError, KeyError, struct.error, RuntimeError):
            return None  # RuntimeError: FAISS cannot read what another version of it wrote


def _faiss_index(vectors: Vectors, exact_up_to: int) -> Any:
    count, dimension = vectors.shape
    if count <= exact_up_to:
        index = faiss.IndexFlatIP(dimension)
    else:
        lists = min(count, int(4 * np.sqrt(count)))
        index = faiss.index_factory(dimension, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = 1  # else it prints that it would like more
        step = max(1, count // _TRAINING_ROWS)
        faiss.omp_set_num_threads(os.cpu_count() or 1)
        index.train(np.ascontiguousarray(vectors[::step]))
        faiss.omp_set_num_threads(1)
    index.add(vectors)
    return index
