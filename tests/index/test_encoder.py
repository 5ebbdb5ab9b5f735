"""Encoders keep their promises; the packaged weights are checked. Marked tests load them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.fakes import DIMENSION, FakeEncoder

from index import encoder as module
from index.encoder import PACKAGED_MODEL, Encoder, SentenceTransformerEncoder
from index.errors import EncoderError
from index.text.sentences import Span

TEXTS = ["The dam failed.", "A cup was won by Athletic.", "x", "The dam failed at dawn, they said."]
ENCODERS = [
    pytest.param(FakeEncoder, DIMENSION, id="fake"),
    pytest.param(SentenceTransformerEncoder, 384, id="real", marks=pytest.mark.encoder),
]


@pytest.fixture(scope="module")
def loaded() -> dict[type, Encoder]:
    """One encoder of each kind for all tests, since loading takes seconds."""
    return {}


@pytest.mark.parametrize(("kind", "dimension"), ENCODERS)
def test_what_every_encoder_promises(
    kind: type[Encoder], dimension: int, loaded: dict[type, Encoder]
) -> None:
    """Vectors are float32, of unit norm, in the order of the texts, and independent."""
    encoder = loaded.setdefault(kind, kind())
    vectors = encoder.encode(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((4, dimension), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-4)
    backwards = encoder.encode(TEXTS[::-1])[::-1]
    assert np.abs(vectors - backwards).max() < 1e-4
    assert vectors[0] @ vectors[3] > vectors[1] @ vectors[3]
    empty = encoder.encode([])
    assert (empty.shape, empty.dtype) == ((0, dimension), np.float32)


@pytest.mark.parametrize(("kind", "dimension"), ENCODERS)
def test_any_text_is_embedded(
    kind: type[Encoder], dimension: int, loaded: dict[type, Encoder]
) -> None:
    """Empty, blank, very long and unusual texts have unit vectors too."""
    texts = ["", " \n", "word " * 3_000, "\x00", "😀\u202e\u0301", "橋が落ちた。"]
    vectors = loaded.setdefault(kind, kind()).encode(texts)
    assert vectors.shape == (6, dimension)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(6), abs=1e-4)


@pytest.mark.parametrize(("kind", "dimension"), ENCODERS)
def test_progress_is_reported_and_can_stop(
    kind: type[Encoder], dimension: int, loaded: dict[type, Encoder]
) -> None:
    """`on_progress` gets growing counts up to all texts, and what it raises stops the work."""
    counts: list[int] = []
    encoder = loaded.setdefault(kind, kind())
    assert encoder.encode(["a dam"] * 300, on_progress=counts.append).shape == (300, dimension)
    assert counts == sorted(counts)
    assert counts[-1] == 300

    def stop(_: int) -> None:
        raise KeyError("stop")

    with pytest.raises(KeyError):
        encoder.encode(["a dam"], on_progress=stop)


@pytest.mark.parametrize(("kind", "dimension"), ENCODERS)
def test_parts_of_a_question(
    kind: type[Encoder], dimension: int, loaded: dict[type, Encoder]
) -> None:
    """The whole is embedded as it is alone; each part is nearest to its own words."""
    encoder = loaded.setdefault(kind, kind())
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
def test_bulk_is_as_exact_as_one_by_one(loaded: dict[type, Encoder]) -> None:
    """A text has nearly the same vector alone and in bulk."""
    encoder = loaded.setdefault(SentenceTransformerEncoder, SentenceTransformerEncoder())
    bulk = encoder.encode(TEXTS * 40)[:4]
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.sum(bulk * alone, axis=1).min() > 0.999


@pytest.mark.encoder
def test_a_folder_is_a_model(capfd: pytest.CaptureFixture[str]) -> None:
    """A local folder is named with a hash of its weights, and loads silently."""
    folder = module._packaged_folder()
    encoder = SentenceTransformerEncoder(str(folder))
    assert encoder.encode(["The dam failed."]).shape == (1, 384)
    assert encoder.model.startswith(f"{folder.name}@")
    assert encoder.model == SentenceTransformerEncoder(str(folder)).model != PACKAGED_MODEL
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


@pytest.mark.encoder
def test_loading_changes_nothing_for_the_process() -> None:
    """A packaged model is loaded without the hub, and leaves the hub to others."""
    script = (
        "import os, socket; socket.getaddrinfo = socket.socket.connect = None\n"
        "from index.encoder import SentenceTransformerEncoder\n"
        "before = dict(os.environ); SentenceTransformerEncoder().encode(['x'])\n"
        "import huggingface_hub.constants as hub\n"
        "changed = {name for name in os.environ if os.environ[name] != before.get(name)}\n"
        "print(hub.HF_HUB_OFFLINE, [name for name in changed if 'HF' in name or 'THREADS' in name])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[0] == "False []"


@pytest.mark.encoder
def test_a_prepared_process_has_one_thread_a_pass(loaded: dict[type, Encoder]) -> None:
    """After `prepare_process`, torch runs a forward pass in one thread."""
    loaded.setdefault(SentenceTransformerEncoder, SentenceTransformerEncoder()).encode(["x"])
    assert sys.modules["torch"].get_num_threads() == 1


def test_the_packaged_model_is_named_without_loading() -> None:
    """The name needs no loading, so commands that embed nothing start at once."""
    encoder = SentenceTransformerEncoder()
    assert encoder.model == PACKAGED_MODEL
    assert encoder._loaded is None


@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_other_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """Packaged weights that are not the published ones are not loaded."""
    weights = module._packaged_folder() / "model.safetensors"
    copy = tmp_path / "model" / "model.safetensors"
    copy.parent.mkdir()
    if damage == "flipped":
        shutil.copyfile(weights, copy)
        with copy.open("r+b") as file:
            file.seek(50_000_000)
            byte = file.read(1)
            file.seek(50_000_000)
            file.write(bytes([byte[0] ^ 1]))
    monkeypatch.setattr(module, "files", lambda _: tmp_path)
    with pytest.raises(EncoderError, match="not the published ones"):
        SentenceTransformerEncoder().encode(["x"])


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package of weights the message says what to install."""

    def missing(name: str) -> Path:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(module, "files", missing)
    with pytest.raises(EncoderError, match="with pip"):
        SentenceTransformerEncoder().encode(["x"])


@pytest.mark.encoder
def test_an_unknown_model(tmp_path: Path) -> None:
    """A folder without a model is an EncoderError."""
    with pytest.raises(EncoderError, match="cannot be loaded"):
        SentenceTransformerEncoder(str(tmp_path)).encode(["x"])
