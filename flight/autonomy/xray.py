"""From an X-ray fluorescence spectrum to the elements in it, in integers.

Each element is judged by its strongest line: counts in a window about the line, less a
background cut from under the peaks, less what other elements' K-beta lines put into the same
window. Nothing is fitted, so nothing can diverge.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flight.product.values import Finding, Frame, Kind, SensorKind

Counts: TypeAlias = NDArray[np.int64]

LEAST_CHANNELS = 64
MOST_CHANNELS = 16_384

LEAST_COUNTS = 2_000
"""With fewer counts in the spectrum nothing is said."""

SMOOTHED_MEV = 25_000
"""Half the range over which a spectrum is smoothed before its background is cut."""
CUT_MEV = 300_000
"""The widest distance of the two channels under whose mean a third one is cut."""

FRACTION = 256
"""The background is kept in this fraction of a count while it is cut."""


@dataclass(frozen=True, slots=True)
class Line:
    """The K-alpha line by which an element is judged."""

    element: int
    """Atomic number."""
    energy_ev: int
    spilled_by: int = 0
    """Atomic number of the element whose K-beta line reaches into this window; 0: none."""
    spill_permille: int = 0
    """Its net counts that do so, for a detector of 139 eV at 5.9 keV."""


LINES = (
    Line(11, 1041),
    Line(12, 1254),
    Line(13, 1487),
    Line(14, 1740),
    Line(15, 2010),
    Line(16, 2307),
    Line(19, 3313),
    Line(20, 3690, spilled_by=19, spill_permille=40),
    Line(22, 4509),
    Line(23, 4950, spilled_by=22, spill_permille=130),
    Line(24, 5412, spilled_by=23, spill_permille=130),
    Line(25, 5895, spilled_by=24, spill_permille=106),
    Line(26, 6400, spilled_by=25, spill_permille=78),
    Line(27, 6925, spilled_by=26, spill_permille=44),
    Line(28, 7472, spilled_by=27, spill_permille=19),
    Line(29, 8041),
    Line(30, 8631),
)
"""Energies and K-beta shares from xraylib 4.3.0, in the order in which spills are taken off."""


def elements(counts: Counts, axis: tuple[int, ...], *, least_sigma: int) -> tuple[Finding, ...]:
    """Return the elements whose lines stand out of their noise, by atomic number."""
    offset_mev, gain_mev = axis
    return tuple(
        Finding(Kind.ELEMENT, label=element, score=net, extent=sigma)
        for element, (net, sigma) in net_counts(counts, offset_mev, gain_mev).items()
        if net > 0 and net >= least_sigma * sigma
    )


def metals(found: tuple[Finding, ...], natural: Mapping[int, int]) -> tuple[Finding, ...]:
    """Return the metals whose share of all net counts no natural sample has.

    ``natural`` holds the share in 1/1000 that one may have, by atomic number.
    """
    total = sum(element.score for element in found)
    shares = [(element.label, element.score * 1000 // total) for element in found]
    return tuple(
        Finding(Kind.METAL, label=element, score=share)
        for element, share in shares
        if element in natural and share > natural[element]
    )


def is_spectrum(frame: Frame) -> bool:
    """Return whether a frame is a spectrum whose channels have energies."""
    return (
        frame.kind is SensorKind.XRAY
        and frame.samples.ndim == 1
        and LEAST_CHANNELS <= len(frame.samples) <= MOST_CHANNELS
        and len(frame.axis) == 2
        and frame.axis[1] > 0
    )


def net_counts(counts: Counts, offset_mev: int, gain_mev: int) -> dict[int, tuple[int, int]]:
    """Return (net counts, 1 sigma) of every line inside the spectrum, by atomic number."""
    counts = counts[: _last_felt(offset_mev, gain_mev)]
    gross_below = np.concatenate([[0], counts.cumsum()])
    under_below = np.concatenate([[0], background_of(counts, gain_mev).cumsum()])
    found: dict[int, tuple[int, int]] = {}
    for line, first, after in _windows(offset_mev, gain_mev):
        if first < 0 or after > len(counts):
            continue
        gross = int(gross_below[after] - gross_below[first])
        under = int(under_below[after] - under_below[first])
        spill = found.get(line.spilled_by, (0, 0))[0] * line.spill_permille // 1000
        net = gross - under - max(spill, 0)
        # The background was cut from as few counts as the window holds: it errs as much again.
        found[line.element] = (net, isqrt(gross + 2 * under) + 1)
    return found


@lru_cache(maxsize=8)
def _windows(offset_mev: int, gain_mev: int) -> tuple[tuple[Line, int, int], ...]:
    """Return each line, the first channel of its window, and the first one after that."""
    windows = []
    for line in LINES:
        half_mev = width_ev(line.energy_ev) * 600
        first = (line.energy_ev * 1000 - half_mev - offset_mev) // gain_mev + 1
        after = (line.energy_ev * 1000 + half_mev - offset_mev) // gain_mev + 1
        windows.append((line, first, after))
    return tuple(windows)


def width_ev(energy_ev: int) -> int:
    """Return the full width at half maximum of a line, for a silicon detector.

    Electronic noise of 75 eV, Fano factor 0.115, 3.65 eV a pair: 139 eV at 5.9 keV.
    """
    return isqrt(75 * 75 + energy_ev * 2328 // 1000)


def background_of(counts: Counts, gain_mev: int) -> Counts:
    """Return the counts that lie under the peaks (after Ryan et al. 1988, SNIP).

    The spectrum is smoothed over 50 eV, then each channel is lowered to the mean of its two
    neighbours at a distance that shrinks from 300 eV to one channel. A channel is lowered only
    where it stands above that mean by more than its noise: always taking the lesser would sink
    below a flat noisy background and find every element in it.
    """
    half = SMOOTHED_MEV // gain_mev
    width = 2 * half + 1
    padded = counts.take(np.arange(-half, len(counts) + half), mode="clip")
    summed = np.concatenate([[0], padded.cumsum()])
    # Whole numbers in float64, which holds them and their halves exactly up to 2**52 and is many
    # times faster.
    level = ((summed[width:] - summed[:-width]) * FRACTION // width).astype(np.float64)
    for reach in range(_reach(gain_mev), 0, -1):
        mean = level[: -2 * reach] + level[2 * reach :]
        mean *= 0.5
        np.floor(mean, out=mean)
        inner = level[reach:-reach]
        above = inner - mean
        # Its noise is the root of mean * FRACTION / width, floored: the squares say the same.
        above *= np.abs(above)
        above *= width / FRACTION
        np.copyto(inner, mean, where=above > mean)
    background: Counts = level.astype(np.int64) // FRACTION
    return background


def _reach(gain_mev: int) -> int:
    """Return the widest distance in channels over which the background is cut."""
    return max(CUT_MEV // gain_mev, 1)


def _last_felt(offset_mev: int, gain_mev: int) -> int:
    """Return how many channels can have a say in the background under the last line.

    Each round of the cut looks as far as its reach, and on what earlier rounds left.
    """
    line_mev = max(line.energy_ev for line in LINES) * 1000
    last = (line_mev + width_ev(line_mev // 1000) * 600 - offset_mev) // gain_mev
    rounds = _reach(gain_mev)
    return max(last + 2 + rounds * (rounds + 1) // 2 + SMOOTHED_MEV // gain_mev, 0)
