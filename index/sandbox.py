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
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from index.errors import SourceError

_HEAD = 16  # bytes: how long the message behind it is, in decimal
_MAX_ANSWER = 200_000_000
_CALLS = 500  # then a new process, in case a library leaks
_TOO_MUCH = "takes too much memory or time to read: shorten it, or save it as text"
_DAMAGED = "cannot be read: it is damaged or of another format"


class Sandbox:
    """One process that runs functions by name. Safe from several threads, one at a time."""

    def __init__(self, *, seconds: float = 30.0, memory: int = 1_000_000_000) -> None:
        """Set the limits; nothing is started yet.

        Args:
            seconds: for one call.
            memory: bytes of address space.
        """
        self._seconds = seconds
        self._memory = memory
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._calls = 0

    def run(self, function: str, data: bytes, **options: str | None) -> Any:
        """Call `function(data, **options)` over there, by full name; it returns JSON.

        Raises:
            SourceError: it raised one, failed, or took too much; the sentence has no subject.
        """
        with self._lock:
            if self._calls >= _CALLS or (self._process and self._process.poll() is not None):
                self._stop()
            try:
                answer = self._exchange(function, data, options)
            except (OSError, EOFError, TypeError, ValueError):
                self._stop()
                raise SourceError(_TOO_MUCH) from None
            except BaseException:  # an interrupt: the process is still at work on this file
                self._stop()
                raise
            if answer.get("spent"):
                self._stop()
        if "error" in answer:
            raise SourceError(str(answer["error"]))
        return answer.get("value")

    def close(self) -> None:
        """End the process; the next call starts another."""
        with self._lock:
            self._stop()

    def _exchange(
        self, function: str, data: bytes, options: dict[str, str | None]
    ) -> dict[str, Any]:
        deadline = time.monotonic() + self._seconds
        line = self._line or self._start()
        self._calls += 1
        line.settimeout(self._seconds)
        _send(line, json.dumps([function, options]).encode())
        _send(line, data)
        answer = json.loads(_receive(line, deadline))
        if not isinstance(answer, dict):
            raise TypeError
        return answer

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        limits = [str(self._memory), str(int(self._seconds) + 1)]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), *limits],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd="/",
                env={"PYTHONPATH": _import_path(), "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,  # the terminal's Ctrl-C is for us
            )
        self._line = ours
        self._calls = 0
        atexit.register(self.close)
        return ours

    def _stop(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            atexit.unregister(self.close)
        self._line = self._process = None


def _import_path() -> str:
    return str(Path(__file__).resolve().parent.parent)


def _send(line: socket.socket, message: bytes) -> None:
    line.sendall(b"%*d" % (_HEAD, len(message)))
    line.sendall(message)


def _receive(line: socket.socket, deadline: float | None = None) -> bytes:
    size = int(_exactly(line, _HEAD, deadline))
    if not 0 <= size <= _MAX_ANSWER:
        raise ValueError(size)
    return _exactly(line, size, deadline)


def _exactly(line: socket.socket, size: int, deadline: float | None) -> bytes:
    message = bytearray()
    while len(message) < size:
        if deadline is not None:
            line.settimeout(max(deadline - time.monotonic(), 0.001))
        block = line.recv(min(size - len(message), 1 << 20))
        if not block:
            raise EOFError
        message += block
    return bytes(message)


def _serve(line: socket.socket, seconds: int) -> None:
    """Over there: answer calls until the line is closed."""
    while True:
        function, options = json.loads(_receive(line))
        data = _receive(line)
        used = resource.getrusage(resource.RUSAGE_SELF)
        until = int(used.ru_utime + used.ru_stime) + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
        _send(line, json.dumps(_answer(function, data, options)).encode())


def _answer(function: str, data: bytes, options: dict[str, Any]) -> dict[str, Any]:
    module, _, name = function.rpartition(".")
    try:
        return {"value": getattr(importlib.import_module(module), name)(data, **options)}
    except SourceError as error:
        return {"error": str(error)}
    except (MemoryError, RecursionError):
        return {"error": _TOO_MUCH, "spent": True}
    except Exception:  # noqa: BLE001 - whatever a parser raises, the file is what is wrong
        return {"error": _DAMAGED}


def _main(descriptor: str, memory: str, seconds: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=int(descriptor)) as line, contextlib.suppress(EOFError, OSError):
        _serve(line, int(seconds))


if __name__ == "__main__":
    _main(*sys.argv[1:])
