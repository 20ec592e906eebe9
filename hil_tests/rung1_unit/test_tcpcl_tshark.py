"""An independent reader of what we send: Wireshark's TCPCL dissector, versions 3 and 4."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flight.relay.bundle import encode_bundle, make_bundle
from flight.relay.endpoint import ipn
from flight.relay.stream import tcpcl3wire as v3
from flight.relay.stream import tcpcl4wire as v4
from flight.relay.stream.identity import Identity
from flight.relay.stream.session import Arrived, Session
from flight.relay.stream.settings import TcpSettings
from flight.relay.stream.tcpcl3 import Tcpcl3Session
from flight.relay.stream.tcpcl4 import Tcpcl4Session
from hil_tests.tshark import complaints, dissect_stream, values

PORT = 4556
NS = 10**9
Said = list[tuple[bool, bytes]]


def bundle(number: int, size: int) -> bytes:
    made = make_bundle(
        bytes([number]) * size,
        source=ipn(1, 1),
        destination=ipn(2, 65),
        created_ms=816_000_000_000,
        sequence=number,
        lifetime_ms=60_000,
    )
    return encode_bundle(made)


class Conversation:
    """Two sessions; what they say to each other is noted, a packet a turn."""

    def __init__(self, make: Callable[[bool], Session]) -> None:
        self.ends = {True: make(True), False: make(False)}
        self.said: Said = []

    def run(self, now_ns: int = 0) -> None:
        while self._speak(True, now_ns) + self._speak(False, now_ns):
            pass

    def _speak(self, by_caller: bool, now_ns: int) -> bool:
        end = self.ends[by_caller]
        data = end.outgoing.pull(1 << 20, data=end.is_ready)
        if data:
            self.said.append((by_caller, data))
            self.ends[not by_caller].receive(data, now_ns)
        return bool(data)

    def exchange(self, *, refuse: bool = True) -> None:
        """Send bundles both ways, one of which is refused; be silent for a while; part."""
        self.run()
        for by_caller, number, size in ((True, 1, 30), (True, 2, 300), (False, 3, 250)):
            self.ends[by_caller].begin(number, bundle(number, size))
            self.run()
        self.ends[True].begin(4, bundle(4, 20))
        self.run()
        numbers = [e.number for e in self.ends[False].events if isinstance(e, Arrived)]
        for number in numbers[:2]:
            self.ends[False].accept(number)
        if refuse:
            self.ends[False].refuse(numbers[2], for_good=False)
        else:
            self.ends[False].accept(numbers[2])
        self.ends[True].accept(0)
        self.run()
        self.ends[True].expire(15 * NS)
        self.run(15 * NS)
        self.ends[True].end(16 * NS)
        self.run(16 * NS)


def settings(by_caller: bool) -> TcpSettings:
    return TcpSettings(segment_bytes=100, segment_mru_bytes=2000 + by_caller)


def who(by_caller: bool) -> Identity:
    return Identity("ipn:1.0", "ipn:2.0") if by_caller else Identity("ipn:2.0", "ipn:1.0")


def make4(by_caller: bool) -> Session:
    return Tcpcl4Session(
        settings(by_caller), who(by_caller), is_caller=by_caller, answer_ns=60 * NS, now_ns=0
    )


def make3(by_caller: bool) -> Session:
    return Tcpcl3Session(settings(by_caller), who(by_caller), answer_ns=60 * NS, now_ns=0)


def numbers(trees: object, *names: str) -> list[int]:
    return [int(str(value), 0) for name in names for value in values(trees, name)]


def read_all(said: Said, wire, start: int) -> list:
    found = []
    streams = {end: b"".join(data for who, data in said if who is end) for end in (True, False)}
    for data in streams.values():
        at = start if wire is v4 else v3.read_contact(data)[1]
        while at < len(data):
            message, at = wire.read_message(data, at)
            found.append(message)
            at += message.size if isinstance(message, wire.SegmentHead) else 0
    return found


def test_wireshark_reads_every_tcpclv4_message_as_we_mean_it(tmp_path: Path):
    conversation = Conversation(make4)
    conversation.exchange()
    said = conversation.said
    messages = read_all(said, v4, v4.CONTACT_BYTES)
    assert {type(m) for m in messages} == set(v4.KINDS) - {v4.Reject}
    trees = dissect_stream(said, tmp_path, port=PORT, protocol="tcpcl")
    assert len(trees) == len(said)
    assert complaints(trees) == []
    assert "malformed" not in str(trees).lower()

    def of(kind: type) -> list:
        return sorted(m for m in messages if isinstance(m, kind))

    def shown(*names: str) -> list:
        return sorted(zip(*(numbers(trees, name) for name in names), strict=True))

    assert numbers(trees, "tcpcl.contact_hdr.version") == [4, 4]
    assert sorted(numbers(trees, "tcpcl.v4.mhdr.type")) == sorted(
        v4.KINDS[type(m)] for m in messages
    )
    init = "tcpcl.v4.sess_init."
    assert shown(init + "keepalive", init + "seg_mru", init + "xfer_mru") == [
        m[:3] for m in of(v4.Init)
    ]
    assert sorted(values(trees, init + "nodeid_data")) == ["ipn:1.0", "ipn:2.0"]
    assert sorted(numbers(trees, "tcpcl.v4.xfer_segment.data_len")) == sorted(
        m.size for m in of(v4.SegmentHead)
    )
    assert sorted(numbers(trees, "tcpcl.v4.xfer_ack.ack_len")) == sorted(
        m.length for m in of(v4.Ack)
    )
    assert numbers(trees, "tcpcl.v4.xfer_refuse.reason") == [m.reason for m in of(v4.Refuse)]
    assert len(of(v4.Refuse)) == 1
    assert sorted(numbers(trees, "tcpcl.v4.ses_term.reason")) == [m.reason for m in of(v4.Term)]
    totals = [v4.transfer_length(m.items) for m in of(v4.SegmentHead) if m.items]
    assert sorted(numbers(trees, "tcpcl.v4.xferext.transfer_length.total_len")) == sorted(totals)
    sent = numbers(trees, "tcpcl.v4.xfer_id")
    assert sorted(sent) == sorted(m.number for m in messages if hasattr(m, "number"))
    assert len(values(trees, "bpv7.primary.version")) == 4


def test_wireshark_reads_every_tcpclv3_message_as_we_mean_it(tmp_path: Path):
    conversation = Conversation(make3)
    # tshark 4.0 looks for a refusal's reason behind its one byte (RFC 7242 section 5.4 puts it
    # into that byte), and calls every refusal malformed.
    conversation.exchange(refuse=False)
    said = conversation.said
    messages = read_all(said, v3, 0)
    assert {type(m) for m in messages} == set(v3.KINDS) - {v3.Length, v3.Refuse}
    trees = dissect_stream(said, tmp_path, port=PORT, protocol="tcpcl")
    assert len(trees) == len(said)
    assert complaints(trees) == []
    assert numbers(trees, "tcpcl.contact_hdr.version") == [3, 3]
    assert numbers(trees, "tcpcl.contact_hdr.keep_alive") == [15, 15]
    assert values(trees, "tcpcl.contact_hdr.local_eid") == ["ipn:1.0", "ipn:2.0"]
    assert sorted(numbers(trees, "tcpcl.data.length")) == sorted(
        m.size for m in messages if isinstance(m, v3.SegmentHead)
    )
    assert sorted(numbers(trees, "tcpcl.ack.length")) == sorted(
        m.length for m in messages if isinstance(m, v3.Ack)
    )
    assert len(values(trees, "bpv7.primary.version")) == 4


@pytest.mark.parametrize("reason", list(v4.Rejection))
def test_wireshark_reads_a_rejection(reason: v4.Rejection, tmp_path: Path):
    conversation = Conversation(make4)
    conversation.run()
    said = [*conversation.said, (True, v4.write_message(v4.Reject(reason, 0x42)))]
    trees = dissect_stream(said, tmp_path, port=PORT, protocol="tcpcl")
    assert numbers(trees, "tcpcl.v4.msg_reject.reason", "tcpcl.v4.msg_reject.head") == [
        reason,
        0x42,
    ]
