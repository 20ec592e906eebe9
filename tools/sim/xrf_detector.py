"""From line intensities to counts in channels: line shapes, background, pile-up, Poisson."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from tools.sim.xrf import ELEMENTS, RHODIUM_LINES_KEV, line_of

Array = NDArray[np.float64]

SILICON_KEV = 1.740
"""A photon that knocks silicon's own line out of the detector is counted this much lower."""

PAIR_KEV = 0.00365
SIGMA_TO_WIDTH = 2.3548

CONTRIBUTORS = (*ELEMENTS, 18, "strontium", *(f"rhodium {kev}" for kev, _ in RHODIUM_LINES_KEV))
"""All that makes peaks: the sample's elements, argon in the air, traces of strontium (L lines),
and the anode's L lines scattered by the sample."""


@dataclass(frozen=True)
class Shape:
    """How a detector draws a line."""

    noise_ev: float = 62.9
    """Full width at half maximum of the electronics alone."""
    fano: float = 0.1228
    tail: float = 0.0108
    """Share of counts in an exponential tail below the line."""
    shelf: float = 0.0033
    """Share spread evenly from the line down to zero."""
    escape: float = 0.0058
    """Share in the silicon escape peak, for lines above calcium's edge."""
    beta: float = 1.09
    """K-beta over what the emission rates say: it leaves sample and air more easily."""


def sigma_kev(energy_kev: float, shape: Shape) -> float:
    """Return one standard deviation of a line."""
    electronics = (shape.noise_ev / 1000) ** 2
    statistics = SIGMA_TO_WIDTH**2 * shape.fano * PAIR_KEV * energy_kev
    return float(np.sqrt(electronics + statistics) / SIGMA_TO_WIDTH)


def peak(energies_kev: Array, energy_kev: float, shape: Shape) -> Array:
    """Return the share of a line's counts that falls into each channel."""
    sigma = sigma_kev(energy_kev, shape)
    apart = (energies_kev - energy_kev) / sigma
    channel = energies_kev[1] - energies_kev[0]
    gauss = np.exp(-0.5 * apart**2) / (sigma * np.sqrt(2 * np.pi))
    decay = 2.0  # sigmas over which the tail falls to 1/e
    tail = np.exp(apart / decay + 0.5 / decay**2) * erfc((apart + 1 / decay) / np.sqrt(2))
    tail = np.where(apart < 8, tail, 0) / (2 * decay * sigma)
    shelf = 0.5 * erfc(apart / np.sqrt(2)) / energy_kev
    return (gauss + shape.tail * tail + shape.shelf * shelf) * channel


def template(contributor: int | str, energies_kev: Array, shape: Shape) -> Array:
    """Return the share of a contributor's counts that falls into each channel."""
    if isinstance(contributor, str):
        energy = 1.806 if contributor == "strontium" else float(contributor.split()[1])
        return peak(energies_kev, energy, shape)
    line = line_of(contributor)
    alpha, beta = line.shares[0], line.shares[1] * shape.beta
    drawn = alpha * peak(energies_kev, line.energies_kev[0], shape)
    if beta > 0:
        drawn = drawn + beta * peak(energies_kev, line.energies_kev[1], shape)
    if contributor >= 20:
        lost = peak(energies_kev, line.energies_kev[0] - SILICON_KEV, shape)
        drawn = drawn + shape.escape * alpha * lost
    return drawn / (alpha + beta)


def templates(energies_kev: Array, shape: Shape) -> Array:
    """Return (contributors, channels)."""
    return np.stack([template(contributor, energies_kev, shape) for contributor in CONTRIBUTORS])


def piled_up(rate: Array, chance: float) -> Array:
    """Return rates in which a share of photons is counted in pairs, at the sum of energies.

    ``rate`` is (samples, channels); channel energies must start near zero.
    """
    whole = rate.sum(axis=1, keepdims=True)
    length = 2 * rate.shape[1]
    pairs = np.fft.irfft(np.fft.rfft(rate, length) ** 2, length)[:, : rate.shape[1]]
    return rate * (1 - 2 * chance) + chance * pairs / whole
