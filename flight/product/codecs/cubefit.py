"""How the cube encoder fits its weights: least squares a band, exact to the last bit."""

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
from flight.product.codecs.cubeside import LARGEST_WEIGHT
from flight.product.codecs.linear import Floats, fraction_bits, quantise, solve
from flight.product.codecs.types import Integers, Shape

_RIDGE = 1e-6
_FIT_PIXELS = 1 << 13
"""A band's weights are fitted to about so many of its pixels."""


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

    def lines_of(self, band: int) -> Floats:
        """Return a band's samples relative to its mean."""
        return self.values[band + BANDS_BACK, 1:, 1:-1]

    def around(self, band: int) -> tuple[list[Floats], list[Floats], list[Floats]]:
        """Return what ``put_features`` needs for all of a band's lines."""
        here = band + BANDS_BACK
        return (
            [self.values[here - back, 1:, 1:-1] for back in range(1, BANDS_BACK + 1)],
            [self.values[here - back, :-1] for back in range(LINES_BACK)],
            [self.columns[band + LINES_BACK - 1 - back] for back in range(LINES_BACK)],
        )

    def side(self, weights: NDArray[np.int64]) -> Side:
        """Return side information enough to predict, before levels and clues are known."""
        levels = np.zeros(self.shape[0], np.int64)
        return Side(self.lowest, self.highest, self.means, weights, levels, ())


def fit_weights(planes: Planes, maximum_error: int) -> tuple[NDArray[np.int64], int]:
    """Return (bands, FEATURES) weights in 2^-WEIGHT_BITS, and how many low bits of all are 0."""
    bands, lines, width = planes.shape
    count = lines * width
    stride = max(1, count // _FIT_PIXELS)
    # A stride that shares a factor with the width would fit a few columns only.
    while stride > 1 and np.gcd(stride, width) > 1:
        stride -= 1
    features = np.empty((FEATURES, lines, width))
    flat = features.reshape(FEATURES, -1)
    largest = 2 * max(planes.highest - planes.lowest, 1)
    fractions = fraction_bits(largest, count // stride + 1)
    gram = np.empty((bands, FEATURES, FEATURES))
    right = np.empty((bands, FEATURES))
    for band in range(bands):
        put_features(features, *planes.around(band))
        chosen = flat[:, ::stride]
        if fractions < 4:
            chosen = quantise(chosen, fractions)
        target = planes.lines_of(band).reshape(-1)[::stride]
        if fractions < 0:
            target = quantise(target, fractions)
        gram[band] = chosen @ chosen.T
        right[band] = chosen @ target
    _add_ridge(gram, chosen.shape[1], maximum_error)
    weights = np.rint(solve(gram, right) * (1 << WEIGHT_BITS))
    drop = 2
    whole = np.clip(weights, -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int64)
    rounded = (whole + (1 << drop >> 1)) >> drop << drop
    return rounded, drop


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
