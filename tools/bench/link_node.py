"""A whole node behind one UDP port, turned as the loop that flies turns it."""

from flight.board.clock import BoardClock
from flight.instant import Instant
from flight.ports.udp import UdpPort
from flight.relay.bundle import encode_bundle, make_bundle
from flight.relay.contacts import Contact, ContactPlan, Range
from flight.relay.endpoint import ipn
from flight.relay.ltp.settings import LtpSettings
from flight.relay.node import Node
from flight.relay.settings import LinkSettings, NodeSettings
from flight.relay.store import Store

DAY_MS = 86_400_000


class End:
    """One end of a link that is open all day."""

    def __init__(
        self,
        port: UdpPort,
        store: Store,
        own: int,
        peer: int,
        ltp: LtpSettings,
        *,
        rate_bytes_s: int,
        one_way_ms: int = 0,
    ) -> None:
        self.port = port
        self.store = store
        self._clock = BoardClock()
        now = self._clock.now()
        start_ms, end_ms = now.dtn_ms - DAY_MS, now.dtn_ms + DAY_MS
        pairs = ((own, peer), (peer, own))
        plan = ContactPlan(
            tuple(Contact(a, b, start_ms, end_ms, rate_bytes_s) for a, b in pairs),
            tuple(Range(a, b, start_ms, end_ms, one_way_ms) for a, b in pairs),
        )
        settings = NodeSettings(own, (LinkSettings(peer, ltp),))
        self.node = Node(settings, store, plan, now, seed=1)

    def turn(self) -> Instant:
        """Receive, act, send; return the instant of it."""
        node, now = self.node, self._clock.now()
        for datagram in self.port.receive(now):
            node.receive(0, datagram, now)
        node.store_ready(now)
        node.expire(now)
        datagrams = [datagram for _, datagram in node.take_datagrams()]
        if datagrams:
            self.port.send(datagrams, now)
        return now

    @property
    def deadline_ns(self) -> int:
        """When to turn next, whatever comes."""
        deadline_ns = self.node.next_deadline_ns()
        return self._clock.now().mono_ns + DAY_MS if deadline_ns is None else deadline_ns

    def encoded(self, payload: bytes) -> bytes:
        """Return the bundle that the node makes of a payload, as it goes on the link."""
        now = self._clock.now()
        bundle = make_bundle(
            payload,
            source=ipn(self.node.settings.node_number, self.node.settings.source_service),
            destination=ipn(self.node.settings.links[0].peer_node, 65),
            created_ms=now.dtn_ms,
            sequence=1 << 10,
            lifetime_ms=DAY_MS,
            hop_limit=self.node.settings.hop_limit,
        )
        return encode_bundle(bundle)
