"""TCPCLv3: vectors written out by hand from RFC 7242, and peers as ION and uD3TN behave."""

import pytest

from flight.relay.errors import WireError
from flight.relay.stream.identity import Identity
from flight.relay.stream.session import Arrived, Declined, Taken
from flight.relay.stream.settings import TcpSettings
from flight.relay.stream.standing import State
from flight.relay.stream.tcpcl3 import EXPECTED, NEXT, Tcpcl3Session
from flight.relay.stream.tcpcl3wire import (
    END,
    START,
    Ack,
    Contact,
    Keepalive,
    Length,
    Message,
    Option,
    Refusal,
    Refuse,
    SegmentHead,
    Shutdown,
    read_contact,
    read_message,
    write_contact,
    write_message,
)

NS = 10**9
ION = Contact(Option.ACKS, 15, "ipn:2.0")
UD3TN = Contact(Option(0), 0, "ipn:2.0")
VECTORS = [
    (SegmentHead(START | END, 5), "13 05"),  # section 5.2
    (SegmentHead(START, 300), "12 82 2c"),  # 300 as an SDNV: RFC 6256
    (SegmentHead(0, 127), "10 7f"),
    (Ack(128), "20 81 00"),  # section 5.3
    (Refuse(Refusal.NO_RESOURCES), "32"),  # section 5.4
    (Keepalive(), "40"),  # section 5.6
    (Shutdown(None), "50"),  # section 6.1
    (Shutdown(1), "52 01"),
    (Length(16384), "60 81 80 00"),  # section 5.5
]


@pytest.mark.parametrize(("message", "text"), VECTORS, ids=lambda v: type(v).__name__)
def test_each_message_is_written_and_read_as_the_tables_show_it(message: Message, text: str):
    data = bytes.fromhex(text)
    assert write_message(message) == data
    assert read_message(b"??" + data + b"!", 2) == (message, 2 + len(data))
    for cut in range(len(data)):
        assert read_message(data[:cut], 0) is None


def test_the_contact_header_is_written_and_read_as_figure_3_shows_it():
    data = bytes.fromhex("64746e21 03 05 000f 07 69706e3a312e30")
    contact = Contact(Option.ACKS | Option.REFUSALS, 15, "ipn:1.0")
    assert write_contact(contact) == data
    assert read_contact(data + b"!") == (contact, len(data))
    for cut in range(len(data)):
        assert read_contact(data[:cut]) is None


def test_a_shutdown_may_say_how_long_to_stay_away():
    assert read_message(bytes.fromhex("53 02 82 2c"), 0) == (Shutdown(2), 4)
    assert read_message(bytes.fromhex("53 02 82"), 0) is None


@pytest.mark.parametrize("data", [b"\x70", b"\x00", b"\x10" + b"\xff" * 10, b"\x20" + b"\x83" * 12])
def test_unknown_types_and_endless_numbers_are_refused(data: bytes):
    with pytest.raises(WireError):
        read_message(data, 0)


def test_the_table_of_states_is_whole():
    assert set(NEXT) == set(State) - {State.SECURING, State.JOINING}
    assert set().union(*NEXT.values()) <= set(NEXT)
    assert set(EXPECTED) <= set(NEXT)


def session(node: int = 1, peer: str = "ipn:2.0", **settings) -> Tcpcl3Session:
    return Tcpcl3Session(
        TcpSettings(**settings),
        Identity(f"ipn:{node}.0", peer),
        answer_ns=60 * NS,
        now_ns=0,
    )


def spoken(one: Tcpcl3Session, now_ns: int = 0) -> bytes:
    data = one.outgoing.pull(1 << 30, data=one.is_ready)
    if data:
        one.spoke(now_ns)
    return data


def messages(data: bytes) -> list[Message]:
    found, at = [], 0
    while at < len(data):
        read = read_message(data, at)
        assert read is not None
        found.append(read[0])
        at = read[1] + (read[0].size if isinstance(read[0], SegmentHead) else 0)
    return found


def pair(**settings) -> tuple[Tcpcl3Session, Tcpcl3Session]:
    one, other = session(**settings), session(2, "ipn:1.0")
    first, second = spoken(one), spoken(other)
    one.receive(second, 0)
    other.receive(first, 0)
    return one, other


def facing(peer: Contact, **settings) -> Tcpcl3Session:
    one = session(**settings)
    spoken(one)
    one.receive(write_contact(peer), 0)
    assert one.is_ready
    return one


def test_both_send_their_header_at_once():
    assert spoken(session()) == write_contact(Contact(Option(5), 15, "ipn:1.0"))


def test_a_bundle_is_acknowledged_whole_only_when_it_is_durable():
    one, other = pair(segment_bytes=4)
    one.begin(9, b"0123456789")
    other.receive(spoken(one), 0)
    assert other.events == [Arrived(0, b"0123456789")]
    one.receive(spoken(other), 0)
    assert one.events == []
    other.accept(0)
    data = spoken(other)
    assert messages(data) == [Ack(10)]
    one.receive(data, 0)
    assert one.events == [Taken(9)]


def test_answers_keep_the_order_of_the_segments():
    one, other = pair()
    for key in range(3):
        one.begin(key, bytes(10 + key))
        other.receive(spoken(one), 0)
    other.accept(1)
    assert spoken(other) == b""
    other.accept(0)
    assert messages(spoken(other)) == [Ack(10), Ack(11)]


def test_acknowledgements_in_the_middle_of_a_segment_are_understood():
    # ION acknowledges what each read of its socket gave.
    one = facing(ION)
    one.begin(1, bytes(1000))
    spoken(one)
    for length in (1, 700, 1000):
        one.receive(write_message(Ack(length)), 0)
    assert one.events == [Taken(1)]


@pytest.mark.parametrize("lengths", [(1001,), (10, 10), (10, 5)])
def test_acknowledgements_that_do_not_grow_or_exceed_are_refused(lengths: tuple[int, ...]):
    one = facing(ION)
    one.begin(1, bytes(1000))
    spoken(one)
    acks = b"".join(write_message(Ack(length)) for length in lengths)
    with pytest.raises(WireError):
        one.receive(acks, 0)


def test_a_peer_that_acknowledges_nothing_gets_bundles_whole_and_is_believed():
    one = facing(UD3TN, segment_bytes=100)
    one.begin(1, bytes(1000))
    data = spoken(one)
    assert messages(data) == [SegmentHead(START | END, 1000)]
    one.wrote(len(data) - 1 + 16)
    assert one.events == []
    one.wrote(len(data) + 16)
    assert one.events == [Taken(1)]
    assert one.next_ns() is None
    one.receive(bytes.fromhex("13 02") + b"ok", 0)
    one.accept(0)
    assert spoken(one) == b""


def test_a_refusal_means_the_oldest_bundle():
    one, other = pair(segment_bytes=4)
    for key in range(2):
        one.begin(key, b"0123456789")
        other.receive(spoken(one), 0)
    one.receive(spoken(other), 0)
    other.refuse(0, for_good=False)
    other.accept(1)
    one.receive(data := spoken(other), 0)
    assert messages(data)[0] == Refuse(Refusal.NO_RESOURCES)
    assert one.events == [Declined(0, Refusal.NO_RESOURCES), Taken(1)]


def test_a_peer_without_refusals_is_hung_up_on_for_want_of_room_and_not_for_its_own_fault():
    # What ION made wrong it would send for ever.
    for for_good in (True, False):
        one = facing(ION)
        one.receive(bytes.fromhex("13 02") + b"ok", 0)
        one.refuse(0, for_good=for_good)
        assert one.is_over is not for_good
        assert messages(spoken(one)) == ([Ack(2)] if for_good else [])


def test_lengths_are_sent_to_who_wants_them():
    one = facing(Contact(Option.ACKS | Option.LENGTHS, 0, "ipn:2.0"))
    one.begin(1, bytes(10))
    assert messages(spoken(one)) == [Length(10), SegmentHead(START | END, 10)]


def test_lengths_and_empty_segments_are_skipped():
    one = facing(ION)
    one.receive(bytes.fromhex("60 05 10 00 12 01 61 60 07 11 01 62"), 0)
    assert one.events == [Arrived(0, b"ab")]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (bytes.fromhex("11 01 61"), "begins no bundle"),
        (bytes.fromhex("12 8b 00"), "too long"),
        (bytes.fromhex("32"), "refusal"),
        (bytes.fromhex("20 05"), "acknowledgement"),
    ],
)
def test_what_breaks_the_protocol_is_named(data: bytes, what: str):
    one = facing(Contact(Option(5), 0, "ipn:2.0"), block_bytes_max=1000)
    with pytest.raises(WireError, match=what):
        one.receive(data, 0)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"GET /", "no TCPCL"),
        (b"dtn!\x04\x00", "version 4"),
        (write_contact(Contact(Option(1), 0, "ipn:3.0")), "says that it is 'ipn:3.0'"),
        (b"dtn!\x03\x01\x00\x00\x88\x00", "1024 bytes"),
        (b"dtn!\x03\x01\x00\x00\x01\xff", "UTF-8"),
    ],
)
def test_who_is_not_the_peer_is_hung_up_on(data: bytes, what: str):
    with pytest.raises(WireError, match=what):
        session().receive(data, 0)


def test_a_stream_may_be_cut_anywhere():
    one = session()
    data = write_contact(ION) + bytes.fromhex("40 12 01 61 60 07 11 01 62 40 13 02 6f6b")
    for at in range(len(data)):
        one.receive(data[at : at + 1], 0)
    assert one.events == [Arrived(0, b"ab"), Arrived(1, b"ok")]


def test_the_smaller_keepalive_holds_and_silence_ends_the_session():
    one = facing(ION, keepalive_s=30)
    spoken(one)
    assert one.next_ns() == 15 * NS
    one.expire(15 * NS)
    assert messages(spoken(one)) == [Keepalive()]
    one.expire(30 * NS)
    assert messages(spoken(one)) == [Shutdown(0)]
    assert one.is_over


def test_a_shutdown_ends_the_session_and_tells_what_was_under_way():
    one = facing(ION)
    one.begin(7, bytes(10))
    spoken(one)
    one.receive(write_message(Shutdown(None)), 0)
    assert one.is_over
    assert one.unfinished() == [7]
