"""Differences from band to band through LZMA: what no small cube's part is larger than.

A small cube with dead bands, masked ground or clipped light is mostly repetition, which a string
matcher takes at once, while least squares pay for every outlier. Nothing tells beforehand how far
a string matcher gets, so it is run: a file of these differences is never smaller than a part.
"""

import lzma
import math
from typing import Any

import numpy as np

from flight.product.codecs.types import Dtype, Integers, Shape, as_integers
from flight.product.errors import WireError

_MOST_PIXELS = 512
"""Bands of so few pixels tell little of their weights: another way is worth its time."""
_MOST_BYTES = 4 << 20
_PRESETS = (6, 6 | lzma.PRESET_EXTREME)
"""Either may be the smaller one, by a tenth."""
_LEAST_DICTIONARY = 1 << 12
_LAST = b"\0"
"""The end of every LZMA2 stream, which goes without saying."""


def suits_differences(shape: Shape, dtype: Dtype) -> bool:
    """Return whether a cube of (bands, lines, samples) is small enough to go as differences."""
    return shape[1] * shape[2] <= _MOST_PIXELS and _size(shape, dtype) <= _MOST_BYTES


def pack_differences(samples: Integers) -> bytes:
    """Return the differences packed."""
    little = samples.dtype.newbyteorder("<")
    # They wrap around in the samples' own width.
    differences = np.diff(samples, axis=0, prepend=samples.dtype.type(0))
    plain = differences.astype(little).tobytes()
    streams = (
        lzma.compress(plain, lzma.FORMAT_RAW, filters=_filters(len(plain), preset))
        for preset in _PRESETS
    )
    return min(streams, key=len).removesuffix(_LAST)


def _size(shape: Shape, dtype: Dtype) -> int:
    return math.prod(shape) * dtype.itemsize


def _filters(size: int, preset: int = _PRESETS[0]) -> list[dict[str, Any]]:
    """Return what both ends know, so no stream decides how much memory its decoder takes."""
    dictionary = max(size, _LEAST_DICTIONARY)
    return [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": dictionary}]


def unpack_differences(data: bytes, shape: Shape, dtype: Dtype) -> Integers:
    """Return the samples of (bands, lines, samples).

    Raises:
        WireError: the stream is broken, or has another length.
    """
    size = _size(shape, dtype)
    decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(size))
    try:
        plain = decoder.decompress(data + _LAST, size + 1)
    except lzma.LZMAError as error:
        raise WireError("broken LZMA stream") from error
    if len(plain) != size or not decoder.eof or decoder.unused_data:
        raise WireError("LZMA stream has the wrong length")
    differences = np.frombuffer(plain, dtype.newbyteorder("<")).reshape(shape)
    return as_integers(np.cumsum(differences, axis=0, dtype=dtype), dtype)
