"""Questions and sentences -> does it answer, how sure, and where; by a small cross-encoder.

The encoder sees question and sentence apart, so it cannot tell "about this" from "answers this".
The reader reads both together, with what stands before the sentence. It starts from the packaged
encoder and keeps its word embeddings, so its own file holds the layers above them alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from index.encoder import _packaged_folder
from index.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor
    from torch.nn import ModuleDict

QUESTION_TOKENS, CONTEXT_TOKENS, SENTENCE_TOKENS = 32, 32, 80
_CLS, _SEP = 101, 102
_BATCH = 16  # pairs a forward pass: as many as are read for one question
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
            sentences: any number; what is longer than 80 tokens is cut off.
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
    """The packaged encoder's layers, with a head for each thing that is judged, untrained."""
    from torch.nn import Linear, ModuleDict  # noqa: PLC0415
    from transformers import AutoModel  # noqa: PLC0415

    encoder = AutoModel.from_pretrained(
        str(_packaged_folder()),
        add_pooling_layer=False,
        attn_implementation="eager",  # twice as fast as the fused one in training on a processor
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        local_files_only=True,
    )
    width = encoder.config.hidden_size
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
