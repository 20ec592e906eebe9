"""How the cube encoder fits its weights: least squares a band, exact to the last bit."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.cubemodel import (
    BANDS_BACK,
    FEATURES,
    LINES_BACK,
    WEIGHT_BITS,
    Side,
    next_column,
    put_features,
)
from flight.product.codecs.cubeside import LARGEST_WEIGHT, Packing
from flight.product.codecs.linear import Floats, fraction_bits, quantise, solve
from flight.product.codecs.types import Integers, Shape

_RIDGE = 1e-6
_FIT_PIXELS = 6000
"""A band's weights are fitted to about so many of its pixels."""
_BLOCK = 1 << 13
_LEAST_PIXELS = 128
"""Bands of fewer pixels than this share their weights until there are so many."""
_LARGE = 1 << 11
_DROP = 2
_COLUMN_FRACTION = 4
"""Fractional bits of a column mean."""


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """A part's samples as the predictor sees them: relative to band means, padded."""

    shape: Shape
    samples: NDArray[np.int64]
    lowest: int
    highest: int
    means: NDArray[np.int64]
    values: Floats
    """(bands + BANDS_BACK, lines + 1, samples + 2): zero before the first band and line."""
    columns: Floats
    """(bands + LINES_BACK - 1, lines, samples): the column means before each line."""

    @classmethod
    def of(cls, part: Integers) -> "Planes":
        """Return the planes of one part."""
        samples = part.astype(np.int64)
        bands, lines, width = samples.shape
        count = lines * width
        means = (samples.reshape(bands, -1).sum(axis=1) + count // 2) // count
        values = np.zeros((bands + BANDS_BACK, lines + 1, width + 2))
        inner = values[BANDS_BACK:, 1:, 1:-1]
        np.subtract(samples, means[:, None, None], out=inner, casting="unsafe")
        values[BANDS_BACK:, 1:, 0], values[BANDS_BACK:, 1:, -1] = inner[:, :, 0], inner[:, :, -1]
        columns = np.zeros((bands + LINES_BACK - 1, lines, width))
        every = np.empty(bands, np.int64)
        for line in range(lines - 1):
            every[:] = line
            columns[LINES_BACK - 1 :, line + 1] = next_column(
                columns[LINES_BACK - 1 :, line], inner[:, line], every
            )
        return cls(
            samples.shape,
            samples,
            int(samples.min()),
            int(samples.max()),
            means,
            values,
            columns,
        )

    def blocks(self, pixels: int) -> Iterator[tuple[int, int]]:
        """Yield the first and end band of blocks that numpy takes at once, in the cache."""
        step = max(1, _BLOCK // max(pixels, 1))
        for first in range(0, self.shape[0], step):
            yield first, min(first + step, self.shape[0])

    def lines_of(self, first: int, end: int) -> Floats:
        """Return some bands' samples relative to their means."""
        return self.values[first + BANDS_BACK : end + BANDS_BACK, 1:, 1:-1]

    def around(
        self, first: int, end: int, chosen: slice
    ) -> tuple[list[Floats], list[Floats], list[Floats]]:
        """Return what ``put_features`` needs for the chosen lines of some bands."""
        bands = [slice(first + at, end + at) for at in range(BANDS_BACK, -1, -1)]
        last = LINES_BACK - 1
        columns = [slice(first + last - back, end + last - back) for back in range(LINES_BACK)]
        return (
            [self.values[band, 1:, 1:-1][:, chosen] for band in bands[1:]],
            [self.values[band, :-1][:, chosen] for band in bands[:LINES_BACK]],
            [self.columns[column][:, chosen] for column in columns],
        )

    def side(self, weights: NDArray[np.int64]) -> Side:
        """Return side information enough to predict, before levels and clues are known."""
        levels = np.zeros(self.shape[0], np.int64)
        return Side(self.lowest, self.highest, self.means, weights, levels, ())


def fit_weights(planes: Planes, maximum_error: int) -> tuple[NDArray[np.int64], Packing]:
    """Return (bands, FEATURES) weights in 2^-WEIGHT_BITS, and how they are to be sent."""
    bands, lines, width = planes.shape
    stride = max(1, lines * width // _FIT_PIXELS)
    chosen = slice(min(stride, lines) // 2, None, stride)
    count = len(range(lines)[chosen]) * width
    fractions = fraction_bits(2 * max(planes.highest - planes.lowest, 1), count)
    gram = np.empty((bands, FEATURES, FEATURES))
    right = np.empty((bands, FEATURES))
    for first, end in planes.blocks(count):
        features = np.empty((end - first, FEATURES, count // width, width))
        put_features(features.swapaxes(0, 1), *planes.around(first, end, chosen))
        rows = features.reshape(end - first, FEATURES, count)
        target = planes.lines_of(first, end)[:, chosen].reshape(end - first, count, 1)
        if fractions < _COLUMN_FRACTION:
            rows = quantise(rows, fractions)
        if fractions < 0:
            target = quantise(target, fractions)
        gram[first:end] = rows @ rows.swapaxes(1, 2)
        right[first:end] = (rows @ target)[:, :, 0]
    _add_ridge(gram, count, maximum_error)
    group = max(1, -(-_LEAST_PIXELS // (lines * width)))
    packing = Packing(_DROP, min(group, bands), adaptive=lines * width < _LARGE)
    if packing.group > 1:
        gram, right = _share(gram, right, packing.group)
    weights = np.rint(solve(gram, right) * (1 << WEIGHT_BITS))
    whole = np.clip(weights, -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int64)
    rounded = (whole + (1 << _DROP >> 1)) >> _DROP << _DROP
    return np.repeat(rounded, packing.group, axis=0)[:bands], packing


def _share(gram: Floats, right: Floats, group: int) -> tuple[Floats, Floats]:
    """Return the systems of neighbouring bands added up, each band scaled to the same size."""
    sizes = np.ldexp(1.0, -np.frexp(gram[:, BANDS_BACK, BANDS_BACK])[1])
    places = np.arange(0, len(gram), group)
    shared = np.add.reduceat(gram * sizes[:, None, None], places, axis=0)
    return shared, np.add.reduceat(right * sizes[:, None], places, axis=0)


def _add_ridge(gram: Floats, count: int, maximum_error: int) -> None:
    """Keep the systems solvable, and tell them of the noise that a bounded error adds."""
    diagonal = np.einsum("bii->bi", gram)
    trace = diagonal[:, 0].copy()
    for index in range(1, FEATURES):
        trace += diagonal[:, index]
    noise = count * ((2 * maximum_error + 1) ** 2 - 1) / 12
    terms = np.ones(FEATURES)
    terms[BANDS_BACK + 1 : BANDS_BACK + 2 * LINES_BACK : 2] = 2
    terms[BANDS_BACK + 2 * LINES_BACK :] = 1 / 8
    diagonal += trace[:, None] * (_RIDGE / FEATURES) + 1.0 + noise * terms
