"""A picture as contrast: block means, each against its surroundings, squeezed into eight bits.

Exposure, vignetting and broad patches of albedo drop out; a faint slope and a black shadow both
keep their steps. All in integers, so that ground and board see the same.
"""

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.grid import Integers, window_sums

FRACTION = 16
"""Block means are carried in sixteenths of a count."""

LEVEL = 1024
"""A pixel as bright as its surroundings, before compression."""

KNEE = 256
PEAK = 160
"""Contrast: PEAK * d / (KNEE + |d|) for a departure d from LEVEL; black becomes -128."""


LEAST_MEAN_COUNTS = 4
"""A picture darker than this is black."""

MOST_CLIPPED_PERMILLE = 250
"""A picture with more pixels than this at its highest count is overexposed, or blank."""


def seen(samples: NDArray[np.generic], pixels: int, *, reach: int) -> Integers | None:
    """Return (pixels, pixels) compressed contrast, or None where the picture is unusable.

    Of a picture that is not square the central square is seen. Unusable: smaller than what is
    asked for, black, blank or overexposed.
    """
    if min(samples.shape) < pixels:
        return None
    clipped = int((samples == samples.max()).sum())
    if clipped * 1000 > MOST_CLIPPED_PERMILLE * samples.size:
        return None
    if int(samples.sum(dtype=np.int64)) < LEAST_MEAN_COUNTS * samples.size:
        return None
    return compress(contrast(block_means(samples, pixels), reach))


def square(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (top row, left column, side) of a frame's central square."""
    side = min(shape)
    return (shape[0] - side) // 2, (shape[1] - side) // 2, side


def block_means(samples: NDArray[np.generic], pixels: int) -> Integers:
    """Return (pixels, pixels) block means of the central square, in sixteenths of a count."""
    top, left, side = square(samples.shape)
    crop = samples[top : top + side, left : left + side].astype(np.int64)
    edges = np.arange(pixels) * side // pixels
    sums = np.add.reduceat(np.add.reduceat(crop, edges, axis=0), edges, axis=1)
    sizes = np.diff(np.append(edges, side))
    means: Integers = sums * FRACTION // (sizes[:, None] * sizes[None, :])
    return means


def contrast(means: Integers, reach: int) -> Integers:
    """Return each pixel's departure from the window around it, in 1/1024 of the window's mean.

    ``reach`` is how many pixels the window extends to either side. Surroundings darker than an
    eighth of the frame are taken for an eighth, or a wide shadow's noise would be blown up to
    relief.
    """
    around = window_sums(means, reach) // window_sums(np.ones_like(means), reach)
    floor = max(int(means.sum()) // means.size // 8, 1)
    departure: Integers = means * LEVEL // np.maximum(around, floor) - LEVEL
    return departure


def compress(departure: Integers, peak: int = PEAK, knee: int | Integers = KNEE) -> Integers:
    """Return departures compressed to int8's range, small ones nearly in proportion."""
    size = np.abs(departure)
    compressed: Integers = np.clip(np.sign(departure) * (peak * size // (knee + size)), -128, 127)
    return compressed
