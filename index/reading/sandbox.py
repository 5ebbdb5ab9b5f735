"""Another process, with limits, in which hostile files are taken apart.

Parsers of HTML, PDF and Office files are large, partly in C, and fed by strangers. Here they run
without the settings and secrets of this process, without writing files, and within limits of
memory and time; if one hangs or dies, its file fails and the next gets a new process. It is
started when it is first needed, and speaks JSON, which cannot run code in the reader.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import resource
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from math import ceil
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from index.errors import SourceError

_MAX_ANSWER = 200_000_000  # bytes
_CALLS = 500  # then a new process, in case a library leaks
_TOO_MUCH = "takes too much memory or time to read: shorten it, or save it as text"
_DAMAGED = "cannot be read: it is damaged or of another format"


@dataclass(eq=False)
class Sandbox:
    """One process that runs functions by name. Safe from several threads, one at a time.

    Attributes:
        seconds: for one call.
        memory: bytes of address space.
    """

    seconds: float = 30.0
    memory: int = 1_000_000_000
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _line: Connection | None = field(default=None, init=False)
    _calls: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        atexit.register(self.close)

    def run(self, function: str, data: bytes, **options: str | None) -> Any:
        """Call `function(data, **options)` over there, by full name; it returns JSON.

        Raises:
            SourceError: it raised one, failed, or took too much; the sentence has no subject.
        """
        with self._lock:
            try:
                value, error = self._exchange(json.dumps([function, options]).encode(), data)
            except (OSError, EOFError, TypeError, ValueError):
                self._stop()
                raise SourceError(_TOO_MUCH) from None
            except BaseException:  # an interrupt: the process is still at work on this file
                self._stop()
                raise
        if error:
            raise SourceError(str(error))
        return value

    def close(self) -> None:
        """End the process; the next call starts another."""
        with self._lock:
            self._stop()

    def _exchange(self, call: bytes, data: bytes) -> Any:
        if self._calls >= _CALLS or (self._process and self._process.poll() is not None):
            self._stop()
        process, line = self._started()
        self._calls += 1
        too_late = threading.Timer(self.seconds, process.kill)  # which ends the line
        too_late.start()
        try:
            line.send_bytes(call)
            line.send_bytes(data)
            return json.loads(line.recv_bytes(_MAX_ANSWER))
        finally:
            too_late.cancel()

    def _started(self) -> tuple[subprocess.Popen[bytes], Connection]:
        if self._process and self._line:
            return self._process, self._line
        self._line, theirs = Pipe()
        limits = [str(self.memory), str(ceil(self.seconds) + 1)]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), *limits],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd="/",
                env={
                    "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                start_new_session=True,  # the terminal's Ctrl-C is for us
            )
        return self._process, self._line

    def _stop(self) -> None:
        if self._process and self._line:
            self._line.close()
            self._process.kill()
            self._process.wait()
        self._process = self._line = None
        self._calls = 0


def _serve(line: Connection, seconds: int) -> None:
    """Over there: answer calls until the line is closed, or a call takes too much."""
    while True:
        function, options = json.loads(line.recv_bytes())
        data = line.recv_bytes()
        signal.alarm(seconds)  # should nobody be left to kill it
        answer = _answer(function, data, options)
        signal.alarm(0)
        line.send_bytes(json.dumps(answer).encode())


def _answer(function: str, data: bytes, options: dict[str, Any]) -> tuple[Any, str | None]:
    """What a function returns, or why it does not."""
    module, _, name = function.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)(data, **options), None
    except SourceError as error:
        return None, str(error)
    except (MemoryError, RecursionError):
        raise  # and end: who knows what was left behind
    except Exception:  # noqa: BLE001 - whatever a parser raises, the file is what is wrong
        return None, _DAMAGED


def _main(descriptor: str, memory: str, seconds: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Connection(int(descriptor)) as line, contextlib.suppress(EOFError, OSError):
        _serve(line, int(seconds))


if __name__ == "__main__":
    _main(*sys.argv[1:])
