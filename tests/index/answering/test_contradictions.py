"""Contradictions in pairs that were written without knowing the rules."""

from __future__ import annotations

import pytest
from benchmarks.contradictions import PAIRS, called

from index.encoder import SentenceTransformerEncoder


@pytest.mark.encoder
def test_what_is_called_a_contradiction_is_one() -> None:
    """Nine of ten calls are right, none is made where two reports agree, and some are made."""
    counted = called(PAIRS, SentenceTransformerEncoder())
    right = counted["disagree", "disagree"]
    calls = sum(count for (_, call), count in counted.items() if call == "disagree")
    assert right >= 10
    assert right >= 0.9 * calls
    assert counted["agree", "disagree"] == 0
