"""Settings of store, links and node: every limit has a name here, and a unit."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from flight.relay.ltp.settings import LtpSettings
from flight.relay.plain import UdpSettings
from flight.relay.stream.settings import TcpSettings, Tls


class Layer(Enum):
    """What carries bundles over a link."""

    LTP = "ltp"
    """RFC 5326, over UDP or a serial line: the only one for far, lossy or one-way links."""
    TCPCL4 = "tcpcl4"
    """RFC 9174, over TCP, with or without TLS: HDTN, dtn7, DTNME."""
    TCPCL3 = "tcpcl3"
    """RFC 7242, over TCP: ION, uD3TN, HDTN."""
    MTCP = "mtcp"
    """draft-ietf-dtn-mtcpcl, over TCP, without acknowledgements: uD3TN, dtn7."""
    UDP = "udp"
    """A bundle a datagram, without acknowledgements, over UDP (ION, HDTN, bplib) or over a serial
    line with SLIP framing (HDTN)."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How much the store may hold, and how it writes."""

    directory: Path
    """Where the log, the high-water mark and the quarantine live. One process owns it."""

    quota_bytes: int = 256 << 20
    """Bundle bytes kept at most. The log takes up to twice that, and its spare files."""

    received_quota_bytes: int = 192 << 20
    """Of quota_bytes, what bundles received from peers may take; the rest is ours alone."""

    reserve_bytes: int = 12 << 20
    """Log files kept free, so that eviction can commit on a full file system; at least three."""

    max_entries: int = 200_000
    """Bundles, tombstones and remembered identities at most, whatever their size."""

    seen_limit: int = 20_000
    """Identities of received bundles remembered after the bundle has gone; the oldest go first."""

    tombstone_limit: int = 1_000
    """Tombstones kept until they are sent; beyond it losses are only counted."""

    segment_bytes: int = 4 << 20
    """Size of one log file. A bundle larger than that gets a file of its own."""

    batch_limit: int = 64
    """Operations in one commit at most."""

    queue_limit: int = 4_096
    """Operations waiting for the writer at most; submit refuses beyond it."""

    quarantine_limit: int = 4
    """Damaged files kept for inspection at most; the oldest are removed."""

    one_processor: bool = True
    """Whether the control thread and the store's writer keep to one processor, the one that the
    system starts them on (systemd's CPUAffinity chooses). Worker processes use all. With a
    real-time priority the two stay apart: the writer has none, and would wait for a busy loop."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.quota_bytes < 1:
            raise ValueError("quota_bytes must be above 0")
        if not 0 <= self.received_quota_bytes <= self.quota_bytes:
            raise ValueError("received_quota_bytes must be within 0 and quota_bytes")
        if self.segment_bytes < 1 << 16:
            raise ValueError("segment_bytes must be 65536 or more: a commit must have room")
        if min(self.batch_limit, self.queue_limit, self.max_entries) < 1:
            raise ValueError("batch_limit, queue_limit and max_entries must be 1 or more")


STREAMS = {Layer.TCPCL4, Layer.TCPCL3, Layer.MTCP}
"""Those that need a TCP port."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """One neighbour and what carries bundles to it and from it."""

    peer_node: int
    """Node number of the neighbour, as the contact plan names it."""

    ltp: LtpSettings = field(default_factory=LtpSettings)
    """With layer "ltp": engines, segment size and limits of the span."""

    rate_without_clock_bytes_s: int = 0
    """While the time is unknown the contact plan says nothing: then the link counts as open at
    this rate, or as closed when it is 0."""

    one_way_without_clock_ms: int = 0
    """Light time reckoned with while the time is unknown."""

    names_previous_node: bool = True
    """Whether forwarded bundles carry a previous node block (RFC 9171 section 4.4.1)."""

    takes_unchecked: bool = False
    """Whether bundles are taken in whose primary block neither a checksum nor a signature protects.
    dtn7-rs makes such, against RFC 9171 section 4.3.1; ION's next release and bplib refuse them."""

    layer: Layer = Layer.LTP
    """The convergence layer: "ltp", "tcpcl4", "tcpcl3", "mtcp" or "udp"."""

    tcp: TcpSettings = field(default_factory=TcpSettings)
    """With "tcpcl4", "tcpcl3" and "mtcp": node ids, segment size, security and limits."""

    udp: UdpSettings = field(default_factory=UdpSettings)
    """With "udp": size and limits."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        tables = {"ltp": {Layer.LTP}, "udp": {Layer.UDP}, "tcp": STREAMS}
        for name, layers in tables.items():
            default = {"ltp": LtpSettings, "udp": UdpSettings, "tcp": TcpSettings}[name]()
            if self.layer not in layers and getattr(self, name) != default:
                raise ValueError(f"a {name} table has no meaning with layer {self.layer.value!r}")
        if self.tcp.tls is not Tls.NEVER and self.layer is not Layer.TCPCL4:
            raise ValueError("only layer 'tcpcl4' knows TLS")


class IdForm(Enum):
    """How the endpoint ids that this node makes are written; all forms are read."""

    TWO_ELEMENTS = "two-elements"
    """ipn:NODE.SERVICE as [node, service]: what every engine takes."""
    THREE_ELEMENTS = "three-elements"
    """ipn as [allocator, node, service] (RFC 9758 section 6.1.2). ION, HDTN and uD3TN refuse it."""
    DTN = "dtn"
    """Sources and previous nodes as dtn://NAME/SERVICE. ION's UDP induct dies of it."""


@dataclass(frozen=True, slots=True)
class DtnNode:
    """A node that others call by a name, and the number that it has here."""

    name: str
    """NAME in dtn://NAME/SERVICE."""

    node: int
    """Its node number, as contact plan and links name it."""

    def __post_init__(self) -> None:
        """Refuse what is no name."""
        if not self.name or "/" in self.name or self.node < 1:
            raise ValueError("dtn_nodes: a name without slashes, and a node number above 0")


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One DTN node: its number, its links, what it delivers, and the limits of its queues."""

    node_number: int
    """Of its endpoints ipn:NODE_NUMBER.SERVICE; with an allocator (RFC 9758) 2**32 times that,
    plus the number."""

    links: tuple[LinkSettings, ...] = ()
    """The neighbours; datagrams carry the index of theirs."""

    services: tuple[int, ...] = (64, 65, 66, 67)
    """Service numbers delivered here; bundles for others of this node are given up. With 0 among
    them, status reports are delivered too once the node has read them."""

    source_service: int = 1
    """The service that bundles made here come from, unless send says another."""

    echo_service: int = 2047
    """Bundles for it are sent back to where they came from; 0: no such service."""

    hop_limit: int = 16
    """Nodes that a bundle made here may pass; 0: no hop count block."""

    payload_checksum: bool = True
    """Whether the payload of bundles made here has a CRC-32C. DTNME deletes any that has one."""

    report_lifetime_s: int = 86_400
    """Lifetime of status reports and tombstones."""

    tombstones_to: str = ""
    """Endpoint that is told which bundles this node gave up, such as ``ipn:30.64`` for a station
    with node number 30; empty: none, but a board then tells its payload's destination."""

    cache_bytes: int = 16 << 20
    """Bundles kept in memory besides the store, so that most are never read back."""

    fetch_limit: int = 64
    """Bundles being read from the store at one time."""

    inbound_limit: int = 1_024
    """Received blocks waiting for their commit; beyond it blocks are refused and come again."""

    delivery_limit: int = 256
    """Deliveries handed out and not yet released; the others wait in the store."""

    report_limit: int = 256
    """Status reports, echoes and tombstone bundles waiting to leave; beyond it none are made."""

    retry_s: int = 5
    """How long a bundle whose block failed waits before it is sent again; doubles each time."""

    retry_max_s: int = 3_600
    """The longest such wait."""

    scrub_interval_s: int = 60
    """How often some entries of the store are read and checked; 0: never."""

    scrub_entries: int = 64
    """How many each time."""

    id_form: IdForm = IdForm.TWO_ELEMENTS
    """How endpoint ids made here are written: "two-elements", "three-elements" or "dtn"."""

    dtn_name: str = ""
    """This node's NAME in dtn://NAME/SERVICE: what is sent to the name comes here, too, and with
    id_form "dtn" it is written."""

    dtn_nodes: tuple[DtnNode, ...] = ()
    """Names of other nodes: bundles for dtn://NAME/... go to the node of that number."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        numbers = [self.node_number, *(link.peer_node for link in self.links)]
        if min(numbers) < 0:
            raise ValueError("node_number must be 0 or more, and each peer_node")
        if len(set(numbers)) != len(numbers):
            raise ValueError("node_number and each link's peer_node must differ")
        if "/" in self.dtn_name or (self.id_form is IdForm.DTN and not self.dtn_name):
            raise ValueError("id_form 'dtn' needs dtn_name, a name without slashes")
        names = [self.dtn_name, *(known.name for known in self.dtn_nodes)]
        if len(set(names)) != len(names):
            raise ValueError("dtn_name and the names in dtn_nodes must differ")

    def number_of(self, name: str) -> int | None:
        """Return the number of the node that has a dtn name; None: it is not known."""
        if name == self.dtn_name:
            return self.node_number
        return next((known.node for known in self.dtn_nodes if known.name == name), None)
