"""A second process with limits of memory and time, in which parsers of files run.

Parsers of HTML, PDF and Office files are large, partly written in C, and fed by strangers. If one
hangs, crashes or takes too much, only its file fails; the next file gets a new process. The
process speaks JSON, which cannot run code here, and is not given our environment variables. It is
not isolated further: it runs as the same user.
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
from datetime import datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from index.errors import SourceError

_MAX_ANSWER_BYTES = 200_000_000
_MAX_CALLS = 500  # of one process, in case a library leaks memory
_TOO_MUCH = "takes too much memory or time to read: shorten it, or save it as text"
_DAMAGED = "cannot be read: the file is damaged or in another format"
_PACKAGE = Path(__file__).resolve().parents[1]

# Importing `index` loads the whole engine, FAISS included, which is slow and takes more memory than
# a parser should get. The child registers an empty package of that name instead.
_START = """
import sys, types
package = types.ModuleType("index")
package.__path__ = [sys.argv[1]]
sys.modules["index"] = package
from index.reading.sandbox import serve
serve(*map(int, sys.argv[2:]))
"""


@dataclass(eq=False)
class Sandbox:
    """A process that runs functions by name, one call at a time. Safe to use from several threads.

    It starts at the first call. `seconds` limits a call, `memory` the address space in bytes.
    """

    seconds: int = 30
    memory: int = 1_000_000_000
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _pipe: Connection | None = field(default=None, init=False)
    _calls: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        atexit.register(self.close)

    def run(self, function: str, data: bytes, **options: str | None) -> Any:
        """Return what `function(data, **options)` returns in the other process, as JSON.

        `function` is a full name, such as "index.reading.web.read_html".

        Raises:
            SourceError: it raised one, failed, or took too much; the message lacks its subject.
        """
        with self._lock:
            try:
                pipe = self._running()
                pipe.send_bytes(json.dumps([function, options]).encode())
                pipe.send_bytes(data)
                value, error = json.loads(pipe.recv_bytes(_MAX_ANSWER_BYTES))
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
        """End the process; another call starts a new one."""
        with self._lock:
            self._stop()

    def _running(self) -> Connection:
        """Return the pipe to a process that runs, newly started if it must be."""
        if self._calls >= _MAX_CALLS or (self._process and self._process.poll() is not None):
            self._stop()
        self._calls += 1
        if self._pipe is None:
            self._pipe, child_end = Pipe()
            numbers = map(str, [child_end.fileno(), self.memory, self.seconds])
            with child_end:
                self._process = subprocess.Popen(  # noqa: S603 - our own code
                    [sys.executable, "-B", "-P", "-c", _START, str(_PACKAGE), *numbers],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[child_end.fileno()],
                    cwd="/",
                    env={},
                    start_new_session=True,  # the terminal's Ctrl-C is for us
                )
        return self._pipe

    def _stop(self) -> None:
        if self._process and self._pipe:
            self._pipe.close()
            self._process.kill()
            self._process.wait()
        self._process = self._pipe = None
        self._calls = 0


# In the other process


def serve(descriptor: int, memory: int, seconds: int) -> None:
    """Set the limits, then answer calls until the pipe is closed or a call takes too long."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the parent may ignore it
    with Connection(descriptor) as pipe, contextlib.suppress(EOFError, OSError):
        while True:
            function, options = json.loads(pipe.recv_bytes())
            data = pipe.recv_bytes()
            signal.alarm(seconds)  # which ends the process, whatever it is doing
            answer = _call(function, data, options)
            signal.alarm(0)
            pipe.send_bytes(json.dumps(answer, default=datetime.isoformat).encode())


def _call(function: str, data: bytes, options: dict[str, Any]) -> tuple[Any, str | None]:
    """What a function returns, or its error message."""
    module, _, name = function.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)(data, **options), None
    except SourceError as error:
        return None, str(error)
    except (MemoryError, RecursionError):
        raise  # the process ends: its state cannot be trusted
    except Exception:  # noqa: BLE001 - whatever a parser raises, the file is at fault
        return None, _DAMAGED
