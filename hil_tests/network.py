"""Several nodes in simulated time, joined by bad channels; nothing sleeps or reads a clock."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from flight.instant import Instant
from flight.relay.errors import WireError
from flight.relay.node import Node
from hil_tests.channel import Channel

STORE_ROUNDS = 3
"""Results that lead to further wishes (a tombstone is buried, read, sent) are waited for."""


@dataclass
class Wire:
    """One direction between a link of one node and a link of another."""

    channel: Channel
    to_node: str
    to_link: int


@dataclass
class Network:
    """Nodes by name, and the wire that each (node, link) sends on."""

    nodes: dict[str, Node]
    wires: dict[tuple[str, int], Wire]
    start_dtn_ms: int
    now_ns: int = 0
    turn: Callable[[Instant], None] = lambda _now: None
    """Called after each step, to send, to look, to take deliveries."""
    alarms: list[tuple[int, Callable[[Instant], None]]] = field(default_factory=list)
    """(ns, what to do then); kept sorted by ``at``."""

    def at(self, ns: int, action: Callable[[Instant], None]) -> None:
        self.alarms.append((ns, action))
        self.alarms.sort(key=lambda alarm: alarm[0])

    def now(self) -> Instant:
        dtn_ms = self.start_dtn_ms + self.now_ns // 1_000_000 if self.start_dtn_ms else 0
        return Instant(self.now_ns, dtn_ms)

    def run(self, until_ns: int) -> None:
        self._act()
        while self.step(until_ns):
            pass

    def step(self, until_ns: int) -> bool:
        """Go to the next event and act on it; False: there is none before ``until_ns``."""
        times = [node.next_deadline_ns() for node in self.nodes.values()]
        times += [wire.channel.next_arrival_ns() for wire in self.wires.values()]
        times += [self.alarms[0][0]] if self.alarms else []
        next_ns = min((ns for ns in times if ns is not None), default=until_ns)
        self.now_ns = max(self.now_ns, min(next_ns, until_ns))
        self._act()
        return self.now_ns < until_ns

    def _act(self) -> None:
        now = self.now()
        for wire in self.wires.values():
            for datagram in wire.channel.take(self.now_ns):
                node = self.nodes.get(wire.to_node)
                if node is not None:
                    with suppress(WireError):
                        node.receive(wire.to_link, datagram, now)
        for node in self.nodes.values():
            node.expire(now)
        # Between what a node asked of its store and the commit: the worst place to be killed.
        while self.alarms and self.alarms[0][0] <= self.now_ns:
            self.alarms.pop(0)[1](now)
        for node in self.nodes.values():
            for _ in range(STORE_ROUNDS):
                node.store_ready(now)
        self.turn(now)
        self._carry()

    def _carry(self) -> None:
        for name, node in self.nodes.items():
            for link, datagram in node.take_datagrams():
                self.wires[name, link].channel.send(datagram, self.now_ns)
