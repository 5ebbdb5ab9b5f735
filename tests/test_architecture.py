"""The house's rules that no reader should have to check: who may import whom."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import index

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "index").glob("*.py"))
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


def within_index(path: Path) -> set[str]:
    """Which modules of index a module imports."""
    inside = (name.split(".") for name in imports(path) if name.startswith("index."))
    return {parts[1] for parts in inside}


def reading_order() -> list[str]:
    """The modules in the order that the package's docstring lists them."""
    listed = re.search(r"top to bottom: (.*?)\.", index.__doc__ or "", re.DOTALL)
    assert listed
    return [name.strip() for name in listed[1].split(",")]


def test_the_docstring_lists_the_modules() -> None:
    """The reading order names every module of index, once."""
    assert sorted(reading_order()) == [path.stem for path in MODULES if path.stem != "__init__"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_import_only_from_above(path: Path) -> None:
    """Within index imports follow the reading order, so that there is no circle."""
    order = reading_order()
    above = order[: order.index(path.stem)] if path.stem in order else []
    assert within_index(path) <= set(above)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_index_knows_no_discord_and_no_async(path: Path) -> None:
    """Index works without bot, discord, asyncio or any other event loop."""
    outside = {name.split(".")[0] for name in imports(path)}
    assert not outside & {"bot", "discord", "asyncio", "aiohttp", "anyio", "trio", "typer", "rich"}
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not any(isinstance(node, kinds) for node in ast.walk(tree(path)))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_index_never_prints(path: Path) -> None:
    """A library is silent: no print, and no writing to the standard streams."""
    names = {node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    assert not {"print", "input", "breakpoint"} & names
    assert not {"stdout", "stderr"} & attributes


def outer_calls(module: ast.Module) -> Iterator[str]:
    """Names of plain functions that are called while a module is imported."""
    for statement in module.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            called = statement.value.func
            yield called.id if isinstance(called, ast.Name) else ast.unparse(called)


@pytest.mark.parametrize("path", ALL, ids=NAMES)
def test_importing_prints_nothing(path: Path) -> None:
    """No module prints while it is imported."""
    assert "print" not in set(outer_calls(tree(path)))


@pytest.mark.parametrize("path", ALL, ids=NAMES)
def test_nobody_imports_the_command_line(path: Path) -> None:
    """bot.cli puts the parts together and is no part itself."""
    if path.stem != "__main__":
        assert not [name for name in imports(path) if (name + ".").startswith("bot.cli.")]


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
