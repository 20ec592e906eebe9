"""The network: three convolutions along the spectrum, then features, then six logits."""

from flight.autonomy.bands import GRID_PM
from flight.autonomy.mineral import CHANNELS
from models.int8.layers import Conv, Linear, flatten
from models.int8.network import Network
from models.int8.signal import InputRange, Range, Signal

BANDS = len(GRID_PM)
FEATURES = 24
BATCH = 256
"""Spectra in one call aboard: the fixed batch of the model file."""

INPUT_SCALE = 1 / 64
"""Any scale would do: the first layer learns it. This one keeps activations near 1."""


class MineralNetwork(Network):
    """(N, 1, 80, 3) int8 spectra to logits (N, 6) and features (N, 24), all int8 aboard.

    The last logit is for substances outside the library. It is trained apart from the others,
    which are only asked about known spectra.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.input_range = InputRange(INPUT_SCALE, 0)
        self.first = Conv(CHANNELS, 32, (1, 9), stride=(1, 2))
        self.second = Conv(32, 48, (1, 7), stride=(1, 2))
        self.third = Conv(48, 48, (1, 5), stride=(1, 2))
        # Signed: the distance that makes an anomaly is measured on these, and rectified
        # features would hide one half of every direction.
        self.features = Linear(48 * BANDS // 8, FEATURES, range_=Range(signed=True))
        self.logits = Linear(FEATURES, classes + 1, range_=Range(signed=True))

    def flow(self, signal: Signal) -> tuple[Signal, ...]:
        """Return logits and features."""
        signal = flatten(self.third(self.second(self.first(signal))))
        features = self.features(signal)
        return self.logits(features), features
