"""What a stream link has in its hands: bundles for the peer, and bundles for the store."""

from flight.relay.ltp.segment import SessionId
from flight.relay.stream.settings import TcpSettings
from flight.relay.waiting import Line, Throttle, Waiting


class Inbox:
    """Bundles received and not yet durable here, by size."""

    __slots__ = ("_bytes", "_settings", "_sizes")

    def __init__(self, settings: TcpSettings) -> None:
        self._settings = settings
        self._sizes: dict[SessionId, int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def is_full(self) -> bool:
        """Whether the peer should wait."""
        settings = self._settings
        return len(self) >= settings.receive_blocks_max or self._bytes >= settings.receive_bytes_max

    def add(self, session: SessionId, size: int) -> None:
        """Take one in."""
        self._sizes[session] = size
        self._bytes += size

    def remove(self, session: SessionId) -> None:
        """Let one go."""
        self._bytes -= self._sizes.pop(session, 0)


class Cargo:
    """Bundles in line, or on one of the lines.

    Bounded by blocks and bytes; the last eighth of both is for priority 0.
    """

    __slots__ = ("_bytes", "_is_spent", "_settings", "_throttle", "_under_way", "line")

    def __init__(self, settings: TcpSettings, throttle: Throttle) -> None:
        self._settings = settings
        self._throttle = throttle
        self.line = Line(ahead_ms=settings.ahead_ms)
        self._under_way: dict[int, Waiting] = {}
        self._bytes = 0
        self._is_spent = False

    def __len__(self) -> int:
        return len(self.line) + len(self._under_way)

    @property
    def is_waiting(self) -> bool:
        """Whether a bundle could begin if a line were free."""
        return len(self.line) > 0 and not self._is_spent

    def has_room(self, priority: int) -> bool:
        """Say whether a bundle of this priority may come in."""
        most, most_bytes = self._settings.send_blocks_max, self._settings.send_bytes_max
        if priority:
            most, most_bytes = most - (most + 7) // 8, most_bytes - most_bytes // 8
        if len(self) >= most or self.line.size + self._bytes >= most_bytes:
            return False
        return self.line.has_room(priority, self._throttle.rate_bytes_s)

    def add(self, block: bytes, *, key: int, priority: int) -> None:
        """Take a bundle over."""
        self._is_spent = False
        self.line.add(block, key=key, priority=priority)

    def renew(self) -> None:
        """Reckon with another end of the contact."""
        self._is_spent = False

    def begin(self, now_ns: int) -> Waiting | None:
        """Return the next bundle, from now on under way; None: there is none, or no time."""
        waiting = self.line.next()
        if waiting is None:
            return None
        if not self._throttle.fits(len(waiting.block), now_ns):
            self._is_spent = True
            return None
        self.line.take()
        self._under_way[waiting.key] = waiting
        self._bytes += len(waiting.block)
        return waiting

    def finish(self, key: int) -> Waiting | None:
        """Forget a bundle that was under way; None: it was not."""
        waiting = self._under_way.pop(key, None)
        if waiting is not None:
            self._bytes -= len(waiting.block)
        return waiting

    def again(self, waiting: Waiting) -> bool:
        """Put a bundle back in line that was lost with its line; False: too often."""
        if waiting.attempts + 1 >= self._settings.attempts_max:
            return False
        self._is_spent = False
        self.line.put_back(waiting)
        return True
