"""Lunar ground as a height field: fractal relief, craters, rocks, patches of albedo.

Craters follow the Neukum (1983) production function above the diameter at which the surface is
in equilibrium, and a cumulative slope of -2 below it, N(>D) = k / D^2 craters a square metre.
Fresh ones are a fifth to a quarter as deep as wide, old ones nearly gone. Rocks follow the
exponential law of Golombek & Rapp (1997): the area covered by rocks above D is k exp(-q D).
Relief between them has the power spectra of NASA SP-8023.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tools.sim.camera import blur

Field: TypeAlias = NDArray[np.float32]
Range: TypeAlias = tuple[float, float]

NEUKUM_1983 = (
    -2.5339,
    -3.6269,
    0.43662,
    0.79347,
    0.086468,
    -0.26485,
    -0.066382,
    0.037923,
    0.010596,
    -0.0022496,
    -0.00051797,
    0.0000397,
)
"""log10 N(>D) as a polynomial in log10 D, D in kilometres, valid from 0.01 to 300."""

SMALLEST_CRATER_PX = 3.0
SMALLEST_ROCK_PX = 1.2
_REACH = 2.2
"""A crater's relief ends at this many radii."""

MOST_CRATERS = 1500
MOST_ROCKS = 1500
"""Limits on the work of one scene; the largest ones are kept, they matter most."""


@dataclass(frozen=True, slots=True)
class Style:
    """From what a scene is drawn: each pair is the range of a uniform draw unless said."""

    crater_density: Range = (0.01, 0.2)
    """k of N(>D) = k / D^2 a square metre: 0.002 fresh to 0.2 old surfaces; log-uniform."""
    equilibrium_m: Range = (10.0, 120.0)
    """Below this diameter the slope is -2, above it the production function holds."""
    depth_ratio: Range = (0.02, 0.24)
    """Depth over diameter, 0.23 fresh; small ones at Chang'e-4 have a mean of 0.061."""
    depth_skew: float = 2.2
    """1: all depths alike; more: old, shallow craters prevail."""
    rim_ratio: Range = (0.15, 0.3)
    """Rim height over depth."""
    flat_floor: float = 0.0
    """Radius of a fresh crater's flat floor over its own: 0 is a parabola."""
    rock_abundance: Range = (0.0005, 0.06)
    """Share of the area under rocks, log-uniform; 0.0021 at Chang'e-4."""
    rock_flatness: Range = (0.5, 1.0)
    """Height of a rock over its radius."""
    blocky: bool = False
    """Rocks with steep sides and a flat top instead of domes."""
    roughness: tuple[str, ...] = ("smooth mare", "rough mare", "rough upland")
    roughness_gain: Range = (0.3, 1.5)
    smoothing_px: Range = (-4.0, 4.0)
    """Blur of the relief: old dust, or a height model's resolution; below 0 there is none."""
    tilt_deg: float = 2.0
    """Standard deviation of the whole scene's slope; sites are chosen flat, from orbit."""
    albedo_contrast: Range = (0.0, 0.1)
    """Standard deviation of the albedo's patches."""
    halo: float = 0.8
    """How much brighter the surroundings of the youngest craters may be."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A piece of the Moon. All fields are (rows, columns) float32."""

    height_m: Field
    rock_m: Field
    """How far rocks stand out above the soil; 0 where there is none."""
    albedo: Field
    """Relative to the mean, about 1."""
    pixel_m: float


def spectrum(kind: str, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a profile's power spectral density, m^2 per cycle/m (NASA SP-8023)."""
    if kind == "smooth mare":
        return 5 / (2e6 * frequency**3.35 + 10)
    if kind == "rough upland":
        return 2.5 / (2e5 * frequency**3.35 + 1)
    if kind == "rough mare":
        return 4 / (8e4 * frequency**3 + 1) + 1 / (3e3 * frequency**2 + 50)
    raise ValueError(f"no such roughness: {kind}")


def fractal(rng: np.random.Generator, size: int, pixel_m: float, kind: str) -> Field:
    """Return a random (size, size) field whose profiles have the spectrum of ``kind``."""
    rows = np.fft.fftfreq(size, pixel_m)[:, None]
    columns = np.fft.rfftfreq(size, pixel_m)[None, :]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = 1.0
    # An isotropic surface's density is its profiles' over frequency, up to a constant factor,
    # which the scaling below makes good.
    amplitude = np.sqrt(spectrum(kind, frequency) / frequency)
    amplitude[0, 0] = 0.0
    profile = np.fft.rfftfreq(size, pixel_m)[1:]
    wanted_rms = np.sqrt(spectrum(kind, profile).sum() * (profile[1] - profile[0]))
    return _noise(rng, amplitude, size) * np.float32(wanted_rms)


def patches(rng: np.random.Generator, size: int, exponent: float = 2.5) -> Field:
    """Return a random (size, size) field of unit deviation with a power-law spectrum."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1.0
    amplitude = frequency ** (-exponent / 2)
    amplitude[0, 0] = 0.0
    return _noise(rng, amplitude, size)


def _noise(rng: np.random.Generator, amplitude: NDArray[np.float64], size: int) -> Field:
    phases = rng.random(amplitude.shape, np.float32) * np.float32(2 * np.pi)
    spectrum_ = amplitude.astype(np.float32) * np.exp(1j * phases).astype(np.complex64)
    field = np.fft.irfft2(spectrum_, s=(size, size)).astype(np.float32)
    return field / field.std()


@lru_cache(maxsize=64)
def _cumulative(
    density: float, equilibrium_m: float, least_m: float, most_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return diameters and the number of craters a square metre above each."""
    diameter = np.geomspace(least_m, most_m, 200)
    power = np.arange(len(NEUKUM_1983))

    def production(metres: NDArray[np.float64]) -> NDArray[np.float64]:
        logarithm = np.log10(np.maximum(metres, 10.0) / 1000)
        return 10 ** (np.power.outer(logarithm, power) @ np.array(NEUKUM_1983))

    steady = density / diameter**2
    knee = np.array([equilibrium_m])
    steeper = density / equilibrium_m**2 * production(diameter) / production(knee)
    return diameter, np.where(diameter < equilibrium_m, steady, steeper)


def crater_diameters(
    rng: np.random.Generator, style: Style, *, area_m2: float, least_m: float, most_m: float
) -> NDArray[np.float64]:
    """Return the diameters of a random population, largest first."""
    low, high = np.log(style.crater_density)
    density = float(np.exp(np.round(rng.uniform(low, high), 1)))
    knee = float(np.round(rng.uniform(*style.equilibrium_m), -1)) or style.equilibrium_m[0]
    diameter, above = _cumulative(density, knee, least_m, most_m)
    count = int(rng.poisson((above[0] - above[-1]) * area_m2))
    draws = rng.uniform(above[-1], above[0], count)
    return np.sort(np.interp(draws, above[::-1], diameter[::-1]))[::-1][:MOST_CRATERS]


def stamp_craters(
    rng: np.random.Generator,
    height_m: Field,
    albedo: Field,
    pixel_m: float,
    style: Style,
    *,
    largest: float = 0.4,
) -> None:
    """Add a population of craters to a height field, and the young ones' rays, in place.

    ``largest`` is the widest diameter as a share of the field's side.
    """
    size = height_m.shape[0]
    side_m = size * pixel_m
    least_m, most_m = SMALLEST_CRATER_PX * pixel_m, largest * side_m
    margin_m = most_m / 2
    diameters = crater_diameters(
        rng, style, area_m2=(side_m + 2 * margin_m) ** 2, least_m=least_m, most_m=most_m
    )
    count = len(diameters)
    radii = (diameters / 2 / pixel_m).astype(np.float32)
    places = rng.uniform(-margin_m, side_m + margin_m, (count, 2)) / pixel_m
    freshness = rng.random(count, np.float32) ** np.float32(style.depth_skew)
    low, high = style.depth_ratio
    depths = diameters.astype(np.float32) * (low + (high - low) * freshness)
    rims = depths * rng.uniform(*style.rim_ratio, count).astype(np.float32)
    halos = style.halo * np.maximum(freshness - 0.6, 0) * rng.random(count, np.float32)
    reach = _REACH * radii + 1
    inside = ((places + reach[:, None] > 0) & (places - reach[:, None] < size)).all(axis=1)
    for i in np.flatnonzero(inside):
        window, square = _disc(height_m.shape, places[i], radii[i], _REACH)
        height_m[window] += _crater(square, depths[i], rims[i], freshness[i], style.flat_floor)
        if halos[i] > 0.05 and radii[i] > 4:
            window, square = _disc(albedo.shape, places[i], radii[i], 2 * _REACH)
            albedo[window] *= 1 + halos[i] * np.exp(-square / 4)


def _disc(
    shape: tuple[int, ...], place: NDArray[np.float64], radius: float, reach: float
) -> tuple[tuple[slice, slice], Field]:
    """Return the window around a place, and the squared distance in it, in radii."""
    top, left = np.maximum(np.floor(place - reach * radius - 1).astype(int), 0)
    bottom, right = np.minimum(np.ceil(place + reach * radius + 1).astype(int) + 1, shape)
    rows = (np.arange(top, bottom, dtype=np.float32) - np.float32(place[0])) / radius
    columns = (np.arange(left, right, dtype=np.float32) - np.float32(place[1])) / radius
    square = (rows * rows)[:, None] + (columns * columns)[None, :]
    return (slice(top, bottom), slice(left, right)), square


def _crater(
    square: Field, depth: np.float32, rim: np.float32, freshness: np.float32, floor: float
) -> Field:
    """Return a crater's relief at squared distances from its centre, in radii.

    A fresh one is a parabolic bowl with a sharp rim and a blanket of ejecta that falls with the
    cube of the distance; with age it relaxes to a shallow dish without edges.
    """
    wall = np.maximum(square - np.float32(floor**2), 0) / np.float32(1 - floor**2)
    bowl = (depth + rim) * (np.minimum(wall, 1) - 1)
    blanket = rim / np.maximum(square, 1) ** np.float32(1.5) - rim * np.float32(_REACH**-3)
    sharp = bowl + np.maximum(blanket, 0)
    dish = (rim * np.float32(0.8) * square - depth) * np.exp(np.float32(-1.3) * square)
    share = min(np.float32(1), freshness * np.float32(1.6))
    return share * sharp + (1 - share) * dish


def stamp_rocks(rng: np.random.Generator, ground_m: Field, pixel_m: float, style: Style) -> Field:
    """Return (rows, columns) how far rocks stand out; they are added to ``ground_m`` in place."""
    size = ground_m.shape[0]
    low, high = np.log(style.rock_abundance)
    abundance = float(np.exp(rng.uniform(low, high)))
    # The law is for metres; at a coarser pixel the same picture is drawn to that scale.
    unit = pixel_m / 0.25
    decay = 1.79 + 0.152 / abundance
    diameter = np.linspace(SMALLEST_ROCK_PX * 0.25, 4.0, 200)
    density = abundance * decay * np.exp(-decay * diameter) / (np.pi / 4 * diameter**2)
    above = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(diameter))])
    count = min(int(rng.poisson(above[-1] * (size * 0.25) ** 2)), MOST_ROCKS)
    widths = np.interp(rng.uniform(0, above[-1], count), above, diameter) * unit
    places = rng.uniform(0, size, (count, 2))
    flatness = rng.uniform(*style.rock_flatness, count)
    rock_m = np.zeros_like(ground_m)
    for place, width, flat in zip(places, widths, flatness, strict=True):
        radius = width / 2 / pixel_m
        window, square = _disc(ground_m.shape, place, radius, 1.0)
        dome = np.sqrt(1 - np.minimum(square, 1))
        shape = np.minimum(dome * 2, 1) if style.blocky else dome
        bulge = shape * np.float32(width / 2 * flat)
        rock_m[window] = np.maximum(rock_m[window], bulge)
    ground_m += rock_m
    return rock_m


def make_ground(
    rng: np.random.Generator, style: Style, *, size: int = 256, pixel_m: float = 0.25
) -> Ground:
    """Return a random piece of ground of ``size`` pixels a side."""
    kind = style.roughness[int(rng.integers(len(style.roughness)))]
    height_m = fractal(rng, size, pixel_m, kind) * np.float32(rng.uniform(*style.roughness_gain))
    tilt = np.tan(np.radians(rng.normal(0, style.tilt_deg, 2) / np.sqrt(2)))
    line = np.arange(size, dtype=np.float32) * np.float32(pixel_m)
    height_m += (tilt[0] * line).astype(np.float32)[:, None]
    height_m += (tilt[1] * line).astype(np.float32)[None, :]
    contrast = np.float32(rng.uniform(*style.albedo_contrast))
    albedo = np.clip(1 + contrast * patches(rng, size), 0.4, 1.8).astype(np.float32)
    stamp_craters(rng, height_m, albedo, pixel_m, style)
    height_m = blur(height_m, float(rng.uniform(*style.smoothing_px)))
    rock_m = stamp_rocks(rng, height_m, pixel_m, style)
    return Ground(height_m, rock_m, albedo, pixel_m)
