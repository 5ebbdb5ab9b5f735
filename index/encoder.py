"""Embed texts as unit vectors with the packaged model or any sentence-transformers model."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from index.errors import EncoderError
from index.network import SEP, Network, packaged_folder, tokenizer
from index.text.sentences import Span

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = npt.NDArray[np.float32]

PACKAGED_MODEL = "all-MiniLM-L6-v2"
_WEIGHTS = Path(__file__).with_name("encoder.onnx")
_SHA256 = "394f63243d55d86979b8055b0a094a9b6936a07a25c81ba60f8d726687a431c6"
_DIMENSION = 384
_TOKENS = 256  # longer texts are truncated
_BATCH_TEXTS = 32
_BATCH_SLOTS = threading.Semaphore(os.cpu_count() or 1)  # shared by all encoders of the process
_BFLOAT16_TEXTS = 64  # fewer are not worth bfloat16, even where the processor computes it
# Sentences without a common topic or language: many models give all texts much the same direction
# (unrelated ones have a cosine of .74 with multilingual-e5-small), and these show which.
_TYPICAL = (
    "The mayor opened the new bridge on Monday.",
    "Shares of the company fell by four percent.",
    "The home team won its third match in a row.",
    "Rain is expected in the north tonight.",
    "Who wrote this song?",
    "Doctors warn of a new virus.",
    "Die Polizei sucht nach einem weißen Lieferwagen.",
    "Das Museum zeigt Bilder aus dem 17. Jahrhundert.",
    "Le train de Lyon est arrivé avec une heure de retard.",
    "La récolte de pommes a été bonne cette année.",
    "El juez aplazó la vista hasta el martes.",
    "La actriz cumple hoy ochenta años.",
    "Il consiglio ha approvato il bilancio.",
    "De boer verkoopt zijn koeien.",
    "O preço do pão subiu de novo.",
    "Учёные открыли новую комету.",
)
# Under these names sentence-transformers models state the prompts that they were trained with.
_FOR_QUESTIONS, _FOR_SENTENCES = ("query", "question"), ("document", "passage", "corpus")


class Encoder(Protocol):
    """A bi-encoder."""

    @property
    def model(self) -> str:
        """The name of the weights; only vectors of the same name are comparable."""

    def encode(
        self, texts: Sequence[str], *, on_progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """Return the embeddings of sentences, in their order: float32 (len(texts), d), unit norm.

        Texts too long for the model are truncated. `on_progress` is called from time to time with
        the number of texts embedded, and may raise to stop.

        Raises:
            EncoderError: the model cannot be loaded, or its output is not finite.
        """

    def encode_parts(self, text: str, parts: Sequence[Span]) -> Vectors:
        """Embed a question, then its parts in context: float32 (1 + len(parts), d), unit norm."""


def load_encoder(name: str, *, threads: int = 1, prompts: tuple[str, str] | None = None) -> Encoder:
    """Return the encoder of this name: the packaged model, a hub name or a local folder.

    It is loaded at first use. `prompts` precede questions and sentences; by default they are the
    prompts that the model states.
    """
    if name == PACKAGED_MODEL:
        return PackagedEncoder(threads=threads)
    return SentenceTransformerEncoder(name, threads=threads, prompts=prompts)


@dataclass(eq=False)
class PackagedEncoder:
    """all-MiniLM-L6-v2 in int8, without torch; embeds `threads` texts at a time.

    The cosine of its vectors and the float32 model's is .99. Safe to use from several threads.
    """

    _: KW_ONLY
    threads: int = 1

    @property
    def model(self) -> str:
        return f"{PACKAGED_MODEL} int8 {_SHA256[:8]}"

    def encode(
        self, texts: Sequence[str], *, on_progress: Callable[[int], None] | None = None
    ) -> Vectors:
        vectors = np.empty((len(texts), _DIMENSION), dtype=np.float32)

        def embed(start: int) -> int:
            batch = tokenizer().encode_batch(list(texts[start : start + _BATCH_TEXTS]))
            for row, encoded in enumerate(batch, start):
                vectors[row] = _hidden(encoded.ids).mean(axis=0)
            return len(batch)

        _embed_batches(embed, range(0, len(texts), _BATCH_TEXTS), self.threads, on_progress)
        return _unit(vectors)

    def encode_parts(self, text: str, parts: Sequence[Span]) -> Vectors:
        encoded = tokenizer().encode(text)
        return _means(_hidden(encoded.ids), encoded.offsets[:_TOKENS], parts)


def _hidden(ids: list[int]) -> Vectors:
    """Return the last hidden states (t, d) of a text's tokens."""
    if len(ids) > _TOKENS:
        ids = [*ids[: _TOKENS - 1], SEP]
    (hidden,) = _packaged().run(ids)
    return hidden


@lru_cache(maxsize=1)
def _packaged() -> Network:
    return Network(_WEIGHTS, _SHA256)


@dataclass(eq=False)
class SentenceTransformerEncoder:
    """Any sentence-transformers model: a hub name or a local folder.

    It is loaded at first use. Safe to use from several threads. Many texts at once are embedded in
    bfloat16 where the processor supports it, `threads` batches at a time. The mean of typical
    sentences is taken off each vector (Mu and Viswanath 2018), so that a cosine means about the
    same for every model: weights and thresholds elsewhere were fitted with the packaged one.

    Attributes:
        prompts: the prefixes of a question and of a sentence, which models such as E5 and BGE need
            ("query: ", "passage: "); None for those that the model states.
    """

    name: str
    _: KW_ONLY
    threads: int = 1
    prompts: tuple[str, str] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _loaded: SentenceTransformer | None = field(default=None, init=False)

    @cached_property
    def model(self) -> str:
        """The model's name and a hash of all that its vectors depend on."""
        digest = hashlib.sha256(repr((self._prompts, _TYPICAL)).encode())
        for name, weights in sorted(self._transformer().state_dict().items()):
            digest.update(name.encode() + weights.detach().cpu().contiguous().numpy().tobytes())
        return f"{Path(self.name).name}@{digest.hexdigest()[:12]}"

    def encode(
        self, texts: Sequence[str], *, on_progress: Callable[[int], None] | None = None
    ) -> Vectors:
        dimension = int(self._transformer().get_embedding_dimension() or 0)
        vectors = np.empty((len(texts), dimension), dtype=np.float32)
        _, prompt = self._prompts
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))  # for little padding

        def embed(start: int) -> int:
            rows = order[start : start + _BATCH_TEXTS]
            output = self._forward(
                [prompt + texts[i] for i in rows], bulk=len(texts) >= _BFLOAT16_TEXTS
            )
            vectors[rows] = output["sentence_embedding"].float().numpy()
            return len(rows)

        _embed_batches(embed, range(0, len(texts), _BATCH_TEXTS), self.threads, on_progress)
        if not np.isfinite(vectors).all():
            raise EncoderError(f"The model {self.name} gives no usable vectors: name another.")
        return self._centred(vectors)

    def encode_parts(self, text: str, parts: Sequence[Span]) -> Vectors:
        prompt, _ = self._prompts
        model = self._transformer()
        modes = [getattr(module, "pooling_mode", None) for module in model]
        if "mean" not in [getattr(mode, "value", mode) for mode in modes]:
            texts = [prompt + each for each in (text, *(text[p.start : p.end] for p in parts))]
            return self._centred(self._forward(texts)["sentence_embedding"].float().numpy())
        tokens = self._forward([prompt + text])["token_embeddings"][0].float().numpy()
        with self._lock:
            encoded = model.tokenizer(
                prompt + text,
                return_offsets_mapping=True,
                truncation=True,
                max_length=model.max_seq_length,
            )
        shifted = [Span(part.start + len(prompt), part.end + len(prompt)) for part in parts]
        return self._centred(_means(tokens, encoded["offset_mapping"], shifted))

    def _centred(self, vectors: Vectors) -> Vectors:
        return _unit(_unit(vectors) - self._centre)

    @cached_property
    def _centre(self) -> Vectors:
        """The mean vector (d,) of typical sentences."""
        _, prompt = self._prompts
        output = self._forward([prompt + text for text in _TYPICAL])
        typical = _unit(output["sentence_embedding"].float().numpy())
        return np.asarray(typical.mean(axis=0), dtype=np.float32)

    @cached_property
    def _prompts(self) -> tuple[str, str]:
        if self.prompts is not None:
            return self.prompts
        stated = self._transformer().prompts
        question, sentence = (
            next((prompt for name in names if (prompt := stated.get(name))), "")
            for names in (_FOR_QUESTIONS, _FOR_SENTENCES)
        )
        return question, sentence

    def _forward(self, texts: list[str], *, bulk: bool = False) -> dict[str, Any]:
        """Run the network once; `bulk` permits bfloat16 where that is fast (cosine > .9999)."""
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
                try:
                    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - seconds
                except ModuleNotFoundError as error:
                    raise EncoderError(
                        f"The model “{self.name}” needs sentence-transformers: install that, or "
                        f"leave out the setting model.name to use {PACKAGED_MODEL}."
                    ) from error
                import torch  # noqa: PLC0415 - as above

                try:
                    # Weights that a model leaves out (those of a pooler, which nothing uses) are
                    # made at random: the same each time, or the model would have another name.
                    with torch.random.fork_rng(devices=[]):
                        torch.manual_seed(0)
                        self._loaded = SentenceTransformer(self.name, device="cpu")
                except Exception as error:
                    raise EncoderError(
                        f"The model “{self.name}” cannot be loaded ({type(error).__name__}): name "
                        "a sentence-transformers model or folder, or leave it out to use "
                        f"{PACKAGED_MODEL}."
                    ) from error
            return self._loaded


def _embed_batches(
    embed: Callable[[int], int],
    starts: Sequence[int],
    threads: int,
    on_progress: Callable[[int], None] | None,
) -> None:
    """Call `embed`, which returns the number of texts embedded, on each start, in threads."""

    def embed_in_turn(start: int) -> int:
        with _BATCH_SLOTS:
            return embed(start)

    with ThreadPoolExecutor(threads) as workers:
        for done in accumulate(workers.map(embed_in_turn, starts)):
            if on_progress is not None:
                on_progress(done)


def _means(tokens: Vectors, offsets: Sequence[tuple[int, int]], parts: Sequence[Span]) -> Vectors:
    """Embed a text and its parts as means of hidden states (late chunking, Günther et al. 2024).

    Returns:
        float32 (1 + len(parts), d), unit norm: the whole text, then its parts. A truncated part
        has the vector of the whole text.
    """
    starts, ends = np.array(offsets).T
    means = [tokens.mean(axis=0)]
    for part in parts:
        inside = (starts < ends) & (starts >= part.start) & (ends <= part.end)
        means.append(tokens[inside].mean(axis=0) if inside.any() else means[0])
    return _unit(np.asarray(means, dtype=np.float32))


def _unit(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


@lru_cache(maxsize=1)
def common_words() -> frozenset[str]:
    """Return some 20,000 common English words, in lower case: whole words of the tokenizer."""
    pieces = json.loads((packaged_folder() / "tokenizer.json").read_bytes())["model"]["vocab"]
    return frozenset(piece for piece in pieces if piece.isalpha())
