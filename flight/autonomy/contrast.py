"""A picture as contrast: block means, each against its surroundings, squeezed into eight bits.

Exposure, vignetting and broad patches of albedo drop out; a faint slope and a black shadow both
keep their steps. All in integers, so that ground and board see the same.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.grid import Integers, quotient, window_sums
from flight.product.values import Tensor

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


def seen(samples: NDArray[np.generic], pixels: int, *, reach: int) -> Tensor | None:
    """Return (pixels, pixels) compressed contrast, or None where the picture is unusable.

    Of a picture that is not square the central square is seen. Unusable: smaller than what is
    asked for, black, blank or overexposed.
    """
    if min(samples.shape) < pixels:
        return None
    highest = samples.max()
    clipped = int(np.count_nonzero(samples == highest))
    if clipped * 1000 > MOST_CLIPPED_PERMILLE * samples.size:
        return None
    width = np.uint32 if int(highest) * samples.size < 1 << 32 else np.uint64
    if int(samples.sum(dtype=width)) < LEAST_MEAN_COUNTS * samples.size:
        return None
    return compress(contrast(block_means(samples, pixels), reach))


def square(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (top row, left column, side) of a frame's central square."""
    side = min(shape)
    return (shape[0] - side) // 2, (shape[1] - side) // 2, side


def block_means(samples: NDArray[np.generic], pixels: int) -> Integers:
    """Return (pixels, pixels) block means of the central square, in sixteenths of a count."""
    top, left, side = square(samples.shape)
    crop = samples[top : top + side, left : left + side]
    # 32 bits hold the sum of any block of 16-bit counts that is not wider than 256.
    narrow = crop.dtype.itemsize <= 2 and side <= 256 * pixels
    wide = np.uint32 if narrow else np.int64
    block, rest = divmod(side, pixels)
    if rest:
        edges = np.arange(pixels) * side // pixels
        bands = np.add.reduceat(crop, edges, axis=0, dtype=wide)
        sizes = np.diff(np.append(edges, side))
        sums: Integers = np.add.reduceat(bands, edges, axis=1).astype(np.int64)
        means: Integers = sums * FRACTION // (sizes[:, None] * sizes[None, :])
        return means
    # Blocks of one size: whole rows are added, then whole columns, several at a time.
    rows = crop[::block].astype(wide)
    for offset in range(1, block):
        np.add(rows, crop[offset::block], out=rows)
    sums = rows[:, ::block].astype(np.int64)
    for offset in range(1, block):
        np.add(sums, rows[:, offset::block], out=sums)
    return sums * FRACTION // (block * block)


def contrast(means: Integers, reach: int) -> NDArray[np.float64]:
    """Return each pixel's departure from the window around it, in 1/1024 of the window's mean.

    ``reach`` is how many pixels the window extends to either side. Surroundings darker than an
    eighth of the frame are taken for an eighth, or a wide shadow's noise would be blown up to
    relief. Whole numbers all of them (``quotient``).
    """
    around = quotient(window_sums(means, reach), _window_sizes(means.shape, reach))
    floor = max(int(means.sum()) // means.size // 8, 1)
    return quotient(means * LEVEL, np.maximum(around, floor)) - LEVEL


@lru_cache(maxsize=8)
def _window_sizes(shape: tuple[int, ...], reach: int) -> Integers:
    sizes = window_sums(np.ones(shape, np.int64), reach)
    sizes.setflags(write=False)
    return sizes


def compress(
    departure: NDArray[np.float64] | Integers, peak: int = PEAK, knee: int | Integers = KNEE
) -> Tensor:
    """Return whole departures compressed to int8, small ones nearly in proportion."""
    # Towards zero: exact as in ``quotient``, for either sign.
    squeezed = np.trunc(departure * peak / (np.abs(departure) + knee))
    return np.clip(squeezed, -128, 127).astype(np.int8)
