"""What the settings say of one port, the port that comes of it, and what it asks of its link."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flight.ports.channelport import ChannelPort, ChannelSettings
from flight.ports.port import Port
from flight.ports.serialport import FlowControl, Framing, SerialPort
from flight.ports.tcp import TcpPort
from flight.ports.tls import TlsSettings
from flight.ports.udp import UdpPort
from flight.relay.settings import STREAMS, Layer, LinkSettings, NodeSettings
from flight.relay.stream.settings import Tls
from flight.relay.uartframe import MAX_PAYLOAD_BYTES, frame_bytes

_BITS_A_BYTE = 10
"""8N1: a start bit, eight of data, a stop bit."""
_WAKE_MS = 2
"""The loop sleeps in whole milliseconds."""


@dataclass(frozen=True, slots=True)
class PortSettings:
    """A line to one peer: UDP, TCP or serial, and for a demonstration how bad it is to be."""

    peer_node: int
    """The neighbour at its other end, as in [[node.links]]."""
    bind: str = ""
    """UDP: where to hear, HOST:PORT."""
    remote: str = ""
    """UDP: where to send, HOST:PORT."""
    listen: str = ""
    """TCP: where the peer may call, HOST:PORT."""
    call: str = ""
    """TCP: where to call the peer, HOST:PORT, while there is a contact. With both, each side
    sends on the line that it called, as ION and HDTN do."""
    tls: TlsSettings | None = None
    """TCP: files for TLS, which [node.links.tcp] allows or requires."""
    device: str = ""
    """Serial: the line, such as /dev/ttyUSB0."""
    baud: int = 115_200
    """Serial: its speed, 9,600 to 3,000,000 as the hardware allows."""
    framing: Framing = Framing.COBS
    """Serial: "cobs", or "slip" for HDTN's UART link together with layer "udp"."""
    flow_control: FlowControl = FlowControl.NONE
    """Serial: "none", "hardware" or "software"."""
    payload_bytes: int = 1024
    """Serial: longest datagram with layer "ltp"; 256 on a noisy line. LTP's segment_bytes is cut
    down to it."""
    channel: ChannelSettings | None = None
    """A simulated light time and loss, on top of the real line."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        kinds = (bool(self.device), bool(self.bind or self.remote), bool(self.listen or self.call))
        if sum(kinds) != 1:
            raise ValueError(
                "give bind and remote (UDP), listen or call or both (TCP), or device (serial)"
            )
        if (self.bind or self.remote) and not (self.bind and self.remote):
            raise ValueError("UDP needs both bind and remote")
        if self.tls is not None and not self.is_tcp:
            raise ValueError("tls is for TCP: listen or call")
        if self.channel is not None and self.is_tcp:
            raise ValueError("a simulated channel loses datagrams; TCP cannot do without any")
        if self.baud < 1:
            raise ValueError("baud must be above 0")
        if not 64 <= self.payload_bytes <= MAX_PAYLOAD_BYTES:
            raise ValueError(f"payload_bytes is not within 64 to {MAX_PAYLOAD_BYTES}")

    @property
    def is_tcp(self) -> bool:
        """Whether it has lines."""
        return bool(self.listen or self.call)

    @property
    def place(self) -> str:
        """Where it hears, or calls, for people."""
        return self.device or self.bind or self.listen or self.call


def ports_by_link(ports: Sequence[PortSettings], node: NodeSettings) -> list[PortSettings]:
    """Return the ports in the order of the node's links, whose index the datagrams carry."""
    by_peer = {port.peer_node: port for port in ports}
    return [by_peer[link.peer_node] for link in node.links]


def check_links(node: NodeSettings, ports: Sequence[PortSettings]) -> None:
    """Refuse links and ports that do not fit together.

    Raises:
        ValueError: one is missing, or a layer cannot go over its port.
    """
    to_ports, to_links = (sorted(x.peer_node for x in xs) for xs in (ports, node.links))
    if to_ports != to_links:
        raise ValueError(f"[[ports]] lead to nodes {to_ports}, [[node.links]] to {to_links}")
    for link, port in zip(node.links, ports_by_link(ports, node), strict=True):
        name = f"link to node {link.peer_node}: layer {link.layer.value!r}"
        if (link.layer in STREAMS) != port.is_tcp:
            tcp = link.layer in STREAMS
            raise ValueError(f"{name} needs {'TCP: listen or call' if tcp else 'UDP or serial'}")
        if link.tcp.tls is not Tls.NEVER and port.tls is None:
            raise ValueError(f"{name} with tls {link.tcp.tls.value!r} needs [ports.tls]")


def fit_links(node: NodeSettings, ports: Sequence[PortSettings]) -> NodeSettings:
    """Return a node whose links keep to what their lines carry.

    On a serial line segments get no longer than its payload, what framing costs is paced, and a
    loop that wakes late makes up for less than a segment, so that priority 0 waits behind one at
    most. Over MTCP a node that calls sends on nothing else (draft-ietf-dtn-mtcpcl: one way only).
    """
    pairs = zip(node.links, ports_by_link(ports, node), strict=True)
    return replace(node, links=tuple(_fitted(link, port) for link, port in pairs))


def _fitted(link: LinkSettings, port: PortSettings) -> LinkSettings:
    if link.layer is Layer.MTCP and port.call:
        return replace(link, tcp=replace(link.tcp, answers_send=False))
    if not port.device:
        return link
    is_cobs = port.framing is Framing.COBS
    if link.layer is Layer.UDP:
        longest = min(link.udp.datagram_bytes_max, MAX_PAYLOAD_BYTES if is_cobs else 1 << 16)
        catch_up_ms = min(link.udp.catch_up_ms, _catch_up_ms(port, port.payload_bytes))
        udp = replace(link.udp, datagram_bytes_max=longest, catch_up_ms=catch_up_ms)
        return replace(link, udp=udp)
    segment = min(link.ltp.segment_bytes, port.payload_bytes)
    overhead = frame_bytes(segment) - segment
    catch_up_ms = min(link.ltp.catch_up_ms, _catch_up_ms(port, segment + overhead))
    ltp = replace(
        link.ltp,
        segment_bytes=segment,
        frame_bytes=max(link.ltp.frame_bytes, overhead),
        catch_up_ms=catch_up_ms,
    )
    return replace(link, ltp=ltp)


def _catch_up_ms(port: PortSettings, size: int) -> int:
    """Return a segment's time on the line, but no less than it takes to wake up."""
    return max(size * _BITS_A_BYTE * 1000 // port.baud, _WAKE_MS)


def open_port(settings: PortSettings) -> Port:
    """Return the port, open.

    Raises:
        PortError: it cannot be opened.
    """
    port: Port
    if settings.device:
        port = SerialPort(
            settings.device,
            settings.baud,
            framing=settings.framing,
            flow_control=settings.flow_control,
        )
    elif settings.is_tcp:
        port = TcpPort(settings.listen, settings.call, settings.tls)
    else:
        port = UdpPort(settings.bind, settings.remote)
    return port if settings.channel is None else ChannelPort(port, settings.channel)
