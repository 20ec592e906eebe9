"""What the cube codec foretells: each band from the bands before it and the line above.

The theory. Neighbouring bands see the same ground through nearly the same filter, so a sample is
foretold by least squares from the same pixel in the five bands before, from the line above (N in
this band and two before, NW + NE in this band and the one before), and from a running mean of
each detector column in the same three bands, which catches the stripes of a pushbroom sensor. All
are relative to their band's mean, so "nothing known" is 0. The weights are fitted to the part
itself and sent: the decoder only multiplies integers, so it cannot disagree.

How well it went is foretold too: the size of a residual from the residuals of the bands before,
the line above, the column so far and the band's level.

Both are sums of products, which is what BLAS does best. So each line is kept as three rows of
memory (``KINDS`` of what foretells samples, and of what foretells sizes), in such an order that
all that one line needs lies at a constant stride: one product a line for the bands before, one
for the line above. Whatever order BLAS adds in, every sum is an exact integer, in some 2^-k.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.linear import Floats

Factors: TypeAlias = tuple[Floats, Floats]

BANDS_BACK = 5
LINES_BACK = 3
"""This band and two before lend their line above and their column means."""
KINDS = 3
SIDES, PLAIN, COLUMN = range(KINDS)
"""What is kept of a line: left + right neighbour, the line itself, the column means after it."""
ABOVE = KINDS * LINES_BACK - 1
"""Rows of the line above that foretell: all but the sides two bands before."""
FEATURES = BANDS_BACK + ABOVE
"""Bands before, farthest first; then the line above of two bands before, of one, of this one."""
ABOVE_KINDS = np.arange(PLAIN, PLAIN + ABOVE) % KINDS
WEIGHT_BITS = 13

SIZES_BACK = 2
SIZES_BEFORE = KINDS + 1
CLUE_ROWS = np.array([0, 2, 3])
"""From the size two bands before to that of one: all but the column means between."""
CLUES = CLUE_ROWS.size + KINDS + 1
"""The rows before, those of the line above, and the level."""
CLUE_UNIT = 64
_CLUE_BITS = 14
_LARGEST_CLUE = 256.0

COLUMN_UNIT = 16
"""Column means are kept in sixteenths, rounded down, so that they are exact."""
SIZE_UNIT = 256
LEVEL_UNIT = 16
_COLUMN_SHIFT = 3


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What is sent beside the residuals."""

    lowest: int
    highest: int
    """The range of the part's samples: predictions are clamped to it."""
    means: NDArray[np.int64]
    """(bands,)"""
    weights: NDArray[np.int64]
    """(bands, FEATURES), in 2^-WEIGHT_BITS."""
    levels: NDArray[np.int64]
    """(bands,) mean residual magnitude, in 1/LEVEL_UNIT."""
    clue_weights: tuple[int, ...]
    """CLUES, in 1/CLUE_UNIT."""

    @property
    def limits(self) -> tuple[Floats, Floats]:
        """The range relative to each band's mean, (bands, 1) each."""
        means = self.means.astype(np.float64)[:, None]
        return self.lowest - means, self.highest - means


def predictor(weights: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the weights of the bands before, (bands, 1, BANDS_BACK), and of the line above."""
    real = weights * 2.0**-WEIGHT_BITS
    above = real[:, None, BANDS_BACK:].copy()
    above[:, :, ABOVE_KINDS == COLUMN] *= 1 / COLUMN_UNIT
    return real[:, None, :BANDS_BACK].copy(), above


def add_products(out: Floats, scratch: Floats, one: Factors, other: Factors) -> None:
    """Put the sum of two matrix products into ``out``; ``scratch`` is at least as long."""
    more = scratch[: len(out)]
    np.matmul(*one, out=out)
    np.matmul(*other, out=more)
    np.add(out, more, out=out)


def round_prediction(sums: Floats, lowest: Floats, highest: Floats) -> Floats:
    """Turn sums, in place, into predictions: integers within the part's range."""
    np.rint(sums, out=sums)
    np.maximum(sums, lowest, out=sums)
    predictions: Floats = np.minimum(sums, highest, out=sums)
    return predictions


def first_sizes(levels: NDArray[np.int64]) -> Floats:
    """Return (bands, KINDS, 1): what a band's first line takes for the sizes above it."""
    level = levels / LEVEL_UNIT
    sizes: Floats = np.stack((2 * level, level, level * SIZE_UNIT), axis=1)[:, :, None]
    return sizes


def foreteller(side: Side) -> tuple[Floats, Floats, Floats]:
    """Return the clues' weights for the bands before, those for the line above, and the rest.

    (bands, 1, SIZES_BEFORE), (bands, 1, KINDS) and (bands, 1, 1): whole numbers of 2^-22 that are
    small enough for exact sums.
    """
    real = np.array(side.clue_weights) / CLUE_UNIT
    scaled = np.minimum(np.outer(band_scales(side.levels), real[: CLUE_ROWS.size]), _LARGEST_CLUE)
    before = np.zeros((len(scaled), SIZES_BEFORE))
    before[:, CLUE_ROWS] = np.rint(scaled * (1 << _CLUE_BITS)) * 2.0**-_CLUE_BITS
    above = np.repeat(real[None, CLUE_ROWS.size : -1], len(scaled), axis=0)
    above[:, COLUMN] *= 1 / SIZE_UNIT
    rest = side.levels * (real[-1] / LEVEL_UNIT)
    return before[:, None], above[:, None], rest[:, None, None]


def band_scales(levels: NDArray[np.int64]) -> Floats:
    """Return by what factor each band's residuals are larger than the band's before."""
    raised = levels + 1.0
    scales = np.ones(len(levels))
    scales[1:] = raised[1:] / raised[:-1]
    return scales


def column_shifts(lines: int) -> list[int]:
    """Return how far each line moves its columns' means: 1 half the way, 2 a quarter, and so on.

    The first lines count for more.
    """
    return [1 if line < 2 else 2 if line < 6 else _COLUMN_SHIFT for line in range(lines)]


def size_shifts(lines: int) -> list[int]:
    """Return the same for magnitudes."""
    return [_COLUMN_SHIFT] * lines


def column_rates(shifts: list[int], unit: int) -> tuple[Floats, Floats]:
    """Return how much of the mean each line keeps, and how much of itself it adds."""
    rate: Floats = 1.0 / (1 << np.array(shifts))
    return 1 - rate, rate * unit


def pad_ends(lines: Floats | NDArray[np.int32]) -> None:
    """Repeat the first and the last sample of each line, (…, 1 + samples + 1), in its padding."""
    width = lines.shape[-1] - 2
    lines[..., :: width + 1] = lines[..., 1 : width + 1 : max(1, width - 1)]
