"""What the cube codec foretells: each band from the bands before it and the line above.

The theory. Neighbouring bands see the same ground through nearly the same filter, so a sample is
foretold by least squares from the same pixel in the five bands before, from the line above (N,
and NW + NE) in this band and two before, and from a running mean of each detector column in the
same three bands, which catches the stripes of a pushbroom sensor. All are relative to their
band's mean, so "nothing known" is 0. The weights are fitted to the part itself and sent: the
decoder only multiplies integers, so it cannot disagree.

How well it went is foretold too: the size of a residual from the residuals of the band before,
the line above, the column so far and the band's level.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.contexts import Reals
from flight.product.codecs.linear import Floats

BANDS_BACK = 5
LINES_BACK = 3
"""This band and two before lend their line above and their column means."""
FEATURES = BANDS_BACK + 3 * LINES_BACK
WEIGHT_BITS = 13
CLUES = 7

COLUMN_UNIT = 1 / 16
"""Column means are kept in sixteenths, rounded down, so that they are exact."""
COLUMN_RATE = 1 / 8

Ring: TypeAlias = list[Floats]


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
    """(bands,) mean residual magnitude, in 1/16."""
    clue_weights: tuple[int, ...]


def put_features(
    out: Floats,
    same: list[Floats],
    above: list[Floats],
    columns: list[Floats],
) -> None:
    """Fill ``out`` (FEATURES, …, samples) with what foretells some lines.

    ``same`` holds the lines in the bands before, nearest first; ``above`` the lines above with
    one sample of padding at each end, this band first; ``columns`` the column means likewise.
    """
    for index, lines in enumerate(same):
        out[index] = lines
    for index, lines in enumerate(above):
        place = BANDS_BACK + 2 * index
        out[place] = lines[..., 1:-1]
        np.add(lines[..., :-2], lines[..., 2:], out=out[place + 1])
    for index, lines in enumerate(columns):
        out[BANDS_BACK + 2 * LINES_BACK + index] = lines


def round_prediction(sums: Floats, lowest: Floats | float, highest: Floats | float) -> Floats:
    """Turn weighted sums, in place, into predictions: integers within the part's range."""
    sums += 1 << (WEIGHT_BITS - 1)
    sums *= 2.0**-WEIGHT_BITS
    np.floor(sums, out=sums)
    np.maximum(sums, lowest, out=sums)
    return np.minimum(sums, highest, out=sums)


def next_column(column: Floats, lines: Floats, line: NDArray[np.int64]) -> Floats:
    """Return the running column means after ``lines``, the ``line``-th ones of their bands.

    The first lines count for more: the rate begins at 1/2.
    """
    rate = np.where(line < 2, 0.5, np.where(line < 6, 0.25, COLUMN_RATE))[:, None]
    change = (lines - column) * (rate / COLUMN_UNIT)
    np.floor(change, out=change)
    change *= COLUMN_UNIT
    change += column
    return change


def next_magnitude_column(column: Reals, magnitudes: Reals) -> Reals:
    """Return the running mean down each column after these magnitudes."""
    change = magnitudes - column
    change *= np.float32(COLUMN_RATE)
    change += column
    return change


def band_scales(levels: NDArray[np.int64]) -> Reals:
    """Return by what factor each band's residuals are larger than the band's before."""
    raised = (levels + 1).astype(np.float32)
    scales: Reals = np.ones(len(levels), np.float32)
    scales[1:] = raised[1:] / raised[:-1]
    return scales


def clues(
    *, level: Reals, scale: Reals, before: Reals, before2: Reals, above: Reals, column: Reals
) -> list[Reals]:
    """Return CLUES arrays (…, samples) that foretell residual magnitudes, in 1/16.

    ``before``, ``before2`` and ``above`` are magnitudes one and two bands before and in the line
    above, padded by one at each end (``before2`` is not); ``column`` a running mean down the
    column. ``level`` and ``scale`` are (…, 1): the band's mean magnitude, and by what factor
    the band before differs.
    """
    return [
        np.broadcast_to(level, column.shape),
        before[..., 1:-1] * scale,
        (before[..., :-2] + before[..., 2:]) * scale,
        before2 * scale,
        above[..., 1:-1],
        above[..., :-2] + above[..., 2:],
        column,
    ]
