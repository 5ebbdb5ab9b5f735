"""Ordinary questions and near misses on the sample reports, with the real models."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
from benchmarks.ordinary import right

from index import Archive, PackagedEncoder, TrainedReader

QUESTIONS = Path(__file__).parents[2] / "data" / "ordinary.jsonl"


@pytest.mark.encoder
def test_ordinary_questions_are_answered_and_near_misses_declined(tmp_path: Path) -> None:
    """About as many questions as README says are answered and declined correctly."""
    encoder, reader = PackagedEncoder(), TrainedReader()
    archive = Archive.open(tmp_path, "sample", encoder, reader=reader)
    archive.add([str(files("bot") / "sample")])
    answered = declined = 0
    for line in QUESTIONS.read_text(encoding="utf-8").splitlines():
        question = json.loads(line)
        answer = archive.ask(question["question"])
        if question["gold"]:
            answered += right(answer, question["gold"], first=2)
        else:
            declined += answer.status == "declined"
    archive.close()
    assert answered >= 31  # of 36
    assert declined >= 13  # of 24
