"""The documents are true: what they name exists, and what exists is named."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import discord
import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.newsroom import Newsroom

from bot.cli.app import app
from bot.cli.context import Run
from bot.settings import Settings

ROOT = Path(__file__).parent.parent
README, GUIDE = ROOT / "README.md", ROOT / "config" / "README.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("config/*.md"), *ROOT.glob("tests/**/*.md")])
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
MAX_WORDS = 1_500  # of the README


def blocks(document: Path, kind: str) -> list[str]:
    """The fenced blocks of a kind in a document, also those in lists."""
    text = document.read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


def test_readme_is_short_and_begins_with_what_a_newcomer_needs() -> None:
    """README begins with a summary, a picture and two commands, and has at most 1,500 words."""
    text = README.read_text(encoding="utf-8")
    assert len(text.split()) <= MAX_WORDS
    start = text.partition("\n## ")[0]
    assert re.match(r"# On Record\n\nA Discord bot [^#]+<img src=\"\.github/demo\.png\"", start)
    demo, tests = (command.strip().split(" && ") for command in blocks(README, "console")[:2])
    assert start.count("```console") == 2
    assert demo == [
        "python3 -m venv .venv",
        '.venv/bin/pip install ".[demo]"',
        ".venv/bin/onrecord demo",
    ]
    assert tests == [demo[0], '.venv/bin/pip install ".[test]"', ".venv/bin/pytest"]


def test_every_command_is_documented() -> None:
    """The guide's table has every command of `onrecord`, and only options that it takes."""
    rows = re.findall(r"^\| (`onrecord .*?) \|(.*)\|$", GUIDE.read_text("utf-8"), re.MULTILINE)
    documented = set()
    for usage, meaning in rows:
        names = re.findall(r"`onrecord ([a-z-]+)", usage)
        options = {option for name in names for p in COMMANDS[name].params for option in p.opts}
        assert {*re.findall(r"--[a-z-]+", usage + meaning)} <= options, usage
        documented.update(names)
    assert documented == set(COMMANDS)


@pytest.mark.parametrize("document", [README, GUIDE], ids=["README", "guide"])
def test_commands_in_examples_are_taken(document: Path) -> None:
    """Every line that calls `onrecord` names a command, with arguments that this command takes."""
    text = "".join(blocks(document, "console"))
    calls = re.findall(r"\bonrecord((?: --[a-z]+ \S+)*) ([a-z-]+)(.*)", text)
    parent = typer.main.get_command(app).make_context("onrecord", ["doctor"])
    parent.obj = Run(None, None, None, as_json=False, debug=False)
    for options, name, rest in calls:
        words = shlex.split(options + rest.partition(" && ")[0], comments=True)
        COMMANDS[name].make_context(name, words, parent=parent)
    assert calls


def test_every_setting_is_documented() -> None:
    """The guide's table has every setting, with its default, and no other."""
    section = GUIDE.read_text("utf-8").partition("\n## Settings\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*?) \|", section, re.MULTILINE)
    documented = {name: default.strip("`") for name, default in rows}
    defaults = Settings(data=Path()).model_dump(exclude={"token", "store_password", "data"})
    known = {"data": "the user data folder"}
    for name, value in defaults.items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        known |= {f"{name}.{key}".strip("."): shown(default) for key, default in pairs}
    assert documented == known


def shown(value: object) -> str:
    """A default as the guide shows it."""
    if value in ({}, (), "", None):
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


async def test_every_slash_command_is_documented(room: Newsroom) -> None:
    """README has every command and menu that Discord offers, and names no other."""
    text = README.read_text(encoding="utf-8")
    tree = room.env.bot.tree
    names = {command.qualified_name for command in tree.walk_commands()}
    groups = {name for name in names if any(other.startswith(f"{name} ") for other in names)}
    # “`/moderate sources list`, `add`, `pause`” names three commands.
    expanded = re.sub(
        r"`(/moderate sources) (\w+)`((?:, `\w+`)+)",
        lambda m: f"`{m[1]} {m[2]}`" + re.sub(r"`(\w+)`", rf"`{m[1]} \1`", m[3]),
        text,
    )
    assert {*re.findall(r"`/([a-z -]+)`", expanded)} == names - groups
    for menu in tree.walk_commands(type=discord.AppCommandType.message):
        assert f"*{menu.name}*" in text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Every link and picture within the project leads to an existing file and heading."""
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        target, _, anchor = "".join(link).partition("#")
        if target.startswith(("http:", "https:")):
            continue
        file = document.parent / target if target else document
        assert file.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.encoder
def test_the_answer_shown_is_the_answer_given(tmp_path: Path) -> None:
    """README's example is what the command prints, except for the answer's id."""
    (asked,) = re.findall(r"`onrecord (ask \".*?\")`", README.read_text(encoding="utf-8"))
    (answer,) = blocks(README, "text")

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "bot", "--data", str(tmp_path), *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return re.sub("answer [0-9a-f]{12}", "answer ID", done.stdout)

    run("add", "bot/sample")
    assert run(*shlex.split(asked)) == re.sub("answer [0-9a-f]{12}", "answer ID", answer)


def test_the_lock_has_every_dependency() -> None:
    """config/requirements.txt pins, with hashes, a version of each dependency that it may have."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "config" / "requirements.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([a-z0-9-]+)==(\S+)(?: ;.*?)? \\\n +--hash=sha256:", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[^#\s]", text, re.MULTILINE))
    for requirement in map(Requirement, project["dependencies"]):
        name = canonicalize_name(requirement.name)
        versions = [version for pinned, version in pins if pinned == name]
        if name in {"torch", "sentence-transformers"}:
            assert not versions
        else:
            assert versions, name
            assert all(requirement.specifier.contains(version) for version in versions)
