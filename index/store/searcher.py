"""Search one generation of a collection in the index that is derived from its file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from index.encoder import Vectors
from index.store.types import Ids, Ranked
from index.store.vectors import Generation, Newest, VectorIndex
from index.store.words import FullText


class Searcher:
    """Searches an index, and brings it up to date with the generation that is searched."""

    def __init__(self, index: VectorIndex, newest: Newest) -> None:
        """Search an index; `newest` opens the newest generation."""
        self._index = index
        self._newest = newest

    def nearest(self, snapshot: Generation, vector: Vectors, k: int, allowed: Ids | None) -> Ranked:
        """Return the k live sentences of a generation with the highest inner product with `vector`.

        Args:
            snapshot: the generation.
            vector: the question's (d,).
            k: how many.
            allowed: ascending ids to search; None for all.
        """
        index = self._followed(snapshot)
        search = partial(
            index.search, vector, k, stored=snapshot.vectors, model=snapshot.version.model
        )
        ranked = search(allowed)
        if allowed is None and index.version != snapshot.version:
            ranked = search(snapshot.live_ids())
        return ranked

    def full_text(self, snapshot: Generation, terms: Sequence[str]) -> FullText | None:
        """Return postings of terms in the compact index; None if it has another generation."""
        return self._followed(snapshot).full_text(snapshot.version, terms)

    def vocabulary(self, snapshot: Generation, initial: str) -> dict[str, int] | None:
        """Return terms with an initial in the compact index; None if it has another generation."""
        return self._followed(snapshot).vocabulary(snapshot.version, initial)

    def _followed(self, snapshot: Generation) -> VectorIndex:
        """Return the index, brought up to date with this generation or a newer one."""
        if self._index.version != snapshot.version:
            self._index.follow(snapshot, self._newest)
        return self._index
