"""Contexts from activity: how large a residual is expected to be, in quarter octaves.

The upper bits of a float32 are such a scale already: its exponent is the octave, the two top
bits of its fraction the quarter.
"""

import math

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.entropy import Contexts, Scheme, expect
from flight.product.codecs.frequencies import Lookup
from flight.product.codecs.linear import Floats, non_negative

Reals = NDArray[np.float32]
Residuals = NDArray[np.int32]

UNIT = 16
"""Activities and levels are in 1/16 of a residual's magnitude."""
_FRACTION_DROPPED = 21
"""Of 23 fraction bits two stay."""
_LEAST_OCTAVE = 126
"""An activity of 1/2 unit, 1/32 of a residual, is context 0; less is, too."""
_COUNT = 96
_PAIRED = 12
"""Below 1/4 of a residual two contexts share a table."""
_LAPLACE_VALUES = 256
_OWN = 28
"""From here on low bits go raw and tokens look alike in every octave."""


def _laplace(magnitude: float) -> NDArray[np.float64]:
    """Return the probabilities of folded residuals of this mean magnitude, two-sided geometric."""
    ratio = (math.sqrt(1 + magnitude * magnitude) - 1) / magnitude
    probabilities = np.empty(_LAPLACE_VALUES)
    term = 1.0
    for index in range(0, _LAPLACE_VALUES, 2):
        probabilities[index] = term
        term *= ratio
        probabilities[index + 1] = term
    return probabilities


def _scheme() -> Scheme:
    context = np.arange(_COUNT)
    shifts = np.maximum(0, context // 4 - 6)
    tables = np.where(
        context < _PAIRED,
        context // 2,
        np.where(context < _OWN, context - _PAIRED // 2, _OWN - _PAIRED // 2 + context % 4),
    )
    expected = []
    for table in range(int(tables.max()) + 1):
        first = int(np.flatnonzero(tables == table)[0])
        middle = (4 + first % 4 + (1.0 if first < _PAIRED else 0.5)) / 4
        magnitude = math.ldexp(middle, first // 4 - 5)
        expected.append(expect(_laplace(magnitude), int(shifts[first])))
    frequencies = np.stack(expected)
    return Scheme(
        shifts.astype(np.uint8), tables.astype(np.uint8), frequencies, Lookup.of(frequencies)
    )


RESIDUALS = _scheme()
"""For residuals folded to 0, -1, 1, -2, 2, … whose mean magnitude is the activity."""


def context_of(activity: Reals) -> Contexts:
    """Return the context of each activity, given in units of 1/16."""
    steps = activity.view(np.int32) >> _FRACTION_DROPPED
    steps -= _LEAST_OCTAVE << 2
    contexts: Contexts = np.clip(steps, 0, _COUNT - 1).astype(np.uint8)
    return contexts


_LEAST_STEP = (1023 - 5) << 2
"""Of an activity of 1/32 as float64: its exponent, biased, and the two top bits of its fraction."""
_CONTEXT_OF_STEP: Contexts = np.maximum(np.arange(_LEAST_STEP + _COUNT) - _LEAST_STEP, 0).astype(
    np.uint8
)
_FLOAT_DROPPED = np.array(50)


def exact_context_of(activity: Floats) -> Contexts:
    """Return the context of each activity, given in units of 1; the activities are lost."""
    steps = activity.view(np.int64)
    np.right_shift(steps, _FLOAT_DROPPED, out=steps)
    return _CONTEXT_OF_STEP.take(steps, mode="clip")


def fold(residuals: NDArray[np.int32]) -> NDArray[np.uint32]:
    """Return 0, -1, 1, -2 and so on as 0, 1, 2, 3 and so on."""
    return ((residuals << 1) ^ (residuals >> 31)).view(np.uint32)


def unfold(folded: NDArray[np.uint32]) -> NDArray[np.int32]:
    """Return 0, 1, 2, 3 and so on as 0, -1, 1, -2 and so on."""
    return (folded >> 1).view(np.int32) ^ -(folded & 1).view(np.int32)


def quantised(differences: Floats, maximum_error: int) -> Floats:
    """Return the whole steps of 2 ``maximum_error`` + 1 that come nearest to the differences."""
    steps = np.abs(differences)
    steps += maximum_error
    # Floor of a true quotient: below 2^53 no rounding carries one over a whole number.
    np.floor(np.divide(steps, 2 * maximum_error + 1, out=steps), out=steps)
    signed: Floats = np.copysign(steps, differences)
    return signed


WEIGHT_UNIT = 64
_ROUNDS = 3
_NORMAL = 128.0
_CLIP = 4095.0


def activity(weights: tuple[int, ...], parts: list[Reals]) -> Reals:
    """Return the clues' weighted sum, in 1/16 of a residual's magnitude."""
    total: Reals = parts[0] * np.float32(weights[0] / WEIGHT_UNIT)
    for weight, part in zip(weights[1:], parts[1:], strict=True):
        if weight:
            total += part * np.float32(weight / WEIGHT_UNIT)
    return total


def fit_activity(clues: Reals, magnitudes: Reals) -> tuple[int, ...]:
    """Return non-negative weights, in 1/64, with which the clues foretell the magnitudes.

    ``clues`` is (clues, n), ``magnitudes`` (n,), all in units of 1/16. Least squares of the
    ratio, since a context is a scale: what counts is being right by a factor. Three rounds, each
    divided by what the round before foretold.
    """
    count = len(clues)
    weights = np.full(count, 1.0 / count)
    rows, scale = np.empty(clues.shape), np.empty(magnitudes.shape)
    for _ in range(_ROUNDS):
        np.multiply(clues, weights.astype(clues.dtype)[:, None], out=rows)
        scale[:] = 1.0
        # One after the other: the same sums on every machine.
        for row in rows:
            np.add(scale, row, out=scale)
        np.divide(_NORMAL, scale, out=scale)
        # Whole numbers up to 4,095 keep the sums exact.
        np.multiply(clues, scale, out=rows)
        np.minimum(np.floor(rows, out=rows), _CLIP, out=rows)
        target = np.minimum(np.floor(magnitudes * scale), _CLIP)
        weights = non_negative(rows @ rows.T, rows @ target)
    return tuple(int(weight) for weight in np.clip(np.rint(weights * WEIGHT_UNIT), 0, 255))
