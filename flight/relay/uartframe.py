"""Frames on a byte stream: COBS stuffing, a zero delimiter and a CRC.

    wire frame := COBS(payload || crc32) || 0x00

COBS: Cheshire and Baker, "Consistent Overhead Byte Stuffing" (1999), section 3.
CRC: CRC-32/ISO-HDLC (polynomial 0x04C11DB7, reflected, start and final XOR 0xFFFFFFFF), big
endian. Check value for "123456789": 0xCBF43926.

Both directions work a run of bytes at a time: a run is what lies between two zeros, so a frame
of n bytes costs about n / 256 turns of a loop, and only a frame of zeros costs n.
"""

from zlib import crc32

MAX_PAYLOAD_BYTES = 2048
_CRC_BYTES = 4
_RUN_BYTES = 254
_MAX_STUFFED_BYTES = (
    MAX_PAYLOAD_BYTES + _CRC_BYTES + (MAX_PAYLOAD_BYTES + _CRC_BYTES) // _RUN_BYTES + 1
)
_CODES = tuple(bytes([length + 1]) for length in range(_RUN_BYTES + 1))


def frame_bytes(payload_bytes: int) -> int:
    """Return the most bytes that a payload of this length takes on the line."""
    body = payload_bytes + _CRC_BYTES
    return body + body // _RUN_BYTES + 2


def encode_frame(payload: bytes) -> bytes:
    """Return one delimited frame.

    Raises:
        ValueError: payload is longer than MAX_PAYLOAD_BYTES.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"payload of {len(payload)} bytes exceeds {MAX_PAYLOAD_BYTES}")
    return _stuff(payload + crc32(payload).to_bytes(_CRC_BYTES, "big")) + b"\x00"


class FrameReader:
    """Finds frames in a byte stream, however the stream is cut.

    Damaged frames are dropped and counted: a noisy line is weather, not an error.
    """

    __slots__ = ("_buffer", "_overrun", "frames_dropped")

    def __init__(self) -> None:
        self.frames_dropped = 0
        self._buffer = bytearray()
        self._overrun = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return each intact payload that ``data`` completes, in order."""
        *ends, rest = data.split(b"\x00")
        payloads = []
        for end in ends:
            if not self._overrun and len(self._buffer) + len(end) <= _MAX_STUFFED_BYTES:
                stuffed = bytes(self._buffer) + end if self._buffer else end
                payload = _open_frame(stuffed)
                if payload is not None:
                    payloads.append(payload)
                elif stuffed:  # two delimiters in a row are an idle line, not a loss
                    self.frames_dropped += 1
            else:
                self.frames_dropped += 1
            self._buffer.clear()
            self._overrun = False
        self._keep(rest)
        return payloads

    def _keep(self, rest: bytes) -> None:
        if self._overrun or len(self._buffer) + len(rest) > _MAX_STUFFED_BYTES:
            self._overrun = True
            self._buffer.clear()
        else:
            self._buffer += rest


def _open_frame(stuffed: bytes) -> bytes | None:
    body = _unstuff(stuffed)
    if body is None or len(body) < _CRC_BYTES:
        return None
    payload = body[:-_CRC_BYTES]
    return payload if crc32(payload) == int.from_bytes(body[-_CRC_BYTES:], "big") else None


def _stuff(data: bytes) -> bytes:
    pieces: list[bytes] = []
    tail, start = b"", 0
    for run in data.split(b"\x00"):
        start = 0
        for start in range(_RUN_BYTES, len(run) + 1, _RUN_BYTES):
            pieces += b"\xff", run[start - _RUN_BYTES : start]
        tail = run[start:]
        pieces += _CODES[len(tail)], tail
    if not tail and start:  # data that end with a full run need no empty one after it
        del pieces[-2:]
    return b"".join(pieces)


def _unstuff(stuffed: bytes) -> bytes | None:
    pieces = []
    at, end = 0, len(stuffed)
    while at < end:
        code = stuffed[at]
        pieces.append(stuffed[at + 1 : at + code])
        at += code
        if code < 0xFF:
            pieces.append(b"\x00")
    if at != end:
        return None
    # A run shorter than 254 bytes stands for itself and the zero after it; the last zero is
    # the one that the encoder imagined beyond the end.
    return b"".join(pieces[:-1] if pieces and pieces[-1] == b"\x00" else pieces)
