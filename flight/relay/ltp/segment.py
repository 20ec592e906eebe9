"""One LTP segment in one datagram: the wire format of RFC 5326 section 3.

    segment := control session-engine session-number extension-counts
               header-extension* content trailer-extension*

Numbers are SDNVs (section 2): seven bits a byte, big end first, the high bit says that more
follow. We refuse those above 64 bits or 10 bytes, as ION and HDTN do. Extensions are skipped: no
peer of ours gives them a meaning that data depend on.
"""

from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from flight.relay.errors import WireError


class SegmentType(IntEnum):
    """Section 3.1: the low four bits of the control byte."""

    RED = 0
    RED_CHECKPOINT = 1
    RED_END = 2
    """Checkpoint, end of the red part; green data follow."""
    RED_BLOCK_END = 3
    """Checkpoint, end of the red part and of the block."""
    GREEN = 4
    GREEN_BLOCK_END = 7
    REPORT = 8
    REPORT_ACK = 9
    CANCEL_BY_SENDER = 12
    CANCEL_BY_SENDER_ACK = 13
    CANCEL_BY_RECEIVER = 14
    CANCEL_BY_RECEIVER_ACK = 15


class Reason(IntEnum):
    """Section 3.2.4: why a session is cancelled."""

    USER = 0
    UNREACHABLE = 1
    RETRANSMISSIONS = 2
    MISCOLORED = 3
    SYSTEM = 4
    CYCLES = 5


class SessionId(NamedTuple):
    """Who originated a session, and that engine's number for it."""

    engine: int
    number: int


class DataSegment(NamedTuple):
    """Bytes of a block. ``checkpoint`` 0: not a checkpoint. ``report`` 0: answers none."""

    type: int
    session: SessionId
    client_service: int
    offset: int
    data: bytes
    checkpoint: int
    report: int


class Report(NamedTuple):
    """What the receiver holds of ``[lower, upper)``."""

    session: SessionId
    serial: int
    checkpoint: int
    """The checkpoint that it answers; 0: none."""
    upper: int
    lower: int
    claims: tuple[tuple[int, int], ...]
    """(start, end) in the block, ascending, apart. On the wire they are relative to lower."""


class ReportAck(NamedTuple):
    """The sender has the report."""

    session: SessionId
    serial: int


class Cancel(NamedTuple):
    """One side ends the session."""

    session: SessionId
    by_sender: bool
    reason: int


class CancelAck(NamedTuple):
    """The other side knows."""

    session: SessionId
    by_sender: bool


Segment: TypeAlias = DataSegment | Report | ReportAck | Cancel | CancelAck

_ONE_BYTE = tuple(bytes((number,)) for number in range(0x80))
_NUMBER_LIMIT = 1 << 64
_CUT_SHORT = "segment is cut short"


def sdnv(number: int) -> bytes:
    """Return a number as an SDNV of the fewest bytes."""
    if number < 0x80:
        return _ONE_BYTE[number]
    last = number & 0x7F
    if number < 1 << 14:
        return bytes((number >> 7 | 0x80, last))
    middle = number >> 7 & 0x7F | 0x80
    if number < 1 << 21:
        return bytes((number >> 14 | 0x80, middle, last))
    if number < 1 << 28:  # as most session numbers
        return bytes((number >> 21 | 0x80, number >> 14 & 0x7F | 0x80, middle, last))
    return sdnv(number >> 28 << 7 | 0x7F)[:-1] + bytes(
        (number >> 21 & 0x7F | 0x80, number >> 14 & 0x7F | 0x80, middle, last)
    )


@lru_cache(maxsize=8192)
def fields_and_length(offset: int, room_bytes: int) -> tuple[bytes, int]:
    """Return offset and length as written, and the length, of data that fill a datagram.

    ``room_bytes`` is what the two fields and the data have together. Blocks are cut alike, so
    the same come again and again.
    """
    start = sdnv(offset)
    room_bytes -= len(start)
    length = room_bytes - len(sdnv(room_bytes))
    return start + sdnv(length), length


def read_sdnv(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at ``at`` and where the next field begins.

    Raises:
        IndexError: data end within it.
        WireError: it does not fit 64 bits, or takes more than 10 bytes.
    """
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    number, last = byte & 0x7F, at + 9
    while at < last:
        at += 1
        byte = data[at]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            if number >= _NUMBER_LIMIT:
                break
            return number, at + 1
    raise WireError("SDNV above 64 bits")


def session_prefix(type_: SegmentType, session: SessionId) -> bytes:
    """Return the header up to the content: version 0, no extensions."""
    return bytes((type_,)) + sdnv(session.engine) + sdnv(session.number) + b"\x00"


def write_report(report: Report) -> bytes:
    """Return a report segment (section 3.2.2)."""
    lower = report.lower
    fields = [report.serial, report.checkpoint, report.upper, lower, len(report.claims)]
    for start, end in report.claims:
        fields += start - lower, end - start
    return session_prefix(SegmentType.REPORT, report.session) + b"".join(map(sdnv, fields))


def write_report_ack(ack: ReportAck) -> bytes:
    """Return a report-acknowledgement segment (section 3.2.3)."""
    return session_prefix(SegmentType.REPORT_ACK, ack.session) + sdnv(ack.serial)


def write_cancel(cancel: Cancel) -> bytes:
    """Return a cancel segment (section 3.2.4)."""
    type_ = SegmentType.CANCEL_BY_SENDER if cancel.by_sender else SegmentType.CANCEL_BY_RECEIVER
    return session_prefix(type_, cancel.session) + bytes((cancel.reason,))


def write_cancel_ack(ack: CancelAck) -> bytes:
    """Return a cancel-acknowledgement segment (section 3.2.4)."""
    type_ = (
        SegmentType.CANCEL_BY_SENDER_ACK if ack.by_sender else SegmentType.CANCEL_BY_RECEIVER_ACK
    )
    return session_prefix(type_, ack.session)


def read_segment(datagram: bytes) -> Segment:
    """Return the LTP segment in one datagram (RFC 5326 section 3).

    Raises:
        WireError: the datagram is cut short or too long, its version is not 0, its type is
            reserved, or its claims contradict its bounds.
    """
    try:
        control = datagram[0]
        engine = datagram[1]
        at = 2
        if engine > 0x7F:
            engine, at = read_sdnv(datagram, 1)
        number, at = read_sdnv(datagram, at)
        extensions = datagram[at]
        at += 1
        if extensions > 0x0F:
            at = _skip_extensions(datagram, at, extensions >> 4)
        session = SessionId(engine, number)
        segment: Segment
        if control < 8:
            segment, at = _read_data(datagram, at, control, session)
        else:
            segment, at = _read_control(datagram, at, control, session)
        if extensions:
            at = _skip_extensions(datagram, at, extensions & 0x0F)
    except IndexError:
        raise WireError(_CUT_SHORT) from None
    if at != len(datagram):
        raise WireError(_CUT_SHORT if at > len(datagram) else "bytes after the segment")
    return segment


def _skip_extensions(datagram: bytes, at: int, count: int) -> int:
    for _ in range(count):
        length, at = read_sdnv(datagram, at + 1)
        at += length
    return at


def _read_data(
    datagram: bytes, at: int, control: int, session: SessionId
) -> tuple[DataSegment, int]:
    if control in {5, 6}:
        raise WireError(f"segment type {control} is reserved")
    service = datagram[at]
    at += 1
    if service > 0x7F:
        service, at = read_sdnv(datagram, at - 1)
    offset = datagram[at]
    at += 1
    if offset > 0x7F:
        offset, at = read_sdnv(datagram, at - 1)
    length = datagram[at]
    at += 1
    if length > 0x7F:
        length, at = read_sdnv(datagram, at - 1)
    checkpoint = report = 0
    if 0 < control < 4:
        checkpoint, at = read_sdnv(datagram, at)
        report, at = read_sdnv(datagram, at)
        if not checkpoint:
            raise WireError("checkpoint without a serial number")
    end = at + length
    return (
        DataSegment(control, session, service, offset, datagram[at:end], checkpoint, report),
        end,
    )


def _read_control(
    datagram: bytes, at: int, control: int, session: SessionId
) -> tuple[Segment, int]:
    if control == SegmentType.REPORT:
        return _read_report(datagram, at, session)
    if control == SegmentType.REPORT_ACK:
        serial, at = read_sdnv(datagram, at)
        return ReportAck(session, serial), at
    if control in {SegmentType.CANCEL_BY_SENDER, SegmentType.CANCEL_BY_RECEIVER}:
        by_sender = control == SegmentType.CANCEL_BY_SENDER
        return Cancel(session, by_sender, datagram[at]), at + 1
    if control in {SegmentType.CANCEL_BY_SENDER_ACK, SegmentType.CANCEL_BY_RECEIVER_ACK}:
        return CancelAck(session, control == SegmentType.CANCEL_BY_SENDER_ACK), at
    raise WireError(f"control byte {control:#04x}: not version 0, or a reserved type")


def _read_report(datagram: bytes, at: int, session: SessionId) -> tuple[Report, int]:
    serial, at = read_sdnv(datagram, at)
    checkpoint, at = read_sdnv(datagram, at)
    upper, at = read_sdnv(datagram, at)
    lower, at = read_sdnv(datagram, at)
    count, at = read_sdnv(datagram, at)
    if not serial or lower >= upper:
        raise WireError("report without a serial number or a scope")
    claims = []
    last = lower
    for _ in range(count):  # ends with the datagram: each claim takes at least two bytes
        offset, at = read_sdnv(datagram, at)
        length, at = read_sdnv(datagram, at)
        start = lower + offset
        if start < last or not length or start + length > upper:
            raise WireError("claims overlap, are empty or leave the report's scope")
        last = start + length
        claims.append((start, last))
    return Report(session, serial, checkpoint, upper, lower, tuple(claims)), at
