"""A node between peers that send it anything: late, twice, in fragments, for nobody, too much."""

from dataclasses import replace
from pathlib import Path

import pytest

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
from flight.relay.contacts import ContactPlan
from flight.relay.crc import CrcType
from flight.relay.endpoint import EndpointId, ipn
from flight.relay.errors import WireError
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.settings import LtpSettings
from flight.relay.node import (
    BlockRefused,
    BundleRejected,
    Buried,
    Forwarded,
    Node,
    ReportReceived,
    SendRefused,
)
from flight.relay.settings import NodeSettings, StoreSettings
from flight.relay.status import Status
from flight.relay.store import Store, open_store
from flight.relay.store.values import Delete, Operation, Reason
from hil_tests.rung1_unit.test_node import HOUR_MS, SEEDS, T0, World, plan, ram, settings, world


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


@pytest.mark.parametrize("takes_unchecked", [False, True])
def test_a_primary_block_without_a_checksum_is_taken_only_where_that_is_set(
    takes_unchecked: bool,
) -> None:
    def change(plain: NodeSettings) -> NodeSettings:
        links = tuple(replace(link, takes_unchecked=takes_unchecked) for link in plain.links)
        return replace(plain, links=links)

    there = world(1, 2, 3, change=change)
    for sequence, node in ((1, 2), (2, 3)):  # for here, and to be passed on
        inject(there, "2", foreign(sequence, ipn(node, 65), primary_crc=CrcType.NONE))
    there.run(10)
    assert len(there.deliveries) == 2 * takes_unchecked
    assert bool(there.said("2", BlockRefused)) is not takes_unchecked
    assert not there.network.nodes["2"].bundles()


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


def test_bundles_that_no_contact_takes_onward_make_room_for_those_that_some_contact_takes() -> None:
    there = world(1, 2, 3, stores={2: ram(quota_bytes=60_000, received_quota_bytes=30_000)})
    for sequence in range(100):
        inject(there, "2", foreign(sequence, ipn(99, 64)))
    there.send("1", bytes(5_000), ipn(3, 65))
    there.run(60)
    assert any(len(delivery.payload) == 5_000 for delivery in there.deliveries)


def test_unreleased_deliveries_come_again_after_a_restart_and_released_ones_do_not(
    tmp_path: Path,
) -> None:
    def open_disk() -> Store:
        return open_store(StoreSettings(tmp_path, segment_bytes=1 << 16), inline=True)

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


def test_what_is_released_in_one_turn_goes_from_the_store_in_one_operation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Operation] = []

    store = ram()
    submit = store.submit

    def overhear(operation: Operation) -> int | None:
        asked.append(operation)
        return submit(operation)

    monkeypatch.setattr(store, "submit", overhear)
    there = world(1, 2, stores={2: store})
    there.releases = False
    for number in range(5):
        there.send("1", bytes([number]), ipn(2, 65))
    there.run(5)
    node, now = there.network.nodes["2"], there.network.now()
    asked.clear()
    for delivery in there.deliveries:
        node.release(delivery, now)
    assert asked == []
    assert node.next_deadline_ns() == now.mono_ns, "the next turn is due at once"
    node.take_datagrams()
    (gone,) = asked
    assert isinstance(gone, Delete)
    assert len(gone.sequences) == 5
    assert node.next_deadline_ns() != now.mono_ns
    node.store_ready(now)
    assert node.status(now).store.bundles == 0


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
