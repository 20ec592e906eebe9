"""What the X-ray codec foretells: the count in a channel, and how far off that may be.

Counts are Poisson, so a spectrum of few counts is mostly noise and the art is to know the rate.
It is foretold from the mean of earlier spectra (or a stored template), smoothed over five
channels and scaled by how this spectrum has compared with that mean over the last 8 and 24
channels, and from this spectrum's own last 1, 4 and 16 channels. So a spectrum of another
mineral, or of another dwell time, finds its own scale within a few channels.

Decoding takes channel c of spectrum i at step c + 3 i: the smoothing looks two channels ahead in
spectra that are already three channels further.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.contexts import RESIDUALS, UNIT, Reals, context_of
from flight.product.codecs.entropy import FREE_STEPS, Contexts, Scheme, expect
from flight.product.codecs.frequencies import Lookup
from flight.product.codecs.linear import Floats

LAG = 3
WINDOWS = ((8, 4.0), (24, 8.0))
"""Channels back, and counts that keep a ratio of few counts near 1."""
RATE_CLUES = 6
SIZE_CLUES = 4
MARGIN = 25
"""Channels of padding in front: the longest window and one more."""
AHEAD = 2

_MEAN_FRACTION = 256.0
_LEAST = 1 / 16
DIRECT_BELOW = 8.0
"""Rates below this have a table each quarter octave; above, the residual is coded."""
_DIRECT_LEAST_OCTAVE = 121
_DIRECT = 36
_POISSON_VALUES = 48
_STEPS_A_BYTE = 16


def _poisson(rate: float) -> NDArray[np.float64]:
    """Return the (unscaled) probabilities of the counts from 0 on."""
    probabilities = np.empty(_POISSON_VALUES)
    term = 1.0
    for count in range(_POISSON_VALUES):
        probabilities[count] = term
        term = term * rate / (count + 1)
    return probabilities


def _scheme() -> Scheme:
    expected = []
    for context in range(_DIRECT):
        rate = math.ldexp((4 + context % 4 + 0.5) / 4, context // 4 + _DIRECT_LEAST_OCTAVE - 127)
        expected.append(expect(_poisson(rate), 0))
    frequencies = np.concatenate((np.stack(expected), RESIDUALS.expected))
    return Scheme(
        np.concatenate((np.zeros(_DIRECT, np.uint8), RESIDUALS.shifts)),
        np.concatenate((np.arange(_DIRECT, dtype=np.uint8), RESIDUALS.tables + np.uint8(_DIRECT))),
        frequencies,
        Lookup.of(frequencies),
    )


SCHEME = _scheme()


@dataclass(frozen=True, slots=True)
class Side:
    """What is sent beside the symbols."""

    template_shift: int
    """The template counts 2^this times as much as it says."""
    rate_weights: tuple[int, ...]
    size_weights: tuple[int, ...]


def affords_steps(shape: tuple[int, ...], stream_bytes: int) -> bool:
    """Return whether a stream is long enough for a wavefront over its spectra.

    A single spectrum takes a step a channel, each of which should have some half a bit.
    """
    return sum(shape) <= FREE_STEPS + _STEPS_A_BYTE * stream_bytes


def mean_rate(spectrum: int, *, with_template: bool) -> float:
    """Return by how much a spectrum moves the mean of those before it."""
    number = spectrum + (1 if with_template else 0)
    return (1.0, 0.5, 0.5, 0.25, 0.25)[number] if number < 5 else 0.125


def steps(
    spectra: int, channels: int, width: int = 0, margin: int = 0
) -> Iterator[tuple[int, int, slice]]:
    """Yield each step's first and end spectrum, and its places in flattened rows of ``width``."""
    width = width or channels
    stride = width - LAG
    for step in range(channels + LAG * (spectra - 1)):
        first = max(0, -((channels - 1 - step) // LAG))
        end = min(spectra - 1, step // LAG) + 1
        if first < end:
            start = first * width + margin + step - LAG * first
            yield first, end, slice(start, start + (end - first - 1) * stride + 1, stride)


def smooth(around: list[Floats]) -> Floats:
    """Return the mean over five channels, rounded down to 1/256 so that its sums are exact."""
    far_left, left, here, right, far_right = around
    total = far_left + far_right
    total += (left + right) * 2.0
    total += here * 4.0
    total *= _MEAN_FRACTION / 10
    np.floor(total, out=total)
    total *= 1 / _MEAN_FRACTION
    return total


def rate_clues(mean: Floats, counted: list[Floats], expected: list[Floats]) -> list[Floats]:
    """Return RATE_CLUES arrays that foretell counts.

    ``counted`` are the counts in the last 1, 4, 16, 8 and 24 channels, ``expected`` what the mean
    had in the last 8 and 24.
    """
    scaled = [
        mean * ((counts + few) / (means + few))
        for counts, means, (_, few) in zip(counted[3:], expected, WINDOWS, strict=True)
    ]
    return [
        np.full(mean.shape, _LEAST),
        *scaled,
        counted[0],
        counted[1] * (1 / 4),
        counted[2] * (1 / 16),
    ]


def size_clues(rate: Floats, last: Floats, last4: Floats) -> list[Reals]:
    """Return SIZE_CLUES arrays that foretell a residual's magnitude, in 1/16.

    ``last`` and ``last4`` are the residual magnitudes of the last channel and the last four.
    """
    return [
        (np.sqrt(rate) * UNIT).astype(np.float32),
        (rate * (UNIT / 8)).astype(np.float32),
        (last * UNIT).astype(np.float32),
        (last4 * (UNIT / 4)).astype(np.float32),
    ]


def contexts_of(rate: Floats, sizes: Reals) -> tuple[Contexts, NDArray[np.bool_]]:
    """Return each count's context, and which counts are coded as they are."""
    direct = rate < DIRECT_BELOW
    steps = (rate.astype(np.float32).view(np.int32) >> 21) - (_DIRECT_LEAST_OCTAVE << 2)
    steps = np.clip(steps, 0, _DIRECT - 1)
    contexts = np.where(direct, steps, context_of(sizes).astype(np.int32) + _DIRECT)
    return contexts.astype(np.uint8), direct
