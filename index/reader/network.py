"""The reader's network: how a pair is laid out, its layers and heads, how its weights are kept.

It starts from the packaged encoder and keeps that one's word embeddings, so its own weights are
the layers above them alone: 10.8 million, a byte each in a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from index.encoder import packaged_folder

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor
    from torch.nn import ModuleDict

QUESTION_TOKENS, CONTEXT_TOKENS, SENTENCE_TOKENS = 64, 24, 72  # what is longer is cut off
EMBEDDINGS = "encoder.embeddings.word_embeddings.weight"  # the packaged encoder's, never trained
_ANSWER_TOKENS = 24  # the longest answer that is marked
_CLS, _SEP = 101, 102


class Pair(NamedTuple):
    """Token ids of one pair, and where its sentence stands among them.

    `offsets` holds the code points [start, end) in the sentence for each of its tokens.
    """

    ids: list[int]
    first: int
    offsets: list[tuple[int, int]]


def lay_out(
    tokenizer: Tokenizer,
    questions: Sequence[str],
    contexts: Sequence[str],
    sentences: Sequence[str],
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


def best_place(pair: Pair, logits: Tensor) -> tuple[int, int, float]:
    """First and last token (within the sentence) of the likeliest answer, with its probability."""
    size = len(pair.offsets)
    if not size:
        return 0, 0, 0.0
    inside = logits.softmax(dim=0)[pair.first : pair.first + size].double().numpy()
    joint = np.triu(inside[:, :1] * inside[:, 1]) - np.triu(
        inside[:, :1] * inside[:, 1], _ANSWER_TOKENS
    )
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


def unpack(file: Path) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Read what `pack` wrote: float32 weights, and the calibration."""
    import torch  # noqa: PLC0415
    from safetensors import safe_open  # noqa: PLC0415

    with safe_open(file, framework="pt") as opened:
        stored = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        calibration = {name: float(value) for name, value in opened.metadata().items()}
    state = {
        name: each.float() * stored[f"{name}:scale"] if each.dtype == torch.int8 else each
        for name, each in stored.items()
        if not name.endswith(":scale")
    }
    return state, calibration


def plain_tokenizer() -> Tokenizer:
    """The packaged encoder's tokenizer, which neither pads nor cuts."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(packaged_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
