"""Search one generation of a collection by what is derived from its file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from index.encoder import Vectors
from index.store.types import Ids, Ranked
from index.store.vectors import Generation, Newest, VectorIndex
from index.store.words import FullText


class Searcher:
    """An index that is brought forward to the generation that is searched."""

    def __init__(self, index: VectorIndex, newest: Newest) -> None:
        """Search an index; `newest` opens the newest generation."""
        self._index = index
        self._newest = newest

    def nearest(self, snapshot: Generation, vector: Vectors, k: int, allowed: Ids | None) -> Ranked:
        """Return the k highest inner products with `vector` (d,) of what is live in a generation.

        Among ascending `allowed` ids, if they are given.
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
        """Return what the compact index has of some terms, if there is one of this generation."""
        return self._followed(snapshot).full_text(snapshot.version, terms)

    def vocabulary(self, snapshot: Generation, initial: str) -> dict[str, int] | None:
        """Return the compact index's terms with an initial, if there is one of this generation."""
        return self._followed(snapshot).vocabulary(snapshot.version, initial)

    def _followed(self, snapshot: Generation) -> VectorIndex:
        """The index, brought forward to this generation or a newer one."""
        if self._index.version != snapshot.version:
            self._index.follow(snapshot, self._newest)
        return self._index
