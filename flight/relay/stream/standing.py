"""How far a TCPCL session has come, and its clocks: the same in both versions."""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from flight.relay.stream.outgoing import Outgoing
from flight.relay.stream.vigil import Vigil


class State(Enum):
    """How far a session has come."""

    GREETING = "greeting"
    """Waits for the peer's contact header."""
    SECURING = "securing"
    """Waits for TLS. Version 4 only, as the next."""
    JOINING = "joining"
    """Waits for the peer's SESS_INIT."""
    ESTABLISHED = "established"
    ENDING = "ending"
    """We said that it ends: no transfer begins, those under way may come to their end."""
    OVER = "over"


class Words(NamedTuple):
    """What a session of either version has to say, as bytes."""

    end: bytes
    idle: bytes
    """It ends because the peer was silent too long."""
    keepalive: bytes


class Standing:
    """State and deadlines of one session; nothing else changes its state."""

    __slots__ = ("_next", "_outgoing", "_words", "state", "vigil")

    def __init__(
        self,
        table: Mapping[State, set[State]],
        words: Words,
        outgoing: Outgoing,
        vigil: Vigil,
    ) -> None:
        """Begin to greet. ``table``: which states may follow each."""
        self._next = table
        self._words = words
        self._outgoing = outgoing
        self.vigil = vigil
        self.state = State.GREETING

    @property
    def is_over(self) -> bool:
        """Whether to hang up as soon as all is said."""
        return self.state is State.OVER

    def go(self, state: State) -> None:
        """Change the state as the table allows."""
        if state is not self.state:
            assert state in self._next[self.state]
            self.state = state

    def end(self, now_ns: int) -> None:
        """Say that the session ends, and leave a moment for what is under way."""
        if self.state is State.ESTABLISHED and not self._outgoing.is_cut_open:
            self._outgoing.say(self._words.end)
            self.vigil.ends(now_ns)
            self.go(State.ENDING)
        elif self.state is not State.ENDING:
            self.go(State.OVER)

    def expire(self, now_ns: int) -> None:
        """Act on every deadline that has been reached."""
        if self.is_over:
            return
        if self.vigil.is_hopeless(now_ns):
            if self.state is State.ESTABLISHED:
                self._outgoing.say(self._words.idle)
            self.go(State.OVER)
        elif self.vigil.owes_word(now_ns):
            self.vigil.said(now_ns)
            self._outgoing.say(self._words.keepalive)

    def next_ns(self) -> int | None:
        """Return when to call expire."""
        return None if self.is_over else self.vigil.next_ns()
