"""A few of the files that tests/benchmarks/fuzz.py makes in large numbers."""

from __future__ import annotations

import random

import pytest
from benchmarks.fuzz import mutated, read_one, seeds


@pytest.mark.parametrize("name", seeds())
def test_a_mangled_file_is_read_or_refused(name: str) -> None:
    """A cut or altered file full of tricks is read without control characters, or refused."""
    files, dice = seeds(), random.Random(name)  # noqa: S311 - no secrets
    assert read_one(name, files[name]) == "read"
    for _ in range(8):
        read_one(name, mutated(files[name], [*files.values()], dice))
