"""What convergence layers without sessions of their own share: blocks in line, and their pace."""

from heapq import heapify, heappop, heappush
from typing import NamedTuple

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
PRIORITIES = 4
_AHEAD_BLOCKS = 2
"""Taken in however slow the line is: one on it and one behind, so that it never falls idle."""
_LEAST_ROOM_BYTES = 512


class Waiting(NamedTuple):
    """A block that waits for the line; the smallest is the next."""

    priority: int
    order: int
    key: int
    block: bytes
    attempts: int
    """Lines that it was lost with."""


class Line:
    """The blocks not yet begun on one link, by urgency."""

    __slots__ = ("_ahead_ms", "_blocks", "_bytes", "_heap", "_order", "size")

    def __init__(self, *, ahead_ms: int) -> None:
        self._ahead_ms = ahead_ms
        self._heap: list[Waiting] = []
        self._blocks = [0] * PRIORITIES
        self._bytes = [0] * PRIORITIES
        self._order = 0
        self.size = 0
        """Bytes of all blocks here."""

    def __len__(self) -> int:
        return len(self._heap)

    def has_room(self, priority: int, rate_bytes_s: int) -> bool:
        """Say whether a block may come in; what is less urgent does not count."""
        if sum(self._blocks[: priority + 1]) < _AHEAD_BLOCKS:
            return True
        return sum(self._bytes[: priority + 1]) * 1000 < self._ahead_ms * rate_bytes_s

    def add(self, block: bytes, *, key: int, priority: int) -> None:
        """Let a block wait."""
        self._order += 1
        self._put(Waiting(priority, self._order, key, block, 0))

    def put_back(self, waiting: Waiting) -> None:
        """Let a block wait again, in its old place, that was lost with its line."""
        self._put(waiting._replace(attempts=waiting.attempts + 1))

    def next(self) -> Waiting | None:
        """Return the most urgent block, which stays."""
        return self._heap[0] if self._heap else None

    def take(self) -> Waiting:
        """Return, and forget, the most urgent block."""
        waiting = heappop(self._heap)
        self._count(waiting, -1)
        return waiting

    def remove(self, key: int) -> bool:
        """Forget a block; False: it is not here."""
        for waiting in self._heap:
            if waiting.key == key:
                self._heap.remove(waiting)
                heapify(self._heap)
                self._count(waiting, -1)
                return True
        return False

    def _put(self, waiting: Waiting) -> None:
        heappush(self._heap, waiting)
        self._count(waiting, 1)

    def _count(self, waiting: Waiting, one: int) -> None:
        self._blocks[waiting.priority] += one
        self._bytes[waiting.priority] += one * len(waiting.block)
        self.size += one * len(waiting.block)


class Throttle:
    """A contact's rate as permission to send: the line is reckoned busy until ``_free_ns``.

    A loop that wakes late may make up for it, but only by ``catch_up_ms``: more would only fill
    a queue behind us, where priorities are lost. Line time that nobody wanted is owed to nobody.
    """

    __slots__ = (
        "_catch_up_ns",
        "_free_ns",
        "_was_idle",
        "ends_ns",
        "rate_bytes_s",
        "round_trip_ns",
    )

    def __init__(self, *, catch_up_ms: int) -> None:
        self._catch_up_ns = catch_up_ms * _NS_PER_MS
        self._free_ns = 0
        self._was_idle = True
        self.rate_bytes_s = 0
        """0: no contact."""
        self.round_trip_ns = 0
        self.ends_ns: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a contact."""
        return self.rate_bytes_s > 0

    def room(self, now_ns: int) -> int:
        """Return how many bytes may leave now; a small piece may always leave a free line."""
        if not self.is_open or self._free_ns > now_ns:
            return 0
        self._free_ns = max(self._free_ns, now_ns - (0 if self._was_idle else self._catch_up_ns))
        room = (now_ns - self._free_ns) * self.rate_bytes_s // _NS_PER_S
        return max(room, _LEAST_ROOM_BYTES)

    def spend(self, size: int) -> None:
        """Keep the line busy with so many bytes."""
        self._free_ns += size * _NS_PER_S // self.rate_bytes_s
        self._was_idle = False

    def rest(self) -> None:
        """Note that nothing wants to leave."""
        self._was_idle = True

    def fits(self, size: int, now_ns: int) -> bool:
        """Say whether so many bytes would be on the other side before the contact ends."""
        if self.ends_ns is None:
            return True
        takes_ns = size * _NS_PER_S // self.rate_bytes_s + self.round_trip_ns
        return max(now_ns, self._free_ns) + takes_ns <= self.ends_ns

    def next_ns(self) -> int:
        """Return when to go on: a moment after the line falls free, so that pieces are not tiny."""
        return self._free_ns + _NS_PER_MS
