"""The messages of TCPCLv3 as bytes (RFC 7242 sections 4.1, 5 and 6)."""

from collections.abc import Callable
from enum import IntEnum, IntFlag
from typing import NamedTuple, TypeAlias

from flight.relay.errors import WireError
from flight.relay.ltp.segment import sdnv

MAGIC = b"dtn!"
VERSION = 3
MAX_NODE_ID_BYTES = 1023
_MAX_SDNV_BYTES = 10
END, START = 1, 2
"""Flags of DATA_SEGMENT (section 5.2)."""
_DELAY, _REASON = 1, 2
"""Flags of SHUTDOWN (section 6.1)."""


class Option(IntFlag):
    """Flags of the contact header (section 4.1); what both sides set is in force."""

    ACKS = 1
    REACTIVE_FRAGMENTS = 2
    REFUSALS = 4
    LENGTHS = 8


class Kind(IntEnum):
    """Message types (section 4.2), in the upper four bits of the first byte."""

    DATA_SEGMENT = 1
    ACK_SEGMENT = 2
    REFUSE_BUNDLE = 3
    KEEPALIVE = 4
    SHUTDOWN = 5
    LENGTH = 6


class Refusal(IntEnum):
    """Why a bundle is refused (section 5.4)."""

    UNKNOWN = 0
    COMPLETED = 1
    NO_RESOURCES = 2
    RETRANSMIT = 3


class Ending(IntEnum):
    """Why a session ends (section 6.1)."""

    IDLE_TIMEOUT = 0
    VERSION_MISMATCH = 1
    BUSY = 2


class Contact(NamedTuple):
    """The contact header (section 4.1)."""

    options: Option
    keepalive_s: int
    node_id: str


class SegmentHead(NamedTuple):
    """DATA_SEGMENT without its data, of which ``size`` bytes follow (section 5.2)."""

    flags: int
    size: int


class Ack(NamedTuple):
    """ACK_SEGMENT: so much of a bundle is here (section 5.3)."""

    length: int


class Refuse(NamedTuple):
    """REFUSE_BUNDLE (section 5.4)."""

    reason: int


class Keepalive(NamedTuple):
    """KEEPALIVE (section 5.6)."""


class Shutdown(NamedTuple):
    """SHUTDOWN (section 6.1)."""

    reason: int | None


class Length(NamedTuple):
    """LENGTH: how long the next bundle is (section 5.5)."""

    length: int


Message: TypeAlias = SegmentHead | Ack | Refuse | Keepalive | Shutdown | Length
KINDS: dict[type[Message], Kind] = {
    SegmentHead: Kind.DATA_SEGMENT,
    Ack: Kind.ACK_SEGMENT,
    Refuse: Kind.REFUSE_BUNDLE,
    Keepalive: Kind.KEEPALIVE,
    Shutdown: Kind.SHUTDOWN,
    Length: Kind.LENGTH,
}


def write_contact(contact: Contact) -> bytes:
    """Return a contact header as bytes."""
    node_id = contact.node_id.encode()
    head = MAGIC + bytes((VERSION, contact.options)) + contact.keepalive_s.to_bytes(2, "big")
    return head + sdnv(len(node_id)) + node_id


def read_contact(data: bytes | bytearray) -> tuple[Contact, int] | None:
    """Return a contact header and the place after it; None: more bytes are needed.

    Raises:
        WireError: it is none, or of another version.
    """
    start = bytes(data[:5])
    expected = MAGIC + bytes((VERSION,))
    if start != expected[: len(start)]:
        if start[:4] == MAGIC:
            raise WireError(f"TCPCL version {start[4]}")
        raise WireError("no TCPCL contact header")
    size = _read_sdnv(data, 8)
    if size is None:
        return None
    length, at = size
    if length > MAX_NODE_ID_BYTES:
        raise WireError(f"a node id of {length} bytes")
    if at + length > len(data):
        return None
    try:
        node_id = bytes(data[at : at + length]).decode()
    except UnicodeDecodeError:
        raise WireError("a node id is not UTF-8") from None
    keepalive_s = int.from_bytes(data[6:8], "big")
    return Contact(Option(data[5]), keepalive_s, node_id), at + length


def write_message(message: Message) -> bytes:
    """Return a message as bytes; of a segment only what comes before its data."""
    kind = KINDS[type(message)] << 4
    if isinstance(message, SegmentHead):
        return bytes((kind | message.flags,)) + sdnv(message.size)
    if isinstance(message, Ack | Length):
        return bytes((kind,)) + sdnv(message.length)
    if isinstance(message, Refuse):
        return bytes((kind | message.reason,))
    if isinstance(message, Shutdown) and message.reason is not None:
        return bytes((kind | _REASON, message.reason))
    return bytes((kind,))


def read_message(data: bytes | bytearray, at: int) -> tuple[Message, int] | None:
    """Return the message at a place and the place after it; None: more bytes are needed.

    Raises:
        WireError: its type is reserved, or a number in it is too long.
    """
    if at >= len(data):
        return None
    kind, flags = data[at] >> 4, data[at] & 0xF
    at += 1
    if kind == Kind.SHUTDOWN:
        return _read_shutdown(data, at, flags)
    if kind in {Kind.REFUSE_BUNDLE, Kind.KEEPALIVE}:
        return (Refuse(flags) if kind == Kind.REFUSE_BUNDLE else Keepalive()), at
    if kind not in _NUMBERED:
        raise WireError(f"TCPCLv3 message type {kind}")
    found = _read_sdnv(data, at)
    return None if found is None else (_NUMBERED[kind](flags, found[0]), found[1])


_NUMBERED: dict[int, Callable[[int, int], Message]] = {
    Kind.DATA_SEGMENT: lambda flags, number: SegmentHead(flags & (START | END), number),
    Kind.ACK_SEGMENT: lambda _flags, number: Ack(number),
    Kind.LENGTH: lambda _flags, number: Length(number),
}


def _read_shutdown(data: bytes | bytearray, at: int, flags: int) -> tuple[Message, int] | None:
    reason = None
    if flags & _REASON:
        if at >= len(data):
            return None
        reason = data[at]
        at += 1
    if flags & _DELAY:  # how long to stay away: our calls have a rhythm of their own
        found = _read_sdnv(data, at)
        if found is None:
            return None
        at = found[1]
    return Shutdown(reason), at


def _read_sdnv(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    number = 0
    for index in range(at, min(at + _MAX_SDNV_BYTES, len(data))):
        number = number << 7 | data[index] & 0x7F
        if data[index] < 0x80:
            if number >= 1 << 64:
                break
            return number, index + 1
    else:
        if len(data) < at + _MAX_SDNV_BYTES:
            return None
    raise WireError("a number of more than 64 bits")
