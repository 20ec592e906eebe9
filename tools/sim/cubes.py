"""A hyperspectral look at simulated ground: minerals that change over it, and one stranger.

Five substances are drawn with the absorption bands that name them, mixed intimately by maps
that are rough at every scale, weathered, and observed by an instrument with errors; see
``spectra`` for the theory. One small patch is spinel, which has no band at one micrometre.
"""

import numpy as np
from numpy.typing import NDArray

from tools.sim.spectra import Instrument, Weather, albedo_of, observe, weathered
from tools.sim.terrain_ground import patches

BANDS_NM = np.concatenate([np.arange(540.0, 1580.0, 20.0), np.arange(1580.0, 2820.0, 40.0)])
"""83 bands, spaced like those of the Moon Mineralogy Mapper's global mode."""
AXIS_PM = tuple(round(band * 1000) for band in BANDS_NM)

SUBSTANCES = {
    "plagioclase": (0.55, 0.05, ((1250, 130, 0.08),)),
    "low-calcium pyroxene": (0.35, 0.10, ((915, 75, 0.35), (1900, 200, 0.30))),
    "high-calcium pyroxene": (0.33, 0.10, ((1000, 90, 0.36), (2250, 220, 0.26))),
    "olivine": (0.40, 0.05, ((850, 70, 0.14), (1050, 100, 0.38), (1250, 110, 0.20))),
    "ilmenite": (0.08, -0.05, ()),
}
"""Reflectance at 1500 nm, its relative rise over 1000 nm, and (centre, width, depth) of bands."""
SPINEL = (0.35, 0.05, ((2000, 260, 0.55),))
_INSTRUMENT = Instrument(BANDS_NM, signal_to_noise=250, slope=0.01, seam=0.003, seam_nm=950)


def make_cube(
    rng: np.random.Generator, *, lines: int = 48, samples: int = 48
) -> NDArray[np.float32]:
    """Return (bands, lines, samples) float32 reflectance; its bands are BANDS_NM."""
    library = albedo_of(np.stack([drawn(*substance) for substance in SUBSTANCES.values()]))
    maps = np.stack([patches(rng, max(lines, samples)) for _ in SUBSTANCES])
    shares = np.exp(2.0 * maps[:, :lines, :samples].reshape(len(SUBSTANCES), -1))
    albedo = (shares / shares.sum(axis=0)).T @ library
    stranger = (int(rng.integers(2, lines - 4)), int(rng.integers(2, samples - 4)))
    patch = np.zeros((lines, samples), np.bool_)
    patch[stranger[0] : stranger[0] + 3, stranger[1] : stranger[1] + 3] = True
    albedo[patch.reshape(-1)] = albedo_of(drawn(*SPINEL))
    count = len(albedo)
    weather = Weather(
        grain=np.full((count, 1), np.exp(rng.normal(0, 0.2))),
        iron=np.full((count, 1), rng.exponential(0.003)),
        opaque=np.zeros((count, 1)),
    )
    seen = observe(weathered(albedo, BANDS_NM, weather), BANDS_NM, _INSTRUMENT, rng)
    return seen.T.reshape(-1, lines, samples).astype(np.float32)


def drawn(
    level: float, rise: float, bands: tuple[tuple[int, int, float], ...]
) -> NDArray[np.float64]:
    """Return (bands,) reflectance of a fresh substance, given as in SUBSTANCES."""
    reflectance = level * (1 + rise * (BANDS_NM - 1500) / 1000)
    for centre, width, depth in bands:
        reflectance = reflectance * (1 - depth * np.exp(-0.5 * ((BANDS_NM - centre) / width) ** 2))
    return reflectance
