"""TCPCLv4: vectors written out by hand from the figures of RFC 9174, and two sessions together."""

import pytest

from flight.relay.errors import WireError
from flight.relay.stream.identity import Identity
from flight.relay.stream.session import Arrived, Declined, Taken
from flight.relay.stream.settings import TcpSettings
from flight.relay.stream.standing import State
from flight.relay.stream.tcpcl4 import EXPECTED, NEXT, Tcpcl4Session
from flight.relay.stream.tcpcl4wire import (
    Ack,
    Ending,
    Init,
    Item,
    Keepalive,
    Mark,
    Message,
    Refusal,
    Refuse,
    Reject,
    Rejection,
    SegmentHead,
    Term,
    UnknownTypeError,
    read_message,
    write_contact,
    write_message,
)

NS = 10**9
BOTH = Mark.START | Mark.END
VECTORS = [
    # Section 4.6, figure 17: type, keepalive, segment MRU, transfer MRU, length, node id, items.
    (
        Init(30, 0x10000, 0x100000, "ipn:1.0"),
        "07 001e 0000000000010000 0000000000100000 0007 69706e3a312e30 00000000",
    ),
    (
        Init(0, 1, 2, "", (Item(True, 0x1234, b"xy"),)),
        "07 0000 0000000000000001 0000000000000002 0000 00000007 01 1234 0002 7879",
    ),
    # Section 5.2.2, figure 24: the items only with START.
    (SegmentHead(BOTH, 0, 5), "01 03 0000000000000000 00000000 0000000000000005"),
    (SegmentHead(Mark.END, 7, 0x1FF), "01 01 0000000000000007 00000000000001ff"),
    (
        SegmentHead(Mark.START, 1, 3, (Item(False, 1, bytes([0] * 7 + [9])),)),
        "01 02 0000000000000001 0000000d 00 0001 0008 0000000000000009 0000000000000003",
    ),
    # Sections 5.2.3, 5.2.4, 5.1.1, 6.1 and 5.1.2.
    (Ack(BOTH, 2, 5), "02 03 0000000000000002 0000000000000005"),
    (Refuse(Refusal.NO_RESOURCES, 3), "03 02 0000000000000003"),
    (Keepalive(), "04"),
    (Term(True, Ending.BUSY), "05 01 03"),
    (Reject(Rejection.UNEXPECTED, 1), "06 03 01"),
]


@pytest.mark.parametrize(("message", "text"), VECTORS, ids=lambda v: type(v).__name__)
def test_each_message_is_written_and_read_as_the_figures_show_it(message: Message, text: str):
    data = bytes.fromhex(text)
    assert write_message(message) == data
    assert read_message(b"??" + data + b"!", 2) == (message, 2 + len(data))
    for cut in range(len(data)):
        assert read_message(data[:cut], 0) is None


def test_the_contact_header_is_six_bytes():
    assert write_contact(can_tls=False) == bytes.fromhex("64746e2104 00")
    assert write_contact(can_tls=True) == bytes.fromhex("64746e2104 01")


@pytest.mark.parametrize(
    "text",
    [
        "07 0000 0000000000000001 0000000000000002 ffff",  # a node id of 65,535 bytes
        "07 0000 0000000000000001 0000000000000002 0001 ff 00000000",  # not UTF-8
        "07 0000 0000000000000001 0000000000000002 0000 00001001",  # 4,097 bytes of items
        "01 02 0000000000000001 00000003 000001",  # an item cut short
        "01 02 0000000000000001 00000005 0000010001",  # an item beyond its list
    ],
)
def test_what_is_beyond_measure_is_refused(text: str):
    with pytest.raises(WireError):
        read_message(bytes.fromhex(text), 0)


def test_an_unknown_type_is_named():
    with pytest.raises(UnknownTypeError, match="type 8"):
        read_message(b"\x08", 0)


def test_the_table_of_states_is_whole():
    assert set(NEXT) == set(State)
    assert set(EXPECTED) <= set(State)


# ------------------------------------------------------------------------------ two sessions


def session(*, is_caller: bool, node: int = 1, peer: str = "ipn:2.0", **settings) -> Tcpcl4Session:
    return Tcpcl4Session(
        TcpSettings(**settings),
        Identity(f"ipn:{node}.0", peer),
        is_caller=is_caller,
        answer_ns=60 * NS,
        now_ns=0,
    )


def speak(said: Tcpcl4Session, heard: Tcpcl4Session, now_ns: int = 0) -> bytes:
    data = said.outgoing.pull(1 << 30, data=said.is_ready)
    if data:
        said.spoke(now_ns)
        heard.receive(data, now_ns)
    return data


def converse(one: Tcpcl4Session, other: Tcpcl4Session) -> None:
    while speak(one, other) + speak(other, one):
        pass


def pair(here: dict | None = None, there: dict | None = None) -> tuple[Tcpcl4Session, ...]:
    one = session(is_caller=True, **(here or {}))
    other = session(is_caller=False, node=2, peer="ipn:1.0", **(there or {}))
    converse(one, other)
    return one, other


def messages(data: bytes) -> list[Message]:
    found, at = [], 0
    while at < len(data):
        read = read_message(data, at)
        assert read is not None
        found.append(read[0])
        at = read[1] + (read[0].size if isinstance(read[0], SegmentHead) else 0)
    return found


def said_by(one: Tcpcl4Session) -> list[Message]:
    return messages(one.outgoing.pull(1 << 30, data=True))


def established(**settings) -> Tcpcl4Session:
    """One that was called, with a hand-written peer."""
    one = session(is_caller=False, **settings)
    one.receive(write_contact(can_tls=False), 0)
    assert one.outgoing.pull(100, data=False) == write_contact(can_tls=False)
    one.receive(write_message(Init(0, 1 << 20, 1 << 20, "ipn:2.0")), 0)
    assert isinstance(said_by(one)[0], Init)
    assert one.is_ready
    return one


def test_the_caller_speaks_first_and_both_are_ready():
    one, other = session(is_caller=True), session(is_caller=False, node=2, peer="ipn:1.0")
    assert other.outgoing.pull(100, data=False) == b""
    assert speak(one, other) == bytes.fromhex("64746e210400")
    assert speak(other, one) == bytes.fromhex("64746e210400")
    assert isinstance(messages(speak(one, other))[0], Init)
    assert isinstance(messages(speak(other, one))[0], Init)
    assert one.is_ready
    assert other.is_ready


def test_a_bundle_is_acknowledged_whole_only_when_it_is_durable():
    one, other = pair({"segment_bytes": 4})
    one.begin(9, b"0123456789")
    converse(one, other)
    assert other.events == [Arrived(0, b"0123456789")]
    assert one.events == []
    other.accept(0)
    assert messages(speak(other, one)) == [Ack(Mark.END, 0, 10)]
    assert one.events == [Taken(9)]


def test_segments_carry_marks_length_and_running_acknowledgements():
    one, other = pair({"segment_bytes": 4})
    one.begin(9, b"0123456789")
    sent = messages(speak(one, other))
    length = Item(False, 1, (10).to_bytes(8, "big"))
    assert sent == [
        SegmentHead(Mark.START, 0, 4, (length,)),
        SegmentHead(Mark(0), 0, 4),
        SegmentHead(Mark.END, 0, 2),
    ]
    assert said_by(other) == [Ack(Mark.START, 0, 4), Ack(Mark(0), 0, 8)]


def test_answers_keep_the_order_of_the_segments():
    # HDTN believes an acknowledgement only where it expects it.
    one, other = pair()
    for key in range(3):
        one.begin(key, bytes([key]) * 9)
        speak(one, other)
    other.accept(2)
    other.accept(1)
    assert said_by(other) == []
    other.accept(0)
    assert [ack.number for ack in said_by(other) if isinstance(ack, Ack)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("for_good", "reason"), [(True, Refusal.NOT_ACCEPTABLE), (False, Refusal.NO_RESOURCES)]
)
def test_a_refusal_names_its_reason(for_good: bool, reason: Refusal):
    one, other = pair()
    one.begin(4, b"unwanted")
    speak(one, other)
    other.refuse(0, for_good=for_good)
    assert messages(speak(other, one)) == [Refuse(reason, 0)]
    assert one.events == [Declined(4, reason)]
    assert one.unfinished() == []


def test_a_refusal_because_it_is_there_already_counts_as_delivery():
    one = established()
    one.begin(4, b"known")
    said_by(one)
    one.receive(write_message(Refuse(Refusal.COMPLETED, 0)), 0)
    assert one.events == [Taken(4)]


def test_nothing_more_of_a_refused_transfer_leaves_but_the_segment_under_way():
    one, other = pair({"segment_bytes": 10}, {"block_bytes_max": 1 << 20})
    one.begin(4, bytes(100))
    first = one.outgoing.pull(8, data=True)
    one.receive(write_message(Refuse(Refusal.NO_RESOURCES, 0)), 0)
    rest = one.outgoing.pull(1 << 20, data=True)
    assert [m.size for m in messages(first + rest)] == [10]
    one.begin(5, b"next")
    other.receive(first + rest, 0)
    with pytest.raises(WireError, match="out of turn"):
        speak(one, other)  # section 5.2.4: who refuses has to forget the transfer


def test_a_bundle_beyond_the_peers_limit_is_declined_at_once():
    one, _ = pair(None, {"block_bytes_max": 10})
    one.begin(4, bytes(11))
    assert one.events == [Declined(4, Refusal.NO_RESOURCES)]
    assert one.outgoing.is_idle


def test_the_peers_segment_limit_holds():
    one, other = pair(None, {"segment_mru_bytes": 3})
    one.begin(4, b"01234567")
    assert [m.size for m in messages(speak(one, other))] == [3, 3, 2]


def test_a_transfer_that_says_to_be_too_long_is_refused_before_it_comes():
    one = established(block_bytes_max=10)
    length = Item(False, 1, (11).to_bytes(8, "big"))
    one.receive(write_message(SegmentHead(Mark.START, 0, 8, (length,))) + bytes(8), 0)
    assert said_by(one) == [Refuse(Refusal.NO_RESOURCES, 0)]
    one.receive(write_message(SegmentHead(Mark.END, 0, 3)) + bytes(3), 0)
    assert said_by(one) == []
    assert one.events == []


def test_a_transfer_that_grows_too_long_is_refused_once():
    one = established(block_bytes_max=10)
    for marks in (Mark.START, Mark(0), Mark(0), Mark.END):
        head = SegmentHead(marks, 0, 8)
        one.receive(write_message(head) + bytes(8), 0)
    assert said_by(one) == [Ack(Mark.START, 0, 8), Refuse(Refusal.NO_RESOURCES, 0)]
    one.receive(write_message(SegmentHead(BOTH, 1, 2)) + b"ok", 0)
    assert one.events == [Arrived(1, b"ok")]


def test_an_unknown_critical_item_refuses_the_transfer_and_an_uncritical_one_does_not():
    one = established()
    for number, critical in enumerate((True, False)):
        head = SegmentHead(BOTH, number, 2, (Item(critical, 99, b""),))
        one.receive(write_message(head) + b"ok", 0)
    assert said_by(one) == [Refuse(Refusal.EXTENSION_FAILURE, 0)]
    assert one.events == [Arrived(1, b"ok")]


def test_flags_that_mean_nothing_to_us_come_back_in_the_acknowledgement():
    one = established()
    one.receive(write_message(SegmentHead(Mark(0x83), 0, 2)) + b"ok", 0)
    one.accept(0)
    assert said_by(one) == [Ack(Mark(0x83), 0, 2)]
