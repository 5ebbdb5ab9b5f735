"""Embed sentences ahead of time, in parts that several machines can share.

Each part reads the same sources and embeds every n-th article; nothing else is shared. A file maps
hashes of sentences to embeddings, so parts may overlap, be computed again, or be missing: sentences
that no file has are embedded when their articles are added.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.domain import Article
from index.encoder import Encoder, Vectors
from index.errors import InputError, ModelMismatchError
from index.reading.items import SourceItem
from index.text.sentences import Span, split

_HASH_BYTES = 16
_BATCH = 2_000  # sentences embedded at once


def encode_part(
    items: Iterable[SourceItem],
    encoder: Encoder,
    part: tuple[int, int],
    file: Path,
    on_progress: Callable[[int], None] | None = None,
) -> int:
    """Write the embeddings of the sentences of every n-th article to a file; return their number.

    Args:
        items: what sources hold; the same, in the same order, for every part.
        encoder: embeds the sentences.
        part: its number, 1-based, and the number of parts.
        file: written whole or not at all.
        on_progress: called with the number of sentences embedded.
    """
    number, count = part
    articles = (item for item in items if isinstance(item, Article))
    texts = dict[str, None]()
    for position, article in enumerate(articles):
        if position % count == number - 1:
            spans = split(article.text, article.language)
            texts.update(dict.fromkeys(article.text[span.start : span.end] for span in spans))
    sentences, batches = [*texts], []
    for first in range(0, len(sentences), _BATCH):
        batches.append(encoder.encode(sentences[first : first + _BATCH]))
        if on_progress is not None:
            on_progress(min(first + _BATCH, len(sentences)))
    vectors = np.concatenate(batches) if batches else np.empty((0, 0), dtype=np.float32)
    hashes = np.frombuffer(b"".join(map(_hash, sentences)), dtype=np.uint8)
    draft = file.with_name(f".{file.name}-{secrets.token_hex(4)}.draft")
    try:
        with draft.open("wb") as stream:
            np.savez(
                stream,
                model=np.array(encoder.model),
                hashes=hashes.reshape(-1, _HASH_BYTES),
                vectors=vectors.astype(np.float32, copy=False),
            )
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return len(sentences)


class PrecomputedEncoder:
    """An encoder that looks up embeddings in files, and computes those that are missing there.

    Attributes:
        model: the name of the weights, the same for the encoder and all files.
    """

    def __init__(self, encoder: Encoder, files: Iterable[Path]) -> None:
        """Read the files.

        Raises:
            InputError: a file was not written by `encode_part`, or is incomplete.
            ModelMismatchError: a file has embeddings of another model.
        """
        self.model = encoder.model
        self._encoder = encoder
        self._vectors: dict[bytes, Vectors] = {}
        for file in files:
            hashes, vectors = _read(file, encoder.model)
            self._vectors.update(zip(map(bytes, hashes), vectors, strict=True))

    def encode(
        self, texts: Sequence[str], *, on_progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """Return the embeddings of sentences, in their order: float32 (len(texts), d)."""
        known = [self._vectors.get(_hash(text)) for text in texts]
        missing = [text for text, vector in zip(texts, known, strict=True) if vector is None]
        computed = iter(self._encoder.encode(missing, on_progress=on_progress) if missing else ())
        rows = [next(computed) if vector is None else vector for vector in known]
        return np.stack(rows) if rows else self._encoder.encode([])

    def encode_parts(self, text: str, parts: Sequence[Span]) -> Vectors:
        """Embed a question and its parts, as the encoder does."""
        return self._encoder.encode_parts(text, parts)


def _hash(text: str) -> bytes:
    content = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=_HASH_BYTES).digest()


def _read(file: Path, model: str) -> tuple[npt.NDArray[np.uint8], Vectors]:
    """Return the hashes (n, 16) and vectors (n, d) of a file."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            file_model, hashes, vectors = str(data["model"]), data["hashes"], data["vectors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{file} is not a complete file of embeddings ({json.dumps(str(error))[:200]}): name a "
            "file that `onrecord encode` wrote."
        ) from error
    if file_model != model:
        raise ModelMismatchError(
            f"{file} has embeddings by {file_model}, but the settings name {model}: run `onrecord "
            "encode` again."
        )
    is_valid = (
        hashes.dtype == np.uint8
        and hashes.shape[1:] == (_HASH_BYTES,)
        and vectors.dtype == np.float32
        and vectors.ndim == 2  # noqa: PLR2004 - a matrix
        and len(hashes) == len(vectors)
        and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    )
    if not is_valid:
        raise InputError(f"{file} holds no valid embeddings: run `onrecord encode` again.")
    return hashes, vectors
