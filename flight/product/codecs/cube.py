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
from flight.product.codecs.cubefit import Planes, fit_weights
from flight.product.codecs.cubemodel import (
    FEATURES,
    Side,
    band_scales,
    clues,
    next_magnitude_column,
    put_features,
    round_prediction,
)
from flight.product.codecs.cubeside import level_code, level_of, read_side, write_side
from flight.product.codecs.cubewave import Wave, diagonals
from flight.product.codecs.entropy import (
    Contexts,
    SymbolDecoder,
    affords_steps,
    check_steps,
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

_RAW, _MODEL = 0, 1
_PART_LINES = 32
_HOPELESS = 1.25
"""Only a part that the model shrinks by less than this is worth trying without it."""
_SYMBOLS_A_LANE = 450
_FIT_BANDS = 32
_FIT_RESIDUALS = 1 << 13
"""From how many bands, and to how many residuals, the weights of the clues are fitted."""


def _cut(shape: Shape, options: Options) -> Iterator[Box]:
    if len(shape) != 3:
        raise ValueError("a cube has bands, lines and samples")
    return cut_grid(shape, (shape[0], options.part_lines or _PART_LINES, shape[2]))


def _encode(samples: Integers, options: Options) -> bytes:
    if samples.dtype.itemsize > 2:
        raise TypeError(f"the cube codec takes 8 and 16 bits, not {samples.dtype}")
    modelled = b""
    if samples.size:
        modelled = bytes([_MODEL]) + _encode_model(samples, options.maximum_error)
        if not affords_steps(sum(samples.shape[:2]), samples.size, len(modelled)):
            modelled = b""
        elif len(modelled) * _HOPELESS < samples.nbytes:
            return modelled
    plain = bytes([_RAW]) + RAW.encode(samples, options)
    return min(modelled or plain, plain, key=len)


def _encode_model(samples: Integers, maximum_error: int) -> bytes:
    planes = Planes.of(samples)
    weights, packing = fit_weights(planes, maximum_error)
    if maximum_error:
        residuals = _bounded_residuals(planes, weights, maximum_error)
    else:
        residuals = _residuals(planes, weights)
    bands, lines, width = residuals.shape
    magnitudes = np.abs(residuals).astype(np.float32) * np.float32(UNIT)
    sums = np.abs(residuals).sum(axis=(1, 2), dtype=np.int64)
    levels = [level_of(level_code(int(total) * UNIT // (lines * width))) for total in sums]
    side = Side(planes.lowest, planes.highest, planes.means, weights, np.array(levels), ())
    side, contexts = _contexts(planes, side, magnitudes)

    folded = fold(residuals).reshape(-1, width)
    contexts = contexts.reshape(-1, width)
    rows = [row for _, _, row in diagonals(bands, lines)]
    symbols = encode_symbols(
        RESIDUALS,
        np.concatenate([folded[row] for row in rows]).reshape(-1),
        np.concatenate([contexts[row] for row in rows]).reshape(-1),
        np.array([(end - first) * width for first, end, _ in diagonals(bands, lines)]),
        _SYMBOLS_A_LANE,
    )
    head = write_side(side, packing)
    return write_varints([maximum_error, len(head)]) + head + symbols


def _residuals(planes: Planes, weights: NDArray[np.int64]) -> Residuals:
    _, lines, width = planes.shape
    residuals = np.empty(planes.shape, np.int32)
    lowest = (planes.lowest - planes.means).astype(np.float64)[:, None]
    highest = (planes.highest - planes.means).astype(np.float64)[:, None]
    for first, end in planes.blocks(lines * width):
        features = np.empty((end - first, FEATURES, lines, width))
        put_features(features.swapaxes(0, 1), *planes.around(first, end, slice(None)))
        rows = features.reshape(end - first, FEATURES, -1)
        sums = (weights[first:end, None, :].astype(np.float64) @ rows)[:, 0]
        predicted = round_prediction(sums, lowest[first:end], highest[first:end])
        wanted = planes.lines_of(first, end)
        residuals[first:end] = wanted - predicted.reshape(wanted.shape)
    return residuals


def _bounded_residuals(planes: Planes, weights: NDArray[np.int64], maximum_error: int) -> Residuals:
    bands, lines, width = planes.shape
    wave = Wave(planes.shape, planes.side(weights), 2 * maximum_error + 1)
    flat = planes.samples.reshape(-1, width)
    residuals = np.empty(flat.shape, np.int32)
    for first, end, rows in diagonals(bands, lines):
        predicted = wave.predict(first, end)
        wanted = flat[rows] - planes.means[first:end, None] - predicted
        quotient = quantised(wanted, maximum_error)
        residuals[rows] = quotient
        wave.put(first, end, predicted, quotient)
    return residuals.reshape(planes.shape)


def _contexts(planes: Planes, side: Side, magnitudes: Reals) -> tuple[Side, Contexts]:
    """Return the side information with fitted clue weights, and every residual's context."""
    bands, lines, width = magnitudes.shape
    padded = np.zeros((bands + 2, lines + 1, width + 2), np.float32)
    padded[2:, 0] = side.levels[:, None]
    padded[2:, 1:, 1:-1] = magnitudes
    padded[2:, 1:, 0], padded[2:, 1:, -1] = magnitudes[:, :, 0], magnitudes[:, :, -1]
    columns = np.empty(magnitudes.shape, np.float32)
    columns[:, 0] = side.levels[:, None]
    for line in range(lines - 1):
        columns[:, line + 1] = next_magnitude_column(columns[:, line], magnitudes[:, line])
    scales = band_scales(side.levels)[:, None, None]

    levels = side.levels.astype(np.float32)[:, None, None]

    def clues_of(first: int, end: int) -> list[Reals]:
        return clues(
            level=levels[first:end],
            scale=scales[first:end],
            before=padded[first + 1 : end + 1, 1:],
            before2=padded[first:end, 1:, 1:-1],
            above=padded[first + 2 : end + 2, :-1],
            column=columns[first:end],
        )

    chosen = range(bands)[:: max(1, bands // _FIT_BANDS)]
    stride = min(lines, max(1, len(chosen) * lines * width // _FIT_RESIDUALS))
    some = slice(stride // 2, None, stride)
    sampled = np.concatenate(
        [
            np.stack([clue[0, some].reshape(-1) for clue in clues_of(band, band + 1)])
            for band in chosen
        ],
        axis=1,
    )
    target = np.concatenate([magnitudes[band, some].reshape(-1) for band in chosen])
    weights = fit_activity(sampled, target)
    contexts = np.empty(magnitudes.shape, np.uint8)
    for first, end in planes.blocks(lines * width):
        contexts[first:end] = context_of(activity(weights, clues_of(first, end)))
    return replace(side, clue_weights=weights), contexts


def _decode(data: bytes, shape: Shape, dtype: Dtype, options: Options) -> Block:
    if len(shape) != 3 or dtype.itemsize > 2 or not data:
        raise WireError("not a part of a cube")
    if data[0] == _RAW:
        return RAW.decode(data[1:], shape, dtype, options)
    if data[0] != _MODEL or 0 in shape:
        raise WireError("cube part of an unknown method")
    (maximum_error, size), place = read_varints(data, 2, 1)
    bands, lines, width = shape
    check_steps(bands + lines, math.prod(shape), len(data))
    side = read_side(data[place : place + size], bands)
    limits = np.iinfo(dtype)
    if side.lowest < limits.min or side.highest > limits.max or maximum_error > limits.max:
        raise WireError("samples do not fit their dtype")
    symbols = SymbolDecoder(RESIDUALS, data[place + size :])
    wave = Wave(shape, side, 2 * maximum_error + 1)
    samples = as_integers(np.empty((bands * lines, width), dtype), dtype)
    for first, end, rows in diagonals(bands, lines):
        contexts = wave.contexts(first, end)
        residuals = unfold(symbols.take(contexts.reshape(-1))).reshape(contexts.shape)
        predicted = wave.predict(first, end)
        samples[rows] = wave.put(first, end, predicted, residuals.astype(np.float64))
    symbols.finish()
    return Block(as_integers(samples.reshape(shape), dtype))


CUBE = Codec("cube", 2, _cut, _encode, _decode)
