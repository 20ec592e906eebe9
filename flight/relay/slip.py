"""Packets on a byte stream as HDTN's UART link wants them: SLIP (RFC 1055), whole bundles.

SLIP has no check of its own: what it yields may be damaged, and the bundle's CRC finds out.
"""

_END = b"\xc0"
_ESCAPED = {b"\xdb\xdc": b"\xc0", b"\xdb\xdd": b"\xdb"}


def encode_packet(payload: bytes) -> bytes:
    """Return one packet between two END bytes; the first flushes noise out of the reader."""
    return _END + payload.replace(b"\xdb", b"\xdb\xdd").replace(_END, b"\xdb\xdc") + _END


class PacketReader:
    """Finds packets in a byte stream, however the stream is cut.

    A packet with a wrong escape, or longer than ``packet_bytes_max``, is dropped and counted.
    """

    __slots__ = ("_buffer", "_overrun", "_packet_bytes_max", "packets_dropped")

    def __init__(self, packet_bytes_max: int) -> None:
        self.packets_dropped = 0
        self._packet_bytes_max = packet_bytes_max
        self._buffer = bytearray()
        self._overrun = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return each packet that ``data`` completes, in order."""
        *ends, rest = data.split(_END)
        packets = []
        for end in ends:
            self._keep(end)
            packet = None if self._overrun else _unescape(bytes(self._buffer))
            if packet and len(packet) <= self._packet_bytes_max:
                packets.append(packet)
            elif self._overrun or self._buffer:
                self.packets_dropped += 1
            self._buffer.clear()
            self._overrun = False
        self._keep(rest)
        return packets

    def _keep(self, piece: bytes) -> None:
        if self._overrun or len(self._buffer) + len(piece) > 2 * self._packet_bytes_max:
            self._overrun = True
            self._buffer.clear()
        else:
            self._buffer += piece


def _unescape(stuffed: bytes) -> bytes | None:
    first, *escaped = stuffed.split(b"\xdb")
    pieces = [first]
    for piece in escaped:
        plain = _ESCAPED.get(b"\xdb" + piece[:1])
        if plain is None:
            return None
        pieces += plain, piece[1:]
    return b"".join(pieces)
