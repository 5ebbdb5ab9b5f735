"""Write a network as an ONNX file with int8 weights, and compare it with the original.

python tests/benchmarks/export.py index/encoder.onnx

This writes the packaged encoder's file; the reader's is written by measure_reader.py --export.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from reader_sets import NEWS, written_texts
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from index.network import Floats, Network, packaged_folder, tokenizer, word_embeddings

AGREE = 0.8  # share of the 10 nearest sentences that int8 must have in common with float32


class Encoder(nn.Module):
    """The packaged encoder from its word embeddings to its last hidden states."""

    def __init__(self) -> None:
        super().__init__()
        config = BertConfig.from_pretrained(packaged_folder(), attn_implementation="eager")
        self.bert = BertModel(config, add_pooling_layer=False).eval()
        weights = load_file(packaged_folder() / "model.safetensors")
        self.bert.load_state_dict(weights, strict=False)
        self.eval()  # after export, too, which restores the mode

    def forward(self, embeddings: Tensor, types: Tensor) -> Tensor:
        """Hidden states (1, t, d) of a text's word embeddings (1, t, d) and token types (1, t)."""
        hidden: Tensor = self.bert(inputs_embeds=embeddings, token_type_ids=types).last_hidden_state
        return hidden


class Reader(nn.Module):
    """A trained reader from word embeddings to its judgement of each token."""

    def __init__(self, network: nn.ModuleDict) -> None:
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, embeddings: Tensor, types: Tensor) -> Tensor:
        """Logits (1, t, 3): that the sentence ending here answers; that the answer begins; ends."""
        hidden = self.network["encoder"](
            inputs_embeds=embeddings, token_type_ids=types
        ).last_hidden_state
        return torch.cat([self.network["answers"](hidden), self.network["place"](hidden)], dim=2)


def export(module: nn.Module, metadata: Mapping[str, float], file: Path) -> str:
    """Write a module with the inputs of `Network`; return the SHA-256 of the file."""
    embeddings, types = torch.randn(1, 9, 384), torch.zeros(1, 9, dtype=torch.long)
    axes = {"embeddings": {1: "tokens"}, "types": {1: "tokens"}}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, about sizes that are constant here
        whole = Path(folder) / "whole.onnx"
        torch.onnx.export(
            module,
            (embeddings, types),
            whole,
            dynamo=False,  # its graphs cannot be quantised
            input_names=[*axes],
            dynamic_axes=axes,
            opset_version=17,
        )
        quantize_dynamic(whole, file, per_channel=True, weight_type=QuantType.QInt8)
    model = onnx.load(file)
    onnx.helper.set_model_props(model, {name: repr(value) for name, value in metadata.items()})
    onnx.save(model, file)
    file.chmod(0o644)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def agreement(module: nn.Module, network: Network, texts: Sequence[str]) -> float:
    """Return the share of each text's 10 nearest that float32 and int8 have in common."""
    exact, rounded = np.empty((len(texts), 384), "f"), np.empty((len(texts), 384), "f")
    for row, text in enumerate(texts):
        ids = tokenizer().encode(text).ids[:256]
        with torch.inference_mode():
            embeddings = torch.from_numpy(word_embeddings()[ids])[None]
            types = torch.zeros(1, len(ids), dtype=torch.long)
            exact[row] = module(embeddings, types)[0].mean(dim=0).numpy()
        rounded[row] = network.run(ids)[0].mean(axis=0)
    pairs = zip(_nearest(exact), _nearest(rounded), strict=True)
    return float(np.mean([len({*left} & {*right}) / 10 for left, right in pairs]))


def _nearest(vectors: Floats) -> list[list[int]]:
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1)
    nearest: list[list[int]] = np.argsort(-likeness, axis=1)[:, :10].tolist()
    return nearest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    module = Encoder()
    sha256 = export(module, {}, file)
    texts = [sentence for report in written_texts(NEWS) for sentence in report.sentences][:1000]
    shared = agreement(module, Network(file, sha256), texts)
    print(f"{file}: SHA-256 {sha256}, {file.stat().st_size:,} bytes, agreement {shared:.3f}")
    if shared < AGREE:
        file.unlink()
        raise SystemExit("int8 ranks too differently: not written")


if __name__ == "__main__":
    main()
