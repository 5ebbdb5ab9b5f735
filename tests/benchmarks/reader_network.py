"""The reader's network in torch, to train it: its layers, heads, and batches of pairs.

It starts from the packaged encoder and keeps that one's word embeddings, so its own weights are
the layers above them alone: 10.8 million.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import Linear, ModuleDict
from transformers import BertConfig, BertModel

from index.network import packaged_folder
from index.reader.pairs import Pair

EMBEDDINGS = "encoder.embeddings.word_embeddings.weight"  # the packaged encoder's, never trained


def collate(pairs: Sequence[Pair]) -> dict[str, Tensor]:
    """Pad pairs to one length; token type 1 marks the sentence."""
    shape = len(pairs), max(len(pair.ids) for pair in pairs)
    ids, mask, types = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    for row, pair in enumerate(pairs):
        size = len(pair.ids)
        ids[row, :size] = torch.tensor(pair.ids)
        mask[row, :size] = 1
        types[row, :size] = torch.tensor(pair.types)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def build_network() -> ModuleDict:
    """The packaged encoder's layers, with an untrained head for each thing that is judged."""
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
