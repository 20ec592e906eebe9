"""Scenes as the model meets them: prepared frames, and the truth about their cells.

Scene ``i`` of a set is drawn from ``default_rng((seed, i))``, so a set does not depend on how
many processes drew it. Training, calibration and each test set have seeds of their own.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from flight.autonomy.grid import squared_distance
from flight.autonomy.terrain import TerrainPolicy, prepare
from flight.instant import Instant
from flight.product.values import Frame, SensorKind
from tools.sim.terrain import FIRST, SECOND, UNSEEN_SUN, Generator, Scene, look_at
from tools.sim.terrain_ground import make_ground
from tools.sim.terrain_truth import Limits

TRAINING_SEED, ROUGH_SEED, SOFT_SEED = 11, 19, 23
CALIBRATION_SEED, STRESS_SEED = 112, 117
SECOND_SEED, UNSEEN_SUN_SEED, NOWHERE_SEED = 13, 14, 18

FOOTPRINT = TerrainPolicy().footprint_cells
"""Cells around a site's own that must be safe too."""

FINEST_M, COARSEST = 64.0, 3.0
"""Width of the closest look: 0.25 m a pixel of 256. Scenes span so many octaves above."""

ALL_SUN = Generator(FIRST.style, replace(FIRST.look, elevation_deg=((3.0, 60.0),)))
"""The first training world under any sun: half of what thresholds are calibrated on."""

STRESS = Generator(
    replace(
        FIRST.style,
        roughness_gain=(0.8, 2.0),
        rock_abundance=(0.005, 0.1),
        rock_flatness=(0.8, 1.3),
        tilt_deg=3.5,
        albedo_contrast=(0.03, 0.15),
    ),
    replace(
        ALL_SUN.look,
        blur_px=(0.4, 1.8),
        full_electrons=(2_000.0, 10_000.0),
        read_electrons=(20.0, 60.0),
        vignetting=(0.0, 0.3),
    ),
)
"""The other half: rougher ground and a poorer camera."""

ROUGH = Generator(STRESS.style, replace(STRESS.look, elevation_deg=FIRST.look.elevation_deg))
"""The same under the suns of training: without it the model would not know how little a poor
picture tells."""

SOFT = Generator(replace(FIRST.style, rock_abundance=(1e-4, 0.02)), FIRST.look)
"""Ground with few rocks, for frames of half the size: soft pictures, and large craters in them."""

TRAINING = (
    (FIRST, TRAINING_SEED, 256, 0.5),
    (ROUGH, ROUGH_SEED, 256, 0.3),
    (SOFT, SOFT_SEED, 128, 0.2),
)
"""World, seed, pixels a side of its frames, share of the training set."""

UNSEEN = Generator(FIRST.style, replace(FIRST.look, elevation_deg=UNSEEN_SUN))
"""The first training world under the elevations that training left out."""


NOWHERE = Generator(
    replace(SECOND.style, rock_abundance=(0.1, 0.3), roughness_gain=(7.0, 12.0)), SECOND.look
)
"""The second generator's world, so rugged and rocky that hardly a footprint is safe."""


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """A set of scenes; the first axis counts them."""

    inputs: NDArray[np.int8]
    """(N, 256, 256, 1)"""
    danger: NDArray[np.float32]
    """(N, 64, 64) worst of slope and relief over its limit: above 1 is a hazard."""
    shadow: NDArray[np.bool_]
    """(N, 64, 64)"""
    elevation_deg: NDArray[np.float32]
    """(N,)"""

    def of(self, chosen: NDArray[np.intp]) -> "Scenes":
        """Return the scenes of these numbers."""
        return Scenes(
            self.inputs[chosen],
            self.danger[chosen],
            self.shadow[chosen],
            self.elevation_deg[chosen],
        )

    @property
    def hazard(self) -> NDArray[np.bool_]:
        """(N, 64, 64) where a lander may not stand."""
        return self.danger > 1


def draw(generator: Generator, *, seed: int, count: int, looks: int = 1, size: int = 256) -> Scenes:
    """Return ``count`` grounds of a world, each under ``looks`` suns and cameras.

    Frames are of ``size`` pixels a side and at least 64 m wide.
    """
    return gather(partial(_scenes, generator, seed, looks, size), range(count))


def training(count: int, looks: int) -> Scenes:
    """Return ``count`` grounds of the training worlds, each under ``looks`` suns and cameras."""
    return together(
        [
            draw(generator, seed=seed, count=round(count * part), looks=looks, size=size)
            for generator, seed, size, part in TRAINING
        ]
    )


def gather(make: Callable[[int], "list[Scene]"], indices: Iterable[int]) -> Scenes:
    """Return the scenes that ``make`` gives for each index, prepared, drawn by two processes."""
    with ProcessPoolExecutor(2) as pool:
        rows = [
            row for rows in pool.map(partial(_rows, make), indices, chunksize=8) for row in rows
        ]
    inputs, danger, shadow, elevation = zip(*rows, strict=True)
    return Scenes(np.stack(inputs), np.stack(danger), np.stack(shadow), np.array(elevation))


def _scenes(generator: Generator, seed: int, looks: int, size: int, index: int) -> list[Scene]:
    rng = np.random.default_rng((seed, index))
    width_m = FINEST_M * 2 ** float(rng.uniform(0, COARSEST)) if index % 2 else FINEST_M
    ground = make_ground(rng, generator.style, size=size, pixel_m=width_m / size)
    return [look_at(rng, ground, generator.look) for _ in range(looks)]


def _rows(make: Callable[[int], list[Scene]], index: int) -> list[tuple[NDArray[np.generic], ...]]:
    rows = []
    for scene in make(index):
        tensor = prepare(frame_of(scene))
        if tensor is not None:
            elevation = np.float32(scene.elevation_deg)
            rows.append((tensor[0], danger(scene), scene.truth.shadow, elevation))
    return rows


def frame_of(scene: Scene) -> Frame:
    """Return a scene's exposure as flight's value."""
    axis = (round(scene.pixel_m * 1e6),)
    return Frame("camera", SensorKind.CAMERA, 0, Instant(0, 0), scene.frame, axis=axis)


def danger(scene: Scene) -> NDArray[np.float32]:
    """Return (64, 64) worst of slope and relief over its limit."""
    limits = Limits()
    scale = scene.frame.shape[0] / 256
    relief = scene.truth.relief_m / (limits.relief_px * scene.pixel_m * scale)
    return np.maximum(scene.truth.slope_deg / limits.slope_deg, relief).astype(np.float32)


def second(count: int) -> Scenes:
    """Return the test set from the second generator."""
    return draw(SECOND, seed=SECOND_SEED, count=count)


def unseen_sun(count: int) -> Scenes:
    """Return the test set under elevations that training left out."""
    return draw(UNSEEN, seed=UNSEEN_SUN_SEED, count=count)


def no_safe_site(count: int) -> Scenes:
    """Return ``count`` scenes in which no footprint is safe."""
    scenes = draw(NOWHERE, seed=NOWHERE_SEED, count=count + count // 4)
    nowhere = [not (squared_distance(truth) > FOOTPRINT**2).any() for truth in scenes.hazard]
    return scenes.of(np.flatnonzero(nowhere)[:count])


def calibration(count: int) -> tuple[Scenes, Scenes]:
    """Return scenes for thresholds, half from each calibration world; nobody else has their seeds.

    A lander meets ground that nobody drew for it: a promise that holds on the training world
    alone would be worth little there.
    """
    easy = draw(ALL_SUN, seed=CALIBRATION_SEED, count=count // 2)
    return easy, draw(STRESS, seed=STRESS_SEED, count=count // 2)


def together(parts: Sequence[Scenes]) -> Scenes:
    """Return several sets as one."""
    return Scenes(
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.danger for part in parts]),
        np.concatenate([part.shadow for part in parts]),
        np.concatenate([part.elevation_deg for part in parts]),
    )


def batches(order: Sequence[int], size: int) -> list[NDArray[np.intp]]:
    """Return an order of scenes cut into batches; a short rest is dropped."""
    array = np.asarray(order, np.intp)
    return [np.sort(array[i : i + size]) for i in range(0, len(array) - size + 1, size)]
