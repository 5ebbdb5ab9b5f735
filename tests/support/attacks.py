"""What code in the sandbox must not be able to do.

Run as a script, it makes each attack twice, in a sandbox and in an ordinary process of the same
user, and prints both outcomes: the control shows that the attack works where nothing prevents it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from index.reading.sandbox import Sandbox

SECRET = "very-secret"
PARENT = os.getppid()
_ANYBODY_MAY_TRACE = (0x59616D61, -1, 0, 0, 0)  # PR_SET_PTRACER, where Yama guards processes
_PTRACE_SEIZE = 0x4206
_FCHMODAT2 = 452
_CLONE3 = 435
_RT_SIGQUEUEINFO = {"x86_64": 129}.get(os.uname().machine, 138)


def call(name: str, *arguments: object) -> int:
    """Call the C library; its errors are OSErrors."""
    result = int(ctypes.CDLL(None, use_errno=True)[name](*arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def read(path: str) -> bytes:
    """The first bytes of a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 100_000)
    finally:
        os.close(descriptor)


def read_secret(path: str) -> None:
    """Find the secret in an environment."""
    assert SECRET.encode() in read(path)


def read_memory() -> None:
    """Read where the parent's first segment starts, and its first bytes."""
    start = int(read(f"/proc/{PARENT}/maps").split(b"-")[0], 16)
    descriptor = os.open(f"/proc/{PARENT}/mem", os.O_RDONLY)
    assert os.pread(descriptor, 4, start)


def change_mode(target: str) -> None:
    """Change a file's permissions with the newest of the calls that do."""
    call("syscall", _FCHMODAT2, -100, target.encode(), 0o777, 0)


def fork(start: Callable[[], int]) -> None:
    """Start a copy of this process, which ends at once."""
    if start() == 0:
        os._exit(0)
    os.wait()


def clone3() -> int:
    """Fork with the newest of the calls that do."""
    return call("syscall", _CLONE3, struct.pack("11Q", *[0] * 4, signal.SIGCHLD, *[0] * 6), 88)


ATTACKS: dict[str, Callable[[str], object]] = {
    "read its own environment": lambda _: read_secret("/proc/self/environ"),
    "read the parent's environment": lambda _: read_secret(f"/proc/{PARENT}/environ"),
    "read the parent's memory": lambda _: read_memory(),
    "read the parent's memory by a call": lambda _: call(
        "process_vm_readv", PARENT, None, 0, None, 0, 0
    ),
    "trace the parent": lambda _: call("ptrace", _PTRACE_SEIZE, PARENT, None, None),
    "list the parent's files": lambda _: os.listdir(f"/proc/{PARENT}/fd"),
    "read a catalogue": read,
    "list the data folder": lambda target: os.listdir(os.path.dirname(target)),
    "write to a file": lambda target: os.open(target, os.O_RDWR),
    "append to a file": lambda target: os.open(target, os.O_WRONLY | os.O_APPEND),
    "empty a file": lambda target: os.truncate(target, 0),
    "create a file": lambda target: os.open(f"{target}.new", os.O_CREAT),
    "delete a file": os.remove,
    "rename a file": lambda target: os.rename(target, f"{target}.old"),
    "link to a file": lambda target: os.link(target, f"{target}.link"),
    "make a folder": lambda target: os.mkdir(f"{target}.folder"),
    "change permissions": lambda target: os.chmod(target, 0o777),
    "change permissions by the newest call": change_mode,
    "change an owner": lambda target: os.chown(target, os.getuid(), os.getgid()),
    "change a time": os.utime,
    "open an internet socket": lambda _: socket.socket(socket.AF_INET),
    "open a datagram socket": lambda _: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "open a socket of this machine": lambda _: socket.socket(socket.AF_UNIX),
    "run a program": lambda _: subprocess.run([sys.executable, "-c", ""], check=True),
    "become a program": lambda _: os.execv(sys.executable, [sys.executable, "-c", "print('done')"]),
    "fork": lambda _: fork(os.fork),
    "fork by the newest call": lambda _: fork(clone3),
    "signal the parent": lambda _: os.kill(PARENT, 0),
    "signal the parent by another call": lambda _: call(
        "syscall", _RT_SIGQUEUEINFO, PARENT, 0, ctypes.create_string_buffer(b"\0" * 8 + b"\xff" * 4)
    ),
    "hold on to the parent": lambda _: os.pidfd_open(PARENT),
    "change the parent's limits": lambda _: resource.prlimit(PARENT, resource.RLIMIT_CORE, (0, 0)),
    "slow the parent down": lambda _: os.setpriority(os.PRIO_PROCESS, PARENT, 1),
    "change its own limits": lambda _: call("setrlimit", resource.RLIMIT_CORE, bytes(16)),
}


def attempt(name: str, target: str) -> str:
    """Make an attack; return "done" or the name of its error."""
    try:
        ATTACKS[name](target)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except Exception as error:  # noqa: BLE001 - the test shows it
        return repr(error)
    return "done"


def attempt_in(box: Sandbox, name: str, target: str) -> str:
    """Make an attack in a sandbox; return "done" or the name of its error."""
    source = Path(__file__).read_text(encoding="utf-8")
    script = f"[names := {{'__name__': 'attacks'}}, exec({source!r}, names)]"
    attack = f"{script} and names['attempt']({name!r}, {target!r})"
    return str(box.run("builtins.eval", attack.encode()))


def main() -> None:
    """Print both outcomes of each attack as JSON, or make the one that is named."""
    if len(sys.argv) > 1:
        print(attempt(*sys.argv[1:]))  # noqa: T201 - the control's result
        return
    ctypes.CDLL(None).prctl(*_ANYBODY_MAY_TRACE)
    from index.reading.sandbox import Sandbox  # noqa: PLC0415 - not there in the sandbox

    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(ATTACKS):
            target = Path(folder, str(number))
            target.write_text("all articles", encoding="utf-8")
            with closing(Sandbox()) as box:
                in_sandbox = attempt_in(box, name, str(target))
            control = [sys.executable, __file__, name, str(target)]
            outside = subprocess.run(control, capture_output=True, text=True, check=True).stdout
            outcomes[name] = in_sandbox, outside.strip()
    print(json.dumps(outcomes))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
