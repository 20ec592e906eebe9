"""The cube codec's wavefront: predictions and contexts from what is decoded so far.

Step d takes line d - z of every band z, from the first line on: its rows are consecutive lines of
ever lower bands.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.contexts import exact_context_of
from flight.product.codecs.cubemodel import (
    ABOVE,
    BANDS_BACK,
    COLUMN_UNIT,
    KINDS,
    LINES_BACK,
    PLAIN,
    SIZE_UNIT,
    SIZES_BACK,
    SIZES_BEFORE,
    Side,
    add_products,
    column_shifts,
    first_sizes,
    foreteller,
    predictor,
    round_prediction,
    size_shifts,
)
from flight.product.codecs.cubestrips import Strips
from flight.product.codecs.entropy import Contexts
from flight.product.codecs.linear import Floats
from flight.product.codecs.types import Shape


def diagonals(bands: int, lines: int) -> Iterator[tuple[int, int, slice]]:
    """Yield for each step its first and end line, and its rows in a (bands * lines, …) array."""
    stride = max(1, lines - 1)
    for step in range(bands + lines - 1):
        first, end = max(0, step - bands + 1), min(lines, step + 1)
        start = (step - first) * lines + first
        last = start - (end - first - 1) * stride
        yield first, end, slice(start, last - 1 if last else None, -stride)


def wave_order(bands: int, lines: int) -> NDArray[np.intp]:
    """Return the rows of a (bands * lines, …) array in the order of ``diagonals``."""
    line, band = np.divmod(np.arange(lines * bands), bands)
    order = (line + band).argsort(kind="stable")
    rows: NDArray[np.intp] = (band * lines + line).take(order)
    return rows


class Wave:
    """The state of a wavefront. ``predict`` (and ``contexts``), then ``put``, once a step.

    Arrays of lines are (lines, 1 + samples + 1): what lies at the ends means nothing.
    """

    def __init__(self, shape: Shape, side: Side, quantum: int) -> None:
        self._bands, lines, width = shape
        self._quantum = float(quantum)
        self._step, self._last = 0, lines
        self._samples = Strips(shape, BANDS_BACK, column_shifts(lines), COLUMN_UNIT)
        self._sizes = Strips(shape, SIZES_BACK, size_shifts(lines), SIZE_UNIT)
        self._same = self._samples.reach(PLAIN, every=KINDS, count=BANDS_BACK)
        self._above = self._samples.reach(PLAIN, every=1, count=ABOVE)
        self._same_sizes = self._sizes.reach(PLAIN, every=1, count=SIZES_BEFORE)
        self._above_sizes = self._sizes.reach(0, every=1, count=KINDS)
        self._first_sizes = first_sizes(side.levels)
        self._sizes.expect(self._first_sizes[0])
        # A step takes lower bands with later lines.
        self._weights = [part[::-1] for part in predictor(side.weights)]
        self._clues = [part[::-1] for part in foreteller(side)]
        limits = (np.repeat(part[::-1], width + 2, axis=1) for part in side.limits)
        self._lowest, self._highest = limits
        room = (min(self._bands, lines), 1, width + 2)
        self._sums, self._more, self._foretold = (np.empty(room) for _ in range(3))
        self._lines, self._magnitudes = np.empty(room[::2]), np.empty(room[::2])

    def _bands_of(self, first: int, end: int) -> slice:
        last = self._bands - 1 - self._step
        return slice(last + first, last + end)

    def predict(self, first: int, end: int) -> Floats:
        """Return the predictions for this step's lines, relative to their bands' means.

        They are valid until the next step.
        """
        bands = self._bands_of(first, end)
        before, above = (part[bands] for part in self._weights)
        place = self._samples.place
        same_rows = self._same[place(first, end, BANDS_BACK)]
        above_rows = self._above[place(first - 1, end - 1, LINES_BACK)]
        sums = self._sums[: end - first]
        add_products(sums, self._more, (before, same_rows), (above, above_rows))
        return round_prediction(sums[:, 0], self._lowest[bands], self._highest[bands])

    def contexts(self, first: int, end: int) -> Contexts:
        """Return the contexts of this step's residuals."""
        bands = self._bands_of(first, end)
        before, above, rest = (part[bands] for part in self._clues)
        place = self._sizes.place
        same_rows = self._same_sizes[place(first, end, SIZES_BACK)]
        above_rows = self._above_sizes[place(first - 1, end - 1, 1)]
        foretold = self._foretold[: end - first]
        add_products(foretold, self._more, (before, same_rows), (above, above_rows))
        np.add(foretold, rest, out=foretold)
        return exact_context_of(foretold[:, 0])

    def put(self, first: int, end: int, predicted: Floats, residuals: Floats) -> Floats:
        """Take this step's residuals and return its lines, valid until the next step."""
        bands = self._bands_of(first, end)
        lines, magnitudes = self._lines[: end - first], self._magnitudes[: end - first]
        np.abs(residuals, out=magnitudes)
        self._sizes.put(first, magnitudes)
        np.multiply(residuals, self._quantum, out=lines)
        np.add(predicted, lines, out=lines)
        np.maximum(lines, self._lowest[bands], out=lines)
        np.minimum(lines, self._highest[bands], out=lines)
        self._samples.put(first, lines)
        self._step += 1
        first, end = max(0, self._step - self._bands + 1), min(self._last, self._step + 1)
        for strips in (self._samples, self._sizes):
            strips.advance(first, end)
        if self._step < self._bands:
            self._sizes.expect(self._first_sizes[self._step])
        return lines
