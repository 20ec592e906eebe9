"""Lander, relay and ground over bad channels, seeded: one seed is one history, kills included."""

import shutil
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random  # noqa: TID251 - this file is where seeded chance is made

from flight.instant import Instant
from flight.relay.bundle import BundleId
from flight.relay.contacts import Contact, ContactPlan, Range
from flight.relay.endpoint import ipn
from flight.relay.ltp.settings import LtpSettings
from flight.relay.node import Buried, Node, Stored, read_tombstone_payload
from flight.relay.settings import LinkSettings, NodeSettings, StoreSettings
from flight.relay.store import Store, open_ram_store, open_store
from hil_tests.channel import NS, Channel, ChannelSettings
from hil_tests.network import Network, Wire

START_DTN_MS = 770_000_000_000
LANDER, RELAY, GROUND = 1, 2, 3
NAMES = {LANDER: "lander", RELAY: "relay", GROUND: "ground"}
TOMBSTONE_SERVICE = 68
RATE = 30_000
END_NS = 4_000 * NS
"""By then everything is delivered or named."""


@dataclass
class Outcome:
    """What one history came to."""

    sent: dict[BundleId, bytes] = field(default_factory=dict)
    """Acknowledged as durable to the sender."""
    delivered: set[BundleId] = field(default_factory=set)
    doubled: set[BundleId] = field(default_factory=set)
    """Handed out again after their release was durable: the node's fault."""
    repeats: int = 0
    """Handed out again since a kill came before that; the consumer's own memory meets these."""
    wrong: int = 0
    """Deliveries whose payload is not what was sent."""
    named: set[BundleId] = field(default_factory=set)
    """In a tombstone that reached the ground, or buried at the ground itself."""
    buried: set[BundleId] = field(default_factory=set)
    kills: int = 0
    log: str = ""
    """Digest of every event of every node, in order."""

    @property
    def missing(self) -> set[BundleId]:
        return set(self.sent) - self.delivered - self.named


class Scenario:
    """Builds one history from a seed and runs it to its end."""

    def __init__(
        self,
        seed: int,
        *,
        bundles: int = 40,
        directory: Path | None = None,
        kills: int = 0,
        trouble: float = 1.0,
        quota_bytes: int = 64 << 20,
    ) -> None:
        self.random = Random(seed)
        self.seed = seed
        self.directory = directory
        self.quota_bytes = quota_bytes
        self.outcome = Outcome()
        self.digest = sha256()
        self.lives = dict.fromkeys(NAMES, 0)
        self.tickets: dict[int, bytes] = {}
        self.stores: dict[int, Store] = {}
        self.releasing: tuple[int, list[BundleId]] = (0, [])
        self.released: set[BundleId] = set()
        self.plan = self._make_plan()
        start = Instant(0, START_DTN_MS)
        nodes = {NAMES[number]: self._make_node(number, start) for number in NAMES}
        self.network = Network(nodes, self._make_wires(trouble), START_DTN_MS, turn=self._turn)
        for _ in range(bundles):
            self.network.at(self.random.randrange(1_500 * NS), self._send)
        for _ in range(kills):
            victim = self.random.choice(list(NAMES))
            at_ns = self.random.randrange(2_500 * NS)
            self.network.at(at_ns, lambda now, victim=victim: self._kill(victim, now))

    def run(self) -> Outcome:
        self.network.run(END_NS)
        for store in self.stores.values():
            store.close()
        self.outcome.log = self.digest.hexdigest()
        return self.outcome

    def _make_plan(self) -> ContactPlan:
        """Windows with gaps at first; from 2,600 s on everything is open."""
        contacts = []
        for pair in ((LANDER, RELAY), (RELAY, GROUND)):
            at_s = self.random.randrange(100)
            windows = []
            while at_s < 2_300:
                end_s = at_s + self.random.randrange(60, 400)
                windows.append((at_s, min(end_s, 2_500)))
                at_s = end_s + self.random.randrange(30, 500)
            windows.append((2_600, END_NS // NS + 1))
            for start_s, end_s in windows:
                start_ms, end_ms = START_DTN_MS + start_s * 1000, START_DTN_MS + end_s * 1000
                contacts.append(Contact(*pair, start_ms, end_ms, RATE))
                contacts.append(Contact(*pair[::-1], start_ms, end_ms, RATE))
        end_ms = START_DTN_MS + END_NS // 1_000_000 + 1_000
        ranges = (
            Range(LANDER, RELAY, START_DTN_MS, end_ms, 60),
            Range(RELAY, GROUND, START_DTN_MS, end_ms, 1_300),
        )
        return ContactPlan(tuple(contacts), ranges)

    def _make_wires(self, trouble: float) -> dict[tuple[str, int], Wire]:
        ends = (
            ((LANDER, 0), (RELAY, 0), 60),
            ((RELAY, 0), (LANDER, 0), 60),
            ((RELAY, 1), (GROUND, 0), 1_300),
            ((GROUND, 0), (RELAY, 1), 1_300),
        )
        wires = {}
        for index, ((sender, link), (receiver, to_link), light_ms) in enumerate(ends):
            settings = ChannelSettings(
                rate_bytes_s=RATE,
                one_way_ns=light_ms * 1_000_000,
                loss=trouble * self.random.choice((0.0, 0.02, 0.1, 0.2)),
                duplicate=trouble * 0.02,
                reorder=trouble * 0.02,
                corrupt=trouble * self.random.choice((0.0, 0.002)),
                windows=self._windows(sender, receiver),
            )
            channel = Channel(settings, self.seed * 10 + index)
            wires[NAMES[sender], link] = Wire(channel, NAMES[receiver], to_link)
        return wires

    def _windows(self, sender: int, receiver: int) -> tuple[tuple[int, int], ...]:
        return tuple(
            ((c.start_ms - START_DTN_MS) * 1_000_000, (c.end_ms - START_DTN_MS) * 1_000_000)
            for c in self.plan.contacts_between(sender, receiver)
        )

    def _make_node(self, number: int, now: Instant) -> Node:
        peers = {LANDER: (RELAY,), RELAY: (LANDER, GROUND), GROUND: (RELAY,)}[number]
        links = tuple(LinkSettings(peer, LtpSettings(number, peer)) for peer in peers)
        settings = NodeSettings(
            number,
            links,
            services=(64, 65, 66, 67, TOMBSTONE_SERVICE),
            tombstones_to=f"ipn:{GROUND}.{TOMBSTONE_SERVICE}",
            retry_s=2,
            retry_max_s=20,
            scrub_interval_s=300,
        )
        store = self.stores[number] = self._open_store(number)
        return Node(settings, store, self.plan, now, self.seed * 10 + number)

    def _open_store(self, number: int) -> Store:
        settings = StoreSettings(
            self._home(number),
            quota_bytes=self.quota_bytes,
            received_quota_bytes=self.quota_bytes,
            reserve_bytes=1 << 12,
            segment_bytes=1 << 18,
        )
        if self.directory is None:
            return open_ram_store(settings)
        return open_store(settings, inline=True)

    def _home(self, number: int) -> Path:
        return (self.directory or Path()) / f"{NAMES[number]}.{self.lives[number]}"

    def _send(self, now: Instant) -> None:
        priority = self.random.randrange(4)
        size = self.random.choice((20, 300, 1_000, 5_000, 20_000))
        payload = self.random.randbytes(size)
        lifetime_s = self.random.choice((200, 10_000, 10_000, 10_000))
        ticket = self.network.nodes[NAMES[LANDER]].send(
            payload,
            destination=ipn(GROUND, 64 + priority),
            priority=priority,
            lifetime_ms=lifetime_s * 1000,
            now=now,
        )
        self.tickets[self.lives[LANDER] << 32 | ticket] = payload

    def _kill(self, number: int, now: Instant) -> None:
        """Leave the files as kill -9 would, and start the node again from them."""
        old, before = self.stores[number], self._home(number)
        self.lives[number] += 1
        shutil.copytree(before, self._home(number))
        old.close()
        shutil.rmtree(before)
        self.network.nodes[NAMES[number]] = self._make_node(number, now)
        self.outcome.kills += 1

    def _turn(self, now: Instant) -> None:
        for number, name in NAMES.items():
            for event in self.network.nodes[name].take_events():
                self.digest.update(f"{now.mono_ns} {name} {event}\n".encode())
                if isinstance(event, Stored):
                    payload = self.tickets[self.lives[number] << 32 | event.ticket]
                    self.outcome.sent[event.bundle_id] = payload
                elif isinstance(event, Buried):
                    self.outcome.buried.update(event.bundle_ids)
                    if number == GROUND:
                        self.outcome.named.update(event.bundle_ids)
        # What was released in the step before is durable by now, unless a kill came between.
        life, names = self.releasing
        if life == self.lives[GROUND]:
            self.released.update(names)
        names = []
        self.releasing = self.lives[GROUND], names
        ground = self.network.nodes[NAMES[GROUND]]
        for delivery in ground.take_deliveries():
            self._consume(delivery.bundle_id, delivery.payload, delivery.destination.service)
            names.append(delivery.bundle_id)
            ground.release(delivery, now)

    def _consume(self, name: BundleId, payload: bytes, service: int) -> None:
        if name in self.released:
            self.outcome.doubled.add(name)
        elif name in self.outcome.delivered:
            self.outcome.repeats += 1
        if service == TOMBSTONE_SERVICE:
            tombstone = read_tombstone_payload(payload)
            self.outcome.named.update(loss.bundle_id for loss in tombstone.losses)
            return
        self.outcome.delivered.add(name)
        sent = self.outcome.sent.get(name)
        self.outcome.wrong += sent is not None and sent != payload
