"""Frames that belong together: what a second sensor saw at the moment of a camera's frame.

A companion's frames are not decided about. Each of the camera's frames takes the one that was
taken nearest to it and gives it its own number, so that both are found again under one name;
those that nobody takes are dropped.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from flight.board.sealedvalues import SealedFrame
from flight.board.sensorhost import Feed
from flight.instant import Instant
from flight.product.events import Happening
from flight.product.values import Frame

MOST_KEPT = 8
"""Frames of one companion that wait to be taken; the oldest give way."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A sensor whose frames go with another's."""

    sensor: Feed
    beside: str
    """The other sensor's name."""
    pair_ns: int
    """Farthest apart in time that two frames belong together."""


class Companions:
    """The sensors that go with others, and what they have seen lately."""

    def __init__(self, companions: Iterable[Companion]) -> None:
        self._companions: Mapping[str, Companion] = {c.beside: c for c in companions}
        self._seen: dict[str, deque[SealedFrame]] = {
            beside: deque(maxlen=MOST_KEPT) for beside in self._companions
        }

    @property
    def sensors(self) -> tuple[Feed, ...]:
        """All of them."""
        return tuple(companion.sensor for companion in self._companions.values())

    def name_beside(self, sensor: str) -> str:
        """Return the name of the sensor that goes with another; empty: none does."""
        return self._companions[sensor].sensor.name if sensor in self._companions else ""

    def poll(self, now: Instant) -> tuple[Happening, ...]:
        """Take in what the companions have; return what went wrong."""
        events: list[Happening] = []
        for beside, companion in self._companions.items():
            for delivery in companion.sensor.poll(now):
                if isinstance(delivery, SealedFrame):
                    self._seen[beside].append(delivery)
                else:
                    events.append(delivery)
        return tuple(events)

    def wait_ns(self, frame: Frame, now: Instant) -> int | None:
        """Return until when a frame is to wait for its companion's; None: no longer."""
        companion = self._companions.get(frame.sensor)
        if companion is None or companion.sensor.finished or self._nearest(frame) is not None:
            return None
        until_ns = frame.taken.mono_ns + companion.pair_ns
        return until_ns if now.mono_ns < until_ns else None

    def take(self, frame: Frame) -> SealedFrame | None:
        """Return the companion's frame that belongs to this one, under this one's number."""
        nearest = self._nearest(frame)
        if nearest is None:
            return None
        return replace(nearest, frame=replace(nearest.frame, number=frame.number))

    def _nearest(self, frame: Frame) -> SealedFrame | None:
        companion = self._companions.get(frame.sensor)
        if companion is None:
            return None

        def apart_ns(other: SealedFrame) -> int:
            return abs(other.frame.taken.mono_ns - frame.taken.mono_ns)

        nearest = min(self._seen[frame.sensor], key=apart_ns, default=None)
        fits = nearest is not None and apart_ns(nearest) <= companion.pair_ns
        return nearest if fits else None
