"""Collections of any size for `growth.py`: real reports, then reports recombined from them.

A recombined sentence has the first half of the words of one real sentence and the second half of
another's, shuffled, so that words are as frequent as in news and no run of words is copied. Its
vector is that of the first sentence, plus 0.2 to 0.8 times that of the second, plus noise of
length 0.4, made unit again: neighbours lie as near as those of one topic do. A paragraph each, 20
to a report; 200 publishers whose shares fall as 1 / rank; dates in three years.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from index.encoder import Encoder, Vectors
from index.text.sentences import Span, split

IN_A_REPORT = 20  # sentences
_PUBLISHERS = 200
_FIRST_DAY = datetime(2023, 1, 1, 12, tzinfo=UTC)
_DAYS = 3 * 365
_WORD = re.compile(r"[^\W_]+")


class Remembered:
    """An encoder that returns the vectors it was given, or made before."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.model = encoder.model
        self.vectors: dict[str, Vectors] = {}
        self._parts: dict[str, Vectors] = {}

    def encode(
        self, texts: Sequence[str], *, on_progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """Return float32 (n, 384): the given vectors, or embedded and kept."""
        del on_progress
        if new := [text for text in dict.fromkeys(texts) if text not in self.vectors]:
            self.vectors |= zip(new, self._encoder.encode(new), strict=True)
        return np.stack([self.vectors[text] for text in texts])

    def encode_parts(self, text: str, parts: Sequence[Span]) -> Vectors:
        """Return float32 (1 + parts, 384), embedded once."""
        key = f"{text} {[*parts]}"
        if key not in self._parts:
            self._parts[key] = self._encoder.encode_parts(text, parts)
        return self._parts[key]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the JSON lines of a file, plain or .gz."""
    content = path.read_bytes()
    lines = gzip.decompress(content) if path.suffix == ".gz" else content
    return [json.loads(line) for line in lines.splitlines() if line.strip()]


class Growing:
    """The contents of a collection, in portions; the same each time."""

    def __init__(self, reports: Sequence[dict[str, Any]], encoder: Remembered, kept: Path) -> None:
        """Embed the sentences of real reports, which are the first that are given, once.

        Their vectors are kept in a file.
        """
        self._reports = reports
        self._encoder = encoder
        self.real = [
            report["text"][span.start : span.end]
            for report in reports
            for span in split(report["text"], "en")
        ]
        if not kept.exists():
            np.save(kept, encoder.encode(self.real))
        self._base = np.load(kept)
        encoder.vectors |= zip(self.real, self._base, strict=True)
        self._words = [_WORD.findall(text) or ["none"] for text in self.real]

    def first(self) -> io.BytesIO:
        """Return the real reports as JSON lines."""
        return _stream(self._reports)

    def portions(self, sentences: int, size: int, seed: int = 0) -> Iterator[io.BytesIO]:
        """Yield recombined sentences as JSON lines, `size` at a time; only those are embedded."""
        rng = np.random.default_rng(seed)
        self._encoder.vectors.clear()
        for start in range(0, sentences, size):
            count = min(size, sentences - start) // IN_A_REPORT or 1
            yield _stream([self._report(rng, f"{seed}-{start}-{n}") for n in range(count)])
            self._encoder.vectors.clear()

    def _report(self, rng: np.random.Generator, name: str) -> dict[str, Any]:
        pairs = rng.integers(len(self.real), size=(IN_A_REPORT, 2))
        texts = [self._sentence(rng, *pair) for pair in pairs.tolist()]
        noise = rng.standard_normal((IN_A_REPORT, self._base.shape[1]))
        noise *= 0.4 / np.linalg.norm(noise, axis=1, keepdims=True)
        other = rng.uniform(0.2, 0.8, (IN_A_REPORT, 1)) * self._base[pairs[:, 1]]
        vectors = (self._base[pairs[:, 0]] + other + noise).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self._encoder.vectors |= zip(texts, vectors, strict=True)
        return {
            "id": name,
            "title": " ".join(texts[0].rstrip(".").split()[:8]),
            "text": "\n\n".join(texts),
            "publisher": publisher(int(_PUBLISHERS ** rng.random())),
            "published": (_FIRST_DAY + timedelta(int(rng.integers(_DAYS)))).isoformat(),
        }

    def _sentence(self, rng: np.random.Generator, one: int, other: int) -> str:
        first, second = self._words[one], self._words[other]
        words = first[: -(-len(first) // 2)] + second[len(second) // 2 :]
        rng.shuffle(words)
        return f"The {' '.join(words)} end."  # "end": no abbreviation joins it to the next


def publisher(rank: int) -> str:
    """Return the name of an invented publisher; that of rank 1 has the most reports."""
    return f"Tessen Paper {rank}"


def _stream(rows: Sequence[dict[str, Any]]) -> io.BytesIO:
    return io.BytesIO("\n".join(map(json.dumps, rows)).encode())
