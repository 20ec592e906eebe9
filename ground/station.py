"""The ground station: a relay node whose deliveries end in the archive.

One loop around the node: it reads the clock once a turn, hears the ports, lets the node act,
puts deliveries on the disk, releases them, and sends. A delivery is released only when it is in
the archive for good, so whatever dies in between, the node hands it out again. Services that stand
in the settings are the archive's; those that a process opens through the local socket are its own.
"""

import select
from collections.abc import Sequence
from dataclasses import dataclass

from flight.instant import Clock, Instant
from flight.ports.gateway import Gateway
from flight.ports.port import Port
from flight.product.status import Command
from flight.relay.endpoint import ipn
from flight.relay.errors import WireError
from flight.relay.node import (
    BlockRefused,
    BundleRejected,
    Buried,
    ContactChanged,
    Delivery,
    Node,
    NodeEvent,
    ReportReceived,
    SendRefused,
    Stored,
    StoreTrouble,
    Tombstone,
)
from flight.relay.node.names import placed
from flight.relay.store import Store
from flight.relay.store.values import Trouble
from ground.archive import Archive
from ground.notices import read_notice, tombstone_words
from ground.raw import Arrival
from ground.requests import Request, mark_sent, read_requests

COMMAND_SERVICE = 64
"""Of a board: commands are few and go first."""
COMMAND_PRIORITY = 0
REQUESTS_INTERVAL_NS = 500_000_000
"""How often the folder of requests is looked into."""
RETRY_NS = 5_000_000_000
"""After the disk refused, deliveries wait this long before it is tried again."""
LONGEST_WAIT_NS = 1_000_000_000


_TROUBLES = {
    Trouble.ROWS_DAMAGED: "{} bundles were damaged and are gone; their senders may send again",
    Trouble.ROWS_MISSING: "{} bundles are missing that should be here",
    Trouble.COMMITS_LOST: "{} commits are missing in the store; check the disk",
    Trouble.FILES_QUARANTINED: "{} files of the store are of another version and were set aside",
    Trouble.HIGH_WATER_DAMAGED: "{} high-water marks were damaged",
    Trouble.DISK_FULL: "the disk is full, the store lives in the files that it has; make room",
    Trouble.MEDIUM_FAILED: "THE DISK CANNOT BE WRITTEN: bundles are in memory only; make it"
    " writable",
    Trouble.MEDIUM_RETURNED: "the disk can be written again; {} entries were brought back to it",
    Trouble.MEDIUM_RETRIED: "a write failed once and then went well; check the disk",
    Trouble.LEDGER_MISMATCH: "the store holds {} entries, more than its last commit knows",
    Trouble.MENDED: "{} damaged commits were made good from their second copy; check the disk",
    Trouble.UNFINISHED: "the last commit was cut off; its {} bundles come again",
}


@dataclass(slots=True)
class Counts:
    """What the station has done since it started."""

    datagrams: int = 0
    datagrams_refused: int = 0
    deliveries: int = 0
    bytes_received: int = 0
    requests_sent: int = 0
    heard_ns: int = 0
    """When the last datagram or delivery came; at first, the start."""


class Station:
    """The loop's one turn, and what it carries from turn to turn."""

    def __init__(
        self,
        node: Node,
        store: Store,
        ports: Sequence[Port],
        archive: Archive,
        gateway: Gateway,
        *,
        clock: Clock,
        command_lifetime_s: int,
    ) -> None:
        self._node = node
        self._gateway = gateway
        self._store = store
        self._ports = ports
        self._archive = archive
        self._clock = clock
        self._command_lifetime_ms = command_lifetime_s * 1000
        self._pending: list[Delivery] = []
        self._retry_ns = 0
        self._requests_ns = 0
        self._asked: dict[int, Request] = {}
        """Requests on their way into the store, by ticket."""
        self._news: list[str] = []
        self.open_links: set[int] = set()
        self.counts = Counts(heard_ns=clock.now().mono_ns)
        self._wakers = [store.fileno()]

    def turn(self) -> Instant:
        """Wait for something to do, do it, and return the instant it was done at."""
        self._wait()
        now = self._clock.now()
        for link, port in enumerate(self._ports):
            port.expire(now)
            for datagram in port.receive(now):
                self._hear(link, datagram, now)
            trouble = port.take_trouble()
            if trouble is not None:
                peer = self._node.settings.links[link].peer_node
                self._news.append(f"port to node {peer}: {trouble}")
        self._node.store_ready(now)
        self._node.expire(now)
        for delivery in self._node.take_deliveries():
            self._take(delivery, now)
        self._keep(now)
        self._send_requests(now)
        for event in self._node.take_events():
            self._note(event)
        self._gateway.turn(now)
        self._send(now)
        return now

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits to be archived or to be sent."""
        return not (self._pending or self._asked)

    def take_news(self) -> tuple[str, ...]:
        """Return, and forget, what an operator should read, in order."""
        news, self._news = tuple(self._news), []
        return news

    def wake_by(self, descriptor: int) -> None:
        """Let a turn begin when this descriptor is readable: a signal's, which its owner drains."""
        self._wakers.append(descriptor)

    def _wait(self) -> None:
        poller = select.poll()
        ports = [fileno for port in self._ports if (fileno := port.fileno()) is not None]
        for descriptor in (*self._wakers, *ports, *self._gateway.filenos()):
            poller.register(descriptor, select.POLLIN)
        now = self._clock.now()
        due = [now.mono_ns + LONGEST_WAIT_NS, self._requests_ns]
        if self._pending:
            due.append(self._retry_ns)
        deadlines = [port.next_deadline_ns() for port in self._ports]
        deadlines.append(self._node.next_deadline_ns())
        due += [deadline for deadline in deadlines if deadline is not None]
        # Rounded up: waking just before a deadline would turn the loop for nothing.
        poller.poll(max(0, -(-(min(due) - now.mono_ns) // 1_000_000)))

    def _send(self, now: Instant) -> None:
        outgoing: dict[int, list[bytes]] = {}
        for link, datagram in self._node.take_datagrams():
            outgoing.setdefault(link, []).append(datagram)
        for link, datagrams in outgoing.items():
            self._ports[link].send(datagrams, now)

    def _hear(self, link: int, datagram: bytes, now: Instant) -> None:
        self.counts.datagrams += 1
        self.counts.bytes_received += len(datagram)
        self.counts.heard_ns = now.mono_ns
        try:
            self._node.receive(link, datagram, now)
        except WireError:
            # Anyone can send us datagrams: they are counted, and no word of theirs is printed.
            self.counts.datagrams_refused += 1

    def _take(self, delivery: Delivery, now: Instant) -> None:
        if delivery.destination.service in self._node.settings.services:
            self._pending.append(delivery)
        else:
            self._gateway.deliver(delivery, now)

    def _keep(self, now: Instant) -> None:
        """Archive what was delivered, then release it."""
        if not self._pending or now.mono_ns < self._retry_ns:
            return
        try:
            self._archive.keep(tuple(self._arrival(delivery) for delivery in self._pending))
        except OSError as error:
            self._retry_ns = now.mono_ns + RETRY_NS
            self._news.append(f"archive: {error.strerror or error}; trying again")
            return
        for delivery in self._pending:
            self._news += _said_of_losses(self._arrival(delivery))
            self._node.release(delivery, now)
        self.counts.deliveries += len(self._pending)
        self.counts.heard_ns = now.mono_ns
        self._pending = []

    def _send_requests(self, now: Instant) -> None:
        if now.mono_ns < self._requests_ns:
            return
        self._requests_ns = now.mono_ns + REQUESTS_INTERVAL_NS
        under_way = {request.command.number for request in self._asked.values()}
        for request in read_requests(self._archive.folder):
            if not request.sent and request.command.number not in under_way:
                ticket = self._node.send(
                    request.command.encode(),
                    destination=ipn(request.board, COMMAND_SERVICE),
                    priority=COMMAND_PRIORITY,
                    lifetime_ms=self._command_lifetime_ms,
                    now=now,
                )
                self._asked[ticket] = request

    def _note(self, event: NodeEvent) -> None:
        if isinstance(event, ReportReceived):
            self._gateway.reported(event)
        elif isinstance(event, Stored):
            self._gateway.stored(event.ticket, str(event.bundle_id))
            request = self._asked.pop(event.ticket, None)
            if request is not None:
                mark_sent(self._archive.folder, request)
                self.counts.requests_sent += 1
                self._news.append(f"request to node {request.board}: {_say(request.command)}")
        elif isinstance(event, SendRefused):
            # The store has no room now; the file still says that the request waits.
            self._gateway.stored(event.ticket, "")
            self._asked.pop(event.ticket, None)
        elif isinstance(event, ContactChanged):
            self._follow(event)
        else:
            self._news += _trouble(event)

    def _follow(self, event: ContactChanged) -> None:
        peer = self._node.settings.links[event.link].peer_node
        self._news.append(f"contact with node {peer} {'opened' if event.is_open else 'closed'}")
        if event.is_open:
            self.open_links.add(event.link)
        else:
            self.open_links.discard(event.link)

    def _arrival(self, delivery: Delivery) -> Arrival:
        return Arrival(
            source=str(placed(self._node.settings, delivery.source)),
            destination=str(delivery.destination),
            created_ms=delivery.bundle_id.created_ms,
            sequence=delivery.bundle_id.sequence,
            received_ms=delivery.received.dtn_ms,
            payload=delivery.payload,
        )


def _said_of_losses(arrival: Arrival) -> list[str]:
    try:
        notice = read_notice(arrival)
    except WireError:
        return []  # the archive says why it refused it
    if not isinstance(notice, Tombstone):
        return []
    return [tombstone_words(notice, arrival.source)]


def _say(command: Command) -> str:
    what = command.kind.name.lower().replace("_", " ")
    return f"{what} {command.sensor} {command.frame_number} (number {command.number})"


def _trouble(event: NodeEvent) -> list[str]:
    """Return what a node's event means to an operator; nothing where it is routine."""
    if isinstance(event, Buried):
        return [f"{len(event.bundle_ids)} bundles given up ({event.reason.name.lower()})"]
    if isinstance(event, BundleRejected):
        return [f"a bundle from {event.bundle_id.source} was refused (reason {event.reason})"]
    if isinstance(event, StoreTrouble):
        return [f"store: {_TROUBLES[event.trouble].format(event.count)}"]
    if isinstance(event, BlockRefused) and event.malformed:
        return ["a block held no sound bundle"]
    return []
