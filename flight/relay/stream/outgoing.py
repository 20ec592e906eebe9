"""One line's way out: messages whole, transfers in segments, in an order that the peer can read."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from flight.relay.errors import WireError

MAX_WAITING_BYTES = 1 << 20
"""Messages for a peer that does not read them; beyond it the line is given up."""


@dataclass(slots=True)
class Transfer:
    """One bundle on its way over one line."""

    key: int
    number: int
    """On this line, from 0; in TCPCLv4 the transfer id."""
    block: bytes
    sent: int = 0
    """Bytes cut into segments so far."""
    acked: int = 0
    is_refused: bool = False
    ends_at: int = 0
    """Where its last byte stands in all that the line carried; 0: not yet cut."""


Head = Callable[[Transfer, int], bytes]
"""Returns what comes before the next so many bytes of a transfer."""


class Outgoing:
    """What leaves on one line, and how far it has come."""

    __slots__ = ("_head", "_messages", "_rest", "_waiting_bytes", "current", "pulled", "segment")

    def __init__(self, head: Head) -> None:
        self._head = head
        self._messages: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._rest = memoryview(b"")
        self.current: Transfer | None = None
        self.segment = 0
        """Longest segment; 0: transfers whole."""
        self.pulled = 0
        """Bytes handed out so far."""

    @property
    def has_words(self) -> bool:
        """Whether there is anything to send but data."""
        return bool(self._messages)

    @property
    def is_idle(self) -> bool:
        """Whether another transfer may begin."""
        return self.current is None and not self._rest

    @property
    def is_cut_open(self) -> bool:
        """Whether the peer waits for the rest of a segment, so that no message may stand here."""
        return bool(self._rest)

    def say(self, message: bytes) -> None:
        """Send a message ahead of all segments but the one that is under way.

        Raises:
            WireError: the peer asks for answers and does not read them.
        """
        self._waiting_bytes += len(message)
        if self._waiting_bytes > MAX_WAITING_BYTES:
            raise WireError("the peer does not read what is sent to it")
        self._messages.append(message)

    def begin(self, transfer: Transfer) -> None:
        """Send a transfer; only while idle."""
        self.current = transfer

    def pull(self, room: int, *, data: bool) -> bytes:
        """Return the next bytes for the line, about ``room`` at most; without ``data``, messages.

        A segment once begun goes on in either case: nothing else may stand in its place.
        """
        pieces: list[bytes | memoryview] = []
        taken = 0
        while taken < room:
            piece = self._next(room - taken, data)
            if not piece:
                break
            pieces.append(piece)
            taken += len(piece)
            self.pulled += len(piece)
        return b"".join(pieces)

    def _next(self, room: int, data: bool) -> bytes | memoryview:
        if self._rest:
            piece, self._rest = self._rest[:room], self._rest[room:]
            return piece
        if self._messages:
            message = self._messages.popleft()
            self._waiting_bytes -= len(message)
            return message
        transfer = self.current
        if transfer is None or not data:
            return b""
        if transfer.is_refused:
            self.current = None
            return b""
        start, whole = transfer.sent, len(transfer.block)
        size = min(self.segment or whole, whole - start)
        head = self._head(transfer, size)
        transfer.sent += size
        self._rest = memoryview(transfer.block)[start : transfer.sent]
        if transfer.sent == whole:
            transfer.ends_at = self.pulled + len(head) + size
            self.current = None
        return head
