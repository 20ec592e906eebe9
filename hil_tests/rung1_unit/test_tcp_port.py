"""The TCP port: lines over loopback, secured and plain, that come, break and come again."""

import socket
from collections.abc import Iterator
from itertools import pairwise

import pytest

from flight.instant import Instant
from flight.ports.port import PortError
from flight.ports.tcp import TcpPort
from flight.ports.tls import TlsSettings
from flight.relay.stream.line import MAX_LINES, Order, Told, pack, read_secured, read_told
from hil_tests.waiting import wait_until

BOTH = (Told.CALLED, Told.ANSWERED)


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Ends:
    """Two ports of this machine, the first calls the second; what they told so far."""

    def __init__(self, tls: tuple[TlsSettings, TlsSettings] | None = None) -> None:
        self.address = free_address()
        files = tls or (None, None)
        self.ports = [TcpPort("", self.address, files[0]), TcpPort(self.address, "", files[1])]
        self.told: list[list[tuple[Told, int]]] = [[], []]
        self.heard = [bytearray(), bytearray()]
        self.written = [0, 0]
        self.vouched: list[tuple[str, ...]] = [(), ()]

    def filenos(self) -> tuple[int, ...]:
        return tuple(fileno for port in self.ports if (fileno := port.fileno()) is not None)

    def next_deadline_ns(self) -> int | None:
        deadlines = (port.next_deadline_ns() for port in self.ports)
        return min((ns for ns in deadlines if ns is not None), default=None)

    def turn(self, now: Instant) -> None:
        for end, port in enumerate(self.ports):
            port.expire(now)
            for event, line, content in map(read_told, port.receive(now)):
                if event is Told.HEARD:
                    self.heard[end] += content
                elif event is Told.WROTE:
                    self.written[end] += int.from_bytes(content, "big")
                elif event is Told.SECURED:
                    self.vouched[end] = read_secured(content)
                    self.told[end].append((event, line))
                else:
                    self.told[end].append((event, line))

    def until(self, condition, *, haste: int = 1) -> Instant:
        def turn(now: Instant) -> bool:
            self.now = now
            self.turn(now)
            return condition()

        return wait_until(self, turn, haste=haste)

    def order(self, end: int, order: Order, line: int = 0, content: bytes = b"") -> None:
        self.ports[end].send([pack(order, line, content)], self.now)

    def kinds(self, end: int) -> list[Told]:
        return [event for event, _ in self.told[end]]

    def close(self) -> None:
        for port in self.ports:
            port.close()

    def connect(self) -> None:
        self.until(lambda: True)
        self.order(0, Order.CALL)
        self.until(lambda: all(BOTH[end] in self.kinds(end) for end in (0, 1)))


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


def test_nobody_is_called_before_the_engine_asks_for_it(ends: Ends):
    ends.until(lambda: True)
    assert ends.next_deadline_ns() is None
    ends.connect()
    assert ends.told == [[(Told.CALLED, 1)], [(Told.ANSWERED, 1)]]


def test_bytes_cross_in_order_and_what_the_kernel_took_is_counted(ends: Ends):
    ends.connect()
    data = bytes(range(256)) * 40_000
    for at in range(0, len(data), 1_000_000):
        ends.order(0, Order.WRITE, 1, data[at : at + 1_000_000])
    ends.order(1, Order.WRITE, 1, b"back")
    ends.until(lambda: len(ends.heard[1]) == len(data) and ends.heard[0] == b"back")
    assert ends.heard[1] == data
    ends.until(lambda: ends.written[0] == len(data))


def test_a_line_on_hold_lets_the_other_side_wait(ends: Ends):
    ends.connect()
    ends.order(1, Order.HOLD, 1)
    ends.order(0, Order.WRITE, 1, bytes(16 << 20))
    stands = [-1, -2]

    def stood_still() -> bool:
        stands.append(ends.written[0])
        return stands[-1] > 0 and len(stands) > 50 and stands[-1] == stands[-50]

    ends.ports[0].next_deadline_ns = lambda: 0  # type: ignore[method-assign] # look without events
    ends.until(stood_still)
    assert ends.heard[1] == b""
    assert ends.written[0] < 16 << 20
    ends.order(1, Order.GO_ON, 1)
    ends.until(lambda: len(ends.heard[1]) > 8 << 20)


def test_hanging_up_says_all_that_is_left_first(ends: Ends):
    ends.connect()
    ends.order(0, Order.WRITE, 1, bytes(3 << 20))
    ends.order(0, Order.HANG_UP, 1)
    ends.until(lambda: Told.ENDED in ends.kinds(1))
    assert len(ends.heard[1]) == 3 << 20
    assert Told.ENDED not in ends.kinds(0)


def test_a_line_that_ended_is_called_again_until_it_is_not_wanted(ends: Ends):
    ends.connect()
    ends.order(1, Order.HANG_UP, 1)
    ends.until(lambda: ends.kinds(0).count(Told.CALLED) == 2, haste=20)
    assert ends.kinds(0) == [Told.CALLED, Told.ENDED, Told.CALLED]
    ends.order(0, Order.REST)
    ends.order(1, Order.HANG_UP, 2)
    ends.until(lambda: ends.kinds(0).count(Told.ENDED) == 2)
    assert ends.ports[0].next_deadline_ns() is None


def test_a_peer_that_always_hangs_up_is_called_ever_more_seldom(ends: Ends):
    ends.connect()
    called_ns = []
    for count in range(2, 6):
        ends.order(1, Order.HANG_UP, ends.told[1][-1][1])
        ends.until(lambda count=count: ends.kinds(1).count(Told.ANSWERED) == count, haste=30)
        called_ns.append(ends.now.mono_ns)
    first, *pauses = (b - a for a, b in pairwise(called_ns))
    assert first > 1_900_000_000
    assert pauses[-1] > 6_000_000_000


def test_an_absent_peer_is_named_once_and_called_again_ever_more_seldom():
    ends = Ends()
    ends.ports[1].close()
    ends.ports.pop()
    ends.told.pop()
    port = ends.ports[0]
    now = Instant(10**9, 0)
    port.send([pack(Order.CALL)], now)
    pauses, troubles = [], []
    while len(pauses) < 9:
        port.receive(now)
        troubles.append(port.take_trouble())
        deadline = port.next_deadline_ns()
        assert deadline is not None
        if deadline > now.mono_ns:
            pauses.append((deadline - now.mono_ns) // 10**9)
            now = Instant(deadline, 0)
        port.expire(now)
    assert [trouble for trouble in troubles if trouble] == [
        f"call to {ends.address}: Connection refused; trying again"
    ]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60
    port.close()


def test_the_line_that_was_silent_longest_gives_way(ends: Ends):
    ends.until(lambda: True)
    host, number = ends.address.split(":")
    callers = []
    for _ in range(MAX_LINES + 1):
        callers.append(socket.create_connection((host, int(number))))
        count = len(callers)
        ends.until(lambda count=count: ends.kinds(1).count(Told.ANSWERED) == count)
        if count == 1:
            callers[0].sendall(b"alive")
            ends.until(lambda: ends.heard[1] == b"alive")
    assert [line for event, line in ends.told[1] if event is Told.ENDED] == [1]
    for caller in callers:
        caller.close()


def test_a_line_with_a_session_is_not_ended_for_strangers(ends: Ends):
    ends.connect()
    ends.order(1, Order.KEEP, 1)
    host, number = ends.address.split(":")
    strangers = []
    for count in range(2, MAX_LINES + 20):
        strangers.append(socket.create_connection((host, int(number))))
        strangers[-1].sendall(b"let me in")
        ends.until(lambda count=count: ends.kinds(1).count(Told.ANSWERED) == count)
    ended = [line for event, line in ends.told[1] if event is Told.ENDED]
    assert len(ended) == 19
    assert 1 not in ended
    for stranger in strangers:
        stranger.close()


@pytest.mark.parametrize(
    ("listen", "call", "what"),
    [
        ("127.0.0.1", "", "is not HOST:PORT"),
        ("", "127.0.0.1:99999", "is not HOST:PORT"),
        ("no.such.host.invalid:1", "", "no.such.host.invalid"),
    ],
)
def test_an_address_that_is_none_is_named(listen: str, call: str, what: str):
    with pytest.raises(PortError, match=what):
        TcpPort(listen, call)


def test_an_address_in_use_is_named(ends: Ends):
    with pytest.raises(PortError, match=f"tcp {ends.address}: Address already in use; stop"):
        TcpPort(ends.address, "")
