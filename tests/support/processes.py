"""Start Python processes that find this code and `support`."""

from __future__ import annotations

import os
from pathlib import Path

_TESTS = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(_TESTS.parent), str(_TESTS)])}
