"""Exact integer arithmetic on small maps: sums over windows, distances to what is closed."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]


def window_sums(values: Integers, reach: int) -> Integers:
    """Return the sum of the (2 reach + 1)-square window around each pixel, cut at the edges."""
    rows, columns = values.shape
    total = np.zeros((rows + 1, columns + 1), np.int64)
    total[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    top, bottom = _window(rows, reach)
    left, right = _window(columns, reach)
    sums: Integers = (
        total[bottom][:, right]
        - total[top][:, right]
        - total[bottom][:, left]
        + total[top][:, left]
    )
    return sums


def _window(size: int, reach: int) -> tuple[Integers, Integers]:
    centre = np.arange(size)
    return np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, size)


def squared_distance(closed: Mask) -> Integers:
    """Return each cell's squared distance to the nearest closed one, exactly, in cells.

    All that lies outside the (n, n) map is closed. Columns first, then the lower envelope along
    rows (Felzenszwalb & Huttenlocher 2012, in its plain quadratic form: the map is small).
    """
    walled = np.pad(closed, 1, constant_values=True)
    size = walled.shape[0]
    index = np.arange(size)[:, None]
    above = np.maximum.accumulate(np.where(walled, index, -size), axis=0)
    below = np.minimum.accumulate(np.where(walled, index, 2 * size)[::-1], axis=0)[::-1]
    column = np.minimum(index - above, below - index)[1:-1]
    squares = column * column
    across = np.arange(1, size - 1)
    distance: Integers = (across * across)[None, :] + squares[:, :1]
    for wall in range(1, size):
        np.minimum(distance, (across - wall) ** 2 + squares[:, wall : wall + 1], out=distance)
    return distance
