"""What a mission's settings say of one port, and the port that comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from flight.ports.channelport import ChannelPort, ChannelSettings
from flight.ports.port import Port
from flight.ports.serialport import SerialPort
from flight.ports.udp import UdpPort
from flight.relay.settings import NodeSettings


@dataclass(frozen=True, slots=True)
class PortSettings:
    """A line to one peer: UDP or serial, and for a demonstration how bad it is to be."""

    peer_node: int
    """The neighbour at its other end, as in [[node.links]]."""
    bind: str = ""
    """UDP: where to listen, HOST:PORT."""
    remote: str = ""
    """UDP: where to send, HOST:PORT."""
    device: str = ""
    """Serial: the line, such as /dev/ttyUSB0."""
    baud: int = 115_200
    """Serial: its speed."""
    channel: ChannelSettings | None = None
    """A simulated light time and loss, on top of the real line."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if bool(self.device) == bool(self.bind or self.remote):
            raise ValueError("give either bind and remote (UDP) or device (serial)")
        if not self.device and not (self.bind and self.remote):
            raise ValueError("UDP needs both bind and remote")
        if self.baud < 1:
            raise ValueError("baud must be above 0")

    @property
    def place(self) -> str:
        """Where it hears, for people."""
        return self.device or self.bind


def ports_by_link(ports: Sequence[PortSettings], node: NodeSettings) -> list[PortSettings]:
    """Return the ports in the order of the node's links, whose index the datagrams carry."""
    by_peer = {port.peer_node: port for port in ports}
    return [by_peer[link.peer_node] for link in node.links]


def open_port(settings: PortSettings) -> Port:
    """Return the port, open.

    Raises:
        PortError: it cannot be opened.
    """
    port: Port = (
        SerialPort(settings.device, settings.baud)
        if settings.device
        else UdpPort(settings.bind, settings.remote)
    )
    return port if settings.channel is None else ChannelPort(port, settings.channel)
