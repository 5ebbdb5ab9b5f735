"""The reader's network in torch for training: its layers, heads, and batches.

It starts from the packaged encoder and keeps that one's word embeddings, so its own weights are
the layers above them alone: 10.8 million.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import Linear, ModuleDict
from transformers import BertConfig, BertModel

from index.network import packaged_folder
from index.reader.excerpts import LaidOut

EMBEDDINGS = "encoder.embeddings.word_embeddings.weight"  # the packaged encoder's, never trained


def collate(texts: Sequence[LaidOut]) -> dict[str, Tensor]:
    """Pad texts to one length; token type 1 marks the sentences."""
    shape = len(texts), max(len(text.ids) for text in texts)
    ids, mask, types = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    for row, text in enumerate(texts):
        size = len(text.ids)
        ids[row, :size] = torch.tensor(text.ids)
        mask[row, :size] = 1
        types[row, :size] = torch.tensor(text.types)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def build_network() -> ModuleDict:
    """Return the packaged encoder's layers, with an untrained head for each judgement."""
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
    heads = {"answers": Linear(width, 1), "place": Linear(width, 2)}
    return ModuleDict({"encoder": encoder, **heads})


def load_weights(file: Path) -> dict[str, Tensor]:
    """Load the weights of a training run (.safetensors), or the published ones (.onnx, rounded)."""
    if file.suffix != ".onnx":
        return load_file(file)
    graph = onnx.load(file).graph
    stored = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    out = {name: each for name, each in stored.items() if name.startswith("network.")}
    for node in graph.node:
        if node.op_type == "MatMulInteger" and (quantised := node.input[1]) in stored:
            # "/encoder/.../query/MatMul_quant"; (in, out), by column
            layer = node.name.rpartition("/")[0].strip("/").replace("/", ".")
            out[f"network.{layer}.weight_quantized"] = stored[quantised].T
            for part in ("scale", "zero_point"):
                column = stored[quantised.replace("quantized", part)]
                out[f"network.{layer}.weight_{part}"] = column[:, None]
    weights = {}
    for name, each in out.items():
        base, _, part = name.removeprefix("network.").partition(".weight_")
        if part == "quantized":
            zero, scale = (out[name.replace(part, other)] for other in ("zero_point", "scale"))
            weights[f"{base}.weight"] = (each.astype("f") - zero.astype("f")) * scale
        elif not part:
            weights[base] = each
    return {name: torch.tensor(each, dtype=torch.float32) for name, each in weights.items()}


def forward(network: ModuleDict, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Run the network.

    Returns:
        Logits, float32: (n, tokens), at each [SEP] that the sentence before it answers; and
        (n, tokens, 2), that the answer begins, and ends, at a token.
    """
    hidden = network["encoder"](**inputs).last_hidden_state.float()
    return network["answers"](hidden).squeeze(-1), network["place"](hidden)
