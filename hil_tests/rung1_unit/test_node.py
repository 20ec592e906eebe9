"""The node: custody, priorities, restarts, reports, limits. Two or three nodes, simulated time."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from pathlib import Path

import pytest

from flight.instant import Instant
from flight.relay.bundle import (
    read_bundle,
)
from flight.relay.bundle.extension import bundle_age_ms, hop_count, previous_node
from flight.relay.contacts import Contact, ContactPlan, Range
from flight.relay.endpoint import EndpointId, ipn
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.events import BlockReceived
from flight.relay.ltp.settings import LtpSettings
from flight.relay.node import (
    Buried,
    ContactChanged,
    Delivery,
    Forwarded,
    Node,
    NodeEvent,
    Stored,
    read_tombstone_payload,
)
from flight.relay.settings import LinkSettings, NodeSettings, StoreSettings
from flight.relay.store import Store, open_ram_store, open_store
from flight.relay.store.values import Reason
from hil_tests.channel import NS, Channel, ChannelSettings
from hil_tests.network import Network, Wire

T0 = 770_000_000_000
HOUR_MS = 3_600_000
SEEDS = count()
"""Session numbers follow from them: two blocks are two sessions."""
RATE = 100_000


def settings(number: int, *peers: int) -> NodeSettings:
    links = tuple(LinkSettings(peer, LtpSettings(number, peer)) for peer in peers)
    return NodeSettings(number, links, services=(64, 65, 66, 67, 68), scrub_interval_s=0)


def plan(*pairs: tuple[int, int], start_s: int = 0, end_s: int = 7_200) -> ContactPlan:
    window = T0 + start_s * 1000, T0 + end_s * 1000
    both = [(a, b) for pair in pairs for a, b in (pair, pair[::-1])]
    return ContactPlan(
        tuple(Contact(a, b, *window, RATE) for a, b in both),
        tuple(Range(a, b, T0, T0 + 7_200_000, 100) for a, b in pairs),
    )


def ram(**changes: int) -> Store:
    return open_ram_store(replace(StoreSettings(Path("unused")), **changes))


@dataclass
class World:
    """Nodes in a row, each linked to the next, and all that they said."""

    network: Network
    events: dict[str, list[NodeEvent]] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    releases: bool = True

    def __post_init__(self) -> None:
        self.network.turn = self._turn

    def run(self, seconds: float) -> "World":
        self.network.run(self.network.now_ns + round(seconds * NS))
        return self

    def said(self, name: str, kind: type) -> list[NodeEvent]:
        return [event for event in self.events.get(name, []) if isinstance(event, kind)]

    def send(self, name: str, payload: bytes, to: EndpointId, **more: int | EndpointId) -> int:
        arguments = {"priority": 1, "lifetime_ms": HOUR_MS, **more}
        node = self.network.nodes[name]
        return node.send(payload, destination=to, now=self.network.now(), **arguments)  # type: ignore[arg-type]  # mixed

    def _turn(self, now: Instant) -> None:
        for name, node in self.network.nodes.items():
            self.events.setdefault(name, []).extend(node.take_events())
            for delivery in node.take_deliveries():
                self.deliveries.append(delivery)
                if self.releases:
                    node.release(delivery, now)


def world(
    *numbers: int,
    contacts: ContactPlan | None = None,
    stores: dict[int, Store] | None = None,
    change: Callable[[NodeSettings], NodeSettings] = lambda unchanged: unchanged,
    dtn_ms: int = T0,
) -> World:
    pairs = list(pairwise(numbers))
    followed = plan(*pairs) if contacts is None else contacts
    nodes, wires = {}, {}
    for number in numbers:
        peers = [b if a == number else a for a, b in pairs if number in {a, b}]
        store = (stores or {}).get(number) or ram()
        made = change(settings(number, *peers))
        nodes[str(number)] = Node(made, store, followed, Instant(0, dtn_ms), number)
        for link, peer in enumerate(peers):
            channel = Channel(ChannelSettings(RATE, 100_000_000), number * 10 + link)
            back = [n for pair in pairs if peer in pair for n in pair if n != peer].index(number)
            wires[str(number), link] = Wire(channel, str(peer), back)
    return World(Network(nodes, wires, dtn_ms))


def test_a_payload_crosses_a_relay_and_is_let_go_everywhere() -> None:
    there = world(1, 2, 3)
    ticket = there.send("1", b"hello", ipn(3, 65))
    there.run(10)
    (delivery,) = there.deliveries
    assert (delivery.payload, delivery.source, delivery.destination) == (
        b"hello",
        ipn(1, 1),
        ipn(3, 65),
    )
    (stored,) = there.said("1", Stored)
    assert stored == Stored(ticket, delivery.bundle_id)
    for node in there.network.nodes.values():
        assert node.status(there.network.now()).store.bundles == 0


def test_a_block_is_not_accepted_before_its_bundles_are_durable() -> None:
    there = world(1, 2)
    receiver = there.network.nodes["2"]
    commit, receiver.store_ready = receiver.store_ready, lambda _now: None  # type: ignore[method-assign]  # held back
    there.send("1", b"hello", ipn(2, 65))
    there.run(5)
    assert there.said("1", Forwarded) == []
    assert there.network.nodes["1"].status(there.network.now()).store.bundles == 1
    receiver.store_ready = commit  # type: ignore[method-assign]  # as it was
    there.run(5)
    assert len(there.said("1", Forwarded)) == 1
    assert len(there.deliveries) == 1


def test_every_window_begins_with_the_most_urgent() -> None:
    there = world(1, 2, contacts=plan((1, 2), start_s=50))
    for priority in (3, 2, 1, 0) * 5:
        there.send("1", bytes(900), ipn(2, 64 + priority), priority=priority)
    there.run(70)
    assert [delivery.priority for delivery in there.deliveries] == sorted([0, 1, 2, 3] * 5)


def test_nothing_leaves_outside_a_window() -> None:
    there = world(1, 2, contacts=plan((1, 2), start_s=50, end_s=60))
    there.send("1", b"early", ipn(2, 65))
    there.run(49)
    assert there.network.wires["1", 0].channel.datagrams == 0
    there.run(20)
    there.send("1", b"late", ipn(2, 65))
    there.run(100)
    assert [delivery.payload for delivery in there.deliveries] == [b"early"]
    assert there.network.wires["1", 0].channel.bytes_in_vain == 0
    assert there.said("1", ContactChanged) == [ContactChanged(0, True), ContactChanged(0, False)]


def test_a_new_plan_opens_a_way(tmp_path: Path) -> None:
    there = world(1, 2, contacts=ContactPlan())
    there.send("1", b"hello", ipn(2, 65))
    there.run(10)
    assert there.deliveries == []
    for node in there.network.nodes.values():
        node.replace_plan(plan((1, 2)), there.network.now())
    there.run(10)
    assert len(there.deliveries) == 1


def test_what_was_under_way_when_the_last_contact_ended_goes_back_to_the_queue() -> None:
    there = world(1, 2, contacts=plan((1, 2), end_s=2))
    for _ in range(40):
        there.send("1", bytes(20_000), ipn(2, 65))
    there.run(10)
    sender = there.network.nodes["1"]
    status = sender.status(there.network.now())
    assert status.sending == 0
    assert sum(status.queued) == status.store.bundles > 0
    for node in there.network.nodes.values():
        node.replace_plan(plan((1, 2)), there.network.now())
    there.run(60)
    assert len(there.deliveries) == 40


@pytest.mark.parametrize("dtn_ms", [0, T0])
def test_creation_timestamps_never_repeat_across_restarts(tmp_path: Path, dtn_ms: int) -> None:
    ids = set()
    for _ in range(3):
        store = open_store(StoreSettings(tmp_path, segment_bytes=1 << 16), inline=True)
        node = Node(settings(1, 2), store, ContactPlan(), Instant(0, dtn_ms), 5)
        for _ in range(4):
            node.send(
                b"", destination=ipn(2, 65), priority=0, lifetime_ms=1, now=Instant(0, dtn_ms)
            )
        node.store_ready(Instant(0, dtn_ms))
        ids |= {event.bundle_id for event in node.take_events() if isinstance(event, Stored)}
        store.close()
    assert len(ids) == 12


def test_two_lives_without_any_memory_do_not_meet() -> None:
    ids = set()
    for seed in range(3):
        node = Node(settings(1, 2), ram(), ContactPlan(), Instant(0, 0), seed)
        node.send(b"", destination=ipn(2, 65), priority=0, lifetime_ms=1, now=Instant(0, 0))
        node.store_ready(Instant(0, 0))
        ids |= {event.bundle_id for event in node.take_events() if isinstance(event, Stored)}
    assert len(ids) == 3


def test_without_a_clock_bundles_carry_their_age_and_links_keep_their_rate() -> None:
    def blind(made: NodeSettings) -> NodeSettings:
        links = (replace(made.links[0], rate_without_clock_bytes_s=RATE),)
        return replace(made, links=links)

    there = world(1, 2, change=blind, dtn_ms=0)
    there.send("1", b"hello", ipn(2, 65))
    there.run(5)
    (delivery,) = there.deliveries
    assert delivery.bundle_id.created_ms == 0


def test_a_forwarded_bundle_counts_its_hop_and_names_its_previous_node() -> None:
    near, far = plan((1, 2)), plan((2, 3), start_s=50)
    both = ContactPlan((*near.contacts, *far.contacts), (*near.ranges, *far.ranges))
    there = world(1, 2, 3, contacts=both)
    there.send("1", b"hello", ipn(3, 65))
    there.run(50)
    relay, listener = there.network.nodes["2"], LtpEngine(LtpSettings(3, 2), seed=1)
    relay.expire(there.network.now())
    datagrams = [datagram for link, datagram in relay.take_datagrams() if link == 1]
    datagrams += there.network.wires["2", 1].channel.take(60 * NS)
    for datagram in datagrams:
        listener.receive(datagram, there.network.now())
    (received,) = listener.take_events()
    assert isinstance(received, BlockReceived)
    bundle = read_bundle(received.block)
    hops = hop_count(bundle)
    assert hops is not None
    assert hops.passed == 1
    assert previous_node(bundle) == ipn(2, 0)
    assert bundle_age_ms(bundle) is None


def test_an_expired_bundle_is_named_in_a_tombstone_that_is_sent() -> None:
    def tell(made: NodeSettings) -> NodeSettings:
        return replace(made, tombstones_to="ipn:2.68")

    there = world(1, 2, contacts=plan((1, 2), start_s=100), change=tell)
    there.send("1", b"too late", ipn(2, 65), lifetime_ms=50_000)
    there.run(120)
    (buried,) = there.said("1", Buried)
    assert isinstance(buried, Buried)
    (delivery,) = there.deliveries
    tombstone = read_tombstone_payload(delivery.payload)
    assert tombstone.reason is Reason.EXPIRED
    assert tuple(loss.bundle_id for loss in tombstone.losses) == buried.bundle_ids
    assert there.network.nodes["1"].status(there.network.now()).store.tombstones == 0
