"""What a peer may say over TCP, and sessions to hear it spoilt; see decoders.py."""

from flight.relay.stream import tcpcl3wire, tcpcl4wire
from flight.relay.stream.identity import ANYBODY, Identity
from flight.relay.stream.mtcp import MtcpSession
from flight.relay.stream.session import Arrived, Session
from flight.relay.stream.settings import TcpSettings
from flight.relay.stream.tcpcl3 import Tcpcl3Session
from flight.relay.stream.tcpcl4 import Tcpcl4Session

_TCP = TcpSettings(block_bytes_max=10_000, segment_mru_bytes=5_000)
_WHO = Identity("ipn:1.0", ANYBODY)


def _converse(session: Session, data: bytes) -> None:
    """Let a session hear a peer, in pieces; take what arrives, refuse every third of it."""
    for at in range(0, len(data), 700):
        session.receive(data[at : at + 700], at)
        for event in session.events:
            if isinstance(event, Arrived) and event.number % 3:
                session.accept(event.number)
            elif isinstance(event, Arrived):
                session.refuse(event.number, for_good=bool(event.number % 2))
        session.events.clear()
        if session.is_ready and session.outgoing.is_idle:
            session.begin(at, b"something of ours")
        session.outgoing.pull(50, data=session.is_ready)
        session.expire(at)


def hear_tcpcl4(data: bytes) -> None:
    """Let TCPCLv4 sessions of both kinds hear a peer."""
    for is_caller in (True, False):
        session = Tcpcl4Session(_TCP, _WHO, is_caller=is_caller, answer_ns=10**9, now_ns=0)
        _converse(session, data)


def hear_tcpcl3(data: bytes) -> None:
    """Let a TCPCLv3 session hear a peer."""
    session = Tcpcl3Session(_TCP, _WHO, answer_ns=10**9, now_ns=0)
    _converse(session, data)


def hear_mtcp(data: bytes) -> None:
    """Let an MTCP session hear a peer."""
    _converse(MtcpSession(_TCP), data)


def tcpcl4_streams() -> tuple[bytes, ...]:
    """Return what a good TCPCLv4 peer says."""
    wire, both = tcpcl4wire, tcpcl4wire.Mark.START | tcpcl4wire.Mark.END
    begin = wire.write_contact(can_tls=False) + wire.write_message(
        wire.Init(15, 1000, 1000, "ipn:2.0", (wire.Item(False, 9, b"x"),))
    )
    whole = wire.write_message(wire.SegmentHead(both, 0, 5)) + b"12345"
    items = (wire.length_item(6),)
    first = wire.write_message(wire.SegmentHead(wire.Mark.START, 1, 3, items)) + b"123"
    last = wire.write_message(wire.SegmentHead(wire.Mark.END, 1, 3)) + b"456"
    words = (wire.Keepalive(), wire.Ack(both, 0, 17), wire.Refuse(2, 1), wire.Reject(3, 1))
    talk = b"".join(map(wire.write_message, words))
    end = wire.write_message(wire.Term(False, 0))
    return (begin + whole + first + last + talk, begin + talk + whole, begin + whole + end + first)


def tcpcl3_streams() -> tuple[bytes, ...]:
    """Return what a good TCPCLv3 peer says."""
    wire = tcpcl3wire
    begin = wire.write_contact(wire.Contact(wire.Option(0xF), 15, "ipn:2.0"))
    whole = wire.write_message(wire.SegmentHead(wire.START | wire.END, 5)) + b"12345"
    parts = b"".join(
        wire.write_message(wire.SegmentHead(flags, 3)) + b"123"
        for flags in (wire.START, 0, wire.END)
    )
    words = (wire.Keepalive(), wire.Ack(17), wire.Refuse(2), wire.Length(9), wire.Shutdown(1))
    talk = b"".join(map(wire.write_message, words))
    silent = wire.write_contact(wire.Contact(wire.Option(0), 0, "dtn://peer/"))
    return (begin + whole + parts + talk, begin + talk + whole, silent + whole + parts)


def mtcp_streams() -> tuple[bytes, ...]:
    """Return what a good MTCP peer says."""
    return (b"\x40\x45hello\x58\x20" + bytes(32) + b"\x59\x01\x00" + bytes(256), b"\x41x" * 20)


def certificates() -> tuple[bytes, ...]:
    """Return the frame of a certificate that names a node, in DER."""

    def item(tag: int, *parts: bytes) -> bytes:
        content = b"".join(parts)
        return bytes((tag, 0x82)) + len(content).to_bytes(2, "big") + content

    eid = item(0xA0, item(0x16, b"ipn:10.0"))
    other = item(0xA0, item(6, bytes.fromhex("2b0601050507080b")), eid)
    names = item(4, item(0x30, item(0x82, b"node10"), other))
    extensions = item(0x30, item(0x30, item(6, bytes.fromhex("551d11")), names))
    signed = item(0x30, item(2, b"\1"), *(item(0x30) for _ in range(5)), item(0xA3, extensions))
    return (item(0x30, signed, item(0x30), item(3, bytes(70))),)
