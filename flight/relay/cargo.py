"""What a link without sessions of its own has in its hands for the peer."""

from flight.relay.waiting import Line, Throttle, Waiting


class Cargo:
    """Bundles in line, or on one of the lines.

    Bounded by blocks and bytes; the last eighth of both is for priority 0.
    """

    __slots__ = (
        "_attempts_max",
        "_blocks_max",
        "_bytes",
        "_bytes_max",
        "_frame_bytes",
        "_is_spent",
        "_line",
        "_throttle",
        "_under_way",
    )

    def __init__(
        self,
        throttle: Throttle,
        *,
        ahead_ms: int,
        blocks_max: int,
        bytes_max: int,
        attempts_max: int = 1,
        frame_bytes: int = 0,
    ) -> None:
        """Hold nothing yet. ``frame_bytes``: what a bundle costs on the line beside itself."""
        self._throttle = throttle
        self._line = Line(ahead_ms=ahead_ms)
        self._blocks_max = blocks_max
        self._bytes_max = bytes_max
        self._attempts_max = attempts_max
        self._frame_bytes = frame_bytes
        self._under_way: dict[int, Waiting] = {}
        self._bytes = 0
        self._is_spent = False

    def __len__(self) -> int:
        return len(self._line) + len(self._under_way)

    @property
    def is_waiting(self) -> bool:
        """Whether a bundle could begin if a line were free."""
        return len(self._line) > 0 and not self._is_spent

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, not even for a later contact."""
        return not len(self._line)

    def has_room(self, priority: int) -> bool:
        """Say whether a bundle of this priority may come in now."""
        most, most_bytes = self._blocks_max, self._bytes_max
        if priority:
            most, most_bytes = most - (most + 7) // 8, most_bytes - most_bytes // 8
        if not self._throttle.is_open or len(self) >= most:
            return False
        if self._line.size + self._bytes >= most_bytes:
            return False
        return self._line.has_room(priority, self._throttle.rate_bytes_s)

    def add(self, block: bytes, *, key: int, priority: int) -> None:
        """Take a bundle over."""
        self._is_spent = False
        self._line.add(block, key=key, priority=priority)

    def remove(self, key: int) -> bool:
        """Give up a bundle that waits; False: it is under way, or not here."""
        return self._line.remove(key)

    def renew(self) -> None:
        """Reckon with another end of the contact."""
        self._is_spent = False

    def begin(self, now_ns: int) -> Waiting | None:
        """Return the next bundle, from now on under way; None: there is none, or no time."""
        waiting = self._line.next()
        if waiting is None:
            return None
        if not self._throttle.fits(len(waiting.block) + self._frame_bytes, now_ns):
            self._is_spent = True
            return None
        self._line.take()
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
        if waiting.attempts + 1 >= self._attempts_max:
            return False
        self._is_spent = False
        self._line.put_back(waiting)
        return True

    def close(self) -> list[int]:
        """End the contact; return the keys of the bundles that waited, now given back."""
        self._throttle.rate_bytes_s = 0
        self._throttle.ends_ns = None
        return [self._line.take().key for _ in range(len(self._line))]
