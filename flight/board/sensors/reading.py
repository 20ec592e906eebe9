"""What a file of a sensor holds, as a frame will carry it."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.product.values import Samples, SensorKind

MAX_DIMENSION = 1 << 16
"""No side of a frame is longer; a larger number in a header is damage or malice."""

Number: TypeAlias = (
    np.uint8
    | np.uint16
    | np.uint32
    | np.int8
    | np.int16
    | np.int32
    | np.int64
    | np.float32
    | np.float64
)
"""What readers may find in a file; anything else is refused."""

DIMENSIONS = {
    SensorKind.CAMERA: 2,
    SensorKind.CUBE: 3,
    SensorKind.XRAY: 1,
    SensorKind.RANGE: 2,
    SensorKind.SAMPLE: 2,
}
_WORDS = {
    SensorKind.CAMERA: "(rows, columns) uint8 or uint16",
    SensorKind.CUBE: "(bands, lines, samples) whole numbers up to 65535, or float reflectance",
    SensorKind.XRAY: "(channels,) whole counts",
    SensorKind.RANGE: "(rows, columns) uint8 or uint16, 0 for no echo",
    SensorKind.SAMPLE: "(rows, columns) uint8 or uint16, a picture with telemetry below it",
}


class FrameError(ValueError):
    """A file or stream holds no frame; the message names it, what is wrong, and a remedy."""

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__(f"{name}: {problem}; {remedy}")


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One exposure as read, before it has a number and an instant. Fields as in Frame."""

    samples: Samples
    axis: tuple[int, ...] = ()
    unit_counts: int = 0
    live_ms: int = 0
    bad_samples: int = 0
    """How many were not a number, negative or too large; they are 0 or the largest count now."""


def reading_of(
    name: str, kind: SensorKind, values: NDArray[Number], *, float_unit_counts: int
) -> Reading:
    """Return ``values`` as the samples that ``kind`` wants.

    Floating-point reflectance becomes ``round(value * float_unit_counts)``.

    Raises:
        FrameError: dimensions or type are not those of ``kind``.
    """
    if kind is SensorKind.CUBE and values.ndim == 1:
        values = values.reshape(-1, 1, 1)
    if values.ndim != DIMENSIONS[kind] or not values.size:
        raise FrameError(
            name, f"array of shape {values.shape}", f"a {kind.name.lower()} frame is {_WORDS[kind]}"
        )
    if DIMENSIONS[kind] == 2:
        return Reading(_image(name, kind, values))
    if values.dtype.kind == "f" and kind is SensorKind.CUBE:
        # In float64 always: numpy 1 and 2 differ on float32 times a scalar, so in its last bit.
        samples, bad = _quantised(values.astype(np.float64) * float_unit_counts, 0xFFFF)
        return Reading(samples.astype(np.uint16), unit_counts=float_unit_counts, bad_samples=bad)
    if values.dtype.kind == "f" and not _whole(values):
        raise FrameError(name, "counts with fractions", "save the detector's whole counts")
    most = 0xFFFF if kind is SensorKind.CUBE else 0xFFFFFFFF
    samples, bad = _quantised(values, most)
    if kind is SensorKind.CUBE:
        return Reading(samples.astype(np.uint16), bad_samples=bad)
    return Reading(samples.astype(np.uint32), bad_samples=bad)


def _image(name: str, kind: SensorKind, values: NDArray[Number]) -> Samples:
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:  # of either byte order
        wide = values.dtype.itemsize == 2
        return values.astype(np.uint16) if wide else values.astype(np.uint8)
    raise FrameError(
        name, f"{values.dtype} samples", f"a {kind.name.lower()} frame is {_WORDS[kind]}"
    )


def _quantised(values: NDArray[Number], most: int) -> tuple[NDArray[np.float64], int]:
    """Return values rounded and held within 0 and ``most``, and how many were outside or NaN."""
    # float64 holds every uint32, and reflectance times its unit, exactly enough to round once.
    rounded = np.rint(values.astype(np.float64))
    good = (rounded >= 0) & (rounded <= most)  # False for NaN
    bad = int(good.size - np.count_nonzero(good))
    if bad:
        rounded = np.where(rounded > most, float(most), np.where(good, rounded, 0.0))
    return rounded, bad


def _whole(values: NDArray[Number]) -> bool:
    finite = values[np.isfinite(values)]
    return bool((finite == np.rint(finite)).all())


def read_dimension(name: str, what: str, text: str | bytes) -> int:
    """Return one side of a frame from a header's text.

    Raises:
        FrameError: it is not a whole number from 1 to MAX_DIMENSION.
    """
    # isdigit and a length first: int() of a million digits takes minutes.
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 8 else 0
    if not 1 <= number <= MAX_DIMENSION:
        shown = text[:20] if isinstance(text, str) else text[:20].decode("ascii", "replace")
        raise FrameError(
            name, f"{what} is {shown!r}", f"it must be a whole number from 1 to {MAX_DIMENSION}"
        )
    return number
