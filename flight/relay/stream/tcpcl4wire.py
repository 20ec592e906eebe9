"""The messages of TCPCLv4 as bytes (RFC 9174 sections 4.2, 4.6, 5.1, 5.2 and 6.1)."""

import struct
from enum import IntEnum, IntFlag
from typing import NamedTuple, TypeAlias

from flight.relay.errors import WireError

MAGIC = b"dtn!"
VERSION = 4
CONTACT_BYTES = 6
CAN_TLS = 1
CRITICAL = 1
"""Of an extension item: whoever does not know it must not go on (section 4.8)."""
TRANSFER_LENGTH = 1
"""Extension item type of the whole transfer's length (section 5.2.5.1)."""
MAX_NODE_ID_BYTES = 1023
MAX_EXTENSION_BYTES = 4096
"""Longest list of extension items that is read."""

_ID = struct.Struct(">BBQ")
_ACK = struct.Struct(">BBQQ")
_INIT = struct.Struct(">BHQQH")
_ITEM = struct.Struct(">BHH")


class Kind(IntEnum):
    """Message types (section 9.5)."""

    XFER_SEGMENT = 1
    XFER_ACK = 2
    XFER_REFUSE = 3
    KEEPALIVE = 4
    SESS_TERM = 5
    MSG_REJECT = 6
    SESS_INIT = 7


class Mark(IntFlag):
    """Flags of XFER_SEGMENT and XFER_ACK (section 5.2.2)."""

    END = 1
    START = 2


class Refusal(IntEnum):
    """Why a transfer is refused (section 5.2.4)."""

    UNKNOWN = 0
    COMPLETED = 1
    NO_RESOURCES = 2
    RETRANSMIT = 3
    NOT_ACCEPTABLE = 4
    EXTENSION_FAILURE = 5
    SESSION_TERMINATING = 6


class Ending(IntEnum):
    """Why a session ends (section 6.1)."""

    UNKNOWN = 0
    IDLE_TIMEOUT = 1
    VERSION_MISMATCH = 2
    BUSY = 3
    CONTACT_FAILURE = 4
    RESOURCE_EXHAUSTION = 5


class Rejection(IntEnum):
    """Why a message is rejected (section 5.1.2)."""

    TYPE_UNKNOWN = 1
    UNSUPPORTED = 2
    UNEXPECTED = 3


class Item(NamedTuple):
    """An extension item (sections 4.8 and 5.2.5)."""

    is_critical: bool
    type: int
    value: bytes


class Init(NamedTuple):
    """SESS_INIT (section 4.6)."""

    keepalive_s: int
    segment_mru: int
    transfer_mru: int
    node_id: str
    items: tuple[Item, ...] = ()


class SegmentHead(NamedTuple):
    """XFER_SEGMENT without its data, of which ``size`` bytes follow (section 5.2.2)."""

    marks: Mark
    number: int
    size: int
    items: tuple[Item, ...] = ()


class Ack(NamedTuple):
    """XFER_ACK (section 5.2.3)."""

    marks: Mark
    number: int
    length: int


class Refuse(NamedTuple):
    """XFER_REFUSE (section 5.2.4)."""

    reason: int
    number: int


class Keepalive(NamedTuple):
    """KEEPALIVE (section 5.1.1)."""


class Term(NamedTuple):
    """SESS_TERM (section 6.1)."""

    is_reply: bool
    reason: int


class Reject(NamedTuple):
    """MSG_REJECT (section 5.1.2)."""

    reason: int
    header: int


Message: TypeAlias = Init | SegmentHead | Ack | Refuse | Keepalive | Term | Reject
KINDS: dict[type[Message], Kind] = {
    Init: Kind.SESS_INIT,
    SegmentHead: Kind.XFER_SEGMENT,
    Ack: Kind.XFER_ACK,
    Refuse: Kind.XFER_REFUSE,
    Keepalive: Kind.KEEPALIVE,
    Term: Kind.SESS_TERM,
    Reject: Kind.MSG_REJECT,
}


class UnknownTypeError(WireError):
    """A message of no known type: where the next one begins cannot be known either."""


def write_contact(*, can_tls: bool) -> bytes:
    """Return our contact header (section 4.2)."""
    return MAGIC + bytes((VERSION, CAN_TLS if can_tls else 0))


def write_message(message: Message) -> bytes:
    """Return a message as bytes; of a segment only what comes before its data."""
    kind = KINDS[type(message)]
    if isinstance(message, SegmentHead):
        head = _ID.pack(kind, message.marks, message.number)
        if message.marks & Mark.START:
            head += _write_items(message.items)
        return head + message.size.to_bytes(8, "big")
    if isinstance(message, Ack):
        return _ACK.pack(kind, *message)
    if isinstance(message, Refuse):
        return _ID.pack(kind, *message)
    if isinstance(message, Term | Reject):
        return bytes((kind, *message))
    if isinstance(message, Init):
        node_id = message.node_id.encode()
        head = _INIT.pack(
            kind, message.keepalive_s, message.segment_mru, message.transfer_mru, len(node_id)
        )
        return head + node_id + _write_items(message.items)
    return bytes((kind,))


def read_message(data: bytes | bytearray, at: int) -> tuple[Message, int] | None:
    """Return the message at a place and the place after it; None: more bytes are needed.

    Raises:
        UnknownTypeError: its type is reserved.
        WireError: a length in it is beyond all measure, or its text is not UTF-8.
    """
    if at >= len(data):
        return None
    try:
        kind = Kind(data[at])
    except ValueError:
        raise UnknownTypeError(f"TCPCLv4 message type {data[at]}") from None
    try:
        return _READERS[kind](data, at)
    except (struct.error, IndexError):
        return None


def transfer_length(items: tuple[Item, ...]) -> int | None:
    """Return the whole transfer's length, if an item says it (section 5.2.5.1).

    Raises:
        WireError: the item is not 8 bytes long.
    """
    for item in items:
        if item.type == TRANSFER_LENGTH:
            if len(item.value) != 8:
                raise WireError("a transfer length has 8 bytes")
            return int.from_bytes(item.value, "big")
    return None


def length_item(length: int) -> Item:
    """Return the item that says the whole transfer's length."""
    return Item(False, TRANSFER_LENGTH, length.to_bytes(8, "big"))


def _write_items(items: tuple[Item, ...]) -> bytes:
    body = b"".join(
        _ITEM.pack(CRITICAL if item.is_critical else 0, item.type, len(item.value)) + item.value
        for item in items
    )
    return len(body).to_bytes(4, "big") + body


def _read_items(data: bytes | bytearray, at: int) -> tuple[tuple[Item, ...], int]:
    (size,) = struct.unpack_from(">I", data, at)
    if size > MAX_EXTENSION_BYTES:
        raise WireError(f"{size} bytes of extension items")
    at += 4
    end = at + size
    if end > len(data):
        raise IndexError
    items = []
    while at < end:
        if at + _ITEM.size > end:
            raise WireError("an extension item is cut short")
        flags, kind, length = _ITEM.unpack_from(data, at)
        at += _ITEM.size
        if at + length > end:
            raise WireError("an extension item exceeds its list")
        items.append(Item(bool(flags & CRITICAL), kind, bytes(data[at : at + length])))
        at += length
    return tuple(items), end


def _read_init(data: bytes | bytearray, at: int) -> tuple[Message, int]:
    _, keepalive_s, segment_mru, transfer_mru, size = _INIT.unpack_from(data, at)
    if size > MAX_NODE_ID_BYTES:
        raise WireError(f"a node id of {size} bytes")
    at += _INIT.size
    if at + size > len(data):
        raise IndexError
    try:
        node_id = bytes(data[at : at + size]).decode()
    except UnicodeDecodeError:
        raise WireError("a node id is not UTF-8") from None
    items, at = _read_items(data, at + size)
    return Init(keepalive_s, segment_mru, transfer_mru, node_id, items), at


def _read_segment(data: bytes | bytearray, at: int) -> tuple[Message, int]:
    _, marks, number = _ID.unpack_from(data, at)
    at += _ID.size
    items: tuple[Item, ...] = ()
    if marks & Mark.START:
        items, at = _read_items(data, at)
    (size,) = struct.unpack_from(">Q", data, at)
    # Section 5.2.3: flags not known here come back in the acknowledgement.
    return SegmentHead(Mark(marks), number, size, items), at + 8


def _read_ack(data: bytes | bytearray, at: int) -> tuple[Message, int]:
    _, marks, number, length = _ACK.unpack_from(data, at)
    return Ack(Mark(marks), number, length), at + _ACK.size


def _read_refuse(data: bytes | bytearray, at: int) -> tuple[Message, int]:
    _, reason, number = _ID.unpack_from(data, at)
    return Refuse(reason, number), at + _ID.size


def _read_term(data: bytes | bytearray, at: int) -> tuple[Message, int]:
    return Term(bool(data[at + 1] & 1), data[at + 2]), at + 3


def _read_reject(data: bytes | bytearray, at: int) -> tuple[Message, int]:
    return Reject(data[at + 1], data[at + 2]), at + 3


_READERS = {
    Kind.SESS_INIT: _read_init,
    Kind.XFER_SEGMENT: _read_segment,
    Kind.XFER_ACK: _read_ack,
    Kind.XFER_REFUSE: _read_refuse,
    Kind.KEEPALIVE: lambda _data, at: (Keepalive(), at + 1),
    Kind.SESS_TERM: _read_term,
    Kind.MSG_REJECT: _read_reject,
}
