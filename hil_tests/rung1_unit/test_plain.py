"""One bundle a datagram: paced, by urgency, and gone once it has left."""

import pytest

from flight.instant import Instant
from flight.relay.errors import WireError
from flight.relay.ltp.events import BlockDelivered, BlockFailed, BlockReceived
from flight.relay.ltp.segment import Reason
from flight.relay.plain import PlainEngine, UdpSettings

NS = 10**9


def at(seconds: float) -> Instant:
    return Instant(round(seconds * NS), 0)


def opened(rate: int = 1000, ends_s: float | None = None, **settings: int) -> PlainEngine:
    engine = PlainEngine(UdpSettings(**settings))
    ends_ns = None if ends_s is None else round(ends_s * NS)
    engine.set_contact(True, rate_bytes_s=rate, ends_mono_ns=ends_ns, now=at(1))
    return engine


def test_a_datagram_is_a_bundle():
    engine = opened()
    engine.receive(b"bundle", at(1))
    (event,) = engine.take_events()
    assert isinstance(event, BlockReceived)
    assert event.block == b"bundle"
    engine.accept(event.session, at(1))
    engine.refuse(event.session, Reason.SYSTEM, at(1))
    assert engine.take_datagrams() == ()
    assert engine.counts().segments_refused == 1
    with pytest.raises(WireError):
        engine.receive(b"", at(1))


def test_bundles_leave_at_the_contacts_rate_and_the_urgent_first():
    engine = opened(frame_bytes=28)
    assert engine.send_block(bytes(472), key=1, priority=3, now=at(1))
    assert engine.send_block(bytes(972), key=2, priority=3, now=at(1))
    engine.expire(at(1))
    assert engine.take_events() == (BlockDelivered(1),)
    assert engine.send_block(b"now", key=3, priority=0, now=at(1.2))
    engine.expire(at(1.2))
    assert engine.take_events() == ()
    assert engine.next_deadline_ns() == at(1.501).mono_ns
    engine.expire(at(1.501))
    assert engine.take_events() == (BlockDelivered(3),)
    engine.expire(at(1.6))
    assert engine.take_events() == (BlockDelivered(2),)
    assert [len(d) for d in engine.take_datagrams()] == [472, 3, 972]
    assert engine.next_deadline_ns() is None


def test_what_is_too_long_fails():
    engine = opened(datagram_bytes_max=100)
    assert engine.send_block(bytes(101), key=1, priority=1, now=at(1))
    assert engine.take_events() == (BlockFailed(1, Reason.SYSTEM),)


def test_nothing_begins_that_the_contacts_end_would_cut_off():
    engine = opened(ends_s=2)
    engine.send_block(bytes(600), key=1, priority=1, now=at(1))
    engine.send_block(bytes(600), key=2, priority=1, now=at(1))
    engine.expire(at(1))
    engine.expire(at(1.7))
    assert engine.take_events() == (BlockDelivered(1),)
    assert engine.next_deadline_ns() == at(2).mono_ns
    engine.expire(at(2))
    assert engine.take_events() == (BlockFailed(2, Reason.UNREACHABLE),)
    assert not engine.has_room(0)
    assert not engine.send_block(b"x", key=3, priority=0, now=at(2))


def test_a_bundle_that_waits_can_be_taken_back():
    engine = opened()
    engine.send_block(bytes(600), key=1, priority=1, now=at(1))
    engine.cancel_block(1, at(1))
    engine.cancel_block(1, at(1))
    assert engine.take_events() == (BlockFailed(1, Reason.USER),)


def test_the_last_places_are_for_priority_0():
    engine = opened(rate=10**9, send_blocks_max=8)
    key = 0
    while engine.has_room(1):
        engine.send_block(b"x", key=key, priority=1, now=at(1))
        key += 1
    assert key == 7
    assert engine.send_block(b"x", key=9, priority=0, now=at(1))
    assert not engine.has_room(0)


def test_a_closed_contact_gives_back_what_waits():
    engine = opened()
    engine.send_block(bytes(600), key=1, priority=1, now=at(1))
    engine.set_contact(False, now=at(1))
    assert engine.take_events() == (BlockFailed(1, Reason.UNREACHABLE),)
    assert engine.next_deadline_ns() is None
