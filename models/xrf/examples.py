"""Simulated spectra of known compositions, in the bins that the model sees."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flight.autonomy import oxides
from models.xrf.compositions import OXIDES
from models.xrf.response import Response
from tools.sim.xrf import ELEMENTS, line_of, mass_shares
from tools.sim.xrf_detector import piled_up, templates

Array = NDArray[np.float64]

MOST_AIR_G_CM2 = 1.2e-3
PILE_UP = 0.011
CHANNELS_KEV = np.arange(0.0, 11.3, 0.01)
TRACES = (28, 29, 30)
"""Metals that any instrument's housing adds a little of."""


def _binning() -> Array:
    """Return (channels, 192) share of each channel in each bin, by width."""
    edges = (oxides.FIRST_MEV + oxides.BIN_MEV * np.arange(oxides.BINS + 1)) / 1e6
    half = (CHANNELS_KEV[1] - CHANNELS_KEV[0]) / 2
    left, right = CHANNELS_KEV[:, None] - half, CHANNELS_KEV[:, None] + half
    overlap = np.minimum(right, edges[1:]) - np.maximum(left, edges[:-1])
    return np.clip(overlap, 0, None) / (2 * half)


BINNING = _binning()

LOG_ENERGY = np.log([line_of(element).energies_kev[0] / 3.5 for element in ELEMENTS])
"""(elements,) of each line's energy, 0 in the middle of the range."""

FACTOR_ERROR = 0.02
"""1 sigma of how far a line's factor may be off from one sample to the next: roughness, grains."""

TILT = 0.03
"""1 sigma of how that factor changes with the logarithm of energy: height, lean and thickness of a
sample, which no two mountings share."""

NOISE_ERROR = 0.05
"""1 sigma of the electronic noise, as a share: it follows the detector's temperature."""


def shares_of(response: Response, percent: Array, rng: np.random.Generator) -> Array:
    """Return (samples, 192) how a spectrum's counts are spread over the bins, without noise.

    Each sample has its own air, traces and surface; each hundred share an error of the energy
    axis.
    """
    pieces = [
        _shares(response, percent[start : start + 100], rng)
        for start in range(0, len(percent), 100)
    ]
    return np.concatenate(pieces)


def counted(share: Array, total: Array, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return (samples, 192) Poisson counts that add up to about ``total`` (samples,)."""
    return rng.poisson(share * total[:, None])


def _shares(response: Response, percent: Array, rng: np.random.Generator) -> Array:
    share = rates_of(response, percent, rng) @ BINNING
    return share / share.sum(axis=1, keepdims=True)


def rates_of(
    response: Response,
    percent: Array,
    rng: np.random.Generator,
    metal: Array | None = None,
) -> Array:
    """Return (samples, channels) expected counts; ``metal`` (samples, elements) adds to them.

    ``metal`` holds K photons as ``Physics.intensities`` gives them, for metal beside the sample.
    """
    count = len(percent)
    mass = mass_shares({oxide: percent[:, i] for i, oxide in enumerate(OXIDES)})
    mass[:, [ELEMENTS.index(z) for z in TRACES]] = rng.exponential(1e-4, (count, len(TRACES)))
    air = rng.uniform(0, MOST_AIR_G_CM2, count)
    lines = response.physics.intensities(mass, air)
    if metal is not None:
        lines = lines + metal
    lines = lines * response.factor * np.exp(rng.normal(0, FACTOR_ERROR, lines.shape))
    lines = lines * np.exp(rng.normal(0, TILT, (count, 1)) * LOG_ENERGY)
    argon = response.physics.argon(air) * response.argon_factor
    argon *= np.exp(rng.normal(0, 0.05, count))
    others = _scattered_lines(response, mass, rng)
    parts = np.concatenate([lines, argon[:, None], others], axis=1)
    gain, offset = 1 + rng.normal(0, 0.0007), rng.normal(0, 0.002)
    shape = replace(
        response.shape,
        beta=response.shape.beta * np.exp(rng.normal(0, 0.03)),
        noise_ev=response.shape.noise_ev * np.exp(rng.normal(0, NOISE_ERROR)),
    )
    drawn = templates(CHANNELS_KEV * gain + offset, shape)
    return piled_up(parts @ drawn + _background(response, mass, rng), PILE_UP)


def _scattered_lines(response: Response, mass: Array, rng: np.random.Generator) -> Array:
    """Return (samples, contributors after argon): strontium and the anode's lines."""
    own = response.parts.counts[len(ELEMENTS) + 1 :]
    ratio = _scatter_ratio(response, mass, np.array([2.8]))
    drawn = own * ratio * np.exp(rng.normal(0, 0.1, (len(mass), len(own))))
    drawn[:, 0] = own[0] * rng.exponential(0.5, len(mass))
    return drawn


def _background(response: Response, mass: Array, rng: np.random.Generator) -> Array:
    """Return (samples, channels): BHVO-2G's, as this matrix scatters, with a slow random error."""
    glass = np.interp(CHANNELS_KEV, response.glass.energies_kev, response.parts.background)
    coarse = np.linspace(1.0, 11.2, 24)
    ratio = _scatter_ratio(response, mass, coarse)
    slow = np.log(coarse / 5)
    tilt = rng.normal(0, 0.08, (len(mass), 1)) + rng.normal(0, 0.08, (len(mass), 1)) * slow
    ratio = ratio * np.exp(tilt)
    return glass * np.stack([np.interp(CHANNELS_KEV, coarse, row) for row in ratio])


def _scatter_ratio(response: Response, mass: Array, kev: Array) -> Array:
    """Return how much more of the background there is than with BHVO-2G.

    About half of it is scattered light, half the detector's own shelf, which does not change:
    hence the root.
    """
    physics = response.physics
    whole = physics.scatter(mass, kev) / physics.scatter(response.glass_mass, kev)
    return np.sqrt(whole)
