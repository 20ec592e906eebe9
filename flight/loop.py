"""The loop: read the clock, hand that instant to everything, sleep until something is due.

Only here does flight wait. A turn that takes long makes everything late and nothing wrong: every
timer is an absolute instant.
"""

import select
from collections.abc import Callable, Sequence
from typing import Protocol

from flight.instant import Clock, Instant

LONGEST_SLEEP_MS = 1000
"""The loop looks up at least this often, for the watchdog and for signals."""


class Member(Protocol):
    """What the loop drives."""

    def filenos(self) -> tuple[int, ...]:
        """Return the descriptors whose readability is news."""
        ...

    def next_deadline_ns(self) -> int | None:
        """Return the ``mono_ns`` at which to call turn, or None when only descriptors count."""
        ...

    def turn(self, now: Instant) -> None:
        """Take in what came, act on what is due, put out what results. Never wait."""
        ...


class Loop:
    """Drives its members, in order, until told to stop."""

    def __init__(self, clock: Clock, members: Sequence[Member]) -> None:
        self._clock = clock
        self._members = members

    def run(
        self, *, stop: Callable[[Instant], bool], after_turn: Callable[[Instant], None]
    ) -> Instant:
        """Turn until ``stop`` says so; return the last instant.

        ``after_turn`` feeds the watchdog.
        """
        now = self._clock.now()
        while not stop(now):
            for member in self._members:
                member.turn(now)
            after_turn(now)
            self._sleep()
            now = self._clock.now()
        return now

    def _sleep(self) -> None:
        poller = select.poll()
        deadlines = []
        for member in self._members:
            for fileno in member.filenos():
                poller.register(fileno, select.POLLIN)
            deadline = member.next_deadline_ns()
            if deadline is not None:
                deadlines.append(deadline)
        sleep_ms = float(LONGEST_SLEEP_MS)
        if deadlines:
            left_ns = min(deadlines) - self._clock.now().mono_ns
            # Rounded up: waking just before a deadline would turn the loop for nothing.
            sleep_ms = min(sleep_ms, max(0, -(-left_ns // 1_000_000)))
        poller.poll(sleep_ms)
