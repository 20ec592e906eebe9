"""Segments that are said again until they are answered, and the queue of small segments.

Checkpoints, reports and cancels differ in what they say and not in how they are repeated (RFC
5326 sections 6.2, 6.3, 6.7): each is a Retry. Its clock starts when the segment leaves, not when
it is queued, and stands still while there is no contact.
"""

from collections import deque
from heapq import heapify, heappop, heappush
from typing import Protocol

from flight.relay.ltp.pacing import Pacer
from flight.relay.ltp.settings import LtpSettings


class Owner(Protocol):
    """Who answers for a Retry: the sending or the receiving half."""

    def on_timer(self, retry: "Retry", now_ns: int) -> None:
        """Send it again, or give up."""
        ...


class Retry:
    """One segment awaiting its answer."""

    __slots__ = (
        "attempts",
        "datagram",
        "due_ns",
        "first_ns",
        "is_open",
        "is_small",
        "last_ns",
        "number",
        "owner",
        "serial",
    )

    def __init__(
        self, owner: Owner, number: int, serial: int, datagram: bytes, *, is_small: bool
    ) -> None:
        self.owner = owner
        self.number = number
        """The session's."""
        self.serial = serial
        self.datagram = datagram
        self.is_small = is_small
        """Small enough to be said several times on a lossy link before its timer matters."""
        self.is_open = True
        self.attempts = 0
        self.first_ns = self.last_ns = 0
        """When it left, first and last."""
        self.due_ns = -1
        """When to send it again; -1: it is waiting to leave."""


class Timers:
    """Every Retry of one engine, and the small segments that wait for the line."""

    __slots__ = ("_heap", "_order", "_settings", "control", "dropped", "pacer")

    def __init__(self, settings: LtpSettings, pacer: Pacer) -> None:
        self._settings = settings
        self.pacer = pacer
        self.control: deque[tuple[bytes, Retry | None]] = deque()
        self.dropped = 0
        self._heap: list[tuple[int, int, Retry]] = []
        self._order = 0

    def say(self, datagram: bytes, retry: Retry | None = None) -> None:
        """Queue a small segment; when the queue is full, drop it: its timer brings it back."""
        if len(self.control) >= self._settings.control_segments_max:
            self.dropped += 1
            if retry is not None:
                retry.due_ns = retry.last_ns + self.pacer.wait_ns(retry.attempts)
                self._push(retry)
            return
        if retry is not None:
            retry.due_ns = -1
        self.control.append((datagram, retry))

    def take_control(self, most: int, now_ns: int) -> list[bytes]:
        """Take up to so many small segments off the queue: they leave now."""
        control = self.control
        taken: list[bytes] = []
        while control and len(taken) < most:
            datagram, retry = control.popleft()
            if retry is None:
                taken.append(datagram)
            elif retry.is_open:  # otherwise it was answered while it waited
                taken.append(datagram)
                self.left(retry, now_ns)
        return taken

    def left(self, retry: Retry, now_ns: int) -> None:
        """Start its clock: the segment is on the line."""
        retry.attempts += 1
        retry.last_ns = now_ns
        if retry.attempts == 1:
            retry.first_ns = now_ns
        pacer = self.pacer
        late = retry.attempts - self._copies(retry)
        retry.due_ns = now_ns + (pacer.spacing_ns() if late < 0 else pacer.wait_ns(late + 1))
        self._push(retry)

    def is_overdue(self, retry: Retry) -> bool:
        """Say whether all the planned copies have left."""
        return retry.attempts >= self._copies(retry)

    def _copies(self, retry: Retry) -> int:
        return self.pacer.copies(self._settings.repeats_max) if retry.is_small else 1

    def _push(self, retry: Retry) -> None:
        self._order += 1
        heappush(self._heap, (retry.due_ns, self._order, retry))

    def expire(self, now_ns: int) -> None:
        """Hand every Retry that is due to its owner."""
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            due_ns, _, retry = heappop(heap)
            if retry.is_open and retry.due_ns == due_ns:
                retry.owner.on_timer(retry, now_ns)

    def next_ns(self) -> int | None:
        """Return when the next Retry is due; forget those that were answered meanwhile."""
        heap = self._heap
        while heap and not heap[0][2].is_open:
            heappop(heap)
        return heap[0][0] if heap else None

    def resume(self, now_ns: int) -> None:
        """Give everything under way a full round trip again after a gap between contacts."""
        waiting = {id(retry): retry for _, _, retry in self._heap if retry.is_open}
        self._heap.clear()
        for retry in waiting.values():
            if retry.due_ns >= 0:
                retry.due_ns = now_ns + self.pacer.timeout_ns
                self._order += 1
                self._heap.append((retry.due_ns, self._order, retry))
        heapify(self._heap)
