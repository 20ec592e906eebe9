"""The classical way: fit the peaks by least squares, then turn their areas into oxides.

Twice: by sensitivities measured on BHVO-2G and scaling to 100 %, as is usual; and by inverting
the same fundamental-parameters physics that the simulator uses, air and all, which no board
would compute but which shows how far the physics goes.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from models.xrf.compositions import ANSWERED, OXIDES
from models.xrf.examples import BINNING, CHANNELS_KEV
from models.xrf.response import BACKGROUND_KNOTS_KEV, BHVO_PERCENT, Response
from tools.sim.xrf import ELEMENTS
from tools.sim.xrf import OXIDES as METAL_OF
from tools.sim.xrf_detector import templates

Array = NDArray[np.float64]

LEAST_SIGMA = 3
"""A smaller area is taken for none: sodium's, on a steep edge, would spoil the sum to 100 %."""

ROUNDS = 20
PLACES = [ELEMENTS.index(METAL_OF[oxide][0]) for oxide in OXIDES]
METAL_SHARES = np.array([METAL_OF[oxide][1] for oxide in OXIDES])


def areas(binned: NDArray[np.int64], response: Response) -> Array:
    """Return (spectra, contributors) counts by weighted least squares; none is negative."""
    lines = templates(CHANNELS_KEV, response.shape) @ BINNING
    inside = np.clip(CHANNELS_KEV, BACKGROUND_KNOTS_KEV[0], BACKGROUND_KNOTS_KEV[-1] - 1e-6)
    smooth = BSpline.design_matrix(inside, BACKGROUND_KNOTS_KEV, 3).toarray().T @ BINNING
    design = np.concatenate([lines, smooth])
    found = []
    for counts in binned:
        weight = 1 / np.sqrt(np.maximum(counts, 1))
        weighted = design * weight
        scatter = np.linalg.pinv(weighted @ weighted.T, rcond=1e-12, hermitian=True)
        fitted = (scatter @ (weighted @ (counts * weight)))[: len(lines)]
        sigma = np.sqrt(np.clip(np.diag(scatter), 0, None))[: len(lines)]
        found.append(np.where(fitted > LEAST_SIGMA * sigma, fitted, 0))
    return np.array(found)


def by_sensitivity(binned: NDArray[np.int64], response: Response) -> Array:
    """Return (spectra, 8) percent: areas over BHVO-2G's areas, scaled to 100."""
    glass = response.parts.counts[PLACES]
    known = np.array([BHVO_PERCENT.get(ELEMENTS[place], 0.0) for place in PLACES])
    certain = (glass > 0) & (known > 0)
    sensitivity = np.where(certain, known / METAL_SHARES / np.maximum(glass, 1), 0)
    return _scaled(areas(binned, response)[:, PLACES] * sensitivity)


def by_physics(binned: NDArray[np.int64], response: Response) -> Array:
    """Return (spectra, 8) percent at which theory gives the fitted areas; air from argon."""
    fitted = areas(binned, response)
    # Areas are counts of this dwell; only ratios count, so each spectrum is brought to theory's
    # scale by requiring that the oxides add up to 100 %.
    percent = by_sensitivity(binned, response)
    whole = np.full((len(binned), len(OXIDES)), 0.01)
    whole[:, : len(ANSWERED)] = np.maximum(percent, 0.01) / 100
    argon = fitted[:, len(ELEMENTS)] / response.argon_factor
    per_air = response.physics.argon(np.ones(1))[0]
    dwell = np.ones(len(binned))
    for _ in range(ROUNDS):
        mass = np.zeros((len(binned), len(ELEMENTS)))
        mass[:, PLACES] = whole * METAL_SHARES
        air = np.clip(argon / dwell / per_air, 0, 2e-3)
        theory = response.physics.intensities(mass, air) * response.factor
        ratio = fitted[:, PLACES] / np.maximum(theory[:, PLACES], 1e-12)
        whole = whole * ratio
        dwell = whole.sum(axis=1)
        whole = np.maximum(whole / dwell[:, None], 1e-5)
    return _scaled(whole)


def _scaled(percent: Array) -> Array:
    total = np.maximum(percent.sum(axis=1, keepdims=True), 1e-9)
    return 100 * percent[:, : len(ANSWERED)] / total


METHODS = {"peak_fit": by_sensitivity, "peak_fit_physics": by_physics}
