"""A bad channel in simulated time: seeded, so that one seed is one history.

A datagram waits for the line, takes its time on it, and may then be lost, damaged, doubled or
overtaken; it arrives one light time later. Nothing here sleeps or reads a clock.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random  # noqa: TID251 - this file is where seeded chance is made
from typing import Protocol

from flight.instant import Instant
from flight.relay.errors import WireError

NS = 10**9
IDLE_STEPS_MAX = 10_000
"""Steps without time going by, after which a party is taken to spin."""


@dataclass(frozen=True)
class ChannelSettings:
    """What one direction does to datagrams."""

    rate_bytes_s: int = 125_000
    one_way_ns: int = 1_350_000_000
    loss: float = 0.0
    """Share lost, each on its own."""
    burst_enter: float = 0.0
    """Chance a datagram that a burst begins; within it all are lost."""
    burst_leave: float = 0.2
    """Chance a datagram that it ends; mean length 1 / burst_leave."""
    duplicate: float = 0.0
    reorder: float = 0.0
    """Share delayed by up to ``reorder_ns``, and so overtaken."""
    reorder_ns: int = 20_000_000
    corrupt: float = 0.0
    """Share in which one bit flips."""
    windows: tuple[tuple[int, int], ...] | None = None
    """(start, end) ns of sending; outside everything is lost. None: always open."""
    queue_bytes: int = 1 << 30
    """What waits for the line beyond this is lost, as in a router."""


class Channel:
    """One direction of a link."""

    def __init__(self, settings: ChannelSettings, seed: int) -> None:
        self.settings = settings
        self._random = Random(seed)
        self._arrivals: list[tuple[int, int, bytes]] = []
        self._order = 0
        self._free_ns = 0
        self._in_burst = False
        self.datagrams = self.bytes = self.lost = 0
        self.bytes_in_vain = 0
        """Sent while the link was closed."""

    def send(self, datagram: bytes, now_ns: int) -> None:
        settings, random = self.settings, self._random
        self.datagrams += 1
        self.bytes += len(datagram)
        start_ns = max(self._free_ns, now_ns)
        if (start_ns - now_ns) * settings.rate_bytes_s // NS > settings.queue_bytes:
            self.lost += 1
            return
        self._free_ns = end_ns = start_ns + len(datagram) * NS // settings.rate_bytes_s
        if not self._is_open(start_ns, end_ns):
            self.bytes_in_vain += len(datagram)
            self.lost += 1
            return
        if settings.burst_enter:
            leave = settings.burst_leave if self._in_burst else settings.burst_enter
            if random.random() < leave:
                self._in_burst = not self._in_burst
        if self._in_burst or random.random() < settings.loss:
            self.lost += 1
            return
        if settings.corrupt and random.random() < settings.corrupt and datagram:
            damaged = bytearray(datagram)
            damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
            datagram = bytes(damaged)
        for _ in range(2 if random.random() < settings.duplicate else 1):
            delay_ns = settings.one_way_ns
            if settings.reorder and random.random() < settings.reorder:
                delay_ns += random.randrange(settings.reorder_ns)
            self._order += 1
            heappush(self._arrivals, (end_ns + delay_ns, self._order, datagram))

    def next_arrival_ns(self) -> int | None:
        return self._arrivals[0][0] if self._arrivals else None

    def take(self, now_ns: int) -> list[bytes]:
        arrived = []
        while self._arrivals and self._arrivals[0][0] <= now_ns:
            arrived.append(heappop(self._arrivals)[2])
        return arrived

    def _is_open(self, start_ns: int, end_ns: int) -> bool:
        windows = self.settings.windows
        return windows is None or any(a <= start_ns and end_ns <= b for a, b in windows)


class Party(Protocol):
    """What the simulation moves: an engine, or a node with one link."""

    def receive(self, datagram: bytes, now: Instant) -> None: ...
    def expire(self, now: Instant) -> None: ...
    def next_deadline_ns(self) -> int | None: ...
    def take_datagrams(self) -> tuple[bytes, ...]: ...


@dataclass
class Link:
    """Two parties and the two directions between them, moved from event to event."""

    left: Party
    right: Party
    to_right: Channel
    to_left: Channel
    now_ns: int = 0
    idle_steps: int = 0
    alarms: list[tuple[int, Callable[[int], None]]] = field(default_factory=list)
    """(ns, what to call then); sorted by the user."""

    def run(self, turn: Callable[[Instant], None], until_ns: int) -> None:
        """Move from event to event, letting ``turn`` act at each, until nothing is left to do."""
        turn(Instant(self.now_ns, 0))
        self._carry(self.left, self.to_right)
        self._carry(self.right, self.to_left)
        while self.step(turn, until_ns):
            pass

    def step(self, turn: Callable[[Instant], None], until_ns: int) -> bool:
        """Go to the next event; False: there is none before ``until_ns``."""
        times = (
            self.left.next_deadline_ns(),
            self.right.next_deadline_ns(),
            self.to_left.next_arrival_ns(),
            self.to_right.next_arrival_ns(),
            self.alarms[0][0] if self.alarms else None,
        )
        next_ns = min((ns for ns in times if ns is not None), default=until_ns)
        self.idle_steps = 0 if next_ns > self.now_ns else self.idle_steps + 1
        if self.idle_steps > IDLE_STEPS_MAX:
            raise AssertionError("a deadline that is reached and never acted on")
        self.now_ns = max(self.now_ns, min(next_ns, until_ns))
        now = Instant(self.now_ns, 0)
        while self.alarms and self.alarms[0][0] <= self.now_ns:
            self.alarms.pop(0)[1](self.now_ns)
        self._serve(self.left, self.to_left, now)
        self._serve(self.right, self.to_right, now)
        turn(now)
        self._carry(self.left, self.to_right)
        self._carry(self.right, self.to_left)
        return self.now_ns < until_ns

    def _serve(self, party: Party, arriving: Channel, now: Instant) -> None:
        for datagram in arriving.take(self.now_ns):
            with suppress(WireError):
                party.receive(datagram, now)
        party.expire(now)

    def _carry(self, party: Party, leaving: Channel) -> None:
        for datagram in party.take_datagrams():
            leaving.send(datagram, self.now_ns)
