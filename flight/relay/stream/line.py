"""What passes between a stream's port and its engine: datagrams, each one event of one line.

A stream port has several lines (connections): those that it called and those that called it. As
an event is a datagram like any other, a stream link needs nothing in node and loop that a
datagram link does not have, and what was recorded can be replayed.

    datagram := event line content
"""

from collections.abc import Sequence
from enum import IntEnum

from flight.relay.errors import WireError

ANY_LINE = 0
"""Stands for no line: in CALL and REST. Lines have the numbers 1 to 255."""
MAX_LINES = 8
"""Lines that a port keeps at one time, and an engine follows."""


class Told(IntEnum):
    """From the port to the engine."""

    CALLED = 1
    """A line stands that the port called."""
    ANSWERED = 2
    """A line stands that the peer called."""
    HEARD = 3
    """The content came in."""
    WROTE = 4
    """The kernel has taken so many bytes (content: 4 bytes, big end first)."""
    SECURED = 5
    """TLS is up (content: the node ids in the peer's certificate, one a line)."""
    ENDED = 6
    """The line is gone; what was not WROTE is lost, and of what was, nobody knows."""


class Order(IntEnum):
    """From the engine to the port."""

    CALL = 16
    """Call the peer, and again whenever that line is gone."""
    REST = 17
    """Do not call any more."""
    WRITE = 18
    """Write the content."""
    SECURE = 19
    """Begin TLS once all is written: as client where the port called, else as server."""
    HANG_UP = 20
    """Write what is left, then end the line. The engine knows it no more."""
    HOLD = 21
    """Leave what comes in the kernel, so that the peer has to wait."""
    GO_ON = 22
    """Hear again."""
    KEEP = 23
    """A session stands: where there is no room for a caller, end a line without one first."""


def pack(event: Told | Order, line: int = ANY_LINE, content: bytes = b"") -> bytes:
    """Return the datagram for an event."""
    return bytes((event, line)) + content


def wrote(line: int, count: int) -> bytes:
    """Return the datagram that says how much the kernel has taken."""
    return pack(Told.WROTE, line, count.to_bytes(4, "big"))


def secured(line: int, node_ids: Sequence[str]) -> bytes:
    """Return the datagram that says who the peer's certificate is for; ids are printable text."""
    return pack(Told.SECURED, line, "\n".join(node_ids).encode())


def read_secured(content: bytes) -> tuple[str, ...]:
    """Return the node ids that the content of SECURED says.

    Raises:
        WireError: no port says that.
    """
    try:
        return tuple(content.decode().split("\n")) if content else ()
    except UnicodeDecodeError:
        raise WireError("node ids are text") from None


def read_told(datagram: bytes) -> tuple[Told, int, bytes]:
    """Return event, line and content of a port's datagram.

    Raises:
        WireError: no port says that.
    """
    if len(datagram) < 2 or not Told.CALLED <= datagram[0] <= Told.ENDED or not datagram[1]:
        raise WireError("no event of a line")
    event = Told(datagram[0])
    if event is Told.WROTE and len(datagram) != 6:
        raise WireError("no count of written bytes")
    return event, datagram[1], datagram[2:]
