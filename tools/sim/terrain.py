"""A lander's view of simulated lunar ground: camera frame, range image and the truth.

    scene = make_scene(np.random.default_rng(7))
    scene.frame        # (256, 256) uint16 counts
    scene.range_mm     # (256, 256) int32, 0 where the laser heard nothing
    scene.truth.hazard # (64, 64) bool

The same seed gives the same scene. ``SECOND`` draws from other distributions, photometry and
camera than ``FIRST``; nothing is trained on it.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tools.sim.camera import Camera, expose
from tools.sim.terrain_ground import Ground, Style, make_ground
from tools.sim.terrain_light import shade
from tools.sim.terrain_truth import Truth, truth

Field: TypeAlias = NDArray[np.float32]
Range: TypeAlias = tuple[float, float]

HOVER_M = 100.0
"""Height above the mean ground from which the fine look is taken."""


@dataclass(frozen=True, slots=True)
class Look:
    """How scenes are lit and seen: pairs are ranges of uniform draws unless said."""

    elevation_deg: tuple[Range, ...] = ((5.0, 10.0), (14.0, 22.0), (28.0, 38.0), (46.0, 56.0))
    """The sun's elevation lies in one of these bands; what lies between is never trained on."""
    laws: tuple[str, ...] = ("lunar-lambert", "lambert")
    law_weights: tuple[float, ...] = (0.85, 0.15)
    blur_px: Range = (0.4, 1.2)
    full_electrons: Range = (4_000.0, 40_000.0)
    read_electrons: Range = (5.0, 30.0)
    level: Range = (0.5, 1.1)
    vignetting: Range = (0.0, 0.15)
    stripes: Range = (0.0, 0.004)
    bits: tuple[int, ...] = (8, 10, 12)


@dataclass(frozen=True, slots=True)
class Generator:
    """A world to draw scenes from."""

    style: Style
    look: Look


FIRST = Generator(Style(), Look())
"""What the terrain model is trained on."""

SECOND = Generator(
    Style(
        crater_density=(0.004, 0.12),
        equilibrium_m=(20.0, 200.0),
        depth_ratio=(0.03, 0.2),
        depth_skew=1.4,
        rim_ratio=(0.2, 0.4),
        flat_floor=0.4,
        rock_abundance=(0.001, 0.1),
        rock_flatness=(0.7, 1.4),
        blocky=True,
        roughness=("rough mare", "rough upland"),
        roughness_gain=(0.6, 1.3),
        smoothing_px=(-1.0, 1.0),
        tilt_deg=2.5,
        albedo_contrast=(0.02, 0.15),
    ),
    Look(
        elevation_deg=((6.0, 55.0),),
        laws=("hapke",),
        law_weights=(1.0,),
        blur_px=(0.9, 1.6),
        full_electrons=(2_500.0, 9_000.0),
        read_electrons=(15.0, 45.0),
        level=(0.4, 1.0),
        vignetting=(0.1, 0.35),
        stripes=(0.0, 0.01),
        bits=(8, 14),
    ),
)
"""Never trained on: other populations, Hapke's photometry, a softer and noisier camera."""

UNSEEN_SUN = ((2.0, 5.0), (10.0, 14.0), (22.0, 28.0), (38.0, 46.0), (56.0, 60.0))
"""The elevations that ``FIRST`` leaves out."""


@dataclass(frozen=True, slots=True)
class Lidar:
    """A flash laser range finder."""

    noise_m: float = 0.03
    drop_outs: float = 0.01
    """Share of pixels without an echo."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One look at one piece of ground."""

    frame: NDArray[np.uint16]
    """(rows, columns) counts."""
    bits: int
    range_mm: NDArray[np.int32]
    """(rows, columns) distance straight down; 0: no echo."""
    truth: Truth
    pixel_m: float
    elevation_deg: float
    azimuth_deg: float


def make_scene(
    rng: np.random.Generator,
    generator: Generator = FIRST,
    *,
    size: int = 256,
    pixel_m: float = 0.25,
) -> Scene:
    """Return a random scene of ``size`` pixels a side, a multiple of 64."""
    ground = make_ground(rng, generator.style, size=size, pixel_m=pixel_m)
    return look_at(rng, ground, generator.look)


def look_at(
    rng: np.random.Generator,
    ground: Ground,
    look: Look,
    *,
    lidar: Lidar = Lidar(),
    sun_deg: tuple[float, float] | None = None,
) -> Scene:
    """Return the ground seen by a random camera, under a random sun or that of ``sun_deg``.

    ``sun_deg`` is (elevation, azimuth).
    """
    band = look.elevation_deg[int(rng.integers(len(look.elevation_deg)))]
    drawn = float(rng.uniform(*band)), float(rng.uniform(0, 360))
    elevation, azimuth = sun_deg or drawn
    law = look.laws[int(rng.choice(len(look.laws), p=look.law_weights))]
    light, dark = shade(
        ground.height_m, ground.pixel_m, elevation_deg=elevation, azimuth_deg=azimuth, law=law
    )
    camera = Camera(
        blur_px=float(rng.uniform(*look.blur_px)),
        full_electrons=float(np.exp(rng.uniform(*np.log(look.full_electrons)))),
        read_electrons=float(rng.uniform(*look.read_electrons)),
        level=float(rng.uniform(*look.level)),
        vignetting=float(rng.uniform(*look.vignetting)),
        stripes=float(rng.uniform(*look.stripes)),
        bits=look.bits[int(rng.integers(len(look.bits)))],
    )
    frame = expose(rng, light * ground.albedo, camera)
    return Scene(
        frame=frame,
        bits=camera.bits,
        range_mm=range_image(rng, ground.height_m, lidar),
        truth=truth(ground.height_m, ground.rock_m, dark, ground.pixel_m),
        pixel_m=ground.pixel_m,
        elevation_deg=elevation,
        azimuth_deg=azimuth,
    )


def range_image(
    rng: np.random.Generator, height_m: Field, lidar: Lidar, *, hover_m: float = HOVER_M
) -> NDArray[np.int32]:
    """Return (rows, columns) millimetres down to the ground; 0 where no echo came back."""
    distance_m = hover_m - (height_m - height_m.mean())
    distance_m = distance_m + np.float32(lidar.noise_m) * rng.standard_normal(
        height_m.shape, np.float32
    )
    heard = rng.random(height_m.shape, np.float32) >= lidar.drop_outs
    return np.where(heard, np.rint(distance_m * 1000), 0).astype(np.int32)
