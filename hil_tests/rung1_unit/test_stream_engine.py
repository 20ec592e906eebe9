"""The engine of a link over TCP: lines that come and go, contacts, pace, back-pressure."""

import pytest

from flight.instant import Instant
from flight.relay.convergence import make_engine
from flight.relay.errors import WireError
from flight.relay.ltp.events import BlockFailed
from flight.relay.ltp.segment import Reason
from flight.relay.settings import Layer, LinkSettings
from flight.relay.stream.line import MAX_LINES, Order, Told, pack, read_told
from flight.relay.stream.settings import TcpSettings, Tls
from hil_tests.streams import NS, Streams

STREAMS = [Layer.TCPCL4, Layer.TCPCL3, Layer.MTCP]
ACKED = [Layer.TCPCL4, Layer.TCPCL3]


def send(streams: Streams, blocks: list[bytes], *, side: int = 0, priority: int = 1) -> None:
    for key, block in enumerate(blocks):
        engine = streams.sides[side].engine
        streams.until(lambda engine=engine: engine.has_room(priority))
        assert engine.send_block(block, key=key, priority=priority, now=streams.now())


def blocks(count: int, size: int = 1000) -> list[bytes]:
    return [bytes([n % 256]) * size for n in range(count)]


@pytest.mark.parametrize("layer", STREAMS)
def test_bundles_cross_whole_and_in_order_both_ways(layer: Layer):
    streams = Streams(layer)
    streams.open()
    send(streams, blocks(100))
    send(streams, blocks(50), side=1)
    here, there = streams.sides
    streams.until(lambda: len(here.delivered) == 100 and len(there.delivered) == 50)
    assert there.received == blocks(100)
    assert here.received == blocks(50)
    assert not here.failed + there.failed


@pytest.mark.parametrize("layer", ACKED)
def test_a_bundle_is_delivered_only_when_the_other_side_has_accepted_it(layer: Layer):
    streams = Streams(layer)
    streams.open()
    here, there = streams.sides
    there.accepts = False
    send(streams, blocks(3))
    streams.run(2)
    assert len(there.waiting) == 3
    assert here.delivered == []
    there.accepts = True
    streams.run(0.1)
    assert here.delivered == [0, 1, 2]


@pytest.mark.parametrize("layer", ACKED)
def test_what_was_under_way_on_a_broken_line_goes_again_on_the_next(layer: Layer):
    streams = Streams(layer)
    streams.open()
    here, there = streams.sides
    there.accepts = False
    send(streams, blocks(5))
    streams.until(lambda: len(there.waiting) == 5)
    streams.cut(streams.cables[0])
    there.accepts = True
    streams.until(lambda: len(here.delivered) == 5)
    assert there.received == blocks(5) * 2  # twice: the node knows the identities
    assert here.engine.counts().segments_repeated == 5


@pytest.mark.parametrize("layer", ACKED)
def test_a_bundle_that_breaks_line_after_line_is_given_back(layer: Layer):
    streams = Streams(layer)
    streams.open()
    here, there = streams.sides
    there.accepts = False
    send(streams, blocks(1))
    for _ in range(3):
        there.waiting.clear()
        streams.until(lambda: len(there.waiting) == 1)
        streams.cut(streams.cables[0])
    streams.run(0.1)
    assert here.failed == [0]


@pytest.mark.parametrize("layer", STREAMS)
def test_without_a_contact_nobody_is_called_and_nothing_leaves(layer: Layer):
    engine = make_engine(LinkSettings(2, layer=layer), 1, seed=0)
    engine.set_contact(False, now=Instant(0, 0))
    engine.expire(Instant(0, 0))
    assert engine.take_datagrams() == ()
    assert engine.next_deadline_ns() is None
    assert not engine.has_room(0)
    assert not engine.send_block(b"x", key=1, priority=0, now=Instant(0, 0))


@pytest.mark.parametrize("layer", STREAMS)
def test_at_a_contacts_end_the_lines_end_and_what_was_not_taken_comes_back(layer: Layer):
    streams = Streams(layer, bytes_s=20_000)
    streams.open(rate_bytes_s=20_000, ends_s=10)
    here, there = streams.sides
    send(streams, blocks(20, 10_000))
    streams.run(20)
    assert sorted(here.delivered + here.failed) == list(range(20))
    assert 16 <= len(here.delivered) == len(there.received) <= 20
    assert streams.cables == []
    assert here.engine.next_deadline_ns() is None
    streams.open()
    send(streams, blocks(1))
    streams.until(lambda: 0 in here.delivered[-1:])


def test_a_bundle_that_would_not_arrive_in_time_does_not_begin():
    streams = Streams(Layer.TCPCL4, bytes_s=20_000)
    streams.open(rate_bytes_s=20_000, ends_s=2)
    streams.run(0.5)
    send(streams, blocks(1, 100_000))
    before = streams.sides[0].engine.counts().bytes_sent
    streams.run(1.4)
    assert streams.sides[0].engine.counts().bytes_sent == before
    assert streams.sides[0].failed == []
    streams.run(0.2)
    assert streams.sides[0].failed == [0]


@pytest.mark.parametrize("layer", STREAMS)
def test_the_contacts_rate_holds(layer: Layer):
    streams = Streams(layer)
    streams.open(rate_bytes_s=100_000)
    streams.run(1)
    began_ns, before = streams.now_ns, streams.sides[0].engine.counts().bytes_sent
    send(streams, blocks(100, 10_000))
    streams.until(lambda: len(streams.sides[0].delivered) == 100)
    sent = streams.sides[0].engine.counts().bytes_sent - before
    took_s = (streams.now_ns - began_ns) / NS
    assert 0.97 * 100_000 < sent / took_s < 1.03 * 100_000


def test_the_urgent_overtake_all_but_the_bundle_under_way():
    streams = Streams(Layer.TCPCL4)
    streams.open(rate_bytes_s=100_000)
    streams.run(0.5)
    here, there = streams.sides
    send(streams, blocks(2, 50_000), priority=3)
    streams.run(0.1)
    assert here.engine.has_room(0)
    here.engine.send_block(b"urgent", key=9, priority=0, now=streams.now())
    streams.until(lambda: len(here.delivered) == 3)
    assert [len(block) for block in there.received] == [50_000, 6, 50_000]


def test_a_slow_kernel_is_given_no_more_than_the_limit():
    streams = Streams(Layer.MTCP, bytes_s=1000, here=TcpSettings(port_bytes_max=5000))
    streams.open()
    send(streams, blocks(1, 100_000))
    streams.run(3)
    assert sum(len(cable.bytes[0]) for cable in streams.cables) <= 5000


@pytest.mark.parametrize("layer", STREAMS)
def test_while_too_much_is_not_durable_the_peer_waits(layer: Layer):
    streams = Streams(layer, bytes_s=10**7, there=TcpSettings(receive_blocks_max=4))
    streams.open()
    here, there = streams.sides
    there.accepts = False
    for key, block in enumerate(blocks(40, 5000)):
        here.engine.send_block(block, key=key, priority=0, now=streams.now())
    streams.run(5)
    assert 4 <= len(there.waiting) < 8
    there.accepts = True
    streams.until(lambda: len(there.received) == 40)
    assert there.received == blocks(40, 5000)


def test_both_may_call_and_each_sends_on_its_own_line():
    # ION and HDTN: an outduct there calls, an induct there is called.
    streams = Streams(Layer.TCPCL3, both_call=True)
    streams.open()
    streams.run(1)
    assert len(streams.cables) == 2
    send(streams, blocks(10))
    send(streams, blocks(10), side=1)
    here, there = streams.sides
    streams.until(lambda: len(here.delivered) == len(there.delivered) == 10)


def test_tls_is_ordered_once_and_the_session_goes_on_behind_it():
    settings = TcpSettings(tls=Tls.REQUIRED)
    streams = Streams(Layer.TCPCL4, here=settings, there=settings)
    streams.open()
    send(streams, blocks(3))
    streams.until(lambda: len(streams.sides[0].delivered) == 3)
    assert all(streams.cables[0].is_secure)


def test_a_peer_with_another_nodes_certificate_is_named_and_hung_up_on():
    settings = TcpSettings(tls=Tls.REQUIRED)
    streams = Streams(Layer.TCPCL4, here=settings, there=settings)
    streams.vouched = [("ipn:1.0",), ("ipn:3.0",)]
    streams.open()
    streams.run(0.5)
    complaint = "the peer says that it is 'ipn:2.0', its certificate 'ipn:3.0'"
    assert complaint in streams.sides[0].wrong
    streams.vouched = [("ipn:1.0",), ("ipn:2.0",)]
    send(streams, blocks(3))
    streams.until(lambda: len(streams.sides[0].delivered) == 3)


def test_a_stranger_is_named_and_hung_up_on():
    streams = Streams(Layer.TCPCL4, there=TcpSettings(peer_id="dtn://lander/"))
    streams.open()
    streams.run(0.5)
    assert "the peer says that it is 'ipn:1.0'" in streams.sides[1].wrong
    assert not streams.cables or not streams.sides[0].delivered


@pytest.mark.parametrize("peer_id", ["*", "ipn:1.0", "ipn:0.1.0"])
def test_whoever_may_call_may_be_set(peer_id: str):
    streams = Streams(Layer.TCPCL4, there=TcpSettings(peer_id=peer_id))
    streams.open()
    send(streams, blocks(1))
    streams.until(lambda: streams.sides[0].delivered == [0])


def test_a_refused_block_fails_and_ends_the_session_where_that_is_set():
    streams = Streams(Layer.TCPCL4, there=TcpSettings(refusal_ends_session=True))
    streams.open()
    here, there = streams.sides
    there.accepts = False
    send(streams, blocks(1))
    streams.until(lambda: len(there.waiting) == 1)
    first = streams.cables[0]
    there.engine.refuse(there.waiting.pop().session, Reason.SYSTEM, streams.now())
    streams.until(lambda: here.failed == [0])
    streams.until(lambda: first not in streams.cables)


def test_a_line_too_many_is_hung_up_on_and_so_is_a_late_call():
    engine = make_engine(LinkSettings(2, layer=Layer.MTCP), 1, seed=0)
    for line in range(1, MAX_LINES + 2):
        engine.receive(pack(Told.ANSWERED, line), Instant(0, 0))
    assert engine.take_datagrams() == (pack(Order.HANG_UP, MAX_LINES + 1),)
    other = make_engine(LinkSettings(2, layer=Layer.MTCP), 1, seed=0)
    other.receive(pack(Told.CALLED, 1), Instant(0, 0))
    assert other.take_datagrams() == (pack(Order.HANG_UP, 1),)


def test_a_cancelled_block_that_waits_fails_and_one_under_way_goes_on():
    engine = make_engine(LinkSettings(2, layer=Layer.MTCP), 1, seed=0)
    now = Instant(NS, 0)
    engine.set_contact(True, rate_bytes_s=1000, now=now)
    engine.send_block(b"one", key=1, priority=1, now=now)
    engine.send_block(b"two", key=2, priority=1, now=now)
    engine.cancel_block(2, now)
    assert engine.take_events() == (BlockFailed(2, Reason.USER),)
    engine.receive(pack(Told.CALLED, 1), now)
    engine.expire(now)
    engine.cancel_block(1, now)
    assert engine.take_events() == ()
    engine.receive(pack(Told.WROTE, 1, bytes((0, 0, 0, 4))), now)
    assert [event.key for event in engine.take_events()] == [1]


def test_an_empty_block_and_one_that_is_too_long_fail():
    engine = make_engine(
        LinkSettings(2, layer=Layer.MTCP, tcp=TcpSettings(block_bytes_max=10)), 1, seed=0
    )
    now = Instant(NS, 0)
    engine.set_contact(True, rate_bytes_s=1000, now=now)
    for key, block in enumerate((b"", bytes(11))):
        assert engine.send_block(block, key=key, priority=1, now=now)
    assert [event.key for event in engine.take_events()] == [0, 1]


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x00\x01", b"\x07\x01", b"\x01\x00", b"\x04\x01ab"]
)
def test_what_no_port_says_is_refused(data: bytes):
    with pytest.raises(WireError):
        read_told(data)


@pytest.mark.parametrize(
    "changes", [{"send_blocks_max": 0}, {"keepalive_s": -1}, {"keepalive_s": 70_000}]
)
def test_settings_that_cannot_work_are_named(changes: dict[str, int]):
    with pytest.raises(ValueError, match=next(iter(changes))):
        TcpSettings(**changes)
