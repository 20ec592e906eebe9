"""A sensor host gone wild: whatever it says, it is killed, told of, and holds nothing up."""

from pathlib import Path
from select import select

import pytest

from flight.board.clock import BoardClock
from hil_tests.rung1_unit.test_board_sensorhost import (
    camera,
    deliveries,
    hosted,
    numbers,
    started_as,
    wait_gone,
    words,
    write,
)
from hil_tests.waiting import PATIENCE_S

HOST = """
import socket, sys
import numpy as np
from dataclasses import replace
from flight.board.messages import Channel, Say, pack_message
from flight.board.sealed import seal
from flight.board.sealedvalues import frame_fields, seal_frame
from flight.instant import Instant
from flight.product.values import Frame, SensorKind
end = socket.socket(fileno=int(sys.argv[1]))
channel = Channel(end, most_bytes=0)
channel.receive(), channel.receive()
frame = Frame("nav", SensorKind.CAMERA, 0, Instant(1, 2), np.zeros((4, 6), np.uint8))
def deliver(frame, *, index=0, following=1, events=(), digest=bytes(32), crc=0, memory=None):
    sealed = seal_frame(frame)
    memories = (sealed.memory,) if memory is None else memory
    channel.send(Say.DELIVERED, index, following, False, list(events), frame_fields(frame),
                 digest, crc, memories=memories)
"""


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ("end.send(b'hello')", "not a message"),
        ("end.send(pack_message(Say.READY))", "sensor is missing"),
        ("channel.send(Say.READY, 0)", "READY was not asked for"),
        ("channel.send(Say.LOOKING, 9)", "sensor is not an integer within 0 and 0"),
        ("deliver(frame); deliver(frame)", "frame 0 is out of order"),
        ("deliver(replace(frame, sensor='other'))", "a frame of other, not of nav"),
        ("deliver(replace(frame, kind=SensorKind.CUBE))", "a frame of nav, not of nav"),
        ("deliver(replace(frame, number=5))", "frame 5 is out of order"),
        ("deliver(frame, following=0)", "frame 0 is out of order"),
        ("deliver(replace(frame, samples=np.zeros(24, np.uint8)))", "1 dimensions"),
        ("deliver(replace(frame, samples=np.zeros((200, 200), np.uint8)))", "more than 4000 bytes"),
        ("deliver(frame, memory=())", "DELIVERED without its memory"),
        ("deliver(frame, memory=(seal((b'short',)),))", "does not have its shape"),
        ("deliver(frame, digest=b'')", "digest is not a byte string"),
        ("deliver(frame, crc=-1)", "crc is not an integer"),
        ("deliver(frame, events=[[14, []]])", "event 14 takes 2 values"),
        ("deliver(frame, events=[[14, []]] * 99)", "events has more than 8 items"),
    ],
)
def test_a_host_gone_wild_is_killed_and_told_of_and_its_frame_is_not_taken(
    tmp_path: Path, lie: str, why: str
) -> None:
    code = HOST + lie + "\nsys.stdin.read()\n"
    with started_as(code), hosted(camera(write(tmp_path, 0), max_frame_bytes=1000)) as host:
        pid = host.pid()
        found = deliveries(host, 1) if "; deliver" not in lie else deliveries(host, 2)
        assert pid is not None
        wait_gone(pid)
    (said,) = words(found)
    assert said.startswith("nav: the reader speaks nonsense: ")
    # The second of two may come before or after it was asked for.
    assert why in said or ("; deliver" in lie and "was not asked for" in said)
    assert numbers(found) == ([0] if "; deliver" in lie else [])


def test_a_host_that_never_stops_talking_does_not_hold_up_a_turn(tmp_path: Path) -> None:
    code = HOST + "while True: channel.send(Say.LOOKING, 0)"
    with started_as(code), hosted(camera(write(tmp_path, 0))) as host:
        (feed,) = host.feeds
        feed.poll(BoardClock().now())
        for _ in range(20):
            select([host.fileno()], [], [], PATIENCE_S)
            assert feed.poll(BoardClock().now()) == ()
