"""One TCPCLv4 session (RFC 9174).

Each bundle is a transfer, cut into segments; an acknowledgement answers each, the last one only
once the bundle is durable. Here: the states and what this side sends. See tcpcl4reception for
what comes in.
"""

from collections.abc import Callable
from enum import Enum
from typing import NoReturn

from flight.relay.errors import WireError
from flight.relay.stream.hearing import take_pieces
from flight.relay.stream.session import SessionEvent
from flight.relay.stream.settings import TcpSettings, Tls
from flight.relay.stream.tcpcl4emission import Emission
from flight.relay.stream.tcpcl4reception import Reception
from flight.relay.stream.tcpcl4wire import (
    CAN_TLS,
    CONTACT_BYTES,
    KINDS,
    MAGIC,
    VERSION,
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
    write_contact,
    write_message,
)
from flight.relay.stream.vigil import Vigil


class State(Enum):
    """How far a session has come."""

    GREETING = "greeting"
    """Waits for the peer's contact header."""
    SECURING = "securing"
    """Waits for TLS."""
    JOINING = "joining"
    """Waits for the peer's SESS_INIT."""
    ESTABLISHED = "established"
    ENDING = "ending"
    """SESS_TERM was sent: no transfer begins, those under way are finished."""
    OVER = "over"


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


class Tcpcl4Session:
    """See Session."""

    def __init__(
        self,
        settings: TcpSettings,
        *,
        node_id: str,
        is_peer: Callable[[str], bool],
        is_caller: bool,
        answer_ns: int,
        now_ns: int,
    ) -> None:
        """Begin: who called speaks first. ``is_peer`` tells whether an id is the peer's."""
        self._settings = settings
        self._node_id = node_id
        self._is_peer = is_peer
        self._is_caller = is_caller
        self._state = State.GREETING
        self._vigil = Vigil(now_ns, handshake_s=settings.handshake_s, answer_ns=answer_ns)
        self._heard = bytearray()
        self.events: list[SessionEvent] = []
        self._emission = Emission(self.events)
        self.outgoing = self._emission.outgoing
        self._reception = Reception(settings, self._say, self.events)
        self._has_peer_parted = False
        self.wants_tls = False
        if is_caller:
            self.outgoing.say(self._contact())

    @property
    def is_ready(self) -> bool:
        """Whether transfers may begin."""
        return self._state is State.ESTABLISHED

    @property
    def is_over(self) -> bool:
        """Whether to hang up as soon as all is said."""
        return self._state is State.OVER

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take in what came on the line."""
        self._vigil.heard(now_ns)
        self._heard += data
        take_pieces(self._heard, lambda at: self._step(at, now_ns))

    def secured(self, now_ns: int) -> None:
        """Go on: TLS is up."""
        if self._state is not State.SECURING:
            raise WireError("TLS where none was agreed")
        self._vigil.heard(now_ns)
        self._join()

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
        if self._state is State.ESTABLISHED and not self.outgoing.is_cut_open:
            self._say(Term(is_reply=False, reason=Ending.UNKNOWN))
            self._vigil.ends(now_ns)
            self._go(State.ENDING)
        elif self._state is not State.ENDING:
            self._go(State.OVER)

    def expire(self, now_ns: int) -> None:
        """Act on every deadline that has been reached."""
        if self._state is State.OVER:
            return
        if self._vigil.is_hopeless(now_ns):
            if self._state is State.ESTABLISHED:
                self._say(Term(is_reply=False, reason=Ending.IDLE_TIMEOUT))
            self._go(State.OVER)
        elif self._vigil.owes_word(now_ns):
            self._vigil.said(now_ns)
            self._say(Keepalive())

    def next_ns(self) -> int | None:
        """Return when to call expire."""
        return None if self._state is State.OVER else self._vigil.next_ns()

    # What comes in --------------------------------------------------------------------------

    def _step(self, at: int, now_ns: int) -> int | None:
        """Take the next piece of what was heard; return the place after it, None: wait."""
        if self._state is State.OVER:
            return None
        if self._state is State.GREETING:
            return self._greet(at, now_ns)
        if self._state is State.SECURING:
            if at < len(self._heard):
                raise WireError("bytes before TLS was up")
            return None
        if self._reception.left:
            after = self._reception.take(self._heard, at)
            self._part()
            return after
        try:
            found = read_message(self._heard, at)
        except WireError as error:
            is_unknown = isinstance(error, UnknownTypeError)
            reason = Rejection.TYPE_UNKNOWN if is_unknown else Rejection.UNSUPPORTED
            self._say(Reject(reason, self._heard[at]))
            raise
        if found is None:
            return None
        message, after = found
        kind = KINDS[type(message)]
        try:
            if kind not in EXPECTED[self._state]:
                raise WireError(f"{kind.name} while {self._state.value}")
            self._take(message, now_ns)
        except WireError:
            if kind in _TRANSFERS or kind not in EXPECTED[self._state]:
                self._say(Reject(Rejection.UNEXPECTED, kind))
            raise
        return after

    def _greet(self, at: int, now_ns: int) -> int | None:
        header = bytes(self._heard[at : at + CONTACT_BYTES])
        if header[: len(MAGIC)] != MAGIC[: len(header)]:
            raise WireError("no TCPCL contact header")
        if len(header) < CONTACT_BYTES:
            return None
        if not self._is_caller:
            self.outgoing.say(self._contact())
        if header[4] != VERSION:
            # Section 4.3: say so in our version's words, then close.
            self._say(Term(is_reply=False, reason=Ending.VERSION_MISMATCH))
            raise WireError(f"TCPCL version {header[4]}")
        tls = self._settings.tls
        is_secure = bool(header[5] & CAN_TLS) and tls is not Tls.NEVER
        if tls is Tls.REQUIRED and not is_secure:
            self._fail("the peer cannot do TLS, which is required")
        if is_secure:
            self.wants_tls = True
            self._go(State.SECURING)
        else:
            self._join()
        self._vigil.heard(now_ns)
        return at + CONTACT_BYTES

    def _fail(self, what: str) -> NoReturn:
        self._say(Term(is_reply=False, reason=Ending.CONTACT_FAILURE))
        raise WireError(what)

    def _join(self) -> None:
        self._go(State.JOINING)
        if self._is_caller:
            self._introduce()

    def _introduce(self) -> None:
        settings = self._settings
        self._say(
            Init(
                settings.keepalive_s,
                settings.segment_mru_bytes,
                settings.block_bytes_max,
                self._node_id,
            )
        )

    def _take(self, message: Message, now_ns: int) -> None:
        if isinstance(message, SegmentHead):
            self._reception.begin(message, is_ending=self._state is State.ENDING)
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
            self._on_init(message)
        elif isinstance(message, Reject):
            raise WireError(f"the peer rejects message {message.header}, reason {message.reason}")

    def _answered(self, now_ns: int) -> None:
        self._vigil.awaits(now_ns if self._emission.unfinished() else None)
        self._part()

    def _on_init(self, init: Init) -> None:
        if not self._is_peer(init.node_id):
            self._fail(f"the peer says that it is {init.node_id[:80]!r}")
        if any(item.is_critical for item in init.items) or not init.segment_mru:
            self._fail("the peer wants an extension, or no segments")
        if not self._is_caller:
            self._introduce()
        own = self._settings.segment_bytes or self._settings.block_bytes_max
        self.outgoing.segment = min(own, init.segment_mru)
        self._emission.transfer_mru = init.transfer_mru
        self._vigil.established(min(self._settings.keepalive_s, init.keepalive_s))
        self._go(State.ESTABLISHED)

    # The end --------------------------------------------------------------------------------

    def _on_term(self, term: Term, now_ns: int) -> None:
        if self._state is State.JOINING:
            self._go(State.OVER)
            return
        if self._state is State.ESTABLISHED:
            self._say(Term(is_reply=True, reason=term.reason))
            self._go(State.ENDING)
        self._has_peer_parted = True
        self._vigil.ends(now_ns)
        self._part()

    def _part(self) -> None:
        """Hang up once both sides have parted and nothing is under way in either direction."""
        if self._state is not State.ENDING or not self._has_peer_parted:
            return
        is_idle = self._reception.is_idle and self.outgoing.is_idle
        if is_idle and not self._emission.unfinished():
            self._go(State.OVER)

    # Small things ---------------------------------------------------------------------------

    def _go(self, state: State) -> None:
        if state is not self._state:
            assert state in NEXT[self._state]
            self._state = state

    def _contact(self) -> bytes:
        return write_contact(can_tls=self._settings.tls is not Tls.NEVER)

    def _say(self, message: Message) -> None:
        self.outgoing.say(write_message(message))
