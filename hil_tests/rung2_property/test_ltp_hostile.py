"""LTP engines under any datagram, and under a flood of sessions that never end."""

from random import Random  # noqa: TID251 - seeded

from hypothesis import given, settings
from hypothesis import strategies as st

from flight.instant import Instant
from flight.relay.errors import WireError
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.events import (
    BlockReceived,
    ReceptionFailed,
)
from flight.relay.ltp.segment import SegmentType, SessionId, read_segment
from flight.relay.ltp.settings import LtpSettings
from hil_tests.channel import NS
from hil_tests.rung2_property.test_ltp_channels import hostile_control, hostile_data

LIMITS = {
    "receive_sessions_max": 6,
    "receive_bytes_max": 3000,
    "closed_sessions_max": 8,
    "control_segments_max": 12,
    "send_sessions_max": 4,
    "block_bytes_max": 1 << 16,
}


@given(
    st.lists(st.one_of(st.binary(max_size=40), hostile_data, hostile_control), max_size=80),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_any_datagram_is_a_wire_error_or_has_an_effect_and_memory_stays_bounded(
    datagrams: list[bytes], data: st.DataObject
):
    engine = LtpEngine(LtpSettings(1, 2, segment_bytes=64, **LIMITS), seed=1)
    engine.set_contact(True, rate_bytes_s=1000, one_way_ns=NS, now=Instant(0, 0))
    now_ns = 0
    for index, datagram in enumerate(datagrams):
        now_ns += data.draw(st.sampled_from([0, 10_000_000, NS, 40 * NS]))
        now = Instant(now_ns, 0)
        engine.send_block(b"x" * 200, key=index, priority=index % 4, now=now)
        try:
            engine.receive(datagram, now)
        except WireError:
            engine.take_datagrams()
        engine.expire(now)
        for answer in engine.take_datagrams():
            read_segment(answer)
        for event in engine.take_events():
            if isinstance(event, BlockReceived) and data.draw(st.booleans()):
                engine.accept(event.session, now)
        counts = engine.counts()
        assert counts.send_sessions <= 4
        assert counts.receive_sessions <= 6
        assert engine._receiver._memory.held_bytes <= 3000 + 200
        assert len(engine._receiver._closed) <= 8
        assert len(engine._timers.control) <= 12
        assert engine._receiver._memory.held_bytes == sum(
            session.held_bytes for session in engine._receiver._sessions.values()
        )


@given(st.binary(max_size=60))
def test_a_decoded_segment_is_never_made_from_bytes_that_are_not_there(datagram: bytes):
    try:
        segment = read_segment(datagram)
    except WireError:
        return
    assert isinstance(segment.session, SessionId)
    assert datagram[0] in set(SegmentType)


def test_a_flood_of_sessions_that_never_end_stops_neither_a_large_block_nor_a_small_one():
    receiver = LtpEngine(LtpSettings(2, 1, receive_sessions_max=256), seed=2)
    sender = LtpEngine(LtpSettings(1, 2), seed=1)
    for engine in (receiver, sender):
        engine.set_contact(True, rate_bytes_s=10**15, one_way_ns=10**7, now=Instant(0, 0))
    random = Random(5)
    blocks = [random.randbytes(60_000), b"urgent"]
    for key, block in enumerate(blocks):
        sender.send_block(block, key=key, priority=1 - key, now=Instant(0, 0))
    sender.expire(Instant(0, 0))
    received, evicted = [], 0
    for step, datagram in enumerate(sender.take_datagrams()):
        for _ in range(50):
            number = 0x80 | random.randrange(1, 128), random.randrange(128)
            junk = bytes([0, 1, *number, 0, 1, random.randrange(100), 5]) + b"abcde"
            receiver.receive(junk, Instant(step * 1000, 0))
        receiver.receive(datagram, Instant(step * 1000 + 500, 0))
        assert receiver.counts().receive_sessions <= 256
        for event in receiver.take_events():
            evicted += isinstance(event, ReceptionFailed)
            if isinstance(event, BlockReceived):
                received.append(event.block)
    assert received == blocks[::-1]
    assert evicted > 1000
