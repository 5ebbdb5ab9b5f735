"""The strength of evidence in words."""

from __future__ import annotations

import math

import pytest

from bot.views.explanation import share_of, strength


def test_strength_falls_with_the_distance_to_the_best() -> None:
    """The best passage has the whole confidence; a lower score divides the odds."""
    assert share_of(0.8, 2.0, 2.0) == pytest.approx(0.8)
    assert share_of(0.8, 2.0 - math.log(4), 2.0) == pytest.approx(0.5)
    assert [strength(x) for x in (0.9, 0.3, 0.1)] == ["strong", "fair", "weak"]
    assert 0 <= share_of(1.0, -50, 50) <= share_of(0.0, 1, 1) <= 1
