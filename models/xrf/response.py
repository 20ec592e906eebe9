"""What the breadboard is, beyond theory: measured once, on the certified glass BHVO-2G.

The spectrum is taken apart into line shapes and a smooth background by non-negative least
squares. Air left in the beam is weighed by its own argon line. The tube's two unknowns are those
for which theory and measurement differ by the same factor at every line; what difference remains
is kept as one factor an element.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.optimize import minimize, nnls

from flight.autonomy import oxides
from flight.board.sensors.msa import read_msa
from tools.sim.xrf import ELEMENTS, Physics, Tube, breadboard
from tools.sim.xrf_detector import CONTRIBUTORS, Shape, templates

Array = NDArray[np.float64]

STANDARDS = Path("xrf") / "pixl_breadboard" / "standards"
FIT_KEV = (0.95, 11.3)
BACKGROUND_KNOTS_KEV = np.concatenate([[0.95] * 4, np.linspace(1.6, 10.5, 14), [11.3] * 4])
MODEL_ERROR = 0.01
"""Relative error allowed to the line shapes, beside that of the counts."""

TRUSTED = (13, 14, 19, 20, 22, 25, 26)
"""Elements that BHVO-2G holds enough of to be calibrated one by one; the others get the mean."""

BHVO_PERCENT = {
    11: 1.62, 12: 4.36, 13: 7.17, 14: 23.30, 15: 0.12, 19: 0.43, 20: 8.18, 22: 1.65, 23: 0.03,
    24: 0.03, 25: 0.13, 26: 8.37, 28: 0.01, 30: 0.01,
}  # fmt: skip
"""Certified mass of each element (Standards_Input_3_glasses, USGS)."""


@dataclass(frozen=True)
class Spectrum:
    """Counts with the energy of each channel."""

    energies_kev: Array
    counts: Array


@dataclass(frozen=True)
class Parts:
    """A spectrum taken apart."""

    counts: Array
    """(contributors,)"""
    sigma: Array
    """(contributors,) 1 standard deviation by the counts alone."""
    background: Array
    """(channels,) zero outside the fitted range."""

    def of(self, contributor: int | str) -> float:
        """Return one contributor's counts."""
        return float(self.counts[CONTRIBUTORS.index(contributor)])


@dataclass(frozen=True)
class Response:
    """All that turns a composition into counts of the breadboard."""

    physics: Physics
    shape: Shape
    factor: Array
    """(elements,) counts over theory."""
    argon_factor: float
    air_g_cm2: float
    """Between glass and detector when BHVO-2G was measured."""
    glass: Spectrum
    parts: Parts
    glass_mass: Array
    """(1, elements)"""


def read_spectrum(path: Path) -> Spectrum:
    """Return a spectrum in an EMSA/MAS file.

    Raises:
        FrameError: the file is no such spectrum.
        ValueError: its channels have no energies.
    """
    reading = read_msa(path.name, path.read_bytes())
    if len(reading.axis) != 2:
        raise ValueError(f"{path}: no energy axis: XPERCHAN, OFFSET and XUNITS are needed")
    channels = np.arange(len(reading.samples))
    energies = (reading.axis[0] + channels * reading.axis[1]) / 1e6
    return Spectrum(energies, reading.samples.astype(np.float64))


def binned(spectrum: Spectrum) -> NDArray[np.int64] | None:
    """Return (192,) counts in the model's bins; None: its channels do not cover them."""
    energies = spectrum.energies_kev
    step = (energies[-1] - energies[0]) / (len(energies) - 1)
    axis = round(energies[0] * 1e6), round(step * 1e6)
    return oxides.bins_of(spectrum.counts.astype(np.int64), *axis)


def take_apart(spectrum: Spectrum, shape: Shape) -> Parts:
    """Return the contributors' counts and the background by non-negative least squares."""
    inside = (spectrum.energies_kev > FIT_KEV[0]) & (spectrum.energies_kev < FIT_KEV[1])
    energies, counts = spectrum.energies_kev[inside], spectrum.counts[inside]
    lines = templates(spectrum.energies_kev, shape)[:, inside]
    smooth = BSpline.design_matrix(energies, BACKGROUND_KNOTS_KEV, 3).toarray().T
    design = np.concatenate([lines, smooth])
    weight = 1 / np.sqrt(counts + (MODEL_ERROR * counts) ** 2 + 10)
    found, _ = nnls((design * weight).T, counts * weight, maxiter=20_000)
    background = np.zeros(len(spectrum.counts))
    background[inside] = found[len(lines) :] @ smooth
    scatter = np.linalg.pinv((design * weight) @ (design * weight).T)
    sigma = np.sqrt(np.clip(np.diag(scatter), 0, None))[: len(lines)]
    return Parts(found[: len(lines)], sigma, background)


def calibrate(data: Path) -> Response:
    """Return the breadboard's response from its configuration and the BHVO-2G spectrum."""
    configuration = breadboard(data / STANDARDS)
    (path,) = sorted((data / STANDARDS).glob("*BHVO-2G*.msa"))
    glass, shape = read_spectrum(path), Shape()
    parts = take_apart(glass, shape)
    mass = np.array([[BHVO_PERCENT.get(element, 0.0) / 100 for element in ELEMENTS]])
    rows = [ELEMENTS.index(element) for element in TRUSTED]

    def judged(tube: Tube) -> tuple[Physics, Array, Array]:
        """Return physics, air and the factors under one guess at the tube."""
        physics, air = Physics(configuration, tube), np.array([5e-4])
        for _ in range(3):
            factor = parts.counts[: len(ELEMENTS)] / np.maximum(
                physics.intensities(mass, air)[0], 1e-9
            )
            air = parts.of(18) / (np.median(factor[rows]) * physics.argon(np.ones(1)))
        return physics, air, factor

    def spread(guess: Array) -> float:
        return float(np.log(judged(Tube(*np.abs(guess)))[2][rows]).std())

    best = minimize(spread, [9.0, 0.0014], method="Nelder-Mead", options={"maxfev": 80}).x
    physics, air, factor = judged(Tube(*np.abs(best)))
    mean = float(np.median(factor[rows]))
    trusted = np.isin(ELEMENTS, TRUSTED)
    # Magnesium and sodium are too few counts on a steep background to be trusted by themselves;
    # they lie next to aluminium and share its fate in windows and air.
    light = np.array(ELEMENTS) < min(TRUSTED)
    filled = np.where(trusted, factor, np.where(light, factor[ELEMENTS.index(13)], mean))
    return Response(physics, shape, filled, mean, float(air[0]), glass, parts, mass)
