"""The two real reports that the project began with; skipped where they are not at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.archive import Archive
from index.encoder import SentenceTransformerEncoder

SEEDS = Path(__file__).parents[4] / "shared" / "seeds"

pytestmark = [
    pytest.mark.encoder,
    pytest.mark.data,
    pytest.mark.skipif(not SEEDS.is_dir(), reason="the two reports are not part of the project"),
]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    made = Archive.open(tmp_path_factory.mktemp("data"), "seeds", SentenceTransformerEncoder())
    made.add([str(SEEDS)])
    yield made
    made.close()


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Who leads the offensive?", "Hayat Tahrir al-Sham"),
        ("How far is Hama from Damascus?", "200 kilomet"),
        ("When did the offensive begin?", "November 27"),
        ("When did the offensive start?", "November 27"),
        ("What happened in 1982?", "1982"),
    ],
)
def test_right_sentence_comes_first(archive: Archive, question: str, words: str) -> None:
    """The first quote is the sentence that answers."""
    answer = archive.ask(question)
    assert answer.status == "answered"
    assert words in answer.quotes[0].quote.text


def test_claim_and_denial_stand_together(archive: Archive) -> None:
    """Asked whether it happened, the answer quotes who claims it and who denies it."""
    answer = archive.ask("Have the insurgents entered Hama?")
    quoted = [cited.quote.text for cited in answer.quotes]
    assert any("entered" in text and "denied" not in text for text in quoted)
    assert any("state media" in text and "denied" in text for text in quoted)


def test_unrelated_question_is_declined(archive: Archive) -> None:
    """A question about something else is declined."""
    assert archive.ask("Who won the football match?").status == "declined"
