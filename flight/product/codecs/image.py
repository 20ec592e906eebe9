"""The image codec: (rows, columns), lossless or with a bounded error, in tiles that decode alone.

A pixel is foretold by least squares from twelve neighbours; the weights are fitted to the tile and
sent. The encoder of a lossless tile works on whole arrays; the decoder, and the encoder under a
bounded error, take one diagonal after the other.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from flight.product.codecs.contexts import (
    RESIDUALS,
    UNIT,
    Reals,
    Residuals,
    activity,
    context_of,
    fit_activity,
    fold,
    quantised,
    unfold,
)
from flight.product.codecs.entropy import (
    SYMBOLS_A_LANE,
    Contexts,
    SymbolDecoder,
    Values,
    affords_steps,
    check_steps,
    encode_symbols,
)
from flight.product.codecs.geometry import check_tile, cut_tiles
from flight.product.codecs.imagefit import fit_weights, neighbours, some_rows
from flight.product.codecs.imagelevels import find_levels, pack, read_levels, write_levels
from flight.product.codecs.imagemodel import (
    CLUES,
    NEIGHBOURS,
    SLOPE,
    WEIGHT_BITS,
    Frame,
    Side,
    clues,
    gradients,
    pad,
    pad_magnitudes,
    round_prediction,
)
from flight.product.codecs.imagewave import Wave
from flight.product.codecs.linear import Floats
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
_FIT_RESIDUALS = 1 << 13
_BLOCK_ROWS = 32
_MANY_PIXELS = 1 << 17
"""From here on half as many lanes as usual still fill long rows: 0.1 to 0.2 % smaller."""
_CLUE_BITS = 8
_SAMPLE_BITS = 16
_LEVEL_BITS = 20
_WEIGHT_FIELD_BITS = 16


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
    side = replace(side, weights=fit_weights(padded, pixels, maximum_error))
    if maximum_error:
        residuals, padded = _bounded_residuals(frame, side, pixels, maximum_error)
    else:
        residuals = _residuals(side, padded, pixels)
    magnitudes = np.abs(residuals).astype(np.float32) * np.float32(UNIT)
    total = int(np.abs(residuals).sum(dtype=np.int64))
    side = replace(side, level=total * UNIT // samples.size)
    steps = gradients(padded, pixels.shape)
    around = neighbours(pad_magnitudes(frame, magnitudes, side.level), pixels.shape)
    rows = some_rows(samples.shape, _FIT_RESIDUALS)
    some = clues(side.level, [step[rows] for step in steps], [size[rows] for size in around])
    side = replace(
        side,
        clue_weights=fit_activity(
            np.stack([clue.reshape(-1) for clue in some]), magnitudes[rows].reshape(-1)
        ),
    )
    contexts = _contexts(side, steps, around)
    symbols = _in_diagonals(frame, fold(residuals), contexts)
    head = _write_side(side)
    return write_varints([maximum_error, len(head)]) + head + symbols


def _blocks(rows: int) -> Iterator[slice]:
    """Yield some rows at a time: what is worked on stays in the cache."""
    for first in range(0, rows, _BLOCK_ROWS):
        yield slice(first, first + _BLOCK_ROWS)


def _contexts(side: Side, steps: list[Reals], magnitudes: list[Reals]) -> Contexts:
    contexts = np.empty(steps[0].shape, np.uint8)
    for rows in _blocks(len(contexts)):
        parts = clues(side.level, [step[rows] for step in steps], [m[rows] for m in magnitudes])
        contexts[rows] = context_of(activity(side.clue_weights, parts))
    return contexts


def _residuals(side: Side, padded: Floats, pixels: Floats) -> Residuals:
    """Return what is left of pixels that are all known."""
    residuals = np.empty(pixels.shape, np.int32)
    around = neighbours(padded, pixels.shape)
    for rows in _blocks(len(pixels)):
        sums = np.zeros(pixels[rows].shape)
        term = np.empty(sums.shape)
        for weight, neighbour in zip(side.weights, around, strict=True):
            sums += np.multiply(neighbour[rows], weight, out=term)
        np.subtract(
            pixels[rows], round_prediction(sums, side), out=residuals[rows], casting="unsafe"
        )
    return residuals


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
    order, counts = frame.order()
    return encode_symbols(
        RESIDUALS,
        values.reshape(-1).take(order),
        contexts.reshape(-1).take(order),
        counts,
        SYMBOLS_A_LANE * (2 if values.size >= _MANY_PIXELS else 1),
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
