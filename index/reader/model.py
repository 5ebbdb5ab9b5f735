"""Questions and sentences -> does it answer, how sure, and where; by a small cross-encoder.

The encoder sees question and sentence apart, so it cannot tell "about this" from "answers this".
The reader reads both together, with what stands before the sentence.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from index.errors import EncoderError
from index.reader.network import (
    Pair,
    best_place,
    build_network,
    collate,
    forward,
    lay_out,
    plain_tokenizer,
    unpack,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor
    from torch.nn import ModuleDict

WEIGHTS = Path(__file__).with_name("weights.safetensors")
_SHA256 = "5a9c998328ec80a0a86d6f7cac4acb3ebf236557e6a7e3a7accf9bb4371717c3"
_ANSWERS = 0.5  # probability from which on a sentence counts as an answer
_LOADING = threading.Lock()
_BATCH = 8  # pairs a forward pass: sorted by length, little of it is padding


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
    """The packaged cross-encoder, on one thread of torch.

    It is loaded at first use, once in a process, and its weights are compared with their SHA-256.
    Safe to call from several threads.

    Attributes:
        weights: a file written by `pack`.
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
        import torch  # noqa: PLC0415

        with _LOADING:
            loaded = _load(self.weights, self.sha256)
        pairs = lay_out(loaded.tokenizer, [question] * len(sentences), contexts, sentences)
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i].ids))  # little padding
        readings: list[Reading | None] = [None] * len(pairs)
        for at in range(0, len(order), _BATCH):
            rows = order[at : at + _BATCH]
            with torch.inference_mode():
                scores, place, _ = forward(loaded.network, collate([pairs[i] for i in rows]))
            for row, score, logits in zip(rows, scores.tolist(), place, strict=True):
                readings[row] = loaded.reading(pairs[row], score, logits)
        return [reading for reading in readings if reading is not None]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A network ready to read, and how its logits are understood.

    Attributes:
        slope, offset: the probability is the logistic of slope * score + offset.
        sure: probability of the best place from which on it is marked.
    """

    tokenizer: Tokenizer
    network: ModuleDict
    slope: float
    offset: float
    sure: float

    def reading(self, pair: Pair, score: float, logits: Tensor) -> Reading:
        probability = 1 / (1 + math.exp(-(self.slope * score + self.offset)))
        first, last, sure = best_place(pair, logits)
        if sure < self.sure:
            return Reading(score, probability)
        return Reading(score, probability, pair.offsets[first][0], pair.offsets[last][1])


@lru_cache(maxsize=1)
def _load(weights: Path, sha256: str) -> _Loaded:
    try:
        actual = hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        raise EncoderError(
            f"The reader's weights are missing ({weights}): install On Record again with pip."
        ) from error
    if actual != sha256:
        raise EncoderError(
            "The reader's weights are not the published ones: install On Record again with pip."
        )
    import torch  # noqa: PLC0415 - seconds to import

    torch.set_num_threads(1)
    state, calibration = unpack(weights)
    network = build_network().eval()
    network.load_state_dict(state, strict=False)
    if torch.cpu._is_avx512_bf16_supported():  # noqa: SLF001 - no public name
        network["encoder"].bfloat16()  # a third of the time; scores move by less than .05
    return _Loaded(plain_tokenizer(), network, **calibration)
