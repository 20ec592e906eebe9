"""One sending session: its states, and what it counts."""

from enum import IntEnum, auto

from flight.relay.ltp.outgoing import OutgoingBlock
from flight.relay.ltp.timers import Retry


class State(IntEnum):
    """Where a sending session is."""

    __hash__ = int.__hash__  # in C, where an enum's own is in Python

    SENDING = auto()
    """Segments of the block wait for the line."""
    WAITING = auto()
    """All have left; a checkpoint is unanswered."""
    CANCELLING = auto()
    """We gave up, or were told to; our cancel is unanswered."""
    CLOSED = auto()
    """Over; late reports are still acknowledged."""


class Signal(IntEnum):
    """What happens to it."""

    __hash__ = int.__hash__

    ALL_SENT = auto()
    GAPS_REPORTED = auto()
    UNANSWERED = auto()
    ALL_CLAIMED = auto()
    GAVE_UP = auto()
    PEER_CANCELLED = auto()
    CANCEL_ACKED = auto()


TRANSITIONS: dict[tuple[State, Signal], State] = {
    (State.SENDING, Signal.ALL_SENT): State.WAITING,
    (State.SENDING, Signal.GAPS_REPORTED): State.SENDING,
    (State.SENDING, Signal.UNANSWERED): State.SENDING,
    (State.SENDING, Signal.ALL_CLAIMED): State.CLOSED,
    (State.SENDING, Signal.GAVE_UP): State.CANCELLING,
    (State.SENDING, Signal.PEER_CANCELLED): State.CLOSED,
    (State.WAITING, Signal.GAPS_REPORTED): State.SENDING,
    (State.WAITING, Signal.UNANSWERED): State.SENDING,
    (State.WAITING, Signal.ALL_CLAIMED): State.CLOSED,
    (State.WAITING, Signal.GAVE_UP): State.CANCELLING,
    (State.WAITING, Signal.PEER_CANCELLED): State.CLOSED,
    (State.CANCELLING, Signal.UNANSWERED): State.CANCELLING,
    (State.CANCELLING, Signal.GAVE_UP): State.CLOSED,
    (State.CANCELLING, Signal.PEER_CANCELLED): State.CLOSED,
    (State.CANCELLING, Signal.CANCEL_ACKED): State.CLOSED,
}


class SendSession:
    """One block on its way."""

    __slots__ = (
        "ahead_bytes",
        "block",
        "block_bytes",
        "checkpoints",
        "in_line",
        "key",
        "number",
        "opened_ns",
        "priority",
        "reports",
        "state",
    )

    def __init__(
        self,
        number: int,
        block: OutgoingBlock,
        *,
        key: int,
        priority: int,
        block_bytes: int,
        now_ns: int,
    ) -> None:
        self.number = number
        self.key = key
        self.priority = priority
        self.block = block
        self.block_bytes = self.ahead_bytes = block_bytes
        """``ahead_bytes`` counts against the room ahead until the block has left once."""
        self.opened_ns = now_ns
        self.state = State.SENDING
        self.in_line = False
        """Whether it stands in the queue of its priority."""
        self.checkpoints: dict[int, Retry] = {}
        """Unanswered, by serial number."""
        self.reports: set[int] = set()
        """Serial numbers seen: a repeated report says nothing new."""

    def step(self, signal: Signal) -> None:
        """Change the state as the table says."""
        self.state = TRANSITIONS[self.state, signal]
