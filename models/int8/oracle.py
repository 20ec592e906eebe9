"""A graph computed in integer numpy, bit for bit as the reference kernels compute it.

Requantisation follows TensorFlow Lite's ``MultiplyByQuantizedMultiplier``: a real factor becomes
a 31-bit integer and a shift; the product is a rounding doubling high multiply, then a rounding
right shift, each with halves away from zero.
"""

import math

import numpy as np
from numpy.typing import NDArray

from models.int8.graph import (
    Concat,
    Conv2D,
    FullyConnected,
    Graph,
    MaxPool,
    ResizeNearest,
    Rows,
    Step,
    Value,
    same_padding,
    sources_of,
)

Tensor = NDArray[np.int8]


def run(graph: Graph, *inputs: Tensor) -> tuple[Tensor, ...]:
    """Return the graph's outputs for its inputs, each of the shape that the graph states."""
    known = {value.name: data for value, data in zip(graph.inputs, inputs, strict=True)}
    for step in graph.steps:
        known[step.result.name] = _apply(step, [known[v.name] for v in sources_of(step)])
    return tuple(known[value.name] for value in graph.outputs)


def _apply(step: Step, sources: list[Tensor]) -> Tensor:
    if isinstance(step, Conv2D):
        return _convolve(step, sources[0])
    if isinstance(step, FullyConnected):
        return _connect(step, sources[0])
    if isinstance(step, MaxPool):
        return _pool(step, sources[0])
    if isinstance(step, ResizeNearest):
        return _resize(step.result, sources[0])
    if isinstance(step, Concat):
        return np.concatenate(sources, axis=-1)
    if isinstance(step, Rows):
        return sources[0][:, step.first : step.first + step.result.shape[1]]
    return sources[0].reshape(step.result.shape)


def _convolve(step: Conv2D, source: Tensor) -> Tensor:
    _, kernel_rows, kernel_columns, _ = step.weights.shape
    stride_rows, stride_columns = step.stride
    pads = ((0, 0), (0, 0), (0, 0), (0, 0))
    if step.same:
        rows = same_padding(source.shape[1], kernel_rows, stride_rows)
        columns = same_padding(source.shape[2], kernel_columns, stride_columns)
        pads = ((0, 0), rows, columns, (0, 0))
    # Zero is the zero point, so pad after it has been taken off.
    centred = np.pad(source.astype(np.int64) - step.source.grid.zero_point, pads)
    windows = np.lib.stride_tricks.sliding_window_view(
        centred, (kernel_rows, kernel_columns), axis=(1, 2)
    )[:, ::stride_rows, ::stride_columns]
    sums = np.einsum("nrcikl,okli->nrco", windows, step.weights.astype(np.int64), optimize=True)
    return _requantise(sums, step)


def _connect(step: FullyConnected, source: Tensor) -> Tensor:
    centred = source.astype(np.int64) - step.source.grid.zero_point
    sums = centred @ step.weights.astype(np.int64).T
    return _requantise(sums, step)


def _requantise(sums: NDArray[np.int64], step: Conv2D | FullyConnected) -> Tensor:
    """Return int8 results from int64 sums of products; the last axis is the channel."""
    grid = step.result.grid
    factors = (
        np.float64(step.source.grid.scale) * step.weight_scales.astype(np.float64) / grid.scale
    )
    pairs = [quantised_multiplier(float(factor)) for factor in factors]
    multipliers = np.array([pair[0] for pair in pairs], np.int64)
    shifts = np.array([pair[1] for pair in pairs], np.int64)
    scaled = multiply_by_quantised_multiplier(sums + step.bias, multipliers, shifts)
    low = grid.zero_point if step.relu else -128
    return np.clip(scaled + grid.zero_point, max(low, -128), 127).astype(np.int8)


def quantised_multiplier(factor: float) -> tuple[int, int]:
    """Return (multiplier, shift) with factor = multiplier / 2**31 * 2**shift."""
    fraction, shift = math.frexp(factor)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        return multiplier // 2, shift + 1
    return multiplier, shift


def multiply_by_quantised_multiplier(
    sums: NDArray[np.int64], multipliers: NDArray[np.int64], shifts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return ``sums`` times the factors that (multipliers, shifts) stand for, twice rounded."""
    products = (sums << np.maximum(shifts, 0)) * multipliers
    nudged = products + np.where(products >= 0, 1 << 30, 1 - (1 << 30))
    high = np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))
    right = np.maximum(-shifts, 0)
    mask = (np.int64(1) << right) - 1
    remainder = high & mask
    return (high >> right) + (remainder > (mask >> 1) + (high < 0))


def _pool(step: MaxPool, source: Tensor) -> Tensor:
    batch, rows, columns, channels = step.result.shape
    high, wide = step.window
    cut = source[:, : rows * high, : columns * wide]
    return cut.reshape(batch, rows, high, columns, wide, channels).max(axis=(2, 4))


def _resize(result: Value, source: Tensor) -> Tensor:
    rows = np.arange(result.shape[1]) * source.shape[1] // result.shape[1]
    columns = np.arange(result.shape[2]) * source.shape[2] // result.shape[2]
    return source[:, rows][:, :, columns]
