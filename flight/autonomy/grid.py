"""Exact integer arithmetic on small maps: sums over windows, distances to what is closed."""

from math import isqrt
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]
Counts: TypeAlias = Integers | NDArray[np.uint32]
Wholes: TypeAlias = NDArray[np.float64]
"""Whole numbers below 2 to the 53rd, which float64 carries exactly."""
_Whole = TypeVar("_Whole", np.int64, np.uint32)


def row_sums(values: NDArray[_Whole], reach: int) -> NDArray[_Whole]:
    """Return the sums of the windows of (2 reach + 1) pixels along each row, cut at its ends."""
    rows, columns = values.shape
    # Sums from the start, with what lies before the first and beyond the last repeated, so that
    # a window's sum is one slice less another.
    summed = np.zeros((rows, columns + 2 * reach + 1), values.dtype)
    np.cumsum(values, axis=1, out=summed[:, reach + 1 : reach + 1 + columns])
    summed[:, reach + 1 + columns :] = summed[:, reach + columns, None]
    sums: NDArray[_Whole] = summed[:, 2 * reach + 1 :] - summed[:, :columns]
    return sums


def window_sums(values: NDArray[_Whole], reach: int) -> NDArray[_Whole]:
    """Return the sum of the (2 reach + 1)-square window around each pixel, cut at the edges.

    In the type that ``values`` have, which must hold the sums of windows, not those of whole
    rows: what runs over on the way comes back with the difference.
    """
    # Both times along rows, where numpy adds up twice as fast as from row to row.
    across = np.ascontiguousarray(row_sums(values, reach).T)
    return row_sums(across, reach).T


def quotient(dividend: Counts | Wholes, divisor: Counts | Wholes) -> Wholes:
    """Return floored quotients of whole numbers, as float64: the same on every machine.

    numpy divides integers one by one, float64 several at a time. Exact as long as the dividend
    lies below 2 to the 53rd: a true quotient that is not whole lies further from the next whole
    number than float64 rounds.
    """
    divided: Wholes = np.divide(dividend, divisor, dtype=np.float64)
    np.floor(divided, out=divided)
    return divided


def near(closed: Mask, reach: int) -> Mask:
    """Return where something closed lies at most ``reach`` cells away; outside the map all is."""
    size = len(closed)
    found = np.ones_like(closed)
    if 2 * reach >= size:
        return found
    # A disc, column by column from its edges to its middle, where it is tallest.
    inner = np.zeros((size - 2 * reach, size - 2 * reach), np.bool_)
    tall, height = closed[reach : size - reach].copy(), 0
    for across in range(reach, -1, -1):
        while height < isqrt(reach * reach - across * across):
            height += 1
            tall |= closed[reach - height : size - reach - height]
            tall |= closed[reach + height : size - reach + height]
        inner |= tall[:, reach - across : size - reach - across]
        inner |= tall[:, reach + across : size - reach + across]
    found[reach : size - reach, reach : size - reach] = inner
    return found


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


def squared_distance_from(cell: tuple[int, int], closed: Mask) -> int:
    """Return one cell's squared distance to the nearest closed one or to what lies outside."""
    row, column = cell
    size = len(closed)
    border = 1 + min(row, column, size - 1 - row, size - 1 - column)
    apart = np.add.outer((np.arange(size) - row) ** 2, (np.arange(size) - column) ** 2)
    return int(apart.min(where=closed, initial=border * border))
