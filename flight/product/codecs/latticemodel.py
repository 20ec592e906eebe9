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
_BLOCK_PIXELS = 1 << 14

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
    nearest_sum: Reals
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


def widen(plane: Reals) -> Reals:
    """Return a plane in REACH of its mirror images."""
    return np.pad(plane, REACH, mode="reflect")


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Yield the rows of a pass in blocks: a few of them at a time keep what is needed small."""
    height = max(1, _BLOCK_PIXELS // columns)
    for first in range(0, rows, height):
        yield slice(first, min(first + height, rows))


def look_around(one: Pass, known: Reals, magnitudes: Reals, block: slice) -> Around:
    """Return the neighbourhood of the pixels in a block of a pass's rows.

    ``known`` and ``magnitudes`` hold every pixel of the finer lattice, (rows, columns), widened;
    places not decoded yet are never read.
    """
    columns = known.shape[1] - 2 * REACH

    def at(offset: Offset, plane: Reals) -> Reals:
        top, left = REACH + one.row + offset[0], REACH + one.column + offset[1]
        rows = slice(top + 2 * block.start, top + 2 * block.stop - 1, 2)
        return plane[rows, left : REACH + columns + offset[1] : 2]

    nearest = [at(offset, known) for offset in one.nearest]
    total = nearest[0] + nearest[1] + nearest[2] + nearest[3]
    features = np.empty((len(one.rings), *total.shape))
    for index, ring in enumerate(one.rings):
        np.multiply(total, -len(ring), out=features[index])
        for offset in ring:
            features[index] += at(offset, known) * 4.0
    highest = np.maximum(np.maximum(nearest[0], nearest[1]), np.maximum(nearest[2], nearest[3]))
    lowest = np.minimum(np.minimum(nearest[0], nearest[1]), np.minimum(nearest[2], nearest[3]))
    if one.nearest is _CORNERS:
        twist = nearest[0] + nearest[3] - nearest[1] - nearest[2]
    else:
        twist = nearest[0] + nearest[1] - nearest[2] - nearest[3]
    spread = np.abs(features[len(one.nearest)])
    around = [at(offset, magnitudes) for offset in one.nearest]
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
