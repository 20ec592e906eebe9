"""The cube codec's wavefront: predictions and contexts from what is decoded so far.

Rings hold the last few steps. The slot of step d has a row for every band z with line d - z; a
row that a band has not yet reached still holds what its first line expects: zeros for samples,
the band's level for magnitudes.
"""

from collections.abc import Iterator

import numpy as np

from flight.product.codecs.contexts import UNIT, Reals, activity, context_of
from flight.product.codecs.cubemodel import (
    BANDS_BACK,
    LINES_BACK,
    Side,
    band_scales,
    clues,
    next_column,
    next_magnitude_column,
    round_prediction,
)
from flight.product.codecs.entropy import Contexts
from flight.product.codecs.linear import Floats
from flight.product.codecs.types import Shape


def diagonals(bands: int, lines: int) -> Iterator[tuple[int, int, slice]]:
    """Yield for each step its first and end band, and its rows in a (bands * lines, …) array."""
    stride = max(1, lines - 1)
    for step in range(bands + lines - 1):
        first, end = max(0, step - lines + 1), min(bands, step + 1)
        start = first * lines + step - first
        yield first, end, slice(start, start + (end - first - 1) * stride + 1, stride)


class Wave:
    """The state of a wavefront. ``predict`` (and ``contexts``), then ``put``, once a step."""

    def __init__(self, shape: Shape, side: Side, quantum: int) -> None:
        bands, _, width = shape
        self._side = side
        self._quantum = float(quantum)
        self._step = 0
        self._values = [np.zeros((bands + BANDS_BACK, width + 2)) for _ in range(BANDS_BACK)]
        self._columns = [np.zeros((bands + LINES_BACK - 1, width)) for _ in range(LINES_BACK)]
        levels = side.levels.astype(np.float32)[:, None]
        self._magnitudes = []
        for _ in range(2):
            ring: Reals = np.zeros((bands + 2, width + 2), np.float32)
            ring[2:] = levels
            self._magnitudes.append(ring)
        self._magnitude_columns: Reals = np.repeat(levels, width, axis=1)
        self._levels = levels
        self._scales = band_scales(side.levels)[:, None]
        self._weights = side.weights.T.astype(np.float64)[:, :, None]
        self._lowest = (side.lowest - side.means).astype(np.float64)[:, None]
        self._highest = (side.highest - side.means).astype(np.float64)[:, None]
        self._sums, self._term = np.empty((bands, width)), np.empty((bands, width))

    def predict(self, first: int, end: int) -> Floats:
        """Return the predictions for this step's lines, relative to their bands' means."""
        step = self._step
        weights = self._weights[:, first:end]
        sums, term = self._sums[: end - first], self._term[: end - first]
        # Integers and sixteenths below 2^53: the order of the terms changes no bit.
        sums[:] = 0.0
        for back in range(1, BANDS_BACK + 1):
            lines = self._values[(step - back) % BANDS_BACK]
            band = BANDS_BACK - back
            np.multiply(lines[first + band : end + band, 1:-1], weights[back - 1], out=term)
            sums += term
        for back in range(LINES_BACK):
            lines = self._values[(step - 1 - back) % BANDS_BACK]
            lines = lines[first + BANDS_BACK - back : end + BANDS_BACK - back]
            place = BANDS_BACK + 2 * back
            np.multiply(lines[:, 1:-1], weights[place], out=term)
            sums += term
            np.add(lines[:, :-2], lines[:, 2:], out=term)
            term *= weights[place + 1]
            sums += term
            band = LINES_BACK - 1 - back
            columns = self._columns[(step - 1 - back) % LINES_BACK][first + band : end + band]
            np.multiply(columns, weights[BANDS_BACK + 2 * LINES_BACK + back], out=term)
            sums += term
        return round_prediction(sums, self._lowest[first:end], self._highest[first:end])

    def contexts(self, first: int, end: int) -> Contexts:
        """Return the contexts of this step's residuals."""
        before, before2 = (self._magnitudes[(self._step - back) % 2] for back in (1, 2))
        parts = clues(
            level=self._levels[first:end],
            scale=self._scales[first:end],
            before=before[first + 1 : end + 1],
            before2=before2[first:end, 1:-1],
            above=before[first + 2 : end + 2],
            column=self._magnitude_columns[first:end],
        )
        return context_of(activity(self._side.clue_weights, parts))

    def put(self, first: int, end: int, predicted: Floats, residuals: Floats) -> Floats:
        """Take this step's residuals and return its samples."""
        step = self._step
        self._step += 1
        lines = residuals * self._quantum
        lines += predicted
        np.maximum(lines, self._lowest[first:end], out=lines)
        np.minimum(lines, self._highest[first:end], out=lines)

        target = self._values[step % BANDS_BACK][first + BANDS_BACK : end + BANDS_BACK]
        target[:, 1:-1] = lines
        target[:, 0], target[:, -1] = lines[:, 0], lines[:, -1]

        offset = LINES_BACK - 1
        column = self._columns[(step - 1) % LINES_BACK][first + offset : end + offset]
        number = step - np.arange(first, end)
        self._columns[step % LINES_BACK][first + offset : end + offset] = next_column(
            column, lines, number
        )

        magnitude = np.abs(residuals).astype(np.float32) * np.float32(UNIT)
        sizes = self._magnitudes[step % 2][first + 2 : end + 2]
        sizes[:, 1:-1] = magnitude
        sizes[:, 0], sizes[:, -1] = magnitude[:, 0], magnitude[:, -1]
        columns = self._magnitude_columns[first:end]
        columns[:] = next_magnitude_column(columns, magnitude)
        return lines + self._side.means[first:end, None]
