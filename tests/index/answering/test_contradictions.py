"""Contradictions and agreements in pairs written without knowledge of the rules."""

from __future__ import annotations

import pytest
from benchmarks.contradictions import PAIRS, calls

from index.encoder import PackagedEncoder


@pytest.mark.encoder
def test_what_is_called_a_contradiction_is_one() -> None:
    """15 of 16 calls are right, some are made, and nothing else is called an agreement."""
    counted = calls(PAIRS, PackagedEncoder())
    right = counted["disagree", "disagree"]
    alarms = sum(count for (_, call), count in counted.items() if call == "disagree")
    agreed = sum(count for (_, call), count in counted.items() if call == "agree")
    assert right >= 15
    assert right >= 15 / 16 * alarms
    assert agreed == counted["agree", "agree"]
    assert counted["agree", "disagree"] == 0
