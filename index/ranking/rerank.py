"""An optional second look: a cross-encoder reads the question and a sentence together.

None is packaged. One that is named in the settings puts the first sentences in its own order, and
its surest judgement becomes the confidence (Nogueira, Cho 2019).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from index.errors import EncoderError
from index.ranking.features import Column
from index.ranking.rank import Ranking

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

_READ = 20  # sentences, the best by the ranking


class Reranker(Protocol):
    """Judges sentences one by one; safe to call from several threads."""

    @property
    def model(self) -> str:
        """Names what judges: another name, other answers."""

    def chances(self, question: str, texts: Sequence[str]) -> Column:
        """How likely each text answers the question: float32 (n,), 0 to 1.

        Raises:
            EncoderError: the model cannot be loaded.
        """


class CrossEncoderReranker:
    """A sentence-transformers CrossEncoder with one label."""

    def __init__(self, model: str) -> None:
        """Name a model on the hub or a folder; it is loaded at first use."""
        self.model = model
        self._lock = threading.Lock()
        self._loaded: CrossEncoder | None = None

    def chances(self, question: str, texts: Sequence[str]) -> Column:
        import torch  # noqa: PLC0415 - seconds to import

        with self._lock:  # its tokenizer keeps state between calls
            self._loaded = self._loaded or self._open()
            pairs = [(question, text) for text in texts]
            made = self._loaded.predict(
                pairs, activation_fn=torch.nn.Sigmoid(), show_progress_bar=False
            )
        return np.asarray(made, dtype=np.float32)

    def _open(self) -> CrossEncoder:
        from sentence_transformers import CrossEncoder  # noqa: PLC0415 - seconds to import

        try:
            here = Path(self.model).is_dir()
            made: CrossEncoder = CrossEncoder(
                self.model, num_labels=1, device="cpu", local_files_only=here
            )
        except Exception as error:
            raise EncoderError(
                f"The reranker “{self.model}” cannot be loaded ({type(error).__name__}): name a "
                "cross-encoder or its folder, or leave it out."
            ) from error
        return made


def reranked(ranking: Ranking, reranker: Reranker) -> Ranking:
    """The first sentences in the reranker's order; scores stay with the ranks.

    What it thinks of each, 0 for those it did not read, is the feature `reranker`.
    """
    first = ranking.sentences[:_READ]
    if not first:
        return ranking
    chances = reranker.chances(ranking.query.question, [sentence.text for sentence in first])
    order = np.arange(len(ranking.sentences))
    order[: len(first)] = np.argsort(-chances, kind="stable")
    judged = np.zeros(len(order), dtype=np.float32)
    judged[: len(first)] = chances
    features = {**ranking.features, "reranker": judged}
    return replace(
        ranking,
        sentences=tuple(ranking.sentences[i] for i in order),
        features={name: column[order] for name, column in features.items()},
        confidence=float(chances.max()),
    )
