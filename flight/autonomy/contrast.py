"""A picture as contrast: block means, each against its surroundings, squeezed into eight bits.

Exposure, vignetting and broad patches of albedo drop out; a faint slope and a black shadow both
keep their steps. All in integers, so that ground and board see the same.
"""

from functools import lru_cache, reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.grid import Counts, Integers, Wholes, quotient, window_sums
from flight.product.values import Tensor

Places: TypeAlias = NDArray[np.intp]

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
    return _SHOWN.take(contrast(block_means(samples, pixels), reach, grain), mode="clip")


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
        edges = np.arange(pixels + 1) * side // pixels
        rows = _added(_widened(crop, narrow=narrow), edges)
        both = _added(rows.T.copy(), edges).T
        np.multiply(both, FRACTION, out=both)
        sizes = np.multiply.outer(np.diff(edges), np.diff(edges))
        return _widened(quotient(both, sizes), narrow=narrow)
    # Blocks of one size: whole rows are added, then whole columns, several at a time.
    rows = _widened(crop[::block], narrow=narrow)
    for offset in range(1, block):
        np.add(rows, crop[offset::block], out=rows)
    sums = rows[:, ::block].copy()
    for offset in range(1, block):
        np.add(sums, rows[:, offset::block], out=sums)
    np.multiply(sums, FRACTION, out=sums)
    return np.floor_divide(sums, block * block, out=sums)


def _added(rows: Counts, edges: Integers) -> Counts:
    """Return the sums of the rows from each edge to the next, all of one height or one more."""
    starts, heights = edges[:-1], np.diff(edges)
    least = int(heights.min())
    sums: Counts = reduce(np.add, [rows[starts + offset] for offset in range(least)])
    higher = np.flatnonzero(heights > least)
    sums[higher] += rows[starts[higher] + least]
    return sums


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


def contrast(means: Counts, reach: int, grain: int = 1) -> Places:
    """Return each pixel in 1/1024 of the mean of the window around it, LEVEL where it is as bright.

    The window is reckoned in blocks of ``grain`` x ``grain`` pixels, and ``reach`` is how many of
    them it extends to either side. Surroundings darker than an eighth of the frame are taken for
    an eighth, or a wide shadow's noise would be blown up to relief. Floored as in ``quotient``.
    """
    blocks = _blocks(means, grain)
    if int(blocks.max()) * (2 * reach + 1) ** 2 < 1 << 32:
        sums: Counts = window_sums(blocks.astype(np.uint32, copy=False), reach)
    else:
        sums = window_sums(blocks.astype(np.int64, copy=False), reach)
    around = quotient(sums, _window_pixels(sums.shape, reach, grain))
    floor = max(int(blocks.sum(dtype=np.int64)) // means.size // 8, 1)
    np.maximum(around, floor, out=around)
    # LEVEL is a power of two: this rounds nothing.
    around /= LEVEL
    if grain > 1:
        around = around.repeat(grain, axis=1)
    rows = means.reshape(len(around), grain, means.shape[1])
    return np.divide(rows, around[:, None]).astype(np.intp).reshape(means.shape)


def _blocks(means: Counts, grain: int) -> Counts:
    """Return the sums of blocks of ``grain`` x ``grain`` pixels."""
    rows = reduce(np.add, [means[place::grain] for place in range(grain)])
    return reduce(np.add, [rows[:, place::grain] for place in range(grain)])


@lru_cache(maxsize=8)
def _window_pixels(shape: tuple[int, ...], reach: int, grain: int) -> Wholes:
    sizes = window_sums(np.ones(shape, np.int64), reach).astype(np.float64) * grain**2
    sizes.setflags(write=False)
    return sizes


def compress(departure: Wholes | Integers, peak: int = PEAK, knee: int | Integers = KNEE) -> Tensor:
    """Return whole departures compressed to int8, small ones nearly in proportion."""
    squeezed = np.asarray(departure * peak, np.float64)
    squeezed /= np.abs(departure) + knee
    # Towards zero: exact as in ``quotient``, for either sign. Less than ``peak``: 16 bits do.
    return np.clip(squeezed.astype(np.int16), -128, 127).astype(np.int8)


_SHOWN = compress(np.arange(2 * LEVEL) - LEVEL)
"""What is shown of each contrast; of those beyond the last, the last."""
