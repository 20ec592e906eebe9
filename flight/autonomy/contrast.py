"""A picture as contrast: block means, each against its surroundings, squeezed into eight bits.

Exposure, vignetting and broad patches of albedo drop out; a faint slope and a black shadow both
keep their steps. All in integers, so that ground and board see the same.
"""

from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.grid import Counts, Integers, Wholes, quotient, window_sums
from flight.product.values import Tensor

_Whole = TypeVar("_Whole", np.int64, np.uint32)

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


def seen(
    samples: NDArray[np.generic], pixels: int, *, reach: int, grain: int = 1, least: int = 0
) -> Tensor | None:
    """Return (pixels, pixels) compressed contrast, or None where the picture is unusable.

    Of a picture that is not square the central square is seen. ``reach`` and ``grain`` are as in
    ``contrast``. Unusable: smaller than ``least`` (0: than what is asked for), black, blank or
    overexposed.
    """
    if min(samples.shape) < (least or pixels):
        return None
    highest = samples.max()
    clipped = int(np.count_nonzero(samples == highest))
    if clipped * 1000 > MOST_CLIPPED_PERMILLE * samples.size:
        return None
    width = np.uint32 if int(highest) * samples.size < 1 << 32 else np.uint64
    if int(samples.sum(dtype=width)) < LEAST_MEAN_COUNTS * samples.size:
        return None
    return compress(contrast(block_means(samples, pixels), reach, grain))


def square(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (top row, left column, side) of a frame's central square."""
    side = min(shape)
    return (shape[0] - side) // 2, (shape[1] - side) // 2, side


def block_means(samples: NDArray[np.generic], pixels: int) -> Counts:
    """Return (pixels, pixels) block means of the central square, in sixteenths of a count.

    A smaller square is widened, smooth between its pixels' centres.
    """
    top, left, side = square(samples.shape)
    crop = samples[top : top + side, left : left + side]
    block, rest = divmod(side, pixels)
    # 32 bits hold sixteenths of the sum of 16 by 16 counts of 16 bits.
    narrow = crop.dtype.itemsize <= 2 and side <= 16 * pixels
    if side < pixels:
        return _stretched(crop, pixels)
    if rest:
        edges = np.arange(pixels) * side // pixels
        sizes = np.diff(np.append(edges, side))
        means = np.add.reduceat(_widened(crop, narrow=narrow), edges, axis=0)
        means = _widened(np.add.reduceat(means, edges, axis=1), narrow=narrow)
        np.multiply(means, FRACTION, out=means)
        return means // _widened(sizes[:, None] * sizes, narrow=narrow)
    # Blocks of one size: whole rows are added, then whole columns, several at a time.
    rows = _widened(crop[::block], narrow=narrow)
    for offset in range(1, block):
        np.add(rows, crop[offset::block], out=rows)
    sums = rows[:, ::block].copy()
    for offset in range(1, block):
        np.add(sums, rows[:, offset::block], out=sums)
    np.multiply(sums, FRACTION, out=sums)
    return np.floor_divide(sums, block * block, out=sums)


def _stretched(crop: NDArray[np.generic], pixels: int) -> Integers:
    """Return (pixels, pixels) of a smaller square, bilinear, in sixteenths of a count."""
    side, whole = len(crop), 2 * pixels
    place = np.clip((2 * np.arange(pixels) + 1) * side - pixels, 0, whole * (side - 1))
    before, part = place // whole, place % whole
    after = np.minimum(before + 1, side - 1)
    counts = crop.astype(np.int64)
    rows = counts[before] * (whole - part)[:, None] + counts[after] * part[:, None]
    both: Integers = rows[:, before] * (whole - part) + rows[:, after] * part
    return both * FRACTION // whole**2


def _widened(counts: NDArray[np.generic], *, narrow: bool) -> Counts:
    return counts.astype(np.uint32) if narrow else counts.astype(np.int64)


def contrast(means: Counts, reach: int, grain: int = 1) -> Wholes:
    """Return each pixel's departure from the window around it, in 1/1024 of the window's mean.

    The window is reckoned in blocks of ``grain`` x ``grain`` pixels, and ``reach`` is how many of
    them it extends to either side. Surroundings darker than an eighth of the frame are taken for
    an eighth, or a wide shadow's noise would be blown up to relief. Whole numbers all of them
    (``quotient``).
    """
    pixels = (2 * reach + 1) ** 2 * grain**2
    if int(means.max()) * pixels < 1 << 32:
        sums: Counts = window_sums(_blocks(means.astype(np.uint32, copy=False), grain), reach)
    else:
        sums = window_sums(_blocks(means.astype(np.int64, copy=False), grain), reach)
    around = quotient(sums, _window_sizes(sums.shape, reach) * grain**2)
    floor = max(int(means.sum(dtype=np.int64)) // means.size // 8, 1)
    np.maximum(around, floor, out=around)
    if grain > 1:
        around = around.repeat(grain, axis=0).repeat(grain, axis=1)
    departure = quotient(means * np.float64(LEVEL), around)
    departure -= LEVEL
    return departure


def _blocks(means: NDArray[_Whole], grain: int) -> NDArray[_Whole]:
    """Return the sums of blocks of ``grain`` x ``grain`` pixels."""
    if grain == 1:
        return means
    sums = means[::grain, ::grain].copy()
    for place in range(1, grain * grain):
        sums += means[place // grain :: grain, place % grain :: grain]
    return sums


@lru_cache(maxsize=8)
def _window_sizes(shape: tuple[int, ...], reach: int) -> Wholes:
    sizes = window_sums(np.ones(shape, np.int64), reach).astype(np.float64)
    sizes.setflags(write=False)
    return sizes


def compress(departure: Wholes | Integers, peak: int = PEAK, knee: int | Integers = KNEE) -> Tensor:
    """Return whole departures compressed to int8, small ones nearly in proportion."""
    squeezed = np.asarray(departure * peak, np.float64)
    squeezed /= np.abs(departure) + knee
    # Towards zero: exact as in ``quotient``, for either sign. Less than ``peak``: 16 bits do.
    return np.clip(squeezed.astype(np.int16), -128, 127).astype(np.int8)
