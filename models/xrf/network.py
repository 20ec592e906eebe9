"""The network: two hidden layers between 192 bins and eight oxides.

The first layer is a convolution as wide as the spectrum: a full connection in which each neuron
has a weight scale of its own, which the kernels of a fully connected layer do not offer.
"""

from flight.autonomy.oxides import BINS, METALS
from models.int8.layers import Conv, Linear, flatten
from models.int8.network import Network
from models.int8.signal import InputRange, Range, Signal

INPUT_SHAPE = (1, 1, BINS, 1)
"""One spectrum a call: they come seconds apart."""
INPUT_SCALE = 1 / 64


class XrfNetwork(Network):
    """(N, 1, 192, 1) int8 spectra to (N, 8) standardised oxide abundances."""

    def __init__(self) -> None:
        super().__init__()
        self.input_range = InputRange(INPUT_SCALE, 0)
        self.first = Conv(1, 64, (1, BINS), same=False)
        self.second = Linear(64, 32)
        self.abundances = Linear(32, len(METALS), range_=Range(signed=True))

    def flow(self, signal: Signal) -> tuple[Signal, ...]:
        """Return the abundances."""
        return (self.abundances(self.second(flatten(self.first(signal)))),)
