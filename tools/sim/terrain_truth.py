"""What a lander would meet on a piece of ground, cell by cell.

A cell is hazardous when the ground under a lander that stands on it leans too much (the least
squares plane of the footprint around it), or when something in it stands out of, or lies below,
the ground's mean level there by more than the lander clears. Both limits are stated at the pixel
of the hover frame; a coarser frame shows, and is asked about, hazards that much larger.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]

CELLS = 64
"""Hazard cells a side, whatever the size of the frame."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a lander can stand."""

    slope_deg: float = 10.0
    """With 0.3 m of relief: what Nova-C's hazard avoidance was asked for."""
    relief_px: float = 1.2
    """In pixels of a 256 x 256 frame: 0.3 m at 0.25 m a pixel."""
    footprint_px: int = 16
    """Side of the square in which slope and mean level are taken: 4 m at 0.25 m."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Cell by cell, (64, 64)."""

    slope_deg: Field
    relief_m: Field
    """Largest departure from the mean level around."""
    rock_m: Field
    """Tallest rock in the cell."""
    shadow: NDArray[np.bool_]
    """More than half of the cell lies in cast shadow."""
    hazard: NDArray[np.bool_]


def box_mean(field: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Return the mean of the ``side`` x ``side`` window around each pixel, in float64.

    Beyond the edges the field is continued with its slope (odd reflection).
    """
    before, after = side // 2, side - 1 - side // 2
    padded = np.pad(field, ((before + 1, after),) * 2, mode="reflect", reflect_type="odd")
    total = padded.cumsum(axis=0).cumsum(axis=1)
    return (
        total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    ) / side**2


def slope_deg(height_m: Field, pixel_m: float, side: int) -> Field:
    """Return the slope of the least squares plane of the window around each pixel."""
    side |= 1
    rows, columns = height_m.shape
    height = height_m.astype(np.float64) - float(height_m.mean())
    down = np.broadcast_to(np.arange(rows, dtype=np.float64)[:, None], height.shape)
    across = np.broadcast_to(np.arange(columns, dtype=np.float64)[None, :], height.shape)
    mean = box_mean(height, side)
    variance = (side**2 - 1) / 12
    lean_down = (_odd_box_product(height, down, side) - mean * down) / variance
    lean_across = (_odd_box_product(height, across, side) - mean * across) / variance
    steepness = np.hypot(lean_down, lean_across) / pixel_m
    return np.degrees(np.arctan(steepness)).astype(np.float32)


def _odd_box_product(
    height: NDArray[np.float64], index: NDArray[np.float64], side: int
) -> NDArray[np.float64]:
    """Return the window mean of height times pixel index, both continued beyond the edges."""
    half = side // 2
    tall = np.pad(height, half + 1, mode="reflect", reflect_type="odd")
    wide = np.pad(index, half + 1, mode="reflect", reflect_type="odd")
    total = (tall * wide)[:-1, :-1].cumsum(axis=0).cumsum(axis=1)
    return (
        total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    ) / side**2


def cell_largest(field: Field) -> Field:
    """Return (64, 64) the largest of each cell."""
    rows, columns = (size // CELLS for size in field.shape)
    return field.reshape(CELLS, rows, CELLS, columns).max(axis=(1, 3))


def truth(
    height_m: Field,
    rock_m: Field,
    shadow: NDArray[np.bool_],
    pixel_m: float,
    limits: Limits = Limits(),
) -> Truth:
    """Return what a lander would meet on ground of (64 n, 64 n) pixels."""
    size = height_m.shape[0]
    scale = size / 256
    side = max(3, round(limits.footprint_px * scale))
    cell = size // CELLS
    slope = slope_deg(height_m, pixel_m, side)[cell // 2 :: cell, cell // 2 :: cell]
    level = box_mean(height_m.astype(np.float64) - float(height_m.mean()), side | 1)
    departure = np.abs(height_m - height_m.mean() - level).astype(np.float32)
    relief = cell_largest(departure)
    dark = shadow.reshape(CELLS, cell, CELLS, cell).mean(axis=(1, 3)) > 0.5
    limit_m = limits.relief_px * pixel_m * scale
    hazard = (slope > limits.slope_deg) | (relief > limit_m)
    return Truth(slope, relief, cell_largest(rock_m), dark, hazard)
