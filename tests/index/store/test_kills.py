"""Killed (-9) at any step of any operation, a collection is in its old or its new state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.killing import OPERATIONS
from support.processes import environment

TESTS = Path(__file__).parents[2]


def run(arguments: list[str]) -> str:
    """Run a Python process that can import `support`, and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_any_step_nothing_is_lost_or_torn(operation: str) -> None:
    """After each kill, articles, history, answers and files are those of before or after.

    One step in four is tried here; `python -m support.killing 1` tries each.
    """
    (line,) = run(["-m", "support.killing", "4", operation]).splitlines()
    assert json.loads(line)["kills"] > 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_killed_at_any_moment_reported_changes_are_kept() -> None:
    """After random changes and kills, all reported changes are there, and none in part."""
    script = TESTS / "benchmarks" / "kills.py"
    done = run([str(script), "--kills", "10", "--sentences", "600"])
    assert "10 kills survived" in done
