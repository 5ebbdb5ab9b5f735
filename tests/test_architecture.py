"""The house's rules that no reader should have to check: who may import whom."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "index").rglob("*.py"))
BOT = sorted((ROOT / "bot").rglob("*.py"))
ALL = [*MODULES, *BOT]
NAMES = [path.relative_to(ROOT).as_posix() for path in ALL]


def tree(path: Path) -> ast.Module:
    """A module, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> set[str]:
    """Full names of all that a module imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_index_knows_no_discord_and_no_async(path: Path) -> None:
    """Index works without bot, discord, asyncio or any other event loop."""
    outside = {name.split(".")[0] for name in imports(path)}
    assert not outside & {"bot", "discord", "asyncio", "aiohttp", "anyio", "trio", "typer", "rich"}
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not any(isinstance(node, kinds) for node in ast.walk(tree(path)))


@pytest.mark.parametrize("path", ALL, ids=NAMES)
def test_modules_are_read_at_a_sitting(path: Path) -> None:
    """Each module says what it is, and none outgrows what a reader can hold."""
    assert ast.get_docstring(tree(path))
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


def test_heavy_imports_wait() -> None:
    """Torch and sentence-transformers are imported by functions, so that a start is quick."""
    for path in ALL:
        for statement in tree(path).body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                source = ast.unparse(statement)
                assert not re.search(r"\b(torch|sentence_transformers|transformers)\b", source), (
                    path
                )
