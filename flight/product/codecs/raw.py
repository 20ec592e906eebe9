"""The codec for anything: byte planes of the samples, or of their differences, through zlib."""

import math
import zlib
from collections.abc import Iterator

import numpy as np

from flight.product.codecs.geometry import cut_grid
from flight.product.codecs.types import (
    Block,
    Box,
    Codec,
    Dtype,
    Integers,
    Options,
    Shape,
    as_integers,
)
from flight.product.errors import WireError

_PLAIN, _DIFFERENCES = 0, 1


def inflate(data: bytes, size: int) -> bytes:
    """Return exactly ``size`` bytes out of a zlib stream.

    Raises:
        WireError: the stream is broken, or does not hold ``size`` bytes.
    """
    decoder = zlib.decompressobj()
    try:
        # One byte more than promised shows a stream that is too long without inflating it.
        plain = decoder.decompress(data, size + 1)
    except zlib.error as error:
        raise WireError("broken zlib stream") from error
    if len(plain) != size or not decoder.eof:
        raise WireError("zlib stream has the wrong length")
    return plain


def _cut(shape: Shape, options: Options) -> Iterator[Box]:
    del options
    return cut_grid(shape, shape)


def _encode(samples: Integers, options: Options) -> bytes:
    del options
    whole = samples.dtype.newbyteorder("<")
    flat = np.ascontiguousarray(samples).reshape(-1)
    # Differences wrap around in the samples' own width, so they need no more room.
    differences = np.diff(flat, prepend=flat.dtype.type(0))
    candidates = []
    for method, values in ((_PLAIN, flat), (_DIFFERENCES, differences)):
        planes = np.frombuffer(values.astype(whole).tobytes(), np.uint8)
        planes = planes.reshape(-1, whole.itemsize).T
        candidates.append(bytes([method]) + zlib.compress(planes.tobytes(), 9))
    return min(candidates, key=len)


def _decode(data: bytes, shape: Shape, dtype: Dtype, options: Options) -> Block:
    del options
    if not data or data[0] not in (_PLAIN, _DIFFERENCES):
        raise WireError("raw part of an unknown method")
    count = math.prod(shape)
    planes = np.frombuffer(inflate(data[1:], count * dtype.itemsize), np.uint8)
    packed = np.ascontiguousarray(planes.reshape(dtype.itemsize, -1).T)
    flat = as_integers(packed.reshape(-1).view(dtype.newbyteorder("<")), dtype)
    if data[0] == _DIFFERENCES:
        flat = as_integers(np.cumsum(flat, dtype=dtype), dtype)
    return Block(flat.reshape(shape))


RAW = Codec("raw", 1, _cut, _encode, _decode)
