"""What a range image forbids: ground that leans too much, or stands out, under a footprint.

Integer geometry, no model. It has its own sensor and its own arithmetic, so that a site needs
two kinds of evidence that cannot fail in the same way. Where the laser heard too little, the
ground is not known and is forbidden.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.grid import Integers, Mask, window_sums
from flight.autonomy.terrain import CELLS

Ranges: TypeAlias = NDArray[np.int32]

FILL_REACH = 2
"""A pixel without an echo takes the mean of its neighbours this far away."""


@dataclass(frozen=True, slots=True)
class RangePolicy:
    """Limits with a margin for the range finder's noise: the lander stands 10 degrees and 0.3 m."""

    slope_permille: int = 158
    """9 degrees."""
    relief_mm: int = 210
    footprint_mm: int = 4_000
    """Side of the square in which slope and mean level are taken."""


def forbid(range_mm: Ranges, pixel_um: int, policy: RangePolicy) -> Mask:
    """Return (64, 64): True where no lander may stand, from (64 n, 64 n) ranges, 0 for no echo."""
    heard = range_mm > 0
    ranges = range_mm.astype(np.int64)
    echoes = window_sums(heard.astype(np.int64), FILL_REACH)
    nearby = window_sums(ranges, FILL_REACH) // np.maximum(echoes, 1)
    filled = np.where(heard, ranges, nearby)
    # Depths below the nearest point keep the sums of products far from overflow.
    depth = filled - int(filled.min())
    reach = max(policy.footprint_mm * 1000 // pixel_um // 2, 1)
    # A window cut by the edge has no plane of its own: what lies there is not known either.
    unknown = (echoes == 0) | (window_sums(np.ones_like(depth), reach) < (2 * reach + 1) ** 2)
    return _cells(unknown | _steep(depth, pixel_um, reach, policy) | _uneven(depth, reach, policy))


def _steep(depth: Integers, pixel_um: int, reach: int, policy: RangePolicy) -> Mask:
    """Return where the least squares plane of the window leans beyond the limit."""
    rows, columns = depth.shape
    down = np.broadcast_to(np.arange(rows, dtype=np.int64)[:, None], depth.shape)
    across = np.broadcast_to(np.arange(columns, dtype=np.int64)[None, :], depth.shape)
    total = window_sums(depth, reach)
    lean_down = window_sums(depth * down, reach) - total * down
    lean_across = window_sums(depth * across, reach) - total * across
    side = 2 * reach + 1
    spread = side * side * (side * side - 1) // 12
    limit = policy.slope_permille * pixel_um * spread // 1_000_000
    steep: Mask = lean_down**2 + lean_across**2 > limit**2
    return steep


def _uneven(depth: Integers, reach: int, policy: RangePolicy) -> Mask:
    """Return where a pixel departs from the window's mean beyond the limit."""
    size = window_sums(np.ones_like(depth), reach)
    departure = np.abs(depth * size - window_sums(depth, reach))
    uneven: Mask = departure > policy.relief_mm * size
    return uneven


def _cells(forbidden: Mask) -> Mask:
    """Return (64, 64): a cell is forbidden when any of its pixels is."""
    rows, columns = (size // CELLS for size in forbidden.shape)
    cells: Mask = forbidden.reshape(CELLS, rows, CELLS, columns).any(axis=(1, 3))
    return cells
