"""Drop the rights of this process that a parser of strangers' files does not need.

The sandbox's process calls it before it sees a file. There are two layers, both of Linux, and each
is applied if this system has it. Landlock (Linux 5.13) makes only Python's own files readable, and
no other file, folder or process. seccomp (with the library libseccomp) refuses calls that Landlock
does not cover: sockets, programs, processes, signals, permissions, and whatever processes share by
number instead of by file: queues, semaphores and memory.
"""

from __future__ import annotations

import errno
import os
import site
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# Paths that a parser may have to read, besides Python's own folders.
_READABLE = (
    *("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64"),  # shared libraries
    *("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo"),
    *("/dev/null", "/dev/urandom", "/sys/devices/system/cpu"),
)
_REFUSED_CALLS = """
    socket socketpair connect bind listen accept accept4
    sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg
    execve execveat fork vfork kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo
    pidfd_open pidfd_getfd pidfd_send_signal ptrace process_vm_readv process_vm_writev kcmp
    process_madvise process_mrelease migrate_pages move_pages setpriority ioprio_set
    sched_setaffinity sched_setattr sched_setparam sched_setscheduler setrlimit
    creat truncate ftruncate unlink unlinkat rename renameat renameat2 rmdir mkdir mkdirat
    link linkat symlink symlinkat mknod mknodat utime utimes utimensat futimesat
    chmod fchmod fchmodat chown fchown lchown fchownat
    setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
    setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset
    mount umount2 move_mount open_tree fsopen fsmount pivot_root chroot unshare setns
    open_by_handle_at bpf perf_event_open io_uring_setup io_uring_enter io_uring_register
    userfaultfd keyctl add_key request_key ipc
    shmget shmat shmdt shmctl msgget msgsnd msgrcv msgctl semget semop semtimedop semctl
    mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedreceive flock
    init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct
    settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname syslog quotactl
    iopl ioperm personality
""".split()
_CLONE_THREAD = 0x10000
# Commands of fcntl that stay allowed copy a descriptor (also F_DUPFD_CLOEXEC, 1030) and read or set
# its flags (below 4). Others lock files, or have the kernel signal any process when a pipe is
# written to.
_LAST_FCNTL = 1030
_REFUSED_FCNTL = (*range(4, 64), *range(1024, _LAST_FCNTL))
# Calls since Linux 5.17, which libseccomp may not know by name; fchmodat2, of 6.6, is 452.
_NEWER_CALLS = range(450, 512)


@dataclass(frozen=True, slots=True)
class Isolation:
    """The layers that are in force in a process.

    Attributes:
        files: no file except Python's own can be opened, for reading or for writing.
        calls: no socket, program, process, or queue or memory shared by processes can be opened,
            no process can be signalled, and no file can be changed.
    """

    files: bool
    calls: bool

    def __bool__(self) -> bool:
        return self.files and self.calls

    def __str__(self) -> str:
        """Say what a parser can reach, and what this system lacks to prevent it."""
        if self:
            return "parsers of files and pages cannot reach files, the network or other processes"
        layers = {
            "read this user's files (preventing it takes Linux 5.13 with Landlock)": self.files,
            "reach the network and other processes (preventing it takes Linux and its library "
            "libseccomp)": self.calls,
        }
        gaps = " and ".join(gap for gap, closed in layers.items() if not closed)
        return f"parsers of files and pages have limits of memory and time, but can {gaps}"


def isolate(package: Path) -> Isolation:
    """Give up files, network, programs and other processes for good.

    Args:
        package: the folder of this package's code, which stays readable.
    """
    # Both libraries start a program to find the C library, and Landlock closes /proc: so first
    # prepare Landlock, then apply seccomp, then Landlock.
    apply_landlock = _prepare_landlock(package)
    calls = _apply_seccomp()
    return Isolation(files=apply_landlock(), calls=calls)


def _prepare_landlock(package: Path) -> Callable[[], bool]:
    """Return a function that applies the rules for files; it returns False if it cannot."""
    try:
        from py_landlock import AccessFs, Landlock, LandlockError  # noqa: PLC0415 - Linux only
    except ImportError:
        return lambda: False
    bases = {Path(base) for base in (sys.prefix, sys.base_prefix, site.getuserbase())}
    python = {base / name for base in bases for name in ("lib", "lib64")}
    rules = Landlock(strict=False)  # newer kernels refuse more

    def apply() -> bool:
        try:
            rules.apply()
        except (LandlockError, OSError):
            return False
        return True

    try:
        for path in filter(Path.exists, {package, *python, *map(Path, _READABLE)}):
            listing = AccessFs.READ_DIR if path.is_dir() else AccessFs(0)
            rules.add_path_rule(path, access=AccessFs.READ_FILE | listing)
    except (LandlockError, OSError):
        return lambda: False
    return apply


def _apply_seccomp() -> bool:
    """Refuse system calls; return False if libseccomp or the kernel's filter is missing."""
    try:
        # Without libseccomp, the import itself raises a RuntimeError.
        from pyseccomp import (  # type: ignore[import-untyped]  # noqa: PLC0415 - Linux only
            ALLOW,
            EQ,
            ERRNO,
            GT,
            MASKED_EQ,
            NE,
            Arg,
            SyscallFilter,
        )

        calls = SyscallFilter(ALLOW)

        def refuse(call: str | int, *conditions: Arg, error: int = errno.EPERM) -> None:
            with suppress(ValueError, OSError):  # this processor architecture has no such call
                calls.add_rule(ERRNO(error), call, *conditions)

        for name in _REFUSED_CALLS:
            refuse(name)
        for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC):
            refuse("open", Arg(1, MASKED_EQ, flag, flag))
            refuse("openat", Arg(2, MASKED_EQ, flag, flag))
        for command in _REFUSED_FCNTL:
            refuse("fcntl", Arg(1, EQ, command))
        refuse("fcntl", Arg(1, GT, _LAST_FCNTL))  # also with bits that the kernel ignores
        # ioctl can type into terminals and signal their users. If it is denied, Python sets flags
        # by fcntl instead.
        refuse("ioctl", error=errno.EACCES)
        refuse("prlimit64", Arg(2, NE, 0))  # setting a limit of any process
        refuse("clone", Arg(0, MASKED_EQ, _CLONE_THREAD, 0))  # starting a process, not a thread
        # The flags of these calls are in memory, where a filter cannot see them. If a call is
        # unknown, the C library uses an older call.
        for call in ("clone3", "openat2", *_NEWER_CALLS):
            refuse(call, error=errno.ENOSYS)
        calls.load()
    except (ImportError, OSError, RuntimeError):
        return False
    return True
