"""Architectural rules that the import contract in pyproject.toml cannot express."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*(ROOT / "index").rglob("*.py"), *(ROOT / "bot").rglob("*.py")])
NAMES = [path.relative_to(ROOT).as_posix() for path in MODULES]
MAX_LINES = 350  # what a reader can hold; a module beyond it does more than one thing


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_modules_are_explained_and_short(path: Path) -> None:
    """Each module begins with a docstring, and has at most 350 lines."""
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_heavy_imports_wait(path: Path) -> None:
    """Torch and sentence-transformers are imported by functions, so that a start is quick."""
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            source = ast.unparse(statement)
            assert not re.search(r"\b(torch|sentence_transformers|transformers)\b", source)


def test_index_has_no_coroutines() -> None:
    """No function of index is async, so that it works in any thread or process."""
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    for path in (ROOT / "index").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not any(isinstance(node, kinds) for node in ast.walk(tree)), path
