"""The network: three convolutions to logits, and beside them a bank of outlines.

The bank does not learn. It is a library's outlines (``flight.autonomy.mineral``) as the weights
of one layer: each product is the cosine between a pixel and one of them, and the largest tells
how like the nearest one a pixel is.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flight.autonomy.bands import GRID_PM
from flight.autonomy.mineral import CHANNELS, OUTLINE_CHANNEL
from models.int8.layers import Conv, Linear, as_columns, flatten, max_pool
from models.int8.network import Network
from models.int8.signal import InputRange, Range, Signal
from models.mineral.library import MINERALS

BANDS = len(GRID_PM)
FEATURES = 64
BATCH = 256
"""Spectra in one call aboard: the fixed batch of the model file."""

INPUT_SCALE = 1 / 64
"""Any scale would do: the first layer learns it. This one keeps activations near 1."""

LEAST_COSINE = 0.5
"""Likeness is 0 here and below; its 255 steps reach from here to 1."""


class MineralNetwork(Network):
    """(N, 1, 80, 4) int8 spectra to logits (N, 6) and likeness (N, 1), all int8 aboard.

    The last logit is for substances outside the library. It is trained apart from the others,
    which are only asked about known spectra.
    """

    def __init__(self, classes: int, bank: NDArray[np.int8]) -> None:
        """``bank`` is (outlines, 80): channel 3 of the spectra to be known again."""
        super().__init__()
        self.input_range = InputRange(INPUT_SCALE, 0)
        self.first = Conv(CHANNELS, 32, (1, 9), stride=(1, 2))
        self.second = Conv(32, 48, (1, 7), stride=(1, 2))
        self.third = Conv(48, 48, (1, 5), stride=(1, 2))
        self.features = Linear(48 * BANDS // 8, FEATURES)
        self.logits = Linear(FEATURES, classes + 1, range_=Range(signed=True))
        self.composition = nn.Linear(FEATURES, len(MINERALS) + 1)
        self.outline, self.bank = _bank(torch.from_numpy(bank.astype(np.float32)))

    def flow(self, signal: Signal) -> tuple[Signal, ...]:
        """Return logits and likeness."""
        outline = flatten(self.outline(signal))
        products = as_columns(self.bank(outline))
        likeness = flatten(max_pool(products, (1, self.bank.weight.shape[0])))
        return self.logits(self._seen(signal)), likeness

    def lesson(self, spectra: Tensor) -> tuple[Tensor, Tensor]:
        """Return what training asks: logits (N, 6), composition (N, 4).

        Composition is three scores for the minerals' shares and one for calcium. It does not fly:
        it is asked so that the features hold what the classes are cut from.
        """
        features = self._seen(Signal(self.input_range(spectra), self.input_range))
        return self.logits(features).data, self.composition(features.data)

    def _seen(self, signal: Signal) -> Signal:
        """Return (N, 64) features."""
        return self.features(flatten(self.third(self.second(self.first(signal)))))


def _bank(outlines: Tensor) -> tuple[Conv, Linear]:
    """Return the layer that takes the outline from the input as it is, and the bank's products."""
    widest = 127 * INPUT_SCALE
    picked = Conv(CHANNELS, 1, (1, 1), range_=Range(signed=True, ceiling=widest), normalise=False)
    picked.weight.data.zero_()
    picked.weight.data[0, OUTLINE_CHANNEL] = 1
    bank = Linear(BANDS, len(outlines), range_=Range(ceiling=1 - LEAST_COSINE))
    # What rounding leaves of the length, so that an outline's product with itself is 1.
    length = torch.linalg.vector_norm(outlines, dim=1, keepdim=True)
    bank.weight.data = outlines / (INPUT_SCALE * length * length.mean())
    bank.bias.data.fill_(-LEAST_COSINE)
    for layer in (picked, bank):
        layer.requires_grad_(False)
    return picked, bank
