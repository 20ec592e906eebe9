"""Pixel values that never occur: a stretched or shifted image is packed to those that do.

An image of 8 bits that was stretched in contrast, or of 12 bits kept in the upper bits of 16, uses
few of the values in its range. Left as they are, the gaps cost bits in every pixel.
"""

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.rangecoder import Integers as IntegerModel
from flight.product.codecs.rangecoder import RangeDecoder, RangeEncoder
from flight.product.codecs.types import Integers, as_integers
from flight.product.errors import WireError

Levels = NDArray[np.int64]
"""The values that occur, ascending."""

_SAMPLE_BITS = 16
_SPARSE = 2
"""At most one in so many values of the range occurs,"""
_ENOUGH = 8
"""and there are so many pixels for each, so that chance did not leave them out."""
_GLANCE = 1 << 12


def find_levels(samples: Integers) -> Levels | None:
    """Return the values of unsigned pixels; None if it does not pay to name them."""
    flat = samples.reshape(-1)
    glance = flat[:: max(1, flat.size // _GLANCE)].astype(np.int64)
    used = np.bincount(glance - glance.min())
    if np.count_nonzero(used) * _SPARSE > used.size:
        return None
    levels: Levels = np.bincount(flat.astype(np.int64)).nonzero()[0]
    span = int(levels[-1] - levels[0]) + 1
    step = int(np.gcd.reduce(np.diff(levels))) if levels.size > 1 else 1
    if levels.size * _SPARSE > span or (step == 1 and flat.size < _ENOUGH * span):
        return None
    return levels if levels.size <= _most_levels(flat.size) else None


def _most_levels(pixels: int) -> int:
    """Return how many levels so many pixels pay for: each takes time to read."""
    return 64 + pixels // 4


def pack(samples: Integers, levels: Levels) -> Integers:
    """Return for each pixel which of the levels it has."""
    numbers = np.zeros(int(levels[-1]) + 1, samples.dtype)
    numbers[levels] = np.arange(levels.size)
    return as_integers(numbers[samples], samples.dtype)


def write_levels(levels: Levels) -> bytes:
    """Return the levels as bytes: how many, the first, their step, and what the gaps skip."""
    coder, model = RangeEncoder(), IntegerModel(_SAMPLE_BITS)
    gaps = np.diff(levels)
    step = int(np.gcd.reduce(gaps)) if gaps.size else 1
    for number in (levels.size - 1, int(levels[0]), step):
        coder.put_bits(number, _SAMPLE_BITS)
    for gap in gaps.tolist():
        model.put(coder, gap // step - 1)
    return coder.finish()


def read_levels(data: bytes, pixels: int) -> Levels:
    """Return the levels of so many pixels.

    Raises:
        WireError: the bytes hold no such levels, or there are more than they pay for.
    """
    coder, model = RangeDecoder(data), IntegerModel(_SAMPLE_BITS)
    count, first, step = (coder.take_bits(_SAMPLE_BITS) for _ in range(3))
    if count >= _most_levels(pixels):
        raise WireError("too many levels for so few pixels")
    gaps = [model.take(coder) + 1 for _ in range(count)]
    coder.finish()
    if step < 1 or min(gaps, default=1) < 1 or first + step * sum(gaps) >= 1 << _SAMPLE_BITS:
        raise WireError("levels do not ascend")
    return first + step * np.cumsum([0, *gaps])
