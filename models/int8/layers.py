"""PyTorch layers that compute, while they train, what the int8 kernels will compute.

Weights are stored as float and rounded in the forward pass: one scale for each output channel of
a convolution, one for a whole fully connected layer, as the kernels expect.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.int8 import graph
from models.int8.signal import Range, Signal, Stage, emit

_LEAST_SCALE = 1e-6
"""A channel of zeros still needs a scale that keeps its bias inside 32 bits."""


class Conv(nn.Module):
    """Convolution, batch normalisation until folded, ReLU unless the range is signed."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: tuple[int, int] = (3, 3),
        *,
        stride: tuple[int, int] = (1, 1),
        same: bool = True,
        range_: Range | None = None,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        self.stage = Stage.FLOAT
        self.stride, self.same = stride, same
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, *kernel))
        nn.init.kaiming_normal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.norm: nn.Module = nn.BatchNorm2d(channels_out) if normalise else nn.Identity()
        self.range_ = range_ or Range()

    def forward(self, signal: Signal) -> Signal:
        """Return the convolved signal."""
        weight = self.weight
        if self.stage is Stage.QUANTISED:
            weight = rounded_weight(weight, _channel_scales(weight))
        data = signal.data
        if self.same:
            rows, columns = (
                graph.same_padding(data.shape[axis], weight.shape[axis], self.stride[axis - 2])
                for axis in (2, 3)
            )
            data = functional.pad(data, (*columns, *rows))
        data = functional.conv2d(data, weight, self.bias, stride=self.stride)
        data = self.range_(self.norm(data))
        return emit(signal, "conv", data, self.range_, self._step)

    def fold(self) -> None:
        """Melt the batch normalisation into weight and bias."""
        if isinstance(self.norm, nn.BatchNorm2d):
            norm = self.norm
            gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            self.weight.data *= gain[:, None, None, None]
            self.bias.data = (self.bias - norm.running_mean) * gain + norm.bias
            self.norm = nn.Identity()

    def _step(self, source: graph.Value, result: graph.Value) -> graph.Step:
        weights = self.weight.detach().permute(0, 2, 3, 1)
        scales = _channel_scales(self.weight).flatten()
        return graph.Conv2D(
            source,
            result,
            *_integers(weights, self.bias, scales[:, None, None, None], source.grid),
            stride=self.stride,
            same=self.same,
            relu=not self.range_.signed,
        )


class Linear(nn.Module):
    """Fully connected layer, ReLU unless the range is signed."""

    def __init__(self, features_in: int, features_out: int, *, range_: Range | None = None) -> None:
        super().__init__()
        self.stage = Stage.FLOAT
        self.weight = nn.Parameter(torch.empty(features_out, features_in))
        nn.init.kaiming_normal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(features_out))
        self.range_ = range_ or Range()

    def forward(self, signal: Signal) -> Signal:
        """Return the product."""
        weight = self.weight
        if self.stage is Stage.QUANTISED:
            weight = rounded_weight(weight, _tensor_scale(weight))
        data = self.range_(functional.linear(signal.data, weight, self.bias))
        return emit(signal, "dense", data, self.range_, self._step)

    def _step(self, source: graph.Value, result: graph.Value) -> graph.Step:
        scale = _tensor_scale(self.weight)
        weights, scales, bias = _integers(self.weight.detach(), self.bias, scale, source.grid)
        relu = not self.range_.signed
        return graph.FullyConnected(source, result, weights, scales, bias, relu=relu)


def max_pool(signal: Signal, window: tuple[int, int] = (2, 2)) -> Signal:
    """Return the largest of each window."""
    data = functional.max_pool2d(signal.data, window)
    return emit(signal, "pool", data, signal.range_, lambda s, r: graph.MaxPool(s, r, window))


def rows_of(signal: Signal, first: int, count: int) -> Signal:
    """Return some of the rows."""
    data = signal.data[:, :, first : first + count]
    return emit(signal, "rows", data, signal.range_, lambda s, r: graph.Rows(s, r, first))


def upsample(signal: Signal, factor: int = 2) -> Signal:
    """Return the signal with each row and column repeated."""
    data = functional.interpolate(signal.data, scale_factor=factor, mode="nearest")
    return emit(signal, "resize", data, signal.range_, graph.ResizeNearest)


def concat(*signals: Signal) -> Signal:
    """Return the signals joined along the channels; they must share one range."""
    first = signals[0]
    if any(signal.range_ is not first.range_ for signal in signals):
        raise ValueError("signals to be concatenated must share one Range")
    data = torch.cat([signal.data for signal in signals], dim=1)
    values = tuple(signal.value for signal in signals if signal.value is not None)
    return emit(first, "concat", data, first.range_, lambda _, r: graph.Concat(values, r))


def flatten(signal: Signal) -> Signal:
    """Return (N, C, H, W) as (N, H * W * C): the order in which the file holds it."""
    data = signal.data.permute(0, 2, 3, 1).flatten(1)
    return emit(signal, "flat", data, signal.range_, graph.Reshape)


def as_columns(signal: Signal) -> Signal:
    """Return (N, F) as one row of F columns, (N, 1, 1, F): what a window can slide over."""
    data = signal.data[:, None, None]
    return emit(signal, "columns", data, signal.range_, graph.Reshape)


def rounded_weight(weight: Tensor, scale: Tensor) -> Tensor:
    """Return the weight on its int8 grid; the gradient passes straight through."""
    return weight + ((weight / scale).round().clamp(-127, 127) * scale - weight).detach()


def _channel_scales(weight: Tensor) -> Tensor:
    widest = weight.detach().abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True)
    return (widest / 127).clamp_min(_LEAST_SCALE)


def _tensor_scale(weight: Tensor) -> Tensor:
    return (weight.detach().abs().max() / 127).clamp_min(_LEAST_SCALE)


def _integers(
    weights: Tensor, bias: Tensor, scales: Tensor, grid: graph.Quantisation | None
) -> tuple[Any, Any, Any]:
    """Return (weights, scales, bias) for the file: int8 and int32, or float32 without a grid."""
    real_bias = bias.detach().double().numpy()
    flat = scales.detach().flatten().numpy().astype(np.float32)
    if grid is None:
        return weights.numpy().astype(np.float32), flat, real_bias.astype(np.float32)
    whole = (weights / scales).round().clamp(-127, 127).to(torch.int8).numpy()
    steps = np.round(real_bias / (flat.astype(np.float64) * grid.scale))
    return whole, flat, np.clip(steps, -(2**31), 2**31 - 1).astype(np.int32)
