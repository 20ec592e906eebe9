"""The node: custody, priorities, restarts, reports, limits. Two or three nodes, simulated time."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from pathlib import Path

import pytest

from flight.instant import Instant
from flight.relay.bundle import (
    BlockFlag,
    BundleFlag,
    CanonicalBlock,
    encode_bundle,
    fragment_bundle,
    make_bundle,
    read_bundle,
)
from flight.relay.bundle import Reason as BundleReason
from flight.relay.bundle.extension import bundle_age_ms, hop_count, previous_node
from flight.relay.contacts import Contact, ContactPlan, Range
from flight.relay.endpoint import EndpointId, ipn
from flight.relay.errors import WireError
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.events import BlockReceived
from flight.relay.ltp.settings import LtpSettings
from flight.relay.node import (
    BlockRefused,
    BundleRejected,
    Buried,
    ContactChanged,
    Delivery,
    Forwarded,
    Node,
    NodeEvent,
    ReportReceived,
    SendRefused,
    Stored,
    read_tombstone_payload,
)
from flight.relay.settings import LinkSettings, NodeSettings, StoreSettings
from flight.relay.status import Status
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
        store = open_store(StoreSettings(tmp_path, wal_bytes=1 << 16), inline=True)
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


def inject(there: World, name: str, block: bytes, link: int = 0) -> None:
    """Hand a node a block from its peer, as the peer's engine would send it."""
    node = there.network.nodes[name]
    link_settings = node.settings.links[link].ltp
    engine = LtpEngine(
        LtpSettings(link_settings.peer_engine_id, link_settings.engine_id), seed=next(SEEDS)
    )
    now = there.network.now()
    engine.set_contact(True, rate_bytes_s=10**9, now=now)
    assert engine.send_block(block, key=1, priority=0, now=now)
    engine.expire(now)
    for datagram in engine.take_datagrams():
        node.receive(link, datagram, now)
    node.store_ready(now)


def foreign(sequence: int, to: EndpointId, **more: int) -> bytes:
    bundle = make_bundle(
        b"x" * 500,
        source=ipn(9, 1),
        destination=to,
        created_ms=more.pop("created_ms", T0),
        sequence=sequence,
        lifetime_ms=more.pop("lifetime_ms", HOUR_MS),
        **more,  # type: ignore[arg-type]  # mixed
    )
    return encode_bundle(bundle)


def test_a_bundle_that_arrives_too_late_is_not_delivered() -> None:
    there = world(1, 2)
    inject(there, "2", foreign(1, ipn(2, 65), created_ms=T0 - 10_000, lifetime_ms=9_999))
    there.run(2)
    assert there.deliveries == []
    (buried,) = there.said("2", Buried)
    assert isinstance(buried, Buried)
    assert buried.reason is Reason.EXPIRED


def test_the_same_bundle_in_two_blocks_is_delivered_once() -> None:
    there = world(1, 2)
    for _ in range(2):
        inject(there, "2", foreign(1, ipn(2, 65)))
    there.run(2)
    inject(there, "2", foreign(1, ipn(2, 65)) + foreign(2, ipn(2, 65)))
    there.run(2)
    assert [delivery.bundle_id.sequence for delivery in there.deliveries] == [1, 2]
    assert there.network.nodes["2"].status(there.network.now()).duplicates == 2


def test_fragments_are_delivered_whole_and_let_go_together() -> None:
    there = world(1, 2)
    whole = make_bundle(
        bytes(range(200)),
        source=ipn(9, 1),
        destination=ipn(2, 65),
        created_ms=T0,
        sequence=1,
        lifetime_ms=HOUR_MS,
    )
    for fragment in reversed(fragment_bundle(whole, payload_bytes=60)):
        inject(there, "2", encode_bundle(fragment))
    there.run(2)
    assert [delivery.payload for delivery in there.deliveries] == [bytes(range(200))]
    assert there.network.nodes["2"].status(there.network.now()).store.bundles == 0


def test_a_bundle_for_no_service_here_is_rejected_and_not_asked_for_again() -> None:
    there = world(1, 2)
    there.send("1", b"hello", ipn(2, 99))
    there.run(5)
    assert len(there.said("2", BundleRejected)) == 1
    assert len(there.said("1", Forwarded)) == 1


def test_a_block_that_is_no_bundle_is_refused_and_changes_nothing() -> None:
    there = world(1, 2)
    inject(there, "2", b"no bundle at all")
    there.run(1)
    assert there.said("2", BlockRefused) == [BlockRefused(0, malformed=True)]
    assert there.network.nodes["2"].status(there.network.now()).store.bundles == 0


def test_a_datagram_that_is_no_segment_is_an_error_of_the_peer() -> None:
    there = world(1, 2)
    with pytest.raises(WireError):
        there.network.nodes["2"].receive(0, b"\xff" * 9, there.network.now())


def test_a_bundle_that_has_passed_too_many_nodes_is_buried() -> None:
    there = world(1, 2, 3)
    bundle = read_bundle(foreign(1, ipn(3, 65), hop_limit=1))
    inject(there, "2", encode_bundle(bundle))
    there.run(5)
    assert len(there.deliveries) == 1
    spent = bundle.without_blocks((2,))
    spent = spent.with_block(replace(bundle.blocks[0], data=b"\x82\x01\x01"))
    changed = replace(spent.primary, sequence=2)
    inject(there, "2", encode_bundle(replace(spent, primary=changed)))
    there.run(5)
    (buried,) = there.said("2", Buried)
    assert isinstance(buried, Buried)
    assert buried.reason is Reason.HOP_LIMIT


def test_the_echo_service_sends_the_payload_back() -> None:
    there = world(1, 2, 3)
    there.send("1", b"ping", ipn(3, 2047), source_service=65)
    there.run(10)
    (delivery,) = there.deliveries
    assert (delivery.payload, delivery.source, delivery.destination) == (
        b"ping",
        ipn(3, 2047),
        ipn(1, 65),
    )


def test_status_reports_follow_a_bundle_that_asks_for_them() -> None:
    flags = (
        BundleFlag.REPORT_RECEPTION
        | BundleFlag.REPORT_FORWARDING
        | BundleFlag.REPORT_DELIVERY
        | BundleFlag.STATUS_TIME
    )
    there = world(1, 2, 3)
    there.send("1", b"hello", ipn(3, 65), flags=flags, report_to=ipn(1, 0))
    there.run(20)
    reports = there.said("1", ReportReceived)
    told = [r.report.asserted[0][0] for r in reports if isinstance(r, ReportReceived)]
    assert sorted(told) == sorted(
        [Status.FORWARDED, Status.RECEIVED, Status.FORWARDED, Status.RECEIVED, Status.DELIVERED]
    )


def test_reports_that_others_ask_for_cannot_fill_our_store() -> None:
    def few(made: NodeSettings) -> NodeSettings:
        return replace(made, report_limit=5)

    there = world(1, 2, contacts=ContactPlan(), change=few)
    for sequence in range(20):
        flags = int(BundleFlag.REPORT_RECEPTION)
        bundle = read_bundle(foreign(sequence, ipn(2, 65)))
        primary = replace(bundle.primary, report_to=ipn(9, 0), flags=flags)
        inject(there, "2", encode_bundle(replace(bundle, primary=primary)))
    status = there.network.nodes["2"].status(there.network.now())
    assert sum(status.queued) <= 5


def test_a_flood_from_a_peer_does_not_stop_our_priority_0() -> None:
    small = ram(quota_bytes=60_000, received_quota_bytes=30_000)
    there = world(1, 2, 3, stores={2: small}, contacts=plan((2, 3), start_s=30))
    for sequence in range(200):
        inject(there, "2", foreign(sequence, ipn(3, 64)))
    refused = there.network.nodes["2"].status(there.network.now())
    assert refused.store.received_bytes <= 30_000
    there.send("2", bytes(20_000), ipn(3, 64), priority=0)
    there.run(60)
    assert any(len(delivery.payload) == 20_000 for delivery in there.deliveries)


def test_unreleased_deliveries_come_again_after_a_restart_and_released_ones_do_not(
    tmp_path: Path,
) -> None:
    def open_disk() -> Store:
        return open_store(StoreSettings(tmp_path, wal_bytes=1 << 16), inline=True)

    store = open_disk()
    there = world(1, 2, stores={2: store})
    there.releases = False
    for payload in (b"kept", b"let go"):
        there.send("1", payload, ipn(2, 65))
    there.run(5)
    node = there.network.nodes["2"]
    node.release(there.deliveries[1], there.network.now())
    node.store_ready(there.network.now())
    store.close()
    store = open_disk()
    again = Node(settings(2, 1), store, plan((1, 2)), there.network.now(), 2)
    for _ in range(2):
        again.store_ready(there.network.now())
    assert [delivery.payload for delivery in again.take_deliveries()] == [b"kept"]
    store.close()


def test_deliveries_wait_in_the_store_beyond_the_limit() -> None:
    def few(made: NodeSettings) -> NodeSettings:
        return replace(made, delivery_limit=2)

    there = world(1, 2, change=few)
    there.releases = False
    for number in range(5):
        there.send("1", bytes([number]), ipn(2, 65))
    there.run(5)
    assert len(there.deliveries) == 2
    there.network.nodes["2"].release(there.deliveries[0], there.network.now())
    there.run(1)
    assert len(there.deliveries) == 3


def test_a_store_without_room_says_so() -> None:
    there = world(1, 2, stores={1: ram(quota_bytes=1_000, received_quota_bytes=1_000)})
    ticket = there.send("1", bytes(5_000), ipn(2, 65))
    there.run(1)
    assert there.said("1", SendRefused) == [SendRefused(ticket)]


def test_an_operator_may_drop_a_bundle_and_a_tombstone_says_so() -> None:
    there = world(1, 2, contacts=ContactPlan())
    there.send("1", b"unwanted", ipn(2, 65))
    there.run(1)
    node = there.network.nodes["1"]
    (held,) = node.bundles()
    node.drop(held.entry.sequence)
    there.run(1)
    (buried,) = there.said("1", Buried)
    assert isinstance(buried, Buried)
    assert buried.reason is Reason.DROPPED
    assert node.bundles() == ()


@pytest.mark.parametrize("flags", [0, BlockFlag.DELETE_BUNDLE_UNPROCESSED])
def test_a_block_that_asks_for_it_is_reported_when_it_cannot_be_read(flags: int) -> None:
    there = world(1, 2)
    bundle = read_bundle(foreign(1, ipn(2, 65)))
    unknown = CanonicalBlock(192, 9, b"?", flags | BlockFlag.REPORT_UNPROCESSED)
    primary = replace(bundle.primary, report_to=ipn(1, 0))
    inject(there, "2", encode_bundle(replace(bundle, primary=primary).with_block(unknown)))
    there.run(5)
    (said,) = there.said("1", ReportReceived)
    assert isinstance(said, ReportReceived)
    assert said.reporter == ipn(2, 0)
    assert said.report.asserted == ((Status.RECEIVED, None),)
    assert said.report.reason == BundleReason.BLOCK_UNSUPPORTED
    assert len(there.deliveries) == (0 if flags else 1)
