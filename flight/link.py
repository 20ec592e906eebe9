"""The link's side of the loop: ports and node, and what the node's events mean aboard."""

from collections.abc import Callable, Sequence

from flight.instant import Instant
from flight.ports.port import Port
from flight.product.events import Event, Happening
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
)
from flight.relay.store import Store
from flight.relay.store.values import Reason, Trouble


class Link:
    """Moves datagrams between ports and node, and hands on what the node says."""

    def __init__(
        self,
        node: Node,
        store: Store,
        ports: Sequence[Port],
        peers: Sequence[int],
        *,
        stored: Callable[[int, str], None],
        refused: Callable[[int, Instant], None],
        deliver: Callable[[Delivery, Instant], None],
        reported: Callable[[ReportReceived], None],
        note: Callable[[Happening, Instant], None],
    ) -> None:
        self.node = node
        self._store = store
        self._ports = ports
        self._peers = peers
        self._stored = stored
        self._refused = refused
        self._deliver = deliver
        self._reported = reported
        self._note = note
        self.datagrams_refused = 0

    def filenos(self) -> tuple[int, ...]:
        """Return the ports' and the store's descriptors."""
        ports = (port.fileno() for port in self._ports)
        return (self._store.fileno(), *(fileno for fileno in ports if fileno is not None))

    def next_deadline_ns(self) -> int | None:
        """Return the earliest deadline of node and ports."""
        due = (self.node.next_deadline_ns(), *(port.next_deadline_ns() for port in self._ports))
        return min((d for d in due if d is not None), default=None)

    def turn(self, now: Instant) -> None:
        """Receive, act on what is due, hand on what happened, send."""
        for index, port in enumerate(self._ports):
            port.expire(now)
            for datagram in port.receive(now):
                self._receive(index, datagram, now)
            trouble = port.take_trouble()
            if trouble is not None:
                self._note(Event.PORT_FAILED(node=self._peers[index], what=trouble), now)
        self.node.store_ready(now)
        self.node.expire(now)
        for delivery in self.node.take_deliveries():
            self._deliver(delivery, now)
        for event in self.node.take_events():
            self._handle(event, now)
        self.flush(now)

    def flush(self, now: Instant) -> None:
        """Send what the node has ready."""
        outgoing: dict[int, list[bytes]] = {}
        for index, datagram in self.node.take_datagrams():
            outgoing.setdefault(index, []).append(datagram)
        for index, datagrams in outgoing.items():
            self._ports[index].send(datagrams, now)

    def close(self) -> None:
        """Give the ports back."""
        for port in self._ports:
            port.close()

    def _receive(self, index: int, datagram: bytes, now: Instant) -> None:
        try:
            self.node.receive(index, datagram, now)
        except WireError as error:
            self.datagrams_refused += 1
            self._note(Event.DATAGRAM_REFUSED(what=str(error)), now)

    def _handle(self, event: NodeEvent, now: Instant) -> None:
        if isinstance(event, Stored):
            self._stored(event.ticket, str(event.bundle_id))
        elif isinstance(event, SendRefused):
            self._refused(event.ticket, now)
        elif isinstance(event, ReportReceived):
            self._reported(event)
        else:
            happening = _happening(event, self._peers)
            if happening is not None:
                self._note(happening, now)


def _happening(event: NodeEvent, peers: Sequence[int]) -> Happening | None:
    """Return the event to report for what the node says, or None where it is routine."""
    happening = None
    if isinstance(event, ContactChanged):
        changed = Event.CONTACT_OPENED if event.is_open else Event.CONTACT_CLOSED
        happening = changed(node=peers[event.link])
    elif isinstance(event, Buried) and event.reason is Reason.EXPIRED:
        happening = Event.BUNDLE_EXPIRED(bundles=len(event.bundle_ids))
    elif isinstance(event, Buried):
        why = event.reason.name.lower()
        happening = Event.BUNDLE_LOST(bundles=len(event.bundle_ids), why=why)
    elif isinstance(event, StoreTrouble) and event.trouble is Trouble.MEDIUM_RETURNED:
        what = f"on its medium again, {event.count} entries brought from memory"
        happening = Event.STORE_RECOVERED(what=what)
    elif isinstance(event, StoreTrouble):
        happening = Event.STORE_FAILED(what=f"{event.trouble.name.lower()} ({event.count})")
    elif isinstance(event, BundleRejected):
        happening = Event.BUNDLE_REFUSED(what=f"reason {event.reason}")
    elif isinstance(event, BlockRefused) and event.malformed:
        happening = Event.BUNDLE_REFUSED(what="no sound bundle in a block")
    return happening
