"""One LTP span: the sending and the receiving half behind one line (RFC 5326)."""

from hashlib import blake2b

from flight.instant import Instant
from flight.relay.ltp.events import LtpCounts, LtpEvent
from flight.relay.ltp.pacing import Pacer
from flight.relay.ltp.receiver import Receiver
from flight.relay.ltp.segment import (
    Cancel,
    CancelAck,
    DataSegment,
    Report,
    ReportAck,
    SessionId,
    read_segment,
)
from flight.relay.ltp.sender import PRIORITIES, Sender
from flight.relay.ltp.settings import LtpSettings
from flight.relay.ltp.timers import Timers


class LtpEngine:
    """Sends and receives blocks over one span; an Engine without I/O.

    The caller hands in datagrams and instants, calls ``expire`` when ``next_deadline_ns`` is
    reached, and sends what ``take_datagrams`` returns at once. Only ``expire`` puts datagrams
    out, one at a time by urgency: pacing is inside.
    """

    def __init__(self, settings: LtpSettings, *, seed: int) -> None:
        """Make an engine. ``seed`` differs from boot to boot: session numbers follow from it."""
        numbers = blake2b(str(seed).encode(), digest_size=16).digest()
        self._settings = settings
        self._events: list[LtpEvent] = []
        self._outbox: list[bytes] = []
        self._pacer = Pacer(settings)
        self._timers = Timers(settings, self._pacer)
        self._sender = Sender(
            settings, self._timers, self._events, int.from_bytes(numbers[:8], "big")
        )
        self._receiver = Receiver(
            settings, self._timers, self._events, int.from_bytes(numbers[8:], "big")
        )
        self._take_foretold = self._receiver.take_foretold
        self._closed_ns: int | None = None
        self._sweep_ns = 0
        self._was_idle = True
        self._datagrams_sent = self._bytes_sent = self._datagrams_received = self._foreign = 0

    def set_contact(
        self,
        is_open: bool,
        *,
        rate_bytes_s: int = 0,
        one_way_ns: int = 0,
        ends_mono_ns: int | None = None,
        return_rate_bytes_s: int | None = None,
        now: Instant,
    ) -> None:
        """Suspend or resume: nothing is emitted, and no timer runs, while there is no contact.

        ``ends_mono_ns`` lets the engine stop by itself in time: no segment is begun that the
        contact would cut off. Without ``return_rate_bytes_s`` both directions are alike.
        """
        now_ns = now.mono_ns
        if not is_open:
            self._suspend(now_ns)
            return
        if rate_bytes_s < 1:
            raise ValueError("an open contact has a rate of at least 1 byte/s")
        was_open = self._pacer.is_open
        self._pacer.open(
            rate_bytes_s=rate_bytes_s,
            return_rate_bytes_s=return_rate_bytes_s or rate_bytes_s,
            one_way_ns=one_way_ns,
            ends_ns=ends_mono_ns,
        )
        if not was_open:
            closed_ns = 0 if self._closed_ns is None else now_ns - self._closed_ns
            self._sender.resume(closed_ns)
            self._receiver.resume(closed_ns)
            self._timers.resume(now_ns)
            self._closed_ns = None
            self._sweep_ns = now_ns + self._pacer.timeout_ns

    def has_room(self, priority: int) -> bool:
        """Say whether ``send_block`` would take a block of this priority now."""
        return self._pacer.is_open and self._sender.has_room(priority)

    def send_block(
        self, block: bytes, *, key: int, priority: int, now: Instant, red_bytes: int | None = None
    ) -> bool:
        """Begin to send a block; False: there is no contact or no room now.

        ``priority`` 0, the most urgent, to 3. Red, all of it unless ``red_bytes`` says how much,
        arrives or is given back; green is sent once. ``key`` comes back in the event that ends it.
        """
        if not 0 < len(block) <= self._settings.block_bytes_max:
            raise ValueError(f"block of {len(block)} bytes")
        if not 0 <= priority < PRIORITIES:
            raise ValueError(f"priority {priority}")
        red_bytes = len(block) if red_bytes is None else red_bytes
        if not 0 <= red_bytes <= len(block):
            raise ValueError(f"red part of {red_bytes} bytes")
        if not self.has_room(priority):
            return False
        self._sender.start(
            block, red_bytes=red_bytes, key=key, priority=priority, now_ns=now.mono_ns
        )
        return True

    def cancel_block(self, key: int, now: Instant) -> None:  # noqa: ARG002 - as its siblings
        """Give up a block; BlockFailed follows (RFC 5326 section 4.2)."""
        self._sender.cancel(key)

    def accept(self, session: SessionId, now: Instant) -> None:  # noqa: ARG002 - as its siblings
        """Let the sender know: the block's bundles are durable here. Only now is it claimed."""
        self._receiver.accept(session)

    def refuse(self, session: SessionId, reason: int, now: Instant) -> None:  # noqa: ARG002
        """Cancel a session of the peer's."""
        self._receiver.refuse(session, reason)

    def receive(self, datagram: bytes, now: Instant) -> None:
        """Take in one segment. Raise WireError, and change nothing, if it breaks the protocol."""
        self._datagrams_received += 1
        now_ns = now.mono_ns
        if self._take_foretold(datagram, now_ns):
            return
        segment = read_segment(datagram)
        engine = segment.session.engine
        if isinstance(segment, DataSegment):
            if engine != self._settings.peer_engine_id:
                self._foreign += 1
                return
            self._receiver.on_data(segment, len(datagram), now_ns)
        else:
            self._on_control(segment, now_ns)

    def _on_control(self, segment: Report | ReportAck | Cancel | CancelAck, now_ns: int) -> None:
        # Reports, the receiver's cancels and acknowledgements of ours concern our own sessions.
        if isinstance(segment, Report):
            by_peer = False
        elif isinstance(segment, ReportAck):
            by_peer = True
        elif isinstance(segment, Cancel):
            by_peer = segment.by_sender
        else:
            by_peer = not segment.by_sender
        expected = self._settings.peer_engine_id if by_peer else self._settings.engine_id
        if segment.session.engine != expected:
            self._foreign += 1
            return
        if isinstance(segment, Report):
            self._sender.on_report(segment, now_ns)
        elif isinstance(segment, ReportAck):
            self._receiver.on_report_ack(segment)
        elif isinstance(segment, Cancel):
            (self._receiver if by_peer else self._sender).on_cancel(segment)
        else:
            (self._receiver if by_peer else self._sender).on_cancel_ack(segment)

    def expire(self, now: Instant) -> None:
        """Send what the line has room for, and act on every timer that has run out."""
        now_ns = now.mono_ns
        ends_ns = self._pacer.ends_ns
        if not self._pacer.is_open:
            return
        if ends_ns is not None and now_ns >= ends_ns:
            self._suspend(ends_ns)
            return
        self._timers.expire(now_ns)
        self._receiver.expire(now_ns)
        if now_ns >= self._sweep_ns:
            self._sender.sweep(now_ns)
            self._receiver.sweep(now_ns)
            self._sweep_ns = now_ns + self._pacer.timeout_ns
        self._pump(now_ns)

    def next_deadline_ns(self) -> int | None:
        """Return when to call ``expire``: the line falls free, a timer runs out, a contact ends."""
        if not self._pacer.is_open:
            return None
        deadlines = [self._timers.next_ns(), self._receiver.next_ns(), self._pacer.ends_ns]
        if self._timers.control or self._sender.head() is not None:
            deadlines.append(self._pacer.next_ns())
        if len(self._receiver) or len(self._sender):
            deadlines.append(self._sweep_ns)
        return min((ns for ns in deadlines if ns is not None), default=None)

    def take_datagrams(self) -> tuple[bytes, ...]:
        """Return, and forget, the datagrams that leave now, in order."""
        datagrams = tuple(self._outbox)
        self._outbox.clear()
        return datagrams

    def take_events(self) -> tuple[LtpEvent, ...]:
        """Return, and forget, what happened since the last call, in order."""
        if not self._events:
            return ()
        events = tuple(self._events)
        self._events.clear()
        return events

    def counts(self) -> LtpCounts:
        """Return the totals, for telemetry."""
        return LtpCounts(
            datagrams_sent=self._datagrams_sent,
            bytes_sent=self._bytes_sent,
            datagrams_received=self._datagrams_received,
            blocks_delivered=self._sender.delivered,
            blocks_failed=self._sender.failed,
            blocks_received=self._receiver.received,
            segments_repeated=self._sender.repeated,
            segments_foreign=self._foreign,
            segments_refused=self._receiver.refused + self._timers.dropped,
            receptions_evicted=self._receiver.evicted,
            send_sessions=len(self._sender),
            receive_sessions=len(self._receiver),
            loss_ppm=self._pacer.loss_ppm,
        )

    def _suspend(self, now_ns: int) -> None:
        if self._pacer.is_open:
            self._pacer.is_open = False
            self._closed_ns = now_ns

    def _pump(self, now_ns: int) -> None:
        """Put on the line what may leave now: small segments first, then the most urgent data."""
        outbox, timers = self._outbox, self._timers
        while (room := self._settings.burst_segments - len(outbox)) > 0:
            session = None if timers.control else self._sender.head()
            if session is None and not timers.control:
                self._was_idle = True
                return
            most = min(self._pacer.allowance(now_ns), room)
            if not most:
                self._was_idle = False
                return
            if session is None:
                chunk = timers.take_control(most, now_ns)
            else:
                chunk = self._sender.emit(session, most, now_ns)
            size = sum(map(len, chunk))
            outbox += chunk
            self._pacer.spend(size, len(chunk), now_ns, was_idle=self._was_idle)
            self._was_idle = False
            self._datagrams_sent += len(chunk)
            self._bytes_sent += size
