"""What the lattice codec foretells: pixels between known ones, level by level.

The theory. Every 32nd pixel of every 32nd row is sent as it is. Each level halves the spacing in
three passes: A takes the centres of squares of known pixels, B and C the middles of their sides,
which then have four known neighbours as well. A pixel is foretold as the mean of its four nearest
plus a least-squares correction from the rings around; the weights are fitted to the pass and
sent. What is known after any level is a smaller picture, complete in itself.

Neighbours beyond the edge are mirror images, which keeps known pixels on known places.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flight.product.codecs.contexts import UNIT, Reals
from flight.product.codecs.linear import Floats

REACH = 3
WEIGHT_BITS = 11
"""Fractional bits of a weight; a prediction is in quarters, hence two more."""
CLUES = 5

Offset = tuple[int, int]

_CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))
_SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))
_CENTRE_RINGS: tuple[tuple[Offset, ...], ...] = (
    *((corner,) for corner in _CORNERS),
    ((-3, -1), (-3, 1)),
    ((3, -1), (3, 1)),
    ((-1, -3), (1, -3)),
    ((-1, 3), (1, 3)),
    ((-3, -3), (3, 3)),
    ((-3, 3), (3, -3)),
)
_SIDE_RINGS: tuple[tuple[Offset, ...], ...] = (
    *((side,) for side in _SIDES),
    ((-2, -1), (-2, 1)),
    ((2, -1), (2, 1)),
    ((-1, -2), (1, -2)),
    ((-1, 2), (1, 2)),
    ((-3, 0),),
    ((3, 0),),
    ((0, -3),),
    ((0, 3),),
)


@dataclass(frozen=True, slots=True)
class Pass:
    """One of the three passes of a level, in units of half its spacing."""

    row: int
    column: int
    nearest: tuple[Offset, ...]
    rings: tuple[tuple[Offset, ...], ...]


PASSES = (
    Pass(1, 1, _CORNERS, _CENTRE_RINGS),
    Pass(0, 1, _SIDES, _SIDE_RINGS),
    Pass(1, 0, _SIDES, (*_SIDE_RINGS, _CORNERS)),
)


def levels(rows: int, columns: int) -> int:
    """Return how often the spacing is halved: the coarsest picture keeps some eight rows."""
    return min(5, (min(rows, columns) // 8).bit_length())


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """What a pass knows of its pixels' neighbourhood; arrays (pixels,)."""

    features: Floats
    """(features, pixels): ring sums less as many nearest-four means, times 4."""
    nearest_sum: Floats
    clues: list[Reals]
    """CLUES - 1 arrays; the level is the last clue."""


def steps(spacing: int, shape: tuple[int, int]) -> Iterator[tuple[Pass, slice, slice]]:
    """Yield the passes that halve a spacing, with the rows and columns of their pixels."""
    half = spacing // 2
    for one in PASSES:
        rows = slice(one.row * half, None, spacing)
        columns = slice(one.column * half, None, spacing)
        if one.row * half < shape[0] and one.column * half < shape[1]:
            yield one, rows, columns


def look_around(one: Pass, known: Floats, magnitudes: Floats) -> Around:
    """Return the neighbourhood of a pass's pixels.

    ``known`` and ``magnitudes`` hold every pixel of the finer lattice, (rows, columns); places
    not decoded yet are never read.
    """
    values = np.pad(known, REACH, mode="reflect")
    sizes = np.pad(magnitudes, REACH, mode="reflect")
    rows, columns = known.shape

    def at(offset: Offset, plane: Floats) -> Floats:
        top, left = REACH + one.row + offset[0], REACH + one.column + offset[1]
        end_row, end_column = REACH + rows + offset[0], REACH + columns + offset[1]
        return plane[top:end_row:2, left:end_column:2]

    nearest = [at(offset, values) for offset in one.nearest]
    total = nearest[0] + nearest[1] + nearest[2] + nearest[3]
    features = np.empty((len(one.rings), *total.shape))
    for index, ring in enumerate(one.rings):
        np.multiply(total, -len(ring), out=features[index])
        for offset in ring:
            features[index] += at(offset, values) * 4.0
    highest = np.maximum(np.maximum(nearest[0], nearest[1]), np.maximum(nearest[2], nearest[3]))
    lowest = np.minimum(np.minimum(nearest[0], nearest[1]), np.minimum(nearest[2], nearest[3]))
    if one.nearest is _CORNERS:
        twist = nearest[0] + nearest[3] - nearest[1] - nearest[2]
    else:
        twist = nearest[0] + nearest[1] - nearest[2] - nearest[3]
    spread = np.abs(features[len(one.nearest)])
    around = [at(offset, sizes) for offset in one.nearest]
    residuals = around[0] + around[1] + around[2] + around[3]
    clues = [
        (highest - lowest) * UNIT,
        np.abs(twist) * UNIT,
        spread * (UNIT / 8),
        residuals * 0.25,
    ]
    return Around(
        features.reshape(len(features), -1),
        total.reshape(-1),
        [clue.astype(np.float32).reshape(-1) for clue in clues],
    )


def foretell(around: Around, weights: Floats, lowest: int, highest: int) -> Floats:
    """Return the predictions: integers within the picture's range."""
    sums: Floats = weights @ around.features
    sums += around.nearest_sum * float(1 << WEIGHT_BITS)
    sums += 1 << (WEIGHT_BITS + 1)
    sums *= 2.0 ** -(WEIGHT_BITS + 2)
    np.floor(sums, out=sums)
    np.maximum(sums, lowest, out=sums)
    return np.minimum(sums, highest, out=sums)
