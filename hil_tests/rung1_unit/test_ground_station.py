import contextlib

import pytest

from flight.instant import Instant
from flight.ports.gateway import Gateway
from flight.ports.localsocket import LocalServer
from flight.ports.udp import UdpPort
from flight.product.part import ProductKind
from flight.product.status import Command, CommandKind
from flight.relay.bundle import BundleId
from flight.relay.contactfile import read_ion_plan
from flight.relay.endpoint import ipn
from flight.relay.errors import WireError
from flight.relay.node import Node, StoreTrouble
from flight.relay.node.tombstone import Loss, Tombstone, encode_tombstone
from flight.relay.settings import LinkSettings, LtpSettings, NodeSettings, StoreSettings
from flight.relay.store import open_ram_store, open_store
from flight.relay.store.values import Reason, Trouble
from ground.archive import open_archive
from ground.requests import queue_request, read_requests
from ground.station import Station, _trouble
from tools.sim.downlink import GROUND_NODE, NODE, whole_run
from tools.sim.exposures import START_MS

PLAN = "a contact +0 +3600 1 3 1000000\na contact +0 +3600 3 1 1000000\na range +0 +3600 1 3 0\n"


class SteppedClock:
    def __init__(self):
        self.mono_ns = 10**9

    def now(self):
        self.mono_ns += 2_000_000
        return Instant(self.mono_ns, START_MS + self.mono_ns // 1_000_000)


def node_of(number, peer, store, clock):
    ltp = LtpSettings(engine_id=number, peer_engine_id=peer)
    settings = NodeSettings(node_number=number, links=(LinkSettings(peer, ltp),))
    plan = read_ion_plan(PLAN, reference_ms=START_MS)
    return Node(settings, store, plan, clock.now(), seed=number)


class Bench:
    """A board's node and a station on two sockets of this machine, turned by hand."""

    def __init__(self, tmp_path, stack):
        self.clock = SteppedClock()
        settings = StoreSettings(tmp_path / "store")
        self.store = stack.enter_context(contextlib.closing(open_store(settings)))
        self.board = node_of(NODE, GROUND_NODE, open_ram_store(settings), self.clock)
        self.station_node = node_of(GROUND_NODE, NODE, self.store, self.clock)
        self.socket = stack.enter_context(contextlib.closing(bound()))
        self.wire = stack.enter_context(contextlib.closing(bound(self.socket)))
        self.socket._remote = self.wire._socket.getsockname()
        self.archive = stack.enter_context(open_archive(tmp_path / "archive", make=True))
        server = LocalServer(tmp_path / "socket")
        self.station = Station(
            self.station_node,
            self.store,
            [self.socket],
            self.archive,
            Gateway(stack.enter_context(contextlib.closing(server)), self.station_node),
            clock=self.clock,
            command_lifetime_s=3600,
        )

    def turn(self):
        now = self.clock.now()
        self.board.store_ready(now)
        self.board.expire(now)
        for _, datagram in self.board.take_datagrams():
            self.wire.send([datagram], now)
        self.station.turn()
        for datagram in self.wire.receive(now):
            self.board.receive(0, datagram, now)

    def run(self, until, most=3000):
        for _ in range(most):
            self.turn()
            if until():
                return
        pytest.fail("it never came to that")


def bound(peer=None):
    remote = "127.0.0.1:9" if peer is None else "{}:{}".format(*peer._socket.getsockname())
    return UdpPort("127.0.0.1:0", remote)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr("ground.station.LONGEST_WAIT_NS", 1_000_000)
    with contextlib.ExitStack() as stack:
        yield Bench(tmp_path, stack)


def send(bench, arrivals):
    for arrival in arrivals:
        priority = int(arrival.destination[-1]) - 4
        bench.board.send(
            arrival.payload,
            destination=ipn(GROUND_NODE, 64 + priority),
            priority=priority,
            lifetime_ms=3_600_000,
            now=bench.clock.now(),
        )


def test_what_a_board_sends_is_archived_once_and_released(bench):
    arrivals = whole_run()
    send(bench, arrivals)
    bench.run(lambda: bench.station.counts.deliveries == len(arrivals))
    rows = bench.archive.products()
    assert all(row.complete for row in rows)
    assert bench.archive.catalogue.tally().kept == len(arrivals)
    bench.run(lambda: not bench.board.bundles())
    assert bench.station_node.status(bench.clock.now()).held_deliveries == 0


def test_priorities_survive_the_way(bench):
    send(bench, whole_run())
    bench.run(lambda: bench.station.counts.deliveries >= 10 and not bench.board.bundles())
    for row in bench.archive.products():
        assert row.priority == row.header.kind.priority


def test_a_delivery_is_kept_until_the_disk_takes_it(bench, monkeypatch):
    send(bench, whole_run()[:2])
    with monkeypatch.context() as patch:
        patch.setattr(
            bench.archive, "keep", lambda _: (_ for _ in ()).throw(OSError(28, "No space left"))
        )
        bench.run(lambda: any("No space" in line for line in bench.station.take_news()))
        assert not bench.station.is_quiet
        assert bench.station.counts.deliveries == 0
    bench.clock.mono_ns += 6 * 10**9
    bench.run(lambda: bench.station.counts.deliveries == 2)
    assert bench.archive.catalogue.tally().kept == 2


def test_junk_on_the_socket_is_counted_and_changes_nothing(bench):
    for junk in (b"", b"\xff" * 1500, b"hello"):
        bench.wire.send([junk], bench.clock.now())
    send(bench, whole_run()[:1])
    bench.run(lambda: bench.station.counts.deliveries == 1)
    assert bench.station.counts.datagrams_refused >= 1
    assert bench.archive.catalogue.tally().refused == 0


def test_a_request_in_the_folder_reaches_the_board_once(bench):
    request = queue_request(
        bench.archive.folder,
        board=NODE,
        kind=CommandKind.SEND_FRAME,
        sensor="camera",
        frame_number=7,
        now_ms=START_MS,
    )
    got = []

    def arrived():
        for delivery in bench.board.take_deliveries():
            got.append(Command.decode(delivery.payload))
            bench.board.release(delivery, bench.clock.now())
        return bool(got)

    bench.run(arrived)
    bench.clock.mono_ns += 10**9
    for _ in range(50):
        bench.turn()
        arrived()
    assert got == [request.command]
    assert [r.sent for r in read_requests(bench.archive.folder)] == [True]
    assert any("camera 7" in line for line in bench.station.take_news())


def test_contacts_are_told_as_they_open_and_close(bench):
    bench.turn()
    assert any("opened" in line for line in bench.station.take_news())
    assert bench.station.open_links == {0}
    bench.clock.mono_ns += 3700 * 10**9
    bench.run(lambda: not bench.station.open_links, most=10)


def test_the_archive_holds_payloads_that_are_no_products_as_refused(bench):
    bench.board.send(
        b"no product",
        destination=ipn(GROUND_NODE, 64),
        priority=0,
        lifetime_ms=3_600_000,
        now=bench.clock.now(),
    )
    send(bench, whole_run()[:1])
    bench.run(lambda: bench.station.counts.deliveries == 2)
    assert bench.archive.catalogue.tally().refused == 1
    assert [row.header.kind for row in bench.archive.products()] == [ProductKind.BOOT]


def test_a_malformed_datagram_is_the_nodes_word_for_it(bench):
    with pytest.raises(WireError):
        bench.station_node.receive(0, b"\xff" * 20, bench.clock.now())


def test_every_trouble_of_the_store_has_words():
    for trouble in Trouble:
        (words,) = _trouble(StoreTrouble(trouble, 3))
        assert words.startswith("store: ")
        assert "{" not in words


def test_what_a_node_gave_up_is_told_at_once_and_kept(bench):
    lost = Loss(BundleId(ipn(NODE, 9), START_MS, 4), priority=2, length=4_000)
    bench.board.send(
        encode_tombstone(Tombstone(Reason.EVICTED, (lost, lost))),
        destination=ipn(GROUND_NODE, 64),
        priority=0,
        lifetime_ms=3_600_000,
        now=bench.clock.now(),
    )
    news: list[str] = []

    def told() -> bool:
        news.extend(bench.station.take_news())
        return any("gave up 2 bundles, 8.0 kB: the store was full" in line for line in news)

    bench.run(told)
    (loss,) = bench.archive.catalogue.notices.losses()
    assert loss.bundle == str(lost.bundle_id)
