"""Light on a height field: who stands in the shadow, and how bright the rest looks from above.

For shadows the sun is turned on to an axis: each line of pixels along the sun is one row, and a
pixel is dark when something before it in its row reaches above the sun's ray.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]

HAPKE_OPPOSITION_WIDTH = -3 / 8 * np.log(1 - 0.41)
"""Width of the opposition effect of a soil with 41 % filling (Hapke 1986)."""

EARTHLESS_GLOW = 0.004
"""Light in a cast shadow, from lit slopes around, as a share of a level lit surface."""


def sun_vector(elevation_deg: float, azimuth_deg: float) -> tuple[float, float, float]:
    """Return the unit vector to the sun as (row, column, up); azimuth 0 is along the columns."""
    elevation, azimuth = np.radians(elevation_deg), np.radians(azimuth_deg)
    flat = np.cos(elevation)
    return flat * np.sin(azimuth), flat * np.cos(azimuth), float(np.sin(elevation))


def cast_shadow(
    height_m: Field, pixel_m: float, *, elevation_deg: float, azimuth_deg: float
) -> NDArray[np.bool_]:
    """Return (rows, columns) bool: True where the sun is hidden behind higher ground."""
    azimuth = azimuth_deg % 360
    # Turn the field until the sun stands within 45 degrees of the left side.
    turns = int(((azimuth + 45) % 360) // 90)
    field = np.rot90(height_m, turns)[:, ::-1]
    # Rows by which a ray away from the sun falls off, a column.
    lean = -np.tan(np.radians((azimuth + 45) % 90 - 45))
    rows, columns = field.shape
    shift = np.arange(columns, dtype=np.float32) * np.float32(lean)
    whole = np.floor(shift).astype(np.intp)
    part = (shift - whole).astype(np.float32)
    reach = int(np.ceil(np.abs(shift).max())) + 1
    # Row r of ``lines`` follows the sun through the field; beyond the edges there is no ground.
    padded = np.pad(field, ((2 * reach, 2 * reach + 1), (0, 0)), mode="edge")
    start = np.arange(rows + 2 * reach)[:, None] + reach + whole[None, :]
    across = np.arange(columns)[None, :]
    lines = padded[start, across] * (1 - part) + padded[start + 1, across] * part
    # The nearest line to an edge pixel may pass half a pixel outside: keep one row beyond.
    outside = (start < 2 * reach - 1) | (start >= rows + 2 * reach)
    step_m = pixel_m * np.sqrt(1 + lean**2)
    climb = (np.arange(columns) * step_m * np.tan(np.radians(elevation_deg))).astype(np.float32)
    rays = lines + climb
    rays[outside] = -np.inf
    horizon = np.maximum.accumulate(rays, axis=1)
    dark = rays < horizon - np.float32(1e-3 * pixel_m)
    back = np.arange(rows)[:, None] + reach - np.round(shift).astype(np.intp)[None, :]
    return np.ascontiguousarray(np.rot90(dark[back, across][:, ::-1], -turns))


def shade(
    height_m: Field,
    pixel_m: float,
    *,
    elevation_deg: float,
    azimuth_deg: float,
    law: str = "lunar-lambert",
) -> tuple[Field, NDArray[np.bool_]]:
    """Return the brightness seen from straight above (1: level, sun overhead) and the shadows."""
    down, across = np.gradient(height_m, np.float32(pixel_m))
    steepness = np.sqrt(1 + down * down + across * across)
    row, column, up = sun_vector(elevation_deg, azimuth_deg)
    incidence = np.maximum((up - row * down - column * across) / steepness, 0)
    emission = 1 / steepness
    brightness = _LAWS[law](incidence, emission, np.radians(90 - elevation_deg))
    dark = cast_shadow(height_m, pixel_m, elevation_deg=elevation_deg, azimuth_deg=azimuth_deg)
    glow = np.float32(EARTHLESS_GLOW * up)
    return np.where(dark, glow, brightness.astype(np.float32) + glow), dark


def _lambert(incidence: Field, _emission: Field, _phase: float) -> Field:
    return incidence


def _lunar_lambert(incidence: Field, emission: Field, phase: float) -> Field:
    """McEwen (1991): a mixture of Lommel-Seeliger and Lambert that depends on the phase angle."""
    degrees = np.degrees(phase)
    share = 1 - 0.019 * degrees + 2.42e-4 * degrees**2 - 1.46e-6 * degrees**3
    share = np.float32(np.clip(share, 0, 1))
    seeliger = 2 * incidence / (incidence + emission + np.float32(1e-6))
    return share * seeliger + (1 - share) * incidence


def _hapke(incidence: Field, emission: Field, phase: float) -> Field:
    """Hapke (1981, 1986) with a dark lunar soil: opposition surge and multiple scattering."""
    albedo, asymmetry = 0.25, -0.25
    width = HAPKE_OPPOSITION_WIDTH
    surge = 1.0 / (1 + np.tan(phase / 2) / width)
    lobe = (1 - asymmetry**2) / (1 + 2 * asymmetry * np.cos(phase) + asymmetry**2) ** 1.5
    gamma = np.float32(np.sqrt(1 - albedo))
    lit = (1 + 2 * incidence) / (1 + 2 * incidence * gamma)
    seen = (1 + 2 * emission) / (1 + 2 * emission * gamma)
    single = np.float32((1 + surge) * lobe)
    return incidence / (incidence + emission + np.float32(1e-6)) * (single + lit * seen - 1)


_LAWS = {"lambert": _lambert, "lunar-lambert": _lunar_lambert, "hapke": _hapke}
