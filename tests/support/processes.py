"""Start Python processes that find this code and `support`."""

from __future__ import annotations

import os
from pathlib import Path

_TESTS = Path(__file__).parents[1]


def environment() -> dict[str, str]:
    """Return the environment as it is now, with this code on Python's path."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(_TESTS.parent), str(_TESTS)])}
