"""Two nodes of this machine over each convergence layer, on real sockets and a pseudo-terminal."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flight.instant import Instant
from flight.ports.port import Port
from flight.ports.serialport import FlowControl, Framing
from flight.ports.settings import PortSettings, check_links, fit_links, open_port
from flight.relay.contactfile import read_ion_plan
from flight.relay.endpoint import ipn
from flight.relay.errors import WireError
from flight.relay.node import Node
from flight.relay.plain import UdpSettings
from flight.relay.settings import Layer, LinkSettings, NodeSettings, StoreSettings
from flight.relay.store import open_ram_store
from flight.relay.stream.line import MAX_LINES
from flight.relay.stream.settings import TcpSettings, Tls
from hil_tests.certificates import make_authority
from hil_tests.serialline import SerialLine
from hil_tests.waiting import wait_until

START_MS = 816_000_000_000
PLAN = "a contact +0 +3600 1 2 {0}\na contact +0 +3600 2 1 {0}\na range +0 +3600 1 2 0\n"
ACKED = {Layer.LTP, Layer.TCPCL3, Layer.TCPCL4}


class Pair:
    """Nodes 1 and 2 with one port each, turned together."""

    def __init__(
        self,
        links: tuple[LinkSettings, LinkSettings],
        ports: tuple[PortSettings, PortSettings],
        folder: Path,
        stack: contextlib.ExitStack,
        rate: int = 10_000_000,
    ) -> None:
        plan = read_ion_plan(PLAN.format(rate), reference_ms=START_MS)
        self.nodes: list[Node] = []
        self.ports: list[Port] = []
        self.got: list[list[bytes]] = [[], []]
        self._first_ns: int | None = None
        for number, (link, port) in enumerate(zip(links, ports, strict=True), 1):
            settings = NodeSettings(number, links=(link,))
            check_links(settings, [port])
            settings = fit_links(settings, [port])
            store = open_ram_store(StoreSettings(folder / str(number)))
            self.nodes.append(Node(settings, store, plan, Instant(0, START_MS), seed=number))
            self.ports.append(stack.enter_context(contextlib.closing(open_port(port))))

    def filenos(self) -> tuple[int, ...]:
        return tuple(fileno for port in self.ports if (fileno := port.fileno()) is not None)

    def next_deadline_ns(self) -> int | None:
        deadlines = [source.next_deadline_ns() for source in (*self.nodes, *self.ports)]
        return min((ns for ns in deadlines if ns is not None), default=None)

    def until(self, condition, **haste: int) -> None:
        wait_until(self, lambda now: self._turn(now) or condition(), **haste)

    def _turn(self, bare: Instant) -> None:
        self._first_ns = self._first_ns or bare.mono_ns
        self.now = now = Instant(bare.mono_ns, START_MS + (bare.mono_ns - self._first_ns) // 10**6)
        for node, port, got in zip(self.nodes, self.ports, self.got, strict=True):
            port.expire(now)
            for datagram in port.receive(now):
                with contextlib.suppress(WireError):
                    node.receive(0, datagram, now)
            for _ in range(3):
                node.store_ready(now)
            node.expire(now)
            for delivery in node.take_deliveries():
                got.append(delivery.payload)
                node.release(delivery, now)
            node.take_events()
            datagrams = [datagram for _, datagram in node.take_datagrams()]
            if datagrams:
                port.send(datagrams, now)

    def send(self, side: int, payload: bytes, priority: int = 1) -> None:
        self.nodes[side].send(
            payload,
            destination=ipn(2 - side, 64 + priority),
            priority=priority,
            lifetime_ms=3_600_000,
            now=self.now,
        )


def free(kind: socket.SocketKind) -> str:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def udp_ports() -> tuple[PortSettings, PortSettings]:
    one, two = free(socket.SOCK_DGRAM), free(socket.SOCK_DGRAM)
    return PortSettings(2, bind=one, remote=two), PortSettings(1, bind=two, remote=one)


def tcp_ports() -> tuple[PortSettings, PortSettings]:
    place = free(socket.SOCK_STREAM)
    return PortSettings(2, call=place), PortSettings(1, listen=place)


def crossing_ports() -> tuple[PortSettings, PortSettings]:
    one, two = free(socket.SOCK_STREAM), free(socket.SOCK_STREAM)
    return PortSettings(2, listen=one, call=two), PortSettings(1, listen=two, call=one)


def links(layer: Layer, **changes: object) -> tuple[LinkSettings, LinkSettings]:
    return tuple(LinkSettings(peer, layer=layer, **changes) for peer in (2, 1))  # type: ignore[return-value]


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def exchange(pair: Pair, sizes: list[int]) -> None:
    """Send both ways and see that all comes, once, and that the senders let it go."""
    pair.until(lambda: True)
    for side in (0, 1):
        for number, size in enumerate(sizes):
            pair.send(side, bytes([number]) * size)
    pair.until(lambda: all(len(got) == len(sizes) for got in pair.got))
    for got in pair.got:
        assert sorted(got) == sorted(bytes([n]) * size for n, size in enumerate(sizes))
    pair.until(lambda: not any(node.bundles() for node in pair.nodes))


@pytest.mark.parametrize("layer", [Layer.LTP, Layer.UDP])
def test_bundles_cross_in_datagrams(layer: Layer, tmp_path: Path, stack: contextlib.ExitStack):
    exchange(Pair(links(layer), udp_ports(), tmp_path, stack), [10, 1000, 5000] * 5)


@pytest.mark.parametrize("ports", [tcp_ports, crossing_ports])
@pytest.mark.parametrize("layer", [Layer.TCPCL4, Layer.TCPCL3, Layer.MTCP])
def test_bundles_cross_over_tcp(layer: Layer, ports, tmp_path: Path, stack: contextlib.ExitStack):
    exchange(Pair(links(layer), ports(), tmp_path, stack), [10, 1000, 300_000] * 5)


def test_bundles_cross_in_secret(tmp_path: Path, stack: contextlib.ExitStack):
    authority = make_authority(tmp_path)
    ports = [
        replace(port, tls=authority.vouch(name))
        for port, name in zip(tcp_ports(), ("one", "two"), strict=True)
    ]
    secret = links(Layer.TCPCL4, tcp=TcpSettings(tls=Tls.REQUIRED))
    exchange(Pair(secret, (ports[0], ports[1]), tmp_path, stack), [10, 1000, 300_000] * 5)


@pytest.mark.parametrize("layer", [Layer.TCPCL4, Layer.TCPCL3])
def test_what_was_not_acknowledged_when_a_line_broke_comes_once(
    layer: Layer, tmp_path: Path, stack: contextlib.ExitStack
):
    pair = Pair(links(layer), tcp_ports(), tmp_path, stack)
    pair.until(lambda: True)
    for number in range(40):
        pair.send(0, bytes([number]) * 20_000)
    for count in (5, 15, 25):
        pair.until(lambda count=count: len(pair.got[1]) >= count)
        for line in list(pair.ports[1]._lines.values()):  # type: ignore[attr-defined] # the far end dies
            line._socket.shutdown(socket.SHUT_RDWR)
    pair.until(lambda: len(pair.got[1]) == 40, haste=5)
    assert len(set(pair.got[1])) == 40
    pair.until(lambda: not pair.nodes[0].bundles())


@pytest.mark.parametrize("layer", [Layer.TCPCL4, Layer.TCPCL3])
def test_strangers_who_call_and_call_stop_nothing(
    layer: Layer, tmp_path: Path, stack: contextlib.ExitStack
):
    ports = tcp_ports()
    host, number = ports[1].listen.split(":")
    pair = Pair(links(layer), ports, tmp_path, stack)
    strangers: list[socket.socket] = []

    def molest() -> None:
        strangers.append(stack.enter_context(socket.socket()))
        strangers[-1].setblocking(False)
        strangers[-1].connect_ex((host, int(number)))
        words = (b"dtn!\x04\x00", b"dtn!\x03\x01\x00\x00\x07ipn:1.0", b"GET /", b"\xff" * 5000)
        with contextlib.suppress(OSError):
            strangers[-1].send(words[len(strangers) % 4])

    pair.until(lambda: len(pair.ports[1]._lines) == 1)  # type: ignore[attr-defined]
    for n in range(40):
        pair.send(0, bytes([n]) * 5000, priority=0)
        for _ in range(3):
            molest()
        pair.until(lambda: True)
    pair.until(lambda: len(pair.got[1]) == 40)
    assert len(pair.ports[1]._lines) <= MAX_LINES  # type: ignore[attr-defined]


SERIAL = [
    (Layer.LTP, Framing.COBS, FlowControl.NONE),
    (Layer.LTP, Framing.COBS, FlowControl.SOFTWARE),
    (Layer.UDP, Framing.SLIP, FlowControl.NONE),
]


@pytest.mark.parametrize(("layer", "framing", "flow"), SERIAL)
def test_bundles_cross_a_serial_line(
    layer: Layer,
    framing: Framing,
    flow: FlowControl,
    tmp_path: Path,
    stack: contextlib.ExitStack,
):
    line = SerialLine()
    stack.callback(line.close)
    ports = tuple(
        PortSettings(peer, device=device, baud=921_600, framing=framing, flow_control=flow)
        for peer, device in zip((2, 1), line.devices, strict=True)
    )
    udp = UdpSettings(datagram_bytes_max=2000) if layer is Layer.UDP else UdpSettings()
    pair = Pair(links(layer, udp=udp), (ports[0], ports[1]), tmp_path, stack, rate=90_000)
    exchange(pair, [10, 1000, 1700, 0x11, 0x13] * 2)
