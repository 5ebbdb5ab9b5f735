"""Working stand-ins: an encoder and a reader without a model, and helpers to fill a store."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from index.domain import Article
from index.encoder import Vectors
from index.errors import EncoderError
from index.reader.excerpts import Excerpt
from index.reader.model import Reading
from index.store.catalogue import Catalogue
from index.store.schema import SqliteDatabase, connect
from index.store.types import Changes, Commit, PreparedArticle
from index.text.sentences import Span, split
from index.text.terms import content_terms

DIMENSION = 256


class FakeEncoder:
    """Sets of words, hashed: texts that share words are near, and equal texts are equal.

    `texts` lists all that was embedded, so that a test can tell what was not.
    """

    def __init__(self, model: str = "fake-256", *, fail_after: int | None = None) -> None:
        """Name the model; it fails once it has embedded more than `fail_after` texts."""
        self.model = model
        self.texts: list[str] = []
        self.fail_after = fail_after

    def encode(
        self, texts: Sequence[str], *, on_progress: Callable[[int], None] | None = None
    ) -> Vectors:
        """Embed: float32 (n, 256), unit norm."""
        self.texts += texts
        if self.fail_after is not None and len(self.texts) > self.fail_after:
            raise EncoderError("The fake encoder was told to fail.")
        vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        for row, text in enumerate(texts):
            for term in content_terms(text) or [""]:
                vectors[row, zlib.crc32(f"{self.model} {term}".encode()) % DIMENSION] += 1
        if on_progress is not None:
            on_progress(len(texts))
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(norms, 1e-9), dtype=np.float32)

    def encode_parts(self, text: str, parts: Sequence[Span]) -> Vectors:
        """Embed a question and its parts, each alone: float32 (1 + parts, 256)."""
        return self.encode([text, *(text[part.start : part.end] for part in parts)])

    def vector(self, text: str) -> Vectors:
        """Return a vector (256,), without counting it."""
        return FakeEncoder(self.model).encode([text])[0]


class FakeReader:
    """Takes texts with certain parts for answers, and marks the parts."""

    model = "fake-reader"

    def __init__(self, *parts: str) -> None:
        """Give the parts that answer, whatever is asked."""
        self.parts = parts
        self.excerpts: list[Excerpt] = []

    def read(self, question: str, excerpts: Sequence[Excerpt]) -> list[list[Reading]]:
        """Judge each sentence; the question does not matter."""
        del question
        self.excerpts += excerpts
        return [[self._reading(sentence) for sentence in each.sentences] for each in excerpts]

    def _reading(self, sentence: str) -> Reading:
        part = next((part for part in self.parts if part in sentence), None)
        if part is None:
            return Reading(-4.0, 0.05)
        start = sentence.find(part)
        return Reading(4.0, 0.9, start, start + len(part))


def ready(article: Article, encoder: FakeEncoder | None = None) -> PreparedArticle:
    """Return an article with its sentences and their vectors, all said by the reporter."""
    spans = tuple(split(article.text))
    texts = [article.text[span.start : span.end] for span in spans]
    vectors = (encoder or FakeEncoder()).encode(texts)
    return PreparedArticle(article, spans, vectors, ((None, "report"),) * len(spans))


def put(
    store: Catalogue, *articles: Article, revive: bool = True, model: str = "fake-256"
) -> Commit:
    """Commit articles, embedded by the fake encoder of that model."""
    encoder = FakeEncoder(model)
    changes = Changes(put=[ready(article, encoder) for article in articles], revive=revive)
    return store.commit(changes, model=model, actor="tester", action="add")


def remove(store: Catalogue, *article_ids: str) -> Commit:
    """Commit the removal of articles."""
    changes = Changes(remove=article_ids)
    return store.commit(changes, model="fake-256", actor="tester", action="remove")


def restore(store: Catalogue, *article_ids: str) -> Commit:
    """Commit the return of removed articles."""
    changes = Changes(restore=article_ids)
    return store.commit(changes, model="fake-256", actor="tester", action="restore")


def write_rows(path: Path, rows: Iterable[object]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


class FailingOpener:
    """Opens connections that can be told to fail after so many steps of SQLite.

    A step is a few instructions of SQLite's virtual machine; failing is what a full disk, a
    broken cable or a killed query does: the statement under way ends with an error.
    """

    def __init__(self) -> None:
        self.opened: list[SqliteDatabase] = []
        self.left: int | None = None

    def __call__(self, path: Path) -> SqliteDatabase:
        """Open a catalogue."""
        connection = connect(path)
        connection.set_progress_handler(self._step, 4)
        self.opened.append(connection)
        return connection

    def _step(self) -> int:
        if self.left is None:
            return 0
        self.left -= 1
        return int(self.left < 0)
