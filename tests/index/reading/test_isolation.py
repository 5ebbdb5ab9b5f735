"""Code in the sandbox can reach nothing of this machine, and parsers still work."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import attacks
from support.attacks import attempt_in
from support.files import BODY, entry, packed, page, paragraph, pdf, rss, word
from support.processes import environment

from index.errors import SourceError
from index.reading import sandbox as module
from index.reading.isolation import Isolation
from index.reading.sandbox import Sandbox

ROOT = Path(module.__file__).parents[2]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux isolates a process")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[str]]:
    """Return the outcome of each attack in a sandbox, and outside."""
    host = subprocess.run(
        [sys.executable, attacks.__file__],
        env=environment() | {"DISCORD_TOKEN": attacks.SECRET},
        capture_output=True,
        text=True,
        check=False,
    )
    assert host.returncode == 0, host.stderr
    return dict(json.loads(host.stdout))


@linux_only
@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_an_attack_fails_in_the_sandbox_and_works_outside(
    outcomes: dict[str, list[str]], name: str
) -> None:
    """The sandbox refuses what an ordinary process of the same user can do."""
    inside, outside = outcomes[name]
    if outside == "ENOSYS":
        pytest.skip("this kernel is too old for the attack")
    assert outside == "done"
    assert inside in {"EACCES", "EPERM", "ENOSYS"}


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Sandbox]]:
    """Return a function that makes a sandbox on a system without some libraries."""
    boxes: list[Sandbox] = []

    def make(libraries: str) -> Sandbox:
        missing = f"import sys; sys.modules |= dict.fromkeys({libraries.split()!r})\n"
        monkeypatch.setattr(module, "_START", missing + module._START)
        boxes.append(Sandbox())
        return boxes[-1]

    yield make
    for box in boxes:
        box.close()


PARAGRAPHS = "".join(map(paragraph, BODY))
FILES = {
    "pages.read_html": page().encode(),
    "markup.read_markdown": b"# Gate fails\n\nThe gate of Hallow Dam failed.",
    "feeds.read_feed": rss(entry("<description>The gate failed.</description>")).encode(),
    "office.read_zip": packed({"a.txt": "The gate failed."}),
    "office.read_zip ": word(PARAGRAPHS),
    "pdf.read_pdf": pdf([BODY[0][:60]]),
}


@pytest.mark.parametrize("libraries", ["", "py_landlock", "pyseccomp", "py_landlock pyseccomp"])
def test_every_reader_works(lacking: Callable[[str], Sandbox], libraries: str) -> None:
    """All formats are read with full isolation and without each part of it."""
    box = lacking(libraries)
    for reader, data in FILES.items():
        assert box.run(f"index.reading.{reader.strip()}", data), reader


@linux_only
@pytest.mark.parametrize(
    ("libraries", "left", "warning"),
    [
        ("", Isolation(files=True, calls=True), ""),
        ("py_landlock", Isolation(files=False, calls=True), "can read this user's files"),
        ("pyseccomp", Isolation(files=True, calls=False), "can reach the network and other"),
        ("py_landlock pyseccomp", Isolation(files=False, calls=False), "files .* and reach the"),
    ],
)
def test_missing_isolation_is_logged(
    lacking: Callable[[str], Sandbox],
    caplog: pytest.LogCaptureFixture,
    libraries: str,
    left: Isolation,
    warning: str,
) -> None:
    """If a layer is missing, a warning says once what a parser can do."""
    box = lacking(libraries)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            box.run("builtins.eval", b"1")
            box.close()
    assert box.isolation == left
    assert len(caplog.messages) == bool(warning)
    assert not warning or re.search(warning, caplog.text)


@linux_only
@pytest.mark.parametrize("attack", ["write to a file", "delete a file", "create a file"])
@pytest.mark.parametrize("libraries", ["py_landlock", "pyseccomp"])
def test_either_layer_protects_files(
    lacking: Callable[[str], Sandbox], tmp_path: Path, libraries: str, attack: str
) -> None:
    """With either layer alone, nothing is written, created or deleted."""
    (target := tmp_path / "catalogue").write_text("whole")
    assert attempt_in(lacking(libraries), attack, str(target)) in {"EACCES", "EPERM"}
    assert [path.read_text() for path in tmp_path.iterdir()] == ["whole"]


@linux_only
def test_without_landlock_code_can_read_and_nothing_else(
    lacking: Callable[[str], Sandbox], tmp_path: Path
) -> None:
    """With seccomp alone, files can be read, and other processes are safe."""
    box = lacking("py_landlock")
    works = set()
    for name in attacks.ATTACKS:
        with attacks.target_of(name, str(tmp_path)) as target:
            if attempt_in(box, name, target) not in {"EACCES", "EPERM", "ENOSYS"}:
                works.add(name)
    assert works <= attacks.READING


def test_a_call_cannot_lift_its_time_limit(lacking: Callable[[str], Sandbox]) -> None:
    """Code in the sandbox cannot stop the time limit, which the parent process keeps."""
    box = lacking("")
    box.seconds = 2
    with pytest.raises(SourceError, match="too much memory or time"):
        box.run("builtins.eval", b"__import__('signal').alarm(0), all(iter(lambda: 1, 0))")
