"""A cross-encoder, where one is named, orders the best sentences and judges how sure they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.fakes import FakeEncoder, write_rows

from index.archive import Archive
from index.encoder import _packaged_folder
from index.errors import EncoderError
from index.ranking.features import Column
from index.ranking.rank import explained
from index.ranking.rerank import CrossEncoderReranker, Reranker, reranked

TEXT = "The dam at Tessen failed on Monday. The dam was old. Ingrid Sallow runs the dam. It rained."


class PrefersNames:
    """Sure of sentences with a name, and of no other."""

    model = "names"

    def chances(self, _: str, texts: Sequence[str]) -> Column:
        """0.9 with Sallow's name, else 0.1."""
        return np.array([0.9 if "Sallow" in text else 0.1 for text in texts], dtype=np.float32)


def opened(folder: Path, reranker: Reranker | None) -> Archive:
    """A collection of one report."""
    made = Archive.open(folder, "few", FakeEncoder(), threshold=0.5, reranker=reranker)
    made.add([str(write_rows(folder / "rows.jsonl", [{"id": "dam", "text": TEXT}]))])
    return made


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """The report, looked at again."""
    with closing(opened(tmp_path, PrefersNames())) as made:
        yield made


def test_its_order_and_its_judgement_count(archive: Archive, tmp_path: Path) -> None:
    """What it is surest of leads, and how sure it is decides whether to answer."""
    question = "When did the dam at Tessen fail?"
    with closing(opened(tmp_path, None)) as without:
        plain = without.search(question)
        alone = without.ask(question)
    assert plain.sentences[0].text.startswith("The dam at Tessen")
    ranking = archive.search(question)
    assert "Sallow" in ranking.sentences[0].text
    assert ranking.confidence == pytest.approx(0.9)
    assert {*ranking.sentences} == {*plain.sentences}
    answer = archive.ask(question)
    assert answer.status == "answered"
    assert answer.model == f"{alone.model} + names"
    assert answer.answer_id != alone.answer_id


def test_an_explanation_still_adds_up(archive: Archive) -> None:
    """Features stay with their sentences, and what the reranker moved is told."""
    ranking = archive.search("When did the dam at Tessen fail?")
    added = explained(ranking)
    np.testing.assert_allclose(np.sum([*added.values()], axis=0), ranking.scores, atol=1e-4)
    assert "reranker" in added
    assert ranking.features["reranker"].tolist() == pytest.approx([0.9, 0.1, 0.1, 0.1])


def test_nothing_found_is_nothing_to_rerank(tmp_path: Path) -> None:
    """An empty collection needs no model."""
    with closing(Archive.open(tmp_path, "none", FakeEncoder())) as empty:
        nothing = empty.search("Is there anything?")
    assert reranked(nothing, CrossEncoderReranker("no-such-model")) is nothing


@pytest.mark.encoder
def test_a_cross_encoder_is_loaded(tmp_path: Path) -> None:
    """A folder with a one-label model gives each text a chance, the same each time."""
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        num_labels=1,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(_packaged_folder()).save_pretrained(tmp_path)
    reranker = CrossEncoderReranker(str(tmp_path))
    texts = ["The dam failed.", "It rained.", ""]
    chances = reranker.chances("Did it rain?", texts)
    assert chances.shape == (3,)
    assert chances.dtype == np.float32
    assert ((chances > 0) & (chances < 1)).all()
    assert len({*chances.tolist()}) > 1
    assert reranker.chances("Did it rain?", texts).tolist() == chances.tolist()


@pytest.mark.encoder
def test_a_missing_cross_encoder_is_told(tmp_path: Path) -> None:
    """One that cannot be loaded is named in one sentence."""
    with pytest.raises(EncoderError, match=r"reranker .* cannot be loaded"):
        CrossEncoderReranker(str(tmp_path)).chances("Did it rain?", ["It rained."])
