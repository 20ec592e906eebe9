"""The simulated ground, light and camera obey the laws they are drawn from."""

import numpy as np
import pytest

from tools.sim.camera import Camera, expose
from tools.sim.terrain import FIRST, SECOND, Lidar, make_scene, range_image
from tools.sim.terrain_ground import Style, crater_diameters, fractal, spectrum
from tools.sim.terrain_light import cast_shadow, shade
from tools.sim.terrain_truth import box_mean, slope_deg, truth


def test_the_same_seed_gives_the_same_scene() -> None:
    first, second = (make_scene(np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first.frame, second.frame)
    assert np.array_equal(first.range_mm, second.range_mm)
    assert np.array_equal(first.truth.hazard, second.truth.hazard)
    assert first.elevation_deg == second.elevation_deg


@pytest.mark.parametrize("generator", [FIRST, SECOND], ids=["first", "second"])
def test_scenes_have_both_safe_and_hazardous_ground(generator: object) -> None:
    shares = [
        make_scene(np.random.default_rng(seed), generator).truth.hazard.mean()  # type: ignore[arg-type]
        for seed in range(10)
    ]
    assert 0.02 < np.mean(shares) < 0.6


def test_small_craters_follow_a_cumulative_slope_of_minus_two() -> None:
    style = Style(crater_density=(0.1, 0.1), equilibrium_m=(1000.0, 1000.0))
    rng = np.random.default_rng(1)
    diameters = np.concatenate(
        [crater_diameters(rng, style, area_m2=3000.0, least_m=1.0, most_m=9.0) for _ in range(40)]
    )
    ratio = (diameters > 1).sum() / (diameters > 2).sum()
    assert ratio == pytest.approx((1 - 9**-2) / (2**-2 - 9**-2), rel=0.05)
    expected = 40 * 3000 * 0.1 * (1 - 9**-2)
    assert len(diameters) == pytest.approx(expected, rel=0.07)


def test_large_craters_are_rarer_than_in_equilibrium() -> None:
    style = Style(crater_density=(0.1, 0.1), equilibrium_m=(20.0, 20.0))
    rng = np.random.default_rng(2)
    diameters = crater_diameters(rng, style, area_m2=3e6, least_m=15.0, most_m=200.0)
    steady = (20 / 60) ** 2
    assert (diameters > 60).sum() / (diameters > 20).sum() < 0.6 * steady


@pytest.mark.parametrize("kind", ["smooth mare", "rough mare", "rough upland"])
def test_relief_has_the_published_power(kind: str) -> None:
    rng = np.random.default_rng(3)
    rows = np.concatenate([fractal(rng, 256, 0.5, kind) for _ in range(6)])
    power = (np.abs(np.fft.rfft(rows, axis=1)) ** 2).mean(axis=0) * 0.5 / 256 * 2
    frequency = np.fft.rfftfreq(256, 0.5)
    band = slice(3, 40)
    ratio = power[band] / spectrum(kind, frequency[band])
    # Equal power over the band within a factor of two: the shape of the spectrum is kept.
    assert 0.4 < np.exp(np.log(ratio).mean()) < 2.5
    assert np.log(ratio).std() < 0.5


@pytest.mark.parametrize("azimuth", [0.0, 90.0, 180.0, 270.0, 30.0, 130.0, 245.0, 315.0])
def test_a_pole_casts_a_shadow_of_the_right_length_away_from_the_sun(azimuth: float) -> None:
    height = np.zeros((128, 128), np.float32)
    height[62:67, 62:67] = 5.0
    dark = cast_shadow(height, 0.5, elevation_deg=20.0, azimuth_deg=azimuth)
    rows, columns = np.nonzero(dark)
    down, across = -np.sin(np.radians(azimuth)), -np.cos(np.radians(azimuth))
    along = (rows - 64) * down + (columns - 64) * across
    aside = (rows - 64) * across - (columns - 64) * down
    length = 5.0 / np.tan(np.radians(20.0)) / 0.5
    assert abs(along.max() - length) < 5
    assert along.min() > -4
    assert np.abs(aside).max() < 5


def test_slopes_towards_the_sun_are_bright() -> None:
    ramp = np.broadcast_to(np.arange(64, dtype=np.float32) * 0.05, (64, 64)).copy()
    # The ground rises with the column, so a sun at small columns (azimuth 180) shines on it.
    facing, _ = shade(ramp, 0.5, elevation_deg=30.0, azimuth_deg=180.0)
    averted, _ = shade(ramp, 0.5, elevation_deg=30.0, azimuth_deg=0.0)
    level, _ = shade(np.zeros((64, 64), np.float32), 0.5, elevation_deg=30.0, azimuth_deg=0.0)
    assert facing.mean() > level.mean() > averted.mean()


@pytest.mark.parametrize("law", ["lambert", "lunar-lambert", "hapke"])
def test_every_photometry_dims_with_a_sinking_sun(law: str) -> None:
    ground = np.zeros((64, 64), np.float32)
    levels = [
        shade(ground, 0.5, elevation_deg=e, azimuth_deg=10.0, law=law)[0].mean()
        for e in (5.0, 20.0, 60.0)
    ]
    assert 0 < levels[0] < levels[1] < levels[2]


def test_shot_noise_grows_with_the_square_root_of_light() -> None:
    rng = np.random.default_rng(4)
    light = np.concatenate([np.full((64, 128), 0.1), np.full((64, 128), 1.0)]).astype(np.float32)
    camera = Camera(blur_px=0.0, full_electrons=10_000.0, read_electrons=0.0, bits=12, level=0.8)
    frame = expose(rng, light, camera).astype(float)
    gain = 10_000 / 4095
    assert frame[:64].std() * gain == pytest.approx(np.sqrt(800), rel=0.05)
    assert frame[64:].std() * gain == pytest.approx(np.sqrt(8000), rel=0.05)


def test_slope_and_level_of_a_plane_are_exact_up_to_the_edge() -> None:
    rows, columns = np.mgrid[:96, :96].astype(np.float32)
    plane = 0.05 * rows - 0.02 * columns
    angle = slope_deg(plane, 0.5, 9)
    assert angle == pytest.approx(np.degrees(np.arctan(np.hypot(0.1, 0.04))), abs=0.01)
    assert box_mean(plane.astype(float), 9) == pytest.approx(plane, abs=1e-4)


def test_a_rock_above_the_limit_is_a_hazard_and_one_below_is_not() -> None:
    rock = np.zeros((256, 256), np.float32)
    rock[40:42, 80:82] = 0.4
    rock[200:202, 80:82] = 0.2
    result = truth(rock, rock, np.zeros((256, 256), bool), 0.25)
    assert result.hazard[10, 20]
    assert result.hazard.sum() == 1
    assert result.rock_m[10, 20] == pytest.approx(0.4)


def test_the_range_finder_measures_height_and_drops_out() -> None:
    rng = np.random.default_rng(6)
    ranges = range_image(rng, np.zeros((256, 256), np.float32), Lidar(0.03, 0.02))
    heard = ranges[ranges > 0]
    assert heard.mean() == pytest.approx(100_000, abs=2)
    assert heard.std() == pytest.approx(30, rel=0.03)
    assert (ranges == 0).mean() == pytest.approx(0.02, rel=0.2)
