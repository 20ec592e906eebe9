"""A port that behaves like a bad, far link: for demos and tests, on top of any other port."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flight.instant import Instant
from flight.ports.port import RECEIVE_LIMIT, Port

CHANNEL_LIMIT = 1 << 16
"""Datagrams under way in one direction at most; further ones are lost, as on a full link."""


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """What the simulated link does to datagrams, alike in both directions."""

    one_way_ms: int = 0
    """Light time."""
    loss_permille: int = 0
    """Of a thousand datagrams, how many vanish."""
    duplicate_permille: int = 0
    """Of a thousand datagrams that arrive, how many arrive twice."""
    seed: int = 0
    """The same seed and the same datagrams give the same losses."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not 0 <= self.one_way_ms <= 3_600_000:
            raise ValueError("one_way_ms must lie within 0 and 3600000")
        if not (0 <= self.loss_permille <= 1000 and 0 <= self.duplicate_permille <= 1000):
            raise ValueError("loss_permille and duplicate_permille must lie within 0 and 1000")


class ChannelPort:
    """Delays, loses and repeats what passes, driven by deadlines alone."""

    def __init__(self, port: Port, settings: ChannelSettings) -> None:
        self._port = port
        self._out = _Way(settings, 0)
        self._in = _Way(settings, 1)

    def fileno(self) -> int | None:
        """Return the inner port's descriptor."""
        return self._port.fileno()

    def send(self, datagrams: Sequence[bytes], now: Instant) -> None:
        """Let datagrams set out; they leave the inner port one light time later."""
        self._out.enter(datagrams, now)
        self.expire(now)

    def receive(self, now: Instant) -> list[bytes]:
        """Return what has come all the way by ``now``."""
        self._in.enter(self._port.receive(now), now)
        return self._in.leave(now, RECEIVE_LIMIT)

    def next_deadline_ns(self) -> int | None:
        """Return when the next datagram ends its way."""
        deadlines = (
            self._out.next_deadline_ns(),
            self._in.next_deadline_ns(),
            self._port.next_deadline_ns(),
        )
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def expire(self, now: Instant) -> None:
        """Hand the inner port what has come to the end of the way out."""
        self._port.expire(now)
        due = self._out.leave(now, CHANNEL_LIMIT)
        if due:
            self._port.send(due, now)

    def take_trouble(self) -> str | None:
        """Return the inner port's trouble."""
        return self._port.take_trouble()

    def close(self) -> None:
        """Close the inner port; what is under way is lost."""
        self._port.close()


class _Way:
    """One direction: datagrams under way, ordered by when they arrive."""

    def __init__(self, settings: ChannelSettings, direction: int) -> None:
        self._settings = settings
        self._dice = np.random.default_rng((settings.seed, direction))
        self._under_way: list[tuple[int, int, bytes]] = []
        self._count = 0

    def enter(self, datagrams: Sequence[bytes], now: Instant) -> None:
        arrives_ns = now.mono_ns + self._settings.one_way_ms * 1_000_000
        for datagram in datagrams:
            # Two throws for each datagram, used or not: a loss shifts no later throw.
            loss, twice = (int(throw) for throw in self._dice.integers(0, 1000, 2))
            if loss < self._settings.loss_permille:
                continue
            for _ in range(2 if twice < self._settings.duplicate_permille else 1):
                if len(self._under_way) < CHANNEL_LIMIT:
                    self._count += 1
                    heapq.heappush(self._under_way, (arrives_ns, self._count, datagram))

    def leave(self, now: Instant, most: int) -> list[bytes]:
        found: list[bytes] = []
        while self._under_way and self._under_way[0][0] <= now.mono_ns and len(found) < most:
            found.append(heapq.heappop(self._under_way)[2])
        return found

    def next_deadline_ns(self) -> int | None:
        return self._under_way[0][0] if self._under_way else None
