"""A network in numpy float32, from its int8 file: what one would fly without a runtime.

For comparison only. Weights are those of the file, multiplied out; activations are not rounded,
so answers differ from the board's by what rounding costs.
"""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.int8 import reader
from models.int8.graph import (
    Concat,
    Conv2D,
    FullyConnected,
    MaxPool,
    Reshape,
    ResizeNearest,
    Step,
    same_padding,
    sources_of,
)

Floats = NDArray[np.float32]


def forward_of(model: bytes) -> Callable[[Floats], tuple[Floats, ...]]:
    """Return what computes the outputs, (N, ...) each, from a real (N, ...) input."""
    graph = reader.read(model)
    layers = [(step, _layer(step)) for step in graph.steps]
    source = graph.inputs[0].name
    outputs = [value.name for value in graph.outputs]

    def forward(data: Floats) -> tuple[Floats, ...]:
        known = {source: data}
        for step, layer in layers:
            known[step.result.name] = layer(*(known[value.name] for value in sources_of(step)))
        return tuple(known[name] for name in outputs)

    return forward


def _layer(step: Step) -> Callable[..., Floats]:
    if isinstance(step, Conv2D):
        return _convolution(step)
    if isinstance(step, FullyConnected):
        return _connection(step)
    if isinstance(step, MaxPool):
        rows, columns = step.window
        return lambda data: data.reshape(
            len(data), data.shape[1] // rows, rows, data.shape[2] // columns, columns, -1
        ).max(axis=(2, 4))
    if isinstance(step, ResizeNearest):
        rows, columns = (r // s for r, s in zip(step.result.shape[1:3], step.source.shape[1:3],
                                                strict=True))  # fmt: skip
        return lambda data: data.repeat(rows, axis=1).repeat(columns, axis=2)
    if isinstance(step, Concat):
        return lambda *parts: np.concatenate(parts, axis=-1)
    assert isinstance(step, Reshape)
    return lambda data: data.reshape(len(data), *step.result.shape[1:])


def _real(step: Conv2D | FullyConnected) -> tuple[Floats, Floats]:
    """Return weights (features in, out) and biases as real numbers."""
    if step.source.grid is None:
        raise ValueError("the file is a float twin already")
    flat = step.weights.reshape(len(step.weights), -1).astype(np.float32)
    weights = np.ascontiguousarray((flat * step.weight_scales[:, None]).T)
    return weights, (step.bias * step.weight_scales * step.source.grid.scale).astype(np.float32)


def _connection(step: FullyConnected) -> Callable[[Floats], Floats]:
    weights, bias = _real(step)

    def layer(data: Floats) -> Floats:
        found: Floats = data @ weights + bias
        return np.maximum(found, 0) if step.relu else found

    return layer


def _convolution(step: Conv2D) -> Callable[[Floats], Floats]:
    weights, bias = _real(step)
    _, rows, columns, _ = step.weights.shape
    pads = ((0, 0), (0, 0), (0, 0), (0, 0))
    if step.same:
        shape, (down, across) = step.source.shape, step.stride
        pads = ((0, 0), same_padding(shape[1], rows, down),
                same_padding(shape[2], columns, across), (0, 0))  # fmt: skip
    shape = step.result.shape[1:]

    def layer(data: Floats) -> Floats:
        padded = np.pad(data, pads)
        windows = sliding_window_view(padded, (rows, columns), axis=(1, 2))
        windows = windows[:, :: step.stride[0], :: step.stride[1]]
        patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, len(weights))
        found: Floats = (patches @ weights + bias).reshape(len(data), *shape)
        return np.maximum(found, 0) if step.relu else found

    return layer
