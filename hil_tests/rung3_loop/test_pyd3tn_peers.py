"""uD3TN's Python library as the peer: TCPCLv3 without acknowledgements, and MTCP."""

import contextlib
import importlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from flight.instant import Instant
from flight.ports.settings import PortSettings, open_port
from flight.relay.bundle import encode_bundle, make_bundle, read_bundle
from flight.relay.contactfile import read_ion_plan
from flight.relay.endpoint import ipn
from flight.relay.node import Node
from flight.relay.settings import Layer, LinkSettings, NodeSettings, StoreSettings
from flight.relay.store import open_ram_store
from flight.relay.stream.settings import TcpSettings
from hil_tests.waiting import wait_until

START_MS = 816_000_000_000
PLAN = "a contact +0 +3600 1 2 1000000\na contact +0 +3600 2 1 1000000\na range +0 +3600 1 2 0\n"
COUNT = 20


def library(name: str):
    try:
        return importlib.import_module(name)
    except ImportError:
        reason = "pyD3TN is not installed: pip install pyD3TN"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def theirs(number: int, size: int) -> bytes:
    made = make_bundle(
        bytes([number]) * size,
        source=ipn(2, 1),
        destination=ipn(1, 65),
        created_ms=START_MS,
        sequence=number,
        lifetime_ms=3_600_000,
    )
    return encode_bundle(made)


def tcpcl(place: tuple[str, int]):
    return library("pyd3tn.tcpcl").TCPCLConnection("dtn://ud3tn.dtn/", *place, timeout=30)


def mtcp(place: tuple[str, int]):
    return library("pyd3tn.mtcp").MTCPConnection(*place, timeout=30)


PEERS = [(Layer.TCPCL3, "dtn://ud3tn.dtn/", tcpcl), (Layer.MTCP, "", mtcp)]


@pytest.mark.parametrize(("layer", "peer_id", "peer"), PEERS, ids=["tcpcl3", "mtcp"])
def test_bundles_cross_both_ways(layer: Layer, peer_id: str, peer: Callable, tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = probe.getsockname()
    connection = peer(place)
    link = LinkSettings(2, layer=layer, tcp=TcpSettings(peer_id=peer_id))
    plan = read_ion_plan(PLAN, reference_ms=START_MS)
    store = open_ram_store(StoreSettings(tmp_path))
    node = Node(NodeSettings(1, links=(link,)), store, plan, Instant(0, START_MS), seed=1)
    port = open_port(PortSettings(2, listen=f"127.0.0.1:{place[1]}"))
    got: list[bytes] = []
    they_got: list[bytes] = []

    def talk() -> None:
        with connection:
            for number in range(COUNT):
                connection.send_bundle(theirs(number, 1 + number * 300))
            they_got.extend(bytes(connection.recv_bundle()) for _ in range(COUNT))

    thread = threading.Thread(target=talk, daemon=True)

    class Ours:
        def filenos(self) -> tuple[int, ...]:
            fileno = port.fileno()
            return () if fileno is None else (fileno,)

        def next_deadline_ns(self) -> int | None:
            deadlines = (node.next_deadline_ns(), port.next_deadline_ns())
            return min((ns for ns in deadlines if ns is not None), default=None)

    def turn(bare: Instant) -> bool:
        now = Instant(bare.mono_ns, START_MS + 1000)
        port.expire(now)
        for datagram in port.receive(now):
            node.receive(0, datagram, now)
        node.store_ready(now)
        for delivery in node.take_deliveries():
            got.append(delivery.payload)
            node.release(delivery, now)
            payload = b"back " + delivery.payload
            node.send(payload, destination=ipn(2, 65), priority=1, lifetime_ms=3_600_000, now=now)
        node.store_ready(now)
        node.expire(now)
        port.send([datagram for _, datagram in node.take_datagrams()], now)
        return len(they_got) == COUNT and not node.bundles()

    thread.start()
    with contextlib.closing(port):
        wait_until(Ours(), turn)
    thread.join()
    assert got == [bytes([n]) * (1 + n * 300) for n in range(COUNT)]
    assert [read_bundle(data).payload for data in they_got] == [b"back " + one for one in got]
