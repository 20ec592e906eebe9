"""What a node tells its owner: deliveries, events, counters."""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from flight.instant import Instant
from flight.relay.bundle import BundleId
from flight.relay.endpoint import EndpointId
from flight.relay.ltp.events import LtpCounts
from flight.relay.status import StatusReport
from flight.relay.store.values import Reason, StoreStatus, Trouble


@dataclass(frozen=True, slots=True)
class Delivery:
    """A payload for a service here; it stays in the store until it is released."""

    payload: bytes
    source: EndpointId
    destination: EndpointId
    """In numbers, also where the bundle names this node by its dtn name."""
    bundle_id: BundleId
    """Tells a second delivery after a restart; creation time and sequence are in it."""
    priority: int
    received: Instant
    """When it came, or when it was found again after a restart."""
    sequences: tuple[int, ...]
    """The store's numbers of the bundle, or of its fragments."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What was sent under this ticket is durable: it will be delivered, or named if it is not."""

    ticket: int
    bundle_id: BundleId


@dataclass(frozen=True, slots=True)
class SendRefused:
    """What was sent under this ticket found no room, and is forgotten."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The next node has taken these bundles over."""

    link: int
    bundle_ids: tuple[BundleId, ...]


@dataclass(frozen=True, slots=True)
class Buried:
    """These bundles were given up; a tombstone says so too."""

    reason: Reason
    bundle_ids: tuple[BundleId, ...]


@dataclass(frozen=True, slots=True)
class BlockRefused:
    """A block from a peer held no sound bundle, or found no room: it is asked for again."""

    link: int
    malformed: bool


@dataclass(frozen=True, slots=True)
class BundleRejected:
    """A received bundle must not be kept; ``reason`` is a bundle.Reason number."""

    link: int
    bundle_id: BundleId
    reason: int


@dataclass(frozen=True, slots=True)
class ReportReceived:
    """A status report on a bundle of ours came in."""

    report: StatusReport
    reporter: EndpointId


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """A link opened or closed."""

    link: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class StoreTrouble:
    """The store reports on its medium."""

    trouble: Trouble
    count: int


NodeEvent: TypeAlias = (
    Stored
    | SendRefused
    | Forwarded
    | Buried
    | BlockRefused
    | BundleRejected
    | ReportReceived
    | ContactChanged
    | StoreTrouble
)


class WindowState(NamedTuple):
    """Whether a link's contact is open, and until when."""

    is_open: bool
    rate_bytes_s: int
    """The contact's; 0 while it is closed."""
    changes_in_s: int
    """When it closes or opens next; -1: never, by the plan."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The node's state in plain numbers, for telemetry."""

    queued: tuple[int, ...]
    """Bundles waiting to be sent, by priority."""
    sending: int
    """Bundles handed to LTP and not yet acknowledged."""
    held_deliveries: int
    """Bundles for services here, released or not yet handed out."""
    oldest_s: int
    """How long the oldest bundle has been here, since the last start at most; 0: none."""
    sent: int
    received: int
    forwarded: int
    delivered: int
    duplicates: int
    buried: int
    blocks_refused: int
    malformed: int
    rejected: int
    links: tuple[LtpCounts, ...]
    windows: tuple[WindowState, ...]
    """Of each link, as the contact plan has it."""
    store: StoreStatus
