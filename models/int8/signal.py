"""Activations on their way through a network: their numbers, their int8 grid, their export."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.int8 import graph


class Stage(Enum):
    """What the layers do with ranges and rounding."""

    FLOAT = 1
    CALIBRATE = 2
    QUANTISED = 3


@dataclass
class Recorder:
    """What an export run has seen: names given, steps taken."""

    quantised: bool
    steps: list[graph.Step] = field(default_factory=list)
    names: int = 0

    def value(self, kind: str, data: Tensor, range_: "Range") -> graph.Value:
        """Return a new activation for (N, C, H, W) or (N, F) data, in the file's axis order."""
        self.names += 1
        shape = tuple(int(size) for size in data.shape)
        if len(shape) == 4:
            shape = (shape[0], shape[2], shape[3], shape[1])
        grid = range_.grid() if self.quantised else None
        return graph.Value(f"{kind}_{self.names}", shape, grid)


@dataclass(frozen=True)
class Signal:
    """Activations on their way: the numbers, the range they live in, the export if there is one."""

    data: Tensor
    range_: "Range"
    value: graph.Value | None = None
    recorder: Recorder | None = None


class Range(nn.Module):
    """The int8 grid of an activation: 0 to ceiling, or -ceiling to ceiling when signed.

    Branches that are concatenated must be given the same range. A ``ceiling`` that is given
    stays; otherwise it is set from what is seen, and learned.
    """

    def __init__(self, *, signed: bool = False, ceiling: float | None = None) -> None:
        super().__init__()
        self.signed = signed
        self.stage = Stage.FLOAT
        self.given = ceiling is not None
        start = torch.tensor(ceiling or 1.0).log()
        self.log_ceiling = nn.Parameter(start, requires_grad=not self.given)
        self._seen: list[float] = []

    def forward(self, data: Tensor) -> Tensor:
        """Return the data clipped and rounded to the grid, as the stage demands."""
        if not self.signed:
            data = functional.relu(data)
        if self.stage is Stage.CALIBRATE and not self.given:
            flat = data.detach().abs().flatten()
            self._seen.append(float(torch.quantile(flat[:: 1 + flat.numel() // 100_000], 0.9997)))
            # A range shared by two branches must hold the wider one.
            self.log_ceiling.data.fill_(float(np.log(max(*self._seen, 1e-3))))
        if self.stage is not Stage.QUANTISED:
            return data
        scale = self.scale()
        return round_through((data / scale).clamp(-128 if self.signed else 0, self.steps)) * scale

    @property
    def steps(self) -> int:
        """How many grid steps lie between zero and the ceiling."""
        return 127 if self.signed else 255

    def scale(self) -> Tensor:
        """Return the real size of one grid step."""
        return self.log_ceiling.exp() / self.steps

    def grid(self) -> graph.Quantisation:
        """Return the grid as the file states it."""
        scale = float(np.float32(self.scale().item()))
        return graph.Quantisation(scale, 0 if self.signed else -128)


class InputRange(Range):
    """A fixed grid: what ``prepare`` produces."""

    def __init__(self, scale: float, zero_point: int) -> None:
        super().__init__(signed=True)
        self.log_ceiling.requires_grad_(False)
        self.fixed = graph.Quantisation(float(np.float32(scale)), zero_point)

    def forward(self, data: Tensor) -> Tensor:
        """Return the real numbers that (N, H, W, C) int8 input stands for, as (N, C, H, W)."""
        return ((data.float() - self.fixed.zero_point) * self.fixed.scale).permute(0, 3, 1, 2)

    def grid(self) -> graph.Quantisation:
        """Return the grid as the file states it."""
        return self.fixed


def round_through(data: Tensor) -> Tensor:
    """Return rounded data whose gradient is that of the data itself."""
    return data + (data.round() - data).detach()


def emit(
    signal: Signal,
    kind: str,
    data: Tensor,
    range_: Range,
    step: Callable[[graph.Value, graph.Value], graph.Step],
) -> Signal:
    """Return the next signal, with its step recorded when an export is running."""
    if signal.recorder is None or signal.value is None:
        return Signal(data, range_)
    result = signal.recorder.value(kind, data, range_)
    signal.recorder.steps.append(step(signal.value, result))
    return replace(signal, data=data, range_=range_, value=result)
