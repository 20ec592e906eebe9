"""The sending half of an LTP engine (RFC 5326 sections 6.2 to 6.4, 6.8 to 6.10, 6.12 to 6.17)."""

from collections import deque

from flight.relay.errors import WireError
from flight.relay.ltp.events import BlockDelivered, BlockFailed, LtpEvent
from flight.relay.ltp.outgoing import Cutter, OutgoingBlock
from flight.relay.ltp.segment import (
    Cancel,
    CancelAck,
    Reason,
    Report,
    ReportAck,
    SessionId,
    sdnv,
    write_cancel,
    write_cancel_ack,
    write_report_ack,
)
from flight.relay.ltp.send_session import SendSession, Signal, State
from flight.relay.ltp.settings import LtpSettings
from flight.relay.ltp.timers import Retry, Timers

PRIORITIES = 4
_SERIAL_START_MAX = 1 << 12
_REPORTS_MAX = 4096
_AHEAD_BLOCKS = 2
"""Taken in however slow the line is: one on it and one behind, so that it never falls idle."""


class Sender:
    """All sessions that this engine originates."""

    def __init__(
        self, settings: LtpSettings, timers: Timers, events: list[LtpEvent], seed: int
    ) -> None:
        self._settings = settings
        self._timers = timers
        self._events = events
        # A restarted engine must not meet its own old sessions at the peer: 28 bits of chance.
        self._number = 1 + seed % (1 << 28)
        self._first_serial = 1 + (seed >> 28) % _SERIAL_START_MAX
        self._engine = sdnv(settings.engine_id)
        self._service = b"\x00" + sdnv(settings.client_service)
        self._cutters: dict[int, Cutter] = {}
        self._sessions: dict[int, SendSession] = {}
        self._line: tuple[deque[SendSession], ...] = tuple(deque() for _ in range(PRIORITIES))
        self._ahead_bytes = [0] * PRIORITIES
        self._ahead_blocks = [0] * PRIORITIES
        """Not yet sent once, of this priority and the more urgent ones together."""
        self._ahead_ns = settings.ahead_ms * 10**6
        self._held_bytes = 0
        self._acked: dict[tuple[int, int], int] = {}
        self.delivered = self.failed = self.repeated = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def has_room(self, priority: int) -> bool:
        """Say whether a block may come in: enough of the line's time is not taken yet.

        What is less urgent does not count; the last eighth of all limits is for priority 0.
        """
        most, most_bytes = self._settings.send_sessions_max, self._settings.send_bytes_max
        if priority:
            most, most_bytes = most - (most + 7) // 8, most_bytes - most_bytes // 8
        if len(self._sessions) >= most or self._held_bytes >= most_bytes:
            return False
        if self._ahead_blocks[priority] < _AHEAD_BLOCKS:
            return True
        return self._timers.pacer.line_ns(self._ahead_bytes[priority]) < self._ahead_ns

    def start(self, block: bytes, *, red_bytes: int, key: int, priority: int, now_ns: int) -> None:
        """Begin a session."""
        number = self._number
        self._number += 1
        head = self._engine + sdnv(number) + self._service
        cutter = self._cutters.get(len(head))
        if cutter is None:
            cutter = Cutter(1 + len(head), self._settings.segment_bytes)
            self._cutters[len(head)] = cutter
        outgoing = OutgoingBlock(
            head, block, red_bytes=red_bytes, first_serial=self._first_serial, cutter=cutter
        )
        session = SendSession(
            number, outgoing, key=key, priority=priority, block_bytes=len(block), now_ns=now_ns
        )
        self._sessions[number] = session
        self._held_bytes += len(block)
        self._count_ahead(priority, len(block), 1)
        if red_bytes:
            self._queue_checkpoint(session, outgoing.queue_red(cutter), 0)
        if red_bytes < len(block):
            outgoing.queue_green(cutter)
        self._enter_line(session)

    def head(self) -> SendSession | None:
        """Return the session whose segment leaves next, the most urgent one."""
        for line in self._line:
            while line:
                if line[0].state is State.SENDING:
                    return line[0]
                line.popleft().in_line = False
        return None

    def emit(self, session: SendSession, most: int, now_ns: int) -> list[bytes]:
        """Return the next segments of the session at the head, up to ``most``."""
        block = session.block
        queue, at = block.queue, block.at
        stop = min(at + most, len(queue))
        while block.marks and block.marks[0][0] < stop:
            _, retry = block.marks.popleft()
            if retry.is_open:
                self._timers.left(retry, now_ns)
        block.at = stop
        chunk = queue[at:stop]
        if stop == len(queue):
            block.queue, block.at = [], 0
            self._line[session.priority].popleft()
            session.in_line = False
            self._clear_ahead(session)
            self._step(session, Signal.ALL_SENT if block.unclaimed else Signal.ALL_CLAIMED)
        return chunk

    def on_report(self, report: Report, now_ns: int) -> None:
        """Acknowledge a report; claim, and queue what is missing (section 6.12, 6.13)."""
        session = self._sessions.get(report.session.number)
        is_live = session is not None and session.state in {State.SENDING, State.WAITING}
        if session is not None and is_live and report.upper > session.block.red_bytes:
            raise WireError("report beyond the red part")
        self._acknowledge(report, now_ns)
        if session is None or not is_live or report.serial in session.reports:
            return
        block = session.block
        answered = block.round_of(report.checkpoint) if report.checkpoint else -1
        if answered is None:
            return  # it answers a checkpoint that we never sent
        session.reports.add(report.serial)
        self._answer(session, report.checkpoint, now_ns)
        block.claim(report.lower, report.upper, report.claims)
        if not block.unclaimed:
            self._finish_red(session)
            return
        missing = block.missing(report.lower, report.upper, answered)
        if answered == 0:
            self._timers.pacer.saw_losses(len(missing), len(block))
        if not missing and session.checkpoints:
            return  # the rest is on its way
        # Nothing to repeat and nothing unanswered: ask again, with the smallest segment we can.
        again = missing or [block.last_unclaimed()]
        if len(session.reports) > _REPORTS_MAX:
            self._give_up(session, Reason.CYCLES)
            return
        self.repeated += len(again)
        index = block.queue_again(again)
        self._queue_checkpoint(session, index, report.serial)
        self._step(session, Signal.GAPS_REPORTED)
        self._enter_line(session, first=True)

    def on_timer(self, retry: Retry, now_ns: int) -> None:
        """Repeat an unanswered checkpoint or cancel, or give up (sections 6.2, 6.7)."""
        del now_ns
        session = self._sessions[retry.number]
        if session.state is State.CANCELLING:
            if retry.attempts >= self._settings.attempts_max:
                self._step(session, Signal.GAVE_UP)
            else:
                self._timers.say(retry.datagram, retry)
            return
        if self._timers.is_overdue(retry):
            self._timers.pacer.saw_losses(1, 1)
        if retry.attempts >= self._settings.attempts_max:
            self._give_up(session, Reason.RETRANSMISSIONS)
            return
        self.repeated += 1
        block = session.block
        retry.due_ns = -1
        block.marks.append((len(block.queue), retry))
        block.queue.append(retry.datagram)
        self._step(session, Signal.UNANSWERED)
        self._enter_line(session, first=True)

    def on_cancel(self, cancel: Cancel) -> None:
        """Acknowledge the receiver's cancel; the block goes back to the node (section 6.17)."""
        self._timers.say(write_cancel_ack(CancelAck(cancel.session, by_sender=False)))
        session = self._sessions.get(cancel.session.number)
        if session is not None:
            self._fail(session, cancel.reason)
            self._step(session, Signal.PEER_CANCELLED)

    def on_cancel_ack(self, ack: CancelAck) -> None:
        """End the session; an acknowledgement of nothing is a late repetition (section 6.18)."""
        session = self._sessions.get(ack.session.number)
        if session is not None and session.state is State.CANCELLING:
            self._step(session, Signal.CANCEL_ACKED)

    def cancel(self, key: int) -> None:
        """Give up the block with this key, if it is still under way."""
        for session in list(self._sessions.values()):
            if session.key == key and session.state is not State.CANCELLING:
                self._give_up(session, Reason.USER)

    def sweep(self, now_ns: int) -> None:
        """Give up what has been under way too long."""
        born_ns = now_ns - self._settings.session_life_s * 10**9
        for session in list(self._sessions.values()):
            if session.opened_ns < born_ns and session.state is not State.CANCELLING:
                self._give_up(session, Reason.RETRANSMISSIONS)

    def resume(self, closed_ns: int) -> None:
        """Forget a time without contact: it does not count against a session's life."""
        for session in self._sessions.values():
            session.opened_ns += closed_ns

    def _acknowledge(self, report: Report, now_ns: int) -> None:
        # Copies of one report come in a row; one acknowledgement a round trip answers them all.
        name = (report.session.number, report.serial)
        last_ns = self._acked.pop(name, None)
        if last_ns is None or now_ns - last_ns >= self._timers.pacer.timeout_ns * 3 // 4:
            self._timers.say(write_report_ack(ReportAck(report.session, report.serial)))
            last_ns = now_ns
        self._acked[name] = last_ns
        if len(self._acked) > self._settings.closed_sessions_max:
            del self._acked[next(iter(self._acked))]

    def _answer(self, session: SendSession, checkpoint: int, now_ns: int) -> None:
        retry = session.checkpoints.pop(checkpoint, None)
        if retry is None:
            return
        retry.is_open = False
        if len(session.block) == 1:
            self._timers.pacer.saw_losses(0, 1)
        if retry.attempts == 1:  # otherwise nobody knows which sending it answers
            self._timers.pacer.saw_response(now_ns - retry.first_ns)

    def _finish_red(self, session: SendSession) -> None:
        block = session.block
        # What is left of the queue is red that came twice, and green that has not gone yet.
        block.queue = [segment for segment in block.queue[block.at :] if segment[0] >= 4]
        block.at = 0
        block.marks.clear()
        if not block.queue:
            self._step(session, Signal.ALL_CLAIMED)

    def _queue_checkpoint(self, session: SendSession, index: int, report: int) -> None:
        block = session.block
        serial, datagram = block.checkpoint(index, report)
        is_small = len(datagram) * 16 < session.block_bytes
        retry = Retry(self, session.number, serial, datagram, is_small=is_small)
        session.checkpoints[serial] = retry
        block.marks.append((len(block.queue), retry))
        block.queue.append(datagram)

    def _enter_line(self, session: SendSession, *, first: bool = False) -> None:
        if not session.in_line:
            session.in_line = True
            line = self._line[session.priority]
            (line.appendleft if first else line.append)(session)

    def _clear_ahead(self, session: SendSession) -> None:
        """Give back the room that a block took until it had left once."""
        if session.ahead_bytes:
            self._count_ahead(session.priority, -session.ahead_bytes, -1)
            session.ahead_bytes = 0

    def _count_ahead(self, priority: int, size: int, blocks: int) -> None:
        for behind in range(priority, PRIORITIES):
            self._ahead_bytes[behind] += size
            self._ahead_blocks[behind] += blocks

    def _give_up(self, session: SendSession, reason: int) -> None:
        self._fail(session, reason)
        self._stop(session)
        self._step(session, Signal.GAVE_UP)
        name = SessionId(self._settings.engine_id, session.number)
        datagram = write_cancel(Cancel(name, by_sender=True, reason=reason))
        retry = Retry(self, session.number, 0, datagram, is_small=False)
        session.checkpoints[0] = retry
        self._timers.say(datagram, retry)

    def _fail(self, session: SendSession, reason: int) -> None:
        if session.state is not State.CANCELLING:
            self.failed += 1
            self._events.append(BlockFailed(session.key, reason))

    def _stop(self, session: SendSession) -> None:
        for retry in session.checkpoints.values():
            retry.is_open = False
        session.checkpoints.clear()

    def _step(self, session: SendSession, signal: Signal) -> None:
        session.step(signal)
        if session.state is not State.CLOSED:
            return
        if signal is Signal.ALL_CLAIMED:
            self.delivered += 1
            self._events.append(BlockDelivered(session.key))
        self._stop(session)
        self._clear_ahead(session)
        self._held_bytes -= session.block_bytes
        del self._sessions[session.number]
