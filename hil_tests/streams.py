"""Two stream engines in simulated time, joined by lines that may be slow and may break."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from flight.instant import Instant
from flight.relay.convergence import make_engine
from flight.relay.errors import WireError
from flight.relay.ltp.events import BlockDelivered, BlockFailed, BlockReceived
from flight.relay.settings import Layer, LinkSettings
from flight.relay.stream.line import Order, Told, pack, secured, wrote
from flight.relay.stream.settings import TcpSettings

NS = 10**9
TICK_NS = 1_000_000
CALL_NS = 100 * TICK_NS


@dataclass
class Cable:
    """One connection: what each side wrote and the other has not heard yet."""

    caller: int
    numbers: tuple[int, int]
    bytes: list[bytearray] = field(default_factory=lambda: [bytearray(), bytearray()])
    ended: list[bool] = field(default_factory=lambda: [False, False])
    is_secure: list[bool] = field(default_factory=lambda: [False, False])
    on_hold: list[bool] = field(default_factory=lambda: [False, False])


@dataclass
class Side:
    """One engine with the node's part of the work done at once, or later."""

    engine: object
    calls: bool = False
    received: list[bytes] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    waiting: list[BlockReceived] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    accepts: bool = True


class Streams:
    """Node 1 calls node 2, unless told otherwise; all lines are as fast as ``bytes_s``."""

    def __init__(
        self,
        layer: Layer,
        *,
        bytes_s: int = 10**9,
        both_call: bool = False,
        here: TcpSettings | None = None,
        there: TcpSettings | None = None,
    ) -> None:
        self.now_ns = NS
        self.layer = layer
        self.may_call = [True, both_call]
        self.settings = (here or TcpSettings(), there or TcpSettings())
        self.sides = [self._side(0), self._side(1)]
        self.cables: list[Cable] = []
        self._tick_bytes = max(bytes_s * TICK_NS // NS, 1)
        self._next_call_ns = [0, 0]
        self._number = 0
        self.vouched: list[tuple[str, ...]] = [(), ()]
        """Node ids in the certificate that each side shows."""
        self.turn: Callable[[], None] = lambda: None

    def _side(self, side: int) -> Side:
        link = LinkSettings(2 - side, layer=self.layer, tcp=self.settings[side])
        return Side(make_engine(link, side + 1, seed=0))

    def restart(self, side: int) -> Side:
        """Kill a side: its engine and its lines are gone."""
        for cable in list(self.cables):
            self.cut(cable)
        self.sides[side] = self._side(side)
        return self.sides[side]

    def now(self) -> Instant:
        return Instant(self.now_ns, 0)

    def open(self, rate_bytes_s: int = 10**9, ends_s: float | None = None) -> None:
        ends_ns = None if ends_s is None else self.now_ns + round(ends_s * NS)
        for side in self.sides:
            side.engine.set_contact(
                True, rate_bytes_s=rate_bytes_s, ends_mono_ns=ends_ns, now=self.now()
            )

    def run(self, seconds: float) -> None:
        end_ns = self.now_ns + round(seconds * NS)
        while self.now_ns < end_ns:
            self.now_ns += TICK_NS
            self.tick()

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        end_ns = self.now_ns + round(seconds * NS)
        while not condition():
            assert self.now_ns < end_ns, "waited in vain"
            self.now_ns += TICK_NS
            self.tick()

    def tick(self) -> None:
        for side in (0, 1):
            if self.sides[side].calls and self.may_call[side]:
                self._call(side)
        for cable in list(self.cables):
            self._carry(cable)
        for index, side in enumerate(self.sides):
            side.engine.expire(self.now())
            self._serve(side)
            for order in side.engine.take_datagrams():
                self._obey(index, order)
        self.turn()

    def cut(self, cable: Cable) -> None:
        """Break a line: neither side gets what the other wrote and was not heard."""
        self.cables.remove(cable)
        for side in (0, 1):
            if not cable.ended[side]:
                self._tell(side, pack(Told.ENDED, cable.numbers[side]))

    def _call(self, side: int) -> None:
        stands = any(c.caller == side and not c.ended[side] for c in self.cables)
        if stands or self.now_ns < self._next_call_ns[side]:
            return
        self._next_call_ns[side] = self.now_ns + CALL_NS
        self._number = self._number % 250 + 1
        cable = Cable(side, (self._number, self._number))
        self.cables.append(cable)
        self._tell(side, pack(Told.CALLED, self._number))
        self._tell(1 - side, pack(Told.ANSWERED, self._number))

    def _carry(self, cable: Cable) -> None:
        for side in (0, 1):
            data = cable.bytes[1 - side]
            if data and not cable.on_hold[side] and not cable.ended[side]:
                piece = bytes(data[: self._tick_bytes])
                del data[: len(piece)]
                self._tell(1 - side, wrote(cable.numbers[1 - side], len(piece)))
                self._tell(side, pack(Told.HEARD, cable.numbers[side]) + piece)
            if cable.ended[1 - side] and not data and not cable.ended[side]:
                cable.ended[side] = True
                self._tell(side, pack(Told.ENDED, cable.numbers[side]))
        if all(cable.ended) and cable in self.cables:
            self.cables.remove(cable)

    def _tell(self, side: int, datagram: bytes) -> None:
        try:
            self.sides[side].engine.receive(datagram, self.now())
        except WireError as error:
            self.sides[side].wrong.append(str(error))

    def _obey(self, side: int, order: bytes) -> None:
        kind, number, content = Order(order[0]), order[1], order[2:]
        if kind in {Order.CALL, Order.REST}:
            self.sides[side].calls = kind is Order.CALL
            return
        cable = next(
            (c for c in self.cables if c.numbers[side] == number and not c.ended[side]), None
        )
        if cable is None:
            return
        if kind is Order.WRITE:
            cable.bytes[side] += content
        elif kind is Order.HANG_UP:
            cable.ended[side] = True
        elif kind is Order.SECURE:
            cable.is_secure[side] = True
            if all(cable.is_secure):
                for each in (0, 1):
                    self._tell(each, secured(cable.numbers[each], self.vouched[1 - each]))
        else:
            cable.on_hold[side] = kind is Order.HOLD

    def _serve(self, side: Side) -> None:
        for event in side.engine.take_events():
            if isinstance(event, BlockReceived):
                side.waiting.append(event)
            elif isinstance(event, BlockDelivered):
                side.delivered.append(event.key)
            elif isinstance(event, BlockFailed):
                side.failed.append(event.key)
        if side.accepts:
            for event in side.waiting:
                side.received.append(event.block)
                with suppress(WireError):
                    side.engine.accept(event.session, self.now())
            side.waiting.clear()
