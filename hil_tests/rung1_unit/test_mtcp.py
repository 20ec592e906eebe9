"""MTCP: the byte strings of RFC 8949, appendix A, and what the draft leaves open."""

import pytest

from flight.instant import Instant
from flight.relay.convergence import make_engine
from flight.relay.errors import WireError
from flight.relay.settings import Layer, LinkSettings
from flight.relay.stream.line import Told, pack
from flight.relay.stream.mtcp import MtcpSession, read_string_head
from flight.relay.stream.session import NS_PER_S, Arrived, Taken
from flight.relay.stream.settings import TcpSettings


def test_bundles_are_byte_strings():
    one = MtcpSession(TcpSettings())
    one.begin(1, bytes.fromhex("01020304"))
    assert one.outgoing.pull(100, data=True) == bytes.fromhex("4401020304")
    one.begin(2, bytes(300))
    assert one.outgoing.pull(1000, data=True) == bytes.fromhex("59012c") + bytes(300)


def test_a_bundle_is_delivered_when_the_kernel_has_its_last_byte():
    one = MtcpSession(TcpSettings())
    one.begin(1, b"1234")
    one.outgoing.pull(100, data=True)
    one.wrote(4)
    assert one.unfinished() == [1]
    one.wrote(5)
    assert one.events == [Taken(1)]
    assert one.unfinished() == []


def test_a_stream_may_be_cut_anywhere_and_empty_strings_are_skipped():
    # dtn7-go sends them to see whether the line still stands.
    data = bytes.fromhex("40 44 01020304 40 5a 00000002 6f6b")
    one = MtcpSession(TcpSettings())
    for at in range(len(data)):
        one.receive(data[at : at + 1], 0)
    assert one.events == [Arrived(0, bytes.fromhex("01020304")), Arrived(1, b"ok")]


@pytest.mark.parametrize(
    "start", ["5f", "64", "00", "9f", "5c", "5b 7fffffffffffffff", "5a 00500000"]
)
def test_what_is_no_bundle_or_too_long_is_refused(start: str):
    with pytest.raises(WireError):
        MtcpSession(TcpSettings(block_bytes_max=1 << 20)).receive(bytes.fromhex(start), 0)


@pytest.mark.parametrize(
    ("text", "length"),
    [("40", 0), ("57", 23), ("5818", 24), ("590100", 256), ("5bffffffffffffffff", 2**64 - 1)],
)
def test_heads_are_read(text: str, length: int):
    data = bytes.fromhex(text)
    assert read_string_head(data, 0) == (length, len(data))
    assert read_string_head(data[:-1], 0) is None


@pytest.mark.parametrize("answers_send", [True, False])
def test_where_answers_do_not_send_a_bundle_waits_for_a_line_that_was_called(answers_send: bool):
    tcp = TcpSettings(answers_send=answers_send)
    engine = make_engine(LinkSettings(2, layer=Layer.MTCP, tcp=tcp), 1, seed=0)
    now = Instant(NS_PER_S, 0)
    engine.set_contact(True, rate_bytes_s=10**6, now=now)
    engine.receive(pack(Told.ANSWERED, 1), now)
    engine.send_block(b"bundle", key=1, priority=1, now=now)
    engine.expire(now)
    assert any(b"bundle" in order for order in engine.take_datagrams()) is answers_send
    engine.receive(pack(Told.CALLED, 2), now)
    engine.expire(now)
    written = [order[1] for order in engine.take_datagrams() if b"bundle" in order]
    assert written == ([] if answers_send else [2])
