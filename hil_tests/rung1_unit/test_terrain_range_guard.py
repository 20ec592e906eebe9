"""What a range image forbids."""

from dataclasses import replace

import numpy as np
import pytest

from flight.autonomy.range_guard import RangePolicy, forbid, guard
from flight.instant import Instant
from flight.product.values import Frame, SensorKind
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


SCENE = make_scene(np.random.default_rng(6))
PICTURE = Frame("nav", SensorKind.CAMERA, 4, Instant(9, 0), SCENE.frame, axis=(PIXEL_UM,))
IMAGE = Frame(
    "lidar",
    SensorKind.RANGE,
    7,
    Instant(9, 0),
    (SCENE.range_mm // 2).astype(np.uint16),
    axis=(PIXEL_UM,),
    unit_counts=500,
)


def test_a_range_frame_says_what_its_counts_in_millimetres_forbid() -> None:
    word = guard(IMAGE, PICTURE)
    assert word is not None
    assert (word.shape, word.dtype) == ((1, 64, 64, 1), np.int8)
    assert np.array_equal(word[0, :, :, 0] == 1, forbid(SCENE.range_mm // 2 * 2, PIXEL_UM, POLICY))


def test_a_coarser_range_frame_of_the_same_ground_serves_too() -> None:
    coarse = replace(IMAGE, samples=IMAGE.samples[::2, ::2].copy(), axis=(2 * PIXEL_UM,))
    word = guard(coarse, PICTURE)
    assert word is not None
    hazard = inner(SCENE.truth.slope_deg > 11)
    assert inner(word[0, :, :, 0] == 1)[hazard].mean() > 0.99


@pytest.mark.parametrize(
    "unfit",
    [
        replace(IMAGE, kind=SensorKind.CAMERA),
        replace(IMAGE, axis=()),
        replace(IMAGE, axis=(PIXEL_UM * 11 // 10,)),
        replace(IMAGE, unit_counts=0),
        replace(IMAGE, samples=IMAGE.samples[:63]),
        replace(IMAGE, samples=np.ones((1030, 1030), np.uint16)),
    ],
)
def test_a_range_frame_that_does_not_fit_the_picture_says_nothing(unfit: Frame) -> None:
    assert guard(unfit, PICTURE) is None


def test_a_picture_of_unknown_scale_takes_the_ranges_word() -> None:
    assert guard(IMAGE, replace(PICTURE, axis=())) is not None


def test_the_steepest_step_a_count_can_show_overflows_nothing() -> None:
    cliff = np.full((1000, 1000), 1, np.uint16)
    cliff[:, 500:] = 65_535
    far = replace(IMAGE, samples=cliff, axis=(10_000,), unit_counts=1)
    word = guard(far, replace(PICTURE, axis=()))
    assert word is not None
    assert (word[0, :, 30:34, 0] == 1).all()
