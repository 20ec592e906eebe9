"""What a receiver says of a block: reports, said again until they are acknowledged.

A report is made when a checkpoint asks for one, never for a gap as such: while data flow in
order the sender will come to the checkpoint by itself (RFC 5326 section 6.11).
"""

from typing import NamedTuple

from flight.relay.ltp.receive_session import Claims, ReceiveSession
from flight.relay.ltp.segment import (
    Cancel,
    DataSegment,
    Reason,
    Report,
    SessionId,
    write_cancel,
    write_report,
)
from flight.relay.ltp.settings import LtpSettings
from flight.relay.ltp.timers import Owner, Retry, Timers

_SERIAL_START_MAX = 1 << 20
_REPORTS_MAX = 4096
"""Reports in one session; a peer that asks for more is not converging."""
_CLAIM_BYTES = 8
_REPORT_HEADER_BYTES = 48


class Question(NamedTuple):
    """A checkpoint to be answered."""

    number: int
    """The session's."""
    checkpoint: int
    report: int
    """The report that the checkpoint answers; 0: none."""
    end: int
    """Where its data end, which is where the scope of the answer ends."""


class Reporter:
    """Makes and repeats reports. Their serial numbers are never used twice in one life."""

    __slots__ = ("_claims_max", "_owner", "_segment_bytes", "_serial", "_timers")

    def __init__(self, settings: LtpSettings, timers: Timers, owner: Owner, seed: int) -> None:
        self._timers = timers
        self._owner = owner
        self._serial = 1 + seed % _SERIAL_START_MAX
        self._segment_bytes = settings.segment_bytes
        self._claims_max = max((settings.segment_bytes - _REPORT_HEADER_BYTES) // _CLAIM_BYTES, 1)

    def answer(self, session: ReceiveSession, question: Question, now_ns: int) -> Reason | None:
        """Report what is here and what is not; or return why the session must be cancelled."""
        cited, checkpoint = question.report, question.checkpoint
        if cited and cited not in session.scopes:
            return Reason.SYSTEM  # it was of a life of ours that is over
        serials, edges = session.answers.get(checkpoint, ([], []))
        if edges == session.edges:  # a copy of the checkpoint: nothing new to say
            self._say_again(session, serials, now_ns)
            return None
        for serial in serials:
            session.settle(serial)
        lower = min(session.scopes.get(cited, 0), question.end - 1)
        reports = session.reports(lower, question.end, self._claims_max)
        if len(session.scopes) + len(reports) > _REPORTS_MAX:
            return Reason.CYCLES
        if reports and not cited:
            self._learn_losses(reports)
        session.answers[checkpoint] = ([], session.edges.copy())
        for start, end, claims in reports:
            self._report(session, checkpoint, start, end, claims)
        return None

    def claim_all(self, session: ReceiveSession) -> None:
        """Claim all red data: only a block that was accepted is ever claimed so."""
        checkpoint, end = session.last_checkpoint, session.edges[1]
        session.answers[checkpoint] = ([], session.edges.copy())
        self._report(session, checkpoint, 0, end, ((0, end),))

    def answer_again(self, session: ReceiveSession, checkpoint: int, now_ns: int) -> None:
        """Answer a checkpoint of a block that is accepted."""
        serials, edges = session.answers.get(checkpoint, ([], []))
        if edges == session.edges:
            self._say_again(session, serials, now_ns)
        elif len(session.scopes) < _REPORTS_MAX:
            session.stop()
            session.last_checkpoint = checkpoint
            self.claim_all(session)

    def answer_closed(self, segment: DataSegment, red_bytes: int) -> None:
        """Answer a checkpoint of a session that is over; ``red_bytes`` 0: it was cancelled."""
        if not segment.checkpoint:
            return
        if not red_bytes:
            self.say_cancelled(segment.session)
            return
        claims = ((0, red_bytes),)
        report = Report(
            segment.session, self._next_serial(), segment.checkpoint, red_bytes, 0, claims
        )
        self._timers.say(write_report(report))

    def say_cancelled(self, session: SessionId) -> None:
        """Cancel once a session of which nothing is known; the next checkpoint asks again."""
        self._timers.say(write_cancel(Cancel(session, by_sender=False, reason=Reason.SYSTEM)))

    def _report(
        self, session: ReceiveSession, checkpoint: int, lower: int, upper: int, claims: Claims
    ) -> None:
        serial = self._next_serial()
        datagram = write_report(Report(session.id, serial, checkpoint, upper, lower, claims))
        retry = Retry(self._owner, session.id.number, serial, datagram, is_small=True)
        session.scopes[serial] = lower
        session.answers[checkpoint][0].append(serial)
        session.pending[serial] = retry
        self._timers.say(datagram, retry)

    def _say_again(self, session: ReceiveSession, serials: list[int], now_ns: int) -> None:
        """Repeat what answered this checkpoint before, unless it is acknowledged or just left."""
        patience_ns = self._timers.pacer.timeout_ns // 2
        for serial in serials:
            retry = session.pending.get(serial)
            if retry and retry.due_ns >= 0 and now_ns - retry.last_ns >= patience_ns:
                self._timers.say(retry.datagram, retry)

    def _learn_losses(self, reports: list[tuple[int, int, Claims]]) -> None:
        size = self._segment_bytes
        lower, upper = reports[0][0], reports[-1][1]
        held = sum(end - start for _, _, claims in reports for start, end in claims)
        total = -(-(upper - lower) // size)
        self._timers.pacer.saw_losses(min(-(-(upper - lower - held) // size), total), total)

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial
