"""How an answer was made, and what has changed since, in words."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from support.answers import answer_of

from bot.views.explanation import explanation, share_of, strength
from index import LoggedAnswer, Notice, Standing

NOW = datetime(2026, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("became", "words"),
    [
        ((), "None of its reports has changed since."),
        (("corrected",), "**Since then:**\n- “A title” was corrected: It was *five*."),
        (("changed", "corrected"), "quoted here and was corrected: It was *five*."),
        (("withdrawn",), "“A title” is no longer marked as corrected."),
        (("removed",), "“A title” was removed."),
    ],
)
def test_what_has_changed_since_is_said(became: tuple[Any, ...], words: str) -> None:
    """A correction counts as a change, and is described as under the answer."""
    answer = answer_of(["The gate failed."])
    notice = Notice("corrected", "It was *five*.", NOW, "mod")
    article = replace(answer.citations[0].article, notice=notice)
    entry = LoggedAnswer(answer, NOW, 1, 2, (Standing(article, became),))
    assert words in re.sub(r"\\([*_])", r"\1", explanation(entry, [], 3))


def test_strength_falls_with_the_distance_to_the_best() -> None:
    """The best passage has the whole confidence; a lower score divides the odds."""
    assert share_of(0.8, 2.0, 2.0) == pytest.approx(0.8)
    assert share_of(0.8, 2.0 - math.log(4), 2.0) == pytest.approx(0.5)
    assert [strength(x) for x in (0.9, 0.3, 0.1)] == ["strong", "fair", "weak"]
    assert 0 <= share_of(1.0, -50, 50) <= share_of(0.0, 1, 1) <= 1
