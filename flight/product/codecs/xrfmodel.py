"""What the X-ray codec foretells: the count in a channel, and how far off that may be.

Counts are Poisson, so a spectrum of few counts is mostly noise and the art is to know the rate.
It is foretold from the mean of earlier spectra (or a stored template), smoothed over five
channels and scaled by how this spectrum has compared with that mean over the last 8 and 24
channels, and from this spectrum's own last 1, 4 and 16 channels. So a spectrum of another
mineral, or of another dwell time, finds its own scale within a few channels.

The encoder foretells all spectra at once, the decoder channel by channel; both add up the same
terms in the same order, so that they get the same bits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flight.product.codecs.contexts import UNIT, WEIGHT_UNIT, fit_activity
from flight.product.codecs.linear import Floats, non_negative
from flight.product.codecs.xrftables import DIRECT_BELOW, LEAST_RATE, LEAST_SIZE

WINDOWS = ((8, 4.0), (24, 8.0))
"""Channels back, and counts that keep a ratio of few counts near 1."""
OWN = (1, 4, 16)
"""Channels back in the spectrum itself."""
RATE_WEIGHTS, SIZE_WEIGHTS = 6, 4
LONGEST = 24
LARGEST = float((1 << 31) - 1)
_FLOOR = 1 / 16
_FRACTION = 256.0
_MOST_REMEMBERED = 8
_FIT_COUNTS = 1 << 16
_ROUNDS = 4
_NORMAL = 64.0
_CLIP = float(1 << 18)

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Weights:
    """How the clues add up, as it is sent: a byte a clue, in 1/64."""

    rate: tuple[int, ...]
    size: tuple[int, ...]

    def __bytes__(self) -> bytes:
        return bytes((*self.rate, *self.size))

    @classmethod
    def read(cls, data: bytes) -> "Weights":
        """Return weights out of so many bytes."""
        return cls(tuple(data[:RATE_WEIGHTS]), tuple(data[RATE_WEIGHTS:]))

    @property
    def rate_terms(self) -> tuple[float, ...]:
        """What each rate clue is multiplied by: the floor, two windows, and own 1, 4 and 16."""
        scales = (_FLOOR, 1.0, 1.0, *(1 / back for back in OWN))
        return tuple(
            weight / WEIGHT_UNIT * scale for weight, scale in zip(self.rate, scales, strict=True)
        )

    @property
    def size_terms(self) -> tuple[float, ...]:
        """What the rate's root, the rate, and the last 1 and 4 misses are multiplied by."""
        scales = (1.0, 1 / 8, 1.0, 1 / 4)
        return tuple(
            weight / WEIGHT_UNIT * scale for weight, scale in zip(self.size, scales, strict=True)
        )


def mean_after(mean: Floats, counts: Floats, seen: int) -> Floats:
    """Return the mean of spectra once another one is known; ``seen`` went into it so far."""
    moved: Floats = mean + (counts - mean) * (1 / min(seen + 1, _MOST_REMEMBERED))
    return moved


def smooth(mean: Floats) -> Floats:
    """Return (…, channels) means over five channels, in whole 1/256 so that sums are exact."""
    edges = [(0, 0)] * (mean.ndim - 1) + [(2, 2)]
    wide = np.pad(mean, edges)
    count = mean.shape[-1]
    total: Floats = wide[..., :count] + wide[..., 4:]
    total += (wide[..., 1 : count + 1] + wide[..., 3 : count + 3]) * 2.0
    total += wide[..., 2 : count + 2] * 4.0
    total *= _FRACTION / 10
    np.floor(total, out=total)
    total *= 1 / _FRACTION
    return total


def last(numbers: Floats, back: int) -> Floats:
    """Return for each channel the sum over the ``back`` channels before it."""
    edges = [(0, 0)] * (numbers.ndim - 1) + [(back + 1, 0)]
    sums = np.cumsum(np.pad(numbers, edges), axis=-1)
    count = numbers.shape[-1]
    window: Floats = sums[..., back : back + count] - sums[..., :count]
    return window


def per_count(mean: Floats) -> tuple[Floats, Floats]:
    """Return by how much one count in each window moves the rate of each channel."""
    near, far = (mean / (last(mean, back) + few) for back, few in WINDOWS)
    return near, far


class Clues:
    """What foretells spectra that are all known, (spectra, channels)."""

    def __init__(self, counts: Counts, means: Floats) -> None:
        known = counts.astype(np.float64)
        self.counts = counts
        self._ratios = per_count(means)
        self._seen = [last(known, back) + few for back, few in WINDOWS]
        self._own = [last(known, back) for back in OWN]

    def fit_rate(self) -> tuple[int, ...]:
        """Return non-negative weights, in 1/64, by least squares under Poisson noise."""
        parts = [np.full(self.counts.shape, _FLOOR)]
        parts += [ratio * seen for ratio, seen in zip(self._ratios, self._seen, strict=True)]
        parts += [own * (1 / back) for own, back in zip(self._own, OWN, strict=True)]
        stride = max(1, self.counts.size // _FIT_COUNTS)
        clues = np.stack([part.reshape(-1)[::stride] for part in parts])
        counts = self.counts.reshape(-1)[::stride].astype(np.float64)
        weights = np.full(RATE_WEIGHTS, 1.0 / RATE_WEIGHTS)
        for _ in range(_ROUNDS):
            foretold = np.full(counts.shape, 1.0 / WEIGHT_UNIT)
            for weight, clue in zip(weights.tolist(), clues, strict=True):
                foretold += weight * clue
            # Whole numbers below 2^18, some 2^16 of them: the sums are exact.
            scale = _NORMAL / np.sqrt(foretold)
            rows = np.minimum(np.floor(clues * scale), _CLIP)
            target = np.minimum(np.floor(counts * scale), _CLIP)
            weights = non_negative(rows @ rows.T, rows @ target)
        return tuple(int(weight) for weight in np.clip(np.rint(weights * WEIGHT_UNIT), 0, 255))

    def rates(self, terms: tuple[float, ...]) -> Floats:
        """Return the rate that is foretold for each channel."""
        floor, near, far, *own = terms
        total: Floats = self._ratios[0] * near * self._seen[0] + floor
        total += self._ratios[1] * far * self._seen[1]
        for term, seen in zip(own, self._own, strict=True):
            total += seen * term
        return np.minimum(np.maximum(total, LEAST_RATE), LARGEST)


def sizes(rates: Floats, misses: Floats, terms: tuple[float, ...]) -> Floats:
    """Return how large each residual is likely to be, given the magnitudes of all."""
    root, share, near, far = terms
    total: Floats = np.sqrt(rates) * root
    total += rates * share
    total += last(misses, 1) * near
    total += last(misses, 4) * far
    return np.maximum(total, LEAST_SIZE)


def fit_sizes(rates: Floats, misses: Floats) -> tuple[int, ...]:
    """Return non-negative weights, in 1/64, with which the clues foretell the misses."""
    coded = np.flatnonzero(rates >= DIRECT_BELOW)
    coded = coded[:: max(1, coded.size // _FIT_COUNTS)]
    parts = (np.sqrt(rates), rates * (1 / 8), last(misses, 1), last(misses, 4) * (1 / 4))
    clues = np.stack([part.reshape(-1)[coded] for part in parts]) * UNIT
    wanted = misses.reshape(-1)[coded] * UNIT
    return fit_activity(clues.astype(np.float32), wanted.astype(np.float32))
