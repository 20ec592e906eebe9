"""The base of every network here: one flow, three stages, one export.

A network lives through three stages. FLOAT: ordinary training, with batch normalisation.
``quantise`` melts the normalisation into the weights, watches the activations of a few batches
(CALIBRATE) and sets each range. QUANTISED: weights and activations are rounded in the forward
pass, gradients pass straight through, and each range learns its own ceiling (learned step size,
Esser et al. 2020). ``export`` runs the flow once with a recorder and returns the ``Graph``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from models.int8 import graph
from models.int8.layers import Conv, Linear
from models.int8.signal import InputRange, Range, Recorder, Signal, Stage


class Network(nn.Module, ABC):
    """Base of every network here: subclasses set ``input_range`` and define ``flow``."""

    input_range: InputRange

    @abstractmethod
    def flow(self, signal: Signal) -> tuple[Signal, ...]:
        """Return the output signals for the input signal."""

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        """Return the real outputs, (N, C, H, W) or (N, F), for (N, H, W, C) int8 frames."""
        signal = Signal(self.input_range(frames), self.input_range)
        return tuple(output.data for output in self.flow(signal))

    def set_stage(self, stage: Stage) -> None:
        """Tell every layer which stage it is in."""
        for module in self.modules():
            if isinstance(module, (Range, Conv, Linear)):
                module.stage = stage

    def quantise(self, batches: Iterable[Tensor]) -> None:
        """Fold the normalisation, set the ranges from some (N, H, W, C) batches, start rounding."""
        self.eval()
        for module in self.modules():
            if isinstance(module, Conv):
                module.fold()
        self.set_stage(Stage.CALIBRATE)
        with torch.no_grad():
            for batch in batches:
                self(batch)
        self.set_stage(Stage.QUANTISED)

    def parameter_groups(self, rate: float, range_rate: float) -> list[dict[str, Any]]:
        """Return optimiser groups: weights learn at one rate, the ranges' ceilings at another."""
        ranges = [p for m in self.modules() if isinstance(m, Range) for p in m.parameters()]
        own = {id(p) for p in ranges}
        weights = [p for p in self.parameters() if id(p) not in own]
        return [
            {"params": weights, "lr": rate},
            {"params": [p for p in ranges if p.requires_grad], "lr": range_rate},
        ]

    def export(self, shape: tuple[int, ...], *, quantised: bool = True) -> graph.Graph:
        """Return the network as a graph for a fixed (N, H, W, C) input.

        ``quantised=False`` gives the float twin, for evaluation only.
        """
        self.eval()
        recorder = Recorder(quantised)
        with torch.no_grad():
            data = self.input_range(torch.zeros(shape, dtype=torch.int8))
            start = recorder.value("input", data, self.input_range)
            outputs = self.flow(Signal(data, self.input_range, start, recorder))
        return graph.Graph((start,), tuple(recorder.steps), tuple(o.value for o in outputs))
