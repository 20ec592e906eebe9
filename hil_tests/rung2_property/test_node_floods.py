"""A relay under a flood from its own neighbour: nothing grows, and priority 0 goes through.

Node 1 sends priority 0 over node 2 to node 3, all the time; meanwhile, on the link between 1 and
2, node 2 gets hundreds of datagrams a second of one kind of nuisance.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from random import Random  # noqa: TID251 - seeded

import pytest

from flight.instant import Instant
from flight.relay.bundle import encode_bundle, fragment_bundle, make_bundle
from flight.relay.convergence import make_engine
from flight.relay.endpoint import ipn
from flight.relay.errors import WireError
from flight.relay.ltp.engine import LtpEngine
from flight.relay.ltp.segment import SegmentType, SessionId, sdnv, session_prefix
from flight.relay.ltp.settings import LtpSettings
from flight.relay.settings import Layer, LinkSettings, NodeSettings
from flight.relay.store import Store
from flight.relay.stream.line import Order, Told, pack
from flight.relay.stream.settings import TcpSettings
from flight.relay.stream.tcpcl4wire import Init, Mark, SegmentHead, write_contact, write_message
from hil_tests.channel import NS
from hil_tests.rung1_unit.test_node import T0, World, ram, world

SECONDS = 10
A_SECOND = 500
RECEIVED_QUOTA = 100_000
SESSIONS = 64
URGENT_S = 2
"""Longest way of an urgent bundle: two hops, one light time each, and the nuisance."""

Nuisance = Callable[[Random, int], list[bytes]]
"""Returns the datagrams that come in place of one good bundle, by its number."""


def blocks(*bundles: bytes) -> list[bytes]:
    """Return the datagrams by which the neighbour's engine would send bundles."""
    seed = int.from_bytes(bundles[0][-8:], "big") ^ len(SENT)
    SENT.append(seed)
    engine = LtpEngine(LtpSettings(1, 2), seed=seed)
    now = Instant(0, 0)
    engine.set_contact(True, rate_bytes_s=10**12, now=now)
    for key, bundle in enumerate(bundles):
        assert engine.send_block(bundle, key=key, priority=0, now=now)
    engine.expire(now)
    return list(engine.take_datagrams())


SENT: list[int] = []


def junk(random: Random, _number: int) -> list[bytes]:
    return [random.randbytes(random.randrange(1, 100))]


def for_others(random: Random, number: int) -> list[bytes]:
    node, service = random.choice([(3, 67), (3, 65), (99, 64)])
    bundle = make_bundle(
        random.randbytes(400),
        source=ipn(9, 1),
        destination=ipn(node, service),
        created_ms=T0,
        sequence=number,
        lifetime_ms=60_000,
    )
    return blocks(encode_bundle(bundle))


def fragments(random: Random, number: int) -> list[bytes]:
    bundle = make_bundle(
        random.randbytes(800),
        source=ipn(9, 1),
        destination=ipn(2, 65),
        created_ms=T0,
        sequence=number,
        lifetime_ms=60_000,
    )
    return blocks(encode_bundle(random.choice(fragment_bundle(bundle, payload_bytes=400))))


def sessions(random: Random, number: int) -> list[bytes]:
    head = session_prefix(SegmentType.RED, SessionId(1, 1 << 30 | number))
    return [head + sdnv(1) + sdnv(random.randrange(100)) + sdnv(50) + bytes(50)]


def few(plain: NodeSettings) -> NodeSettings:
    links = tuple(
        replace(link, ltp=replace(link.ltp, receive_sessions_max=SESSIONS, session_life_s=60))
        for link in plain.links
    )
    return replace(plain, links=links, inbound_limit=64)


def small() -> Store:
    return ram(quota_bytes=2 * RECEIVED_QUOTA, received_quota_bytes=RECEIVED_QUOTA)


@pytest.mark.parametrize("nuisance", [junk, for_others, fragments, sessions])
def test_a_flood_leaves_queues_bounded_and_lets_priority_0_through(nuisance: Nuisance):
    there = world(1, 2, 3, change=few, stores={2: small()})
    relay, random, number = there.network.nodes["2"], Random(7), count()
    urgent: dict[bytes, int] = {}

    def trouble(now: Instant) -> None:
        for _ in range(A_SECOND // 10):
            for datagram in nuisance(random, next(number)):
                with suppress(WireError):
                    relay.receive(0, datagram, now)
            relay.store_ready(now)
        status = relay.status(now)
        assert status.links[0].receive_sessions <= SESSIONS
        assert status.store.received_bytes <= RECEIVED_QUOTA
        assert status.held_deliveries <= relay.settings.delivery_limit + SESSIONS

    def send(now: Instant) -> None:
        payload = f"urgent {len(urgent)}".encode()
        urgent[payload] = now.mono_ns
        there.send("1", payload, ipn(3, 64), priority=0)

    for tenth in range(SECONDS * 10):
        there.network.at(tenth * NS // 10, trouble)
    for second in range(1, SECONDS, 2):
        there.network.at(second * NS, send)
    there.run(SECONDS + URGENT_S)
    assert _late(there, urgent) == {}
    assert next(number) == SECONDS * A_SECOND
    there.run(200)  # the nuisances' lives, and the sweeps
    status = relay.status(there.network.now())
    assert status.links[0].receive_sessions == 0
    assert status.store.bundles == 0


def _late(there: World, urgent: dict[bytes, int]) -> dict[bytes, int | None]:
    """Return what came later than it may, or never."""
    came = {delivery.payload: delivery.received.mono_ns for delivery in there.deliveries}
    took = {payload: came.get(payload, 1 << 62) - sent for payload, sent in urgent.items()}
    return {payload: ns for payload, ns in took.items() if ns > URGENT_S * NS}


def test_transfers_and_lines_that_never_end_are_bounded_and_the_peers_line_goes_on():
    """Strangers are hung up on, an endless transfer is refused, and a fast peer has to wait."""
    limits = TcpSettings(
        block_bytes_max=10_000, receive_blocks_max=8, receive_bytes_max=50_000, handshake_s=5
    )
    engine = make_engine(LinkSettings(2, layer=Layer.TCPCL4, tcp=limits), 1, seed=0)
    now = Instant(NS, 0)
    engine.set_contact(True, rate_bytes_s=10**9, now=now)
    hello = write_contact(can_tls=False) + write_message(Init(0, 1 << 20, 1 << 20, "ipn:2.0"))
    engine.receive(pack(Told.ANSWERED, 1), now)
    engine.receive(pack(Told.HEARD, 1, hello), now)
    for line in range(2, 200):
        engine.receive(pack(Told.ANSWERED, line), now)  # strangers, who say nothing
    whole = Mark.START | Mark.END
    for number in range(20):
        bundle = write_message(SegmentHead(whole, number, 6_000)) + bytes(6_000)
        engine.receive(pack(Told.HEARD, 1, bundle), now)
    engine.expire(now)
    orders = [(Order(order[0]), order[1]) for order in engine.take_datagrams()]
    assert (Order.HOLD, 1) in orders
    assert sum(order is Order.HANG_UP for order, _ in orders) == 198 - 7
    for event in engine.take_events():
        engine.accept(event.session, now)  # type: ignore[union-attr]  # only blocks came
    engine.expire(now)
    assert (Order.GO_ON, 1) in [(order[0], order[1]) for order in engine.take_datagrams()]
    endless = write_message(SegmentHead(Mark.START, 20, 1_000)) + bytes(1_000)
    engine.receive(pack(Told.HEARD, 1, endless), now)
    for _ in range(1_000):
        more = write_message(SegmentHead(Mark(0), 20, 1_000)) + bytes(1_000)
        engine.receive(pack(Told.HEARD, 1, more), now)
    later = Instant(10 * NS, 0)
    engine.expire(later)
    ended = {order[1] for order in engine.take_datagrams() if order[0] == Order.HANG_UP}
    assert ended == set(range(2, 9))
    assert engine.counts().receive_sessions == 0
    assert engine.send_block(b"urgent", key=1, priority=0, now=later)
    engine.expire(Instant(later.mono_ns + 10**6, 0))
    assert any(b"urgent" in order for order in engine.take_datagrams() if order[1] == 1)
