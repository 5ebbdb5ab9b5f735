"""Run parsers of files in another process, with limits of memory and time.

Parsers of HTML, PDF and Office files are large, partly written in C, and fed by strangers. If a
parser hangs, crashes or takes too much, only its file fails; the next file gets a new process. The
process answers in JSON, which cannot run code here, does not get our environment variables, and
gives up all rights that `isolation` can drop.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import logging
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from index.errors import SourceError
from index.reading.isolation import Isolation, isolate

log = logging.getLogger(__name__)
_MAX_ANSWER_BYTES = 200_000_000
_START_SECONDS = 60  # more than a crowded machine takes to start Python
_MAX_CALLS = 500  # of one process, in case a library leaks memory
_TOO_MUCH = "takes too much memory or time to read: shorten it, or save it as text"
_DAMAGED = "cannot be read: the file is damaged or in another format"
_NOT_STARTED = (
    "was not read: no process for it could be started. Try again later, when this machine has "
    "more free memory or runs fewer processes"
)
_INCOMPLETE = "was not read: a library for it cannot be loaded ({}). Install On Record again"
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
    `isolation` says what the process gave up; it is None until a process has started.
    """

    seconds: int = 30
    memory: int = 1_000_000_000
    isolation: Isolation | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _pipe: Connection | None = field(default=None, init=False)
    _calls: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        atexit.register(self.close)

    def run(self, function: str, data: bytes, **options: str | None) -> Any:
        """Return what `function(data, **options)` returns in the other process, as JSON.

        `function` is a full name, such as "index.reading.pages.read_html".

        Raises:
            SourceError: the function raised one, failed or took too much, or no process could be
                started; the message lacks its subject.
        """
        with self._lock:
            pipe, process = self._running()
            try:
                with _time_limit(process, self.seconds):
                    pipe.send_bytes(json.dumps([function, options]).encode())
                    pipe.send_bytes(data)
                    value, error = json.loads(pipe.recv_bytes(_MAX_ANSWER_BYTES))
            except (OSError, EOFError, TypeError, ValueError):
                self._stop()
                raise SourceError(_TOO_MUCH) from None
            except BaseException:  # an interrupt: the process is still working on this file
                self._stop()
                raise
        if error:
            raise SourceError(str(error))
        return value

    def close(self) -> None:
        """End the process; the next call starts a new process."""
        with self._lock:
            self._stop()

    def _running(self) -> tuple[Connection, subprocess.Popen[bytes]]:
        """Return a running process, started if necessary, and the pipe to it."""
        if self._calls >= _MAX_CALLS or (self._process and self._process.poll() is not None):
            self._stop()
        self._calls += 1
        if self._pipe and self._process:
            return self._pipe, self._process
        try:
            return self._started()
        except (OSError, EOFError, ValueError) as error:
            self._stop()
            raise SourceError(_NOT_STARTED) from error
        except BaseException:
            self._stop()
            raise

    def _started(self) -> tuple[Connection, subprocess.Popen[bytes]]:
        """Start a process, which reports when it is ready and what it has given up."""
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
        with _time_limit(self._process, _START_SECONDS):
            isolation = Isolation(**json.loads(self._pipe.recv_bytes()))
        if not isolation and isolation != self.isolation:
            log.warning("On this system, %s.", isolation)
        self.isolation = isolation
        return self._pipe, self._process

    def _stop(self) -> None:
        if self._pipe:
            self._pipe.close()
        if self._process:
            self._process.kill()
            self._process.wait()
        self._process = self._pipe = None
        self._calls = 0


@contextlib.contextmanager
def _time_limit(process: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    """Kill the process after a time, whatever it is doing; its pipe then breaks."""
    timer = threading.Timer(seconds, process.kill)
    try:
        timer.start()
    except RuntimeError as error:  # no thread can be started, so the file cannot be read
        raise SourceError(_NOT_STARTED) from error
    try:
        yield
    finally:
        timer.cancel()


# In the other process


def serve(descriptor: int, memory: int, seconds: int) -> None:
    """Set limits, give up what parsers do not need, report that, and answer calls.

    It ends when the pipe is closed.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the parent may ignore it
    with Connection(descriptor) as pipe, contextlib.suppress(EOFError, OSError):
        pipe.send_bytes(json.dumps(asdict(isolate(_PACKAGE))).encode())
        while True:
            function, options = json.loads(pipe.recv_bytes())
            data = pipe.recv_bytes()
            signal.alarm(seconds + 1)  # ends a process whose parent is gone
            answer = _call(function, data, options)
            signal.alarm(0)
            pipe.send_bytes(json.dumps(answer, default=datetime.isoformat).encode())


def _call(function: str, data: bytes, options: dict[str, Any]) -> tuple[Any, str | None]:
    """Return the result of a function, or its error message."""
    module, _, name = function.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)(data, **options), None
    except SourceError as error:
        return None, str(error)
    except ImportError as error:
        return None, _INCOMPLETE.format(error.name or error)
    except (MemoryError, RecursionError):
        raise  # the process ends: its state cannot be trusted
    except Exception:  # noqa: BLE001 - whatever a parser raises, the file is at fault
        return None, _DAMAGED
