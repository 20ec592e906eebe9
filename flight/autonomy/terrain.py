"""From a camera frame to a hazard map and a place to land, in integers.

The model is shown contrast, not counts: each pixel against the mean of a wide window around it,
so that exposure, vignetting and broad patches of albedo drop out, and compressed so that a slope
of one degree and a black shadow both fit into eight bits. It answers for 64 x 64 cells how
hazardous and how deep in shadow each one is, and how likely a lander that stands there has a
hazard under it: the last is no sum of the first, for how sure the model can be depends on the
light and on the camera, which it sees too. What cannot be seen is not safe: shadow counts as
hazard, and so does all that lies outside the frame.

A range image, where there is one, may only forbid (``range_guard``); the model only ranks. What a
coarser frame said of the same ground (``second_look``) is added to the risk: how whole slopes lean
is seen from higher up, and what lies on them from close by.
"""

from dataclasses import dataclass
from enum import IntEnum
from math import isqrt
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.contrast import seen, square
from flight.autonomy.grid import Integers, Mask, near, squared_distance, squared_distance_from
from flight.product.values import Finding, Frame, Kind, SensorKind, Tensor

Raw: TypeAlias = Tensor | Integers
"""(64, 64) of a model's raw outputs."""
Sums: TypeAlias = NDArray[np.int16] | Integers

INPUT_PIXELS = 256
"""Rows and columns that the model sees."""

LEAST_PIXELS = 128
"""Rows and columns of the smallest usable frame; below INPUT_PIXELS a frame is widened."""

CELLS = 64
"""Rows and columns of its answer."""

PLANES = 3
"""What it answers for each: hazard, shadow, risk of a site."""

WINDOW_GRAIN, WINDOW_REACH = 2, 31
"""Input pixels a side of a block, and blocks to either side, in the mean against which a pixel is
seen."""


SITE_CELLS = 9
"""Cells over which a site's risk is averaged: its own and those around it."""

FINE_SHARE, COARSE_SHARE = 2, 1
"""Weights of a frame's own risk and of a coarser look's in their mean."""


class Site(NamedTuple):
    """The cell that risks least, and whether that is little enough to land there."""

    row: int
    column: int
    named: bool
    score: int
    """Its mean raw risk, rounded up."""


class Ground(IntEnum):
    """What a cell of the map is. On the wire: add, never renumber."""

    CLEAR = 0
    HAZARD = 1
    SHADOW = 2
    """In deep shadow: what lies there is not known, so nothing may land there either."""
    FORBIDDEN = 3
    """Clear for the model, and a range image forbids it."""


@dataclass(frozen=True, slots=True)
class TerrainPolicy:
    """What turns raw outputs into a site. The thresholds come with the model, in its card."""

    hazard_threshold: int = 0
    """A cell whose raw hazard output is above is hazardous on the map; calibrated on the false-safe
    rate."""
    closed_threshold: int = 0
    """No site is named with such a cell under a lander; less strict than the map, for the risk
    tells more of a place than its single cells do."""
    shadow_threshold: int = 0
    """A cell whose raw shadow output is above lies in deep shadow."""
    site_threshold: int = 0
    """No site is named whose mean raw risk is above; calibrated on the hazardous sites that would
    be named."""
    confirmed_threshold: int = -129
    """Takes the place of site_threshold where a coarser look had its say in the risk; calibrated
    in simulated descents. -129: no site is named then."""
    guarded_threshold: int = 0
    """Takes the place of both closed_threshold and site_threshold where a range image forbids
    what it measures: the model then only has to see what the laser cannot."""
    footprint_cells: int = 2
    """Clear cells needed around a site's own, whatever the scale."""
    footprint_mm: int = 2_000
    """Clear radius needed around a site when the frame's scale is known."""
    divert_mm: int = 0
    """Farthest site from the frame's centre when the scale is known; 0: no limit."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not 0 <= self.footprint_cells < CELLS // 2:
            raise ValueError(f"footprint_cells must lie within 0 and {CELLS // 2 - 1}")
        if self.footprint_mm < 0 or self.divert_mm < 0:
            raise ValueError("footprint_mm and divert_mm must be 0 or more")


def prepare(frame: Frame) -> Tensor | None:
    """Return (1, 256, 256, 1) int8 for the model, or None where the frame is unusable.

    A frame that is not square is seen in its central square. Unusable: not an image, smaller
    than 128 pixels a side, black, blank or overexposed.
    """
    samples = frame.samples
    if frame.kind is not SensorKind.CAMERA or samples.ndim != 2:
        return None
    level = seen(samples, INPUT_PIXELS, reach=WINDOW_REACH, grain=WINDOW_GRAIN, least=LEAST_PIXELS)
    return None if level is None else level[None, :, :, None]


def classify(outputs: tuple[Tensor, ...], policy: TerrainPolicy) -> NDArray[np.uint8]:
    """Return (64, 64) Ground classes from a frame's outputs."""
    hazard, shadow, _ = _planes(outputs)
    forbidden = _forbidden(outputs)
    # Of the model's classes the higher number holds: a hazard in shadow is not known to be one.
    classes: NDArray[np.uint8] = np.maximum(
        (hazard > policy.hazard_threshold) * np.uint8(Ground.HAZARD),
        (shadow > policy.shadow_threshold) * np.uint8(Ground.SHADOW),
    )
    if forbidden is not None:
        classes[forbidden & (classes == Ground.CLEAR)] = Ground.FORBIDDEN
    return classes


def conclude(
    shape: tuple[int, ...],
    outputs: tuple[Tensor, ...],
    policy: TerrainPolicy,
    *,
    axis: tuple[int, ...] = (),
) -> tuple[Finding, ...]:
    """Return the site, or that there is none, and the shares of what stands in a lander's way.

    ``shape`` is the frame's (rows, columns) and ``axis`` its (ground sample distance in
    micrometres,) where that is known. ``outputs`` are the model's (1, 64, 64, 3) and, where there
    was a range image or a coarser look, what ``range_guard.guard`` or ``second_look.beneath`` said.
    """
    classes = classify(outputs, policy)
    hazard, _, risk = _planes(outputs)
    forbidden = _forbidden(outputs)
    closed = close(outputs, policy, forbidden)
    site = choose_site(
        closed,
        risk,
        policy,
        cell_um=cell_size_um(shape, axis),
        before=_before(outputs),
        guarded=forbidden is not None,
    )
    return (
        _site_finding(shape, site, hazard, closed),
        Finding(Kind.HAZARD_AREA, score=_permille(classes == Ground.HAZARD)),
        Finding(Kind.SHADOW_AREA, score=_permille(classes == Ground.SHADOW)),
        *(Finding(Kind.FORBIDDEN_AREA, score=_permille(f)) for f in (forbidden,) if f is not None),
    )


def close(
    outputs: tuple[Tensor, ...], policy: TerrainPolicy, forbidden: Mask | None = None
) -> Mask:
    """Return (64, 64): True where no lander may stand, for the model or for another sensor."""
    hazard, shadow, _ = _planes(outputs)
    closed: Mask = shadow > policy.shadow_threshold
    if forbidden is None:
        closed |= hazard > policy.closed_threshold
    else:
        closed |= forbidden | (hazard > policy.guarded_threshold)
    return closed


def cell_size_um(shape: tuple[int, ...], axis: tuple[int, ...]) -> int:
    """Return the side of a cell on the ground in micrometres, or 0 where it is not known."""
    return axis[0] * min(shape) // CELLS if axis else 0


def choose_site(
    closed: Mask,
    risk: Raw,
    policy: TerrainPolicy,
    *,
    cell_um: int = 0,
    before: Integers | None = None,
    guarded: bool = False,
) -> Site:
    """Return the cell that risks least of those with a clear footprint, or of all if none has one.

    ``before``: a coarser look's risk, (n, n). ``guarded``: a range image had its say in ``closed``,
    and how sure the picture can be does not matter. Equals are told apart by clearance, then by
    their order in the map.
    """
    reach = policy.footprint_cells
    if cell_um:
        reach = max(reach, -(-policy.footprint_mm * 1000 // cell_um))
    candidates = ~near(closed, reach)
    if cell_um and policy.divert_mm:
        candidates &= _within(policy.divert_mm * 1000 // cell_um)
    clear = bool(candidates.any())
    if not clear:
        candidates = ~near(np.zeros_like(closed), min(reach, CELLS // 2 - 1))
    sums, weight = _weighed(risk, before)
    safest = np.flatnonzero(candidates & (sums == sums[candidates].min()))
    if len(safest) > 1:
        safest = safest[[squared_distance(closed).reshape(-1)[safest].argmax()]]
    row, column = divmod(int(safest[0]), CELLS)
    score = -(-int(sums[row, column]) // weight)
    most = policy.site_threshold if before is None else policy.confirmed_threshold
    return Site(row, column, clear and (guarded or score <= most), score)


def _weighed(risk: Raw, before: Integers | None) -> tuple[Sums, int]:
    """Return (64, 64) sums of a frame's raw risk and a coarser look's, and of their weights."""
    sums = site_risk(risk)
    if before is None:
        return sums, SITE_CELLS
    index = np.arange(CELLS) * len(before) // CELLS
    coarse = before[index[:, None], index]
    return FINE_SHARE * sums + COARSE_SHARE * SITE_CELLS * coarse, SITE_CELLS * (
        FINE_SHARE + COARSE_SHARE
    )


def site_risk(risk: Raw) -> NDArray[np.int16]:
    """Return the sum of the raw risk over each cell and its neighbours, SITE_CELLS of them."""
    walled = np.zeros((CELLS + 2, CELLS + 2), np.int16)
    walled[1:-1, 1:-1] = risk
    down = walled[:-2] + walled[1:-1] + walled[2:]
    sums: NDArray[np.int16] = down[:, :-2] + down[:, 1:-1] + down[:, 2:]
    return sums


def _planes(outputs: tuple[Tensor, ...]) -> Tensor:
    """Return the raw hazard, shadow and risk outputs, (3, 64, 64)."""
    return np.ascontiguousarray(outputs[0].reshape(CELLS, CELLS, PLANES).transpose(2, 0, 1))


def _forbidden(outputs: tuple[Tensor, ...]) -> Mask | None:
    """Return (64, 64), True where a range image forbids; None where there was none."""
    for aside in outputs[1:]:
        if aside.size == CELLS * CELLS:
            forbidden: Mask = aside.reshape(CELLS, CELLS) != 0
            return forbidden
    return None


def _before(outputs: tuple[Tensor, ...]) -> Integers | None:
    """Return (n, n) a coarser look's raw risk; None where there was none."""
    for aside in outputs[1:]:
        if aside.size < CELLS * CELLS:
            side = isqrt(aside.size)
            return aside.reshape(side, side).astype(np.int64)
    return None


def _within(reach: int) -> Mask:
    """Return (64, 64): True for cells whose centre is at most ``reach`` from the frame's."""
    doubled = 2 * np.arange(CELLS) + 1 - CELLS
    within: Mask = doubled[:, None] ** 2 + doubled[None, :] ** 2 <= (2 * reach) ** 2
    return within


def _site_finding(shape: tuple[int, ...], site: Site, hazard: Raw, closed: Mask) -> Finding:
    top, left, side = square(shape)
    row, column, named, _ = site
    place = (
        top + (2 * row + 1) * side // (2 * CELLS),
        left + (2 * column + 1) * side // (2 * CELLS),
    )
    if not named:
        return Finding(Kind.NO_SAFE_SITE, *place)
    around = hazard[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    # To the near side of the nearest closed cell: its centre's distance less half a cell.
    clear = isqrt(4 * side * side * squared_distance_from((row, column), closed)) - side
    return Finding(
        Kind.SAFE_SITE,
        *place,
        extent=clear // (2 * CELLS),
        score=int(around.sum()) // around.size,
    )


def _permille(mask: Mask) -> int:
    return int(np.count_nonzero(mask)) * 1000 // mask.size
