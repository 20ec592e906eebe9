"""A node as a process of its own, to be killed: loop, store on disk and UDP of `flight run`.

It says on a pipe, one line each, what became of numbered bundles:

    A n    bundle n is acknowledged: durable here
    D n    bundle n was handed out, and is released after this line
    F n    the release of bundle n is durable: it must never be handed out again
    W n    what was handed out as n is not what was sent
    B ...  a bundle was given up, or the store was damaged
"""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from flight.board.clock import BoardClock
from flight.instant import Instant
from flight.link import Link
from flight.loop import Loop
from flight.ports.udp import UdpPort
from flight.product.events import Event, Happening
from flight.relay.contacts import Contact, ContactPlan
from flight.relay.endpoint import ipn
from flight.relay.ltp.settings import LtpSettings
from flight.relay.node import Delivery, Node
from flight.relay.settings import LinkSettings, NodeSettings, StoreSettings
from flight.relay.store import Store, open_store
from flight.relay.store.values import Delete, Deleted, Entry, Operation, Result, StoreStatus

SENDER, RELAY, RECEIVER = 1, 2, 3
PEERS = {SENDER: (RELAY,), RELAY: (SENDER, RECEIVER), RECEIVER: (RELAY,)}
RATE = 400_000
SIZES = (40, 400, 1_500, 6_000)
HELD_MOST = 64
"""The sender makes no more bundles while its store holds as many."""
SEND_EVERY_NS = 6_000_000
DAY_MS = 86_400_000
TROUBLES = {Event.BUNDLE_LOST, Event.BUNDLE_EXPIRED, Event.STORE_FAILED}
"""What a kill must not bring about; a commit that was cut off before it was acknowledged may be."""


def content_of(number: int) -> bytes:
    """Return the payload of a bundle, which says its number first."""
    head = number.to_bytes(8, "big")
    return head + (sha256(head).digest() * 200)[: SIZES[number % len(SIZES)]]


@dataclass
class Told:
    """A store that tells which releases became durable; all else it leaves to the real one."""

    store: Store
    boots: int = 0
    created: int = 0
    waiting: dict[int, tuple[int, ...]] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.boots, self.created = self.store.boots, self.store.created

    def load(self) -> tuple[Entry, ...]:
        return self.store.load()

    def submit(self, operation: Operation) -> int | None:
        ticket = self.store.submit(operation)
        if ticket is not None and isinstance(operation, Delete):
            self.waiting[ticket] = operation.sequences
        return ticket

    def fileno(self) -> int:
        return self.store.fileno()

    def take_done(self) -> tuple[Result, ...]:
        results = self.store.take_done()
        for result in results:
            if isinstance(result, Deleted):
                self.gone += self.waiting.pop(result.ticket, ())
        return results

    def status(self) -> StoreStatus:
        return self.store.status()

    def close(self) -> None:
        self.store.close()


class Traffic:
    """What the ends do: make bundles here, hand them out there."""

    def __init__(self, role: int, node: Node, store: Told, pipe: int, first: int | None) -> None:
        self._role, self._node, self._store, self._pipe = role, node, store, pipe
        self._next, self._due_ns = first, 0
        self._tickets: dict[int, int] = {}
        self._releasing: dict[int, int] = {}

    def filenos(self) -> tuple[int, ...]:
        return ()

    def next_deadline_ns(self) -> int | None:
        return None if self._next is None else self._due_ns

    def turn(self, now: Instant) -> None:
        for sequence in self._store.gone:
            number = self._releasing.pop(sequence, None)
            if number is not None:
                self._say("F", number)
        self._store.gone.clear()
        if self._next is None or now.mono_ns < self._due_ns:
            return
        self._due_ns = now.mono_ns + SEND_EVERY_NS
        if len(self._node.bundles()) + len(self._tickets) < HELD_MOST:
            number, self._next = self._next, self._next + 1
            priority = number % 4
            ticket = self._node.send(
                content_of(number),
                destination=ipn(RECEIVER, 64 + priority),
                priority=priority,
                lifetime_ms=DAY_MS,
                now=now,
            )
            self._tickets[ticket] = number

    def stored(self, ticket: int, _bundle: str) -> None:
        self._say("A", self._tickets.pop(ticket))

    def refused(self, ticket: int, _now: Instant) -> None:
        self._tickets.pop(ticket)

    def deliver(self, delivery: Delivery, now: Instant) -> None:
        number = int.from_bytes(delivery.payload[:8], "big")
        self._say("D" if delivery.payload == content_of(number) else "W", number)
        self._releasing.update(dict.fromkeys(delivery.sequences, number))
        self._node.release(delivery, now)

    def note(self, happening: Happening, _now: Instant) -> None:
        if happening.event in TROUBLES and "unfinished" not in happening.words():
            os.write(self._pipe, f"B {happening.words()}\n".encode())

    def _say(self, what: str, number: int) -> None:
        os.write(self._pipe, f"{what} {number}\n".encode())


def run_child(
    role: int, folder: Path, ports: dict[tuple[int, int], int], *, pipe: int, first: int | None
) -> None:
    """Be a node until killed. ``ports``: (node, peer) to the UDP port at which node hears peer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    clock = BoardClock()
    now = clock.now()
    store = Told(open_store(store_settings(folder / str(role))))
    links = tuple(
        LinkSettings(peer, LtpSettings(role, peer, margin_ms=100)) for peer in PEERS[role]
    )
    settings = NodeSettings(role, links, retry_s=1, retry_max_s=2)
    node = Node(settings, store, plan(now), now, seed=role)
    traffic = Traffic(role, node, store, pipe, first)
    udp = [
        UdpPort(f"127.0.0.1:{ports[role, peer]}", f"127.0.0.1:{ports[peer, role]}")
        for peer in PEERS[role]
    ]
    link = Link(
        node,
        store,
        udp,
        PEERS[role],
        stored=traffic.stored,
        refused=traffic.refused,
        deliver=traffic.deliver,
        reported=lambda _event: None,
        note=traffic.note,
    )
    os.write(pipe, b"S 0\n")
    Loop(clock, (traffic, link)).run(stop=lambda _now: False, after_turn=lambda _now: None)


def store_settings(folder: Path) -> StoreSettings:
    """Return a store that is small where size costs time to open."""
    return StoreSettings(
        folder,
        quota_bytes=32 << 20,
        received_quota_bytes=24 << 20,
        reserve_bytes=1 << 20,
        segment_bytes=1 << 20,
    )


def plan(now: Instant) -> ContactPlan:
    """Return contacts that are open for a day."""
    pairs: Sequence[tuple[int, int]] = [(a, b) for a, peers in PEERS.items() for b in peers]
    start_ms = now.dtn_ms - 3_600_000
    return ContactPlan(tuple(Contact(a, b, start_ms, start_ms + DAY_MS, RATE) for a, b in pairs))
