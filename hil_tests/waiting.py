"""Wait for real processes and descriptors in tests, without ever sleeping."""

import select
from collections.abc import Callable
from typing import Protocol

from flight.board.clock import BoardClock
from flight.instant import Instant

PATIENCE_S = 60
"""A test that waited this long has failed; it is not a time that any test asserts."""


class Waitable(Protocol):
    """What has descriptors and deadlines, as the loop sees it."""

    def filenos(self) -> tuple[int, ...]: ...
    def next_deadline_ns(self) -> int | None: ...


def wait_until(source: Waitable, turn: Callable[[Instant], bool], *, haste: int = 1) -> Instant:
    """Call ``turn`` whenever a descriptor is readable or a deadline is reached, until it is true.

    Returns the instant at which it was. With ``haste`` the clock runs so many times faster, so
    that deadlines come sooner; processes do not.
    """
    clock = BoardClock()
    started_ns = clock.now().mono_ns
    while True:
        passed_ns = clock.now().mono_ns - started_ns
        now = Instant(started_ns + haste * passed_ns, 0)
        if turn(now):
            return now
        assert passed_ns < PATIENCE_S * 1_000_000_000, "waited in vain"
        deadline_ns = source.next_deadline_ns()
        pause_s = PATIENCE_S if deadline_ns is None else (deadline_ns - now.mono_ns) / 1e9 / haste
        select.select(source.filenos(), [], [], min(max(pause_s, 0), PATIENCE_S))


class One:
    """A sensor or port, whose one descriptor may be None, as a Waitable."""

    def __init__(self, source: "_OneDescriptor") -> None:
        self._source = source

    def filenos(self) -> tuple[int, ...]:
        """Return its descriptor, if it has one now."""
        fileno = self._source.fileno()
        return () if fileno is None else (fileno,)

    def next_deadline_ns(self) -> int | None:
        """Return its deadline."""
        return self._source.next_deadline_ns()


class _OneDescriptor(Protocol):
    def fileno(self) -> int | None: ...
    def next_deadline_ns(self) -> int | None: ...
