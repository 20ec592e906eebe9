"""Reflectance spectra of powders: intimate mixtures, grain size, space weathering, instruments.

The theory, after Hapke. A grain of a mineral scatters a share w of the light it removes, its
single-scattering albedo. Light that enters the grain is dimmed on its way through by a factor
theta, the internal transmission; w follows from theta and the refractive index. In an intimate
mixture the albedos add up, weighted by cross-section. Three things can then be done to a
measured spectrum without knowing the mineral's optical constants: mix it with others (add w),
change its grain size (a power of theta), and weather it (iron spheres of a few nanometres in the
grains' rims dim each passage; Hapke 2001). Back from w comes reflectance as a laboratory sees it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

INCIDENCE_COSINE = np.cos(np.radians(30.0))
EMISSION_COSINE = 1.0
"""RELAB's standard geometry: light from 30 degrees, seen from above."""

HOST_INDEX = 1.7
"""Refractive index of the silicate grains."""

SURFACE_OUTSIDE = ((HOST_INDEX - 1) / (HOST_INDEX + 1)) ** 2 + 0.05
"""Reflection of diffuse light that meets a grain from outside (Hapke 1993, eq. 5.37)."""

SURFACE_INSIDE = 1.014 - 4 / (HOST_INDEX * (HOST_INDEX + 1) ** 2)
"""The same from inside (Hapke 1993, eq. 5.38)."""

IRON = np.array(
    [
        (0.397, 2.24, 2.58), (0.451, 2.59, 2.77), (0.496, 2.74, 2.88), (0.549, 2.95, 2.93),
        (0.617, 2.88, 3.05), (0.704, 2.86, 3.19), (0.821, 2.94, 3.39), (0.984, 2.92, 3.79),
        (1.216, 3.03, 4.39), (1.610, 3.11, 5.39), (1.937, 3.17, 6.12), (2.600, 3.30, 7.60),
    ]
)  # fmt: skip
"""Wavelength in micrometres, n and k of iron (Johnson & Christy 1974; the last row is carried on
in a straight line, for their measurements end at 1.937)."""


def albedo_of(reflectance: Array) -> Array:
    """Return single-scattering albedo from reflectance, both 0 to 1 (isotropic scatterers)."""
    a, b = 2 * INCIDENCE_COSINE, 2 * EMISSION_COSINE
    ceiling = (1 + a) * (1 + b) / (4 * (INCIDENCE_COSINE + EMISSION_COSINE))
    share = np.clip(reflectance, 1e-4, 0.995 * ceiling) / ceiling
    # (1 - g^2) = share (1 + a g)(1 + b g), with g = sqrt(1 - w): a quadratic in g.
    square, line, constant = 1 + share * a * b, share * (a + b), share - 1
    gamma = (-line + np.sqrt(line**2 - 4 * square * constant)) / (2 * square)
    return 1 - gamma**2


def reflectance_of(albedo: Array) -> Array:
    """Return reflectance from single-scattering albedo, the inverse of ``albedo_of``."""
    gamma = np.sqrt(1 - np.clip(albedo, 0.0, 1.0))
    bright = 1.0
    for cosine in (INCIDENCE_COSINE, EMISSION_COSINE):
        bright = bright * (1 + 2 * cosine) / (1 + 2 * cosine * gamma)
    return albedo / (4 * (INCIDENCE_COSINE + EMISSION_COSINE)) * bright


def transmission_of(albedo: Array) -> Array:
    """Return the internal transmission theta of grains with this albedo (Hapke 1993, eq. 5.52)."""
    inner = np.clip((albedo - SURFACE_OUTSIDE) / (1 - SURFACE_OUTSIDE), 1e-5, 0.99999)
    return inner / (1 - SURFACE_INSIDE + inner * SURFACE_INSIDE)


def albedo_from(transmission: Array) -> Array:
    """Return the albedo of grains with this internal transmission, inverse of the above."""
    inner = (1 - SURFACE_INSIDE) * transmission / (1 - SURFACE_INSIDE * transmission)
    return SURFACE_OUTSIDE + (1 - SURFACE_OUTSIDE) * inner


def iron_absorption(wavelength_nm: Array) -> Array:
    """Return the absorption that iron spheres add, per unit volume share and micrometre of path.

    Maxwell-Garnett for spheres much smaller than the wavelength (Hapke 2001, eq. 16).
    """
    micrometres = np.asarray(wavelength_nm) / 1000
    n = np.interp(micrometres, IRON[:, 0], IRON[:, 1])
    k = np.interp(micrometres, IRON[:, 0], IRON[:, 2])
    host = HOST_INDEX
    z = host**3 * n * k / ((n**2 - k**2 + 2 * host**2) ** 2 + (2 * n * k) ** 2)
    return 36 * np.pi * z / micrometres


@dataclass(frozen=True)
class Weather:
    """What happened to a powder, apart from what it is made of. Arrays are (spectra, 1)."""

    grain: Array
    """Grain size over that of the measured powder."""
    iron: Array
    """Volume share of iron spheres times path length in micrometres."""
    opaque: Array
    """Cross-section share of featureless dark grains: ilmenite, sulphides, agglutinate glass."""


FRESH, AGED = 0.60, 0.28
"""Shares of powders without and with some weathering; the rest is mature soil."""

MATURE_FROM, MATURE_BY = 0.02, 0.10
"""Iron in mature soil; powders with some weathering have less."""

HIDDEN_FROM, HIDDEN_BY = 0.03, 0.06
"""Iron at which minerals with bands begin to be, and are, hidden."""

REDDENED_FROM, REDDENED_BY = 0.001, 0.003
"""Iron at which the slope it brings begins to be, and is, more than an instrument's error."""


def draw_weather(count: int, rng: np.random.Generator) -> Weather:
    """Return random histories, from fresh powder to mature soil."""
    kind = rng.random((count, 1))
    mature = kind >= FRESH + AGED
    iron = np.where(kind < FRESH, 0.0, rng.uniform(0, MATURE_FROM, (count, 1)))
    iron = np.where(mature, rng.uniform(MATURE_FROM, MATURE_BY, (count, 1)), iron)
    opaque = np.where(rng.random((count, 1)) < 0.6, 0.0, rng.uniform(0, 0.35, (count, 1)))
    opaque = np.where(mature, rng.uniform(0.05, 0.45, (count, 1)), opaque)
    return Weather(np.exp(rng.normal(0, 0.45, (count, 1))), iron, opaque)


def hidden(weather: Weather) -> Array:
    """Return (spectra,) how far weathering hides minerals that have bands, 0 to 1."""
    return np.clip((weather.iron[:, 0] - HIDDEN_FROM) / (HIDDEN_BY - HIDDEN_FROM), 0, 1)


def reddened(weather: Weather) -> Array:
    """Return (spectra,) how far weathering hides a mineral known by its lack of bands, 0 to 1."""
    return np.clip((weather.iron[:, 0] - REDDENED_FROM) / (REDDENED_BY - REDDENED_FROM), 0, 1)


def weathered(albedo: Array, wavelength_nm: Array, weather: Weather) -> Array:
    """Return (spectra, bands) reflectance of powders after their history."""
    passage = transmission_of(albedo) ** weather.grain
    passage = passage * np.exp(-weather.iron * iron_absorption(wavelength_nm))
    dark = 0.12 + 0.05 * (np.asarray(wavelength_nm) / 1000 - 1)
    return reflectance_of(albedo_from(passage) * (1 - weather.opaque) + dark * weather.opaque)


WATER_NM = ((1410.0, 25.0, 0.03), (1930.0, 45.0, 0.06), (2210.0, 25.0, 0.025), (2320.0, 28.0, 0.03))
"""Centre, width and mean depth of the bands that water and hydroxyl leave in a mineral from Earth:
adsorbed water, and a trace of clay or amphibole that no sorting removes."""

DAMP = 0.35
"""Share of powders that show any of it."""


def dampness(count: int, wavelength_nm: Array, rng: np.random.Generator) -> Array:
    """Return (count, bands) factors: 1, or weak bands of water and hydroxyl."""
    wave = np.asarray(wavelength_nm)
    log = np.zeros((count, len(wave)))
    for centre, width, depth in WATER_NM:
        shown = rng.exponential(depth, (count, 1)) * (rng.random((count, 1)) < 0.5)
        off = wave - centre - rng.normal(0, 8, (count, 1))
        log -= shown * np.exp(-0.5 * (off / (width * rng.uniform(0.7, 1.5, (count, 1)))) ** 2)
    return np.exp(log * (rng.random((count, 1)) < DAMP))


@dataclass(frozen=True)
class Instrument:
    """A spectrometer: where its bands lie and how it errs."""

    wavelength_nm: Array
    signal_to_noise: float
    slope: float
    """1 sigma of a slow error over the range, relative: lamp, standard, topography."""
    seam: float
    """1 sigma of the step between two detectors, relative."""
    seam_nm: float


LEAST_BANDS, LEAST_SPAN_NM = 7, 450.0
"""No random instrument has fewer bands or a narrower range."""

LABORATORY, ORBITER, SCATTERED, PART = 0.25, 0.40, 0.55, 0.70
"""Shares of instruments, added up: a laboratory's even bands, an orbiter's, bands anywhere, one
detector's part of the range; the rest have filters. Few bands are what a network finds hardest."""

MOST_FILTERS = 32
SLOPES = (0.004, 0.06)
"""1 sigma of an instrument's slow error lies between these: a laboratory's, a spacecraft's."""

SEAM_OF_SLOPE = 0.086
"""The step between two detectors over the slow error."""


def draw_instrument(rng: np.random.Generator) -> Instrument:
    """Return a random instrument: a laboratory's, an orbiter's, part of a range, or filters."""
    kind = rng.random()
    if kind < LABORATORY:
        bands = np.arange(450.0, 2451.0, 5.0 if rng.random() < 0.3 else 10.0)
    elif kind < ORBITER:  # like the Moon Mineralogy Mapper's 83 bands, shifted and cut at random
        fine, coarse = np.arange(460.0, 1600.0, 20.0), np.arange(1600.0, 2500.0, 40.0)
        bands = np.concatenate([fine, coarse]) + rng.uniform(-10, 10)
        bands = bands[(bands > rng.uniform(440, 620)) & (bands < rng.uniform(2200, 2600))]
    elif kind < SCATTERED:
        count = int(rng.integers(24, 180))
        bands = np.sort(rng.uniform(rng.uniform(450, 620), rng.uniform(2150, 2500), count))
    elif kind < PART:
        low = 450.0 if rng.random() < 0.4 else rng.uniform(450, 1500)
        bands = np.arange(low, rng.uniform(low + LEAST_SPAN_NM + 25, 2480), rng.uniform(5, 25))
    else:
        bands = _filters(rng)
    if kind >= LABORATORY and rng.random() < 0.35:
        bands = _without_a_stretch(bands, rng)
    noise, slope = (float(np.exp(rng.uniform(*np.log(ends)))) for ends in ((60, 1000), SLOPES))
    return Instrument(bands, noise, slope, slope * SEAM_OF_SLOPE, float(rng.uniform(850, 1050)))


def _filters(rng: np.random.Generator) -> Array:
    """Return a few bands: anywhere, or most in the visible, as cameras have them."""
    count = int(np.rint(np.exp(rng.uniform(np.log(LEAST_BANDS), np.log(MOST_FILTERS)))))
    while True:
        visible = 0 if rng.random() < 0.5 else max(2, int(count * rng.uniform(0.3, 0.7)))
        low = 1000 if visible else 450
        anywhere = rng.uniform(low, 2450, count - visible)
        bands = np.sort(np.concatenate([rng.uniform(450, 1050, visible), anywhere]))
        if bands[-1] - bands[0] >= LEAST_SPAN_NM:
            return bands


def _without_a_stretch(bands: Array, rng: np.random.Generator) -> Array:
    """Return the bands outside a gap, as air or a seam between detectors makes one."""
    away = np.abs(bands - rng.uniform(700, 2300))
    left = bands[away > rng.uniform(20, 125)]
    enough = len(left) >= LEAST_BANDS and left[-1] - left[0] >= LEAST_SPAN_NM
    return left if enough else bands


def interpolation(known_nm: Array, wanted_nm: Array) -> Array:
    """Return (known, wanted) weights of linear interpolation, held at the ends."""
    after = np.clip(np.searchsorted(known_nm, wanted_nm), 1, len(known_nm) - 1)
    before = after - 1
    share = (wanted_nm - known_nm[before]) / (known_nm[after] - known_nm[before])
    share = np.clip(share, 0.0, 1.0)
    weights = np.zeros((len(known_nm), len(wanted_nm)))
    column = np.arange(len(wanted_nm))
    weights[before, column] = 1 - share
    weights[after, column] = share
    return weights


def observe(
    reflectance: Array, wavelength_nm: Array, instrument: Instrument, rng: np.random.Generator
) -> Array:
    """Return (spectra, instrument bands) reflectance as the instrument gives it, with errors."""
    bands = instrument.wavelength_nm
    seen = reflectance @ interpolation(wavelength_nm, bands)
    place = (bands - 450) / 1000 - 1
    count = len(seen)
    slow = rng.normal(0, instrument.slope, (count, 1)) * place
    slow += rng.normal(0, instrument.slope / 2, (count, 1)) * (place**2 - 0.4)
    step = rng.normal(0, instrument.seam, (count, 1)) * (bands > instrument.seam_nm)
    noise = rng.normal(0, 1 / instrument.signal_to_noise, seen.shape)
    return np.clip(seen * (1 + slow + step) + noise * seen.mean(axis=1, keepdims=True), 1e-4, 1.5)


def draw_strangers(count: int, wavelength_nm: Array, rng: np.random.Generator) -> Array:
    """Return (count, bands) reflectance of substances that no library here holds.

    A smooth continuum with one to six absorption bands anywhere, from the narrow ones of hydroxyl
    and carbonate to the broad ones of spinel and glass, and steep edges as of ferric oxides and
    leaves. They show the model what "none of these" may look like; no real substance is copied.
    """
    wave = np.asarray(wavelength_nm)
    place = (wave - 450) / 1000 - 1
    log = rng.normal(0, 0.35, (count, 1)) * place + rng.normal(0, 0.2, (count, 1)) * place**2
    edge = rng.uniform(450, 1200, (count, 1))
    rise = rng.exponential(0.7, (count, 1)) * (rng.random((count, 1)) < 0.4)
    log = log - rise / (1 + np.exp((wave - edge) / rng.uniform(15, 120, (count, 1))))
    for number in range(6):
        centre = rng.uniform(450, 2500, (count, 1))
        width = np.exp(rng.uniform(np.log(12), np.log(260), (count, 1)))
        depth = rng.exponential(0.35, (count, 1)) * (rng.random((count, 1)) < 0.5)
        if number == 0:  # at least one that shows
            depth = rng.uniform(0.15, 1.0, (count, 1))
        log = log - depth * np.exp(-0.5 * ((wave - centre) / width) ** 2)
    bright = rng.uniform(0.05, 0.9, (count, 1))
    shape = np.exp(log)
    return np.clip(bright * shape / shape.max(axis=1, keepdims=True), 1e-3, 1.0)
