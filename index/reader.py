"""Questions and sentences -> does it answer, how sure, and where; by a small cross-encoder.

The encoder sees question and sentence apart, so it cannot tell "about this" from "answers this".
The reader reads both together, with what stands before the sentence. It starts from the packaged
encoder and keeps its word embeddings, so its own file holds the layers above them alone.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from index.encoder import _packaged_folder as packaged_folder
from index.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor
    from torch.nn import ModuleDict

QUESTION_TOKENS, CONTEXT_TOKENS, SENTENCE_TOKENS = 32, 24, 72
_CLS, _SEP = 101, 102
_BATCH = 16  # pairs a forward pass: as many as are read for one question
WEIGHTS = Path(__file__).parent / "ranking" / "reader" / "weights.safetensors"
_SHA256 = ""
_ANSWER_TOKENS = 24  # the longest answer that is marked
EMBEDDINGS = "encoder.embeddings.word_embeddings.weight"  # the packaged encoder's, never trained


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader makes of one sentence.

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


class Reader(Protocol):
    """Reads sentences for a question."""

    def read(
        self, question: str, sentences: Sequence[str], contexts: Sequence[str]
    ) -> list[Reading]:
        """Judge whether each sentence answers the question.

        Args:
            question: as it was typed.
            sentences: any number; what is longer than 72 tokens is cut off.
            contexts: what stands before each sentence, or "".

        Returns:
            One reading a sentence, in their order.

        Raises:
            EncoderError: the weights cannot be loaded.
        """


class Pair(NamedTuple):
    """Token ids of one pair, and where its sentence stands among them.

    `offsets` holds the code points [start, end) in the sentence for each of its tokens.
    """

    ids: list[int]
    first: int
    offsets: list[tuple[int, int]]


def lay_out(
    tokenizer: Tokenizer, questions: Sequence[str], contexts: Sequence[str], sentences: Sequence[str]
) -> list[Pair]:
    """Write pairs as [CLS] question [SEP] context [SEP] sentence [SEP], without empty contexts."""
    texts = [*questions, *contexts, *sentences]
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    n = len(sentences)
    pairs = []
    for i in range(n):
        context = encodings[n + i].ids[:CONTEXT_TOKENS]
        ids = [_CLS, *encodings[i].ids[:QUESTION_TOKENS], _SEP]
        ids += [*context, _SEP] if context else []
        sentence = encodings[2 * n + i]
        pairs.append(
            Pair(
                [*ids, *sentence.ids[:SENTENCE_TOKENS], _SEP],
                len(ids),
                sentence.offsets[:SENTENCE_TOKENS],
            )
        )
    return pairs


def collate(pairs: Sequence[Pair]) -> dict[str, Tensor]:
    """Pad pairs to one length; token type 1 marks the sentence."""
    import torch  # noqa: PLC0415 - seconds to import

    shape = len(pairs), max(len(pair.ids) for pair in pairs)
    ids, mask, types = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    for row, pair in enumerate(pairs):
        size = len(pair.ids)
        ids[row, :size] = torch.tensor(pair.ids)
        mask[row, :size] = 1
        types[row, pair.first : size] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def build_network() -> ModuleDict:
    """The packaged encoder's layers, with an untrained head for each thing that is judged."""
    from safetensors.torch import load_file  # noqa: PLC0415
    from torch.nn import Linear, ModuleDict  # noqa: PLC0415
    from transformers import BertConfig, BertModel  # noqa: PLC0415

    folder = packaged_folder()
    config = BertConfig.from_pretrained(
        folder,
        attn_implementation="eager",  # on a processor twice as fast to train as the fused one
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    encoder = BertModel(config, add_pooling_layer=False)
    encoder.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    width = config.hidden_size
    heads = {"answers": Linear(width, 1), "place": Linear(width, 2), "relation": Linear(width, 3)}
    return ModuleDict({"encoder": encoder, **heads})


def forward(network: ModuleDict, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Run the network.

    Returns:
        Logits, float32: (n,) answers; (n, tokens, 2) the answer's first and last token, -inf
        outside the sentence; (n, 3) the sentence follows from the question, neither, contradicts.
    """
    hidden = network["encoder"](**inputs).last_hidden_state.float()
    outside = (inputs["token_type_ids"] * inputs["attention_mask"] == 0).unsqueeze(-1)
    place = network["place"](hidden).masked_fill(outside, float("-inf"))
    return network["answers"](hidden[:, 0]).squeeze(-1), place, network["relation"](hidden[:, 0])


@dataclass(eq=False)
class TrainedReader:
    """The packaged cross-encoder, with one torch thread.

    It is loaded at first use and its weights are compared with their SHA-256. Safe to call from
    several threads.

    Attributes:
        weights: a file written by `pack`.
        sha256: what the file must hash to.
    """

    weights: Path = WEIGHTS
    sha256: str = _SHA256
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _loaded: _Loaded | None = field(default=None, init=False)

    def read(
        self, question: str, sentences: Sequence[str], contexts: Sequence[str]
    ) -> list[Reading]:
        import torch  # noqa: PLC0415

        loaded = self._load()
        pairs = lay_out(loaded.tokenizer, [question] * len(sentences), contexts, sentences)
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i].ids))  # little padding
        readings: list[Reading | None] = [None] * len(pairs)
        for at in range(0, len(order), _BATCH):
            rows = order[at : at + _BATCH]
            with torch.inference_mode():
                scores, place, _ = forward(loaded.network, collate([pairs[i] for i in rows]))
            for row, score, logits in zip(rows, scores.tolist(), place, strict=True):
                readings[row] = loaded.reading(pairs[row], score, logits)
        return [each for each in readings if each is not None]

    def _load(self) -> _Loaded:
        with self._lock:
            if self._loaded is None:
                self._loaded = _open(self.weights, self.sha256)
            return self._loaded


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


def best_place(pair: Pair, logits: Tensor) -> tuple[int, int, float]:
    """First and last token (within the sentence) of the likeliest answer, with its probability."""
    size = len(pair.offsets)
    if not size:
        return 0, 0, 0.0
    inside = logits.softmax(dim=0)[pair.first : pair.first + size].double().numpy()
    joint = np.triu(inside[:, :1] * inside[:, 1]) - np.triu(inside[:, :1] * inside[:, 1], _ANSWER_TOKENS)
    first, last = divmod(int(joint.argmax()), size)
    return first, last, float(joint[first, last])


def pack(state: Mapping[str, Tensor], calibration: Mapping[str, float], file: Path) -> None:
    """Write trained weights at a byte each: every row of a matrix as int8 with its own scale."""
    import torch  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415

    packed = {}
    for name, weights in state.items():
        if weights.ndim < 2:  # noqa: PLR2004 - biases and norms
            packed[name] = weights.float()
            continue
        scale = weights.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
        packed[name] = (weights / scale).round().to(torch.int8)
        packed[f"{name}:scale"] = scale
    save_file(packed, file, metadata={name: repr(value) for name, value in calibration.items()})


def _open(weights: Path, sha256: str) -> _Loaded:
    try:
        data = weights.read_bytes()
    except OSError as error:
        raise EncoderError(f"The reader's weights are missing: {weights}.") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise EncoderError(
            "The reader's weights are not the published ones: pip install onrecord again."
        )
    import torch  # noqa: PLC0415
    from safetensors import safe_open  # noqa: PLC0415

    torch.set_num_threads(1)
    with safe_open(weights, framework="pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        calibration = {name: float(value) for name, value in file.metadata().items()}
    state = {
        name: each.float() * stored[f"{name}:scale"] if each.dtype == torch.int8 else each
        for name, each in stored.items()
        if not name.endswith(":scale")
    }
    network = build_network().eval()
    network.load_state_dict(state, strict=False)
    if torch.cpu._is_avx512_bf16_supported():  # noqa: SLF001 - no public name
        network["encoder"].bfloat16()
    return _Loaded(plain_tokenizer(), network, **calibration)


def plain_tokenizer() -> Tokenizer:
    """The packaged encoder's tokenizer, which neither pads nor cuts."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(packaged_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
