"""TCPCLv4 sessions that are cut, spoken to wrongly, silent, or ended."""

from collections.abc import Sequence

import pytest

from flight.relay.errors import WireError
from flight.relay.stream.session import Arrived, Taken
from flight.relay.stream.settings import Tls
from flight.relay.stream.tcpcl4wire import (
    Ack,
    Ending,
    Init,
    Keepalive,
    Mark,
    Message,
    Refusal,
    Refuse,
    Reject,
    Rejection,
    SegmentHead,
    Term,
    write_contact,
    write_message,
)
from hil_tests.rung1_unit.test_tcpcl4 import (
    BOTH,
    NS,
    converse,
    established,
    pair,
    said_by,
    session,
    speak,
)


def test_a_stream_may_be_cut_anywhere():
    one = established()
    data = b"".join(
        write_message(SegmentHead(BOTH, number, 5)) + b"12345" + write_message(Keepalive())
        for number in range(3)
    )
    for at in range(len(data)):
        one.receive(data[at : at + 1], 0)
    assert one.events == [Arrived(number, b"12345") for number in range(3)]


WRONG: Sequence[tuple[str, bytes, Message]] = [
    ("unknown type", b"\x0f", Reject(Rejection.TYPE_UNKNOWN, 0x0F)),
    (
        "a second SESS_INIT",
        write_message(Init(0, 1, 1, "ipn:2.0")),
        Reject(Rejection.UNEXPECTED, 7),
    ),
    (
        "no START",
        write_message(SegmentHead(Mark.END, 0, 1)) + b"x",
        Reject(Rejection.UNEXPECTED, 1),
    ),
    ("an acknowledgement of nothing", write_message(Ack(BOTH, 0, 5)), Reject(3, 2)),
    ("a refusal of nothing", write_message(Refuse(0, 0)), Reject(3, 3)),
]


@pytest.mark.parametrize(("data", "answer"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_what_breaks_the_protocol_is_rejected_by_name(data: bytes, answer: Message):
    one = established()
    with pytest.raises(WireError):
        one.receive(data, 0)
    assert said_by(one) == [answer]


def test_transfers_before_the_session_stands_are_rejected():
    one = session(is_caller=False)
    one.receive(write_contact(can_tls=False), 0)
    one.outgoing.pull(100, data=False)
    with pytest.raises(WireError, match="while joining"):
        one.receive(write_message(Keepalive()), 0)
    assert said_by(one) == [Reject(Rejection.UNEXPECTED, 4)]


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1", b"dtn?", b"d\x00"])
def test_who_is_no_tcpcl_peer_is_hung_up_on_at_the_first_wrong_byte(start: bytes):
    with pytest.raises(WireError, match="no TCPCL"):
        session(is_caller=False).receive(start, 0)


def test_another_version_is_told_so():
    one = session(is_caller=False)
    with pytest.raises(WireError, match="version 3"):
        one.receive(b"dtn!\x03\x00", 0)
    answer = one.outgoing.pull(100, data=False)
    assert answer == write_contact(can_tls=False) + write_message(Term(False, 2))


def test_another_node_than_expected_is_refused():
    one = session(is_caller=False)
    one.receive(write_contact(can_tls=False), 0)
    one.outgoing.pull(100, data=False)
    with pytest.raises(WireError, match=r"says that it is 'ipn:3\.0'"):
        one.receive(write_message(Init(0, 1, 1, "ipn:3.0")), 0)
    assert said_by(one) == [Term(False, Ending.CONTACT_FAILURE)]


def test_the_smaller_keepalive_holds_and_silence_ends_the_session():
    one, other = pair({"keepalive_s": 10}, {"keepalive_s": 30})
    assert one.next_ns() == 10 * NS
    one.expire(10 * NS)
    assert said_by(one) == [Keepalive()]
    other.receive(write_message(Keepalive()), 10 * NS)
    one.expire(20 * NS)
    assert said_by(one) == [Term(False, Ending.IDLE_TIMEOUT)]
    assert one.is_over
    other.expire(29 * NS)
    assert not other.is_over


def test_no_keepalive_at_either_end_turns_them_off():
    one, _ = pair({"keepalive_s": 10}, {"keepalive_s": 0})
    assert one.next_ns() is None


def test_a_handshake_that_does_not_come_to_its_end_ends():
    one = session(is_caller=False, handshake_s=10)
    one.expire(9 * NS)
    assert not one.is_over
    one.expire(10 * NS)
    assert one.is_over


def test_an_answer_that_does_not_come_ends_the_session():
    one, other = pair({"keepalive_s": 0})
    one.begin(1, b"data")
    speak(one, other, 5 * NS)
    assert one.next_ns() == 65 * NS
    one.expire(65 * NS)
    assert one.is_over
    assert one.unfinished() == [1]


def test_a_session_ends_when_what_was_under_way_is_finished():
    one, other = pair()
    one.begin(1, b"data")
    speak(one, other)
    one.end(0)
    converse(one, other)
    assert not one.is_over
    other.accept(0)
    converse(one, other)
    assert one.events == [Taken(1)]
    assert one.is_over
    assert other.is_over


def test_no_transfer_begins_while_the_session_ends():
    one, other = pair()
    other.end(0)
    speak(other, one)
    assert not one.is_ready
    other.receive(write_message(SegmentHead(BOTH, 0, 1)) + b"x", 0)
    assert Refuse(Refusal.SESSION_TERMINATING, 0) in said_by(other)


def test_who_asks_and_does_not_read_is_hung_up_on():
    one = established()
    segment = write_message(SegmentHead(Mark(0), 0, 1)) + b"x"
    one.receive(write_message(SegmentHead(Mark.START, 0, 1)) + b"x", 0)
    with pytest.raises(WireError, match="does not read"):
        one.receive(segment * 60_000, 0)


def test_who_sends_dust_while_an_answer_waits_is_hung_up_on():
    one = established()
    one.receive(write_message(SegmentHead(BOTH, 0, 1)) + b"x", 0)
    one.receive(write_message(SegmentHead(Mark.START, 1, 1)) + b"x", 0)
    with pytest.raises(WireError, match="more segments"):
        one.receive((write_message(SegmentHead(Mark(0), 1, 1)) + b"x") * 20_000, 0)


# --------------------------------------------------------------------------------------- TLS


def test_tls_begins_between_contact_headers_and_session():
    one = session(is_caller=True, tls=Tls.REQUIRED)
    other = session(is_caller=False, node=2, peer="ipn:1.0", tls=Tls.ALLOWED)
    converse(one, other)
    assert one.wants_tls
    assert other.wants_tls
    assert not one.is_ready
    one.secured((), 0)
    other.secured(("ipn:1.0",), 0)
    converse(one, other)
    assert one.is_ready
    assert other.is_ready


def test_without_tls_at_one_end_it_goes_on_where_it_is_only_allowed():
    one, other = pair({"tls": Tls.ALLOWED})
    assert one.is_ready
    assert other.is_ready


def test_required_tls_that_the_peer_cannot_do_is_a_contact_failure():
    one = session(is_caller=False, tls=Tls.REQUIRED)
    with pytest.raises(WireError, match="required"):
        one.receive(write_contact(can_tls=False), 0)
    answer = one.outgoing.pull(100, data=False)
    assert answer == write_contact(can_tls=True) + write_message(Term(False, 4))


def test_plain_bytes_where_tls_was_agreed_are_refused():
    one = session(is_caller=False, tls=Tls.ALLOWED)
    with pytest.raises(WireError, match="before TLS"):
        one.receive(write_contact(can_tls=True) + b"\x04", 0)


def test_a_certificate_for_another_node_is_a_contact_failure():
    one = session(is_caller=True, tls=Tls.REQUIRED)
    other = session(is_caller=False, node=2, peer="ipn:1.0", tls=Tls.REQUIRED)
    converse(one, other)
    one.secured(("ipn:3.0",), 0)
    other.secured(("ipn:1.0",), 0)
    speak(one, other)
    with pytest.raises(WireError, match=r"says that it is 'ipn:2\.0', its certificate 'ipn:3\.0'"):
        speak(other, one)
    assert not one.is_ready
    assert one.outgoing.pull(100, data=False) == write_message(Term(False, 4))


def test_tls_that_nobody_asked_for_is_refused():
    with pytest.raises(WireError, match="none was agreed"):
        session(is_caller=False, tls=Tls.ALLOWED).secured((), 0)
