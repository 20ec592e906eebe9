"""One receiving session: its states, and the parts of the block that are here.

A restart loses every state. Then a checkpoint that answers a report of the life before would ask
us to claim the rest of a block whose first part is gone. We know by the report's serial number,
and cancel. Serial numbers start at random, so that two lives do not share one.
"""

from enum import IntEnum, auto
from typing import TypeAlias

from flight.relay.ltp.ranges import add_range, ranges_within
from flight.relay.ltp.segment import SegmentType, SessionId
from flight.relay.ltp.timers import Retry

Claims: TypeAlias = tuple[tuple[int, int], ...]
"""(start, end) of what is here, ascending."""
PIECE_BYTES = 100
"""What a piece takes beside its data: two objects and a place in a dictionary."""


class State(IntEnum):
    """Where a receiving session is."""

    __hash__ = int.__hash__  # in C, where an enum's own is in Python

    RECEIVING = auto()
    """Parts of the red data are here."""
    WHOLE = auto()
    """All red data are here, and not yet durable: no report claims them all."""
    ACCEPTED = auto()
    """The node has them; the report that says so is unacknowledged."""
    CANCELLING = auto()
    """Our cancel is unanswered."""
    CLOSED = auto()
    """Over. Unless it was evicted its number is remembered: no late segment opens it again."""


class Signal(IntEnum):
    """What happens to it."""

    __hash__ = int.__hash__

    COMPLETED = auto()
    ACCEPTED = auto()
    REFUSED = auto()
    EVICTED = auto()
    ACKED = auto()
    GAVE_UP = auto()
    PEER_CANCELLED = auto()
    CANCEL_ACKED = auto()


TRANSITIONS: dict[tuple[State, Signal], State] = {
    (State.RECEIVING, Signal.COMPLETED): State.WHOLE,
    (State.RECEIVING, Signal.REFUSED): State.CANCELLING,
    (State.RECEIVING, Signal.EVICTED): State.CLOSED,
    (State.RECEIVING, Signal.PEER_CANCELLED): State.CLOSED,
    (State.WHOLE, Signal.ACCEPTED): State.ACCEPTED,
    (State.WHOLE, Signal.REFUSED): State.CANCELLING,
    (State.WHOLE, Signal.PEER_CANCELLED): State.CLOSED,
    (State.ACCEPTED, Signal.ACKED): State.CLOSED,
    (State.ACCEPTED, Signal.EVICTED): State.CLOSED,
    (State.ACCEPTED, Signal.GAVE_UP): State.CLOSED,
    (State.ACCEPTED, Signal.PEER_CANCELLED): State.CLOSED,
    (State.CANCELLING, Signal.CANCEL_ACKED): State.CLOSED,
    (State.CANCELLING, Signal.EVICTED): State.CLOSED,
    (State.CANCELLING, Signal.GAVE_UP): State.CLOSED,
    (State.CANCELLING, Signal.PEER_CANCELLED): State.CLOSED,
}


class ReceiveSession:
    """One block on its way in."""

    __slots__ = (
        "answers",
        "client_service",
        "edges",
        "green_start",
        "held_bytes",
        "id",
        "last_checkpoint",
        "opened_ns",
        "pending",
        "pieces",
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
        self.pieces: dict[int, bytes] = {}
        """Red data by their offset; they may overlap where the peer cut a block anew."""
        self.edges: list[int] = []
        """Which bytes of the block are here (ranges.py)."""
        self.held_bytes = 0
        self.red_end: int | None = None
        self.green_start: int | None = None
        self.last_checkpoint = 0
        self.scopes: dict[int, int] = {}
        """Lower bound of each report made, by its serial number."""
        self.answers: dict[int, tuple[list[int], list[int]]] = {}
        """By a checkpoint's serial number: those of the reports that answered it, and what was
        here then."""
        self.pending: dict[int, Retry] = {}
        """Reports not acknowledged, by serial number."""

    def step(self, signal: Signal) -> None:
        """Change the state as the table says."""
        self.state = TRANSITIONS[self.state, signal]

    def is_plausible(self, type_: int, end: int, block_bytes_max: int) -> bool:
        """Say whether red data up to ``end`` agree with what came before (section 6.21)."""
        red_end, edges = self.red_end, self.edges
        if end > block_bytes_max or (red_end is not None and end > red_end):
            return False
        if self.green_start is not None and end > self.green_start:
            return False
        if type_ <= SegmentType.RED_CHECKPOINT:
            return True
        return end > 0 and (not edges or edges[-1] <= end) and red_end in {None, end}

    def put(self, start: int, data: bytes) -> int:
        """Take in red data wherever they belong; return what that takes of memory.

        0: nothing new. No room is made for what is missing, so that one byte at the end of a
        large block costs no more than one at its start.
        """
        edges, end = self.edges, start + len(data)
        if not edges:
            edges += (start, end)
        elif edges[-1] == start:  # in order, as nearly all are
            edges[-1] = end
        else:
            before = edges.copy()
            add_range(edges, start, end)
            if edges == before:
                return 0
        self.pieces[start] = data
        taken_bytes = len(data) + PIECE_BYTES
        self.held_bytes += taken_bytes
        return taken_bytes

    def block(self) -> bytes:
        """Return the red part, once it is whole."""
        pieces, end = self.pieces, self.edges[1]
        if len(pieces) == 1:
            return pieces[0]
        if sum(map(len, pieces.values())) == end:
            return b"".join([pieces[start] for start in sorted(pieces)])
        block = bytearray(end)
        for start, data in pieces.items():
            block[start : start + len(data)] = data
        return bytes(block)

    def is_whole(self) -> bool:
        """Say whether all red data are here, and known to be all."""
        return self.edges == [0, self.red_end]

    def reports(self, lower: int, upper: int, claims_max: int) -> list[tuple[int, int, Claims]]:
        """Return (lower, upper, claims) of each report that the scope takes.

        A long one is split; each part's scope ends where the next part's first claim starts.

        The last byte that is here is not claimed while the end of the red part is unknown. Of a
        block whose end came with its mark damaged all bytes are here, and not known to be all:
        the peer would let go of what was never accepted. Now it sends the end again.
        """
        is_open = self.red_end is None and bool(self.edges)
        known = min(upper, self.edges[-1] - 1) if is_open else upper
        claims = ranges_within(self.edges, lower, known) if known > lower else []
        parts = [claims[at : at + claims_max] for at in range(0, len(claims), claims_max)]
        bounds = [lower, *(part[0][0] for part in parts[1:]), upper]
        return [(bounds[i], bounds[i + 1], tuple(part)) for i, part in enumerate(parts)]

    def settle(self, serial: int) -> None:
        """Repeat this report no more."""
        retry = self.pending.pop(serial, None)
        if retry is not None:
            retry.is_open = False

    def stop(self) -> None:
        """Repeat nothing any more."""
        if self.pending:
            for retry in self.pending.values():
                retry.is_open = False
            self.pending.clear()
