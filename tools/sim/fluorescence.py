"""An X-ray fluorescence spectrum of soil: lines of its elements on scattered tube radiation.

A drawing, not fundamental parameters: each element's K lines stand in proportion to its mass
share and a smooth sensitivity of detector and air-free path, the background is bremsstrahlung
absorbed at low energy, and the counts are Poisson.
"""

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.xray import LINES, width_ev

CHANNELS = 4096
OFFSET_MEV, GAIN_MEV = -15_306, 10_045
"""Energy axis of PIXL's breadboard: offset and gain in millielectronvolts."""
LIVE_MS = 60_000
COUNTS = 400_000
"""In the whole spectrum, about."""

SOIL_PERCENT = {11: 0.3, 12: 4.0, 13: 7.4, 14: 22.5, 15: 0.1, 16: 0.1, 19: 0.06, 20: 8.6,
                22: 1.2, 23: 0.01, 24: 0.1, 25: 0.17, 26: 13.2, 27: 0.004, 28: 0.01}  # fmt: skip
"""Mass per cent by atomic number: between Chang'e-6 soil and mare soils of Apollo."""
STEEL_PERCENT = {24: 18.0, 26: 70.0, 28: 9.0}
KBETA_SHARE = 0.13


def make_spectrum(rng: np.random.Generator, *, steel: float = 0.0) -> NDArray[np.uint32]:
    """Return (CHANNELS,) counts; ``steel`` is the share of the beam that hits a tool."""
    energy_ev = (OFFSET_MEV + GAIN_MEV * np.arange(CHANNELS)) / 1000
    expected = _scatter(energy_ev)
    for line in LINES:
        wild = float(np.exp(rng.normal(0, 0.15)))
        soil = SOIL_PERCENT.get(line.element, 0.0) * (1 - steel) * wild
        percent = soil + STEEL_PERCENT.get(line.element, 0.0) * steel
        strength = percent * _sensitivity(line.energy_ev)
        expected += strength * _peak(energy_ev, line.energy_ev)
        expected += KBETA_SHARE * strength * _peak(energy_ev, _kbeta_ev(line.energy_ev))
    return rng.poisson(expected * (COUNTS / expected.sum())).astype(np.uint32)


def _peak(energy_ev: NDArray[np.float64], centre_ev: int) -> NDArray[np.float64]:
    sigma = width_ev(centre_ev) / 2.355
    return np.exp(-0.5 * ((energy_ev - centre_ev) / sigma) ** 2) / sigma


def _kbeta_ev(kalpha_ev: int) -> int:
    """Return about where K-beta lies: 4,013 eV for calcium's 3,692, 7,058 for iron's 6,404."""
    return round(kalpha_ev * (1.087 + 0.0055 * (kalpha_ev - 3692) / 1000))


def _sensitivity(energy_ev: float) -> float:
    """Return counts a mass per cent: heavier elements shine and escape more."""
    return float((energy_ev / 1000) ** 2.2)


def _scatter(energy_ev: NDArray[np.float64]) -> NDArray[np.float64]:
    energy = np.maximum(energy_ev, 200.0)
    window = np.exp(-((900.0 / energy) ** 3))
    return 0.12 * window * np.clip(28_000 / energy - 1, 0, None) ** 0.7
