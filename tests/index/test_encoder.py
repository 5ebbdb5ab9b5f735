"""Encoders meet their contract; the packaged weights are checked. Marked tests load them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from support.fakes import DIMENSION, FakeEncoder

from index import network
from index.encoder import (
    PACKAGED_MODEL,
    Encoder,
    PackagedEncoder,
    SentenceTransformerEncoder,
    load_encoder,
)
from index.errors import EncoderError
from index.text.sentences import Span

TEXTS = ["The dam failed.", "A cup was won by Athletic.", "x", "The dam failed at dawn, they said."]
ENCODERS = [
    pytest.param(FakeEncoder, id="fake"),
    pytest.param(PackagedEncoder, id="packaged", marks=pytest.mark.encoder),
    pytest.param(
        lambda: SentenceTransformerEncoder(str(network.packaged_folder())),
        id="folder",
        marks=pytest.mark.encoder,
    ),
]


@pytest.fixture(scope="module", params=ENCODERS)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    """Load one of each kind for all tests, since loading takes seconds."""
    made: Encoder = request.param()
    return made


@pytest.fixture
def dimension(encoder: Encoder) -> int:
    """Return the dimension of an encoder's vectors."""
    return DIMENSION if isinstance(encoder, FakeEncoder) else 384


def test_what_every_encoder_promises(encoder: Encoder, dimension: int) -> None:
    """Vectors are float32, of unit norm, in the order of the texts, and independent."""
    vectors = encoder.encode(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((4, dimension), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-4)
    backwards = encoder.encode(TEXTS[::-1])[::-1]
    assert np.abs(vectors - backwards).max() < 1e-4
    assert vectors[0] @ vectors[3] > vectors[1] @ vectors[3]
    empty = encoder.encode([])
    assert (empty.shape, empty.dtype) == ((0, dimension), np.float32)


def test_any_text_is_embedded(encoder: Encoder, dimension: int) -> None:
    """Empty, blank, very long and unusual texts have unit vectors too."""
    texts = ["", " \n", "word " * 3_000, "\x00", "😀\u202e\u0301", "橋が落ちた。"]
    vectors = encoder.encode(texts)
    assert vectors.shape == (6, dimension)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(6), abs=1e-4)


def test_progress_is_reported_and_can_stop(encoder: Encoder, dimension: int) -> None:
    """`on_progress` gets growing counts up to all texts, and can raise to stop the work."""
    counts: list[int] = []
    assert encoder.encode(["a dam"] * 300, on_progress=counts.append).shape == (300, dimension)
    assert counts == sorted(counts)
    assert counts[-1] == 300

    def stop(_: int) -> None:
        raise KeyError("stop")

    with pytest.raises(KeyError):
        encoder.encode(["a dam"], on_progress=stop)


def test_parts_of_a_question(encoder: Encoder, dimension: int) -> None:
    """The whole question is embedded as it is alone; each part is nearest to its own words."""
    first, second = "Who won the cup in Adell", "which bank lost data to thieves"
    question = f"{first}, and {second}?"
    spans = [Span(0, len(first)), Span(len(first) + 6, len(question))]
    vectors = encoder.encode_parts(question, spans)
    assert (vectors.shape, vectors.dtype) == ((3, dimension), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-4)
    alone = encoder.encode([question, first, second])
    assert vectors[0] @ alone[0] > 0.999
    near = vectors[1:] @ alone[1:].T
    assert near[0, 0] > near[0, 1]
    assert near[1, 1] > near[1, 0]
    assert encoder.encode_parts("Who?", []).shape == (1, dimension)
    assert encoder.encode_parts("Who " * 2_000, [Span(7_000, 7_900)]).shape == (2, dimension)


@pytest.mark.encoder
def test_bulk_is_as_exact_as_one_by_one(encoder: Encoder) -> None:
    """A text has nearly the same vector alone and in bulk."""
    bulk = encoder.encode(TEXTS * 40)[:4]
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.sum(bulk * alone, axis=1).min() > 0.999


@pytest.mark.encoder
def test_int8_ranks_as_the_weights_it_comes_from() -> None:
    """The packaged file and the float32 model give nearly the same vectors."""
    transformer = SentenceTransformerEncoder(str(network.packaged_folder()))._transformer()
    exact = transformer.encode(TEXTS, normalize_embeddings=True)
    assert np.sum(PackagedEncoder().encode(TEXTS) * exact, axis=1).min() > 0.97


@pytest.mark.encoder
@pytest.mark.parametrize("threads", [1, 3])
def test_packaged_vectors_depend_on_nothing_but_the_text(threads: int) -> None:
    """A text has exactly the same vector alone, among others and in parallel."""
    encoder = PackagedEncoder(threads=threads)
    many = encoder.encode(TEXTS * 20)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert (many == np.tile(alone, (20, 1))).all()


@pytest.mark.encoder
def test_prompts_precede_questions_and_sentences() -> None:
    """A model's own prompts are used unless the settings override them."""
    folder = str(network.packaged_folder())
    plain, stated = SentenceTransformerEncoder(folder), SentenceTransformerEncoder(folder)
    stated._transformer().prompts |= {"query": "query: ", "passage": "passage: "}
    named = SentenceTransformerEncoder(folder, prompts=("query: ", "passage: "))
    for encoder in (plain, stated, named):  # each prompt would move the centre
        encoder._centre = np.zeros(384, np.float32)
    question = "Who won the cup, and who lost?"
    parts = [Span(0, 15), Span(17, 29)]
    for encoder in (stated, named):
        expected = plain.encode(["passage: It rained."])
        assert np.allclose(encoder.encode(["It rained."]), expected, atol=1e-5)
        shifted = [Span(part.start + 7, part.end + 7) for part in parts]
        expected = plain.encode_parts(f"query: {question}", shifted)
        assert np.allclose(encoder.encode_parts(question, parts), expected, atol=1e-5)
    assert stated.model == named.model != plain.model


@pytest.mark.encoder
def test_unrelated_texts_are_far_apart() -> None:
    """What a model adds to every vector is taken off, so that unrelated texts have a low cosine."""
    encoder = SentenceTransformerEncoder(str(network.packaged_folder()))
    forward = encoder._forward

    def crowded(texts: list[str], *, bulk: bool = False) -> dict[str, Any]:
        output = forward(texts, bulk=bulk)
        for name in ("sentence_embedding", "token_embeddings"):
            output[name] = output[name] / output[name].norm(dim=-1, keepdim=True) + 2 / 384**0.5
        return output

    encoder._forward = crowded  # type: ignore[method-assign]
    question = encoder.encode_parts("Why did the dam fail?", [])[0]
    near, far = encoder.encode(["The dam failed in the storm.", "The actress turned eighty."])
    assert question @ near > 0.4
    assert abs(question @ far) < 0.2


@pytest.mark.encoder
def test_missing_weights_are_the_same_each_time(tmp_path: Path) -> None:
    """A model without a pooler, which nothing uses, has the same name whenever it is loaded."""
    folder = shutil.copytree(network.packaged_folder(), tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "pooler" not in name}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    assert len({SentenceTransformerEncoder(str(folder)).model for _ in range(2)}) == 1


@pytest.mark.encoder
def test_a_folder_is_a_model(capfd: pytest.CaptureFixture[str]) -> None:
    """A local folder is named with a hash of its weights, and loads silently."""
    folder = network.packaged_folder()
    encoder = SentenceTransformerEncoder(str(folder))
    assert encoder.encode(["The dam failed."]).shape == (1, 384)
    assert encoder.model.startswith(f"{folder.name}@")
    assert encoder.model == SentenceTransformerEncoder(str(folder)).model != PACKAGED_MODEL
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


@pytest.mark.encoder
def test_loading_changes_nothing_for_the_process() -> None:
    """The packaged models need no network and no torch, and leave the environment alone."""
    script = (
        "import os, socket; socket.getaddrinfo = socket.socket.connect = None\n"
        "import sys\n"
        "from index.encoder import PackagedEncoder\n"
        "from index.reader.excerpts import Excerpt\n"
        "from index.reader.model import TrainedReader\n"
        "before = dict(os.environ); PackagedEncoder().encode_parts('x', [])\n"
        "TrainedReader().read('Who?', [Excerpt('', ('She.',))])\n"
        "changed = {name for name in os.environ if os.environ[name] != before.get(name)}\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers'} & {*sys.modules}\n"
        "print([name for name in changed if 'HF' in name or 'THREADS' in name], heavy)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[0] == "[] set()"


@pytest.mark.encoder
def test_a_prepared_process_has_one_thread_a_pass() -> None:
    """After `prepare_process`, torch uses a single thread."""
    SentenceTransformerEncoder(str(network.packaged_folder())).encode(["x"])
    assert sys.modules["torch"].get_num_threads() == 1


def test_names_choose_the_encoder() -> None:
    """The packaged model needs no torch; other names are those of sentence-transformers."""
    assert isinstance(load_encoder(PACKAGED_MODEL), PackagedEncoder)
    assert load_encoder(PACKAGED_MODEL).model.startswith(PACKAGED_MODEL)
    other = load_encoder("intfloat/e5-small", threads=2, prompts=("query: ", "passage: "))
    assert isinstance(other, SentenceTransformerEncoder)
    assert (other.threads, other.prompts) == (2, ("query: ", "passage: "))


@pytest.fixture
def unloaded() -> Iterator[None]:
    """Let the packaged folder be looked up again, before and after a test."""
    for cached in (network.packaged_folder, network.word_embeddings, network.tokenizer):
        cached.cache_clear()
    yield
    for cached in (network.packaged_folder, network.word_embeddings, network.tokenizer):
        cached.cache_clear()


@pytest.mark.parametrize("damage", ["flipped", "missing"])
@pytest.mark.usefixtures("unloaded")
def test_other_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """Packaged weights that are not the published ones are not loaded."""
    weights = network.packaged_folder() / "model.safetensors"
    network.packaged_folder.cache_clear()
    copy = tmp_path / "model" / "model.safetensors"
    copy.parent.mkdir()
    if damage == "flipped":
        shutil.copyfile(weights, copy)
        with copy.open("r+b") as file:
            file.seek(50_000_000)
            byte = file.read(1)
            file.seek(50_000_000)
            file.write(bytes([byte[0] ^ 1]))
    monkeypatch.setattr(network, "files", lambda _: tmp_path)
    with pytest.raises(EncoderError, match="not the published ones"):
        PackagedEncoder().encode(["x"])


@pytest.mark.usefixtures("unloaded")
def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the package of weights is missing, the message says what to install."""

    def missing(name: str) -> Path:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(network, "files", missing)
    with pytest.raises(EncoderError, match="with pip"):
        PackagedEncoder().encode(["x"])


@pytest.mark.encoder
def test_an_unknown_model(tmp_path: Path) -> None:
    """A folder without a model is an EncoderError."""
    with pytest.raises(EncoderError, match="cannot be loaded"):
        SentenceTransformerEncoder(str(tmp_path)).encode(["x"])


def test_an_installation_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """If sentence-transformers is not installed, the message says what needs it."""
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(EncoderError, match=r"install that, or leave out the setting model\.name"):
        SentenceTransformerEncoder("another").encode(["x"])
