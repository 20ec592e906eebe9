"""Frames that belong together, by the moment at which they were taken."""

import numpy as np

from flight.board.sealedvalues import SealedFrame, seal_frame
from flight.companions import MOST_KEPT, Companion, Companions
from flight.instant import Instant
from flight.product.events import Event
from flight.product.values import Frame, SensorKind

MS = 1_000_000
PAIR_NS = 200 * MS


class Script:
    """A sensor that delivers what the test wrote down."""

    def __init__(self) -> None:
        self.name = "lidar"
        self.finished = False
        self.waiting: list[object] = []

    def fileno(self) -> None:
        return None

    def next_deadline_ns(self) -> None:
        return None

    def poll(self, now: Instant) -> tuple[object, ...]:
        found, self.waiting = tuple(self.waiting), []
        return found

    def close(self) -> None:
        self.finished = True


def taken(sensor: str, number: int, at_ms: int) -> Frame:
    kind = SensorKind.RANGE if sensor == "lidar" else SensorKind.CAMERA
    return Frame(sensor, kind, number, Instant(at_ms * MS, 0), np.zeros((2, 2), np.uint16))


def ranged(number: int, at_ms: int) -> SealedFrame:
    return seal_frame(taken("lidar", number, at_ms))


def beside_nav() -> tuple[Script, Companions]:
    script = Script()
    return script, Companions([Companion(script, "nav", PAIR_NS)])


def test_a_frame_takes_the_nearest_one_in_time_and_gives_it_its_number() -> None:
    script, companions = beside_nav()
    script.waiting = [ranged(number, at) for number, at in ((3, 900), (4, 1050), (5, 1150))]
    companions.poll(Instant(0, 0))
    found = companions.take(taken("nav", 17, 1000))
    assert found is not None
    assert (found.frame.sensor, found.frame.number, found.frame.taken) == (
        "lidar",
        17,
        Instant(1050 * MS, 0),
    )


def test_what_was_taken_too_far_apart_does_not_belong_together() -> None:
    script, companions = beside_nav()
    script.waiting = [ranged(0, 1201)]
    companions.poll(Instant(0, 0))
    assert companions.take(taken("nav", 0, 1000)) is None
    assert companions.take(taken("nav", 0, 1001)) is not None


def test_a_frame_waits_for_its_companions_and_no_longer_than_that() -> None:
    script, companions = beside_nav()
    frame = taken("nav", 0, 1000)
    assert companions.wait_ns(frame, Instant(1000 * MS, 0)) == 1200 * MS
    assert companions.wait_ns(frame, Instant(1200 * MS, 0)) is None
    script.waiting = [ranged(0, 1100)]
    companions.poll(Instant(1100 * MS, 0))
    assert companions.wait_ns(frame, Instant(1100 * MS, 0)) is None


def test_nobody_waits_for_a_sensor_that_has_finished_or_that_is_not_there() -> None:
    script, companions = beside_nav()
    assert companions.wait_ns(taken("other", 0, 1000), Instant(1000 * MS, 0)) is None
    assert companions.name_beside("other") == ""
    script.finished = True
    assert companions.wait_ns(taken("nav", 0, 1000), Instant(1000 * MS, 0)) is None
    assert companions.name_beside("nav") == "lidar"


def test_frames_that_nobody_takes_give_way_and_events_pass_through() -> None:
    script, companions = beside_nav()
    trouble = Event.SENSOR_FAILED(sensor="lidar", what="test")
    script.waiting = [ranged(0, 1000), trouble]
    assert companions.poll(Instant(0, 0)) == (trouble,)
    script.waiting = [ranged(number, 2000) for number in range(MOST_KEPT)]
    companions.poll(Instant(0, 0))
    assert companions.take(taken("nav", 0, 1000)) is None
