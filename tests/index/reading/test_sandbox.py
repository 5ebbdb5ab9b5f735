"""A parser that hangs, dies or takes too much fails its own file and nothing else."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.files import TEXT, page, pdf, refusal

from index.errors import SourceError
from index.reading import formats
from index.reading import sandbox as module
from index.reading.sandbox import Sandbox

ATTRIBUTES = " ".join(f"a{n}=1" for n in range(60_000))
HANGING = f"<html><body><p {ATTRIBUTES}>x</p>"  # lxml compares each with all before it
REPORT = pdf([TEXT[:60]])


@pytest.fixture
def sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Return a function that makes sandboxes, which are closed afterwards."""
    made: list[Sandbox] = []

    def make(**limits: int) -> Sandbox:
        made.append(Sandbox(**limits))
        return made[-1]

    yield make
    for box in made:
        box.close()


def test_a_hanging_process_is_replaced(sandbox: Callable[..., Sandbox]) -> None:
    """A file that takes too long fails in time, and the next file is read."""
    box = sandbox(seconds=3)
    with pytest.raises(SourceError, match="too much memory or time"):
        box.run("index.reading.pages.read_html", HANGING.encode())
    assert box.run("index.reading.pages.read_html", page().encode())[0]["text"] == TEXT


def test_slow_markdown_fails_in_time(
    sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Markdown is read within the time limit: megabytes of brackets take far more than a second."""
    monkeypatch.setattr(formats, "_SANDBOX", sandbox(seconds=1))
    assert "too much memory or time" in refusal(b"![" * 2_000_000, "brackets.md")


def test_a_dead_process_is_replaced(sandbox: Callable[..., Sandbox]) -> None:
    """A process that was killed, idle or busy, is replaced."""
    box = sandbox()
    with pytest.raises(SourceError, match="too much memory or time"):
        box.run("builtins.eval", b"__import__('os')._exit(1)")
    for _ in range(2):
        assert box.run("index.reading.pdf.read_pdf", REPORT)
        assert box._process is not None
        box._process.kill()
        box._process.wait()


def test_memory_is_limited(sandbox: Callable[..., Sandbox]) -> None:
    """A file that takes too much memory fails alone."""
    box = sandbox(memory=400_000_000)
    with pytest.raises(SourceError, match="too much memory or time"):
        box.run("builtins.eval", b"len(bytearray(600_000_000))")
    assert box.run("index.reading.pdf.read_pdf", REPORT)


@pytest.mark.parametrize("reason", ["no program", "an early end", "no thread"])
def test_a_file_is_not_blamed_for_a_process_that_does_not_start(
    sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reason: str
) -> None:
    """If no process starts, the message says so; later the file is read."""
    monkeypatch.setattr(formats, "_SANDBOX", box := sandbox())
    with monkeypatch.context() as broken:
        if reason == "no program":
            broken.setattr(sys, "executable", str(tmp_path / "python"))
        elif reason == "an early end":
            broken.setattr(module, "_START", "raise MemoryError")
        else:
            broken.setattr(threading.Thread, "start", no_thread)
        message = refusal(REPORT, "report.pdf")
    assert message.startswith("report.pdf was not read: no process for it could be started.")
    assert box.run("index.reading.pdf.read_pdf", REPORT)


def no_thread(_: threading.Thread) -> None:
    """Fail like starting a thread on a machine that runs too many."""
    raise RuntimeError("can't start new thread")


def test_a_file_is_not_blamed_for_a_missing_library(sandbox: Callable[..., Sandbox]) -> None:
    """A library that cannot be loaded is named instead of the file."""
    with pytest.raises(SourceError, match=r"^was not read: .* \(no_such_library\)"):
        sandbox().run("no_such_library.read", REPORT)


def test_environment_variables_are_not_passed(
    sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment of the sandbox's process is empty."""
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    box = sandbox()
    box.run("index.reading.pdf.read_pdf", REPORT)
    assert box._process is not None
    assert Path(f"/proc/{box._process.pid}/environ").read_bytes() == b""


def test_each_process_loads_its_own_part(sandbox: Callable[..., Sandbox]) -> None:
    """The engine is not loaded in the sandbox, and parsers only there."""
    box = sandbox()
    box.run("index.reading.pdf.read_pdf", REPORT)
    assert not box.run("builtins.eval", b"any(m in __import__('sys').modules for m in ('faiss',))")
    script = "import sys, index.reading.sources; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    parsers = {"lxml", "trafilatura", "pypdfium2", "mammoth", "feedparser", "markdown_it"}
    assert not parsers & {*loaded}
