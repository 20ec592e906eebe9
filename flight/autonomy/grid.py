"""Exact integer arithmetic on small maps: sums over windows, distances to what is closed."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]


def window_sums(values: Integers, reach: int) -> Integers:
    """Return the sum of the (2 reach + 1)-square window around each pixel, cut at the edges."""
    rows, columns = values.shape
    # Sums from the start, with what lies before the first and beyond the last repeated, so that
    # a window's sum is one slice less another.
    down = np.zeros((rows + 2 * reach + 1, columns), np.int64)
    np.cumsum(values, axis=0, out=down[reach + 1 : reach + 1 + rows])
    down[reach + 1 + rows :] = down[reach + rows]
    across = np.zeros((rows, columns + 2 * reach + 1), np.int64)
    inner = across[:, reach + 1 : reach + 1 + columns]
    np.subtract(down[2 * reach + 1 :], down[:rows], out=inner)
    np.cumsum(inner, axis=1, out=inner)
    across[:, reach + 1 + columns :] = inner[:, -1:]
    sums: Integers = across[:, 2 * reach + 1 :] - across[:, :columns]
    return sums


def quotient(dividend: Integers, divisor: Integers) -> NDArray[np.float64]:
    """Return floored quotients of integers, as whole float64: the same on every machine.

    numpy divides integers one by one, float64 several at a time. Exact as long as the dividend
    lies below 2 to the 53rd: a true quotient that is not whole lies further from the next whole
    number than float64 rounds.
    """
    return np.floor(dividend / divisor)


def squared_distance(closed: Mask) -> Integers:
    """Return each cell's squared distance to the nearest closed one, exactly, in cells.

    All that lies outside the (n, n) map is closed. Columns first, then along rows, as far as
    anything nearer can lie.
    """
    size = len(closed)
    walled = np.pad(closed, ((1, 1), (0, 0)), constant_values=True)
    index = np.arange(size + 2, dtype=np.int32)[:, None]
    above = np.maximum.accumulate(np.where(walled, index, -1), axis=0)
    below = np.minimum.accumulate(np.where(walled, index, size + 2)[::-1], axis=0)[::-1]
    column = np.minimum(index - above, below - index)[1:-1]
    # Nothing lies further than the border, half the map away.
    reach = size // 2 + 1
    squares = np.zeros((size, size + 2 * reach), np.int32)
    np.multiply(column, column, out=squares[:, reach : reach + size])
    distance = squares[:, reach : reach + size].copy()
    for step in range(1, reach + 1):
        if step * step >= distance.max(initial=0):
            break
        left, right = reach - step, reach + step
        nearer = np.minimum(squares[:, left : left + size], squares[:, right : right + size])
        np.minimum(distance, nearer + step * step, out=distance)
    return distance.astype(np.int64)
