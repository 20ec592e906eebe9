"""From any instrument's bands to the one grid that the mineral model sees, in integers."""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.product.values import Tensor

Integers: TypeAlias = NDArray[np.int64]

GRID_STEP_PM = 25_000
GRID_PM = tuple(range(450_000, 2_450_000, GRID_STEP_PM))
"""Centre of each band the model sees, in picometres: 80 bands from 450 to 2,425 nm."""

LAST_USED_PM = 2_500_000
"""Bands beyond are ignored: there the Moon's own heat adds to what it reflects."""

LEAST_BANDS = 6
LEAST_SPAN_PM = 400_000
"""With fewer bands, or a narrower range, no phase can be told from another."""

COVERED_FROM_PM, COVERED_TO_PM = 900_000, 2_100_000
"""An instrument with bands at or beyond both ends sees enough of a spectrum to know its outline."""

WEIGHT_SUM = 1 << 12
"""The resampling weights of one grid band add up to this."""

SUPPORT_REACH_PM = 75_000
"""Channel 2 is 127 on an instrument's band and falls to 0 at this distance from the nearest."""


@lru_cache(maxsize=8)
def resampling(axis: tuple[int, ...]) -> Integers | None:
    """Return (80, bands) integer weights that bring ``axis`` to the grid; None: too few bands.

    Where the instrument's bands lie closer than the grid's, a grid band is their mean under a
    triangle two grid steps wide, each band weighted by the range it stands for. Where they lie
    wider apart it is interpolated between its two neighbours. Beyond the ends it is the end
    band. Each row adds up to ``WEIGHT_SUM``.
    """
    centres = np.asarray(axis, dtype=np.int64)
    order = np.argsort(centres, kind="stable")
    used = order[(centres[order] >= GRID_PM[0]) & (centres[order] <= LAST_USED_PM)]
    if len(used) < LEAST_BANDS or centres[used[-1]] - centres[used[0]] < LEAST_SPAN_PM:
        return None
    known = centres[used]
    spacing = np.empty_like(known)
    spacing[1:-1] = (known[2:] - known[:-2]) // 2
    spacing[[0, -1]] = known[1] - known[0], known[-1] - known[-2]
    weights = np.zeros((len(GRID_PM), len(axis)), np.int64)
    for row, target in enumerate(GRID_PM):
        weights[row, used] = _share_out(_band_weights(known, np.maximum(spacing, 1), target))
    weights.setflags(write=False)
    return weights


@lru_cache(maxsize=8)
def support(axis: tuple[int, ...]) -> Tensor:
    """Return (80,) int8: 127 where ``axis`` has a band, less beside one, 0 in a gap."""
    centres = np.asarray(axis, dtype=np.int64)
    used = centres[(centres >= GRID_PM[0]) & (centres <= LAST_USED_PM)]
    away = np.abs(np.asarray(GRID_PM)[:, None] - used).min(axis=1)
    near: Tensor = np.maximum(127 - away * 127 // SUPPORT_REACH_PM, 0).astype(np.int8)
    near.setflags(write=False)
    return near


@lru_cache(maxsize=8)
def covers(axis: tuple[int, ...]) -> bool:
    """Return whether the bands cover enough of the range for an outline to be known."""
    used = [centre for centre in axis if GRID_PM[0] <= centre <= LAST_USED_PM]
    return bool(used) and min(used) <= COVERED_FROM_PM and max(used) >= COVERED_TO_PM


def _band_weights(known: Integers, spacing: Integers, target: int) -> Integers:
    """Return the unscaled weight of each known band in the grid band at ``target``."""
    triangle = np.maximum(GRID_STEP_PM - np.abs(known - target), 0)
    inside = triangle > 0
    if known[inside].size and known[inside][0] <= target <= known[inside][-1]:
        wanted: Integers = triangle * spacing
        return wanted
    weights = np.zeros_like(known)
    after = int(np.searchsorted(known, target))
    if after == 0 or after == len(known):
        weights[min(after, len(known) - 1)] = 1
    else:
        weights[after - 1] = known[after] - target
        weights[after] = target - known[after - 1]
    return weights


def _share_out(weights: Integers) -> Integers:
    """Scale ``weights`` to add up to ``WEIGHT_SUM``; the largest takes what rounding leaves."""
    scaled: Integers = weights * WEIGHT_SUM // weights.sum()
    scaled[weights.argmax()] += WEIGHT_SUM - scaled.sum()
    return scaled


def product(left: NDArray[np.generic], right: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the exact product of two matrices of integers, as whole float64.

    numpy has no fast integer product. All sums here stay below 2 to the 53rd, so float64
    carries them without rounding, in any order of summation; and so do their floored quotients
    (``flight.autonomy.grid.quotient``).
    """
    exact: NDArray[np.float64] = left.astype(np.float64) @ right.astype(np.float64)
    return exact
