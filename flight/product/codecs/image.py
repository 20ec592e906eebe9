"""The image codec: (rows, columns), lossless or with a bounded error, in tiles that decode alone.

A pixel is foretold by least squares from twelve neighbours; the weights are fitted to the tile and
sent. The encoder of a lossless tile works on whole arrays; the decoder, and the encoder under a
bounded error, take one diagonal after the other.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.contexts import (
    RESIDUALS,
    UNIT,
    Residuals,
    activity,
    context_of,
    fit_activity,
    fold,
    quantised,
    unfold,
)
from flight.product.codecs.entropy import (
    Contexts,
    SymbolDecoder,
    Values,
    affords_steps,
    check_steps,
    encode_symbols,
)
from flight.product.codecs.geometry import check_tile, cut_tiles
from flight.product.codecs.imagelevels import find_levels, pack, read_levels, write_levels
from flight.product.codecs.imagemodel import (
    CLUES,
    NEIGHBOURS,
    PAD,
    SLOPE,
    WEIGHT_BITS,
    Frame,
    Side,
    clues,
    pad,
    pad_magnitudes,
    round_prediction,
)
from flight.product.codecs.imagewave import Wave
from flight.product.codecs.linear import Floats, solve
from flight.product.codecs.rangecoder import RangeDecoder, RangeEncoder
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
from flight.product.codecs.varint import read_varints, write_varints
from flight.product.errors import WireError

_RAW, _MODEL, _PACKED = 0, 1, 2
_HOPELESS = 1.25
"""Only a part that the model shrinks by less than this is worth trying without it."""
_FIT_PIXELS = 1 << 14
_FIT_RESIDUALS = 1 << 13
_LARGEST_WEIGHT = (1 << 15) - 1
_FIT_SCALE, _FIT_CLIP = float(1 << 12), float(1 << 18)
_PAIRS = ((0, 4), (1, 2), (1, 3), (0, 2), (1, 5), (3, 9))
"""W and WW, N and NW, N and NE; W and NW, N and NN, NE and what is north of it."""
_RIDGE = 1e-6
_CLUE_BITS = 8
_SAMPLE_BITS = 16
_LEVEL_BITS = 20
_WEIGHT_FIELD_BITS = 16

Number = TypeVar("Number", bound=np.generic)


def _cut(shape: Shape, options: Options) -> Iterator[Box]:
    return cut_tiles(shape, options.tile)


def _encode(samples: Integers, options: Options) -> bytes:
    if samples.dtype.itemsize > 2 or samples.dtype.kind != "u":
        raise TypeError(f"the image codec takes unsigned 8 and 16 bits, not {samples.dtype}")
    modelled = b""
    if samples.size:
        modelled = _encode_best(samples, options.maximum_error)
        if not affords_steps(Frame(*samples.shape).steps, samples.size, len(modelled)):
            modelled = b""
        elif len(modelled) * _HOPELESS < samples.nbytes:
            return modelled
    plain = bytes([_RAW]) + RAW.encode(samples, options)
    return min(modelled or plain, plain, key=len)


def _encode_best(samples: Integers, maximum_error: int) -> bytes:
    """Return an image's stream, packed if there are gaps between its values."""
    levels = None if maximum_error else find_levels(samples)
    if levels is None:
        return bytes([_MODEL]) + _encode_model(samples, maximum_error)
    head = write_levels(levels)
    head = bytes([_PACKED]) + write_varints([len(head)]) + head
    return head + _encode_model(pack(samples, levels), maximum_error)


def _encode_model(samples: Integers, maximum_error: int) -> bytes:
    frame = Frame(*samples.shape)
    pixels = samples.astype(np.float64)
    total = int(samples.sum(dtype=np.int64))
    middle = total // samples.size
    padded = pad(frame, pixels, middle)
    side = Side(int(samples.min()), int(samples.max()), middle, (), 0, ())
    side = replace(side, weights=_fit_weights(padded, pixels, maximum_error))
    if maximum_error:
        residuals, padded = _bounded_residuals(frame, side, pixels, maximum_error)
    else:
        sums, term = np.zeros(pixels.shape), np.empty(pixels.shape)
        for weight, neighbour in zip(side.weights, _neighbours(padded, pixels.shape), strict=True):
            sums += np.multiply(neighbour, weight, out=term)
        residuals = (pixels - round_prediction(sums, side)).astype(np.int32)

    magnitudes = np.abs(residuals).astype(np.float32) * np.float32(UNIT)
    total = int(np.abs(residuals).sum(dtype=np.int64))
    side = replace(side, level=total * UNIT // samples.size)
    clue_list = clues(
        side.level,
        _neighbours(padded, pixels.shape)[:4],
        _neighbours(pad_magnitudes(frame, magnitudes, side.level), pixels.shape),
    )
    rows = _some_rows(samples.shape, _FIT_RESIDUALS)
    side = replace(
        side,
        clue_weights=fit_activity(
            np.stack([clue[rows].reshape(-1) for clue in clue_list]),
            magnitudes[rows].reshape(-1),
        ),
    )
    contexts = context_of(activity(side.clue_weights, clue_list))
    symbols = _in_diagonals(frame, fold(residuals), contexts)
    head = _write_side(side)
    return write_varints([maximum_error, len(head)]) + head + symbols


def _some_rows(shape: Shape, pixels: int) -> slice:
    """Return rows spread over an image that hold about so many pixels."""
    stride = min(shape[0], max(1, math.prod(shape) // pixels))
    return slice(stride // 2, None, stride)


def _neighbours(padded: NDArray[Number], shape: Shape) -> list[NDArray[Number]]:
    rows, columns = shape
    return [
        padded[PAD + row : PAD + row + rows, PAD + column : PAD + column + columns]
        for row, column in NEIGHBOURS
    ]


def _fit_weights(padded: Floats, pixels: Floats, maximum_error: int) -> tuple[int, ...]:
    """Return a weight a neighbour by least squares of the differences to the west one."""
    # A pixel counts the less the more its neighbours differ: there a miss costs little more.
    chosen = _some_rows(pixels.shape, _FIT_PIXELS)
    around = [neighbour[chosen].reshape(-1) for neighbour in _neighbours(padded, pixels.shape)]
    west, *others = around
    busy = _differences(around)
    level = int(busy.sum()) // (2 * busy.size) + 1
    scale = _FIT_SCALE / (busy + level)
    # Whole numbers below 2^18, some 2^15 of them: the sums stay below 2^53.
    rows = np.stack([(neighbour - west) * scale for neighbour in others])
    np.floor(np.clip(rows, -_FIT_CLIP, _FIT_CLIP, out=rows), out=rows)
    target = np.floor(np.clip((pixels[chosen].reshape(-1) - west) * scale, -_FIT_CLIP, _FIT_CLIP))
    gram = rows @ rows.T
    diagonal = np.einsum("ii->i", gram)
    noise = float((np.floor(scale) ** 2).sum()) * ((2 * maximum_error + 1) ** 2 - 1) / 12
    trace = 0.0
    for term in diagonal.tolist():
        trace += term
    diagonal += trace * (_RIDGE / len(others)) + _FIT_SCALE + noise
    right = np.asarray(rows @ target, np.float64)
    answer = np.rint(solve(gram[None], right[None])[0] * (1 << WEIGHT_BITS))
    weights = [int(weight) for weight in np.clip(answer, -_LARGEST_WEIGHT, _LARGEST_WEIGHT)]
    return ((1 << WEIGHT_BITS) - sum(weights), *weights)


def _differences(around: list[Floats]) -> Floats:
    """Return how much the neighbours of each pixel differ from one another."""
    total = np.zeros(around[0].shape)
    for one, other in _PAIRS:
        total += np.abs(around[one] - around[other])
    return total


def _bounded_residuals(
    frame: Frame, side: Side, pixels: Floats, maximum_error: int
) -> tuple[Residuals, Floats]:
    """Return quantised residuals, and the padded pixels that a decoder will have."""
    quantum = 2 * maximum_error + 1
    wave = Wave(frame, side, quantum)
    wanted = pad(frame, pixels, 0).reshape(-1)
    residuals = np.zeros(frame.size)
    advance = frame.stride - SLOPE
    for first, count, place in frame.diagonals():
        line = slice(place, place + (count - 1) * advance + 1, advance)
        predicted = wave.predict(count, place)
        quotient = quantised(wanted[line] - predicted, maximum_error)
        residuals[line] = quotient
        wave.put(first, place, predicted, quotient)
    return frame.inner(residuals).astype(np.int32), wave.values.reshape(-1, frame.stride)


def _in_diagonals(frame: Frame, values: Values, contexts: Contexts) -> bytes:
    """Return the symbol stream of an image's values, in the order of its diagonals."""
    edges = ((PAD, 0), (PAD, PAD))
    flat_values = np.pad(values, edges).reshape(-1)
    flat_contexts = np.pad(contexts, edges).reshape(-1)
    advance = frame.stride - SLOPE
    diagonals = list(frame.diagonals())
    lines = [
        slice(place, place + (count - 1) * advance + 1, advance) for _, count, place in diagonals
    ]
    return encode_symbols(
        RESIDUALS,
        np.concatenate([flat_values[line] for line in lines]),
        np.concatenate([flat_contexts[line] for line in lines]),
        np.array([count for _, count, _ in diagonals]),
    )


def _write_side(side: Side) -> bytes:
    coder = RangeEncoder()
    for number in (side.lowest, side.highest, side.middle):
        coder.put_bits(number, _SAMPLE_BITS)
    coder.put_bits(side.level, _LEVEL_BITS)
    for weight in side.clue_weights:
        coder.put_bits(weight, _CLUE_BITS)
    for weight in side.weights[1:]:
        coder.put_bits(weight + (1 << _WEIGHT_FIELD_BITS >> 1), _WEIGHT_FIELD_BITS)
    return coder.finish()


def _read_side(data: bytes) -> Side:
    coder = RangeDecoder(data)
    lowest, highest, middle = (coder.take_bits(_SAMPLE_BITS) for _ in range(3))
    level = coder.take_bits(_LEVEL_BITS)
    clue_weights = tuple(coder.take_bits(_CLUE_BITS) for _ in range(CLUES))
    weights = [
        coder.take_bits(_WEIGHT_FIELD_BITS) - (1 << _WEIGHT_FIELD_BITS >> 1)
        for _ in range(len(NEIGHBOURS) - 1)
    ]
    if not lowest <= middle <= highest:
        raise WireError("range of the pixels is not possible")
    all_weights = ((1 << WEIGHT_BITS) - sum(weights), *weights)
    return Side(lowest, highest, middle, all_weights, level, clue_weights)


def _decode(data: bytes, shape: Shape, dtype: Dtype, options: Options) -> Block:
    check_tile(shape)
    if dtype.itemsize > 2 or dtype.kind != "u" or not data:
        raise WireError("not a part of an image")
    if data[0] == _RAW:
        return RAW.decode(data[1:], shape, dtype, options)
    if data[0] not in (_MODEL, _PACKED) or 0 in shape:
        raise WireError("image part of an unknown method")
    frame = Frame(*shape)
    check_steps(frame.steps, math.prod(shape), len(data))
    if data[0] == _MODEL:
        return Block(as_integers(_decode_model(data[1:], frame, int(np.iinfo(dtype).max)), dtype))
    (size,), place = read_varints(data, 1, 1)
    levels = read_levels(data[place : place + size], math.prod(shape))
    if int(levels[-1]) > np.iinfo(dtype).max:
        raise WireError("pixels do not fit their dtype")
    numbers = _decode_model(data[place + size :], frame, levels.size - 1)
    return Block(as_integers(levels[numbers.astype(np.int64)], dtype))


def _decode_model(data: bytes, frame: Frame, largest: int) -> Floats:
    """Return pixels up to ``largest``."""
    (maximum_error, size), place = read_varints(data, 2)
    side = _read_side(data[place : place + size])
    if side.highest > largest or maximum_error > largest:
        raise WireError("pixels do not fit their dtype")
    symbols = SymbolDecoder(RESIDUALS, data[place + size :])
    wave = Wave(frame, side, 2 * maximum_error + 1)
    for first, count, begin in frame.diagonals():
        predicted = wave.predict(count, begin)
        residuals = unfold(symbols.take(wave.contexts()))
        wave.put(first, begin, predicted, residuals.astype(np.float64))
    symbols.finish()
    return frame.inner(wave.values)


IMAGE = Codec("image", 3, _cut, _encode, _decode)
