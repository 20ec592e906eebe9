"""How a child process binds itself to the control process and keeps within its means."""

import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1


def follow_parent() -> None:
    """Have the kernel kill this process when the control process dies, even by kill -9."""
    parent = os.getppid()
    die_with_parent()
    if os.getppid() != parent or parent == 1:
        raise SystemExit("the control process has gone")
    # What a library prints goes to the last words, of which what nobody reads is dropped.
    os.dup2(2, 1)
    # Real-time priority, which is inherited, belongs to the control process alone.
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def limit_memory(limit_bytes: int) -> None:
    """Bound this process's address space, and leave no core of it behind.

    The limits are soft: a program started from here may be given its own back.
    """
    for kind, limit in ((resource.RLIMIT_AS, limit_bytes), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (limit, resource.getrlimit(kind)[1]))


def free_memory() -> None:
    """Take limit_memory back."""
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_CORE):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (hard, hard))
