"""Window sums and distances equal their plain definitions."""

import numpy as np

from flight.autonomy.grid import squared_distance, window_sums

CELLS = 64


def test_window_sums_equal_the_plain_definition() -> None:
    values = np.random.default_rng(3).integers(-50, 50, (9, 13))
    sums = window_sums(values, 2)
    for row in range(9):
        for column in range(13):
            window = values[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
            assert sums[row, column] == window.sum()


def test_distances_equal_those_to_every_closed_cell() -> None:
    rng = np.random.default_rng(4)
    closed = rng.random((CELLS, CELLS)) < 0.01
    walled = np.pad(closed, 1, constant_values=True)
    rows, columns = np.nonzero(walled)
    distance = squared_distance(closed)
    for row, column in rng.integers(0, CELLS, (50, 2)):
        nearest = ((rows - row - 1) ** 2 + (columns - column - 1) ** 2).min()
        assert distance[row, column] == nearest
