"""The lines of one stream link, and what its port is told of them."""

from collections.abc import Callable

from flight.relay.ltp.segment import SessionId
from flight.relay.stream.held import Held, Totals
from flight.relay.stream.line import ANY_LINE, MAX_LINES, Order, pack
from flight.relay.stream.session import Session

MakeSession = Callable[[bool, int, int], Session]
"""Makes the session of a line: whether this node called, longest wait for an answer, now (ns)."""


class Lines:
    """Knows which lines stand, and which of them bundles leave on."""

    __slots__ = ("_answers_send", "_make_session", "_outbox", "_serial", "_totals", "held")

    def __init__(self, make_session: MakeSession, totals: Totals, *, answers_send: bool) -> None:
        self._make_session = make_session
        self._totals = totals
        self._answers_send = answers_send
        self._outbox: list[bytes] = []
        self._serial = 0
        self.held: dict[int, Held] = {}

    def items(self) -> list[tuple[int, Held]]:
        """Return number and line, all of them; they may end meanwhile."""
        return list(self.held.items())

    def take_orders(self) -> tuple[bytes, ...]:
        """Return, and forget, the orders for the port, in order."""
        orders = tuple(self._outbox)
        self._outbox.clear()
        return orders

    def order(self, order: Order, line: int = ANY_LINE) -> None:
        """Tell the port what to do."""
        self._outbox.append(pack(order, line))

    def write(self, line: int, held: Held, data: bytes) -> None:
        """Let the port write."""
        if data:
            held.unwritten += len(data)
            self._totals.datagrams_sent += 1
            self._totals.bytes_sent += len(data)
            self._outbox.append(pack(Order.WRITE, line, data))

    def welcome(self, line: int, *, is_caller: bool, answer_ns: int, now_ns: int) -> None:
        """Begin a session on a new line, unless there are too many."""
        if line in self.held or len(self.held) >= MAX_LINES:
            self.order(Order.HANG_UP, line)
            return
        self._serial += 1
        session = self._make_session(is_caller, answer_ns, now_ns)
        self.held[line] = Held(self._serial, is_caller, session)

    def chosen(self) -> Held | None:
        """Return the line for bundles: the newest that we called, else the newest there is."""
        may_send = (held for held in self.held.values() if held.is_caller or self._answers_send)
        ready = [held for held in may_send if held.session.is_ready]
        return max(ready, key=lambda held: (held.is_caller, held.serial), default=None)

    def of(self, session: SessionId) -> Held | None:
        """Return the line on which a bundle came, if it still stands."""
        found = (held for held in self.held.values() if held.serial == session.engine)
        return next(found, None)

    def hold(self, *, is_full: bool) -> None:
        """Let the peer wait while too much is not yet durable here."""
        for line, held in self.held.items():
            if held.is_on_hold != is_full:
                held.is_on_hold = is_full
                self.order(Order.HOLD if is_full else Order.GO_ON, line)
