"""Sensors: folders of files and programs that write frames, as the loop polls them."""

import io
import os
from pathlib import Path
from select import select
from sys import executable

import numpy as np
import pytest

from flight.board.clock import BoardClock
from flight.board.sensors.opening import open_sensor
from flight.board.sensors.process import LONGEST_PAUSE_S
from flight.board.sensors.sensor import Delivery, Sensor
from flight.board.sensors.settings import SensorSettings, read_settings, settings_bytes
from flight.instant import Instant
from flight.product.events import Event, Happening
from flight.product.values import Frame, SensorKind
from hil_tests.waiting import PATIENCE_S, One, wait_until

START = Instant(1_000_000_000, 5)


def later(seconds: float) -> Instant:
    return Instant(START.mono_ns + round(seconds * 1e9), 5)


def save(folder: Path, name: str, array: np.ndarray) -> None:
    np.save(folder / name, array)


def frames(deliveries: tuple[Delivery, ...] | list[Delivery]) -> list[Frame]:
    return [delivery for delivery in deliveries if isinstance(delivery, Frame)]


def words(deliveries: tuple[Delivery, ...] | list[Delivery]) -> list[str]:
    return [delivery.words() for delivery in deliveries if isinstance(delivery, Happening)]


# ----------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "name must have"),
        ({"folder": None}, "either folder or command"),
        ({"command": ("x",)}, "either folder or command"),
        ({"interval_s": -1.0}, "interval_s"),
        ({"timeout_s": 0.0}, "timeout_s"),
        ({"shape": (4,)}, "shape needs 2 numbers"),
        ({"shape": (4, 0)}, "shape must lie"),
        ({"float_unit_counts": 0}, "unit counts"),
        ({"max_frame_bytes": 0}, "max_frame_bytes"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    good = {"name": "nav", "kind": SensorKind.CAMERA, "folder": tmp_path}
    with pytest.raises(ValueError, match=message):
        SensorSettings(**{**good, **fields})


def test_settings_come_to_the_host_as_they_are(tmp_path: Path) -> None:
    strange = SensorSettings(
        "nav", SensorKind.CUBE, folder=tmp_path / os.fsdecode(b"\xff"), axis=(1, 2), interval_s=0.3
    )
    program = SensorSettings("x", SensorKind.XRAY, command=("a", "{first}"), live_ms=5)
    for settings in (strange, program):
        assert read_settings(settings_bytes(settings)) == settings


# ----------------------------------------------------------------------------------- folders


def camera(folder: Path, *, first: int = 0, **fields: object) -> Sensor:
    settings = SensorSettings("nav", SensorKind.CAMERA, folder=folder, interval_s=2.0, **fields)
    return open_sensor(settings, START, first=first)


def test_a_folder_gives_a_frame_an_interval_in_name_order(tmp_path: Path) -> None:
    for value, name in enumerate(("b.npy", "a.npy", "c.npy")):
        save(tmp_path, name, np.full((2, 3), value, np.uint8))
    (tmp_path / "notes.txt").write_text("not a frame")
    sensor = camera(tmp_path)
    assert sensor.fileno() is None
    found = []
    for second in range(5):
        found += frames(sensor.poll(later(second)))
    assert [(f.name, f.number, f.taken) for f in found] == [
        ("a.npy", 0, later(0)),
        ("b.npy", 1, later(2)),
        ("c.npy", 2, later(4)),
    ]
    assert sensor.next_deadline_ns() == later(6).mono_ns
    assert words(sensor.poll(later(6))) == ["nav: no more frames after 3"]
    assert sensor.finished
    assert sensor.next_deadline_ns() is None
    assert sensor.poll(later(9)) == ()


def test_a_bad_file_is_one_event_and_uses_up_its_number(tmp_path: Path) -> None:
    save(tmp_path, "a.npy", np.zeros((2, 3), np.uint8))
    (tmp_path / "b.png").write_bytes(b"not a picture")
    save(tmp_path, "c.npy", np.ones((2, 3), np.uint8))
    sensor = camera(tmp_path)
    found = [sensor.poll(later(2 * step)) for step in range(3)]
    assert [frame.number for frame in frames(found[0] + found[2])] == [0, 2]
    assert words(found[1]) == ["nav: b.png: not a PNG image; check the file's name and content"]


def test_a_frame_of_the_wrong_size_names_both_sizes(tmp_path: Path) -> None:
    save(tmp_path, "a.npy", np.zeros((2, 3), np.uint8))
    (said,) = words(camera(tmp_path, shape=(4, 3)).poll(START))
    assert said.startswith("nav: a.npy: a frame of 2 x 3, the settings demand 4 x 3; set the")


def test_a_file_that_cannot_be_read_is_an_event(tmp_path: Path) -> None:
    save(tmp_path, "a.npy", np.zeros((2, 3), np.uint8))
    sensor = camera(tmp_path, watch=True)
    (tmp_path / "b.npy").symlink_to(tmp_path / "a.npy")
    sensor.poll(START)
    (tmp_path / "a.npy").unlink()
    assert words(sensor.poll(later(2))) == [
        "nav: b.npy: No such file or directory; check the file and its permissions"
    ]


def test_a_folder_that_is_missing_is_an_event_once(tmp_path: Path) -> None:
    sensor = camera(tmp_path / "absent")
    assert words(sensor.poll(START)) == [f"nav: {tmp_path}/absent: No such file or directory"]
    assert sensor.finished
    watching = camera(tmp_path / "absent", watch=True)
    assert len(words(watching.poll(START))) == 1
    assert watching.poll(later(2)) == ()
    (tmp_path / "absent").mkdir()
    save(tmp_path / "absent", "a.npy", np.zeros((2, 3), np.uint8))
    assert len(frames(watching.poll(later(4)))) == 1


def test_a_watched_folder_gives_files_that_come_later(tmp_path: Path) -> None:
    save(tmp_path, "a.npy", np.zeros((2, 3), np.uint8))
    sensor = camera(tmp_path, watch=True)
    assert len(frames(sensor.poll(START))) == 1
    assert sensor.poll(later(2)) == ()
    save(tmp_path, "b.npy", np.zeros((2, 3), np.uint8))
    assert [frame.number for frame in frames(sensor.poll(later(4)))] == [1]


def test_a_restart_goes_on_with_the_file_after_the_last(tmp_path: Path) -> None:
    for name in "abcd":
        save(tmp_path, f"{name}.npy", np.zeros((2, 3), np.uint8))
    (frame,) = frames(camera(tmp_path, first=2).poll(START))
    assert (frame.name, frame.number) == ("c.npy", 2)


def test_a_late_loop_reads_one_file_and_not_all_it_missed(tmp_path: Path) -> None:
    for name in "abc":
        save(tmp_path, f"{name}.npy", np.zeros((2, 3), np.uint8))
    sensor = camera(tmp_path)
    assert len(frames(sensor.poll(later(100)))) == 1
    assert len(frames(sensor.poll(later(100)))) == 1


def test_bad_samples_are_told_before_their_frame(tmp_path: Path) -> None:
    cube = np.full((3, 2, 2), 0.25, np.float32)
    cube[1] = np.nan
    save(tmp_path, "a.npy", cube)
    settings = SensorSettings(
        "spec", SensorKind.CUBE, folder=tmp_path, axis=(500_000, 600_000, 700_000)
    )
    bad, frame = open_sensor(settings, START).poll(START)
    assert bad == Event.FRAME_SAMPLES_INVALID(sensor="spec", frame=0, count=4)
    assert isinstance(frame, Frame)
    assert frame.samples[:, 0, 0].tolist() == [5000, 0, 5000]
    assert (frame.unit_counts, frame.axis) == (20_000, (500_000, 600_000, 700_000))


def test_a_cube_whose_axis_has_another_length_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "a.npy", np.zeros((3, 2, 2), np.uint16))
    settings = SensorSettings("spec", SensorKind.CUBE, folder=tmp_path, axis=(500_000,))
    assert "3 bands, an axis of 1" in words(open_sensor(settings, START).poll(START))[0]


# ----------------------------------------------------------------------------------- programs


def program(code: str, *, first: int = 0, **fields: object) -> Sensor:
    prelude = "import os, sys, io\nimport numpy as np\nout = sys.stdout.buffer\n"
    settings = SensorSettings(
        "nav", SensorKind.CAMERA, command=(executable, "-c", prelude + code, "{first}"), **fields
    )
    return open_sensor(settings, BoardClock().now(), first=first)


def deliveries(sensor: Sensor, count: int) -> list[Delivery]:
    found: list[Delivery] = []

    def turn(now: Instant) -> bool:
        found.extend(sensor.poll(now))
        return len(found) >= count

    try:
        wait_until(One(sensor), turn)
    finally:
        sensor.close()
    return found


def test_a_program_gives_frames_until_it_ends() -> None:
    code = "for i in range(3): np.save(out, np.full((40, 50), i, np.uint16))"
    found = deliveries(program(code), 4)
    assert [(f.number, int(f.samples[0, 0])) for f in frames(found)] == [(0, 0), (1, 1), (2, 2)]
    assert words(found) == ["nav: no more frames after 3"]


def test_a_restarted_program_is_told_where_to_begin() -> None:
    code = "np.save(out, np.full((2, 2), int(sys.argv[1]), np.uint8))"
    found = deliveries(program(code, first=7), 2)
    assert [(f.number, int(f.samples[0, 0])) for f in frames(found)] == [(7, 7)]


def test_a_program_that_fails_is_started_again_where_it_failed() -> None:
    code = (
        "n = int(sys.argv[1])\n"
        "np.save(out, np.full((2, 2), n, np.uint8)); out.flush()\n"
        "print('lens fell off', file=sys.stderr)\n"
        "os._exit(3)\n"
    )
    found = deliveries(program(code), 4)
    assert [f.number for f in frames(found)] == [0, 1]
    assert words(found)[0] == (
        "nav: the program ended with exit code 3: lens fell off; starting it again in 1 s"
    )


def test_a_frame_cut_short_is_told() -> None:
    code = "np.save(out, np.zeros((9, 9), np.uint8)); out.write(b'\\x93NUMPY'); out.flush()"
    found = deliveries(program(code), 2)
    assert "a frame was cut short" in words(found)[0]


def test_a_program_that_writes_no_arrays_is_stopped() -> None:
    found = deliveries(program("out.write(b'hello, this is the camera\\n')"), 1)
    assert words(found)[0].startswith("nav: nav: not a .npy array; write it with numpy.save")


def test_a_frame_above_the_limit_is_never_read() -> None:
    code = "np.save(out, np.zeros((2000, 2000), np.uint8))"
    found = deliveries(program(code, max_frame_bytes=1000), 1)
    assert "4000000 bytes of samples; the limit is 1000 bytes a frame" in words(found)[0]


def test_a_frame_of_another_kind_costs_itself_only() -> None:
    code = "np.save(out, np.zeros((2, 2, 2), np.uint8))\nnp.save(out, np.zeros((2, 2), np.uint8))"
    found = deliveries(program(code), 3)
    assert [f.number for f in frames(found)] == [1]
    assert "array of shape (2, 2, 2)" in words(found)[0]


def test_a_silent_program_is_killed_and_started_again() -> None:
    found = deliveries(program("sys.stdin.read()", timeout_s=0.2), 1)
    assert words(found) == ["nav: silent for 0.2 s; starting it again in 1 s"]


def test_a_loop_too_busy_to_listen_does_not_blame_the_program() -> None:
    sensor = program("np.save(out, np.ones((2000, 2000), np.uint8))", timeout_s=10.0)
    now = BoardClock().now()
    sensor.poll(now)  # starts it; its frame is larger than the pipe, so it waits for a reader
    select([sensor.fileno()], [], [], PATIENCE_S)
    late = Instant(now.mono_ns + 11_000_000_000, 0)
    found: list[Delivery] = []

    def turn(_: Instant) -> bool:
        found.extend(sensor.poll(late))
        return bool(found)

    wait_until(One(sensor), turn)
    assert len(frames(found)) == len(found) == 1
    sensor.close()


def test_a_missing_program_is_tried_ever_less_often() -> None:
    settings = SensorSettings("nav", SensorKind.CAMERA, command=("no-such-program",))
    sensor = open_sensor(settings, START)
    pauses, now = [], START
    for _ in range(9):
        (event,) = words(sensor.poll(now))
        assert "no-such-program: No such file or directory; check the command" in event
        deadline = sensor.next_deadline_ns()
        assert deadline is not None
        pauses.append((deadline - now.mono_ns) // 1_000_000_000)
        now = Instant(deadline, 0)
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_frames_of_any_program_are_what_numpy_would_load() -> None:
    file = io.BytesIO()
    np.save(file, np.arange(6, dtype=">u2").reshape(2, 3))
    found = deliveries(program(f"out.write({file.getvalue()!r})"), 2)
    assert frames(found)[0].samples.tolist() == [[0, 1, 2], [3, 4, 5]]
