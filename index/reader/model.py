"""Judge whether sentences answer a question, how surely, and where, by a small cross-encoder.

The encoder sees question and sentence apart, so it cannot tell "about this" from "answers this".
The reader reads the question together with an excerpt, and judges each sentence in its context.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from index.network import Network
from index.reader.excerpts import Excerpt, LaidOut, best_place, lay_out

WEIGHTS = Path(__file__).with_name("reader.onnx")
_SHA256 = "03497a51c40a012514239c3b65da24714874912d4f75459b31ce75c66cff0022"
_ANSWERS = 0.5  # the least probability with which a sentence counts as an answer


@dataclass(frozen=True, slots=True)
class Reading:
    """The reader's judgement of one sentence.

    Attributes:
        score: the logit that the sentence answers the question.
        probability: the calibrated score, 0 to 1.
        start: the code point of the sentence where the answer begins; None if no part stands out.
        end: the code point after the answer.
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

    def read(self, question: str, excerpts: Sequence[Excerpt]) -> list[list[Reading]]:
        """Judge whether each sentence of each excerpt answers the question.

        Args:
            question: the question; it is cut off after 64 tokens.
            excerpts: any number. Titles are cut off after 24 tokens, sentences after 72; the
                network was trained last with excerpts of up to 500 characters.

        Returns:
            For each excerpt, a reading for each sentence, in their order.

        Raises:
            EncoderError: the weights cannot be loaded.
        """


@dataclass(eq=False)
class TrainedReader:
    """The packaged cross-encoder in int8, without torch.

    It is loaded at first use, and the SHA-256 of its weights is checked. Safe to call from several
    threads.

    Attributes:
        weights: a file written by tests/benchmarks/export.py.
        sha256: the hash that the file must have.
    """

    weights: Path = WEIGHTS
    sha256: str = _SHA256

    @property
    def model(self) -> str:
        return f"reader-{self.sha256[:8]}"

    def read(self, question: str, excerpts: Sequence[Excerpt]) -> list[list[Reading]]:
        return [self._readings(text) for text in lay_out([question] * len(excerpts), excerpts)]

    @cached_property
    def _network(self) -> Network:
        return Network(self.weights, self.sha256)

    def _readings(self, text: LaidOut) -> list[Reading]:
        (logits,) = self._network.run(text.ids, text.types)
        calibration = self._network.metadata
        readings = []
        for i, (end, offsets) in enumerate(zip(text.ends, text.offsets, strict=True)):
            score = float(logits[end, 0])
            logit = calibration["slope"] * score + calibration["offset"]
            probability = 1 / (1 + math.exp(-logit))
            first, last, sure = best_place(logits[text.first(i) : end + 1, 1:])
            if sure < calibration["sure"]:
                readings.append(Reading(score, probability))
            else:
                start, stop = offsets[first][0], offsets[last][1]
                readings.append(Reading(score, probability, start, stop))
        return readings
