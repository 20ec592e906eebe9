"""When a datagram may leave, and when an answer is overdue.

Pacing: ``_free_ns`` is when the line falls silent if nothing more is put on it. A datagram may
leave once that has passed. A loop that wakes late finds it in the past and may catch up, but
only by ``catch_up_ms``: more would only fill a queue in the port, where priorities are lost.

Timers: an answer takes two light times, the segment's and the answer's time on the line, and the
peer's margin (RFC 5326 section 3.1.3 lists the same parts); what is really seen replaces that
where it is longer, as on a slow return link whose queue no plan knows.
"""

from collections import deque

from flight.relay.ltp.settings import LtpSettings

_NS = 10**9
_MS = 10**6
_BACK_OFF_MAX = 4


class Pacer:
    """The line of one span: its rate, its light time, its end, and its losses."""

    __slots__ = (
        "_catch_up_ns",
        "_frame_bytes",
        "_free_ns",
        "_is_spent",
        "_margin_ns",
        "_plan_ns",
        "_rate_bytes_s",
        "_responses",
        "_segment_bytes",
        "ends_ns",
        "is_open",
        "loss_ppm",
        "round_trip_ns",
        "timeout_ns",
    )

    def __init__(self, settings: LtpSettings) -> None:
        self._frame_bytes = settings.frame_bytes
        self._segment_bytes = settings.segment_bytes + settings.frame_bytes
        self._catch_up_ns = settings.catch_up_ms * _MS
        self._margin_ns = settings.margin_ms * _MS
        self._rate_bytes_s = 1
        self._free_ns = 0
        self._plan_ns = self._margin_ns
        self._responses: deque[int] = deque(maxlen=8)
        self.timeout_ns = self._margin_ns
        self.round_trip_ns = 0
        self.is_open = False
        self._is_spent = False
        self.ends_ns: int | None = None
        self.loss_ppm = 0

    def open(
        self, *, rate_bytes_s: int, return_rate_bytes_s: int, one_way_ns: int, ends_ns: int | None
    ) -> None:
        """Take over a contact's terms."""
        self.is_open = True
        self._is_spent = False
        self._rate_bytes_s = rate_bytes_s
        self.ends_ns = ends_ns
        self.round_trip_ns = 2 * one_way_ns
        there_ns = self.line_ns(self._segment_bytes)
        back_ns = self._segment_bytes * _NS // return_rate_bytes_s
        self._plan_ns = self.round_trip_ns + there_ns + back_ns + self._margin_ns
        # What was seen in an earlier contact need not hold in this one.
        self._responses.clear()
        self.timeout_ns = self._plan_ns

    def line_ns(self, size: int) -> int:
        """Return how long so many bytes keep the line busy."""
        return size * _NS // self._rate_bytes_s

    def allowance(self, now_ns: int) -> int:
        """Return how many full segments may leave now; 0: none, or not before the contact ends."""
        if not self.is_open or self._free_ns > now_ns:
            return 0
        self._free_ns = max(self._free_ns, now_ns - self._catch_up_ns)
        segment_ns = self.line_ns(self._segment_bytes) or 1
        count = (now_ns - self._free_ns) // segment_ns + 1
        if self.ends_ns is not None:
            # What was made up for after a late wake-up is still on the line: hence the guard.
            count = min(count, (self.ends_ns - self._catch_up_ns - now_ns) // segment_ns)
            self._is_spent = count < 1
        return max(count, 0)

    def spend(self, size: int, datagrams: int, now_ns: int, *, was_idle: bool) -> None:
        """Keep the line busy with datagrams of this total size."""
        if was_idle:  # line time that nobody wanted is not owed to anybody
            self._free_ns = max(self._free_ns, now_ns)
        self._free_ns += self.line_ns(size + datagrams * self._frame_bytes)

    def next_ns(self) -> int | None:
        """Return when the next datagram may leave; None: not in this contact."""
        return None if self._is_spent else self._free_ns

    def copies(self, most: int) -> int:
        """Return how often to say a small thing so that one in fifty is lost, or fewer."""
        if self.loss_ppm < 20_000:
            return 1
        return min(most, 2 if self.loss_ppm < 140_000 else 3)

    def spacing_ns(self) -> int:
        """Return the pause between copies: beyond a short burst, well within a round trip."""
        return max(self.round_trip_ns // 8, 2 * _MS)

    def wait_ns(self, attempts: int) -> int:
        """Return the patience after so many attempts; it grows, in case the estimate is wrong."""
        steps = 3 + min(attempts, 4 * _BACK_OFF_MAX - 3)
        # The peer's answer may be the last of its copies.
        return self.timeout_ns * steps // 4 + (self.copies(3) - 1) * self.spacing_ns()

    def saw_response(self, took_ns: int) -> None:
        """Learn how long an answer really took; the shortest of the last few counts.

        A lost report delays one answer, a queue at the peer all of them.
        """
        self._responses.append(took_ns)
        if len(self._responses) == self._responses.maxlen:
            self.timeout_ns = max(self._plan_ns, min(self._responses) + self._margin_ns)

    def saw_losses(self, lost: int, total: int) -> None:
        """Learn from ``total`` segments of which ``lost`` did not arrive; a moving mean of ~64."""
        weight = min(total, 32)
        self.loss_ppm += (lost * 1_000_000 // total - self.loss_ppm) * weight // 64
