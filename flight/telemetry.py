"""The links' own telemetry: how queues, sessions and windows stand, sent home at a low priority.

A board and a relay do it alike. Its products have numbers of their own, beyond the payload's.
"""

from dataclasses import dataclass

from flight.instant import Instant
from flight.product.linkstate import LinkState, difference_record, key_record
from flight.product.names import PRODUCT_SERVICE, bundle_sequence
from flight.product.part import CODEC_BYTES, Header, Part, ProductId, ProductKind, cut_bytes
from flight.relay.endpoint import ipn
from flight.relay.node import Node, NodeStatus
from flight.relay.node.labels import FIRST_PRIORITY_SERVICE

FIRST_NUMBER = 1 << 25
"""Product numbers below are the payload's."""
OWNER = "link"
"""The sensor name of these products."""


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """What a node tells of its links, and to whom."""

    destination_node: int
    """The ground's node number."""
    link_interval_s: float = 60.0
    """How often; 0: never."""
    key_every: int = 10
    """Every so many records one stands alone; the others say what is different from it."""
    lifetime_s: int = 7 * 86_400
    """How long a record may be under way."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.link_interval_s < 0 or self.key_every < 1 or self.lifetime_s < 1:
            raise ValueError("link_interval_s is 0 or more, key_every and lifetime_s 1 or more")


class Telemetry:
    """A member of the loop that sends a record now and then."""

    def __init__(
        self, settings: TelemetrySettings, node: Node, *, boot: int, config_digest: bytes
    ) -> None:
        """``boot`` counts the boots of what makes this node's products."""
        self._settings = settings
        self._node = node
        self._boot = boot
        self._config_digest = config_digest
        self._number = FIRST_NUMBER
        self._key: tuple[int, LinkState] | None = None
        self._due_ns: int | None = 0 if settings.link_interval_s else None

    def filenos(self) -> tuple[int, ...]:
        """Return none: only the clock counts."""
        return ()

    def next_deadline_ns(self) -> int | None:
        """Return when the next record is due."""
        return self._due_ns

    def turn(self, now: Instant) -> None:
        """Send a record when it is time."""
        if self._due_ns is None or now.mono_ns < self._due_ns:
            return
        self._due_ns = now.mono_ns + round(self._settings.link_interval_s * 1e9)
        state = link_state(self._node.status(now), self._peers(), now)
        if self._key is None or self._number - self._key[0] >= self._settings.key_every:
            self._key = self._number, state
            record = key_record(state)
        else:
            record = difference_record(state, self._key[1], self._key[0])
        self._send(record.encode(), now)
        self._number += 1

    def _peers(self) -> tuple[int, ...]:
        return tuple(link.peer_node for link in self._node.settings.links)

    def _send(self, record: bytes, now: Instant) -> None:
        product = ProductId(self._node.settings.node_number, self._boot, self._number)
        parts = cut_bytes(record)
        header = Header(
            id=product,
            kind=ProductKind.LINK,
            sensor=OWNER,
            frame_number=0,
            taken=now,
            model_digest=b"",
            config_digest=self._config_digest,
            codec=CODEC_BYTES,
            codec_version=1,
            count=len(parts),
        )
        priority = ProductKind.LINK.priority
        for index, (geometry, data) in enumerate(parts):
            self._node.send(
                Part(header, index, geometry, data).encode(),
                destination=ipn(self._settings.destination_node, FIRST_PRIORITY_SERVICE + priority),
                priority=priority,
                lifetime_ms=self._settings.lifetime_s * 1000,
                now=now,
                source_service=PRODUCT_SERVICE,
                name=(now.dtn_ms, bundle_sequence(product, index)),
            )


def link_state(status: NodeStatus, peers: tuple[int, ...], now: Instant) -> LinkState:
    """Return a node's status as the figures of telemetry."""
    s, store = status, status.store
    node = (
        *(*s.queued, s.sending, s.held_deliveries, s.oldest_s, s.sent, s.received, s.forwarded),
        *(s.delivered, s.duplicates, s.buried, s.blocks_refused, s.malformed, s.rejected),
        *(store.bundles, store.used_bytes, int(store.degraded)),
    )
    links = tuple(
        (
            *(peer, int(window.is_open), window.rate_bytes_s, window.changes_in_s),
            *(counts.send_sessions, counts.receive_sessions, counts.bytes_sent),
            *(counts.segments_repeated, counts.loss_ppm),
        )
        for peer, window, counts in zip(peers, s.windows, s.links, strict=True)
    )
    return LinkState(now, node, links)
