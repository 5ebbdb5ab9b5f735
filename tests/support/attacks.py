"""What code in the sandbox must not be able to do.

Run as a script, it makes each attack twice, in a sandbox and in an ordinary process of the same
user, and prints both outcomes: the control shows that the attack works where nothing prevents it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
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
_FCNTL = {"x86_64": 72}.get(os.uname().machine, 25)
_FIONREAD = 0x541B
_IGNORED_BIT = 1 << 32  # the kernel takes 32 bits of a command
_POSIX_NAME = f"/onrecord-attack-{os.getpid()}"
_DELETE = 0  # IPC_RMID
_WAIT_FOR_NOTHING = 0o4000  # IPC_NOWAIT


def call(name: str, *arguments: object, returns: type = ctypes.c_int) -> int:
    """Call the C library; its errors are OSErrors."""
    function = ctypes.CDLL(None, use_errno=True)[name]
    function.restype = returns
    result = int(function(*arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def read(path: str) -> bytes:
    """Return the first bytes of a file."""
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
    """Change a file's permissions with the newest such call."""
    call("syscall", _FCHMODAT2, -100, target.encode(), 0o777, 0)


def fork(start: Callable[[], int]) -> None:
    """Start a copy of this process, which ends at once."""
    if start() == 0:
        os._exit(0)
    os.wait()


def clone3() -> int:
    """Fork with the newest such call."""
    return call("syscall", _CLONE3, struct.pack("11Q", *[0] * 4, signal.SIGCHLD, *[0] * 6), 88)


def lock(target: str) -> None:
    """Lock a file that is open for reading, so that nobody can write to it."""
    with open(target, "rb") as file:
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def signal_by_pipe() -> None:
    """Name the parent as the process that the kernel signals when a pipe is written to."""
    fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, PARENT)


def signal_by_pipe_in_disguise() -> None:
    """Do so by a command with a bit that the kernel ignores but a filter may not."""
    command = ctypes.c_long(fcntl.F_SETOWN | _IGNORED_BIT)
    call("syscall", _FCNTL, os.pipe()[0], command, ctypes.c_long(PARENT))


def make_posix_queue() -> None:
    """Make a POSIX message queue, and delete it."""
    name = _POSIX_NAME.encode()
    os.close(call("mq_open", name, os.O_CREAT | os.O_RDWR, 0o600, None))
    call("mq_unlink", name)


def make_posix_semaphore() -> None:
    """Make a named semaphore, and delete it."""
    from _multiprocessing import SemLock  # noqa: PLC0415

    SemLock(0, 1, 1, _POSIX_NAME, True)  # noqa: FBT003 - its arguments have no names


def make_posix_memory() -> None:
    """Make shared memory under a name, and delete it."""
    import _posixshmem  # noqa: PLC0415

    os.close(_posixshmem.shm_open(_POSIX_NAME, os.O_CREAT | os.O_RDWR, mode=0o600))
    _posixshmem.shm_unlink(_POSIX_NAME)


MESSAGE = struct.pack("@l8s", 1, b"message")  # its type and its text
# What processes of one user share by number (System V): how it is made and deleted.
SHARED: dict[str, tuple[Callable[[], int], Callable[[int], int]]] = {
    "queue": (
        lambda: call("msgget", 0, 0o600),
        lambda number: call("msgctl", number, _DELETE, None),
    ),
    "semaphore": (
        lambda: call("semget", 0, 1, 0o600),
        lambda number: call("semctl", number, 0, _DELETE),
    ),
    "shared memory": (
        lambda: call("shmget", 0, 4096, 0o600),
        lambda number: call("shmctl", number, _DELETE, None),
    ),
}


def make(kind: str) -> None:
    """Make one of these, and delete it."""
    create, delete = SHARED[kind]
    delete(create())


# Of the parent's: the target is its number.
ATTACKS_ON_SHARED: dict[str, Callable[[str], object]] = {
    "send to a queue": lambda n: call("msgsnd", int(n), MESSAGE, 8, _WAIT_FOR_NOTHING),
    "read from a queue": lambda n: call(
        "msgrcv",
        int(n),
        ctypes.create_string_buffer(64),
        8,
        0,
        _WAIT_FOR_NOTHING,
        returns=ctypes.c_ssize_t,
    ),
    "look at a queue": lambda n: call("msgctl", int(n), 2, ctypes.create_string_buffer(512)),
    "raise a semaphore": lambda n: call("semop", int(n), struct.pack("HhH", 0, 1, 0), 1),
    "raise a semaphore in time": lambda n: call(
        "semtimedop", int(n), struct.pack("HhH", 0, 1, 0), 1, None
    ),
    "set a semaphore": lambda n: call("semctl", int(n), 0, 16, 1),
    "map shared memory": lambda n: call("shmat", int(n), None, 0, returns=ctypes.c_ssize_t),
    "delete shared memory": lambda n: call("shmctl", int(n), _DELETE, None),
}
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
    "have the parent signalled": lambda _: signal_by_pipe(),
    "have the parent signalled in disguise": lambda _: signal_by_pipe_in_disguise(),
    "be signalled for a pipe": lambda _: fcntl.fcntl(os.pipe()[0], fcntl.F_SETFL, os.O_ASYNC),
    "command a device": lambda _: fcntl.ioctl(os.pipe()[0], _FIONREAD, bytes(4)),
    "lock a file": lock,
    "lock a file by another call": lambda target: call("flock", os.open(target, os.O_RDONLY), 1),
    "slow the parent down": lambda _: os.setpriority(os.PRIO_PROCESS, PARENT, 1),
    "change its own limits": lambda _: call("setrlimit", resource.RLIMIT_CORE, bytes(16)),
    **{f"make a {kind}": lambda _, kind=kind: make(kind) for kind in SHARED},
    "make a POSIX queue": lambda _: make_posix_queue(),
    "make a POSIX semaphore": lambda _: make_posix_semaphore(),
    "make POSIX shared memory": lambda _: make_posix_memory(),
    **ATTACKS_ON_SHARED,
}
READING = frozenset(name for name in ATTACKS if name.startswith(("read ", "list "))) - {
    "read the parent's memory by a call",
    "read from a queue",
}


@contextmanager
def target_of(name: str, folder: str) -> Iterator[str]:
    """Return the target of an attack: the number of something shared, or else a file."""
    file = Path(folder, "catalogue")
    file.write_text("all articles", encoding="utf-8")
    kind = next((kind for kind in SHARED if kind in name), "") if name in ATTACKS_ON_SHARED else ""
    if not kind:
        yield str(file)
        return
    create, delete = SHARED[kind]
    number = create()
    if kind == "queue":
        call("msgsnd", number, MESSAGE, 8, _WAIT_FOR_NOTHING)
    yield str(number)
    with suppress(OSError):  # the attack deleted it
        delete(number)


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
    for name in ATTACKS:
        with tempfile.TemporaryDirectory() as folder, target_of(name, folder) as target:
            with closing(Sandbox()) as box:
                in_sandbox = attempt_in(box, name, target)
            control = [sys.executable, __file__, name, target]
            outside = subprocess.run(
                control, capture_output=True, text=True, check=True, timeout=60
            ).stdout
            outcomes[name] = in_sandbox, outside.strip()
    print(json.dumps(outcomes))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
