"""The network: three convolutions along the spectrum, then features, then one logit a class."""

import torch
from torch import Tensor

from models.int8.layers import Conv, Linear, flatten
from models.int8.network import Network
from models.int8.signal import InputRange, Range, Signal

BANDS = 80
CHANNELS = 2
FEATURES = 24
BATCH = 256
"""Spectra in one call aboard: the fixed batch of the model file."""

INPUT_SCALE = 1 / 64
"""Any scale would do: the first layer learns it. This one keeps activations near 1."""


class MineralNetwork(Network):
    """(N, 1, 80, 2) int8 spectra to logits (N, 5) and features (N, 24), all int8 aboard."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.input_range = InputRange(INPUT_SCALE, 0)
        self.first = Conv(CHANNELS, 24, (1, 9), stride=(1, 2))
        self.second = Conv(24, 32, (1, 5), stride=(1, 2))
        self.third = Conv(32, 32, (1, 5), stride=(1, 2))
        # Signed: the distance that makes an anomaly is measured on these, and rectified
        # features would hide one half of every direction.
        self.features = Linear(32 * BANDS // 8, FEATURES, range_=Range(signed=True))
        self.logits = Linear(FEATURES, classes, range_=Range(signed=True))
        self.stranger = torch.nn.Linear(FEATURES, 1)
        """Trained beside the classes so that features know strangers; it does not fly."""

    def flow(self, signal: Signal) -> tuple[Signal, ...]:
        """Return logits and features."""
        signal = flatten(self.third(self.second(self.first(signal))))
        features = self.features(signal)
        return self.logits(features), features

    def strangeness(self, features: Tensor) -> Tensor:
        """Return (N,) logits of a spectrum being of a substance outside the library."""
        return self.stranger(features)[:, 0]
