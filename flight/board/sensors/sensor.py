"""What the loop asks of a sensor, and how a reading becomes a frame."""

from typing import Protocol, TypeAlias

from flight.board.sensors.reading import FrameError, Reading
from flight.board.sensors.settings import SensorSettings
from flight.instant import Instant
from flight.product.events import Event, Happening
from flight.product.values import Frame, SensorKind

Delivery: TypeAlias = Frame | Happening
"""A frame, or the event that says why there is none (or what is amiss with the next one)."""


class Sensor(Protocol):
    """A source of frames, as its host (flight.board.sensors.host) drives it."""

    @property
    def name(self) -> str:
        """The sensor's name in products and events."""
        ...

    @property
    def number(self) -> int:
        """The number of its next frame."""
        ...

    @property
    def finished(self) -> bool:
        """Whether no frame will ever come again."""
        ...

    def fileno(self) -> int | None:
        """Return what becomes readable when there is something to poll, if there is such."""
        ...

    def next_deadline_ns(self) -> int | None:
        """Return the ``mono_ns`` at which to poll, or None when only the descriptor counts."""
        ...

    def poll(self, now: Instant) -> tuple[Delivery, ...]:
        """Return what came since the last call, in order; often nothing."""
        ...

    def close(self) -> None:
        """Give back what the sensor holds of the machine."""
        ...


def deliver(
    settings: SensorSettings, reading: Reading, *, number: int, now: Instant, name: str
) -> tuple[Delivery, ...]:
    """Return the frame of a reading, after an event where samples of it were bad.

    Raises:
        FrameError: the frame is not of the size that the settings demand.
    """
    shape = reading.samples.shape
    if settings.shape and shape != settings.shape:
        raise FrameError(
            name,
            f"a frame of {_by(shape)}, the settings demand {_by(settings.shape)}",
            "set the sensor's shape, or look at its mode",
        )
    axis = reading.axis or settings.axis
    if settings.kind is SensorKind.CUBE and axis and len(axis) != shape[0]:
        raise FrameError(name, f"{shape[0]} bands, an axis of {len(axis)}", "set the sensor's axis")
    frame = Frame(
        sensor=settings.name,
        kind=settings.kind,
        number=number,
        taken=now,
        samples=reading.samples,
        axis=axis,
        unit_counts=reading.unit_counts or settings.unit_counts,
        live_ms=reading.live_ms or settings.live_ms,
        name=name,
    )
    if not reading.bad_samples:
        return (frame,)
    bad = Event.FRAME_SAMPLES_INVALID(sensor=settings.name, frame=number, count=reading.bad_samples)
    return (bad, frame)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape)
