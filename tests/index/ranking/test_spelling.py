"""Misspelt words are corrected to words of the reports, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from support.fakes import FakeEncoder, write_rows

from index.archive import Archive

TEXT = (
    "Residents of Velmora evacuated their homes on Monday. Evacuation orders were lifted later. "
    "Councillor Anneke Brandt spoke to the residents."
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Open a collection of a single report."""
    folder = tmp_path_factory.mktemp("data")
    with closing(Archive.open(folder, "few", FakeEncoder(), threshold=0.0)) as opened:
        opened.add([str(write_rows(folder / "a.jsonl", [{"title": "Velmora", "text": TEXT}]))])
        yield opened


@pytest.mark.parametrize(
    ("typed", "understood"),
    [
        ("why were resdents of velmroa evacuatted", "why were residents of Velmora evacuated"),
        ("what did annekke brandt say?", "what did Anneke brandt say?"),
        ("When were the residents evacuated?", "When were the residents evacuated?"),
    ],
)
def test_misspelt_words_are_read_as_the_reports_have_them(
    archive: Archive, typed: str, understood: str
) -> None:
    """An unknown word is replaced by the nearest form in the reports."""
    assert archive.ask(typed).question == understood


@pytest.mark.parametrize(
    "typed",
    [
        "what was the salary of the orderly",  # "salary" and "orderly" are words, though not here
        "What did Branst say?",  # a name in capitals may be another's
        "who left for 2031",
        "was it at the cafe",  # too short to tell
        "when was the home-monady match",  # "Monday" is no word for all of it
        "por qué evacuaron a los residentes de Velmora",  # no misspelt English
    ],
)
def test_words_and_names_are_not_corrected(archive: Archive, typed: str) -> None:
    """Common words, names in capitals, numbers, short and hyphenated words stay as they are."""
    assert archive.ask(typed).question == typed
