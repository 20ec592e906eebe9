"""A closer look at a place on simulated ground: what a hovering lander sees below the coarse view.

The coarse ground is interpolated and given what its pixels were too wide to show: small craters,
rocks and fine relief of the same style. So a site that looked clear from high up may turn out
not to be, as on the Moon.
"""

from dataclasses import replace

import numpy as np

from tools.sim.camera import blur
from tools.sim.terrain_ground import (
    SMALLEST_CRATER_PX,
    Field,
    Ground,
    Style,
    fractal,
    stamp_craters,
    stamp_rocks,
)


def settle(rng: np.random.Generator, style: Style) -> Style:
    """Return a style without ranges of population: one place on the Moon, at any scale."""
    low, high = np.log(style.crater_density)
    density = float(np.exp(rng.uniform(low, high)))
    low, high = np.log(style.rock_abundance)
    abundance = float(np.exp(rng.uniform(low, high)))
    kind = style.roughness[int(rng.integers(len(style.roughness)))]
    return replace(
        style,
        crater_density=(density, density),
        rock_abundance=(abundance, abundance),
        roughness=(kind,),
    )


def zoom(
    rng: np.random.Generator,
    coarse: Ground,
    row: int,
    column: int,
    style: Style,
    *,
    factor: int = 4,
) -> Ground:
    """Return ground as wide in pixels as the coarse one, ``factor`` times finer, about a pixel.

    The window is moved inwards where it would leave the coarse ground.
    """
    size = coarse.height_m.shape[0]
    part = size // factor
    top, left = (min(max(at - part // 2, 0), size - part) for at in (row, column))
    window = (slice(top, top + part), slice(left, left + part))
    height_m = _finer(coarse.height_m[window], factor)
    albedo = _finer(coarse.albedo[window], factor)
    pixel_m = coarse.pixel_m / factor
    relief = fractal(rng, size, pixel_m, style.roughness[0])
    height_m += relief - blur(relief, factor)
    largest = SMALLEST_CRATER_PX * factor / size
    stamp_craters(rng, height_m, albedo, pixel_m, style, largest=largest)
    rock_m = stamp_rocks(rng, height_m, pixel_m, style)
    return Ground(height_m, rock_m, albedo, pixel_m)


def _finer(field: Field, factor: int) -> Field:
    """Return a field with each pixel cut into ``factor`` squared, smooth between."""
    return blur(np.repeat(np.repeat(field, factor, axis=0), factor, axis=1), factor * 0.6)
