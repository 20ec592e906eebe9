"""The tensor codec: a model's raw int8 output, any shape, lossless, one part.

The last axis is the channel. Logits of one pixel foretell each other as a cube's bands do, so the
tensor is laid out as a cube (channels, lines, columns) and coded as one.
"""

import math
from collections.abc import Iterator

import numpy as np

from flight.product.codecs.cube import CUBE
from flight.product.codecs.geometry import cut_grid
from flight.product.codecs.raw import RAW
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

_RAW, _CUBE = 0, 1
_WIDEST = 256
_MOST_CHANNELS = 64


def _cut(shape: Shape, options: Options) -> Iterator[Box]:
    del options
    return cut_grid(shape, shape)


def _layout(shape: Shape) -> Shape | None:
    """Return the tensor as (channels, lines, columns); None if it makes no sensible cube."""
    if len(shape) < 2 or 0 in shape or shape[-1] > _MOST_CHANNELS:
        return None
    pixels = math.prod(shape[:-1])
    if len(shape) >= 3:
        return shape[-1], pixels // shape[-2], shape[-2]
    # A list of pixels has lost its lines: any even division will do.
    width = next(width for width in range(min(_WIDEST, pixels), 0, -1) if pixels % width == 0)
    return shape[-1], pixels // width, width


def _encode(samples: Integers, options: Options) -> bytes:
    lossless = Options()
    plain = bytes([_RAW]) + RAW.encode(samples, options)
    layout = _layout(samples.shape)
    if samples.dtype != np.int8 or layout is None:
        return plain
    channels = samples.reshape(-1, layout[0]).T.reshape(layout)
    return min(bytes([_CUBE]) + CUBE.encode(channels, lossless), plain, key=len)


def _decode(data: bytes, shape: Shape, dtype: Dtype, options: Options) -> Block:
    if not data or data[0] not in (_RAW, _CUBE):
        raise WireError("tensor of an unknown method")
    if data[0] == _RAW:
        return RAW.decode(data[1:], shape, dtype, options)
    layout = _layout(shape)
    if dtype != np.int8 or layout is None:
        raise WireError("not a tensor that can be laid out as a cube")
    channels = CUBE.decode(data[1:], layout, dtype, options).samples
    pixels = np.ascontiguousarray(channels.reshape(layout[0], -1).T)
    return Block(as_integers(pixels.reshape(shape), dtype))


TENSOR = Codec("tensor", 4, _cut, _encode, _decode)
