"""Which processor the control thread and the store's writer run on: one, and the same.

The two never run at once: whoever runs Python holds the interpreter, and the writer sleeps while
the medium works. On one processor each wakes the other with a switch; on two, an idle processor
has to be woken each time, which costs a good part of what the medium itself takes. It is a matter
of speed alone: where the system does not allow it, everything goes on without.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

STAT = Path("/proc/thread-self/stat")
_given: set[int] = set()
"""The processors that this process might use before it kept to one."""


@contextlib.contextmanager
def one_processor(number: int | None = None) -> Iterator[None]:
    """Keep the calling thread, and those that it starts meanwhile, to one processor.

    ``number`` counts among those allowed, and round; without it, the one that the system has put
    the thread on.
    """
    allowed = sorted(os.sched_getaffinity(0))
    chosen = _current() if number is None else allowed[number % len(allowed)]
    _given.update(allowed)
    _allow({chosen} & _given or {allowed[0]})
    try:
        yield
    finally:
        _allow(allowed)
        _given.clear()


@contextlib.contextmanager
def all_processors() -> Iterator[None]:
    """Let what is started meanwhile, such as a child process, use what this process might."""
    if not _given:
        yield
        return
    one = os.sched_getaffinity(0)
    _allow(_given)
    try:
        yield
    finally:
        _allow(one)


def _allow(processors: Iterable[int]) -> None:
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, processors)


def _current() -> int:
    """Return the processor that this thread is on (proc(5): field 39 of stat)."""
    try:
        stat = STAT.read_text(encoding="ascii", errors="replace")
        return int(stat.rpartition(")")[2].split()[36])
    except (OSError, ValueError, IndexError):
        return -1
