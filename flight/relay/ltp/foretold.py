"""Reading most of a large block by one comparison.

Most segments have the size of the one before and follow it. Then every byte of the header is
known beforehand, and a datagram that begins with it needs no reading.
"""

from flight.relay.ltp.receive_session import ReceiveSession
from flight.relay.ltp.segment import (
    DataSegment,
    SegmentType,
    offset_and_length,
    sdnv,
    session_prefix,
)


class Foretold:
    """The next plain red segment of the session that is coming in, if there is one to foretell."""

    __slots__ = ("_header", "_prefix", "end", "session", "size", "start")

    def __init__(self) -> None:
        self.session: ReceiveSession | None = None
        self._prefix = self._header = b""
        self.start = self.end = self.size = 0

    def note(self, session: ReceiveSession, segment: DataSegment, end: int) -> None:
        """Foretell what follows this segment, unless something bounds the red part already."""
        self.session = None
        is_bounded = session.red_end is not None or session.green_start is not None
        if segment.type != SegmentType.RED or is_bounded or session.edges[-1:] != [end]:
            return
        self.session = session
        self.size = len(segment.data)
        self._prefix = session_prefix(SegmentType.RED, session.id) + sdnv(segment.client_service)
        self.advance(end)

    def data_of(self, datagram: bytes) -> bytes | None:
        """Return the data of a datagram that is the foretold one; None: it is another."""
        if self.session is None or not datagram.startswith(self._header):
            return None
        data = datagram[len(self._header) :]
        return data if len(data) == self.size else None

    def advance(self, start: int) -> None:
        """Foretell the segment that starts here."""
        self.start, self.end = start, start + self.size
        self._header = self._prefix + offset_and_length(start, self.size)

    def forget(self) -> None:
        """Foretell nothing: the session has changed."""
        self.session = None
