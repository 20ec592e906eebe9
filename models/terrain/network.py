"""A small U-Net: 256 x 256 contrast in, 64 x 64 cells of hazard, shadow and risk out."""

from models.int8.layers import Conv, concat, max_pool, upsample
from models.int8.network import Network
from models.int8.signal import InputRange, Range, Signal

INPUT_SHAPE = (1, 256, 256, 1)

INPUT_SCALE = 1 / 64
"""What one int8 step of contrast is worth to the network; any number would do."""


class TerrainNet(Network):
    """Four scales of plain convolutions: a cell sees most of the frame around it."""

    def __init__(self) -> None:
        super().__init__()
        self.input_range = InputRange(INPUT_SCALE, 0)
        # Branches that meet in a concatenation share their range.
        fine, middle, coarse = Range(), Range(), Range()
        self.enter = Conv(1, 8, (5, 5), stride=(2, 2))
        self.halve = Conv(8, 16, stride=(2, 2))
        self.fine = Conv(16, 12, range_=fine)
        self.middle_1 = Conv(12, 24)
        self.middle_2 = Conv(24, 24, range_=middle)
        self.coarse_1 = Conv(24, 32)
        self.coarse_2 = Conv(32, 32, range_=coarse)
        self.deep_1 = Conv(32, 32)
        self.deep_2 = Conv(32, 32, range_=coarse)
        self.up_coarse = Conv(64, 24, range_=middle)
        self.up_middle = Conv(48, 24, range_=fine)
        self.up_fine = Conv(36, 16)
        self.head = Conv(16, 3, (1, 1), range_=Range(signed=True), normalise=False)

    def flow(self, signal: Signal) -> tuple[Signal, ...]:
        """Return the (64, 64) map of raw hazard, shadow and risk outputs."""
        fine = self.fine(self.halve(self.enter(signal)))
        middle = self.middle_2(self.middle_1(max_pool(fine)))
        coarse = self.coarse_2(self.coarse_1(max_pool(middle)))
        deep = self.deep_2(self.deep_1(max_pool(coarse)))
        coarse = self.up_coarse(concat(upsample(deep), coarse))
        middle = self.up_middle(concat(upsample(coarse), middle))
        fine = self.up_fine(concat(upsample(middle), fine))
        return (self.head(fine),)
