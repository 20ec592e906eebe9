"""Hazard map and site from raw outputs, and the model's input from a frame."""

import numpy as np
import pytest

from flight.autonomy.contrast import block_means
from flight.autonomy.terrain import (
    CELLS,
    INPUT_PIXELS,
    Ground,
    Site,
    TerrainPolicy,
    choose_site,
    classify,
    conclude,
    prepare,
)
from flight.instant import Instant
from flight.product.values import Finding, Frame, Kind, SensorKind

POLICY = TerrainPolicy(site_threshold=127)


def camera(samples: np.ndarray, axis: tuple[int, ...] = ()) -> Frame:
    return Frame("camera", SensorKind.CAMERA, 0, Instant(0, 0), samples, axis=axis)


def textured(rows: int, columns: int, dtype: type = np.uint8, level: int = 100) -> np.ndarray:
    noise = np.random.default_rng(1).integers(-level // 2, level // 2, (rows, columns))
    return (noise + level).astype(dtype)


def answer(
    hazard: np.ndarray, shadow: np.ndarray | None = None, risk: np.ndarray | None = None
) -> tuple[np.ndarray, ...]:
    dark = np.full_like(hazard, -100) if shadow is None else shadow
    planes = (hazard, dark, hazard if risk is None else risk)
    return (np.stack(planes, axis=-1).astype(np.int8)[None],)


def clear_map() -> np.ndarray:
    return np.full((CELLS, CELLS), -100)


@pytest.mark.parametrize("shape", [(128, 128), (256, 256), (800, 800), (480, 752), (131, 1000)])
def test_a_frame_of_any_size_becomes_one_input(shape: tuple[int, int]) -> None:
    tensor = prepare(camera(textured(*shape)))
    assert tensor is not None
    assert tensor.shape == (1, 256, 256, 1)
    assert tensor.dtype == np.int8


def test_exposure_does_not_change_what_the_model_sees() -> None:
    dim = textured(256, 256, np.uint16, level=500)
    bright = (dim * np.uint16(8)).astype(np.uint16)
    first, second = prepare(camera(dim)), prepare(camera(bright))
    assert first is not None
    assert second is not None
    assert np.abs(first.astype(int) - second).max() <= 1


def test_block_means_are_exact_where_blocks_are_uneven() -> None:
    samples = textured(800, 800)
    means = block_means(samples, INPUT_PIXELS)
    edges = [i * 800 // INPUT_PIXELS for i in range(INPUT_PIXELS + 1)]
    for row, column in ((0, 0), (3, 77), (127, 200), (255, 255)):
        block = samples[edges[row] : edges[row + 1], edges[column] : edges[column + 1]]
        assert means[row, column] == int(block.sum()) * 16 // block.size


@pytest.mark.parametrize("side", [128, 131, 200, 255])
def test_a_small_frame_is_widened_smoothly(side: int) -> None:
    samples = textured(side, side, np.uint16, level=60_000)
    means = block_means(samples, INPUT_PIXELS)
    place = np.clip((np.arange(256) + 0.5) * side / 256 - 0.5, 0, side - 1)
    rows = np.stack([np.interp(place, np.arange(side), row) for row in samples.astype(float)])
    expected = np.stack([np.interp(place, np.arange(side), row) for row in rows.T]).T
    assert np.abs(means / 16 - expected).max() <= 1 / 16


def test_a_frame_is_seen_in_full_up_to_256_pixels() -> None:
    samples = textured(256, 256)
    before = prepare(camera(samples))
    samples[100, 100] = 250
    after = prepare(camera(samples))
    assert before is not None
    assert after is not None
    assert after[0, 100, 100, 0] > 60
    assert np.count_nonzero(after[0, :, :, 0] > before[0, :, :, 0]) == 1


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((256, 256), np.uint8),
        np.full((256, 256), 255, np.uint8),
        np.full((256, 256), 77, np.uint16),
        np.where(np.arange(256) < 100, 255, textured(256, 256)).astype(np.uint8),
        np.random.default_rng(2).integers(0, 4, (256, 256)).astype(np.uint16),
        textured(64, 64),
        textured(256, 256)[:, :, None],
    ],
    ids=["black", "white", "blank", "overexposed", "dark noise", "small", "not an image"],
)
def test_a_frame_that_cannot_be_used_gives_none(samples: np.ndarray) -> None:
    assert prepare(camera(samples)) is None


def test_a_cube_is_not_a_camera_frame() -> None:
    frame = Frame("imager", SensorKind.CUBE, 0, Instant(0, 0), textured(256, 256))
    assert prepare(frame) is None


def test_shadow_is_not_safe() -> None:
    shadow = np.full((CELLS, CELLS), 100)
    outputs = answer(clear_map(), shadow)
    assert (classify(outputs, POLICY) == Ground.SHADOW).all()
    assert conclude((256, 256), outputs, POLICY)[0].kind == Kind.NO_SAFE_SITE


def test_no_safe_site_is_said_when_all_is_hazard() -> None:
    findings = conclude((256, 256), answer(np.full((CELLS, CELLS), 100)), POLICY)
    assert [f.kind for f in findings] == [Kind.NO_SAFE_SITE, Kind.HAZARD_AREA, Kind.SHADOW_AREA]
    assert findings[1].score == 1000


def test_no_safe_site_is_said_when_the_gaps_are_smaller_than_the_lander() -> None:
    hazard = clear_map()
    hazard[::4] = 100
    hazard[:, ::4] = 100
    assert conclude((256, 256), answer(hazard), POLICY)[0].kind == Kind.NO_SAFE_SITE


def test_the_site_is_the_smoothest_place_that_fits_the_lander() -> None:
    hazard = np.full((CELLS, CELLS), 100)
    hazard[10:20, 10:20] = -40
    hazard[40:50, 30:40] = -90
    site = conclude((800, 800), answer(hazard), POLICY)[0]
    assert site.kind == Kind.SAFE_SITE
    assert 40 <= site.row * CELLS // 800 < 50
    assert 30 <= site.column * CELLS // 800 < 40
    assert site.score == -90
    assert site.extent >= 2 * 800 // CELLS


def test_a_site_lies_in_the_central_square_of_a_wide_frame() -> None:
    hazard = np.full((CELLS, CELLS), 100)
    hazard[0:7, 0:7] = -90
    site = conclude((480, 752), answer(hazard), POLICY)[0]
    assert site.kind == Kind.SAFE_SITE
    assert 136 <= site.column < 136 + 7 * 480 // CELLS


def test_the_site_is_where_the_model_is_surest_not_where_it_sees_least() -> None:
    risk = clear_map() + 40
    risk[30:33, 50:53] = -90
    site = conclude((256, 256), answer(clear_map(), risk=risk), POLICY)[0]
    assert (site.row // 4, site.column // 4) == (31, 51)
    assert site.score == -100
    doubtful = TerrainPolicy(site_threshold=-91)
    assert conclude((256, 256), answer(clear_map(), risk=risk), doubtful)[0].kind == (
        Kind.NO_SAFE_SITE
    )


def test_beside_a_range_image_the_risk_ranks_and_does_not_forbid() -> None:
    risk = np.full((CELLS, CELLS), 120)
    risk[30:33, 50:53] = 100
    outputs = (*answer(clear_map(), risk=risk), np.zeros((1, CELLS, CELLS, 1), np.int8))
    site = conclude((256, 256), outputs, TerrainPolicy(site_threshold=-120))[0]
    assert (site.row // 4, site.column // 4) == (31, 51)


def test_a_doubtful_site_is_not_named() -> None:
    policy = TerrainPolicy(hazard_threshold=0, site_threshold=-50)
    assert conclude((256, 256), answer(clear_map() + 60), policy)[0].kind == Kind.NO_SAFE_SITE
    assert conclude((256, 256), answer(clear_map()), policy)[0].kind == Kind.SAFE_SITE


def test_a_known_scale_widens_the_footprint() -> None:
    closed = np.ones((CELLS, CELLS), bool)
    closed[20:27, 20:27] = False
    hazard = clear_map().astype(np.int64)
    assert choose_site(closed, hazard, POLICY) == Site(23, 23, named=True, score=-100)
    # Cells of 0.5 m: a clear radius of 2 m is four cells, and seven across are too few.
    assert not choose_site(closed, hazard, POLICY, cell_um=500_000).named


def test_the_divert_limit_forbids_what_lies_too_far() -> None:
    closed = np.ones((CELLS, CELLS), bool)
    closed[2:12, 2:12] = False
    hazard = clear_map().astype(np.int64)
    near = TerrainPolicy(site_threshold=127, divert_mm=20_000)
    far = TerrainPolicy(site_threshold=127, divert_mm=60_000)
    assert not choose_site(closed, hazard, near, cell_um=1_000_000).named
    assert choose_site(closed, hazard, far, cell_um=1_000_000).named


def test_the_model_and_the_range_image_can_each_forbid() -> None:
    forbidden = np.zeros((1, CELLS, CELLS, 1), np.int8)
    forbidden[:, :, 32:] = 1
    findings = conclude((256, 256), (*answer(clear_map()), forbidden), POLICY)
    assert findings[0].column < 128
    assert findings[-1] == Finding(Kind.FORBIDDEN_AREA, score=500)
    hazardous = (*answer(np.full((CELLS, CELLS), 100)), np.zeros_like(forbidden))
    assert conclude((256, 256), hazardous, POLICY)[0].kind == Kind.NO_SAFE_SITE


def test_the_map_shows_what_only_the_range_image_forbids() -> None:
    hazard = clear_map()
    hazard[:, :16] = 100
    forbidden = np.zeros((1, CELLS, CELLS, 1), np.int8)
    forbidden[:, :, :32] = 1
    classes = classify((*answer(hazard), forbidden), POLICY)
    assert (classes[:, :16] == Ground.HAZARD).all()
    assert (classes[:, 16:32] == Ground.FORBIDDEN).all()
    assert (classes[:, 32:] != Ground.FORBIDDEN).all()


def test_a_policy_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="footprint_cells"):
        TerrainPolicy(footprint_cells=40)
    with pytest.raises(ValueError, match="0 or more"):
        TerrainPolicy(divert_mm=-1)
