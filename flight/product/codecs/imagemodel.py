"""What the image codec foretells: a pixel from twelve neighbours, a residual from its own.

Pixels lie in a frame of padding, so that every neighbour exists: two rows of the mid value above,
to the left of a row its upper neighbour's first pixel, to the right its own last one. All of it
is known before it is needed if pixels are taken along x + 3 y = d; along such a diagonal both the
place and its neighbours advance by a constant stride in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.contexts import UNIT, Reals
from flight.product.codecs.linear import Floats

PAD = 2
SLOPE = 3
"""North-east reaches two columns right: one row costs three columns."""
NEIGHBOURS = (
    (0, -1),
    (-1, 0),
    (-1, -1),
    (-1, 1),
    (0, -2),
    (-2, 0),
    (-1, -2),
    (-1, 2),
    (-2, -1),
    (-2, 1),
    (-2, -2),
    (-2, 2),
)
"""(row, column) of each, the west one first."""
WEIGHT_BITS = 13
CLUES = 9


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What is sent beside the residuals."""

    lowest: int
    highest: int
    middle: int
    weights: tuple[int, ...]
    """One a neighbour, in 2^-WEIGHT_BITS; their sum is 1."""
    level: int
    """Mean residual magnitude, in 1/16."""
    clue_weights: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where pixels lie in the padded, flattened image."""

    rows: int
    columns: int

    @property
    def stride(self) -> int:
        """Padded columns."""
        return self.columns + 2 * PAD

    @property
    def steps(self) -> int:
        """Diagonals, those without a pixel included."""
        return self.columns + SLOPE * (self.rows - 1)

    @property
    def size(self) -> int:
        """Padded pixels."""
        return (self.rows + PAD) * self.stride

    @property
    def offsets(self) -> NDArray[np.int64]:
        """How far each neighbour lies from its pixel."""
        return np.array([row * self.stride + column for row, column in NEIGHBOURS])

    def diagonals(self) -> Iterator[tuple[int, int, int]]:
        """Yield each diagonal's first row, its pixels, and where its first pixel lies."""
        for diagonal in range(self.steps):
            first = max(0, -((self.columns - 1 - diagonal) // SLOPE))
            end = min(self.rows - 1, diagonal // SLOPE) + 1
            if first < end:
                column = diagonal - SLOPE * first
                yield first, end - first, (first + PAD) * self.stride + PAD + column

    def order(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return where pixel after pixel lies in the flat image, and each diagonal's pixels."""
        diagonal = np.add.outer(np.arange(self.rows) * SLOPE, np.arange(self.columns)).reshape(-1)
        if self.steps < 1 << 16:
            # Sorted by radix, which is much faster.
            diagonal = diagonal.astype(np.uint16)
        return np.argsort(diagonal, kind="stable"), np.bincount(diagonal)

    def inner(self, padded: Floats) -> Floats:
        """Return the pixels of a padded, flattened image, as a (rows, columns) view."""
        return padded.reshape(-1, self.stride)[PAD:, PAD:-PAD]


def pad(frame: Frame, pixels: Floats, middle: int) -> Floats:
    """Return the pixels in their padding, (rows + PAD, columns + 2 PAD)."""
    padded = np.empty((frame.rows + PAD, frame.stride))
    padded[:PAD] = middle
    padded[PAD:, PAD:-PAD] = pixels
    padded[PAD, :PAD] = middle
    padded[PAD + 1 :, :PAD] = pixels[:-1, :1]
    padded[PAD:, -PAD:] = pixels[:, -1:]
    return padded


def pad_magnitudes(frame: Frame, magnitudes: Reals, level: int) -> Reals:
    """Return residual magnitudes in their padding: the level everywhere."""
    padded: Reals = np.full((frame.rows + PAD, frame.stride), level, np.float32)
    padded[PAD:, PAD:-PAD] = magnitudes
    return padded


def round_prediction(sums: Floats, side: Side) -> Floats:
    """Turn weighted sums, in place, into predictions: integers within the image's range."""
    sums += 1 << (WEIGHT_BITS - 1)
    sums *= 2.0**-WEIGHT_BITS
    np.floor(sums, out=sums)
    np.maximum(sums, side.lowest, out=sums)
    return np.minimum(sums, side.highest, out=sums)


def clues(level: int, steps: list[Reals], magnitudes: list[Reals]) -> list[Reals]:
    """Return CLUES arrays that foretell residual magnitudes, in 1/16.

    ``steps`` is how much W and NW differ, N and NW, N and NE; ``magnitudes`` those of all
    NEIGHBOURS in their order.
    """
    down, across, behind = steps
    return [
        np.full(down.shape, level, np.float32),
        *magnitudes[:4],
        magnitudes[4] + magnitudes[5],
        magnitudes[6] + magnitudes[7] + magnitudes[8] + magnitudes[9],
        (down + across) * np.float32(UNIT),
        behind * np.float32(UNIT),
    ]


def gradients(padded: Floats, shape: tuple[int, ...]) -> list[Reals]:
    """Return for each pixel how much W and NW differ, N and NW, N and NE."""
    rows, columns = shape
    pixels = padded.astype(np.float32)
    down = np.abs(pixels[PAD:, PAD - 1 : -PAD - 1] - pixels[PAD - 1 : -1, PAD - 1 : -PAD - 1])
    above = pixels[PAD - 1 : PAD - 1 + rows, PAD - 1 : PAD + columns + 1]
    across = np.abs(above[:, 1:] - above[:, :-1])
    return [down, across[:, :-1], across[:, 1:]]
