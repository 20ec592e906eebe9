"""The housekeeping codec: (packets, bytes) of one fixed-length packet type, in keyframed batches.

A batch decodes alone. Each field of the packet dictionary becomes a column of integers (a float
by its bits, in an order-preserving way), each column the differences of the order that suits it,
and each difference a token of its length in an adaptive range coder. Where the fields are not
known, the encoder looks for the division of the packet that costs least and sends it along.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.geometry import cut_grid
from flight.product.codecs.rangecoder import Integers as IntegerModel
from flight.product.codecs.rangecoder import RangeDecoder, RangeEncoder, Tokens
from flight.product.codecs.raw import RAW
from flight.product.codecs.types import (
    Block,
    Box,
    Codec,
    Dtype,
    Field,
    Integers,
    Options,
    Shape,
    as_integers,
)
from flight.product.errors import WireError

Column = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_RAW, _TYPED, _FOUND = 0, 1, 2
_PACKETS = 60
_KINDS = "uif"
_WIDTHS = (1, 2, 3, 4, 8)
_GUESSES = (Field("u", 1), Field("u", 2), Field("u", 4), Field("f", 4), Field("f", 8))
"""What an unknown packet may be made of."""
_PREDICTORS = 5
"""Differences of order 0 to 3, and the difference to the packet before the last."""
_LAG = 4
_DIRECT = 4
_LOG = np.round(256 * np.log2(np.maximum(np.arange(4097), 1))).astype(np.int64)
"""256 log2 n, rounded: the same on every machine, for no value lies near a half."""
_FIELD_BITS = 8 * 256
"""What a field costs beside its differences, about, in 1/256 bit."""
_MAXIMUM_EXPANSION = 1 << 12


def _cut(shape: Shape, options: Options) -> Iterator[Box]:
    if len(shape) != 2:
        raise ValueError("housekeeping has packets and bytes")
    return cut_grid(shape, (options.part_lines or _PACKETS, shape[1]))


def _sign(values: Column, width: int) -> Column:
    """Return the values modulo 2^(8 width), between minus and plus half of it."""
    spare = 64 - 8 * width
    return values << spare >> spare


def _column(packets: Bytes, place: int, field: Field) -> Column:
    """Return a field of all packets as signed integers."""
    wide = np.zeros((len(packets), 8), np.uint8)
    wide[:, 8 - field.width_bytes :] = packets[:, place : place + field.width_bytes]
    values = _sign(wide.view(">i8").astype(np.int64).reshape(-1), field.width_bytes)
    return _order(values, field)


def _order(values: Column, field: Field) -> Column:
    """Turn sign-and-magnitude bits of floats into integers in the same order, and back."""
    if field.kind != "f":
        return values
    magnitude = np.int64((1 << (8 * field.width_bytes - 1)) - 1)
    return np.where(values < 0, values ^ magnitude, values)


def _differences(values: Column, predictor: int, width: int) -> Column:
    if predictor == _LAG:
        result = values.copy()
        result[2:] -= values[:-2]
    else:
        result = values
        for _ in range(predictor):
            result = np.diff(result, prepend=np.int64(0))
    return _sign(result, width)


def _integrate(differences: Column, predictor: int, width: int) -> Column:
    result = differences.copy()
    if predictor == _LAG:
        result[::2] = np.cumsum(result[::2])
        result[1::2] = np.cumsum(result[1::2])
    else:
        for _ in range(predictor):
            result = np.cumsum(result)
    return _sign(result, width)


def _cost(differences: Column) -> int:
    """Return about how many bits the differences take, in 1/256."""
    # The magnitude's length; exact, since frexp of an integer below 2^63 errs by at most one bit.
    folded = np.abs(differences.astype(np.float64)) * 2.0
    lengths = np.frexp(folded)[1]
    counts = np.bincount(lengths)
    counts = counts[counts > 0]
    total = int(counts.sum())
    spread = total * int(_LOG[total]) - int((counts * _LOG[counts]).sum())
    return spread + 256 * int(np.maximum(lengths - 1, 0).sum())


def _best(values: Column, width: int) -> tuple[int, int]:
    """Return the cheapest predictor's cost and its number."""
    if values.size > len(_LOG) - 1:
        values = values[: len(_LOG) - 1]
    costs = [_cost(_differences(values, number, width)) for number in range(_PREDICTORS)]
    best = min(range(_PREDICTORS), key=costs.__getitem__)
    return costs[best], best


def _find_fields(packets: Bytes) -> tuple[Field, ...]:
    """Return the division into fields that costs least, by dynamic programming."""
    size = packets.shape[1]
    best: list[tuple[int, tuple[Field, ...]]] = [(0, ())]
    pending: list[list[tuple[int, int, Field]]] = [[] for _ in range(size + 1)]
    for place in range(size):
        for guess in _GUESSES:
            end = place + guess.width_bytes
            if end <= size:
                cost, _ = _best(_column(packets, place, guess), guess.width_bytes)
                pending[end].append((best[place][0] + cost + _FIELD_BITS, place, guess))
        total, start, field = min(pending[place + 1], key=lambda option: option[0])
        best.append((total, (*best[start][1], field)))
    return best[size][1]


def _put_column(coder: RangeEncoder, values: Column, width: int) -> None:
    _, predictor = _best(values, width)
    coder.put(predictor, 1, _PREDICTORS)
    model = IntegerModel(64, direct=_DIRECT)
    for difference in _differences(values, predictor, width).tolist():
        model.put(coder, difference)


def _take_column(coder: RangeDecoder, packets: int, width: int) -> Column:
    predictor = coder.look(_PREDICTORS)
    coder.take(predictor, 1)
    model = IntegerModel(64, direct=_DIRECT)
    half = 1 << 63
    differences = [model.take(coder) for _ in range(packets)]
    if any(not -half <= difference < half for difference in differences):
        raise WireError("a difference is out of range")
    return _integrate(np.array(differences, np.int64), predictor, width)


def _check_fields(fields: Sequence[Field], size: int) -> bool:
    known = all(field.kind in _KINDS and field.width_bytes in _WIDTHS for field in fields)
    return known and sum(field.width_bytes for field in fields) == size


def _encode(samples: Integers, options: Options) -> bytes:
    plain = bytes([_RAW]) + RAW.encode(samples, options)
    if samples.dtype != np.uint8 or samples.ndim != 2 or samples.size == 0:
        return plain
    packets = samples.astype(np.uint8)
    coder = RangeEncoder()
    if options.fields:
        if not _check_fields(options.fields, packets.shape[1]):
            raise ValueError("the fields do not make up the packet")
        method, fields = _TYPED, options.fields
    else:
        method, fields = _FOUND, _find_fields(packets)
        kinds = Tokens(len(_GUESSES))
        for field in fields:
            kinds.put(coder, _GUESSES.index(field))
    place = 0
    for field in fields:
        _put_column(coder, _column(packets, place, field), field.width_bytes)
        place += field.width_bytes
    return min(bytes([method]) + coder.finish(), plain, key=len)


def _decode(data: bytes, shape: Shape, dtype: Dtype, options: Options) -> Block:
    if not data:
        raise WireError("empty part of housekeeping")
    if data[0] == _RAW:
        return RAW.decode(data[1:], shape, dtype, options)
    if len(shape) != 2 or dtype != np.uint8 or 0 in shape:
        raise WireError("not a part of housekeeping")
    if math.prod(shape) > len(data) * _MAXIMUM_EXPANSION:
        raise WireError("the stream is too short for its packets")
    count, size = shape
    coder = RangeDecoder(data[1:])
    if data[0] == _TYPED:
        fields = options.fields
        if not _check_fields(fields, size):
            raise WireError("the packet dictionary that these packets need is not here")
    elif data[0] == _FOUND:
        fields = _take_fields(coder, size)
    else:
        raise WireError("part of housekeeping of an unknown method")
    packets = np.empty((count, size), np.uint8)
    place = 0
    for field in fields:
        values = _order(_take_column(coder, count, field.width_bytes), field)
        wide = values.astype(">i8").view(np.uint8).reshape(count, 8)
        packets[:, place : place + field.width_bytes] = wide[:, 8 - field.width_bytes :]
        place += field.width_bytes
    return Block(as_integers(packets, dtype))


def _take_fields(coder: RangeDecoder, size: int) -> tuple[Field, ...]:
    kinds = Tokens(len(_GUESSES))
    fields: list[Field] = []
    left = size
    while left > 0:
        field = _GUESSES[kinds.take(coder)]
        fields.append(field)
        left -= field.width_bytes
    if left:
        raise WireError("the fields do not make up the packet")
    return tuple(fields)


HOUSEKEEPING = Codec("housekeeping", 1, _cut, _encode, _decode)
