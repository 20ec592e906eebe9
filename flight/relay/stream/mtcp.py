"""One line of MTCP (draft-ietf-dtn-mtcpcl): each bundle a CBOR byte string, and nothing else.

Nothing is acknowledged: a bundle counts as delivered once the kernel has taken it, and what the
kernel had when the line broke may be lost. Where that matters, take TCPCL.
"""

from collections import deque

from flight.relay.cbor import BYTES, encode_head
from flight.relay.errors import WireError
from flight.relay.stream.outgoing import Outgoing, Transfer
from flight.relay.stream.session import Arrived, SessionEvent, Taken
from flight.relay.stream.settings import TcpSettings

_HEAD_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}
"""Bytes of the length behind the first byte, by its lower five bits (RFC 8949 section 3)."""


class MtcpSession:
    """See Session."""

    def __init__(self, settings: TcpSettings) -> None:
        self._settings = settings
        self._heard = bytearray()
        self._left: int | None = None
        """Length of the string that comes in; None: its head does."""
        self._arrived = self._count = 0
        self._sent: deque[Transfer] = deque()
        self._is_over = False
        self.outgoing = Outgoing(lambda _transfer, size: encode_head(BYTES, size))
        self.events: list[SessionEvent] = []
        self.wants_tls = False

    @property
    def is_ready(self) -> bool:
        """Whether transfers may begin: always, as nothing is agreed upon."""
        return not self._is_over

    @property
    def is_over(self) -> bool:
        """Whether to hang up."""
        return self._is_over

    def receive(self, data: bytes, now_ns: int) -> None:  # noqa: ARG002 - see Session
        """Take in what came on the line."""
        self._heard += data
        at = 0
        while True:
            if self._left is None:
                found = read_string_head(self._heard, at)
                if found is None:
                    break
                self._left, at = found
                if self._left > self._settings.block_bytes_max:
                    raise WireError(f"a bundle of {self._left} bytes")
            if len(self._heard) - at < self._left:
                break
            # dtn7 sends empty strings to see whether the line still stands.
            if self._left:
                block = bytes(self._heard[at : at + self._left])
                self.events.append(Arrived(self._arrived, block))
                self._arrived += 1
            at += self._left
            self._left = None
        del self._heard[:at]

    def secured(self, node_ids: tuple[str, ...], now_ns: int) -> None:  # noqa: ARG002 - see Session
        """Refuse: MTCP knows no TLS."""
        raise WireError("TLS where none was agreed")

    def begin(self, key: int, block: bytes) -> None:
        """Send a bundle; only while ``outgoing`` is idle."""
        transfer = Transfer(key, self._count, block)
        self._count += 1
        self._sent.append(transfer)
        self.outgoing.begin(transfer)

    def wrote(self, total: int) -> None:
        """Believe the kernel."""
        while self._sent and 0 < self._sent[0].ends_at <= total:
            self.events.append(Taken(self._sent.popleft().key))

    def accept(self, number: int) -> None:
        """Do nothing: nobody waits for it."""

    def refuse(self, number: int, *, for_good: bool) -> None:
        """Do nothing: the peer has forgotten the bundle, and cannot be told."""

    def unfinished(self) -> list[int]:
        """Return the keys of the bundles that the kernel has not wholly taken."""
        return [transfer.key for transfer in self._sent]

    def end(self, now_ns: int) -> None:  # noqa: ARG002 - see Session
        """End: there is nothing to say."""
        self._is_over = True

    def spoke(self, now_ns: int) -> None:
        """Do nothing: nobody listens for silence."""

    def expire(self, now_ns: int) -> None:
        """Do nothing: there are no timers."""

    def next_ns(self) -> int | None:
        """Return None: there are no timers."""
        return None


def read_string_head(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Return the length of a byte string and the place of its bytes; None: more are needed.

    Raises:
        WireError: something else than a byte string of definite length begins there.
    """
    if at >= len(data):
        return None
    major, low = data[at] >> 5, data[at] & 0x1F
    at += 1
    if major != BYTES or low > 27:
        raise WireError("no byte string of definite length")
    size = _HEAD_SIZES.get(low)
    if size is None:
        return low, at
    if at + size > len(data):
        return None
    return int.from_bytes(data[at : at + size], "big"), at + size
