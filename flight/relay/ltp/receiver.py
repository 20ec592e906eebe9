"""The receiving half of an LTP engine (RFC 5326 sections 6.5, 6.6, 6.11, 6.14 to 6.18)."""

from collections import deque

from flight.relay.ltp.events import BlockReceived, GreenReceived, LtpEvent, ReceptionFailed
from flight.relay.ltp.foretold import Foretold, Memory
from flight.relay.ltp.receive_session import ReceiveSession, Signal, State
from flight.relay.ltp.reporter import Question, Reporter
from flight.relay.ltp.segment import (
    Cancel,
    CancelAck,
    DataSegment,
    Reason,
    ReportAck,
    SegmentType,
    SessionId,
    write_cancel,
    write_cancel_ack,
)
from flight.relay.ltp.settings import LtpSettings
from flight.relay.ltp.timers import Retry, Timers

_EVICTED_SHARE = 16


class Receiver:
    """All sessions that the peer originates."""

    def __init__(
        self, settings: LtpSettings, timers: Timers, events: list[LtpEvent], seed: int
    ) -> None:
        self._settings = settings
        self._timers = timers
        self._events = events
        self._reporter = Reporter(settings, timers, self, seed)
        self._sessions: dict[int, ReceiveSession] = {}
        self._closed: dict[int, int] = {}
        """Length of the red part of accepted blocks, 0 of cancelled ones, by session number."""
        self._held_back: deque[tuple[int, Question]] = deque()
        """(when to answer, checkpoint) while overtaken segments may still come."""
        self._memory = Memory(settings.receive_bytes_max)
        self._foretold = Foretold(self._memory, settings.block_bytes_max)
        self.take_foretold = self._foretold.take
        self.received = self.evicted = self.refused = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def on_data(self, segment: DataSegment, datagram_bytes: int, now_ns: int) -> None:
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
            self._on_red(session, segment, datagram_bytes, now_ns)
        elif session.state is State.WHOLE and segment.checkpoint:
            session.last_checkpoint = segment.checkpoint
        elif session.state is State.ACCEPTED and segment.checkpoint:
            self._reporter.answer_again(session, segment.checkpoint, now_ns)

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

    def accept(self, name: SessionId) -> None:
        """Claim the whole block: its bundles are durable here."""
        session = self._sessions.get(name.number)
        if session is None or session.state is not State.WHOLE:
            return  # the peer cancelled it meanwhile, and will send it again
        session.stop()
        self._release(session)
        self._step(session, Signal.ACCEPTED)
        self.received += 1
        self._reporter.claim_all(session)

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
        else:
            self._step(session, Signal.GAVE_UP)

    def expire(self, now_ns: int) -> None:
        """Answer the checkpoints whose time to wait for overtaken segments is over."""
        held_back = self._held_back
        while held_back and held_back[0][0] <= now_ns:
            _, question = held_back.popleft()
            session = self._sessions.get(question.number)
            if session is not None and session.state is State.RECEIVING:
                self._answer(session, question, now_ns)

    def next_ns(self) -> int | None:
        """Return when the next checkpoint that was held back is answered."""
        return self._held_back[0][0] if self._held_back else None

    def sweep(self, now_ns: int) -> None:
        """Cancel sessions in which nothing happens, or which last too long."""
        attempts = self._settings.attempts_max
        life_ns = self._settings.session_life_s * 10**9
        idle_ns = min(self._timers.pacer.wait_ns(attempts) * attempts, life_ns)
        for session in list(self._sessions.values()):
            is_idle = session.state is State.RECEIVING and now_ns - session.touched_ns > idle_ns
            is_old = session.state in {State.RECEIVING, State.WHOLE}
            if is_idle or (is_old and now_ns - session.opened_ns > life_ns):
                self._cancel(session, Reason.RETRANSMISSIONS)

    def resume(self, closed_ns: int) -> None:
        """Forget a time without contact: it does not count against a session's life."""
        for session in self._sessions.values():
            session.opened_ns += closed_ns
            session.touched_ns += closed_ns

    def _open(self, segment: DataSegment, now_ns: int) -> ReceiveSession | None:
        name = segment.session
        if name.number in self._closed:
            self._reporter.answer_closed(segment, self._closed[name.number])
            return None
        if segment.report:  # of a life of ours that is over
            self._reporter.say_cancelled(name)
            return None
        if len(self._sessions) >= self._settings.receive_sessions_max and not self._evict(None):
            self.refused += 1
            return None
        session = ReceiveSession(name, segment.client_service, now_ns)
        self._sessions[name.number] = session
        return session

    def _on_red(
        self, session: ReceiveSession, segment: DataSegment, datagram_bytes: int, now_ns: int
    ) -> None:
        start, data = segment.offset, segment.data
        end = start + len(data)
        if not session.is_plausible(segment.type, end, self._settings.block_bytes_max):
            self._cancel(session, Reason.MISCOLORED)
            return
        taken_bytes = session.put(start, data) if data else 0
        if taken_bytes:
            session.touched_ns = now_ns
            memory = self._memory
            memory.held_bytes += taken_bytes
            if memory.held_bytes > memory.limit_bytes and not self._evict(session):
                self._forget(session)
                return
        if segment.type > SegmentType.RED_CHECKPOINT:
            session.red_end = end
        self._foretold.note(session, segment, end, datagram_bytes)
        if segment.checkpoint:
            session.last_checkpoint = segment.checkpoint
        if session.is_whole():
            session.stop()
            self._step(session, Signal.COMPLETED)
            self._events.append(BlockReceived(session.id, session.client_service, session.block()))
        elif segment.checkpoint:
            question = Question(session.id.number, segment.checkpoint, segment.report, end)
            delay_ns = self._settings.reorder_ms * 10**6
            if delay_ns and len(self._held_back) < self._settings.control_segments_max:
                self._held_back.append((now_ns + delay_ns, question))
            else:
                self._answer(session, question, now_ns)

    def _answer(self, session: ReceiveSession, question: Question, now_ns: int) -> None:
        reason = self._reporter.answer(session, question, now_ns)
        if reason is not None:
            self._cancel(session, reason)

    def _on_green(self, segment: DataSegment) -> None:
        """Hand green data on at once; they open no session, for nobody would end it."""
        session = self._sessions.get(segment.session.number)
        start = segment.offset
        if session is not None and session.state is State.RECEIVING:
            if session.edges and start < session.edges[-1]:
                self._cancel(session, Reason.MISCOLORED)
                return
            self._foretold.forget()
            if session.green_start is None or start < session.green_start:
                session.green_start = start
        is_end = segment.type == SegmentType.GREEN_BLOCK_END
        self._events.append(
            GreenReceived(segment.session, segment.client_service, start, segment.data, is_end)
        )

    def _evict(self, keep: ReceiveSession | None) -> bool:
        """Make room: forget the sixteenth of the sessions that were silent longest.

        The protocol survives it as it survives a restart. Blocks that wait to be accepted stay.
        """
        ranked = sorted(
            (s for s in self._sessions.values() if s.state is not State.WHOLE and s is not keep),
            key=lambda s: (s.state is not State.CANCELLING, s.touched_ns),
        )
        for session in ranked[: len(ranked) // _EVICTED_SHARE + 1]:
            self._forget(session)
        return bool(ranked)

    def _forget(self, session: ReceiveSession) -> None:
        if session.state is State.RECEIVING:
            self._events.append(ReceptionFailed(session.id, Reason.SYSTEM))
        self.evicted += 1
        self._step(session, Signal.EVICTED)

    def _cancel(self, session: ReceiveSession, reason: int) -> None:
        session.stop()
        self._release(session)
        self._step(session, Signal.REFUSED)
        self._events.append(ReceptionFailed(session.id, reason))
        datagram = write_cancel(Cancel(session.id, by_sender=False, reason=reason))
        retry = Retry(self, session.id.number, 0, datagram, is_small=False)
        session.pending[0] = retry
        self._timers.say(datagram, retry)

    def _release(self, session: ReceiveSession) -> None:
        self._memory.held_bytes -= session.held_bytes
        session.held_bytes = 0
        session.pieces.clear()

    def _step(self, session: ReceiveSession, signal: Signal) -> None:
        before = session.state
        session.step(signal)
        self._foretold.forget()
        if session.state is not State.CLOSED:
            return
        session.stop()
        self._release(session)
        del self._sessions[session.id.number]
        if before is State.RECEIVING and signal is Signal.EVICTED:
            return
        self._closed[session.id.number] = session.edges[1] if before is State.ACCEPTED else 0
        if len(self._closed) > self._settings.closed_sessions_max:
            del self._closed[next(iter(self._closed))]
