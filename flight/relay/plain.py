"""One bundle a datagram, and nothing else: UDPCL, or HDTN's SLIP packets over a serial line.

Nothing is acknowledged and nothing repeated: a bundle counts as delivered once it has left, and
may be lost. Where that matters, take LTP.
"""

from dataclasses import dataclass

from flight.instant import Instant
from flight.relay.cargo import Cargo
from flight.relay.errors import WireError
from flight.relay.ltp.events import (
    BlockDelivered,
    BlockFailed,
    BlockReceived,
    LtpCounts,
    LtpEvent,
)
from flight.relay.ltp.segment import Reason, SessionId
from flight.relay.waiting import PRIORITIES, Throttle

_BUNDLES = 1


@dataclass(frozen=True, slots=True)
class UdpSettings:
    """One link with a bundle a datagram."""

    datagram_bytes_max: int = 65_507
    """Longest bundle sent: longer ones fail. NASA's bplib takes 4,096; beyond the network's
    packet size, and on a noisy serial line, long ones are lost more often."""

    frame_bytes: int = 0
    """What a datagram costs on the line beside itself: 28 with UDP and IPv4."""

    ahead_ms: int = 1000
    """Bundles that wait for the line may be worth this much of its time, or two, whichever is
    more; what waits behind them waits in the store, where priorities still count."""

    catch_up_ms: int = 50
    """A loop that wakes late may make up for this much line time at once."""

    send_blocks_max: int = 256
    """Bundles that wait for the line at most."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not 64 <= self.datagram_bytes_max <= 65_507:
            raise ValueError("datagram_bytes_max is not within 64 to 65,507")
        if min(self.frame_bytes, self.ahead_ms, self.catch_up_ms, self.send_blocks_max - 1) < 0:
            raise ValueError("frame_bytes, ahead_ms, catch_up_ms or send_blocks_max is too small")


class PlainEngine:
    """Paces bundles out and hands bundles in; an Engine without I/O."""

    def __init__(self, settings: UdpSettings) -> None:
        self._settings = settings
        self._throttle = Throttle(catch_up_ms=settings.catch_up_ms)
        self._cargo = Cargo(
            self._throttle,
            ahead_ms=settings.ahead_ms,
            blocks_max=settings.send_blocks_max,
            bytes_max=settings.send_blocks_max * settings.datagram_bytes_max,
            frame_bytes=settings.frame_bytes,
        )
        self._outbox: list[bytes] = []
        self._events: list[LtpEvent] = []
        self._received = self._delivered = self._failed = self._refused = 0
        self._bytes_sent = 0

    def set_contact(
        self,
        is_open: bool,
        *,
        rate_bytes_s: int = 0,
        one_way_ns: int = 0,  # noqa: ARG002 - nothing comes back
        ends_mono_ns: int | None = None,
        return_rate_bytes_s: int | None = None,  # noqa: ARG002 - as above
        now: Instant,  # noqa: ARG002 - as its siblings
    ) -> None:
        """Begin to send, or give back what waits."""
        if not is_open:
            self._close()
            return
        if rate_bytes_s < 1:
            raise ValueError("an open contact has a rate of at least 1 byte/s")
        self._throttle.rate_bytes_s = rate_bytes_s
        self._throttle.ends_ns = ends_mono_ns
        self._cargo.renew()

    def has_room(self, priority: int) -> bool:
        """Say whether ``send_block`` would take a block of this priority now."""
        return self._cargo.has_room(priority)

    def send_block(self, block: bytes, *, key: int, priority: int, now: Instant) -> bool:  # noqa: ARG002
        """Let a bundle wait for the line; False: there is no contact or no room now."""
        if not 0 <= priority < PRIORITIES:
            raise ValueError(f"priority {priority}")
        if not self.has_room(priority):
            return False
        if 0 < len(block) <= self._settings.datagram_bytes_max:
            self._cargo.add(block, key=key, priority=priority)
        else:
            self._fail(key, Reason.SYSTEM)
        return True

    def cancel_block(self, key: int, now: Instant) -> None:  # noqa: ARG002 - as its siblings
        """Give up a bundle that waits."""
        if self._cargo.remove(key):
            self._fail(key, Reason.USER)

    def accept(self, session: SessionId, now: Instant) -> None:
        """Do nothing: nobody waits for it."""

    def refuse(self, session: SessionId, reason: int, now: Instant) -> None:  # noqa: ARG002
        """Count it: the peer has forgotten the bundle, and cannot be told."""
        self._refused += 1

    def receive(self, datagram: bytes, now: Instant) -> None:  # noqa: ARG002 - see Engine
        """Take in one bundle.

        Raises:
            WireError: the datagram is empty.
        """
        if not datagram:
            raise WireError("an empty datagram")
        self._received += 1
        self._events.append(BlockReceived(SessionId(0, self._received), _BUNDLES, datagram))

    def expire(self, now: Instant) -> None:
        """Send what the line has room for."""
        ends_ns = self._throttle.ends_ns
        if ends_ns is not None and now.mono_ns >= ends_ns:
            self._close()
        # The first may be larger than the room: it is paid for by the next ones' wait.
        while self._throttle.room(now.mono_ns):
            waiting = self._cargo.begin(now.mono_ns)
            if waiting is None:
                break
            self._cargo.finish(waiting.key)
            self._throttle.spend(len(waiting.block) + self._settings.frame_bytes)
            self._outbox.append(waiting.block)
            self._bytes_sent += len(waiting.block)
            self._delivered += 1
            self._events.append(BlockDelivered(waiting.key))
        if self._cargo.is_empty:
            self._throttle.rest()

    def next_deadline_ns(self) -> int | None:
        """Return when to call ``expire``: the line falls free, the contact ends."""
        if not self._throttle.is_open:
            return None
        deadlines = [self._throttle.ends_ns]
        if self._cargo.is_waiting:
            deadlines.append(self._throttle.next_ns())
        return min((ns for ns in deadlines if ns is not None), default=None)

    def take_datagrams(self) -> tuple[bytes, ...]:
        """Return, and forget, the datagrams that leave now, in order."""
        datagrams = tuple(self._outbox)
        self._outbox.clear()
        return datagrams

    def take_events(self) -> tuple[LtpEvent, ...]:
        """Return, and forget, what happened since the last call, in order."""
        events = tuple(self._events)
        self._events.clear()
        return events

    def counts(self) -> LtpCounts:
        """Return the totals, for telemetry."""
        return LtpCounts(
            datagrams_sent=self._delivered,
            bytes_sent=self._bytes_sent,
            datagrams_received=self._received,
            blocks_delivered=self._delivered,
            blocks_failed=self._failed,
            blocks_received=self._received,
            segments_repeated=0,
            segments_foreign=0,
            segments_refused=self._refused,
            receptions_evicted=0,
            send_sessions=len(self._cargo),
            receive_sessions=0,
            loss_ppm=0,
        )

    def _close(self) -> None:
        for key in self._cargo.close():
            self._fail(key, Reason.UNREACHABLE)

    def _fail(self, key: int, reason: int) -> None:
        self._failed += 1
        self._events.append(BlockFailed(key, reason))
