"""Index the vectors of a collection's newest generation with FAISS.

Up to `EXACT_UP_TO` sentences a search is exact. A larger collection has a compact index of one
generation, and what has changed since is searched exactly beside it. Once much has changed, a new
compact index is built while searches go on, and then replaces the old one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np

from index.encoder import Vectors
from index.errors import StoreError
from index.store.compact import Compact, Generation
from index.store.types import Ids, IndexVersion, Ranked
from index.store.words import FullText, RecentWords

faiss: Any = _faiss  # its stubs accept less than its Python wrappers

log = logging.getLogger(__name__)
Newest = Callable[[], AbstractContextManager[Generation]]
EXACT_UP_TO = 20_000  # sentences; here an exact search takes 3 ms, a compact search 2
_SHARE = 32  # a compact index is built again once 1/32 of it has changed
_GROWTH = 2  # the codebook is learned again at twice the sentences it was learned for
_RETRY_S = 600
_RESCORED = 2  # sentences scored by their stored vectors for each sentence asked for
_NO_IDS: Ids = np.empty(0, dtype=np.int64)
_NOTHING = Ranked(_NO_IDS, np.empty(0, dtype=np.float32))


class VectorIndex:
    """The live sentences of the newest generation it followed. Safe to use from several threads.

    Attributes:
        version: the version of the generation that it has; None before the first.
    """

    def __init__(self, exact_up_to: int = EXACT_UP_TO, cache: Path | None = None) -> None:
        """Start without vectors.

        Args:
            exact_up_to: sentences above which the index is compact.
            cache: the file for a compact index.
        """
        self.version: IndexVersion | None = None
        self._exact_up_to = exact_up_to
        self._cache = cache
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._retry_at = 0.0
        self._compact: Compact | None = None
        self._forget_recent()

    def _forget_recent(self) -> None:
        self._gone = _NO_IDS  # ascending rows of the compact index that changed since
        self._ids = _NO_IDS  # live sentences that are not in the compact index
        self._index: Any = None  # maps these ids to vectors; None while there are none
        self._words = RecentWords()  # the terms of these sentences, beside a compact index

    def __len__(self) -> int:
        return len(self._ids) + len(self._compact or ()) - len(self._gone)

    def search(
        self,
        vector: Vectors,
        k: int,
        allowed: Ids | None = None,
        *,
        stored: Callable[[Ids], tuple[Ids, Vectors]],
        model: str | None = None,
    ) -> Ranked:
        """Return the k highest inner products with `vector` (d,), among ascending `allowed` ids.

        Nothing is returned for a `model` whose vectors the index no longer has: vectors of two
        encoders cannot be compared.

        Args:
            vector: the question's.
            k: how many.
            allowed: ids to search; None for all.
            stored: returns the vectors of ids, as `SqliteSnapshot.vectors` does: the results of a
                compact index are scored by them.
            model: the encoder of the vector.
        """
        faiss.omp_set_num_threads(1)  # for this thread: more would only wait for each other
        with self._lock:
            compact, gone = self._compact, self._gone
            foreign = model is not None and self.version and self.version.model != model
            if k < 1 or foreign:
                return _NOTHING
            dimension = self._index.d if self._index else compact.dimension if compact else None
            if dimension and vector.shape != (dimension,):
                raise StoreError(
                    f"The question has {vector.shape[-1]} dimensions and the index "
                    f"{dimension}: the operator has to run `onrecord reindex --rebuild`."
                )
            recent = self._search_recent(vector, k, allowed)
        if compact is None:
            return recent
        near = compact.search(vector, _RESCORED * k, allowed, gone)
        ids, vectors = stored(near.ids)
        scores = vectors @ vector if len(ids) else _NOTHING.scores
        ids, scores = np.append(recent.ids, ids), np.append(recent.scores, scores)
        return _best(ids, scores, k)

    def _search_recent(self, vector: Vectors, k: int, allowed: Ids | None) -> Ranked:
        """Search exactly; call with the lock held."""
        count = len(self._ids)
        if allowed is not None:
            allowed = np.intersect1d(self._ids, allowed, assume_unique=True)
            count = len(allowed)
        if not count:
            return _NOTHING
        chosen = {} if allowed is None else {"sel": faiss.IDSelectorBatch(allowed)}
        parameters = faiss.SearchParameters(**chosen)
        depth = min(k + 1, count)
        while True:
            scores, ids = self._index.search(vector[None, :], depth, params=parameters)
            if depth == count or scores[0][k - 1] != scores[0][-1]:
                return _best(ids[0], scores[0], k)
            # Of sentences that tie for the last place FAISS returns any: get all of them, to
            # choose the lowest ids.
            depth = min(4 * depth, count)

    def full_text(self, version: IndexVersion, terms: Iterable[str]) -> FullText | None:
        """Return the postings of terms in a generation; None without a compact index of it."""
        with self._lock:
            compact, gone = self._compact, self._gone
            if compact is None or self.version != version:
                return None
            recent = {term: self._words.holders(term) for term in terms}
            others = len(self._words), self._words.total
        passing = partial(compact.passing, gone)
        return FullText(compact.postings, compact.ids, passing, gone, recent=recent, others=others)

    def vocabulary(self, version: IndexVersion, initial: str) -> dict[str, int] | None:
        """Return the terms with an initial, and how many sentences have or recently had each.

        None without a compact index of that generation.
        """
        with self._lock:
            if self._compact is None or self.version != version:
                return None
            counts = Counter(dict(self._compact.postings.beginning(initial)))
            counts.update(dict(self._words.beginning(initial)))
            return dict(counts)

    def follow(self, snapshot: Generation, newest: Newest) -> None:
        """Bring the index up to date with a generation.

        A generation that does not descend from the index's is older, or comes from a recovery. The
        newest generation is followed instead, opened under the lock, so that no index goes back.

        Args:
            snapshot: the generation.
            newest: opens the newest generation.
        """
        with self._lock:
            if self.version is None and self._cache is not None:
                self._compact = Compact.kept(self._cache)
                self.version = self._compact.version if self._compact else None
            if self.version is None or snapshot.descends_from(self.version):
                self._advance(snapshot)
            else:
                with newest() as latest:
                    self._advance(latest)
        if self._is_due() and self._renewing.acquire(blocking=False):
            threading.Thread(target=self._renew, args=(newest,), daemon=True).start()

    def prepare(self, newest: Newest) -> None:
        """Follow the newest generation; build a new compact index if it is due."""
        with newest() as snapshot:
            self.follow(snapshot, newest)
        self._renewing.acquire()  # released when that is done
        self._renew(newest)

    def finish(self) -> None:
        """Wait until no compact index is being built."""
        with self._renewing:
            pass

    def _is_due(self) -> bool:
        held = len(self._compact or ())
        if time.monotonic() < self._retry_at:
            return False
        return len(self._ids) + len(self._gone) > max(self._exact_up_to, held // _SHARE)

    def _renew(self, newest: Newest) -> None:
        """Build a compact index of the newest generation if it is due; searches go on meanwhile.

        Call it with `_renewing` held, which it releases. If it fails, the old index stays: it finds
        the same with more work.
        """
        try:
            while self._is_due():
                with newest() as snapshot:
                    compact = self._renewed(snapshot)
                with self._lock, newest() as snapshot:
                    if compact is None or snapshot.descends_from(compact.version):
                        self._take(compact, snapshot)
        except (OSError, StoreError) as error:
            self._retry_at = time.monotonic() + _RETRY_S
            log.warning("the vector index stays as it is, and is built again later: %s", error)
        finally:
            self._renewing.release()

    def _renewed(self, snapshot: Generation) -> Compact | None:
        """Return a compact index of a generation; None if it has too few sentences."""
        with self._lock:
            old = self._compact
        if len(ids := snapshot.live_ids()) <= self._exact_up_to:
            return None
        if old and len(ids) <= _GROWTH * old.trained_for and snapshot.descends_from(old.version):
            changed, live = snapshot.changed_since(old.version.generation)
            return old.extended(snapshot, changed, live, self._cache)
        return Compact.build(snapshot, self._cache)

    def _take(self, compact: Compact | None, snapshot: Generation) -> None:
        """Replace the compact index, perhaps by None; call with the lock held."""
        self._compact = compact
        self._forget_recent()
        self._catch_up(snapshot, compact.version.generation if compact else 0)
        self.version = snapshot.version

    def _advance(self, snapshot: Generation) -> None:
        """Become the index of a generation; call with the lock held."""
        if self.version is None or not snapshot.descends_from(self.version):
            self._build(snapshot)
        elif self.version != snapshot.version:
            self._catch_up(snapshot, self.version.generation)
        self.version = snapshot.version

    def _build(self, snapshot: Generation) -> None:
        compact = None
        if len(snapshot.live_ids()) > self._exact_up_to:
            try:
                compact = Compact.build(snapshot, self._cache)
            except OSError:  # the collection's folder is full or read-only
                compact = Compact.build(snapshot, None)
        self._take(compact, snapshot)

    def _catch_up(self, snapshot: Generation, generation: int) -> None:
        """Take in the changes after a generation."""
        changed, live = snapshot.changed_since(generation)
        if self._compact:
            self._gone = np.union1d(self._gone, self._compact.rows(changed))
        present = np.intersect1d(self._ids, changed)
        if len(present):  # else skip it, since removing scans the whole index
            self._index.remove_ids(faiss.IDSelectorBatch(present))
            for sentence_id in present.tolist():
                self._words.remove(sentence_id)
            self._ids = np.setdiff1d(self._ids, present, assume_unique=True)
        ids, vectors = snapshot.vectors(live)
        if not len(ids):
            return
        if self._index is None:
            self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
        self._index.add_with_ids(np.ascontiguousarray(vectors), ids)
        self._ids = np.union1d(self._ids, ids)
        if self._compact:
            texts = chain.from_iterable(snapshot.terms(ids))
            for sentence_id, text in zip(ids.tolist(), texts, strict=True):
                self._words.add(sentence_id, text)


def _best(ids: Ids, scores: Vectors, k: int) -> Ranked:
    """Return the k best; among equal scores, those with the lowest ids."""
    order = np.lexsort((ids, -scores))[:k]
    return Ranked(ids[order], scores[order])
