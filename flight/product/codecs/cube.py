"""The cube codec: (bands, lines, samples), lossless or with a bounded error.

Decoding is a wavefront: step d takes line d - z of every band z, for all that such a line needs
(the same line in bands before, the line above in this band and in those before) lies in the
steps before d. So one step is one batch of numpy operations over up to ``bands`` lines, and the
residuals travel in that order. The encoder knows every sample beforehand and works band by band,
except under a bounded error, where it must predict from what the decoder will have.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.contexts import (
    RESIDUALS,
    Residuals,
    exact_context_of,
    fold,
    quantised,
    unfold,
)
from flight.product.codecs.cubefit import fit_clues, fit_weights
from flight.product.codecs.cubemodel import (
    CLUES,
    Side,
    foreteller,
    predictor,
    round_prediction,
)
from flight.product.codecs.cubeplanes import Part, Remainder, SamplePlanes, SizePlanes, strips
from flight.product.codecs.cubeside import read_side, write_side
from flight.product.codecs.cubewave import Wave, diagonals, wave_order
from flight.product.codecs.differences import (
    pack_differences,
    suits_differences,
    unpack_differences,
)
from flight.product.codecs.entropy import (
    Contexts,
    SymbolDecoder,
    affords_steps,
    check_expansion,
    encode_symbols,
)
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
from flight.product.codecs.varint import read_varints, write_varints
from flight.product.errors import WireError

_RAW, _MODEL, _DIFFERENCES = 0, 1, 2
_PART_LINES = 32
_HOPELESS = 1.25
"""Only a part that is shrunk by less than this is worth trying by plainer ways."""
_SYMBOLS_A_LANE = 450
_FREE_FRONT, _FRONT_A_BYTE = 1 << 14, 8
"""How many samples a wavefront may take in one step: each costs some 200 bytes of memory."""
_SAMPLES_A_STEP = 2048
"""A step costs as much time as a thousand samples do, or two."""


def _cut(shape: Shape, options: Options) -> Iterator[Box]:
    if len(shape) != 3:
        raise ValueError("a cube has bands, lines and samples")
    return cut_grid(shape, (shape[0], options.part_lines or _PART_LINES, shape[2]))


def _encode(samples: Integers, options: Options) -> bytes:
    if samples.dtype.itemsize > 2:
        raise TypeError(f"the cube codec takes 8 and 16 bits, not {samples.dtype}")
    ways = []
    if samples.size:
        modelled = bytes([_MODEL]) + _encode_model(samples, options.maximum_error)
        if _affords(samples.shape, len(modelled)):
            ways.append(modelled)
        if suits_differences(samples.shape, samples.dtype):
            ways.append(bytes([_DIFFERENCES]) + pack_differences(samples))
    smallest = min(map(len, ways), default=samples.nbytes)
    if smallest * _HOPELESS >= samples.nbytes:
        ways.append(bytes([_RAW]) + RAW.encode(samples, options))
    return min(ways, key=len)


def _affords(shape: Shape, stream_bytes: int) -> bool:
    """Return whether a stream is long enough for the time and the memory of its wavefront."""
    bands, lines, width = shape
    front = min(bands, lines) * width
    return front <= _FREE_FRONT + _FRONT_A_BYTE * stream_bytes and affords_steps(
        bands + lines, math.prod(shape), stream_bytes, _SAMPLES_A_STEP
    )


def _encode_model(samples: Integers, maximum_error: int) -> bytes:
    part = Part.of(samples)
    bands, lines, width = samples.shape
    weights, packing = fit_weights(part, maximum_error)
    side = Side(
        part.lowest, part.highest, part.means, weights, np.zeros(bands, np.int64), (0,) * CLUES
    )
    if maximum_error:
        residuals = _bounded_residuals(samples, side, maximum_error)
    else:
        residuals = _residuals(part, side)
    remainder = Remainder.of(residuals)
    side = replace(side, levels=remainder.levels, clue_weights=fit_clues(remainder))
    values, contexts = _foretold(side, remainder)
    order = wave_order(bands, lines)
    symbols = encode_symbols(
        RESIDUALS,
        values.take(order, axis=0).reshape(-1),
        contexts.take(order, axis=0).reshape(-1),
        np.array([(end - first) * width for first, end, _ in diagonals(bands, lines)]),
        _SYMBOLS_A_LANE,
    )
    head = write_side(side, packing)
    return write_varints([maximum_error, len(head)]) + head + symbols


def _residuals(part: Part, side: Side) -> Residuals:
    bands, lines, width = part.samples.shape
    residuals = np.empty((bands, lines, width + 2), np.int32)
    before, above = predictor(side.weights)
    low, high = side.limits
    for strip in strips(part.samples.shape):
        planes = SamplePlanes(part, strip)
        for first, end in planes.blocks(bands):
            wanted = planes.fill(first, end)
            sums = planes.sums(before[first:end], above[first:end])
            predicted = round_prediction(sums, low[first:end], high[first:end])
            found = np.subtract(wanted, predicted, out=predicted)
            residuals[first:end, strip] = found.reshape(end - first, -1, width + 2)
    return residuals


def _bounded_residuals(samples: Integers, side: Side, maximum_error: int) -> Residuals:
    bands, lines, width = samples.shape
    wave = Wave(samples.shape, side, 2 * maximum_error + 1)
    wanted = (samples - side.means[:, None, None]).reshape(-1, width)
    residuals = np.empty((len(wanted), width + 2), np.int32)
    padded = np.zeros((lines, width + 2))
    for first, end, rows in diagonals(bands, lines):
        predicted = wave.predict(first, end)
        quotient = padded[: end - first]
        quotient[:, 1:-1] = quantised(wanted[rows] - predicted[:, 1:-1], maximum_error)
        residuals[rows] = quotient
        wave.put(first, end, predicted, quotient)
    return residuals.reshape(bands, lines, width + 2)


def _foretold(side: Side, remainder: Remainder) -> tuple[NDArray[np.uint32], Contexts]:
    """Return the folded residuals and their contexts, (bands * lines, samples)."""
    bands, _, width = remainder.shape
    folded, contexts = np.empty(remainder.shape, np.uint32), np.empty(remainder.shape, np.uint8)
    weights = foreteller(side)
    for strip in strips(remainder.shape):
        planes = SizePlanes(remainder, strip)
        for first, end in planes.blocks(bands):
            planes.fill(first, end)
            activity = planes.activity(*(part[first:end] for part in weights))
            found = exact_context_of(activity).reshape(end - first, -1, width + 2)
            contexts[first:end, strip] = found[:, :, 1:-1]
            folded[first:end, strip] = fold(remainder.residuals[first:end, strip])[:, :, 1:-1]
    return folded.reshape(-1, width), contexts.reshape(-1, width)


def _decode(data: bytes, shape: Shape, dtype: Dtype, options: Options) -> Block:
    if len(shape) != 3 or dtype.itemsize > 2 or not data:
        raise WireError("not a part of a cube")
    if data[0] == _RAW:
        return RAW.decode(data[1:], shape, dtype, options)
    if data[0] == _DIFFERENCES:
        check_expansion(math.prod(shape), len(data))
        if not suits_differences(shape, dtype):
            raise WireError("a cube too large for band differences")
        return Block(unpack_differences(data[1:], shape, dtype))
    if data[0] != _MODEL or 0 in shape:
        raise WireError("cube part of an unknown method")
    (maximum_error, size), place = read_varints(data, 2, 1)
    bands, lines, width = shape
    check_expansion(math.prod(shape), len(data))
    if not _affords(shape, len(data)):
        raise WireError("the stream is too short for so long or wide a box")
    side = read_side(data[place : place + size], bands)
    limits = np.iinfo(dtype)
    if side.lowest < limits.min or side.highest > limits.max or maximum_error > limits.max:
        raise WireError("samples do not fit their dtype")
    symbols = SymbolDecoder(RESIDUALS, data[place + size :])
    wave = Wave(shape, side, 2 * maximum_error + 1)
    samples = np.empty((bands * lines, width), dtype)
    padded = np.zeros((lines, width + 2))
    for first, end, rows in diagonals(bands, lines):
        contexts = wave.contexts(first, end)[:, 1:-1].reshape(-1)
        residuals = padded[: end - first]
        residuals[:, 1:-1] = unfold(symbols.take(contexts)).reshape(-1, width)
        decoded = wave.put(first, end, wave.predict(first, end), residuals)
        samples[rows] = decoded.astype(np.int32)[:, 1:-1]
    symbols.finish()
    # Relative to the means until now; whole numbers wrap around and come back.
    relative = samples.reshape(bands, -1)
    np.add(relative, side.means.astype(dtype)[:, None], out=relative)
    return Block(as_integers(samples.reshape(shape), dtype))


CUBE = Codec("cube", 4, _cut, _encode, _decode)
