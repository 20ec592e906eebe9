"""Simulated sensors: programs whose frames depend on seed and number only."""

import sys
from subprocess import PIPE, Popen

import numpy as np
import pytest

from flight.autonomy.xrf import XrfPolicy, conclude
from flight.board.clock import BoardClock
from flight.board.sensors.opening import open_sensor
from flight.board.sensors.settings import SensorSettings
from flight.instant import Instant
from flight.product.values import Frame, Kind, SensorKind
from hil_tests.waiting import One, wait_until
from tools.sim import cubes
from tools.sim.__main__ import KINDS, axis_of, frame
from tools.sim.fluorescence import GAIN_MEV, OFFSET_MEV, make_spectrum
from tools.sim.terrain import make_scene


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_depends_on_seed_and_number_only(kind: str) -> None:
    assert np.array_equal(frame(kind, 3, 1), frame(kind, 3, 1))
    assert not np.array_equal(frame(kind, 3, 1), frame(kind, 3, 2))
    assert not np.array_equal(frame(kind, 3, 1), frame(kind, 4, 1))


def test_a_simulated_detector_is_a_sensor_that_a_restart_resumes() -> None:
    command = (sys.executable, "-m", "tools.sim", "xray", "--seed", "5", "--frames", "4")
    settings = SensorSettings(
        "xrf",
        SensorKind.XRAY,
        command=(*command, "--interval-s", "0", "--first", "{first}"),
        axis=axis_of("xray"),
        live_ms=60_000,
    )
    sensor = open_sensor(settings, BoardClock().now(), first=2)
    found: list[Frame] = []

    def turn(now: Instant) -> bool:
        found.extend(delivery for delivery in sensor.poll(now) if isinstance(delivery, Frame))
        return sensor.finished

    wait_until(One(sensor), turn)
    assert [f.number for f in found] == [2, 3]
    assert all(np.array_equal(f.samples, frame("xray", 5, f.number)) for f in found)
    assert (found[0].axis, found[0].live_ms) == ((OFFSET_MEV, GAIN_MEV), 60_000)


def test_a_simulated_range_image_shows_the_ground_of_its_camera_frame() -> None:
    scene = make_scene(np.random.default_rng((3, 1)))
    assert np.array_equal(frame("camera", 3, 1), scene.frame)
    ranges = frame("range", 3, 1)
    assert ranges.dtype == np.uint16
    assert np.array_equal(ranges, scene.range_mm // 2)


def test_a_simulated_cube_has_a_wavelength_for_each_band() -> None:
    cube = frame("cube", 1, 0)
    assert cube.shape == (len(cubes.AXIS_PM), 48, 48)
    assert (cube.dtype, axis_of("cube")) == (np.float32, cubes.AXIS_PM)
    assert 0 < cube.min() < cube.max() < 1


def test_a_tool_in_the_beam_is_seen_and_clean_soil_is_not_accused() -> None:
    def metals(steel: float) -> list[int]:
        samples = make_spectrum(np.random.default_rng(8), steel=steel)
        axis = (OFFSET_MEV, GAIN_MEV)
        spectrum = Frame("xrf", SensorKind.XRAY, 0, Instant(0, 0), samples, axis=axis)
        found = conclude(spectrum, (), 0, XrfPolicy())
        return [finding.label for finding in found if finding.kind is Kind.METAL]

    assert metals(0.0) == []
    assert 24 in metals(0.3)


def test_a_simulated_sensor_ends_when_nobody_reads() -> None:
    command = (sys.executable, "-m", "tools.sim", "xray", "--interval-s", "3600")
    with Popen(command, stdout=PIPE, stderr=PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.read(6) == b"\x93NUMPY"
        program.stdout.close()
        assert program.wait(60) == 0
        assert program.stderr is not None
        assert program.stderr.read() == b""
