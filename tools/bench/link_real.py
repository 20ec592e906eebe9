"""Goodput over real sockets and the real clock: whole nodes over a link that delays and loses.

    sending node -> socket -> channel -> socket -> receiving node

All links run side by side in one process, since each is slow. Stores are in memory: what the
medium takes is measured elsewhere.
"""

import random
import select
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from flight.board.clock import BoardClock
from flight.ports.udp import UdpPort
from flight.relay.bundle import BundleId
from flight.relay.endpoint import ipn
from flight.relay.ltp.settings import LtpSettings
from flight.relay.settings import StoreSettings
from flight.relay.store import open_ram_store
from hil_tests.channel import NS, Channel, ChannelSettings
from tools.bench import link_simulated
from tools.bench.link_ends import free_addresses
from tools.bench.link_node import DAY_MS, End

SENDER, RECEIVER = 1, 2
BACKLOG_S = 16
"""Line time worth of bundles that wait or are under way, so that the link never idles."""
DRAIN_S = 90
CATCH_UP_MS, MARGIN_MS = 500, 1000
"""This process turns all links and plays all channels: it wakes and answers late."""
WARM_UP_S = 20
"""Left out: the link is not steady before bundles are repeated as fast as they are lost."""


@dataclass
class Line:
    """One link with its two nodes, and what came over it."""

    size: int
    channel: ChannelSettings
    arrivals: list[int] = field(default_factory=list)
    """``mono_ns`` of each delivery."""
    sent: int = 0
    seen: set[BundleId] = field(default_factory=set)
    repeated: int = 0

    def __post_init__(self) -> None:
        """Open sockets and nodes."""
        seed = self.size + round(self.channel.loss * 100)
        self.payload = random.Random(seed).randbytes(self.size)
        self.there, self.back = Channel(self.channel, seed), Channel(self.channel, ~seed)
        near, far = free_addresses(), free_addresses()
        self.middle = (UdpPort(near[1], near[0]), UdpPort(far[1], far[0]))
        self.left = self._end(UdpPort(*near), SENDER, RECEIVER)
        self.right = self._end(UdpPort(*far), RECEIVER, SENDER)

    def filenos(self) -> list[int]:
        """Return the sockets' descriptors."""
        ports = (self.left.port, self.right.port, *self.middle)
        return [fileno for port in ports if (fileno := port.fileno()) is not None]

    def deadline_ns(self) -> int:
        """Return when something is due."""
        arrivals = (self.there.next_arrival_ns(), self.back.next_arrival_ns())
        due = (self.left.deadline_ns, self.right.deadline_ns, *arrivals)
        return min(ns for ns in due if ns is not None)

    def feed(self) -> None:
        """Keep bundles waiting in the sending store, or on their way."""
        now = BoardClock().now()
        backlog = 4 + self.channel.rate_bytes_s * BACKLOG_S // self.size
        while self.sent - len(self.seen) < backlog:
            self.left.node.send(
                self.payload, destination=ipn(RECEIVER, 65), priority=1, lifetime_ms=DAY_MS, now=now
            )
            self.sent += 1

    def turn(self) -> None:
        """Do what is due at both ends and between them."""
        for end in (self.left, self.right):
            end.turn()
            end.node.take_events()
        now = BoardClock().now()
        for delivery in self.right.node.take_deliveries():
            self.repeated += delivery.bundle_id in self.seen or delivery.payload != self.payload
            self.seen.add(delivery.bundle_id)
            self.arrivals.append(now.mono_ns)
            self.right.node.release(delivery, now)
        near, far = self.middle
        for source, target, channel in ((near, far, self.there), (far, near, self.back)):
            for datagram in source.receive(now):
                channel.send(datagram, now.mono_ns)
            target.send(channel.take(now.mono_ns), now)

    def goodput_over_limit(self, start_ns: int, end_ns: int) -> float:
        """Return payload a second over what the link could carry of it at this loss."""
        times = [ns for ns in self.arrivals if start_ns <= ns < end_ns]
        seconds = (times[-1] - times[0]) / NS
        lost = self.there.lost / self.there.datagrams
        wire = link_simulated.wire_bytes(len(self.left.encoded(self.payload)))
        limit = self.channel.rate_bytes_s * (1 - lost) * self.size / wire
        return (len(times) - 1) * self.size / seconds / limit

    def _end(self, port: UdpPort, own: int, peer: int) -> End:
        return End(
            port,
            open_ram_store(StoreSettings(Path())),
            own,
            peer,
            LtpSettings(catch_up_ms=CATCH_UP_MS, margin_ms=MARGIN_MS),
            rate_bytes_s=self.channel.rate_bytes_s,
            one_way_ms=self.channel.one_way_ns // 10**6,
        )


def goodput(
    sizes: dict[str, int], losses: tuple[float, ...], seconds: float
) -> dict[str, dict[str, float]]:
    """Return goodput over the limit by size and loss, from bundles that all arrived once."""
    moon = link_simulated.MOON
    channels = {str(loss): replace(moon, loss=loss) for loss in losses}
    channels["bursts"] = link_simulated.BURSTS
    lines = {
        (name, loss): Line(size, channel)
        for name, size in sizes.items()
        for loss, channel in channels.items()
    }
    start_ns = time.monotonic_ns()
    _run(list(lines.values()), start_ns + round(seconds * NS))
    figures: dict[str, dict[str, float]] = {name: {} for name in sizes}
    for (name, loss), line in lines.items():
        if line.repeated or len(line.seen) != line.sent:
            raise AssertionError(
                f"{name} at {loss}: {line.sent} sent, {len(line.seen)} arrived, "
                f"{line.repeated} doubled or damaged"
            )
        figures[name][loss] = line.goodput_over_limit(
            start_ns + WARM_UP_S * NS, start_ns + round(seconds * NS)
        )
    return figures


def _run(lines: list[Line], end_ns: int) -> None:
    """Serve all lines until the end, and then until nothing is under way."""
    poll = select.poll()
    owner = {}
    for line in lines:
        for fileno in line.filenos():
            poll.register(fileno, select.POLLIN)
            owner[fileno] = line
    told_ns = 0
    while True:
        now_ns = time.monotonic_ns()
        feeds = now_ns < end_ns
        busy = [line for line in lines if feeds or len(line.seen) < line.sent]
        if not busy or now_ns > end_ns + DRAIN_S * NS:
            return
        if now_ns - told_ns > 10 * NS:
            told_ns = now_ns
            arrived = sum(len(line.arrivals) for line in lines)
            left_s = (end_ns - now_ns) // NS
            print(f"real sockets: {arrived} bundles arrived, {left_s} s left", file=sys.stderr)
        left_ns = min(line.deadline_ns() for line in busy) - now_ns
        ready = {id(owner[fileno]) for fileno, _ in poll.poll(min(max(left_ns / 1e6, 1), 100))}
        now_ns = time.monotonic_ns()
        for line in busy:
            if id(line) in ready or line.deadline_ns() <= now_ns:
                if feeds:
                    line.feed()
                line.turn()
