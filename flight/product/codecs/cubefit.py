"""How the cube encoder fits its weights: least squares a band, exact to the last bit."""

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from flight.product.codecs.contexts import UNIT, fit_activity
from flight.product.codecs.cubemodel import (
    ABOVE,
    ABOVE_KINDS,
    BANDS_BACK,
    COLUMN,
    COLUMN_UNIT,
    FEATURES,
    KINDS,
    LEVEL_UNIT,
    LINES_BACK,
    PLAIN,
    SIDES,
    SIZE_UNIT,
    WEIGHT_BITS,
    band_scales,
    pad_ends,
)
from flight.product.codecs.cubeplanes import Part, Remainder
from flight.product.codecs.cubeside import LARGEST_WEIGHT, Packing
from flight.product.codecs.linear import EXACT_BITS, Floats, solve

_RIDGE = 1e-6
_FIT_PIXELS = 1 << 11
"""A band's weights are fitted to at most so many of its pixels."""
_BLOCK_BANDS = 32
_LEAST_PIXELS = 500
"""Bands of fewer pixels than this share their weights until there are so many."""
_DROP = 3
_NOISE = np.array([{SIDES: 2.0, PLAIN: 1.0, COLUMN: 1 / 8}[kind] for kind in ABOVE_KINDS])
_FIT_BANDS = 16
_FIT_RESIDUALS = 1 << 13
"""From how many bands, and to how many residuals, the weights of the clues are fitted."""

Places = NDArray[np.intp]


class _Systems:
    """The normal equations of all bands of a part."""

    def __init__(self, part: Part) -> None:
        bands, lines, width = part.samples.shape
        # Sides are up to twice the span and columns have sixteenths, so in units of 1/256 a sum
        # of so many products is below 2^53, whatever part of it BLAS takes first.
        most = (1 << EXACT_BITS - 8) // (4 * max(part.highest - part.lowest, 1) ** 2)
        most = max(1, min(_FIT_PIXELS, most))
        self._stride = -(-width // most)
        count = min(lines, max(1, most // -(-width // self._stride)))
        self._lines = (2 * np.arange(count) + 1) * lines // (2 * count)
        self._part = part
        self._count = count * -(-width // self._stride)
        self._gram = np.empty((bands, FEATURES, FEATURES))
        self._right = np.empty((bands, FEATURES))
        for first in range(0, bands, _BLOCK_BANDS):
            self._add(first, min(first + _BLOCK_BANDS, bands))

    def _chosen(self, first: int, end: int) -> tuple[Floats, Floats]:
        """Return (BANDS_BACK + bands, n) samples, (LINES_BACK - 1 + bands, KINDS, n) above."""
        part, start = self._part, max(0, first - BANDS_BACK)
        missing = BANDS_BACK - (first - start)
        means = part.means.astype(np.float64)[start:end, None, None]
        samples = part.samples[start:end]
        shape = (BANDS_BACK + end - first, len(self._lines), samples.shape[2])
        same, above = np.zeros(shape), np.zeros((shape[0], KINDS, *shape[1:]))
        np.subtract(samples.take(self._lines, axis=1), means, out=same[missing:])
        over = np.zeros((*shape[:2], shape[2] + 2))
        inner = over[missing:, :, 1:-1]
        np.subtract(samples.take(self._lines - 1, axis=1, mode="clip"), means, out=inner)
        inner[:, self._lines == 0] = 0
        pad_ends(over)
        above[:, PLAIN] = over[:, :, 1:-1]
        np.add(over[:, :, :-2], over[:, :, 2:], out=above[:, SIDES])
        columns = part.columns[start:end].take(self._lines, axis=1)
        np.subtract(columns, means * COLUMN_UNIT, out=above[missing:, COLUMN])
        above = above[BANDS_BACK - LINES_BACK + 1 :]
        if self._stride > 1:
            same, above = same[:, :, :: self._stride], above[:, :, :, :: self._stride]
        return same.reshape(shape[0], -1), above.reshape(len(above), KINDS, -1)

    def _add(self, first: int, end: int) -> None:
        same, above = self._chosen(first, end)
        bands, count = end - first, same.shape[1]
        size = same.itemsize
        row, band = size * count, size * count * KINDS
        befores = as_strided(same, (bands, BANDS_BACK + 1, count), (row, row, size))
        every = as_strided(above, (bands, ABOVE + 1, count), (band, row, size))
        lines = every[:, 1:]
        # One matrix has a row more, or BLAS would take a way for symmetric ones that is slower.
        gram, right = self._gram[first:end], self._right[first:end]
        product = befores[:, :-1] @ befores.swapaxes(1, 2)
        gram[:, :BANDS_BACK, :BANDS_BACK] = product[:, :, :-1]
        right[:, :BANDS_BACK] = product[:, :, -1]
        product = lines @ befores.swapaxes(1, 2)
        gram[:, BANDS_BACK:, :BANDS_BACK] = product[:, :, :-1]
        gram[:, :BANDS_BACK, BANDS_BACK:] = product[:, :, :-1].swapaxes(1, 2)
        right[:, BANDS_BACK:] = product[:, :, -1]
        gram[:, BANDS_BACK:, BANDS_BACK:] = (lines @ every.swapaxes(1, 2))[:, :, 1:]

    def solve(self, maximum_error: int) -> tuple[NDArray[np.int64], Packing]:
        """Return (bands, FEATURES) weights in 2^-WEIGHT_BITS, and how they are to be sent."""
        bands, lines, width = self._part.samples.shape
        gram, right = self._gram, self._right
        columns = BANDS_BACK + np.flatnonzero(ABOVE_KINDS == COLUMN)
        gram[:, columns] /= COLUMN_UNIT
        gram[:, :, columns] /= COLUMN_UNIT
        right[:, columns] /= COLUMN_UNIT
        self._add_ridge(maximum_error)
        group = min(bands, max(1, -(-_LEAST_PIXELS // (lines * width))))
        # The fewer the pixels, the less is known of the last bits: half a bit an octave.
        pixels = min(group * self._count, _FIT_PIXELS)
        packing = Packing(_DROP + (_FIT_PIXELS // pixels).bit_length() // 2, group)
        if packing.group > 1:
            gram, right = _share(gram, right, packing.group)
        weights = np.rint(solve(gram, right) * (1 << WEIGHT_BITS))
        whole = np.clip(weights, -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int64)
        rounded = (whole + (1 << packing.drop >> 1)) >> packing.drop << packing.drop
        return np.repeat(rounded, packing.group, axis=0)[:bands], packing

    def _add_ridge(self, maximum_error: int) -> None:
        """Keep the systems solvable, and tell them of the noise that a bounded error adds."""
        diagonal = np.einsum("bii->bi", self._gram)
        trace = diagonal[:, 0].copy()
        for index in range(1, FEATURES):
            trace += diagonal[:, index]
        noise = self._count * ((2 * maximum_error + 1) ** 2 - 1) / 12
        terms = np.concatenate((np.ones(BANDS_BACK), _NOISE))
        diagonal += trace[:, None] * (_RIDGE / FEATURES) + 1.0 + noise * terms


def _share(gram: Floats, right: Floats, group: int) -> tuple[Floats, Floats]:
    """Return the systems of neighbouring bands added up, each band scaled to the same size."""
    sizes = np.ldexp(1.0, -np.frexp(gram[:, -2, -2])[1])
    places = np.arange(0, len(gram), group)
    shared = np.add.reduceat(gram * sizes[:, None, None], places, axis=0)
    return shared, np.add.reduceat(right * sizes[:, None], places, axis=0)


def fit_weights(part: Part, maximum_error: int) -> tuple[NDArray[np.int64], Packing]:
    """Return (bands, FEATURES) weights in 2^-WEIGHT_BITS, and how they are to be sent."""
    return _Systems(part).solve(maximum_error)


def _sizes(remainder: Remainder, bands: Places, lines: Places) -> list[Floats]:
    """Return the KINDS of magnitudes, (bands, lines, samples) each; 0 in a band that is none."""
    known = np.ix_(bands.clip(0), lines.clip(0))
    plain = np.abs(remainder.residuals[known]).astype(np.float64)
    plain[:, lines < 0] = remainder.levels[bands.clip(0), None, None] / LEVEL_UNIT
    plain[bands < 0] = 0
    columns = remainder.columns[np.ix_(bands.clip(0), lines + 1)] / SIZE_UNIT
    columns[bands < 0] = 0
    return [plain[:, :, :-2] + plain[:, :, 2:], plain[:, :, 1:-1], columns[:, :, 1:-1]]


def fit_clues(remainder: Remainder) -> tuple[int, ...]:
    """Return CLUES weights in 1/CLUE_UNIT, fitted to some lines in some of the bands."""
    bands, lines, width = remainder.residuals.shape
    chosen = np.arange(bands)[:: max(1, bands // _FIT_BANDS)]
    count = min(lines, max(1, _FIT_RESIDUALS // (len(chosen) * width)))
    some = (2 * np.arange(count) + 1) * lines // (2 * count)
    farther, nearer = (_sizes(remainder, chosen - back, some) for back in (2, 1))
    before = [farther[PLAIN], nearer[SIDES], nearer[PLAIN]]
    scales = band_scales(remainder.levels)[chosen, None, None]
    level = np.broadcast_to(remainder.levels[chosen, None, None] / LEVEL_UNIT, before[0].shape)
    parts = [part * scales for part in before] + _sizes(remainder, chosen, some - 1) + [level]
    target = np.abs(remainder.residuals[np.ix_(chosen, some)])[:, :, 1:-1]
    stride = -(-target.size // _FIT_RESIDUALS)
    clues = np.stack([part.reshape(-1)[::stride] for part in parts])
    return fit_activity(clues * UNIT, target.reshape(-1)[::stride] * float(UNIT))
