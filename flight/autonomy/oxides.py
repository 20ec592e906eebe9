"""From an X-ray spectrum to the input of a small model that knows oxides, in integers.

The model is shown 192 bins of 40 eV, each as the logarithm of its share of all counts, in
sixteenths of an octave: a weak line on a thousandth of the counts then has as many steps as the
strongest. The logarithm is piecewise linear, from the leading bit and the four bits below it, so
it is exact integer arithmetic.
"""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.xray import LEAST_COUNTS, is_spectrum
from flight.product.values import Frame, Tensor

Counts: TypeAlias = NDArray[np.int64]

FIRST_MEV = 960_000
BIN_MEV = 40_000
BINS = 192
"""From sodium's line to zinc's: 960 to 8,640 eV."""

SHARE_BITS = 24
"""A bin's share of the counts is kept in units of 2 to the minus this."""

LEAST_OCTAVE = 7
"""Shares below 2**(7 - 24) are all one: less than a count in a hundred thousand."""

METALS = (14, 22, 13, 26, 12, 20, 11, 19)
"""Atomic number of each output's metal: SiO2, TiO2, Al2O3, FeO, MgO, CaO, Na2O, K2O."""

VOTES = 2
"""The model tells each oxide this many times; what counts is the sum."""

LEAST_IN_BIN = 64
"""Bins with fewer counts depart by chance; they have no say in whether a spectrum is strange."""

DECADES = (10_000, 100_000, 1_000_000, 10_000_000)
"""Counts in the bins from which each column of the error table holds."""


def prepare(frame: Frame) -> Tensor | None:
    """Return (1, 1, 192, 1) int8 for the model, or None where the frame is unusable.

    Unusable: no spectrum, no energy axis, or channels that do not cover 960 to 8,640 eV.
    """
    if not is_spectrum(frame):
        return None
    binned = bins_of(frame.samples.astype(np.int64), *frame.axis)
    if binned is None or int(binned.sum()) < LEAST_COUNTS:
        return None
    return compressed(binned[None])


def bins_of(counts: Counts, offset_mev: int, gain_mev: int) -> Counts | None:
    """Return (192,) counts a bin; a channel across an edge is shared out by width."""
    channel, rest = _edges(offset_mev, gain_mev)
    if channel[0] < 0 or channel[-1] >= len(counts):
        return None
    across = counts[channel]
    below = counts.cumsum()[channel] - across + across * rest // gain_mev
    binned: Counts = np.diff(below)
    return binned


@lru_cache(maxsize=8)
def _edges(offset_mev: int, gain_mev: int) -> tuple[Counts, Counts]:
    """Return the channel in which each edge of a bin lies, and how far above its lower end."""
    edges = FIRST_MEV + BIN_MEV * np.arange(BINS + 1, dtype=np.int64)
    # A channel's energy is that of its centre; places are counted from the first one's left edge.
    place = edges - offset_mev + gain_mev // 2
    return place // gain_mev, place % gain_mev


def compressed(binned: Counts) -> Tensor:
    """Return (spectra, 1, 192, 1) int8 from (spectra, 192) counts."""
    total = np.maximum(binned.sum(axis=1, keepdims=True), 1)
    share = ((binned + 1) << SHARE_BITS) // total
    share = np.maximum(share, 1 << LEAST_OCTAVE)
    # frexp is exact: the place of the leading bit of an integer below 2**53.
    octave = np.frexp(share.astype(np.float64))[1].astype(np.int64) - 1
    below_leading = (share >> (octave - 4)) & 15
    level = 16 * (octave - LEAST_OCTAVE) + below_leading - 128
    tensor: Tensor = np.clip(level, -128, 127).astype(np.int8)[:, None, :, None]
    return tensor


def abundances(votes: Tensor, centre: tuple[int, ...], step: tuple[int, ...]) -> Counts:
    """Return (spectra, 8) abundances in 1/1000 of a mass percent from (spectra, 16) raw outputs.

    The model answers roots: ``centre`` and ``step`` are those of ``XrfPolicy``.

    Raises:
        ValueError: the outputs are not so many.
    """
    sums = votes.astype(np.int64).reshape(len(votes), VOTES, len(METALS)).sum(axis=1)
    roots = np.maximum(np.array(centre) + sums * np.array(step) // 1000, 0)
    thousandths: Counts = roots * roots // 100_000
    return thousandths


def departures(tensor: Tensor, redrawn: Tensor, grid: tuple[int, ...]) -> Counts:
    """Return (spectra, 192) how far prepared spectra lie above what the model makes of them.

    In 1/1000 of an octave. ``grid`` is (zero point, size of a raw step of ``redrawn`` in 1/1000
    of a step of ``tensor``), of which sixteen make an octave.
    """
    zero, step = grid
    seen = tensor.astype(np.int64).reshape(len(tensor), BINS) * 1000
    drawn = (redrawn.astype(np.int64).reshape(len(redrawn), BINS) - zero) * step
    return (seen - drawn) // 16


def misfit(departure: Counts, binned: Counts) -> int:
    """Return the mean size of one spectrum's departures, over bins that hold enough counts."""
    counted = binned >= LEAST_IN_BIN
    return int(np.abs(departure[counted]).sum()) // max(int(np.count_nonzero(counted)), 1)
