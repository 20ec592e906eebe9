"""What a range image forbids."""

import numpy as np

from flight.autonomy.range_guard import RangePolicy, forbid
from tools.sim.terrain import Lidar, make_scene, range_image
from tools.sim.terrain_truth import Limits

PIXEL_UM = 250_000
POLICY = RangePolicy()
MARGIN = 3
"""Cells at the edge, where windows are cut."""


def ranges(height_mm: np.ndarray) -> np.ndarray:
    return (100_000 - height_mm).astype(np.int32)


def inner(mask: np.ndarray) -> np.ndarray:
    return mask[MARGIN:-MARGIN, MARGIN:-MARGIN]


def lean(degrees: float) -> np.ndarray:
    across = np.arange(256) * 250 * np.tan(np.radians(degrees))
    return np.broadcast_to(across, (256, 256))


def test_level_ground_is_allowed_away_from_the_edge() -> None:
    mask = forbid(ranges(np.zeros((256, 256))), PIXEL_UM, POLICY)
    assert not inner(mask).any()
    assert mask[0].all()


def test_a_slope_is_forbidden_from_its_limit_on() -> None:
    assert not inner(forbid(ranges(lean(8.7)), PIXEL_UM, POLICY)).any()
    assert inner(forbid(ranges(lean(9.3)), PIXEL_UM, POLICY)).all()
    assert inner(forbid(ranges(lean(-9.3).T), PIXEL_UM, POLICY)).all()


def test_a_rock_is_forbidden_where_it_stands() -> None:
    height = np.zeros((256, 256))
    height[100:102, 60:62] = 350
    mask = forbid(ranges(height), PIXEL_UM, POLICY)
    assert mask[25, 15]
    assert inner(mask).sum() <= 2


def test_what_the_laser_did_not_hear_is_forbidden() -> None:
    silent = ranges(np.zeros((256, 256)))
    silent[120:136, 120:136] = 0
    mask = forbid(silent, PIXEL_UM, POLICY)
    assert mask[31:33, 31:33].all()
    single = ranges(np.zeros((256, 256)))
    single[::16, ::16] = 0
    assert not inner(forbid(single, PIXEL_UM, POLICY)).any()


def test_noise_and_drop_outs_of_a_flash_lidar_do_not_close_level_ground() -> None:
    rng = np.random.default_rng(5)
    image = range_image(rng, np.zeros((256, 256), np.float32), Lidar())
    assert inner(forbid(image, PIXEL_UM, POLICY)).mean() < 0.001


def test_hardly_a_true_hazard_escapes_the_guard() -> None:
    hazards = escaped = 0
    for seed in range(12):
        scene = make_scene(np.random.default_rng(seed))
        mask = forbid(scene.range_mm, round(scene.pixel_m * 1e6), POLICY)
        hazards += int(inner(scene.truth.hazard).sum())
        escaped += int((inner(scene.truth.hazard) & ~inner(mask)).sum())
    assert hazards > 1000
    assert escaped * 1000 <= hazards
    assert Limits().slope_deg == 10
