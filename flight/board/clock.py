"""The board's clocks: the one place where they are read."""

import time

from flight.instant import Instant

DTN_EPOCH_UNIX_MS = 946_684_800_000
"""2000-01-01T00:00:00Z (RFC 9171 section 4.2.6) in Unix time."""
SET_SINCE_UNIX_MS = 1_704_067_200_000
"""2024-01-01T00:00:00Z. A board without a battery clock wakes in 1970 or at its image's date."""


class BoardClock:
    """Reads both clocks of the board together."""

    def now(self) -> Instant:
        """Return the current instant; ``dtn_ms`` is 0 while the system clock is not set."""
        return Instant(time.monotonic_ns(), dtn_ms(time.time_ns() // 1_000_000))  # noqa: TID251 - here it is allowed


def dtn_ms(unix_ms: int) -> int:
    """Return DTN time for a Unix time in milliseconds, or 0 when that clock was never set."""
    return unix_ms - DTN_EPOCH_UNIX_MS if unix_ms >= SET_SINCE_UNIX_MS else 0
