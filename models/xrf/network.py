"""The network: two hidden layers between 192 bins and eight oxides, and back to the bins.

The first layer is a convolution as wide as the spectrum: a full connection in which each neuron
has a weight scale of its own, which the kernels of a fully connected layer do not offer. What it
draws back shows what it makes of a spectrum: where drawing and spectrum differ, it is out of its
depth. Each oxide is told twice, which halves the variance that rounding to int8 adds.
"""

from flight.autonomy.oxides import BINS, METALS, VOTES
from models.int8.layers import Conv, Linear, flatten
from models.int8.network import Network
from models.int8.signal import InputRange, Range, Signal

INPUT_SHAPE = (1, 1, BINS, 1)
"""One spectrum a call: they come seconds apart."""
INPUT_SCALE = 1 / 64


class XrfNetwork(Network):
    """(N, 1, 192, 1) int8 spectra to (N, 16) standardised roots and (N, 192) redrawn."""

    def __init__(self) -> None:
        super().__init__()
        self.input_range = InputRange(INPUT_SCALE, 0)
        self.first = Conv(1, 96, (1, BINS), same=False)
        self.second = Linear(96, 64)
        self.abundances = Linear(64, VOTES * len(METALS), range_=Range(signed=True))
        self.redrawn = Linear(64, BINS, range_=Range(signed=True))

    def flow(self, signal: Signal) -> tuple[Signal, ...]:
        """Return the votes on the abundances, and the spectrum as it is understood."""
        signal = self.second(flatten(self.first(signal)))
        return self.abundances(signal), self.redrawn(signal)
