"""Differences from band to band through LZMA: what is left for cubes that defy the model.

A small cube with dead bands, masked ground or clipped light is mostly repetition, which a string
matcher takes at once, while least squares pay for every outlier.
"""

import lzma
import math
import zlib

import numpy as np

from flight.product.codecs.types import Dtype, Integers, Shape, as_integers
from flight.product.errors import WireError

_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6 | lzma.PRESET_EXTREME, "dict_size": 1 << 20}]
"""Known to both ends, so no stream decides how much memory its decoder takes."""
_FAST = 1
_WORTH = 1.48
"""The fastest zlib leaves at most so much more than LZMA, as a rule."""


def pack_differences(samples: Integers, most_bytes: int) -> bytes | None:
    """Return the differences packed; None where they have no chance of ``most_bytes``."""
    little = samples.dtype.newbyteorder("<")
    # They wrap around in the samples' own width.
    differences = np.diff(samples, axis=0, prepend=samples.dtype.type(0))
    plain = differences.astype(little).tobytes()
    if len(zlib.compress(plain, _FAST)) > _WORTH * most_bytes:
        return None
    return lzma.compress(plain, format=lzma.FORMAT_RAW, filters=_FILTERS)


def unpack_differences(data: bytes, shape: Shape, dtype: Dtype) -> Integers:
    """Return the samples of (bands, lines, samples).

    Raises:
        WireError: the stream is broken, or has another length.
    """
    size = math.prod(shape) * dtype.itemsize
    decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    try:
        plain = decoder.decompress(data, size + 1)
    except lzma.LZMAError as error:
        raise WireError("broken LZMA stream") from error
    if len(plain) != size or not decoder.eof or decoder.unused_data:
        raise WireError("LZMA stream has the wrong length")
    differences = np.frombuffer(plain, dtype.newbyteorder("<")).reshape(shape)
    return as_integers(np.cumsum(differences, axis=0, dtype=dtype), dtype)
