"""Which bundles wait, in the order in which they leave, and when each expires.

Bundles wait by destination node, not by link: routes change, queues need not.
"""

from dataclasses import dataclass, field
from enum import Enum
from heapq import heappop, heappush

from flight.instant import Instant
from flight.relay.bundle import BundleId
from flight.relay.node.labels import Label
from flight.relay.store.values import Entry

PRIORITIES = 4


class Stage(Enum):
    """Where a bundle in the store stands."""

    QUEUED = "queued"
    """Waits for a contact."""
    SENDING = "sending"
    """With LTP."""
    RESTING = "resting"
    """Its block failed; waits before it is sent again."""
    LEAVING = "leaving"
    """Given up; the store has been told."""
    FOR_HERE = "for here"
    """For a service of this node."""


@dataclass(slots=True)
class Held:
    """One bundle in the store, as the node sees it."""

    entry: Entry
    bundle_id: BundleId
    label: Label
    since: Instant
    """When it came, or was found again at start."""
    stage: Stage
    attempts: int = 0


@dataclass(slots=True)
class Queues:
    """The bundles of one node, by number; heaps point at them and may point at ones long gone."""

    held: dict[int, Held] = field(default_factory=dict)
    _waiting: dict[int, tuple[list[int], ...]] = field(default_factory=dict)
    _resting: list[tuple[int, int]] = field(default_factory=list)
    _expiring_dtn: list[tuple[int, int]] = field(default_factory=list)
    _expiring_mono: list[tuple[int, int]] = field(default_factory=list)

    def add(self, held: Held, now: Instant) -> None:
        """Take in a bundle; one that is not for here waits for a contact."""
        entry = held.entry
        self.held[entry.sequence] = held
        if entry.expires_dtn_ms and now.dtn_ms:
            heappush(self._expiring_dtn, (entry.expires_dtn_ms, entry.sequence))
        else:
            left_ns = max(entry.left_ms, 0) * 1_000_000
            heappush(self._expiring_mono, (now.mono_ns + left_ns, entry.sequence))
        if held.stage is Stage.QUEUED:
            self.queue(held)

    def queue(self, held: Held) -> None:
        """Let a bundle wait for a contact, in its place by age."""
        held.stage = Stage.QUEUED
        node = held.label.destination.node
        waiting = self._waiting.get(node)
        if waiting is None:
            waiting = self._waiting[node] = tuple([] for _ in range(PRIORITIES))
        heappush(waiting[held.entry.priority], held.entry.sequence)

    def rest(self, held: Held, until_ns: int) -> None:
        """Let a bundle wait until an instant before it is queued again."""
        held.stage = Stage.RESTING
        heappush(self._resting, (until_ns, held.entry.sequence))

    def first(self, nodes: tuple[int, ...]) -> Held | None:
        """Return the most urgent bundle for any of these destinations, the oldest of its class."""
        for priority in range(PRIORITIES):
            best: int | None = None
            for node in nodes:
                waiting = self._waiting.get(node)
                sequence = None if waiting is None else self._head(waiting[priority])
                if sequence is not None and (best is None or sequence < best):
                    best = sequence
            if best is not None:
                return self.held[best]
        return None

    def ahead(self, nodes: tuple[int, ...], count: int) -> list[int]:
        """Return about ``count`` bundles that are next in line, to be read from the store."""
        chosen: list[int] = []
        for priority in range(PRIORITIES):
            for node in nodes:
                waiting = self._waiting.get(node)
                if waiting is not None:
                    # The front of a heap is nearly sorted, and this is a guess ahead only.
                    chosen.extend(waiting[priority][: count - len(chosen)])
            if len(chosen) >= count:
                break
        return [sequence for sequence in chosen if self._is_queued(sequence)]

    def destinations(self) -> tuple[int, ...]:
        """Return the nodes that bundles wait for, or waited for."""
        return tuple(self._waiting)

    def tidy(self) -> None:
        """Forget destinations for which nothing waits."""
        for node, waiting in list(self._waiting.items()):
            if not any(self._head(heap) is not None for heap in waiting):
                del self._waiting[node]

    def wake(self, now: Instant) -> None:
        """Queue what has rested long enough."""
        while self._resting and self._resting[0][0] <= now.mono_ns:
            held = self.held.get(heappop(self._resting)[1])
            if held is not None and held.stage is Stage.RESTING:
                self.queue(held)

    def take_expired(self, now: Instant) -> list[Held]:
        """Return what has reached the end of its life; a bundle with LTP is returned once."""
        expired = []
        for heap, at in ((self._expiring_dtn, now.dtn_ms), (self._expiring_mono, now.mono_ns)):
            while heap and heap[0][0] <= at:
                held = self.held.get(heappop(heap)[1])
                if held is not None:
                    expired.append(held)
        return expired

    def next_deadline_ns(self, now: Instant) -> int | None:
        """Return the ``mono_ns`` of the next waking or expiry, as reckoned at ``now``."""
        deadlines = [heap[0][0] for heap in (self._resting, self._expiring_mono) if heap]
        if self._expiring_dtn and now.dtn_ms:
            ahead_ms = self._expiring_dtn[0][0] - now.dtn_ms
            deadlines.append(now.mono_ns + ahead_ms * 1_000_000)
        return min(deadlines, default=None)

    def count_queued(self) -> tuple[int, ...]:
        """Return how many bundles wait to be sent, by priority."""
        counts = [0] * PRIORITIES
        for held in self.held.values():
            if held.stage in {Stage.QUEUED, Stage.RESTING}:
                counts[held.entry.priority] += 1
        return tuple(counts)

    def _head(self, heap: list[int]) -> int | None:
        while heap and not self._is_queued(heap[0]):
            heappop(heap)
        return heap[0] if heap else None

    def _is_queued(self, sequence: int) -> bool:
        held = self.held.get(sequence)
        return held is not None and held.stage is Stage.QUEUED


def is_past(held: Held, now: Instant) -> bool:
    """Say whether a bundle's life is over, by the clock if there is one, else by its age."""
    entry = held.entry
    if entry.expires_dtn_ms and now.dtn_ms:
        return entry.expires_dtn_ms <= now.dtn_ms
    return now.mono_ns - held.since.mono_ns >= entry.left_ms * 1_000_000
