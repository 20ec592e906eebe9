"""The map codec: (rows, columns) uint8 labels or masks, lossless, in tiles that decode alone.

A label is nearly always one of its neighbours', so what is asked is whether it is W's, or else
N's, NE's, NW's, as far as these differ; a label that is none of them is foretold by what has stood
east of W and south of N instead. A plain map goes pixel by pixel and skips what goes on unchanged
(maptree.py); a busy one goes in whole diagonals (mapwave.py); a regular pattern, which repeats
further away than neighbours tell, goes through LZMA.
"""

import math
import zlib
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from flight.product.codecs.geometry import cut_even
from flight.product.codecs.mapcoder import MapReader, MapWriter
from flight.product.codecs.mapmix import MOST_LABELS, Labels
from flight.product.codecs.maptree import affords_tree, walk_rows
from flight.product.codecs.mapwave import affords_wave, walk_diagonals
from flight.product.codecs.raw import RAW
from flight.product.codecs.repeats import MOST_BYTES, pack_repeats, unpack_repeats
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
from flight.product.codecs.varint import read_varints, write_varints
from flight.product.errors import WireError

_RAW, _TREE, _WAVE, _REPEATS, _PALETTE = 0, 1, 129, 254, 255
"""The first byte of a part. From _TREE and from _WAVE on: how many labels there may be, at least
1; the most that _TREE can say is all. _PALETTE: which labels there are comes next, as the lengths
of runs of labels that are and are not, in turn, and then another first byte."""
_MANY_LABELS = _WAVE - _TREE
_ALL_LABELS = 256
_SPARSE = 2
"""Times more labels than are used make a palette worth its bytes."""
_HOPELESS = 2
"""Only a map that the model shrinks by less than this is worth trying without it."""
_FAST, _WORTH, _PATTERN = 1, 1.5, 32
"""What the fastest zlib leaves at most so much larger than the model does, and shrinks by so much
itself, may be a pattern."""
_BUSY, _BUSY_SMALL, _SMALL_PIXELS, _TINY_PIXELS = 0.35, 0.5, 1 << 13, 1 << 9
"""A map is busy if W, N, NE and NW differ at more than this share of its pixels, and has enough of
them: in a tiny one a diagonal has too few to be worth its time."""


def _cut(shape: Shape, options: Options) -> Iterator[Box]:
    if len(shape) != 2:
        raise ValueError("a map has rows and columns")
    return cut_even(shape, (options.tile * 2, options.tile * 2))


def _encode(samples: Integers, options: Options) -> bytes:
    modelled = b""
    ways = []
    if samples.dtype == np.uint8 and samples.ndim == 2 and samples.size:
        modelled = _encode_model(samples)
        ways = [modelled] if modelled else []
        if _is_pattern(samples, len(modelled) or samples.size):
            ways.append(bytes([_REPEATS]) + pack_repeats(samples.tobytes()))
    if not modelled or len(modelled) * _HOPELESS >= samples.size:
        ways.append(bytes([_RAW]) + RAW.encode(samples, options))
    return min(ways, key=len)


def _is_pattern(samples: Integers, most_bytes: int) -> bool:
    """Return whether a string matcher may get below so many bytes."""
    fast_bytes = len(zlib.compress(samples.tobytes(), _FAST))
    return (
        samples.size <= MOST_BYTES
        and fast_bytes <= _WORTH * most_bytes
        and fast_bytes * _PATTERN <= samples.size
    )


def _encode_model(samples: Integers) -> bytes:
    """Return a map's stream; nothing if its pixels cost more time than its bytes pay for."""
    labels, palette, count = _number(samples)
    writer = MapWriter()
    if count <= MOST_LABELS and _is_busy(labels):
        walk_diagonals(labels, count, writer)
        stream = palette + bytes([_WAVE - 1 + count]) + writer.finish()
        if affords_wave(labels.shape, len(stream)):
            return stream
        writer = MapWriter()
    if count >= _MANY_LABELS:
        count = _ALL_LABELS
    work = walk_rows(labels, count, writer, samples.size)
    stream = palette + bytes([_TREE - 1 + min(count, _MANY_LABELS)]) + writer.finish()
    return stream if affords_tree(labels.shape, work, len(stream)) else b""


def _number(samples: Integers) -> tuple[Labels, bytes, int]:
    """Return labels that count from 0, the palette they index, if any, and how many there are."""
    used = np.bincount(samples.reshape(-1), minlength=_ALL_LABELS) > 0
    numbers = np.cumsum(used) - 1
    count, largest = int(numbers[-1]) + 1, int(used.nonzero()[0][-1])
    if largest < _SPARSE * count and not count <= MOST_LABELS <= largest:
        return samples.astype(np.uint8), b"", largest + 1
    ends = (used[1:] != used[:-1]).nonzero()[0] + 1
    bounds = [0, *ends.tolist(), _ALL_LABELS]
    lengths = [end - begin for begin, end in pairwise(bounds)]
    # What is not used at the end is not said, and the first run is of labels that are used.
    runs = [*([] if used[0] else [0]), *lengths[: len(lengths) - (not used[-1])]]
    return (
        numbers.astype(np.uint8)[samples],
        bytes([_PALETTE]) + write_varints([len(runs), *runs]),
        count,
    )


def _is_busy(labels: Labels) -> bool:
    west, north, far_west = labels[1:, 1:-1], labels[:-1, 2:], labels[:-1, 1:-1]
    if not west.size or labels.size <= _TINY_PIXELS:
        return False
    differ = (labels[1:, :-2] != north) | (north != far_west) | (far_west != labels[:-1, :-2])
    return float(differ.mean()) > (_BUSY_SMALL if labels.size < _SMALL_PIXELS else _BUSY)


def _decode(data: bytes, shape: Shape, dtype: Dtype, options: Options) -> Block:
    if data and data[0] == _RAW:
        return RAW.decode(data[1:], shape, dtype, options)
    if len(shape) != 2 or dtype != np.uint8 or 0 in shape:
        raise WireError("not a part of a map")
    if data[:1] == bytes([_REPEATS]):
        plain = np.frombuffer(unpack_repeats(data[1:], math.prod(shape)), np.uint8)
        return Block(as_integers(plain.reshape(shape), dtype))
    palette, place = _read_palette(data)
    if place >= len(data):
        raise WireError("empty part of a map")
    method = data[place]
    reader = MapReader(data[place + 1 :])
    labels: Labels
    if _TREE <= method < _TREE + _MANY_LABELS:
        if not affords_tree(shape, 0, len(data)):
            raise WireError("the stream is too short for its pixels")
        count = method - _TREE + 1 if method < _TREE - 1 + _MANY_LABELS else _ALL_LABELS
        labels = np.zeros(shape, np.uint8)
        walk_rows(labels, count, reader, len(data))
    elif _WAVE <= method < _WAVE + MOST_LABELS:
        if not affords_wave(shape, len(data)):
            raise WireError("the stream is too short for its pixels")
        labels = np.zeros(shape, np.uint8)
        walk_diagonals(labels, method - _WAVE + 1, reader)
    else:
        raise WireError("part of a map of an unknown method")
    reader.finish()
    if palette.size:
        if int(labels.max()) >= palette.size:
            raise WireError("a label is not in the palette")
        labels = palette[labels]
    return Block(as_integers(labels, dtype))


def _read_palette(data: bytes) -> tuple[Labels, int]:
    """Return the labels that are used, none if all may be, and where the rest begins."""
    if data[:1] != bytes([_PALETTE]):
        return np.zeros(0, np.uint8), 0
    (count,), place = read_varints(data, 1, 1)
    if not 0 < count <= _ALL_LABELS + 1:
        raise WireError("palette of too many runs")
    runs, place = read_varints(data, count, place)
    if sum(runs) > _ALL_LABELS:
        raise WireError("palette of too many labels")
    used = np.repeat(np.arange(count) % 2 == 0, runs).nonzero()[0]
    if not used.size:
        raise WireError("palette without a label")
    return used.astype(np.uint8), place


CLASS_MAP = Codec("class map", 5, _cut, _encode, _decode)
