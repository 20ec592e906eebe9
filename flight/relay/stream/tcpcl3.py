"""One TCPCLv3 session (RFC 7242), as ION, HDTN and uD3TN speak it.

Bundles go one after the other, and so do their acknowledgements, which name no bundle: the first
that is not wholly acknowledged is meant. A received bundle's last acknowledgement waits until it
is durable, and what came after it waits for that. A peer that acknowledges nothing (uD3TN) gets
each bundle in one segment, all that it can read, and is believed to have what was written.
"""

from collections import deque

from flight.relay.errors import WireError
from flight.relay.stream.hearing import take_pieces
from flight.relay.stream.identity import Identity
from flight.relay.stream.outgoing import Outgoing, Transfer
from flight.relay.stream.session import Arrived, Declined, SessionEvent, Taken
from flight.relay.stream.settings import TcpSettings
from flight.relay.stream.standing import Standing, State, Words
from flight.relay.stream.tcpcl3wire import (
    END,
    KINDS,
    START,
    Ack,
    Contact,
    Ending,
    Keepalive,
    Kind,
    Length,
    Message,
    Option,
    Refusal,
    Refuse,
    SegmentHead,
    Shutdown,
    read_contact,
    read_message,
    write_contact,
    write_message,
)
from flight.relay.stream.vigil import Vigil

OPTIONS = Option.ACKS | Option.REFUSALS
MAX_OWED = 16_384
"""Answers that wait; beyond it the peer sends segments of a size that only does harm."""


EXPECTED: dict[State, set[Kind]] = {
    State.ESTABLISHED: set(Kind),
    State.ENDING: set(Kind),
}
"""Messages that may come in each state; any other breaks the protocol."""

NEXT: dict[State, set[State]] = {
    State.GREETING: {State.ESTABLISHED, State.OVER},
    State.ESTABLISHED: {State.ENDING, State.OVER},
    State.ENDING: {State.OVER},
    State.OVER: set(),
}

_WORDS = Words(
    end=write_message(Shutdown(None)),
    idle=write_message(Shutdown(Ending.IDLE_TIMEOUT)),
    keepalive=write_message(Keepalive()),
)


class Tcpcl3Session:
    """See Session."""

    def __init__(
        self,
        settings: TcpSettings,
        who: Identity,
        *,
        answer_ns: int,
        now_ns: int,
    ) -> None:
        """Begin: both sides send their contact headers at once (section 4)."""
        self._settings = settings
        self._who = who
        self._options = Option(0)
        self._vigil = Vigil(now_ns, handshake_s=settings.handshake_s, answer_ns=answer_ns)
        self._heard = bytearray()
        self._left = 0
        """Bytes of the segment under way that have not come yet."""
        self._flags = 0
        self._block: bytearray | None = None
        """What has come of a bundle; None: none is under way."""
        self._owed: deque[tuple[int, int]] = deque()
        """(length to acknowledge, number of the bundle that has to be durable first; -1: none)."""
        self._arrived = 0
        self._count = 0
        self._sent: deque[Transfer] = deque()
        self.outgoing = Outgoing(_head)
        self._standing = Standing(NEXT, _WORDS, self.outgoing, self._vigil)
        self.events: list[SessionEvent] = []
        self.wants_tls = False
        self.outgoing.say(write_contact(Contact(OPTIONS, settings.keepalive_s, who.own)))

    @property
    def is_ready(self) -> bool:
        """Whether transfers may begin."""
        return self._standing.state is State.ESTABLISHED

    @property
    def is_over(self) -> bool:
        """Whether to hang up as soon as all is said."""
        return self._standing.is_over

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take in what came on the line."""
        self._vigil.heard(now_ns)
        self._heard += data
        take_pieces(self._heard, lambda at: self._step(at, now_ns))

    def secured(self, node_ids: tuple[str, ...], now_ns: int) -> None:  # noqa: ARG002 - see Session
        """Refuse: TCPCLv3 knows no TLS."""
        raise WireError("TLS where none was agreed")

    def begin(self, key: int, block: bytes) -> None:
        """Send a bundle; only while ``outgoing`` is idle."""
        transfer = Transfer(key, self._count, block)
        self._count += 1
        self._sent.append(transfer)
        if self._options & Option.LENGTHS:
            self._say(Length(len(block)))
        self.outgoing.begin(transfer)

    def wrote(self, total: int) -> None:
        """Without acknowledgements, believe the kernel."""
        if self._options & Option.ACKS:
            return
        while self._sent and 0 < self._sent[0].ends_at <= total:
            self.events.append(Taken(self._sent.popleft().key))
            self._vigil.awaits(None)

    def spoke(self, now_ns: int) -> None:
        """Note that something leaves; the last byte of a bundle begins the wait for an answer."""
        self._vigil.said(now_ns)
        if self._sent and not (self._vigil.is_awaiting and self.outgoing.is_idle):
            self._vigil.awaits(now_ns)

    def accept(self, number: int) -> None:
        """Acknowledge a bundle that arrived, and what waited behind it."""
        self._owed = deque((length, -1 if n == number else n) for length, n in self._owed)
        self._answer()

    def refuse(self, number: int, *, for_good: bool) -> None:
        """Refuse a bundle that arrived; a peer that knows no refusals is hung up on.

        What was made wrong would come again for ever: such a peer is told that it is here.
        """
        if for_good and not self._options & Option.REFUSALS:
            self.accept(number)
        elif not self._options & Option.REFUSALS or self._owed[0][1] != number:
            # A refusal means the oldest bundle, and that one has to wait for the disk.
            self._standing.go(State.OVER)
        else:
            self._owed.popleft()
            self._say(Refuse(Refusal.UNKNOWN if for_good else Refusal.NO_RESOURCES))
            self._answer()

    def unfinished(self) -> list[int]:
        """Return the keys of the bundles whose fate is not known, the oldest first."""
        return [transfer.key for transfer in self._sent if not transfer.is_refused]

    def end(self, now_ns: int) -> None:
        """Say that the session ends; the peer's answers may still come for a moment."""
        self._standing.end(now_ns)

    def expire(self, now_ns: int) -> None:
        """Act on every deadline that has been reached."""
        self._standing.expire(now_ns)

    def next_ns(self) -> int | None:
        """Return when to call expire."""
        return self._standing.next_ns()

    def _step(self, at: int, now_ns: int) -> int | None:
        """Take the next piece of what was heard; return the place after it, None: wait."""
        if self._standing.state is State.OVER:
            return None
        if self._standing.state is State.GREETING:
            return self._greet()
        if self._left:
            return self._take_data(at)
        found = read_message(self._heard, at)
        if found is None:
            return None
        message, after = found
        if KINDS[type(message)] not in EXPECTED[self._standing.state]:
            raise WireError(f"{type(message).__name__} while {self._standing.state.value}")
        if isinstance(message, SegmentHead):
            self._begin_segment(message)
        elif isinstance(message, Ack):
            self._on_ack(message.length, now_ns)
        elif isinstance(message, Refuse):
            self._on_refuse(message.reason, now_ns)
        elif isinstance(message, Shutdown):
            self._standing.go(State.OVER)
        return after

    def _greet(self) -> int | None:
        found = read_contact(self._heard)
        if found is None:
            return None
        contact, after = found
        complaint = self._who.complaint(contact.node_id, None)
        if complaint is not None:
            raise WireError(complaint)
        self._options = contact.options & OPTIONS
        if not self._options & Option.ACKS:
            self._options = Option(0)
        # We can send lengths without asking for them; the peer's wish alone counts (5.5).
        self._options |= contact.options & Option.LENGTHS
        self.outgoing.segment = self._settings.segment_bytes if self._options & Option.ACKS else 0
        self._vigil.established(min(self._settings.keepalive_s, contact.keepalive_s))
        self._standing.go(State.ESTABLISHED)
        return after

    def _begin_segment(self, head: SegmentHead) -> None:
        if not head.size and not head.flags & END:
            return  # ION: a nuisance, to be ignored
        if head.flags & START:
            self._block = bytearray()  # what was begun and not ended will not come any more
        elif self._block is None:
            raise WireError("a segment that begins no bundle")
        assert self._block is not None
        if len(self._block) + head.size > self._settings.block_bytes_max:
            raise WireError("a bundle that is too long")
        self._flags, self._left = head.flags, head.size
        if not head.size:
            self._end_segment(self._block)

    def _take_data(self, at: int) -> int | None:
        piece = self._heard[at : at + self._left]
        if not piece:
            return None
        assert self._block is not None
        self._block += piece
        self._left -= len(piece)
        if not self._left:
            self._end_segment(self._block)
        return at + len(piece)

    def _end_segment(self, block: bytearray) -> None:
        number = -1
        if self._flags & END:
            self._block = None
            if not block:
                return
            number = self._arrived
            self._arrived += 1
            self.events.append(Arrived(number, bytes(block)))
        if not self._options & Option.ACKS:
            return
        if len(self._owed) == MAX_OWED:
            raise WireError("more segments than can be answered")
        self._owed.append((len(block), number))
        self._answer()

    def _answer(self) -> None:
        """Acknowledge what waits for nothing any more, in the order of the segments."""
        while self._owed and self._owed[0][1] < 0:
            self._say(Ack(self._owed.popleft()[0]))

    def _on_ack(self, length: int, now_ns: int) -> None:
        while self._sent and self._sent[0].is_refused:
            self._sent.popleft()
        if not length or not self._options & Option.ACKS:
            return
        if not self._sent or not self._sent[0].acked < length <= self._sent[0].sent:
            raise WireError("an acknowledgement of what was not sent")
        transfer = self._sent[0]
        transfer.acked = length
        if length == len(transfer.block):
            self._sent.popleft()
            self.events.append(Taken(transfer.key))
        self._vigil.awaits(now_ns if self._sent else None)

    def _on_refuse(self, reason: int, now_ns: int) -> None:
        transfer = next((t for t in self._sent if not t.is_refused), None)
        if transfer is None or not self._options & Option.REFUSALS:
            raise WireError("a refusal of what was not sent")
        transfer.is_refused = True
        has = reason == Refusal.COMPLETED
        self.events.append(Taken(transfer.key) if has else Declined(transfer.key, reason))
        self._vigil.awaits(now_ns if self.unfinished() else None)

    def _say(self, message: Message) -> None:
        self.outgoing.say(write_message(message))


def _head(transfer: Transfer, size: int) -> bytes:
    flags = 0 if transfer.sent else START
    if transfer.sent + size == len(transfer.block):
        flags |= END
    return write_message(SegmentHead(flags, size))
