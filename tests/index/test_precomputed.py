"""Embeddings computed ahead of time: parts cover all, none is repeated, no wrong one is used."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fakes import FakeEncoder

from index.archive import Archive
from index.domain import Article
from index.errors import InputError, ModelMismatchError
from index.precomputed import PrecomputedEncoder, encode_part
from index.reading.sources import read

TEXTS = ("The dam failed. Nobody was warned.", "Athletic won the cup. Fans cheered.", "It rained.")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "reports"
    made.mkdir()
    for number, text in enumerate(TEXTS):
        (made / f"{number}.txt").write_text(text, encoding="utf-8")
    return made


def test_parts_are_not_embedded_again(folder: Path, tmp_path: Path) -> None:
    """Added with the parts, a collection is as if embedded here; missing parts are computed."""
    files = [tmp_path / f"{part}.npz" for part in (1, 2)]
    counts = [
        encode_part(read(str(folder)), FakeEncoder(), (part, 2), file)
        for part, file in enumerate(files, 1)
    ]
    assert counts == [3, 2]
    for given_files, expected in ((files, 0), (files[:1], 2), ([], 5)):
        here = FakeEncoder()
        encoder = PrecomputedEncoder(here, given_files)
        with closing(Archive.open(tmp_path / f"{expected}", "news", encoder)) as archive:
            archive.add([str(folder)])
            assert len(here.texts) == expected
            with archive._store.snapshot() as snapshot:
                for article in snapshot.articles():
                    for text, vector in snapshot.embedded(article.article_id).items():
                        assert vector == pytest.approx(FakeEncoder().vector(text))


@given(st.lists(st.sampled_from(TEXTS), max_size=9), st.integers(1, 5))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_parts_cover_every_sentence(tmp_path: Path, texts: list[str], count: int) -> None:
    """Whatever the number of parts, together they have each sentence."""
    articles = [Article(article_id=f"a{n}", title="A", text=text) for n, text in enumerate(texts)]
    files = []
    for part in range(1, count + 1):
        files.append(tmp_path / f"{part}.npz")
        encode_part(articles, FakeEncoder(), (part, count), files[-1])
    encoder = PrecomputedEncoder(FakeEncoder(fail_after=0), files)
    for text in texts:
        encoder.encode([f"{sentence.rstrip('.')}." for sentence in text.split(". ")])


def another_model(file: Path) -> None:
    """Write a file of another encoder."""
    encode_part([], FakeEncoder("other"), (1, 1), file)


def cut_short(file: Path) -> None:
    """Delete half of the file."""
    encode_part([Article(article_id="a", title="A", text=TEXTS[0])], FakeEncoder(), (1, 1), file)
    file.write_bytes(file.read_bytes()[:-300])


def no_embeddings(file: Path) -> None:
    """Write other numbers."""
    hashes, vectors = np.zeros((1, 16), np.uint8), np.full((1, 256), 7, np.float32)
    with file.open("wb") as stream:
        np.savez(stream, model=np.array("fake-256"), hashes=hashes, vectors=vectors)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (another_model, ModelMismatchError, "embeddings by other"),
        (cut_short, InputError, "not a complete file"),
        (no_embeddings, InputError, "no valid embeddings"),
        (lambda file: file.write_bytes(b"%PDF-1.7"), InputError, "not a complete file"),
        (lambda _: None, InputError, "not a complete file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, make: Callable[[Path], object], kind: type[Exception], message: str
) -> None:
    """A file of another model, of another program or with damage is refused by its name."""
    file = tmp_path / "part.npz"
    make(file)
    with pytest.raises(kind, match=message) as raised:
        PrecomputedEncoder(FakeEncoder(), [file])
    assert str(file) in str(raised.value)
