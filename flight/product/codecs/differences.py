"""Differences from band to band through LZMA: what no small cube's part is larger than.

A small cube with dead bands, masked ground or clipped light is mostly repetition, which a string
matcher takes at once, while least squares pay for every outlier. Nothing tells beforehand how far
a string matcher gets, so it is run: a file of these differences is never smaller than a part.
"""

import math

import numpy as np

from flight.product.codecs.repeats import MOST_BYTES, pack_repeats, unpack_repeats
from flight.product.codecs.types import Dtype, Integers, Shape, as_integers

_MOST_PIXELS = 512
"""Bands of so few pixels tell little of their weights: another way is worth its time."""


def suits_differences(shape: Shape, dtype: Dtype) -> bool:
    """Return whether a cube of (bands, lines, samples) is small enough to go as differences."""
    return shape[1] * shape[2] <= _MOST_PIXELS and _size(shape, dtype) <= MOST_BYTES


def pack_differences(samples: Integers) -> bytes:
    """Return the differences packed."""
    little = samples.dtype.newbyteorder("<")
    # They wrap around in the samples' own width.
    differences = np.diff(samples, axis=0, prepend=samples.dtype.type(0))
    return pack_repeats(differences.astype(little).tobytes())


def unpack_differences(data: bytes, shape: Shape, dtype: Dtype) -> Integers:
    """Return the samples of (bands, lines, samples).

    Raises:
        WireError: the stream is broken, or has another length.
    """
    plain = unpack_repeats(data, _size(shape, dtype))
    differences = np.frombuffer(plain, dtype.newbyteorder("<")).reshape(shape)
    return as_integers(np.cumsum(differences, axis=0, dtype=dtype), dtype)


def _size(shape: Shape, dtype: Dtype) -> int:
    return math.prod(shape) * dtype.itemsize
