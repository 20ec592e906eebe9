"""Several relays side by side: each bundle takes the way on which it arrives first."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from flight.instant import Instant
from flight.relay.contacts import Contact, ContactPlan, Range
from flight.relay.endpoint import ipn
from flight.relay.ltp.settings import LtpSettings
from flight.relay.node import Delivery, Forwarded, Node
from flight.relay.node.chooser import DECISIONS_AT_ONCE
from flight.relay.settings import LinkSettings, NodeSettings, StoreSettings
from flight.relay.store import open_ram_store
from hil_tests.channel import NS, Channel, ChannelSettings
from hil_tests.network import Network, Wire

T0 = 770_000_000_000
LANDER, EAST, WEST, GROUND = 1, 2, 3, 9
RATE = 10_000
DAY_MS = 86_400_000
RELAYS = (EAST, WEST)


@dataclass
class Sky:
    """A lander, relays side by side, the ground; channels are always open, the plan is not."""

    plan: ContactPlan
    relays: tuple[int, ...] = RELAYS
    deliveries: dict[int, Delivery] = field(default_factory=dict)
    """By the number in the payload."""
    taken_over: Counter[int] = field(default_factory=Counter)
    """Bundles that left the lander, by relay."""
    repeated: int = 0

    def __post_init__(self) -> None:
        links = {LANDER: self.relays, GROUND: self.relays}
        links |= dict.fromkeys(self.relays, (LANDER, GROUND))
        start = Instant(0, T0)
        nodes = {str(n): self._node(n, peers, start) for n, peers in links.items()}
        wires = {}
        for sender, peers in links.items():
            for link, receiver in enumerate(peers):
                channel = Channel(ChannelSettings(2 * RATE, 100_000_000), seed=sender * 10 + link)
                wires[str(sender), link] = Wire(
                    channel, str(receiver), links[receiver].index(sender)
                )
        self.network = Network(nodes, wires, T0, turn=self._turn)

    def _node(self, number: int, peers: tuple[int, ...], now: Instant) -> Node:
        links = tuple(LinkSettings(peer, LtpSettings(number, peer)) for peer in peers)
        settings = NodeSettings(number, links, scrub_interval_s=60)
        store = open_ram_store(StoreSettings(Path("unused")))
        return Node(settings, store, self.plan, now, number)

    def _turn(self, now: Instant) -> None:
        for name, node in self.network.nodes.items():
            for event in node.take_events():
                if isinstance(event, Forwarded) and name == str(LANDER):
                    self.taken_over[self.relays[event.link]] += len(event.bundle_ids)
            for delivery in node.take_deliveries():
                number = int(delivery.payload.split()[0])
                self.repeated += number in self.deliveries
                self.deliveries[number] = delivery
                node.release(delivery, now)

    def send(self, count: int, *, size: int, priority: int = 1, first: int = 0) -> None:
        for number in range(first, first + count):
            self.network.nodes[str(LANDER)].send(
                b"%d ".ljust(size) % number,
                destination=ipn(GROUND, 64 + priority),
                priority=priority,
                lifetime_ms=DAY_MS,
                now=self.network.now(),
            )

    def run(self, seconds: float) -> "Sky":
        self.network.run(self.network.now_ns + round(seconds * NS))
        return self


def plan(*windows: tuple[int, int, int, int], rate: int = RATE) -> ContactPlan:
    """Return contacts both ways from (one node, other node, start second, end second)."""
    contacts = tuple(
        Contact(*pair, T0 + start * 1000, T0 + end * 1000, rate)
        for one, other, start, end in windows
        for pair in ((one, other), (other, one))
    )
    pairs = {(one, other) for one, other, _, _ in windows}
    return ContactPlan(contacts, tuple(Range(*pair, T0, T0 + DAY_MS, 100) for pair in pairs))


def test_what_fills_one_relay_goes_on_over_the_other() -> None:
    # East carries 100 kB and comes first; West comes later, and a day later there is East again.
    windows = (
        *((LANDER, EAST, 0, 10), (EAST, GROUND, 20, 40)),
        *((LANDER, WEST, 30, 60), (WEST, GROUND, 70, 100)),
        *((LANDER, EAST, 80_000, 80_100), (EAST, GROUND, 80_000, 80_100)),
    )
    sky = Sky(plan(*windows))
    sky.send(150, size=1_000)
    sky.run(120)
    assert len(sky.deliveries) == 150
    assert sky.repeated == 0
    assert 80 <= sky.taken_over[EAST] <= 98
    # The last report of a contact may have to wait for the next.
    assert 148 <= sum(sky.taken_over.values()) <= 150


def test_a_narrow_second_hop_counts_like_a_narrow_first_one() -> None:
    windows = (
        *((LANDER, EAST, 0, 100), (EAST, GROUND, 100, 104)),
        *((LANDER, WEST, 0, 100), (WEST, GROUND, 150, 250)),
        (EAST, GROUND, 1_000, 1_100),
    )
    sky = Sky(plan(*windows))
    sky.send(100, size=1_000)
    sky.run(260)
    assert len(sky.deliveries) == 100
    assert 25 <= sky.taken_over[EAST] <= 38


def test_urgent_bundles_take_the_early_way_from_those_that_came_before_them() -> None:
    windows = (
        *((LANDER, EAST, 10, 20), (EAST, GROUND, 20, 30)),
        *((LANDER, WEST, 40, 70), (WEST, GROUND, 80, 110)),
    )
    sky = Sky(plan(*windows))
    sky.send(90, size=1_000, priority=3)
    sky.run(5)
    sky.send(60, size=1_000, priority=0, first=1_000)
    sky.run(35)
    early = set(sky.deliveries)
    assert set(range(1_000, 1_060)) <= early
    sky.run(90)
    assert len(sky.deliveries) == 150


def test_a_changed_contact_changes_the_way_of_what_waits() -> None:
    windows = (
        *((LANDER, EAST, 100, 200), (EAST, GROUND, 100, 200)),
        *((LANDER, WEST, 300, 400), (WEST, GROUND, 300, 400)),
    )
    sky = Sky(plan(*windows))
    sky.send(50, size=1_000)
    sky.run(50)
    # The early relay is late: everything is to go over the other one.
    later = plan(*windows[2:], (LANDER, EAST, 5_000, 5_100), (EAST, GROUND, 5_000, 5_100))
    for node in sky.network.nodes.values():
        node.replace_plan(later, sky.network.now())
    sky.run(400)
    assert len(sky.deliveries) == 50
    assert sky.taken_over == {WEST: 50}


def test_both_relays_carry_at_once_where_both_are_in_sight() -> None:
    windows = tuple(
        window for relay in RELAYS for window in ((LANDER, relay, 0, 60), (relay, GROUND, 0, 60))
    )
    sky = Sky(plan(*windows))
    sky.send(180, size=5_000)
    sky.run(58)
    assert len(sky.deliveries) == 180
    assert abs(sky.taken_over[EAST] - sky.taken_over[WEST]) < 20


def test_three_relays_share_by_what_each_can_carry() -> None:
    third = 4
    windows = (
        *((LANDER, EAST, 0, 10), (EAST, GROUND, 100, 110)),
        *((LANDER, WEST, 0, 20), (WEST, GROUND, 200, 220)),
        *((LANDER, third, 0, 40), (third, GROUND, 300, 340)),
    )
    sky = Sky(plan(*windows), relays=(EAST, WEST, third))
    sky.send(120, size=5_000)
    sky.run(350)
    assert len(sky.deliveries) == 120
    assert sky.taken_over[EAST] < 20 < sky.taken_over[WEST] < 40 < sky.taken_over[third]


def test_a_relay_never_returns_a_bundle_to_the_node_it_came_from() -> None:
    # East's way to the ground is full or late; back to the lander and over West would be earlier.
    windows = (
        *((LANDER, EAST, 0, 300), (EAST, GROUND, 200, 300)),
        *((LANDER, WEST, 100, 300), (WEST, GROUND, 100, 300)),
    )
    sky = Sky(plan(*windows[:2]))
    sky.send(20, size=1_000)
    sky.run(20)
    assert sky.taken_over == {EAST: 20}
    for node in sky.network.nodes.values():
        node.replace_plan(plan(*windows), sky.network.now())
    sky.run(280)
    assert len(sky.deliveries) == 20
    assert sky.taken_over == {EAST: 20}


def test_a_long_line_is_decided_over_several_turns() -> None:
    windows = tuple(
        window
        for relay in RELAYS
        for window in ((LANDER, relay, 10, 600), (relay, GROUND, 10, 600))
    )
    sky = Sky(plan(*windows))
    sky.send(5 * DECISIONS_AT_ONCE, size=100)
    sky.run(40)
    assert len(sky.deliveries) == 5 * DECISIONS_AT_ONCE


def test_room_of_bundles_that_were_given_up_serves_others() -> None:
    windows = (
        *((LANDER, EAST, 100, 110), (EAST, GROUND, 110, 130)),
        *((LANDER, WEST, 2_000, 2_100), (WEST, GROUND, 2_000, 2_100)),
        (LANDER, EAST, 0, 1),
    )
    sky = Sky(plan(*windows))
    lander = sky.network.nodes[str(LANDER)]
    sky.send(80, size=1_000)
    sky.run(1)
    sky.send(80, size=1_000, first=1_000)
    sky.run(1)
    for held in lander.bundles():
        if held.entry.sequence <= 80:
            lander.drop(held.entry.sequence)
    sky.run(150)
    assert len(set(sky.deliveries) & set(range(1_000, 1_080))) == 80
