"""The open canister from above: soil heaped in it, a flange with what lies on it, the deck around.

All is one height field in millimetres, lit as the Moon is (``terrain_light``): the wall's shadow
falls on the soil, grains throw theirs, a low sun hides the floor. On it lie metal that shines
where it mirrors the sun, facets that sparkle, and what a dusty window adds as a veil.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tools.sim.camera import Camera, blur, expose
from tools.sim.sample_state import DEPTH_MM, FLANGE_MM, RADIUS_MM, Range, State
from tools.sim.terrain_ground import patches
from tools.sim.terrain_light import shade, sun_vector

Field: TypeAlias = NDArray[np.float32]

PIXELS = 192
PIXEL_MM = 0.87
RIM_MM = 22.0
"""The flange stands this high above the deck."""
POURED_G_CM3 = 1.45
MOST_STONES = 160
STONES_A_GRAM = 2.0
"""Visible ones on the surface; only the uppermost layer shows."""
_BETWEEN = np.stack(
    [
        np.interp(np.linspace(0, PIXELS // 8 - 1, PIXELS), np.arange(PIXELS // 8), row)
        for row in np.eye(PIXELS // 8)
    ],
    axis=1,
).astype(np.float32)
"""(192, 24): linear interpolation between the points of a coarse field."""


@dataclass(frozen=True, slots=True)
class Light:
    """How a scene is lit and seen: ranges of uniform draws unless said."""

    elevation_deg: tuple[Range, ...] = ((10.0, 24.0), (28.0, 62.0))
    """The sun is in one of these bands."""
    laws: tuple[str, ...] = ("lunar-lambert", "lambert")
    glow: Range = (0.015, 0.12)
    """Light that reaches shadows from what shines around, as a share of direct light."""
    sparkles: Range = (0.0, 80.0)
    """Facets that send the sun into the camera."""
    veil: Range = (0.0, 0.2)
    """Light scattered by dust on the window, as a share of the brightest."""
    blur_px: Range = (0.4, 1.2)
    full_electrons: Range = (4_000.0, 40_000.0)
    read_electrons: Range = (5.0, 30.0)
    vignetting: Range = (0.0, 0.2)
    aim_px: float = 3.5
    """Standard deviation of where the canister's middle appears."""


def picture(rng: np.random.Generator, state: State, light: Light) -> NDArray[np.uint16]:
    """Return (192, 192) uint16 counts of ten bits."""
    down, across = (
        np.arange(PIXELS, dtype=np.float32) - PIXELS / 2 - rng.normal(0, light.aim_px)
        for _ in range(2)
    )
    pixel_mm = PIXEL_MM * float(rng.uniform(0.95, 1.05))
    down, across = down[:, None] * np.float32(pixel_mm), across[None, :] * np.float32(pixel_mm)
    away = np.hypot(down, across)
    texture = _Texture(rng)
    height, albedo = _things(rng, away)
    soil = _soil(rng, state, texture, (down, across), height)
    height = np.maximum(height, soil)
    covered = blur((soil > height - 0.05).astype(np.float32), 0.6)
    _stones(rng, state, height, covered, away, pixel_mm)
    _grains_on_seal(state, texture, height, covered, pixel_mm, aim=(down, across))
    albedo = albedo * (1 - covered) + np.float32(state.soil.albedo) * covered
    albedo *= 1 + np.float32(0.08) * texture.draw()
    band = light.elevation_deg[int(rng.integers(len(light.elevation_deg)))]
    elevation, azimuth = float(rng.uniform(*band)), float(rng.uniform(0, 360))
    law = light.laws[int(rng.integers(len(light.laws)))]
    seen, dark = shade(height, pixel_mm, elevation_deg=elevation, azimuth_deg=azimuth, law=law)
    level = np.float32(np.sin(np.radians(elevation)))
    seen = seen + np.float32(rng.uniform(*light.glow)) * level
    seen = seen * albedo + _shine(height, pixel_mm, elevation, azimuth) * (1 - covered) * ~dark
    seen = _sparkle(rng, seen, covered, dark, int(rng.uniform(*light.sparkles)))
    seen = _behind_dust(rng, seen, float(rng.uniform(*light.veil)))
    camera = Camera(
        blur_px=float(rng.uniform(*light.blur_px)),
        full_electrons=float(np.exp(rng.uniform(*np.log(light.full_electrons)))),
        read_electrons=float(rng.uniform(*light.read_electrons)),
        level=float(rng.uniform(0.6, 1.0)),
        vignetting=float(rng.uniform(*light.vignetting)),
        stripes=0.002,
        bits=10,
        black=8,
    )
    return expose(rng, seen.astype(np.float32), camera)


class _Texture:
    """Random fields out of one, shifted and turned: the Fourier transform is what costs time."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._field = patches(rng, PIXELS, 2.2)

    def draw(self) -> Field:
        """Return a (192, 192) field of unit deviation."""
        down, across = self._rng.integers(0, PIXELS, 2)
        field = np.roll(self._field, (int(down), int(across)), axis=(0, 1))
        return np.rot90(field, int(self._rng.integers(4)))


def _things(rng: np.random.Generator, away: Field) -> tuple[Field, Field]:
    """Return height over the deck and albedo of canister and deck without soil."""
    floor = RIM_MM - DEPTH_MM
    inside, outer = away < RADIUS_MM, away < RADIUS_MM + FLANGE_MM
    height = np.where(inside, floor, np.where(outer, RIM_MM, 0.0)).astype(np.float32)
    metal, deck = rng.uniform(0.3, 0.6), rng.uniform(0.15, 0.6)
    albedo = np.where(inside, 0.6 * metal, np.where(outer, metal, deck)).astype(np.float32)
    # The seal's groove, two thirds out on the flange.
    groove = np.abs(away - RADIUS_MM - 0.6 * FLANGE_MM) < 0.7
    return height, np.where(groove, albedo * np.float32(0.6), albedo)


def _soil(
    rng: np.random.Generator,
    state: State,
    texture: _Texture,
    aim: tuple[Field, Field],
    height: Field,
) -> Field:
    """Return the height of soil, far below everything where there is none."""
    down, across = aim
    soil = np.full_like(height, -1e3)
    rough = np.float32(0.5) * texture.draw()
    slope = np.tan(np.radians(0.55 * state.soil.friction_deg))
    floor = RIM_MM - DEPTH_MM
    inside = height == height.min()
    if state.mass_g > 0.5:
        middle = rng.normal(0, 8.0, 2)
        from_peak = np.hypot(down - middle[0], across - middle[1])
        cone = np.maximum(-np.float32(slope) * from_peak, -np.float32(rng.uniform(6, 25)))
        mean_mm = state.mass_g / POURED_G_CM3 / (np.pi * RADIUS_MM**2) * 1000
        heap = cone - cone[inside].mean() + mean_mm
        # A thin heap leaves the floor bare at its foot: what is taken there lies on the peak.
        heap = np.maximum(heap, 0)
        heap *= mean_mm / max(float(heap[inside].mean()), 1e-3)
        covered = inside & (heap > 0.3)
        soil[covered] = (floor + heap + rough)[covered]
    if state.spilled_g > 0.3:
        side = rng.uniform(0, 2 * np.pi)
        reach = RADIUS_MM + FLANGE_MM + rng.uniform(3, 18)
        at = reach * np.sin(side), reach * np.cos(side)
        width = 5.0 + 1.6 * np.sqrt(state.spilled_g)
        bell = np.exp(-((down - at[0]) ** 2 + (across - at[1]) ** 2) / (2 * width**2))
        volume = state.spilled_g / POURED_G_CM3 * 1000
        mound = volume / (2 * np.pi * width**2) * bell * (1 + 0.6 * texture.draw())
        outside = (height == 0) & (mound > 0.25)
        soil[outside] = mound[outside]
    return soil


def _stones(
    rng: np.random.Generator,
    state: State,
    height: Field,
    covered: Field,
    away: Field,
    pixel_mm: float,
) -> None:
    """Put the grains that are large enough to be seen on the soil, and some beside it."""
    lying = np.flatnonzero(covered > 0.7)
    share = min(len(lying) / PIXELS**2, 1.0)
    # The visible tail of the grains: those of a pixel and more.
    beyond = np.log(1000 * pixel_mm / state.soil.grain_um) / np.log(state.soil.spread)
    visible = 0.5 * float(np.exp(-0.5 * max(beyond, 0.0) ** 2))
    count = int(min(rng.poisson(MOST_STONES * share * (0.2 + 2 * visible)), MOST_STONES))
    strays = int(rng.poisson(2 + 0.5 * np.sqrt(state.spilled_g)))
    outside = np.flatnonzero(away > RADIUS_MM + 0.2 * FLANGE_MM)
    places = [lying[rng.integers(0, len(lying), count)]] if len(lying) else []
    places.append(outside[rng.integers(0, len(outside), strays)])
    for place in np.concatenate(places):
        radius = 0.6 * state.soil.coarse * float(np.exp(rng.exponential(0.45)))
        _stone(height, covered, divmod(int(place), PIXELS), radius / pixel_mm, pixel_mm)


def _grains_on_seal(
    state: State,
    texture: _Texture,
    height: Field,
    covered: Field,
    pixel_mm: float,
    *,
    aim: tuple[Field, Field],
) -> None:
    """Put what holds the lid off where it lies, and dust on the flange."""
    lid = state.lid
    middle = [float(np.interp(0.0, line.reshape(-1), np.arange(PIXELS))) for line in aim]
    ring = (RADIUS_MM + 0.6 * FLANGE_MM) / pixel_mm
    angles = [lid.azimuth, lid.azimuth + np.pi] if lid.level else [lid.azimuth]
    radius_px = lid.grain_um / 2000 / pixel_mm
    for angle in angles if lid.grain_um else ():
        # Sensor A stands at the right edge of the picture.
        at = (middle[0] + ring * np.sin(angle), middle[1] + ring * np.cos(angle))
        if lid.soft >= 3:
            along = np.linspace(-6, 6, 25)
            for step in along:
                place = (at[0] + step * np.sin(angle), at[1] + step * np.cos(angle))
                _stone(height, covered, (round(place[0]), round(place[1])), 0.6, pixel_mm)
        else:
            _stone(height, covered, (round(at[0]), round(at[1])), radius_px, pixel_mm)
    if lid.dust_um > 15:
        away = np.hypot(*aim)
        flange = (away > RADIUS_MM) & (away < RADIUS_MM + FLANGE_MM)
        thick = lid.dust_um / 1000 * np.maximum(1 + texture.draw(), 0)
        height[flange] += thick[flange]
        covered[flange] = np.maximum(covered, np.clip(8 * thick, 0, 0.9))[flange]


def _stone(
    height: Field, covered: Field, at: tuple[int, int], radius_px: float, pixel_mm: float
) -> None:
    """Lay a ball on what is there, in place; a small one covers its share of a pixel."""
    reach = max(int(np.ceil(radius_px)), 1)
    top, left = max(at[0] - reach, 0), max(at[1] - reach, 0)
    window = np.s_[top : at[0] + reach + 1, left : at[1] + reach + 1]
    piece = height[window]
    if not piece.size:
        return
    rows = np.arange(top, top + piece.shape[0])[:, None] - at[0]
    columns = np.arange(left, left + piece.shape[1])[None, :] - at[1]
    inside = np.maximum(radius_px**2 - rows**2 - columns**2, 0.0)
    if radius_px < 1:
        # Smaller than a pixel: its height spread over the pixel it lies in.
        inside = (radius_px**4 * ((rows == 0) & (columns == 0))).astype(np.float64)
    piece += (np.sqrt(inside) * 1.3 * pixel_mm).astype(np.float32)
    covered[window] = np.maximum(covered[window], np.minimum(np.sqrt(inside) / 0.8, 1.0))


def _shine(height: Field, pixel_mm: float, elevation: float, azimuth: float) -> Field:
    """Return what bare metal mirrors towards the camera, a wide lobe of brushed aluminium."""
    down, across = np.gradient(height, np.float32(pixel_mm))
    row, column, up = sun_vector(elevation, azimuth)
    half = np.array([row, column, up + 1.0])
    half = half / np.sqrt((half**2).sum())
    facing = half[2] - half[0] * down - half[1] * across
    cosine = facing / np.sqrt(1 + down * down + across * across)
    return (0.35 * np.clip(cosine, 0, 1) ** 40).astype(np.float32)


def _sparkle(
    rng: np.random.Generator,
    seen: Field,
    covered: Field,
    dark: NDArray[np.bool_],
    count: int,
) -> Field:
    rows, columns = rng.integers(0, PIXELS, (2, count))
    lit = ~dark[rows, columns] & (covered[rows, columns] > 0.2)
    strength = float(np.percentile(seen[::4, ::4], 98)) * rng.exponential(0.8, count)
    seen[rows[lit], columns[lit]] += strength[lit]
    return seen


def _behind_dust(rng: np.random.Generator, seen: Field, veil: float) -> Field:
    if veil < 0.01:
        return seen
    bright = float(np.percentile(seen[::4, ::4], 95))
    # The window is out of focus: its blotches are smooth, a coarse field between which to draw.
    coarse = np.clip(1 + 0.6 * patches(rng, PIXELS // 8, 3.0), 0, 2)
    blotches = _BETWEEN @ coarse @ _BETWEEN.T
    return seen * (1 - 0.5 * veil * blotches) + np.float32(veil * bright) * blotches
