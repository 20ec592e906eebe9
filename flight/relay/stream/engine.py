"""A link over TCP, whatever the protocol on its lines: which line carries what, and how fast.

A link has several lines: this node calls the peer, the peer calls this node, and a line that
broke may stand beside the one that took its place. All are heard. Bundles leave on one: the
newest that this node called, or if there is none, the newest that the peer called.
"""

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
from flight.relay.stream.held import Held, Totals
from flight.relay.stream.inbox import Inbox
from flight.relay.stream.line import Order, Told, read_secured, read_told
from flight.relay.stream.lines import Lines, MakeSession
from flight.relay.stream.session import Arrived, Taken
from flight.relay.stream.settings import TcpSettings
from flight.relay.waiting import PRIORITIES, Throttle

_BUNDLES = 1
_MARGIN_NS = 200_000_000
"""For the peer's store, before a contact's end."""
_WORDS_BYTES = 65_536
"""Messages sent at once where no contact limits them."""


class StreamEngine:
    """Sends and receives bundles over the lines of one stream port; an Engine without I/O."""

    def __init__(self, settings: TcpSettings, make_session: MakeSession) -> None:
        self._settings = settings
        self._throttle = Throttle(catch_up_ms=settings.catch_up_ms)
        self._cargo = Cargo(
            self._throttle,
            ahead_ms=settings.ahead_ms,
            blocks_max=settings.send_blocks_max,
            bytes_max=settings.send_bytes_max,
            attempts_max=settings.attempts_max,
        )
        self._inbox = Inbox(settings)
        self._totals = Totals()
        self._lines = Lines(make_session, self._totals, answers_send=settings.answers_send)
        self._answer_ns = settings.answer_s * 1_000_000_000
        self._events: list[LtpEvent] = []

    def set_contact(
        self,
        is_open: bool,
        *,
        rate_bytes_s: int = 0,
        one_way_ns: int = 0,
        ends_mono_ns: int | None = None,
        return_rate_bytes_s: int | None = None,  # noqa: ARG002 - acknowledgements are small
        now: Instant,
    ) -> None:
        """Begin to call and to send, or give back what waits and let the sessions end."""
        if not is_open:
            self._close(now.mono_ns)
            return
        if rate_bytes_s < 1:
            raise ValueError("an open contact has a rate of at least 1 byte/s")
        if not self._throttle.is_open:
            self._lines.order(Order.CALL)
        self._throttle.rate_bytes_s = rate_bytes_s
        self._throttle.round_trip_ns = 2 * one_way_ns + _MARGIN_NS
        self._throttle.ends_ns = ends_mono_ns
        self._cargo.renew()
        self._answer_ns = self._settings.answer_s * 1_000_000_000 + 2 * one_way_ns

    def has_room(self, priority: int) -> bool:
        """Say whether ``send_block`` would take a block of this priority now."""
        return self._cargo.has_room(priority)

    def send_block(self, block: bytes, *, key: int, priority: int, now: Instant) -> bool:  # noqa: ARG002
        """Begin to send a block; False: there is no contact or no room now."""
        if not 0 <= priority < PRIORITIES:
            raise ValueError(f"priority {priority}")
        if not self.has_room(priority):
            return False
        if 0 < len(block) <= self._settings.block_bytes_max:
            self._cargo.add(block, key=key, priority=priority)
        else:
            self._fail(key, Reason.SYSTEM)
        return True

    def cancel_block(self, key: int, now: Instant) -> None:  # noqa: ARG002 - as its siblings
        """Give up a block that waits; what is on a line cannot be called back, its end tells."""
        if self._cargo.remove(key):
            self._fail(key, Reason.USER)

    def accept(self, session: SessionId, now: Instant) -> None:  # noqa: ARG002 - as its siblings
        """Let the sender know: the block's bundles are durable here."""
        self._inbox.remove(session)
        held = self._lines.of(session)
        if held is not None:
            held.session.accept(session.number)

    def refuse(self, session: SessionId, reason: int, now: Instant) -> None:
        """Refuse a block: for good if the reason is the user's, else for want of room."""
        self._inbox.remove(session)
        self._totals.refused += 1
        held = self._lines.of(session)
        if held is None:
            return
        held.session.refuse(session.number, for_good=reason == Reason.USER)
        if self._settings.refusal_ends_session:
            held.session.end(now.mono_ns)

    def receive(self, datagram: bytes, now: Instant) -> None:
        """Take in one event of a line.

        Raises:
            WireError: the peer broke the protocol, and its line was hung up on.
        """
        event, line, content = read_told(datagram)
        if event in {Told.CALLED, Told.ANSWERED}:
            self._welcome(line, event is Told.CALLED, now.mono_ns)
            return
        held = self._lines.held.get(line)
        if held is None:
            return  # it was hung up on, and has not heard of it
        try:
            self._tell(line, held, event, content, now.mono_ns)
        except WireError:
            self._totals.refused += 1
            self._hang_up(line, held)
            raise

    def expire(self, now: Instant) -> None:
        """Send what the line has room for, and act on every timer that has run out."""
        ends_ns = self._throttle.ends_ns
        if self._throttle.is_open and ends_ns is not None and now.mono_ns >= ends_ns:
            self._close(now.mono_ns)
        for line, held in self._lines.items():
            held.session.expire(now.mono_ns)
            self._serve(line, held)
        chosen = self._lines.chosen()
        for line, held in self._lines.items():
            self._pump(line, held, now.mono_ns, may_begin=held is chosen)
        if not self._wants_line(chosen):
            self._throttle.rest()
        self._lines.hold(is_full=self._inbox.is_full)

    def next_deadline_ns(self) -> int | None:
        """Return when to call ``expire``."""
        deadlines = [held.session.next_ns() for held in self._lines.held.values()]
        if self._throttle.is_open:
            deadlines.append(self._throttle.ends_ns)
        if self._wants_line(self._lines.chosen()):
            deadlines.append(self._throttle.next_ns() if self._throttle.is_open else 0)
        return min((ns for ns in deadlines if ns is not None), default=None)

    def take_datagrams(self) -> tuple[bytes, ...]:
        """Return, and forget, the orders for the port, in order."""
        return self._lines.take_orders()

    def take_events(self) -> tuple[LtpEvent, ...]:
        """Return, and forget, what happened since the last call, in order."""
        events = tuple(self._events)
        self._events.clear()
        return events

    def counts(self) -> LtpCounts:
        """Return the totals, for telemetry."""
        return self._totals.counts(sending=len(self._cargo), receiving=len(self._inbox))

    # Lines ----------------------------------------------------------------------------------

    def _welcome(self, line: int, is_caller: bool, now_ns: int) -> None:
        if is_caller and not self._throttle.is_open:  # too late
            self._lines.order(Order.HANG_UP, line)
        else:
            self._lines.welcome(line, is_caller=is_caller, answer_ns=self._answer_ns, now_ns=now_ns)

    def _tell(self, line: int, held: Held, event: Told, content: bytes, now_ns: int) -> None:
        if event is Told.HEARD:
            self._totals.datagrams_received += 1
            held.session.receive(content, now_ns)
        elif event is Told.WROTE:
            count = int.from_bytes(content, "big")
            held.unwritten -= count
            held.written += count
            held.session.wrote(held.written)
        elif event is Told.SECURED:
            held.session.secured(read_secured(content), now_ns)
        else:
            self._lose(line, held)
            return
        self._serve(line, held)

    def _serve(self, line: int, held: Held) -> None:
        """Act on what a session has to tell and on what it wants."""
        self._drain(held)
        if held.session.wants_tls:
            held.session.wants_tls = False
            self._lines.write(line, held, held.session.outgoing.pull(_WORDS_BYTES, data=False))
            self._lines.order(Order.SECURE, line)
        if held.session.is_ready and not held.is_kept:
            held.is_kept = True
            self._lines.order(Order.KEEP, line)
        if held.session.is_over:
            self._hang_up(line, held)

    def _drain(self, held: Held) -> None:
        for event in held.session.events:
            if isinstance(event, Arrived):
                session = SessionId(held.serial, event.number)
                self._inbox.add(session, len(event.block))
                self._totals.received += 1
                self._events.append(BlockReceived(session, _BUNDLES, event.block))
            elif self._cargo.finish(event.key) is None:
                continue  # given back before its fate was known
            elif isinstance(event, Taken):
                self._totals.delivered += 1
                self._events.append(BlockDelivered(event.key))
            else:
                self._fail(event.key, event.reason)
        held.session.events.clear()

    def _hang_up(self, line: int, held: Held) -> None:
        """Say the session's last words, unless a segment is cut open, and let the line end."""
        if not held.session.outgoing.is_cut_open:
            self._lines.write(line, held, held.session.outgoing.pull(_WORDS_BYTES, data=False))
        self._lines.order(Order.HANG_UP, line)
        self._lose(line, held)

    def _lose(self, line: int, held: Held) -> None:
        """Forget a line; what was under way on it goes to the next one, or back to the node."""
        self._drain(held)
        del self._lines.held[line]
        for key in held.session.unfinished():
            waiting = self._cargo.finish(key)
            if waiting is None:
                continue
            if self._throttle.is_open and self._cargo.again(waiting):
                self._totals.repeated += 1
            else:
                self._fail(key, Reason.UNREACHABLE)

    def _close(self, now_ns: int) -> None:
        if not self._throttle.is_open:
            return
        self._lines.order(Order.REST)
        for key in self._cargo.close():
            self._fail(key, Reason.UNREACHABLE)
        for line, held in self._lines.items():
            held.session.end(now_ns)
            self._serve(line, held)

    # What leaves ----------------------------------------------------------------------------

    def _wants_line(self, chosen: Held | None) -> bool:
        """Say whether anything could leave if time had come."""
        for held in self._lines.held.values():
            if held.unwritten >= self._settings.port_bytes_max:
                continue
            outgoing = held.session.outgoing
            has_data = not outgoing.is_idle or (held is chosen and self._cargo.is_waiting)
            if outgoing.has_words or (has_data and self._throttle.is_open):
                return True
        return False

    def _pump(self, line: int, held: Held, now_ns: int, *, may_begin: bool) -> None:
        is_open = self._throttle.is_open
        room = self._throttle.room(now_ns) if is_open else _WORDS_BYTES
        room = min(room, self._settings.port_bytes_max - held.unwritten)
        pieces = []
        while room > 0:
            if may_begin and is_open and held.session.outgoing.is_idle:
                self._begin(held, now_ns)
            piece = held.session.outgoing.pull(room, data=is_open)
            if not piece:
                break
            pieces.append(piece)
            room -= len(piece)
        if pieces:
            data = b"".join(pieces)
            if is_open:
                self._throttle.spend(len(data))
            held.session.spoke(now_ns)
            self._lines.write(line, held, data)
            self._serve(line, held)

    def _begin(self, held: Held, now_ns: int) -> None:
        waiting = self._cargo.begin(now_ns)
        if waiting is not None:
            held.session.begin(waiting.key, waiting.block)
            self._drain(held)

    def _fail(self, key: int, reason: int) -> None:
        self._totals.failed += 1
        self._events.append(BlockFailed(key, reason))
