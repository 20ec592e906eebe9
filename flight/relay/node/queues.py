"""Which bundles wait, in the order in which they leave, and when each expires.

Bundles wait by destination node: routes change, queues need not. Where a destination can be
reached over several links, each bundle for it is given one of them, and waits by both.
"""

from dataclasses import dataclass, field
from enum import Enum
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from flight.instant import Instant
from flight.relay.bundle import BundleId
from flight.relay.node.labels import Label
from flight.relay.store.values import Entry

PRIORITIES = 4
UNDECIDED = -1
"""The link of bundles that have been given none."""
NOWHERE = -2
"""The link of bundles for which there is no way now."""


class Way(NamedTuple):
    """Where bundles that wait together are going."""

    node: int
    """Their destination's."""
    link: int = UNDECIDED


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
    link: int = UNDECIDED
    """The link that it waits for, or UNDECIDED or NOWHERE."""

    @property
    def way(self) -> Way:
        """Among which others it waits."""
        return Way(self.label.destination.node, self.link)


@dataclass(slots=True)
class Queues:
    """The bundles of one node, by number; heaps point at them and may point at ones long gone."""

    held: dict[int, Held] = field(default_factory=dict)
    has_void_promises: bool = False
    """Bundles that had been given a link were given up: their room could serve others."""
    _waiting: dict[Way, tuple[list[int], ...]] = field(default_factory=dict)
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
        self.assign(held, UNDECIDED)

    def assign(self, held: Held, link: int) -> None:
        """Let a bundle that waits do so for a link."""
        held.link = link
        heappush(self._heaps(held.way)[held.entry.priority], held.entry.sequence)

    def undecide(self) -> None:
        """Take the links back from all bundles that wait."""
        self.has_void_promises = False
        for way in [way for way in self._waiting if way.link != UNDECIDED]:
            undecided = self._heaps(Way(way.node))
            for priority, heap in enumerate(self._waiting.pop(way)):
                waiting = [sequence for sequence in heap if self._waits(sequence, way)]
                for sequence in waiting:
                    self.held[sequence].link = UNDECIDED
                undecided[priority].extend(waiting)
                heapify(undecided[priority])

    def rest(self, held: Held, until_ns: int) -> None:
        """Let a bundle wait until an instant before it is queued again."""
        held.stage = Stage.RESTING
        heappush(self._resting, (until_ns, held.entry.sequence))

    def first(self, ways: tuple[Way, ...]) -> Held | None:
        """Return the most urgent bundle that goes one of these ways, the oldest of its class."""
        for priority in range(PRIORITIES):
            best: int | None = None
            for way in ways:
                waiting = self._waiting.get(way)
                sequence = None if waiting is None else self._head(waiting[priority], way)
                if sequence is not None and (best is None or sequence < best):
                    best = sequence
            if best is not None:
                return self.held[best]
        return None

    def ahead(self, ways: tuple[Way, ...], count: int) -> list[int]:
        """Return about ``count`` bundles that are next in line, to be read from the store."""
        chosen: list[int] = []
        for priority in range(PRIORITIES):
            for way in ways:
                waiting = self._waiting.get(way)
                if waiting is not None:
                    # The front of a heap is nearly sorted, and this is a guess ahead only.
                    front = waiting[priority][: count - len(chosen)]
                    chosen.extend(sequence for sequence in front if self._waits(sequence, way))
            if len(chosen) >= count:
                break
        return chosen

    def ways(self) -> tuple[Way, ...]:
        """Return the ways that bundles wait for, or waited for."""
        return tuple(self._waiting)

    def tidy(self) -> None:
        """Forget ways for which nothing waits."""
        for way, waiting in list(self._waiting.items()):
            if not any(self._head(heap, way) is not None for heap in waiting):
                del self._waiting[way]

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

    def _heaps(self, way: Way) -> tuple[list[int], ...]:
        heaps = self._waiting.get(way)
        if heaps is None:
            heaps = self._waiting[way] = tuple([] for _ in range(PRIORITIES))
        return heaps

    def _head(self, heap: list[int], way: Way) -> int | None:
        while heap and not self._waits(heap[0], way):
            heappop(heap)
        return heap[0] if heap else None

    def _waits(self, sequence: int, way: Way) -> bool:
        held = self.held.get(sequence)
        return held is not None and held.stage is Stage.QUEUED and held.link == way.link


def is_past(held: Held, now: Instant) -> bool:
    """Say whether a bundle's life is over, by the clock if there is one, else by its age."""
    entry = held.entry
    if entry.expires_dtn_ms and now.dtn_ms:
        return entry.expires_dtn_ms <= now.dtn_ms
    return now.mono_ns - held.since.mono_ns >= entry.left_ms * 1_000_000
