"""What an int8 network is, free of any framework: values, and steps between them.

Every activation is int8 with one scale and one zero point: ``real = scale * (q - zero_point)``.
Weights are int8 with zero point 0; a convolution has one scale for each output channel, a fully
connected layer one for all. Biases are int32 in units of input scale times weight scale.

A graph whose values have no grid is the same network in float32; only evaluation uses it.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Quantisation:
    """The grid of one int8 tensor. ``scale`` is a float32 value, as the file holds it."""

    scale: float
    zero_point: int

    @classmethod
    def of_range(cls, low: float, high: float) -> "Quantisation":
        """Return the grid that covers ``low`` to ``high`` and holds zero exactly."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = float(np.float32(max((high - low) / 255, 1e-9)))
        return cls(scale, int(np.clip(round(-128 - low / scale), -128, 127)))


@dataclass(frozen=True, slots=True)
class Value:
    """One activation tensor; the first axis is the fixed batch."""

    name: str
    shape: tuple[int, ...]
    grid: Quantisation | None
    """None: float32, in the float twin that evaluation compares with."""


@dataclass(frozen=True, slots=True, eq=False)
class Conv2D:
    """Convolution over (batch, rows, columns, channels), with optional fused ReLU."""

    source: Value
    result: Value
    weights: NDArray[np.int8]
    """(output channels, kernel rows, kernel columns, input channels)."""
    weight_scales: NDArray[np.float32]
    """(output channels,)"""
    bias: NDArray[np.int32]
    """(output channels,)"""
    stride: tuple[int, int] = (1, 1)
    same: bool = True
    """Pad so that the result has ceil(size / stride) rows and columns; otherwise no padding."""
    relu: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class FullyConnected:
    """Matrix product over (batch, features), with optional fused ReLU."""

    source: Value
    result: Value
    weights: NDArray[np.int8]
    """(output features, input features)"""
    weight_scales: NDArray[np.float32]
    """(1,)"""
    bias: NDArray[np.int32]
    relu: bool = True


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Largest of each window; the stride is the window. Source and result share a grid."""

    source: Value
    result: Value
    window: tuple[int, int] = (2, 2)


@dataclass(frozen=True, slots=True)
class ResizeNearest:
    """Repeat rows and columns up to the result's shape. Source and result share a grid."""

    source: Value
    result: Value


@dataclass(frozen=True, slots=True)
class Concat:
    """Join along the channels. All sources and the result share a grid (the kernel asserts it)."""

    sources: tuple[Value, ...]
    result: Value


@dataclass(frozen=True, slots=True)
class Reshape:
    """The same numbers in C order, in another shape."""

    source: Value
    result: Value


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of (batch, rows, columns, channels); source and result share a grid."""

    source: Value
    result: Value
    first: int


Step: TypeAlias = Conv2D | FullyConnected | MaxPool | ResizeNearest | Concat | Reshape | Rows


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A whole network: its inputs, its steps in order, its outputs."""

    inputs: tuple[Value, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Value, ...]


def sources_of(step: Step) -> tuple[Value, ...]:
    """Return the activations that a step reads."""
    return step.sources if isinstance(step, Concat) else (step.source,)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after one axis under TensorFlow's SAME rule.

    The odd one goes after; PyTorch's own ``padding`` would split it evenly and shift the image.
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
