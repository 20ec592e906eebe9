"""One TCPCLv4 session (RFC 9174).

Each bundle is a transfer, cut into segments; an acknowledgement answers each, the last one only
once the bundle is durable. Here: the states and who sees to which message. See tcpcl4handshake for
the beginning, tcpcl4emission and tcpcl4reception for the transfers.
"""

from flight.relay.errors import WireError
from flight.relay.stream.hearing import take_pieces
from flight.relay.stream.identity import Identity
from flight.relay.stream.session import SessionEvent
from flight.relay.stream.settings import TcpSettings
from flight.relay.stream.standing import Standing, State, Words
from flight.relay.stream.tcpcl4emission import Emission
from flight.relay.stream.tcpcl4handshake import Handshake
from flight.relay.stream.tcpcl4reception import Reception
from flight.relay.stream.tcpcl4wire import (
    KINDS,
    Ack,
    Ending,
    Init,
    Keepalive,
    Kind,
    Message,
    Refusal,
    Refuse,
    Reject,
    Rejection,
    SegmentHead,
    Term,
    UnknownTypeError,
    read_message,
    write_message,
)
from flight.relay.stream.vigil import Vigil

_TRANSFERS = {Kind.XFER_SEGMENT, Kind.XFER_ACK, Kind.XFER_REFUSE, Kind.KEEPALIVE}
_ALWAYS = {Kind.SESS_TERM, Kind.MSG_REJECT}

EXPECTED: dict[State, set[Kind]] = {
    State.JOINING: {Kind.SESS_INIT} | _ALWAYS,
    State.ESTABLISHED: _TRANSFERS | _ALWAYS,
    State.ENDING: _TRANSFERS | _ALWAYS,
}
"""Messages that may come in each state; any other breaks the protocol."""

NEXT: dict[State, set[State]] = {
    State.GREETING: {State.SECURING, State.JOINING, State.OVER},
    State.SECURING: {State.JOINING, State.OVER},
    State.JOINING: {State.ESTABLISHED, State.OVER},
    State.ESTABLISHED: {State.ENDING, State.OVER},
    State.ENDING: {State.OVER},
    State.OVER: set(),
}

_WORDS = Words(
    end=write_message(Term(is_reply=False, reason=Ending.UNKNOWN)),
    idle=write_message(Term(is_reply=False, reason=Ending.IDLE_TIMEOUT)),
    keepalive=write_message(Keepalive()),
)


class Tcpcl4Session:
    """See Session."""

    def __init__(
        self,
        settings: TcpSettings,
        who: Identity,
        *,
        is_caller: bool,
        answer_ns: int,
        now_ns: int,
    ) -> None:
        """Begin: who called speaks first."""
        self._heard = bytearray()
        self.events: list[SessionEvent] = []
        self._emission = Emission(self.events)
        self.outgoing = self._emission.outgoing
        self._reception = Reception(settings, self._say, self.events)
        self._vigil = Vigil(now_ns, handshake_s=settings.handshake_s, answer_ns=answer_ns)
        self._standing = Standing(NEXT, _WORDS, self.outgoing, self._vigil)
        self._handshake = Handshake(
            settings,
            who,
            is_caller=is_caller,
            standing=self._standing,
            emission=self._emission,
            say=self._say,
        )
        self._has_peer_parted = False
        self.wants_tls = False

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

    def secured(self, node_ids: tuple[str, ...], now_ns: int) -> None:
        """Go on: TLS is up."""
        self._vigil.heard(now_ns)
        self._handshake.secured(node_ids)

    def begin(self, key: int, block: bytes) -> None:
        """Send a bundle; only while ``outgoing`` is idle."""
        self._emission.begin(key, block)

    def wrote(self, total: int) -> None:
        """Do nothing: the peer's acknowledgement counts."""

    def spoke(self, now_ns: int) -> None:
        """Note that something leaves; the last byte of a bundle begins the wait for an answer."""
        self._vigil.said(now_ns)
        if self._emission.unfinished() and not (self._vigil.is_awaiting and self.outgoing.is_idle):
            self._vigil.awaits(now_ns)

    def accept(self, number: int) -> None:
        """Acknowledge a bundle that arrived, and what waited behind it."""
        self._reception.settle(number, None)
        self._part()

    def refuse(self, number: int, *, for_good: bool) -> None:
        """Refuse a bundle that arrived."""
        refusal = Refusal.NOT_ACCEPTABLE if for_good else Refusal.NO_RESOURCES
        self._reception.settle(number, refusal)
        self._part()

    def unfinished(self) -> list[int]:
        """Return the keys of the bundles whose fate is not known, the oldest first."""
        return self._emission.unfinished()

    def end(self, now_ns: int) -> None:
        """Say that the session ends, and finish what can be finished soon."""
        self._standing.end(now_ns)

    def expire(self, now_ns: int) -> None:
        """Act on every deadline that has been reached."""
        self._standing.expire(now_ns)

    def next_ns(self) -> int | None:
        """Return when to call expire."""
        return self._standing.next_ns()

    def _step(self, at: int, now_ns: int) -> int | None:
        """Take the next piece of what was heard; return the place after it, None: wait."""
        state = self._standing.state
        if state is State.OVER:
            return None
        if state is State.GREETING:
            after = self._handshake.greet(self._heard, at)
            self.wants_tls = self._standing.state is State.SECURING
            return after
        if state is State.SECURING:
            if at < len(self._heard):
                raise WireError("bytes before TLS was up")
            return None
        if self._reception.left:
            after = self._reception.take(self._heard, at)
            self._part()
            return after
        found = self._read(at)
        if found is None:
            return None
        message, after = found
        kind = KINDS[type(message)]
        try:
            if kind not in EXPECTED[state]:
                raise WireError(f"{kind.name} while {state.value}")
            self._take(message, now_ns)
        except WireError:
            if kind in _TRANSFERS or kind not in EXPECTED[state]:
                self._say(Reject(Rejection.UNEXPECTED, kind))
            raise
        return after

    def _read(self, at: int) -> tuple[Message, int] | None:
        try:
            return read_message(self._heard, at)
        except WireError as error:
            is_unknown = isinstance(error, UnknownTypeError)
            reason = Rejection.TYPE_UNKNOWN if is_unknown else Rejection.UNSUPPORTED
            self._say(Reject(reason, self._heard[at]))
            raise

    def _take(self, message: Message, now_ns: int) -> None:
        if isinstance(message, SegmentHead):
            is_ending = self._standing.state is State.ENDING
            self._reception.begin(message, is_ending=is_ending)
            self._part()
        elif isinstance(message, Ack):
            self._emission.on_ack(message)
            self._answered(now_ns)
        elif isinstance(message, Refuse):
            self._emission.on_refuse(message)
            self._answered(now_ns)
        elif isinstance(message, Term):
            self._on_term(message, now_ns)
        elif isinstance(message, Init):
            self._handshake.on_init(message)
        elif isinstance(message, Reject):
            raise WireError(f"the peer rejects message {message.header}, reason {message.reason}")

    def _answered(self, now_ns: int) -> None:
        self._vigil.awaits(now_ns if self._emission.unfinished() else None)
        self._part()

    def _on_term(self, term: Term, now_ns: int) -> None:
        if self._standing.state is State.JOINING:
            self._standing.go(State.OVER)
            return
        if self._standing.state is State.ESTABLISHED:
            self._say(Term(is_reply=True, reason=term.reason))
            self._standing.go(State.ENDING)
        self._has_peer_parted = True
        self._vigil.ends(now_ns)
        self._part()

    def _part(self) -> None:
        """Hang up once both sides have parted and nothing is under way in either direction."""
        if self._standing.state is not State.ENDING or not self._has_peer_parted:
            return
        is_idle = self._reception.is_idle and self.outgoing.is_idle
        if is_idle and not self._emission.unfinished():
            self._standing.go(State.OVER)

    def _say(self, message: Message) -> None:
        self.outgoing.say(write_message(message))
