"""The ground's clocks: the one place on the ground where they are read."""

import time

from flight.instant import Instant
from ground.times import DTN_EPOCH

_EPOCH_MS = int(DTN_EPOCH.timestamp()) * 1000


class GroundClock:
    """Reads both clocks together. A ground computer's clock is taken to be set."""

    def now(self) -> Instant:
        """Return the current instant."""
        unix_ms = time.time_ns() // 1_000_000
        return Instant(time.monotonic_ns(), max(unix_ms - _EPOCH_MS, 0))  # noqa: TID251 - here it is allowed
