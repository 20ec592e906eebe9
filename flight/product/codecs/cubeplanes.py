"""The cube encoder's view of a part: each line as the rows of memory that foretell others.

The encoder knows all samples beforehand, so it goes strip by strip of lines, and in each from
band to band: a few bands at once, behind those before them that they need. The lines of a strip
lie one after the other, each with a sample of padding at both ends, so that one product of BLAS
foretells a whole strip of a band. Column means alone run down all lines, for all bands at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from flight.product.codecs.contexts import Residuals
from flight.product.codecs.cubemodel import (
    ABOVE,
    BANDS_BACK,
    COLUMN,
    COLUMN_UNIT,
    KINDS,
    LEVEL_UNIT,
    LINES_BACK,
    PLAIN,
    SIDES,
    SIZE_UNIT,
    SIZES_BACK,
    SIZES_BEFORE,
    Factors,
    add_products,
    column_shifts,
    pad_ends,
    size_shifts,
)
from flight.product.codecs.cubeside import level_codes, levels_of
from flight.product.codecs.linear import Floats
from flight.product.codecs.types import Integers, Shape

_STRIP = 1 << 12
_BLOCK = 1 << 16
"""Samples of a strip of a band, and of the bands taken at once: they stay in the cache."""


def strips(shape: Shape) -> Iterator[slice]:
    """Yield the lines of each strip."""
    _, lines, width = shape
    count = -(-lines // max(1, _STRIP // width))
    for index in range(count):
        yield slice(lines * index // count, lines * (index + 1) // count)


def _means_down(
    lines: NDArray[np.generic], first: NDArray[np.int32], unit: int, shifts: list[int]
) -> NDArray[np.int32]:
    """Return (bands, 1 + lines, samples) running means before and after each line.

    In 1/``unit``; a shift of 1 moves the mean half the way, 2 a quarter, and so on.
    """
    bands, count, width = lines.shape
    means = np.empty((bands, count + 1, width), np.int32)
    means[:, 0] = first
    scaled = np.empty((bands, width), np.int32)
    column = means[:, 0].copy()
    for line, shift in enumerate(shifts):
        np.multiply(lines[:, line], unit, out=scaled, dtype=np.int32, casting="unsafe")
        column *= np.int32((1 << shift) - 1)
        column += scaled
        column >>= np.int32(shift)
        means[:, line + 1] = column
    return means


class _Planes:
    """(bands, KINDS, 1 + lines, 1 + samples + 1): the first line is the one above the strip."""

    def __init__(self, shape: Shape, lines: slice, back: int) -> None:
        bands, _, width = shape
        height = lines.stop - lines.start
        self._lines = lines
        self._above = slice(max(lines.start - 1, 0), lines.stop)
        self._top = height + 1 - (lines.stop - self._above.start)
        """The first line that has samples: 1 where the strip is the part's first."""
        self._back = back
        self._most = min(bands, max(1, _BLOCK // (height * width)))
        self._first = self._end = 0
        self._rows: Floats = np.zeros((back + self._most, KINDS, height + 1, width + 2))
        size = (self._most, 1, height * (width + 2))
        self._sums, self._more = np.empty(size), np.empty(size)

    def blocks(self, bands: int) -> Iterator[tuple[int, int]]:
        """Yield the first and end band of what is to be filled at once, in turn."""
        for first in range(0, bands, self._most):
            yield first, min(first + self._most, bands)

    def _advance(self, first: int, end: int) -> Floats:
        """Return the rows of the next bands, behind which the last ones still are."""
        rows, back = self._rows, self._back
        past = self._end - self._first
        for band in range(back if past else 0):
            rows[band] = rows[band + past]
        self._first, self._end = first, end
        return rows[back : back + end - first]

    @staticmethod
    def _fill_sides(rows: Floats) -> None:
        plain, sides = (rows[:, kind].reshape(len(rows), -1) for kind in (PLAIN, SIDES))
        np.add(plain[:, :-2], plain[:, 2:], out=sides[:, 1:-1])

    def _rows_of(
        self, count: int, *, bands_back: int, kind: int, every: int = 1, above: int = 0
    ) -> Floats:
        """Return (bands, count, lines * …): for each line of a band ``count`` rows of memory.

        They begin with ``kind`` of so many ``bands_back`` and so many lines ``above``, and each
        lies ``every`` rows after the one before.
        """
        _, _, lines, width = self._rows.shape
        plane = lines * width
        start = ((self._back - bands_back) * KINDS + kind) * plane + (1 - above) * width
        size = self._rows.itemsize
        return as_strided(
            self._rows.reshape(-1)[start:],
            (self._end - self._first, count, plane - width),
            (KINDS * plane * size, every * plane * size, size),
            writeable=False,
        )

    def _products(self, before: Factors, above: Factors) -> Floats:
        """Return the sum of two products, (bands, lines * …)."""
        sums = self._sums[: self._end - self._first]
        add_products(sums, self._more, before, above)
        return sums[:, 0]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part's samples and what is known of them."""

    samples: Integers
    lowest: int
    highest: int
    means: NDArray[np.int64]
    """(bands,)"""
    columns: NDArray[np.int32]
    """(bands, 1 + lines, samples), in 1/COLUMN_UNIT: running means before and after each line."""

    @classmethod
    def of(cls, samples: Integers) -> "Part":
        """Return all that is known of a part's samples."""
        count = samples[0].size
        sums = samples.reshape(len(samples), -1).sum(axis=1, dtype=np.int64)
        means = (sums + count // 2) // count
        first = (means * COLUMN_UNIT).astype(np.int32)[:, None]
        columns = _means_down(samples, first, COLUMN_UNIT, column_shifts(samples.shape[1]))
        return cls(samples, int(samples.min()), int(samples.max()), means, columns)


class SamplePlanes(_Planes):
    """Samples relative to their bands' means."""

    def __init__(self, part: Part, lines: slice) -> None:
        super().__init__(part.samples.shape, lines, BANDS_BACK)
        self._part = part
        self._means = part.means.astype(np.float64)[:, None, None]

    def fill(self, first: int, end: int) -> Floats:
        """Take the next bands and return their lines, (bands, lines * (1 + samples + 1))."""
        rows, means = self._advance(first, end), self._means[first:end]
        filled = rows[:, PLAIN, self._top :]
        np.subtract(self._part.samples[first:end, self._above], means, out=filled[:, :, 1:-1])
        pad_ends(filled)
        self._fill_sides(rows)
        columns = self._part.columns[first:end, self._lines.start : self._lines.stop + 1]
        np.subtract(columns, means * COLUMN_UNIT, out=rows[:, COLUMN, :, 1:-1])
        return rows[:, PLAIN, 1:].reshape(end - first, -1)

    def sums(self, before: Floats, above: Floats) -> Floats:
        """Return what the weights of ``predictor`` make of the filled bands."""
        rows = self._rows_of
        return self._products(
            (before, rows(BANDS_BACK, bands_back=BANDS_BACK, kind=PLAIN, every=KINDS)),
            (above, rows(ABOVE, bands_back=LINES_BACK - 1, kind=PLAIN, above=1)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Remainder:
    """A part's residuals and what is known of their sizes."""

    residuals: Residuals
    """(bands, lines, 1 + samples + 1), the first and the last repeated."""
    levels: NDArray[np.int64]
    """(bands,) mean magnitudes, in 1/LEVEL_UNIT."""
    columns: NDArray[np.int32]
    """(bands, 1 + lines, …), in 1/SIZE_UNIT: running means before and after each line."""

    @property
    def shape(self) -> Shape:
        """Bands, lines and samples."""
        bands, lines, width = self.residuals.shape
        return bands, lines, width - 2

    @classmethod
    def of(cls, residuals: Residuals) -> "Remainder":
        """Return all that is known of a part's residuals, whose ends are still missing."""
        residuals[:, :, 0] = residuals[:, :, -1] = 0
        bands, lines, width = residuals.shape
        sizes: Residuals = np.abs(residuals)
        sums = sizes.reshape(bands, -1).sum(axis=1, dtype=np.int64)
        levels = levels_of(level_codes(sums * LEVEL_UNIT // (lines * (width - 2))))
        pad_ends(residuals)
        pad_ends(sizes)
        first = (levels * (SIZE_UNIT // LEVEL_UNIT)).astype(np.int32)[:, None]
        return cls(residuals, levels, _means_down(sizes, first, SIZE_UNIT, size_shifts(lines)))


class SizePlanes(_Planes):
    """Magnitudes of residuals."""

    def __init__(self, remainder: Remainder, lines: slice) -> None:
        super().__init__(remainder.shape, lines, SIZES_BACK)
        self._errors = remainder

    def fill(self, first: int, end: int) -> None:
        """Take the next bands."""
        rows, remainder = self._advance(first, end), self._errors
        rows[:, PLAIN, : self._top] = remainder.levels[first:end, None, None] / LEVEL_UNIT
        np.abs(remainder.residuals[first:end, self._above], out=rows[:, PLAIN, self._top :])
        self._fill_sides(rows)
        rows[:, COLUMN] = remainder.columns[first:end, self._lines.start : self._lines.stop + 1]

    def activity(self, before: Floats, above: Floats, rest: Floats) -> Floats:
        """Return what the weights of ``foreteller`` make of the filled bands."""
        rows = self._rows_of
        foretold = self._products(
            (before, rows(SIZES_BEFORE, bands_back=SIZES_BACK, kind=PLAIN)),
            (above, rows(KINDS, bands_back=0, kind=0, above=1)),
        )
        return np.add(foretold, rest[:, 0], out=foretold)
