"""Reading most of a large block by one comparison.

Most segments fill a datagram as long as the one before, and follow it. Then every byte of the
header is known beforehand, and a datagram that begins with it needs no reading.
"""

from flight.relay.ltp.receive_session import PIECE_BYTES, ReceiveSession
from flight.relay.ltp.segment import (
    DataSegment,
    SegmentType,
    fields_and_length,
    sdnv,
    session_prefix,
)


class Memory:
    """What parts of blocks take of memory, all sessions together."""

    __slots__ = ("held_bytes", "limit_bytes")

    def __init__(self, limit_bytes: int) -> None:
        """Hold nothing yet."""
        self.held_bytes = 0
        self.limit_bytes = limit_bytes


class Foretold:
    """The next plain red segment of the session that is coming in, if there is one to foretell."""

    __slots__ = (
        "_block_bytes_max",
        "_bytes",
        "_cost_bytes",
        "_end",
        "_header",
        "_memory",
        "_prefix",
        "_room_bytes",
        "_session",
        "_start",
    )

    def __init__(self, memory: Memory, block_bytes_max: int) -> None:
        """Foretell nothing yet."""
        self._memory = memory
        self._block_bytes_max = block_bytes_max
        self._session: ReceiveSession | None = None
        self._prefix = self._header = b""
        self._bytes = self._room_bytes = self._cost_bytes = 0
        """Length of the datagram, of what is in it beside the prefix, and what it takes of
        memory."""
        self._start = self._end = 0
        """Where its data lie in the block."""

    def note(
        self, session: ReceiveSession, segment: DataSegment, end: int, datagram_bytes: int
    ) -> None:
        """Foretell what follows this segment, unless something bounds the red part already."""
        self._session = None
        if segment.type != SegmentType.RED:
            return
        is_bounded = session.red_end is not None or session.green_start is not None
        if is_bounded or session.edges[-1:] != [end]:
            return
        self._session = session
        self._prefix = session_prefix(SegmentType.RED, session.id) + sdnv(segment.client_service)
        self._bytes = datagram_bytes
        self._room_bytes = datagram_bytes - len(self._prefix)
        self._cost_bytes = datagram_bytes + PIECE_BYTES
        self._foretell(end)

    def take(self, datagram: bytes, now_ns: int) -> bool:
        """Take in the datagram if it is the one foretold; False: it has to be read."""
        session, header = self._session, self._header
        if session is None or len(datagram) != self._bytes or not datagram.startswith(header):
            return False
        # What session.put does, written out: this is where a fast link spends its time.
        end = self._end
        session.touched_ns = now_ns
        session.edges[-1] = end
        session.pieces[self._start] = datagram[len(header) :]
        session.held_bytes += self._cost_bytes
        self._memory.held_bytes += self._cost_bytes
        self._foretell(end)
        return True

    def forget(self) -> None:
        """Foretell nothing: the session has changed."""
        self._session = None

    def _foretell(self, start: int) -> None:
        fields, size = fields_and_length(start, self._room_bytes)
        self._header = header = self._prefix + fields
        self._start = start
        self._end = end = start + size
        if (
            # Of some lengths there is no datagram: its length field would change with it.
            size < 1
            or len(header) + size != self._bytes
            or end > self._block_bytes_max
            or self._memory.held_bytes > self._memory.limit_bytes - self._cost_bytes
        ):
            self._session = None
