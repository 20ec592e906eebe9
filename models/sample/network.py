"""The network: one branch for the picture, one for the telemetry, eight numbers from both.

Both arrive in one tensor, the telemetry as rows below the picture, and part at once. The telemetry
is handed through as a second output, so that guards which need no model can be repeated from what
the model was given.
"""

from torch.nn import ModuleList

from flight.autonomy.sample import HEADS, SHOWN, STEPS
from models.int8.layers import Conv, concat, rows_of
from models.int8.network import Network
from models.int8.signal import InputRange, Range, Signal

INPUT_SCALE = 1 / 64


class SampleNet(Network):
    """(N, 108, 96, 1) int8 to (N, 8, 1, 1) heads and the (N, 1, 12, 96) telemetry."""

    def __init__(self) -> None:
        super().__init__()
        self.input_range = InputRange(INPUT_SCALE, 0)
        both = Range()
        self.picture = ModuleList(
            [
                Conv(1, 12, (5, 5), stride=(3, 3)),
                Conv(12, 16, stride=(2, 2)),
                Conv(16, 24, stride=(2, 2)),
                Conv(24, 32, stride=(2, 2)),
                # As wide as what is left of the picture: fully connected, a scale for each neuron.
                Conv(32, 24, (4, 4), same=False, range_=both),
            ]
        )
        self.telemetry = ModuleList(
            [
                Conv(1, 32, (len(SHOWN), 5), same=False),
                Conv(32, 32, (1, 5), stride=(1, 2), same=False),
                Conv(32, 32, (1, 5), stride=(1, 2), same=False),
                Conv(32, 32, (1, 20), same=False, range_=both),
            ]
        )
        self.together = Conv(56, 32, (1, 1))
        self.heads = Conv(32, HEADS, (1, 1), range_=Range(signed=True), normalise=False)

    def flow(self, signal: Signal) -> tuple[Signal, ...]:
        """Return the heads, and the telemetry as it came."""
        picture = rows_of(signal, 0, STEPS)
        telemetry = rows_of(signal, STEPS, len(SHOWN))
        seen, heard = picture, telemetry
        for layer in self.picture:
            seen = layer(seen)
        for layer in self.telemetry:
            heard = layer(heard)
        return self.heads(self.together(concat(seen, heard))), telemetry
