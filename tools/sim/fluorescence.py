"""An X-ray fluorescence spectrum of soil: lines of its elements on scattered tube radiation.

A drawing, for machines without xraylib: each element's lines stand in proportion to its mass
share, as strong as ``tools.sim.xrf`` makes them in a mare soil on PIXL's breadboard, on the
background that it has there; matrix effects are left out, and the counts are Poisson.
"""

import numpy as np
from numpy.typing import NDArray

CHANNELS = 4096
OFFSET_MEV, GAIN_MEV = -15_306, 10_045
"""Energy axis of PIXL's breadboard: offset and gain in millielectronvolts."""
LIVE_MS = 60_000
COUNTS = 400_000
"""In the whole spectrum, about."""

SOIL_PERCENT = {11: 0.3, 12: 4.0, 13: 7.4, 14: 22.5, 15: 0.1, 16: 0.1, 19: 0.06, 20: 8.6,
                22: 1.2, 23: 0.01, 24: 0.1, 25: 0.17, 26: 13.2, 28: 0.01}  # fmt: skip
"""Mass per cent by atomic number: between Chang'e-6 soil and mare soils of Apollo."""
STEEL_COUNTS = {24: 73.0, 26: 151.0, 28: 11.0}
"""Counts of a beam all on steel, where one all on soil has 100 in its lines."""

LINES = {
    11: (1041, 1041, 0.0, 0.00229), 12: (1254, 1254, 0.0, 0.0234), 13: (1487, 1554, 0.014, 0.103),
    14: (1740, 1836, 0.029, 0.254), 15: (2010, 2136, 0.047, 0.475), 16: (2307, 2464, 0.063, 1.06),
    19: (3313, 3590, 0.112, 1.51), 20: (3690, 4013, 0.121, 2.62), 22: (4509, 4932, 0.124, 3.35),
    23: (4950, 5427, 0.123, 4.13), 24: (5412, 5947, 0.123, 4.64), 25: (5895, 6490, 0.127, 4.53),
    26: (6400, 7058, 0.127, 4.95), 28: (7472, 8265, 0.128, 3.34),
}  # fmt: skip
"""By atomic number: energies of K-alpha and K-beta in electronvolts, the share of the latter, and
counts a mass per cent, of which soil has 100."""
OTHER_LINES = ((2957, 0.274), (1806, 0.043), (2697, 0.859), (2834, 0.191))
"""Argon of the air left in the beam, strontium's L, and the anode's L lines, scattered."""
BACKGROUND = (
    (900, 0.0), (950, 0.007), (1000, 0.057), (1200, 0.058), (1400, 0.11), (1600, 0.165),
    (1800, 0.191), (2300, 0.246), (2600, 0.364), (3000, 0.546), (3500, 0.675), (4000, 0.837),
    (4500, 1.15), (5000, 1.46), (5500, 1.4), (6000, 1.88), (6500, 2.33), (7000, 1.73),
    (7500, 1.16), (8500, 1.13), (10_000, 0.816), (11_000, 0.622), (28_000, 0.0),
)  # fmt: skip
"""Counts a kiloelectronvolt by energy in electronvolts."""
NOISE_EV, EV_A_PAIR, FANO = 62.9, 3.65, 0.1228
TAIL, SHELF, ESCAPE = 0.0108, 0.0033, 0.0058
"""Shares of a line's counts in its tail, in a shelf down to zero, and 1.74 keV below calcium's and
heavier elements'."""


def make_spectrum(rng: np.random.Generator, *, steel: float = 0.0) -> NDArray[np.uint32]:
    """Return (CHANNELS,) counts; ``steel`` is the share of the beam that hits a tool."""
    energy_ev = (OFFSET_MEV + GAIN_MEV * np.arange(CHANNELS)) / 1000
    channel_kev = GAIN_MEV / 1e6
    expected = np.interp(energy_ev, *zip(*BACKGROUND, strict=True)) * channel_kev
    for centre_ev, counts in OTHER_LINES:
        expected += counts * _line(energy_ev, centre_ev)
    for element, (alpha_ev, beta_ev, beta, counts_a_percent) in LINES.items():
        wild = float(np.exp(rng.normal(0, 0.08)))
        counts = SOIL_PERCENT[element] * counts_a_percent * (1 - steel) * wild
        counts += STEEL_COUNTS.get(element, 0.0) * steel
        expected += counts * (1 - beta) * _line(energy_ev, alpha_ev)
        expected += counts * beta * _line(energy_ev, beta_ev)
        if element >= 20:
            expected += counts * ESCAPE * _line(energy_ev, alpha_ev - 1740)
    return rng.poisson(expected * (COUNTS / expected.sum())).astype(np.uint32)


def _line(energy_ev: NDArray[np.float64], centre_ev: int) -> NDArray[np.float64]:
    """Return the share of a line's counts in each channel."""
    sigma = np.sqrt((NOISE_EV / 2.3548) ** 2 + FANO * EV_A_PAIR * centre_ev)
    apart = (energy_ev - centre_ev) / sigma
    peak = np.exp(-0.5 * apart**2) / (sigma * np.sqrt(2 * np.pi))
    below = apart < 0
    tail = np.where(below, np.exp(np.minimum(apart, 0) / 2), 0) / (2 * sigma)
    shelf = np.where(below, 1.0, 0.0) / centre_ev
    return (peak + TAIL * tail + SHELF * shelf) * GAIN_MEV / 1000
