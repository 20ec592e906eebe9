"""The cube codec's wavefront: predictions and contexts from what is decoded so far.

Step d takes line d - z of every band z, from the first line on: its rows are consecutive lines of
ever lower bands. Each line has a strip of memory in which band follows band: a slot a step. So
what foretells a line lies in the slots before, of its own strip and of that of the line above. A
slot that no band has reached holds zeros; the strip above the first line has its band's level
for sizes. When a strip is full its last slots move to its beginning.
"""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from flight.product.codecs.contexts import exact_context_of
from flight.product.codecs.cubemodel import (
    ABOVE,
    BANDS_BACK,
    COLUMN,
    COLUMN_UNIT,
    KINDS,
    LINES_BACK,
    PLAIN,
    SIDES,
    SIZE_UNIT,
    SIZES_BACK,
    SIZES_BEFORE,
    Side,
    add_products,
    column_rates,
    column_shifts,
    first_sizes,
    foreteller,
    predictor,
    round_prediction,
    size_shifts,
)
from flight.product.codecs.entropy import Contexts
from flight.product.codecs.linear import Floats
from flight.product.codecs.types import Shape

_SLOTS = BANDS_BACK + 11


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


class _Strips:
    """(1 + lines, slots, KINDS, 1 + samples + 1): the first strip is above the first line."""

    def __init__(self, shape: Shape, shifts: list[int], unit: int) -> None:
        _, lines, width = shape
        width += 2
        self.rows: Floats = np.zeros((lines + 1, _SLOTS, KINDS, width))
        # Numpy is several times faster on memory without gaps, and on arrays of one size.
        self._rates = [
            np.repeat(rate[:, None], width, axis=1) for rate in column_rates(shifts, unit)
        ]
        self.columns: Floats = np.zeros((lines + 1, width))
        self._scratch, self._more = np.zeros((lines, width)), np.zeros((lines, width))

    def reach(self, kind: int, *, every: int, count: int) -> Floats:
        """Return (1 + lines, slots, count, …): ``count`` rows, from ``kind`` of each slot on.

        Each lies ``every`` rows after the one before.
        """
        strips, slots, kinds, width = self.rows.shape
        strip, slot, row, size = self.rows.strides
        slots -= -(-(kind + every * (count - 1) + 1) // kinds) - 1
        shape = (strips, slots, count, width)
        start = self.rows[:, :, kind:]
        return as_strided(start, shape, (strip, slot, every * row, size), writeable=False)

    def put(self, first: int, slot: int, lines: Floats) -> None:
        """Keep what foretells others of these lines, (lines, padded samples), in a slot."""
        end = first + len(lines)
        kept = self.rows[first + 1 : end + 1, slot]
        lines[:, 0], lines[:, -1] = lines[:, 1], lines[:, -2]
        kept[:, PLAIN] = lines
        flat = lines.reshape(-1)
        sides = self._scratch[: end - first]
        np.add(flat[:-2], flat[2:], out=sides.reshape(-1)[1:-1])
        kept[:, SIDES] = sides
        added, means = self._scratch[: end - first], self._more[: end - first]
        keep, gain = (rate[first:end] for rate in self._rates)
        np.multiply(lines, gain, out=added)
        np.multiply(self.columns[first:end], keep, out=means)
        np.add(means, added, out=means)
        np.floor(means, out=means)
        self.columns[first + 1 : end + 1] = means
        kept[:, COLUMN] = means

    def rewind(self, first: int, end: int) -> None:
        """Move the last slots of the strips that are in use to the beginning."""
        used = self.rows[first : end + 1]
        used[:, :BANDS_BACK] = used[:, -BANDS_BACK:]


class Wave:
    """The state of a wavefront. ``predict`` (and ``contexts``), then ``put``, once a step.

    Arrays of lines are (lines, 1 + samples + 1): what lies at the ends means nothing.
    """

    def __init__(self, shape: Shape, side: Side, quantum: int) -> None:
        self._bands, lines, width = shape
        self._quantum = float(quantum)
        self._step, self._slot = 0, BANDS_BACK
        self._values = _Strips(shape, column_shifts(lines), COLUMN_UNIT)
        self._sizes = _Strips(shape, size_shifts(lines), SIZE_UNIT)
        self._same = self._values.reach(PLAIN, every=KINDS, count=BANDS_BACK)
        self._above = self._values.reach(PLAIN, every=1, count=ABOVE)
        self._same_sizes = self._sizes.reach(PLAIN, every=1, count=SIZES_BEFORE)
        self._above_sizes = self._sizes.reach(0, every=1, count=KINDS)
        self._first_sizes = first_sizes(side.levels)
        self._expect()
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
        same_rows = self._same[first + 1 : end + 1, self._slot - BANDS_BACK]
        above_rows = self._above[first:end, self._slot - LINES_BACK]
        sums = self._sums[: end - first]
        add_products(sums, self._more, (before, same_rows), (above, above_rows))
        return round_prediction(sums[:, 0], self._lowest[bands], self._highest[bands])

    def contexts(self, first: int, end: int) -> Contexts:
        """Return the contexts of this step's residuals."""
        bands = self._bands_of(first, end)
        before, above, rest = (part[bands] for part in self._clues)
        same_rows = self._same_sizes[first + 1 : end + 1, self._slot - SIZES_BACK]
        above_rows = self._above_sizes[first:end, self._slot - 1]
        foretold = self._foretold[: end - first]
        add_products(foretold, self._more, (before, same_rows), (above, above_rows))
        np.add(foretold, rest, out=foretold)
        return exact_context_of(foretold[:, 0])

    def put(self, first: int, end: int, predicted: Floats, residuals: Floats) -> Floats:
        """Take this step's residuals and return its lines, valid until the next step."""
        bands, slot = self._bands_of(first, end), self._slot
        lines, magnitudes = self._lines[: end - first], self._magnitudes[: end - first]
        np.abs(residuals, out=magnitudes)
        self._sizes.put(first, slot, magnitudes)
        np.multiply(residuals, self._quantum, out=lines)
        np.add(predicted, lines, out=lines)
        np.maximum(lines, self._lowest[bands], out=lines)
        np.minimum(lines, self._highest[bands], out=lines)
        self._values.put(first, slot, lines)
        self._step += 1
        self._slot += 1
        self._expect()
        if self._slot == _SLOTS:
            self._slot = BANDS_BACK
            for strips in (self._values, self._sizes):
                strips.rewind(first, end)
        return lines

    def _expect(self) -> None:
        """Put the next band's level above its first line."""
        if self._step < self._bands:
            sizes = self._first_sizes[self._step]
            self._sizes.rows[0, self._slot - 1] = sizes
            self._sizes.columns[0] = sizes[COLUMN]
