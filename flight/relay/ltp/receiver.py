"""The receiving half of an LTP engine (RFC 5326 sections 6.5, 6.6, 6.11, 6.14 to 6.18).

| state      | meaning                                                              |
|------------|----------------------------------------------------------------------|
| RECEIVING  | parts of the red data are here                                       |
| WHOLE      | all red data are here, and not yet durable: no report claims them    |
| ACCEPTED   | the node has them; the report that says so is unacknowledged         |
| CANCELLING | our cancel is unanswered                                             |
| CLOSED     | over; its number is remembered, so that no late segment opens it     |

A restart loses every state. Then a checkpoint that answers a report of the life before would ask
us to claim the rest of a block whose first part is gone. We know by the report's serial number,
and cancel. Serial numbers start at random, so that two lives do not share one.
"""

from enum import Enum, auto

from flight.relay.ltp.events import (
    BlockReceived,
    GreenReceived,
    LtpEvent,
    ReceptionFailed,
)
from flight.relay.ltp.ranges import add_range, ranges_within
from flight.relay.ltp.segment import (
    Cancel,
    CancelAck,
    DataSegment,
    Reason,
    Report,
    ReportAck,
    SegmentType,
    SessionId,
    write_cancel,
    write_cancel_ack,
    write_report,
)
from flight.relay.ltp.settings import LtpSettings
from flight.relay.ltp.timers import Retry, Timers

_SERIAL_START_MAX = 1 << 20
_REPORTS_MAX = 4096
_CLAIM_BYTES = 8
_REPORT_HEADER_BYTES = 48


class State(Enum):
    """Where a receiving session is."""

    RECEIVING = auto()
    WHOLE = auto()
    ACCEPTED = auto()
    CANCELLING = auto()
    CLOSED = auto()


class Signal(Enum):
    """What happens to it."""

    COMPLETED = auto()
    ACCEPTED = auto()
    REFUSED = auto()
    ACKED = auto()
    GAVE_UP = auto()
    PEER_CANCELLED = auto()
    CANCEL_ACKED = auto()


TRANSITIONS: dict[tuple[State, Signal], State] = {
    (State.RECEIVING, Signal.COMPLETED): State.WHOLE,
    (State.RECEIVING, Signal.REFUSED): State.CANCELLING,
    (State.RECEIVING, Signal.PEER_CANCELLED): State.CLOSED,
    (State.WHOLE, Signal.ACCEPTED): State.ACCEPTED,
    (State.WHOLE, Signal.REFUSED): State.CANCELLING,
    (State.WHOLE, Signal.PEER_CANCELLED): State.CLOSED,
    (State.ACCEPTED, Signal.ACKED): State.CLOSED,
    (State.ACCEPTED, Signal.GAVE_UP): State.CLOSED,
    (State.ACCEPTED, Signal.PEER_CANCELLED): State.CLOSED,
    (State.CANCELLING, Signal.CANCEL_ACKED): State.CLOSED,
    (State.CANCELLING, Signal.GAVE_UP): State.CLOSED,
    (State.CANCELLING, Signal.PEER_CANCELLED): State.CLOSED,
}


class ReceiveSession:
    """One block on its way in."""

    __slots__ = (
        "answers",
        "buffer",
        "client_service",
        "edges",
        "green_start",
        "id",
        "last_checkpoint",
        "opened_ns",
        "pending",
        "red_end",
        "scopes",
        "state",
        "touched_ns",
    )

    def __init__(self, session: SessionId, client_service: int, now_ns: int) -> None:
        self.id = session
        self.client_service = client_service
        self.state = State.RECEIVING
        self.opened_ns = self.touched_ns = now_ns
        self.buffer = bytearray()
        self.edges: list[int] = []
        self.red_end: int | None = None
        self.green_start: int | None = None
        self.last_checkpoint = 0
        self.scopes: dict[int, int] = {}
        """Lower bound of each report made, by its serial number."""
        self.answers: dict[int, list[int]] = {}
        """Serial numbers of the reports that answered a checkpoint, by the checkpoint's."""
        self.pending: dict[int, Retry] = {}
        """Reports not acknowledged, by serial number."""


class Receiver:
    """All sessions that the peer originates."""

    def __init__(
        self, settings: LtpSettings, timers: Timers, events: list[LtpEvent], seed: int
    ) -> None:
        self._settings = settings
        self._timers = timers
        self._events = events
        self._serial = 1 + seed % _SERIAL_START_MAX
        self._sessions: dict[int, ReceiveSession] = {}
        self._closed: dict[int, int] = {}
        """Length of the red part of accepted blocks, 0 of cancelled ones, by session number."""
        self._held_bytes = 0
        self._swept_ns = 0
        claims_bytes = settings.segment_bytes - _REPORT_HEADER_BYTES
        self._claims_max = max(claims_bytes // _CLAIM_BYTES, 1)
        self.received = self.refused = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def on_data(self, segment: DataSegment, now_ns: int) -> None:
        """Take in a segment of a block (sections 6.5, 6.11)."""
        if segment.type >= SegmentType.GREEN:
            self._on_green(segment)
            return
        session = self._sessions.get(segment.session.number)
        if session is None:
            session = self._open(segment, now_ns)
            if session is None:
                return
        if session.state is State.RECEIVING:
            self._on_red(session, segment, now_ns)
        elif session.state is State.WHOLE and segment.checkpoint:
            session.last_checkpoint = segment.checkpoint
        elif session.state is State.ACCEPTED and segment.checkpoint:
            self._answer_again(session, segment, now_ns)

    def on_report_ack(self, ack: ReportAck) -> None:
        """Stop repeating a report; the last one's acknowledgement ends the session (6.14)."""
        session = self._sessions.get(ack.session.number)
        retry = session.pending.pop(ack.serial, None) if session is not None else None
        if session is None or retry is None:
            return
        retry.is_open = False
        self._timers.pacer.saw_losses(0, 1)
        if session.state is State.ACCEPTED:
            self._step(session, Signal.ACKED)

    def on_cancel(self, cancel: Cancel) -> None:
        """Acknowledge the sender's cancel and forget the session (section 6.17)."""
        self._timers.say(write_cancel_ack(CancelAck(cancel.session, by_sender=True)))
        session = self._sessions.get(cancel.session.number)
        if session is not None:
            if session.state in {State.RECEIVING, State.WHOLE}:
                self._events.append(ReceptionFailed(session.id, cancel.reason))
            self._step(session, Signal.PEER_CANCELLED)

    def on_cancel_ack(self, ack: CancelAck) -> None:
        """End the session; an acknowledgement of nothing is a late repetition (section 6.18)."""
        session = self._sessions.get(ack.session.number)
        if session is not None and session.state is State.CANCELLING:
            self._step(session, Signal.CANCEL_ACKED)

    def accept(self, name: SessionId, now_ns: int) -> None:
        """Claim the whole block: its bundles are durable here."""
        session = self._sessions.get(name.number)
        if session is None or session.state is not State.WHOLE:
            return  # the peer cancelled it meanwhile, and will send it again
        self._stop(session)
        self._step(session, Signal.ACCEPTED)
        self.received += 1
        session.touched_ns = now_ns
        self._report_whole(session)

    def refuse(self, name: SessionId, reason: int) -> None:
        """Cancel a session from this side (section 6.15)."""
        session = self._sessions.get(name.number)
        if session is not None and session.state in {State.RECEIVING, State.WHOLE}:
            self._cancel(session, reason)

    def on_timer(self, retry: Retry, now_ns: int) -> None:
        """Repeat an unacknowledged report or cancel, or give up (sections 6.3, 6.7)."""
        del now_ns
        session = self._sessions[retry.number]
        if retry.attempts < self._settings.attempts_max:
            if self._timers.is_overdue(retry) and session.state is not State.CANCELLING:
                self._timers.pacer.saw_losses(1, 1)
            self._timers.say(retry.datagram, retry)
        elif session.state is State.RECEIVING:
            self._cancel(session, Reason.RETRANSMISSIONS)
        elif session.state is not State.WHOLE:
            self._step(session, Signal.GAVE_UP)

    def sweep(self, now_ns: int) -> None:
        """Cancel sessions in which nothing happens, or which last too long."""
        self._swept_ns = now_ns
        life_ns = self._settings.session_life_s * 10**9
        idle_ns = self._timers.pacer.wait_ns(self._settings.attempts_max)
        idle_ns = min(idle_ns * self._settings.attempts_max, life_ns)
        for session in list(self._sessions.values()):
            if session.state is State.RECEIVING and (
                now_ns - session.touched_ns > idle_ns or now_ns - session.opened_ns > life_ns
            ):
                self._cancel(session, Reason.RETRANSMISSIONS)

    def resume(self, closed_ns: int) -> None:
        """Forget a time without contact: it does not count against a session's life."""
        for session in self._sessions.values():
            session.opened_ns += closed_ns
            session.touched_ns += closed_ns

    def _open(self, segment: DataSegment, now_ns: int) -> ReceiveSession | None:
        name = segment.session
        if name.number in self._closed:
            self._answer_closed(segment)
            return None
        if segment.report:
            # It answers a report of a life of ours that is over, or of a session that is.
            self._timers.say(write_cancel(Cancel(name, by_sender=False, reason=Reason.SYSTEM)))
            return None
        if len(self._sessions) >= self._settings.receive_sessions_max:
            self._evict(now_ns)
            if len(self._sessions) >= self._settings.receive_sessions_max:
                self.refused += 1
                return None
        session = ReceiveSession(name, segment.client_service, now_ns)
        self._sessions[name.number] = session
        return session

    def _on_red(self, session: ReceiveSession, segment: DataSegment, now_ns: int) -> None:
        start, data = segment.offset, segment.data
        end = start + len(data)
        if not self._is_plausible(session, segment, end):
            self._cancel(session, Reason.MISCOLORED)
            return
        growth = end - len(session.buffer)
        if growth > 0 and self._held_bytes + growth > self._settings.receive_bytes_max:
            self._evict(now_ns)
            if self._held_bytes + growth > self._settings.receive_bytes_max:
                self.refused += 1
                return
        session.touched_ns = now_ns
        edges = session.edges
        if edges and edges[-1] == start and data:  # in order, as nearly all are
            session.buffer += data
            edges[-1] = end
            self._held_bytes += growth
        elif data:
            self._insert(session, start, data)
        if not segment.checkpoint:
            if session.red_end is not None:
                self._complete(session)
            return
        session.last_checkpoint = segment.checkpoint
        if segment.type != SegmentType.RED_CHECKPOINT:
            session.red_end = end
        if not self._complete(session):
            self._on_checkpoint(session, segment, end)

    def _is_plausible(self, session: ReceiveSession, segment: DataSegment, end: int) -> bool:
        red_end, edges = session.red_end, session.edges
        if end > self._settings.block_bytes_max or (red_end is not None and end > red_end):
            return False
        if session.green_start is not None and end > session.green_start:
            return False
        if segment.type <= SegmentType.RED_CHECKPOINT:
            return True
        return (not edges or edges[-1] <= end) and red_end in {None, end} and end > 0

    def _insert(self, session: ReceiveSession, start: int, data: bytes) -> None:
        buffer, end = session.buffer, start + len(data)
        before = len(buffer)
        if start > before:
            buffer += bytes(start - before)
        buffer[start:end] = data
        self._held_bytes += len(buffer) - before
        add_range(session.edges, start, end)

    def _complete(self, session: ReceiveSession) -> bool:
        if session.edges != [0, session.red_end]:
            return False
        block = bytes(session.buffer)
        self._release(session)
        self._stop(session)
        self._step(session, Signal.COMPLETED)
        self._events.append(BlockReceived(session.id, session.client_service, block))
        return True

    def _on_checkpoint(self, session: ReceiveSession, segment: DataSegment, end: int) -> None:
        if segment.report and segment.report not in session.scopes:
            self._cancel(session, Reason.SYSTEM)
            return
        for serial in session.answers.pop(segment.checkpoint, ()):
            retry = session.pending.pop(serial, None)
            if retry is not None:
                retry.is_open = False
        lower = session.scopes[segment.report] if segment.report else 0
        claims = ranges_within(session.edges, lower, end)
        if len(session.scopes) + len(claims) // self._claims_max >= _REPORTS_MAX:
            self._cancel(session, Reason.CYCLES)
            return
        if not segment.report:
            held = sum(stop - start for start, stop in claims)
            total = -(-end // self._settings.segment_bytes)
            lost = min(-(-(end - held) // self._settings.segment_bytes), total)
            self._timers.pacer.saw_losses(lost, total)
        # A long report is split: each part's scope ends where the next part's first claim starts.
        parts = [
            claims[at : at + self._claims_max] for at in range(0, len(claims), self._claims_max)
        ]
        bounds = [lower, *(part[0][0] for part in parts[1:]), end]
        for part, low, high in zip(parts, bounds, bounds[1:], strict=False):
            self._report(session, segment.checkpoint, low, high, tuple(part))

    def _report(
        self,
        session: ReceiveSession,
        checkpoint: int,
        lower: int,
        upper: int,
        claims: tuple[tuple[int, int], ...],
    ) -> None:
        serial = self._serial
        self._serial += 1
        datagram = write_report(Report(session.id, serial, checkpoint, upper, lower, claims))
        retry = Retry(self, session.id.number, serial, datagram, is_small=True)
        session.scopes[serial] = lower
        session.answers.setdefault(checkpoint, []).append(serial)
        session.pending[serial] = retry
        self._timers.say(datagram, retry)

    def _report_whole(self, session: ReceiveSession) -> None:
        end = session.edges[1]
        self._report(session, session.last_checkpoint, 0, end, ((0, end),))

    def _answer_again(self, session: ReceiveSession, segment: DataSegment, now_ns: int) -> None:
        """Answer a checkpoint of a block that is accepted."""
        serials = session.answers.get(segment.checkpoint, ())
        for serial in serials:
            retry = session.pending.get(serial)
            if retry is not None and retry.due_ns >= 0:
                if now_ns - retry.last_ns >= self._timers.pacer.spacing_ns():
                    self._timers.say(retry.datagram, retry)
                return
        if not serials and len(session.scopes) < _REPORTS_MAX:
            self._stop(session)
            session.last_checkpoint = segment.checkpoint
            self._report_whole(session)

    def _answer_closed(self, segment: DataSegment) -> None:
        if not segment.checkpoint:
            return
        name = segment.session
        end = self._closed[name.number]
        if not end:
            self._timers.say(write_cancel(Cancel(name, by_sender=False, reason=Reason.SYSTEM)))
            return
        report = Report(name, self._serial, segment.checkpoint, end, 0, ((0, end),))
        self._serial += 1
        self._timers.say(write_report(report))

    def _on_green(self, segment: DataSegment) -> None:
        """Hand green data on at once; they open no session, for nobody would end it."""
        session = self._sessions.get(segment.session.number)
        start = segment.offset
        if session is not None and session.state is State.RECEIVING:
            if session.edges and start < session.edges[-1]:
                self._cancel(session, Reason.MISCOLORED)
                return
            session.green_start = min(start, session.green_start or start)
        self._events.append(
            GreenReceived(
                segment.session,
                segment.client_service,
                start,
                segment.data,
                segment.type == SegmentType.GREEN_BLOCK_END,
            )
        )

    def _evict(self, now_ns: int) -> None:
        """Make room for a new session: cancel those that were silent for two round trips.

        Looked for at most four times in that span, so that a flood costs little.
        """
        patience_ns = 2 * self._timers.pacer.timeout_ns
        if now_ns - self._swept_ns < patience_ns // 4:
            return
        self._swept_ns = now_ns
        for session in list(self._sessions.values()):
            if session.state is State.RECEIVING and now_ns - session.touched_ns > patience_ns:
                self._cancel(session, Reason.SYSTEM)

    def _cancel(self, session: ReceiveSession, reason: int) -> None:
        self._stop(session)
        self._release(session)
        self._step(session, Signal.REFUSED)
        self._events.append(ReceptionFailed(session.id, reason))
        datagram = write_cancel(Cancel(session.id, by_sender=False, reason=reason))
        retry = Retry(self, session.id.number, 0, datagram, is_small=False)
        session.pending[0] = retry
        self._timers.say(datagram, retry)

    def _stop(self, session: ReceiveSession) -> None:
        for retry in session.pending.values():
            retry.is_open = False
        session.pending.clear()

    def _release(self, session: ReceiveSession) -> None:
        self._held_bytes -= len(session.buffer)
        session.buffer = bytearray()

    def _step(self, session: ReceiveSession, signal: Signal) -> None:
        accepted = session.state is State.ACCEPTED
        session.state = TRANSITIONS[session.state, signal]
        if session.state is not State.CLOSED:
            return
        self._stop(session)
        self._release(session)
        del self._sessions[session.id.number]
        self._closed[session.id.number] = session.edges[1] if accepted else 0
        if len(self._closed) > self._settings.closed_sessions_max:
            del self._closed[next(iter(self._closed))]
