"""What a range image forbids: ground that leans too much, or stands out, under a footprint.

Integer geometry, no model. It has its own sensor and its own arithmetic, so that a site needs
two kinds of evidence that cannot fail in the same way. Where the laser heard too little, the
ground is not known and is forbidden.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.contrast import square
from flight.autonomy.grid import Integers, Mask, window_sums
from flight.autonomy.terrain import CELLS
from flight.product.values import Frame, SensorKind, Tensor

Ranges: TypeAlias = NDArray[np.int32] | NDArray[np.int64]

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

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if min(self.slope_permille, self.relief_mm, self.footprint_mm) < 1:
            raise ValueError("slope_permille, relief_mm and footprint_mm must be 1 or more")


MOST_SIDE = 1024
"""A larger range image would hold up the control process: it is not used."""

POLICY = RangePolicy()
"""What every board is given: geometry and a lander's legs, nothing that is learned."""


def guard(ranges: Frame, picture: Frame) -> Tensor | None:
    """Return (1, 64, 64, 1) int8, 1 where no lander may stand, for a picture's central square.

    It is kept beside the model's outputs: the journal vouches for it, and replay concludes from
    it. None: the frame is no range image, or does not cover the same ground as the picture.
    """
    samples = ranges.samples
    fits = ranges.kind is SensorKind.RANGE and samples.ndim == 2
    if not fits or not CELLS <= min(samples.shape) <= MOST_SIDE:
        return None
    if len(ranges.axis) != 1 or min(*ranges.axis, ranges.unit_counts) < 1:
        return None
    top, left, side = square(samples.shape)
    width_um = side * ranges.axis[0]
    shown_um = min(picture.samples.shape) * picture.axis[0] if picture.axis else width_um
    # Half a cell at either edge is what a footprint's margin stands.
    if abs(width_um - shown_um) * CELLS > shown_um:
        return None
    crop = samples[top : top + side, left : left + side].astype(np.int64)
    forbidden = forbid(crop * 1000 // ranges.unit_counts, ranges.axis[0], POLICY)
    return forbidden.astype(np.int8)[None, :, :, None]


def forbid(range_mm: Ranges, pixel_um: int, policy: RangePolicy) -> Mask:
    """Return (64, 64): True where no lander may stand, from a square of ranges, 0 for no echo."""
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
    # Sums divided by this are permille; squares of the sums themselves could overflow.
    spread = side * side * (side * side - 1) // 12 * pixel_um
    down_permille, across_permille = (
        np.abs(lean) * 1_000_000 // spread for lean in (lean_down, lean_across)
    )
    steep: Mask = down_permille**2 + across_permille**2 > policy.slope_permille**2
    return steep


def _uneven(depth: Integers, reach: int, policy: RangePolicy) -> Mask:
    """Return where a pixel departs from the window's mean beyond the limit."""
    size = window_sums(np.ones_like(depth), reach)
    departure = np.abs(depth * size - window_sums(depth, reach))
    uneven: Mask = departure > policy.relief_mm * size
    return uneven


def _cells(forbidden: Mask) -> Mask:
    """Return (64, 64): a cell is forbidden when any of its pixels is."""
    edges = np.arange(CELLS) * len(forbidden) // CELLS
    down = np.logical_or.reduceat(forbidden, edges, axis=0)
    cells: Mask = np.logical_or.reduceat(down, edges, axis=1)
    return cells
