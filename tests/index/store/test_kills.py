"""Killed (-9) at any step of any operation, a collection is the old one or the new one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.killing import OPERATIONS

TESTS = Path(__file__).parents[2]


def run(arguments: list[str]) -> str:
    """What a Python process prints that has `support` at hand."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_any_step_nothing_is_lost_or_torn(operation: str) -> None:
    """Each kill leaves all articles, history and answers of before or of after, and whole files.

    One step in four is tried here; `python -m support.killing 1` tries each.
    """
    (line,) = run(["-m", "support.killing", "4", operation]).splitlines()
    assert json.loads(line)["kills"] > 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_killed_at_any_moment_what_was_reported_is_there() -> None:
    """Random changes, killed at random: nothing reported is lost, nothing is there in part."""
    script = TESTS / "benchmarks" / "kills.py"
    done = run([str(script), "--kills", "10", "--sentences", "600"])
    assert "10 kills survived" in done
