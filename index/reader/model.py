"""Questions and sentences -> does it answer, how sure, and where; by a small cross-encoder.

The encoder sees question and sentence apart, so it cannot tell "about this" from "answers this".
The reader reads both together, with what stands before the sentence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from index.network import Network
from index.reader.pairs import Pair, best_place, lay_out

WEIGHTS = Path(__file__).with_name("reader.onnx")
_SHA256 = "69c000ec4b2fff94909f333d3e16a999c28413214d6d82336728458e0397237b"
_ANSWERS = 0.5  # probability from which on a sentence counts as an answer


@dataclass(frozen=True, slots=True)
class Reading:
    """The reader's judgement of one sentence.

    Attributes:
        score: logit that the sentence answers the question.
        probability: the score calibrated, 0..1.
        start: code point of the sentence where the answer begins; None where no place stands out.
        end: code point after the answer.
    """

    score: float
    probability: float
    start: int | None = None
    end: int | None = None

    @property
    def answers(self) -> bool:
        """Whether the sentence counts as an answer."""
        return self.probability >= _ANSWERS


class Reader(Protocol):
    """Reads sentences for a question."""

    @property
    def model(self) -> str:
        """The name of the weights."""

    def read(
        self, question: str, sentences: Sequence[str], contexts: Sequence[str]
    ) -> list[Reading]:
        """Judge whether each sentence answers the question.

        Args:
            question: in words; of more than 64 tokens the rest is cut off.
            sentences: any number; of more than 72 tokens the rest is cut off.
            contexts: what stands before each sentence, or ""; 24 tokens count.

        Returns:
            One reading for each sentence, in their order.

        Raises:
            EncoderError: the weights cannot be loaded.
        """


@dataclass(eq=False)
class TrainedReader:
    """The packaged cross-encoder in int8, without torch.

    It is loaded at first use, and its weights are compared with their SHA-256. Safe to call from
    several threads.

    Attributes:
        weights: a file written by tests/benchmarks/export.py.
        sha256: what the file must hash to.
    """

    weights: Path = WEIGHTS
    sha256: str = _SHA256

    @property
    def model(self) -> str:
        return f"reader-{self.sha256[:8]}"

    def read(
        self, question: str, sentences: Sequence[str], contexts: Sequence[str]
    ) -> list[Reading]:
        pairs = lay_out([question] * len(sentences), contexts, sentences)
        return [self._reading(pair) for pair in pairs]

    @cached_property
    def _network(self) -> Network:
        return Network(self.weights, self.sha256)

    def _reading(self, pair: Pair) -> Reading:
        answers, place = self._network.run(pair.ids, pair.types)
        calibration = self._network.metadata
        score = float(answers)
        logit = calibration["slope"] * score + calibration["offset"]
        first, last, sure = best_place(pair, place)
        if sure < calibration["sure"]:
            return Reading(score, 1 / (1 + math.exp(-logit)))
        start, end = pair.offsets[first][0], pair.offsets[last][1]
        return Reading(score, 1 / (1 + math.exp(-logit)), start, end)
